//! Graphics adapters.

use serde::{Deserialize, Serialize};

/// One graphics adapter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gpu {
    /// Name, e.g. `Radeon 680M`, `GeForce RTX 3060`; the PCI id where no name is known.
    pub name: String,
    /// Maker, e.g. `NVIDIA Corporation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// PCI vendor and device, e.g. `1002:1681`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pci_id: Option<String>,
    /// Where it sits, e.g. `0000:63:00.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pci_address: Option<String>,
    /// Kernel driver, e.g. `amdgpu`, `i915`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Dedicated memory in bytes, where it can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}
