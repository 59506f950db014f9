//! The one-time secret that makes the first administrator.

use rollcall_shared::api::account::Role;
use rollcall_shared::{Digest, Timestamp};

use super::account::{GRACE_MS, account_words};
use super::audit::{By, record};
use super::{BeginWrite as _, Error, Store, on_backend, queries};

queries! {
    FORGET = "DELETE FROM setup_link WHERE used_at IS NULL";
    INSERT = "INSERT INTO setup_link (digest, created_at, expires_at) VALUES ($1, $2, $3)";
    VALID = "SELECT EXISTS (SELECT 1 FROM setup_link \
             WHERE digest = $1 AND used_at IS NULL AND expires_at > $2)";
    USE = "UPDATE setup_link SET used_at = $2 \
           WHERE digest = $1 AND used_at IS NULL AND expires_at > $2 \
           AND NOT EXISTS (SELECT 1 FROM account WHERE role = 'admin' AND disabled_at IS NULL)";
    INSERT_ADMIN = "INSERT INTO account (name, role, password_hash, created_at, totp_due_at) \
                    VALUES ($1, $2, $3, $4, $5)";
}

/// The first administrator to make.
#[derive(Debug, Clone)]
pub struct FirstAdmin {
    /// Sign-in name.
    pub name: String,
    /// Its password's hash in PHC form.
    pub password_hash: String,
    /// Hash of the presented secret.
    pub setup_secret: Digest,
    /// Now.
    pub now: Timestamp,
}

impl Store {
    /// Stores the hash of a new set-up secret in place of any older one.
    pub async fn put_setup_secret(
        &self,
        digest: Digest,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut transaction = pool.begin_write().await?;
            sqlx::query(FORGET).execute(&mut *transaction).await?;
            sqlx::query(INSERT)
                .bind(&digest.0[..])
                .bind(now.0)
                .bind(until.0)
                .execute(&mut *transaction)
                .await?;
            let by = By::new("collector", now);
            record!(transaction, &by.did("set_up_link_made", "set-up", format!("until {until}")));
            transaction.commit().await?;
        });
        Ok(())
    }

    /// Whether this secret may make the first administrator now.
    pub async fn setup_secret_valid(&self, digest: Digest, now: Timestamp) -> Result<bool, Error> {
        Ok(on_backend!(self, read pool =>
            sqlx::query_scalar(VALID).bind(&digest.0[..]).bind(now.0).fetch_one(pool).await?))
    }

    /// Uses the secret up and makes the administrator, both or neither. `false` when the secret
    /// is not valid or an administrator exists; `Conflict` when the name is taken.
    pub async fn create_first_admin(&self, admin: &FirstAdmin) -> Result<bool, Error> {
        on_backend!(self, write pool => {
            let mut transaction = pool.begin_write().await?;
            let used = sqlx::query(USE)
                .bind(&admin.setup_secret.0[..])
                .bind(admin.now.0)
                .execute(&mut *transaction)
                .await?;
            if used.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(INSERT_ADMIN)
                .bind(admin.name.to_lowercase())
                .bind(Role::Admin.as_str())
                .bind(&admin.password_hash)
                .bind(admin.now.0)
                .bind(admin.now.plus_ms(GRACE_MS).0)
                .execute(&mut *transaction)
                .await?;
            let name = admin.name.to_lowercase();
            let by = By::new(&name, admin.now);
            let said = "the first administrator, through the set-up link";
            record!(transaction, &by.did("account_made", account_words(&name), said));
            transaction.commit().await?;
            Ok(true)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::store_test;

    store_test!(a_link_makes_one_administrator, |store| {
        let now = Timestamp(1_795_000_000_000);
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        store.put_setup_secret(old, now, now.plus_ms(10)).await.unwrap();
        store.put_setup_secret(new, now, now.plus_ms(10)).await.unwrap();
        assert!(!store.setup_secret_valid(old, now).await.unwrap(), "replaced");
        assert!(store.setup_secret_valid(new, now).await.unwrap());
        assert!(!store.setup_secret_valid(new, now.plus_ms(10)).await.unwrap(), "too late");
        let admin = |secret, name: &str| FirstAdmin {
            name: name.into(),
            password_hash: "hash".into(),
            setup_secret: secret,
            now,
        };
        assert!(!store.create_first_admin(&admin(old, "eve")).await.unwrap());
        assert!(store.create_first_admin(&admin(new, "anna")).await.unwrap());
        assert!(!store.create_first_admin(&admin(new, "eve")).await.unwrap(), "used up");
        assert_eq!(store.accounts().await.unwrap().len(), 1);
    });
}
