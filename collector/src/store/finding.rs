//! Findings in the tables: what is open, what it was, and what people accepted for a time.
//!
//! What a finding says and whether it is open or waived are questions of the moment asked about, so
//! every read takes one. Of the past is kept: every severity and threshold with the moment it
//! changed, the value at the end of each day (UTC), and every waiver. Values that only moved within
//! a day are told as they were at its end or at the next change; of evidence that changed while the
//! value stayed, the last is told.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_shared::api::finding::{Finding, FindingState, Severity, Waiver};
use rollcall_shared::time::DAY_MS;
use rollcall_shared::{DeviceId, Timestamp};
use sqlx::FromRow;

use super::audit::{By, device_named, record};
use super::device::DeviceKey;
use super::finding_list::FindingPosition;
use super::statement::select_in;
use super::touch::touch;
use super::{BeginWrite as _, Error, Store, Tables, on_backend, queries};
use crate::domain::finding::{Changes, Flag, OpenFlag, Rule};

/// What a finding said at the moment $1: the oldest of its pasts that ended after it, else what it
/// says now; with the waiver in force then.
macro_rules! then {
    () => {
        "FROM (SELECT f.id, f.device, f.rule, f.subject, f.opened_at, f.closed_at, \
           coalesce(p.severity, f.severity) AS severity, coalesce(p.value, f.value) AS value, \
           coalesce(p.threshold, f.threshold) AS threshold, \
           coalesce(p.source, f.source) AS source, \
           CASE WHEN p.finding IS NULL THEN f.source_date ELSE p.source_date END AS source_date, \
           coalesce(p.next_step, f.next_step) AS next_step, \
           coalesce(p.evidence, f.evidence) AS evidence, \
           w.by_whom AS waived_by, w.reason AS waived_reason, w.until AS waived_until \
         FROM finding f \
         LEFT JOIN finding_past p ON p.finding = f.id AND p.at = \
           (SELECT min(at) FROM finding_past WHERE finding = f.id AND at > $1) \
         LEFT JOIN waiver w ON w.finding = f.id AND w.at <= $1 AND w.until > $1 \
           AND (w.ended_at IS NULL OR w.ended_at > $1)) f "
    };
}
pub(super) use then;

macro_rules! columns {
    () => {
        concat!(
            "SELECT f.id, f.device, d.uuid, d.hostname, f.rule, f.subject, f.severity, \
             f.opened_at, f.closed_at, f.value, f.threshold, f.source, f.source_date, \
             f.next_step, f.evidence, f.waived_by, f.waived_reason, f.waived_until ",
            then!(),
            "JOIN device d ON d.key = f.device "
        )
    };
}
pub(super) use columns;

/// Worst first: the words' order is not the alphabet's.
macro_rules! rank {
    () => {
        "CASE f.severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END"
    };
}
pub(super) use rank;

/// $1: the moment.
macro_rules! holds {
    () => {
        "f.opened_at <= $1 AND (f.closed_at IS NULL OR f.closed_at > $1)"
    };
}
pub(super) use holds;

