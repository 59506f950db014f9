//! The present and the past of one device: sections, software, changes.
//!
//! The present stands in the tables; every earlier state is the present with the changes after it
//! undone, newest first. So cutting old changes off never touches newer answers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rollcall_shared::api::change::{Change, ChangeKind};
use rollcall_shared::api::unit::UnitKind;
use rollcall_shared::section::Software;
use rollcall_shared::{DeviceId, Note, Timestamp};

use super::device::{DeviceKey, key_of};
use super::load::SOFTWARE_NAME;
use super::scope::within;
use super::{Error, Store, on_backend, queries};
use crate::codec::delta::Delta;
use crate::codec::extra::{self, Extra};
use crate::codec::{Damaged, document, ids};
use crate::domain::Scope;
use crate::domain::diff::{self, SectionChange};

queries! {
    FIRST = "SELECT first_report_at FROM device WHERE key = $1";
    DOCUMENTS = "SELECT name, at, document FROM section WHERE device = $1";
    NOTES = "SELECT notes FROM section_note WHERE device = $1";
    PAST = "SELECT name, at, received_at, before FROM section_past
        WHERE device = $1 AND at >= $2 AND at <= $3 ORDER BY at DESC, name";
    SOFTWARE = "SELECT first_at, titles, extra FROM software WHERE device = $1";
    DELTAS = "SELECT at, received_at, delta FROM software_change
        WHERE device = $1 AND at >= $2 AND at <= $3 ORDER BY at DESC";
    MOMENTS = "SELECT at FROM software_change WHERE device = $1 AND at < $2
        UNION SELECT at FROM section_past WHERE device = $1 AND at < $2
        ORDER BY at DESC LIMIT $3";
    RECENT = "SELECT device, at FROM
          (SELECT device, at FROM software_change ORDER BY at DESC LIMIT $1) AS one
        UNION SELECT device, at FROM
          (SELECT DISTINCT device, at FROM section_past ORDER BY at DESC LIMIT $1) AS two
        ORDER BY at DESC, device LIMIT $1";
    RECENT_WITHIN = concat!(
        "SELECT device, at FROM
          (SELECT c.device, c.at FROM software_change c JOIN device d ON d.key = c.device WHERE ",
        within!("d", "$2", "$3"),
        " ORDER BY c.at DESC LIMIT $1) AS one
        UNION SELECT device, at FROM
          (SELECT DISTINCT p.device, p.at FROM section_past p JOIN device d ON d.key = p.device
           WHERE ",
        within!("d", "$2", "$3"),
        " ORDER BY p.at DESC LIMIT $1) AS two
        ORDER BY at DESC, device LIMIT $1"
    );
}

/// A section as it was at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSection {
    /// The body exactly as the agent sent it; absent when there are only notes.
    pub json: Option<String>,
    /// When it became so.
    pub changed_at: Timestamp,
    /// Why it is absent or what is missing (today's only).
    pub notes: Vec<Note>,
}

/// What was known of a device at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past<T> {
    /// The moment lies before its first report: not known, which is not the same as empty.
    NotKnown,
    /// It was so.
    Known(T),
}

/// Rows of `section_past` and `software_change`, newest first.
type PastRow = (String, i64, i64, Vec<u8>);
type DeltaRow = (i64, i64, Vec<u8>);
type SoftwareRow = (i64, Vec<u8>, Vec<u8>);

/// What changed at one moment.
#[derive(Debug, Default)]
struct Rows {
    pasts: Vec<PastRow>,
    deltas: Vec<DeltaRow>,
}

/// One page of the changes of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangePage {
    /// The changes.
    pub items: Vec<Change>,
    /// Whether there are older ones.
    pub more: bool,
    /// How many there are in all.
    pub total: u64,
}

/// A moment, the set of titles after it, and what changed at it; nothing changed at the first.
pub(super) type WalkedSet = (Timestamp, Vec<u32>, Option<Delta>);

/// The moments before any.
const BEGINNING: Timestamp = Timestamp(i64::MIN);

