//! Turns what was gathered into a report, and a report into what one request carries.

use std::collections::BTreeMap;
use std::io;

use rollcall_shared::report::{AgentInfo, CheckIn, SectionState, limits};
use rollcall_shared::section::Section;
use rollcall_shared::section::software::SoftwareChange;
use rollcall_shared::{Note, NoteKind, Timestamp};
use uuid::Uuid;

use crate::change::SOFTWARE;
use crate::client::COMPRESSION_LEVEL;
use crate::gather::Gathering;
use crate::merge;

/// What may still change in a report before it is sent: the time of sending, a count.
const HEAD_ROOM_BYTES: usize = 1024;

/// What names a new report.
#[derive(Debug, Clone, Copy)]
pub struct Naming {
    /// Its id.
    pub report_id: Uuid,
    /// Its number.
    pub seq: u64,
    /// When the computer was looked at.
    pub observed_at: Timestamp,
    /// Reports given up before it.
    pub dropped_reports: u64,
}

/// This program, as reports name it.
pub fn agent_info() -> AgentInfo {
    AgentInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        target: target().to_owned(),
        privileged: crate::paths::is_privileged(),
    }
}

fn target() -> &'static str {
    match (std::env::consts::ARCH, std::env::consts::OS, cfg!(target_env = "musl")) {
        ("x86_64", "linux", false) => "x86_64-unknown-linux-gnu",
        ("x86_64", "linux", true) => "x86_64-unknown-linux-musl",
        ("aarch64", "linux", false) => "aarch64-unknown-linux-gnu",
        ("aarch64", "linux", true) => "aarch64-unknown-linux-musl",
        ("x86_64", "windows", _) => "x86_64-pc-windows-msvc",
        ("aarch64", "windows", _) => "aarch64-pc-windows-msvc",
        ("x86_64", "macos", _) => "x86_64-apple-darwin",
        ("aarch64", "macos", _) => "aarch64-apple-darwin",
        (_, os, _) => os,
    }
}

/// The complete report with every body.
pub fn assemble(gathering: Gathering, naming: Naming) -> CheckIn {
    let sections = gathering
        .sections
        .into_iter()
        .map(|(name, found)| (name.to_owned(), found.into_told()))
        .collect();
    CheckIn {
        report_id: naming.report_id,
        seq: naming.seq,
        observed_at: naming.observed_at,
        sent_at: naming.observed_at,
        agent: agent_info(),
        hardware_ids: gathering.hardware_ids,
        vitals: gathering.vitals,
        sections,
        cost: gathering.cost,
        dropped_reports: naming.dropped_reports,
    }
}

/// A section as a report tells it.
pub(crate) fn section_state(section: Option<&Section>, notes: Vec<Note>) -> SectionState {
    let Some(section) = section else { return SectionState { notes, ..SectionState::default() } };
    match section.to_json() {
        Ok(json) => SectionState { notes, ..SectionState::with_body(merge::clean(json)) },
        Err(error) => SectionState::absent(
            Note::new(NoteKind::Failed).with_detail(format!("it could not be written: {error}")),
        ),
    }
}

/// Leaves out the largest bodies until the report with all the others fits into one request of at
/// most `limit_bytes`, compressed. A collector would never take it whole; so it takes the rest and
/// learns what is missing.
pub fn fit(report: &mut CheckIn, limit_bytes: usize) -> serde_json::Result<()> {
    while !fits(report, limit_bytes.saturating_sub(HEAD_ROOM_BYTES))? {
        let length = |state: &SectionState| state.body.as_ref().map_or(0, |body| body.get().len());
        let largest = report.sections.values_mut().max_by_key(|state| length(state));
        let Some(state) = largest.filter(|state| state.body.is_some()) else { break };
        let note = Note::new(NoteKind::Failed).with_detail(format!(
            "its {} KiB do not fit into a report that is sent in at most {} KiB",
            length(state) / 1024,
            limit_bytes / 1024
        ));
        (state.digest, state.body) = (None, None);
        state.notes.push(note);
    }
    Ok(())
}

