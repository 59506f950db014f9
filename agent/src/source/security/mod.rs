//! How this computer is protected.

mod linux;
mod macos;
mod parse;
mod screen_lock;
mod sudoers;
mod windows;

use super::{Platform, Privilege, Source};

pub(crate) use linux::sudoers;
pub use macos::MACOS;
pub(crate) use macos::{FILE_VAULT, file_vault_is_on};
pub(crate) use sudoers::Who;
pub use windows::WINDOWS;
pub(crate) use windows::system_drive_is_encrypted;

/// The declaration.
pub const PROTECTION: Source = Source {
    name: "protection",
    section: "security",
    about: "Firewalls, malware protection, confinement, encryption of the system disk, screen lock, SSH, sudo",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: linux::gather,
};

#[cfg(test)]
mod tests;
