//! Sessions of people in browsers; only the hash of a session's secret is stored.

use rollcall_shared::api::account::Role;
use rollcall_shared::{Digest, Timestamp};

use super::audit::{AuditEntry, record};
use super::{BeginWrite as _, Error, Store, on_backend, queries};

queries! {
    INSERT = "INSERT INTO session (digest, account, created_at, used_at, expires_at) \
              VALUES ($1, $2, $3, $3, $4)";
    FIND = "SELECT s.account, a.name, a.role, s.created_at, s.used_at, s.expires_at \
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
}

type Row = (i64, String, String, i64, i64, i64);

impl Store {
    /// Begins a session, and forgets those that ended.
    pub async fn create_session(
        &self,
        session: &NewSession,
        entry: &AuditEntry,
    ) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            sqlx::query(SWEEP).bind(session.created_at.0).execute(&mut *tx).await?;
            sqlx::query(INSERT)
                .bind(&session.id.0[..])
                .bind(session.account)
                .bind(session.created_at.0)
                .bind(session.expires_at.0)
                .execute(&mut *tx)
                .await?;
            record!(tx, entry);
            tx.commit().await?;
        });
        Ok(())
    }

    /// The session with this id.
    pub async fn session(&self, id: Digest) -> Result<Option<SessionRow>, Error> {
        let found: Option<Row> = on_backend!(self, read pool =>
            sqlx::query_as(FIND).bind(&id.0[..]).fetch_optional(pool).await?);
        let Some((account, account_name, role, created_at, used_at, expires_at)) = found else {
            return Ok(None);
        };
        Ok(Some(SessionRow {
            account,
            account_name,
            role: super::role(&role)?,
            created_at: Timestamp(created_at),
            used_at: Timestamp(used_at),
            expires_at: Timestamp(expires_at),
        }))
    }

    /// Notes that a session was used.
    pub async fn touch_session(&self, id: Digest, now: Timestamp) -> Result<(), Error> {
        on_backend!(self, write pool =>
            sqlx::query(TOUCH).bind(&id.0[..]).bind(now.0).execute(pool).await.map(|_| ()))?;
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
        };
        store.create_session(&session(b"one"), &entry).await.unwrap();
        let found = store.session(Digest::of(b"one")).await.unwrap().unwrap();
        assert_eq!((found.account_name.as_str(), found.role), ("anna", Role::It));
        store.touch_session(Digest::of(b"one"), now.plus_ms(5)).await.unwrap();
        assert_eq!(store.session(Digest::of(b"one")).await.unwrap().unwrap().used_at.0, now.0 + 5);

        store.set_password(anna, "other", &by).await.unwrap();
        assert_eq!(store.session(Digest::of(b"one")).await.unwrap(), None);
        store.create_session(&session(b"two"), &entry).await.unwrap();
        store.sign_out(Digest::of(b"two"), &by.did("sign_out", "account anna", "")).await.unwrap();
        let newest = store.newest_audit_entries(3).await.unwrap();
        let actions: Vec<&str> = newest.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["sign_out", "sign_in", "password_set"]);
        assert_eq!(store.session(Digest::of(b"two")).await.unwrap(), None);
    });
}
