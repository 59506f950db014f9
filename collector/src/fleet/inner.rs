//! The structures themselves, and how one update changes all of them alike.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use roaring::{MultiOps as _, RoaringBitmap};
use rollcall_shared::DeviceId;
use rollcall_shared::api::unit::UnitKind;
use rollcall_shared::version::{self, Scheme};

use super::entry::Entry;
use super::facets::Facets;
use super::lookup::Query;
use super::postings::Postings;
use super::signature::Signature;
use super::title::{TitleGroup, Titles};
use super::{Loaded, Update};
use crate::codec::delta::Delta;
use crate::codec::ids::PackedSet;
use crate::domain::Scope;
use crate::store::device::{DeviceKey, DeviceRow, SeenValue};

/// The fleet as one reader sees it at one moment.
#[derive(Debug, Default)]
pub struct Inner {
    entries: Vec<Option<Box<Entry>>>,
    /// Of what each entry can be found by, in the same order.
    signatures: Vec<Signature>,
    by_id: HashMap<DeviceId, DeviceKey>,
    titles: Titles,
    postings: Postings,
    /// Titles that some device has and whose text nobody told yet.
    unknown: Vec<u32>,
    /// Devices that were taken out of service or wait for approval: few, as a rule.
    out_of_service: RoaringBitmap,
    facets: Facets,
    /// How many devices in service have a title of each group.
    group_counts: Vec<u64>,
}

fn slot(entries: &mut [Option<Box<Entry>>], key: DeviceKey) -> Option<&mut Entry> {
    entries.get_mut(key.0 as usize)?.as_deref_mut()
}

impl Inner {
    /// Builds everything from what the tables hold.
    pub(super) fn build(mut loaded: Loaded) -> Self {
        let mut inner = Self { postings: Postings::build(&mut loaded.sets), ..Self::default() };
        for (id, text) in loaded.titles {
            inner.titles.add(id, text);
        }
        let mut sets: HashMap<_, _> = loaded.sets.into_iter().collect();
        let mut seen: HashMap<DeviceKey, Vec<SeenValue>> = HashMap::new();
        for (device, value) in loaded.seen_values {
            seen.entry(device).or_default().push(value);
        }
        let mut findings: HashMap<_, _> = loaded.findings.into_iter().collect();
        let mut cycles: HashMap<_, _> = loaded.cycles.into_iter().collect();
        for row in loaded.devices {
            let key = row.key;
            let packed = sets.remove(&key).unwrap_or_default();
            let values = seen.remove(&key).unwrap_or_default();
            let mut entry = Entry::new(row, packed, values);
            entry.findings = findings.remove(&key).unwrap_or_default();
            entry.cycle = cycles.remove(&key);
            inner.put(key, entry);
        }
        for (device, set) in sets {
            inner.postings.change(device, &set.ids(), &[]);
        }
        let counts = inner.titles.groups().iter().map(|group| inner.title_count(&group.ids));
        inner.group_counts = counts.collect();
        inner
    }

    /// The fleet that the tables make.
    pub fn of_tables(loaded: Loaded) -> Self {
        Self::build(loaded)
    }

    pub(super) fn apply(&mut self, update: Update) {
        match update {
            Update::Device(row, titles) => {
                let key = row.key;
                self.set_row(*row);
                let Some(entry) = slot(&mut self.entries, key) else { return };
                let before = entry.titles();
                if *before == *titles {
                    return;
                }
                entry.set_titles(&titles);
                let new = titles.iter().filter(|id| before.binary_search(id).is_err());
                self.unknown.extend(new.filter(|id| self.titles.text(**id).is_none()));
                self.postings.change(key, &before, &titles);
                if !self.out_of_service.contains(key.0) {
                    self.count_groups(&before, &titles);
                }
            }
            Update::Row(row) => self.set_row(*row),
            Update::Titles(titles) => {
                for (id, text) in titles {
                    self.titles.add(id, text);
                    // A device may have had it before its text was told.
                    if self.postings.len() > id as usize
                        && let Some(group) = self.titles.group_of(id)
                    {
                        let (number, count) = (group.number, self.title_count(&group.ids));
                        self.set_group_count(number, count);
                    }
                }
                self.unknown.retain(|id| self.titles.text(*id).is_none());
            }
            Update::Seen(device, at) => {
                let Some(entry) = slot(&mut self.entries, device) else { return };
                if entry.row.last_seen_at < Some(at) {
                    self.facets.put_seen(entry, false);
                    entry.row.last_seen_at = Some(at);
                    self.facets.put_seen(entry, true);
                }
            }
            Update::Values(device, values) => {
                if let Some(entry) = slot(&mut self.entries, device) {
                    entry.remember(values);
                }
                self.sign(device);
            }
            Update::Forget(values) => {
                for (device, kind, value) in values {
                    if let Some(entry) = slot(&mut self.entries, device) {
                        entry.forget(&kind, &value);
                    }
                    self.sign(device);
                }
            }
            Update::Findings(device, open) => {
                self.change(device, |entry| entry.findings = open);
            }
            Update::Cycle(device, cycle) => self.change(device, |entry| entry.cycle = cycle),
            Update::Removed(device) => {
                let at = self.entries.get_mut(device.0 as usize);
                if let Some(entry) = at.and_then(Option::take) {
                    let titles = entry.titles();
                    if !self.out_of_service.remove(device.0) {
                        self.count_groups(&titles, &[]);
                    }
                    self.facets.remove(&entry);
                    self.by_id.remove(&entry.row.id);
                    self.postings.change(device, &titles, &[]);
                }
            }
        }
    }

