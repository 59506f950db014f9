//! Mounted file systems.

use crate::source::{Platform, Privilege, Source};

#[cfg(windows)]
mod drives;
mod macos;
pub mod parse;
mod windows;

pub use macos::MACOS;
pub(crate) use macos::spaces as mac_spaces;
pub use windows::WINDOWS;
pub(crate) use windows::spaces as drive_spaces;

cfg_select! {
    target_os = "linux" => {
        mod linux;
        pub use linux::spaces;
        use linux as sys;
    }
    _ => {
        use crate::source::unsupported as sys;
    }
}

/// Mounted file systems.
pub const SOURCE: Source = Source {
    name: "volume",
    section: "volume",
    about: "/proc/1/mountinfo or else /proc/self/mountinfo, sizes by statvfs for local file systems, labels from /dev/disk",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather: sys::gather,
};
