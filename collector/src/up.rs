//! `rollcall up`: a complete collector on this computer without any configuration, with this
//! computer as its first device.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::cli::say;
use crate::clock::Clock;
use crate::config::{LogFormat, Raw};
use crate::failure::Failure;
use crate::folder::{self, Folder};
use crate::http::setup;
use crate::start;

/// What may be chosen.
#[derive(Debug, Args)]
pub struct Options {
    /// Folder for everything it keeps
    #[arg(long, value_name = "FOLDER", env = "ROLLCALL_DATA")]
    data: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Add so many invented devices, to look around; they are marked as such
    #[arg(long, value_name = "NUMBER")]
    demo: Option<u32>,
    /// Do not enrol this computer
    #[arg(long)]
    no_self: bool,
    /// What is logged: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log_level: String,
}

/// Runs until it is stopped.
pub async fn run(options: Options) -> Result<(), Failure> {
    let data = options.data.unwrap_or_else(|| folder::usual(crate::cli::environment));
    crate::logging::start(LogFormat::Text, &options.log_level);
    let _folder = Folder::take(&data)?;
    let raw = Raw { listen: Some(options.listen), data: Some(data.clone()), ..Raw::default() };
    let started = start::start(&raw.resolve()?, Clock::system()).await?;
    let app = started.app.clone();
    say(format_args!("Rollcall runs at {}", app.public_url));
    say(format_args!("  data      {}", data.display()));
    if setup::setup_pending(&app).await? {
        say("\nMake the first administrator (this link works once, for 24 hours):");
        say(format_args!("  {}", setup::new_link(&app).await?));
        say("The browser will warn once: the certificate is this collector's own.");
    }
    say("\nStop with Ctrl-C. Start again with the same command; everything is kept.");
    started.run(start::asked_to_stop()).await?;
    say("Stopped. Everything is kept.");
    Ok(())
}
