//! What a batch of reports changes in the tables, worked out before anything is written.
//!
//! Pure: loaded rows and reports in, rows to write and answers out. Reports of one device follow
//! each other here as they came, each upon what the one before left.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::{Digest, HardwareIds, Timestamp};
use uuid::Uuid;

use super::Error;
use super::device::{DeviceKey, DeviceRow, LastReport};
use super::load::SOFTWARE_NAME;
use super::memory::{DeviceState, Memory, Recent, lock};
use super::report::{Applied, Outcome, Prepared, PreparedSection};
use super::summary::{self, Value};
use super::title::{Title, TitleText};
use crate::codec::delta::Delta;
use crate::codec::extra::{self, Extra};
use crate::codec::{document, ids};
use crate::domain::matching::{self, Identity, Order};

/// What the tables say of the devices of a batch.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) rows: HashMap<DeviceKey, DeviceRow>,
    pub(super) reports: HashMap<DeviceKey, LastReport>,
    /// Of devices whose documents change and of those whose documents are copied.
    pub(super) documents: HashMap<DeviceKey, BTreeMap<String, Document>>,
    pub(super) software: HashMap<DeviceKey, SoftwareRow>,
}

/// A row of `section`.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) at: Timestamp,
    pub(super) digest: Digest,
    pub(super) packed: Vec<u8>,
}

/// A row of `software`.
#[derive(Debug, Clone)]
pub(super) struct SoftwareRow {
    pub(super) first_at: Timestamp,
    pub(super) at: Timestamp,
    pub(super) digest: Digest,
    pub(super) titles: Vec<u8>,
    pub(super) extra: Vec<u8>,
}

/// A row of `section_past` or, with an empty name, of `software_change`.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) device: DeviceKey,
    pub(super) name: Arc<str>,
    pub(super) at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) bytes: Vec<u8>,
}

/// A row of `decision` that nobody but the collector made.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) device: DeviceKey,
    pub(super) at: Timestamp,
    pub(super) kind: DecisionKind,
    pub(super) evidence: String,
}

/// A row of `device_report`.
#[derive(Debug, Clone)]
pub(super) struct ReportRow {
    pub(super) report: LastReport,
    pub(super) report_id: Uuid,
    pub(super) content: Digest,
    pub(super) fingerprint: Digest,
    pub(super) recent: Recent,
    pub(super) changed_at: Timestamp,
}

/// One device as the batch leaves it.
#[derive(Debug)]
pub(super) struct Working {
    pub(super) row: DeviceRow,
    pub(super) state: DeviceState,
    pub(super) hardware_ids: HardwareIds,
    pub(super) report: Option<ReportRow>,
    pub(super) documents: BTreeMap<Arc<str>, Document>,
    pub(super) changed_documents: BTreeSet<Arc<str>>,
    texts: BTreeMap<Arc<str>, String>,
    pub(super) software: Option<SoftwareRow>,
    pub(super) software_changed: bool,
    titles: Arc<[u32]>,
    pub(super) notes: Option<String>,
    /// Values to write, with the moment they are written for.
    pub(super) values: Option<(Vec<Value>, Timestamp)>,
    pub(super) row_changed: bool,
}

/// Everything a batch writes and answers.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) devices: BTreeMap<DeviceKey, Working>,
    pub(super) titles: Vec<Title>,
    pub(super) pasts: Vec<Past>,
    pub(super) deltas: Vec<Past>,
    pub(super) decisions: Vec<Decided>,
    new_ids: HashMap<TitleText, u32>,
}

/// Whether a report says anything of a document, so that the device's documents are needed.
pub(super) fn touches_documents(prepared: &Prepared, known: Option<&LastReport>) -> bool {
    let sessions = |report: &LastReport| -> Vec<String> {
        report.vitals.sessions.iter().map(|session| session.user.clone()).collect()
    };
    prepared.sections.keys().any(|name| &**name != SOFTWARE_NAME)
        || known.is_none_or(|known| sessions(known) != sessions(&prepared.report))
}

/// Works the batch out.
pub(super) fn plan(memory: &Memory, reports: &[&Prepared], loaded: &Loaded) -> Result<Plan, Error> {
    let mut plan = Plan::default();
    for prepared in reports {
        let outcome = plan.one(memory, prepared, loaded)?;
        plan.outcomes.push(outcome);
    }
    let titles: Arc<[Title]> = plan.titles.clone().into();
    for outcome in &mut plan.outcomes {
        if let Outcome::Stored(applied) = outcome {
            applied.new_titles = Arc::clone(&titles);
        }
    }
    Ok(plan)
}

