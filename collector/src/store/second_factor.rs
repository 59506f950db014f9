//! The second factor of an account: a secret shared with an app, which is stored sealed, and
//! recovery codes, of which only hashes are stored.

use rollcall_shared::{Digest, Timestamp};

use super::account::{GRACE_MS, account_words};
use super::audit::{By, record};
use super::sealed::only_key;
use super::{BeginWrite as _, Error, Store, on_backend, queries};

queries! {
    FIND = "SELECT a.name, a.totp_secret, a.totp_step, a.totp_due_at,
          (SELECT count(*) FROM recovery_code r WHERE r.account = a.id AND r.used_at IS NULL)
        FROM account a WHERE a.id = $1";
    NAME = "SELECT name FROM account WHERE id = $1";
    TURN_ON = "UPDATE account SET totp_secret = $2, totp_step = $3 WHERE id = $1";
    TURN_OFF = "UPDATE account SET totp_secret = NULL, totp_step = NULL, totp_due_at = $2
        WHERE id = $1";
    USE_STEP = "UPDATE account SET totp_step = $2
        WHERE id = $1 AND totp_secret IS NOT NULL AND (totp_step IS NULL OR totp_step < $2)";
    FORGET_CODES = "DELETE FROM recovery_code WHERE account = $1";
    INSERT_CODE = "INSERT INTO recovery_code (digest, account) VALUES ($1, $2)";
    USE_CODE = "UPDATE recovery_code SET used_at = $3
        WHERE account = $1 AND digest = $2 AND used_at IS NULL";
    END_SESSIONS = "DELETE FROM session WHERE account = $1";
}

/// What the secret of an account is sealed for.
fn purpose(account: i64) -> String {
    format!("totp {account}")
}

/// What is stored of an account's second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// What is shared with the app; `None` while there is no second factor.
    pub secret: Option<Vec<u8>>,
    /// The newest code that was used, by its number.
    pub last_step: Option<i64>,
    /// Until when an administrator may go without.
    pub due_at: Timestamp,
    /// Recovery codes that were not used yet.
    pub codes_left: u32,
}

type Row = (String, Option<Vec<u8>>, Option<i64>, Option<i64>, i64);

impl Store {
    /// The second factor of an account; `None` when there is no such account.
    pub async fn second_factor(&self, account: i64) -> Result<Option<SecondFactor>, Error> {
        let found: Option<Row> = on_backend!(self, read pool =>
            sqlx::query_as(FIND).bind(account).fetch_optional(pool).await?);
        let Some((_, sealed, last_step, due_at, left)) = found else { return Ok(None) };
        let secret = match sealed {
            Some(sealed) => {
                let opened = self.sealing()?.open(&purpose(account), &sealed);
                let damaged = || {
                    Error::Damaged(format!(
                        "the second factor of account {account} was not sealed by this \
                         collector's key for this account; `rollcall user reset` takes it away"
                    ))
                };
                Some(opened.ok_or_else(damaged)?)
            }
            None => None,
        };
        Ok(Some(SecondFactor {
            secret,
            last_step,
            due_at: Timestamp(due_at.unwrap_or_default()),
            codes_left: u32::try_from(left).unwrap_or_default(),
        }))
    }

