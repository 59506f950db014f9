#![doc = include_str!("../README.md")]

pub mod app;
pub mod clock;
pub mod codec;
pub mod domain;
pub mod fleet;
pub mod http;
pub mod ingest;
pub mod job;
pub mod secret;
pub mod store;
pub mod view;
