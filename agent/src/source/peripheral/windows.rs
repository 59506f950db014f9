//! Sound, cameras, keyboards and pointers of a Windows computer, by the classes of its devices.

use rollcall_shared::section::{Audio, Camera, Input, Section};

use crate::host::Host;
use crate::order;
use crate::source::devices::{self, Device};
use crate::source::{Gathered, Platform, Privilege, Source};

const SOUND: &str = "{4d36e96c-e325-11ce-bfc1-08002be10318}";
const CAMERA: &str = "{ca3e7ab9-b4c3-4ae6-8251-579ef933890f}";
/// Scanners as well; cameras are here on older systems.
const IMAGE: &str = "{6bdd1fc6-810f-11d0-bec7-08002be2092f}";
const KEYBOARD: &str = "{4d36e96b-e325-11ce-bfc1-08002be10318}";
const MOUSE: &str = "{4d36e96f-e325-11ce-bfc1-08002be10318}";
/// The driver of cameras on the USB.
const USB_VIDEO: &str = "usbvideo";

/// Sound cards.
pub const AUDIO_WINDOWS: Source = Source {
    name: "sound_device",
    section: "audio",
    about: "Sound devices that are present, from the registry (Enum)",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather: audio,
};

/// Cameras.
pub const CAMERA_WINDOWS: Source = Source {
    name: "camera_device",
    section: "camera",
    about: "Cameras that are present, from the registry (Enum)",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather: camera,
};

/// Keyboards and pointers.
pub const INPUT_WINDOWS: Source = Source {
    name: "input_device",
    section: "input",
    about: "Keyboards and pointers that are present, from the registry (Enum)",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather: input,
};

/// The rows that are made of the devices that are present and no program's.
fn rows<T: Ord>(
    host: &Host,
    row: impl Fn(&Device) -> Option<T>,
    section: impl Fn(Vec<T>) -> Section,
) -> Gathered {
    let present = devices::present(host);
    let present = match &*present {
        Ok(present) => present,
        Err(note) => return Gathered::absent(note.clone()),
    };
    let mut rows: Vec<T> =
        present.devices.iter().filter(|one| !one.is_made_up()).filter_map(row).collect();
    order::sort(&mut rows, Ord::cmp);
    rows.dedup();
    Gathered::of(section(rows))
}

fn audio(host: &Host) -> Gathered {
    let card = |device: &Device| {
        let driver = device.service.clone();
        let is_card = device.is_of_class(SOUND);
        is_card.then(|| Some(Audio { name: device.name()?, driver, ..Audio::default() }))?
    };
    rows(host, card, Section::Audio)
}

fn camera(host: &Host) -> Gathered {
    let camera = |device: &Device| {
        let by_usb =
            || device.service.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(USB_VIDEO));
        let is_camera = device.is_of_class(CAMERA) || device.is_of_class(IMAGE) && by_usb();
        let (id, driver) = (usb_id(device), device.service.clone());
        is_camera.then(|| Some(Camera { name: device.name()?, id, driver }))?
    };
    rows(host, camera, Section::Camera)
}

fn input(host: &Host) -> Gathered {
    let input = |device: &Device| {
        let kind = match (device.is_of_class(KEYBOARD), device.is_of_class(MOUSE)) {
            (true, _) => "keyboard",
            (_, true) => "mouse",
            _ => by_use(&device.key.texts("HardwareID"))?,
        };
        Some(Input {
            name: device.name()?,
            kind: Some(kind.to_owned()),
            bus: bus(device).map(str::to_owned),
            id: usb_id(device),
        })
    };
    rows(host, input, Section::Input)
}

/// What a device without a driver of its own is there for, by the numbers that the standard for
/// input devices gives to uses.
fn by_use(ids: &[String]) -> Option<&'static str> {
    const USES: &[(&str, &str)] = &[
        ("HID_DEVICE_UP:000D_U:0001", "tablet"),
        ("HID_DEVICE_UP:000D_U:0002", "tablet"),
        ("HID_DEVICE_UP:000D_U:0004", "touchscreen"),
        ("HID_DEVICE_UP:000D_U:0005", "touchpad"),
        ("HID_DEVICE_UP:0001_U:0004", "joystick"),
        ("HID_DEVICE_UP:0001_U:0005", "joystick"),
    ];
    let is_one = |of: &str| ids.iter().any(|id| id.eq_ignore_ascii_case(of));
    USES.iter().find(|(of, _)| is_one(of)).map(|(_, kind)| *kind)
}

/// Maker and product, e.g. `046d:c52b`; by radio the number of the list of makers stands
/// in front.
fn usb_id(device: &Device) -> Option<String> {
    let vendor = device.digits_after("VID_").or_else(|| {
        let upper = device.instance.to_ascii_uppercase();
        let digits = upper.split_once("VID&")?.1.get(..6)?.to_ascii_lowercase();
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.get(2..).filter(|_| plain).map(str::to_owned)
    });
    let product = device.digits_after("PID_").or_else(|| device.digits_after("PID&"));
    Some(format!("{}:{}", vendor?, product?))
}

/// How it is attached, by its name in the tree.
fn bus(device: &Device) -> Option<&'static str> {
    /// What profiles by radio are called: those of old and of low energy.
    const BY_RADIO: [&str; 2] =
        ["{00001124-0000-1000-8000-00805F9B34FB}", "{00001812-0000-1000-8000-00805F9B34FB}"];
    let upper = device.instance.to_ascii_uppercase();
    match device.bus().as_str() {
        "HID" if BY_RADIO.iter().any(|profile| upper.contains(profile)) => Some("bluetooth"),
        "HID" if upper.contains("VID_") => Some("usb"),
        // Buttons of a case call themselves keyboards, and are attached to nothing.
        "HID" if upper.contains("&COL") && !device.is_of_class(KEYBOARD) => Some("i2c"),
        "ACPI" => Some("ps2"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(instance: &str) -> Device {
        Device { instance: instance.to_owned(), ..Device::default() }
    }

    #[test]
    fn a_device_without_a_driver_is_told_by_its_use() {
        let ids = [r"HID\VEN_WACF&DEV_4831", "HID_DEVICE_UP:000D_U:0004", "HID_DEVICE"];
        let ids = ids.map(str::to_owned);
        assert_eq!(by_use(&ids), Some("touchscreen"));
        assert_eq!(by_use(&["HID_DEVICE_UP:FF00_U:0001".to_owned()]), None);
        assert_eq!(by_use(&[]), None);
    }

    #[test]
    fn a_device_by_radio_is_told_by_its_own_numbers() {
        let name =
            r"HID\{00001812-0000-1000-8000-00805F9B34FB}_DEV_VID&02046D_PID&B023_REV&0015\9&1";
        let mouse = device(name);
        assert_eq!(usb_id(&mouse).as_deref(), Some("046d:b023"));
        assert_eq!(bus(&mouse), Some("bluetooth"));
        let keyboard = device(r"HID\VID_413C&PID_2113&MI_00\7&2f9bd0e6&0&0000");
        assert_eq!(usb_id(&keyboard).as_deref(), Some("413c:2113"));
        assert_eq!(bus(&keyboard), Some("usb"));
        assert_eq!(bus(&device(r"ACPI\LEN0071\4&1c5d7b0a&0")), Some("ps2"));
        assert_eq!(bus(&device(r"HID\ELAN0676&COL01\5&1e4c2b9a&0&0000")), Some("i2c"));
        assert_eq!(usb_id(&device(r"HID\x_VID&0é")), None);
    }
}
