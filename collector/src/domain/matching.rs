//! Who a device is: the key decides, the hardware is evidence.
//!
//! At enrolment: new, a known device with a new key, or "looks like" one, for a person to decide.
//! At a check-in: the same computer, one with other parts, one turned back to an older state, or
//! two computers with one key. Host names and IP addresses decide nothing and are not looked at.

use rollcall_shared::junk::{self, Grade, IdKind};
use rollcall_shared::{DeviceId, HardwareIds};

/// On how many living keys (active, approved, not revoked) a value is seen, the device in question counted
/// like any other. Two make it worthless as proof: the fleet itself demotes it.
pub type LivingKeys<'a> = &'a dyn Fn(IdKind, &str) -> u32;

/// A value and what it is worth here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graded {
    /// What it is.
    pub kind: IdKind,
    /// The value.
    pub value: String,
    /// What it is worth, by itself and in this fleet.
    pub grade: Grade,
}

/// A known device that may be the one that enrols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub device: DeviceId,
    /// What people call it, e.g. its host name.
    pub label: String,
    /// Its evidence, good values kept.
    pub ids: HardwareIds,
    /// It has not checked in for longer than the stale limit, or its key is revoked.
    pub silent: bool,
}

/// What is decided at enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolment {
    /// A device that nobody knows.
    New {
        /// In words.
        evidence: String,
    },
    /// A known device with a new key: its record goes on, the old key is revoked.
    Continues {
        /// The known device.
        device: DeviceId,
        /// In words.
        evidence: String,
    },
    /// Points at a known device, but not enough to decide: waits for a person.
    LooksLike {
        /// The known device.
        device: DeviceId,
        /// In words.
        evidence: String,
    },
}

/// What is decided at a check-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The same computer.
    Same,
    /// An older report of the same computer that arrives late: history, not state.
    Late,
    /// The same key with other hardware, in good order: parts or the whole computer were changed.
    HardwareChanged {
        /// In words.
        evidence: String,
    },
    /// The same computer, turned back to an older state: accepted, goes on from this number.
    Reverted {
        /// The number to go on from.
        next_seq: u64,
        /// In words.
        evidence: String,
    },
    /// The same key from two computers: refused.
    CloneSuspected {
        /// In words, with both fingerprints.
        evidence: String,
    },
}

/// How a report stands to the reports before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub seq: u64,
    /// The highest number stored; 0 before the first report.
    pub last_seq: u64,
    /// Another report with its number is stored already.
    pub seq_taken: bool,
    /// It was observed later than every stored report.
    pub observed_later: bool,
}

/// Where two sets of evidence agree and differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Values on both sides, strong ones first.
    pub agree: Vec<Graded>,
    /// Kinds with good values on both sides that have none in common: before, after.
    pub differ: Vec<(Graded, Graded)>,
}

impl Comparison {
    fn agrees(&self, grade: Grade) -> usize {
        self.agree.iter().filter(|value| value.grade == grade).count()
    }

    fn differs(&self, grade: Grade) -> bool {
        self.differ.iter().any(|(a, b)| a.grade.min(b.grade) == grade)
    }

    /// Whether the two are different computers, as far as evidence can tell. A machine id says
    /// nothing here: images copy it, new installations change it.
    pub fn other_computer(&self) -> bool {
        if self.agrees(Grade::Strong) > 0 {
            return false;
        }
        let mac = |kind: IdKind| kind == IdKind::Mac;
        self.differs(Grade::Strong)
            || self.differ.iter().any(|(value, _)| mac(value.kind))
                && !self.agree.iter().any(|value| mac(value.kind))
    }

    fn in_words(&self) -> String {
        let mut parts: Vec<String> = self
            .agree
            .iter()
            .map(|value| format!("same {} {}", value.kind.name(), short(&value.value)))
            .collect();
        parts.extend(self.differ.iter().map(|(before, after)| {
            format!(
                "{} {} before, {} now",
                before.kind.name(),
                short(&before.value),
                short(&after.value)
            )
        }));
        if parts.is_empty() {
            "no hardware identifier in common".to_owned()
        } else {
            parts.join("; ")
        }
    }
}

/// Every identifier of a computer in words; of its adapters the first few.
fn fingerprint(ids: &HardwareIds) -> String {
    let words: Vec<String> = values(ids)
        .take(8)
        .map(|(kind, value)| format!("{} {}", kind.name(), short(&normal(value))))
        .collect();
    if words.is_empty() { "no identifier at all".to_owned() } else { words.join(", ") }
}

