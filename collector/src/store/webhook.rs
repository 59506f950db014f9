//! Webhooks: where to tell of what, and with which secret. What waits for them is in `delivery`.

use rollcall_shared::Timestamp;
use rollcall_shared::api::webhook::{EventKind, Webhook, WebhookRequest};

use super::audit::{By, record};
use super::sealed::{Sealing, only_key};
use super::{BeginWrite as _, Error, Store, on_backend, queries};
use crate::secret::Secret;

queries! {
    ALL = "SELECT id, label, url, kinds, secret, created_at, created_by, disabled_at, disabled_why,
          failing_since, dropped,
          (SELECT count(*) FROM webhook_delivery d WHERE d.webhook = w.id AND d.done_at IS NULL)
        FROM webhook w ORDER BY id";
    GET = "SELECT id, label, url, kinds, secret, created_at, created_by, disabled_at, disabled_why,
          failing_since, dropped,
          (SELECT count(*) FROM webhook_delivery d WHERE d.webhook = w.id AND d.done_at IS NULL)
        FROM webhook w WHERE id = $1";
    INSERT = "INSERT INTO webhook (label, url, kinds, created_at, created_by, disabled_at)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
    SET_SECRET = "UPDATE webhook SET secret = $2 WHERE id = $1";
    UPDATE = "UPDATE webhook SET label = $2, url = $3, kinds = $4, disabled_at = $5,
          disabled_why = NULL, failing_since = NULL, next_at = 0 WHERE id = $1";
    DELETE_DELIVERIES = "DELETE FROM webhook_delivery WHERE webhook = $1";
    DELETE = "DELETE FROM webhook WHERE id = $1 RETURNING label";
}

/// Why nothing can be sent to a webhook whose secret does not open.
pub const SECRET_LOST: &str = "its secret was sealed with a key that this collector does not have; \
                               delete this webhook and make it again";

/// A webhook with its secret.
#[derive(Debug, Clone)]
pub struct WebhookRow {
    /// The webhook.
    pub webhook: Webhook,
    /// What deliveries are signed with; absent where the key that sealed it is gone.
    pub secret: Option<Secret>,
}

type Row = (
    i64,
    String,
    String,
    String,
    Option<Vec<u8>>,
    i64,
    String,
    Option<i64>,
    Option<String>,
    Option<i64>,
    i64,
    i64,
);

fn row(found: Row, key: &Sealing<'_>) -> Result<WebhookRow, Error> {
    let (id, label, url, kinds, secret, created_at, created_by, disabled_at, ..) = found;
    let (disabled_why, failing_since, dropped, waiting) = (found.8, found.9, found.10, found.11);
    let kinds = serde_json::from_str(&kinds)
        .map_err(|error| Error::Damaged(format!("webhook {id}: {error}")))?;
    let webhook = Webhook {
        id,
        label,
        url,
        kinds,
        created_at: Timestamp(created_at),
        created_by,
        disabled_at: disabled_at.map(Timestamp),
        disabled_why,
        failing_since: failing_since.map(Timestamp),
        waiting: u64::try_from(waiting).unwrap_or_default(),
        dropped: u64::try_from(dropped).unwrap_or_default(),
    };
    let secret = key.open_text(&purpose(id), secret.as_deref()).map(Secret::presented);
    Ok(WebhookRow { webhook, secret })
}

/// What the secret of a webhook is sealed for.
fn purpose(id: i64) -> String {
    format!("webhook {id}")
}

fn kinds_text(kinds: &[EventKind]) -> Result<String, Error> {
    serde_json::to_string(kinds).map_err(|error| Error::Damaged(error.to_string()))
}

/// A webhook as the audit log names it.
pub(super) fn webhook_words(id: i64, label: &str) -> String {
    format!("webhook {id} {label}")
}

/// What the audit log tells of the settings: the address without what may be a secret in it.
fn told(request: &WebhookRequest) -> String {
    let place = request.url.split('/').take(3).collect::<Vec<_>>().join("/");
    let kinds: Vec<&str> = request.kinds.iter().map(|kind| kind.as_str()).collect();
    let state = if request.disabled { "; switched off" } else { "" };
    format!("to {place}: {}{state}", kinds.join(", "))
}

impl Store {
    /// All webhooks, in the order in which they were made.
    pub async fn webhooks(&self) -> Result<Vec<WebhookRow>, Error> {
        let rows: Vec<Row> =
            on_backend!(self, read pool => sqlx::query_as(ALL).fetch_all(pool).await?);
        let key = self.sealing()?;
        rows.into_iter().map(|found| row(found, &key)).collect()
    }

