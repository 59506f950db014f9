//! What changed on a device, derived from its history.

use serde::{Deserialize, Serialize};

use crate::identity::DeviceId;
use crate::time::Timestamp;

/// One change of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// The device.
    pub device_id: DeviceId,
    /// Its host name today.
    pub hostname: String,
    /// When the device observed it.
    pub at: Timestamp,
    /// When the collector learnt of it.
    pub received_at: Timestamp,
    /// Section, e.g. `software`.
    pub section: String,
    /// What happened.
    pub kind: ChangeKind,
    /// What it happened to, e.g. `openssl`, `module DIMM 1`, `hostname`.
    pub subject: String,
    /// The value before, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value after, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Came.
    Added,
    /// Went.
    Removed,
    /// Went to a higher version.
    Upgraded,
    /// Went to a lower version.
    Downgraded,
    /// Has another value.
    Changed,
}

impl ChangeKind {
    /// All of them, in order.
    pub const ALL: &[Self] =
        &[Self::Added, Self::Removed, Self::Upgraded, Self::Downgraded, Self::Changed];

    /// The word on the wire, in the store and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Upgraded => "upgraded",
            Self::Downgraded => "downgraded",
            Self::Changed => "changed",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}
