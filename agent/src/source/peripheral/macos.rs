//! Cameras of a Mac, from the I/O registry.

use rollcall_shared::section::{Camera, Section};

use crate::host::Host;
use crate::order;
use crate::source::bus::{usb_classes, usb_entries, usb_id, usb_name};
use crate::source::{Gathered, Platform, Privilege, Source};

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
