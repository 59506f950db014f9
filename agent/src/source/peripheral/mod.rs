//! Sound cards, cameras, keyboards and pointers, as the kernel lists them.

use rollcall_shared::section::{Audio, Camera, Input, Section};

use super::{Gathered, Platform, Privilege, Source};
use crate::host::Host;
use crate::order;

mod macos;
pub mod parse;
mod windows;

pub use windows::{AUDIO_WINDOWS, CAMERA_WINDOWS, INPUT_WINDOWS};

pub use macos::{AUDIO_MACOS, CAMERA_MACOS, INPUT_MACOS};

/// Sound cards.
pub const AUDIO: Source = Source {
    name: "audio",
    section: "audio",
    about: "Sound cards in /proc/asound",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather: audio,
};

/// Cameras.
pub const CAMERA: Source = Source {
    name: "camera",
    section: "camera",
    about: "Cameras in /sys/class/video4linux; never their pictures",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather: camera,
};

/// Keyboards and pointers.
pub const INPUT: Source = Source {
    name: "input",
    section: "input",
    about: "Keyboards, pointers and the like in /proc/bus/input/devices; never what is typed",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather: input,
};

fn audio(host: &Host) -> Gathered {
    let text = host.read_text("/proc/asound/cards").unwrap_or_default();
    let codec = |number: &str| {
        let folder = format!("/proc/asound/card{number}");
        let names = host.list(&folder).ok()?;
        let codecs = names.iter().filter(|name| name.starts_with("codec#"));
        let codecs = codecs.filter_map(|name| host.read_text(&format!("{folder}/{name}")).ok());
        let mut found: Vec<String> = codecs.filter_map(|text| parse::codec(&text)).collect();
        // The sound of displays is no chip of its own.
        found.retain(|name| !name.contains("HDMI"));
        found.sort();
        found.dedup();
        (!found.is_empty()).then(|| found.join(", "))
    };
    let cards = parse::cards(&text).into_iter();
    let mut rows: Vec<Audio> =
        cards.map(|(number, card)| Audio { codec: codec(&number), ..card }).collect();
    order::sort(&mut rows, Ord::cmp);
    Gathered::of(Section::Audio(rows))
}

fn camera(host: &Host) -> Gathered {
    const FOLDER: &str = "/sys/class/video4linux";
    let nodes = host.list(FOLDER).unwrap_or_default();
    let mut seen: Vec<(Option<String>, Camera)> = Vec::new();
    for node in nodes.iter().filter(|name| name.starts_with("video")) {
        let folder = format!("{FOLDER}/{node}");
        let Some(name) = host.value(&format!("{folder}/name")) else { continue };
        if !parse::is_camera(&name) {
            continue;
        }
        // A camera has a node for its pictures and others for what it says of them.
        let device = host.link_name(&format!("{folder}/device"));
        if device.is_some() && seen.iter().any(|(other, _)| *other == device) {
            continue;
        }
        let id = |of: &str| host.value(&format!("{folder}/device/../{of}"));
        let id = id("idVendor").zip(id("idProduct")).map(|(maker, it)| format!("{maker}:{it}"));
        let driver = host.link_name(&format!("{folder}/device/driver"));
        seen.push((device, Camera { name, id, driver }));
    }
    let mut rows: Vec<Camera> = seen.into_iter().map(|(_, row)| row).collect();
    order::sort(&mut rows, Ord::cmp);
    Gathered::of(Section::Camera(rows))
}

fn input(host: &Host) -> Gathered {
    let text = host.read_text("/proc/bus/input/devices").unwrap_or_default();
    let mut rows: Vec<Input> = parse::inputs(&text);
    order::sort(&mut rows, Ord::cmp);
    rows.dedup();
    Gathered::of(Section::Input(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(section: &str, system: &str, gather: fn(&Host) -> Gathered) -> String {
        let root = format!("{}/../tests/fixtures/{section}/{system}", env!("CARGO_MANIFEST_DIR"));
        format!("{:#?}", gather(&Host::at(root)).section)
    }

    #[test]
    fn captured_systems() {
        for system in ["laptop", "desktop", "raspberry-pi-4"] {
            insta::assert_snapshot!(format!("audio-{system}"), told("audio", system, audio));
            insta::assert_snapshot!(format!("camera-{system}"), told("camera", system, camera));
            insta::assert_snapshot!(format!("input-{system}"), told("input", system, input));
        }
    }
}
