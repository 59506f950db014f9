//! Updates that wait, as far as the package manager's own lists tell.
//!
//! No list is refreshed and no program started. An empty list of waiting updates means that the
//! lists were read; where they could not be, a note says so.

mod apt;
mod linux;
mod pins;

use super::{Platform, Privilege, Source};

pub(crate) use linux::last_installed_at;

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
