//! Turns what was gathered into a report, and a report into what one request carries.

use std::collections::BTreeMap;

use rollcall_shared::report::{AgentInfo, CheckIn, SectionState};
use rollcall_shared::section::Section;
use rollcall_shared::{Note, NoteKind, Timestamp};
use uuid::Uuid;

use crate::gather::{Found, Gathering};

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
        .map(|(name, found)| (name.to_owned(), section_state(found)))
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

fn section_state(found: Found) -> SectionState {
    let Some(section) = found.section else {
        return SectionState { notes: found.notes, ..SectionState::default() };
    };
    match SectionState::collected(&section) {
        Ok(state) => SectionState { notes: found.notes, ..state },
        Err(error) => SectionState::absent(
            Note::new(NoteKind::Failed).with_detail(format!("it could not be written: {error}")),
        ),
    }
}

/// The bytes of one request: the report with the bodies that are to go along.
pub fn to_request(
    report: &CheckIn,
    sent_at: Timestamp,
    with_body: impl Fn(&str) -> bool,
) -> serde_json::Result<Vec<u8>> {
    let sections: BTreeMap<String, SectionState> = report
        .sections
        .iter()
        .map(|(name, state)| {
            let body = state.body.as_ref().filter(|_| with_body(name)).cloned();
            let state = SectionState { digest: state.digest, body, notes: state.notes.clone() };
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
    let section = gathering.sections.get("system").and_then(|found| found.section.as_ref());
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
