//! The rules, one function each: what is known of a device in, flags out.
//!
//! A missing device is flagged as missing and for nothing else: its last values are history, not
//! its state. The flag carries what was known and when, the operating system included.

use std::collections::BTreeMap;

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::Presence;
use rollcall_shared::api::finding::Severity;
use rollcall_shared::report::VolumeSpace;
use rollcall_shared::section::{Update, Volume};
use rollcall_shared::time::{DAY_MS, MINUTE_MS};
use rollcall_shared::version::{self, Scheme};
use serde_json::{Value, json};

use super::facts::Facts;
use super::finding::{Flag, Observed, Rule};
use super::freshness::presence;
use super::lifecycle::LifecycleState;
use super::policy::Policy;

/// Evidence from pairs; absent values are left out.
fn evidence<const N: usize>(pairs: [(&str, Value); N]) -> BTreeMap<String, Value> {
    pairs
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

pub(super) fn flags(
    observed: &Observed<'_>,
    policy: &Policy,
    facts: &Facts,
    now: Timestamp,
) -> Vec<Flag> {
    let state = presence(
        observed.last_seen_at,
        observed.enrolled_at,
        observed.class,
        policy,
        observed.retired,
        observed.pending,
        now,
    );
    let mut flags = Vec::new();
    match state {
        Presence::Retired | Presence::Pending => {}
        Presence::Missing => {
            flags.push(missing(observed, policy, facts));
            flags.extend(clone_suspected(observed));
        }
        Presence::Fresh | Presence::Stale => {
            flags.extend(clone_suspected(observed));
            flags.extend(operating_system(observed, policy, facts, now));
            flags.extend(agent_outdated(observed, policy));
            flags.extend(updates(observed, policy, now));
            flags.extend(reboot_pending(observed));
            flags.extend(disks(observed, policy));
            flags.extend(clock_wrong(observed, policy));
        }
    }
    flags
}

fn missing(observed: &Observed<'_>, policy: &Policy, facts: &Facts) -> Flag {
    let days = policy.missing_days(observed.class);
    let class = observed.class.as_str();
    let system = observed.os.map(|os| facts.cycle_of(os));
    Flag {
        rule: Rule::Missing,
        severity: match observed.class {
            rollcall_shared::api::device::DeviceClass::Server => Severity::Critical,
            _ => Severity::Warning,
        },
        subject: None,
        value: match observed.last_seen_at {
            Some(at) => format!("last check-in on {}", at.date()),
            None => format!("no check-in since enrolment on {}", observed.enrolled_at.date()),
        },
        threshold: format!("a {class} checks in at least every {}", count(days, "day")),
        source: "the collector's clock".to_owned(),
        source_date: observed.last_seen_at,
        next_step: "Ask the person who uses it whether it is switched on and has network. If it \
                    is, run `rollcall-agent doctor` on it. If it is gone for good, retire it."
            .to_owned(),
        evidence: evidence([
            ("last_seen_at", json!(observed.last_seen_at)),
            ("enrolled_at", json!(observed.enrolled_at)),
            ("class", json!(class)),
            ("limit_days", json!(days)),
            ("os", json!(observed.os.map(super::hardware::os_display))),
            ("os_cycle", json!(system)),
            ("facts_known_at", json!(observed.vitals_at.or(observed.last_seen_at))),
        ]),
    }
}

fn clone_suspected(observed: &Observed<'_>) -> Option<Flag> {
    let why = observed.clone_suspected?;
    Some(Flag {
        rule: Rule::CloneSuspected,
        severity: Severity::Critical,
        subject: None,
        value: why.to_owned(),
        threshold: "one device key belongs to one computer".to_owned(),
        source: "check-ins of this device".to_owned(),
        source_date: observed.last_seen_at,
        next_step: "Look for a copied disk or virtual machine. The copy makes itself a key of its \
                    own; run `rollcall-agent prepare-image` before taking an image."
            .to_owned(),
        evidence: evidence([("evidence", json!(why))]),
    })
}

fn operating_system(
    observed: &Observed<'_>,
    policy: &Policy,
    facts: &Facts,
    now: Timestamp,
) -> Option<Flag> {
    let os = observed.os?;
    let verdict = facts.verdict(os, policy, now);
    let label = verdict.label.clone().unwrap_or_else(|| super::hardware::os_display(os));
    let (rule, severity, threshold, next_step) = match &verdict.state {
        LifecycleState::Ended { since } => {
            let end = since.map_or_else(
                || "its support has ended".to_owned(),
                |day| format!("supported until {}", day.date()),
            );
            let offer = match verdict.not_seen.as_deref() {
                Some("esm") => "; Ubuntu Pro (ESM) is not attached".to_owned(),
                Some(kind) => {
                    format!("; {} exists, not seen on this device", kind.to_uppercase())
                }
                None => String::new(),
            };
            let next = "Upgrade it to a supported version, or take the device out of service.";
            (Rule::OsEndOfLife, Severity::Critical, format!("{end}{offer}"), next)
        }
        LifecycleState::EndingSoon { until, kind } => (
            Rule::OsEndingSoon,
            Severity::Warning,
            match kind {
                Some(kind) => {
                    format!("{} security support until {}", kind.to_uppercase(), until.date())
                }
                None => format!("supported until {}", until.date()),
            },
            "Plan the upgrade to a newer version before that day.",
        ),
        LifecycleState::ExtendedOnly { kind, until } => (
            Rule::OsExtendedOnly,
            Severity::Info,
            match until {
                Some(day) => {
                    format!("{} security support until {}", kind.to_uppercase(), day.date())
                }
                None => format!("{} security support, no end announced", kind.to_uppercase()),
            },
            "Plan the upgrade; extended support covers fewer packages.",
        ),
        LifecycleState::Supported { .. }
        | LifecycleState::Rolling
        | LifecycleState::Unknown { .. } => return None,
    };
    Some(Flag {
        rule,
        severity,
        subject: None,
        value: label,
        threshold,
        source: facts.source_name(),
        source_date: Some(facts.snapshot),
        next_step: next_step.to_owned(),
        evidence: evidence([
            ("os", json!(super::hardware::os_display(os))),
            ("product", json!(verdict.product)),
            ("cycle", json!(verdict.cycle)),
            ("verdict", json!(verdict.state)),
            ("extended_support_not_seen", json!(verdict.not_seen)),
            ("revision", json!(os.windows.as_ref().and_then(|windows| windows.revision))),
            ("ubuntu_pro", json!(os.ubuntu_pro)),
            ("facts_date", json!(facts.snapshot.date())),
        ]),
    })
}

fn agent_outdated(observed: &Observed<'_>, policy: &Policy) -> Option<Flag> {
    let version = &observed.agent?.version;
    let minimum = policy.agent_minimum();
    let older = version::compare(Scheme::SemVer, version, &minimum)?.is_lt();
    older.then(|| Flag {
        rule: Rule::AgentOutdated,
        severity: Severity::Warning,
        subject: None,
        value: format!("agent {version}"),
        threshold: format!("at least {minimum}"),
        source: "the agent's last check-in".to_owned(),
        source_date: observed.last_seen_at,
        next_step: "Install the current agent package on it.".to_owned(),
        evidence: evidence([("version", json!(version)), ("minimum", json!(minimum))]),
    })
}

fn updates(observed: &Observed<'_>, policy: &Policy, now: Timestamp) -> Vec<Flag> {
    let mut flags = Vec::new();
    let Some(update) = observed.update else { return flags };
    let lists_at = observed.vitals.and_then(|vitals| vitals.update_lists_at);
    let looked_at = observed.vitals_at.or(observed.last_seen_at);
    // Held against the moment of the look: a laptop that was off for a week is not to blame.
    if let (Some(lists_at), Some(looked_at)) = (lists_at, looked_at) {
        let limit = i64::from(policy.update_lists_stale_days).saturating_mul(DAY_MS);
        if looked_at.since(lists_at) > limit {
            flags.push(update_information_stale(update, policy, lists_at, looked_at));
        }
    }
    let security_count = update.pending.iter().filter(|pending| pending.security).count();
    let late = |security: bool, grace_days: u32| match observed.waiting {
        Some(waiting) if grace_days > 0 => {
            let grace_ms = i64::from(grace_days).saturating_mul(DAY_MS);
            waiting.since(update, security, now.plus_ms(grace_ms.saturating_neg()))
        }
        _ if security => security_count,
        _ => update.pending.len(),
    };
    let held = |threshold: String, grace_days: u32| match grace_days {
        0 => threshold,
        days => format!("{threshold} longer than {}", count(days, "day")),
    };
    let grace_days = policy.security_updates_grace_days;
    if update.security_known && late(true, grace_days) > 0 {
        let threshold = held("none waits".to_owned(), grace_days);
        flags.push(pending_flag(observed, update, true, lists_at, &threshold));
    }
    let from = usize::try_from(policy.updates_pending_from).unwrap_or(usize::MAX);
    let grace_days = policy.updates_grace_days;
    if late(false, grace_days) >= from {
        let threshold = match from {
            0 | 1 => "none waits".to_owned(),
            from => format!("fewer than {from} wait"),
        };
        let threshold = held(threshold, grace_days);
        flags.push(pending_flag(observed, update, false, lists_at, &threshold));
    }
    flags
}

fn update_information_stale(
    update: &Update,
    policy: &Policy,
    lists_at: Timestamp,
    looked_at: Timestamp,
) -> Flag {
    Flag {
        rule: Rule::UpdateInformationStale,
        severity: Severity::Warning,
        subject: None,
        value: format!("lists of {}", lists_at.date()),
        threshold: format!(
            "refreshed within {} before the last report",
            count(policy.update_lists_stale_days, "day")
        ),
        source: this_computers(&update.manager),
        source_date: Some(lists_at),
        next_step: match update.manager.as_str() {
            "apt" => "Run `apt update` on it and look why its timer does not.".to_owned(),
            "dnf" => "Run `dnf makecache` on it and look why its timer does not.".to_owned(),
            _ => "Let its package manager refresh its lists; until then nobody knows which \
                  updates wait."
                .to_owned(),
        },
        evidence: evidence([
            ("update_lists_at", json!(lists_at)),
            ("looked_at", json!(looked_at)),
            ("pending_then", json!(update.pending.len())),
        ]),
    }
}

fn pending_flag(
    observed: &Observed<'_>,
    update: &Update,
    security: bool,
    lists_at: Option<Timestamp>,
    threshold: &str,
) -> Flag {
    const NAMED: usize = 20;
    let names: Vec<&str> = update
        .pending
        .iter()
        .filter(|pending| pending.security || !security)
        .map(|pending| pending.name.as_str())
        .collect();
    let kind = if security { "security update" } else { "update" };
    Flag {
        rule: if security { Rule::SecurityUpdatesPending } else { Rule::UpdatesPending },
        severity: if security { Severity::Warning } else { Severity::Info },
        subject: None,
        value: count(u32::try_from(names.len()).unwrap_or(u32::MAX), kind),
        threshold: threshold.to_owned(),
        source: this_computers(&update.manager),
        source_date: lists_at.or(observed.vitals_at),
        next_step: match (update.manager.as_str(), update.automatic) {
            (_, Some(true)) => "They install themselves; if they stay, look at the update log of \
                                this computer."
                .to_owned(),
            ("apt", _) => "Run `apt upgrade` on it.".to_owned(),
            ("dnf", _) if security => "Run `dnf upgrade --security` on it.".to_owned(),
            ("dnf", _) => "Run `dnf upgrade` on it.".to_owned(),
            _ => "Install them with its package manager.".to_owned(),
        },
        evidence: evidence([
            ("pending", json!(names.len())),
            ("names", json!(names.iter().take(NAMED).collect::<Vec<_>>())),
            ("names_left_out", json!(names.len().checked_sub(NAMED).filter(|left| *left > 0))),
            ("update_lists_at", json!(lists_at)),
            ("automatic", json!(update.automatic)),
            ("security_known", json!(update.security_known)),
        ]),
    }
}

fn reboot_pending(observed: &Observed<'_>) -> Option<Flag> {
    let vitals = observed.vitals?;
    let reboot = vitals.reboot.as_ref().filter(|reboot| reboot.pending)?;
    Some(Flag {
        rule: Rule::RebootPending,
        severity: Severity::Info,
        subject: None,
        value: match reboot.reasons.first() {
            Some(reason) => reason.clone(),
            None => "a restart is waited for".to_owned(),
        },
        threshold: "installed updates are in use".to_owned(),
        source: "this computer's own word".to_owned(),
        source_date: observed.vitals_at,
        next_step: "Restart it when nobody is working on it.".to_owned(),
        evidence: evidence([
            ("reasons", json!(reboot.reasons)),
            ("booted_at", json!(vitals.booted_at)),
        ]),
    })
}

/// File systems that are full by nature.
const ALWAYS_FULL: [&str; 5] = ["squashfs", "iso9660", "udf", "erofs", "cramfs"];

fn disks(observed: &Observed<'_>, policy: &Policy) -> Vec<Flag> {
    let Some(vitals) = observed.vitals else { return Vec::new() };
    let known = |point: &str| observed.volumes?.iter().find(|volume| volume.point == point);
    vitals
        .volumes
        .iter()
        .filter(|space| matters(space, known(&space.point)))
        .filter_map(|space| disk_nearly_full(observed, space, known(&space.point), policy))
        .collect()
}

fn matters(space: &VolumeSpace, volume: Option<&Volume>) -> bool {
    match volume {
        Some(volume) => {
            let kind = volume.file_system.as_deref().unwrap_or_default();
            !volume.read_only && !volume.remote && !ALWAYS_FULL.contains(&kind)
        }
        None => !space.point.starts_with("/snap/") && !space.point.starts_with("/run/"),
    }
}

fn disk_nearly_full(
    observed: &Observed<'_>,
    space: &VolumeSpace,
    volume: Option<&Volume>,
    policy: &Policy,
) -> Option<Flag> {
    let limits = &policy.disk_free;
    if space.size_bytes == 0 {
        return None;
    }
    let below = |percent: u8, floor: u64| {
        u128::from(space.available_bytes) * 100 < u128::from(space.size_bytes) * u128::from(percent)
            && space.available_bytes < floor
    };
    let (severity, percent) = if below(limits.critical_percent, limits.critical_floor_bytes) {
        (Severity::Critical, limits.critical_percent)
    } else if below(limits.warning_percent, limits.warning_floor_bytes) {
        (Severity::Warning, limits.warning_percent)
    } else {
        return None;
    };
    let free = u128::from(space.available_bytes) * 100 / u128::from(space.size_bytes);
    Some(Flag {
        rule: Rule::DiskNearlyFull,
        severity,
        subject: Some(space.point.chars().take(SUBJECT_LETTERS).collect()),
        value: format!(
            "{} free of {} ({free} %)",
            super::hardware::bytes(space.available_bytes),
            super::hardware::bytes(space.size_bytes)
        ),
        threshold: format!("at least {percent} % free"),
        source: "this computer's last report".to_owned(),
        source_date: observed.vitals_at,
        next_step: format!("Free space on {} or make it larger.", space.point),
        evidence: evidence([
            ("point", json!(space.point)),
            ("size_bytes", json!(space.size_bytes)),
            ("available_bytes", json!(space.available_bytes)),
            ("device", json!(volume.and_then(|volume| volume.device.as_ref()))),
            ("file_system", json!(volume.and_then(|volume| volume.file_system.as_ref()))),
        ]),
    })
}

/// A subject is part of a database's index, which takes no text of any length.
const SUBJECT_LETTERS: usize = 250;

fn clock_wrong(observed: &Observed<'_>, policy: &Policy) -> Option<Flag> {
    let error_ms = observed.clock_error_ms?;
    let limit = i64::from(policy.clock_error_minutes);
    let minutes = error_ms.unsigned_abs() / MINUTE_MS.unsigned_abs();
    if error_ms.unsigned_abs() <= (limit * MINUTE_MS).unsigned_abs() {
        return None;
    }
    let direction = if error_ms > 0 { "ahead" } else { "behind" };
    Some(Flag {
        rule: Rule::ClockWrong,
        severity: Severity::Warning,
        subject: None,
        value: format!("{} {direction}", span(minutes)),
        threshold: format!("within {}", count(policy.clock_error_minutes, "minute")),
        source: "the collector's clock".to_owned(),
        source_date: observed.last_seen_at,
        next_step: "Switch on time synchronisation on it. A wrong clock breaks sign-in and \
                    certificates."
            .to_owned(),
        // Whole minutes: the error moves by milliseconds at each check-in.
        evidence: evidence([("error_minutes", json!(minutes)), ("direction", json!(direction))]),
    })
}

fn this_computers(manager: &str) -> String {
    match manager {
        "" => "this computer's package manager".to_owned(),
        "windows_update" => "this computer's Windows Update".to_owned(),
        manager => format!("this computer's {manager}"),
    }
}

fn count(number: u32, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn span(minutes: u64) -> String {
    let (number, noun) = match minutes {
        0..120 => (minutes, "minute"),
        120..2880 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    count(u32::try_from(number).unwrap_or(u32::MAX), noun)
}
