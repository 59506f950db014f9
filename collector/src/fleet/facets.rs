//! What lists count, filter and sort by: each value with the devices that have it.
//!
//! A filter is an intersection of bitmaps, a count the size of one, and a page is read in its
//! order from where the one before ended: none of them walks the fleet.

use std::collections::{BTreeMap, HashMap};

use roaring::{MultiOps as _, RoaringBitmap};
use rollcall_shared::Timestamp;
use rollcall_shared::api::device::{DeviceClass, DeviceSort, Presence};
use rollcall_shared::api::finding::Severity;

use super::entry::Entry;
use crate::domain::{CycleMatch, Policy};

/// Values of one column, each with its devices.
pub type Values = BTreeMap<Box<str>, RoaringBitmap>;

/// A value that a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey<'a> {
    /// A count or a moment.
    Number(i64),
    /// A text in lower case.
    Text(&'a str),
}

/// The columns.
#[derive(Debug, Default, PartialEq)]
pub struct Facets {
    /// Every device.
    pub all: RoaringBitmap,
    /// Those taken out of service.
    pub retired: RoaringBitmap,
    /// Those that wait for approval and are not retired.
    pub pending: RoaringBitmap,
    /// Those made by `--demo`.
    pub demo: RoaringBitmap,
    /// By operating system, also by none.
    pub os: Values,
    /// By model.
    pub model: Values,
    /// By maker.
    pub manufacturer: Values,
    /// By site.
    pub site: Values,
    /// By department.
    pub department: Values,
    /// By number of the site or department, one list for both.
    pub units: HashMap<i64, RoaringBitmap>,
    /// By class.
    pub class: BTreeMap<DeviceClass, RoaringBitmap>,
    /// By rule and severity of open findings, with the number of findings.
    pub findings: BTreeMap<(String, Severity), (RoaringBitmap, u64)>,
    /// By the cycle of the operating system.
    pub cycles: HashMap<Option<CycleMatch>, RoaringBitmap>,
    by_name: BTreeMap<Box<str>, Vec<u32>>,
    by_os: Values,
    by_model: Values,
    by_seen: BTreeMap<i64, Vec<u32>>,
    by_findings: BTreeMap<i64, RoaringBitmap>,
    by_enrolled: BTreeMap<i64, Vec<u32>>,
    /// By the moment from which silence counts.
    by_silence: BTreeMap<i64, Vec<u32>>,
}

/// What a list sorts a device by.
pub fn sort_key(entry: &Entry, sort: DeviceSort) -> SortKey<'_> {
    match sort {
        DeviceSort::Hostname => SortKey::Text(&entry.hostname_lower),
        DeviceSort::Os => SortKey::Text(&entry.os_lower),
        DeviceSort::Model => SortKey::Text(&entry.model_lower),
        DeviceSort::LastSeen => SortKey::Number(seen(entry)),
        DeviceSort::Findings => SortKey::Number(count(entry)),
    }
}

fn seen(entry: &Entry) -> i64 {
    entry.row.last_seen_at.map_or(i64::MIN, |at| at.0)
}

fn silent_since(entry: &Entry) -> i64 {
    entry.row.last_seen_at.unwrap_or(entry.row.enrolled_at).0
}

fn count(entry: &Entry) -> i64 {
    i64::try_from(entry.findings.count()).unwrap_or(i64::MAX)
}

/// Adds a device under a text, or takes it away; what is empty goes.
fn place(map: &mut Values, value: &str, key: u32, there: bool) {
    if there {
        if let Some(devices) = map.get_mut(value) {
            devices.insert(key);
        } else {
            map.insert(value.into(), RoaringBitmap::from([key]));
        }
    } else if let Some(devices) = map.get_mut(value) {
        devices.remove(key);
        if devices.is_empty() {
            map.remove(value);
        }
    }
}

/// The same where most values have one device only.
fn place_few<K: Ord>(map: &mut BTreeMap<K, Vec<u32>>, value: K, key: u32, there: bool) {
    if there {
        let keys = map.entry(value).or_default();
        if let Err(at) = keys.binary_search(&key) {
            keys.insert(at, key);
        }
    } else if let Some(keys) = map.get_mut(&value) {
        keys.retain(|one| *one != key);
        if keys.is_empty() {
            map.remove(&value);
        }
    }
}