queries! {
    GET = concat!(columns!(), "WHERE f.id = $2");
    /// Those that hold, waived or not.
    OF_DEVICE = concat!(
        columns!(), "WHERE f.device = $2 AND ", holds!(), " ORDER BY ", rank!(), ", f.opened_at, f.id"
    );
    BY_DEVICES = concat!(
        columns!(),
        "WHERE f.device > $2 AND f.device <= $3 AND ", holds!(), " ORDER BY f.device, f.opened_at, f.id"
    );
    SHORT = concat!(
        "SELECT f.device, f.rule, f.severity ", then!(),
        "WHERE ", holds!(), " AND f.waived_until IS NULL"
    );
    /// Those nobody closed, whatever the clock says.
    OPEN_OF_DEVICE = concat!(
        "SELECT f.rule, f.severity ", then!(),
        "WHERE f.device = $2 AND f.closed_at IS NULL AND f.waived_until IS NULL"
    );
    EXPIRED = "SELECT DISTINCT f.device FROM waiver w JOIN finding f ON f.id = w.finding \
               WHERE f.closed_at IS NULL AND w.ended_at IS NULL \
               AND w.until > $1 AND w.until <= $2";
    OPEN = "INSERT INTO finding (device, rule, subject, severity, opened_at, value, threshold, \
            source, source_date, next_step, evidence, said_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $5) \
            ON CONFLICT (device, rule, subject) WHERE closed_at IS NULL DO NOTHING";
    /// $1 finding, $2 now, $3 to $5 what it says from now on, $6 the beginning of today.
    KEEP = "INSERT INTO finding_past (finding, at, severity, value, threshold, source, \
              source_date, next_step, evidence) \
            SELECT id, CAST($2 AS BIGINT), severity, value, threshold, source, source_date, \
              next_step, evidence \
            FROM finding WHERE id = $1 AND (severity <> $3 OR threshold <> $5 \
              OR (value <> $4 AND said_at < $6)) \
            ON CONFLICT (finding, at) DO NOTHING";
    UPDATE = "UPDATE finding SET said_at = CASE \
                WHEN severity <> $2 OR value <> $3 OR threshold <> $4 THEN $9 ELSE said_at END, \
              severity = $2, value = $3, threshold = $4, source = $5, \
              source_date = $6, next_step = $7, evidence = $8 WHERE id = $1";
    CLOSE = "UPDATE finding SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL";
    /// Changes nothing, but two people who waive the same finding come one after the other.
    HOLD = "UPDATE finding SET closed_at = NULL WHERE id = $1 AND closed_at IS NULL \
            RETURNING device";
    END_WAIVER = "UPDATE waiver SET ended_at = $2 WHERE finding = $1 AND at <= $2 AND until > $2 \
                  AND (ended_at IS NULL OR ended_at > $2)";
    WAIVE = "INSERT INTO waiver (finding, at, by_whom, reason, until) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (finding, at) DO UPDATE SET \
             by_whom = excluded.by_whom, reason = excluded.reason, until = excluded.until, \
             ended_at = NULL";
}

/// What stands before a list of devices.
pub(super) const OPEN_OF: &str =
    "SELECT id, device, rule, severity FROM finding WHERE closed_at IS NULL AND device";
pub(super) const WAIVED_OF: &str = "SELECT w.finding, w.at, w.until FROM finding f
    JOIN waiver w ON w.finding = f.id
    WHERE f.closed_at IS NULL AND w.ended_at IS NULL AND f.device";

/// A finding as the statements here give it.
#[derive(Debug, FromRow)]
pub(super) struct Row {
    id: i64,
    device: i64,
    uuid: String,
    hostname: String,
    rule: String,
    subject: String,
    severity: String,
    opened_at: i64,
    closed_at: Option<i64>,
    value: String,
    threshold: String,
    source: String,
    source_date: Option<i64>,
    next_step: String,
    evidence: String,
    waived_by: Option<String>,
    waived_reason: Option<String>,
    waived_until: Option<i64>,
}

impl Row {
    /// Its place in the list.
    pub(super) fn position(&self) -> FindingPosition {
        let rank = match self.severity.as_str() {
            "critical" => 0,
            "warning" => 1,
            _ => 2,
        };
        FindingPosition { rank, since: Timestamp(self.opened_at), id: self.id }
    }

    /// Whether all of these words stand in host name, subject or value, whatever their case.
    pub(super) fn has(&self, words: &[String]) -> bool {
        let text = format!("{} {} {}", self.hostname, self.subject, self.value).to_lowercase();
        words.iter().all(|word| text.contains(&word.to_lowercase()))
    }

    fn device(&self) -> Result<DeviceKey, Error> {
        device_key(self.device)
    }

    fn severity(&self) -> Result<Severity, Error> {
        severity(&self.severity)
    }

    fn evidence(&self) -> Result<BTreeMap<String, serde_json::Value>, Error> {
        serde_json::from_str(&self.evidence)
            .map_err(|error| Error::Damaged(format!("evidence of finding {}: {error}", self.id)))
    }

