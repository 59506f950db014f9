#![doc = include_str!("../README.md")]

pub mod app;
pub mod ca;
pub mod clock;
pub mod codec;
pub mod demo;
pub mod domain;
pub mod export;
pub mod fleet;
pub mod http;
pub mod ingest;
pub mod job;
pub mod secret;
pub mod server;
pub mod store;
pub mod tls;
pub mod view;
