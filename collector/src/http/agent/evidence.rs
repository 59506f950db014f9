//! Holds a computer that enrols against those that are known.

use std::collections::BTreeSet;

use rollcall_shared::HardwareIds;

use crate::app::App;
use crate::domain::matching::{self, Candidate, Enrolment};
use crate::http::Error;
use crate::store::device::DeviceKey;

/// More devices than this share a value that tells nothing.
const CANDIDATES: usize = 50;

/// Decides who enrols with this hardware. `allowed`: the token lets a known device go on.
pub(super) async fn decide(
    app: &App,
    ids: &HardwareIds,
    allowed: bool,
) -> Result<Enrolment, Error> {
    app.store.catch_up().await?;
    let now = app.clock.now();
    let devices: BTreeSet<DeviceKey> = {
        let evidence = app.store.memory().evidence();
        matching::values(ids)
            .map(|(kind, value)| evidence.with(kind, value))
            .filter(|devices| devices.len() <= CANDIDATES)
            .flatten()
            .copied()
            .collect()
    };
    let mut candidates = Vec::new();
    for device in devices {
        let Some(row) = app.store.device_by_key(device).await? else { continue };
        // Without a key of its own it was found to be another device, whose key it has now.
        let Some(key) = app.store.key_of_device(row.id).filter(|key| key.device == device) else {
            continue;
        };
        let last = row.last_seen_at.unwrap_or(row.enrolled_at);
        let quiet = now.since(last) > app.fleet.policy().stale_ms();
        candidates.push(Candidate {
            device: row.id,
            label: row.summary.hostname,
            ids: app.store.hardware_ids(device).await?,
            silent: key.revoked || key.retired || quiet,
        });
    }
    let evidence = app.store.memory().evidence();
    let living = |kind, value: &str| evidence.living_beside(None, kind, value);
    Ok(matching::enrolment(ids, &candidates, allowed, &living))
}