    /// One webhook.
    pub async fn webhook(&self, id: i64) -> Result<Option<WebhookRow>, Error> {
        let found: Option<Row> = on_backend!(self, read pool =>
            sqlx::query_as(GET).bind(id).fetch_optional(pool).await?);
        let key = self.sealing()?;
        found.map(|found| row(found, &key)).transpose()
    }

    /// Makes a webhook; its number.
    pub async fn create_webhook(
        &self,
        request: &WebhookRequest,
        secret: &Secret,
        by: &By,
    ) -> Result<i64, Error> {
        let kinds = kinds_text(&request.kinds)?;
        let key = self.sealing()?;
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            only_key!(tx, key);
            let id: i64 = sqlx::query_scalar(INSERT)
                .bind(&request.label)
                .bind(&request.url)
                .bind(&kinds)
                .bind(by.at.0)
                .bind(&by.actor)
                .bind(request.disabled.then_some(by.at.0))
                .fetch_one(&mut *tx)
                .await?;
            let sealed = key.seal(&purpose(id), secret.reveal().as_bytes())?;
            sqlx::query(SET_SECRET).bind(id).bind(&sealed).execute(&mut *tx).await?;
            record!(tx, &by.did("webhook_made", webhook_words(id, &request.label), told(request)));
            tx.commit().await?;
            Ok(id)
        })
    }

    /// Sets a webhook, and forgets that it failed. `false` when there is none.
    pub async fn change_webhook(
        &self,
        id: i64,
        request: &WebhookRequest,
        by: &By,
    ) -> Result<bool, Error> {
        let kinds = kinds_text(&request.kinds)?;
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let done = sqlx::query(UPDATE)
                .bind(id)
                .bind(&request.label)
                .bind(&request.url)
                .bind(&kinds)
                .bind(request.disabled.then_some(by.at.0))
                .execute(&mut *tx)
                .await?;
            if done.rows_affected() == 0 {
                return Ok(false);
            }
            record!(tx, &by.did("webhook_set", webhook_words(id, &request.label), told(request)));
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Takes a webhook away with everything that waits for it. `false` when there is none.
    pub async fn delete_webhook(&self, id: i64, by: &By) -> Result<bool, Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            sqlx::query(DELETE_DELIVERIES).bind(id).execute(&mut *tx).await?;
            let label: Option<String> =
                sqlx::query_scalar(DELETE).bind(id).fetch_optional(&mut *tx).await?;
            let Some(label) = label else { return Ok(false) };
            record!(tx, &by.did("webhook_deleted", webhook_words(id, &label), ""));
            tx.commit().await?;
            Ok(true)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{run, store_test};

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn by() -> By {
        By::new("clara", NOW)
    }

    store_test!(the_secret_of_a_webhook_is_sealed_for_it_alone, |store| {
        let request = WebhookRequest {
            label: "tickets".to_owned(),
            url: "https://hooks.example.org/".to_owned(),
            kinds: vec![EventKind::DeviceNew],
            disabled: false,
        };
        let secret = Secret::presented("rcl_whk_of_the_first");
        let first = store.create_webhook(&request, &secret, &by()).await.unwrap();
        let other = Secret::presented("rcl_whk_of_the_second");
        let second = store.create_webhook(&request, &other, &by()).await.unwrap();
        let known: Vec<Option<Secret>> =
            store.webhooks().await.unwrap().into_iter().map(|row| row.secret).collect();
        assert_eq!(known, [Some(secret), Some(other)]);
        let stored: Vec<Vec<u8>> = on_backend!(store, read pool =>
            sqlx::query_scalar(STORED).fetch_all(pool).await.unwrap());
        let in_clear = |bytes: &Vec<u8>| bytes.windows(7).any(|part| part == b"rcl_whk");
        assert!(!stored.iter().any(in_clear));
        // Copied into the row of another it opens nothing.
        run(&store, COPY).await.unwrap();
        assert_eq!(store.webhook(second).await.unwrap().unwrap().secret, None);
        assert!(store.webhook(first).await.unwrap().unwrap().secret.is_some());
    });

    const STORED: &str = "SELECT secret FROM webhook ORDER BY id";
    const COPY: &str = "UPDATE webhook SET secret = (SELECT secret FROM webhook WHERE id = 1)
        WHERE id = 2";
}
