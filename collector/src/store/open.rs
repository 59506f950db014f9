//! Opens a database and brings its tables up to date.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqlitePool};

use super::{Database, Error};

pub(super) static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
pub(super) static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Connections that read a SQLite file beside the one that writes.
const SQLITE_READERS: u32 = 8;
/// Connections to a PostgreSQL server.
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a statement waits for a lock that another program holds.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection.
pub(super) const ACQUIRE: Duration = Duration::from_secs(10);

/// Opens `sqlite:PATH` (made when missing) or `postgres://…`.
pub(super) async fn open(url: &str) -> Result<Database, Error> {
    if let Some(path) = sqlite_path(url) {
        open_sqlite(path).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        open_postgres(url).await
    } else {
        Err(Error::Address(without_password(url)))
    }
}

/// The file of a `sqlite:PATH`.
pub(super) fn sqlite_path(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite:")?;
    Some(Path::new(path.strip_prefix("//").unwrap_or(path)))
}

pub(super) fn postgres_options(url: &str) -> Result<PgConnectOptions, Error> {
    let options =
        PgConnectOptions::from_str(url).map_err(|_| Error::Address(without_password(url)))?;
    Ok(options.application_name("rollcall"))
}

async fn open_sqlite(path: &Path) -> Result<Database, Error> {
    if path.as_os_str().is_empty() {
        return Err(Error::Address("sqlite:".into()));
    }
    keep_private(path)?;
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
        // A full or failing disk makes SQLite end a transaction by itself. The connection is then
        // taken for one that still is in it, and would never begin another.
        .after_release(|connection, _| {
            Box::pin(async move {
                // Waits for the rollback that is under way.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_with(options.clone().pragma("cache_size", "-65536"))
        .await?;
    copy_before_migrating(&writer, path).await?;
    SQLITE.run(&writer).await.map_err(|error| migration_error(error, &SQLITE))?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .acquire_timeout(ACQUIRE)
        .connect_with(options.pragma("cache_size", "-8192").pragma("query_only", "ON"))
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

/// Opens a database whose tables are those of this program, and changes nothing.
pub(super) async fn open_unchanged(url: &str) -> Result<Database, Error> {
    if let Some(path) = sqlite_path(url) {
        let options =
            SqliteConnectOptions::new().filename(path).foreign_keys(true).busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE)
            .connect_with(options.pragma("query_only", "ON"))
            .await?;
        let found = sqlx::query_scalar(TABLES_VERSION).fetch_one(&pool).await?;
        same_version(found, newest(&SQLITE))?;
        return Ok(Database::Sqlite { writer: pool.clone(), readers: pool });
    }
    let options =
        PgConnectOptions::from_str(url).map_err(|_| Error::Address(without_password(url)))?;
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(ACQUIRE)
        .connect_with(
            options.application_name("rollcall").options([("default_transaction_read_only", "on")]),
        )
        .await?;
    let found = sqlx::query_scalar(TABLES_VERSION).fetch_one(&pool).await?;
    same_version(found, newest(&POSTGRES))?;
    Ok(Database::Postgres(pool))
}

fn same_version(found: Option<i64>, known: i64) -> Result<(), Error> {
    let found = found.unwrap_or_default();
    match found.cmp(&known) {
        std::cmp::Ordering::Less => Err(Error::Older { found, known }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(Error::Newer { found, known }),
    }
}

/// Copies a SQLite database while others use it, into a file that nobody else may read.
pub(crate) async fn copy_sqlite(from: &Path, to: &Path) -> Result<(), Error> {
    let options = SqliteConnectOptions::new().filename(from).busy_timeout(BUSY);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    keep_private(to)?;
    sqlx::query("VACUUM INTO $1").bind(to.display().to_string()).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

pub(super) const TABLES_VERSION: &str = "SELECT max(version) FROM _sqlx_migrations WHERE success";

/// Makes the file when it is missing, readable for its owner only; SQLite gives its companions the
/// same rights.
fn keep_private(path: &Path) -> Result<(), Error> {
    let unwritable = |source| Error::Unwritable { path: path.display().to_string(), source };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
        let file = options.mode(0o600).open(path).map_err(unwritable)?;
        let private = std::fs::Permissions::from_mode(0o600);
        if file.metadata().map_err(unwritable)?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(private).map_err(unwritable)?;
        }
    }
    #[cfg(not(unix))]
    options.open(path).map_err(unwritable)?;
    Ok(())
}

/// Keeps a copy of a file whose tables are about to change, named by the version it has.
async fn copy_before_migrating(writer: &SqlitePool, path: &Path) -> Result<(), Error> {
    let Ok(version) = sqlx::query_scalar::<_, Option<i64>>(TABLES_VERSION).fetch_one(writer).await
    else {
        return Ok(()); // A new file: no table of migrations yet.
    };
    copy_older(writer, path, version.unwrap_or_default(), newest(&SQLITE)).await
}

async fn copy_older(
    writer: &SqlitePool,
    path: &Path,
    version: i64,
    known: i64,
) -> Result<(), Error> {
    if version == 0 || version >= known {
        return Ok(());
    }
    let copy = copy_path(path, version);
    if copy.exists() {
        return Ok(());
    }
    // Into an empty file that nobody else may read, and under its name only when it is whole.
    let mut unfinished = copy.clone().into_os_string();
    unfinished.push(".part");
    let unfinished = PathBuf::from(unfinished);
    let _ = std::fs::remove_file(&unfinished);
    keep_private(&unfinished)?;
    sqlx::query("VACUUM INTO $1").bind(unfinished.display().to_string()).execute(writer).await?;
    std::fs::rename(&unfinished, &copy).map_err(sqlx::Error::Io)?;
    Ok(())
}

/// Where the copy of tables of this version goes.
pub(super) fn copy_path(path: &Path, version: i64) -> PathBuf {
    let mut copy = path.as_os_str().to_owned();
    copy.push(format!(".before-{:04}", version + 1));
    PathBuf::from(copy)
}

pub(super) fn newest(migrator: &Migrator) -> i64 {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::sqlite;
    use crate::store::{BeginWrite as _, Store};

    #[tokio::test]
    async fn tables_of_a_newer_program_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = sqlite(folder.path()).await;
        let Database::Sqlite { writer, .. } = store.database() else { panic!() };
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'later', TRUE, x'00', 0)",
        )
        .execute(writer)
        .await
        .unwrap();
        drop(store);
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let known = newest(&SQLITE);
        match Store::open(&url).await {
            Err(Error::Newer { found: 9999, known: newest }) => assert_eq!(newest, known),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_copy_is_made_before_the_tables_change() {
        let folder = tempfile::tempdir().unwrap();
        let store = sqlite(folder.path()).await;
        store.put_setting("mark", &"before").await.unwrap();
        let Database::Sqlite { writer, .. } = store.database() else { panic!() };
        let path = folder.path().join("test.db");
        let names = || -> Vec<String> {
            let names = std::fs::read_dir(folder.path()).unwrap();
            let names = names.map(|one| one.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.contains(".before-")).collect()
        };
        copy_older(writer, &path, 1, 1).await.unwrap();
        assert!(names().is_empty(), "nothing will change");
        copy_older(writer, &path, 1, 2).await.unwrap();
        store.put_setting("mark", &"after").await.unwrap();
        // A start that was cut short begins again: the first copy is the one from before.
        copy_older(writer, &path, 1, 2).await.unwrap();
        assert_eq!(names(), ["test.db.before-0002"]);
        let copy = format!("sqlite:{}", folder.path().join("test.db.before-0002").display());
        let copy = Store::open(&copy).await.unwrap();
        assert_eq!(copy.setting::<String>("mark").await.unwrap().as_deref(), Some("before"));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("missing/test.db").display());
        let error = Store::open(&url).await.unwrap_err();
        assert!(matches!(error, Error::Unwritable { .. }) && error.to_string().contains("missing"));
    }

    #[tokio::test]
    async fn space_that_comes_back_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let store = sqlite(folder.path()).await;
        let Database::Sqlite { writer, .. } = store.database() else { panic!() };
        for _ in 0..2 {
            // Never less than there are: from here on the disk is full.
            sqlx::query("PRAGMA max_page_count = 1").execute(writer).await.unwrap();
            let mut tx = writer.begin_write().await.unwrap();
            let large = "INSERT INTO setting (key, value) VALUES ('large', zeroblob(1000000))";
            let full = sqlx::query(large).execute(&mut *tx).await.unwrap_err();
            assert!(crate::store::dialect::passes_by_itself(&full), "{full}");
            drop(tx);
            sqlx::query("PRAGMA max_page_count = 1000000").execute(writer).await.unwrap();
            let tx = writer.begin_write().await.unwrap();
            tx.commit().await.unwrap();
            store.put_setting("mark", &"written").await.unwrap();
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_reads_the_files() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        std::fs::write(&path, b"").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let store = sqlite(folder.path()).await;
        store.put_setting("mark", &1).await.unwrap();
        let Database::Sqlite { writer, .. } = store.database() else { panic!() };
        copy_older(writer, &path, 1, 2).await.unwrap();
        let mut seen = 0;
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{:?}", file.file_name());
            seen += 1;
        }
        assert_eq!(seen, 4, "the file, its log, its index, its copy");
    }
}
