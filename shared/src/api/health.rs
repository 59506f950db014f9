//! Whether the collector works.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The state of the collector, without any detail of the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// In one word.
    pub status: HealthStatus,
    /// Version of the collector.
    pub version: String,
    /// Its clock.
    pub time: Timestamp,
}

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Answers, and still builds its memory of the fleet.
    Starting,
    /// Works.
    Ok,
    /// Answers questions, but cannot store: the disk is full or the database is away.
    ReadOnly,
}

impl HealthStatus {
    /// All of them, in order.
    pub const ALL: &[Self] = &[Self::Starting, Self::Ok, Self::ReadOnly];

    /// The word on the wire, in the store and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ok => "ok",
            Self::ReadOnly => "read_only",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}
