#![doc = include_str!("../README.md")]

pub mod synthetic;
pub mod wire;
