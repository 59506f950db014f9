//! Devices: who they are, and the few facts that lists show.

use std::collections::HashMap;

use rollcall_shared::api::device::DeviceClass;
use rollcall_shared::api::unit::{UnitFrom, UnitKind};
use rollcall_shared::report::{AgentInfo, Cost, Vitals};
use rollcall_shared::{DeviceId, HardwareIds, Timestamp};
use serde::{Deserialize, Serialize};

use super::audit::{By, device_named, record};
use super::statement::select_in;
use super::touch::touch;
use super::{BeginWrite as _, Error, Store, on_backend, queries};
use crate::domain::Scope;
use crate::domain::unit::{Looks, Place};

macro_rules! columns {
    () => {
        "SELECT d.key, d.uuid, d.enrolled_at, d.pending, d.retired_at, d.demo, d.site, d.site_from,
           d.department, d.department_from, d.token_site, d.token_department, d.asset_tag,
           d.summary, d.first_report_at, s.at AS seen_at, one.name AS site_name,
           two.name AS department_name
         FROM device d LEFT JOIN device_seen s ON s.device = d.key
           LEFT JOIN unit one ON one.id = d.site LEFT JOIN unit two ON two.id = d.department "
    };
}

queries! {
    PAGE = concat!(columns!(), "WHERE d.key > $1 ORDER BY d.key LIMIT 1000");
    BY_ID = concat!(columns!(), "WHERE d.uuid = $1");
    BY_KEY = concat!(columns!(), "WHERE d.key = $1");
    LAST_REPORT = "SELECT seq, report_id, observed_at, received_at, clock_error_ms, vitals, agent,
          cost, hardware_ids
        FROM device_report WHERE device = $1";
    LAST_REPORTS = "SELECT seq, report_id, observed_at, received_at, clock_error_ms, vitals, agent,
          cost, hardware_ids, device
        FROM device_report WHERE device > $1 AND device <= $2";
    ALL_HARDWARE_IDS = "SELECT device, hardware_ids FROM device_report ORDER BY device";
    SEEN_VALUES = "SELECT device, kind, value, label, first_at, last_at
        FROM seen_value WHERE device = $1 ORDER BY kind, last_at DESC, value";
    ALL_SEEN_VALUES = "SELECT device, kind, value, label, first_at, last_at
        FROM seen_value ORDER BY device, kind, value";
    NOTES_TEXT = "SELECT notes_text FROM device WHERE key = $1";
    SET_NOTES_TEXT = "UPDATE device SET notes_text = $2 WHERE key = $1";
    SET_ASSET = "UPDATE device SET site = $2, site_from = $3, department = $4,
        department_from = $5, asset_tag = $6 WHERE key = $1";
}

/// What stands before a list of devices.
pub(super) const VALUES_OF: &str =
    "SELECT device, kind, value, label, first_at, last_at FROM seen_value WHERE device";
pub(super) const ROWS_OF: &str = concat!(columns!(), "WHERE d.key");

/// The dense number of a device inside one database; bitmaps are indexed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceKey(pub u32);

/// One device as the table `device` holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its number.
    pub key: DeviceKey,
    /// Its id.
    pub id: DeviceId,
    /// First contact.
    pub enrolled_at: Timestamp,
    /// Set while a person must still approve it.
    pub pending: bool,
    /// When a person took it out of service.
    pub retired_at: Option<Timestamp>,
    /// Made by `--demo`.
    pub demo: bool,
    /// Site it belongs to.
    pub site: Option<Membership>,
    /// Department it belongs to.
    pub department: Option<Membership>,
    /// Number of the site that its token said.
    pub token_site: Option<i64>,
    /// Number of the department that its token said.
    pub token_department: Option<i64>,
    /// Asset tag given by a person; the firmware's stands in the summary.
    pub asset_tag: Option<String>,
    /// What lists show, derived from the last report; written with it.
    pub summary: Summary,
    /// Last check-in, by the collector's clock.
    pub last_seen_at: Option<Timestamp>,
    /// First report that was stored.
    pub first_report_at: Option<Timestamp>,
}

