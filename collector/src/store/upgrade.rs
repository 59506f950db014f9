//! What bringing the tables up to date would do, without doing it.

use std::path::{Path, PathBuf};

use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::open::{self, POSTGRES, SQLITE, TABLES_VERSION, newest};
use super::{Error, Store};

/// What stands between the tables as they are and as this program needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// `sqlite` or `postgres`.
    pub backend: &'static str,
    /// Version of the tables; 0 when there are none yet.
    pub found: i64,
    /// Version that this program needs.
    pub known: i64,
    /// Names of the migrations that are missing, in their order.
    pub missing: Vec<String>,
    /// The copy that is made first; none when nothing changes, when there is nothing to copy, and
    /// on PostgreSQL.
    pub copy: Option<Copy>,
}

/// A copy of the tables as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Where.
    pub path: PathBuf,
    /// How much room it takes, about.
    pub bytes: u64,
    /// An earlier start made it already; it is kept as it is.
    pub is_there: bool,
}

impl Store {
    /// What [`Store::upgrade`] would do. Changes nothing.
    pub async fn upgrade_of(url: &str) -> Result<Upgrade, Error> {
        let Some(path) = open::sqlite_path(url) else {
            let options = open::postgres_options(url)?;
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(open::ACQUIRE)
                .connect_with(options.options([("default_transaction_read_only", "on")]))
                .await?;
            let there: bool = sqlx::query_scalar(POSTGRES_HAS_TABLES).fetch_one(&pool).await?;
            let found: Option<i64> = if there {
                sqlx::query_scalar(TABLES_VERSION).fetch_one(&pool).await?
            } else {
                None
            };
            pool.close().await;
            return upgrade("postgres", found.unwrap_or_default(), &POSTGRES);
        };
        if !path.exists() {
            return upgrade("sqlite", 0, &SQLITE);
        }
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(open::BUSY);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.pragma("query_only", "ON"))
            .await?;
        let there: bool = sqlx::query_scalar(SQLITE_HAS_TABLES).fetch_one(&pool).await?;
        let found: Option<i64> =
            if there { sqlx::query_scalar(TABLES_VERSION).fetch_one(&pool).await? } else { None };
        let used: i64 = sqlx::query_scalar(SQLITE_USED_BYTES).fetch_one(&pool).await?;
        pool.close().await;
        let plan = upgrade("sqlite", found.unwrap_or_default(), &SQLITE)?;
        Ok(with_copy(plan, path, u64::try_from(used).unwrap_or_default()))
    }

    /// Brings the tables up to date, after the copy, and lets go of them.
    pub async fn upgrade(url: &str) -> Result<(), Error> {
        open::open(url).await?.close().await;
        Ok(())
    }
}

const POSTGRES_HAS_TABLES: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
const SQLITE_HAS_TABLES: &str =
    "SELECT count(*) > 0 FROM sqlite_master WHERE name = '_sqlx_migrations'";
const SQLITE_USED_BYTES: &str = "SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count, pragma_freelist_count, pragma_page_size";

fn upgrade(backend: &'static str, found: i64, migrator: &Migrator) -> Result<Upgrade, Error> {
    let known = newest(migrator);
    if found > known {
        return Err(Error::Newer { found, known });
    }
    let missing = migrator
        .iter()
        .filter(|migration| migration.version > found)
        .map(|one| format!("{:04}_{}", one.version, one.description.replace(' ', "_")))
        .collect();
    Ok(Upgrade { backend, found, known, missing, copy: None })
}

fn with_copy(plan: Upgrade, path: &Path, bytes: u64) -> Upgrade {
    let copied = plan.found > 0 && plan.found < plan.known;
    let copy = copied.then(|| open::copy_path(path, plan.found));
    Upgrade { copy: copy.map(|path| Copy { is_there: path.exists(), path, bytes }), ..plan }
}

#[cfg(test)]
mod tests {
    use sqlx::migrate::{Migration, MigrationType};
    use sqlx::{AssertSqlSafe, SqlSafeStr as _};

    use super::*;
    use crate::store::testing;

    fn migrations(count: i64) -> Migrator {
        let one = |version| {
            let sql = AssertSqlSafe(String::new()).into_sql_str();
            Migration::new(version, "add a thing".into(), MigrationType::Simple, sql, false)
        };
        Migrator::with_migrations((1..=count).map(one).collect())
    }

    #[test]
    fn what_is_missing_is_named_and_the_copy_comes_first() {
        let plan = upgrade("sqlite", 1, &migrations(3)).unwrap();
        assert_eq!((plan.found, plan.known), (1, 3));
        assert_eq!(plan.missing, ["0002_add_a_thing", "0003_add_a_thing"]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.db");
        let copy = with_copy(plan, &path, 4096).copy.unwrap();
        assert_eq!(copy.path, folder.path().join("rollcall.db.before-0002"));
        assert_eq!((copy.bytes, copy.is_there), (4096, false));
        // Nothing to do, or nothing there: no copy.
        for found in [0, 3] {
            let plan = upgrade("sqlite", found, &migrations(3)).unwrap();
            assert_eq!(with_copy(plan, &path, 4096).copy, None);
        }
        let newer = upgrade("sqlite", 4, &migrations(3));
        assert!(matches!(newer, Err(Error::Newer { found: 4, known: 3 })));
    }

    #[tokio::test]
    async fn a_look_at_a_file_makes_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let url = format!("sqlite:{}", path.display());
        let plan = Store::upgrade_of(&url).await.unwrap();
        assert_eq!((plan.found, plan.missing.len()), (0, usize::try_from(plan.known).unwrap()));
        assert!(!path.exists());
        Store::upgrade(&url).await.unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let plan = Store::upgrade_of(&url).await.unwrap();
        assert_eq!((plan.found, plan.missing.len(), plan.copy), (plan.known, 0, None));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[tokio::test]
    async fn a_look_at_a_server_makes_no_tables() {
        let Some(url) = testing::postgres_url().await else { return };
        for _ in 0..2 {
            let plan = Store::upgrade_of(&url).await.unwrap();
            assert_eq!((plan.backend, plan.found, plan.copy), ("postgres", 0, None));
        }
        Store::upgrade(&url).await.unwrap();
        assert_eq!(Store::upgrade_of(&url).await.unwrap().missing, [""; 0]);
    }
}
