//! Sends what happened to webhooks: events into queues, and from each queue what is due, in order.
//!
//! Of several collectors the one that holds the lease does it. What was sent and could not be noted
//! before an end is sent again under the same id.

use std::time::Duration;

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use rollcall_shared::Timestamp;
use rollcall_shared::api::webhook::{EventDevice, EventKind, Webhook, WebhookEvent};
use rollcall_shared::time::MINUTE_MS;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::app::App;
use crate::domain::webhook::{After, after_failure, signature};
use crate::outgoing::Call;
use crate::store;
use crate::store::audit::By;
use crate::store::delivery::{Event, NewDelivery, Tried};
use crate::store::webhook::{SECRET_LOST, WebhookRow};

/// How often it is looked for something to do.
const EVERY: Duration = Duration::from_secs(2);
/// Of several collectors on one database, the one that holds this sends.
const LEASE: &str = "webhooks";
/// How long a collector that went away keeps the others from sending; far longer than a turn.
const LEASE_MS: i64 = 2 * MINUTE_MS;
/// How long one turn sends before it renews the lease.
const TURN: Duration = Duration::from_secs(30);
/// Events that are put into queues at once.
const AT_ONCE: u32 = 200;
/// Bytes that are read of an answer, which does not matter.
const ANSWER_BYTES: usize = 64 * 1024;
/// The rule whose findings are told as the device's going and coming.
const MISSING: &str = "missing";

/// Sends until it is aborted.
pub(super) async fn run(app: &App) {
    loop {
        match turn(app).await {
            Ok(true) => {}
            Ok(false) => tokio::time::sleep(EVERY).await,
            Err(error) => {
                tracing::warn!(%error, "webhooks could not be served; tried again in a moment");
                tokio::time::sleep(EVERY * 15).await;
            }
        }
    }
}

/// One turn; whether there may be more to do at once.
pub async fn turn(app: &App) -> Result<bool, store::Error> {
    let now = app.clock.now();
    if !app.store.webhook_work(now).await?
        || !app.store.take_lease(LEASE, now, now.plus_ms(LEASE_MS)).await?
    {
        return Ok(false);
    }
    let more = queue(app, now).await?;
    let ends = Instant::now() + TURN;
    let mut sending = JoinSet::new();
    for webhook in app.store.due_webhooks(now).await? {
        let app = app.clone();
        sending.spawn(async move { send_due(&app, webhook, ends).await });
    }
    let mut sent = false;
    while let Some(done) = sending.join_next().await {
        match done {
            Ok(done) => sent |= done?,
            Err(error) => tracing::error!(%error, "a webhook could not be served"),
        }
    }
    Ok(more || sent)
}

/// Puts what happened into the queues; whether there may be more.
async fn queue(app: &App, now: Timestamp) -> Result<bool, store::Error> {
    let events = app.store.events(AT_ONCE).await?;
    if events.is_empty() {
        return Ok(false);
    }
    let webhooks = app.store.webhooks().await?;
    let listening: Vec<&Webhook> = webhooks
        .iter()
        .map(|row| &row.webhook)
        .filter(|webhook| webhook.disabled_at.is_none())
        .collect();
    let mut deliveries = Vec::new();
    for event in &events {
        let Some(told) = told(app, event, now).await? else { continue };
        for webhook in listening.iter().filter(|webhook| webhook.kinds.contains(&told.kind)) {
            deliveries.push(delivery(webhook.id, told.clone())?);
        }
    }
    let numbers: Vec<i64> = events.iter().map(|event| event.id).collect();
    app.store.queue_deliveries(&numbers, &deliveries, now).await?;
    Ok(true)
}

/// An event for one webhook, under an id of its own.
fn delivery(webhook: i64, mut event: WebhookEvent) -> Result<NewDelivery, store::Error> {
    event.id = Uuid::new_v4().to_string();
    let body = serde_json::to_string(&event)
        .map_err(|error| store::Error::Damaged(format!("an event: {error}")))?;
    Ok(NewDelivery { webhook, event: event.id, kind: event.kind, body })
}

