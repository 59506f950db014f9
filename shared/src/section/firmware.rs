//! The firmware: BIOS or UEFI, secure boot and TPM.

use serde::{Deserialize, Serialize};

/// The computer's firmware.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Firmware {
    /// Maker of the firmware, e.g. `LENOVO`, `American Megatrends Inc.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Version, e.g. `N3MET15W (1.14 )`, `2.18.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Release date as `YYYY-MM-DD`, e.g. `2025-03-07`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// How the system was booted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<FirmwareMode>,
    /// Whether secure boot is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure_boot: Option<bool>,
    /// The trusted platform module, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<Tpm>,
}

/// A trusted platform module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tpm {
    /// Specification version, e.g. `2.0`, `1.2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Maker, e.g. `INTC`, `AMD`, `IFX`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
}

/// How the firmware boots the system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FirmwareMode {
    /// UEFI.
    Uefi,
    /// Legacy BIOS.
    Bios,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}
