//! Sites and departments, and which devices belong to them.

use rollcall_shared::api::unit::{UnitFrom, UnitKind};

use super::audit::{By, record};
use super::device::DeviceKey;
use super::touch::touch;
use super::{BeginWrite as _, Error, Store, on_backend, queries};
use crate::domain::unit::Place;

queries! {
    LIST = "SELECT id, kind, name FROM unit ORDER BY kind DESC, name";
    NEXT = "UPDATE counter SET value = value + 1 WHERE name = 'unit' RETURNING value";
    TAKEN = "SELECT id FROM unit WHERE kind = $1 AND name = $2";
    INSERT = "INSERT INTO unit (id, kind, name, created_at) VALUES ($1, $2, $3, $4)";
    GET = "SELECT kind, name FROM unit WHERE id = $1";
    NAMED = "SELECT id, name FROM unit WHERE id = $1";
    RENAME = "UPDATE unit SET name = $2 WHERE id = $1";
    DEVICES = "SELECT key FROM device WHERE site = $1 OR department = $1 OR token_site = $1 \
               OR token_department = $1 ORDER BY key";
    MOVE_SITE = "UPDATE device SET site = $2, \
                 site_from = CASE WHEN CAST($2 AS BIGINT) IS NULL THEN NULL ELSE site_from END WHERE site = $1";
    MOVE_DEPARTMENT = "UPDATE device SET department = $2, \
                       department_from = CASE WHEN CAST($2 AS BIGINT) IS NULL THEN NULL ELSE department_from END \
                       WHERE department = $1";
    MOVE_TOKEN_SITE = "UPDATE device SET token_site = $2 WHERE token_site = $1";
    MOVE_TOKEN_DEPARTMENT = "UPDATE device SET token_department = $2 WHERE token_department = $1";
    MOVE_SITE_TOKENS = "UPDATE enrollment_token SET site = $2 WHERE site = $1";
    MOVE_DEPARTMENT_TOKENS = "UPDATE enrollment_token SET department = $2 WHERE department = $1";
    MOVE_RULES = "UPDATE unit_rule SET unit = $2 WHERE unit = $1";
    DELETE_RULES = "DELETE FROM unit_rule WHERE unit = $1";
    END_SESSIONS = "DELETE FROM session WHERE account IN \
                    (SELECT account FROM account_unit WHERE unit = $1)";
    DELETE_SCOPES = "DELETE FROM account_unit WHERE unit = $1";
    DELETE = "DELETE FROM unit WHERE id = $1";
    /// What a person said stays, also when they said it just now.
    PLACE_SITE = "UPDATE device SET site = $2, site_from = $3 \
                  WHERE key = $1 AND (site_from IS NULL OR site_from <> 'hand')";
    PLACE_DEPARTMENT = "UPDATE device SET department = $2, department_from = $3 \
                        WHERE key = $1 AND (department_from IS NULL OR department_from <> 'hand')";
}

/// Looks a unit's name up within a transaction.
pub(super) const UNIT_NAMED: &str = NAMED;

/// One site or department.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitRow {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub kind: UnitKind,
    /// Its name.
    pub name: String,
}

/// Where a device goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The device.
    pub device: DeviceKey,
    /// What is decided of it.
    pub kind: UnitKind,
    /// Where it belongs from now on.
    pub to: Place,
}

/// Number and name of a unit, within a transaction.
macro_rules! unit_named {
    ($tx:ident, $unit:expr) => {{
        let unit: Option<i64> = $unit;
        let found: Option<(i64, String)> = sqlx::query_as($crate::store::unit::UNIT_NAMED)
            .bind(unit)
            .fetch_optional(&mut *$tx)
            .await?;
        found
    }};
}
pub(super) use unit_named;

/// Reads the word of a kind.
pub(super) fn kind_of(word: &str) -> Result<UnitKind, Error> {
    UnitKind::from_word(word).ok_or_else(|| Error::Damaged(format!("kind of a unit: `{word}`")))
}

/// A unit as the audit log names it.
fn unit_words(kind: UnitKind, name: &str) -> String {
    format!("{} {name}", kind.as_str())
}

impl Store {
    /// All units, sites first, by name.
    pub async fn units(&self) -> Result<Vec<UnitRow>, Error> {
        let rows: Vec<(i64, String, String)> =
            on_backend!(self, read pool => sqlx::query_as(LIST).fetch_all(pool).await?);
        let row = |(id, kind, name): (i64, String, String)| {
            Ok(UnitRow { id, kind: kind_of(&kind)?, name })
        };
        rows.into_iter().map(row).collect()
    }

    /// The unit of this kind and name.
    pub async fn unit_of_name(&self, kind: UnitKind, name: &str) -> Result<Option<i64>, Error> {
        Ok(on_backend!(self, read pool => sqlx::query_scalar(TAKEN)
            .bind(kind.as_str())
            .bind(name)
            .fetch_optional(pool)
            .await?))
    }

