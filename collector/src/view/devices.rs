//! The list of devices, and how many there are of each kind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use roaring::{MultiOps as _, RoaringBitmap};
use rollcall_shared::Timestamp;
use rollcall_shared::api::Page;
use rollcall_shared::api::device::{
    DeviceClass, DeviceFilter, DeviceSummary, Presence, SupportState,
};

use super::order::{Best, Order};
use super::past::{self, PastEntry};
use super::{Error, cursor};
use crate::app::App;
use crate::domain::{CycleMatch, Facts, Policy, Scope};
use crate::fleet::lookup::{QUERY_BYTES, Query};
use crate::fleet::{self, Entry, Inner, TitleAsked};
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
pub async fn list(
    app: &App,
    scope: &Scope,
    filter: &DeviceFilter,
) -> Result<Page<DeviceSummary>, Error> {
    super::told(app, filter.as_of)?;
    let limit = cursor::limit(filter.limit)?;
    let order = Order::of(scope, filter)?;
    super::ready(app).await;
    let asked = Asked::of(app, scope, filter)?;
    if let Some(at) = filter.as_of {
        // Only what may stand on the page is kept of each piece of the fleet.
        let mut best = Best::new(&order, limit);
        let mut pieces = past::Pieces::new(app, scope, at, asked.titles.clone());
        while let Some(entries) = pieces.next(app).await? {
            best.add(entries.iter().map(Row::past).filter(|row| asked.passes(row)));
        }
        return Ok(best.page());
    }
    let (policy, now) = (app.fleet.policy(), app.clock.now());
    let fleet = app.fleet.read();
    let passing = asked.passing(&fleet, &policy, now);
    Ok(order.page(&fleet, &passing, limit, |entry| Row::new(entry, &policy, now)))
}

/// These devices as lists show them now; those that are gone are left out. Whoever asks has looked
/// whether they may be seen.
pub(crate) fn summaries(app: &App, keys: &[DeviceKey]) -> Vec<DeviceSummary> {
    let (policy, now) = (app.fleet.policy(), app.clock.now());
    let fleet = app.fleet.read();
    let entries = keys.iter().filter_map(|key| fleet.entry(*key));
    entries.map(|entry| Row::new(entry, &policy, now).summary()).collect()
}

/// Counts of every facet over the devices that pass the filter.
pub async fn facets(app: &App, scope: &Scope, filter: &DeviceFilter) -> Result<Facets, Error> {
    super::told(app, filter.as_of)?;
    super::ready(app).await;
    let asked = Asked::of(app, scope, filter)?;
    let mut counts = Counts::default();
    if let Some(at) = filter.as_of {
        let mut pieces = past::Pieces::new(app, scope, at, asked.titles.clone());
        while let Some(entries) = pieces.next(app).await? {
            for row in entries.iter().map(Row::past).filter(|row| asked.passes(row)) {
                counts.add(&row, asked.verdicts.of(row.entry));
            }
        }
        return Ok(counts.finish());
    }
    let (policy, now) = (app.fleet.policy(), app.clock.now());
    let fleet = app.fleet.read();
    let passing = asked.passing(&fleet, &policy, now);
    Ok(counted(fleet.facets(), &passing, &asked.verdicts, &policy, now))
}

/// How many of these devices have each value.
fn counted(
    facets: &fleet::facets::Facets,
    passing: &RoaringBitmap,
    verdicts: &Verdicts,
    policy: &Policy,
    now: Timestamp,
) -> Facets {
    fn most<'a>(
        values: impl Iterator<Item = (&'a str, &'a RoaringBitmap)>,
        passing: &RoaringBitmap,
    ) -> Vec<(String, u64)> {
        let mut counts: HashMap<String, u64> = HashMap::new();
        for (value, devices) in values.filter(|(value, _)| !value.is_empty()) {
            let count = devices.intersection_len(passing);
            if count > 0 {
                *counts.entry(value.to_owned()).or_default() += count;
            }
        }
        most_first(counts)
    }
    fn texts(values: &fleet::facets::Values) -> impl Iterator<Item = (&str, &RoaringBitmap)> {
        values.iter().map(|(value, devices)| (&**value, devices))
    }
    let presences = facets.presences(policy, now);
    let mut rules: HashMap<&str, RoaringBitmap> = HashMap::new();
    for ((rule, _), (devices, _)) in &facets.findings {
        *rules.entry(rule).or_default() |= devices;
    }
    let systems = facets
        .cycles
        .iter()
        .map(|(cycle, devices)| (verdicts.of_cycle(cycle.as_ref()).as_str(), devices));
    Facets {
        os: most(texts(&facets.os), passing),
        model: most(texts(&facets.model), passing),
        class: most(facets.class.iter().map(|(class, of)| (class.as_str(), of)), passing),
        presence: most(presences.iter().map(|(word, of)| (word.as_str(), of)), passing),
        site: most(texts(&facets.site), passing),
        department: most(texts(&facets.department), passing),
        rule: most(rules.iter().map(|(rule, devices)| (*rule, devices)), passing),
        os_support: most(systems, passing),
    }
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
        self.of_cycle(entry.cycle.as_ref())
    }

    /// The verdict on a cycle.
    pub(super) fn of_cycle(&self, cycle: Option<&CycleMatch>) -> SupportState {
        let Some(cycle) = cycle else { return SupportState::Unknown };
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
            site: row.site_name().cloned(),
            site_from: row.site.as_ref().map(|site| site.from),
            department: row.department_name().cloned(),
            department_from: row.department.as_ref().map(|department| department.from),
            asset_tag: row.asset_tag.clone().or(summary.firmware_asset_tag),
            agent_version: summary.agent_version,
            software_count: summary.software_count,
            open_findings: self.entry.findings.count(),
            worst_severity: self.entry.findings.worst(),
            demo: row.demo,
        }
    }
}