impl Plan {
    /// The answer to one report; what it changes is kept in `self`.
    fn one(
        &mut self,
        memory: &Memory,
        prepared: &Prepared,
        loaded: &Loaded,
    ) -> Result<Outcome, Error> {
        let device = prepared.device;
        let working = match self.devices.remove(&device) {
            Some(working) => working,
            None => Working::load(memory, device, loaded)?,
        };
        let (working, outcome) = self.apply(memory, working, prepared, loaded)?;
        self.devices.insert(device, working);
        Ok(outcome)
    }

    fn apply(
        &mut self,
        memory: &Memory,
        mut working: Working,
        prepared: &Prepared,
        loaded: &Loaded,
    ) -> Result<(Working, Outcome), Error> {
        match working.state.recent.knows(prepared.report_id, &prepared.content) {
            Some(true) => return Ok((working, Outcome::Duplicate)),
            Some(false) => return Ok((working, Outcome::Conflict)),
            None => {}
        }
        let want = working.missing(memory, prepared, loaded);
        if !want.is_empty() {
            return Ok((working, Outcome::Want(want)));
        }
        let first = !working.state.reported;
        let mut next_seq = None;
        if !first {
            let order = Order {
                seq: prepared.report.seq,
                last_seq: working.state.seq,
                seq_taken: working.state.recent.has_seq(prepared.report.seq),
                observed_later: prepared.report.observed_at > working.state.observed_at,
            };
            let (ids, device) = (&prepared.report.hardware_ids, prepared.device);
            let (kind, evidence) =
                match matching::check_in(&working.hardware_ids, ids, order, &|kind, value| {
                    memory.evidence().living_beside(Some(device), kind, value).saturating_add(1)
                }) {
                    Identity::Same => (None, String::new()),
                    Identity::Late => return Ok((working, Outcome::Late)),
                    Identity::CloneSuspected { evidence } => {
                        return Ok((working, Outcome::CloneSuspected { evidence }));
                    }
                    Identity::HardwareChanged { evidence } => {
                        (Some(DecisionKind::HardwareChanged), evidence)
                    }
                    Identity::Reverted { next_seq: next, evidence } => {
                        next_seq = Some(next);
                        (Some(DecisionKind::Reverted), evidence)
                    }
                };
            if let Some(kind) = kind {
                let at = prepared.report.received_at;
                self.decisions.push(Decided { device, at, kind, evidence });
            }
        }
        let at = working.moment(&prepared.report);
        let changed = self.sections(memory, &mut working, prepared, loaded, at)?;
        if first || changed {
            working.state.changed_at = at;
        }
        if first {
            working.row.first_report_at = Some(at);
        }
        working.finish(prepared, next_seq);
        let applied = Applied {
            row: working.row.clone(),
            titles: Arc::clone(&working.titles),
            new_titles: Arc::from([]),
            at,
            next_seq,
        };
        Ok((working, Outcome::Stored(Box::new(applied))))
    }

