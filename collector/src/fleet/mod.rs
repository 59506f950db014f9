//! The fleet in memory: lists, counts and the search.
//!
//! All of it can be rebuilt from the tables and is changed only after a commit, so memory never
//! runs ahead of the disk. It is fed rows and answers questions about many devices; it knows
//! neither SQL nor HTTP, and it has no clock.

pub mod compare;
pub mod entry;
pub mod facets;
mod inner;
pub mod lookup;
mod postings;
mod signature;
pub mod title;

#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rollcall_shared::Timestamp;
use tokio::sync::{Notify, watch};

pub use entry::{Entry, OpenFindings};
pub use inner::{Inner, TitleAsked};
pub use title::TitleText;

use crate::codec::ids::PackedSet;
use crate::domain::{CycleMatch, Policy};
use crate::store::device::{DeviceKey, DeviceRow, SeenValue};

/// The fleet in memory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fleet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: RwLock<Inner>,
    /// Updates that came while the tables were read; absent when the fleet is ready.
    waiting: RwLock<Option<Vec<Update>>>,
    ready: watch::Sender<bool>,
    /// The thresholds that decide who is stale or missing.
    policy: RwLock<Arc<Policy>>,
    /// Wakes the job that judges the fleet.
    judging: Notify,
}

/// One change of the fleet. Each carries a whole state, so applying it twice does no harm.
#[derive(Debug, Clone)]
enum Update {
    Device(Box<DeviceRow>, Arc<[u32]>),
    Row(Box<DeviceRow>),
    Titles(Vec<(u32, TitleText)>),
    Seen(DeviceKey, Timestamp),
    Values(DeviceKey, Vec<SeenValue>),
    Forget(Vec<(DeviceKey, String, String)>),
    Findings(DeviceKey, OpenFindings),
    Cycle(DeviceKey, Option<CycleMatch>),
    Removed(DeviceKey),
}

/// Everything the tables hold that the fleet is built from.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Every device.
    pub devices: Vec<DeviceRow>,
    /// Every title.
    pub titles: Vec<(u32, TitleText)>,
    /// The sorted titles of each device.
    pub sets: Vec<(DeviceKey, PackedSet)>,
    /// Values devices have or had.
    pub seen_values: Vec<(DeviceKey, SeenValue)>,
    /// Open findings.
    pub findings: Vec<(DeviceKey, OpenFindings)>,
    /// The cycles of operating systems.
    pub cycles: Vec<(DeviceKey, CycleMatch)>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self(Arc::new(Shared {
            inner: RwLock::default(),
            waiting: RwLock::new(None),
            ready: watch::Sender::new(true),
            policy: RwLock::default(),
            judging: Notify::new(),
        }))
    }
}

impl Fleet {
    /// From here on updates wait until [`Fleet::loaded`] brings what the tables hold.
    pub fn begin_loading(&self) {
        let mut waiting = write(&self.0.waiting);
        waiting.get_or_insert_with(Vec::new);
        self.0.ready.send_replace(false);
    }

    /// Takes what the tables held, then the updates that came meanwhile.
    pub fn loaded(&self, loaded: Loaded) {
        let mut built = Inner::build(loaded);
        let mut waiting = write(&self.0.waiting);
        for update in waiting.take().unwrap_or_default() {
            built.apply(update);
        }
        *write(&self.0.inner) = built;
        self.0.ready.send_replace(true);
    }

    /// Returns when the tables have been read.
    pub async fn ready(&self) {
        let mut ready = self.0.ready.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = ready.wait_for(|ready| *ready).await;
    }

    /// Whether the tables have been read.
    pub fn is_ready(&self) -> bool {
        *self.0.ready.borrow()
    }

    /// The thresholds in force.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.0.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Other thresholds are in force from now on.
    pub fn set_policy(&self, policy: Policy) {
        *write(&self.0.policy) = Arc::new(policy);
    }

    /// Asks the job that judges the fleet to do it now. Asking again before it does is the same.
    pub fn judge_soon(&self) {
        self.0.judging.notify_one();
    }

    /// Returns when somebody asked, also when that was before the call.
    pub async fn judging_asked(&self) {
        self.0.judging.notified().await;
    }

    /// Looks at the fleet. Hold it for computing only, never across an await.
    pub fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A device's report was stored: its row and its whole sorted set of titles.
    pub fn device_applied(&self, row: DeviceRow, titles: Arc<[u32]>) {
        self.update(Update::Device(Box::new(row), titles));
    }

    /// A device's row was changed by a person or by the collector; its software stays.
    pub fn row_changed(&self, row: &DeviceRow) {
        self.update(Update::Row(Box::new(row.clone())));
    }

    /// The texts of titles; those of [`Inner::unknown_titles`] are asked for by the reader.
    pub fn titles_added(&self, titles: Vec<(u32, TitleText)>) {
        self.update(Update::Titles(titles));
    }

    /// Values that a device had in its last report, beside those of its row.
    pub fn values_seen(&self, device: DeviceKey, values: Vec<SeenValue>) {
        self.update(Update::Values(device, values));
    }

    /// Values that devices had are kept no longer: device, kind, value.
    pub fn values_gone(&self, values: Vec<(DeviceKey, String, String)>) {
        if !values.is_empty() {
            self.update(Update::Forget(values));
        }
    }

    /// A device checked in.
    pub fn device_seen(&self, device: DeviceKey, at: Timestamp) {
        self.update(Update::Seen(device, at));
    }

    /// A device's open findings are these now.
    pub fn findings_changed(&self, device: DeviceKey, open: OpenFindings) {
        self.update(Update::Findings(device, open));
    }

    /// The cycle of a device's operating system is this now.
    pub fn cycle_changed(&self, device: DeviceKey, cycle: Option<CycleMatch>) {
        let known = self.read().entry(device).is_none_or(|entry| entry.cycle == cycle);
        // While the tables are read, what is in memory is not what will be.
        if !known || !self.is_ready() {
            self.update(Update::Cycle(device, cycle));
        }
    }

    /// A device is gone from the tables.
    pub fn device_removed(&self, device: DeviceKey) {
        self.update(Update::Removed(device));
    }

    /// Makes memory say of one title and device what is not so, to see that it is found.
    #[cfg(test)]
    pub(crate) fn poison_posting(&self, title: u32, device: DeviceKey) {
        write(&self.0.inner).poison_posting(title, device);
    }

    fn update(&self, update: Update) {
        // Held while applying, so that no update falls between "loaded" and "ready".
        let mut waiting = write(&self.0.waiting);
        if let Some(waiting) = waiting.as_mut() {
            waiting.push(update.clone());
        }
        write(&self.0.inner).apply(update);
    }
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
