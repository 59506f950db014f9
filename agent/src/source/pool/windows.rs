//! Pools of a Windows computer: Storage Spaces as its storage management tells them, dynamic disks
//! by their partitions, and arrays that the firmware makes by the name of their drive.

use std::collections::BTreeSet;

use rollcall_shared::Note;
use rollcall_shared::section::{Pool, Section};

use crate::host::Host;
use crate::order;
use crate::source::storage::descriptor::{self, Answers};
use crate::source::storage::managed::{self, Managed, managed};
use crate::source::storage::{layout, windows_drives};
use crate::source::text::clip;
use crate::source::{Gathered, Platform, Privilege, Source};
use crate::wmi::Row;

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "storage_pool",
    section: "pool",
    about: "Pools of Storage Spaces from WMI (MSFT_StoragePool, asked at most once an hour while no drive comes or goes), dynamic disks from the partition tables that the drivers of drives tell, and arrays of Intel's firmware",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

/// `HealthStatus` and `OperationalStatus`.
mod status {
    pub(super) const HEALTHY: u64 = 0;
    pub(super) const WARNING: u64 = 1;
    pub(super) const UNHEALTHY: u64 = 2;
    pub(super) const DEGRADED: u64 = 3;
    pub(super) const IN_SERVICE: u64 = 11;
    pub(super) const LOST: u64 = 13;
}

fn gather(host: &Host) -> Gathered {
    let drives = windows_drives(host);
    let mut rows: Vec<Pool> = dynamic_disks(&drives).into_iter().collect();
    rows.extend(drives.iter().filter_map(of_firmware));
    let note = match managed(host) {
        Ok(managed) => {
            rows.extend(
                managed.pools.iter().map(|(number, pool)| of_spaces(&managed, number, pool)),
            );
            None
        }
        Err(silence) => Some(silence.note(&managed::INQUIRY)),
    };
    order::sort(&mut rows, Ord::cmp);
    let notes: Vec<Note> = note.into_iter().collect();
    // An empty list is an answer only where nothing was hidden.
    let section = (!rows.is_empty() || notes.is_empty()).then_some(Section::Pool(rows));
    Gathered { section, notes }
}

fn of_spaces(managed: &Managed, number: &str, pool: &Row) -> Pool {
    let spaces: Vec<&Row> =
        managed.spaces.iter().filter(|(of, _)| of == number).map(|(_, space)| space).collect();
    let text = |row: &Row, property: &str| row.text(property).map(|text| clip(text.as_bytes()));
    let levels: BTreeSet<String> = spaces
        .iter()
        .filter_map(|space| text(space, "ResiliencySettingName"))
        .map(|level| level.to_ascii_lowercase())
        .collect();
    let is_clustered = pool.is("IsClustered");
    let called = |drive: &Row| {
        // A cluster numbers the drives of all its computers; by those nobody knows them here.
        let own_words = || {
            let words = [text(drive, "Model"), text(drive, "SerialNumber")];
            words.into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        managed::name(drive).filter(|_| !is_clustered).unwrap_or_else(own_words)
    };
    let numbers = managed.members.get(number).into_iter().flatten();
    let drives: Vec<&Row> = numbers.filter_map(|number| managed.drives.get(number)).collect();
    let failed = drives.iter().copied().filter(|drive| has_failed(drive));
    let sorted = |names: Vec<String>| {
        let mut names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        names
    };
    Pool {
        name: text(pool, "FriendlyName").unwrap_or_else(|| number.to_owned()),
        kind: "storage_spaces".to_owned(),
        // Each virtual disk has a level of its own.
        level: (levels.len() == 1).then(|| levels.into_iter().next()).flatten(),
        state: state(std::iter::once(pool).chain(spaces.iter().copied())),
        uuid: Some(number.trim_matches(['{', '}']).to_owned()),
        size_bytes: pool.number("Size").filter(|size| *size > 0),
        failed_members: sorted(failed.map(called).collect()),
        members: sorted(drives.into_iter().map(called).collect()),
        volumes: sorted(spaces.iter().filter_map(|space| text(space, "FriendlyName")).collect()),
    }
}

/// The worst of what is said of a pool and what is made of it.
fn state<'a>(all: impl Iterator<Item = &'a Row>) -> Option<String> {
    const WORDS: [&str; 4] = ["clean", "recovering", "degraded", "unhealthy"];
    let place = |row: &Row| {
        let has = |status: u64| row.has("OperationalStatus", status);
        Some(match row.number("HealthStatus")? {
            status::UNHEALTHY => 3,
            status::WARNING | status::HEALTHY if has(status::IN_SERVICE) => 1,
            status::WARNING => 2,
            status::HEALTHY if has(status::DEGRADED) => 2,
            status::HEALTHY => 0,
            _ => return None,
        })
    };
    let worst: usize = all.filter_map(place).max()?;
    WORDS.get(worst).map(|word| (*word).to_owned())
}

