//! Hardware identifiers that identify nothing: placeholders of makers, and values that many
//! computers share.
//!
//! The lists hold facts that these projects collected over years: GLPI and GLPI Agent, OCS
//! Inventory, osquery, Open-AudIT, hardinfo, Fleet. Values are compared without regard to case
//! and surrounding space. A value that is not junk may still be shared; that only a fleet can see.

/// Kinds of hardware identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdKind {
    /// Serial number of the system.
    Serial,
    /// SMBIOS UUID.
    Uuid,
    /// Serial number of the main board.
    BoardSerial,
    /// Digest of the operating system's machine id.
    MachineId,
    /// MAC address of a built-in adapter.
    Mac,
}

impl IdKind {
    /// What it is called in evidence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial number",
            Self::Uuid => "SMBIOS UUID",
            Self::BoardSerial => "board serial number",
            Self::MachineId => "machine id",
            Self::Mac => "MAC address",
        }
    }
}

/// How much an identifier says about who a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Nothing.
    Junk,
    /// It supports other evidence and decides nothing alone.
    Weak,
    /// It points at one computer.
    Strong,
}

/// The grade of a value by itself.
pub fn grade(kind: IdKind, value: &str) -> Grade {
    let value = value.trim().to_ascii_lowercase();
    let junk = match kind {
        IdKind::Serial | IdKind::BoardSerial => is_junk_serial(&value),
        IdKind::Uuid => is_junk_uuid(&value),
        IdKind::MachineId => value.len() < 32 || one_character(&value),
        IdKind::Mac => is_junk_mac(&value),
    };
    let weak = match kind {
        IdKind::Serial => value.len() < 4,
        // Some makers give whole batches of boards one short number.
        IdKind::BoardSerial => value.len() < 8,
        IdKind::Uuid => false,
        // Machine ids are copied with every image that was not prepared; addresses move with
        // adapters and docks.
        IdKind::MachineId | IdKind::Mac => true,
    };
    match (junk, weak) {
        (true, _) => Grade::Junk,
        (false, true) => Grade::Weak,
        (false, false) => Grade::Strong,
    }
}

/// Whether a text of the firmware (maker, model, serial, tag) is a placeholder.
pub fn is_placeholder(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    !text.bytes().any(|byte| byte.is_ascii_alphanumeric()) && text.is_ascii()
        || PLACEHOLDERS.contains(&text.as_str())
        || MODELS.contains(&text.as_str())
        || one_character(&text) && text.starts_with(['0', 'x'])
}

fn is_junk_serial(value: &str) -> bool {
    let only = |set: &str| value.chars().all(|c| set.contains(c));
    value.is_empty()
        || PLACEHOLDERS.contains(&value)
        || SERIALS.contains(&value)
        || only("01")
        || only("x")
        || only("0f")
        || only(".- *?/")
        || counts_up(value)
        || !value.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// `1234`, `0123456789`, `123456789012`: digits that only count.
fn counts_up(value: &str) -> bool {
    let digits = value.as_bytes();
    digits.len() >= 4
        && digits.iter().all(u8::is_ascii_digit)
        && digits.windows(2).all(|pair| (pair[0] - b'0' + 1) % 10 == pair[1] - b'0')
}

fn one_character(value: &str) -> bool {
    let mut characters = value.chars().filter(|c| *c != '-');
    characters.next().is_none_or(|first| characters.all(|c| c == first))
}

fn is_junk_uuid(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_hexdigit).count();
    let form = value.is_ascii() && value.len() == 36 && digits == 32;
    // ff…ff and 00…00, also with one odd digit at the end as some boards write them.
    !form || one_character(value) || one_character(&value[..30]) || UUIDS.contains(&value)
}

fn is_junk_mac(value: &str) -> bool {
    let mut bytes = [0_u8; 6];
    let mut parts = value.split([':', '-']);
    for byte in &mut bytes {
        match parts.next().and_then(|part| u8::from_str_radix(part, 16).ok()) {
            Some(value) => *byte = value,
            None => return true,
        }
    }
    // Locally administered or group addresses are made by software: containers, bridges, privacy.
    parts.next().is_some()
        || bytes[0] & 0b11 != 0
        || bytes == [0; 6]
        || value.starts_with("00:50:56:c0:")
        || MACS.contains(&value)
}

/// Texts that makers leave in any field.
const PLACEHOLDERS: &[&str] = &[
    "(null string)",
    "-1",
    "<bad index>",
    "<out of spec>",
    "<out of spec><out of spec>",
    "base board version",
    "chassis manufacture",
    "chassis manufacturer",
    "chassis serial number",
    "chassis version",
    "default",
    "default serial",
    "default string",
    "empty",
    "invalid",
    "n/a",
    "na",
    "no asset information",
    "no asset tag",
    "none",
    "not applicable",
    "not available",
    "not installed",
    "not present",
    "not specified",
    "null",
    "o.e.m.",
    "oem",
    "rev x.0x",
    "sku",
    "system manufacturer",
    "system product name",
    "system serial number",
    "system version",
    "to be filled by o.e.m",
    "to be filled by o.e.m.",
    "type1family",
    "type1productconfigid",
    "type2 - board asset tag",
    "type2 - board serial number",
    "undefined",
    "unknow",
    "unknown",
    "x.x",
];

