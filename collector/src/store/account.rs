//! People's accounts.

use rollcall_shared::Timestamp;
use rollcall_shared::api::account::{Account, Role};
use rollcall_shared::time::DAY_MS;

use super::audit::{By, record};
use super::{BeginWrite as _, Error, Store, on_backend, queries};

queries! {
    BY_NAME = "SELECT id, name, role, created_at, disabled_at, password_hash, totp_secret IS NOT NULL \
               FROM account WHERE name = $1";
    BY_ID = "SELECT id, name, role, created_at, disabled_at, password_hash, totp_secret IS NOT NULL \
             FROM account WHERE id = $1";
    ALL = "SELECT id, name, role, created_at, disabled_at, password_hash, totp_secret IS NOT NULL \
           FROM account ORDER BY name";
    HAS_ADMIN = "SELECT EXISTS (SELECT 1 FROM account \
                 WHERE role = 'admin' AND disabled_at IS NULL)";
    OTHER_ADMIN = "SELECT EXISTS (SELECT 1 FROM account \
                   WHERE role = 'admin' AND disabled_at IS NULL AND id <> $1 \
                   AND id NOT IN (SELECT account FROM account_scope))";
    INSERT = "INSERT INTO account (name, role, password_hash, created_at, totp_due_at) \
              VALUES ($1, $2, $3, $4, $5) RETURNING id";
    SET_PASSWORD = "UPDATE account SET password_hash = $2 WHERE id = $1";
    SET_ROLE = "UPDATE account SET role = $2, totp_due_at = $3 WHERE id = $1";
    SET_DISABLED = "UPDATE account SET disabled_at = $2 WHERE id = $1";
    END_SESSIONS = "DELETE FROM session WHERE account = $1";
}

/// Makes an account within a transaction.
pub(super) const INSERT_ACCOUNT: &str = INSERT;

/// How long an administrator may go without a second factor.
pub const GRACE_MS: i64 = DAY_MS;

/// An account with the hash of its password.
#[derive(Debug, Clone)]
pub struct AccountRow {
    /// The account.
    pub account: Account,
    /// Its password's hash in PHC form.
    pub password_hash: String,
}

/// Stands where a password's hash would for people who come by a provider; no password gives it.
pub(super) const NO_PASSWORD: &str = "!";

impl AccountRow {
    /// Whether the person may sign in with a password.
    pub fn has_password(&self) -> bool {
        self.password_hash != NO_PASSWORD
    }
}

type Row = (i64, String, String, i64, Option<i64>, String, bool);

fn row(
    (id, name, role, created_at, disabled_at, password_hash, second_factor): Row,
) -> Result<AccountRow, Error> {
    let role = super::role(&role)?;
    let account = Account {
        id,
        name,
        role,
        created_at: Timestamp(created_at),
        disabled_at: disabled_at.map(Timestamp),
        second_factor,
    };
    Ok(AccountRow { account, password_hash })
}

/// What is changed of an account; each of them ends its sessions.
enum Change<'a> {
    Password(&'a str),
    Role(Role),
    Disabled(Option<Timestamp>),
}

impl Store {
    /// The account with this sign-in name, in any case of letters.
    pub async fn account_by_name(&self, name: &str) -> Result<Option<AccountRow>, Error> {
        let name = name.to_lowercase();
        let found: Option<Row> = on_backend!(self, read pool =>
            sqlx::query_as(BY_NAME).bind(name).fetch_optional(pool).await?);
        found.map(row).transpose()
    }

    /// The account with this number.
    pub async fn account(&self, id: i64) -> Result<Option<AccountRow>, Error> {
        let found: Option<Row> = on_backend!(self, read pool =>
            sqlx::query_as(BY_ID).bind(id).fetch_optional(pool).await?);
        found.map(row).transpose()
    }

