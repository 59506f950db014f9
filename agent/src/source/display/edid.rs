//! EDID: the 128 bytes in which a display describes itself.

use rollcall_shared::section::Display;

const HEADER: [u8; 8] = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
const BLOCK_BYTES: usize = 128;

/// `HDMI-A-1` of `card0-HDMI-A-1`; nothing for folders that are no connectors.
pub fn connector(folder: &str) -> Option<&str> {
    let (card, connector) = folder.split_once('-')?;
    let number = card.strip_prefix("card")?;
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (plain && !connector.starts_with("Writeback")).then_some(connector)
}

/// The display that these bytes describe; nothing when they are no EDID.
pub fn parse(bytes: &[u8]) -> Option<Display> {
    let block = bytes.get(..BLOCK_BYTES)?;
    let sum = block.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if !block.starts_with(&HEADER) || sum != 0 {
        return None;
    }
    let letters = maker(block)?;
    let product = u16::from_le_bytes([block[10], block[11]]);
    let number = u32::from_le_bytes([block[12], block[13], block[14], block[15]]);
    let mut display = Display {
        product_id: Some(format!("{letters}{product:04X}")),
        manufacturer: Some(maker_name(&letters)),
        // Some displays give the year of their model instead; 0 stands for nothing.
        year: (block[17] > 0).then(|| 1990 + u16::from(block[17])),
        ..Display::default()
    };
    let centimetres = (u32::from(block[21]), u32::from(block[22]));
    if centimetres.0 > 0 && centimetres.1 > 0 {
        display.width_mm = Some(centimetres.0 * 10);
        display.height_mm = Some(centimetres.1 * 10);
    }
    let mut further = Vec::new();
    for (place, part) in block[54..126].chunks_exact(18).enumerate() {
        match (part[0], part[1], part[3]) {
            (0, 0, 0xff) => display.serial = text(&part[5..]),
            (0, 0, 0xfc) => display.model = text(&part[5..]),
            // Panels put maker and model in these.
            (0, 0, 0xfe) => further.extend(text(&part[5..])),
            (0, 0, _) => {}
            _ if place == 0 => timing(part, &mut display),
            _ => {}
        }
    }
    if display.model.is_none() {
        display.model = further.into_iter().next_back();
    }
    // The text is what is printed on the back; the number is often made up.
    display.serial = display
        .serial
        .filter(|text| !text.trim_matches(['0', ' ']).is_empty())
        .or_else(|| (!is_placeholder(number.into())).then(|| number.to_string()));
    Some(display)
}

/// Whether a serial number is one of those that makers put where they have none.
pub(super) fn is_placeholder(number: u64) -> bool {
    matches!(number, 0 | 1 | 0x0101_0101 | 0xffff_ffff)
}

/// The maker's name, or its three letters where no name is known.
pub(super) fn maker_name(letters: &str) -> String {
    name_of(letters).unwrap_or(letters).to_owned()
}

/// Three letters of five bits each.
fn maker(block: &[u8]) -> Option<String> {
    let packed = u16::from_be_bytes([block[8], block[9]]);
    [10, 5, 0]
        .iter()
        .map(|shift| {
            let five = u8::try_from(packed >> shift & 0x1f).ok()?;
            (1..=26).contains(&five).then(|| char::from(b'@' + five))
        })
        .collect()
}

/// Size of the picture that the display likes best.
fn timing(part: &[u8], display: &mut Display) {
    let joined = |low: u8, high: u8| u32::from(low) | u32::from(high) << 8;
    let (width, height) = (joined(part[2], part[4] >> 4), joined(part[5], part[7] >> 4));
    if width > 0 && height > 0 {
        display.width_px = Some(width);
        display.height_px = Some(height);
    }
    let (wide, high) = (joined(part[12], part[14] >> 4), joined(part[13], part[14] & 0xf));
    // Televisions give the form of the picture (16 by 9) instead of its size.
    if wide > 50 && high > 50 {
        display.width_mm = Some(wide);
        display.height_mm = Some(high);
    }
}

/// Text of at most 13 letters that ends with a line feed.
fn text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | 0)).unwrap_or(bytes.len());
    let text: String = bytes[..end]
        .iter()
        .filter(|byte| (b' '..=b'~').contains(byte))
        .map(|b| *b as char)
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Makers that are met in offices.
fn name_of(letters: &str) -> Option<&'static str> {
    Some(match letters {
        "ACI" | "AUS" => "Asus",
        "ACR" => "Acer",
        "AOC" => "AOC",
        "APP" => "Apple",
        "AUO" => "AU Optronics",
        "BNQ" => "BenQ",
        "BOE" => "BOE",
        "CMN" => "Chimei Innolux",
        "DEL" => "Dell",
        "EIZ" | "ENC" => "Eizo",
        "FUS" => "Fujitsu",
        "GSM" => "LG",
        "HPN" | "HWP" => "HP",
        "IVM" => "Iiyama",
        "IVO" => "InfoVision",
        "LEN" => "Lenovo",
        "LGD" => "LG Display",
        "MEI" => "Panasonic",
        "MSI" => "MSI",
        "NEC" => "NEC",
        "PHL" => "Philips",
        "RHT" => "Red Hat",
        "SAM" | "SDC" => "Samsung",
        "SHP" => "Sharp",
        "SNY" => "Sony",
        "VSC" => "ViewSonic",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn connectors() {
        assert_eq!(connector("card0-HDMI-A-1"), Some("HDMI-A-1"));
        assert_eq!(connector("card12-eDP-1"), Some("eDP-1"));
        for other in ["card0", "renderD128", "version", "card0-Writeback-1"] {
            assert_eq!(connector(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            if bytes.len() >= BLOCK_BYTES {
                bytes[..8].copy_from_slice(&HEADER);
                let sum = bytes[..127].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
                bytes[127] = 0_u8.wrapping_sub(sum);
                let _ = parse(&bytes);
            }
        }
    }
}