/// The site or department of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Its number.
    pub unit: i64,
    /// Its name.
    pub name: String,
    /// Who says so.
    pub from: UnitFrom,
}

/// What lists and the search show of a device, derived from its sections at each report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Host name.
    pub hostname: String,
    /// Kind of device.
    pub class: Option<DeviceClass>,
    /// Operating system for people, e.g. `Debian GNU/Linux 12`.
    pub os_name: String,
    /// Maker.
    pub manufacturer: Option<String>,
    /// Model for people.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Asset tag in the firmware.
    pub firmware_asset_tag: Option<String>,
    /// The person seen last.
    pub user: Option<String>,
    /// That person's name.
    pub user_full_name: Option<String>,
    /// IP addresses without prefix length, loopback and link-local left out.
    pub addresses: Vec<String>,
    /// MAC addresses of all interfaces, lower case with colons.
    pub macs: Vec<String>,
    /// Titles installed.
    pub software_count: u64,
    /// Version of the agent.
    pub agent_version: Option<String>,
    /// Its domain and the realms of directories it is joined to, each once, in order.
    pub directories: Vec<String>,
}

/// The last report of a device, without its sections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReport {
    /// Its number.
    pub seq: u64,
    /// When the computer was looked at.
    pub observed_at: Timestamp,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The agent's clock minus the collector's, in milliseconds.
    pub clock_error_ms: i64,
    /// The moving numbers.
    pub vitals: Vitals,
    /// The agent.
    pub agent: AgentInfo,
    /// What the look cost.
    pub cost: Cost,
    /// Evidence of who it is, good values kept over bad reads.
    pub hardware_ids: HardwareIds,
}

/// Which past values are remembered for the search and the list of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenValue {
    /// One of [`SeenValue::KINDS`].
    pub kind: &'static str,
    /// The value.
    pub value: Box<str>,
    /// For a user: the person's name.
    pub label: Option<Box<str>>,
    /// First report with it.
    pub first_at: Timestamp,
    /// Last report with it.
    pub last_at: Timestamp,
}

#[derive(sqlx::FromRow)]
pub(super) struct DeviceColumns {
    key: i64,
    uuid: String,
    enrolled_at: i64,
    pending: bool,
    retired_at: Option<i64>,
    demo: bool,
    site: Option<i64>,
    site_from: Option<String>,
    department: Option<i64>,
    department_from: Option<String>,
    token_site: Option<i64>,
    token_department: Option<i64>,
    asset_tag: Option<String>,
    summary: String,
    first_report_at: Option<i64>,
    seen_at: Option<i64>,
    site_name: Option<String>,
    department_name: Option<String>,
}
type Row = DeviceColumns;
type ReportRow = (i64, String, i64, i64, i64, String, String, String, String);
type NumberedReport = (i64, String, i64, i64, i64, String, String, String, String, i64);
type ValueRow = (i64, String, String, Option<String>, i64, i64);

impl DeviceRow {
    pub(super) fn from_row(row: Row) -> Result<Self, Error> {
        let key = row.key;
        let damaged = |what: &str| Error::Damaged(format!("the {what} of device {key}"));
        let belongs = |unit: Option<i64>, name: Option<String>, from: Option<String>| {
            let Some(unit) = unit else { return Ok(None) };
            let from = from.as_deref().and_then(UnitFrom::from_word);
            match (name, from) {
                (Some(name), Some(from)) => Ok(Some(Membership { unit, name, from })),
                _ => Err(damaged("site or department")),
            }
        };
        Ok(Self {
            key: key_of(key)?,
            id: row.uuid.parse().map_err(|_| damaged("id"))?,
            enrolled_at: Timestamp(row.enrolled_at),
            pending: row.pending,
            retired_at: row.retired_at.map(Timestamp),
            demo: row.demo,
            site: belongs(row.site, row.site_name, row.site_from)?,
            department: belongs(row.department, row.department_name, row.department_from)?,
            token_site: row.token_site,
            token_department: row.token_department,
            asset_tag: row.asset_tag,
            summary: serde_json::from_str(&row.summary).map_err(|_| damaged("summary"))?,
            last_seen_at: row.seen_at.map(Timestamp),
            first_report_at: row.first_report_at.map(Timestamp),
        })
    }

