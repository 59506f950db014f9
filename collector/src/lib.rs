#![doc = include_str!("../README.md")]

pub mod app;
pub mod backup;
pub mod ca;
pub mod cli;
pub mod clock;
pub mod codec;
pub mod config;
pub mod demo;
pub mod domain;
pub mod export;
pub mod failure;
pub mod fleet;
mod folder;
pub mod http;
pub mod ingest;
pub mod issue;
pub mod job;
mod logging;
pub mod secret;
pub mod serve;
pub mod server;
pub mod start;
pub mod store;
pub mod tls;
pub mod totp;
pub mod up;
pub mod view;
