//! Settings that people change while the collector runs, each a JSON document under its name.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::audit::{AuditEntry, record};
use super::{BeginWrite as _, Error, Store, on_backend, queries};

queries! {
    GET = "SELECT value FROM setting WHERE key = $1";
    PUT = "INSERT INTO setting (key, value) VALUES ($1, $2) \
           ON CONFLICT (key) DO UPDATE SET value = excluded.value";
}

/// Reads one of them.
pub(super) const GET_SETTING: &str = GET;
/// Sets one of them.
pub(super) const PUT_SETTING: &str = PUT;

impl Store {
    /// The setting of this name, if somebody set it.
    pub async fn setting<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let found: Option<String> = on_backend!(self, read pool =>
            sqlx::query_scalar(GET).bind(key).fetch_optional(pool).await?);
        let read = |text: String| {
            serde_json::from_str(&text)
                .map_err(|error| Error::Damaged(format!("setting `{key}`: {error}")))
        };
        found.map(read).transpose()
    }

    /// Notes something that the collector decided by itself.
    pub async fn put_setting<T: Serialize + Sync>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<(), Error> {
        let text = serde_json::to_string(value)
            .map_err(|error| Error::Damaged(format!("setting `{key}`: {error}")))?;
        on_backend!(self, write pool =>
            sqlx::query(PUT).bind(key).bind(text).execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    /// A person changes it.
    pub async fn change_setting<T: Serialize + Sync>(
        &self,
        key: &str,
        value: &T,
        entry: &AuditEntry,
    ) -> Result<(), Error> {
        let text = serde_json::to_string(value)
            .map_err(|error| Error::Damaged(format!("setting `{key}`: {error}")))?;
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            sqlx::query(PUT).bind(key).bind(text).execute(&mut *tx).await?;
            record!(tx, entry);
            tx.commit().await?;
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::store::testing::store_test;

    store_test!(the_last_value_counts, |store| {
        assert_eq!(store.setting::<u32>("days").await.unwrap(), None);
        store.put_setting("days", &7_u32).await.unwrap();
        store.put_setting("days", &8_u32).await.unwrap();
        assert_eq!(store.setting::<u32>("days").await.unwrap(), Some(8));
        assert!(store.setting::<Vec<u8>>("days").await.is_err());
    });
}
