//! The present and the past of one device: sections, software, changes.

use std::collections::BTreeMap;

use rollcall_shared::api::change::Change;
use rollcall_shared::section::Software;
use rollcall_shared::{Note, Timestamp};

use super::device::DeviceKey;
use super::{Error, Store};

/// A section as it was at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSection {
    /// The body exactly as the agent sent it; absent when there are only notes.
    pub json: Option<String>,
    /// When it became so.
    pub changed_at: Timestamp,
    /// Why it is absent or what is missing (today's only).
    pub notes: Vec<Note>,
}

/// What was known of a device at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past<T> {
    /// The moment lies before its first report: not known, which is not the same as empty.
    NotKnown,
    /// It was so.
    Known(T),
}

impl Store {
    /// All sections but `software`, now or at a past moment.
    pub async fn sections(
        &self,
        device: DeviceKey,
        as_of: Option<Timestamp>,
    ) -> Result<Past<BTreeMap<String, StoredSection>>, Error> {
        let _ = (device, as_of);
        todo!()
    }

    /// The installed software, now or at a past moment, sorted by name.
    pub async fn software(
        &self,
        device: DeviceKey,
        as_of: Option<Timestamp>,
    ) -> Result<Past<Vec<Software>>, Error> {
        let _ = (device, as_of);
        todo!()
    }

    /// Changes of one device, newest first, all of one moment together: at least `limit` of them
    /// unless there are fewer, those before `before`. `device_id` and `hostname` are filled by the
    /// caller.
    pub async fn changes(
        &self,
        device: DeviceKey,
        before: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<Change>, Error> {
        let _ = (device, before, limit);
        todo!()
    }

    /// The newest changes of the whole fleet: device and moment of each report that changed
    /// something, newest first.
    pub async fn recently_changed(&self, limit: u32) -> Result<Vec<(DeviceKey, Timestamp)>, Error> {
        let _ = limit;
        todo!()
    }
}
