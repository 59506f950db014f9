//! Devices as lists showed them at a past moment, rebuilt from their sections of then.
//!
//! Presence of then is known from the findings of then: a check-in leaves no other trace. Site,
//! department and a tag given by a person have no history and are shown as they are today; so who
//! may see a device's past is who may see the device today.

use std::collections::{BTreeMap, HashMap};

use roaring::RoaringBitmap;
use rollcall_shared::Timestamp;
use rollcall_shared::api::device::{DeviceClass, DeviceSummary, Presence};
use rollcall_shared::report::Vitals;
use rollcall_shared::section::{Network, Os, System, Users};
use serde::de::DeserializeOwned;

use super::Error;
use super::devices::Row;
use crate::app::App;
use crate::codec::ids::PackedSet;
use crate::domain::finding::Rule;
use crate::domain::{CycleMatch, Facts, Scope, hardware};
use crate::fleet::{Entry, OpenFindings};
use crate::store::device::{DeviceKey, DeviceRow, SeenValue, Summary};

/// Devices rebuilt at a time.
const PAGE: usize = 1_000;

/// One device as it was.
#[derive(Debug)]
pub(crate) struct PastEntry {
    pub(crate) entry: Entry,
    pub(crate) presence: Presence,
    /// Whether it had one of the titles asked for; `true` when none were asked for.
    pub(crate) has_software: bool,
}

impl PastEntry {
    pub(crate) fn summary(&self) -> DeviceSummary {
        Row::past(self).summary()
    }
}

/// Every device of a scope that had reported at a moment, some at a time, so that the memory used does not
/// grow with the fleet.
pub(super) struct Pieces {
    at: Timestamp,
    keys: std::vec::IntoIter<DeviceKey>,
    titles: Option<RoaringBitmap>,
}

impl Pieces {
    /// Begins; with `titles`, each says whether it had one of them.
    pub(super) fn new(
        app: &App,
        scope: &Scope,
        at: Timestamp,
        titles: Option<RoaringBitmap>,
    ) -> Self {
        Self { at, keys: app.fleet.read().keys_within(scope).into_iter(), titles }
    }

    /// The next devices; `None` at the end.
    pub(super) async fn next(&mut self, app: &App) -> Result<Option<Vec<PastEntry>>, Error> {
        let page: Vec<DeviceKey> = self.keys.by_ref().take(PAGE).collect();
        if page.is_empty() {
            return Ok(None);
        }
        rebuilt(app, &page, self.at, self.titles.as_ref()).await.map(Some)
    }
}

/// One device, if it had reported at that moment.
pub(super) async fn one(
    app: &App,
    key: DeviceKey,
    at: Timestamp,
) -> Result<Option<PastEntry>, Error> {
    Ok(rebuilt(app, &[key], at, None).await?.pop())
}

/// One device with the values that could be searched then.
pub(super) async fn one_found(
    app: &App,
    key: DeviceKey,
    at: Timestamp,
) -> Result<Option<PastEntry>, Error> {
    Ok(found(app, &[key], at).await?.pop())
}

/// Those of these devices that had reported at that moment, with the values that could be searched
/// then.
pub(super) async fn found(
    app: &App,
    keys: &[DeviceKey],
    at: Timestamp,
) -> Result<Vec<PastEntry>, Error> {
    let mut entries = rebuilt(app, keys, at, None).await?;
    let fleet = app.fleet.read();
    for one in &mut entries {
        let seen = fleet.entry(one.entry.row.key).map(|today| today.seen.as_slice());
        let known = seen.unwrap_or_default().iter().filter(|seen| seen.first_at <= at);
        one.entry.remember(known.cloned().collect());
    }
    Ok(entries)
}

/// Those of these devices that had reported at that moment, as lists showed them.
pub(crate) async fn summaries(
    app: &App,
    keys: &[DeviceKey],
    at: Timestamp,
) -> Result<Vec<DeviceSummary>, Error> {
    Ok(rebuilt(app, keys, at, None).await?.iter().map(PastEntry::summary).collect())
}

/// Splits keys in order, where tables are read from the first of a piece to its last: not more than
/// so many in one, and not many others between them.
pub(crate) fn pieces(keys: &[DeviceKey], size: usize) -> impl Iterator<Item = &[DeviceKey]> {
    let mut rest = keys;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let near = rest.iter().take(size).take_while(|key| ((key.0 - first.0) as usize) < 4 * size);
        let (piece, others) = rest.split_at(near.count());
        rest = others;
        Some(piece)
    })
}

/// Those of these devices that had reported at that moment; keys in order.
async fn rebuilt(
    app: &App,
    keys: &[DeviceKey],
    at: Timestamp,
    asked: Option<&RoaringBitmap>,
) -> Result<Vec<PastEntry>, Error> {
    let mut entries = Vec::new();
    for piece in pieces(keys, PAGE) {
        entries.extend(rebuilt_piece(app, piece, at, asked).await?);
    }
    Ok(entries)
}

