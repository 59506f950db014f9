//! A report that arrives after a newer one: it fills the history at its own moment and leaves the
//! present alone. Rare, since agents send their oldest report first; so it has a transaction of
//! its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rollcall_shared::Timestamp;

use super::batch::load_batch;
use super::device::DeviceKey;
use super::load::SOFTWARE_NAME;
use super::memory::lock;
use super::plan::Plan;
use super::report::{Outcome, Prepared, PreparedSection};
use super::row::Loaded;
use super::shape::INSERT_TITLES;
use super::statement::insert;
use super::touch::touch;
use super::working::Working;
use super::{BeginWrite as _, Error, Tables, on_backend, queries};
use crate::codec::delta::Delta;
use crate::codec::{Damaged, document, ids};

queries! {
    PASTS = "SELECT name, at, before FROM section_past
        WHERE device = $1 AND at >= $2 ORDER BY at DESC, name";
    DELTAS = "SELECT at, delta FROM software_change WHERE device = $1 AND at >= $2
        ORDER BY at DESC";
    /// What is known otherwise now is told to followers again.
    PUT_PAST = "INSERT INTO section_past (device, name, at, received_at, before, stored)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (device, name, at)
        DO UPDATE SET before = excluded.before, stored = excluded.stored";
    PUT_DELTA = "INSERT INTO software_change (device, at, received_at, delta, stored)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (device, at)
        DO UPDATE SET delta = excluded.delta, stored = excluded.stored";
    HISTORY_FROM = "SELECT value FROM counter WHERE name = 'history_from'";
    SET_RECENT = "UPDATE device_report SET recent = $2, changed_at = $3 WHERE device = $1";
}

/// Rows to put into the past of one device.
#[derive(Debug, Default)]
struct Filled {
    pasts: Vec<(Arc<str>, Timestamp, Vec<u8>)>,
    deltas: Vec<(Timestamp, Vec<u8>)>,
    newest: Option<Timestamp>,
}

/// The steps back from the present, newest first.
#[derive(Debug, Default)]
struct Steps {
    pasts: Vec<(String, i64, Vec<u8>)>,
    deltas: Vec<(i64, Vec<u8>)>,
}

impl Tables {
    /// Stores a late report.
    pub(super) async fn write_late(&self, prepared: &Prepared) -> Result<Outcome, Error> {
        let device = prepared.device;
        let number = i64::from(device.0);
        let mut plan = Plan::default();
        let observed = prepared.report.observed_at.min(prepared.report.received_at);
        let received_at = prepared.report.received_at.0;
        let (state, touched) = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let loaded = load_batch!(pool, tx, self, &[prepared]);
            let mut state = lock(&self.memory().device(device)).clone();
            if state.recent.knows(prepared.report_id, &prepared.content).is_some() {
                return Ok(Outcome::Duplicate);
            }
            state.recent.push(prepared.report_id, prepared.report.seq, &prepared.content);
            let working = Working::load(self.memory(), device, &loaded)?;
            let steps = Steps {
                pasts: sqlx::query_as(PASTS)
                    .bind(number).bind(observed.0).fetch_all(&mut *tx).await?,
                deltas: sqlx::query_as(DELTAS)
                    .bind(number).bind(observed.0).fetch_all(&mut *tx).await?,
            };
            let from: i64 = sqlx::query_scalar(HISTORY_FROM).fetch_one(&mut *tx).await?;
            // What is older than the first report or than what is kept stays not known: one state
            // alone is no history.
            let first_at = working.row.first_report_at.filter(|first_at| observed >= *first_at);
            let mut filled = Filled::default();
            if first_at.is_some() && observed.0 >= from {
                filled = fill(self, &mut plan, &working, prepared, &loaded, &steps, observed)?;
                insert!(tx, INSERT_TITLES, &plan.titles, |b, title| {
                    b.push_bind(i64::from(title.id)).push_bind(title.text.hash());
                    for part in title.text.parts() {
                        b.push_bind(part.to_owned());
                    }
                }, "");
                state.changed_at = state.changed_at.max(filled.newest.unwrap_or(state.changed_at));
            }
            sqlx::query(SET_RECENT)
                .bind(number)
                .bind(state.recent.to_bytes())
                .bind(state.changed_at.0)
                .execute(&mut *tx)
                .await?;
            let touched = touch!(tx, vec![number]);
                for (name, at, bytes) in &filled.pasts {
                    sqlx::query(PUT_PAST)
                        .bind(number)
                        .bind(name.to_string())
                        .bind(at.0)
                        .bind(received_at)
                        .bind(bytes.clone())
                        .bind(touched.number)
                        .execute(&mut *tx)
                        .await?;
                }
                for (at, bytes) in &filled.deltas {
                    sqlx::query(PUT_DELTA)
                        .bind(number)
                        .bind(at.0)
                        .bind(received_at)
                        .bind(bytes.clone())
                        .bind(touched.number)
                        .execute(&mut *tx)
                        .await?;
                }
            tx.commit().await?;
            (state, touched)
        });
        {
            let mut dictionary = self.memory().titles_mut();
            for title in plan.titles {
                dictionary.add(title);
            }
        }
        if let Some(contact) = self.memory().contacts().get_mut(&device) {
            contact.recent = state.recent.clone();
        }
        let shared = self.memory().device(device);
        let mut known = lock(&shared);
        known.recent = state.recent;
        known.changed_at = state.changed_at;
        drop(known);
        self.touched(&touched);
        Ok(Outcome::Late)
    }
}

