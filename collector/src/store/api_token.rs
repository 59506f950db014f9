//! API tokens of programs; only the hash of a token's secret is stored.

use rollcall_shared::api::account::{ApiToken, Role};
use rollcall_shared::time::MINUTE_MS;
use rollcall_shared::{Digest, Timestamp};

use super::audit::{By, record};
use super::{BeginWrite as _, Error, Store, on_backend, queries};

queries! {
    FIND = "SELECT t.id, t.role, a.role, a.id, a.name, t.read_only FROM api_token t \
            JOIN account a ON a.id = t.account \
            WHERE t.digest = $1 AND t.revoked_at IS NULL AND t.expires_at > $2 \
            AND a.disabled_at IS NULL";
    TOUCH = "UPDATE api_token SET last_used_at = $2 \
             WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)";
    UNTOUCHED = "SELECT EXISTS (SELECT 1 FROM api_token \
                 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $2))";
    INSERT = "INSERT INTO api_token (digest, account, label, role, created_at, expires_at, \
              read_only) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
    LIST = "SELECT t.id, t.label, t.role, a.name, t.created_at, t.expires_at, t.last_used_at, \
            t.revoked_at, t.read_only FROM api_token t JOIN account a ON a.id = t.account \
            ORDER BY t.id DESC";
    LIST_OF = "SELECT t.id, t.label, t.role, a.name, t.created_at, t.expires_at, t.last_used_at, \
               t.revoked_at, t.read_only FROM api_token t JOIN account a ON a.id = t.account \
               WHERE t.account = $1 ORDER BY t.id DESC";
    REVOKE = "UPDATE api_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    REVOKE_OF = "UPDATE api_token SET revoked_at = $2 \
                 WHERE id = $1 AND revoked_at IS NULL AND account = $3";
}

/// A token that may be used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsableApiToken {
    /// Its number.
    pub token: i64,
    /// What it may do: its own role, and never more than its owner's today.
    pub role: Role,
    /// Number of its owner's account.
    pub account: i64,
    /// Its owner's sign-in name.
    pub account_name: String,
    /// It changes nothing.
    pub read_only: bool,
}

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewApiTokenRow {
    /// Hash of its secret.
    pub digest: Digest,
    /// What it is for.
    pub label: String,
    /// What it may do.
    pub role: Role,
    /// Whose it is.
    pub account: i64,
    /// That account's sign-in name.
    pub account_name: String,
    /// Now.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// It changes nothing.
    pub read_only: bool,
}

type Row = (i64, String, String, String, i64, i64, Option<i64>, Option<i64>, bool);

impl Store {
    /// The token with this hash, unless it ended, was revoked or its owner is disabled or may no
    /// longer do as much.
    pub async fn api_token_by_digest(
        &self,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Option<UsableApiToken>, Error> {
        let found: Option<(i64, String, String, i64, String, bool)> = on_backend!(self, read pool =>
            sqlx::query_as(FIND).bind(&digest.0[..]).bind(now.0).fetch_optional(pool).await?);
        let Some((token, role, owner, account, account_name, read_only)) = found else {
            return Ok(None);
        };
        let (role, owner) = (super::role(&role)?, super::role(&owner)?);
        let usable = UsableApiToken { token, role, account, account_name, read_only };
        Ok(owner.includes(role).then_some(usable))
    }

    /// Notes that a token was used; written at most once a minute.
    pub async fn touch_api_token(&self, token: i64, now: Timestamp) -> Result<(), Error> {
        let before = now.plus_ms(-MINUTE_MS).0;
        let due: bool = on_backend!(self, read pool =>
            sqlx::query_scalar(UNTOUCHED).bind(token).bind(before).fetch_one(pool).await?);
        if due {
            on_backend!(self, write pool => sqlx::query(TOUCH)
                .bind(token)
                .bind(now.0)
                .bind(before)
                .execute(pool)
                .await
                .map(|_| ()))?;
        }
        Ok(())
    }

    /// Makes a token.
    pub async fn create_api_token(&self, token: &NewApiTokenRow) -> Result<ApiToken, Error> {
        let id: i64 = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let id: i64 = sqlx::query_scalar(INSERT)
                .bind(&token.digest.0[..])
                .bind(token.account)
                .bind(&token.label)
                .bind(token.role.as_str())
                .bind(token.created_at.0)
                .bind(token.expires_at.0)
                .bind(token.read_only)
                .fetch_one(&mut *tx)
                .await?;
            let by = By::new(&token.account_name, token.created_at);
            let may = format!(
                "{}; may {}{} until {}",
                token.label,
                token.role.as_str(),
                if token.read_only { ", reading only," } else { "" },
                token.expires_at
            );
            record!(tx, &by.did("api_token_made", format!("API token {id}"), may));
            tx.commit().await?;
            id
        });
        Ok(ApiToken {
            id,
            label: token.label.clone(),
            role: token.role,
            owner: token.account_name.clone(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: None,
            revoked_at: None,
            read_only: token.read_only,
        })
    }

