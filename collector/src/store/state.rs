//! What is remembered of each device, put together from the tables: at start, and again where
//! somebody else changed the device.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rollcall_shared::{Digest, Timestamp};

use super::device::{DeviceKey, key_of};
use super::load::SOFTWARE_NAME;
use super::memory::{DeviceState, Memory, Recent, lock};
use super::{Error, Tables};

pub(super) const REPORTS: &str = "SELECT device, seq, report_id, fingerprint, recent, observed_at,
    changed_at FROM device_report WHERE device";
pub(super) const SECTIONS: &str =
    "SELECT device, name, digest FROM section WHERE length(document) > 0 AND device";
pub(super) const SOFTWARE: &str = "SELECT device, digest FROM software WHERE device";
pub(super) const NOTES: &str = "SELECT device, notes FROM section_note WHERE device";
pub(super) const VALUES_AT: &str = "SELECT device, at FROM
    (SELECT device, max(last_at) AS at FROM seen_value GROUP BY device) AS newest WHERE device";

/// What stands before a list of devices, for the test that prepares every statement.
#[cfg(test)]
pub(super) const HEADS: &[&str] = &[REPORTS, SECTIONS, SOFTWARE, NOTES, VALUES_AT];

pub(super) type ReportRow = (i64, i64, String, Vec<u8>, Vec<u8>, i64, i64);

/// The rows about some devices.
#[derive(Debug, Default)]
pub(super) struct StateRows {
    /// Read first, so that the rest is at least as new.
    pub(super) numbers: Vec<(i64, i64)>,
    pub(super) reports: Vec<ReportRow>,
    pub(super) sections: Vec<(i64, String, Vec<u8>)>,
    pub(super) software: Vec<(i64, Vec<u8>)>,
    pub(super) notes: Vec<(i64, String)>,
    pub(super) values_at: Vec<(i64, i64)>,
}

/// The rows about these devices, read within a transaction.
macro_rules! state_rows {
    ($tx:ident, $devices:expr) => {{
        use $crate::store::{state, statement::select_in, touch};
        let devices: &[i64] = $devices;
        state::StateRows {
            numbers: select_in!($tx, (i64, i64), touch::NUMBERS, devices),
            reports: select_in!($tx, state::ReportRow, state::REPORTS, devices),
            sections: select_in!($tx, (i64, String, Vec<u8>), state::SECTIONS, devices),
            software: select_in!($tx, (i64, Vec<u8>), state::SOFTWARE, devices),
            notes: select_in!($tx, (i64, String), state::NOTES, devices),
            values_at: select_in!($tx, (i64, i64), state::VALUES_AT, devices),
        }
    }};
}
pub(super) use state_rows;

impl StateRows {
    /// Puts them together. A device without a report has the empty state.
    pub(super) fn states(self) -> Result<BTreeMap<DeviceKey, DeviceState>, Error> {
        let mut states: BTreeMap<DeviceKey, DeviceState> = BTreeMap::new();
        for (device, seq, report_id, fingerprint, recent, observed_at, changed_at) in self.reports {
            let state = states.entry(key_of(device)?).or_default();
            if report_id.is_empty() {
                continue; // Enrolled, not reported yet.
            }
            state.reported = true;
            state.seq = u64::try_from(seq).unwrap_or_default();
            state.recent = Recent::from_bytes(&recent);
            state.fingerprint = Digest::from_slice(&fingerprint);
            state.observed_at = Timestamp(observed_at);
            state.changed_at = Timestamp(changed_at);
        }
        for (device, number) in self.numbers {
            states.entry(key_of(device)?).or_default().touched = number;
        }
        let software = self.software.into_iter();
        let software = software.map(|(device, digest)| (device, SOFTWARE_NAME.to_owned(), digest));
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        for (device, name, digest) in self.sections.into_iter().chain(software) {
            let digest = Digest::from_slice(&digest)
                .ok_or_else(|| Error::Damaged(format!("a digest of device {device}")))?;
            let name = names.get(name.as_str()).cloned().unwrap_or_else(|| {
                let name: Arc<str> = name.into();
                names.insert(Arc::clone(&name));
                name
            });
            states.entry(key_of(device)?).or_default().sections.insert(name, digest);
        }
        for (device, notes) in self.notes {
            let state = states.entry(key_of(device)?).or_default();
            state.notes = Some(Digest::of(notes.as_bytes()));
        }
        for (device, at) in self.values_at {
            states.entry(key_of(device)?).or_default().values_at = Timestamp(at);
        }
        Ok(states)
    }
}

impl Tables {
    /// Remembers these states. `locked`: nobody can change the devices now, so they hold whatever
    /// memory says; else only what is newer than memory counts.
    pub(super) fn remember_states(&self, states: BTreeMap<DeviceKey, DeviceState>, locked: bool) {
        for (device, state) in states {
            self.memory().set_state(device, state, locked);
        }
    }
}

impl Memory {
    fn set_state(&self, device: DeviceKey, mut new: DeviceState, locked: bool) {
        let shared = self.device(device);
        let mut state = lock(&shared);
        if !locked && new.touched < state.touched {
            return;
        }
        new.queued = state.queued;
        new.conflict_at = state.conflict_at;
        // A contact that is not written yet is newer than the tables.
        if let Some(contact) = self.contacts().get(&device)
            && contact.report.seq > new.seq
        {
            new.seq = contact.report.seq;
            new.observed_at = contact.report.observed_at;
            new.recent = contact.recent.clone();
        }
        let moved = |from: &DeviceState, to: &DeviceState| -> Vec<(Arc<str>, Digest)> {
            let differs =
                |(name, digest): &(&Arc<str>, &Digest)| to.sections.get(*name) != Some(*digest);
            from.sections
                .iter()
                .filter(differs)
                .map(|(name, one)| (Arc::clone(name), *one))
                .collect()
        };
        let (gone, come) = (moved(&state, &new), moved(&new, &state));
        *state = new;
        drop(state);
        self.hold(device, gone.into_iter().map(|(_, digest)| digest), come);
    }
}