    pub(super) fn finding(self, at: Timestamp) -> Result<Finding, Error> {
        let (severity, evidence) = (self.severity()?, self.evidence()?);
        let closed_at = self.closed_at.filter(|closed| *closed <= at.0).map(Timestamp);
        let waiver = self.waived_by.zip(self.waived_until).map(|(by, until)| Waiver {
            by,
            reason: self.waived_reason.unwrap_or_default(),
            until: Timestamp(until),
        });
        let state = match (closed_at, &waiver) {
            (Some(_), _) => FindingState::Closed,
            (None, Some(_)) => FindingState::Waived,
            (None, None) => FindingState::Open,
        };
        Ok(Finding {
            id: self.id,
            device_id: self
                .uuid
                .parse::<DeviceId>()
                .map_err(|_| Error::Damaged(format!("device id `{}`", self.uuid)))?,
            hostname: self.hostname,
            title: Rule::from_word(&self.rule)
                .map_or_else(|| self.rule.replace('_', " "), |rule| rule.title().to_owned()),
            rule: self.rule,
            severity,
            state,
            since: Timestamp(self.opened_at),
            closed_at,
            subject: Some(self.subject).filter(|subject| !subject.is_empty()),
            value: self.value,
            threshold: self.threshold,
            source: self.source,
            // A later look said the same: when the one before was made is not known.
            source_date: self.source_date.filter(|date| *date <= at.0).map(Timestamp),
            next_step: self.next_step,
            evidence,
            waiver,
        })
    }
}

fn device_key(number: i64) -> Result<DeviceKey, Error> {
    let key = u32::try_from(number).map_err(|_| Error::Damaged(format!("device {number}")))?;
    Ok(DeviceKey(key))
}

fn severity(word: &str) -> Result<Severity, Error> {
    Severity::from_word(word).ok_or_else(|| Error::Damaged(format!("severity `{word}`")))
}

fn json(evidence: &BTreeMap<String, serde_json::Value>) -> Result<String, Error> {
    serde_json::to_string(evidence).map_err(|error| Error::Damaged(format!("evidence: {error}")))
}

impl Store {
    /// One finding by its number, as it stands at a moment.
    pub async fn finding(&self, id: i64, at: Timestamp) -> Result<Option<Finding>, Error> {
        let row: Option<Row> = on_backend!(self, read pool =>
            sqlx::query_as(GET).bind(at.0).bind(id).fetch_optional(pool).await?);
        row.map(|row| row.finding(at)).transpose()
    }

    /// The findings of a device that held at a moment, waived ones included, worst first.
    pub async fn findings_of(
        &self,
        device: DeviceKey,
        at: Timestamp,
    ) -> Result<Vec<Finding>, Error> {
        let rows: Vec<Row> = on_backend!(self, read pool => sqlx::query_as(OF_DEVICE)
            .bind(at.0)
            .bind(i64::from(device.0))
            .fetch_all(pool)
            .await?);
        rows.into_iter().map(|row| row.finding(at)).collect()
    }

    /// The findings that held at a moment, waived ones included, of the devices whose numbers are
    /// above `after` up to `last`, in the order of the devices.
    pub async fn findings_between(
        &self,
        after: Option<DeviceKey>,
        last: DeviceKey,
        at: Timestamp,
    ) -> Result<Vec<(DeviceKey, Finding)>, Error> {
        let after = after.map_or(-1, |key| i64::from(key.0));
        let rows: Vec<Row> = on_backend!(self, read pool => sqlx::query_as(BY_DEVICES)
            .bind(at.0)
            .bind(after)
            .bind(i64::from(last.0))
            .fetch_all(pool)
            .await?);
        rows.into_iter().map(|row| Ok((row.device()?, row.finding(at)?))).collect()
    }

    /// Device, rule and severity of every finding that is open and not waived at a moment.
    pub async fn open_findings(
        &self,
        at: Timestamp,
    ) -> Result<Vec<(DeviceKey, String, Severity)>, Error> {
        let rows: Vec<(i64, String, String)> = on_backend!(self, read pool =>
            sqlx::query_as(SHORT).bind(at.0).fetch_all(pool).await?);
        rows.into_iter()
            .map(|(device, rule, word)| Ok((device_key(device)?, rule, severity(&word)?)))
            .collect()
    }

