//! What waits for webhooks, and what happened that is not in their queues yet.
//!
//! Rows of `event` are written by triggers, in the transaction of the finding or decision they tell
//! of, while there is a webhook. Whoever holds the lease takes them out and puts deliveries into the
//! queues, in one transaction: nothing is lost or doubled by a restart.

use rollcall_shared::Timestamp;
use rollcall_shared::api::webhook::{EventKind, WebhookDelivery};
use rollcall_shared::time::DAY_MS;

use super::audit::{By, record};
use super::device::{DeviceKey, key_of};
use super::statement::insert;
use super::webhook::webhook_words;
use super::{BeginWrite as _, Error, Store, on_backend, queries};

queries! {
    WAITING = "SELECT id, (SELECT count(*) FROM webhook_delivery d
          WHERE d.webhook = w.id AND d.done_at IS NULL) FROM webhook w ORDER BY id";
    WORK = "SELECT EXISTS (SELECT 1 FROM event) OR EXISTS (SELECT 1 FROM webhook w
          WHERE w.disabled_at IS NULL AND w.next_at <= $1 AND EXISTS (SELECT 1
            FROM webhook_delivery d WHERE d.webhook = w.id AND d.done_at IS NULL))";
    DUE = "SELECT w.id FROM webhook w
        WHERE w.disabled_at IS NULL AND w.next_at <= $1 AND EXISTS (SELECT 1
          FROM webhook_delivery d WHERE d.webhook = w.id AND d.done_at IS NULL) ORDER BY w.id";
    EVENTS = "SELECT id, kind, device, finding, at FROM event ORDER BY id LIMIT $1";
    FORGET_EVENT = "DELETE FROM event WHERE id = $1";
    FORGET_DONE = "DELETE FROM webhook_delivery WHERE done_at < $1";
    DROPPED = "UPDATE webhook SET dropped = dropped + $2 WHERE id = $1";
    NEXT = "SELECT id, event, kind, body, tries FROM webhook_delivery
        WHERE webhook = $1 AND done_at IS NULL ORDER BY id LIMIT 1";
    LIST = "SELECT event, kind, made_at, tries, tried_at, done_at, delivered, status, said
        FROM webhook_delivery WHERE webhook = $1 ORDER BY id DESC LIMIT $2";
    TRIED = "UPDATE webhook_delivery SET tries = tries + 1, tried_at = $2, done_at = $3,
          delivered = $4, status = $5, said = $6 WHERE id = $1";
    ARRIVED = "UPDATE webhook SET failing_since = NULL, next_at = 0 WHERE id = $1";
    FAILED = "UPDATE webhook SET failing_since = coalesce(failing_since, $2), next_at = $3
        WHERE id = $1";
    SWITCH_OFF = "UPDATE webhook SET disabled_at = $2, disabled_why = $3
        WHERE id = $1 AND disabled_at IS NULL RETURNING label";
    INSERT_DONE = "INSERT INTO webhook_delivery (webhook, event, kind, body, made_at, tries,
          tried_at, done_at, delivered, status, said)
        VALUES ($1, $2, $3, $4, $5, 1, $5, $5, $6, $7, $8)";
}

/// Deliveries of a webhook that may wait.
const LONGEST: u64 = 10_000;
/// How long what was delivered or left out is kept.
const KEPT_MS: i64 = 3 * DAY_MS;
const INSERT_DELIVERIES: &str =
    "INSERT INTO webhook_delivery (webhook, event, kind, body, made_at) ";

/// The shape of the statement of many rows, for the test that prepares all.
#[cfg(test)]
pub(super) const SHAPE: (&str, usize, &str) = (INSERT_DELIVERIES, 5, "");

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number in the table.
    pub id: i64,
    /// What, as the trigger names it.
    pub kind: EventKind,
    /// The device.
    pub device: DeviceKey,
    /// Number of the finding.
    pub finding: Option<i64>,
    /// When.
    pub at: Timestamp,
}

/// A delivery to put into a queue.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Number of the webhook.
    pub webhook: i64,
    /// Id of the delivery.
    pub event: String,
    /// What it tells of.
    pub kind: EventKind,
    /// JSON.
    pub body: String,
}

/// The delivery that is next at a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextDelivery {
    /// Its number in the table.
    pub number: i64,
    /// Its id outside.
    pub event: String,
    /// What it tells of.
    pub kind: String,
    /// JSON.
    pub body: String,
    /// How often it was tried.
    pub tries: u32,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// When.
    pub at: Timestamp,
    /// HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// Why it failed; empty where it did not.
    pub said: String,
}