/// The devices that pass, found by looking at each: what the bitmaps are held against.
#[cfg(test)]
pub(super) fn scanned(
    app: &App,
    scope: &Scope,
    filter: &DeviceFilter,
) -> Result<Vec<DeviceKey>, Error> {
    let asked = Asked::of(app, scope, filter)?;
    let (policy, now) = (app.fleet.policy(), app.clock.now());
    let fleet = app.fleet.read();
    let with = asked.titles.as_ref().map(|titles| fleet.devices_with(titles));
    let has = |key: DeviceKey| with.as_ref().is_none_or(|with| with.contains(key.0));
    let passing = fleet
        .entries()
        .filter(|entry| entry.row.is_in(scope))
        .filter(|entry| has(entry.row.key) && asked.passes(&Row::new(entry, &policy, now)));
    Ok(passing.map(|entry| entry.row.key).collect())
}

/// The filter, checked once.
struct Asked<'a> {
    scope: &'a Scope,
    filter: &'a DeviceFilter,
    query: Option<Query>,
    /// The numbers of the titles that are asked for.
    titles: Option<RoaringBitmap>,
    verdicts: Verdicts,
}

impl<'a> Asked<'a> {
    fn of(app: &App, scope: &'a Scope, filter: &'a DeviceFilter) -> Result<Self, Error> {
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
        Ok(Self { scope, filter, query: Query::new(text), titles, verdicts })
    }

    /// The devices that pass now.
    fn passing(&self, fleet: &Inner, policy: &Policy, now: Timestamp) -> RoaringBitmap {
        let (filter, facets) = (self.filter, fleet.facets());
        let mut passing = if filter.in_service { facets.in_service() } else { facets.all.clone() };
        if let Some(within) = fleet.within(self.scope) {
            passing &= within;
        }
        let none = RoaringBitmap::new();
        for (asked, values) in [
            (&filter.os, &facets.os),
            (&filter.model, &facets.model),
            (&filter.manufacturer, &facets.manufacturer),
            (&filter.site, &facets.site),
            (&filter.department, &facets.department),
        ] {
            if let Some(asked) = asked {
                passing &= values.get(asked.as_str()).unwrap_or(&none);
            }
        }
        if let Some(class) = filter.class {
            passing &= facets.class.get(&class).unwrap_or(&none);
        }
        if let Some(titles) = &self.titles {
            passing &= fleet.devices_with(titles);
        }
        if filter.rule.is_some() || filter.severity.is_some() {
            passing &= facets.with_finding(filter.rule.as_deref(), filter.severity);
        }
        if let Some(asked) = filter.os_support {
            let verdict = |cycle: &Option<CycleMatch>| self.verdicts.of_cycle(cycle.as_ref());
            let of = facets.cycles.iter().filter(|(cycle, _)| verdict(cycle) == asked);
            passing &= of.map(|(_, devices)| devices).union();
        }
        if let Some(asked) = filter.presence {
            let of = facets.presences(policy, now).into_iter().find(|(word, _)| *word == asked);
            passing &= of.map_or(none, |(_, devices)| devices);
        }
        if filter.user.is_none() && self.query.is_none() {
            return passing;
        }
        let fits = |key: &u32| {
            fleet.entry(DeviceKey(*key)).is_some_and(|entry| {
                (filter.user.is_none() || filter.user == entry.row.summary.user)
                    && self.query.as_ref().is_none_or(|query| entry.lookup.find(query).is_some())
            })
        };
        RoaringBitmap::from_sorted_iter(passing.iter().filter(fits)).unwrap_or_default()
    }

    /// Whether a device of a past moment passes.
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
            && is(filter.site.as_ref(), device.site_name())
            && is(filter.department.as_ref(), device.department_name())
            && is(filter.user.as_ref(), summary.user.as_ref())
            && (!by_finding || row.entry.findings.has(filter.rule.as_deref(), filter.severity))
            && self.query.as_ref().is_none_or(|query| row.entry.lookup.find(query).is_some())
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
        count(&mut self.site, device.site_name().map_or("", String::as_str));
        count(&mut self.department, device.department_name().map_or("", String::as_str));
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
