//! Batteries. The charge moves all the time and stands in the vitals.

use serde::{Deserialize, Serialize};

/// One battery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Battery {
    /// Name the system gives it, e.g. `BAT0`.
    pub name: String,
    /// Maker, e.g. `SMP`, `LGC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Model, e.g. `5B10W51867`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Chemistry, e.g. `li_ion`, `li_poly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chemistry: Option<String>,
    /// Capacity when new, in milliwatt-hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design_capacity_mwh: Option<u64>,
    /// Capacity when full today, in milliwatt-hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_capacity_mwh: Option<u64>,
    /// Charge cycles, where the battery counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycles: Option<u32>,
}