impl Store {
    /// All sections but `software`, now or at a past moment.
    pub async fn sections(
        &self,
        device: DeviceKey,
        as_of: Option<Timestamp>,
    ) -> Result<Past<BTreeMap<String, StoredSection>>, Error> {
        let Some(first_at) = self.first_report_at(device).await? else {
            return Ok(Past::NotKnown);
        };
        if as_of.is_some_and(|as_of| as_of < first_at.max(self.history_from())) {
            return Ok(Past::NotKnown);
        }
        let mut states = self.documents(device).await?;
        // A report that is stored meanwhile adds patches to texts that were not read.
        let read: BTreeMap<String, Timestamp> =
            states.iter().map(|(name, (_, at))| (name.clone(), *at)).collect();
        let newer = |name: &str, at: i64| read.get(name).is_none_or(|read| at > read.0);
        let mut notes = BTreeMap::new();
        match as_of {
            None => notes = self.notes(device).await?,
            Some(as_of) => {
                // Newest first: each patch leads one step further back.
                for (name, at, _, patch) in self.past(device, first_at.min(as_of), None).await? {
                    if newer(&name, at) {
                        continue;
                    }
                    let state = states.entry(name).or_insert((String::new(), first_at));
                    if Timestamp(at) > as_of {
                        state.0 = undo(&state.0, &patch, device)?;
                        state.1 = first_at; // Until an older change says since when.
                    } else if state.1 < Timestamp(at) {
                        state.1 = Timestamp(at);
                    }
                }
            }
        }
        let mut sections: BTreeMap<String, StoredSection> = states
            .into_iter()
            .filter(|(_, (text, _))| !text.is_empty())
            .map(|(name, (text, changed_at))| {
                let notes = notes.remove(&name).unwrap_or_default();
                (name, StoredSection { json: Some(text), changed_at, notes })
            })
            .collect();
        for (name, notes) in notes {
            if name != SOFTWARE_NAME {
                sections.entry(name).or_insert(StoredSection {
                    json: None,
                    changed_at: first_at,
                    notes,
                });
            }
        }
        Ok(Past::Known(sections))
    }

    /// Today's notes of all sections, `software` included.
    pub async fn notes(&self, device: DeviceKey) -> Result<BTreeMap<String, Vec<Note>>, Error> {
        let text: Option<String> = on_backend!(self, read pool =>
            sqlx::query_scalar(NOTES).bind(i64::from(device.0)).fetch_optional(pool).await?);
        let damaged = |_| Error::Damaged(format!("the notes of device {}", device.0));
        text.map_or(Ok(BTreeMap::new()), |text| serde_json::from_str(&text).map_err(damaged))
    }

    /// The installed software, now or at a past moment, sorted by name.
    pub async fn software(
        &self,
        device: DeviceKey,
        as_of: Option<Timestamp>,
    ) -> Result<Past<Vec<Software>>, Error> {
        let Some((first_at, now, extras)) = self.software_now(device).await? else {
            return Ok(match (self.first_report_at(device).await?, as_of) {
                // It reported, and there never was a list of software.
                (Some(first_at), as_of)
                    if as_of.is_none_or(|as_of| as_of >= first_at.max(self.history_from())) =>
                {
                    Past::Known(Vec::new())
                }
                _ => Past::NotKnown,
            });
        };
        if as_of.is_some_and(|as_of| as_of < first_at.max(self.history_from())) {
            return Ok(Past::NotKnown);
        }
        let mut set = now.clone();
        if let Some(as_of) = as_of {
            for (at, _, delta) in self.deltas(device, as_of, None).await? {
                if Timestamp(at) > as_of {
                    set = decode_delta(&delta, device)?.undo(&set);
                }
            }
        }
        self.know_titles(&set).await?;
        let mut extras: HashMap<u32, Extra> = now.into_iter().zip(extras).collect();
        let dictionary = self.memory().titles();
        let mut software: Vec<Software> = set
            .iter()
            .filter_map(|id| {
                Some(dictionary.text(*id)?.with(extras.remove(id).unwrap_or_default()))
            })
            .collect();
        software.sort_by(|a, b| {
            (a.name.to_lowercase(), &a.name, &a.version, &a.source).cmp(&(
                b.name.to_lowercase(),
                &b.name,
                &b.version,
                &b.source,
            ))
        });
        Ok(Past::Known(software))
    }

    /// Changes of one device, newest first, in one walk back: those before `before`, all of one
    /// moment together, at least `limit` of them unless there are fewer; and how many there are in
    /// all before `end`. `device_id` and `hostname` are filled by the caller.
    pub async fn change_page(
        &self,
        device: DeviceKey,
        before: Option<Timestamp>,
        end: Option<Timestamp>,
        limit: usize,
    ) -> Result<ChangePage, Error> {
        let mut page = ChangePage::default();
        let earlier = |bound: Option<Timestamp>, at| bound.is_none_or(|bound| at < bound);
        let from = self.history_from();
        self.walk(device, from, |at, mut found| {
            if !earlier(end, at) {
                return;
            }
            page.total += found.len() as u64;
            if !earlier(before, at) {
                return;
            }
            if page.items.len() < limit {
                page.items.append(&mut found);
            } else {
                page.more |= !found.is_empty();
            }
        })
        .await?;
        Ok(page)
    }