/// What is told of an event; nothing where the device is gone.
async fn told(
    app: &App,
    event: &Event,
    now: Timestamp,
) -> Result<Option<WebhookEvent>, store::Error> {
    let Some(device) = app.store.device_by_key(event.device).await? else {
        return Ok(None);
    };
    let finding = match event.finding {
        Some(id) => app.store.finding(id, now).await?,
        None => None,
    };
    let missing = finding.as_ref().is_some_and(|finding| finding.rule == MISSING);
    let kind = match event.kind {
        EventKind::FindingOpened if missing => EventKind::DeviceMissing,
        // What is taken out of service is missing no longer, and not back either.
        EventKind::FindingClosed if missing && device.retired_at.is_none() => {
            EventKind::DeviceReturned
        }
        kind => kind,
    };
    let (hostname, id) = (device.summary.hostname.clone(), device.id);
    let url = format!("{}/devices/{id}", app.public_url);
    let device = Some(EventDevice { id, hostname, url });
    Ok(Some(WebhookEvent { id: String::new(), kind, at: event.at, device, finding }))
}

/// Sends what waits for a webhook, in order, until one does not arrive; whether there may be more.
async fn send_due(app: &App, id: i64, ends: Instant) -> Result<bool, store::Error> {
    while Instant::now() < ends {
        let Some(row) = app.store.webhook(id).await? else { return Ok(false) };
        let webhook = &row.webhook;
        if webhook.disabled_at.is_some() {
            return Ok(false);
        }
        let Some(next) = app.store.next_delivery(id).await? else { return Ok(false) };
        let delivery = send(app, &row, &next.event, &next.kind, &next.body).await;
        if delivery.said.is_empty() {
            app.store.delivered(id, next.number, &delivery).await?;
            continue;
        }
        let since = webhook.failing_since.unwrap_or(delivery.at);
        let tries = next.tries.saturating_add(1);
        let after = after_failure(tries, delivery.status, since, delivery.at);
        tracing::warn!(webhook.id = id, why = delivery.said, "a webhook's delivery did not arrive");
        let (left_out, next_at) = match after {
            After::Again(at) => (false, at),
            After::LeaveOut => (true, delivery.at),
            After::SwitchOff => (false, delivery.at),
        };
        app.store.not_delivered(id, next.number, &delivery, left_out, next_at).await?;
        match after {
            After::LeaveOut => {}
            After::Again(_) => return Ok(false),
            After::SwitchOff => {
                let why = format!("nothing arrived for three days; at last: {}", delivery.said);
                let by = By::new("collector", delivery.at);
                app.store.switch_webhook_off(id, &why, &by).await?;
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Sends one delivery.
async fn send(app: &App, row: &WebhookRow, event: &str, kind: &str, body: &str) -> Tried {
    let at = app.clock.now();
    let Some(secret) = &row.secret else {
        return Tried { at, status: None, said: SECRET_LOST.to_owned() };
    };
    let seconds = at.0.div_euclid(1000);
    let signed = signature(secret.reveal(), seconds, body.as_bytes());
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let own = [
        (HeaderName::from_static("x-rollcall-event"), kind.to_owned()),
        (HeaderName::from_static("x-rollcall-delivery"), event.to_owned()),
        (HeaderName::from_static("x-rollcall-timestamp"), seconds.to_string()),
        (HeaderName::from_static("x-rollcall-signature"), signed),
    ];
    for (name, value) in own {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.push((name, value));
        }
    }
    let call = Call {
        method: Method::POST,
        url: &row.webhook.url,
        headers,
        body: body.as_bytes().to_vec(),
        longest: ANSWER_BYTES,
    };
    let (status, said) = match app.outgoing.call(call).await {
        Ok(answer) if (200..300).contains(&answer.status) => (Some(answer.status), String::new()),
        Ok(answer) => (Some(answer.status), format!("it answered HTTP {}", answer.status)),
        Err(error) => (None, error.told()),
    };
    // Later than `at` by the time that the other side took.
    Tried { at: app.clock.now(), status, said }
}

/// Sends a test now, whatever waits; how it went is kept beside the deliveries.
pub async fn test(app: &App, row: &WebhookRow) -> Result<Tried, store::Error> {
    let at = app.clock.now();
    let event =
        WebhookEvent { id: String::new(), kind: EventKind::Test, at, device: None, finding: None };
    let made = delivery(row.webhook.id, event)?;
    let kind = made.kind.as_str();
    let delivery = send(app, row, &made.event, kind, &made.body).await;
    app.store.keep_test(&made, &delivery).await?;
    Ok(delivery)
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