    /// Makes a unit and gives its number. `Conflict` when there is one of this name.
    pub async fn create_unit(&self, kind: UnitKind, name: &str, by: &By) -> Result<i64, Error> {
        let id: i64 = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let id: i64 = sqlx::query_scalar(NEXT).fetch_one(&mut *tx).await?;
            sqlx::query(INSERT)
                .bind(id)
                .bind(kind.as_str())
                .bind(name)
                .bind(by.at.0)
                .execute(&mut *tx)
                .await?;
            record!(tx, &by.did("unit_made", unit_words(kind, name), ""));
            tx.commit().await?;
            id
        });
        Ok(id)
    }

    /// The unit of this name, made where there is none.
    pub async fn need_unit(&self, kind: UnitKind, name: &str, by: &By) -> Result<i64, Error> {
        if let Some(unit) = self.unit_of_name(kind, name).await? {
            return Ok(unit);
        }
        match self.create_unit(kind, name, by).await {
            Err(Error::Conflict) => self.unit_of_name(kind, name).await?.ok_or(Error::Conflict),
            made => made,
        }
    }

    /// Gives a unit another name; the devices that show it, to be told to the fleet. `None` when
    /// there is no such unit; `Conflict` when another has the name.
    pub async fn rename_unit(
        &self,
        unit: i64,
        name: &str,
        by: &By,
    ) -> Result<Option<Vec<DeviceKey>>, Error> {
        let touched = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let found: Option<(String, String)> =
                sqlx::query_as(GET).bind(unit).fetch_optional(&mut *tx).await?;
            let Some((kind, before)) = found else { return Ok(None) };
            let devices: Vec<i64> =
                sqlx::query_scalar(DEVICES).bind(unit).fetch_all(&mut *tx).await?;
            sqlx::query(RENAME).bind(unit).bind(name).execute(&mut *tx).await?;
            let kind = kind_of(&kind)?;
            let detail = format!("{before} -> {name}");
            record!(tx, &by.did("unit_renamed", unit_words(kind, &before), detail));
            let touched = touch!(tx, devices);
            tx.commit().await?;
            touched
        });
        self.tables().touched(&touched);
        keys(&touched.devices).map(Some)
    }

    /// Takes a unit away. All that pointed to it (devices, tokens, rules) points to `to` then, a
    /// unit of the same kind, or to nothing. Rights that ended at it end at one unit less: they
    /// never move. The devices to be told to the fleet; `None` when there is no such unit, or `to`
    /// is none of its kind.
    pub async fn delete_unit(
        &self,
        unit: i64,
        to: Option<i64>,
        by: &By,
    ) -> Result<Option<Vec<DeviceKey>>, Error> {
        let touched = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let found: Option<(String, String)> =
                sqlx::query_as(GET).bind(unit).fetch_optional(&mut *tx).await?;
            let Some((kind, name)) = found else { return Ok(None) };
            let mut goes = "nowhere".to_owned();
            if let Some(to) = to {
                let other: Option<(String, String)> =
                    sqlx::query_as(GET).bind(to).fetch_optional(&mut *tx).await?;
                match other {
                    Some((other, name)) if other == kind && to != unit => goes = name,
                    _ => return Ok(None),
                }
            }
            let devices: Vec<i64> =
                sqlx::query_scalar(DEVICES).bind(unit).fetch_all(&mut *tx).await?;
            pool.lock_devices(&mut tx, &devices).await?;
            for sql in [
                MOVE_SITE,
                MOVE_DEPARTMENT,
                MOVE_TOKEN_SITE,
                MOVE_TOKEN_DEPARTMENT,
                MOVE_SITE_TOKENS,
                MOVE_DEPARTMENT_TOKENS,
            ] {
                sqlx::query(sql).bind(unit).bind(to).execute(&mut *tx).await?;
            }
            match to {
                Some(to) => {
                    sqlx::query(MOVE_RULES).bind(unit).bind(to).execute(&mut *tx).await?;
                }
                None => {
                    sqlx::query(DELETE_RULES).bind(unit).execute(&mut *tx).await?;
                }
            }
            for sql in [END_SESSIONS, DELETE_SCOPES, DELETE] {
                sqlx::query(sql).bind(unit).execute(&mut *tx).await?;
            }
            let detail = format!("{} devices go to {goes}", devices.len());
            record!(tx, &by.did("unit_deleted", unit_words(kind_of(&kind)?, &name), detail));
            let touched = touch!(tx, devices);
            tx.commit().await?;
            touched
        });
        self.tables().touched(&touched);
        self.tables().follow_unit_rules().await?;
        keys(&touched.devices).map(Some)
    }

    /// Puts devices where rules and tokens say. One that a person placed stays.
    pub async fn place_devices(&self, moves: &[Move]) -> Result<(), Error> {
        let mut devices: Vec<i64> = moves.iter().map(|one| i64::from(one.device.0)).collect();
        devices.sort_unstable();
        devices.dedup();
        let touched = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            pool.lock_devices(&mut tx, &devices).await?;
            for Move { device, kind, to } in moves {
                let sql = match kind {
                    UnitKind::Site => PLACE_SITE,
                    UnitKind::Department => PLACE_DEPARTMENT,
                };
                sqlx::query(sql)
                    .bind(i64::from(device.0))
                    .bind(to.unit)
                    .bind(to.from.map(UnitFrom::as_str))
                    .execute(&mut *tx)
                    .await?;
            }
            let touched = touch!(tx, devices);
            tx.commit().await?;
            touched
        });
        self.tables().touched(&touched);
        Ok(())
    }
}

fn keys(devices: &[i64]) -> Result<Vec<DeviceKey>, Error> {
    devices.iter().map(|device| super::device::key_of(*device)).collect()
}
