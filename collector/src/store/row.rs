//! Rows of the tables as a batch of reports reads and writes them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::{Digest, Timestamp};
use uuid::Uuid;

use super::device::{DeviceKey, DeviceRow, LastReport};
use super::memory::Recent;

/// What the tables say of the devices of a batch.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) rows: HashMap<DeviceKey, DeviceRow>,
    pub(super) reports: HashMap<DeviceKey, LastReport>,
    /// Of devices whose documents change and of those whose documents are copied.
    pub(super) documents: HashMap<DeviceKey, BTreeMap<String, Document>>,
    /// Of the other devices: name and packed text of each document that rules look at.
    pub(super) judged: HashMap<DeviceKey, Vec<(String, Vec<u8>)>>,
    pub(super) software: HashMap<DeviceKey, SoftwareRow>,
}

/// A row of `section`.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) at: Timestamp,
    pub(super) digest: Digest,
    pub(super) packed: Vec<u8>,
}

/// A row of `software`.
#[derive(Debug, Clone)]
pub(super) struct SoftwareRow {
    pub(super) first_at: Timestamp,
    pub(super) at: Timestamp,
    pub(super) digest: Digest,
    pub(super) titles: Vec<u8>,
    pub(super) extra: Vec<u8>,
}

/// A row of `section_past` or, with an empty name, of `software_change`.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) device: DeviceKey,
    pub(super) name: Arc<str>,
    pub(super) at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) bytes: Vec<u8>,
}

/// A row of `decision` that nobody but the collector made.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) device: DeviceKey,
    pub(super) at: Timestamp,
    pub(super) kind: DecisionKind,
    pub(super) evidence: String,
}

/// A row of `device_report`.
#[derive(Debug, Clone)]
pub(super) struct ReportRow {
    pub(super) report: LastReport,
    pub(super) report_id: Uuid,
    pub(super) content: Digest,
    pub(super) fingerprint: Digest,
    pub(super) recent: Recent,
    pub(super) changed_at: Timestamp,
}