    /// Changes a device together with what is counted of it.
    fn change(&mut self, key: DeviceKey, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = slot(&mut self.entries, key) {
            self.facets.remove(entry);
            change(entry);
            self.facets.add(entry);
        }
    }

    fn set_row(&mut self, row: DeviceRow) {
        let key = row.key;
        if self.entry(key).is_none() {
            self.put(key, Entry::new(row, PackedSet::default(), Vec::new()));
            return;
        }
        let out = row.retired_at.is_some() || row.pending;
        if out != self.out_of_service.contains(key.0) {
            let titles = self.entry(key).map(Entry::titles).unwrap_or_default();
            if out {
                self.out_of_service.insert(key.0);
                self.count_groups(&titles, &[]);
            } else {
                self.out_of_service.remove(key.0);
                self.count_groups(&[], &titles);
            }
        }
        self.change(key, |entry| entry.set_row(row));
        self.sign(key);
    }

    /// Puts a device where there was none.
    fn put(&mut self, key: DeviceKey, entry: Entry) {
        let at = key.0 as usize;
        if at >= self.entries.len() {
            self.entries.resize_with(at + 1, || None);
            self.signatures.resize(at + 1, Signature::default());
        }
        if entry.row.retired_at.is_some() || entry.row.pending {
            self.out_of_service.insert(key.0);
        }
        self.facets.add(&entry);
        self.by_id.insert(entry.row.id, key);
        self.signatures[at] = entry.lookup.signature();
        self.entries[at] = Some(Box::new(entry));
    }

    /// What a device can be found by may be other now.
    fn sign(&mut self, key: DeviceKey) {
        if let Some(entry) = self.entry(key) {
            let signature = entry.lookup.signature();
            self.signatures[key.0 as usize] = signature;
        }
    }

    /// A device in service went from one sorted set to another: the groups it has a title of.
    fn count_groups(&mut self, before: &[u32], after: &[u32]) {
        let delta = Delta::between(before, after);
        let mut changed: BTreeMap<usize, (bool, bool)> = BTreeMap::new();
        for id in delta.removed.iter().chain(&delta.added) {
            let Some(group) = self.titles.group_of(*id) else { continue };
            changed.entry(group.number).or_insert_with(|| {
                let has = |set: &[u32]| {
                    !set.is_empty() && group.ids.iter().any(|id| set.binary_search(id).is_ok())
                };
                (has(before), has(after))
            });
        }
        for (number, (had, has)) in changed {
            let count = self.group_counts.get(number).copied().unwrap_or_default();
            match (had, has) {
                (false, true) => self.set_group_count(number, count + 1),
                (true, false) => self.set_group_count(number, count.saturating_sub(1)),
                _ => {}
            }
        }
    }

    fn set_group_count(&mut self, number: usize, count: u64) {
        if number >= self.group_counts.len() {
            self.group_counts.resize(number + 1, 0);
        }
        self.group_counts[number] = count;
    }

    /// What lists count, filter and sort by.
    pub fn facets(&self) -> &Facets {
        &self.facets
    }

    /// How many groups of titles some device in service has.
    pub fn group_total(&self) -> u64 {
        self.group_counts.iter().filter(|count| **count > 0).count() as u64
    }