/// Counts bytes and keeps none.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn fits(report: &CheckIn, limit_bytes: usize) -> serde_json::Result<bool> {
    // Nearly every report fits as it is, which is counted without writing it.
    let mut length = Length(0);
    serde_json::to_writer(&mut length, report)?;
    if length.0 > limits::DECOMPRESSED_BYTES {
        return Ok(false);
    }
    if length.0 <= limit_bytes {
        return Ok(true);
    }
    let json = serde_json::to_vec(report)?;
    Ok(zstd::bulk::compress(&json, COMPRESSION_LEVEL)
        .is_ok_and(|packed| packed.len() <= limit_bytes))
}

/// The bytes of one request: the report with the bodies that are to go along, and the change that
/// goes in place of the software's.
pub fn to_request(
    report: &CheckIn,
    sent_at: Timestamp,
    with_body: impl Fn(&str) -> bool,
    change: Option<&SoftwareChange>,
) -> serde_json::Result<Vec<u8>> {
    let sections: BTreeMap<String, SectionState> = report
        .sections
        .iter()
        .map(|(name, state)| {
            let change = change.filter(|_| name == SOFTWARE).cloned();
            let body = state.body.as_ref().filter(|_| change.is_none() && with_body(name)).cloned();
            let (digest, notes) = (state.digest, state.notes.clone());
            let state = SectionState { digest, body, change, notes };
            (name.clone(), state)
        })
        .collect();
    serde_json::to_vec(&CheckIn {
        sections,
        sent_at,
        agent: report.agent.clone(),
        hardware_ids: report.hardware_ids.clone(),
        vitals: report.vitals.clone(),
        cost: report.cost.clone(),
        ..*report
    })
}

/// The name of this computer, to show a person; it decides nothing.
pub fn hostname(gathering: &Gathering) -> String {
    let section = gathering.sections.get("system").and_then(|found| found.section.as_deref());
    if let Some(Section::System(system)) = section
        && !system.hostname.is_empty()
    {
        return system.hostname.clone();
    }
    #[cfg(unix)]
    {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }
    #[cfg(not(unix))]
    {
        std::env::var("COMPUTERNAME").unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    /// Text that does not shrink much: digests of numbers.
    fn body(bytes: usize) -> SectionState {
        let digests = (0u64..).map(|n| rollcall_shared::Digest::of(&n.to_le_bytes()).to_string());
        let mut text = String::new();
        digests.take(bytes / 64).for_each(|digest| text.push_str(&digest));
        SectionState::with_body(RawValue::from_string(format!("\"{text}\"")).unwrap())
    }

    #[test]
    fn a_report_that_is_too_large_goes_without_its_largest_section() {
        let naming = Naming {
            report_id: Uuid::nil(),
            seq: 1,
            observed_at: Timestamp(0),
            dropped_reports: 0,
        };
        let mut report = assemble(Gathering::default(), naming);
        for (name, bytes) in [("software", 400_000), ("user", 200_000), ("network", 40_000)] {
            report.sections.insert(name.to_owned(), body(bytes));
        }
        let whole = report.clone();
        fit(&mut report, 4 * 1024 * 1024).unwrap();
        assert_eq!(report.sections["software"].digest, whole.sections["software"].digest);
        fit(&mut report, 65_536).unwrap();
        let kept = report.sections.iter().filter(|(_, state)| state.body.is_some());
        assert_eq!(kept.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["network"]);
        for name in ["software", "user"] {
            let state = &report.sections[name];
            assert!(state.digest.is_none());
            assert_eq!(state.notes[0].kind, NoteKind::Failed);
        }
        let sent = to_request(&report, Timestamp(1), |_| true, None).unwrap();
        assert!(zstd::bulk::compress(&sent, COMPRESSION_LEVEL).unwrap().len() <= 65_536);
    }
}
