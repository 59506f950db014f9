//! Runs every source and puts a report together. A failure becomes a note.
#![doc = include_str!("../README.md")]

pub mod clock;
pub mod gather;
pub mod hardware_ids;
pub mod host;
mod merge;
mod program;
pub mod smbios;
pub mod source;
