//! The audit log: what people and the collector did, each entry chained to the one before by its
//! hash, so that a missing or changed entry shows.

use rollcall_shared::{Digest, Timestamp};

use super::{BeginWrite as _, Error, Store, on_backend, queries};

queries! {
    LAST = "SELECT hash FROM audit ORDER BY id DESC LIMIT 1";
    APPEND = "INSERT INTO audit (at, actor, action, object, detail, previous_hash, hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    CHAIN = "SELECT id, at, actor, action, object, detail, previous_hash, hash FROM audit
        WHERE id > $1 ORDER BY id LIMIT 1000";
    NEWEST = "SELECT at, actor, action, object, detail, previous_hash, hash FROM audit
        ORDER BY id DESC LIMIT $1";
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: a person, or a part of the collector.
    pub actor: String,
    /// What was done, one word.
    pub action: String,
    /// To what.
    pub object: String,
    /// In words; never a secret.
    pub detail: String,
}

type ChainRow = (i64, i64, String, String, String, String, Vec<u8>, Vec<u8>);
type Row = (i64, String, String, String, String, Vec<u8>, Vec<u8>);

impl AuditEntry {
    /// The hash that the next entry carries.
    fn hash(&self, previous: &[u8]) -> Digest {
        let Self { at, actor, action, object, detail } = self;
        let mut bytes = previous.to_vec();
        bytes.extend_from_slice(&at.0.to_be_bytes());
        for text in [actor, action, object, detail] {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        Digest::of(&bytes)
    }
}

impl Store {
    /// Holds every entry against the one before: how many there are, and where the chain breaks.
    pub async fn verify_audit(&self) -> Result<(u64, Vec<String>), Error> {
        let (mut count, mut last, mut expected) = (0, -1, Vec::new());
        let mut broken = Vec::new();
        loop {
            let page: Vec<ChainRow> = on_backend!(self, read pool =>
                    sqlx::query_as(CHAIN).bind(last).fetch_all(pool).await?);
            let Some(newest) = page.last() else { return Ok((count, broken)) };
            last = newest.0;
            for (id, at, actor, action, object, detail, previous, hash) in page {
                count += 1;
                let entry = AuditEntry { at: Timestamp(at), actor, action, object, detail };
                if previous != expected {
                    broken
                        .push(format!("audit entry {id}: the one before it is missing or changed"));
                }
                if entry.hash(&previous).0[..] != hash[..] {
                    broken.push(format!("audit entry {id} was changed"));
                }
                expected = hash;
            }
        }
    }

    /// Adds an entry.
    pub async fn audit(&self, entry: &AuditEntry) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let last: Option<Vec<u8>> =
                sqlx::query_scalar(LAST).fetch_optional(&mut *tx).await?;
            let previous = last.unwrap_or_default();
            sqlx::query(APPEND)
                .bind(entry.at.0)
                .bind(&entry.actor)
                .bind(&entry.action)
                .bind(&entry.object)
                .bind(&entry.detail)
                .bind(previous.clone())
                .bind(entry.hash(&previous).0.to_vec())
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
        });
        Ok(())
    }

    /// The newest entries, newest first. [`Error::Damaged`] when their chain is broken.
    pub async fn newest_audit_entries(&self, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        let rows: Vec<Row> = on_backend!(self, read pool =>
            sqlx::query_as(NEWEST).bind(i64::from(limit)).fetch_all(pool).await?);
        let mut entries = Vec::with_capacity(rows.len());
        let mut next: Option<Vec<u8>> = None;
        for (at, actor, action, object, detail, previous, hash) in rows {
            let entry = AuditEntry { at: Timestamp(at), actor, action, object, detail };
            let whole = entry.hash(&previous).0[..] == hash[..];
            if !whole || next.is_some_and(|expected| expected != hash) {
                return Err(Error::Damaged(format!("the audit log at {}", entry.at)));
            }
            next = Some(previous);
            entries.push(entry);
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::store_test;

    store_test!(entries_are_chained_and_never_changed, |store| {
        let entry = |at: i64| AuditEntry {
            at: Timestamp(at),
            actor: "anna".into(),
            action: "tried".into(),
            object: "a thing".into(),
            detail: "'; DROP TABLE audit --".into(),
        };
        for at in 1..=3 {
            store.audit(&entry(at)).await.unwrap();
        }
        let found = store.newest_audit_entries(10).await.unwrap();
        assert_eq!(found, [entry(3), entry(2), entry(1)]);
        assert_eq!(store.newest_audit_entries(2).await.unwrap().len(), 2);
        for sql in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"] {
            let refused = on_backend!(store, write pool =>
                sqlx::query(sql).execute(pool).await.map(|_| ()));
            assert!(refused.is_err(), "{sql}");
        }
    });
}
