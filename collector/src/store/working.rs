//! One device while a batch of reports is worked out: what the tables said of it, and what it is
//! after the reports so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rollcall_shared::report::limits;
use rollcall_shared::time::DAY_MS;
use rollcall_shared::{Digest, HardwareIds, Note, NoteKind, Timestamp};

use super::Error;
use super::device::{DeviceKey, DeviceRow, LastReport, SeenValue};
use super::judged::JUDGED_SECTIONS;
use super::load::SOFTWARE_NAME;
use super::memory::{DeviceState, Memory, lock};
use super::report::{Prepared, PreparedSection};
use super::row::{Document, Loaded, ReportRow, SoftwareRow};
use super::summary::{self, Value};
use crate::codec::{document, ids};
use crate::domain::matching;

/// Longer values are kept with the device but not looked for once they are gone.
const INDEXED_BYTES: usize = 512;

/// One device as the batch leaves it.
#[derive(Debug)]
pub(super) struct Working {
    pub(super) row: DeviceRow,
    pub(super) state: DeviceState,
    pub(super) hardware_ids: HardwareIds,
    pub(super) report: Option<ReportRow>,
    pub(super) documents: BTreeMap<Arc<str>, Document>,
    pub(super) changed_documents: BTreeSet<Arc<str>>,
    pub(super) texts: BTreeMap<Arc<str>, String>,
    /// The texts that rules look at, where no others are needed.
    judged_alone: Option<BTreeMap<String, String>>,
    pub(super) software: Option<SoftwareRow>,
    pub(super) software_changed: bool,
    pub(super) titles: Arc<[u32]>,
    pub(super) notes: Option<String>,
    /// Values to write, with the moment they are written for.
    pub(super) values: Option<(Vec<Value>, Timestamp)>,
    pub(super) row_changed: bool,
    /// Titles of this report that were held back, where it told its titles.
    pub(super) held: Option<u32>,
}

impl Working {
    /// How many titles that nobody had before it may bring at this moment.
    pub(super) fn allowed_titles(&self, at: Timestamp) -> u32 {
        let (day, count) = self.state.new_titles;
        let today = at.0.div_euclid(DAY_MS);
        limits::NEW_TITLES_A_DAY.saturating_sub(if day == today { count } else { 0 })
    }

    /// It brought so many titles that nobody had before.
    pub(super) fn count_titles(&mut self, at: Timestamp, brought: u32) {
        let (day, count) = self.state.new_titles;
        let today = at.0.div_euclid(DAY_MS);
        let before = if day == today { count } else { 0 };
        self.state.new_titles = (today, before.saturating_add(brought));
    }

    /// Its present titles.
    pub(super) fn titles(&self) -> &[u32] {
        &self.titles
    }

    /// The present text of a section; empty when there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    /// The values to write, as the search knows them.
    pub(super) fn seen_values(&self) -> Vec<SeenValue> {
        let Some((values, at)) = &self.values else { return Vec::new() };
        values
            .iter()
            .map(|(kind, value, label)| SeenValue {
                kind,
                value: value.as_str().into(),
                label: label.as_deref().map(Into::into),
                first_at: *at,
                last_at: *at,
            })
            .collect()
    }

    /// The texts that rules look at; none where one of them cannot be unpacked.
    pub(super) fn judged(&self) -> Option<BTreeMap<String, String>> {
        if self.texts.is_empty() {
            return self.judged_alone.clone();
        }
        let text = |name: &str| Some((name.to_owned(), self.texts.get(name)?.clone()));
        let texts = JUDGED_SECTIONS.into_iter().filter_map(text);
        Some(texts.filter(|(_, text)| !text.is_empty()).collect())
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
        let judged = loaded.judged.get(&device).into_iter().flatten();
        let judged = judged.filter(|(_, packed)| !packed.is_empty());
        // A damaged one is no reason to refuse the report: whoever judges it says so.
        let judged_alone =
            judged.map(|(name, packed)| Some((name.clone(), unpack(packed, device).ok()?)));
        let judged_alone = judged_alone.collect();
        let known = loaded.reports.get(&device);
        Ok(Self {
            row,
            state,
            hardware_ids: known.map(|known| known.hardware_ids.clone()).unwrap_or_default(),
            report: None,
            documents,
            changed_documents: BTreeSet::new(),
            texts,
            judged_alone,
            software,
            software_changed: false,
            titles: titles.into(),
            notes: None,
            values: None,
            row_changed: false,
            held: None,
        })
    }

