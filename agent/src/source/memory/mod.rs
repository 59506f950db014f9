//! Main memory and its modules.

use crate::source::{Platform, Privilege, Source};

mod macos;
pub mod parse;
mod windows;

pub use macos::MACOS;
pub use windows::WINDOWS;

cfg_select! {
    target_os = "linux" => {
        mod linux;
        use linux as sys;
    }
    _ => {
        use crate::source::unsupported as sys;
    }
}

/// Main memory and its modules.
pub const SOURCE: Source = Source {
    name: "memory",
    section: "memory",
    about: "/proc/meminfo and the firmware's table of modules (SMBIOS)",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: sys::gather,
};
