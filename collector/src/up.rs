//! `rollcall up`: a complete collector on this computer without any configuration, with this
//! computer as its first device.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use rollcall_agent::{Agent, Paths};
use rollcall_shared::api::token::NewEnrollmentToken;
use rollcall_shared::join::JoinString;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::cli::say;
use crate::clock::Clock;
use crate::config::{LogFormat, Raw};
use crate::domain::Scope;
use crate::failure::Failure;
use crate::folder::{self, Folder};
use crate::http::setup;
use crate::issue;
use crate::start;

/// What may be chosen.
#[derive(Debug, Args)]
pub struct Options {
    /// Folder for everything it keeps; ./rollcall-data when none is named
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
    let data = options.data.unwrap_or_else(|| PathBuf::from(folder::USUAL));
    let data = std::path::absolute(&data).unwrap_or(data);
    crate::logging::start(LogFormat::Text, &options.log_level);
    let _folder = Folder::take(&data)?;
    let raw = Raw { listen: Some(options.listen), data: Some(data.clone()), ..Raw::default() };
    let started = start::start(&raw.resolve()?, Clock::system()).await?;
    let stop = start::asked_to_stop();
    let app = started.app.clone();
    say(format_args!("Rollcall {} runs at {}", env!("CARGO_PKG_VERSION"), app.public_url));
    say(format_args!("  data  {}", data.display()));
    if setup::setup_pending(&app).await? {
        say("\nMake the first administrator; the link works once, for 24 hours:");
        say(format_args!("  {}", setup::new_link(&app).await?));
        say("  The browser will warn once: the certificate is this collector's own.");
    }
    say("\nStop it with Ctrl-C. The same command starts it again; everything is kept.\n");

    let (stopping, stopped) = watch::channel(false);
    let mut beside = JoinSet::new();
    if let Some(count) = options.demo {
        beside.spawn(demo(app.clone(), count));
    }
    if !options.no_self {
        beside.spawn(this_computer(app.clone(), data.join("agent"), stopped));
    }
    started
        .run(async {
            stop.await;
            say("Stopping…");
            // The agent first: its last request should still find the collector.
            let _ = stopping.send(true);
        })
        .await?;
    beside.shutdown().await;
    say("Stopped.");
    Ok(())
}

async fn demo(app: App, count: u32) {
    match crate::demo::seed(&app, u64::from(count)).await {
        Ok(added) => say(format_args!("{added} demo devices were added.")),
        Err(error) => say(format_args!("The demo devices were not added: {error}")),
    }
}

/// Enrols this computer through the real protocol and keeps reporting it.
async fn this_computer(app: App, state: PathBuf, stopped: watch::Receiver<bool>) {
    if let Err(error) = report_this_computer(&app, state, stopped).await {
        say(format_args!(
            "This computer does not report: {error}\n  Everything else works. To try again, start \
             Rollcall again."
        ));
    }
}

async fn report_this_computer(
    app: &App,
    state: PathBuf,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let config = rollcall_agent::Config::default();
    let mut agent = Agent::open(Paths::at(state), config)?;
    if agent.identity().is_none() {
        let new = NewEnrollmentToken {
            label: "this computer".to_owned(),
            valid_days: Some(1),
            allows_reenrollment: true,
            ..NewEnrollmentToken::default()
        };
        let token = issue::enrollment_token(app, "rollcall up", &Scope::whole(), new).await?;
        agent.enroll(&token.join_string.parse::<JoinString>()?).await?;
        say("This computer is the first device; its first report follows in a moment.");
    }
    agent
        .run(async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        })
        .await?;
    Ok(())
}