async fn rebuilt_piece(
    app: &App,
    keys: &[DeviceKey],
    at: Timestamp,
    asked: Option<&RoaringBitmap>,
) -> Result<Vec<PastEntry>, Error> {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return Ok(Vec::new()) };
    if at < app.store.history_from() {
        return Ok(Vec::new());
    }
    let mut findings: HashMap<DeviceKey, (OpenFindings, bool)> = HashMap::new();
    let before = first.0.checked_sub(1).map(DeviceKey);
    for (device, finding) in app.store.findings_between(before, *last, at).await? {
        let (open, missing) = findings.entry(device).or_default();
        if finding.waiver.is_none() {
            open.add(&finding.rule, finding.severity);
        }
        *missing |= finding.rule == Rule::Missing.as_str();
    }
    let mut titles = app.store.title_sets_at(before, *last, at).await?;
    let mut sections = app.store.sections_at(before, *last, at).await?;
    let mut rebuilt = Vec::with_capacity(keys.len());
    for &key in keys {
        let today = app.fleet.read().entry(key).map(|e| (e.row.clone(), e.seen.clone()));
        let Some((row, seen)) = today else { continue };
        if row.first_report_at.is_none_or(|first| first > at) {
            continue;
        }
        let sections = sections.remove(&key).unwrap_or_default();
        let titles = titles.remove(&key).unwrap_or_default();
        let (open, missing) = findings.remove(&key).unwrap_or_default();
        let (mut row, cycle) = then(row, &sections, &seen, at);
        row.summary.software_count = titles.len() as u64;
        let presence = presence(&row, missing, at);
        let mut entry = Entry::new(row, PackedSet::default(), Vec::new());
        entry.findings = open;
        entry.cycle = cycle;
        let has_software =
            asked.is_none_or(|asked| titles.iter().any(|title| asked.contains(*title)));
        rebuilt.push(PastEntry { entry, presence, has_software });
    }
    Ok(rebuilt)
}

fn presence(row: &DeviceRow, missing: bool, at: Timestamp) -> Presence {
    if row.retired_at.is_some_and(|retired| retired <= at) {
        Presence::Retired
    } else if missing {
        Presence::Missing
    } else {
        Presence::Fresh
    }
}

/// The row as it was: what people gave, with what the sections said; and the cycle of its system.
fn then(
    mut row: DeviceRow,
    sections: &BTreeMap<String, String>,
    seen: &[SeenValue],
    at: Timestamp,
) -> (DeviceRow, Option<CycleMatch>) {
    fn read<T: DeserializeOwned>(sections: &BTreeMap<String, String>, name: &str) -> Option<T> {
        serde_json::from_str(sections.get(name)?).ok()
    }
    let system: System = read(sections, "system").unwrap_or_default();
    let os: Option<Os> = read(sections, "os");
    let users: Option<Users> = read(sections, "user");
    let network: Network = read(sections, "network").unwrap_or_default();
    let person = seen
        .iter()
        .filter(|seen| seen.kind == "user" && seen.first_at <= at)
        .max_by_key(|seen| (seen.last_at.min(at), seen.first_at))
        .map(|seen| (seen.value.to_string(), seen.label.as_deref().map(str::to_owned)))
        .or_else(|| {
            let person = hardware::person_of(users.as_ref(), &Vitals::default())?;
            Some((person.user, person.full_name))
        });
    let (user, user_full_name) = person.unzip();
    row.summary = Summary {
        hostname: system.hostname.clone(),
        class: Some(os.as_ref().map_or(DeviceClass::Other, |os| hardware::class_of(&system, os))),
        os_name: os.as_ref().map(hardware::os_display).unwrap_or_default(),
        manufacturer: hardware::display_manufacturer(&system),
        model: hardware::display_model(&system),
        serial: hardware::display_serial(&system),
        firmware_asset_tag: system.asset_tag.clone(),
        user,
        user_full_name: user_full_name.flatten(),
        addresses: hardware::addresses(&network),
        macs: hardware::macs(&network),
        software_count: 0,
        // The version of then is not kept.
        agent_version: None,
        directories: Vec::new(),
    };
    // Of check-ins only the last is kept: when it was later, the one before is not known.
    row.last_seen_at = row.last_seen_at.filter(|seen| *seen <= at);
    row.pending = false;
    (row, os.as_ref().map(|os| Facts::built_in().cycle_of(os)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_short_and_dense() {
        let keys: Vec<DeviceKey> = [1, 2, 3, 9, 10, 500, 501].map(DeviceKey).into();
        let found: Vec<Vec<u32>> =
            pieces(&keys, 2).map(|piece| piece.iter().map(|key| key.0).collect()).collect();
        assert_eq!(found, [vec![1, 2], vec![3, 9], vec![10], vec![500, 501]]);
        assert_eq!(pieces(&[], 2).count(), 0);
    }
}
