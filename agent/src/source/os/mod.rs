//! The operating system as it names itself.

mod linux;
mod macos;
mod parse;
mod windows;

use super::{Platform, Privilege, Source};

pub(crate) use linux::running_kernel;
pub use macos::MACOS;
pub use windows::WINDOWS;

/// The declaration.
pub const OS: Source = Source {
    name: "os_release",
    section: "os",
    about: "Name, version, kernel, time zone and language of the system",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather: linux::gather,
};

#[cfg(test)]
mod tests;
