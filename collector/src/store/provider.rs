//! Sign-in providers and who people are there.

use rollcall_shared::api::account::Role;
use rollcall_shared::api::provider::{LinkedIdentity, ProviderConfig};
use rollcall_shared::time::HOUR_MS;
use rollcall_shared::{Digest, Timestamp};

use super::account::{GRACE_MS, NO_PASSWORD, account_words};
use super::audit::{By, record};
use super::sealed::{Sealing, only_key};
use super::{BeginWrite as _, Error, Store, on_backend, queries};
use crate::secret::Secret;

queries! {
    ALL = "SELECT id, config, client_secret, created_at FROM sign_in_provider ORDER BY id";
    GET = "SELECT id, config, client_secret, created_at FROM sign_in_provider WHERE id = $1";
    INSERT = "INSERT INTO sign_in_provider (config, created_at) VALUES ($1, $2) RETURNING id";
    UPDATE = "UPDATE sign_in_provider SET config = $2 WHERE id = $1";
    SET_SECRET = "UPDATE sign_in_provider SET client_secret = $2 WHERE id = $1";
    DELETE = "DELETE FROM sign_in_provider WHERE id = $1";
    END_SESSIONS_OF_ISSUER = "DELETE FROM session
        WHERE account IN (SELECT account FROM identity WHERE issuer = $1)";
    IDENTITY = "SELECT account, shut_at FROM identity WHERE issuer = $1 AND subject = $2";
    IDENTITIES = "SELECT i.subject, a.name, i.linked_at, i.used_at, i.shut_at
        FROM identity i JOIN account a ON a.id = i.account
        WHERE i.issuer = $1 ORDER BY a.name, i.subject LIMIT 1000";
    LINK = "INSERT INTO identity (issuer, subject, account, linked_at) VALUES ($1, $2, $3, $4)";
    UNLINK = "DELETE FROM identity WHERE issuer = $1 AND subject = $2 RETURNING account";
    USED = "UPDATE identity SET used_at = $3 WHERE issuer = $1 AND subject = $2";
    SHUT = "UPDATE identity SET shut_at = $3 WHERE issuer = $1 AND subject = $2";
    OPEN_ACCOUNT = "UPDATE account SET disabled_at = NULL WHERE id = $1";
    CLOSE_ACCOUNT = "UPDATE account SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL";
    LAST_ADMIN = "SELECT role = 'admin' AND disabled_at IS NULL AND NOT EXISTS (SELECT 1
          FROM account o WHERE o.role = 'admin' AND o.disabled_at IS NULL AND o.id <> account.id)
        FROM account WHERE id = $1";
    END_SESSIONS = "DELETE FROM session WHERE account = $1";
    NAME = "SELECT name FROM account WHERE id = $1";
    MAKE_ACCOUNT = "INSERT INTO account (name, role, password_hash, created_at, totp_due_at)
        VALUES ($1, $2, $3, $4, $5) RETURNING id";
    FORGET_USED = "DELETE FROM sign_in_used WHERE at < $1";
    USE = "INSERT INTO sign_in_used (digest, at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
}

/// A provider with its client's secret.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its number.
    pub id: i64,
    /// What is set.
    pub config: ProviderConfig,
    /// What its client proves itself with; empty for none.
    pub client_secret: Secret,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Whose a person at a provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Number of the account.
    pub account: i64,
    /// Whether the provider closed the account by giving no role.
    pub shut: bool,
}

type Row = (i64, String, Option<Vec<u8>>, i64);

fn provider((id, config, secret, created_at): Row, key: &Sealing<'_>) -> Result<Provider, Error> {
    let config = serde_json::from_str(&config)
        .map_err(|error| Error::Damaged(format!("sign-in provider {id}: {error}")))?;
    let secret = key.open_text(&purpose(id), secret.as_deref()).unwrap_or_default();
    let (client_secret, created_at) = (Secret::presented(secret), Timestamp(created_at));
    Ok(Provider { id, config, client_secret, created_at })
}

