//! The processors, one entry per socket.

use serde::{Deserialize, Serialize};

/// One physical processor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Processor {
    /// Number of the socket, from 0.
    pub socket: u32,
    /// Marketing name, e.g. `AMD Ryzen 7 PRO 6850U`.
    pub model: String,
    /// Maker as the processor says it, e.g. `GenuineIntel`, `AuthenticAMD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Physical cores of this socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Hardware threads of this socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Nominal frequency in MHz, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_mhz: Option<u32>,
    /// Highest frequency in MHz, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_mhz: Option<u32>,
    /// Microcode revision, e.g. `0xa404105`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microcode: Option<String>,
    /// The flags that matter for an inventory, sorted: `aes`, `svm`, `vmx`, `avx2`, `avx512f`, `lm`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}
