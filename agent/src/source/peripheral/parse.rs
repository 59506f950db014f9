//! The kernel's lists of sound cards and input devices.

use rollcall_shared::section::{Audio, Input};

use crate::source::text::clip;

/// Cards with their numbers, from `/proc/asound/cards`:
/// ` 0 [PCH            ]: HDA-Intel - HDA Intel PCH`.
pub fn cards(text: &str) -> Vec<(String, Audio)> {
    text.lines().filter_map(card).collect()
}

fn card(line: &str) -> Option<(String, Audio)> {
    let (number, rest) = line.trim_start().split_once(" [")?;
    let (id, rest) = rest.split_once("]:")?;
    let (driver, name) = rest.split_once(" - ")?;
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let word = |text: &str| {
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let audio = Audio { name: word(name)?, id: word(id), driver: word(driver), codec: None };
    plain.then(|| (number.to_owned(), audio))
}

/// `Codec: Realtek ALC257`
pub fn codec(text: &str) -> Option<String> {
    let name = text.lines().find_map(|line| line.strip_prefix("Codec:"))?.trim();
    (!name.is_empty()).then(|| clip(name.as_bytes()))
}

/// Whether a video device of this name takes pictures; others turn them from one form to another.
pub fn is_camera(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !["codec", "-isp", "hevc", "decoder", "encoder", "stateless", "m2m", "-pisp", "rpivid"]
        .iter()
        .any(|word| name.contains(word))
}

/// What one paragraph of `/proc/bus/input/devices` says.
#[derive(Default)]
struct Paragraph<'a> {
    name: &'a str,
    bus: &'a str,
    vendor: &'a str,
    product: &'a str,
    properties: Bits,
    events: Bits,
    keys: Bits,
    relative: Bits,
    absolute: Bits,
}

/// A row of bits, written as hexadecimal words with the highest first.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn of(text: &str) -> Self {
        Self(text.split_whitespace().rev().map_while(|w| u64::from_str_radix(w, 16).ok()).collect())
    }

    fn has(&self, bit: usize) -> bool {
        self.0.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }
}

/// Keyboards, pointers and the like; buttons, lids and jacks are left out.
pub fn inputs(text: &str) -> Vec<Input> {
    text.split("\n\n").filter_map(input).collect()
}

fn input(paragraph: &str) -> Option<Input> {
    let mut it = Paragraph::default();
    for line in paragraph.lines() {
        let Some((letter, rest)) = line.split_once(": ") else { continue };
        match letter {
            "I" => {
                for part in rest.split_whitespace() {
                    match part.split_once('=') {
                        Some(("Bus", value)) => it.bus = value,
                        Some(("Vendor", value)) => it.vendor = value,
                        Some(("Product", value)) => it.product = value,
                        _ => {}
                    }
                }
            }
            "N" => it.name = rest.strip_prefix("Name=").unwrap_or_default().trim_matches('"'),
            "B" => match rest.split_once('=') {
                Some(("PROP", value)) => it.properties = Bits::of(value),
                Some(("EV", value)) => it.events = Bits::of(value),
                Some(("KEY", value)) => it.keys = Bits::of(value),
                Some(("REL", value)) => it.relative = Bits::of(value),
                Some(("ABS", value)) => it.absolute = Bits::of(value),
                _ => {}
            },
            _ => {}
        }
    }
    let kind = kind(&it)?;
    let name = clip(it.name.trim().as_bytes());
    Some(Input {
        name: if name.is_empty() { kind.to_owned() } else { name },
        kind: Some(kind.to_owned()),
        bus: bus(it.bus).map(str::to_owned),
        id: (it.vendor != "0000" && !it.vendor.is_empty())
            .then(|| format!("{}:{}", it.vendor, it.product)),
    })
}

/// What a device is, by what it can say; the rules are those of udev.
fn kind(it: &Paragraph<'_>) -> Option<&'static str> {
    const EV_KEY: usize = 1;
    const REL_X: usize = 0;
    const ABS_X: usize = 0;
    const ABS_MULTITOUCH_X: usize = 0x35;
    const BTN_LEFT: usize = 0x110;
    const BTN_JOYSTICK: usize = 0x120;
    const BTN_GAMEPAD: usize = 0x130;
    const TOOL_PEN: usize = 0x140;
    const TOOL_FINGER: usize = 0x145;
    const BTN_TOUCH: usize = 0x14a;
    const DIRECT: usize = 1;
    if !it.events.has(EV_KEY) {
        return None;
    }
    let absolute = it.absolute.has(ABS_X) || it.absolute.has(ABS_MULTITOUCH_X);
    if absolute && it.keys.has(TOOL_PEN) {
        return Some("tablet");
    }
    if absolute && it.keys.has(TOOL_FINGER) && !it.properties.has(DIRECT) {
        return Some("touchpad");
    }
    if absolute && (it.keys.has(BTN_TOUCH) || it.properties.has(DIRECT)) {
        return Some("touchscreen");
    }
    if it.keys.has(BTN_LEFT) && (it.relative.has(REL_X) || absolute) {
        return Some("mouse");
    }
    if absolute && (it.keys.has(BTN_JOYSTICK) || it.keys.has(BTN_GAMEPAD)) {
        return Some("joystick");
    }
    // Escape, the numbers, and the first rows of letters.
    (1..32).all(|key| it.keys.has(key)).then_some("keyboard")
}

fn bus(number: &str) -> Option<&'static str> {
    Some(match number {
        "0003" => "usb",
        "0005" => "bluetooth",
        "0006" => "virtual",
        "0011" => "ps2",
        "0018" => "i2c",
        "001c" => "spi",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cards_have_names() {
        let text = " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n                      HDA Intel \
            PCH at 0xa1340000 irq 142\n--- no soundcards ---\n";
        let found = cards(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "0");
        assert_eq!(found[0].1.id.as_deref(), Some("PCH"));
        assert_eq!(codec("Codec: Realtek ALC257\nAddress: 0\n").as_deref(), Some("Realtek ALC257"));
    }

    #[test]
    fn chips_that_turn_pictures_are_no_cameras() {
        assert!(is_camera("Integrated Camera: Integrated C"));
        assert!(is_camera("unicam-image"));
        assert!(!is_camera("bcm2835-codec-decode"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([INB]: (Name=|EV=|KEY=|ABS=|Bus=)[0-9a-fé\" ]{0,40}\n|\\PC|\n)*") {
            let _ = inputs(&text);
            let _ = cards(&text);
            let _ = codec(&text);
        }
    }
}
