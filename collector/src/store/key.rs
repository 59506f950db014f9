//! The keys devices speak with, remembered so that a request needs no table to be verified.

use std::collections::HashMap;

use rollcall_shared::DeviceId;

use super::device::{DeviceKey, key_of};
use super::statement::select_in;
use super::{Error, Tables, on_backend, queries};

macro_rules! columns {
    () => {
        "SELECT d.key, d.uuid, d.pending, d.retired_at, k.public_key, k.created_at, k.revoked_at
         FROM device d LEFT JOIN device_key k ON k.device = d.key"
    };
}
macro_rules! merged {
    () => {
        "SELECT d.uuid, o.uuid FROM decision m
         JOIN device d ON d.key = m.device JOIN device o ON o.key = m.other_device
         WHERE m.kind = 'merged'"
    };
}
queries! {
    ALL = concat!(columns!(), " ORDER BY k.created_at, k.revoked_at IS NULL");
    MERGED = concat!(merged!(), " ORDER BY m.id");
}

/// What stands before a list of devices, for the test that prepares every statement.
pub(super) const HEADS: &[&str] =
    &[concat!(columns!(), " WHERE d.key"), concat!(merged!(), " AND m.device")];

/// The key a device speaks with, and whether it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// The device.
    pub device: DeviceKey,
    /// Its newest public key.
    pub public_key: [u8; 32],
    /// The key was revoked.
    pub revoked: bool,
    /// A person must still approve the device.
    pub pending: bool,
    /// A person took the device out of service.
    pub retired: bool,
}

type KeyRow = (i64, String, bool, Option<i64>, Option<Vec<u8>>, Option<i64>, Option<i64>);
type MergedRow = (String, String);

/// Keys by device id; none for a record whose key went to another.
type Keys = HashMap<DeviceId, (DeviceKey, Option<KeyState>)>;

impl Tables {
    /// Reads all keys.
    pub(super) async fn load_keys(&self) -> Result<(), Error> {
        let _order = self.memory().key_order.lock().await;
        let (rows, merged): (Vec<KeyRow>, Vec<MergedRow>) = on_backend!(self, read pool => {
            let rows = sqlx::query_as(ALL).fetch_all(pool).await?;
            (rows, sqlx::query_as(MERGED).fetch_all(pool).await?)
        });
        self.set_keys(read(rows)?, merged, true)
    }

    /// Reads the keys of some devices anew; somebody changed them.
    pub(super) async fn load_keys_of(&self, devices: &[i64]) -> Result<(), Error> {
        let _order = self.memory().key_order.lock().await;
        let (mut rows, merged) = on_backend!(self, read pool => {
            let mut tx = pool.begin().await?;
            let rows = select_in!(tx, KeyRow, HEADS[0], devices);
            (rows, select_in!(tx, MergedRow, HEADS[1], devices))
        });
        rows.sort_by_key(|row| (row.5, row.6.is_none()));
        self.set_keys(read(rows)?, merged, false)
    }

    /// `all`: what is not among these is no more.
    fn set_keys(&self, keys: Keys, merged: Vec<MergedRow>, all: bool) -> Result<(), Error> {
        let id = |text: String| {
            let id: Result<DeviceId, _> = text.parse();
            id.map_err(|_| Error::Damaged(format!("the id `{text}` of a merged device")))
        };
        let others: HashMap<DeviceId, DeviceId> = merged
            .into_iter()
            .map(|(one, other)| Ok((id(one)?, id(other)?)))
            .collect::<Result<_, Error>>()?;
        let mut known = self.memory().keys_mut();
        let mut evidence = self.memory().evidence_mut();
        if all {
            known.clear();
            self.memory().merged_mut().clear();
        }
        self.memory().merged_mut().extend(others);
        for (id, (device, state)) in keys {
            // A device that waits for approval proves nothing against one that is known.
            let living =
                state.as_ref().is_some_and(|one| !one.revoked && !one.retired && !one.pending);
            evidence.set_living(device, living);
            match state {
                Some(state) => known.insert(id, state),
                None => known.remove(&id),
            };
        }
        Ok(())
    }
}

/// The rows are ordered so that the key that counts comes last.
fn read(rows: Vec<KeyRow>) -> Result<Keys, Error> {
    let mut keys = Keys::with_capacity(rows.len());
    for (key, id, pending, retired_at, public_key, _, revoked_at) in rows {
        let damaged = || Error::Damaged(format!("the key of device {key}"));
        let device = key_of(key)?;
        let state = match public_key {
            Some(public_key) => Some(KeyState {
                device,
                public_key: public_key.try_into().map_err(|_| damaged())?,
                revoked: revoked_at.is_some(),
                pending,
                retired: retired_at.is_some(),
            }),
            None => None,
        };
        keys.insert(id.parse().map_err(|_| damaged())?, (device, state));
    }
    Ok(keys)
}
