//! Displays that are attached, from what each says of itself.

use rollcall_shared::section::{Display, Section};

use super::{Gathered, Platform, Privilege, Source};
use crate::host::Host;
use crate::order;

pub mod edid;
mod macos;

pub use macos::MACOS;
mod windows;

pub use windows::WINDOWS;

/// Displays.
pub const SOURCE: Source = Source {
    name: "display",
    section: "display",
    about: "Displays at the connectors in /sys/class/drm, by their EDID",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

const FOLDER: &str = "/sys/class/drm";

fn gather(host: &Host) -> Gathered {
    // Without any graphics there is no such folder, which is an answer.
    let connectors = host.list(FOLDER).unwrap_or_default();
    let display = |name: &String| {
        let connector = edid::connector(name)?;
        // A connector with nothing at it has an empty file; built-in ones say `connected`.
        let bytes = host.read(&format!("{FOLDER}/{name}/edid")).ok()?;
        let told = edid::parse(&bytes)?;
        Some(Display {
            built_in: ["eDP", "LVDS", "DSI"].iter().any(|kind| connector.starts_with(kind)),
            connector: connector.to_owned(),
            ..told
        })
    };
    let mut rows: Vec<Display> = connectors.iter().filter_map(display).collect();
    order::sort(&mut rows, Ord::cmp);
    Gathered::of(Section::Display(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(system: &str) -> Vec<Display> {
        let root = format!("{}/../tests/fixtures/display/{system}", env!("CARGO_MANIFEST_DIR"));
        match gather(&Host::at(root)).section {
            Some(Section::Display(rows)) => rows,
            other => panic!("no displays: {other:?}"),
        }
    }

    #[test]
    fn captured_systems() {
        insta::assert_debug_snapshot!("laptop-at-dock", told("laptop-at-dock"));
        insta::assert_debug_snapshot!("old-monitor", told("old-monitor"));
        insta::assert_debug_snapshot!("virtual-machine", told("virtual-machine"));
    }
}
