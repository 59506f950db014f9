//! The one-time secret that makes the first administrator.

use rollcall_shared::api::account::Role;
use rollcall_shared::{Digest, Timestamp};

use super::{Error, Store};

/// The first administrator to make.
#[derive(Debug, Clone)]
pub struct FirstAdmin {
    /// Sign-in name.
    pub name: String,
    /// What the account may do.
    pub role: Role,
    /// Its password's hash in PHC form.
    pub password_hash: String,
    /// Hash of the presented secret.
    pub setup_secret: Digest,
    /// Now.
    pub now: Timestamp,
}

impl Store {
    /// Stores the hash of a new set-up secret in place of any older one.
    pub async fn put_setup_secret(&self, digest: Digest, until: Timestamp) -> Result<(), Error> {
        let _ = (digest, until);
        todo!()
    }

    /// Whether this secret may make the first administrator now.
    pub async fn setup_secret_valid(&self, digest: Digest, now: Timestamp) -> Result<bool, Error> {
        let _ = (digest, now);
        todo!()
    }

    /// Uses the secret up and makes the administrator, both or neither. `false` when the secret
    /// is not valid or an administrator exists.
    pub async fn create_first_admin(&self, admin: &FirstAdmin) -> Result<bool, Error> {
        let _ = admin;
        todo!()
    }
}
