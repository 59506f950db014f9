//! Devices come, change their keys and go: each step is one transaction with its decision.

use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::api::unit::UnitFrom;
use rollcall_shared::{DeviceId, Digest, HardwareIds, Timestamp};

use super::audit::{By, device_named, record};
use super::device::{DeviceKey, DeviceRow, Membership, Summary};
use super::key::KeyState;
use super::touch::touch;
use super::unit::unit_named;
use super::{BeginWrite as _, Error, Store, on_backend, queries};

queries! {
    USE_TOKEN = "UPDATE enrollment_token SET uses = uses + 1
        WHERE digest = $1 AND expires_at > $2 AND revoked_at IS NULL
          AND (uses_allowed IS NULL OR uses < uses_allowed)
        RETURNING site, department, needs_approval, allows_reenrollment";
    NEXT_DEVICE = "UPDATE counter SET value = value + 1 WHERE name = 'device' RETURNING value";
    INSERT_DEVICE = "INSERT INTO device
        (key, uuid, hostname, os_name, summary, site, site_from, department, department_from,
          token_site, token_department, enrolled_at, pending, demo)
        VALUES ($1, $2, $3, '', $4, $5, $6, $7, $8, $5, $7, $9, $10, $11)";
    INSERT_KEY = "INSERT INTO device_key (public_key, device, created_at) VALUES ($1, $2, $3)";
    REVOKE_KEYS = "UPDATE device_key SET revoked_at = $2
        WHERE device = $1 AND revoked_at IS NULL";
    CONTINUE = "UPDATE device SET retired_at = NULL, pending = (pending OR $2) WHERE key = $1
        RETURNING pending";
    INSERT_DECISION = "INSERT INTO decision (device, at, kind, evidence, other_device, actor)
        VALUES ($1, $2, $3, $4, $5, $6)";
    APPROVE = "UPDATE device SET pending = FALSE WHERE key = $1 AND pending";
    SET_PENDING = "UPDATE device SET pending = TRUE WHERE key = $1";
    RETIRE = "UPDATE device SET retired_at = $2 WHERE key = $1 AND retired_at IS NULL";
    RETURN_TO_SERVICE = "UPDATE device SET retired_at = NULL WHERE key = $1
        AND retired_at IS NOT NULL";
    REMEMBER_HARDWARE = "INSERT INTO device_report (device, seq, report_id, content, fingerprint,
          recent, observed_at, received_at, changed_at, clock_error_ms, vitals, agent, cost,
          hardware_ids)
        VALUES ($1, 0, '', $2, $2, $2, $3, $3, 0, 0, '{}', '{\"version\":\"\",\"target\":\"\"}',
          '{}', $4)
        ON CONFLICT (device) DO NOTHING";
    BY_PUBLIC_KEY = "SELECT d.uuid FROM device_key k JOIN device d ON d.key = k.device
        WHERE k.public_key = $1";
}

/// A device that comes.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// The id it gets.
    pub id: DeviceId,
    /// Its public key.
    pub public_key: [u8; 32],
    /// Host name, to show a person before the first report.
    pub hostname: String,
    /// What the hardware says of itself: evidence until the first report brings its own.
    pub hardware_ids: HardwareIds,
    /// It waits for a person, whatever the token says.
    pub pending: bool,
    /// Made by `--demo`.
    pub demo: bool,
}

/// What a token gives to the devices that use it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenGrant {
    /// Number of the site of its devices.
    pub site: Option<i64>,
    /// Number of the department of its devices.
    pub department: Option<i64>,
    /// A person must approve its devices.
    pub needs_approval: bool,
    /// It may continue the record of a known, silent device.
    pub allows_reenrollment: bool,
}

/// One decision about who a device is.
#[derive(Debug, Clone)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// What was decided.
    pub kind: DecisionKind,
    /// In words: which values agreed or differed.
    pub evidence: String,
    /// The other device it is about.
    pub other: Option<DeviceKey>,
    /// The person who decided, where one did.
    pub actor: Option<String>,
}

