//! The first page: how the fleet is, in numbers.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::{DeviceSummary, Presence, SupportState};
use rollcall_shared::api::finding::RuleCount;
use rollcall_shared::time::HOUR_MS;

use super::Error;
use super::devices::{Row, Verdicts, most_first};
use super::findings::rule_counts;
use crate::app::App;
use crate::domain::Facts;

/// Devices shown as newest.
const NEWEST: usize = 8;
/// Hours of the chart of check-ins.
const HOURS: usize = 24;

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
    /// Devices in service made by `--demo`.
    pub demo: u64,
    /// Titles in the fleet.
    pub titles: u64,
    /// Open findings by rule, worst first.
    pub rules: Vec<RuleCount>,
    /// Operating systems of the devices in service, most first.
    pub os: Vec<(String, u64)>,
    /// Devices in service of which it is not known whether their system is supported.
    pub os_support_unknown: u64,
    /// The day of the lifecycle facts.
    pub facts_date: Timestamp,
    /// Whether they are too old to rely on.
    pub facts_are_old: bool,
    /// The devices enrolled last that were not taken out of service, newest first.
    pub newest: Vec<DeviceSummary>,
    /// Check-ins of the last 24 hours by hour, oldest first (devices last seen in that hour).
    pub seen_by_hour: Vec<u64>,
}

/// Counts the fleet.
pub async fn overview(app: &App) -> Result<Overview, Error> {
    super::ready(app).await;
    let (policy, now) = (app.fleet.policy(), app.clock.now());
    let fleet = app.fleet.read();
    let facts = Facts::built_in();
    let mut found = Overview {
        seen_by_hour: vec![0; HOURS],
        facts_date: facts.snapshot,
        facts_are_old: facts.are_old(now),
        ..Overview::default()
    };
    let verdicts = Verdicts::new(Arc::clone(&policy), now);
    let mut systems: HashMap<String, u64> = HashMap::new();
    let mut rows = Vec::new();
    for entry in fleet.entries() {
        let row = Row::new(entry, &policy, now);
        match row.presence {
            Presence::Fresh => found.fresh += 1,
            Presence::Stale => found.stale += 1,
            Presence::Missing => found.missing += 1,
            Presence::Pending => {
                found.pending += 1;
                rows.push(row);
                continue;
            }
            Presence::Retired => continue,
        }
        found.os_support_unknown += u64::from(verdicts.of(entry) == SupportState::Unknown);
        found.demo += u64::from(entry.row.demo);
        let os_name = &entry.row.summary.os_name;
        if !os_name.is_empty() {
            *systems.entry(os_name.clone()).or_default() += 1;
        }
        let hours_ago = entry.row.last_seen_at.map(|at| now.since(at).max(0) / HOUR_MS);
        let hour = hours_ago.and_then(|hours| usize::try_from(hours).ok());
        if let Some(hour) = hour.filter(|hour| *hour < HOURS) {
            found.seen_by_hour[HOURS - 1 - hour] += 1;
        }
        rows.push(row);
    }
    found.devices = found.fresh + found.stale + found.missing;
    found.titles =
        fleet.titles().groups().iter().filter(|group| fleet.group_count(group) > 0).count() as u64;
    found.rules = rule_counts(&fleet);
    found.os = most_first(systems);
    rows.sort_unstable_by_key(|row| (Reverse(row.entry.row.enrolled_at), row.entry.row.key));
    found.newest = rows.iter().take(NEWEST).map(Row::summary).collect();
    Ok(found)
}
