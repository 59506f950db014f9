//! Updates that wait, as the machine's own package manager knows them.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The state of updates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Update {
    /// Who knows, e.g. `apt`, `dnf`, `windows_update`.
    pub manager: String,
    /// Whether updates install themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<bool>,
    /// Updates that wait, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<PendingUpdate>,
    /// The updates that wait could not be read; none listed does not mean that none wait.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending_unknown: bool,
    /// Whether the manager can tell which of them are security updates.
    pub security_known: bool,
    /// When the last update was installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_installed_at: Option<Timestamp>,
}

/// One update that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PendingUpdate {
    /// Package or update, e.g. `openssl`, `KB5044285`.
    pub name: String,
    /// Version installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<String>,
    /// Version that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<String>,
    /// Comes from a security repository or is marked so.
    pub security: bool,
    /// Where it comes from, e.g. `Debian-Security:12/stable-security`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}
