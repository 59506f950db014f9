//! The tables, on SQLite or PostgreSQL, behind one set of functions.
//!
//! SQL stands at the top of each file in `queries!`; one text serves both databases, and one test
//! prepares every statement on both. What truly differs stands in `dialect`. Reports are written
//! by the one writer task of `writer`; everything else writes in short transactions of its own.

pub mod account;
pub mod api_token;
pub mod audit;
pub mod audit_chain;
pub mod decision;
pub mod delivery;
pub mod device;
pub mod enroll;
pub mod examine;
pub mod feed;
pub mod finding;
pub mod finding_list;
pub mod history;
pub mod provider;
pub mod report;
pub mod retain;
pub mod scope;
pub mod second_factor;
pub mod session;
pub mod setting;
pub mod setup;
pub mod title;
pub mod title_set;
pub mod token;
pub mod unit;
pub mod unit_rule;
pub mod upgrade;
pub mod webhook;

mod batch;
pub mod contact;
mod dialect;
pub mod drift;
pub(crate) mod evidence;
pub mod follow;
pub(crate) mod judged;
pub mod key;
mod late;
pub mod lease;
pub mod listing;
mod load;
mod memory;
pub mod merge;
mod open;
mod plan;
mod row;
mod sealed;
mod shape;
mod state;
mod statement;
mod summary;
pub mod touch;
mod working;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use sqlx::{PgPool, SqlitePool};

pub(crate) use dialect::BeginWrite;
pub(crate) use open::copy_sqlite;

/// What can go wrong with the tables.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else changed the same thing at the same time, or it exists already.
    #[error("it was changed by somebody else at the same time, or it exists already")]
    Conflict,
    /// The database cannot be reached or cannot write now.
    #[error("the database is not available now; check its server, its disk space and its locks")]
    Unavailable(#[source] sqlx::Error),
    /// The file of the database cannot be written by this user.
    #[error(
        "the database file {path} cannot be written; give it and its folder to the user who runs \
         the collector, or name another with --data or --database"
    )]
    Unwritable {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Too many reports wait to be written.
    #[error("too many reports wait to be written; it passes by itself")]
    Busy,
    /// A newer program has changed the tables already.
    #[error(
        "the database has version {found} of its tables, this program knows up to version {known}; \
         start the newer program, or restore the copy made before the upgrade"
    )]
    Newer {
        /// Version of the tables.
        found: i64,
        /// Newest version that this program knows.
        known: i64,
    },
    /// The tables are those of an older program.
    #[error(
        "the database has version {found} of its tables, this program needs {known}; start the \
         collector once, it brings them up to date after making a copy"
    )]
    Older {
        /// Version of the tables.
        found: i64,
        /// Version that this program needs.
        known: i64,
    },
    /// The address of the database cannot be used.
    #[error("`{0}` is no database address; write sqlite:PATH or postgres://USER@SERVER/NAME")]
    Address(String),
    /// The secrets in the tables were sealed with another key than this collector's.
    #[error(
        "the secrets in the database are sealed with another key than that of this collector; \
         copy the key file ({file}) from a backup or from another collector on this database. \
         Where it is lost, `rollcall user reset NAME` takes a second factor away; when none is \
         left the collector starts with its own key, without the secrets of webhooks and \
         sign-in providers",
        file = crate::seal::FILE
    )]
    OtherKey,
    /// The tables could not be brought up to date.
    #[error("the tables could not be brought up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A stored value cannot be read.
    #[error("a stored value cannot be read: {0}")]
    Damaged(String),
    /// Anything else the database said.
    #[error("the database refused")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) {
            Self::Conflict
        } else if dialect::passes_by_itself(&error) {
            Self::Unavailable(error)
        } else {
            Self::Database(error)
        }
    }
}

/// The tables. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tables: Arc<Tables>,
    writer: writer::Handle,
    /// Tells this collector from others on the same database.
    name: String,
}

/// The database and what is remembered of it; shared with the writer task.
#[derive(Debug)]
pub(crate) struct Tables {
    database: Database,
    memory: memory::Memory,
}

impl Tables {
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn memory(&self) -> &memory::Memory {
        &self.memory
    }
}

/// The two native pools.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// One file: one connection writes, some read.
    Sqlite {
        /// The connection that writes.
        writer: SqlitePool,
        /// Connections that only read.
        readers: SqlitePool,
    },
    /// A PostgreSQL server.
    Postgres(PgPool),
}

impl Database {
    /// Lets go of it.
    async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Store {
    /// Opens the database at `sqlite:PATH` or `postgres://…` and brings its tables up to date.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::over(open::open(url).await?).await
    }

