//! Opens a database and brings its tables up to date.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Database, Error};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Connections that read a SQLite file beside the one that writes.
const SQLITE_READERS: u32 = 8;
/// Connections to a PostgreSQL server.
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a statement waits for a lock that another program holds.
const BUSY: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(10);

/// Opens `sqlite:PATH` (made when missing) or `postgres://…`.
pub(super) async fn open(url: &str) -> Result<Database, Error> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        open_sqlite(Path::new(path.strip_prefix("//").unwrap_or(path))).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        open_postgres(url).await
    } else {
        Err(Error::Address(without_password(url)))
    }
}

async fn open_sqlite(path: &Path) -> Result<Database, Error> {
    if path.as_os_str().is_empty() {
        return Err(Error::Address("sqlite:".into()));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .statement_cache_capacity(256);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE)
        .connect_with(options.clone().pragma("cache_size", "-131072"))
        .await?;
    copy_before_migrating(&writer, path).await?;
    SQLITE.run(&writer).await.map_err(|error| migration_error(error, &SQLITE))?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .acquire_timeout(ACQUIRE)
        .connect_with(options.pragma("cache_size", "-32768").pragma("query_only", "ON"))
        .await?;
    Ok(Database::Sqlite { writer, readers })
}

async fn open_postgres(url: &str) -> Result<Database, Error> {
    let options =
        PgConnectOptions::from_str(url).map_err(|_| Error::Address(without_password(url)))?;
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .connect_with(options.application_name("rollcall").statement_cache_capacity(256))
        .await?;
    POSTGRES.run(&pool).await.map_err(|error| migration_error(error, &POSTGRES))?;
    Ok(Database::Postgres(pool))
}

/// Keeps a copy of a file whose tables are about to change, named by the version it has.
async fn copy_before_migrating(writer: &SqlitePool, path: &Path) -> Result<(), Error> {
    let Ok(version) = sqlx::query_scalar::<_, Option<i64>>(
        "SELECT max(version) FROM _sqlx_migrations WHERE success",
    )
    .fetch_one(writer)
    .await
    else {
        return Ok(()); // A new file: no table of migrations yet.
    };
    let (version, known) = (version.unwrap_or_default(), newest(&SQLITE));
    if version == 0 || version >= known {
        return Ok(());
    }
    let mut copy = path.as_os_str().to_owned();
    copy.push(format!(".before-{:04}", version + 1));
    let copy = PathBuf::from(copy);
    if copy.exists() {
        return Ok(());
    }
    sqlx::query("VACUUM INTO $1").bind(copy.display().to_string()).execute(writer).await?;
    Ok(())
}

fn newest(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or_default()
}

fn migration_error(error: MigrateError, migrator: &Migrator) -> Error {
    match error {
        MigrateError::VersionMissing(found) if found > newest(migrator) => {
            Error::Newer { found, known: newest(migrator) }
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)
            if super::dialect::passes_by_itself(&error) =>
        {
            Error::Unavailable(error)
        }
        error => Error::Migrate(error),
    }
}

/// The address without what stands between the scheme and the server: it may be a password.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}://***{}", &url[..scheme], &url[at..])
        }
        _ => url.to_owned(),
    }
}