fn set(bitmap: &mut RoaringBitmap, key: u32, there: bool) {
    if there {
        bitmap.insert(key);
    } else {
        bitmap.remove(key);
    }
}

impl Facets {
    /// Those of all these devices.
    pub fn of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut facets = Self::default();
        for entry in entries {
            facets.add(entry);
        }
        facets
    }

    /// A device came, or is as it is from now on.
    pub(super) fn add(&mut self, entry: &Entry) {
        self.put(entry, true);
    }

    /// A device goes, or will be otherwise; `entry` as it was added.
    pub(super) fn remove(&mut self, entry: &Entry) {
        self.put(entry, false);
    }

    fn put(&mut self, entry: &Entry, there: bool) {
        let (row, key) = (&entry.row, entry.row.key.0);
        let summary = &row.summary;
        let retired = row.retired_at.is_some();
        set(&mut self.all, key, there);
        set(&mut self.retired, key, there && retired);
        set(&mut self.pending, key, there && row.pending && !retired);
        set(&mut self.demo, key, there && row.demo);
        place(&mut self.os, &summary.os_name, key, there);
        for (map, value) in
            [(&mut self.model, &summary.model), (&mut self.manufacturer, &summary.manufacturer)]
        {
            if let Some(value) = value {
                place(map, value, key, there);
            }
        }
        for (map, unit) in [(&mut self.site, &row.site), (&mut self.department, &row.department)] {
            let Some(unit) = unit else { continue };
            place(map, &unit.name, key, there);
            set(self.units.entry(unit.unit).or_default(), key, there);
            if self.units.get(&unit.unit).is_some_and(RoaringBitmap::is_empty) {
                self.units.remove(&unit.unit);
            }
        }
        let class = summary.class.unwrap_or(DeviceClass::Other);
        set(self.class.entry(class).or_default(), key, there);
        if self.class.get(&class).is_some_and(RoaringBitmap::is_empty) {
            self.class.remove(&class);
        }
        for (rule, severity, count) in &entry.findings.0 {
            let of = (rule.clone(), *severity);
            let (devices, findings) = self.findings.entry(of.clone()).or_default();
            set(devices, key, there);
            *findings = if there { *findings + count } else { findings.saturating_sub(*count) };
            if devices.is_empty() {
                self.findings.remove(&of);
            }
        }
        set(self.cycles.entry(entry.cycle.clone()).or_default(), key, there);
        if self.cycles.get(&entry.cycle).is_some_and(RoaringBitmap::is_empty) {
            self.cycles.remove(&entry.cycle);
        }
        place_few(&mut self.by_name, entry.hostname_lower.as_str().into(), key, there);
        place(&mut self.by_os, &entry.os_lower, key, there);
        place(&mut self.by_model, &entry.model_lower, key, there);
        let count = count(entry);
        set(self.by_findings.entry(count).or_default(), key, there);
        if self.by_findings.get(&count).is_some_and(RoaringBitmap::is_empty) {
            self.by_findings.remove(&count);
        }
        place_few(&mut self.by_enrolled, row.enrolled_at.0, key, there);
        self.put_seen(entry, there);
    }

    /// Only what a check-in moves.
    pub(super) fn put_seen(&mut self, entry: &Entry, there: bool) {
        let key = entry.row.key.0;
        place_few(&mut self.by_seen, seen(entry), key, there);
        place_few(&mut self.by_silence, silent_since(entry), key, there);
    }

    /// The devices in service.
    pub fn in_service(&self) -> RoaringBitmap {
        &self.all - &(&self.retired | &self.pending)
    }

    /// The devices of each presence at a moment.
    pub fn presences(&self, policy: &Policy, now: Timestamp) -> Vec<(Presence, RoaringBitmap)> {
        let service = self.in_service();
        let silent_for = |ms: i64| {
            let before = now.plus_ms(ms.saturating_neg()).0;
            let mut keys: Vec<u32> =
                self.by_silence.range(..before).flat_map(|(_, keys)| keys).copied().collect();
            keys.sort_unstable();
            RoaringBitmap::from_sorted_iter(keys).unwrap_or_default()
        };
        let missing = self
            .class
            .iter()
            .map(|(class, devices)| silent_for(policy.missing_ms(*class)) & devices)
            .collect::<Vec<_>>()
            .union()
            & &service;
        let stale = (silent_for(policy.stale_ms()) & &service) - &missing;
        let fresh = service - &missing - &stale;
        vec![
            (Presence::Fresh, fresh),
            (Presence::Stale, stale),
            (Presence::Missing, missing),
            (Presence::Pending, self.pending.clone()),
            (Presence::Retired, self.retired.clone()),
        ]
    }

    /// The devices with an open finding of this rule and severity, as far as they are asked for.
    pub fn with_finding(&self, rule: Option<&str>, severity: Option<Severity>) -> RoaringBitmap {
        self.asked_findings(rule, severity).map(|(devices, _)| devices).union()
    }

    /// How many open findings there are of this rule and severity, as far as they are asked for.
    pub fn finding_count(&self, rule: Option<&str>, severity: Option<Severity>) -> u64 {
        self.asked_findings(rule, severity).map(|(_, findings)| findings).sum()
    }

    fn asked_findings<'a>(
        &'a self,
        rule: Option<&'a str>,
        severity: Option<Severity>,
    ) -> impl Iterator<Item = &'a (RoaringBitmap, u64)> {
        let asked = move |of: &&(String, Severity)| {
            rule.is_none_or(|rule| of.0 == rule) && severity.is_none_or(|asked| of.1 == asked)
        };
        self.findings.iter().filter(move |(of, _)| asked(of)).map(|(_, found)| found)
    }

    /// The moments at which devices were seen last, newest first.
    pub fn seen_newest_first(&self) -> impl Iterator<Item = (Timestamp, &[u32])> {
        self.by_seen.iter().rev().map(|(at, keys)| (Timestamp(*at), keys.as_slice()))
    }

    /// The devices enrolled last, newest first.
    pub fn newest(&self) -> impl Iterator<Item = u32> {
        self.by_enrolled.values().rev().flatten().copied()
    }

    /// All devices in the order of a list, from a value on: by value, those of one value by key.
    pub fn ordered<'a>(
        &'a self,
        sort: DeviceSort,
        descending: bool,
        from: Option<SortKey<'_>>,
    ) -> Box<dyn Iterator<Item = (SortKey<'a>, u32)> + 'a> {
        fn each<'a, K, V>(
            map: &'a BTreeMap<K, V>,
            descending: bool,
            from: Option<&K>,
        ) -> Box<dyn Iterator<Item = (&'a K, &'a V)> + 'a>
        where
            K: Ord,
        {
            use std::ops::Bound::{Included, Unbounded};
            match (descending, from) {
                (false, None) => Box::new(map.iter()),
                (true, None) => Box::new(map.iter().rev()),
                (false, Some(from)) => Box::new(map.range::<K, _>((Included(from), Unbounded))),
                (true, Some(from)) => {
                    Box::new(map.range::<K, _>((Unbounded, Included(from))).rev())
                }
            }
        }
        let text: Option<Box<str>> = match from {
            Some(SortKey::Text(text)) => Some(text.into()),
            _ => None,
        };
        let number = match from {
            Some(SortKey::Number(number)) => Some(number),
            _ => None,
        };
        match sort {
            DeviceSort::Hostname => Box::new(
                each(&self.by_name, descending, text.as_ref())
                    .flat_map(|(v, keys)| keys.iter().map(move |key| (SortKey::Text(v), *key))),
            ),
            DeviceSort::Os => Box::new(
                each(&self.by_os, descending, text.as_ref())
                    .flat_map(|(v, keys)| keys.iter().map(move |key| (SortKey::Text(v), key))),
            ),
            DeviceSort::Model => Box::new(
                each(&self.by_model, descending, text.as_ref())
                    .flat_map(|(v, keys)| keys.iter().map(move |key| (SortKey::Text(v), key))),
            ),
            DeviceSort::LastSeen => Box::new(
                each(&self.by_seen, descending, number.as_ref())
                    .flat_map(|(v, keys)| keys.iter().map(move |key| (SortKey::Number(*v), *key))),
            ),
            DeviceSort::Findings => Box::new(
                each(&self.by_findings, descending, number.as_ref())
                    .flat_map(|(v, keys)| keys.iter().map(move |key| (SortKey::Number(*v), key))),
            ),
        }
    }
}
