//! Main memory and its modules.

use serde::{Deserialize, Serialize};

/// Main memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Memory {
    /// Memory that the system can use, in bytes.
    pub total_bytes: u64,
    /// Sum of the installed modules, in bytes, where the firmware tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed_bytes: Option<u64>,
    /// Swap space, in bytes.
    pub swap_bytes: u64,
    /// Number of slots, filled or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Kind of error correction, e.g. `none`, `multi_bit_ecc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_correction: Option<String>,
    /// The installed modules, sorted by locator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<MemoryModule>,
}

/// One memory module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemoryModule {
    /// Where it sits, e.g. `DIMM 0`, `ChannelA-DIMM0`.
    pub locator: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Technology, e.g. `DDR4`, `LPDDR5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Form, e.g. `SODIMM`, `DIMM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form_factor: Option<String>,
    /// Configured speed in megatransfers a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_mts: Option<u32>,
    /// Maker, e.g. `Samsung`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Part number, e.g. `M471A2K43EB1-CWE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_number: Option<String>,
    /// Serial number, e.g. `03C15A21`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}
