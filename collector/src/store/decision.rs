//! Decisions about who a device is, with their evidence. The enrolment writes its own within its
//! transaction; here they are read, and taken back by people.

use rollcall_shared::api::device::{DecisionKind, IdentityDecision};
use rollcall_shared::{DeviceId, Timestamp};

use super::device::{DeviceKey, key_of};
use super::statement::select_in;
use super::touch::touch;
use super::{BeginWrite as _, Error, Store, Tables, on_backend, queries};

queries! {
    OF_DEVICE = "SELECT d.id, d.at, d.kind, d.evidence, o.uuid, d.actor, d.undone_at FROM decision d \
                 LEFT JOIN device o ON o.key = d.other_device \
                 WHERE d.device = $1 ORDER BY d.at DESC, d.id DESC";
    UNDO = "UPDATE decision SET undone_at = $3, undone_by = $4 \
            WHERE device = $1 AND kind = $2 AND undone_at IS NULL";
    /// A suspicion is settled when the copy has a key of its own or a person says so.
    SUSPICION = "SELECT s.evidence FROM decision s \
                 WHERE s.device = $1 AND s.kind = 'clone_suspected' AND s.undone_at IS NULL \
                   AND NOT EXISTS (SELECT 1 FROM decision c WHERE c.other_device = $1 \
                     AND c.kind = 'cloned' AND c.id > s.id) \
                 ORDER BY s.id DESC LIMIT 1";
    LAST_SUSPICION = "SELECT max(at) FROM decision \
                      WHERE device = $1 AND kind = 'clone_suspected'";
    SUSPECTED = "SELECT DISTINCT device FROM decision \
                 WHERE kind = 'clone_suspected' AND undone_at IS NULL";
    SUSPECT = "INSERT INTO decision (device, at, kind, evidence) \
               VALUES ($1, $2, 'clone_suspected', $3)";
}

/// What stands before a list of devices.
pub(super) const SUSPECTED_OF: &str = "SELECT DISTINCT device FROM decision \
    WHERE kind = 'clone_suspected' AND undone_at IS NULL AND device";

type Row = (i64, i64, String, String, Option<String>, Option<String>, Option<i64>);

impl Store {
    /// The decisions about a device, newest first.
    pub async fn decisions(&self, device: DeviceKey) -> Result<Vec<IdentityDecision>, Error> {
        let found: Vec<Row> = on_backend!(self, read pool =>
            sqlx::query_as(OF_DEVICE).bind(i64::from(device.0)).fetch_all(pool).await?);
        let row = |(id, at, kind, evidence, other, by, undone_at): Row| {
            let kind = DecisionKind::from_word(&kind)
                .ok_or_else(|| Error::Damaged(format!("decision `{kind}`")))?;
            let other_device = other
                .map(|id| id.parse::<DeviceId>().map_err(|_| Error::Damaged(format!("id `{id}`"))))
                .transpose()?;
            Ok(IdentityDecision {
                id,
                at: Timestamp(at),
                kind,
                evidence,
                other_device,
                by,
                undone_at: undone_at.map(Timestamp),
            })
        };
        found.into_iter().map(row).collect()
    }

    /// Why two computers are thought to speak with the key of this device, while nobody and nothing
    /// has settled it.
    pub async fn clone_suspicion(&self, device: DeviceKey) -> Result<Option<String>, Error> {
        if !self.memory().suspected().contains(&device) {
            return Ok(None);
        }
        let why = on_backend!(self, read pool =>
            sqlx::query_scalar(SUSPICION).bind(i64::from(device.0)).fetch_optional(pool).await?);
        Ok(why)
    }

    /// Whether two computers were thought to speak with the key of this device since a moment,
    /// settled or not.
    pub async fn suspected_since(
        &self,
        device: DeviceKey,
        since: Timestamp,
    ) -> Result<bool, Error> {
        let last: Option<i64> = on_backend!(self, read pool => sqlx::query_scalar(LAST_SUSPICION)
            .bind(i64::from(device.0))
            .fetch_one(pool)
            .await?);
        Ok(last.is_some_and(|last| Timestamp(last) >= since))
    }

    /// Stores that two computers seem to speak with one key; once until it is settled.
    pub async fn suspect_clone(
        &self,
        device: DeviceKey,
        evidence: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let touched = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let number = i64::from(device.0);
            let held: Option<String> =
                sqlx::query_scalar(SUSPICION).bind(number).fetch_optional(&mut *tx).await?;
            if held.is_none() {
                sqlx::query(SUSPECT)
                    .bind(number)
                    .bind(now.0)
                    .bind(evidence)
                    .execute(&mut *tx)
                    .await?;
            }
            let touched = touch!(tx, vec![number]);
            tx.commit().await?;
            touched
        });
        self.memory().suspected().insert(device);
        self.tables().touched(&touched);
        Ok(())
    }

    /// Marks a device's decisions of one kind as taken back. `false` when there was none.
    pub async fn undo_decisions(
        &self,
        device: DeviceKey,
        kind: DecisionKind,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let (changed, touched) = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let changed = sqlx::query(UNDO)
                .bind(i64::from(device.0))
                .bind(kind.as_str())
                .bind(now.0)
                .bind(by)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            let touched = touch!(tx, vec![i64::from(device.0)]);
            tx.commit().await?;
            (changed, touched)
        });
        self.tables().touched(&touched);
        Ok(changed > 0)
    }
}

impl Tables {
    /// Reads which devices are suspected.
    pub(super) async fn load_suspected(&self) -> Result<(), Error> {
        let devices: Vec<i64> =
            on_backend!(self, read pool => sqlx::query_scalar(SUSPECTED).fetch_all(pool).await?);
        let devices: Result<Vec<_>, Error> = devices.into_iter().map(key_of).collect();
        self.memory().suspected().extend(devices?);
        Ok(())
    }

    /// Reads of some devices anew whether they are suspected.
    pub(super) async fn load_suspected_of(&self, devices: &[i64]) -> Result<(), Error> {
        let found: Vec<(i64,)> = on_backend!(self, read pool => {
            let mut tx = pool.begin().await?;
            select_in!(tx, (i64,), SUSPECTED_OF, devices)
        });
        for (device,) in found {
            self.memory().suspected().insert(key_of(device)?);
        }
        Ok(())
    }
}
