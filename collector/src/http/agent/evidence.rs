//! Which devices have which hardware identifiers, for deciding about those that enrol. Read from
//! the tables when it is needed and kept for a while: enrolments come in crowds.

use std::collections::{HashMap, HashSet};

use rollcall_shared::junk::IdKind;
use rollcall_shared::time::MINUTE_MS;
use rollcall_shared::{DeviceId, HardwareIds, Timestamp};
use tokio::sync::Mutex;

use crate::app::App;
use crate::domain::matching::{self, Candidate, Enrolment};
use crate::http::Error;
use crate::store::device::DeviceKey;

/// How long the picture is used before it is read again.
const FRESH_MS: i64 = MINUTE_MS;

/// What was read of the fleet's hardware.
#[derive(Debug, Default)]
pub(crate) struct Evidence(Mutex<Option<Picture>>);

#[derive(Debug)]
struct Picture {
    read_at: Timestamp,
    ids: HashMap<DeviceKey, HardwareIds>,
    by_value: HashMap<(IdKind, String), Vec<DeviceKey>>,
}

impl Picture {
    fn of(all: Vec<(DeviceKey, HardwareIds)>, read_at: Timestamp) -> Self {
        let mut picture = Self { read_at, ids: HashMap::new(), by_value: HashMap::new() };
        for (device, ids) in all {
            picture.add(device, ids);
        }
        picture
    }

    fn add(&mut self, device: DeviceKey, ids: HardwareIds) {
        for (kind, value) in matching::values(&ids) {
            self.by_value.entry((kind, normal(value))).or_default().push(device);
        }
        self.ids.insert(device, ids);
    }

    fn with(&self, kind: IdKind, value: &str) -> &[DeviceKey] {
        self.by_value.get(&(kind, normal(value))).map_or(&[], Vec::as_slice)
    }
}

fn normal(value: &str) -> String {
    value.trim().to_ascii_lowercase()
}

/// More candidates than this share a value that tells nothing.
const CANDIDATES: usize = 50;

impl Evidence {
    /// Decides who enrols with this hardware.
    pub(crate) async fn decide(
        &self,
        app: &App,
        ids: &HardwareIds,
        allowed: bool,
    ) -> Result<Enrolment, Error> {
        let now = app.clock.now();
        let mut picture = self.0.lock().await;
        let stale = picture.as_ref().is_none_or(|old| now.since(old.read_at) >= FRESH_MS);
        if stale {
            *picture = Some(Picture::of(app.store.all_hardware_ids().await?, now));
        }
        let Some(picture) = picture.as_ref() else { return Err(Error::internal("no evidence")) };
        let devices: HashSet<DeviceKey> = matching::values(ids)
            .map(|(kind, value)| picture.with(kind, value))
            .filter(|devices| devices.len() <= CANDIDATES)
            .flatten()
            .copied()
            .collect();
        let names = names(app);
        let mut candidates = Vec::new();
        for device in devices {
            let Some((id, revoked)) = names.get(&device).copied() else { continue };
            let Some(row) = app.store.device(id).await? else { continue };
            let last = row.last_seen_at.unwrap_or(row.enrolled_at);
            let silent = revoked || now.since(last) > app.fleet.policy().stale_ms();
            candidates.push(Candidate {
                device: id,
                label: row.summary.hostname,
                ids: picture.ids.get(&device).cloned().unwrap_or_default(),
                silent,
            });
        }
        candidates.sort_by_key(|candidate| candidate.device);
        let living = |kind: IdKind, value: &str| {
            let alive = |device: &&DeviceKey| names.get(*device).is_some_and(|(_, gone)| !gone);
            let count = picture.with(kind, value).iter().filter(alive).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        Ok(matching::enrolment(ids, &candidates, allowed, &living))
    }

    /// Remembers a device that was just let in, so that the next one is held against it.
    pub(crate) async fn add(&self, device: DeviceKey, ids: HardwareIds) {
        if let Some(picture) = self.0.lock().await.as_mut() {
            picture.add(device, ids);
        }
    }
}

/// Id of every device and whether its key counts no more.
fn names(app: &App) -> HashMap<DeviceKey, (DeviceId, bool)> {
    let keys = app.store.memory().keys();
    keys.iter().map(|(id, key)| (key.device, (*id, key.revoked || key.retired))).collect()
}
