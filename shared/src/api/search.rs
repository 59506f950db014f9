//! The one search box.

use serde::{Deserialize, Serialize};

use crate::api::device::DeviceSummary;

/// One device that was found, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchHit {
    /// The device.
    pub device: DeviceSummary,
    /// What matched.
    pub matched: MatchKind,
    /// The value that matched, as stored.
    pub value: String,
    /// The value is a former one.
    pub past: bool,
}

/// What a search found, best first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchAnswer {
    /// What was asked.
    pub query: String,
    /// The best of them, at most the asked number.
    #[serde(default)]
    pub hits: Vec<SearchHit>,
    /// Devices that match in all.
    pub total: u64,
    /// The moment the answer speaks of; absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<crate::Timestamp>,
}

/// What a search can match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MatchKind {
    /// Host name.
    Hostname,
    /// Sign-in name or a person's name.
    User,
    /// Serial number.
    Serial,
    /// MAC address.
    Mac,
    /// IP address.
    Ip,
    /// Asset tag.
    AssetTag,
    /// Maker or model.
    Model,
    /// The device's id.
    Id,
}

impl MatchKind {
    /// All of them, in order.
    pub const ALL: &[Self] = &[
        Self::Hostname,
        Self::User,
        Self::Serial,
        Self::Mac,
        Self::Ip,
        Self::AssetTag,
        Self::Model,
        Self::Id,
    ];

    /// The word on the wire, in the store and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hostname => "hostname",
            Self::User => "user",
            Self::Serial => "serial",
            Self::Mac => "mac",
            Self::Ip => "ip",
            Self::AssetTag => "asset_tag",
            Self::Model => "model",
            Self::Id => "id",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}
