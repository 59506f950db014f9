#![doc = include_str!("../README.md")]

mod agent;
pub mod answer;
mod budget;
mod change;
mod check_in;
pub mod cli;
pub mod client;
pub mod clock;
#[cfg(windows)]
mod com;
mod command;
pub mod config;
pub mod disk;
pub mod doctor;
mod enroll;
pub mod error;
mod firmware_table;
pub mod gather;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod gather_again;
#[cfg(all(test, target_os = "linux"))]
mod gather_fixtures;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod gather_unchanged;
mod guard;
pub mod hardware_ids;
pub mod host;
mod inputs;
pub mod io_registry;
mod join_file;
mod merge;
pub mod now;
mod order;
#[cfg(windows)]
mod own_usage;
pub mod paths;
pub mod plist;
mod program;
pub mod proxy;
pub mod reach;
pub mod registry;
pub mod report;
pub mod schedule;
pub mod service;
pub mod settings;
mod show;
pub mod smbios;
pub mod source;
pub mod spool;
pub mod state;
pub mod status;
pub mod tls;
mod wmi;
mod worker;

pub use agent::{Agent, EnrollOutcome, OnceOutcome};
pub use config::Config;
pub use error::Error;
pub use paths::Paths;

#[cfg(test)]
mod tests;
