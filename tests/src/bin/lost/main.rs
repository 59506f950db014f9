//! Proves that nothing acknowledged is ever lost: kills, disks that fail or are full, overload, a
//! fleet that comes back at once, restarts. Ends with an error when a promise was broken.

mod parts;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use parts::{Options, Part};
use rollcall_tests::lost::puppet;

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
    let told = parts::run(&arguments.options, &arguments.parts, say).await;
    for line in &told.not_run {
        say(&format!("NOT RUN  {line}"));
    }
    for problem in &told.problems {
        say(&format!("BROKEN   {problem}"));
    }
    if told.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
