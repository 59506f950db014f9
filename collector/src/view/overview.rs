//! The first page: how the fleet is, in numbers.

use std::sync::Arc;

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::{DeviceSummary, Presence, SupportState};
use rollcall_shared::api::finding::RuleCount;
use rollcall_shared::time::HOUR_MS;

use super::Error;
use super::devices::{Row, Verdicts, most_first};
use super::findings::rule_counts;
use crate::app::App;
use crate::domain::{Facts, Scope};
use crate::fleet::title::TitleGroup;
use crate::store::device::DeviceKey;

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
pub async fn overview(app: &App, scope: &Scope) -> Result<Overview, Error> {
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
    let (verdicts, columns) = (Verdicts::new(Arc::clone(&policy), now), fleet.facets());
    let within = fleet.within(scope);
    let seen = within.as_ref().unwrap_or(&columns.all);
    let service = columns.in_service() & seen;
    for (presence, devices) in columns.presences(&policy, now) {
        let devices = devices & seen;
        match presence {
            Presence::Fresh => found.fresh = devices.len(),
            Presence::Stale => found.stale = devices.len(),
            Presence::Missing => found.missing = devices.len(),
            Presence::Pending => found.pending = devices.len(),
            Presence::Retired => {}
        }
    }
    found.devices = service.len();
    found.demo = columns.demo.intersection_len(&service);
    found.os_support_unknown = columns
        .cycles
        .iter()
        .filter(|(cycle, _)| verdicts.of_cycle(cycle.as_ref()) == SupportState::Unknown)
        .map(|(_, devices)| devices.intersection_len(&service))
        .sum();
    let systems = columns.os.iter().filter(|(name, _)| !name.is_empty());
    let systems = systems.map(|(name, of)| (name.to_string(), of.intersection_len(&service)));
    found.os = most_first(systems.filter(|(_, count)| *count > 0).collect());
    for (at, keys) in columns.seen_newest_first() {
        let hours_ago = usize::try_from(now.since(at).max(0) / HOUR_MS).unwrap_or(usize::MAX);
        if hours_ago >= HOURS {
            break;
        }
        let count = keys.iter().filter(|key| service.contains(**key)).count();
        found.seen_by_hour[HOURS - 1 - hours_ago] += count as u64;
    }
    found.titles = match fleet.counted_within(scope) {
        None => fleet.group_total(),
        Some(counted) => {
            let had = |group: &&TitleGroup| fleet.group_count_within(group, Some(&counted)) > 0;
            fleet.titles().groups().iter().filter(had).count() as u64
        }
    };
    found.rules = rule_counts(&fleet, within.as_ref());
    let newest = columns.newest().filter(|key| seen.contains(*key));
    let newest = newest.filter(|key| !columns.retired.contains(*key)).take(NEWEST);
    let newest = newest.filter_map(|key| fleet.entry(DeviceKey(key)));
    found.newest = newest.map(|entry| Row::new(entry, &policy, now).summary()).collect();
    Ok(found)
}