    /// The same, but waits no longer than this for what is remembered of each device; until then
    /// everything but reports is served ([`Store::takes_reports`]).
    pub async fn open_soon(url: &str, patience: Duration) -> Result<Self, Error> {
        let store = Self::knowing_few(open::open(url).await?).await?;
        let tables = Arc::clone(&store.inner.tables);
        let loading = tokio::spawn(async move { tables.load_devices_at_last().await });
        // Dropping the handle leaves the task running.
        let _ = tokio::time::timeout(patience, loading).await;
        Ok(store)
    }

    async fn over(database: Database) -> Result<Self, Error> {
        let store = Self::knowing_few(database).await?;
        store.tables().load_all_devices().await?;
        Ok(store)
    }

    /// Over tables of which all but the devices' states is remembered.
    async fn knowing_few(database: Database) -> Result<Self, Error> {
        let tables = Arc::new(Tables { database, memory: memory::Memory::default() });
        tables.load_few().await?;
        let writer = writer::start(Arc::clone(&tables));
        let name = uuid::Uuid::new_v4().to_string();
        Ok(Self { inner: Arc::new(Inner { tables, writer, name }) })
    }

    /// Whether what must be known of each device to take its report is in memory.
    pub fn takes_reports(&self) -> bool {
        self.memory().devices_known.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Opens the database without changing it: its tables must be those of this program.
    pub async fn open_unchanged(url: &str) -> Result<Self, Error> {
        Self::over(open::open_unchanged(url).await?).await
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.inner.tables
    }

    pub(crate) fn database(&self) -> &Database {
        self.inner.tables.database()
    }

    pub(crate) fn memory(&self) -> &memory::Memory {
        self.inner.tables.memory()
    }

    /// `sqlite` or `postgres`.
    pub fn backend(&self) -> &'static str {
        match self.database() {
            Database::Sqlite { .. } => "sqlite",
            Database::Postgres(_) => "postgres",
        }
    }

