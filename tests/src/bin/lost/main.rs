//! Proves that nothing acknowledged is ever lost: kills, disks that fail or are full, overload, a
//! fleet that comes back at once, restarts. Ends with an error when a promise was broken.

mod parts;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use parts::{Options, Part};
use rollcall_tests::lost::{Told, puppet};

/// Does to a collector and its agents what the field does, and holds the result against a ledger.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Only these parts; all of them when none is named
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<Part>,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// An agent on a computer made of files, for the suite itself
    #[command(hide = true)]
    Agent {
        /// Its state folder
        state: PathBuf,
        /// The computer
        root: PathBuf,
    },
}

#[expect(clippy::print_stdout, reason = "the figures are this program's data")]
fn say(line: &str) {
    println!("{line}");
}

async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Inner::Agent { state, root }) = arguments.inner {
        return match puppet::serve(&state, &root).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(&format!("error: {error}"));
                ExitCode::FAILURE
            }
        };
    }
    let told = tokio::select! {
        told = parts::run(&arguments.options, &arguments.parts, say) => told,
        // What was started ends with the part that is given up.
        () = asked_to_stop() => {
            Told { problems: vec!["it was stopped before its end".to_owned()], ..Told::default() }
        }
    };
    for line in &told.not_run {
        say(&format!("NOT RUN  {line}"));
    }
    for problem in &told.problems {
        say(&format!("BROKEN   {problem}"));
    }
    if told.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