/// The rows that make the report's state hold from its moment to the next one known.
fn fill(
    tables: &Tables,
    plan: &mut Plan,
    working: &Working,
    prepared: &Prepared,
    loaded: &Loaded,
    steps: &Steps,
    observed: Timestamp,
) -> Result<Filled, Error> {
    let device = prepared.device;
    let taken: BTreeSet<i64> =
        steps.pasts.iter().map(|row| row.1).chain(steps.deltas.iter().map(|row| row.0)).collect();
    // Two changes of one moment would be one row; the later to come stands a millisecond after.
    let mut at = observed;
    while taken.contains(&at.0) {
        at = at.plus_ms(1);
    }
    let mut filled = Filled::default();
    // Without a change after it, it held until the newest report was observed.
    let until = working.state.observed_at.min(prepared.report.received_at).max(at.plus_ms(1));
    for (name, section) in &prepared.sections {
        if &**name == SOFTWARE_NAME {
            let received_at = prepared.report.received_at;
            let set = set_of(tables, plan, working, section, loaded, name, received_at)?;
            let Some(set) = set else { continue };
            let mut newer = working.titles().to_vec();
            let mut older = newer.clone();
            let mut next = None;
            for (moment, bytes) in steps.deltas.iter().filter(|row| row.0 > at.0) {
                let delta = Delta::decode(bytes).map_err(|why| damaged(device, &why))?;
                newer = older;
                older = delta.undo(&newer);
                next = Some(Timestamp(*moment));
            }
            if set != older {
                let next = next.unwrap_or(until);
                filled.deltas.push((at, Delta::between(&older, &set).encode()));
                filled.deltas.push((next, Delta::between(&set, &newer).encode()));
                filled.newest = filled.newest.max(Some(next));
            }
        } else {
            let Some(text) = text_of(tables, working, section, loaded, name)? else { continue };
            let mut newer = working.text(name).to_owned();
            let mut older = newer.clone();
            let mut next = None;
            for (_, moment, patch) in
                steps.pasts.iter().filter(|row| row.0 == **name && row.1 > at.0)
            {
                newer = older;
                older = document::undo(&newer, patch).map_err(|why| damaged(device, &why))?;
                next = Some(Timestamp(*moment));
            }
            if text != older {
                let next = next.unwrap_or(until);
                filled.pasts.push((Arc::clone(name), at, document::patch(&text, &older)));
                filled.pasts.push((Arc::clone(name), next, document::patch(&newer, &text)));
                filled.newest = filled.newest.max(Some(next));
            }
        }
    }
    Ok(filled)
}

/// The titles the report tells of; `None` when it tells of none.
fn set_of(
    tables: &Tables,
    plan: &mut Plan,
    working: &Working,
    section: &PreparedSection,
    loaded: &Loaded,
    name: &str,
    received_at: Timestamp,
) -> Result<Option<Vec<u32>>, Error> {
    Ok(match section {
        PreparedSection::Software { rows, unread, .. } => {
            let set = plan.number(tables.memory(), working, rows, unread, received_at)?;
            if plan.brought.1 > 0 {
                return Ok(None); // Half a list of a past day would be a wrong one.
            }
            Some(set.into_iter().map(|(id, _)| id).collect())
        }
        // A change is followed only where it is one of today's list.
        PreparedSection::Changed { change, .. } => plan
            .rebuild(tables.memory(), working, change, received_at)?
            .filter(|_| plan.brought.1 == 0)
            .map(|rows| rows.into_iter().map(|(id, _)| id).collect()),
        PreparedSection::Gone => Some(Vec::new()),
        PreparedSection::Claimed(digest) if working.state.sections.get(name) == Some(digest) => {
            Some(working.titles().to_vec())
        }
        PreparedSection::Claimed(digest) => {
            let holder = tables.memory().holder(name, digest);
            let row = holder.and_then(|holder| loaded.software.get(&holder));
            let set = row.map(|row| ids::decode(&row.titles)).transpose();
            set.map_err(|why| damaged(working.row.key, &why))?
        }
        PreparedSection::Document { .. } => None,
    })
}

/// The text the report tells of; `None` when it tells of none.
fn text_of(
    tables: &Tables,
    working: &Working,
    section: &PreparedSection,
    loaded: &Loaded,
    name: &str,
) -> Result<Option<String>, Error> {
    Ok(match section {
        PreparedSection::Document { text, .. } => Some(text.clone()),
        PreparedSection::Gone => Some(String::new()),
        PreparedSection::Claimed(digest) if working.state.sections.get(name) == Some(digest) => {
            Some(working.text(name).to_owned())
        }
        PreparedSection::Claimed(digest) => {
            let holder = tables.memory().holder(name, digest);
            let documents = holder.and_then(|holder| loaded.documents.get(&holder));
            let row = documents.and_then(|documents: &BTreeMap<_, _>| documents.get(name));
            let text = row.map(|row| document::decompress(&row.packed)).transpose();
            text.map_err(|why| damaged(working.row.key, &why))?
        }
        PreparedSection::Software { .. } | PreparedSection::Changed { .. } => None,
    })
}

fn damaged(device: DeviceKey, why: &Damaged) -> Error {
    Error::Damaged(format!("device {}: {why}", device.0))
}