fn kind(word: &str) -> Result<EventKind, Error> {
    EventKind::from_word(word).ok_or_else(|| Error::Damaged(format!("event `{word}`")))
}

impl Store {
    /// Whether there is something to put into queues or to send now.
    pub async fn webhook_work(&self, now: Timestamp) -> Result<bool, Error> {
        Ok(on_backend!(self, read pool =>
            sqlx::query_scalar(WORK).bind(now.0).fetch_one(pool).await?))
    }

    /// Webhooks that something can be sent to now.
    pub async fn due_webhooks(&self, now: Timestamp) -> Result<Vec<i64>, Error> {
        Ok(on_backend!(self, read pool =>
            sqlx::query_scalar(DUE).bind(now.0).fetch_all(pool).await?))
    }

    /// What happened and is in no queue yet, oldest first.
    pub async fn events(&self, limit: u32) -> Result<Vec<Event>, Error> {
        let rows: Vec<(i64, String, i64, Option<i64>, i64)> = on_backend!(self, read pool =>
            sqlx::query_as(EVENTS).bind(i64::from(limit)).fetch_all(pool).await?);
        let event = |(id, word, device, finding, at): (i64, String, i64, Option<i64>, i64)| {
            let device = key_of(device)?;
            Ok(Event { id, kind: kind(&word)?, device, finding, at: Timestamp(at) })
        };
        rows.into_iter().map(event).collect()
    }

