//! Title number to the bitmap of devices that have it.

use roaring::{MultiOps as _, RoaringBitmap};

use crate::codec::ids::PackedSet;
use crate::store::device::DeviceKey;

/// Devices transposed at once when building. All containers of the bitmaps begin at multiples of
/// it; more at once would take hundreds of megabytes while the rest of the fleet is read.
const BLOCK: u32 = 1 << 12;

/// Who has which title.
#[derive(Debug, Default)]
pub(super) struct Postings(Vec<RoaringBitmap>);

impl Postings {
    /// Builds all bitmaps from the sets of all devices.
    ///
    /// Pushing device by device searches every bitmap's end each time; sorting blocks of devices
    /// by title and appending runs is many times faster.
    pub(super) fn build(sets: &mut [(DeviceKey, PackedSet)]) -> Self {
        sets.sort_unstable_by_key(|(device, _)| *device);
        let mut postings: Vec<RoaringBitmap> = Vec::new();
        for block in sets.chunk_by(|(a, _), (b, _)| a.0 / BLOCK == b.0 / BLOCK) {
            let block: Vec<(DeviceKey, Vec<u32>)> =
                block.iter().map(|(device, set)| (*device, set.ids())).collect();
            let highest = block.iter().filter_map(|(_, set)| set.last()).max();
            let titles = highest.map_or(0, |&id| id as usize + 1);
            if titles > postings.len() {
                postings.resize(titles, RoaringBitmap::new());
            }
            let mut starts = vec![0_usize; titles + 1];
            for id in block.iter().flat_map(|(_, set)| set) {
                starts[*id as usize + 1] += 1;
            }
            for at in 1..starts.len() {
                starts[at] += starts[at - 1];
            }
            let mut next = starts.clone();
            let mut devices = vec![0_u32; starts[titles]];
            for (device, set) in &block {
                for id in set {
                    let slot = &mut next[*id as usize];
                    devices[*slot] = device.0;
                    *slot += 1;
                }
            }
            for (title, bitmap) in postings.iter_mut().enumerate().take(titles) {
                let run = &devices[starts[title]..starts[title + 1]];
                if run.is_empty() {
                    continue;
                }
                if bitmap.append(run.iter().copied()).is_err() {
                    bitmap.extend(run);
                }
            }
        }
        Self(postings)
    }

    /// A device's set went from `before` to `after`, both sorted.
    pub(super) fn change(&mut self, device: DeviceKey, before: &[u32], after: &[u32]) {
        let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
        loop {
            match (old.peek(), new.peek()) {
                (Some(a), Some(b)) if a == b => {
                    old.next();
                    new.next();
                }
                (Some(&&gone), came) if came.is_none_or(|&&came| gone < came) => {
                    if let Some(bitmap) = self.0.get_mut(gone as usize) {
                        bitmap.remove(device.0);
                    }
                    old.next();
                }
                (_, Some(&&came)) => {
                    if came as usize >= self.0.len() {
                        self.0.resize(came as usize + 1, RoaringBitmap::new());
                    }
                    self.0[came as usize].insert(device.0);
                    new.next();
                }
                _ => break,
            }
        }
    }

    /// One above the highest number of a title that was ever had.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[cfg(test)]
    pub(super) fn flip(&mut self, title: u32, device: DeviceKey) {
        let bitmap = &mut self.0[title as usize];
        if !bitmap.remove(device.0) {
            bitmap.insert(device.0);
        }
    }

    /// How many devices have one of these titles, those of `without` left out.
    pub(super) fn count(&self, ids: &[u32], without: &RoaringBitmap) -> u64 {
        let rest = |devices: &RoaringBitmap| devices.len() - devices.intersection_len(without);
        let mut filled =
            ids.iter().filter_map(|id| self.0.get(*id as usize)).filter(|b| !b.is_empty());
        match (filled.next(), filled.next()) {
            (None, _) => 0,
            (Some(only), None) => rest(only),
            (Some(_), Some(_)) => rest(&self.devices(ids)),
        }
    }

    /// How many of these devices have one of these titles.
    pub(super) fn count_within(&self, ids: &[u32], within: &RoaringBitmap) -> u64 {
        let mut filled =
            ids.iter().filter_map(|id| self.0.get(*id as usize)).filter(|b| !b.is_empty());
        match (filled.next(), filled.next()) {
            (None, _) => 0,
            (Some(only), None) => only.intersection_len(within),
            (Some(_), Some(_)) => self.devices(ids).intersection_len(within),
        }
    }

    /// The devices that have one of these titles.
    pub(super) fn devices(&self, ids: &[u32]) -> RoaringBitmap {
        ids.iter().filter_map(|id| self.0.get(*id as usize)).union()
    }
}