/// What an enrolment is allowed by.
#[derive(Debug, Clone)]
pub enum Permission {
    /// A token, by the digest of its secret; it is used up by one in the same transaction.
    Token(Digest),
    /// The collector itself, e.g. for a rekeyed clone or the demo.
    Grant(TokenGrant),
}

type TokenRow = (Option<i64>, Option<i64>, bool, bool);

macro_rules! decide {
    ($tx:expr, $device:expr, $decision:expr) => {{
        let decision: &Decision = $decision;
        sqlx::query(INSERT_DECISION)
            .bind(i64::from($device.0))
            .bind(decision.at.0)
            .bind(decision.kind.as_str())
            .bind(&decision.evidence)
            .bind(decision.other.map(|other| i64::from(other.0)))
            .bind(decision.actor.as_deref())
            .execute(&mut *$tx)
            .await?;
    }};
}

/// What the permission gives; a token is used up by it. `None`: the token is not accepted.
macro_rules! granted {
    ($tx:expr, $permission:expr, $at:expr) => {
        match $permission {
            Permission::Grant(grant) => Some(grant.clone()),
            Permission::Token(digest) => {
                let row: Option<TokenRow> = sqlx::query_as(USE_TOKEN)
                    .bind(digest.0.to_vec())
                    .bind($at.0)
                    .fetch_optional(&mut *$tx)
                    .await?;
                row.map(grant_of)
            }
        }
    };
}