    /// Applies every section; whether anything in the history moved.
    fn sections(
        &mut self,
        memory: &Memory,
        working: &mut Working,
        prepared: &Prepared,
        loaded: &Loaded,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let received_at = prepared.report.received_at;
        let device = prepared.device;
        let mut changed = false;
        for (name, section) in &prepared.sections {
            let software = &**name == SOFTWARE_NAME;
            match section {
                PreparedSection::Claimed(digest) => {
                    if working.state.sections.get(name) == Some(digest) {
                        continue;
                    }
                    if software {
                        let Some(row) = copied_software(memory, loaded, digest) else { continue };
                        let set = decode_ids(&row.titles, device)?;
                        changed |= self.set(working, at, received_at, row.clone(), set);
                    } else {
                        let Some(copy) = copied_document(memory, loaded, name, digest) else {
                            continue;
                        };
                        let text = unpack(&copy.packed, device)?;
                        let packed = copy.packed.clone();
                        changed |=
                            self.document(working, at, received_at, name, *digest, text, packed);
                    }
                    working.state.sections.insert(Arc::clone(name), *digest);
                }
                PreparedSection::Document { digest, text, packed } => {
                    changed |= self.document(
                        working,
                        at,
                        received_at,
                        name,
                        *digest,
                        text.clone(),
                        packed.clone(),
                    );
                    working.state.sections.insert(Arc::clone(name), *digest);
                }
                PreparedSection::Software { digest, rows, unread } => {
                    let set = self.number(memory, working, rows, unread)?;
                    let extras: Vec<Extra> = set.iter().map(|(_, extra)| extra.clone()).collect();
                    let set: Vec<u32> = set.into_iter().map(|(id, _)| id).collect();
                    let row = SoftwareRow {
                        first_at: at,
                        at,
                        digest: *digest,
                        titles: ids::encode(&set),
                        extra: extra::encode(&extras),
                    };
                    changed |= self.set(working, at, received_at, row, set);
                    working.state.sections.insert(Arc::clone(name), *digest);
                }
                PreparedSection::Gone if software => {
                    let digest = Digest::of(b"");
                    let (titles, extra) = (Vec::new(), Vec::new());
                    let row = SoftwareRow { first_at: at, at, digest, titles, extra };
                    if working.software.is_some() {
                        changed |= self.set(working, at, received_at, row, Vec::new());
                    }
                    working.state.sections.remove(name);
                }
                PreparedSection::Gone => {
                    let (text, packed) = (String::new(), Vec::new());
                    let digest = Digest::of(b"");
                    changed |= self.document(working, at, received_at, name, digest, text, packed);
                    working.state.sections.remove(name);
                }
            }
        }
        Ok(changed)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a column of the two rows it makes")]
    fn document(
        &mut self,
        working: &mut Working,
        at: Timestamp,
        received_at: Timestamp,
        name: &Arc<str>,
        digest: Digest,
        text: String,
        packed: Vec<u8>,
    ) -> bool {
        let older = working.texts.get(name).map_or("", String::as_str);
        let same = older == text;
        if same && !working.documents.contains_key(name) {
            return false; // None before, none now.
        }
        let moved = !same && working.state.reported;
        if moved {
            let bytes = document::patch(&text, older);
            let (device, name) = (working.row.key, Arc::clone(name));
            self.pasts.push(Past { device, name, at, received_at, bytes });
        }
        let since = working.documents.get(name).filter(|_| same).map_or(at, |known| known.at);
        let row = Document { at: since, digest, packed };
        working.documents.insert(Arc::clone(name), row);
        working.changed_documents.insert(Arc::clone(name));
        working.texts.insert(Arc::clone(name), text);
        moved
    }

    /// Makes this the software of the device.
    fn set(
        &mut self,
        working: &mut Working,
        at: Timestamp,
        received_at: Timestamp,
        row: SoftwareRow,
        set: Vec<u32>,
    ) -> bool {
        let mut moved = false;
        let mut row = SoftwareRow { first_at: at, at, ..row };
        if let Some(known) = &working.software {
            row.first_at = known.first_at;
            let delta = Delta::between(&working.titles, &set);
            if delta.is_empty() {
                row.at = known.at;
            } else {
                moved = true;
                let (device, name, bytes) = (working.row.key, Arc::from(""), delta.encode());
                self.deltas.push(Past { device, name, at, received_at, bytes });
            }
        } else if working.state.reported {
            // Known from here on; nothing went or came that anybody saw.
            moved = true;
        }
        working.titles = set.into();
        working.software = Some(row);
        working.software_changed = true;
        moved
    }

    /// The sorted numbers of these titles with their extras; new titles get numbers. Titles of
    /// sources that could not be read stay.
    pub(super) fn number(
        &mut self,
        memory: &Memory,
        working: &Working,
        rows: &[(TitleText, Extra)],
        unread: &[String],
    ) -> Result<Vec<(u32, Extra)>, Error> {
        let dictionary = memory.titles();
        let mut set: Vec<(u32, Extra)> = Vec::with_capacity(rows.len());
        for (text, extra) in rows {
            let known = dictionary.id(text).or_else(|| self.new_ids.get(text).copied());
            let id = known.unwrap_or_else(|| {
                let id = dictionary.next_id().saturating_add(count(self.new_ids.len()));
                self.new_ids.insert(text.clone(), id);
                self.titles.push(Title { id, text: text.clone() });
                id
            });
            set.push((id, extra.clone()));
        }
        if let (Some(known), false) = (&working.software, unread.is_empty()) {
            let extras = extra::decode(&known.extra, working.titles.len())
                .map_err(|why| Error::Damaged(format!("device {}: {why}", working.row.key.0)))?;
            for (&id, extra) in working.titles.iter().zip(extras) {
                let text = dictionary
                    .text(id)
                    .or_else(|| self.titles.iter().find(|new| new.id == id).map(|new| &new.text));
                let source = text.map(|text| text.parts()[0]);
                if source.is_some_and(|source| unread.iter().any(|one| one == source)) {
                    set.push((id, extra));
                }
            }
        }
        set.sort_by_key(|(id, _)| *id);
        set.dedup_by_key(|(id, _)| *id);
        Ok(set)
    }
}

impl Working {
    /// Its present titles.
    pub(super) fn titles(&self) -> &[u32] {
        &self.titles
    }

