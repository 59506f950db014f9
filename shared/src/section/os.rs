//! The operating system as it names itself: raw facts, judged by the collector.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The operating system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Os {
    /// The family, which decides which of the raw facts below are there.
    pub family: OsFamily,
    /// Name for people, e.g. `Debian GNU/Linux 12 (bookworm)`, `Windows 11 Pro 24H2`.
    pub name: String,
    /// Architecture of the running kernel, e.g. `x86_64`, `aarch64`.
    pub architecture: String,
    /// The whole os-release map of a Linux system, as it stands there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub release: BTreeMap<String, String>,
    /// What Windows says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<WindowsRelease>,
    /// What macOS says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macos: Option<MacosRelease>,
    /// Running kernel release, e.g. `6.1.0-37-amd64`, `10.0.26100`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// When the system was installed, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed_at: Option<Timestamp>,
    /// Time zone, e.g. `Europe/Berlin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Language and country, e.g. `de_DE.UTF-8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Ubuntu only: whether Ubuntu Pro is attached (its longer support dates then count).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ubuntu_pro: Option<bool>,
}

/// The facts that tell one Windows from another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WindowsRelease {
    /// Build number, e.g. 26100, 19045.
    pub build: u32,
    /// Update build revision (UBR), e.g. 4349.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// `EditionID`, e.g. `Professional`, `EnterpriseS`, `ServerStandard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition_id: Option<String>,
    /// `InstallationType`, e.g. `Client`, `Server`, `Server Core`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation_type: Option<String>,
    /// `DisplayVersion`, e.g. `24H2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_version: Option<String>,
    /// `ProductName`, which says Windows 10 on Windows 11 as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
}

/// The facts that tell one macOS from another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MacosRelease {
    /// Product version, e.g. `15.1`.
    pub version: String,
    /// Build, e.g. `24B83`; one that ends in a lower-case letter is a beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// Model identifier, e.g. `MacBookPro18,3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Families of operating systems.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OsFamily {
    /// Any Linux.
    #[default]
    Linux,
    /// Windows client or server.
    Windows,
    /// macOS.
    Macos,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}
