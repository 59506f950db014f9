#![doc = include_str!("../README.md")]

pub mod api;
pub mod digest;
pub mod identity;
pub mod join;
pub mod junk;
pub mod note;
#[cfg(feature = "schema")]
pub mod privacy;
pub mod problem;
pub mod report;
pub mod section;
pub mod signature;
pub mod time;
pub mod version;

pub use digest::Digest;
pub use identity::{DeviceId, HardwareIds};
pub use note::{Note, NoteKind};
pub use time::Timestamp;

/// Version of the report model; grows when a field changes its meaning, not when one is added.
pub const SCHEMA_VERSION: u32 = 1;
