//! Graphics adapters.

use crate::source::{Platform, Privilege, Source};

mod macos;
pub mod parse;
mod windows;

pub use macos::MACOS;

cfg_select! {
    target_os = "linux" => {
        mod linux;
        use linux as sys;
    }
    _ => {
        use crate::source::unsupported as sys;
    }
}

pub use windows::WINDOWS;

/// Graphics adapters.
pub const SOURCE: Source = Source {
    name: "gpu",
    section: "gpu",
    about: "Display devices on the PCI bus and in /sys/class/drm, names from the system's pci.ids",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather: sys::gather,
};
