//! Disks: what holds the data, not how it is divided.

use serde::{Deserialize, Serialize};

/// One disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Disk {
    /// Name the system gives it, e.g. `nvme0n1`, `sda`, `PhysicalDrive0`.
    pub name: String,
    /// Model, e.g. `SAMSUNG MZVL2512HCJQ-00BL7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Maker, where it is told apart from the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// World wide name or NVMe namespace id, e.g. `eui.002538b921b0b3d1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wwn: Option<String>,
    /// Firmware revision, e.g. `HXA7401Q`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Technology.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<DiskKind>,
    /// How it is attached, e.g. `nvme`, `sata`, `usb`, `virtio`, `mmc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
    /// Whether its medium can be removed.
    pub removable: bool,
    /// What the disk says of its health, where that can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<DiskHealth>,
}

/// Technologies of disks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DiskKind {
    /// Solid state.
    Ssd,
    /// Rotating.
    Hdd,
    /// Solid state on NVMe.
    Nvme,
    /// CD, DVD, Blu-ray.
    Optical,
    /// Memory card or built-in flash (SD, eMMC).
    Flash,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}

/// What a disk says of its own health.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DiskHealth {
    /// No failure predicted.
    Good,
    /// The disk predicts its failure.
    Failing,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}
