//! What the store remembers of the tables so that an unchanged check-in reads none of them.
//!
//! All of it is built from the tables at start and changed after a commit, never before.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use rollcall_shared::report::Settings;
use rollcall_shared::{DeviceId, Digest, Timestamp};
use uuid::Uuid;

use super::device::{DeviceKey, LastReport};
use super::evidence::Evidence;
use super::follow::Following;
use super::judged::Judged;
use super::key::KeyState;
use super::title::Dictionary;
use crate::domain::unit::Rules;
use crate::seal::SealKey;

/// How many of its last reports each device is known by.
const RECENT_REPORTS: usize = 8;

/// What is remembered of one device.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeviceState {
    /// Whether any report was stored.
    pub(crate) reported: bool,
    /// Number of the last report.
    pub(crate) seq: u64,
    /// The last few reports.
    pub(crate) recent: Recent,
    /// What a report must say to be unchanged.
    pub(crate) fingerprint: Option<Digest>,
    /// When the last report was made, by the device's clock.
    pub(crate) observed_at: Timestamp,
    /// The newest moment of its history.
    pub(crate) changed_at: Timestamp,
    /// Digest of the notes as they are stored.
    pub(crate) notes: Option<Digest>,
    /// The digest of each section.
    pub(crate) sections: BTreeMap<Arc<str>, Digest>,
    /// When its seen values were written last.
    pub(crate) values_at: Timestamp,
    /// When a report that was sent before with other content was last written down.
    pub(crate) conflict_at: Option<Timestamp>,
    /// Titles that it was the first to bring: the day, and how many that day.
    pub(crate) new_titles: (i64, u32),
    /// Reports that wait for the writer.
    pub(crate) queued: u32,
    /// The last transaction on this device that memory knows of.
    pub(crate) touched: i64,
}

/// The last few reports of a device: id, number and the beginning of the content's digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recent(Vec<(Uuid, u64, [u8; 8])>);

impl Recent {
    /// Whether this id was stored, and if so, with the same content.
    pub(crate) fn knows(&self, id: Uuid, content: &Digest) -> Option<bool> {
        let (_, _, known) = self.0.iter().find(|(known, ..)| *known == id)?;
        Some(content.0.starts_with(known))
    }

    /// Whether one of them has this number.
    pub(crate) fn has_seq(&self, seq: u64) -> bool {
        self.0.iter().any(|(_, known, _)| *known == seq)
    }

    pub(crate) fn push(&mut self, id: Uuid, seq: u64, content: &Digest) {
        if self.0.len() >= RECENT_REPORTS {
            self.0.remove(0);
        }
        let mut start = [0; 8];
        start.copy_from_slice(&content.0[..8]);
        self.0.push((id, seq, start));
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len() * 32);
        for (id, seq, start) in &self.0 {
            out.extend_from_slice(id.as_bytes());
            out.extend_from_slice(&seq.to_le_bytes());
            out.extend_from_slice(start);
        }
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let (rows, _) = bytes.as_chunks::<32>();
        let row = |row: &[u8; 32]| {
            let (mut id, mut seq, mut start) = ([0; 16], [0; 8], [0; 8]);
            id.copy_from_slice(&row[..16]);
            seq.copy_from_slice(&row[16..24]);
            start.copy_from_slice(&row[24..]);
            (Uuid::from_bytes(id), u64::from_le_bytes(seq), start)
        };
        Self(rows.iter().map(row).collect())
    }
}

/// A contact without changes, which the writer has not written yet.
#[derive(Debug, Clone)]
pub(crate) struct Contact {
    pub(crate) report: LastReport,
    pub(crate) report_id: Uuid,
    pub(crate) content: Digest,
    pub(crate) recent: Recent,
    /// Set when the seen values are to be renewed: when they were written last.
    pub(crate) renew_values: Option<Timestamp>,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    titles: RwLock<Dictionary>,
    devices: RwLock<HashMap<DeviceKey, Arc<Mutex<DeviceState>>>>,
    holders: RwLock<HashMap<Digest, (DeviceKey, Arc<str>)>>,
    keys: RwLock<HashMap<DeviceId, KeyState>>,
    /// Ids of records that a person found to be another device's.
    merged: RwLock<HashMap<DeviceId, DeviceId>>,
    evidence: RwLock<Evidence>,
    judged: Mutex<Judged>,
    /// Devices whose keys were ever suspected to be used twice.
    suspected: Mutex<HashSet<DeviceKey>>,
    contacts: Mutex<HashMap<DeviceKey, Contact>>,
    /// Held while keys are changed in the tables and here, and while they are read anew, so that an
    /// older reading never covers a newer change.
    pub(super) key_order: tokio::sync::Mutex<()>,
    /// The last attempt of the writer failed: full disk, server away.
    pub(super) cannot_write: AtomicBool,
    /// From when on the past is told.
    pub(super) history_from: AtomicI64,
    /// Reads of the history, to see that a page costs few.
    #[cfg(test)]
    pub(crate) reads: std::sync::atomic::AtomicU64,
    /// The states of all devices were read.
    pub(super) devices_known: AtomicBool,
    /// What agents are told.
    pub(super) settings: RwLock<Settings>,
    /// Which devices belong to which site or department.
    pub(super) unit_rules: RwLock<Arc<Rules>>,
    /// Held by the one who writes reports, and while everything is read anew.
    pub(super) writing: tokio::sync::Mutex<()>,
    /// How far what others wrote was read.
    pub(super) following: Following,
    /// What secrets are sealed with; absent in a program that reads none.
    pub(super) seal: OnceLock<Arc<SealKey>>,
}