    /// The site or the department.
    pub fn unit(&self, kind: UnitKind) -> Option<&Membership> {
        match kind {
            UnitKind::Site => self.site.as_ref(),
            UnitKind::Department => self.department.as_ref(),
        }
    }

    /// Name of the site.
    pub fn site_name(&self) -> Option<&String> {
        self.site.as_ref().map(|site| &site.name)
    }

    /// Name of the department.
    pub fn department_name(&self) -> Option<&String> {
        self.department.as_ref().map(|department| &department.name)
    }

    /// Where it belongs.
    pub fn place(&self, kind: UnitKind) -> Place {
        self.unit(kind).map_or(Place::NOWHERE, |unit| Place::of(unit.unit, unit.from))
    }

    /// The unit that its token said.
    pub fn token_unit(&self, kind: UnitKind) -> Option<i64> {
        match kind {
            UnitKind::Site => self.token_site,
            UnitKind::Department => self.token_department,
        }
    }

    /// What rules look at.
    pub fn looks(&self) -> Looks<'_> {
        Looks {
            hostname: &self.summary.hostname,
            addresses: &self.summary.addresses,
            directories: &self.summary.directories,
        }
    }

    /// Whether it is inside of a scope.
    pub fn is_in(&self, scope: &Scope) -> bool {
        let number = |kind| self.unit(kind).map(|unit: &Membership| unit.unit);
        scope.holds(number(UnitKind::Site), number(UnitKind::Department))
    }
}

pub(super) fn key_of(key: i64) -> Result<DeviceKey, Error> {
    u32::try_from(key).map(DeviceKey).map_err(|_| Error::Damaged(format!("device number {key}")))
}

impl SeenValue {
    /// The kinds of values; a million devices have several of each, so they are no texts.
    pub const KINDS: [&'static str; 6] = ["hostname", "user", "serial", "mac", "ip", "asset_tag"];

    /// Those of these rows whose kind is known.
    fn from_rows(rows: Vec<ValueRow>) -> Result<Vec<(DeviceKey, Self)>, Error> {
        let mut values = Vec::with_capacity(rows.len());
        for (device, kind, value, label, first_at, last_at) in rows {
            let known = Self::KINDS.into_iter().find(|known| *known == kind);
            let Some(kind) = known else { continue };
            let (value, label) = (value.into_boxed_str(), label.map(String::into_boxed_str));
            let (first_at, last_at) = (Timestamp(first_at), Timestamp(last_at));
            values.push((key_of(device)?, Self { kind, value, label, first_at, last_at }));
        }
        Ok(values)
    }
}

impl Store {
    /// Every device, for building the fleet in memory; read in pages inside.
    pub async fn devices(&self) -> Result<Vec<DeviceRow>, Error> {
        let mut devices: Vec<DeviceRow> = Vec::new();
        loop {
            let last = devices.last().map_or(-1, |row| i64::from(row.key.0));
            let rows: Vec<Row> = on_backend!(self, read pool =>
                sqlx::query_as(PAGE).bind(last).fetch_all(pool).await?);
            if rows.is_empty() {
                break;
            }
            for row in rows {
                devices.push(DeviceRow::from_row(row)?);
            }
        }
        for row in &mut devices {
            self.see(row);
        }
        Ok(devices)
    }

    /// These devices, in no order.
    pub async fn devices_of(&self, devices: &[DeviceKey]) -> Result<Vec<DeviceRow>, Error> {
        let keys = super::batch::numbers(devices);
        let rows = on_backend!(self, read pool => {
            let mut tx = pool.begin().await?;
            select_in!(tx, Row, ROWS_OF, &keys)
        });
        let mut rows: Vec<DeviceRow> =
            rows.into_iter().map(DeviceRow::from_row).collect::<Result<_, _>>()?;
        for row in &mut rows {
            self.see(row);
        }
        Ok(rows)
    }

