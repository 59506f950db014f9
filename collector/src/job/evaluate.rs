//! Judges devices against the policy: opens, updates and closes findings.
//!
//! The rules themselves are in `domain`; this loads what they look at, saves what they decide,
//! and tells the fleet in memory.

use std::collections::BTreeMap;

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::{DeviceClass, Presence};
use rollcall_shared::section::{Os, Update, Volume};
use rollcall_shared::time::DAY_MS;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::domain::finding::{Flag, Observed, Rule, evaluate, reconcile};
use crate::domain::{CycleMatch, Facts, Policy, Waiting, presence};
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
    let policy = app.fleet.policy();
    let known = Known::of(app, row, last, &texts, grace_days(&policy), now).await?;
    app.fleet.cycle_changed(device, known.cycle());
    settle(app, device, &known.flags(&policy, now), now).await
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
    let (row, last) = (applied.row.clone(), Some(applied.report.clone()));
    let policy = app.fleet.policy();
    let known = Known::of(app, row, last, texts, grace_days(&policy), now).await?;
    app.fleet.cycle_changed(device, known.cycle());
    let found = known.flags(&policy, now);
    if app.store.memory().judged().same(device, &found) {
        return Ok(());
    }
    settle(app, device, &found, now).await
}

/// Days back for which it matters which updates waited.
pub(crate) fn grace_days(policy: &Policy) -> u32 {
    policy.updates_grace_days.max(policy.security_updates_grace_days)
}

/// All that the rules look at of one device.
pub(crate) struct Known {
    row: DeviceRow,
    last: Option<LastReport>,
    os: Option<Os>,
    volumes: Option<Vec<Volume>>,
    update: Option<Update>,
    waiting: Option<Waiting>,
    suspicion: Option<String>,
}

impl Known {
    /// Reads what is not at hand. `grace_days`: how far back it matters which updates waited.
    pub(crate) async fn of(
        app: &App,
        row: DeviceRow,
        last: Option<LastReport>,
        texts: &BTreeMap<String, String>,
        grace_days: u32,
        now: Timestamp,
    ) -> Result<Self, store::Error> {
        let body = |name: &str| texts.get(name).map(String::as_str);
        let update: Option<Update> = read(row.key, "update", body("update"));
        let waits = grace_days > 0 && update.as_ref().is_some_and(|one| !one.pending.is_empty());
        let waiting = match body("update").filter(|_| waits) {
            Some(text) => {
                let from =
                    now.plus_ms(i64::from(grace_days).saturating_mul(DAY_MS).saturating_neg());
                let from = from.max(row.first_report_at.unwrap_or(from));
                let from = from.max(app.store.history_from());
                let states = app.store.update_states(row.key, text, from).await?;
                let states: Vec<_> = states
                    .iter()
                    .map(|(begin, text)| (*begin, serde_json::from_str(text).ok()))
                    .collect();
                Some(Waiting::of(&states))
            }
            None => None,
        };
        Ok(Self {
            os: read(row.key, "os", body("os")),
            volumes: read(row.key, "volume", body("volume")),
            suspicion: app.store.clone_suspicion(row.key).await?,
            update,
            waiting,
            row,
            last,
        })
    }

    /// The cycle of its operating system, if it told its system.
    fn cycle(&self) -> Option<CycleMatch> {
        self.os.as_ref().map(|os| Facts::built_in().cycle_of(os))
    }

    /// What the rules say of it under a policy.
    pub(crate) fn flags(&self, policy: &Policy, now: Timestamp) -> Vec<Flag> {
        let Self { row, last, os, volumes, update, waiting, suspicion } = self;
        let last = last.as_ref();
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
            waiting: waiting.as_ref(),
            agent: last.map(|last| &last.agent),
            clock_error_ms: last.map(|last| last.clock_error_ms),
            clone_suspected: suspicion.as_deref(),
        };
        evaluate(&observed, policy, Facts::built_in(), now)
    }
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
    // What a report or a change of the rules could not settle.
    super::units::settle(app).await?;
    let _alone = app.past_being_told.write().await;
    let keys = app.fleet.read().keys();
    each(app, &keys, now).await
}

/// Judges these devices one after the other. One that cannot be judged is logged and leaves the
/// others to be judged; only a database that does not answer ends it, since it would fail all.
async fn each(app: &App, keys: &[DeviceKey], now: Timestamp) -> Result<(), store::Error> {
    for &key in keys {
        match device(app, key, now).await {
            Ok(()) => {}
            Err(error @ store::Error::Unavailable(_)) => return Err(error),
            Err(error) => {
                tracing::warn!(
                    device.key = key.0,
                    error = &error as &dyn std::error::Error,
                    "a device could not be judged; its findings stay as they were"
                );
            }
        }
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
    each(app, &keys, now).await
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

#[cfg(test)]
#[path = "evaluate_tests.rs"]
pub(crate) mod tests;
