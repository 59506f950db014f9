//! Enrolment tokens; only the hash of a token's secret is stored.

use rollcall_shared::api::token::EnrollmentToken;
use rollcall_shared::{Digest, Timestamp};

use super::{Error, Store};

/// A token to make; `id`, `uses` and `revoked_at` of the description are not read.
#[derive(Debug, Clone)]
pub struct NewTokenRow {
    /// Hash of its secret.
    pub digest: Digest,
    /// Everything else.
    pub token: EnrollmentToken,
}

impl Store {
    /// Makes a token.
    pub async fn create_token(&self, token: &NewTokenRow) -> Result<EnrollmentToken, Error> {
        let _ = token;
        todo!()
    }

    /// All tokens, newest first.
    pub async fn tokens(&self) -> Result<Vec<EnrollmentToken>, Error> {
        todo!()
    }

    /// Revokes a token. `false` when there is none that could still be used.
    pub async fn revoke_token(&self, id: i64, now: Timestamp) -> Result<bool, Error> {
        let _ = (id, now);
        todo!()
    }
}
