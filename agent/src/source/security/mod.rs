//! How this computer is protected.

mod linux;
mod parse;
mod sudoers;

use super::{Platform, Privilege, Source};

pub(crate) use linux::sudoers;
pub(crate) use sudoers::Who;

/// The declaration.
pub const PROTECTION: Source = Source {
    name: "protection",
    section: "security",
    about: "Firewalls, malware protection, confinement, encryption of the system disk, SSH, sudo",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: linux::gather,
};

#[cfg(test)]
mod tests;