    /// One device by its id.
    pub async fn device(&self, id: DeviceId) -> Result<Option<DeviceRow>, Error> {
        let row: Option<Row> = on_backend!(self, read pool =>
            sqlx::query_as(BY_ID).bind(id.to_string()).fetch_optional(pool).await?);
        let mut row = row.map(DeviceRow::from_row).transpose()?;
        if let Some(row) = &mut row {
            self.see(row);
        }
        Ok(row)
    }

    /// One device by its number.
    pub async fn device_by_key(&self, key: DeviceKey) -> Result<Option<DeviceRow>, Error> {
        let row: Option<Row> = on_backend!(self, read pool =>
            sqlx::query_as(BY_KEY).bind(i64::from(key.0)).fetch_optional(pool).await?);
        let mut row = row.map(DeviceRow::from_row).transpose()?;
        if let Some(row) = &mut row {
            self.see(row);
        }
        Ok(row)
    }

    /// Adds a contact that is not written yet.
    fn see(&self, row: &mut DeviceRow) {
        if let Some(contact) = self.memory().contacts().get(&row.key) {
            row.last_seen_at = row.last_seen_at.max(Some(contact.report.received_at));
        }
    }

    /// The last report of a device.
    pub async fn last_report(&self, device: DeviceKey) -> Result<Option<LastReport>, Error> {
        let row: Option<ReportRow> = on_backend!(self, read pool =>
            sqlx::query_as(LAST_REPORT).bind(i64::from(device.0)).fetch_optional(pool).await?);
        match row {
            Some(row) => self.read_report(device, row),
            None => Ok(None),
        }
    }

    /// The last reports of the devices whose numbers are above `after` up to `last`. One that
    /// cannot be read is left out.
    pub async fn last_reports_between(
        &self,
        after: Option<DeviceKey>,
        last: DeviceKey,
    ) -> Result<HashMap<DeviceKey, LastReport>, Error> {
        let after = after.map_or(-1, |key| i64::from(key.0));
        let rows: Vec<NumberedReport> = on_backend!(self, read pool =>
            sqlx::query_as(LAST_REPORTS)
                .bind(after)
                .bind(i64::from(last.0))
                .fetch_all(pool)
                .await?);
        let mut found = HashMap::new();
        for (seq, id, observed_at, received_at, error, vitals, agent, cost, ids, device) in rows {
            let device = key_of(device)?;
            let row = (seq, id, observed_at, received_at, error, vitals, agent, cost, ids);
            if let Ok(Some(report)) = self.read_report(device, row) {
                found.insert(device, report);
            }
        }
        Ok(found)
    }

    fn read_report(&self, device: DeviceKey, row: ReportRow) -> Result<Option<LastReport>, Error> {
        let (seq, report_id, observed_at, received_at, error, vitals, agent, cost, ids) = row;
        if report_id.is_empty() {
            return Ok(None); // Only what its hardware said at enrolment.
        }
        let damaged = |_| Error::Damaged(format!("the last report of device {}", device.0));
        let hardware_ids = serde_json::from_str(&ids).map_err(damaged)?;
        if let Some(contact) = self.memory().contacts().get(&device)
            && u64::try_from(seq).is_ok_and(|seq| seq < contact.report.seq)
        {
            // Not written yet. Its hardware ids are raw, those of the table are the good ones.
            return Ok(Some(LastReport { hardware_ids, ..contact.report.clone() }));
        }
        Ok(Some(LastReport {
            seq: u64::try_from(seq).unwrap_or_default(),
            observed_at: Timestamp(observed_at),
            received_at: Timestamp(received_at),
            clock_error_ms: error,
            vitals: serde_json::from_str(&vitals).map_err(damaged)?,
            agent: serde_json::from_str(&agent).map_err(damaged)?,
            cost: serde_json::from_str(&cost).map_err(damaged)?,
            hardware_ids,
        }))
    }

