//! What the small files under `/sys` say of the firmware.

use rollcall_shared::section::firmware::Tpm;

/// A firmware date as `YYYY-MM-DD`; firmware writes `03/07/2025`, and before 2000 `03/07/99`.
pub fn date(text: &str) -> Option<String> {
    let mut parts = text.trim().split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (month, day): (u8, u8) = (month.parse().ok()?, day.parse().ok()?);
    let year: u16 = match year.len() {
        4 => year.parse().ok()?,
        2 => 1900 + year.parse::<u16>().ok()?,
        _ => return None,
    };
    let sane = (1980..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    sane.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// The variable `SecureBoot`: four bytes of attributes, then 1 for on.
pub fn secure_boot(variable: &[u8]) -> Option<bool> {
    match variable {
        [_, _, _, _, 0] => Some(false),
        [_, _, _, _, 1] => Some(true),
        _ => None,
    }
}

/// The module, from its folder in `/sys/class/tpm`: the major version, the text of `caps` that
/// only version 1.2 has, and the name of the device in the firmware's tables.
pub fn tpm(major: Option<&str>, caps: Option<&str>, acpi_id: Option<&str>) -> Tpm {
    let version = match (major, caps) {
        (Some("2"), _) => Some("2.0".to_owned()),
        (_, Some(caps)) => caps_line(caps, "TCG version").map(str::to_owned),
        (Some("1"), None) => Some("1.2".to_owned()),
        _ => None,
    };
    let manufacturer = caps
        .and_then(|caps| manufacturer(caps_line(caps, "Manufacturer")?))
        .or_else(|| acpi_id.and_then(maker_of_acpi_id));
    Tpm { version, manufacturer }
}

fn caps_line<'a>(caps: &'a str, key: &str) -> Option<&'a str> {
    caps.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
}

/// Four letters in a number, e.g. `0x49465800` for `IFX`.
fn manufacturer(number: &str) -> Option<String> {
    let number = u32::from_str_radix(number.strip_prefix("0x")?, 16).ok()?;
    let bytes = number.to_be_bytes();
    let text = std::str::from_utf8(&bytes).ok()?.trim_matches(['\0', ' ']);
    let plain = !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric());
    plain.then(|| text.to_owned())
}

/// `INTC6001` is Intel's; `MSFT0101` is any module that follows Microsoft's interface.
fn maker_of_acpi_id(id: &str) -> Option<String> {
    let maker: String = id.chars().take_while(char::is_ascii_uppercase).collect();
    (!matches!(maker.as_str(), "" | "MSFT" | "PNP")).then_some(maker)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date("03/07/2025").as_deref(), Some("2025-03-07"));
        assert_eq!(date("12/31/99").as_deref(), Some("1999-12-31"));
        for nonsense in ["", "2025-03-07", "13/01/2025", "00/00/0000", "1/2/3/4"] {
            assert_eq!(date(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn secure_boot_is_on_off_or_not_told() {
        assert_eq!(secure_boot(&[6, 0, 0, 0, 1]), Some(true));
        assert_eq!(secure_boot(&[6, 0, 0, 0, 0]), Some(false));
        assert_eq!(secure_boot(&[6, 0, 0, 0]), None);
    }

    #[test]
    fn modules_of_both_versions() {
        let caps = "Manufacturer: 0x49465800\nTCG version: 1.2\nFirmware version: 4.40\n";
        let old = tpm(Some("1"), Some(caps), None);
        assert_eq!(
            (old.version.as_deref(), old.manufacturer.as_deref()),
            (Some("1.2"), Some("IFX"))
        );
        let new = tpm(Some("2"), None, Some("INTC6001"));
        assert_eq!(
            (new.version.as_deref(), new.manufacturer.as_deref()),
            (Some("2.0"), Some("INTC"))
        );
        assert_eq!(tpm(Some("2"), None, Some("MSFT0101")).manufacturer, None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", bytes in proptest::collection::vec(any::<u8>(), 0..9)) {
            let _ = date(&text);
            let _ = secure_boot(&bytes);
            let _ = tpm(Some(&text), Some(&format!("Manufacturer: {text}")), Some(&text));
        }
    }
}
