#![doc = include_str!("../README.md")]

pub mod client;
pub mod clock;
pub mod disk;
pub mod gather;
pub mod hardware_ids;
pub mod host;
mod merge;
pub mod now;
pub mod paths;
mod program;
pub mod reach;
pub mod schedule;
pub mod source;
pub mod spool;
pub mod state;
pub mod tls;
