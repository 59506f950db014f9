//! What must be read again and stands in the tables sealed: secrets of second factors, of clients of
//! sign-in providers, and of webhooks. One key for all collectors on a database.

use std::sync::Arc;

use rollcall_shared::Timestamp;

use super::audit::{By, record};
use super::setting::{GET_SETTING, PUT_SETTING};
use super::webhook::SECRET_LOST;
use super::{BeginWrite as _, Error, Store, on_backend, queries};
use crate::seal::SealKey;

queries! {
    ANY_FACTOR = "SELECT EXISTS (SELECT 1 FROM account WHERE totp_secret IS NOT NULL)";
    EMPTY_WEBHOOKS = "UPDATE webhook SET secret = NULL, disabled_at = coalesce(disabled_at, $1),
          disabled_why = $2 WHERE secret IS NOT NULL";
    EMPTY_PROVIDERS = "UPDATE sign_in_provider SET client_secret = NULL
        WHERE client_secret IS NOT NULL";
}

/// The setting that names the key with which all secrets in the tables are sealed.
pub(super) const KEY_ID: &str = "secret_key_id";

/// The key of this collector, with what names it in the tables.
pub(super) struct Sealing<'a> {
    key: &'a SealKey,
    /// What `KEY_ID` must be while something is sealed.
    pub(super) id: String,
}

impl Sealing<'_> {
    /// Seals a value for one row of one table, e.g. `webhook 7`.
    pub(super) fn seal(&self, purpose: &str, value: &[u8]) -> Result<Vec<u8>, Error> {
        let refused = |error| Error::Damaged(format!("sealing {purpose}: {error}"));
        self.key.seal(purpose, value).map_err(refused)
    }

    /// What was sealed for this row; `None` when it was sealed with another key or for another row.
    pub(super) fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.key.open_sealed(purpose, sealed)
    }

    /// The same for a text.
    pub(super) fn open_text(&self, purpose: &str, sealed: Option<&[u8]>) -> Option<String> {
        let text = self.open(purpose, sealed?).and_then(|bytes| String::from_utf8(bytes).ok());
        if text.is_none() {
            tracing::warn!(secret.purpose = purpose, "a sealed secret does not open with this key");
        }
        text
    }
}

/// Ends with `OtherKey` when another collector began with a key of its own after this one: only one
/// of them may seal.
macro_rules! only_key {
    ($tx:ident, $sealing:expr) => {{
        let known: Option<String> = sqlx::query_scalar($crate::store::setting::GET_SETTING)
            .bind($crate::store::sealed::KEY_ID)
            .fetch_optional(&mut *$tx)
            .await?;
        if known.as_deref() != Some($sealing.id.as_str()) {
            return Err($crate::store::Error::OtherKey);
        }
    }};
}
pub(super) use only_key;

impl Store {
    /// From now on secrets are sealed and opened with this key. Refused when second factors were
    /// sealed with another: half of the people could not sign in. Where there is none, what the
    /// old key sealed for providers and webhooks is forgotten, since nobody can read it.
    pub async fn seal_with(&self, key: SealKey, at: Timestamp) -> Result<(), Error> {
        let text = id_of(&key)?;
        let fits = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let known: Option<String> =
                sqlx::query_scalar(GET_SETTING).bind(KEY_ID).fetch_optional(&mut *tx).await?;
            let same = known.as_deref() == Some(text.as_str());
            let factors: bool = sqlx::query_scalar(ANY_FACTOR).fetch_one(&mut *tx).await?;
            if !same && !factors {
                sqlx::query(PUT_SETTING).bind(KEY_ID).bind(&text).execute(&mut *tx).await?;
                let webhooks =
                    sqlx::query(EMPTY_WEBHOOKS).bind(at.0).bind(SECRET_LOST).execute(&mut *tx).await?;
                let providers = sqlx::query(EMPTY_PROVIDERS).execute(&mut *tx).await?;
                let (webhooks, providers) = (webhooks.rows_affected(), providers.rows_affected());
                if webhooks + providers > 0 {
                    let told = format!(
                        "secrets of {webhooks} webhooks and {providers} sign-in providers were \
                         sealed with another key and are lost"
                    );
                    tracing::warn!("{told}");
                    record!(tx, &By::new("collector", at).did("secret_key_new", "secrets", told));
                }
            }
            tx.commit().await?;
            same || !factors
        });
        if !fits {
            return Err(Error::OtherKey);
        }
        // Who calls it twice keeps the first.
        let _ = self.memory().seal.set(Arc::new(key));
        Ok(())
    }

    /// The key that was given with `seal_with`.
    pub(super) fn sealing(&self) -> Result<Sealing<'_>, Error> {
        let missing = || Error::Damaged("no key was given for sealed secrets".to_owned());
        let key = self.memory().seal.get().ok_or_else(missing)?;
        Ok(Sealing { key, id: id_of(key)? })
    }
}

fn id_of(key: &SealKey) -> Result<String, Error> {
    serde_json::to_string(&key.id()).map_err(|error| Error::Damaged(format!("a key's id: {error}")))
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use rollcall_shared::api::provider::ProviderConfig;
    use rollcall_shared::api::webhook::{EventKind, WebhookRequest};

    use super::*;
    use crate::secret::Secret;
    use crate::store::testing::{another, store_test};

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    store_test!(a_lost_key_takes_the_secrets_and_says_so, |store| {
        let by = By::new("clara", NOW);
        let secret = Secret::presented("rcl_secret_of_the_first_key");
        let request = WebhookRequest {
            label: "tickets".to_owned(),
            url: "https://hooks.example.org/".to_owned(),
            kinds: vec![EventKind::DeviceNew],
            disabled: false,
        };
        let webhook = store.create_webhook(&request, &secret, &by).await.unwrap();
        let config = ProviderConfig { name: "Example".to_owned(), ..ProviderConfig::default() };
        let provider = store.create_provider(&config, &secret, &by).await.unwrap();
        let clara = store.create_account("clara", Role::Admin, "hash", &by).await.unwrap().id;
        store.turn_on_second_factor(clara, b"secret", 7, &[], &by).await.unwrap();
        // A stolen database alone gives nothing, and a second factor holds it closed.
        let other = another(&store).await;
        assert!(other.webhook(webhook).await.is_err() && other.providers().await.is_err());
        let refused = other.seal_with(SealKey::random(), NOW).await;
        assert!(matches!(refused, Err(Error::OtherKey)), "{refused:?}");
        assert_eq!(store.webhook(webhook).await.unwrap().unwrap().secret, Some(secret.clone()));

        store.turn_off_second_factor(clara, &by).await.unwrap();
        other.seal_with(SealKey::random(), NOW).await.unwrap();
        let row = other.webhook(webhook).await.unwrap().unwrap();
        assert_eq!((row.secret, row.webhook.disabled_at), (None, Some(NOW)));
        assert!(row.webhook.disabled_why.unwrap().contains("make it again"));
        let row = other.provider(provider).await.unwrap().unwrap();
        assert_eq!(row.client_secret.reveal(), "");
        let newest = other.newest_audit_entries(1).await.unwrap().remove(0);
        assert_eq!(newest.action, "secret_key_new");
        assert!(newest.detail.contains("1 webhooks and 1 sign-in providers"), "{newest:?}");
        let late = store.create_webhook(&request, &secret, &by).await;
        assert!(matches!(late, Err(Error::OtherKey)), "one key for all collectors: {late:?}");
        let late = store.create_provider(&config, &secret, &by).await;
        assert!(matches!(late, Err(Error::OtherKey)), "{late:?}");
    });
}
