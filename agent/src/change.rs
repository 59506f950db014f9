//! What changed in the list of software since the one that the collector holds: a kilobyte in place
//! of the whole list.
//!
//! The list that was acknowledged last is kept in memory only, packed. After a start the next
//! change goes as a whole list, and so does one from time to time, so that the collector's own
//! list is compared with this computer's, whatever happened to either.

use rollcall_shared::report::{CheckIn, limits};
use rollcall_shared::section::Software;
use rollcall_shared::section::software::SoftwareChange;
use rollcall_shared::{Digest, Note};

/// The section whose changes travel.
pub(crate) const SOFTWARE: &str = "software";
/// After so many changes the whole list is sent.
const CHANGES_IN_A_ROW: u32 = 30;

/// The list of software that the collector holds.
#[derive(Debug)]
pub(crate) struct Held {
    digest: Digest,
    packed: Vec<u8>,
    changes: u32,
}

impl Held {
    /// After the collector has stored a report. `changed`: it got a change in place of the list.
    pub(crate) fn after(before: Option<Self>, report: &CheckIn, changed: bool) -> Option<Self> {
        let state = report
            .sections
            .get(SOFTWARE)
            .filter(|state| !state.notes.iter().any(Note::leaves_open))?;
        let (digest, body) = (state.digest?, state.body.as_ref()?);
        let in_a_row = before.as_ref().map_or(0, |before| before.changes);
        if let Some(before) = before.filter(|before| before.digest == digest) {
            return Some(before);
        }
        let packed = zstd::bulk::compress(body.get().as_bytes(), 1).ok()?;
        Some(Self { digest, packed, changes: if changed { in_a_row + 1 } else { 0 } })
    }

    /// How a report's list differs from this one; `None` when the whole list must go.
    pub(crate) fn change(&self, report: &CheckIn) -> Option<SoftwareChange> {
        let state = report
            .sections
            .get(SOFTWARE)
            .filter(|state| !state.notes.iter().any(Note::leaves_open))?;
        let body = state.body.as_ref()?;
        if state.digest? == self.digest || self.changes >= CHANGES_IN_A_ROW {
            return None;
        }
        let held = zstd::bulk::decompress(&self.packed, limits::DECOMPRESSED_BYTES).ok()?;
        let held: Vec<Software> = serde_json::from_slice(&held).ok()?;
        let now: Vec<Software> = serde_json::from_str(body.get()).ok()?;
        SoftwareChange::between(&held, &now, self.digest)
    }
}
