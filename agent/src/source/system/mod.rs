//! What this computer is: name, maker, model, serial numbers, kind.

use crate::source::{Platform, Privilege, Source};

pub mod guest;
mod macos;
pub mod parse;
mod windows;

pub use macos::MACOS;
pub(crate) use macos::model_identifier;
pub use windows::WINDOWS;

cfg_select! {
    target_os = "linux" => {
        mod linux;
        use linux as sys;
        pub(crate) use linux::is_container;
    }
    _ => {
        use crate::source::unsupported as sys;
    }
}

/// What this computer is: name, maker, model, serial numbers, kind.
pub const SOURCE: Source = Source {
    name: "system",
    section: "system",
    about: "Names and numbers from /sys/class/dmi/id or the device tree, signs of a hypervisor or container",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: sys::gather,
};
