//! The list of devices, and how many there are of each kind.

use std::collections::HashMap;

use rollcall_shared::Timestamp;
use rollcall_shared::api::Page;
use rollcall_shared::api::device::{
    DeviceClass, DeviceFilter, DeviceSort, DeviceSummary, Presence,
};
use serde::{Deserialize, Serialize};

use super::past::{self, PastEntry};
use super::{Error, cursor};
use crate::app::App;
use crate::domain::Policy;
use crate::fleet::Entry;
use crate::fleet::lookup::{QUERY_BYTES, Query};
use crate::store::device::DeviceKey;

/// Values of one column with the number of devices that have them, most first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// By operating system.
    pub os: Vec<(String, u64)>,
    /// By model, as the filter takes it.
    pub model: Vec<(String, u64)>,
    /// By class word.
    pub class: Vec<(String, u64)>,
    /// By presence word.
    pub presence: Vec<(String, u64)>,
    /// By site.
    pub site: Vec<(String, u64)>,
    /// By department.
    pub department: Vec<(String, u64)>,
    /// By rule of open findings.
    pub rule: Vec<(String, u64)>,
}

/// One page of the devices that pass the filter. With `as_of`, the list as it was then.
pub async fn list(app: &App, filter: &DeviceFilter) -> Result<Page<DeviceSummary>, Error> {
    let limit = cursor::limit(filter.limit)?;
    let order = Order::of(filter)?;
    let asked = Asked::of(filter)?;
    super::ready(app).await;
    if let Some(at) = filter.as_of {
        let then = past::entries(app, at, asked.software.is_some()).await?;
        let passing = then.iter().map(Row::past).filter(|row| asked.passes_past(row)).collect();
        return Ok(order.page(passing, limit));
    }
    let (policy, now) = (app.fleet.policy(), app.clock.now());
    let fleet = app.fleet.read();
    let with_title =
        asked.software.map(|name| fleet.devices_with(name, asked.version, asked.source));
    let passing = fleet
        .entries()
        .filter(|entry| with_title.as_ref().is_none_or(|with| with.contains(entry.row.key.0)))
        .map(|entry| Row::new(entry, &policy, now))
        .filter(|row| asked.passes(row))
        .collect();
    Ok(order.page(passing, limit))
}

/// These devices as lists show them now; those that are gone are left out.
pub(crate) fn summaries(app: &App, keys: &[DeviceKey]) -> Vec<DeviceSummary> {
    let (policy, now) = (app.fleet.policy(), app.clock.now());
    let fleet = app.fleet.read();
    let entries = keys.iter().filter_map(|key| fleet.entry(*key));
    entries.map(|entry| Row::new(entry, &policy, now).summary()).collect()
}

/// Counts of every facet over the devices that pass the filter.
pub async fn facets(app: &App, filter: &DeviceFilter) -> Result<Facets, Error> {
    let asked = Asked::of(filter)?;
    super::ready(app).await;
    let mut counts = Counts::default();
    if let Some(at) = filter.as_of {
        let then = past::entries(app, at, asked.software.is_some()).await?;
        then.iter()
            .map(Row::past)
            .filter(|row| asked.passes_past(row))
            .for_each(|r| counts.add(&r));
        return Ok(counts.finish());
    }
    let (policy, now) = (app.fleet.policy(), app.clock.now());
    let fleet = app.fleet.read();
    let with_title =
        asked.software.map(|name| fleet.devices_with(name, asked.version, asked.source));
    for entry in fleet.entries() {
        if with_title.as_ref().is_some_and(|with| !with.contains(entry.row.key.0)) {
            continue;
        }
        let row = Row::new(entry, &policy, now);
        if asked.passes(&row) {
            counts.add(&row);
        }
    }
    Ok(counts.finish())
}

/// One device with its presence at the moment of the list.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) entry: &'a Entry,
    pub(super) presence: Presence,
    software: Option<&'a [(String, String, String)]>,
}

impl<'a> Row<'a> {
    pub(super) fn new(entry: &'a Entry, policy: &Policy, now: Timestamp) -> Self {
        let row = &entry.row;
        let class = row.summary.class.unwrap_or(DeviceClass::Other);
        let retired = row.retired_at.is_some();
        let presence = crate::domain::presence(
            row.last_seen_at,
            row.enrolled_at,
            class,
            policy,
            retired,
            row.pending,
            now,
        );
        Self { entry, presence, software: None }
    }

    pub(super) fn past(past: &'a PastEntry) -> Self {
        Self { entry: &past.entry, presence: past.presence, software: Some(&past.software) }
    }

