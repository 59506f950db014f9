#![doc = include_str!("../README.md")]

pub mod browser;
pub mod console;
pub mod door;
pub mod fuzz;
pub mod hostile;
pub mod lost;
pub mod programs;
pub mod provider;
pub mod synthetic;
pub mod wire;