impl Store {
    /// Lets a device in: uses the token, makes the device and its key and writes the decision, all
    /// or nothing. `None`: the token does not allow it, for whatever reason.
    pub async fn enroll(
        &self,
        permission: &Permission,
        new: NewDevice,
        decision: &Decision,
    ) -> Result<Option<DeviceRow>, Error> {
        let _order = self.memory().key_order.lock().await;
        let (row, touched) = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let Some(grant) = granted!(tx, permission, decision.at) else { return Ok(None) };
            let key: i64 = sqlx::query_scalar(NEXT_DEVICE).fetch_one(&mut *tx).await?;
            let site = unit_named!(tx, grant.site);
            let department = unit_named!(tx, grant.department);
            let row = new_row(key, &new, [site, department], grant.needs_approval, decision.at)?;
            sqlx::query(INSERT_DEVICE)
                .bind(key)
                .bind(row.id.to_string())
                .bind(&row.summary.hostname)
                .bind(json(&row.summary)?)
                .bind(row.token_site)
                .bind(row.token_site.map(|_| UnitFrom::Token.as_str()))
                .bind(row.token_department)
                .bind(row.token_department.map(|_| UnitFrom::Token.as_str()))
                .bind(row.enrolled_at.0)
                .bind(row.pending)
                .bind(row.demo)
                .execute(&mut *tx)
                .await?;
            sqlx::query(INSERT_KEY)
                .bind(new.public_key.to_vec())
                .bind(key)
                .bind(decision.at.0)
                .execute(&mut *tx)
                .await?;
            sqlx::query(REMEMBER_HARDWARE)
                .bind(key)
                .bind(Vec::<u8>::new())
                .bind(decision.at.0)
                .bind(json(&new.hardware_ids)?)
                .execute(&mut *tx)
                .await?;
            decide!(tx, row.key, decision);
            let touched = touch!(tx, vec![key]);
            tx.commit().await?;
            (row, touched)
        });
        {
            let mut evidence = self.memory().evidence_mut();
            evidence.set(row.key, &new.hardware_ids);
            evidence.set_living(row.key, !row.pending);
        }
        self.memory().keys_mut().insert(
            row.id,
            KeyState {
                device: row.key,
                public_key: new.public_key,
                revoked: false,
                pending: row.pending,
                retired: false,
            },
        );
        self.tables().touched(&touched);
        Ok(Some(row))
    }

    /// Continues a known device with a new key (a re-imaged computer): uses the token, revokes the
    /// old key, takes the device back into service, writes the decision. Whether it waits for a
    /// person; `None`: the token does not allow it.
    pub async fn continue_device(
        &self,
        permission: &Permission,
        device: DeviceKey,
        public_key: [u8; 32],
        decision: &Decision,
    ) -> Result<Option<bool>, Error> {
        let _order = self.memory().key_order.lock().await;
        let (pending, touched) = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let Some(grant) = granted!(tx, permission, decision.at) else { return Ok(None) };
            if !grant.allows_reenrollment {
                return Ok(None);
            }
            let pending: bool = sqlx::query_scalar(CONTINUE)
                .bind(i64::from(device.0))
                .bind(grant.needs_approval)
                .fetch_one(&mut *tx)
                .await?;
            sqlx::query(REVOKE_KEYS)
                .bind(i64::from(device.0))
                .bind(decision.at.0)
                .execute(&mut *tx)
                .await?;
            sqlx::query(INSERT_KEY)
                .bind(public_key.to_vec())
                .bind(i64::from(device.0))
                .bind(decision.at.0)
                .execute(&mut *tx)
                .await?;
            decide!(tx, device, decision);
            let touched = touch!(tx, vec![i64::from(device.0)]);
            tx.commit().await?;
            (pending, touched)
        });
        self.change_key(device, |state| {
            *state = KeyState { device, public_key, revoked: false, pending, retired: false };
        });
        self.tables().touched(&touched);
        Ok(Some(pending))
    }

    /// Revokes the key of a device; it is refused from its next request on.
    pub async fn revoke(&self, device: DeviceKey, decision: &Decision) -> Result<(), Error> {
        let _order = self.memory().key_order.lock().await;
        self.step(REVOKE_KEYS, device, Some(decision.at), decision, "key_revoked").await?;
        self.change_key(device, |state| state.revoked = true);
        Ok(())
    }

    /// Takes a device out of service.
    pub async fn retire(&self, device: DeviceKey, decision: &Decision) -> Result<(), Error> {
        let _order = self.memory().key_order.lock().await;
        self.step(RETIRE, device, Some(decision.at), decision, "device_retired").await?;
        self.change_key(device, |state| state.retired = true);
        Ok(())
    }

    /// Takes a device back into service.
    pub async fn return_to_service(
        &self,
        device: DeviceKey,
        decision: &Decision,
    ) -> Result<(), Error> {
        let _order = self.memory().key_order.lock().await;
        self.step(RETURN_TO_SERVICE, device, None, decision, "device_returned").await?;
        self.change_key(device, |state| state.retired = false);
        Ok(())
    }

    /// A person lets a waiting device in.
    pub async fn approve(&self, device: DeviceKey, decision: &Decision) -> Result<(), Error> {
        let _order = self.memory().key_order.lock().await;
        self.step(APPROVE, device, None, decision, "device_approved").await?;
        // It is not the device that it looked like.
        let by = decision.actor.as_deref().unwrap_or_default();
        self.undo_decisions(device, DecisionKind::LooksLike, by, decision.at).await?;
        self.change_key(device, |state| state.pending = false);
        Ok(())
    }

    /// Makes a device wait for a person, e.g. when an approval is taken back.
    pub async fn set_pending(&self, device: DeviceKey, decision: &Decision) -> Result<(), Error> {
        let _order = self.memory().key_order.lock().await;
        self.step(SET_PENDING, device, None, decision, "device_held").await?;
        self.change_key(device, |state| state.pending = true);
        Ok(())
    }

    /// Writes a decision that changes nothing else.
    pub async fn note_decision(&self, device: DeviceKey, decision: &Decision) -> Result<(), Error> {
        let touched = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            decide!(tx, device, decision);
            let touched = touch!(tx, vec![i64::from(device.0)]);
            tx.commit().await?;
            touched
        });
        if decision.kind == DecisionKind::CloneSuspected {
            self.memory().suspected().insert(device);
        }
        self.tables().touched(&touched);
        Ok(())
    }

    /// One statement about one device with its decision, in one transaction.
    async fn step(
        &self,
        sql: &'static str,
        device: DeviceKey,
        at: Option<Timestamp>,
        decision: &Decision,
        action: &str,
    ) -> Result<(), Error> {
        let touched = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let query = sqlx::query(sql).bind(i64::from(device.0));
            let query = match at {
                Some(at) => query.bind(at.0),
                None => query,
            };
            if query.execute(&mut *tx).await?.rows_affected() > 0 {
                decide!(tx, device, decision);
                // What the collector decides by itself stands among the device's decisions.
                if let Some(actor) = &decision.actor {
                    let object = device_named!(tx, i64::from(device.0));
                    let by = By::new(actor, decision.at);
                    record!(tx, &by.did(action, object, &decision.evidence));
                }
            }
            let touched = touch!(tx, vec![i64::from(device.0)]);
            tx.commit().await?;
            touched
        });
        self.tables().touched(&touched);
        Ok(())
    }

    fn change_key(&self, device: DeviceKey, change: impl FnOnce(&mut KeyState)) {
        let mut keys = self.memory().keys_mut();
        if let Some(state) = keys.values_mut().find(|state| state.device == device) {
            change(state);
            let living = !state.revoked && !state.retired && !state.pending;
            self.memory().evidence_mut().set_living(device, living);
        }
    }

    /// The key a device speaks with: one look-up in memory. The id of a record that was found to be
    /// another device's leads to that device.
    pub fn key_of_device(&self, id: DeviceId) -> Option<KeyState> {
        let keys = self.memory().keys();
        let merged = || keys.get(self.memory().merged().get(&id)?);
        keys.get(&id).or_else(merged).cloned()
    }

    /// Another key than this one that the device of this id has by now.
    pub async fn newer_key(&self, id: &str, than: &KeyState) -> Result<Option<KeyState>, Error> {
        self.catch_up().await?;
        let known = id.parse().ok().and_then(|id| self.key_of_device(id));
        Ok(known.filter(|known| known.public_key != than.public_key))
    }

    /// The device that has or had this key.
    pub async fn device_by_public_key(
        &self,
        public_key: &[u8; 32],
    ) -> Result<Option<DeviceRow>, Error> {
        let id: Option<String> = on_backend!(self, read pool =>
            sqlx::query_scalar(BY_PUBLIC_KEY).bind(public_key.to_vec()).fetch_optional(pool).await?);
        match id.and_then(|id| id.parse().ok()) {
            Some(id) => self.device(id).await,
            None => Ok(None),
        }
    }
}

