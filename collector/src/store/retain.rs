//! History that is kept no longer: from which moment on it is told, and taking away what is older.
//!
//! First the moment moves, then what is older goes, and only a while later. So nobody is told a
//! past that is half gone, and whoever reads or writes at that moment is done before anything is
//! missing. Each step may be cut short and done again; several collectors may do it at once.

use rollcall_shared::Timestamp;

use super::device::{DeviceKey, key_of};
use super::{Error, Store, on_backend, queries};

queries! {
    /// Never back: what is gone does not return when a policy changes.
    MOVE = "UPDATE counter SET value = $1 WHERE name = 'history_from' AND value < $1";
    PASTS = "DELETE FROM section_past WHERE (device, name, at) IN
        (SELECT device, name, at FROM section_past WHERE at < $1 ORDER BY at LIMIT $2)";
    CHANGES = "DELETE FROM software_change WHERE (device, at) IN
        (SELECT device, at FROM software_change WHERE at < $1 ORDER BY at LIMIT $2)";
    /// What a finding said until a moment that is told no longer.
    FINDING_PASTS = "DELETE FROM finding_past WHERE (finding, at) IN
        (SELECT finding, at FROM finding_past WHERE at <= $1 LIMIT $2)";
    WAIVERS = "DELETE FROM waiver WHERE (finding, at) IN
        (SELECT finding, at FROM waiver WHERE until <= $1 OR ended_at <= $1 LIMIT $2)";
    /// Its pasts ended before it did and are gone already; so are its waivers but for those whose
    /// time was not over.
    WAIVERS_OF_CLOSED = "DELETE FROM waiver WHERE (finding, at) IN
        (SELECT w.finding, w.at FROM waiver w JOIN finding f ON f.id = w.finding
         WHERE f.closed_at < $1 LIMIT $2)";
    FINDINGS = "DELETE FROM finding WHERE id IN
        (SELECT id FROM finding f WHERE f.closed_at < $1
         AND NOT EXISTS (SELECT 1 FROM finding_past p WHERE p.finding = f.id)
         AND NOT EXISTS (SELECT 1 FROM waiver w WHERE w.finding = f.id) LIMIT $2)";
    /// Values a device had and has no longer: its own are renewed once a day while it reports.
    VALUES = "DELETE FROM seen_value WHERE (device, kind, value) IN
        (SELECT v.device, v.kind, v.value FROM seen_value v
         JOIN device_report r ON r.device = v.device
         WHERE v.last_at < $1 AND v.last_at < r.received_at - 172800000 LIMIT $2)
        RETURNING device, kind, value";
    SESSIONS = "DELETE FROM session WHERE digest IN
        (SELECT digest FROM session WHERE expires_at < $1 LIMIT $2)";
    COUNT_ROWS = "SELECT count(*), CAST(coalesce(sum(bytes), 0) AS BIGINT), count(DISTINCT device)
        FROM (SELECT device, length(before) AS bytes FROM section_past WHERE at < $1
          UNION ALL SELECT device, length(delta) AS bytes FROM software_change WHERE at < $1) AS past";
    COUNT_FINDINGS = "SELECT count(*) FROM finding WHERE closed_at < $1";
    OLDEST = "SELECT min(first_report_at) FROM device";
}

/// Rows that one short transaction takes away.
const BATCH: i64 = 500;

/// What would go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Older {
    /// Changes of sections and of software.
    pub changes: u64,
    /// Their bytes, without those of the tables around them.
    pub bytes: u64,
    /// Devices that lose some of their past.
    pub devices: u64,
    /// Findings that were closed before.
    pub findings: u64,
}

/// A value that a device had: kind and text.
pub type Forgotten = (DeviceKey, String, String);

impl Store {
    /// From when on the past is told; the beginning of time when all of it is kept.
    pub fn history_from(&self) -> Timestamp {
        self.memory().history_from()
    }

    /// What is older than a moment.
    pub async fn older_than(&self, from: Timestamp) -> Result<Older, Error> {
        let (changes, bytes, devices): (i64, i64, i64) = on_backend!(self, read pool =>
            sqlx::query_as(COUNT_ROWS).bind(from.0).fetch_one(pool).await?);
        let findings: i64 = on_backend!(self, read pool =>
            sqlx::query_scalar(COUNT_FINDINGS).bind(from.0).fetch_one(pool).await?);
        let number = |number| u64::try_from(number).unwrap_or_default();
        Ok(Older {
            changes: number(changes),
            bytes: number(bytes),
            devices: number(devices),
            findings: number(findings),
        })
    }

    /// The first report that any device made.
    pub async fn oldest_report(&self) -> Result<Option<Timestamp>, Error> {
        let oldest: Option<i64> =
            on_backend!(self, read pool => sqlx::query_scalar(OLDEST).fetch_one(pool).await?);
        Ok(oldest.map(Timestamp))
    }

    /// Tells no past before this moment from now on; `false` when that was so already. Nothing is
    /// taken away yet.
    pub async fn keep_history_from(&self, from: Timestamp) -> Result<bool, Error> {
        let moved = on_backend!(self, write pool =>
            sqlx::query(MOVE).bind(from.0).execute(pool).await?.rows_affected());
        self.tables().follow_settings().await?;
        Ok(moved > 0)
    }

    /// Takes away a little of what is older than a moment, the oldest changes first: how many rows
    /// went, and which values devices had. Nothing goes when nothing is older.
    pub async fn take_older(
        &self,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<(u64, Vec<Forgotten>), Error> {
        // Never beyond what is told already.
        let from = from.min(self.history_from());
        let mut rows = 0;
        for (statement, before) in [
            (PASTS, from),
            (CHANGES, from),
            (FINDING_PASTS, from),
            (WAIVERS, from),
            (WAIVERS_OF_CLOSED, from),
            (FINDINGS, from),
            (SESSIONS, now),
        ] {
            rows += on_backend!(self, write pool => sqlx::query(statement)
                .bind(before.0)
                .bind(BATCH)
                .execute(pool)
                .await?
                .rows_affected());
        }
        let gone: Vec<(i64, String, String)> = on_backend!(self, write pool =>
            sqlx::query_as(VALUES).bind(from.0).bind(BATCH).fetch_all(pool).await?);
        rows += gone.len() as u64;
        let values =
            gone.into_iter().map(|(device, kind, value)| Ok((key_of(device)?, kind, value)));
        Ok((rows, values.collect::<Result<_, Error>>()?))
    }
}
