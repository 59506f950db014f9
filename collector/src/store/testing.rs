//! A database per test, on both kinds of database.

use std::sync::Arc;

use rollcall_shared::Timestamp;
use sqlx::{AssertSqlSafe, Connection as _};

use super::{BeginWrite as _, Database, Store};
use crate::seal::SealKey;

/// Makes `name::sqlite` and `name::postgres` of one body. PostgreSQL is found through
/// `TEST_POSTGRES_URL`; without it that half says so and passes.
macro_rules! store_test {
    ($name:ident, |$store:ident| $body:block) => {
        mod $name {
            #[allow(
                clippy::allow_attributes,
                unused_imports,
                reason = "some bodies need nothing"
            )]
            use super::*;

            async fn body($store: $crate::store::Store) {
                $body
            }

            #[tokio::test]
            async fn sqlite() {
                let folder = tempfile::tempdir().unwrap();
                body($crate::store::testing::sqlite(folder.path()).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(store) = $crate::store::testing::postgres().await {
                    body(store).await;
                }
            }
        }
    };
}
pub(crate) use store_test;

/// A store in a new file of this folder.
pub(crate) async fn sqlite(folder: &std::path::Path) -> Store {
    let store = Store::open(&format!("sqlite:{}", folder.join("test.db").display())).await.unwrap();
    store.seal_with(SealKey::random(), Timestamp(0)).await.unwrap();
    store
}

/// The address of a new database on the server of `TEST_POSTGRES_URL`, if there is one.
pub(crate) async fn postgres_url() -> Option<String> {
    new_database("").await
}

/// The same, for a database whose usual order of texts ignores case and punctuation at first, as
/// most servers in the field do.
pub(crate) async fn postgres_url_ordered_otherwise() -> Option<String> {
    new_database("TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-u-ka-shifted'").await
}

async fn new_database(options: &str) -> Option<String> {
    let Ok(server) = std::env::var("TEST_POSTGRES_URL") else {
        eprintln!("skipped: TEST_POSTGRES_URL is not set");
        return None;
    };
    let name = format!("rollcall_test_{}", uuid::Uuid::new_v4().simple());
    let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name} {options}")))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let base = server.rsplit_once('/').unwrap().0;
    Some(format!("{base}/{name}"))
}

/// A store in a new PostgreSQL database.
pub(crate) async fn postgres() -> Option<Store> {
    let store = Store::open(&postgres_url().await?).await.unwrap();
    store.seal_with(SealKey::random(), Timestamp(0)).await.unwrap();
    Some(store)
}

/// A second collector on the same database, with the key of the first.
pub(crate) async fn colleague(store: &Store) -> Store {
    let other = another(store).await;
    if let Some(key) = store.memory().seal.get() {
        let _ = other.memory().seal.set(Arc::clone(key));
    }
    other
}

/// Somebody with the database alone.
pub(crate) async fn another(store: &Store) -> Store {
    let database = store.database().clone();
    Store::over(database).await.unwrap()
}

/// Runs SQL that the collector never runs, as the owner of the database can.
pub(crate) async fn run(store: &Store, sql: &str) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(sql.to_owned());
    super::on_backend!(store, write pool => sqlx::raw_sql(sql).execute(pool).await.map(|_| ()))
}

/// Makes a device's section `os` bytes that mean nothing.
pub(crate) async fn damage_section(store: &Store, device: super::device::DeviceKey) {
    let damage = "INSERT INTO section (device, name, at, digest, document) \
                  VALUES ($1, 'os', 1, $2, $2)";
    super::on_backend!(store, write pool => sqlx::query(damage)
        .bind(i64::from(device.0))
        .bind(vec![1_u8, 2, 3])
        .execute(pool)
        .await
        .map(|_| ())
        .unwrap());
}

/// Takes the tables back to before the reports of a device, its only one.
pub(crate) async fn go_back(store: &Store, device: super::device::DeviceKey) {
    let statements = [
        "DELETE FROM software WHERE device = $1",
        "DELETE FROM section WHERE device = $1",
        "DELETE FROM seen_value WHERE device = $1",
        "DELETE FROM device_touched WHERE device = $1",
        "DELETE FROM title WHERE id >= 0 AND $1 >= 0",
        "UPDATE device SET first_report_at = NULL WHERE key = $1",
        "UPDATE device_report SET report_id = '', seq = 0 WHERE device = $1",
        "UPDATE counter SET value = 1 WHERE name = 'change' AND $1 >= 0",
    ];
    for sql in statements {
        super::on_backend!(store, write pool => sqlx::query(sql)
            .bind(i64::from(device.0))
            .execute(pool)
            .await
            .map(|_| ())
            .unwrap());
    }
}

/// A transaction of somebody else that keeps every report waiting.
pub(crate) enum Held {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

/// Keeps the writer from writing reports until it is released.
pub(crate) async fn hold_writer(store: &Store) -> Held {
    match store.database() {
        Database::Sqlite { writer, .. } => Held::Sqlite(writer.begin_write().await.unwrap()),
        Database::Postgres(pool) => {
            let mut tx = pool.begin_write().await.unwrap();
            sqlx::query("LOCK TABLE device_report").execute(&mut *tx).await.unwrap();
            Held::Postgres(tx)
        }
    }
}

impl Held {
    /// Lets the writer go on.
    pub(crate) async fn release(self) {
        match self {
            Self::Sqlite(tx) => tx.rollback().await.unwrap(),
            Self::Postgres(tx) => tx.rollback().await.unwrap(),
        }
    }
}

impl Store {
    /// Two open findings for each of so many devices, the devices with them.
    pub(crate) async fn fill_findings(&self, devices: u32) {
        let device = "INSERT INTO device (key, uuid, hostname, os_name, summary, enrolled_at)
            WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
            SELECT i, '00000000-0000-4000-8000-' || substr('000000000000' || i, -12), 'lt-' || i,
              'Debian', '{}', 1 FROM n";
        let finding = "INSERT INTO finding (device, rule, subject, severity, opened_at, value,
              threshold, source, next_step, evidence, said_at)
            SELECT d.key, r.rule, '', r.severity, d.key * 7 % 1000, 'value', 'threshold', 'source',
              'next', '{}', 1
            FROM device d CROSS JOIN (SELECT 'missing' AS rule, 'warning' AS severity
              UNION ALL SELECT 'reboot_pending', 'info') AS r";
        super::on_backend!(self, write pool => {
            sqlx::query(device).bind(i64::from(devices)).execute(pool).await.unwrap();
            sqlx::query(finding).execute(pool).await.unwrap();
        });
    }
}
