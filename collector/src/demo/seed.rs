//! Puts the synthetic fleet into the tables, through the way real devices come in.

use std::time::Duration;

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::api::unit::UnitKind;
use rollcall_shared::report::CheckIn;
use rollcall_shared::time::HOUR_MS;
use tokio::task::JoinSet;

use super::{DemoDevice, Reports};
use crate::app::App;
use crate::clock::Clock;
use crate::ingest::{self, Refusal};
use crate::job::evaluate;
use crate::store;
use crate::store::audit::By;
use crate::store::device::DeviceKey;
use crate::store::enroll::{Decision, NewDevice, Permission, TokenGrant};

/// Devices that report at the same time, so that the writer gathers them into one transaction.
const TOGETHER: usize = 48;
/// Up to this many devices, each report is judged at its moment, so that findings have a past.
const JUDGED_AT_EACH_REPORT: u64 = 1_000;
/// How long to wait when the queue is full.
const PAUSE: Duration = Duration::from_millis(50);

/// Why the fleet could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tables did not take it.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A report was not taken.
    #[error("a demo report was refused: {0}")]
    Refused(#[from] Refusal),
    /// A report could not be written as JSON.
    #[error("a demo report could not be written")]
    Json(#[from] serde_json::Error),
}

/// Adds demo devices until there are `count`; those that are there already stay as they are.
/// Returns how many were added.
pub async fn seed(app: &App, count: u64) -> Result<u64, Error> {
    app.fleet.ready().await;
    let now = app.clock.now();
    let each = count <= JUDGED_AT_EACH_REPORT;
    let mut working: JoinSet<Result<u64, Error>> = JoinSet::new();
    let mut added = 0;
    for number in 1..=count {
        while working.len() >= TOGETHER {
            if let Some(done) = working.join_next().await {
                added += done.unwrap_or(Ok(0))?;
            }
        }
        let app = app.clone();
        working.spawn(async move { one(&app, number, now, each).await });
    }
    while let Some(done) = working.join_next().await {
        added += done.unwrap_or(Ok(0))?;
    }
    tracing::info!(added, count, "demo devices are in the fleet");
    Ok(added)
}

async fn one(app: &App, number: u64, now: Timestamp, judge_each: bool) -> Result<u64, Error> {
    let demo = DemoDevice::new(number, now);
    if app.store.device(demo.id()).await?.is_some() {
        return Ok(0);
    }
    let _told = app.past_being_told.read().await;
    let moments = demo.moments();
    let Some(&first) = moments.first() else { return Ok(0) };
    let Some(device) = enroll(app, &demo, first.plus_ms(-60_000)).await? else { return Ok(0) };
    let mut reports = Reports::of(&demo);
    let last = moments.last().copied();
    for at in moments {
        let then = app.with_clock(Clock::test(at));
        send(&then, device, &mut reports, at, judge_each).await?;
    }
    if demo.cloned {
        note_clone(app, device, &demo, last.unwrap_or(first)).await?;
    }
    went_missing(app, device, now).await?;
    evaluate::device(app, device, now).await?;
    Ok(1)
}

async fn enroll(app: &App, demo: &DemoDevice, at: Timestamp) -> Result<Option<DeviceKey>, Error> {
    let by = By::new("demo", at);
    let site = app.store.need_unit(UnitKind::Site, demo.site(), &by).await?;
    let department = app.store.need_unit(UnitKind::Department, demo.department, &by).await?;
    let permission = Permission::Grant(TokenGrant {
        site: Some(site),
        department: Some(department),
        ..TokenGrant::default()
    });
    let new = NewDevice {
        id: demo.id(),
        public_key: demo.public_key(),
        hostname: demo.hostname(at),
        hardware_ids: demo.hardware_ids(),
        pending: false,
        demo: true,
    };
    let decision = Decision {
        at,
        kind: DecisionKind::Enrolled,
        evidence: "demo device; no device with this serial number, UUID or MAC address was known"
            .to_owned(),
        other: None,
        actor: None,
    };
    let row = app.store.enroll(&permission, new, &decision).await?;
    Ok(row.map(|row| {
        let key = row.key;
        app.fleet.row_changed(&row);
        key
    }))
}

/// Sends one report; comes back while the queue is full. Measurements leave the judging out.
async fn send(
    app: &App,
    device: DeviceKey,
    reports: &mut Reports<'_>,
    at: Timestamp,
    judged: bool,
) -> Result<(), Error> {
    let check_in = reports.next_at(at)?;
    loop {
        let taken = if judged {
            ingest::check_in(app, device, check_in.clone()).await.map(|answer| answer.stored)
        } else {
            stored(app, device, check_in.clone(), at).await
        };
        match taken {
            Ok(_) => return Ok(()),
            Err(Refusal::Busy { .. }) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

async fn stored(
    app: &App,
    device: DeviceKey,
    check_in: CheckIn,
    at: Timestamp,
) -> Result<bool, Refusal> {
    let (answer, applied) = ingest::store_report(&app.store, device, check_in, at).await?;
    if let Some(applied) = applied {
        let device = applied.row.key;
        app.fleet.device_applied(applied.row, applied.titles);
        app.fleet.values_seen(device, applied.values);
    }
    Ok(answer.stored)
}

async fn note_clone(
    app: &App,
    device: DeviceKey,
    demo: &DemoDevice,
    last: Timestamp,
) -> Result<(), Error> {
    let decision = Decision {
        at: last.plus_ms(-26 * HOUR_MS),
        kind: DecisionKind::CloneSuspected,
        evidence: format!(
            "the key of {} was used by a computer with another serial number and another UUID \
             within the same hour",
            demo.hostname(last)
        ),
        other: None,
        actor: None,
    };
    app.store.note_decision(device, &decision).await?;
    Ok(())
}

/// Judges a silent device at the moment it became missing, so that "since" is that moment.
async fn went_missing(app: &App, device: DeviceKey, now: Timestamp) -> Result<(), Error> {
    let since = app.fleet.read().entry(device).map(|entry| {
        let row = &entry.row;
        let class = row.summary.class.unwrap_or(rollcall_shared::api::device::DeviceClass::Other);
        let policy = app.fleet.policy();
        policy.missing_at(class, row.last_seen_at.unwrap_or(row.enrolled_at)).plus_ms(1)
    });
    if let Some(since) = since.filter(|since| *since < now) {
        evaluate::device(app, device, since).await?;
    }
    Ok(())
}