/// Digests are long and mean nothing to people beyond their start.
fn short(value: &str) -> String {
    let mut text: String = value.chars().take(40).collect();
    if value.chars().count() > 40 {
        text.push('…');
    }
    text
}

/// Every identifier with its worth: by the list of junk, and by the fleet.
pub fn graded(ids: &HardwareIds, living: LivingKeys<'_>) -> Vec<Graded> {
    values(ids)
        .map(|(kind, value)| {
            let own = junk::grade(kind, value);
            let shared = own == Grade::Strong && living(kind, value) >= 2;
            let grade = if shared { Grade::Weak } else { own };
            Graded { kind, value: normal(value), grade }
        })
        .collect()
}

/// The values of one set by kind; MAC addresses one by one.
pub fn values(ids: &HardwareIds) -> impl Iterator<Item = (IdKind, &str)> {
    let HardwareIds { serial, uuid, board_serial, machine_id_digest, macs } = ids;
    [
        (IdKind::Serial, serial),
        (IdKind::Uuid, uuid),
        (IdKind::BoardSerial, board_serial),
        (IdKind::MachineId, machine_id_digest),
    ]
    .into_iter()
    .filter_map(|(kind, value)| value.as_deref().map(|value| (kind, value)))
    .chain(macs.iter().map(|mac| (IdKind::Mac, mac.as_str())))
}

/// Compares two sets of evidence; junk is left out.
pub fn compare(before: &HardwareIds, after: &HardwareIds, living: LivingKeys<'_>) -> Comparison {
    let good = |ids| -> Vec<Graded> {
        graded(ids, living).into_iter().filter(|value| value.grade != Grade::Junk).collect()
    };
    let (before, after) = (good(before), good(after));
    let mut comparison = Comparison::default();
    let kinds = [IdKind::Serial, IdKind::Uuid, IdKind::BoardSerial, IdKind::MachineId, IdKind::Mac];
    for kind in kinds {
        let of = |list: &[Graded]| -> Vec<Graded> {
            list.iter().filter(|value| value.kind == kind).cloned().collect()
        };
        let (old, new) = (of(&before), of(&after));
        let common: Vec<Graded> =
            new.iter().filter(|value| old.iter().any(|o| same_value(o, value))).cloned().collect();
        match (old.first(), new.first()) {
            (Some(old), Some(new)) if common.is_empty() => {
                comparison.differ.push((old.clone(), new.clone()));
            }
            _ => comparison.agree.extend(common),
        }
    }
    comparison.agree.sort_by_key(|value| std::cmp::Reverse(value.grade));
    comparison
}

fn normal(value: &str) -> String {
    value.trim().to_ascii_lowercase()
}

fn same_value(a: &Graded, b: &Graded) -> bool {
    a.value == b.value || a.kind == IdKind::Uuid && swapped(&a.value).as_ref() == Some(&b.value)
}

/// The same UUID as systems write it that read its first three fields in the other byte order.
fn swapped(uuid: &str) -> Option<String> {
    if !uuid.is_ascii() || uuid.len() != 36 {
        return None;
    }
    let turn = |range: std::ops::Range<usize>| -> String {
        let field = uuid.get(range).unwrap_or_default().as_bytes();
        field.chunks(2).rev().flatten().map(|byte| char::from(*byte)).collect()
    };
    Some(format!("{}-{}-{}{}", turn(0..8), turn(9..13), turn(14..18), &uuid[18..]))
}

