//! Tells the fleet in memory what others on the same database wrote: other collectors, people
//! through them, and the command line.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use rollcall_shared::Timestamp;
use rollcall_shared::section::Os;
use rollcall_shared::time::MINUTE_MS;

use super::{evaluate, load};
use crate::app::App;
use crate::domain::{Facts, Policy};
use crate::fleet::OpenFindings;
use crate::store;
use crate::store::device::{DeviceKey, SeenValue};
use crate::store::follow::Followed;

/// How often the tables are asked for what is new.
const EVERY: Duration = Duration::from_secs(1);
/// How often the last contacts that others noted are read. Their own table has no index by time,
/// so that a contact costs little; this reads all of it.
const SEEN_EVERY_MS: i64 = 15_000;
/// Contacts are written a little after they came.
const SEEN_OVERLAP_MS: i64 = MINUTE_MS;
/// Devices read together.
const TOGETHER: usize = 500;

/// Follows until the task is aborted.
pub(super) async fn run(app: &App) {
    let mut seen_at = app.clock.now();
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = step(app, &mut seen_at).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what others wrote could not be read; what was known before holds"
            );
        }
    }
}

async fn step(app: &App, seen_at: &mut Timestamp) -> Result<(), store::Error> {
    let rules = app.store.unit_rules();
    app.store.follow().await?;
    if !std::sync::Arc::ptr_eq(&rules, &app.store.unit_rules()) {
        // What was placed here since another collector was told is placed anew.
        app.fleet.judge_soon();
    }
    follow_policy(app).await?;
    tell_fleet(app).await?;
    if app.store.shared() && app.clock.now().since(*seen_at) >= SEEN_EVERY_MS {
        let since = seen_at.plus_ms(-SEEN_OVERLAP_MS);
        *seen_at = app.clock.now();
        for (device, at) in app.store.seen_since(since).await? {
            app.fleet.device_seen(device, at);
        }
    }
    Ok(())
}

/// Another collector may have been told other thresholds.
async fn follow_policy(app: &App) -> Result<(), store::Error> {
    let Ok(stored) = app.store.setting::<Policy>(evaluate::POLICY_SETTING).await else {
        return Ok(()); // What cannot be read was told at the start.
    };
    if stored.is_some_and(|stored| stored != *app.fleet.policy()) {
        evaluate::load_policy(app).await?;
        app.fleet.judge_soon();
    }
    Ok(())
}

/// Tells the fleet about every device that others changed.
pub(crate) async fn tell_fleet(app: &App) -> Result<(), store::Error> {
    let followed = app.store.take_followed();
    if followed.everything {
        return load::load(app).await.inspect_err(|_| app.store.give_back(followed));
    }
    let devices: Vec<DeviceKey> = followed.devices.into_iter().collect();
    let mut pieces = devices.chunks(TOGETHER);
    while let Some(piece) = pieces.next() {
        if let Err(error) = tell_some(app, piece).await {
            let rest = piece.iter().chain(pieces.flatten()).copied().collect();
            app.store.give_back(Followed { devices: rest, everything: false });
            return Err(error);
        }
    }
    Ok(())
}

async fn tell_some(app: &App, devices: &[DeviceKey]) -> Result<(), store::Error> {
    let before: Vec<i64> = devices.iter().map(|device| app.store.touched_by(*device)).collect();
    let now = app.clock.now();
    let rows = app.store.devices_of(devices).await?;
    let mut sets: HashMap<_, _> = app.store.title_sets_of(devices).await?.into_iter().collect();
    let mut findings: HashMap<DeviceKey, OpenFindings> = HashMap::new();
    for (device, rule, severity) in app.store.open_findings_of_devices(devices, now).await? {
        findings.entry(device).or_default().add(&rule, severity);
    }
    let mut values: HashMap<DeviceKey, Vec<SeenValue>> = HashMap::new();
    for (device, value) in app.store.seen_values_of(devices).await? {
        values.entry(device).or_default().push(value);
    }
    let systems: HashMap<_, _> = app.store.systems_of(devices).await?.into_iter().collect();
    for row in rows {
        let device = row.key;
        let cycle = systems.get(&device).and_then(|text| {
            let os: Os = serde_json::from_str(text).ok()?;
            Some(Facts::built_in().cycle_of(&os))
        });
        let titles = sets.remove(&device).unwrap_or_default();
        app.fleet.device_applied(row, titles.ids().into());
        app.fleet.values_seen(device, values.remove(&device).unwrap_or_default());
        app.fleet.findings_changed(device, findings.remove(&device).unwrap_or_default());
        app.fleet.cycle_changed(device, cycle);
    }
    // What was read may be older than what this collector wrote meanwhile.
    let again: BTreeSet<DeviceKey> = devices
        .iter()
        .zip(before)
        .filter(|(device, before)| app.store.touched_by(**device) != *before)
        .map(|(device, _)| *device)
        .collect();
    if !again.is_empty() {
        app.store.give_back(Followed { devices: again, everything: false });
    }
    Ok(())
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
