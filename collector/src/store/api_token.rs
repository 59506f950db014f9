//! API tokens of programs; only the hash of a token's secret is stored.

use rollcall_shared::api::account::{ApiToken, Role};
use rollcall_shared::{Digest, Timestamp};

use super::{Error, Store};

/// A token that may be used now.
#[derive(Debug, Clone)]
pub struct UsableApiToken {
    /// Its number.
    pub token: i64,
    /// What it may do: its own role, and never more than its owner's today.
    pub role: Role,
    /// Number of its owner's account.
    pub account: i64,
    /// Its owner's sign-in name.
    pub account_name: String,
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
    /// Now.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Store {
    /// The token with this hash, unless it ended, was revoked or its owner is disabled.
    pub async fn api_token_by_digest(
        &self,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Option<UsableApiToken>, Error> {
        let _ = (digest, now);
        todo!()
    }

    /// Notes that a token was used; written at most once a minute.
    pub async fn touch_api_token(&self, token: i64, now: Timestamp) -> Result<(), Error> {
        let _ = (token, now);
        todo!()
    }

    /// Makes a token.
    pub async fn create_api_token(&self, token: &NewApiTokenRow) -> Result<ApiToken, Error> {
        let _ = token;
        todo!()
    }

    /// The tokens of one account, or of all, newest first.
    pub async fn api_tokens(&self, account: Option<i64>) -> Result<Vec<ApiToken>, Error> {
        let _ = account;
        todo!()
    }

    /// Revokes a token, of one account or of any. `false` when there is none.
    pub async fn revoke_api_token(
        &self,
        token: i64,
        account: Option<i64>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let _ = (token, account, now);
        todo!()
    }
}
