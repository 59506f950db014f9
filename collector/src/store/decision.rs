//! Decisions about who a device is, with their evidence. The enrolment writes its own within its
//! transaction; here they are read, and taken back by people.

use rollcall_shared::api::device::{DecisionKind, IdentityDecision};
use rollcall_shared::{DeviceId, Timestamp};

use super::device::DeviceKey;
use super::{Error, Store, on_backend, queries};

queries! {
    OF_DEVICE = "SELECT d.at, d.kind, d.evidence, o.uuid, d.actor, d.undone_at FROM decision d \
                 LEFT JOIN device o ON o.key = d.other_device \
                 WHERE d.device = $1 ORDER BY d.at DESC, d.id DESC";
    UNDO = "UPDATE decision SET undone_at = $3, undone_by = $4 \
            WHERE device = $1 AND kind = $2 AND undone_at IS NULL";
}

type Row = (i64, String, String, Option<String>, Option<String>, Option<i64>);

impl Store {
    /// The decisions about a device, newest first.
    pub async fn decisions(&self, device: DeviceKey) -> Result<Vec<IdentityDecision>, Error> {
        let found: Vec<Row> = on_backend!(self, read pool =>
            sqlx::query_as(OF_DEVICE).bind(i64::from(device.0)).fetch_all(pool).await?);
        let row = |(at, kind, evidence, other, by, undone_at): Row| {
            let kind = DecisionKind::from_word(&kind)
                .ok_or_else(|| Error::Damaged(format!("decision `{kind}`")))?;
            let other_device = other
                .map(|id| id.parse::<DeviceId>().map_err(|_| Error::Damaged(format!("id `{id}`"))))
                .transpose()?;
            Ok(IdentityDecision {
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

    /// Marks a device's decisions of one kind as taken back. `false` when there was none.
    pub async fn undo_decisions(
        &self,
        device: DeviceKey,
        kind: DecisionKind,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let changed = on_backend!(self, write pool => sqlx::query(UNDO)
            .bind(i64::from(device.0))
            .bind(kind.as_str())
            .bind(now.0)
            .bind(by)
            .execute(pool)
            .await?
            .rows_affected());
        Ok(changed > 0)
    }
}
