//! The sets of titles of all devices, in pages, for building the fleet in memory.

use std::collections::HashMap;

use rollcall_shared::Timestamp;

use super::device::{DeviceKey, key_of};
use super::statement::select_in;
use super::{Error, ONE_MOMENT, Store, on_backend, queries};
use crate::codec::delta::Delta;
use crate::codec::ids::{self, PackedSet};

queries! {
    SETS = "SELECT device, titles FROM software
        WHERE device > $1 AND device <= $2 AND first_at <= $3";
    DELTAS = "SELECT device, delta FROM software_change
        WHERE device > $1 AND device <= $2 AND at > $3 ORDER BY device, at DESC";
    PAGE = "SELECT device, titles FROM software WHERE device > $1 ORDER BY device LIMIT 1000";
}

/// What stands before a list of devices.
pub(super) const SETS_OF: &str = "SELECT device, titles FROM software WHERE device";

/// A device with a set or a change of one.
type Blob = (i64, Vec<u8>);

impl Store {
    /// The sorted titles that the devices with numbers above `after` up to `last` had at a moment.
    /// One whose titles of then are not known is left out.
    pub async fn title_sets_at(
        &self,
        after: Option<DeviceKey>,
        last: DeviceKey,
        at: Timestamp,
    ) -> Result<HashMap<DeviceKey, Vec<u32>>, Error> {
        let after = after.map_or(-1, |key| i64::from(key.0));
        let (last, at) = (i64::from(last.0), at.0);
        let (rows, deltas): (Vec<Blob>, Vec<Blob>) = on_backend!(self, read pool => {
            // One moment for both, so that each change is undone that the sets hold.
            let mut transaction = pool.begin().await?;
            if self.backend() == "postgres" {
                sqlx::query(ONE_MOMENT).execute(&mut *transaction).await?;
            }
            let rows = sqlx::query_as(SETS)
                .bind(after).bind(last).bind(at).fetch_all(&mut *transaction).await?;
            let deltas = sqlx::query_as(DELTAS)
                .bind(after).bind(last).bind(at).fetch_all(&mut *transaction).await?;
            (rows, deltas)
        });
        let damaged =
            |device: i64, why| Error::Damaged(format!("titles of device {device}: {why}"));
        let mut sets = HashMap::with_capacity(rows.len());
        for (device, bytes) in rows {
            let set = ids::decode(&bytes).map_err(|why| damaged(device, why))?;
            sets.insert(key_of(device)?, set);
        }
        for (device, bytes) in deltas {
            if let Some(set) = sets.get_mut(&key_of(device)?) {
                *set = Delta::decode(&bytes).map_err(|why| damaged(device, why))?.undo(set);
            }
        }
        Ok(sets)
    }

    /// The sorted titles of the devices after this one, packed as they are stored, some at a time;
    /// empty at the end. Each can be unpacked.
    pub async fn title_sets_after(
        &self,
        after: Option<DeviceKey>,
    ) -> Result<Vec<(DeviceKey, PackedSet)>, Error> {
        let after = after.map_or(-1, |key| i64::from(key.0));
        let rows: Vec<(i64, Vec<u8>)> = on_backend!(self, read pool =>
            sqlx::query_as(PAGE).bind(after).fetch_all(pool).await?);
        rows.into_iter().map(read).collect()
    }

    /// The sorted titles of these devices, in no order; one without software is left out.
    pub async fn title_sets_of(
        &self,
        devices: &[DeviceKey],
    ) -> Result<Vec<(DeviceKey, PackedSet)>, Error> {
        let keys = super::batch::numbers(devices);
        let rows = on_backend!(self, read pool => {
            let mut tx = pool.begin().await?;
            select_in!(tx, Blob, SETS_OF, &keys)
        });
        rows.into_iter().map(read).collect()
    }
}

fn read((device, bytes): Blob) -> Result<(DeviceKey, PackedSet), Error> {
    let set = PackedSet::from_bytes(bytes)
        .map_err(|error| Error::Damaged(format!("titles of device {device}: {error}")))?;
    Ok((key_of(device)?, set))
}
