//! The places where the two databases really differ, side by side.

use sqlx::{PgPool, Postgres, QueryBuilder, Sqlite, SqlitePool, Transaction};

use super::statement::padded;

const LOCK_DEVICES: &str = "SELECT device FROM device_report WHERE device";

/// Begins a transaction that will write.
pub(crate) trait BeginWrite {
    /// The database behind the pool.
    type Db: sqlx::Database;

    /// Begins it, holding the right to write from the start.
    fn begin_write(
        &self,
    ) -> impl Future<Output = Result<Transaction<'static, Self::Db>, sqlx::Error>> + Send;

    /// Holds these devices (ascending) until the transaction ends, so that what it reads of them
    /// stays true.
    fn lock_devices(
        &self,
        tx: &mut Transaction<'static, Self::Db>,
        devices: &[i64],
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

impl BeginWrite for SqlitePool {
    type Db = Sqlite;

    /// A plain `BEGIN` would ask for the lock at its first write and could then fail at once.
    async fn begin_write(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.begin_with("BEGIN IMMEDIATE").await
    }

    /// Who writes is alone.
    async fn lock_devices(
        &self,
        _: &mut Transaction<'static, Sqlite>,
        _: &[i64],
    ) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

impl BeginWrite for PgPool {
    type Db = Postgres;

    async fn begin_write(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.begin().await
    }

    /// All in one order, so that two collectors wait for each other but never both.
    async fn lock_devices(
        &self,
        tx: &mut Transaction<'static, Postgres>,
        devices: &[i64],
    ) -> Result<(), sqlx::Error> {
        for keys in padded(devices) {
            let mut query = QueryBuilder::new(LOCK_DEVICES);
            query.push(" IN (");
            let mut list = query.separated(", ");
            for key in keys {
                list.push_bind(key);
            }
            query.push(") ORDER BY device FOR UPDATE");
            query.build().execute(&mut **tx).await?;
        }
        Ok(())
    }
}

/// Whether the same statement may succeed later without anybody changing it: the server is away,
/// the disk is full, somebody holds a lock.
pub(crate) fn passes_by_itself(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            // SQLite: extended result codes; their last byte is busy, locked, read-only, I/O
            // error, full or cannot open.
            let sqlite = error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some()
                && code
                    .parse::<u32>()
                    .is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14));
            // PostgreSQL: classes connection, resources, operator intervention, system error; a
            // standby that will take over, serialisation failure, deadlock.
            let postgres = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some()
                && (["08", "53", "57", "58"].iter().any(|class| code.starts_with(class))
                    || code == "25006"
                    || code == "40001"
                    || code == "40P01");
            sqlite || postgres
        }
        _ => false,
    }
}
