//! The firmware of a Mac.

use rollcall_shared::section::firmware::FirmwareMode;
use rollcall_shared::section::{Firmware, Section};

use super::parse;
use crate::host::Host;
use crate::io_registry::Entry;
use crate::smbios;
use crate::source::{Gathered, Platform, Privilege, Source};

/// Where Macs with a T2 keep what may be started: nothing is asked (0), any system that was ever
/// signed (1), only the newest (2).
const POLICY: &str = "94b73556-2197-4702-82a8-3e1337dafbfb:AppleSecureBootPolicy";

/// The declaration.
pub const MACOS: Source = Source {
    name: "boot_firmware",
    section: "firmware",
    about: "Version of the firmware from the device tree, its date from AppleSMBIOS, secure boot of Macs with a T2",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let chosen = match host.device_tree("chosen") {
        Ok(chosen) => chosen,
        Err(error) => return Gathered::absent(error.into()),
    };
    let by_table = smbios_table(host).map(|table| smbios::parse(&table).described);
    let of_chip =
        chosen.text("system-firmware-version").or_else(|| chosen.text("firmware-version"));
    let rom = host.device_tree("rom").ok();
    let of_rom = |name: &str| rom.as_ref().and_then(|rom| rom.text(name));
    let options = host.device_tree("options").ok();
    let date = by_table.as_ref().and_then(|told| told.bios_date.clone());
    let version = by_table.as_ref().and_then(|told| told.bios_version.clone());
    let mode = match (&of_chip, rom.is_some() || by_table.is_some()) {
        (Some(_), _) => Some(FirmwareMode::Other("iboot".to_owned())),
        (None, true) => Some(FirmwareMode::Uefi),
        (None, false) => None,
    };
    Gathered::of(Section::Firmware(Firmware {
        vendor: of_rom("vendor").or_else(|| Some("Apple Inc.".to_owned())),
        version: of_chip.or_else(|| of_rom("version")).or(version),
        date: date.or_else(|| of_rom("release-date")).and_then(|text| parse::date(&long(&text))),
        mode,
        secure_boot: options.as_ref().and_then(secure_boot),
        tpm: None,
    }))
}

/// The firmware's table of parts, which Macs with a processor of Intel have.
pub(crate) fn smbios_table(host: &Host) -> Option<Vec<u8>> {
    let found = host.io_registry("AppleSMBIOS", 0).ok()?;
    found.iter().find_map(|entry| Some(entry.properties.bytes("SMBIOS")?.to_vec()))
}

/// `06/18/17` with the century; no Mac is older than this one.
fn long(date: &str) -> String {
    match date.trim().rsplit_once('/') {
        Some((day, year)) if year.len() == 2 => format!("{day}/20{year}"),
        _ => date.to_owned(),
    }
}

fn secure_boot(options: &Entry) -> Option<bool> {
    match options.number(POLICY)? {
        0 => Some(false),
        1 | 2 => Some(true),
        _ => None,
    }
}
