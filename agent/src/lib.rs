//! Runs every source and puts a report together. A failure becomes a note.
#![doc = include_str!("../README.md")]

pub mod clock;
pub mod gather;
#[cfg(all(test, target_os = "linux"))]
mod gather_fixtures;
pub mod hardware_ids;
pub mod host;
mod merge;
mod program;
pub mod smbios;
pub mod source;
