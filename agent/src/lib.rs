#![doc = include_str!("../README.md")]

pub mod gather;
pub mod host;
pub mod source;
