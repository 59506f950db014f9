//! Attacks the collector's door: silent and slow connections, bombs, guesses, random questions,
//! injections, old TLS. Ends with an error when a promise was broken.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use rollcall_tests::door::bombs::Bombs;
use rollcall_tests::door::crowd::Crowd;
use rollcall_tests::door::guesses::Guesses;
use rollcall_tests::door::{
    asked, bombs, crowd, guesses, handles, injected, place, secrets, spoken,
};
use rollcall_tests::lost::Told;

/// Does to a collector what the network may do, and says how it fared.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these parts; all of them when none is named
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<Part>,
    /// Connections that say nothing
    #[arg(long, default_value_t = 4_000)]
    silent: u32,
    /// Connections that say a byte a second
    #[arg(long, default_value_t = 1_000)]
    dripping: u32,
    /// Devices that check in meanwhile
    #[arg(long, default_value_t = 50)]
    honest: u32,
    /// Wrong passwords at once
    #[arg(long, default_value_t = 200)]
    guesses: u32,
    /// Seconds of guessing
    #[arg(long, default_value_t = 20)]
    guess_s: u64,
    /// MiB that a bomb unpacks to
    #[arg(long, default_value_t = 1024)]
    bomb_mib: usize,
    /// Random questions to each operation and role
    #[arg(long, default_value_t = 100)]
    questions: u32,
    /// How thoroughly sqlmap looks, 1 to 5
    #[arg(long, default_value_t = 2)]
    level: u8,
    /// What sqlmap dares, 1 to 3
    #[arg(long, default_value_t = 2)]
    risk: u8,
}

/// What can be run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Silent and dripping connections beside honest devices
    Crowd,
    /// A collector with few file handles
    Handles,
    /// Bodies that unpack to a gibibyte
    Bombs,
    /// Wrong passwords beside honest devices
    Guesses,
    /// Secrets in logs and tables
    Secrets,
    /// schemathesis as each role
    Asked,
    /// sqlmap on every parameter
    Injected,
    /// testssl.sh
    Spoken,
}

#[expect(clippy::print_stdout, reason = "the figures are this program's data")]
fn say(line: &str) {
    println!("{line}");
}

async fn run(arguments: &Arguments, part: Part) -> Told {
    let Arguments { parts: _, silent, dripping, honest, guesses, guess_s, .. } = *arguments;
    match part {
        Part::Crowd => {
            let closed_within = Some(Duration::from_secs(31));
            crowd::run(Crowd { silent, dripping, honest, closed_within }).await
        }
        Part::Handles => {
            let mut told = handles::few(256, 1_024, 2_000).await;
            told.add(handles::few(256, 20_000, 2_000).await);
            told
        }
        Part::Bombs => {
            let refused_within = Some(Duration::from_secs(1));
            let bytes = arguments.bomb_mib * 1024 * 1024;
            bombs::run(Bombs { bytes, refused_within }).await
        }
        Part::Guesses => {
            let time = Duration::from_secs(guess_s);
            let slower_by = Some(2.0);
            guesses::run(Guesses { at_once: guesses, honest, time, slower_by }).await
        }
        Part::Secrets => secrets::searched().await,
        Part::Asked => asked::run(&place::ROLES, arguments.questions, 5).await,
        Part::Injected => injected::run(arguments.level, arguments.risk).await,
        Part::Spoken => spoken::run().await,
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut all = Told::default();
    for part in Part::value_variants() {
        if arguments.parts.is_empty() || arguments.parts.contains(part) {
            let told = run(&arguments, *part).await;
            told.lines.iter().for_each(|line| say(line));
            all.add(told);
        }
    }
    all.not_run.iter().for_each(|line| say(&format!("NOT RUN  {line}")));
    all.problems.iter().for_each(|problem| say(&format!("BROKEN   {problem}")));
    if all.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