/// What the secret of a provider's client is sealed for.
fn purpose(id: i64) -> String {
    format!("sign-in provider {id}")
}

/// What is stored of the secret of a provider's client; nothing for a client without one.
fn sealed(id: i64, secret: &Secret, key: &Sealing<'_>) -> Result<Option<Vec<u8>>, Error> {
    let secret = secret.reveal();
    (!secret.is_empty()).then(|| key.seal(&purpose(id), secret.as_bytes())).transpose()
}

fn text(config: &ProviderConfig) -> Result<String, Error> {
    serde_json::to_string(config).map_err(|error| Error::Damaged(error.to_string()))
}

/// A provider as the audit log names it.
pub(crate) fn provider_words(id: i64, name: &str) -> String {
    format!("sign-in provider {id} {name}")
}

impl Store {
    /// All providers, in the order in which they were made.
    pub async fn providers(&self) -> Result<Vec<Provider>, Error> {
        let rows: Vec<Row> = on_backend!(self, read pool =>
            sqlx::query_as(ALL).fetch_all(pool).await?);
        let key = self.sealing()?;
        rows.into_iter().map(|row| provider(row, &key)).collect()
    }

    /// One provider.
    pub async fn provider(&self, id: i64) -> Result<Option<Provider>, Error> {
        let row: Option<Row> = on_backend!(self, read pool =>
            sqlx::query_as(GET).bind(id).fetch_optional(pool).await?);
        let key = self.sealing()?;
        row.map(|row| provider(row, &key)).transpose()
    }

