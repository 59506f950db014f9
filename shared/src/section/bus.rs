//! What is attached to PCI and USB.

use serde::{Deserialize, Serialize};

/// One device on the PCI bus.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PciDevice {
    /// Where it sits, e.g. `0000:00:1f.3`.
    pub address: String,
    /// Maker and device as numbers, e.g. `8086:a0c8`.
    pub id: String,
    /// What it is, e.g. `Ethernet controller`, `Bridge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Maker, where the system has a list of names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Name, where the system has a list of names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Maker and model of the card as numbers, e.g. `17aa:22e6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subsystem: Option<String>,
    /// Kernel driver, e.g. `e1000e`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}

/// One device on the USB. Its serial number tells one stick or phone from another of its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsbDevice {
    /// Maker and product as numbers, e.g. `046d:c52b`.
    pub id: String,
    /// Where it sits, e.g. `1-4.2`.
    pub port: String,
    /// Maker, e.g. `Logitech`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Name, e.g. `USB Receiver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// What it is, e.g. `storage`, `input`, `audio`, `hub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Kernel drivers, e.g. `usbhid`, `uas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Whether it can be unplugged, where the computer says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removable: Option<bool>,
}
