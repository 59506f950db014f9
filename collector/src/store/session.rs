//! Sessions of people in browsers; only the hash of a session's secret is stored.

use rollcall_shared::api::account::Role;
use rollcall_shared::{Digest, Timestamp};

use super::audit::{AuditEntry, record};
use super::{BeginWrite as _, Error, Store, on_backend, queries};

queries! {
    INSERT = "INSERT INTO session (digest, account, created_at, used_at, expires_at, client, \
              awaits) VALUES ($1, $2, $3, $3, $4, $5, $6)";
    OF_ACCOUNT = "SELECT digest, created_at, used_at, client FROM session \
                  WHERE account = $1 AND awaits IS NULL AND expires_at > $2 \
                  ORDER BY used_at DESC, created_at DESC LIMIT 100";
    END_ALL = "DELETE FROM session WHERE account = $1";
    FIND = "SELECT s.account, a.name, a.role, s.created_at, s.used_at, s.expires_at, s.awaits \
            FROM session s JOIN account a ON a.id = s.account \
            WHERE s.digest = $1 AND a.disabled_at IS NULL";
    TOUCH = "UPDATE session SET used_at = $2 WHERE digest = $1";
    END = "DELETE FROM session WHERE digest = $1";
    SWEEP = "DELETE FROM session WHERE expires_at <= $1";
}

/// A session to begin.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Hash of its secret.
    pub id: Digest,
    /// Whose it is.
    pub account: i64,
    /// Now.
    pub created_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// From where, in words.
    pub client: String,
    /// What must come before it opens anything.
    pub awaits: Option<Awaits>,
}

/// What a session waits for after the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaits {
    /// A code of the second factor.
    Code,
    /// That a second factor is set up.
    SetUp,
}

impl Awaits {
    fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::SetUp => "set_up",
        }
    }

    fn from_word(word: &str) -> Result<Self, Error> {
        [Self::Code, Self::SetUp]
            .into_iter()
            .find(|one| one.as_str() == word)
            .ok_or_else(|| Error::Damaged(format!("session awaits `{word}`")))
    }
}

/// One session in the list that its owner sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Names it.
    pub id: Digest,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Timestamp,
    /// From where, in words.
    pub client: String,
}

/// A session and whose it is; disabled accounts have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Number of the account.
    pub account: i64,
    /// Its sign-in name.
    pub account_name: String,
    /// What it may do today.
    pub role: Role,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// What must come before it opens anything.
    pub awaits: Option<Awaits>,
}

type Row = (i64, String, String, i64, i64, i64, Option<String>);