    /// Every device, in the order of their keys.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flatten().map(AsRef::as_ref)
    }

    /// The devices in which something may be found, in the order of their keys.
    pub fn candidates<'a>(&'a self, query: &'a Query) -> impl Iterator<Item = &'a Entry> {
        let signed = self.entries.iter().zip(&self.signatures);
        signed.filter(|(_, signature)| query.may_be_in(signature)).filter_map(|(e, _)| e.as_deref())
    }

    /// One device by its key.
    pub fn entry(&self, key: DeviceKey) -> Option<&Entry> {
        self.entries.get(key.0 as usize)?.as_deref()
    }

    /// One device by its id.
    pub fn by_id(&self, id: DeviceId) -> Option<&Entry> {
        self.entry(*self.by_id.get(&id)?)
    }

    /// The keys of all devices, in order.
    pub fn keys(&self) -> Vec<DeviceKey> {
        self.entries().map(|entry| entry.row.key).collect()
    }

    /// The devices inside of a scope; `None`: all.
    pub fn within(&self, scope: &Scope) -> Option<RoaringBitmap> {
        let of = |kind| {
            let units = scope.units(kind)?;
            Some(units.iter().filter_map(|unit| self.facets.units.get(unit)).union())
        };
        match (of(UnitKind::Site), of(UnitKind::Department)) {
            (Some(sites), Some(departments)) => Some(sites & departments),
            (sites, departments) => sites.or(departments),
        }
    }

    /// The keys of the devices inside of a scope, in order.
    pub fn keys_within(&self, scope: &Scope) -> Vec<DeviceKey> {
        match self.within(scope) {
            Some(devices) => devices.iter().map(DeviceKey).collect(),
            None => self.keys(),
        }
    }

    /// The devices inside of a scope that are in service; `None`: all in service.
    pub fn counted_within(&self, scope: &Scope) -> Option<RoaringBitmap> {
        self.within(scope).map(|devices| devices - &self.out_of_service)
    }

    /// How many of the devices in service have one of these titles; `within`: only of these.
    pub fn title_count_within(&self, ids: &[u32], within: Option<&RoaringBitmap>) -> u64 {
        match within {
            Some(within) => self.postings.count_within(ids, within),
            None => self.title_count(ids),
        }
    }

    /// The same for a group of titles.
    pub fn group_count_within(&self, group: &TitleGroup, within: Option<&RoaringBitmap>) -> u64 {
        match within {
            Some(within) => self.postings.count_within(&group.ids, within),
            None => self.group_count(group),
        }
    }

    /// Titles that some device has and whose text nobody told yet.
    pub fn unknown_titles(&self) -> &[u32] {
        &self.unknown
    }

    /// The dictionary of titles.
    pub fn titles(&self) -> &Titles {
        &self.titles
    }

    /// How many devices in service have a title of this group.
    pub fn group_count(&self, group: &TitleGroup) -> u64 {
        self.group_counts.get(group.number).copied().unwrap_or_default()
    }

    /// How many devices in service have one of these titles.
    pub fn title_count(&self, ids: &[u32]) -> u64 {
        self.postings.count(ids, &self.out_of_service)
    }

    /// The numbers of the titles that are asked for.
    pub fn titles_asked(&self, asked: &TitleAsked<'_>) -> RoaringBitmap {
        let TitleAsked { name, version, below, source } = *asked;
        let fits = |group: &TitleGroup, id: u32| {
            let Some(text) = self.titles.text(id) else { return false };
            let scheme = Scheme::of_source(&group.source);
            version.is_none_or(|version| text.version == version)
                && below.is_none_or(|below| {
                    // What cannot be compared is not known to be below.
                    version::compare(scheme, &text.version, below).is_some_and(Ordering::is_lt)
                })
        };
        self.titles
            .named(name)
            .filter(|group| source.is_none_or(|source| group.source == source))
            .flat_map(|group| group.ids.iter().copied().filter(|id| fits(group, *id)))
            .collect()
    }

    /// One above the highest number of a title that a device has or that has a text.
    pub fn title_numbers(&self) -> u32 {
        let longer = self.titles.len().max(self.postings.len());
        u32::try_from(longer).unwrap_or(u32::MAX)
    }

    /// The devices that have this title.
    pub fn title_devices(&self, id: u32) -> RoaringBitmap {
        self.postings.devices(&[id])
    }

    #[cfg(test)]
    pub(super) fn poison_posting(&mut self, title: u32, device: DeviceKey) {
        self.postings.flip(title, device);
    }

    /// The devices that have one of these titles.
    pub fn devices_with(&self, titles: &RoaringBitmap) -> RoaringBitmap {
        self.postings.devices(&titles.iter().collect::<Vec<_>>())
    }
}

/// A question for titles by name.
#[derive(Debug, Clone, Copy)]
pub struct TitleAsked<'a> {
    /// The name, exactly.
    pub name: &'a str,
    /// In exactly this version.
    pub version: Option<&'a str>,
    /// In a version below this one, as the source of the title orders versions.
    pub below: Option<&'a str>,
    /// From exactly this source.
    pub source: Option<&'a str>,
}
