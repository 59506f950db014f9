//! Keeps as much history as the policy says: the oldest goes first, a little at a time.

use rollcall_shared::Timestamp;
use rollcall_shared::time::{DAY_MS, HOUR_MS};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::domain::Policy;
use crate::store;
use crate::store::audit::AuditEntry;
use crate::store::retain::Older;

/// Steps of one run; what is left goes with the next one.
const STEPS: usize = 2_000;
/// How long after the moment moved something may go: nobody who reads or writes takes that long.
const WAIT_MS: i64 = HOUR_MS / 2;
/// The setting that remembers where the moment stands and since when.
const CUT: &str = "history_cut";

/// Where the moment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cut {
    from: Timestamp,
    since: Timestamp,
}

/// From when on a policy keeps history, as of now: whole days, so that it moves once a day.
pub fn kept_from(policy: &Policy, now: Timestamp) -> Option<Timestamp> {
    let days = policy.keep_history_days?;
    let from = now.plus_ms(i64::from(days).saturating_mul(DAY_MS).saturating_neg());
    Some(Timestamp(from.0 - from.0.rem_euclid(DAY_MS)))
}

/// Moves the moment and takes away what became too old before. Doing it again does no harm.
pub async fn run(app: &App, now: Timestamp) -> Result<(), store::Error> {
    let cut: Option<Cut> = app.store.setting(CUT).await?;
    if let Some(cut) = cut.filter(|cut| now.since(cut.since) >= WAIT_MS) {
        take(app, cut.from, now).await?;
    }
    let Some(from) = kept_from(&app.fleet.policy(), now) else { return Ok(()) };
    if from <= app.store.history_from() {
        return Ok(());
    }
    let older = app.store.older_than(from).await?;
    if app.store.keep_history_from(from).await? {
        app.store.put_setting(CUT, &Cut { from, since: now }).await?;
        if older != Older::default() {
            app.store.audit(&entry(from, &older, now)).await?;
        }
    }
    Ok(())
}

async fn take(app: &App, from: Timestamp, now: Timestamp) -> Result<(), store::Error> {
    let mut rows = 0;
    for _ in 0..STEPS {
        let (taken, values) = app.store.take_older(from, now).await?;
        app.fleet.values_gone(values);
        rows += taken;
        if taken == 0 {
            break;
        }
        // Reports come between two steps.
        tokio::task::yield_now().await;
    }
    if rows > 0 {
        tracing::info!(rows, %from, "history that is kept no longer was taken away");
    }
    Ok(())
}

fn entry(from: Timestamp, older: &Older, now: Timestamp) -> AuditEntry {
    let Older { changes, bytes, devices, findings } = older;
    AuditEntry {
        at: now,
        actor: "collector".to_owned(),
        action: "history_cut".to_owned(),
        object: "history".to_owned(),
        detail: format!(
            "kept from {from} on, as the policy says; {changes} changes of {devices} devices \
             ({bytes} bytes) and {findings} closed findings are older and go"
        ),
    }
}

#[cfg(test)]
#[path = "retain_tests.rs"]
mod tests;
