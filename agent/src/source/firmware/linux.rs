//! Reads `/sys/class/dmi/id`, `/sys/firmware/efi` and `/sys/class/tpm`.

use rollcall_shared::section::firmware::{Firmware, FirmwareMode, Tpm};
use rollcall_shared::section::Section;
use rollcall_shared::{Note, NoteKind};

use super::parse;
use crate::host::{Host, HostError};
use crate::source::Gathered;

const SECURE_BOOT: &str =
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

pub(crate) fn gather(host: &Host) -> Gathered {
    let dmi = |file: &str| host.value(&format!("/sys/class/dmi/id/{file}"));
    let mut notes = Vec::new();
    let vendor = dmi("bios_vendor");
    let mode = if host.exists("/sys/firmware/efi") {
        Some(FirmwareMode::Uefi)
    } else {
        // Boards with a device tree have neither.
        vendor.is_some().then_some(FirmwareMode::Bios)
    };
    let secure_boot = match host.read(SECURE_BOOT) {
        Ok(variable) => parse::secure_boot(&variable),
        Err(error) => {
            if matches!(error, HostError::Denied { .. }) {
                notes.push(error.into());
            }
            None
        }
    };
    let firmware = Firmware {
        vendor,
        version: dmi("bios_version"),
        date: dmi("bios_date").and_then(|text| parse::date(&text)),
        mode,
        secure_boot,
        tpm: tpm(host),
    };
    if firmware == Firmware::default() {
        notes.push(
            Note::new(NoteKind::NotFound).with_detail("this computer shows no firmware facts"),
        );
        return Gathered { section: None, notes };
    }
    Gathered { section: Some(Section::Firmware(firmware)), notes }
}

fn tpm(host: &Host) -> Option<Tpm> {
    const FOLDER: &str = "/sys/class/tpm";
    let name = host.list(FOLDER).ok()?.into_iter().next()?;
    let value = |file: &str| host.value(&format!("{FOLDER}/{name}/{file}"));
    Some(parse::tpm(
        value("tpm_version_major").as_deref(),
        value("device/caps").as_deref(),
        value("device/firmware_node/hid").as_deref(),
    ))
}
