//! The firmware of a Windows computer: its table, and what the registry says of its start.

use rollcall_shared::section::firmware::FirmwareMode;
use rollcall_shared::section::{Firmware, Section};

use super::parse;
use crate::host::Host;
use crate::smbios;
use crate::source::{Gathered, Platform, Privilege, Source};

/// There only where the computer was started by UEFI.
const SECURE_BOOT: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\SecureBoot\State";

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "firmware_start",
    section: "firmware",
    about: "Maker, version and date from the firmware's table (SMBIOS), secure boot from the registry",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let table = match host.firmware_table() {
        Ok(table) => table,
        Err(error) => return Gathered::absent(error.into()),
    };
    let described = smbios::parse(&table).described;
    let secure_boot =
        host.registry(SECURE_BOOT).ok().and_then(|key| key.number("UEFISecureBootEnabled"));
    Gathered::of(Section::Firmware(Firmware {
        vendor: described.bios_vendor,
        version: described.bios_version,
        date: described.bios_date.and_then(|date| parse::date(&date)),
        mode: secure_boot.map(|_| FirmwareMode::Uefi),
        secure_boot: secure_boot.map(|on| on == 1),
        tpm: None,
    }))
}
