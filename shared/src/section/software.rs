//! Installed software, one entry per title and version.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One installed title.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Software {
    /// Where it was read, e.g. `dpkg`, `rpm`, `snap`, `flatpak`, `registry`, `app_bundle`.
    pub source: String,
    /// Name, e.g. `openssl`, `Mozilla Firefox`.
    pub name: String,
    /// Version exactly as the source says it, epoch included, e.g. `1:9.2p1-2+deb12u5`.
    pub version: String,
    /// Architecture, e.g. `amd64`, `noarch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Maker or maintainer, e.g. `Mozilla`, `Debian OpenSSL Team`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// Package that the maker built it from, e.g. `openssl` for `libssl3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_package: Option<String>,
    /// Version of that package where it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version: Option<String>,
    /// When it was installed or last upgraded, where that is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed_at: Option<Timestamp>,
    /// Space it takes, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// For whom it is installed; absent means the whole computer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<SoftwareScope>,
    /// Repository or store it came from, e.g. `Debian`, `flathub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// For whom software is installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SoftwareScope {
    /// Everybody on the computer.
    Machine,
    /// One user only.
    User,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}
