//! Judges devices against the policy: opens, updates and closes findings.
//!
//! The rules themselves are in `domain`; this loads what they look at, saves what they decide,
//! and tells the fleet in memory.

use std::collections::BTreeMap;

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::{DeviceClass, Presence};
use rollcall_shared::section::{Os, Update, Volume};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::domain::finding::{Flag, Observed, Rule, evaluate, reconcile};
use crate::domain::{Facts, Policy, presence};
use crate::fleet::{Entry, OpenFindings};
use crate::store;
use crate::store::device::{DeviceKey, DeviceRow, LastReport};
use crate::store::report::Applied;

/// Name of the setting that holds the policy.
pub const POLICY_SETTING: &str = "policy";

/// Reads the policy in force; the defaults when none is stored or the stored one makes no sense.
pub async fn load_policy(app: &App) -> Result<(), store::Error> {
    let policy = match app.store.setting::<Policy>(POLICY_SETTING).await {
        Ok(stored) => stored.unwrap_or_default(),
        Err(store::Error::Damaged(why)) => {
            tracing::error!(why, "the stored policy cannot be read; the defaults are in force");
            Policy::default()
        }
        Err(error) => return Err(error),
    };
    match policy.validate() {
        Ok(()) => app.fleet.set_policy(policy),
        Err(error) => {
            tracing::error!(%error, "the stored policy makes no sense; the defaults are in force");
            app.fleet.set_policy(Policy::default());
        }
    }
    Ok(())
}

/// Judges one device by what the tables say of it.
pub async fn device(app: &App, device: DeviceKey, now: Timestamp) -> Result<(), store::Error> {
    app.fleet.ready().await;
    let Some(row) = app.fleet.read().entry(device).map(|entry| entry.row.clone()) else {
        return Ok(());
    };
    let texts = app.store.judged_sections(device).await?;
    let last = app.store.last_report(device).await?;
    let found = found(app, &row, last.as_ref(), &texts, now).await?;
    settle(app, device, &found, now).await
}

/// Judges one device after its report was stored; when nothing else is found than the last time,
/// no finding is read or written.
pub async fn after_report(
    app: &App,
    applied: &Applied,
    now: Timestamp,
) -> Result<(), store::Error> {
    app.fleet.ready().await;
    let device = applied.row.key;
    let read;
    let texts = if let Some(texts) = &applied.judged {
        texts
    } else {
        read = app.store.judged_sections(device).await?;
        &read
    };
    let found = found(app, &applied.row, Some(&applied.report), texts, now).await?;
    if app.store.memory().judged().same(device, &found) {
        return Ok(());
    }
    settle(app, device, &found, now).await
}

/// What the rules say of a device.
async fn found(
    app: &App,
    row: &DeviceRow,
    last: Option<&LastReport>,
    texts: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<Vec<Flag>, store::Error> {
    let body = |name: &str| texts.get(name).map(String::as_str);
    let os: Option<Os> = read(row.key, "os", body("os"));
    let volumes: Option<Vec<Volume>> = read(row.key, "volume", body("volume"));
    let update: Option<Update> = read(row.key, "update", body("update"));
    let suspicion = app.store.clone_suspicion(row.key).await?;
    let observed = Observed {
        last_seen_at: row.last_seen_at,
        enrolled_at: row.enrolled_at,
        class: row.summary.class.unwrap_or(DeviceClass::Other),
        retired: row.retired_at.is_some(),
        pending: row.pending,
        os: os.as_ref(),
        vitals: last.map(|last| &last.vitals),
        vitals_at: last.map(|last| last.observed_at),
        volumes: volumes.as_deref(),
        update: update.as_ref(),
        update_since: None,
        agent: last.map(|last| &last.agent),
        clock_error_ms: last.map(|last| last.clock_error_ms),
        clone_suspected: suspicion.as_deref(),
    };
    Ok(evaluate(&observed, &app.fleet.policy(), Facts::built_in(), now))
}

/// Makes the tables and the fleet in memory agree with what was found.
async fn settle(
    app: &App,
    device: DeviceKey,
    found: &[Flag],
    now: Timestamp,
) -> Result<(), store::Error> {
    let held = app.store.open_flags(device).await?;
    let changes = reconcile(&held, found, now);
    app.store.change_findings(device, &changes).await?;
    app.store.memory().judged().agree(device, found);
    tell_fleet(app, device, now).await
}

/// Counts the open findings of a device again, e.g. after a person waived one.
pub async fn tell_fleet(app: &App, device: DeviceKey, now: Timestamp) -> Result<(), store::Error> {
    let open = app.store.open_findings_of(device, now).await?;
    let open = OpenFindings::of(open.iter().map(|(rule, severity)| (rule.as_str(), *severity)));
    app.fleet.findings_changed(device, open);
    Ok(())
}

/// Reads a device's row again and judges it, after a person changed something about it.
pub async fn refresh(
    app: &App,
    id: rollcall_shared::DeviceId,
    now: Timestamp,
) -> Result<(), store::Error> {
    let Some(row) = app.store.device(id).await? else { return Ok(()) };
    app.fleet.row_changed(&row);
    device(app, row.key, now).await
}

/// Judges every device: dates pass without a report.
pub async fn sweep(app: &App, now: Timestamp) -> Result<(), store::Error> {
    load_policy(app).await?;
    app.fleet.ready().await;
    let _alone = app.past_being_told.write().await;
    let keys = app.fleet.read().keys();
    for key in keys {
        device(app, key, now).await?;
    }
    Ok(())
}

/// Judges only the devices that time alone has changed: those that went missing, and those whose
/// waiver ended after `since`. Costs next to nothing when there are none.
pub async fn sweep_silent(app: &App, since: Timestamp, now: Timestamp) -> Result<(), store::Error> {
    app.fleet.ready().await;
    let _alone = app.past_being_told.write().await;
    let policy = app.fleet.policy();
    let changed = |entry: &Entry| {
        let row = &entry.row;
        let class = row.summary.class.unwrap_or(DeviceClass::Other);
        let (seen, retired) = (row.last_seen_at, row.retired_at.is_some());
        let found = presence(seen, row.enrolled_at, class, &policy, retired, row.pending, now);
        let missing = found == Presence::Missing;
        // A missing device whose finding was waived is judged again each time: there are few.
        missing != entry.findings.has(Some(Rule::Missing.as_str()), None)
    };
    let mut keys: Vec<DeviceKey> = {
        let fleet = app.fleet.read();
        fleet.entries().filter(|entry| changed(entry)).map(|entry| entry.row.key).collect()
    };
    keys.extend(app.store.expired_waivers(since, now).await?);
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        device(app, key, now).await?;
    }
    Ok(())
}

/// A section that this version cannot read is not judged; the report itself is kept.
fn read<T: DeserializeOwned>(device: DeviceKey, name: &str, body: Option<&str>) -> Option<T> {
    let body = body?;
    match serde_json::from_str(body) {
        Ok(section) => Some(section),
        Err(error) => {
            tracing::warn!(device.key = device.0, section = name, %error, "a section is not judged");
            None
        }
    }
}
