//! The structures themselves, and how one update changes all of them alike.

use std::cmp::Ordering;
use std::collections::HashMap;

use roaring::RoaringBitmap;
use rollcall_shared::DeviceId;
use rollcall_shared::version::{self, Scheme};

use super::entry::Entry;
use super::postings::Postings;
use super::title::{TitleGroup, Titles};
use super::{Loaded, Update};
use crate::codec::ids::PackedSet;
use crate::store::device::{DeviceKey, DeviceRow, SeenValue};

/// The fleet as one reader sees it at one moment.
#[derive(Debug, Default)]
pub struct Inner {
    entries: Vec<Option<Box<Entry>>>,
    by_id: HashMap<DeviceId, DeviceKey>,
    titles: Titles,
    postings: Postings,
    /// Titles that some device has and whose text nobody told yet.
    unknown: Vec<u32>,
    /// Devices that were taken out of service or wait for approval: few, as a rule.
    out_of_service: RoaringBitmap,
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
        for row in loaded.devices {
            let key = row.key;
            let titles = sets.remove(&key).unwrap_or_default();
            let values = seen.remove(&key).unwrap_or_default();
            inner.put(key, Entry::new(row, titles, values));
        }
        for (device, set) in sets {
            inner.postings.change(device, &set.ids(), &[]);
        }
        for (device, open) in loaded.findings {
            inner.apply(Update::Findings(device, open));
        }
        for (device, cycle) in loaded.cycles {
            inner.apply(Update::Cycle(device, Some(cycle)));
        }
        inner
    }

    pub(super) fn apply(&mut self, update: Update) {
        match update {
            Update::Device(row, titles) => {
                let key = row.key;
                self.set_row(*row);
                if let Some(entry) = self.entry_mut(key) {
                    let before = std::mem::replace(&mut entry.titles, PackedSet::of(&titles));
                    let before = before.ids();
                    let new = titles.iter().filter(|id| before.binary_search(id).is_err());
                    self.unknown.extend(new.filter(|id| self.titles.text(**id).is_none()));
                    self.postings.change(key, &before, &titles);
                }
            }
            Update::Row(row) => self.set_row(*row),
            Update::Titles(titles) => {
                for (id, text) in titles {
                    self.titles.add(id, text);
                }
                self.unknown.retain(|id| self.titles.text(*id).is_none());
            }
            Update::Seen(device, at) => {
                if let Some(entry) = self.entry_mut(device) {
                    entry.row.last_seen_at = entry.row.last_seen_at.max(Some(at));
                }
            }
            Update::Findings(device, open) => {
                if let Some(entry) = self.entry_mut(device) {
                    entry.findings = open;
                }
            }
            Update::Cycle(device, cycle) => {
                if let Some(entry) = self.entry_mut(device) {
                    entry.cycle = cycle;
                }
            }
            Update::Removed(device) => {
                self.out_of_service.remove(device.0);
                let slot = self.entries.get_mut(device.0 as usize);
                if let Some(entry) = slot.and_then(Option::take) {
                    self.by_id.remove(&entry.row.id);
                    self.postings.change(device, &entry.titles.ids(), &[]);
                }
            }
        }
    }

    fn set_row(&mut self, row: DeviceRow) {
        let key = row.key;
        self.note_service(&row);
        match self.entry_mut(key) {
            Some(entry) => entry.set_row(row),
            None => self.put(key, Entry::new(row, PackedSet::default(), Vec::new())),
        }
    }

    fn put(&mut self, key: DeviceKey, entry: Entry) {
        let at = key.0 as usize;
        if at >= self.entries.len() {
            self.entries.resize_with(at + 1, || None);
        }
        self.note_service(&entry.row);
        self.by_id.insert(entry.row.id, key);
        self.entries[at] = Some(Box::new(entry));
    }

    fn note_service(&mut self, row: &DeviceRow) {
        if row.retired_at.is_some() || row.pending {
            self.out_of_service.insert(row.key.0);
        } else {
            self.out_of_service.remove(row.key.0);
        }
    }

    fn entry_mut(&mut self, key: DeviceKey) -> Option<&mut Entry> {
        self.entries.get_mut(key.0 as usize)?.as_deref_mut()
    }

    /// Every device, in the order of their keys.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flatten().map(AsRef::as_ref)
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
        self.title_count(&group.ids)
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
