//! A check-in that changes nothing: noted in memory, written with others about once a second.

use rollcall_shared::time::{DAY_MS, HOUR_MS};
use rollcall_shared::{Digest, Timestamp};
use uuid::Uuid;

use super::Store;
use super::device::{DeviceKey, LastReport};
use super::memory::{Contact, lock};

/// What memory alone can say of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contacted {
    /// Nothing changed: noted.
    Noted,
    /// The report was stored before.
    Duplicate,
    /// The same id came with other content.
    Conflict,
    /// The writer must look at it.
    Changed,
}

/// How old seen values may grow before they are renewed.
const RENEW_MS: i64 = DAY_MS;

impl Store {
    /// Notes a report that says nothing new; no table is read or written here.
    pub fn note_contact(
        &self,
        device: DeviceKey,
        report_id: Uuid,
        content: Digest,
        fingerprint: Digest,
        report: &LastReport,
    ) -> Contacted {
        let state = self.memory().device(device);
        let mut state = lock(&state);
        match state.recent.knows(report_id, &content) {
            Some(true) => return Contacted::Duplicate,
            Some(false) => return Contacted::Conflict,
            None => {}
        }
        // A gap in the numbers: another collector may have stored what came between.
        let in_order =
            report.seq == state.seq.saturating_add(1) && report.observed_at >= state.observed_at;
        if !in_order || state.queued > 0 || state.fingerprint != Some(fingerprint) {
            return Contacted::Changed;
        }
        state.seq = report.seq;
        state.observed_at = report.observed_at;
        state.recent.push(report_id, report.seq, &content);
        let renew = report.received_at.since(state.values_at) > RENEW_MS;
        let renew_values = renew.then_some(state.values_at);
        if renew {
            state.values_at = report.received_at;
        }
        let mut contacts = self.memory().contacts();
        // A renewal that is not written yet goes on.
        let waiting = contacts.get(&device).and_then(|contact| contact.renew_values);
        let recent = state.recent.clone();
        let renew_values = waiting.or(renew_values);
        let report = report.clone();
        contacts.insert(device, Contact { report, report_id, content, recent, renew_values });
        Contacted::Noted
    }

    /// Whether a conflict of this device is to be written down: at most one an hour.
    pub(crate) fn conflict_due(&self, device: DeviceKey, now: Timestamp) -> bool {
        let state = self.memory().device(device);
        let mut state = lock(&state);
        let due = state.conflict_at.is_none_or(|at| now.since(at) >= HOUR_MS);
        if due {
            state.conflict_at = Some(now);
        }
        due
    }

    /// Whether a section's content is held by this device or any other.
    pub(crate) fn holds(&self, device: DeviceKey, section: &str, digest: &Digest) -> bool {
        let state = self.memory().device(device);
        let own = lock(&state).sections.get(section) == Some(digest);
        own || self.memory().holder(section, digest).is_some()
    }

    /// The digest by which a section of this device is known.
    pub(crate) fn known_by(&self, device: DeviceKey, section: &str) -> Option<Digest> {
        lock(&self.memory().device(device)).sections.get(section).copied()
    }

    /// When the device was last heard of, as far as memory knows without the tables.
    pub fn noted_at(&self, device: DeviceKey) -> Option<Timestamp> {
        self.memory().contacts().get(&device).map(|contact| contact.report.received_at)
    }
}