    /// Whether the last attempt to write reports or contacts succeeded.
    pub fn takes_writes(&self) -> bool {
        !self.memory().cannot_write.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Version of the tables.
    pub async fn version(&self) -> Result<i64, Error> {
        let found: Option<i64> = on_backend!(self, read pool =>
            sqlx::query_scalar(open::TABLES_VERSION).fetch_one(pool).await?);
        Ok(found.unwrap_or_default())
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        on_backend!(self, read pool => sqlx::query(PING).execute(pool).await.map(|_| ()))?;
        Ok(())
    }
}

/// Runs one Rust text on whichever database this is: `on_backend!(self, read pool => …)` or
/// `on_backend!(self, write pool => …)`. For a transaction that writes: `pool.begin_write().await?`.
macro_rules! on_backend {
    ($store:expr, read $pool:ident => $body:expr) => {
        match $store.database() {
            $crate::store::Database::Sqlite { readers: $pool, .. } => $body,
            $crate::store::Database::Postgres($pool) => $body,
        }
    };
    ($store:expr, write $pool:ident => $body:expr) => {
        match $store.database() {
            $crate::store::Database::Sqlite { writer: $pool, .. } => $body,
            $crate::store::Database::Postgres($pool) => $body,
        }
    };
}
pub(crate) use on_backend;

/// Names the statements of a file: a constant each, and `QUERIES`, the list of all of them, which
/// stands in `ALL_QUERIES` so that a test can prepare every one on both databases.
macro_rules! queries {
    ($($(#[$meta:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$meta])* const $name: &str = $sql;)*
        #[cfg(test)]
        pub(crate) const QUERIES: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use queries;

queries! {
    PING = "SELECT 1";
}

/// What several reads of one transaction see is of one moment; SQLite knows it no other way.
const ONE_MOMENT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";

/// Every statement of the store, by file.
#[cfg(test)]
pub(crate) const ALL_QUERIES: &[(&str, &[(&str, &str)])] = &[
    ("store", QUERIES),
    ("account", account::QUERIES),
    ("api_token", api_token::QUERIES),
    ("audit", audit::QUERIES),
    ("audit_chain", audit_chain::QUERIES),
    ("decision", decision::QUERIES),
    ("device", device::QUERIES),
    ("enroll", enroll::QUERIES),
    ("evidence", evidence::QUERIES),
    ("examine", examine::QUERIES),
    ("listing", listing::QUERIES),
    ("merge", merge::QUERIES),
    ("follow", follow::QUERIES),
    ("history", history::QUERIES),
    ("judged", judged::QUERIES),
    ("key", key::QUERIES),
    ("lease", lease::QUERIES),
    ("touch", touch::QUERIES),
    ("late", late::QUERIES),
    ("load", load::QUERIES),
    ("feed", feed::QUERIES),
    ("finding", finding::QUERIES),
    ("finding_list", finding_list::QUERIES),
    ("provider", provider::QUERIES),
    ("retain", retain::QUERIES),
    ("scope", scope::QUERIES),
    ("second_factor", second_factor::QUERIES),
    ("session", session::QUERIES),
    ("setting", setting::QUERIES),
    ("setup", setup::QUERIES),
    ("title_set", title_set::QUERIES),
    ("token", token::QUERIES),
    ("unit", unit::QUERIES),
    ("unit_rule", unit_rule::QUERIES),
    ("delivery", delivery::QUERIES),
    ("sealed", sealed::QUERIES),
    ("webhook", webhook::QUERIES),
    ("writer", writer::QUERIES),
];

/// A stored role.
fn role(word: &str) -> Result<rollcall_shared::api::account::Role, Error> {
    rollcall_shared::api::account::Role::from_word(word)
        .ok_or_else(|| Error::Damaged(format!("role `{word}`")))
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use sqlx::SqlSafeStr as _;

    use super::testing::store_test;
    use super::*;

    store_test!(every_statement_fits_the_tables, |store| {
        for (file, queries) in ALL_QUERIES {
            for (name, sql) in *queries {
                let prepared = on_backend!(store, read pool => {
                    use sqlx::Executor as _;
                    pool.prepare(sql.into_sql_str()).await.map(|_| ())
                });
                assert!(prepared.is_ok(), "{file}: {name}: {prepared:?}");
            }
        }
        // PostgreSQL learns the types of a bare list of values from what is bound to it.
        let bound = |head: &str| head.starts_with("UPDATE") && store.backend() == "postgres";
        let mut shapes: Vec<String> = shape::SHAPES
            .iter()
            .chain([&delivery::SHAPE])
            .filter(|(head, ..)| !bound(head))
            .map(|(head, columns, tail)| {
                let row: Vec<String> = (1..=*columns).map(|place| format!("${place}")).collect();
                format!("{head}VALUES ({}){tail}", row.join(", "))
            })
            .collect();
        let others = [
            touch::NUMBERS,
            evidence::IDS_OF,
            decision::SUSPECTED_OF,
            device::ROWS_OF,
            device::VALUES_OF,
            title_set::SETS_OF,
            judged::SYSTEMS_OF,
            finding::OPEN_OF,
            finding::WAIVED_OF,
        ];
        let heads = [batch::HEADS, state::HEADS, key::HEADS, &others];
        shapes.extend(heads.into_iter().flatten().map(|head| format!("{head} IN ($1)")));
        for sql in shapes {
            let prepared = on_backend!(store, read pool => {
                use sqlx::Executor as _;
                let sql = sqlx::AssertSqlSafe(sql.clone()).into_sql_str();
                pool.prepare(sql).await.map(|_| ())
            });
            assert!(prepared.is_ok(), "{sql}: {prepared:?}");
        }
        store.ping().await.unwrap();
    });

    /// What a distributed PostgreSQL asks of tables that are spread by device; the list stands in
    /// the deployment's documentation.
    #[tokio::test]
    async fn tables_spread_by_device_keep_to_the_device() {
        let Some(store) = testing::postgres().await else { return };
        let text = include_str!("../../../packaging/cluster/README.md");
        let row = text.lines().find(|line| line.starts_with("| distributed by `device`")).unwrap();
        let spread: Vec<&str> = row.split('`').skip(3).step_by(2).collect();
        assert!(spread.len() > 5 && spread.contains(&"software"), "{spread:?}");
        let Database::Postgres(pool) = store.database() else { panic!() };
        for table in spread {
            let told = |what: &str| format!("{table}: {what}");
            let columns: Vec<String> = sqlx::query_scalar(
                "SELECT string_agg(a.attname::text, ' ') FROM pg_index i
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                 WHERE i.indrelid = $1::text::regclass AND i.indisunique GROUP BY i.indexrelid",
            )
            .bind(table)
            .fetch_all(pool)
            .await
            .unwrap();
            assert!(!columns.is_empty(), "{}", told("no key"));
            for columns in columns {
                assert!(columns.split(' ').any(|one| one == "device"), "{}", told(&columns));
            }
            let others: i64 = sqlx::query_scalar(
                "SELECT (SELECT count(*) FROM pg_constraint WHERE contype = 'f'
                           AND $1::text::regclass IN (conrelid, confrelid))
                   + (SELECT count(*) FROM pg_trigger WHERE tgrelid = $1::text::regclass)
                   + (SELECT count(*) FROM pg_attribute WHERE attrelid = $1::text::regclass
                        AND attidentity <> '')",
            )
            .bind(table)
            .fetch_one(pool)
            .await
            .unwrap();
            assert_eq!(others, 0, "{}", told("a foreign key, trigger or sequence"));
        }
    }

    #[test]
    fn both_databases_have_equal_migrations() {
        let names = |folder: &str| {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let mut names: Vec<_> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names("migrations/sqlite"), names("migrations/postgres"));
    }
}