    /// All changes of one device before a moment, newest first.
    pub async fn changes(
        &self,
        device: DeviceKey,
        before: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<Change>, Error> {
        Ok(self.change_page(device, before, before, limit).await?.items)
    }

    /// What changed on a device at one moment: only the sections that changed then are taken back,
    /// and only to it.
    pub async fn changes_at(&self, device: DeviceKey, at: Timestamp) -> Result<Vec<Change>, Error> {
        let mut changes = Vec::new();
        let deltas = self.deltas(device, at, Some(at)).await?;
        for (_, received_at, delta) in &deltas {
            changes.extend(self.software_changes(device, at, *received_at, delta).await?);
        }
        // The present first: a report that is stored meanwhile adds patches to it.
        let present = self.packed_documents(device).await?;
        let pasts = self.past(device, at, None).await?;
        let of_moment: BTreeSet<&str> =
            pasts.iter().filter(|row| row.1 == at.0).map(|row| row.0.as_str()).collect();
        for name in of_moment {
            let Some((packed, since)) = present.get(name) else { continue };
            let mut text = document::decompress(packed).map_err(|why| damaged(device, &why))?;
            for (_, moment, received_at, patch) in
                pasts.iter().filter(|row| row.0 == name && row.1 <= since.0)
            {
                let older = undo(&text, patch, device)?;
                if *moment == at.0 {
                    let found = section_changes(name, &older, &text);
                    let received_at = Timestamp(*received_at);
                    changes.extend(found.into_iter().map(|c| change(c, name, at, received_at)));
                }
                text = older;
            }
        }
        Ok(changes)
    }

    async fn software_changes(
        &self,
        device: DeviceKey,
        at: Timestamp,
        received_at: i64,
        delta: &[u8],
    ) -> Result<Vec<Change>, Error> {
        let delta = decode_delta(delta, device)?;
        self.know_titles(&delta.removed).await?;
        self.know_titles(&delta.added).await?;
        let dictionary = self.memory().titles();
        let list = |ids: &[u32]| -> Vec<Software> {
            let title = |id: &u32| Some(dictionary.text(*id)?.with(Extra::default()));
            ids.iter().filter_map(title).collect()
        };
        let found = diff::software(&list(&delta.removed), &list(&delta.added));
        let received_at = Timestamp(received_at);
        Ok(found.into_iter().map(|c| change(c, SOFTWARE_NAME, at, received_at)).collect())
    }

    /// Walks one device back to `from`, telling each moment with what changed then.
    async fn walk(
        &self,
        device: DeviceKey,
        from: Timestamp,
        mut tell: impl FnMut(Timestamp, Vec<Change>),
    ) -> Result<(), Error> {
        let mut steps = Steps::new(self, device).await?;
        let mut end = None; // Everything at or after this moment was undone.
        loop {
            let page = self.moments(device, end, PAGE).await?;
            let (Some(&newest), Some(&oldest)) = (page.first(), page.last()) else { return Ok(()) };
            let mut rows = self.rows_between(device, oldest, newest).await?;
            for &at in &page {
                if at < from {
                    return Ok(());
                }
                let mut changes = Vec::new();
                steps
                    .back(self, at, rows.remove(&at).unwrap_or_default(), Some(&mut changes))
                    .await?;
                tell(at, changes);
            }
            if page.len() < PAGE {
                return Ok(());
            }
            end = Some(oldest);
        }
    }

    /// What changed at each moment between two, both included.
    async fn rows_between(
        &self,
        device: DeviceKey,
        oldest: Timestamp,
        newest: Timestamp,
    ) -> Result<HashMap<Timestamp, Rows>, Error> {
        let mut rows: HashMap<Timestamp, Rows> = HashMap::new();
        for row in self.deltas(device, oldest, Some(newest)).await? {
            rows.entry(Timestamp(row.0)).or_default().deltas.push(row);
        }
        for row in self.past_between(device, oldest, newest).await? {
            rows.entry(Timestamp(row.1)).or_default().pasts.push(row);
        }
        Ok(rows)
    }

    /// The newest changes of the devices of a scope: device and moment of each report that changed
    /// something, newest first.
    pub async fn recently_changed(
        &self,
        scope: &Scope,
        limit: u32,
    ) -> Result<Vec<(DeviceKey, Timestamp)>, Error> {
        let rows: Vec<(i64, i64)> = on_backend!(self, read pool => if scope.is_whole() {
            sqlx::query_as(RECENT).bind(i64::from(limit)).fetch_all(pool).await?
        } else {
            sqlx::query_as(RECENT_WITHIN)
                .bind(i64::from(limit))
                .bind(scope.listed(UnitKind::Site))
                .bind(scope.listed(UnitKind::Department))
                .fetch_all(pool)
                .await?
        });
        rows.into_iter().map(|(device, at)| Ok((key_of(device)?, Timestamp(at)))).collect()
    }

    /// Walks one device back to its first report, for an examination: how many moments there were,
    /// and before each change of its software the set as it was after it.
    pub(super) async fn walk_back(
        &self,
        device: DeviceKey,
    ) -> Result<(u64, Vec<WalkedSet>), Error> {
        let mut steps = Steps::new(self, device).await?;
        let (mut moments, mut end) = (0, None);
        loop {
            let page = self.moments(device, end, PAGE).await?;
            if let (Some(&newest), Some(&oldest)) = (page.first(), page.last()) {
                let mut rows = self.rows_between(device, oldest, newest).await?;
                for &at in &page {
                    steps.back(self, at, rows.remove(&at).unwrap_or_default(), None).await?;
                }
            }
            moments += page.len() as u64;
            if page.len() < PAGE {
                break;
            }
            end = page.last().copied();
        }
        let mut sets = Vec::new();
        if let Some((first_at, mut set, _)) = self.software_now(device).await? {
            for (at, _, delta) in self.deltas(device, BEGINNING, None).await? {
                let delta = decode_delta(&delta, device)?;
                let before = delta.undo(&set);
                sets.push((Timestamp(at), set, Some(delta)));
                set = before;
            }
            sets.push((first_at, set, None));
        }
        Ok((moments, sets))
    }

    async fn first_report_at(&self, device: DeviceKey) -> Result<Option<Timestamp>, Error> {
        let first: Option<Option<i64>> = on_backend!(self, read pool =>
            sqlx::query_scalar(FIRST).bind(i64::from(device.0)).fetch_optional(pool).await?);
        Ok(first.flatten().map(Timestamp))
    }

    /// The present text of each section, and since when.
    async fn documents(
        &self,
        device: DeviceKey,
    ) -> Result<BTreeMap<String, (String, Timestamp)>, Error> {
        let packed = self.packed_documents(device).await?;
        packed
            .into_iter()
            .map(|(name, (packed, at))| {
                let text = document::decompress(&packed).map_err(|why| damaged(device, &why))?;
                Ok((name, (text, at)))
            })
            .collect()
    }

    async fn packed_documents(
        &self,
        device: DeviceKey,
    ) -> Result<BTreeMap<String, (Vec<u8>, Timestamp)>, Error> {
        self.memory().count_read();
        let rows: Vec<(String, i64, Vec<u8>)> = on_backend!(self, read pool =>
            sqlx::query_as(DOCUMENTS).bind(i64::from(device.0)).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(name, at, packed)| (name, (packed, Timestamp(at)))).collect())
    }