    /// Makes a provider; its number.
    pub async fn create_provider(
        &self,
        config: &ProviderConfig,
        secret: &Secret,
        by: &By,
    ) -> Result<i64, Error> {
        let stored = text(config)?;
        let key = self.sealing()?;
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            only_key!(tx, key);
            let id: i64 = sqlx::query_scalar(INSERT)
                .bind(&stored)
                .bind(by.at.0)
                .fetch_one(&mut *tx)
                .await?;
            let sealed = sealed(id, secret, &key)?;
            sqlx::query(SET_SECRET).bind(id).bind(&sealed).execute(&mut *tx).await?;
            let words = provider_words(id, &config.name);
            record!(tx, &by.did("sign_in_provider_made", words, &stored));
            tx.commit().await?;
            Ok(id)
        })
    }

    /// Sets a provider; without a secret the one it has stays. Whoever came by an issuer that is
    /// left, or by one that is switched off, is signed out. `false` when there is none.
    pub async fn change_provider(
        &self,
        id: i64,
        config: &ProviderConfig,
        secret: Option<&Secret>,
        by: &By,
    ) -> Result<bool, Error> {
        let stored = text(config)?;
        let key = self.sealing()?;
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            only_key!(tx, key);
            let row: Option<Row> =
                sqlx::query_as(GET).bind(id).fetch_optional(&mut *tx).await?;
            let Some(before) = row.map(|row| provider(row, &key)).transpose()? else { return Ok(false) };
            sqlx::query(UPDATE).bind(id).bind(&stored).execute(&mut *tx).await?;
            if let Some(secret) = secret {
                let sealed = sealed(id, secret, &key)?;
                sqlx::query(SET_SECRET).bind(id).bind(&sealed).execute(&mut *tx).await?;
            }
            if before.config.issuer != config.issuer || !config.enabled {
                sqlx::query(END_SESSIONS_OF_ISSUER)
                    .bind(&before.config.issuer)
                    .execute(&mut *tx)
                    .await?;
            }
            let also = if secret.is_some() { "; with a new client secret" } else { "" };
            let words = provider_words(id, &config.name);
            record!(tx, &by.did("sign_in_provider_set", words, format!("{stored}{also}")));
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Takes a provider away; whoever came by it is signed out. Accounts and who they are there
    /// stay, for when it is made again. `false` when there is none.
    pub async fn delete_provider(&self, id: i64, by: &By) -> Result<bool, Error> {
        let key = self.sealing()?;
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let row: Option<Row> =
                sqlx::query_as(GET).bind(id).fetch_optional(&mut *tx).await?;
            let Some(before) = row.map(|row| provider(row, &key)).transpose()? else { return Ok(false) };
            sqlx::query(DELETE).bind(id).execute(&mut *tx).await?;
            let issuer = &before.config.issuer;
            sqlx::query(END_SESSIONS_OF_ISSUER).bind(issuer).execute(&mut *tx).await?;
            let words = provider_words(id, &before.config.name);
            record!(tx, &by.did("sign_in_provider_deleted", words, issuer));
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Whose this person is.
    pub async fn identity(&self, issuer: &str, subject: &str) -> Result<Option<Identity>, Error> {
        let row: Option<(i64, Option<i64>)> = on_backend!(self, read pool =>
            sqlx::query_as(IDENTITY).bind(issuer).bind(subject).fetch_optional(pool).await?);
        Ok(row.map(|(account, shut_at)| Identity { account, shut: shut_at.is_some() }))
    }

    /// The people of an issuer, by the name of their account; at most a thousand.
    pub async fn identities(&self, issuer: &str) -> Result<Vec<LinkedIdentity>, Error> {
        type Row = (String, String, i64, Option<i64>, Option<i64>);
        let rows: Vec<Row> = on_backend!(self, read pool =>
            sqlx::query_as(IDENTITIES).bind(issuer).fetch_all(pool).await?);
        let row = |(subject, account, linked_at, used_at, shut_at): Row| LinkedIdentity {
            subject,
            account,
            linked_at: Timestamp(linked_at),
            used_at: used_at.map(Timestamp),
            shut_at: shut_at.map(Timestamp),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Says that a person at a provider is this account. `Conflict` when the person has one.
    pub async fn link_identity(
        &self,
        issuer: &str,
        subject: &str,
        account: i64,
        by: &By,
    ) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let name: String =
                sqlx::query_scalar(NAME).bind(account).fetch_one(&mut *tx).await?;
            sqlx::query(LINK)
                .bind(issuer)
                .bind(subject)
                .bind(account)
                .bind(by.at.0)
                .execute(&mut *tx)
                .await?;
            let detail = format!("{subject} at {issuer}");
            record!(tx, &by.did("identity_linked", account_words(&name), detail));
            tx.commit().await?;
            Ok(())
        })
    }

    /// Takes such a link away and signs its account out. `false` when there is none.
    pub async fn unlink_identity(
        &self,
        issuer: &str,
        subject: &str,
        by: &By,
    ) -> Result<bool, Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let account: Option<i64> = sqlx::query_scalar(UNLINK)
                .bind(issuer)
                .bind(subject)
                .fetch_optional(&mut *tx)
                .await?;
            let Some(account) = account else { return Ok(false) };
            let name: String =
                sqlx::query_scalar(NAME).bind(account).fetch_one(&mut *tx).await?;
            sqlx::query(END_SESSIONS).bind(account).execute(&mut *tx).await?;
            let detail = format!("{subject} at {issuer}");
            record!(tx, &by.did("identity_unlinked", account_words(&name), detail));
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Makes an account without a password for a person at a provider; its number. `Conflict` when
    /// the name is taken or the person has one.
    pub async fn make_account_for(
        &self,
        issuer: &str,
        subject: &str,
        name: &str,
        role: Role,
        by: &By,
    ) -> Result<i64, Error> {
        let name = name.to_lowercase();
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let account: i64 = sqlx::query_scalar(MAKE_ACCOUNT)
                .bind(&name)
                .bind(role.as_str())
                .bind(NO_PASSWORD)
                .bind(by.at.0)
                .bind(by.at.plus_ms(GRACE_MS).0)
                .fetch_one(&mut *tx)
                .await?;
            sqlx::query(LINK)
                .bind(issuer)
                .bind(subject)
                .bind(account)
                .bind(by.at.0)
                .execute(&mut *tx)
                .await?;
            let detail = format!("may {}; {subject} at {issuer}", role.as_str());
            record!(tx, &by.did("account_made", account_words(&name), detail));
            tx.commit().await?;
            Ok(account)
        })
    }

    /// Notes that a person signed in.
    pub async fn identity_used(
        &self,
        issuer: &str,
        subject: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        on_backend!(self, write pool => sqlx::query(USED)
            .bind(issuer)
            .bind(subject)
            .bind(now.0)
            .execute(pool)
            .await
            .map(|_| ()))?;
        Ok(())
    }

    /// The provider gives this person no role any more: the account's sessions end, and it is
    /// closed, with its API tokens, until the provider gives one again. The last administrator's
    /// sessions end only.
    pub async fn shut_identity(&self, issuer: &str, subject: &str, by: &By) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let row: Option<(i64, Option<i64>)> = sqlx::query_as(IDENTITY)
                .bind(issuer)
                .bind(subject)
                .fetch_optional(&mut *tx)
                .await?;
            let Some((account, shut_at)) = row else { return Ok(()) };
            sqlx::query(END_SESSIONS).bind(account).execute(&mut *tx).await?;
            let last: bool =
                sqlx::query_scalar(LAST_ADMIN).bind(account).fetch_one(&mut *tx).await?;
            if shut_at.is_none() && !last {
                let closed =
                    sqlx::query(CLOSE_ACCOUNT).bind(account).bind(by.at.0).execute(&mut *tx).await?;
                if closed.rows_affected() > 0 {
                    sqlx::query(SHUT)
                        .bind(issuer)
                        .bind(subject)
                        .bind(by.at.0)
                        .execute(&mut *tx)
                        .await?;
                    let name: String =
                        sqlx::query_scalar(NAME).bind(account).fetch_one(&mut *tx).await?;
                    let why = "the provider names no group that gives a role";
                    record!(tx, &by.did("account_disabled", account_words(&name), why));
                }
            }
            tx.commit().await?;
            Ok(())
        })
    }

    /// The provider gives a role again to somebody whose account it closed.
    pub async fn reopen_identity(&self, issuer: &str, subject: &str, by: &By) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let row: Option<(i64, Option<i64>)> = sqlx::query_as(IDENTITY)
                .bind(issuer)
                .bind(subject)
                .fetch_optional(&mut *tx)
                .await?;
            let Some((account, Some(_))) = row else { return Ok(()) };
            sqlx::query(SHUT)
                .bind(issuer)
                .bind(subject)
                .bind(None::<i64>)
                .execute(&mut *tx)
                .await?;
            sqlx::query(OPEN_ACCOUNT).bind(account).execute(&mut *tx).await?;
            let name: String = sqlx::query_scalar(NAME).bind(account).fetch_one(&mut *tx).await?;
            let why = "the provider names a group that gives a role again";
            record!(tx, &by.did("account_enabled", account_words(&name), why));
            tx.commit().await?;
            Ok(())
        })
    }

    /// Uses an answer of a provider up. `false`: it was used before.
    pub async fn use_answer(&self, digest: Digest, now: Timestamp) -> Result<bool, Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            sqlx::query(FORGET_USED).bind(now.plus_ms(-HOUR_MS).0).execute(&mut *tx).await?;
            let used =
                sqlx::query(USE).bind(&digest.0[..]).bind(now.0).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(used.rows_affected() > 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::store_test;

    const ISSUER: &str = "https://login.example.org";

    fn by() -> By {
        By::new("clara", Timestamp(1_795_000_000_000))
    }

    fn config() -> ProviderConfig {
        ProviderConfig {
            name: "Example".to_owned(),
            issuer: ISSUER.to_owned(),
            client_id: "rollcall".to_owned(),
            enabled: true,
            ..ProviderConfig::default()
        }
    }

    store_test!(a_provider_keeps_its_secret_and_the_audit_log_does_not, |store| {
        let secret = Secret::presented("do-not-tell");
        let id = store.create_provider(&config(), &secret, &by()).await.unwrap();
        let renamed = ProviderConfig { name: "Other".to_owned(), ..config() };
        assert!(store.change_provider(id, &renamed, None, &by()).await.unwrap());
        let found = store.provider(id).await.unwrap().unwrap();
        assert_eq!((found.config, found.client_secret), (renamed.clone(), secret));
        let another = Secret::presented("neither-this");
        assert!(store.change_provider(id, &renamed, Some(&another), &by()).await.unwrap());
        assert_eq!(store.providers().await.unwrap()[0].client_secret, another);
        assert!(store.delete_provider(id, &by()).await.unwrap());
        assert!(!store.delete_provider(id, &by()).await.unwrap());
        assert!(!store.change_provider(id, &renamed, None, &by()).await.unwrap());
        let entries = store.newest_audit_entries(9).await.unwrap();
        assert_eq!(entries.len(), 4);
        let said = format!("{entries:?} {another:?}");
        assert!(!said.contains("do-not-tell") && !said.contains("neither-this"), "{said}");
    });

    store_test!(a_person_has_one_account_and_no_password, |store| {
        let anna = store.create_account("anna", Role::Admin, "hash", &by()).await.unwrap().id;
        let made = store.make_account_for(ISSUER, "s1", "Olga", Role::It, &by()).await.unwrap();
        assert_eq!(
            store.identity(ISSUER, "s1").await.unwrap(),
            Some(Identity { account: made, shut: false })
        );
        assert_eq!(store.identity("https://other.example", "s1").await.unwrap(), None);
        for (subject, name) in [("s2", "OLGA"), ("s1", "olga2")] {
            let taken = store.make_account_for(ISSUER, subject, name, Role::It, &by()).await;
            assert!(matches!(taken, Err(Error::Conflict)), "{subject} {name}");
        }
        let twice = store.link_identity(ISSUER, "s1", anna, &by()).await;
        assert!(matches!(twice, Err(Error::Conflict)));
        assert!(!store.account(made).await.unwrap().unwrap().has_password());
        store.identity_used(ISSUER, "s1", by().at).await.unwrap();
        let listed = store.identities(ISSUER).await.unwrap();
        assert_eq!((listed.len(), listed[0].used_at), (1, Some(by().at)));
        assert!(store.unlink_identity(ISSUER, "s1", &by()).await.unwrap());
        assert!(!store.unlink_identity(ISSUER, "s1", &by()).await.unwrap());
    });

    store_test!(who_has_no_role_any_more_is_closed_until_one_is_given, |store| {
        let anna = store.create_account("anna", Role::Admin, "hash", &by()).await.unwrap().id;
        store.link_identity(ISSUER, "anna", anna, &by()).await.unwrap();
        let olga = store.make_account_for(ISSUER, "olga", "olga", Role::It, &by()).await.unwrap();
        let closed =
            async |id| store.account(id).await.unwrap().unwrap().account.disabled_at.is_some();
        store.shut_identity(ISSUER, "olga", &by()).await.unwrap();
        assert!(closed(olga).await);
        store.reopen_identity(ISSUER, "olga", &by()).await.unwrap();
        assert!(!closed(olga).await);
        // What a person closed, the provider does not open.
        store.set_disabled(olga, true, &by()).await.unwrap();
        store.shut_identity(ISSUER, "olga", &by()).await.unwrap();
        store.reopen_identity(ISSUER, "olga", &by()).await.unwrap();
        assert!(closed(olga).await);
        store.shut_identity(ISSUER, "anna", &by()).await.unwrap();
        assert!(!closed(anna).await, "the last administrator stays");
    });

    store_test!(an_answer_counts_once, |store| {
        let (digest, at) = (Digest::of(b"nonce"), by().at);
        assert!(store.use_answer(digest, at).await.unwrap());
        assert!(!store.use_answer(digest, at.plus_ms(1)).await.unwrap());
        assert!(!store.use_answer(digest, at.plus_ms(HOUR_MS)).await.unwrap());
        assert!(store.use_answer(digest, at.plus_ms(HOUR_MS + 1)).await.unwrap(), "forgotten");
    });
}