/// Texts that stand where a model should.
const MODELS: &[&str] = &["*", "all series", "product name", "system name"];

/// Serial numbers that many computers have.
const SERIALS: &[&str] = &[
    "123456789000",
    "12345678901234567",
    "eval",
    "iatpass",
    "mb-1234567890",
    "nnnnnnn",
    "oem_serial",
    "serial number xxxxxx",
    "sn-12345",
    "sn-1234567890",
    "sn-123456fvgv3i0b8o5n6n7k",
    "sys-1234567890",
    "sys-9876543210",
    "systemserialnumb",
    "tulip computers",
];

/// UUIDs that many boards have.
const UUIDS: &[&str] = &[
    "01010101-0101-0101-0101-010101010101",
    "03000200-0400-0500-0006-000700080009",
    "03020100-0504-0706-0809-0a0b0c0d0e0f",
    "10000000-0000-8000-0040-000000000000",
    "12345678-1234-5678-90ab-cddeefaabbcc",
    "6ab5b300-538d-1014-9fb5-b0684d007b53",
];

/// MAC addresses of drivers and cheap adapters that many computers have.
const MACS: &[&str] = &[
    "00:01:02:7d:9b:1c",
    "00:08:a1:46:06:35",
    "00:08:a1:66:e2:1a",
    "00:09:dd:10:37:68",
    "00:0b:ca:fe:00:00",
    "00:0f:ea:9a:e2:f0",
    "00:10:5a:72:71:f3",
    "00:11:11:85:08:8b",
    "00:1a:7d:da:71:0a",
    "00:a0:c6:00:00:00",
    "10:11:11:11:11:11",
    "20:41:53:59:4e:ff",
    "24:b6:20:52:41:53",
    "44:45:53:54:00:00",
    "44:45:53:54:00:01",
    "44:45:53:54:61:6f",
    "50:50:54:50:30:30",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graded(kind: IdKind, expected: Grade, values: &[&str]) {
        for value in values {
            assert_eq!(grade(kind, value), expected, "{kind:?} {value}");
        }
    }

    #[test]
    fn placeholders_identify_nothing() {
        let junk = [
            "",
            " ",
            "-1",
            "To Be Filled By O.E.M.",
            "TO BE FILLED BY O.E.M. ",
            "Default string",
            "0000000",
            "1111111111",
            "XXXXXXX",
            "0123456789",
            "1234567890",
            "12345",
            "None",
            "N/A",
            "........",
            "FFFFFFFF",
        ];
        graded(IdKind::Serial, Grade::Junk, &junk);
        graded(IdKind::BoardSerial, Grade::Junk, &junk);
        assert!(junk[..7].iter().all(|text| is_placeholder(text)));
        assert!(!is_placeholder("OptiPlex 7090") && !is_placeholder("HP"));
    }

    #[test]
    fn real_serials_are_strong() {
        graded(IdKind::Serial, Grade::Strong, &["PF3A1B2C", "7XK2VL3", "C02Z1.2ABC", "987654321"]);
        graded(IdKind::Serial, Grade::Weak, &["A1", "7"]);
    }

    #[test]
    fn shared_uuids_identify_nothing() {
        graded(
            IdKind::Uuid,
            Grade::Junk,
            &[
                "2",
                "03000200-0400-0500-0006-000700080009",
                "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
                "00000000-0000-0000-0000-000000000000",
                "00000000-0000-0000-0000-00000000000a",
            ],
        );
        graded(IdKind::Uuid, Grade::Strong, &["4c4c4544-0042-3510-8056-b9c04f4e4d32"]);
    }

    #[test]
    fn addresses_made_by_software_identify_nothing() {
        graded(
            IdKind::Mac,
            Grade::Junk,
            &[
                "02:42:ac:11:00:02",
                "00:00:00:00:00:00",
                "ff:ff:ff:ff:ff:ff",
                "00:50:56:c0:00:08",
                "44:45:53:54:00:00",
                "8c:8c:aa",
            ],
        );
        graded(IdKind::Mac, Grade::Weak, &["8c:8c:aa:12:34:56", "00:0c:29:aa:bb:cc"]);
    }

    proptest! {
        #[test]
        fn never_panics(value in any::<String>()) {
            for kind in [IdKind::Serial, IdKind::Uuid, IdKind::BoardSerial, IdKind::MachineId, IdKind::Mac] {
                grade(kind, &value);
            }
            is_placeholder(&value);
        }
    }
}
