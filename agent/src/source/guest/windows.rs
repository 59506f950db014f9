//! What runs inside Windows: containers of the Docker engine, and the distributions of Linux that
//! people installed for themselves, from their parts of the registry. Those of Docker Desktop and
//! Podman are among these.

use rollcall_shared::section::{Container, Section, VirtualMachine};
use rollcall_shared::{Note, NoteKind};
use serde_json::Value;

use super::containers::docker_in;
use super::{GUESTS_LIMIT, Search};
use crate::host::{Host, HostError};
use crate::order;
use crate::registry::Key;
use crate::source::text::{has_ending, json_text};
use crate::source::windows_place::{place, system_drive};
use crate::source::{Gathered, Platform, Privilege, Source};

const PROFILES: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";

/// Containers.
pub const DOCKER_WINDOWS: Source = Source {
    name: "docker_engine",
    section: "container",
    about: "Containers of Windows from the files of the Docker engine; never their environment or command lines",
    platforms: &[Platform::Windows],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: containers,
};

/// Distributions of Linux.
pub const WSL: Source = Source {
    name: "wsl",
    section: "virtual_machine",
    about: r"Distributions of the Windows Subsystem for Linux, from the registry (Lxss) of people who are signed in",
    platforms: &[Platform::Windows],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

fn containers(host: &Host) -> Gathered {
    let elsewhere = || {
        let why = "there is no Docker engine of Windows; what Docker Desktop and Podman keep in a machine of their own is not looked into";
        Gathered::absent(Note::new(NoteKind::Unsupported).with_detail(why))
    };
    let Some(drive) = system_drive(host) else { return elsewhere() };
    let engine = format!("{drive}/ProgramData/docker");
    let settings = host.read_text(&place(host, &format!("{engine}/config/daemon.json")));
    let settings: Value = serde_json::from_str(&settings.unwrap_or_default()).unwrap_or_default();
    let top = json_text(&settings, &["data-root"]).unwrap_or(&engine);
    let folder = place(host, &format!("{top}/containers"));
    let mut search = Search::new(host);
    match host.list(&folder) {
        Ok(_) => docker_in(&mut search, &folder),
        Err(error) if error.is_not_found() => return elsewhere(),
        Err(error) => search.missed(error),
    }
    let mut rows: Vec<Container> = search.found;
    order::sort(&mut rows, Ord::cmp);
    rows.truncate(GUESTS_LIMIT);
    super::finish(Section::Container(rows), search.notes)
}

fn gather(host: &Host) -> Gathered {
    let people = match host.registry("HKU") {
        Ok(users) => users.keys,
        Err(error) => return Gathered::absent(error.into()),
    };
    let is_person = |id: &&String| {
        ["S-1-5-21-", "S-1-12-1-"].iter().any(|kind| id.starts_with(kind))
            && !id.ends_with("_Classes")
            // A profile that could not be loaded leaves a second key.
            && !has_ending(id, "bak")
    };
    let here: Vec<&String> = people.iter().filter(is_person).collect();
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for id in &here {
        let path = format!(r"HKU\{id}\Software\Microsoft\Windows\CurrentVersion\Lxss");
        let list = match host.registry(&path) {
            Ok(list) => list,
            Err(HostError::NotFound { .. }) => continue,
            Err(error) => {
                notes.push(Note::from(error));
                continue;
            }
        };
        let keys = list.keys.iter().filter_map(|key| host.registry(&format!(r"{path}\{key}")).ok());
        rows.extend(keys.filter_map(|key| distribution(&key)));
    }
    let profiles = host.registry(PROFILES).map(|key| key.keys).unwrap_or_default();
    let away = profiles.iter().filter(is_person).filter(|id| !here.contains(id)).count();
    if away > 0 {
        let why = format!("what {away} accounts that are not signed in have is not known");
        notes.push(Note::new(NoteKind::Failed).with_detail(why));
    }
    order::sort(&mut rows, Ord::cmp);
    rows.truncate(GUESTS_LIMIT);
    // An empty list is an answer only where nothing was hidden.
    let section = (!rows.is_empty() || notes.is_empty()).then_some(Section::VirtualMachine(rows));
    Gathered { section, notes }
}

fn distribution(key: &Key) -> Option<VirtualMachine> {
    /// One that is just being installed, or removed, has another number.
    const INSTALLED: u64 = 1;
    if key.number("State") != Some(INSTALLED) {
        return None;
    }
    Some(VirtualMachine {
        name: key.text("DistributionName")?,
        manager: "wsl".to_owned(),
        // The first version has no kernel of its own.
        kind: key.number("Version").map(|version| match version {
            1 => "wsl1".to_owned(),
            _ => "hyper-v".to_owned(),
        }),
        ..VirtualMachine::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(computer: &str) -> (Option<Vec<String>>, usize) {
        let root = format!("{}/../tests/fixtures/host/{computer}", env!("CARGO_MANIFEST_DIR"));
        let gathered = gather(&Host::at(root));
        let rows = gathered.section.map(|section| match section {
            Section::VirtualMachine(rows) => rows
                .iter()
                .map(|row| format!("{} {}", row.name, row.kind.clone().unwrap_or_default()))
                .collect(),
            other => panic!("another section: {other:?}"),
        });
        (rows, gathered.notes.len())
    }

    #[test]
    fn containers_of_the_engine_and_of_nobody() {
        let told = |folder: &str| {
            let root = format!("{}/../tests/fixtures/{folder}", env!("CARGO_MANIFEST_DIR"));
            containers(&Host::at(root))
        };
        let other = format!("{:?}", told("container/windows-server-2022"));
        assert!(other.contains("\"sql\"") && !other.contains("\"job\""), "{other}");
        assert!(!other.contains("never-to-be-told"), "a secret is in the report");
        let server = told("host/windows-server-2019");
        let Some(Section::Container(rows)) = server.section else { panic!("no containers") };
        let rows: Vec<_> = rows
            .iter()
            .map(|row| format!("{} {:?} {:?}", row.name, row.image, row.running))
            .collect();
        let expected = [
            r#"iis Some("mcr.microsoft.com/windows/servercore/iis:ltsc2019") Some(true)"#,
            r#"old-build Some("build:3") Some(false)"#,
        ];
        assert_eq!(rows, expected);
        assert_eq!(server.notes, []);
        assert_eq!(told("host/windows-10-desktop").section, Some(Section::Container(Vec::new())));
        let laptop = told("host/windows-11-laptop");
        assert_eq!((laptop.section, laptop.notes.len()), (None, 1));
        assert_eq!(laptop.notes[0].kind, NoteKind::Unsupported);
    }

    #[test]
    fn distributions_of_people_who_are_signed_in() {
        let laptop = ["Debian wsl1", "Ubuntu-24.04 hyper-v", "docker-desktop hyper-v"];
        assert_eq!(told("windows-11-laptop"), (Some(laptop.map(str::to_owned).to_vec()), 0));
        let server = ["podman-machine-default hyper-v"];
        assert_eq!(told("windows-server-2019"), (Some(server.map(str::to_owned).to_vec()), 1));
        assert_eq!(told("windows-10-desktop"), (None, 1), "nobody who has a profile is here");
    }
}