    /// The present set of titles with what is the device's own, and since when it is known.
    async fn software_now(
        &self,
        device: DeviceKey,
    ) -> Result<Option<(Timestamp, Vec<u32>, Vec<Extra>)>, Error> {
        let row: Option<SoftwareRow> = on_backend!(self, read pool =>
            sqlx::query_as(SOFTWARE).bind(i64::from(device.0)).fetch_optional(pool).await?);
        let Some((first_at, titles, extra)) = row else { return Ok(None) };
        let set = ids::decode(&titles).map_err(|why| damaged(device, &why))?;
        let extras = extra::decode(&extra, set.len()).map_err(|why| damaged(device, &why))?;
        Ok(Some((Timestamp(first_at), set, extras)))
    }

    /// Patches from `from` on, newest first; up to `to` when given.
    async fn past(
        &self,
        device: DeviceKey,
        from: Timestamp,
        to: Option<Timestamp>,
    ) -> Result<Vec<PastRow>, Error> {
        self.past_between(device, from, to.unwrap_or(Timestamp(i64::MAX))).await
    }

    async fn past_between(
        &self,
        device: DeviceKey,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<PastRow>, Error> {
        self.memory().count_read();
        Ok(on_backend!(self, read pool => sqlx::query_as(PAST)
            .bind(i64::from(device.0))
            .bind(from.0)
            .bind(to.0)
            .fetch_all(pool)
            .await?))
    }

    /// Changes of the software from `from` on, newest first; up to `to` when given.
    async fn deltas(
        &self,
        device: DeviceKey,
        from: Timestamp,
        to: Option<Timestamp>,
    ) -> Result<Vec<DeltaRow>, Error> {
        self.memory().count_read();
        Ok(on_backend!(self, read pool => sqlx::query_as(DELTAS)
            .bind(i64::from(device.0))
            .bind(from.0)
            .bind(to.map_or(i64::MAX, |to| to.0))
            .fetch_all(pool)
            .await?))
    }

    /// Moments at which something changed, newest first, those before `end`.
    async fn moments(
        &self,
        device: DeviceKey,
        end: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<Timestamp>, Error> {
        self.memory().count_read();
        let rows: Vec<i64> = on_backend!(self, read pool => sqlx::query_scalar(MOMENTS)
            .bind(i64::from(device.0))
            .bind(end.map_or(i64::MAX, |end| end.0))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(pool)
            .await?);
        Ok(rows.into_iter().map(Timestamp).collect())
    }
}

/// How many moments are read at once.
const PAGE: usize = 100;

/// A device on its way back in time.
struct Steps {
    device: DeviceKey,
    texts: BTreeMap<String, String>,
    /// Since when each text is so: what a report stored meanwhile changed is left out.
    read: BTreeMap<String, Timestamp>,
}

impl Steps {
    async fn new(store: &Store, device: DeviceKey) -> Result<Self, Error> {
        let texts = store.documents(device).await?;
        let read = texts.iter().map(|(name, (_, at))| (name.clone(), *at)).collect();
        let texts = texts.into_iter().map(|(name, (text, _))| (name, text)).collect();
        Ok(Self { device, texts, read })
    }

    /// Undoes what changed at this moment and says what it was.
    async fn back(
        &mut self,
        store: &Store,
        at: Timestamp,
        rows: Rows,
        mut changes: Option<&mut Vec<Change>>,
    ) -> Result<(), Error> {
        for (_, received_at, delta) in &rows.deltas {
            match changes.as_deref_mut() {
                Some(changes) => {
                    changes.extend(
                        store.software_changes(self.device, at, *received_at, delta).await?,
                    );
                }
                None => {
                    decode_delta(delta, self.device)?;
                }
            }
        }
        for (name, _, received_at, patch) in rows.pasts {
            if self.read.get(&name).is_none_or(|read| at > *read) {
                continue;
            }
            let newer = self.texts.get(&name).map_or("", String::as_str);
            let older = undo(newer, &patch, self.device)?;
            if let Some(changes) = changes.as_deref_mut() {
                let found = section_changes(&name, &older, newer);
                let received_at = Timestamp(received_at);
                changes.extend(found.into_iter().map(|c| change(c, &name, at, received_at)));
            }
            self.texts.insert(name, older);
        }
        Ok(())
    }
}

/// A section that came or went is one change of its own.
fn section_changes(name: &str, older: &str, newer: &str) -> Vec<SectionChange> {
    let whole =
        |kind| vec![SectionChange { kind, subject: name.to_owned(), before: None, after: None }];
    match (older.is_empty(), newer.is_empty()) {
        (true, false) => whole(ChangeKind::Added),
        (false, true) => whole(ChangeKind::Removed),
        _ => diff::changes(name, Some(older), newer),
    }
}

fn change(found: SectionChange, section: &str, at: Timestamp, received_at: Timestamp) -> Change {
    let SectionChange { kind, subject, before, after } = found;
    Change {
        device_id: DeviceId(uuid::Uuid::nil()),
        hostname: String::new(),
        at,
        received_at,
        section: section.to_owned(),
        kind,
        subject,
        before,
        after,
    }
}

pub(super) fn undo(newer: &str, patch: &[u8], device: DeviceKey) -> Result<String, Error> {
    document::undo(newer, patch).map_err(|why| damaged(device, &why))
}

pub(super) fn decode_delta(bytes: &[u8], device: DeviceKey) -> Result<Delta, Error> {
    Delta::decode(bytes).map_err(|why| damaged(device, &why))
}

pub(super) fn damaged(device: DeviceKey, why: &Damaged) -> Error {
    Error::Damaged(format!("device {}: {why}", device.0))
}
