//! The fleet in memory: lists, counts and the search. All of it can be rebuilt from the tables.

/// The fleet in memory. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Fleet {}

impl Fleet {
    /// A report of this device was stored: its row and its sorted title ids as they are now.
    pub fn device_applied(
        &self,
        row: &crate::store::device::DeviceRow,
        titles: std::sync::Arc<[u32]>,
    ) {
        let _ = (self, row, titles);
    }

    /// A device checked in without changes.
    pub fn device_seen(
        &self,
        device: crate::store::device::DeviceKey,
        at: rollcall_shared::Timestamp,
    ) {
        let _ = (self, device, at);
    }
}
