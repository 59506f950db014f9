//! The list of devices, and how many there are of each kind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use roaring::RoaringBitmap;
use rollcall_shared::Timestamp;
use rollcall_shared::api::Page;
use rollcall_shared::api::device::{
    DeviceClass, DeviceFilter, DeviceSort, DeviceSummary, Presence, SupportState,
};
use serde::{Deserialize, Serialize};

use super::past::{self, PastEntry};
use super::{Error, cursor};
use crate::app::App;
use crate::domain::{CycleMatch, Facts, Policy};
use crate::fleet::lookup::{QUERY_BYTES, Query};
use crate::fleet::{Entry, TitleAsked};
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
    /// By word for the support of the operating system.
    pub os_support: Vec<(String, u64)>,
}

/// One page of the devices that pass the filter. With `as_of`, the list as it was then.
pub async fn list(app: &App, filter: &DeviceFilter) -> Result<Page<DeviceSummary>, Error> {
    let limit = cursor::limit(filter.limit)?;
    let order = Order::of(filter)?;
    super::ready(app).await;
    let asked = Asked::of(app, filter)?;
    if let Some(at) = filter.as_of {
        // Only what may stand on the page is kept of each piece of the fleet.
        let mut best = Best::new(&order, limit);
        let mut pieces = past::Pieces::new(app, at, asked.titles.clone());
        while let Some(entries) = pieces.next(app).await? {
            best.add(entries.iter().map(Row::past).filter(|row| asked.passes(row)));
        }
        return Ok(best.page());
    }
    let (policy, now) = (app.fleet.policy(), app.clock.now());
    let fleet = app.fleet.read();
    let with_title = asked.titles.as_ref().map(|titles| fleet.devices_with(titles));
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
    super::ready(app).await;
    let asked = Asked::of(app, filter)?;
    let mut counts = Counts::default();
    if let Some(at) = filter.as_of {
        let mut pieces = past::Pieces::new(app, at, asked.titles.clone());
        while let Some(entries) = pieces.next(app).await? {
            for row in entries.iter().map(Row::past).filter(|row| asked.passes(row)) {
                counts.add(&row, asked.verdicts.of(row.entry));
            }
        }
        return Ok(counts.finish());
    }
    let (policy, now) = (app.fleet.policy(), app.clock.now());
    let fleet = app.fleet.read();
    let with_title = asked.titles.as_ref().map(|titles| fleet.devices_with(titles));
    for entry in fleet.entries() {
        if with_title.as_ref().is_some_and(|with| !with.contains(entry.row.key.0)) {
            continue;
        }
        let row = Row::new(entry, &policy, now);
        if asked.passes(&row) {
            counts.add(&row, asked.verdicts.of(entry));
        }
    }
    Ok(counts.finish())
}

/// What the cycles of operating systems mean at one moment; each cycle is judged once.
pub(super) struct Verdicts {
    policy: Arc<Policy>,
    at: Timestamp,
    known: Mutex<HashMap<CycleMatch, SupportState>>,
}

impl Verdicts {
    pub(super) fn new(policy: Arc<Policy>, at: Timestamp) -> Self {
        Self { policy, at, known: Mutex::default() }
    }

    /// The verdict on a device's system; unknown also when it did not tell it.
    pub(super) fn of(&self, entry: &Entry) -> SupportState {
        let Some(cycle) = &entry.cycle else { return SupportState::Unknown };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = known.get(cycle) {
            return *state;
        }
        let state = Facts::built_in().judge(cycle, &self.policy, self.at).state.word();
        known.insert(cycle.clone(), state);
        state
    }
}

/// One device with its presence at the moment of the list.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) entry: &'a Entry,
    pub(super) presence: Presence,
    /// Whether it has the software asked for; looked up beside where that is `true`.
    has_software: bool,
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
        Self { entry, presence, has_software: true }
    }

    pub(super) fn past(past: &'a PastEntry) -> Self {
        Self { entry: &past.entry, presence: past.presence, has_software: past.has_software }
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
    /// The numbers of the titles that are asked for.
    titles: Option<RoaringBitmap>,
    verdicts: Verdicts,
}

impl<'a> Asked<'a> {
    fn of(app: &App, filter: &'a DeviceFilter) -> Result<Self, Error> {
        let text = filter.q.as_deref().unwrap_or_default();
        if text.len() > QUERY_BYTES {
            let why = format!("it is longer than {QUERY_BYTES} bytes");
            return Err(Error::Invalid { field: "q", why });
        }
        for (field, given) in [
            ("software_version", filter.software_version.is_some()),
            ("software_below", filter.software_below.is_some()),
            ("software_source", filter.software_source.is_some()),
        ] {
            if filter.software.is_none() && given {
                return Err(Error::Invalid { field, why: "it needs `software` beside it".into() });
            }
        }
        if filter.software_version.is_some() && filter.software_below.is_some() {
            let why = "give it or `software_version`, not both".to_owned();
            return Err(Error::Invalid { field: "software_below", why });
        }
        let titles = filter.software.as_deref().map(|name| {
            app.fleet.read().titles_asked(&TitleAsked {
                name,
                version: filter.software_version.as_deref(),
                below: filter.software_below.as_deref(),
                source: filter.software_source.as_deref(),
            })
        });
        let at = filter.as_of.unwrap_or_else(|| app.clock.now());
        let verdicts = Verdicts::new(app.fleet.policy(), at);
        Ok(Self { filter, query: Query::new(text), titles, verdicts })
    }