impl Memory {
    pub(crate) fn titles(&self) -> RwLockReadGuard<'_, Dictionary> {
        self.titles.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn titles_mut(&self) -> RwLockWriteGuard<'_, Dictionary> {
        self.titles.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a device; an empty state for one that never reported.
    pub(crate) fn device(&self, key: DeviceKey) -> Arc<Mutex<DeviceState>> {
        let devices = self.devices.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = devices.get(&key) {
            return Arc::clone(state);
        }
        drop(devices);
        let mut devices = self.devices.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(devices.entry(key).or_default())
    }

    /// Every device of which anything is remembered.
    pub(crate) fn device_keys(&self) -> Vec<DeviceKey> {
        self.devices.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Forgets who holds which content, and takes what another memory knows of it.
    pub(crate) fn take_holders(&self, other: &Self) {
        let known = other.holders.read().unwrap_or_else(PoisonError::into_inner).clone();
        *self.holders.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Counts a read of the history, in tests.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "counted in tests alone"))]
    pub(crate) fn count_read(&self) {
        #[cfg(test)]
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn history_from(&self) -> Timestamp {
        Timestamp(self.history_from.load(Ordering::Relaxed))
    }

    /// A device that holds this content of this section.
    pub(crate) fn holder(&self, section: &str, digest: &Digest) -> Option<DeviceKey> {
        let holders = self.holders.read().unwrap_or_else(PoisonError::into_inner);
        holders.get(digest).filter(|(_, name)| &**name == section).map(|(device, _)| *device)
    }

    /// Forgets all that is read of the tables.
    pub(super) fn forget(&self) {
        *self.titles_mut() = Dictionary::default();
        self.devices.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.holders.write().unwrap_or_else(PoisonError::into_inner).clear();
        *self.evidence_mut() = Evidence::default();
        *self.judged() = Judged::default();
        self.suspected().clear();
        self.contacts().clear();
    }

    /// A device came to hold some contents and gave up others.
    pub(crate) fn hold(
        &self,
        device: DeviceKey,
        gone: impl IntoIterator<Item = Digest>,
        come: impl IntoIterator<Item = (Arc<str>, Digest)>,
    ) {
        let mut holders = self.holders.write().unwrap_or_else(PoisonError::into_inner);
        for digest in gone {
            if holders.get(&digest).is_some_and(|(holder, _)| *holder == device) {
                holders.remove(&digest);
            }
        }
        for (name, digest) in come {
            holders.entry(digest).or_insert((device, name));
        }
    }

    pub(crate) fn keys(&self) -> RwLockReadGuard<'_, HashMap<DeviceId, KeyState>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keys_mut(&self) -> RwLockWriteGuard<'_, HashMap<DeviceId, KeyState>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn merged(&self) -> RwLockReadGuard<'_, HashMap<DeviceId, DeviceId>> {
        self.merged.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn merged_mut(&self) -> RwLockWriteGuard<'_, HashMap<DeviceId, DeviceId>> {
        self.merged.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn evidence(&self) -> RwLockReadGuard<'_, Evidence> {
        self.evidence.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn evidence_mut(&self) -> RwLockWriteGuard<'_, Evidence> {
        self.evidence.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn judged(&self) -> MutexGuard<'_, Judged> {
        lock(&self.judged)
    }

    pub(crate) fn suspected(&self) -> MutexGuard<'_, HashSet<DeviceKey>> {
        lock(&self.suspected)
    }

    pub(crate) fn contacts(&self) -> MutexGuard<'_, HashMap<DeviceKey, Contact>> {
        lock(&self.contacts)
    }
}

/// Locks; a holder that panicked left nothing half done that matters.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
