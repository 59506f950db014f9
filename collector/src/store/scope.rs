//! Where the rights of accounts end.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_shared::api::account::Role;
use rollcall_shared::api::unit::UnitKind;

use super::account::{GRACE_MS, INSERT_ACCOUNT, account_words};
use super::audit::{By, record};
use super::{BeginWrite as _, Error, Store, on_backend, queries};
use crate::domain::Scope;

queries! {
    OF = "SELECT s.by_site, s.by_department, u.id, u.kind FROM account_scope s \
          LEFT JOIN account_unit a ON a.account = s.account LEFT JOIN unit u ON u.id = a.unit \
          WHERE s.account = $1";
    ALL = "SELECT s.account, s.by_site, s.by_department, u.id, u.kind FROM account_scope s \
           LEFT JOIN account_unit a ON a.account = s.account LEFT JOIN unit u ON u.id = a.unit";
    ACCOUNT = "SELECT name, role FROM account WHERE id = $1";
    OTHER_WHOLE_ADMIN = "SELECT EXISTS (SELECT 1 FROM account WHERE role = 'admin' \
          AND disabled_at IS NULL AND id <> $1 \
          AND id NOT IN (SELECT account FROM account_scope))";
    CLEAR_UNITS = "DELETE FROM account_unit WHERE account = $1";
    CLEAR = "DELETE FROM account_scope WHERE account = $1";
    LIMIT = "INSERT INTO account_scope (account, by_site, by_department) VALUES ($1, $2, $3)";
    ADD_UNIT = "INSERT INTO account_unit (account, unit) VALUES ($1, $2)";
    END_SESSIONS = "DELETE FROM session WHERE account = $1";
    NAMES = "SELECT id, name FROM unit";
}

/// The condition that a row of `$table` with columns `site` and `department` is inside of a scope,
/// given as two lists of numbers between commas ([`Scope::listed`]); an empty list does not limit.
macro_rules! within {
    ($table:literal, $sites:literal, $departments:literal) => {
        concat!(
            "(",
            $sites,
            " = '' OR ",
            $sites,
            " LIKE '%,' || CAST(",
            $table,
            ".site AS TEXT) || ',%') AND (",
            $departments,
            " = '' OR ",
            $departments,
            " LIKE '%,' || CAST(",
            $table,
            ".department AS TEXT) || ',%')"
        )
    };
}
pub(super) use within;

/// Writes the scope of an account that has none.
macro_rules! limit {
    ($tx:ident, $account:expr, $scope:expr) => {{
        let (account, scope): (i64, &Scope) = ($account, $scope);
        if !scope.is_whole() {
            sqlx::query(LIMIT)
                .bind(account)
                .bind(scope.units(UnitKind::Site).is_some())
                .bind(scope.units(UnitKind::Department).is_some())
                .execute(&mut *$tx)
                .await?;
            for unit in scope.all_units() {
                sqlx::query(ADD_UNIT).bind(account).bind(unit).execute(&mut *$tx).await?;
            }
        }
    }};
}

type Row = (bool, bool, Option<i64>, Option<String>);
type OfAccount = (i64, bool, bool, Option<i64>, Option<String>);

/// The scope that these rows of one account say.
fn scope(rows: Vec<Row>) -> Result<Scope, Error> {
    let Some(&(by_site, by_department, ..)) = rows.first() else { return Ok(Scope::whole()) };
    let mut units: BTreeMap<UnitKind, BTreeSet<i64>> = BTreeMap::new();
    for (_, _, unit, kind) in rows {
        let (Some(unit), Some(kind)) = (unit, kind) else { continue };
        units.entry(super::unit::kind_of(&kind)?).or_default().insert(unit);
    }
    let mut of = |limited: bool, kind| limited.then(|| units.remove(&kind).unwrap_or_default());
    let sites = of(by_site, UnitKind::Site);
    Ok(Scope::of(sites, of(by_department, UnitKind::Department)))
}

impl Store {
    /// Where the rights of an account end.
    pub async fn scope_of(&self, account: i64) -> Result<Scope, Error> {
        let rows: Vec<Row> = on_backend!(self, read pool =>
            sqlx::query_as(OF).bind(account).fetch_all(pool).await?);
        scope(rows)
    }

    /// The scopes of all accounts that have one.
    pub async fn scopes(&self) -> Result<BTreeMap<i64, Scope>, Error> {
        let rows: Vec<OfAccount> =
            on_backend!(self, read pool => sqlx::query_as(ALL).fetch_all(pool).await?);
        let mut of: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
        for (account, by_site, by_department, unit, kind) in rows {
            of.entry(account).or_default().push((by_site, by_department, unit, kind));
        }
        of.into_iter().map(|(account, rows)| Ok((account, scope(rows)?))).collect()
    }

