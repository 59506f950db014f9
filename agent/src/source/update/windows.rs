//! Updates of a Windows computer: how they are installed and when the last one was, from its
//! registry, and which of them wait, from its update service.

use super::waiting::{self, Silence};
use rollcall_shared::section::{Section, Update};
use rollcall_shared::{Note, NoteKind, Timestamp};

use crate::host::{Host, HostError};
use crate::registry::Key;
use crate::source::software::hotfix::{self, PACKAGES};
use crate::source::{Gathered, Platform, Privilege, Source};

const CURRENT: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
const POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU";
const SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\wuauserv";
/// The first build of Windows that updates itself unless it is told otherwise.
const FIRST_OF_10: u32 = 10_240;

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "windows_update",
    section: "update",
    about: "Updates of Windows that wait, as its update service knew them after its own last search, without optional ones and signatures against malware; when the last one was installed and whether they install themselves, from the registry",
    platforms: &[Platform::Windows],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let current = match host.registry(CURRENT) {
        Ok(current) => current,
        Err(error) => return Gathered::absent(error.into()),
    };
    let (last_installed_at, notes) = match last_installed_at(host) {
        Ok(at) => (at, Vec::new()),
        Err(error) if error.is_not_found() => (None, Vec::new()),
        Err(error) => (None, vec![Note::from(error)]),
    };
    let (pending, silence) = match waiting::pending(host, last_installed_at) {
        Ok(pending) => (Some(pending), None),
        Err(silence) => (None, Some(unknown(silence))),
    };
    let update = Update {
        manager: "windows_update".to_owned(),
        automatic: automatic(
            &current,
            &host.registry(POLICY).unwrap_or_default(),
            &host.registry(SERVICE).unwrap_or_default(),
        ),
        pending_unknown: pending.is_none(),
        security_known: pending.is_some(),
        pending: pending.unwrap_or_default(),
        last_installed_at,
    };
    Gathered {
        section: Some(Section::Update(update)),
        notes: notes.into_iter().chain(silence).collect(),
    }
}

/// Why nobody knows which updates wait.
fn unknown(silence: Silence) -> Note {
    match silence {
        Silence::Failed(why) => Note::new(NoteKind::Failed)
            .with_detail(format!("the update service does not say which updates wait: {why}")),
        Silence::TimedOut => Note::new(NoteKind::TimedOut)
            .with_detail("the update service did not say in time which updates wait"),
        Silence::Nobody => Note::new(NoteKind::Unsupported)
            .with_detail("which updates wait only a running update service can say"),
    }
}

/// Whether updates install themselves; `None` where a person on the spot decides.
fn automatic(current: &Key, policy: &Key, service: &Key) -> Option<bool> {
    const DISABLED: u64 = 4;
    if service.number("Start") == Some(DISABLED) || policy.number("NoAutoUpdate") == Some(1) {
        return Some(false);
    }
    match policy.number("AUOptions") {
        // Asked first, or only downloaded.
        Some(2 | 3) => return Some(false),
        Some(4) => return Some(true),
        _ => {}
    }
    let build: Option<u32> = current.text("CurrentBuild").and_then(|build| build.parse().ok());
    let is_client = current.text("InstallationType").as_deref() == Some("Client");
    (is_client && build? >= FIRST_OF_10).then_some(true)
}

/// When the newest package of an update was installed. Packages of languages and features come
/// when somebody asks for them, and say nothing of updates.
fn last_installed_at(host: &Host) -> Result<Option<Timestamp>, HostError> {
    let names = host.registry(PACKAGES)?.keys;
    let updates = names.iter().filter(|name| {
        name.starts_with("Package_for_RollupFix") || name.starts_with("Package_for_KB")
    });
    Ok(updates
        .filter_map(|name| {
            let package = host.registry(&format!(r"{PACKAGES}\{name}")).ok()?;
            hotfix::installed_at(&package).filter(|_| hotfix::is_installed(&package))
        })
        .max())
}
