//! What people decide about who a device is: that a newcomer is a device known before, or that the
//! collector decided wrongly.

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::DecisionKind;

use super::audit::{By, device_named, record};
use super::device::{DeviceKey, DeviceRow};
use super::memory::lock;
use super::touch::touch;
use super::{BeginWrite as _, Error, Store, on_backend, queries};

queries! {
    REVOKE_OLD = "UPDATE device_key SET revoked_at = $2 WHERE device = $1 AND revoked_at IS NULL";
    /// It counts from now on: keys are ordered by the moment they came.
    MOVE_KEY = "UPDATE device_key SET device = $2, created_at = $3
        WHERE device = $1 AND revoked_at IS NULL";
    LEAVE = "UPDATE device SET pending = FALSE, retired_at = $2 WHERE key = $1";
    RETURN = "UPDATE device SET retired_at = NULL, pending = FALSE WHERE key = $1";
    SET_SEQ = "UPDATE device_report SET seq = $2 WHERE device = $1";
    DECIDE = "INSERT INTO decision (device, at, kind, evidence, other_device, actor)
        VALUES ($1, $2, $3, $4, $5, $6)";
    UNDO = "UPDATE decision SET undone_at = $3, undone_by = $4
        WHERE device = $1 AND id = $2 AND undone_at IS NULL RETURNING kind";
    LET_IN = "UPDATE device SET pending = FALSE WHERE key = $1";
    LET_WAIT = "UPDATE device SET pending = TRUE WHERE key = $1";
    INTO_SERVICE = "UPDATE device SET retired_at = NULL WHERE key = $1";
}

/// How taking a decision back ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// It is taken back.
    Done(DecisionKind),
    /// There is no such decision of this device, or it was taken back before.
    None,
    /// What it did cannot be taken apart again.
    Impossible(DecisionKind),
}

impl Store {
    /// A person found that a waiting newcomer is a known device: the newcomer's key becomes the
    /// known device's, whose record goes on; the newcomer's own record stays, out of service.
    pub async fn merge_device(
        &self,
        newcomer: &DeviceRow,
        known: &DeviceRow,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        // No contact of either may be written over what is changed here.
        self.flush().await?;
        let (from, to) = (i64::from(newcomer.key.0), i64::from(known.key.0));
        let seq = lock(&self.memory().device(newcomer.key)).seq;
        let said = format!("{actor} said that {} is this device", newcomer.summary.hostname);
        let touched = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let mut both = vec![from, to];
            both.sort_unstable();
            pool.lock_devices(&mut tx, &both).await?;
            sqlx::query(REVOKE_OLD).bind(to).bind(at.0).execute(&mut *tx).await?;
            let moved = sqlx::query(MOVE_KEY).bind(from).bind(to).bind(at.0)
                .execute(&mut *tx).await?.rows_affected();
            if moved != 1 {
                return Err(Error::Conflict);
            }
            sqlx::query(LEAVE).bind(from).bind(at.0).execute(&mut *tx).await?;
            sqlx::query(RETURN).bind(to).execute(&mut *tx).await?;
            sqlx::query(SET_SEQ)
                .bind(to)
                .bind(i64::try_from(seq).unwrap_or(i64::MAX))
                .execute(&mut *tx)
                .await?;
            let rows = [
                (from, DecisionKind::Merged, "its key and its future belong to the other", to),
                (to, DecisionKind::ReImaged, said.as_str(), from),
            ];
            for (device, kind, evidence, other) in rows {
                sqlx::query(DECIDE)
                    .bind(device)
                    .bind(at.0)
                    .bind(kind.as_str())
                    .bind(evidence)
                    .bind(other)
                    .bind(actor)
                    .execute(&mut *tx)
                    .await?;
            }
            let (object, other) = (device_named!(tx, from), device_named!(tx, to));
            let by = By::new(actor, at);
            record!(tx, &by.did("device_merged", object, format!("it is {other}")));
            let touched = touch!(tx, both);
            tx.commit().await?;
            touched
        });
        // The agent goes on with its own numbers.
        let state = self.memory().device(known.key);
        lock(&state).seq = seq;
        self.memory().evidence_mut().set(newcomer.key, &rollcall_shared::HardwareIds::default());
        self.tables().touched(&touched);
        self.tables().load_keys_of(&[from, to]).await
    }

    /// A person takes one decision about a device back.
    pub async fn undo_decision(
        &self,
        device: DeviceKey,
        id: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<Undone, Error> {
        let number = i64::from(device.0);
        let (kind, touched) = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let word: Option<String> = sqlx::query_scalar(UNDO)
                .bind(number).bind(id).bind(now.0).bind(by).fetch_optional(&mut *tx).await?;
            let Some(word) = word else { return Ok(Undone::None) };
            let kind = DecisionKind::from_word(&word)
                .ok_or_else(|| Error::Damaged(format!("decision `{word}`")))?;
            if !kind.can_be_taken_back() {
                return Ok(Undone::Impossible(kind));
            }
            let step = match kind {
                DecisionKind::LooksLike => Some(LET_IN),
                DecisionKind::Approved => Some(LET_WAIT),
                DecisionKind::Retired => Some(INTO_SERVICE),
                // The others only say what was found: a person says that it means nothing.
                _ => None,
            };
            if let Some(sql) = step {
                sqlx::query(sql).bind(number).execute(&mut *tx).await?;
            }
            let object = device_named!(tx, number);
            let detail = format!("decision {id}: {}", kind.as_str());
            record!(tx, &By::new(by, now).did("decision_undone", object, detail));
            let touched = touch!(tx, vec![number]);
            tx.commit().await?;
            (kind, touched)
        });
        self.tables().touched(&touched);
        self.tables().load_keys_of(&[number]).await?;
        Ok(Undone::Done(kind))
    }
}
