//! Processors, one entry per socket.

use crate::source::{Platform, Privilege, Source};

mod arm;
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

/// Processors, one entry per socket.
pub const SOURCE: Source = Source {
    name: "cpu",
    section: "cpu",
    about: "/proc/cpuinfo with topology and frequencies from /sys/devices/system/cpu",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather: sys::gather,
};
