//! Starts a collector of its own, lets a synthetic fleet report to it with signed requests over
//! TLS, asks it what people ask, and tells what all of it cost.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

mod measure;
mod questions;
mod reports;
mod store_only;
mod stored;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use measure::{Phase, Watched, bytes_in, clock};
use reports::{Lists, at, changed, made_at};
use rollcall_tests::console::Console;
use rollcall_tests::programs::Collector;
use rollcall_tests::synthetic::{Computer, without_bodies};
use rollcall_tests::wire::{Device, Wire};
use stored::Expected;

/// Measures a collector with a synthetic fleet.
#[derive(Debug, Parser)]
struct Arguments {
    /// Computers of the fleet.
    #[arg(long, default_value_t = 1_000)]
    devices: u32,
    /// Reports under way at once. Several numbers, as in `1,8,32,256`: changed reports are sent
    /// with each of them; everything else is sent with the first.
    #[arg(long, default_value = "32", value_delimiter = ',')]
    concurrency: Vec<usize>,
    /// Days of changed reports; with none the whole lists and the patch day are left out as well.
    #[arg(long, default_value_t = 2)]
    days: u32,
    /// Rounds of unchanged check-ins.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Questions of each kind.
    #[arg(long, default_value_t = 500)]
    questions: u64,
    /// Questions under way at once.
    #[arg(long, default_value_t = 2)]
    readers: usize,
    /// An empty PostgreSQL database to use instead of SQLite.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Where the collector keeps its data; with SQLite, a fleet that lies there already is asked and
    /// not made again.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The exports are left out: they grow with the fleet.
    #[arg(long)]
    no_exports: bool,
    /// Hands the reports to the store in this process: no HTTP, TLS and signatures, no judging, no
    /// fleet in memory.
    #[arg(long)]
    store_only: bool,
}

impl Arguments {
    fn first_concurrency(&self) -> usize {
        self.concurrency.first().copied().unwrap_or(32)
    }
}

#[expect(clippy::print_stdout, reason = "the figures are this program's data")]
fn say(line: &str) {
    println!("{line}");
}

/// Says a line and adds its failures.
fn told((line, failures): (String, usize), failed: &mut usize) {
    say(&line);
    *failed += failures;
}

/// Days of updates that a monthly patch day brings at once: about 103 titles.
const PATCH_DAYS: u32 = 21;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.store_only {
        return store_only::run(&arguments).await;
    }
    let folder = tempfile::tempdir().expect("a folder for the collector");
    let data = arguments.folder.clone().unwrap_or_else(|| folder.path().join("data"));
    let known = data.join("rollcall.db").exists();
    let start = |fresh| match &arguments.database {
        Some(url) => Collector::serve(&data, url, fresh),
        None => Collector::start(&data, &["--no-self"]),
    };
    let collector = start(!known);
    let watched = Watched { pid: collector.pid(), database: arguments.database.clone() };
    let mut failed = 0;
    let (console, ids) = if known {
        let console = Console::sign_in(&collector.url).await;
        let ids = questions::ids(&console).await;
        (console, ids)
    } else {
        let console = Console::set_up(&collector).await;
        let devices = Arc::new(enrolled(&arguments, &collector).await);
        let expected = report(&arguments, &collector, &watched, &devices, &mut failed).await;
        told(stored::check(&expected, &console, &data, &watched, &devices).await, &mut failed);
        (console, devices.iter().map(|device| device.id.to_string()).collect())
    };

    for question in questions::questions(&ids) {
        let (count, readers) = (arguments.questions, arguments.readers);
        let asked = questions::ask(&question, count, readers, &console, &watched).await;
        told(asked, &mut failed);
    }
    let past = reports::now().plus_ms(-1);
    for path in ["devices.csv", "software.csv", "software.json"] {
        for moment in [String::new(), format!("?as_of={past}")] {
            if arguments.no_exports {
                continue;
            }
            let path = format!("/api/v1/exports/{path}{moment}");
            told(questions::export(&path, &console, &watched).await, &mut failed);
        }
    }
    let rss = watched.usage().map_or(0, |usage| usage.rss);
    say(&format!("memory           {} MiB", rss >> 20));
    assert!(collector.stop(), "the collector stops");
    let stored = bytes_in(&data);
    if arguments.database.is_none() {
        say(&format!(
            "stored           {} MB, {} B a device",
            stored / 1_000_000,
            stored / u64::from(arguments.devices.max(1))
        ));
    }
    let begun = clock();
    restart(start(false), begun, &arguments).await;
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn enrolled(arguments: &Arguments, collector: &Collector) -> Vec<Device> {
    let wire = Wire::new(&collector.url);
    let join = collector.join_string();
    let enrolling = clock();
    let mut devices = Vec::new();
    for number in 0..arguments.devices {
        let computer = Computer { number };
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let (hostname, ids) = (computer.hostname(), computer.hardware_ids());
        let device = Device::enroll(&wire, &join, seed, &hostname, ids, reports::now()).await;
        devices.push(device.expect("a device enrols"));
    }
    let rate = f64::from(arguments.devices) / enrolling.elapsed().as_secs_f64();
    say(&format!("{:<24} {:>7} {rate:>9.0}/s  one after the other", "enrolled", arguments.devices));
    devices
}