impl Store {
    /// Begins a session, and forgets those that ended.
    pub async fn create_session(
        &self,
        session: &NewSession,
        entry: Option<&AuditEntry>,
    ) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            sqlx::query(SWEEP).bind(session.created_at.0).execute(&mut *tx).await?;
            sqlx::query(INSERT)
                .bind(&session.id.0[..])
                .bind(session.account)
                .bind(session.created_at.0)
                .bind(session.expires_at.0)
                .bind(&session.client)
                .bind(session.awaits.map(Awaits::as_str))
                .execute(&mut *tx)
                .await?;
            if let Some(entry) = entry {
                record!(tx, entry);
            }
            tx.commit().await?;
        });
        Ok(())
    }

    /// The session with this id.
    pub async fn session(&self, id: Digest) -> Result<Option<SessionRow>, Error> {
        let found: Option<Row> = on_backend!(self, read pool =>
            sqlx::query_as(FIND).bind(&id.0[..]).fetch_optional(pool).await?);
        let Some((account, account_name, role, created_at, used_at, expires_at, awaits)) = found
        else {
            return Ok(None);
        };
        Ok(Some(SessionRow {
            account,
            account_name,
            role: super::role(&role)?,
            created_at: Timestamp(created_at),
            used_at: Timestamp(used_at),
            expires_at: Timestamp(expires_at),
            awaits: awaits.as_deref().map(Awaits::from_word).transpose()?,
        }))
    }

    /// Notes that a session was used.
    pub async fn touch_session(&self, id: Digest, now: Timestamp) -> Result<(), Error> {
        on_backend!(self, write pool =>
            sqlx::query(TOUCH).bind(&id.0[..]).bind(now.0).execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    /// The open sessions of an account, the one used last first.
    pub async fn sessions_of(
        &self,
        account: i64,
        now: Timestamp,
    ) -> Result<Vec<OpenSession>, Error> {
        let rows: Vec<(Vec<u8>, i64, i64, String)> = on_backend!(self, read pool =>
            sqlx::query_as(OF_ACCOUNT).bind(account).bind(now.0).fetch_all(pool).await?);
        let row = |(digest, created_at, used_at, client): (Vec<u8>, i64, i64, String)| {
            let id = Digest::from_slice(&digest);
            Ok(OpenSession {
                id: id.ok_or_else(|| Error::Damaged("session: column digest".to_owned()))?,
                created_at: Timestamp(created_at),
                used_at: Timestamp(used_at),
                client,
            })
        };
        rows.into_iter().map(row).collect()
    }

    /// A person ends all sessions of an account.
    pub async fn end_sessions(&self, account: i64, entry: &AuditEntry) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            sqlx::query(END_ALL).bind(account).execute(&mut *tx).await?;
            record!(tx, entry);
            tx.commit().await?;
        });
        Ok(())
    }

    /// A person ends their session.
    pub async fn sign_out(&self, id: Digest, entry: &AuditEntry) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let ended = sqlx::query(END).bind(&id.0[..]).execute(&mut *tx).await?;
            if ended.rows_affected() > 0 {
                record!(tx, entry);
            }
            tx.commit().await?;
        });
        Ok(())
    }

    /// Ends a session whose time is over.
    pub async fn end_session(&self, id: Digest) -> Result<(), Error> {
        on_backend!(self, write pool =>
            sqlx::query(END).bind(&id.0[..]).execute(pool).await.map(|_| ()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::store_test;

    store_test!(a_session_ends_with_its_account, |store| {
        let now = Timestamp(1_795_000_000_000);
        let by = crate::store::audit::By::new("anna", now);
        let entry = by.did("sign_in", "account anna", "");
        let anna = store.create_account("anna", Role::It, "hash", &by).await.unwrap().id;
        let session = |id: &[u8]| NewSession {
            id: Digest::of(id),
            account: anna,
            created_at: now,
            expires_at: now.plus_ms(10),
            client: "Firefox on Linux, 192.0.2.1".to_owned(),
            awaits: None,
        };
        store.create_session(&session(b"one"), Some(&entry)).await.unwrap();
        let found = store.session(Digest::of(b"one")).await.unwrap().unwrap();
        assert_eq!((found.account_name.as_str(), found.role), ("anna", Role::It));
        let listed = store.sessions_of(anna, now).await.unwrap();
        assert_eq!((listed.len(), listed[0].client.as_str()), (1, "Firefox on Linux, 192.0.2.1"));
        let waits = NewSession { awaits: Some(Awaits::Code), ..session(b"waits") };
        store.create_session(&waits, None).await.unwrap();
        let found = store.session(waits.id).await.unwrap().unwrap();
        assert_eq!(found.awaits, Some(Awaits::Code));
        assert_eq!(store.sessions_of(anna, now).await.unwrap().len(), 1, "it opens nothing");
        store.touch_session(Digest::of(b"one"), now.plus_ms(5)).await.unwrap();
        assert_eq!(store.session(Digest::of(b"one")).await.unwrap().unwrap().used_at.0, now.0 + 5);

        store.set_password(anna, "other", &by).await.unwrap();
        assert_eq!(store.session(Digest::of(b"one")).await.unwrap(), None);
        store.create_session(&session(b"two"), Some(&entry)).await.unwrap();
        store.sign_out(Digest::of(b"two"), &by.did("sign_out", "account anna", "")).await.unwrap();
        let newest = store.newest_audit_entries(3).await.unwrap();
        let actions: Vec<&str> = newest.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["sign_out", "sign_in", "password_set"]);
        assert_eq!(store.session(Digest::of(b"two")).await.unwrap(), None);
    });
}