    /// The device as lists show it.
    pub(super) fn summary(&self) -> DeviceSummary {
        let row = &self.entry.row;
        let summary = row.summary.clone();
        DeviceSummary {
            id: row.id,
            hostname: summary.hostname,
            class: summary.class.unwrap_or(DeviceClass::Other),
            presence: self.presence,
            last_seen_at: row.last_seen_at,
            enrolled_at: row.enrolled_at,
            os_name: summary.os_name,
            manufacturer: summary.manufacturer,
            model: summary.model,
            serial: summary.serial,
            user: summary.user,
            user_full_name: summary.user_full_name,
            addresses: summary.addresses,
            site: row.site.clone(),
            department: row.department.clone(),
            asset_tag: row.asset_tag.clone().or(summary.firmware_asset_tag),
            agent_version: summary.agent_version,
            software_count: summary.software_count,
            open_findings: self.entry.findings.count(),
            worst_severity: self.entry.findings.worst(),
            demo: row.demo,
        }
    }
}

/// The filter, checked once.
struct Asked<'a> {
    filter: &'a DeviceFilter,
    query: Option<Query>,
    software: Option<&'a str>,
    version: Option<&'a str>,
    source: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(filter: &'a DeviceFilter) -> Result<Self, Error> {
        let text = filter.q.as_deref().unwrap_or_default();
        if text.len() > QUERY_BYTES {
            let why = format!("it is longer than {QUERY_BYTES} bytes");
            return Err(Error::Invalid { field: "q", why });
        }
        let software = filter.software.as_deref();
        let version = filter.software_version.as_deref();
        let source = filter.software_source.as_deref();
        if software.is_none() && version.is_some() {
            let why = "it needs `software` beside it".to_owned();
            return Err(Error::Invalid { field: "software_version", why });
        }
        if software.is_none() && source.is_some() {
            let why = "it needs `software` beside it".to_owned();
            return Err(Error::Invalid { field: "software_source", why });
        }
        Ok(Self { filter, query: Query::new(text), software, version, source })
    }

    /// Whether a device passes all but the filter by software.
    fn passes(&self, row: &Row<'_>) -> bool {
        fn is(asked: Option<&String>, value: Option<&String>) -> bool {
            asked.is_none() || asked == value
        }
        let filter = self.filter;
        let (device, summary) = (&row.entry.row, &row.entry.row.summary);
        let class = summary.class.unwrap_or(DeviceClass::Other);
        let by_finding = filter.rule.is_some() || filter.severity.is_some();
        filter.presence.is_none_or(|asked| asked == row.presence)
            && filter.class.is_none_or(|asked| asked == class)
            && is(filter.os.as_ref(), Some(&summary.os_name))
            && is(filter.model.as_ref(), summary.model.as_ref())
            && is(filter.manufacturer.as_ref(), summary.manufacturer.as_ref())
            && is(filter.site.as_ref(), device.site.as_ref())
            && is(filter.department.as_ref(), device.department.as_ref())
            && is(filter.user.as_ref(), summary.user.as_ref())
            && (!by_finding || row.entry.findings.has(filter.rule.as_deref(), filter.severity))
            && self.query.as_ref().is_none_or(|query| row.entry.lookup.find(query).is_some())
    }

    fn passes_past(&self, row: &Row<'_>) -> bool {
        let has = |name: &str| {
            row.software.unwrap_or_default().iter().any(|(source, title, version)| {
                title == name
                    && self.version.is_none_or(|asked| asked == version)
                    && self.source.is_none_or(|asked| asked == source)
            })
        };
        self.software.is_none_or(has) && self.passes(row)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
enum SortValue {
    Number(i64),
    Text(String),
}

/// Where a page of this list ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Position {
    sort: DeviceSort,
    descending: bool,
    as_of: Option<Timestamp>,
    value: SortValue,
    key: u32,
}

struct Order {
    sort: DeviceSort,
    descending: bool,
    as_of: Option<Timestamp>,
    after: Option<Position>,
}

impl Order {
    fn of(filter: &DeviceFilter) -> Result<Self, Error> {
        let sort = filter.sort.unwrap_or(DeviceSort::Hostname);
        let (descending, as_of) = (filter.descending, filter.as_of);
        let after = filter.cursor.as_deref().map(cursor::decode::<Position>).transpose()?;
        let other = |p: &Position| {
            let number = matches!(p.value, SortValue::Number(_));
            let numeric = matches!(sort, DeviceSort::LastSeen | DeviceSort::Findings);
            (p.sort, p.descending, p.as_of, number) != (sort, descending, as_of, numeric)
        };
        if after.as_ref().is_some_and(other) {
            return Err(cursor::invalid());
        }
        Ok(Self { sort, descending, as_of, after })
    }

