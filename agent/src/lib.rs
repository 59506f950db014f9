#![doc = include_str!("../README.md")]

pub mod client;
pub mod disk;
pub mod gather;
pub mod host;
pub mod now;
pub mod paths;
pub mod reach;
pub mod schedule;
pub mod source;
pub mod spool;
pub mod state;
pub mod tls;
