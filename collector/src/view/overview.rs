//! The first page: how the fleet is, in numbers.

use rollcall_shared::api::device::DeviceSummary;
use rollcall_shared::api::finding::RuleCount;

use super::Error;
use crate::app::App;

/// The fleet in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    /// Devices in service.
    pub devices: u64,
    /// Devices that report in time.
    pub fresh: u64,
    /// Devices that are late.
    pub stale: u64,
    /// Devices gone past their limit.
    pub missing: u64,
    /// Devices that wait for approval.
    pub pending: u64,
    /// Devices made by `--demo`.
    pub demo: u64,
    /// Titles in the fleet.
    pub titles: u64,
    /// Open findings by rule, worst first.
    pub rules: Vec<RuleCount>,
    /// Operating systems, most first.
    pub os: Vec<(String, u64)>,
    /// The devices enrolled last, newest first.
    pub newest: Vec<DeviceSummary>,
    /// Check-ins of the last 24 hours by hour, oldest first (devices last seen in that hour).
    pub seen_by_hour: Vec<u64>,
}

/// Counts the fleet.
pub async fn overview(app: &App) -> Result<Overview, Error> {
    let _ = app;
    todo!()
}
