//! Sound, cameras, keyboards and pointers of a Mac, from the I/O registry.

use rollcall_shared::section::{Audio, Camera, Input, Section};

use crate::host::Host;
use crate::io_registry::{Entry, number_of};
use crate::order;
use crate::source::bus::{usb_classes, usb_entries, usb_id, usb_name};
use crate::source::{Gathered, Platform, Privilege, Source};

/// The class of USB devices that give or take sound.
const SOUND: &str = "01";
/// The class of USB devices that give moving pictures.
const VIDEO: &str = "0e";
/// Drivers of cameras that are part of the computer and not on its USB.
const BUILT_IN: &[&str] = &["AppleCamIn", "AppleH13CamIn", "AppleH16CamIn"];

/// The declaration.
pub const CAMERA_MACOS: Source = Source {
    name: "mac_camera",
    section: "camera",
    about: "Cameras in the I/O registry: on the USB, and those of Apple that are built in; never their pictures",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

/// Sound cards.
pub const AUDIO_MACOS: Source = Source {
    name: "mac_audio",
    section: "audio",
    about: "Sound devices in the I/O registry: with a driver of the kernel (IOAudioDevice), and those on the USB; the sound of Apple's own chips is not told",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather: audio,
};

/// Keyboards and pointers.
pub const INPUT_MACOS: Source = Source {
    name: "hid_device",
    section: "input",
    about: "Keyboards, pointers and the like in the I/O registry (IOHIDDevice); never what is typed",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather: input,
};

/// What a device is for, by the numbers that such devices give: its page and its use on it.
const USES: &[((u64, u64), &str)] = &[
    ((1, 6), "keyboard"),
    ((1, 2), "mouse"),
    ((1, 4), "joystick"),
    ((1, 5), "joystick"),
    ((13, 5), "touchpad"),
    ((13, 4), "touchscreen"),
    ((13, 2), "tablet"),
];

fn input(host: &Host) -> Gathered {
    let found = match host.io_registry("IOHIDDevice", 0) {
        Ok(found) => found,
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut rows: Vec<Input> = found.iter().filter_map(input_device).collect();
    order::sort(&mut rows, Ord::cmp);
    // One thing with several functions is several devices.
    rows.dedup();
    Gathered::of(Section::Input(rows))
}

fn input_device(entry: &Entry) -> Option<Input> {
    let number = |name: &str| entry.number(name).and_then(|number| u16::try_from(number).ok());
    let first = entry.number("PrimaryUsagePage").zip(entry.number("PrimaryUsage"));
    let all = entry.properties.list("DeviceUsagePairs").iter().filter_map(|pair| {
        let of = |name: &str| number_of(pair.get(name)?);
        of("DeviceUsagePage").zip(of("DeviceUsage"))
    });
    let kind = first
        .into_iter()
        .chain(all)
        .find_map(|told| USES.iter().find(|(known, _)| *known == told).map(|(_, kind)| *kind))?;
    let id = number("VendorID").zip(number("ProductID")).filter(|id| *id != (0, 0));
    Some(Input {
        name: entry.text("Product")?,
        kind: Some(kind.to_owned()),
        bus: entry.text("Transport").map(|word| word.to_lowercase()),
        id: id.map(|(maker, product)| format!("{maker:04x}:{product:04x}")),
    })
}

fn audio(host: &Host) -> Gathered {
    let by_driver = match host.io_registry("IOAudioDevice", 0) {
        Ok(found) => found,
        Err(error) => return Gathered::absent(error.into()),
    };
    let on_usb = match usb_entries(host) {
        Ok(found) => found,
        Err(error) => return Gathered::absent(error.into()),
    };
    let of_kernel = by_driver.iter().filter_map(|entry| {
        let name = entry.text("IOAudioDeviceName").or_else(|| entry.name())?;
        Some(Audio { name, driver: entry.text("CFBundleIdentifier"), ..Audio::default() })
    });
    let sounding = on_usb.iter().filter(|entry| usb_classes(entry).contains(SOUND));
    let mut rows: Vec<Audio> = of_kernel
        .chain(sounding.filter_map(|entry| {
            Some(Audio { name: usb_name(entry)?, id: usb_id(entry), ..Audio::default() })
        }))
        .collect();
    order::sort(&mut rows, Ord::cmp);
    rows.dedup();
    Gathered::of(Section::Audio(rows))
}

fn gather(host: &Host) -> Gathered {
    let on_usb = match usb_entries(host) {
        Ok(found) => found,
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut rows: Vec<Camera> = on_usb
        .iter()
        .filter(|entry| usb_classes(entry).contains(VIDEO))
        .filter_map(|entry| {
            Some(Camera { name: usb_name(entry)?, id: usb_id(entry), driver: None })
        })
        .collect();
    for class in BUILT_IN {
        let found = host.io_registry(class, 0).unwrap_or_default();
        rows.extend(found.iter().map(|entry| Camera {
            name: "FaceTime HD Camera".to_owned(),
            id: None,
            driver: entry.text("CFBundleIdentifier").or_else(|| entry.class()),
        }));
    }
    order::sort(&mut rows, Ord::cmp);
    rows.dedup();
    Gathered::of(Section::Camera(rows))
}
