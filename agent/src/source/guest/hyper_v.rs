//! Virtual machines of Hyper-V, as its management tells them over WMI. Their disks, networks and
//! checkpoints are not asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcall_shared::section::{Section, VirtualMachine};
use rollcall_shared::time::HOUR_MS;

use super::GUESTS_LIMIT;
use crate::host::Host;
use crate::order;
use crate::source::text::clip;
use crate::source::windows_place::{place, system_drive};
use crate::source::{Gathered, Platform, Privilege, Source};
use crate::wmi::{Answer, Inquiry, Question, Row};

/// The service that manages the machines; without it there is nobody to ask.
const SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\vmms";
/// Where machines are noted, unless somebody chose another folder.
const MACHINES: &str = "ProgramData/Microsoft/Windows/Hyper-V/Virtual Machines";
/// The program that runs a machine.
#[cfg(windows)]
const OF_A_MACHINE: &str = "vmwp.exe";

/// The declaration.
pub const HYPER_V: Source = Source {
    name: "hyper_v",
    section: "virtual_machine",
    about: "Virtual machines of Hyper-V from WMI (Msvm_ComputerSystem and its settings), where its service is installed; asked at most once an hour while no machine starts, stops, comes or goes",
    platforms: &[Platform::Windows],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

/// The questions, in the order in which [`machines`] takes them.
static INQUIRY: Inquiry = Inquiry {
    namespace: r"root\virtualization\v2",
    about: "the machines of Hyper-V",
    questions: &[
        Question {
            class: "Msvm_ComputerSystem",
            properties: &["Name", "ElementName", "EnabledState"],
        },
        Question {
            class: "Msvm_VirtualSystemSettingData",
            properties: &[
                "InstanceID",
                "VirtualSystemIdentifier",
                "VirtualSystemType",
                "BIOSGUID",
                "AutomaticStartupAction",
            ],
        },
        Question {
            class: "Msvm_ProcessorSettingData",
            properties: &["InstanceID", "VirtualQuantity"],
        },
        Question {
            class: "Msvm_MemorySettingData",
            properties: &["InstanceID", "VirtualQuantity", "AllocationUnits"],
        },
    ],
    holds_ms: HOUR_MS,
};

fn gather(host: &Host) -> Gathered {
    match host.registry(SERVICE) {
        Ok(_) => {}
        Err(error) if error.is_not_found() => return Gathered::nothing(),
        Err(error) => return Gathered::absent(error.into()),
    }
    let answer: Arc<Answer> = host.wmi(&INQUIRY, stamp(host));
    let answers = match answer.as_ref() {
        Ok(answers) => answers,
        Err(silence) => return Gathered::absent(silence.note(&INQUIRY)),
    };
    let mut rows = machines(answers);
    order::sort(&mut rows, Ord::cmp);
    rows.truncate(GUESTS_LIMIT);
    Gathered::of(Section::VirtualMachine(rows))
}

/// What tells cheaply that a machine was started, stopped, made or removed: the process that each
/// running one has, and the names of the files in which machines are noted.
fn stamp(host: &Host) -> String {
    let files = system_drive(host).map(|drive| place(host, &format!("{drive}/{MACHINES}")));
    let files = files.and_then(|folder| host.list(&folder).ok()).unwrap_or_default();
    format!("{:?}\n{}", processes(host), files.join("\n"))
}

/// Numbers of the processes of running machines.
fn processes(host: &Host) -> Vec<u32> {
    if !host.is_live() {
        return Vec::new();
    }
    cfg_select! {
        windows => {
            let all = crate::source::port::programs().into_iter();
            all.filter(|(_, name)| name.eq_ignore_ascii_case(OF_A_MACHINE)).map(|(id, _)| id).collect()
        }
        _ => Vec::new(),
    }
}

fn machines(answers: &[Vec<Row>]) -> Vec<VirtualMachine> {
    let [systems, settings, processors, memories] = answers else { return Vec::new() };
    // Checkpoints and plans have settings as well.
    let settings: BTreeMap<String, &Row> = settings
        .iter()
        .filter(|row| row.text("VirtualSystemType").is_some_and(|kind| kind.ends_with(":Realized")))
        .filter_map(|row| Some((number(row.text("VirtualSystemIdentifier")?)?, row)))
        .collect();
    let (processors, memories) = (by_machine(processors), by_machine(memories));
    let machine = |system: &Row| {
        // The computer itself is among them, under its own name.
        let id = number(system.text("Name")?)?;
        let settings = settings.get(&id).copied();
        let memory = memories.get(&id).copied();
        Some(VirtualMachine {
            name: clip(system.text("ElementName").unwrap_or(&id).as_bytes()),
            manager: "hyper-v".to_owned(),
            kind: Some("hyper-v".to_owned()),
            // What the guest sees is not what its host calls it.
            uuid: settings.and_then(|row| number(row.text("BIOSGUID")?)),
            cpus: processors
                .get(&id)
                .and_then(|row| u32::try_from(row.number("VirtualQuantity")?).ok()),
            memory_bytes: memory.and_then(memory_bytes),
            running: system.number("EnabledState").and_then(runs),
            automatic: settings
                .and_then(|row| starts_by_itself(row.number("AutomaticStartupAction")?)),
        })
    };
    systems.iter().filter_map(machine).collect()
}

/// Settings of machines, by the machine: `Microsoft:NUMBER\…`. Those of checkpoints have the number
/// of the checkpoint.
fn by_machine(rows: &[Row]) -> BTreeMap<String, &Row> {
    let of =
        |row: &Row| number(row.text("InstanceID")?.strip_prefix("Microsoft:")?.split('\\').next()?);
    rows.iter().filter_map(|row| Some((of(row)?, row))).collect()
}

/// `VirtualQuantity` counts in what another property names.
fn memory_bytes(row: &Row) -> Option<u64> {
    let count = row.number("VirtualQuantity")?;
    match row.text("AllocationUnits") {
        None | Some("byte * 2^20" | "MegaBytes") => count.checked_mul(1024 * 1024),
        Some(_) => None,
    }
}

fn runs(state: u64) -> Option<bool> {
    match state {
        // Off, saved.
        3 | 6 | 32769 => Some(false),
        // Running or paused, or on the way from one of all these to another.
        2 | 4 | 9 | 10 | 32768 | 32770..=32777 => Some(true),
        _ => None,
    }
}

fn starts_by_itself(action: u64) -> Option<bool> {
    match action {
        2 => Some(false),
        // If it ran before, or always.
        3 | 4 => Some(true),
        _ => None,
    }
}

/// A number of 32 digits in groups, in small letters and without braces.
fn number(text: &str) -> Option<String> {
    let text = text.trim_matches(['{', '}']);
    let lengths = text.split('-').map(str::len);
    let plain = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    (plain && lengths.eq([8, 4, 4, 4, 12])).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use rollcall_shared::NoteKind;

    use super::*;
    use crate::wmi::row;

    fn told(system: &str) -> Gathered {
        gather(&Host::at(format!("{}/../tests/fixtures/{system}", env!("CARGO_MANIFEST_DIR"))))
    }

    #[test]
    fn captured_systems() {
        for system in [
            "host/windows-server-2022",
            "virtual_machine/windows-11-developer",
            "virtual_machine/windows-server-2016-core",
        ] {
            let (_, name) = system.split_once('/').unwrap();
            insta::assert_debug_snapshot!(format!("hyper-v-{name}"), told(system));
        }
    }

    #[test]
    fn without_its_service_there_is_nothing_and_with_it_silence_is_told() {
        assert_eq!(told("host/windows-10-desktop"), Gathered::nothing());
        let folder = tempfile::tempdir().unwrap();
        for part in ["registry", "wmi"] {
            std::fs::create_dir(folder.path().join(part)).unwrap();
        }
        let export = "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\vmms]\n";
        std::fs::write(folder.path().join("registry/services.reg"), export).unwrap();
        for (said, kind) in [
            ("absent", NoteKind::Unsupported),
            ("denied", NoteKind::NeedsPrivilege),
            ("timed out", NoteKind::TimedOut),
        ] {
            std::fs::write(folder.path().join("wmi/Msvm_ComputerSystem.mof"), said).unwrap();
            let gathered = gather(&Host::at(folder.path()));
            assert_eq!((gathered.section, &gathered.notes[0].kind), (None, &kind));
        }
    }

    #[test]
    fn states_and_numbers() {
        assert_eq!(
            [2, 3, 32768, 32769, 0].map(runs),
            [Some(true), Some(false), Some(true), Some(false), None]
        );
        assert_eq!(
            number("{0A1B2C3D-1111-4222-8333-444455556666}").as_deref(),
            Some("0a1b2c3d-1111-4222-8333-444455556666")
        );
        assert_eq!(number("HV01"), None);
        assert_eq!(number("DEADBEEF"), None, "a computer may have such a name");
        let memory = |text: &str| {
            memory_bytes(&row(
                &format!("instance of M {{ {text} }};"),
                INQUIRY.questions[3].properties,
            ))
        };
        assert_eq!(
            memory("VirtualQuantity = \"4096\"; AllocationUnits = \"byte * 2^20\";"),
            Some(4 << 30)
        );
        assert_eq!(memory("VirtualQuantity = 4096; AllocationUnits = \"pages\";"), None);
        assert_eq!(memory("VirtualQuantity = \"18446744073709551615\";"), None, "too much");
    }
}
