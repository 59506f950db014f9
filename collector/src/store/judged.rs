//! What the rules need to judge a device after its report, without asking the tables for what is
//! known already; and the findings of many devices written together.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};

use super::device::DeviceKey;
use super::{Error, Store, on_backend, queries};
use crate::codec::document;
use crate::domain::finding::Flag;

queries! {
    DOCUMENTS = "SELECT name, document FROM section
        WHERE device = $1 AND name IN ('os', 'volume', 'update')";
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
}