    /// What the hardware of every device said last, or at its enrolment: the evidence to match a
    /// newcomer against.
    pub async fn all_hardware_ids(&self) -> Result<Vec<(DeviceKey, HardwareIds)>, Error> {
        let rows: Vec<(i64, String)> =
            on_backend!(self, read pool => sqlx::query_as(ALL_HARDWARE_IDS).fetch_all(pool).await?);
        rows.into_iter()
            .map(|(device, ids)| {
                let ids = serde_json::from_str(&ids)
                    .map_err(|_| Error::Damaged(format!("the hardware ids of device {device}")))?;
                Ok((key_of(device)?, ids))
            })
            .collect()
    }

    /// Values this device has or had.
    pub async fn seen_values(&self, device: DeviceKey) -> Result<Vec<SeenValue>, Error> {
        let rows: Vec<ValueRow> = on_backend!(self, read pool =>
            sqlx::query_as(SEEN_VALUES).bind(i64::from(device.0)).fetch_all(pool).await?);
        Ok(SeenValue::from_rows(rows)?.into_iter().map(|(_, value)| value).collect())
    }

    /// Values these devices have or had, in no order.
    pub async fn seen_values_of(
        &self,
        devices: &[DeviceKey],
    ) -> Result<Vec<(DeviceKey, SeenValue)>, Error> {
        let keys = super::batch::numbers(devices);
        let rows = on_backend!(self, read pool => {
            let mut tx = pool.begin().await?;
            select_in!(tx, ValueRow, VALUES_OF, &keys)
        });
        SeenValue::from_rows(rows)
    }

    /// Values every device has or had, for the search: key, value.
    pub async fn all_seen_values(&self) -> Result<Vec<(DeviceKey, SeenValue)>, Error> {
        let rows: Vec<ValueRow> =
            on_backend!(self, read pool => sqlx::query_as(ALL_SEEN_VALUES).fetch_all(pool).await?);
        SeenValue::from_rows(rows)
    }

    /// What people wrote about a device.
    pub async fn notes_text(&self, device: DeviceKey) -> Result<String, Error> {
        let text: Option<String> = on_backend!(self, read pool =>
            sqlx::query_scalar(NOTES_TEXT).bind(i64::from(device.0)).fetch_optional(pool).await?);
        Ok(text.unwrap_or_default())
    }

    /// Stores what a person wrote about a device.
    pub async fn set_notes_text(
        &self,
        device: DeviceKey,
        text: &str,
        by: &By,
    ) -> Result<(), Error> {
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            sqlx::query(SET_NOTES_TEXT)
                .bind(i64::from(device.0))
                .bind(text)
                .execute(&mut *tx)
                .await?;
            let object = device_named!(tx, i64::from(device.0));
            // The log is never emptied; what people write about people can be.
            let detail = format!("{} letters", text.chars().count());
            record!(tx, &by.did("notes_set", object, detail));
            tx.commit().await?;
        });
        Ok(())
    }

    /// Stores where a device belongs, as a person says; `said`: the same in words.
    pub async fn set_asset(
        &self,
        device: DeviceKey,
        [site, department]: [Place; 2],
        asset_tag: Option<&str>,
        said: &str,
        by: &By,
    ) -> Result<(), Error> {
        let touched = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            sqlx::query(SET_ASSET)
                .bind(i64::from(device.0))
                .bind(site.unit)
                .bind(site.from.map(UnitFrom::as_str))
                .bind(department.unit)
                .bind(department.from.map(UnitFrom::as_str))
                .bind(asset_tag)
                .execute(&mut *tx)
                .await?;
            let object = device_named!(tx, i64::from(device.0));
            record!(tx, &by.did("asset_set", object, said));
            let touched = touch!(tx, vec![i64::from(device.0)]);
            tx.commit().await?;
            touched
        });
        self.tables().touched(&touched);
        Ok(())
    }
}
