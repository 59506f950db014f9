//! What the rules need to judge a device after its report, without asking the tables for what is
//! known already; and the findings of many devices written together.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};

use rollcall_shared::Timestamp;

use super::device::{DeviceKey, key_of};
use super::statement::select_in;
use super::{Error, Store, on_backend, queries};
use crate::codec::document;
use crate::domain::finding::Flag;

queries! {
    DOCUMENTS = "SELECT name, document FROM section
        WHERE device = $1 AND name IN ('os', 'volume', 'update')";
    DOCUMENTS_BETWEEN = "SELECT device, name, document FROM section
        WHERE device > $1 AND device <= $2 AND name IN ('os', 'volume', 'update')";
    SYSTEMS = "SELECT device, document FROM section
        WHERE name = 'os' AND device > $1 ORDER BY device LIMIT 1000";
    /// Empty documents are sections that are no more.
    UPDATES_PAST = "SELECT at, before FROM section_past
        WHERE device = $1 AND name = 'update' AND at >= $2 ORDER BY at DESC";
}

/// What stands before a list of devices.
pub(super) const SYSTEMS_OF: &str = "SELECT device, document FROM section
    WHERE name = 'os' AND device";

fn system((device, packed): (i64, Vec<u8>)) -> Result<(DeviceKey, String), Error> {
    Ok((key_of(device)?, document::decompress(&packed).unwrap_or_default()))
}

/// The sections that rules look at.
pub(crate) const JUDGED_SECTIONS: [&str; 3] = ["os", "volume", "update"];

/// What was found of each device last, as a keyed hash; empty after a start.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    hasher: RandomState,
    found: HashMap<DeviceKey, u64>,
}

impl Judged {
    /// Whether the same was found before.
    pub(crate) fn same(&self, device: DeviceKey, found: &[Flag]) -> bool {
        self.found.get(&device) == Some(&self.hash(found))
    }

    /// The tables agree with what was found.
    pub(crate) fn agree(&mut self, device: DeviceKey, found: &[Flag]) {
        let hash = self.hash(found);
        self.found.insert(device, hash);
    }

    /// Somebody else may have changed what the tables say of a device.
    pub(crate) fn forget(&mut self, device: DeviceKey) {
        self.found.remove(&device);
    }

    fn hash(&self, found: &[Flag]) -> u64 {
        self.hasher.hash_one(serde_json::to_vec(found).unwrap_or_default())
    }
}

impl Store {
    /// The present texts of the sections that rules look at.
    pub async fn judged_sections(
        &self,
        device: DeviceKey,
    ) -> Result<BTreeMap<String, String>, Error> {
        let rows: Vec<(String, Vec<u8>)> = on_backend!(self, read pool =>
            sqlx::query_as(DOCUMENTS).bind(i64::from(device.0)).fetch_all(pool).await?);
        rows.into_iter()
            .filter(|(_, packed)| !packed.is_empty())
            .map(|(name, packed)| {
                let text = document::decompress(&packed)
                    .map_err(|why| Error::Damaged(format!("device {}: {why}", device.0)))?;
                Ok((name, text))
            })
            .collect()
    }

    /// The same for the devices whose numbers are above `after` up to `last`. One whose texts
    /// cannot be unpacked has none.
    pub async fn judged_sections_between(
        &self,
        after: Option<DeviceKey>,
        last: DeviceKey,
    ) -> Result<HashMap<DeviceKey, BTreeMap<String, String>>, Error> {
        let after = after.map_or(-1, |key| i64::from(key.0));
        let rows: Vec<(i64, String, Vec<u8>)> = on_backend!(self, read pool =>
            sqlx::query_as(DOCUMENTS_BETWEEN)
                .bind(after)
                .bind(i64::from(last.0))
                .fetch_all(pool)
                .await?);
        let mut found: HashMap<DeviceKey, BTreeMap<String, String>> = HashMap::new();
        for (device, name, packed) in rows {
            if let Ok(text) = document::decompress(&packed)
                && !text.is_empty()
            {
                found.entry(key_of(device)?).or_default().insert(name, text);
            }
        }
        Ok(found)
    }

    /// What the devices after this one say of their operating systems, some at a time; empty at
    /// the end. Texts that cannot be unpacked are empty.
    pub async fn systems_after(
        &self,
        after: Option<DeviceKey>,
    ) -> Result<Vec<(DeviceKey, String)>, Error> {
        let after = after.map_or(-1, |key| i64::from(key.0));
        let rows: Vec<(i64, Vec<u8>)> = on_backend!(self, read pool =>
            sqlx::query_as(SYSTEMS).bind(after).fetch_all(pool).await?);
        rows.into_iter().map(system).collect()
    }

    /// What these devices say of their operating systems.
    pub async fn systems_of(
        &self,
        devices: &[DeviceKey],
    ) -> Result<Vec<(DeviceKey, String)>, Error> {
        let keys = super::batch::numbers(devices);
        let rows = on_backend!(self, read pool => {
            let mut tx = pool.begin().await?;
            select_in!(tx, (i64, Vec<u8>), SYSTEMS_OF, &keys)
        });
        rows.into_iter().map(system).collect()
    }

    /// What a device said of its updates from a moment on, the present text first, each with the
    /// moment it began; the last began at `from` or earlier. Empty texts: nothing was said.
    ///
    /// Ends early where a step back fails: a report may be stored between the reads.
    pub async fn update_states(
        &self,
        device: DeviceKey,
        present: &str,
        from: Timestamp,
    ) -> Result<Vec<(Timestamp, String)>, Error> {
        let rows: Vec<(i64, Vec<u8>)> = on_backend!(self, read pool =>
            sqlx::query_as(UPDATES_PAST)
                .bind(i64::from(device.0))
                .bind(from.0)
                .fetch_all(pool)
                .await?);
        let mut states = Vec::with_capacity(rows.len() + 1);
        let mut text = present.to_owned();
        for (at, patch) in rows {
            let older = document::undo(&text, &patch);
            states.push((Timestamp(at), text));
            match older {
                Ok(older) => text = older,
                Err(_) => return Ok(states),
            }
        }
        states.push((from, text));
        Ok(states)
    }
}