fn grant_of((site, department, needs_approval, allows_reenrollment): TokenRow) -> TokenGrant {
    TokenGrant { site, department, needs_approval, allows_reenrollment }
}

fn new_row(
    key: i64,
    new: &NewDevice,
    units: [Option<(i64, String)>; 2],
    needs_approval: bool,
    at: Timestamp,
) -> Result<DeviceRow, Error> {
    let key = u32::try_from(key).map_err(|_| Error::Damaged("counter `device`".into()))?;
    let belongs = |unit: Option<(i64, String)>| {
        unit.map(|(unit, name)| Membership { unit, name, from: UnitFrom::Token })
    };
    let [site, department] = units.map(belongs);
    Ok(DeviceRow {
        key: DeviceKey(key),
        id: new.id,
        enrolled_at: at,
        pending: new.pending || needs_approval,
        retired_at: None,
        demo: new.demo,
        token_site: site.as_ref().map(|site| site.unit),
        token_department: department.as_ref().map(|department| department.unit),
        site,
        department,
        asset_tag: None,
        summary: Summary {
            hostname: new.hostname.replace('\0', "\u{fffd}").chars().take(255).collect(),
            ..Summary::default()
        },
        last_seen_at: None,
        first_report_at: None,
    })
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Damaged(error.to_string()))
}
