//! Services: what the system starts by itself. Programs are told by their path, never with
//! their command lines.

use serde::{Deserialize, Serialize};

/// One service.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Service {
    /// Name the system gives it, e.g. `ssh.service`, `cron`, `Spooler`.
    pub name: String,
    /// What it says of itself, e.g. `OpenBSD Secure Shell server`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What starts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<ServiceStart>,
    /// Whether it runs. Absent where that cannot be told, and for services that come and go by
    /// themselves: those started on demand and those that do one thing and end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ServiceState>,
    /// The program it starts, without its arguments, e.g. `/usr/sbin/sshd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Account it runs as, where that is set, e.g. `www-data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What looks after it, e.g. `systemd`, `openrc`, `sysvinit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
}

/// What starts a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ServiceStart {
    /// The start of the system.
    Automatic,
    /// Another service, a socket, a timer or a call.
    OnDemand,
    /// Only a person or another program.
    Manual,
    /// Nothing: it cannot be started.
    Disabled,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}

/// Whether a service runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// It runs.
    Running,
    /// It does not run.
    Stopped,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}