fn has_failed(drive: &Row) -> bool {
    drive.number("HealthStatus") == Some(status::UNHEALTHY)
        || drive.has("OperationalStatus", status::LOST)
}

/// Dynamic disks are all in one group. Its name, and what is made of it, stand on the disks
/// themselves, which nobody reads for it.
fn dynamic_disks(drives: &[Answers]) -> Option<Pool> {
    let dynamic: Vec<&Answers> =
        drives.iter().filter(|drive| layout::is_dynamic(&drive.layout)).collect();
    let sizes: Option<u64> =
        dynamic.iter().map(|drive| Some(descriptor::disk(drive)?.size_bytes)).sum();
    (!dynamic.is_empty()).then(|| Pool {
        name: "dynamic disks".to_owned(),
        kind: "ldm".to_owned(),
        size_bytes: sizes.filter(|size| *size > 0),
        members: dynamic.iter().map(|drive| drive.name.clone()).collect(),
        ..Pool::default()
    })
}

fn of_firmware(drive: &Answers) -> Option<Pool> {
    Some(Pool {
        name: drive.name.clone(),
        kind: "intel_rst".to_owned(),
        level: Some(descriptor::firmware_raid(drive)?),
        size_bytes: descriptor::disk(drive).map(|disk| disk.size_bytes).filter(|size| *size > 0),
        ..Pool::default()
    })
}

#[cfg(test)]
mod tests {
    use rollcall_shared::NoteKind;

    use super::*;

    fn told(system: &str) -> Gathered {
        gather(&Host::at(format!("{}/../tests/fixtures/{system}", env!("CARGO_MANIFEST_DIR"))))
    }

    #[test]
    fn captured_systems() {
        for system in
            ["host/windows-server-2022", "pool/windows-10-workstation", "pool/windows-11-home"]
        {
            let (_, name) = system.split_once('/').unwrap();
            insta::assert_debug_snapshot!(name, told(system));
        }
    }

    #[test]
    fn what_cannot_be_asked_is_never_an_empty_list() {
        let folder = tempfile::tempdir().unwrap();
        let note = || {
            let gathered = gather(&Host::at(folder.path()));
            assert_eq!(gathered.section, None);
            gathered.notes[0].kind.clone()
        };
        assert_eq!(note(), NoteKind::Unsupported);
        std::fs::create_dir(folder.path().join("wmi")).unwrap();
        for (said, kind) in [
            ("absent", NoteKind::Unsupported),
            ("denied", NoteKind::NeedsPrivilege),
            ("timed out", NoteKind::TimedOut),
        ] {
            std::fs::write(folder.path().join("wmi/MSFT_StoragePool.mof"), said).unwrap();
            assert_eq!(note(), kind);
        }
        for question in managed::INQUIRY.questions {
            std::fs::write(folder.path().join(format!("wmi/{}.mof", question.class)), "").unwrap();
        }
        assert_eq!(note(), NoteKind::Failed, "every Windows knows drives");
        let primordial = "instance of P { ObjectId = \"{A}:SP:{B}\"; IsPrimordial = TRUE; };";
        std::fs::write(folder.path().join("wmi/MSFT_StoragePool.mof"), primordial).unwrap();
        let gathered = gather(&Host::at(folder.path()));
        assert_eq!(gathered, Gathered::of(Section::Pool(Vec::new())), "it has none");
    }

    #[test]
    fn the_worst_state_is_told() {
        let told = |all: &[(u64, &str)]| {
            let rows: Vec<Row> = all
                .iter()
                .map(|(health, statuses)| {
                    let text =
                        format!("HealthStatus = {health}; OperationalStatus = {{{statuses}}};");
                    crate::wmi::row(
                        &format!("instance of X {{ {text} }};"),
                        &["HealthStatus", "OperationalStatus"],
                    )
                })
                .collect();
            state(rows.iter())
        };
        assert_eq!(told(&[(0, "2"), (0, "2")]).as_deref(), Some("clean"));
        assert_eq!(told(&[(1, "3"), (1, "11")]).as_deref(), Some("degraded"));
        assert_eq!(told(&[(0, "2"), (1, "3, 11")]).as_deref(), Some("recovering"));
        assert_eq!(told(&[(2, "53250"), (1, "3")]).as_deref(), Some("unhealthy"));
        assert_eq!(told(&[(5, "0")]), None, "unknown");
        assert_eq!(told(&[]), None);
    }
}
