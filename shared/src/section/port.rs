//! Open ports: sockets that wait for others. Sockets on numbers that the system gives out for a
//! moment are left out, because they say nothing of the computer.

use serde::{Deserialize, Serialize};

/// One socket that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Port {
    /// Number, e.g. `22`.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Address it waits at, e.g. `0.0.0.0`, `::`, `127.0.0.1`.
    pub address: String,
    /// Name of the program that waits, e.g. `sshd`; never its command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// Where that program lies, e.g. `/usr/sbin/sshd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The package that brought the program, e.g. `openssh-server`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Account that owns the socket, e.g. `root`, `postgres`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}
