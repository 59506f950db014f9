//! What a batch of reports changes in the tables, worked out before anything is written.
//!
//! Pure: loaded rows and reports in, rows to write and answers out. Reports of one device follow
//! each other here as they came, each upon what the one before left.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::section::software::Mark;
use rollcall_shared::{Digest, Timestamp};

use super::Error;
use super::device::{DeviceKey, LastReport};
use super::load::SOFTWARE_NAME;
use super::memory::{Memory, lock};
use super::report::{Applied, Outcome, Prepared, PreparedSection, TitleChange, TitleRows};
use super::row::{Decided, Document, Loaded, Past, SoftwareRow};
use super::title::{Title, TitleText};
use super::working::{Working, copied_document, copied_software, decode_ids, unpack};
use crate::codec::delta::Delta;
use crate::codec::extra::{self, Extra};
use crate::codec::{document, ids};
use crate::domain::matching::{self, Identity, Order};

/// Titles by number with what is of the device, sorted.
type Rows = Vec<(u32, Extra)>;

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
    /// Of the titles numbered last: how many nobody had before, and how many of those were held
    /// back.
    pub(super) brought: (u32, u32),
}

/// Whether a report says anything of a document, so that the device's documents are needed.
pub(super) fn touches_documents(
    memory: &Memory,
    prepared: &Prepared,
    known: Option<&LastReport>,
) -> bool {
    let sessions = |report: &LastReport| -> Vec<String> {
        report.vitals.sessions.iter().map(|session| session.user.clone()).collect()
    };
    let shared = memory.device(prepared.device);
    let held = lock(&shared);
    let says_new = |(name, section): (&Arc<str>, &PreparedSection)| match section {
        _ if &**name == SOFTWARE_NAME => false,
        PreparedSection::Claimed(digest) => held.sections.get(name) != Some(digest),
        _ => true,
    };
    // An older report is held against the texts of today, whatever it says.
    !held.reported
        || prepared.report.seq <= held.seq
        || prepared.sections.iter().any(says_new)
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
        let mut want = working.missing(memory, prepared, loaded);
        let rebuilt = match prepared.sections.get(SOFTWARE_NAME) {
            Some(PreparedSection::Changed { change, .. }) => {
                let at = prepared.report.received_at;
                let rebuilt = self.rebuild(memory, &working, change, at)?;
                if rebuilt.is_none() {
                    want.push(SOFTWARE_NAME.to_owned());
                }
                rebuilt
            }
            _ => None,
        };
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
        let changed = self.sections(memory, &mut working, prepared, loaded, at, rebuilt)?;
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
            values: working.seen_values(),
            report: prepared.report.clone(),
            judged: working.judged(),
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
        mut rebuilt: Option<Rows>,
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
                    let (set, titles, extra) = match &rows.packed {
                        Some(packed) if unread.is_empty() => {
                            (rows.numbers(), packed.titles.clone(), packed.extra.clone())
                        }
                        _ => {
                            let set = self.number(memory, working, rows, unread, received_at)?;
                            let (set, extras): (Vec<u32>, Vec<Extra>) = set.into_iter().unzip();
                            let titles = ids::encode(&set);
                            (set, titles, extra::encode(&extras))
                        }
                    };
                    let digest = self.counted(working, received_at, *digest);
                    let row = SoftwareRow { first_at: at, at, digest, titles, extra };
                    changed |= self.set(working, at, received_at, row, set);
                    working.state.sections.insert(Arc::clone(name), digest);
                }
                PreparedSection::Changed { digest, .. } => {
                    let Some(rows) = rebuilt.take() else { continue };
                    let (set, extras): (Vec<u32>, Vec<Extra>) = rows.into_iter().unzip();
                    let (titles, extra) = (ids::encode(&set), extra::encode(&extras));
                    let digest = self.counted(working, received_at, *digest);
                    let row = SoftwareRow { first_at: at, at, digest, titles, extra };
                    changed |= self.set(working, at, received_at, row, set);
                    working.state.sections.insert(Arc::clone(name), digest);
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

    /// Counts the titles that were numbered last; the digest by which the list is known. One of
    /// which titles were held back is known under a digest that nobody sends, so that the whole
    /// list is asked for.
    fn counted(&mut self, working: &mut Working, received_at: Timestamp, digest: Digest) -> Digest {
        let (brought, held) = std::mem::take(&mut self.brought);
        working.count_titles(received_at, brought);
        working.held = Some(held);
        if held == 0 {
            return digest;
        }
        let device = working.row.key.0;
        Digest::of(format!("{digest} of {device} without {held}").as_bytes())
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

    /// The software of a device after a change. `None` where the change is not of this list, or
    /// does not lead to the list that the device means: then the whole list is asked for.
    pub(super) fn rebuild(
        &mut self,
        memory: &Memory,
        working: &Working,
        change: &TitleChange,
        received_at: Timestamp,
    ) -> Result<Option<Rows>, Error> {
        let held = working.state.sections.get(SOFTWARE_NAME);
        let Some(row) = working.software.as_ref().filter(|row| Some(&row.digest) == held) else {
            return Ok(None);
        };
        if !change.bases.contains(&row.digest) {
            return Ok(None);
        }
        let dictionary = memory.titles();
        let id_of = |text| dictionary.id(text).or_else(|| self.new_ids.get(text).copied());
        let mut sum = Mark::default();
        for &id in working.titles() {
            let new = || self.titles.iter().find(|new| new.id == id).map(|new| new.text.mark());
            let Some(mark) = dictionary.mark(id).or_else(new) else { return Ok(None) };
            sum = sum.with(mark);
        }
        let has = |id: &u32| working.titles().binary_search(id).is_ok();
        let mut touched = BTreeSet::new();
        for text in &change.gone {
            let Some(id) = id_of(text).filter(has).filter(|id| touched.insert(*id)) else {
                return Ok(None);
            };
            sum = sum.without(dictionary.mark(id).unwrap_or_else(|| text.mark()));
        }
        for (text, _) in &change.come {
            match id_of(text).filter(has) {
                Some(id) if touched.insert(id) => {}
                Some(_) => return Ok(None),
                None => sum = sum.with(text.mark()),
            }
        }
        if sum != change.mark {
            return Ok(None);
        }
        drop(dictionary);
        let come = TitleRows::unknown(&change.come);
        let come = self.number(memory, working, &come, &[], received_at)?;
        let extras = extra::decode(&row.extra, working.titles.len())
            .map_err(|why| Error::Damaged(format!("device {}: {why}", working.row.key.0)))?;
        let kept = working.titles().iter().copied().zip(extras);
        let mut rows: Rows = kept.filter(|(id, _)| !touched.contains(id)).collect();
        rows.extend(come);
        // Two sorted runs, which this sort joins in one pass.
        rows.sort_by_key(|(id, _)| *id);
        Ok(Some(rows))
    }

    /// The sorted numbers of these titles with their extras; new titles get numbers. Titles of
    /// sources that could not be read stay.
    pub(super) fn number(
        &mut self,
        memory: &Memory,
        working: &Working,
        rows: &TitleRows,
        unread: &[String],
        received_at: Timestamp,
    ) -> Result<Vec<(u32, Extra)>, Error> {
        let allowed = working.allowed_titles(received_at);
        self.brought = (0, 0);
        let dictionary = memory.titles();
        let mut set: Vec<(u32, Extra)> = Vec::with_capacity(rows.known.len() + rows.new.len());
        set.extend(rows.known.iter().cloned());
        for (text, extra) in &rows.new {
            let known = dictionary.id(text).or_else(|| self.new_ids.get(text).copied());
            if known.is_none() && self.brought.0 >= allowed {
                self.brought.1 += 1;
                continue;
            }
            let id = known.unwrap_or_else(|| {
                self.brought.0 += 1;
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

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
