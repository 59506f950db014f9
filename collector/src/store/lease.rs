//! What only one of several collectors may do at a time: whoever holds the lease does it, and loses
//! it when it does not renew it.
//!
//! The clocks of the collectors are compared, so a lease must last much longer than they differ.

use rollcall_shared::Timestamp;

use super::{Error, Store, on_backend, queries};

queries! {
    TAKE = "INSERT INTO lease (name, holder, until) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
        WHERE lease.holder = excluded.holder OR lease.until <= $4
        RETURNING holder";
    GIVE = "DELETE FROM lease WHERE holder = $1";
}

impl Store {
    /// Takes or renews the lease of this name until a moment. `false`: another collector has it.
    pub async fn take_lease(
        &self,
        name: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, Error> {
        let holder: Option<String> = on_backend!(self, write pool => sqlx::query_scalar(TAKE)
            .bind(name)
            .bind(&self.inner.name)
            .bind(until.0)
            .bind(now.0)
            .fetch_optional(pool)
            .await?);
        Ok(holder.is_some())
    }

    /// Gives up every lease, so that another collector need not wait for its end.
    pub async fn give_leases(&self) -> Result<(), Error> {
        on_backend!(self, write pool =>
            sqlx::query(GIVE).bind(&self.inner.name).execute(pool).await.map(|_| ()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{another, store_test};

    store_test!(one_holds_it_until_it_ends_or_is_given_up, |store| {
        let other = another(&store).await;
        let at = |minute: i64| Timestamp(1_790_000_000_000 + minute * 60_000);
        assert!(store.take_lease("judge", at(0), at(3)).await.unwrap());
        assert!(!other.take_lease("judge", at(1), at(4)).await.unwrap());
        assert!(other.take_lease("retention", at(1), at(4)).await.unwrap(), "each its own");
        assert!(store.take_lease("judge", at(2), at(5)).await.unwrap(), "it renews it");
        assert!(!other.take_lease("judge", at(4), at(7)).await.unwrap());
        assert!(other.take_lease("judge", at(5), at(8)).await.unwrap(), "it ended");
        assert!(!store.take_lease("judge", at(6), at(9)).await.unwrap());
        other.give_leases().await.unwrap();
        assert!(store.take_lease("judge", at(6), at(9)).await.unwrap());
    });
}