    /// Makes an account whose rights end somewhere from the first moment on. `Conflict` when the
    /// name is taken. Names are kept in lower case.
    pub async fn create_account_within(
        &self,
        name: &str,
        role: Role,
        password_hash: &str,
        scope: &Scope,
        by: &By,
    ) -> Result<i64, Error> {
        let name = name.to_lowercase();
        let id: i64 = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let id: i64 = sqlx::query_scalar(INSERT_ACCOUNT)
                .bind(&name)
                .bind(role.as_str())
                .bind(password_hash)
                .bind(by.at.0)
                .bind(by.at.plus_ms(GRACE_MS).0)
                .fetch_one(&mut *tx)
                .await?;
            limit!(tx, id, scope);
            let names: Vec<(i64, String)> = sqlx::query_as(NAMES).fetch_all(&mut *tx).await?;
            let detail = format!("may {}; sees {}", role.as_str(), words(scope, &names));
            record!(tx, &by.did("account_made", account_words(&name), detail));
            tx.commit().await?;
            id
        });
        Ok(id)
    }

    /// Sets where the rights of an account end, and ends its sessions. `false` when there is no
    /// such account; `Conflict` for the last administrator of everything.
    pub async fn set_scope(&self, account: i64, to: &Scope, by: &By) -> Result<bool, Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let found: Option<(String, String)> =
                sqlx::query_as(ACCOUNT).bind(account).fetch_optional(&mut *tx).await?;
            let Some((name, role)) = found else { return Ok(false) };
            let rows: Vec<Row> = sqlx::query_as(OF).bind(account).fetch_all(&mut *tx).await?;
            let before = scope(rows)?;
            if !to.is_whole() && before.is_whole() && role == "admin" {
                let other: bool = sqlx::query_scalar(OTHER_WHOLE_ADMIN)
                    .bind(account)
                    .fetch_one(&mut *tx)
                    .await?;
                if !other {
                    return Err(Error::Conflict);
                }
            }
            sqlx::query(CLEAR_UNITS).bind(account).execute(&mut *tx).await?;
            sqlx::query(CLEAR).bind(account).execute(&mut *tx).await?;
            limit!(tx, account, to);
            sqlx::query(END_SESSIONS).bind(account).execute(&mut *tx).await?;
            let names: Vec<(i64, String)> = sqlx::query_as(NAMES).fetch_all(&mut *tx).await?;
            let detail = format!("{} -> {}", words(&before, &names), words(to, &names));
            record!(tx, &by.did("scope_set", account_words(&name), detail));
            tx.commit().await?;
            Ok(true)
        })
    }
}

/// A scope for people; `names`: the units with their names.
pub fn words(scope: &Scope, names: &[(i64, String)]) -> String {
    let part = |kind: UnitKind| {
        let units = scope.units(kind)?;
        let name = |unit: &i64| names.iter().find(|(id, _)| id == unit).map(|(_, name)| name);
        let list: Vec<&str> = units.iter().filter_map(name).map(String::as_str).collect();
        let list = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
        Some(format!("{}: {list}", kind.as_str()))
    };
    let parts: Vec<String> = UnitKind::ALL.iter().filter_map(|kind| part(*kind)).collect();
    if parts.is_empty() { "everything".to_owned() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use rollcall_shared::{Digest, Timestamp};

    use super::*;
    use crate::store::session::NewSession;
    use crate::store::testing::store_test;

    store_test!(a_scope_is_kept_ends_sessions_and_never_grows_by_itself, |store| {
        let now = Timestamp(1_795_000_000_000);
        let by = By::new("root", now);
        let anna = store.create_account("anna", Role::It, "hash", &by).await.unwrap().id;
        let berlin = store.create_unit(UnitKind::Site, "Berlin", &by).await.unwrap();
        let finance = store.create_unit(UnitKind::Department, "Finance", &by).await.unwrap();
        assert!(store.scope_of(anna).await.unwrap().is_whole());
        let session = NewSession {
            id: Digest::of(b"one"),
            account: anna,
            created_at: now,
            expires_at: now.plus_ms(10),
            client: String::new(),
            awaits: None,
        };
        let both = Scope::of(Some([berlin].into()), Some([finance].into()));
        for to in [&both, &Scope::whole(), &both] {
            store.create_session(&session, None).await.unwrap();
            assert!(store.set_scope(anna, to, &by).await.unwrap());
            assert_eq!(store.scope_of(anna).await.unwrap(), *to);
            assert_eq!(store.session(session.id).await.unwrap(), None, "it ends with the scope");
        }
        assert_eq!(store.scopes().await.unwrap()[&anna], both);
        assert!(!store.set_scope(anna + 1, &both, &by).await.unwrap());
        let newest = store.newest_audit_entries(1).await.unwrap();
        assert_eq!(newest[0].action, "scope_set");
        assert_eq!(newest[0].detail, "everything -> site: Berlin; department: Finance");

        // Whose last site goes sees nothing any more.
        store.create_session(&session, None).await.unwrap();
        store.delete_unit(berlin, None, &by).await.unwrap();
        let left = store.scope_of(anna).await.unwrap();
        assert_eq!(left, Scope::of(Some([].into()), Some([finance].into())));
        assert_eq!(store.session(session.id).await.unwrap(), None, "it ends with the unit");
    });

    store_test!(the_last_administrator_of_everything_is_not_limited, |store| {
        let by = By::new("root", Timestamp(1_795_000_000_000));
        let anna = store.create_account("anna", Role::Admin, "hash", &by).await.unwrap().id;
        let ben = store.create_account("ben", Role::Admin, "hash", &by).await.unwrap().id;
        let berlin = store.create_unit(UnitKind::Site, "Berlin", &by).await.unwrap();
        let inside = Scope::of(Some([berlin].into()), None);
        assert!(store.set_scope(ben, &inside, &by).await.unwrap());
        let refused = |done: Result<bool, Error>| assert!(matches!(done, Err(Error::Conflict)));
        // A limited administrator is none for what is everybody's.
        refused(store.set_scope(anna, &inside, &by).await);
        refused(store.set_role(anna, Role::It, &by).await);
        refused(store.set_disabled(anna, true, &by).await);
        assert!(store.set_role(ben, Role::It, &by).await.unwrap());
        assert!(store.set_scope(ben, &Scope::whole(), &by).await.unwrap());
        assert!(store.set_role(ben, Role::Admin, &by).await.unwrap());
        assert!(store.set_scope(anna, &inside, &by).await.unwrap());
    });
}
