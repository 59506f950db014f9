//! What the driver of a battery answers on Windows, as the bytes of its structures.

use rollcall_shared::report::BatteryCharge;
use rollcall_shared::section::Battery;

use crate::registry::export;

/// The answers of one battery; empty where it gave none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// E.g. `ACPI\PNP0C0A\1`.
    pub(crate) name: String,
    /// `BATTERY_INFORMATION`.
    pub(crate) information: Vec<u8>,
    /// Its maker, in UTF-16.
    pub(crate) maker: Vec<u8>,
    /// Its model, in UTF-16.
    pub(crate) model: Vec<u8>,
    /// Its serial number, in UTF-16.
    pub(crate) serial: Vec<u8>,
    /// `BATTERY_STATUS`.
    pub(crate) status: Vec<u8>,
}

/// `BATTERY_SYSTEM_BATTERY`: it feeds the computer, not a mouse.
const OF_THE_COMPUTER: u32 = 0x8000_0000;
/// `BATTERY_CAPACITY_RELATIVE`: numbers are parts of an unknown whole.
const RELATIVE: u32 = 0x4000_0000;
const UNKNOWN: u32 = 0xffff_ffff;
const FULL_AT: usize = 16;

/// The battery; `None` when it does not feed the computer.
pub(crate) fn battery(answers: &Answers) -> Option<Battery> {
    let bytes = &answers.information;
    let capabilities = word(bytes, 0).filter(|told| told & OF_THE_COMPUTER != 0)?;
    let capacity = |at: usize| {
        let told = word(bytes, at).filter(|told| !matches!(*told, 0 | UNKNOWN));
        told.filter(|_| capabilities & RELATIVE == 0).map(u64::from)
    };
    Some(Battery {
        name: answers.name.clone(),
        manufacturer: text(&answers.maker),
        model: text(&answers.model),
        serial: text(&answers.serial).filter(|serial| !serial.trim_matches('0').is_empty()),
        chemistry: bytes.get(8..12).and_then(chemistry),
        design_capacity_mwh: capacity(12),
        full_capacity_mwh: capacity(FULL_AT),
        cycles: word(bytes, 32).filter(|cycles| *cycles > 0),
    })
}

/// How full it is.
pub(crate) fn charge(answers: &Answers) -> Option<BatteryCharge> {
    const CHARGING: u32 = 4;
    word(&answers.information, 0).filter(|told| told & OF_THE_COMPUTER != 0)?;
    let full = word(&answers.information, FULL_AT).filter(|told| *told != UNKNOWN)?;
    let left = word(&answers.status, 4).filter(|told| *told != UNKNOWN)?;
    let percent = (u64::from(left) * 100).checked_div(full.into())?;
    Some(BatteryCharge {
        name: answers.name.clone(),
        percent: u8::try_from(percent.min(100)).ok()?,
        charging: word(&answers.status, 0)? & CHARGING != 0,
    })
}

/// Four letters, such as `LION` or `LiP`.
fn chemistry(letters: &[u8]) -> Option<String> {
    let letters = String::from_utf8_lossy(letters).trim_matches(['\0', ' ']).to_ascii_lowercase();
    Some(match letters.as_str() {
        "lion" | "li-i" => "li_ion".to_owned(),
        "lip" | "lipo" | "li-p" => "li_poly".to_owned(),
        "pbac" => "lead_acid".to_owned(),
        "" | "unkn" => return None,
        _ => letters.replace(['-', ' '], "_"),
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn text(bytes: &[u8]) -> Option<String> {
    let text = export::text(bytes);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// `\\?\acpi#pnp0c0a#1#{72631e54-…}` is the way to `ACPI\PNP0C0A\1`.
#[cfg(any(windows, test))]
pub(crate) fn name(path: &str) -> String {
    let name = path.trim_start_matches(r"\\?\");
    let name = name.split_once("#{").map_or(name, |(name, _)| name);
    name.replace('#', r"\").to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn information(capabilities: u32, chemistry: [u8; 4], design: u32, full: u32) -> Vec<u8> {
        let mut bytes = [capabilities, 1].map(u32::to_le_bytes).concat();
        bytes.extend(chemistry);
        bytes.extend([design, full, 0, 0, 0, 41].map(u32::to_le_bytes).concat());
        bytes
    }

    #[test]
    fn parts_of_an_unknown_whole_are_no_capacity() {
        let told = information(OF_THE_COMPUTER | RELATIVE, *b"PbAc", 100, 97);
        let status = [4_u32, 48, 12_000, 0].map(u32::to_le_bytes).concat();
        let answers = Answers { information: told, status, ..Answers::default() };
        let found = battery(&answers).unwrap();
        assert_eq!((found.design_capacity_mwh, found.full_capacity_mwh), (None, None));
        assert_eq!((found.chemistry.as_deref(), found.cycles), (Some("lead_acid"), Some(41)));
        let charge = charge(&answers).unwrap();
        assert_eq!((charge.percent, charge.charging), (49, true));
    }

    #[test]
    fn batteries_of_other_things_are_left_out() {
        let answers = Answers { information: information(0, *b"LION", 9, 9), ..Answers::default() };
        assert_eq!(battery(&answers), None);
        assert_eq!(charge(&answers), None);
    }

    #[test]
    fn a_path_has_the_name_of_the_device_in_it() {
        assert_eq!(
            name(r"\\?\acpi#pnp0c0a#1#{72631e54-78a4-11d0-bcf7-00aa00b7b32a}"),
            r"ACPI\PNP0C0A\1"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(information: Vec<u8>, status: Vec<u8>) {
            let mut information = information;
            if let Some(byte) = information.get_mut(3) {
                *byte |= 0x80;
            }
            let answers = Answers { maker: status.clone(), information, status, ..Answers::default() };
            let _ = battery(&answers);
            let _ = charge(&answers);
        }
    }
}
