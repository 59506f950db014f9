//! Disks.

use crate::source::{Platform, Privilege, Source};

mod macos;
pub mod parse;

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