    /// Sections that were claimed without a body, and nobody's is at hand.
    pub(super) fn missing(
        &self,
        memory: &Memory,
        prepared: &Prepared,
        loaded: &Loaded,
    ) -> Vec<String> {
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
    pub(super) fn moment(&self, report: &LastReport) -> Timestamp {
        let observed = report.observed_at.min(report.received_at);
        if self.state.reported {
            observed.max(self.state.changed_at.plus_ms(1))
        } else {
            observed.max(self.row.enrolled_at)
        }
    }

    /// All that follows from the sections, and the report itself.
    pub(super) fn finish(&mut self, prepared: &Prepared, next_seq: Option<u64>) {
        let before = self.row.clone();
        let received_at = prepared.report.received_at;
        // Without their texts (only software changed), names and people are as they were.
        if !self.texts.is_empty() {
            let values =
                summary::renew(&mut self.row.summary, &self.texts, &prepared.report.vitals);
            // Databases index them, and an index takes no text of any length.
            let values = values.into_iter().filter(|(_, value, _)| value.len() <= INDEXED_BYTES);
            self.values = Some((values.collect(), received_at));
            self.state.values_at = received_at;
        }
        self.row.summary.software_count = self.titles.len() as u64;
        self.row.summary.agent_version = Some(prepared.report.agent.version.clone());
        self.row_changed |= self.row != before || !self.state.reported;
        self.row.last_seen_at = self.row.last_seen_at.max(Some(received_at));
        let held = self.held.take().unwrap_or_default();
        let mut notes = prepared.notes.clone();
        if held > 0 {
            notes.entry(SOFTWARE_NAME.to_owned()).or_default().push(held_back(held));
        }
        let notes = serde_json::to_string(&notes).unwrap_or_default();
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
        // What was held back is asked for again, so the next report is not "unchanged".
        let fingerprint =
            if held > 0 { Digest::of(b"titles are held back") } else { prepared.fingerprint };
        state.fingerprint = Some(fingerprint);
        state.observed_at = prepared.report.observed_at;
        self.report = Some(ReportRow {
            report: LastReport {
                seq: state.seq,
                hardware_ids: self.hardware_ids.clone(),
                ..prepared.report.clone()
            },
            report_id: prepared.report_id,
            content: prepared.content,
            fingerprint,
            recent: state.recent.clone(),
            changed_at: state.changed_at,
        });
    }
}

/// What the device's page says of titles that were held back.
fn held_back(held: u32) -> Note {
    let most = limits::NEW_TITLES_A_DAY;
    Note::new(NoteKind::Other("held_back".to_owned())).with_detail(format!(
        "{held} titles are held back: no other device has them, and one device may bring {most} \
         such titles a day; they are asked for again"
    ))
}

/// The document of a device that holds this content, if it still does.
pub(super) fn copied_document<'a>(
    memory: &Memory,
    loaded: &'a Loaded,
    name: &str,
    digest: &Digest,
) -> Option<&'a Document> {
    let holder = memory.holder(name, digest)?;
    loaded.documents.get(&holder)?.get(name).filter(|row| row.digest == *digest)
}

/// The software of a device that holds this content, if it still does.
pub(super) fn copied_software<'a>(
    memory: &Memory,
    loaded: &'a Loaded,
    digest: &Digest,
) -> Option<&'a SoftwareRow> {
    let holder = memory.holder(SOFTWARE_NAME, digest)?;
    loaded.software.get(&holder).filter(|row| row.digest == *digest)
}

pub(super) fn decode_ids(bytes: &[u8], device: DeviceKey) -> Result<Vec<u32>, Error> {
    ids::decode(bytes).map_err(|why| Error::Damaged(format!("device {}: {why}", device.0)))
}

pub(super) fn unpack(bytes: &[u8], device: DeviceKey) -> Result<String, Error> {
    document::decompress(bytes).map_err(|why| Error::Damaged(format!("device {}: {why}", device.0)))
}
