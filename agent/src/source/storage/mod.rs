//! Disks.

use crate::source::{Platform, Privilege, Source};

pub(crate) mod descriptor;
#[cfg(windows)]
mod drives;
pub(crate) mod layout;
mod macos;
pub(crate) mod managed;
pub mod parse;
mod windows;

pub use macos::MACOS;
pub(crate) use macos::images;

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
pub(crate) use windows::drives as windows_drives;

/// Disks.
pub const SOURCE: Source = Source {
    name: "storage",
    section: "storage",
    about: "Disks in /sys/block with what udev noted of them and what smartd warned of",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather: sys::gather,
};