/// Decides who enrols. `allowed`: the token lets a known device go on with a new key.
pub fn enrolment(
    ids: &HardwareIds,
    candidates: &[Candidate],
    allowed: bool,
    living: LivingKeys<'_>,
) -> Enrolment {
    let mut likely: Vec<(&Candidate, Comparison)> = Vec::new();
    for candidate in candidates {
        let comparison = compare(&candidate.ids, ids, living);
        let strong = comparison.agrees(Grade::Strong) > 0;
        let contradicted = comparison.differs(Grade::Strong);
        // Without anything strong on either side, several weak values together are a hint.
        let kinds = |kind| comparison.agree.iter().any(|value| value.kind == kind);
        let hint = !contradicted && kinds(IdKind::MachineId) && kinds(IdKind::Mac);
        // Two that live side by side and differ in a strong value are two computers.
        if strong && (candidate.silent || !contradicted) || hint {
            likely.push((candidate, comparison));
        }
    }
    likely.sort_by_key(|(candidate, comparison)| {
        let grade = comparison.agrees(Grade::Strong);
        (comparison.differs(Grade::Strong), std::cmp::Reverse(grade), !candidate.silent)
    });
    let Some((candidate, comparison)) = likely.first() else {
        return Enrolment::New { evidence: new_in_words(ids, living) };
    };
    let others = likely.len() - 1;
    let mut evidence = format!("{}: {}", candidate.label, comparison.in_words());
    let device = candidate.device;
    let strong = comparison.agrees(Grade::Strong) > 0 && !comparison.differs(Grade::Strong);
    let rivals = likely.iter().skip(1).any(|(_, other)| other.agrees(Grade::Strong) > 0);
    if strong && candidate.silent && allowed && !rivals {
        return Enrolment::Continues { device, evidence };
    }
    if others > 0 {
        evidence.push_str("; other devices match as well");
    }
    if !candidate.silent {
        evidence.push_str("; that device still checks in");
    }
    if strong && candidate.silent && !allowed {
        evidence.push_str("; the token does not let a known device go on by itself");
    }
    Enrolment::LooksLike { device, evidence }
}

fn new_in_words(ids: &HardwareIds, living: LivingKeys<'_>) -> String {
    let best = graded(ids, living).into_iter().filter(|value| value.grade == Grade::Strong);
    let words: Vec<String> =
        best.map(|value| format!("{} {}", value.kind.name(), short(&value.value))).collect();
    if words.is_empty() {
        "no identifier that could tell it from other computers".to_owned()
    } else {
        format!("nothing known has {}", words.join(" or "))
    }
}

/// Decides who checks in. `known` is the evidence kept so far, `now` what the report says.
pub fn check_in(
    known: &HardwareIds,
    now: &HardwareIds,
    order: Order,
    living: LivingKeys<'_>,
) -> Identity {
    let comparison = compare(known, now, living);
    let first = order.last_seq == 0 && !order.seq_taken;
    let behind = !first && order.seq <= order.last_seq;
    let forked = behind && (order.seq_taken || order.observed_later);
    let words = comparison.in_words();
    match (forked, comparison.other_computer()) {
        (true, true) => Identity::CloneSuspected {
            evidence: format!(
                "report {} came again although {} was stored; {words}; the computer known by this \
                 key: {}; the one that spoke now: {}",
                order.seq,
                order.last_seq,
                fingerprint(known),
                fingerprint(now),
            ),
        },
        (true, false) => Identity::Reverted {
            next_seq: order.last_seq.saturating_add(1),
            evidence: format!("went back from report {} to {}; {words}", order.last_seq, order.seq),
        },
        (false, _) if behind => Identity::Late,
        (false, other) if other || comparison.differs(Grade::Strong) => {
            Identity::HardwareChanged { evidence: words }
        }
        (false, _) => Identity::Same,
    }
}

/// The evidence to keep: a bad read never overwrites a good value.
pub fn merge_ids(old: &HardwareIds, new: &HardwareIds) -> HardwareIds {
    let pick = |kind, old: &Option<String>, new: &Option<String>| {
        let good = |value: &&String| junk::grade(kind, value) != Grade::Junk;
        new.as_ref().filter(good).or(old.as_ref().filter(good)).or(new.as_ref()).cloned()
    };
    let good_macs = |ids: &HardwareIds| -> Vec<String> {
        let mut macs: Vec<String> = ids
            .macs
            .iter()
            .filter(|mac| junk::grade(IdKind::Mac, mac) != Grade::Junk)
            .map(|mac| normal(mac))
            .collect();
        macs.sort();
        macs.dedup();
        macs
    };
    let macs = good_macs(new);
    HardwareIds {
        serial: pick(IdKind::Serial, &old.serial, &new.serial),
        uuid: pick(IdKind::Uuid, &old.uuid, &new.uuid),
        board_serial: pick(IdKind::BoardSerial, &old.board_serial, &new.board_serial),
        machine_id_digest: pick(IdKind::MachineId, &old.machine_id_digest, &new.machine_id_digest),
        macs: if macs.is_empty() { good_macs(old) } else { macs },
    }
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
