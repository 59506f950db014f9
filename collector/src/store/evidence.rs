//! Which devices have which hardware identifiers: the evidence about who a device is, in memory.
//!
//! Values are kept as keyed hashes, since all that is asked is who else has one. What a value
//! proves is decided in `domain::matching`; here it is only counted.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use rollcall_shared::HardwareIds;
use rollcall_shared::junk::IdKind;

use super::device::DeviceKey;
use super::{Error, Store, Tables, on_backend, queries};
use crate::domain::matching;

queries! {
    IDS = "SELECT hardware_ids FROM device_report WHERE device = $1";
    ALL_IDS = "SELECT device, hardware_ids FROM device_report
        WHERE device > $1 ORDER BY device LIMIT 1000";
}

/// What stands before a list of devices.
pub(super) const IDS_OF: &str = "SELECT device, hardware_ids FROM device_report WHERE device";

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    hasher: RandomState,
    values: HashMap<DeviceKey, Box<[u64]>>,
    devices: HashMap<u64, Devices>,
    /// Devices whose key does not count: revoked, out of service, or waiting for approval.
    dead: HashSet<DeviceKey>,
}

/// Nearly every value belongs to one device.
#[derive(Debug)]
enum Devices {
    One(DeviceKey),
    Many(Vec<DeviceKey>),
}

impl Evidence {
    fn hash(&self, kind: IdKind, value: &str) -> u64 {
        self.hasher.hash_one((kind, value.trim().to_ascii_lowercase()))
    }

    /// A device has these identifiers now.
    pub(crate) fn set(&mut self, device: DeviceKey, ids: &HardwareIds) {
        let mut now: Vec<u64> =
            matching::values(ids).map(|(kind, value)| self.hash(kind, value)).collect();
        now.sort_unstable();
        now.dedup();
        let before = self.values.get(&device).map(AsRef::as_ref).unwrap_or_default();
        if before == now.as_slice() {
            return;
        }
        for hash in self.values.insert(device, now.clone().into()).unwrap_or_default() {
            match self.devices.get_mut(&hash) {
                Some(Devices::Many(devices)) => {
                    devices.retain(|one| *one != device);
                    if let [last] = devices[..] {
                        self.devices.insert(hash, Devices::One(last));
                    }
                }
                Some(Devices::One(one)) if *one == device => {
                    self.devices.remove(&hash);
                }
                _ => {}
            }
        }
        for hash in now {
            match self.devices.get_mut(&hash) {
                None => {
                    self.devices.insert(hash, Devices::One(device));
                }
                Some(Devices::Many(devices)) => devices.push(device),
                Some(Devices::One(other)) => {
                    let both = vec![*other, device];
                    self.devices.insert(hash, Devices::Many(both));
                }
            }
        }
    }

    /// The devices with this value, dead ones included.
    pub(crate) fn with(&self, kind: IdKind, value: &str) -> &[DeviceKey] {
        match self.devices.get(&self.hash(kind, value)) {
            None => &[],
            Some(Devices::One(device)) => std::slice::from_ref(device),
            Some(Devices::Many(devices)) => devices,
        }
    }

    /// On how many living devices but this one the value is seen.
    pub(crate) fn living_beside(
        &self,
        device: Option<DeviceKey>,
        kind: IdKind,
        value: &str,
    ) -> u32 {
        let devices = self.with(kind, value).iter();
        let living = devices.filter(|one| Some(**one) != device && !self.dead.contains(one));
        u32::try_from(living.count()).unwrap_or(u32::MAX)
    }

    /// Whether a device's key counts.
    pub(super) fn set_living(&mut self, device: DeviceKey, living: bool) {
        if living {
            self.dead.remove(&device);
        } else {
            self.dead.insert(device);
        }
    }
}

impl Store {
    /// What the hardware of a device said last, or at its enrolment.
    pub async fn hardware_ids(&self, device: DeviceKey) -> Result<HardwareIds, Error> {
        let ids: Option<String> = on_backend!(self, read pool =>
            sqlx::query_scalar(IDS).bind(i64::from(device.0)).fetch_optional(pool).await?);
        ids.map_or_else(|| Ok(HardwareIds::default()), |ids| read(device, &ids))
    }
}

impl Tables {
    /// Reads the evidence of every device.
    pub(super) async fn load_evidence(&self) -> Result<(), Error> {
        let mut last = -1;
        loop {
            let rows: Vec<(i64, String)> = on_backend!(self, read pool =>
                sqlx::query_as(ALL_IDS).bind(last).fetch_all(pool).await?);
            let Some(newest) = rows.last() else { return Ok(()) };
            last = newest.0;
            self.remember_evidence(&rows)?;
        }
    }

    /// Remembers the identifiers of these devices.
    pub(super) fn remember_evidence(&self, rows: &[(i64, String)]) -> Result<(), Error> {
        let mut evidence = self.memory().evidence_mut();
        for (device, ids) in rows {
            let device = super::device::key_of(*device)?;
            evidence.set(device, &read(device, ids)?);
        }
        Ok(())
    }
}

fn read(device: DeviceKey, ids: &str) -> Result<HardwareIds, Error> {
    serde_json::from_str(ids)
        .map_err(|_| Error::Damaged(format!("the hardware ids of device {}", device.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_while_somebody_has_them() {
        let ids = |serial: &str| HardwareIds {
            serial: Some(serial.to_owned()),
            macs: vec!["8C:8C:AA:00:00:01".to_owned()],
            ..HardwareIds::default()
        };
        let mut evidence = Evidence::default();
        let [a, b, c] = [1, 2, 3].map(DeviceKey);
        for device in [a, b, c] {
            evidence.set(device, &ids("PF3A1B2C"));
        }
        evidence.set(b, &ids("pf3a1b2c "));
        assert_eq!(evidence.with(IdKind::Serial, " PF3A1B2C"), [a, b, c]);
        assert_eq!(evidence.living_beside(Some(a), IdKind::Serial, "PF3A1B2C"), 2);
        assert_eq!(evidence.living_beside(None, IdKind::Serial, "PF3A1B2C"), 3);
        evidence.set_living(b, false);
        assert_eq!(evidence.living_beside(Some(a), IdKind::Serial, "PF3A1B2C"), 1);
        evidence.set_living(b, true);
        evidence.set(b, &ids("OTHER"));
        evidence.set(c, &HardwareIds::default());
        assert_eq!(evidence.with(IdKind::Serial, "pf3a1b2c"), [a]);
        assert_eq!(evidence.with(IdKind::Mac, "8c:8c:aa:00:00:01"), [a, b]);
        evidence.set(a, &HardwareIds::default());
        assert!(evidence.with(IdKind::Serial, "pf3a1b2c").is_empty());
    }
}
