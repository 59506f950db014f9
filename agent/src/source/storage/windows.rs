//! Disks of a Windows computer, as their drivers answer; where they do not, the registry tells
//! which there are.

use std::sync::Arc;

use rollcall_shared::section::{Disk, Section};
use rollcall_shared::{Note, NoteKind};

use super::descriptor::{self, Answers};
use super::managed::{self, managed};
use crate::host::Host;
use crate::source::devices::{self, Device};
use crate::source::{Gathered, Platform, Privilege, Source};

/// Where a folder of captures has the answers of the drives, one folder for each.
const CAPTURED: &str = "/drive";
/// Drives of disks.
const CLASS: &str = "{4d36e967-e325-11ce-bfc1-08002be10318}";

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "physical_drive",
    section: "storage",
    about: r"Disks as their drivers answer for \\.\PhysicalDrive0 and its like, opened without any right to read them; where they do not answer, their names from the registry; drives in storage pools and the health of others from WMI (MSFT_PhysicalDisk)",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let drives = drives(host);
    let (silent, told): (Vec<&Answers>, Vec<&Answers>) =
        drives.iter().partition(|drive| drive.descriptor.is_empty());
    if !drives.is_empty() {
        let mut rows: Vec<Disk> = told.iter().filter_map(|drive| descriptor::disk(drive)).collect();
        let mut notes = Vec::new();
        match managed(host) {
            Ok(managed) => {
                let answering = told.iter().map(|drive| drive.name.clone()).collect();
                managed.complete(&mut rows, &answering);
            }
            // Where nobody can be asked there are no pools either.
            Err(silence) => {
                let note = silence.note(&managed::INQUIRY);
                notes.extend(note.leaves_open().then_some(note));
            }
        }
        let names: Vec<&str> = silent.iter().map(|drive| drive.name.as_str()).collect();
        if !names.is_empty() {
            let why = format!("no driver answers for {}", names.join(", "));
            notes.push(Note::new(NoteKind::Failed).with_detail(why));
        }
        return Gathered { section: Some(Section::Storage(rows)), notes };
    }
    let present = devices::present(host);
    let present = match &*present {
        Ok(present) => present,
        Err(note) => return Gathered::absent(note.clone()),
    };
    let named = present.devices.iter().filter(|one| one.is_of_class(CLASS));
    let rows: Vec<Disk> = named.map(by_name).collect();
    let why = "no driver answers for its disks; size, serial number and health are not known";
    let note = Note::new(NoteKind::Failed).with_detail(why);
    Gathered { section: (!rows.is_empty()).then_some(Section::Storage(rows)), notes: vec![note] }
}

/// A disk by its name in the registry alone.
fn by_name(device: &Device) -> Disk {
    let revision = |id: &String| {
        // Eight letters of the maker, sixteen of the product and four, filled up with `_`.
        let (_, words) = id.split_once(r"\Disk")?;
        let revision = words.get(24..28).filter(|_| words.len() == 28)?.trim_matches('_');
        (!revision.is_empty()).then(|| revision.to_owned())
    };
    let bus = match device.bus().as_str() {
        "USBSTOR" => Some("usb"),
        "NVME" => Some("nvme"),
        "SCSI" if device.instance.to_ascii_uppercase().contains("VEN_NVME") => Some("nvme"),
        "SCSI" => Some("scsi"),
        "IDE" => Some("sata"),
        "SD" => Some("mmc"),
        _ => None,
    };
    Disk {
        name: device.instance.clone(),
        model: device.name(),
        firmware: device.key.texts("HardwareID").iter().find_map(revision),
        bus: bus.map(str::to_owned),
        ..Disk::default()
    }
}

/// What the drivers of all drives answer. In one look they are asked once.
pub(crate) fn drives(host: &Host) -> Arc<Vec<Answers>> {
    host.keep("answers of drives", look)
}

fn look(host: &Host) -> Vec<Answers> {
    // A drive has no stamp that would tell of a change.
    host.watch_without_stamp();
    if host.is_live() {
        return cfg_select! {
            windows => super::drives::answers(),
            _ => Vec::new(),
        };
    }
    let captured = |name: String| {
        let answer = |file: &str| host.read(&format!("{CAPTURED}/{name}/{file}.bin"));
        let answer = |file: &str| answer(file).unwrap_or_default();
        Answers {
            descriptor: answer("descriptor"),
            geometry: answer("geometry"),
            seek_penalty: answer("seek_penalty"),
            identifiers: answer("identifiers"),
            controller: answer("controller"),
            failure: answer("failure"),
            layout: answer("layout"),
            name,
        }
    };
    host.list(CAPTURED).unwrap_or_default().into_iter().map(captured).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_no_driver_answers_the_registry_tells_which_disks_there_are() {
        let there = format!(
            "{}/../tests/fixtures/host/windows-11-laptop/registry/devices.reg",
            env!("CARGO_MANIFEST_DIR")
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("registry")).unwrap();
        std::fs::copy(there, folder.path().join("registry/devices.reg")).unwrap();
        let gathered = gather(&Host::at(folder.path()));
        let Some(Section::Storage(rows)) = gathered.section else { panic!("no disks") };
        let told: Vec<_> =
            rows.iter().map(|row| (row.model.as_deref(), row.bus.as_deref())).collect();
        assert_eq!(told, [(Some("SAMSUNG MZVL21T0HCLR-00BL7"), Some("nvme"))]);
        assert_eq!(rows[0].firmware.as_deref(), Some("QXA7"));
        assert_eq!(gathered.notes[0].kind, NoteKind::Failed);
        assert!(gather(&Host::at("/nonexistent-root")).section.is_none());
    }
}
