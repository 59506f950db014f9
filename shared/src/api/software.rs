//! Software titles across the fleet.

use serde::{Deserialize, Serialize};

/// One title, all versions together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SoftwareTitle {
    /// Where it was read, e.g. `dpkg`.
    pub source: String,
    /// Name.
    pub name: String,
    /// Maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// Versions in the fleet.
    pub versions: u64,
    /// Devices in service that have it.
    pub devices: u64,
}

/// One version of a title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SoftwareVersion {
    /// The version.
    pub version: String,
    /// Architectures it is installed for.
    #[serde(default)]
    pub architectures: Vec<String>,
    /// Devices in service that have it.
    pub devices: u64,
}

/// One title with its versions, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SoftwareDetail {
    /// Where it was read.
    pub source: String,
    /// Name.
    pub name: String,
    /// Maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// Devices in service that have it.
    pub devices: u64,
    /// Its versions, newest first.
    #[serde(default)]
    pub versions: Vec<SoftwareVersion>,
}

/// Which titles a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SoftwareFilter {
    /// Part of the name or publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Only from this source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where the page before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows a page, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 500)))]
    pub limit: Option<u32>,
}
