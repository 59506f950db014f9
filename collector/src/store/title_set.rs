//! The sets of titles of all devices, in pages, for building the fleet in memory.

use std::sync::Arc;

use super::device::{DeviceKey, key_of};
use super::{Error, Store, on_backend, queries};
use crate::codec::ids;

queries! {
    PAGE = "SELECT device, titles FROM software WHERE device > $1 ORDER BY device LIMIT 1000";
}

impl Store {
    /// The sorted titles of the devices after this one, some at a time; empty at the end.
    pub async fn title_sets_after(
        &self,
        after: Option<DeviceKey>,
    ) -> Result<Vec<(DeviceKey, Arc<[u32]>)>, Error> {
        let after = after.map_or(-1, |key| i64::from(key.0));
        let rows: Vec<(i64, Vec<u8>)> = on_backend!(self, read pool =>
            sqlx::query_as(PAGE).bind(after).fetch_all(pool).await?);
        let read = |(device, bytes): (i64, Vec<u8>)| {
            let ids = ids::decode(&bytes)
                .map_err(|error| Error::Damaged(format!("titles of device {device}: {error}")))?;
            Ok((key_of(device)?, ids.into()))
        };
        rows.into_iter().map(read).collect()
    }
}
