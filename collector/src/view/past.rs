//! Devices as lists showed them at a past moment, rebuilt from their sections of then.
//!
//! Presence of then is known from the findings of then: a check-in leaves no other trace. Site,
//! department and a tag given by a person have no history and are shown as they are today.

use std::collections::HashMap;
use std::sync::Arc;

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::{DeviceClass, DeviceSummary, Presence};
use rollcall_shared::report::Vitals;
use rollcall_shared::section::{Network, Os, System, Users};
use serde::de::DeserializeOwned;

use super::Error;
use super::devices::Row;
use crate::app::App;
use crate::domain::finding::Rule;
use crate::domain::hardware;
use crate::fleet::{Entry, OpenFindings};
use crate::store::device::{DeviceKey, DeviceRow, SeenValue, Summary};
use crate::store::history::{Past, StoredSection};

/// Devices rebuilt at a time.
const PAGE: usize = 1_000;

/// One device as it was.
#[derive(Debug)]
pub(crate) struct PastEntry {
    pub(crate) entry: Entry,
    pub(crate) presence: Presence,
    /// Source, name and version of its titles; empty unless asked for.
    pub(crate) software: Vec<(String, String, String)>,
}

impl PastEntry {
    pub(crate) fn summary(&self) -> DeviceSummary {
        Row::past(self).summary()
    }
}

/// Every device that had reported at that moment.
pub(super) async fn entries(
    app: &App,
    at: Timestamp,
    with_software: bool,
) -> Result<Vec<PastEntry>, Error> {
    let keys = app.fleet.read().keys();
    let mut entries = Vec::new();
    for page in keys.chunks(PAGE) {
        entries.append(&mut rebuilt(app, page, at, with_software).await?);
    }
    Ok(entries)
}

/// One device, if it had reported at that moment.
pub(super) async fn one(
    app: &App,
    key: DeviceKey,
    at: Timestamp,
) -> Result<Option<PastEntry>, Error> {
    Ok(rebuilt(app, &[key], at, false).await?.pop())
}

/// Those of these devices that had reported at that moment, as lists showed them.
pub(crate) async fn summaries(
    app: &App,
    keys: &[DeviceKey],
    at: Timestamp,
) -> Result<Vec<DeviceSummary>, Error> {
    Ok(rebuilt(app, keys, at, false).await?.iter().map(PastEntry::summary).collect())
}

/// Those of these devices that had reported at that moment; keys in order.
async fn rebuilt(
    app: &App,
    keys: &[DeviceKey],
    at: Timestamp,
    with_software: bool,
) -> Result<Vec<PastEntry>, Error> {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return Ok(Vec::new()) };
    let mut findings: HashMap<DeviceKey, (OpenFindings, bool)> = HashMap::new();
    let before = first.0.checked_sub(1).map(DeviceKey);
    for (device, finding) in app.store.findings_between(before, *last, at).await? {
        let (open, missing) = findings.entry(device).or_default();
        if finding.waiver.is_none() {
            open.add(&finding.rule, finding.severity);
        }
        *missing |= finding.rule == Rule::Missing.as_str();
    }
    let mut rebuilt = Vec::with_capacity(keys.len());
    for &key in keys {
        let today = app.fleet.read().entry(key).map(|e| (e.row.clone(), e.seen.clone()));
        let Some((row, seen)) = today else { continue };
        if row.first_report_at.is_none_or(|first| first > at) {
            continue;
        }
        let Past::Known(sections) = app.store.sections(key, Some(at)).await? else { continue };
        let titles = match app.store.software(key, Some(at)).await? {
            Past::Known(titles) => titles,
            Past::NotKnown => Vec::new(),
        };
        let (open, missing) = findings.remove(&key).unwrap_or_default();
        let mut row = then(row, &sections, &seen, at);
        row.summary.software_count = titles.len() as u64;
        let presence = presence(&row, missing, at);
        let mut entry = Entry::new(row, Arc::default(), Vec::new());
        entry.findings = open;
        let software = titles.into_iter().filter(|_| with_software);
        let software = software.map(|title| (title.source, title.name, title.version)).collect();
        rebuilt.push(PastEntry { entry, presence, software });
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

/// The row as it was: what people gave, with what the sections said.
fn then(
    mut row: DeviceRow,
    sections: &std::collections::BTreeMap<String, StoredSection>,
    seen: &[SeenValue],
    at: Timestamp,
) -> DeviceRow {
    fn read<T: DeserializeOwned>(
        sections: &std::collections::BTreeMap<String, StoredSection>,
        name: &str,
    ) -> Option<T> {
        serde_json::from_str(sections.get(name)?.json.as_deref()?).ok()
    }
    let system: System = read(sections, "system").unwrap_or_default();
    let os: Option<Os> = read(sections, "os");
    let users: Option<Users> = read(sections, "user");
    let network: Network = read(sections, "network").unwrap_or_default();
    let person = seen
        .iter()
        .filter(|seen| seen.kind == "user" && seen.first_at <= at)
        .max_by_key(|seen| (seen.last_at.min(at), seen.first_at))
        .map(|seen| (seen.value.clone(), seen.label.clone()))
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
    };
    row.last_seen_at = row.last_seen_at.map(|seen| seen.min(at));
    row.pending = false;
    row
}
