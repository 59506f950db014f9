//! Accounts and groups of this computer, and directory accounts that signed in here.

#[cfg(windows)]
mod accounts;
mod linux;
mod local;
mod macos;
mod parse;
mod records;
mod windows;

use super::{Platform, Privilege, Source};

pub use local::LOCAL;
pub use macos::MACOS;
pub(crate) use records::records;
pub use windows::WINDOWS;

/// The declaration.
pub const ACCOUNTS: Source = Source {
    name: "accounts",
    section: "user",
    about: "Accounts, groups and last sign-ins, from /etc/passwd, /etc/group, sudoers and the sign-in logs",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: linux::gather,
};

#[cfg(test)]
mod tests;