    fn compare(
        &self,
        a: (&SortValueRef<'_>, u32),
        b: (&SortValueRef<'_>, u32),
    ) -> std::cmp::Ordering {
        let by_value = a.0.cmp(b.0);
        let by_value = if self.descending { by_value.reverse() } else { by_value };
        by_value.then(a.1.cmp(&b.1))
    }

    fn value<'a>(&self, entry: &'a Entry) -> SortValueRef<'a> {
        match self.sort {
            DeviceSort::Hostname => SortValueRef::Text(&entry.hostname_lower),
            DeviceSort::Os => SortValueRef::Text(&entry.os_lower),
            DeviceSort::Model => SortValueRef::Text(&entry.model_lower),
            DeviceSort::LastSeen => {
                SortValueRef::Number(entry.row.last_seen_at.map_or(i64::MIN, |at| at.0))
            }
            DeviceSort::Findings => {
                SortValueRef::Number(i64::try_from(entry.findings.count()).unwrap_or(i64::MAX))
            }
        }
    }

    /// The rows after the cursor, in order, without sorting more than one page.
    fn page(&self, passing: Vec<Row<'_>>, limit: usize) -> Page<DeviceSummary> {
        let total = passing.len() as u64;
        let after = self.after.as_ref().map(|after| {
            let value = match &after.value {
                SortValue::Number(number) => SortValueRef::Number(*number),
                SortValue::Text(text) => SortValueRef::Text(text),
            };
            (value, after.key)
        });
        let mut rows: Vec<(SortValueRef<'_>, u32, Row<'_>)> = passing
            .into_iter()
            .map(|row| (self.value(row.entry), row.entry.row.key.0, row))
            .filter(|(value, key, _)| {
                after.as_ref().is_none_or(|(after_value, after_key)| {
                    self.compare((value, *key), (after_value, *after_key)).is_gt()
                })
            })
            .collect();
        let more = rows.len() > limit;
        let by_order = |a: &(SortValueRef<'_>, u32, Row<'_>),
                        b: &(SortValueRef<'_>, u32, Row<'_>)| {
            self.compare((&a.0, a.1), (&b.0, b.1))
        };
        if more {
            rows.select_nth_unstable_by(limit, by_order);
            rows.truncate(limit);
        }
        rows.sort_unstable_by(by_order);
        let next_cursor = rows.last().filter(|_| more).and_then(|(value, key, _)| {
            cursor::encode(&Position {
                sort: self.sort,
                descending: self.descending,
                as_of: self.as_of,
                value: match value {
                    SortValueRef::Number(number) => SortValue::Number(*number),
                    SortValueRef::Text(text) => SortValue::Text((*text).to_owned()),
                },
                key: *key,
            })
        });
        Page { items: rows.iter().map(|(_, _, row)| row.summary()).collect(), total, next_cursor }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SortValueRef<'a> {
    Number(i64),
    Text(&'a str),
}

#[derive(Default)]
struct Counts {
    os: HashMap<String, u64>,
    model: HashMap<String, u64>,
    class: HashMap<String, u64>,
    presence: HashMap<String, u64>,
    site: HashMap<String, u64>,
    department: HashMap<String, u64>,
    rule: HashMap<String, u64>,
}

impl Counts {
    fn add(&mut self, row: &Row<'_>) {
        let (device, summary) = (&row.entry.row, &row.entry.row.summary);
        count(&mut self.os, &summary.os_name);
        count(&mut self.model, summary.model.as_deref().unwrap_or_default());
        count(&mut self.class, summary.class.unwrap_or(DeviceClass::Other).as_str());
        count(&mut self.presence, row.presence.as_str());
        count(&mut self.site, device.site.as_deref().unwrap_or_default());
        count(&mut self.department, device.department.as_deref().unwrap_or_default());
        let mut rules: Vec<&str> =
            row.entry.findings.0.iter().map(|(r, _, _)| r.as_str()).collect();
        rules.sort_unstable();
        rules.dedup();
        for rule in rules {
            count(&mut self.rule, rule);
        }
    }

    fn finish(self) -> Facets {
        Facets {
            os: most_first(self.os),
            model: most_first(self.model),
            class: most_first(self.class),
            presence: most_first(self.presence),
            site: most_first(self.site),
            department: most_first(self.department),
            rule: most_first(self.rule),
        }
    }
}

fn count(counts: &mut HashMap<String, u64>, value: &str) {
    if value.is_empty() {
        return;
    }
    match counts.get_mut(value) {
        Some(count) => *count += 1,
        None => {
            counts.insert(value.to_owned(), 1);
        }
    }
}

/// Counted values, most first, equal ones by name.
pub(super) fn most_first(counts: HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sorted
}
