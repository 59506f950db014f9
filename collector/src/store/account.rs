//! People's accounts.

use rollcall_shared::Timestamp;
use rollcall_shared::api::account::{Account, Role};

use super::{Error, Store};

/// An account with the hash of its password.
#[derive(Debug, Clone)]
pub struct AccountRow {
    /// The account.
    pub account: Account,
    /// Its password's hash in PHC form.
    pub password_hash: String,
}

impl Store {
    /// The account with this sign-in name, in any case of letters.
    pub async fn account_by_name(&self, name: &str) -> Result<Option<AccountRow>, Error> {
        let _ = name;
        todo!()
    }

    /// All accounts, by name.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        todo!()
    }

    /// Whether an administrator exists that can sign in.
    pub async fn has_admin(&self) -> Result<bool, Error> {
        todo!()
    }

    /// Makes an account. `Conflict` when the name is taken.
    pub async fn create_account(
        &self,
        name: &str,
        role: Role,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<Account, Error> {
        let _ = (name, role, password_hash, now);
        todo!()
    }

    /// Sets a password and ends all sessions of the account. `false` when there is none.
    pub async fn set_password(&self, account: i64, password_hash: &str) -> Result<bool, Error> {
        let _ = (account, password_hash);
        todo!()
    }

    /// Sets a role and ends all sessions of the account. `Conflict` for the last administrator.
    pub async fn set_role(&self, account: i64, role: Role) -> Result<bool, Error> {
        let _ = (account, role);
        todo!()
    }

    /// Disables an account or enables it again (`None`), and ends its sessions. `Conflict` for
    /// the last administrator.
    pub async fn set_disabled(&self, account: i64, at: Option<Timestamp>) -> Result<bool, Error> {
        let _ = (account, at);
        todo!()
    }
}
