#![doc = include_str!("../README.md")]

pub mod browser;
pub mod collected;
pub mod console;
pub mod door;
pub mod faulty;
pub mod fuzz;
pub mod fuzz_agent;
pub mod hostile;
pub mod impostor;
pub mod keyboard;
pub mod lost;
pub mod programs;
pub mod provider;
pub mod synthetic;
pub mod wire;