    /// The present text of a section; empty when there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    pub(super) fn load(memory: &Memory, device: DeviceKey, loaded: &Loaded) -> Result<Self, Error> {
        let row = loaded
            .rows
            .get(&device)
            .cloned()
            .ok_or_else(|| Error::Damaged(format!("there is no device {}", device.0)))?;
        let state = lock(&memory.device(device)).clone();
        let software = loaded.software.get(&device).cloned();
        let titles = match &software {
            Some(row) => decode_ids(&row.titles, device)?,
            None => Vec::new(),
        };
        let mut documents = BTreeMap::new();
        let mut texts = BTreeMap::new();
        for (name, row) in loaded.documents.get(&device).into_iter().flatten() {
            let name: Arc<str> = name.as_str().into();
            texts.insert(Arc::clone(&name), unpack(&row.packed, device)?);
            documents.insert(name, row.clone());
        }
        let known = loaded.reports.get(&device);
        Ok(Self {
            row,
            state,
            hardware_ids: known.map(|known| known.hardware_ids.clone()).unwrap_or_default(),
            report: None,
            documents,
            changed_documents: BTreeSet::new(),
            texts,
            software,
            software_changed: false,
            titles: titles.into(),
            notes: None,
            values: None,
            row_changed: false,
        })
    }

    /// Sections that were claimed without a body, and nobody's is at hand.
    fn missing(&self, memory: &Memory, prepared: &Prepared, loaded: &Loaded) -> Vec<String> {
        let missing = |(name, section): (&Arc<str>, &PreparedSection)| {
            let PreparedSection::Claimed(digest) = section else { return None };
            let held = self.state.sections.get(name) == Some(digest)
                || if &**name == SOFTWARE_NAME {
                    copied_software(memory, loaded, digest).is_some()
                } else {
                    copied_document(memory, loaded, name, digest).is_some()
                };
            (!held).then(|| name.to_string())
        };
        prepared.sections.iter().filter_map(missing).collect()
    }

    /// The moment of a report in the history: when the device observed it, after the change before
    /// and not after its receipt, so that a wrong clock cannot bend the history.
    fn moment(&self, report: &LastReport) -> Timestamp {
        let observed = report.observed_at.min(report.received_at);
        if self.state.reported {
            observed.max(self.state.changed_at.plus_ms(1))
        } else {
            observed.max(self.row.enrolled_at)
        }
    }

    /// All that follows from the sections, and the report itself.
    fn finish(&mut self, prepared: &Prepared, next_seq: Option<u64>) {
        let before = self.row.clone();
        let received_at = prepared.report.received_at;
        // Without their texts (only software changed), names and people are as they were.
        if !self.texts.is_empty() {
            let values =
                summary::renew(&mut self.row.summary, &self.texts, &prepared.report.vitals);
            self.values = Some((values, received_at));
            self.state.values_at = received_at;
        }
        self.row.summary.software_count = self.titles.len() as u64;
        self.row.summary.agent_version = Some(prepared.report.agent.version.clone());
        self.row_changed |= self.row != before || !self.state.reported;
        self.row.last_seen_at = self.row.last_seen_at.max(Some(received_at));
        let notes = serde_json::to_string(&prepared.notes).unwrap_or_default();
        let digest = Digest::of(notes.as_bytes());
        if self.state.notes != Some(digest) {
            self.state.notes = Some(digest);
            self.notes = Some(notes);
        }
        let ids = &prepared.report.hardware_ids;
        self.hardware_ids = matching::merge_ids(&self.hardware_ids, ids);
        let state = &mut self.state;
        state.reported = true;
        state.seq = next_seq.map_or(prepared.report.seq, |next| next.saturating_sub(1));
        state.recent.push(prepared.report_id, prepared.report.seq, &prepared.content);
        state.fingerprint = Some(prepared.fingerprint);
        state.observed_at = prepared.report.observed_at;
        self.report = Some(ReportRow {
            report: LastReport {
                seq: state.seq,
                hardware_ids: self.hardware_ids.clone(),
                ..prepared.report.clone()
            },
            report_id: prepared.report_id,
            content: prepared.content,
            fingerprint: prepared.fingerprint,
            recent: state.recent.clone(),
            changed_at: state.changed_at,
        });
    }
}

/// The document of a device that holds this content, if it still does.
fn copied_document<'a>(
    memory: &Memory,
    loaded: &'a Loaded,
    name: &str,
    digest: &Digest,
) -> Option<&'a Document> {
    let holder = memory.holder(name, digest)?;
    loaded.documents.get(&holder)?.get(name).filter(|row| row.digest == *digest)
}

/// The software of a device that holds this content, if it still does.
fn copied_software<'a>(
    memory: &Memory,
    loaded: &'a Loaded,
    digest: &Digest,
) -> Option<&'a SoftwareRow> {
    let holder = memory.holder(SOFTWARE_NAME, digest)?;
    loaded.software.get(&holder).filter(|row| row.digest == *digest)
}

fn decode_ids(bytes: &[u8], device: DeviceKey) -> Result<Vec<u32>, Error> {
    ids::decode(bytes).map_err(|why| Error::Damaged(format!("device {}: {why}", device.0)))
}

fn unpack(bytes: &[u8], device: DeviceKey) -> Result<String, Error> {
    document::decompress(bytes).map_err(|why| Error::Damaged(format!("device {}: {why}", device.0)))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