    /// Puts deliveries into the queues and takes the events they tell of out, at once. What finds a
    /// queue full is counted and left out. What was done long ago is forgotten.
    pub async fn queue_deliveries(
        &self,
        events: &[i64],
        deliveries: &[NewDelivery],
        now: Timestamp,
    ) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let rows: Vec<(i64, i64)> = sqlx::query_as(WAITING).fetch_all(&mut *tx).await?;
            let mut taken: Vec<&NewDelivery> = Vec::new();
            for (webhook, waiting) in rows {
                let mine = deliveries.iter().filter(|delivery| delivery.webhook == webhook);
                let waiting = u64::try_from(waiting).unwrap_or_default();
                let room = usize::try_from(LONGEST.saturating_sub(waiting)).unwrap_or_default();
                let before = taken.len();
                let all = mine.clone().count();
                taken.extend(mine.take(room));
                let dropped = i64::try_from(all - (taken.len() - before)).unwrap_or_default();
                if dropped > 0 {
                    sqlx::query(DROPPED).bind(webhook).bind(dropped).execute(&mut *tx).await?;
                }
            }
            insert!(
                tx,
                INSERT_DELIVERIES,
                &taken,
                |bound, delivery| {
                    bound
                        .push_bind(delivery.webhook)
                        .push_bind(&delivery.event)
                        .push_bind(delivery.kind.as_str())
                        .push_bind(&delivery.body)
                        .push_bind(now.0);
                },
                ""
            );
            for event in events {
                sqlx::query(FORGET_EVENT).bind(event).execute(&mut *tx).await?;
            }
            sqlx::query(FORGET_DONE).bind(now.plus_ms(-KEPT_MS).0).execute(&mut *tx).await?;
            tx.commit().await?;
        });
        Ok(())
    }

    /// The delivery that is next at a webhook.
    pub async fn next_delivery(&self, webhook: i64) -> Result<Option<NextDelivery>, Error> {
        let found: Option<(i64, String, String, String, i64)> = on_backend!(self, read pool =>
            sqlx::query_as(NEXT).bind(webhook).fetch_optional(pool).await?);
        Ok(found.map(|(number, event, kind, body, tries)| NextDelivery {
            number,
            event,
            kind,
            body,
            tries: u32::try_from(tries).unwrap_or(u32::MAX),
        }))
    }

    /// The last deliveries of a webhook, newest first.
    pub async fn deliveries(
        &self,
        webhook: i64,
        limit: u32,
    ) -> Result<Vec<WebhookDelivery>, Error> {
        type Row = (String, String, i64, i64, Option<i64>, Option<i64>, bool, Option<i64>, String);
        let rows: Vec<Row> = on_backend!(self, read pool =>
            sqlx::query_as(LIST).bind(webhook).bind(i64::from(limit)).fetch_all(pool).await?);
        let delivery = |found: Row| {
            let (id, word, made_at, tries, tried_at, done_at, delivered, status, said) = found;
            Ok(WebhookDelivery {
                id,
                kind: kind(&word)?,
                made_at: Timestamp(made_at),
                tries: u32::try_from(tries).unwrap_or(u32::MAX),
                tried_at: tried_at.map(Timestamp),
                delivered: done_at.map(|_| delivered),
                status: status.and_then(|code| u16::try_from(code).ok()),
                said,
            })
        };
        rows.into_iter().map(delivery).collect()
    }

    /// Notes that a delivery arrived.
    pub async fn delivered(&self, webhook: i64, number: i64, tried: &Tried) -> Result<(), Error> {
        self.note_try(webhook, number, tried, true, None).await
    }

    /// Notes that a delivery did not arrive, and when the webhook is tried again; `left_out`: this
    /// delivery is not.
    pub async fn not_delivered(
        &self,
        webhook: i64,
        number: i64,
        tried: &Tried,
        left_out: bool,
        next_at: Timestamp,
    ) -> Result<(), Error> {
        self.note_try(webhook, number, tried, left_out, Some(next_at)).await
    }

    async fn note_try(
        &self,
        webhook: i64,
        number: i64,
        tried: &Tried,
        done: bool,
        failed: Option<Timestamp>,
    ) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            sqlx::query(TRIED)
                .bind(number)
                .bind(tried.at.0)
                .bind(done.then_some(tried.at.0))
                .bind(failed.is_none())
                .bind(tried.status.map(i64::from))
                .bind(&tried.said)
                .execute(&mut *tx)
                .await?;
            let query = match failed {
                None => sqlx::query(ARRIVED).bind(webhook),
                Some(at) => sqlx::query(FAILED).bind(webhook).bind(tried.at.0).bind(at.0),
            };
            query.execute(&mut *tx).await?;
            tx.commit().await?;
        });
        Ok(())
    }

    /// Switches a webhook off at which nothing arrives.
    pub async fn switch_webhook_off(&self, id: i64, why: &str, by: &By) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let label: Option<String> = sqlx::query_scalar(SWITCH_OFF)
                .bind(id)
                .bind(by.at.0)
                .bind(why)
                .fetch_optional(&mut *tx)
                .await?;
            if let Some(label) = label {
                record!(tx, &by.did("webhook_switched_off", webhook_words(id, &label), why));
            }
            tx.commit().await?;
            Ok(())
        })
    }

    /// Keeps how a test went beside the deliveries.
    pub async fn keep_test(&self, test: &NewDelivery, tried: &Tried) -> Result<(), Error> {
        on_backend!(self, write pool => sqlx::query(INSERT_DONE)
            .bind(test.webhook)
            .bind(&test.event)
            .bind(test.kind.as_str())
            .bind(&test.body)
            .bind(tried.at.0)
            .bind(tried.said.is_empty())
            .bind(tried.status.map(i64::from))
            .bind(&tried.said)
            .execute(pool)
            .await
            .map(|_| ()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::webhook::WebhookRequest;

    use super::*;
    use crate::secret::Secret;
    use crate::store::testing::{run, store_test};

    fn request(kinds: &[EventKind]) -> WebhookRequest {
        WebhookRequest {
            label: "tickets".to_owned(),
            url: "https://hooks.example.org/secret/path".to_owned(),
            kinds: kinds.to_vec(),
            disabled: false,
        }
    }

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn by() -> By {
        By::new("clara", NOW)
    }

    store_test!(events_are_kept_while_there_is_a_webhook, |store| {
        store.fill_findings(2).await;
        assert_eq!(store.events(10).await.unwrap(), Vec::new(), "nobody listens");
        let secret = Secret::presented("rcl_whk_secret");
        let asked = request(&[EventKind::FindingClosed]);
        let id = store.create_webhook(&asked, &secret, &by()).await.unwrap();
        let close = "UPDATE finding SET closed_at = 7 WHERE device = 1 AND rule = 'missing'";
        run(&store, close).await.unwrap();
        run(&store, "UPDATE finding SET value = 'other' WHERE device = 0").await.unwrap();
        let decide = "INSERT INTO decision (device, at, kind, evidence) VALUES \
            (0, 8, 'enrolled', ''), (0, 9, 'approved', ''), (1, 10, 'looks_like', '')";
        run(&store, decide).await.unwrap();
        let open = "INSERT INTO finding (device, rule, subject, severity, opened_at, value, \
            threshold, source, next_step, evidence, said_at) \
            VALUES (0, 'disk_full', '', 'info', 11, '', '', '', '', '{}', 11)";
        run(&store, open).await.unwrap();
        let events = store.events(10).await.unwrap();
        let told: Vec<_> = events.iter().map(|one| (one.kind, one.device.0, one.at.0)).collect();
        let expected = [
            (EventKind::FindingClosed, 1, 7),
            (EventKind::DeviceNew, 0, 8),
            (EventKind::DeviceConflict, 1, 10),
            (EventKind::FindingOpened, 0, 11),
        ];
        assert_eq!(told, expected);
        let off = WebhookRequest { disabled: true, ..asked };
        assert!(store.change_webhook(id, &off, &by()).await.unwrap());
        run(&store, "UPDATE finding SET closed_at = 12 WHERE device = 0").await.unwrap();
        assert_eq!(store.events(10).await.unwrap().len(), 4);
        let entries = format!("{:?}", store.newest_audit_entries(9).await.unwrap());
        assert!(entries.contains("https://hooks.example.org"), "{entries}");
        assert!(!entries.contains("secret"), "{entries}");
    });

    store_test!(a_delivery_leaves_the_queue_once_it_arrived, |store| {
        let secret = Secret::presented("rcl_whk_secret");
        let asked = request(&[EventKind::DeviceNew]);
        let id = store.create_webhook(&asked, &secret, &by()).await.unwrap();
        let make = |event: &str| NewDelivery {
            webhook: id,
            event: event.to_owned(),
            kind: EventKind::DeviceNew,
            body: "{}".to_owned(),
        };
        store.queue_deliveries(&[], &[make("a"), make("b")], NOW).await.unwrap();
        assert!(store.webhook_work(NOW).await.unwrap());
        let first = store.next_delivery(id).await.unwrap().unwrap();
        assert_eq!((first.event.as_str(), first.tries), ("a", 0));
        let no = Tried { at: NOW, status: Some(500), said: "no".to_owned() };
        let later = NOW.plus_ms(30_000);
        store.not_delivered(id, first.number, &no, false, later).await.unwrap();
        assert!(!store.webhook_work(NOW).await.unwrap(), "it waits");
        assert_eq!(store.due_webhooks(later).await.unwrap(), [id]);
        let row = store.webhook(id).await.unwrap().unwrap();
        assert_eq!((row.webhook.failing_since, row.webhook.waiting), (Some(NOW), 2));
        let again = store.next_delivery(id).await.unwrap().unwrap();
        assert_eq!((again.event.as_str(), again.tries), ("a", 1), "in order");
        let yes = Tried { at: later, status: Some(204), said: String::new() };
        store.delivered(id, again.number, &yes).await.unwrap();
        let row = store.webhook(id).await.unwrap().unwrap();
        assert_eq!((row.webhook.failing_since, row.webhook.waiting), (None, 1));
        let listed = store.deliveries(id, 10).await.unwrap();
        let told: Vec<_> = listed.iter().map(|one| (one.id.as_str(), one.delivered)).collect();
        assert_eq!(told, [("b", None), ("a", Some(true))]);
        let test = NewDelivery { kind: EventKind::Test, ..make("t") };
        store.keep_test(&test, &no).await.unwrap();
        assert_eq!(store.deliveries(id, 1).await.unwrap()[0].delivered, Some(false));
        store.switch_webhook_off(id, "nothing arrived", &by()).await.unwrap();
        assert_eq!(store.due_webhooks(later).await.unwrap(), Vec::<i64>::new());
        store.queue_deliveries(&[], &[], later.plus_ms(KEPT_MS + 1)).await.unwrap();
        assert_eq!(store.deliveries(id, 10).await.unwrap().len(), 1, "what is done is forgotten");
        assert!(store.delete_webhook(id, &by()).await.unwrap());
        assert!(!store.delete_webhook(id, &by()).await.unwrap());
        assert!(store.webhooks().await.unwrap().is_empty());
    });

    store_test!(a_full_queue_counts_what_it_leaves_out, |store| {
        let secret = Secret::presented("rcl_whk_secret");
        let id =
            store.create_webhook(&request(&[EventKind::DeviceNew]), &secret, &by()).await.unwrap();
        let many: Vec<NewDelivery> = (0..LONGEST + 3)
            .map(|number| NewDelivery {
                webhook: id,
                event: number.to_string(),
                kind: EventKind::DeviceNew,
                body: "{}".to_owned(),
            })
            .collect();
        store.queue_deliveries(&[], &many, NOW).await.unwrap();
        let webhook = store.webhook(id).await.unwrap().unwrap().webhook;
        assert_eq!((webhook.waiting, webhook.dropped), (LONGEST, 3));
    });
}