    /// Device, rule and severity of every finding of these devices that is open and not waived at a
    /// moment.
    pub async fn open_findings_of_devices(
        &self,
        devices: &[DeviceKey],
        at: Timestamp,
    ) -> Result<Vec<(DeviceKey, String, Severity)>, Error> {
        let keys = super::batch::numbers(devices);
        let (rows, waived) = on_backend!(self, read pool => {
            let mut tx = pool.begin().await?;
            let rows = select_in!(tx, (i64, i64, String, String), OPEN_OF, &keys);
            (rows, select_in!(tx, (i64, i64, i64), WAIVED_OF, &keys))
        });
        let waived: BTreeSet<i64> = waived
            .into_iter()
            .filter(|(_, from, until)| *from <= at.0 && *until > at.0)
            .map(|(finding, ..)| finding)
            .collect();
        rows.into_iter()
            .filter(|row| !waived.contains(&row.0))
            .map(|(_, device, rule, word)| Ok((device_key(device)?, rule, severity(&word)?)))
            .collect()
    }

    /// Rule and severity of every open finding of a device that is not waived now.
    pub async fn open_findings_of(
        &self,
        device: DeviceKey,
        now: Timestamp,
    ) -> Result<Vec<(String, Severity)>, Error> {
        let rows: Vec<(String, String)> = on_backend!(self, read pool =>
            sqlx::query_as(OPEN_OF_DEVICE)
                .bind(now.0)
                .bind(i64::from(device.0))
                .fetch_all(pool)
                .await?);
        rows.into_iter().map(|(rule, word)| Ok((rule, severity(&word)?))).collect()
    }

    /// Devices on which a waiver ended after `after` and not after `now`.
    pub async fn expired_waivers(
        &self,
        after: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<DeviceKey>, Error> {
        let devices: Vec<i64> = on_backend!(self, read pool =>
            sqlx::query_scalar(EXPIRED).bind(after.0).bind(now.0).fetch_all(pool).await?);
        devices.into_iter().map(device_key).collect()
    }

    /// What is held of a device's findings, as the rules compare it.
    pub async fn open_flags(&self, device: DeviceKey) -> Result<Vec<OpenFlag>, Error> {
        let rows: Vec<Row> = on_backend!(self, read pool => sqlx::query_as(OF_DEVICE)
            .bind(i64::MAX - 1)
            .bind(i64::from(device.0))
            .fetch_all(pool)
            .await?);
        rows.into_iter().filter(|row| row.closed_at.is_none()).filter_map(flag).collect()
    }

    /// Writes what changed of a device's findings, together with what changed of others'.
    pub async fn change_findings(&self, device: DeviceKey, changes: &Changes) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        self.write_findings(device, changes.clone()).await
    }

    /// A person accepts an open finding until a moment. `false` when it is not open.
    pub async fn waive_finding(
        &self,
        id: i64,
        waiver: &Waiver,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let touched = on_backend!(self, write pool => {
            let mut transaction = pool.begin_write().await?;
            let held: Option<i64> =
                sqlx::query_scalar(HOLD).bind(id).fetch_optional(&mut *transaction).await?;
            if held.is_some() {
                // The earlier one ends here and stays in the past.
                sqlx::query(END_WAIVER).bind(id).bind(now.0).execute(&mut *transaction).await?;
                sqlx::query(WAIVE)
                    .bind(id)
                    .bind(now.0)
                    .bind(&waiver.by)
                    .bind(&waiver.reason)
                    .bind(waiver.until.0)
                    .execute(&mut *transaction)
                    .await?;
            }
            if let Some(device) = held {
                let object = finding_words(id, &device_named!(transaction, device));
                let said = format!("until {}: {}", waiver.until.date(), waiver.reason);
                let by = By::new(&waiver.by, now);
                record!(transaction, &by.did("finding_waived", object, said));
            }
            let touched = touch!(transaction, held.into_iter().collect());
            transaction.commit().await?;
            touched
        });
        self.tables().touched(&touched);
        Ok(!touched.devices.is_empty())
    }

