//! What lies between disks and file systems: volume groups, RAID arrays, pools.

use serde::{Deserialize, Serialize};

/// One volume group, array or pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pool {
    /// Name, e.g. `vg0`, `md0`, `tank`.
    pub name: String,
    /// What it is, e.g. `lvm`, `md`, `btrfs`, `zfs`, `luks2`, `multipath`, `storage_spaces`.
    pub kind: String,
    /// How data is spread, e.g. `raid1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// `clean`, `degraded`, `recovering` or what else the system says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// What it is made of, e.g. `sda2`, `dm-0`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// Members that failed or are missing, as far as they have names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_members: Vec<String>,
    /// What is made of it, e.g. `root`, `swap`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
}