    /// The tokens of one account, or of all, newest first.
    pub async fn api_tokens(&self, account: Option<i64>) -> Result<Vec<ApiToken>, Error> {
        let found: Vec<Row> = on_backend!(self, read pool => match account {
            Some(account) => sqlx::query_as(LIST_OF).bind(account).fetch_all(pool).await?,
            None => sqlx::query_as(LIST).fetch_all(pool).await?,
        });
        let row = |row: Row| -> Result<ApiToken, Error> {
            let (
                id,
                label,
                role,
                owner,
                created_at,
                expires_at,
                last_used_at,
                revoked_at,
                read_only,
            ) = row;
            Ok(ApiToken {
                id,
                label,
                role: super::role(&role)?,
                owner,
                created_at: Timestamp(created_at),
                expires_at: Timestamp(expires_at),
                last_used_at: last_used_at.map(Timestamp),
                revoked_at: revoked_at.map(Timestamp),
                read_only,
            })
        };
        found.into_iter().map(row).collect()
    }

    /// Revokes a token, of one account or of any. `false` when there is none.
    pub async fn revoke_api_token(
        &self,
        token: i64,
        account: Option<i64>,
        by: &By,
    ) -> Result<bool, Error> {
        let changed = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let query = match account {
                Some(account) => sqlx::query(REVOKE_OF).bind(token).bind(by.at.0).bind(account),
                None => sqlx::query(REVOKE).bind(token).bind(by.at.0),
            };
            let changed = query.execute(&mut *tx).await?.rows_affected();
            if changed > 0 {
                record!(tx, &by.did("api_token_revoked", format!("API token {token}"), ""));
            }
            tx.commit().await?;
            changed
        });
        Ok(changed > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::store_test;

    store_test!(a_token_never_does_more_than_its_owner, |store| {
        let now = Timestamp(1_795_000_000_000);
        let by = By::new("test", now);
        let anna = store.create_account("anna", Role::Admin, "hash", &by).await.unwrap().id;
        store.create_account("ben", Role::Admin, "hash", &by).await.unwrap();
        let digest = Digest::of(b"secret");
        let new = NewApiTokenRow {
            digest,
            label: "backup".into(),
            role: Role::It,
            account: anna,
            account_name: "anna".into(),
            created_at: now,
            expires_at: now.plus_ms(100),
            read_only: false,
        };
        let made = store.create_api_token(&new).await.unwrap();
        let usable = store.api_token_by_digest(digest, now).await.unwrap().unwrap();
        assert_eq!((usable.token, usable.role), (made.id, Role::It));
        assert_eq!(store.api_token_by_digest(digest, now.plus_ms(100)).await.unwrap(), None);
        store.touch_api_token(made.id, now).await.unwrap();
        assert_eq!(store.api_tokens(Some(anna)).await.unwrap()[0].last_used_at, Some(now));

        store.set_role(anna, Role::Auditor, &by).await.unwrap();
        assert_eq!(store.api_token_by_digest(digest, now).await.unwrap(), None);
        store.set_role(anna, Role::It, &by).await.unwrap();
        assert!(store.api_token_by_digest(digest, now).await.unwrap().is_some());
        assert!(!store.revoke_api_token(made.id, Some(anna + 1), &by).await.unwrap());
        assert!(store.revoke_api_token(made.id, Some(anna), &by).await.unwrap());
        assert_eq!(store.api_token_by_digest(digest, now).await.unwrap(), None);
        assert_eq!(store.api_tokens(None).await.unwrap().len(), 1);
    });
}