/// Sends all reports; what the collector must hold then.
async fn report(
    arguments: &Arguments,
    collector: &Collector,
    watched: &Watched,
    devices: &Arc<Vec<Device>>,
    failed: &mut usize,
) -> Expected {
    let wire = Wire::new(&collector.url);
    let count = arguments.devices;
    let usual = arguments.first_concurrency();
    let mut held = Expected { seq: 1, day: 0, changes: 0 };
    let first = |computer: Computer| made_at(computer.report(1, 0, at(0)), at(1));
    let phase = Phase::new("first", watched);
    told(reports::send(phase, first, devices, &wire, usual).await, failed);
    let mut phases = Vec::new();
    if arguments.days > 0 {
        phases.push(("changed, whole list", Lists::Whole, 1, usual));
    }
    for _ in 0..arguments.days {
        phases.extend(
            arguments.concurrency.iter().map(|at_once| ("changed", Lists::Changes, 1, *at_once)),
        );
    }
    if arguments.days > 0 {
        phases.push(("patch day", Lists::Changes, PATCH_DAYS, usual));
    }
    for (name, lists, days, at_once) in phases {
        let (seq, days) = (held.seq + 1, (held.day, held.day + days));
        let make = |computer| changed(computer, seq, days, lists);
        let phase = Phase::new(format!("{name}, {at_once} at once"), watched);
        told(reports::send(phase, make, devices, &wire, at_once).await, failed);
        let other = (0..count).filter(|number| Computer { number: *number }.changes_between(days));
        held = Expected { seq, day: days.1, changes: held.changes + other.count() as u64 };
    }
    for _ in 0..arguments.rounds {
        let (seq, day) = (held.seq + 1, held.day);
        let make = |computer: Computer| {
            made_at(without_bodies(computer.report(seq, day, at(0)), |_| true), at(seq))
        };
        let phase = Phase::new("unchanged", watched);
        told(reports::send(phase, make, devices, &wire, usual).await, failed);
        held.seq = seq;
    }
    held
}

/// How long a second start takes until it answers, and until the whole fleet is in memory.
async fn restart(collector: Collector, begun: std::time::Instant, arguments: &Arguments) {
    let console = Console::sign_in(&collector.url).await;
    let answered = begun.elapsed().as_secs_f64();
    let total = console.json("/api/v1/devices?limit=1").await["total"].clone();
    let listed = begun.elapsed().as_secs_f64();
    let watched = Watched { pid: collector.pid(), database: arguments.database.clone() };
    let rss = watched.usage().map_or(0, |usage| usage.rss);
    say(&format!(
        "second start     signed in after {answered:.2} s, {total} devices after {listed:.2} s, \
         {} MiB",
        rss >> 20
    ));
    assert!(collector.stop(), "the collector stops");
}