    /// Whether a device passes; for the present, all but the filter by software.
    fn passes(&self, row: &Row<'_>) -> bool {
        fn is(asked: Option<&String>, value: Option<&String>) -> bool {
            asked.is_none() || asked == value
        }
        let filter = self.filter;
        let (device, summary) = (&row.entry.row, &row.entry.row.summary);
        let class = summary.class.unwrap_or(DeviceClass::Other);
        let by_finding = filter.rule.is_some() || filter.severity.is_some();
        let in_service = !matches!(row.presence, Presence::Pending | Presence::Retired);
        row.has_software
            && (in_service || !filter.in_service)
            && filter.presence.is_none_or(|asked| asked == row.presence)
            && filter.os_support.is_none_or(|asked| asked == self.verdicts.of(row.entry))
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

    /// Whether a row comes after the page before.
    fn is_after(&self, value: &SortValueRef<'_>, key: u32) -> bool {
        self.after.as_ref().is_none_or(|after| {
            self.compare((value, key), (&after.value.as_ref(), after.key)).is_gt()
        })
    }

    /// Where a page ends that ends with this row.
    fn cursor(&self, value: &SortValueRef<'_>, key: u32) -> Option<String> {
        cursor::encode(&Position {
            sort: self.sort,
            descending: self.descending,
            as_of: self.as_of,
            value: value.owned(),
            key,
        })
    }

    /// The rows after the cursor, in order, without sorting more than one page.
    fn page(&self, passing: Vec<Row<'_>>, limit: usize) -> Page<DeviceSummary> {
        let total = passing.len() as u64;
        let mut rows: Vec<(SortValueRef<'_>, u32, Row<'_>)> = passing
            .into_iter()
            .map(|row| (self.value(row.entry), row.entry.row.key.0, row))
            .filter(|(value, key, _)| self.is_after(value, *key))
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
        let last = rows.last().filter(|_| more);
        let next_cursor = last.and_then(|(value, key, _)| self.cursor(value, *key));
        Page { items: rows.iter().map(|(_, _, row)| row.summary()).collect(), total, next_cursor }
    }
}

/// One page of a list that is read piece by piece.
struct Best<'a> {
    order: &'a Order,
    limit: usize,
    total: u64,
    rows: Vec<(SortValue, u32, DeviceSummary)>,
}

impl<'a> Best<'a> {
    fn new(order: &'a Order, limit: usize) -> Self {
        Self { order, limit, total: 0, rows: Vec::new() }
    }

    fn add<'r>(&mut self, rows: impl Iterator<Item = Row<'r>>) {
        for row in rows {
            self.total += 1;
            let (value, key) = (self.order.value(row.entry), row.entry.row.key.0);
            if self.order.is_after(&value, key) {
                self.rows.push((value.owned(), key, row.summary()));
            }
        }
        // One more than the page shows that there is a next one.
        if self.rows.len() > self.limit + 1 {
            let order = self.order;
            self.rows.select_nth_unstable_by(self.limit, |a, b| {
                order.compare((&a.0.as_ref(), a.1), (&b.0.as_ref(), b.1))
            });
            self.rows.truncate(self.limit + 1);
        }
    }

    fn page(mut self) -> Page<DeviceSummary> {
        let order = self.order;
        self.rows
            .sort_unstable_by(|a, b| order.compare((&a.0.as_ref(), a.1), (&b.0.as_ref(), b.1)));
        let more = self.rows.len() > self.limit;
        self.rows.truncate(self.limit);
        let last = self.rows.last().filter(|_| more);
        let next_cursor = last.and_then(|(value, key, _)| order.cursor(&value.as_ref(), *key));
        let items = self.rows.into_iter().map(|(_, _, summary)| summary).collect();
        Page { items, total: self.total, next_cursor }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SortValueRef<'a> {
    Number(i64),
    Text(&'a str),
}

impl SortValueRef<'_> {
    fn owned(&self) -> SortValue {
        match self {
            Self::Number(number) => SortValue::Number(*number),
            Self::Text(text) => SortValue::Text((*text).to_owned()),
        }
    }
}

impl SortValue {
    fn as_ref(&self) -> SortValueRef<'_> {
        match self {
            Self::Number(number) => SortValueRef::Number(*number),
            Self::Text(text) => SortValueRef::Text(text),
        }
    }
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
    os_support: HashMap<String, u64>,
}

impl Counts {
    fn add(&mut self, row: &Row<'_>, support: SupportState) {
        count(&mut self.os_support, support.as_str());
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
            os_support: most_first(self.os_support),
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
