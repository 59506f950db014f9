//! Batteries.

use crate::source::{Platform, Privilege, Source};

mod answer;
#[cfg(windows)]
mod live;
mod macos;
pub mod parse;
mod windows;

pub use macos::MACOS;
pub(crate) use macos::charges as mac_charges;

cfg_select! {
    target_os = "linux" => {
        mod linux;
        pub use linux::charges;
        use linux as sys;
    }
    _ => {
        use crate::source::unsupported as sys;
    }
}

pub use windows::WINDOWS;
pub(crate) use windows::charges as charges_by_drivers;

/// Batteries.
pub const SOURCE: Source = Source {
    name: "battery",
    section: "battery",
    about: "Batteries in /sys/class/power_supply",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather: sys::gather,
};