    /// All accounts, by name.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        let found: Vec<Row> = on_backend!(self, read pool =>
            sqlx::query_as(ALL).fetch_all(pool).await?);
        found.into_iter().map(|found| Ok(row(found)?.account)).collect()
    }

    /// Whether an administrator exists that can sign in.
    pub async fn has_admin(&self) -> Result<bool, Error> {
        Ok(on_backend!(self, read pool => sqlx::query_scalar(HAS_ADMIN).fetch_one(pool).await?))
    }

    /// Makes an account. `Conflict` when the name is taken. Names are kept in lower case.
    pub async fn create_account(
        &self,
        name: &str,
        role: Role,
        password_hash: &str,
        by: &By,
    ) -> Result<Account, Error> {
        let name = name.to_lowercase();
        let entry = by.did("account_made", account_words(&name), format!("may {}", role.as_str()));
        let id: i64 = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let id = sqlx::query_scalar(INSERT)
                .bind(&name)
                .bind(role.as_str())
                .bind(password_hash)
                .bind(by.at.0)
                .bind(by.at.plus_ms(GRACE_MS).0)
                .fetch_one(&mut *tx)
                .await?;
            record!(tx, &entry);
            tx.commit().await?;
            id
        });
        Ok(Account { id, name, role, created_at: by.at, disabled_at: None, second_factor: false })
    }

    /// Sets a password and ends all sessions of the account. `false` when there is none.
    pub async fn set_password(
        &self,
        account: i64,
        password_hash: &str,
        by: &By,
    ) -> Result<bool, Error> {
        self.change_account(account, Change::Password(password_hash), by).await
    }

    /// Sets a role and ends all sessions of the account. `Conflict` for the last administrator.
    pub async fn set_role(&self, account: i64, role: Role, by: &By) -> Result<bool, Error> {
        self.change_account(account, Change::Role(role), by).await
    }

    /// Disables an account or enables it again, and ends its sessions. `Conflict` for the last
    /// administrator.
    pub async fn set_disabled(&self, account: i64, disabled: bool, by: &By) -> Result<bool, Error> {
        let at = disabled.then_some(by.at);
        self.change_account(account, Change::Disabled(at), by).await
    }

    async fn change_account(
        &self,
        account: i64,
        change: Change<'_>,
        by: &By,
    ) -> Result<bool, Error> {
        on_backend!(self, write pool => {
            let mut transaction = pool.begin_write().await?;
            let found: Option<Row> =
                sqlx::query_as(BY_ID).bind(account).fetch_optional(&mut *transaction).await?;
            let Some(before) = found else { return Ok(false) };
            let may_lose_admin = match change {
                Change::Password(_) | Change::Role(Role::Admin) | Change::Disabled(None) => false,
                Change::Role(_) | Change::Disabled(Some(_)) => true,
            };
            if may_lose_admin {
                let other: bool = sqlx::query_scalar(OTHER_ADMIN)
                    .bind(account)
                    .fetch_one(&mut *transaction)
                    .await?;
                if before.2 == Role::Admin.as_str() && !other {
                    return Err(Error::Conflict);
                }
            }
            let query = match change {
                Change::Password(hash) => sqlx::query(SET_PASSWORD).bind(account).bind(hash),
                Change::Role(role) => sqlx::query(SET_ROLE)
                    .bind(account)
                    .bind(role.as_str())
                    .bind(by.at.plus_ms(GRACE_MS).0),
                Change::Disabled(at) => {
                    sqlx::query(SET_DISABLED).bind(account).bind(at.map(|at| at.0))
                }
            };
            query.execute(&mut *transaction).await?;
            sqlx::query(END_SESSIONS).bind(account).execute(&mut *transaction).await?;
            let (action, detail) = match change {
                Change::Password(_) => ("password_set", String::new()),
                Change::Role(role) => ("role_set", format!("{} -> {}", before.2, role.as_str())),
                Change::Disabled(Some(_)) => ("account_disabled", String::new()),
                Change::Disabled(None) => ("account_enabled", String::new()),
            };
            record!(transaction, &by.did(action, account_words(&before.1), detail));
            transaction.commit().await?;
            Ok(true)
        })
    }
}

/// An account as the audit log names it.
pub(crate) fn account_words(name: &str) -> String {
    format!("account {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::store_test;

    fn by() -> By {
        By::new("test", Timestamp(1_795_000_000_000))
    }

    store_test!(names_are_unique_in_any_case, |store| {
        assert!(!store.has_admin().await.unwrap());
        let anna = store.create_account("Anna", Role::Admin, "hash", &by()).await.unwrap();
        assert!(store.has_admin().await.unwrap());
        let again = store.create_account("ANNA", Role::It, "hash", &by()).await;
        assert!(matches!(again, Err(Error::Conflict)));
        let found = store.account_by_name("aNNa").await.unwrap().unwrap();
        assert_eq!((found.account, found.password_hash.as_str()), (anna, "hash"));
    });

    store_test!(the_last_administrator_stays, |store| {
        let anna = store.create_account("anna", Role::Admin, "hash", &by()).await.unwrap().id;
        let fails = store.set_role(anna, Role::It, &by()).await;
        assert!(matches!(fails, Err(Error::Conflict)));
        assert!(matches!(store.set_disabled(anna, true, &by()).await, Err(Error::Conflict)));
        store.create_account("ben", Role::Admin, "hash", &by()).await.unwrap();
        assert!(store.set_disabled(anna, true, &by()).await.unwrap());
        assert!(!store.set_password(99, "other", &by()).await.unwrap());
        assert_eq!(store.accounts().await.unwrap().len(), 2);
    });
}
