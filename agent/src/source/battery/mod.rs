//! Batteries.

use crate::source::{Platform, Privilege, Source};

mod macos;
pub mod parse;

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
