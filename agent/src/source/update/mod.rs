//! Updates that wait, as far as the package manager's own lists tell.
//!
//! No list is refreshed and no program started. Where the lists of updates that wait could not be
//! read, the section says so beside what else is known of updates.

mod apt;
mod apt_conf;
mod history;
mod linux;
mod macos;
mod others;
mod pins;
#[cfg(windows)]
mod search;
mod waiting;
mod windows;

use super::{Platform, Privilege, Source};

pub(crate) use history::last_installed_at;
pub use macos::MACOS;
pub(crate) use macos::lists_at as mac_lists_at;
pub use windows::WINDOWS;

/// The declaration.
pub const UPDATES: Source = Source {
    name: "updates",
    section: "update",
    about: "Updates that wait, by the package manager's own lists",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather: linux::gather,
};

#[cfg(test)]
mod tests;