    /// Turns it on, or gives it another secret. `step` is the number of the code that proved it.
    pub async fn turn_on_second_factor(
        &self,
        account: i64,
        secret: &[u8],
        step: i64,
        codes: &[Digest],
        by: &By,
    ) -> Result<(), Error> {
        let key = self.sealing()?;
        let sealed = key.seal(&purpose(account), secret)?;
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            only_key!(tx, key);
            let name: String =
                sqlx::query_scalar(NAME).bind(account).fetch_one(&mut *tx).await?;
            sqlx::query(TURN_ON)
                .bind(account)
                .bind(&sealed)
                .bind(step)
                .execute(&mut *tx)
                .await?;
            sqlx::query(FORGET_CODES).bind(account).execute(&mut *tx).await?;
            for code in codes {
                sqlx::query(INSERT_CODE).bind(&code.0[..]).bind(account).execute(&mut *tx).await?;
            }
            record!(tx, &by.did("second_factor_on", account_words(&name), ""));
            tx.commit().await?;
        });
        Ok(())
    }

    /// Turns it off; the account's sessions end. An administrator has a day to set up another.
    pub async fn turn_off_second_factor(&self, account: i64, by: &By) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let name: String =
                sqlx::query_scalar(NAME).bind(account).fetch_one(&mut *tx).await?;
            sqlx::query(TURN_OFF)
                .bind(account)
                .bind(by.at.plus_ms(GRACE_MS).0)
                .execute(&mut *tx)
                .await?;
            sqlx::query(FORGET_CODES).bind(account).execute(&mut *tx).await?;
            sqlx::query(END_SESSIONS).bind(account).execute(&mut *tx).await?;
            record!(tx, &by.did("second_factor_off", account_words(&name), ""));
            tx.commit().await?;
        });
        Ok(())
    }

    /// Replaces the recovery codes.
    pub async fn set_recovery_codes(
        &self,
        account: i64,
        codes: &[Digest],
        by: &By,
    ) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let name: String =
                sqlx::query_scalar(NAME).bind(account).fetch_one(&mut *tx).await?;
            sqlx::query(FORGET_CODES).bind(account).execute(&mut *tx).await?;
            for code in codes {
                sqlx::query(INSERT_CODE).bind(&code.0[..]).bind(account).execute(&mut *tx).await?;
            }
            record!(tx, &by.did("recovery_codes_made", account_words(&name), ""));
            tx.commit().await?;
        });
        Ok(())
    }

    /// Uses a code up by its number; `false` when it or a later one was used before.
    pub async fn use_code(&self, account: i64, step: i64) -> Result<bool, Error> {
        let changed = on_backend!(self, write pool => sqlx::query(USE_STEP)
            .bind(account)
            .bind(step)
            .execute(pool)
            .await?
            .rows_affected());
        Ok(changed > 0)
    }

    /// Uses a recovery code up; `false` when there is no such code.
    pub async fn use_recovery_code(
        &self,
        account: i64,
        code: Digest,
        by: &By,
    ) -> Result<bool, Error> {
        let used = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let used = sqlx::query(USE_CODE)
                .bind(account)
                .bind(&code.0[..])
                .bind(by.at.0)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            if used > 0 {
                record!(tx, &by.did("recovery_code_used", account_words(&by.actor), ""));
            }
            tx.commit().await?;
            used
        });
        Ok(used > 0)
    }
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;

    use super::*;
    use crate::seal::SealKey;
    use crate::store::testing::store_test;

    store_test!(a_stolen_database_gives_no_second_factor, |store| {
        let by = By::new("anna", Timestamp(1_795_000_000_000));
        let anna = store.create_account("anna", Role::Admin, "hash", &by).await.unwrap().id;
        let olga = store.create_account("olga", Role::It, "hash", &by).await.unwrap().id;
        let secret = b"twenty secret bytes!";
        store.turn_on_second_factor(anna, secret, 7, &[], &by).await.unwrap();
        let stored: Vec<u8> = on_backend!(store, read pool =>
            sqlx::query_scalar(STORED).bind(anna).fetch_one(pool).await.unwrap());
        assert!(!stored.windows(6).any(|part| secret.windows(6).any(|known| known == part)));
        // Whoever can write the tables cannot give a secret of theirs to somebody else.
        on_backend!(store, write pool =>
            sqlx::query(COPY).bind(olga).bind(&stored).execute(pool).await.map(|_| ()).unwrap());
        assert!(matches!(store.second_factor(olga).await, Err(Error::Damaged(_))));
        store.turn_off_second_factor(olga, &by).await.unwrap();
        // The database without its key.
        let thief = crate::store::testing::another(&store).await;
        assert!(thief.second_factor(anna).await.is_err());
        let refused = thief.seal_with(SealKey::random(), by.at).await;
        assert!(matches!(refused, Err(Error::OtherKey)), "{refused:?}");
        assert!(thief.second_factor(anna).await.is_err());
        // Nothing is left that another key could not open.
        store.turn_off_second_factor(anna, &by).await.unwrap();
        thief.seal_with(SealKey::random(), by.at).await.unwrap();
        let late = store.turn_on_second_factor(anna, secret, 9, &[], &by).await;
        assert!(matches!(late, Err(Error::OtherKey)), "one key for all collectors: {late:?}");
        thief.turn_on_second_factor(anna, secret, 9, &[], &by).await.unwrap();
        let read = thief.second_factor(anna).await.unwrap().unwrap();
        assert_eq!(read.secret.as_deref(), Some(&secret[..]));
    });

    const STORED: &str = "SELECT totp_secret FROM account WHERE id = $1";
    const COPY: &str = "UPDATE account SET totp_secret = $2 WHERE id = $1";

    store_test!(codes_are_used_once_and_turning_off_ends_all, |store| {
        let by = By::new("anna", Timestamp(1_795_000_000_000));
        let anna = store.create_account("anna", Role::Admin, "hash", &by).await.unwrap().id;
        let fresh = store.second_factor(anna).await.unwrap().unwrap();
        assert_eq!((fresh.secret, fresh.due_at), (None, by.at.plus_ms(GRACE_MS)));
        assert!(!store.use_code(anna, 7).await.unwrap(), "there is none yet");
        let codes = [Digest::of(b"one"), Digest::of(b"two")];
        store.turn_on_second_factor(anna, b"secret", 7, &codes, &by).await.unwrap();
        assert!(!store.use_code(anna, 7).await.unwrap());
        assert!(store.use_code(anna, 8).await.unwrap());
        assert!(store.use_recovery_code(anna, codes[0], &by).await.unwrap());
        assert!(!store.use_recovery_code(anna, codes[0], &by).await.unwrap());
        assert!(!store.use_recovery_code(anna + 1, codes[1], &by).await.unwrap());
        let on = store.second_factor(anna).await.unwrap().unwrap();
        assert_eq!((on.secret.as_deref(), on.last_step), (Some(&b"secret"[..]), Some(8)));
        assert_eq!(on.codes_left, 1);
        store.set_recovery_codes(anna, &[Digest::of(b"three")], &by).await.unwrap();
        assert!(!store.use_recovery_code(anna, codes[1], &by).await.unwrap());
        store.turn_off_second_factor(anna, &by).await.unwrap();
        let off = store.second_factor(anna).await.unwrap().unwrap();
        assert_eq!((off.secret, off.codes_left), (None, 0));
        assert_eq!(store.second_factor(99).await.unwrap(), None);
    });
}
