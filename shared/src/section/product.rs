//! Products of a kind that is worth knowing: database servers, remote control, management.

use serde::{Deserialize, Serialize};

/// A database server or a program for remote control.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Product {
    /// Name, e.g. `PostgreSQL`, `AnyDesk`.
    pub name: String,
    /// Version of its package, e.g. `15.8-0+deb12u1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Package that brought it, e.g. `postgresql-15`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Where it was found, e.g. `/usr/lib/postgresql`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Number by which others reach this computer through it, e.g. `123456789`; never a
    /// password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether it runs; absent where that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<bool>,
    /// Whether it starts with the system; absent where that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<bool>,
    /// Ports it waits at, where the agent may see that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
}

/// Something that has a say on this computer: a directory it joined, a configuration manager.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Manager {
    /// Name, e.g. `Active Directory`, `Puppet`, `Salt`.
    pub name: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ManagerKind>,
    /// Domain, realm or account it belongs to, e.g. `example.org`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// Where it gets its orders, e.g. `puppet.example.org`; never with a name or password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// How it was joined, e.g. `sssd`, `winbind`, `realmd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether its program runs; absent where that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<bool>,
}

/// What has a say on a computer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ManagerKind {
    /// Accounts come from it.
    Directory,
    /// It sets the computer up.
    Configuration,
    /// It watches over the device for its owner (MDM).
    DeviceManagement,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}
