//! Mounted file systems. Free space moves all the time and stands in the vitals.

use serde::{Deserialize, Serialize};

/// One mounted file system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Volume {
    /// Mount point or drive letter, e.g. `/`, `/home`, `C:`.
    pub point: String,
    /// What is mounted, e.g. `/dev/mapper/vg-root`, `server:/export`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// File system, e.g. `ext4`, `ntfs`, `apfs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_system: Option<String>,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Label, e.g. `DATA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// UUID of the file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// How it is encrypted, e.g. `luks2`, `bitlocker`, `filevault`; absent when not or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// Mounted read-only.
    pub read_only: bool,
    /// Lives on another computer (NFS, SMB).
    pub remote: bool,
}