    /// Ends a waiver now. `false` when there is none in force.
    pub async fn unwaive_finding(&self, id: i64, by: &By) -> Result<bool, Error> {
        let (ended, touched) = on_backend!(self, write pool => {
            let mut transaction = pool.begin_write().await?;
            let held: Option<i64> =
                sqlx::query_scalar(HOLD).bind(id).fetch_optional(&mut *transaction).await?;
            let mut ended = 0;
            if held.is_some() {
                let done = sqlx::query(END_WAIVER).bind(id).bind(by.at.0);
                ended = done.execute(&mut *transaction).await?.rows_affected();
            }
            if let Some(device) = held.filter(|_| ended > 0) {
                let object = finding_words(id, &device_named!(transaction, device));
                record!(transaction, &by.did("finding_unwaived", object, ""));
            }
            let touched = touch!(transaction, held.into_iter().collect());
            transaction.commit().await?;
            (ended, touched)
        });
        self.tables().touched(&touched);
        Ok(ended > 0)
    }
}

/// A finding as the audit log names it.
fn finding_words(id: i64, device: &str) -> String {
    format!("finding {id} of {device}")
}

impl Tables {
    /// Writes what changed of the findings of some devices in one transaction.
    pub(super) async fn write_findings(&self, all: &[(DeviceKey, &Changes)]) -> Result<(), Error> {
        let mut devices: Vec<i64> = all.iter().map(|(device, _)| i64::from(device.0)).collect();
        devices.sort_unstable();
        devices.dedup();
        let touched = on_backend!(self, write pool => {
            let mut transaction = pool.begin_write().await?;
            for (device, changes) in all {
            for (at, id) in &changes.close {
                sqlx::query(CLOSE).bind(id).bind(at.0).execute(&mut *transaction).await?;
            }
            for (at, id, flag) in &changes.update {
                sqlx::query(KEEP)
                    .bind(id)
                    .bind(at.0)
                    .bind(flag.severity.as_str())
                    .bind(&flag.value)
                    .bind(&flag.threshold)
                    .bind(at.0 - at.0.rem_euclid(DAY_MS))
                    .execute(&mut *transaction)
                    .await?;
                sqlx::query(UPDATE)
                    .bind(id)
                    .bind(flag.severity.as_str())
                    .bind(&flag.value)
                    .bind(&flag.threshold)
                    .bind(&flag.source)
                    .bind(flag.source_date.map(|date| date.0))
                    .bind(&flag.next_step)
                    .bind(json(&flag.evidence)?)
                    .bind(at.0)
                    .execute(&mut *transaction)
                    .await?;
            }
            for (since, flag) in &changes.open {
                sqlx::query(OPEN)
                    .bind(i64::from(device.0))
                    .bind(flag.rule.as_str())
                    .bind(flag.subject.as_deref().unwrap_or_default())
                    .bind(flag.severity.as_str())
                    .bind(since.0)
                    .bind(&flag.value)
                    .bind(&flag.threshold)
                    .bind(&flag.source)
                    .bind(flag.source_date.map(|date| date.0))
                    .bind(&flag.next_step)
                    .bind(json(&flag.evidence)?)
                    .execute(&mut *transaction)
                    .await?;
            }
            }
            let touched = touch!(transaction, devices);
            transaction.commit().await?;
            touched
        });
        self.touched(&touched);
        Ok(())
    }
}

/// A row as the rules compare it; none for a rule this version no longer has, which is left alone.
fn flag(row: Row) -> Option<Result<OpenFlag, Error>> {
    let rule = Rule::from_word(&row.rule)?;
    let read = |row: Row| {
        let (severity, evidence) = (row.severity()?, row.evidence()?);
        let flag = Flag {
            rule,
            severity,
            subject: Some(row.subject).filter(|subject| !subject.is_empty()),
            value: row.value,
            threshold: row.threshold,
            source: row.source,
            source_date: row.source_date.map(Timestamp),
            next_step: row.next_step,
            evidence,
        };
        Ok(OpenFlag { id: row.id, since: Timestamp(row.opened_at), flag })
    };
    Some(read(row))
}

#[cfg(test)]
#[path = "finding_tests.rs"]
mod tests;
