//! Sessions of people in browsers; only the hash of a session's secret is stored.

use rollcall_shared::api::account::Role;
use rollcall_shared::{Digest, Timestamp};

use super::{Error, Store};

/// A session to begin.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Hash of its secret.
    pub id: Digest,
    /// Whose it is.
    pub account: i64,
    /// Now.
    pub created_at: Timestamp,
}

/// A session and whose it is; disabled accounts have none.
#[derive(Debug, Clone)]
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
}

impl Store {
    /// Begins a session.
    pub async fn create_session(&self, session: &NewSession) -> Result<(), Error> {
        let _ = session;
        todo!()
    }

    /// The session with this id.
    pub async fn session(&self, id: Digest) -> Result<Option<SessionRow>, Error> {
        let _ = id;
        todo!()
    }

    /// Notes that a session was used.
    pub async fn touch_session(&self, id: Digest, now: Timestamp) -> Result<(), Error> {
        let _ = (id, now);
        todo!()
    }

    /// Ends a session.
    pub async fn end_session(&self, id: Digest) -> Result<(), Error> {
        let _ = id;
        todo!()
    }
}
