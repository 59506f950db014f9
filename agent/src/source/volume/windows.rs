//! Drives of a Windows computer that are part of it or plugged into it. Those of other computers
//! belong to the session of a person, which a service does not see.

use rollcall_shared::report::VolumeSpace;
use rollcall_shared::section::{Section, Volume};

use crate::host::Host;
use crate::source::security::system_drive_is_encrypted;
use crate::source::{Gathered, Platform, Privilege, Source};

const ENVIRONMENT: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "drives",
    section: "volume",
    about: "Drives with file system, label and size as the system tells them; BitLocker of the system drive from the registry",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

/// A drive as the system tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Drive {
    /// E.g. `C:`.
    point: String,
    file_system: String,
    /// May be empty.
    label: String,
    /// Number of the file system.
    serial: u32,
    read_only: bool,
    /// Size, and what programs can still use; `None` for a drive that does not say.
    space: Option<(u64, u64)>,
}

fn gather(host: &Host) -> Gathered {
    let root = host.registry(ENVIRONMENT).ok().and_then(|key| key.text("SystemRoot"));
    let is_system = |point: &str| {
        root.as_deref()
            .and_then(|root| root.get(..point.len()))
            .is_some_and(|drive| drive.eq_ignore_ascii_case(point))
    };
    let volume = |drive: Drive| Volume {
        encryption: (is_system(&drive.point) && system_drive_is_encrypted(host) == Some(true))
            .then(|| "bitlocker".to_owned()),
        point: drive.point,
        file_system: Some(drive.file_system.to_ascii_lowercase()),
        size_bytes: drive.space.map(|(size, _)| size),
        label: Some(drive.label).filter(|label| !label.is_empty()),
        uuid: (drive.serial != 0)
            .then(|| format!("{:04X}-{:04X}", drive.serial >> 16, drive.serial & 0xffff)),
        read_only: drive.read_only,
        ..Volume::default()
    };
    Gathered::of(Section::Volume(drives(host).into_iter().map(volume).collect()))
}

/// Free space of the drives.
pub(crate) fn spaces(host: &Host) -> Vec<VolumeSpace> {
    let space = |drive: Drive| {
        let (size_bytes, available_bytes) = drive.space?;
        Some(VolumeSpace { point: drive.point, size_bytes, available_bytes })
    };
    drives(host).into_iter().filter_map(space).collect()
}

fn drives(host: &Host) -> Vec<Drive> {
    if !host.is_live() {
        let captured = host.captured_call("drives").unwrap_or_default();
        return captured.lines().filter_map(captured_drive).collect();
    }
    cfg_select! {
        windows => super::drives::drives(),
        _ => Vec::new(),
    }
}

/// `C:`, file system, label, number, attributes, size and what is free, with tabs between them.
fn captured_drive(line: &str) -> Option<Drive> {
    let mut fields = line.split('\t');
    let mut text = || fields.next();
    let (point, file_system, label) = (text()?, text()?, text()?);
    let (serial, read_only) = (text()?, text()? == "ro");
    let mut number = || text()?.parse::<u64>().ok();
    Some(Drive {
        point: point.to_owned(),
        file_system: file_system.to_owned(),
        label: label.to_owned(),
        serial: u32::from_str_radix(serial, 16).ok()?,
        read_only,
        space: number().zip(number()),
    })
}

#[cfg(windows)]
impl Drive {
    /// A drive that the system has just told of.
    pub(super) fn told(
        point: String,
        (file_system, label): (String, String),
        serial: u32,
        read_only: bool,
        space: Option<(u64, u64)>,
    ) -> Self {
        Self { point, file_system, label, serial, read_only, space }
    }
}
