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

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use measure::{Phase, bytes_in, clock, usage};
use rollcall_shared::time::DAY_MS;
use rollcall_tests::console::Console;
use rollcall_tests::programs::Collector;
use rollcall_tests::synthetic::{Computer, without_bodies};
use rollcall_tests::wire::{Device, Wire};

/// Measures a collector with a synthetic fleet.
#[derive(Debug, Parser)]
struct Arguments {
    /// Computers of the fleet.
    #[arg(long, default_value_t = 1_000)]
    devices: u32,
    /// Reports under way at once.
    #[arg(long, default_value_t = 32)]
    concurrency: usize,
    /// Days of changed reports.
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

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir().expect("a folder for the collector");
    let data = folder.path().join("data");
    let start = |fresh| match &arguments.database {
        Some(url) => Collector::serve(&data, url, fresh),
        None => Collector::start(&data, &["--no-self"]),
    };
    let collector = start(true);
    let console = Console::set_up(&collector).await;
    let devices = Arc::new(enrolled(&arguments, &collector).await);
    let mut failed = 0;
    report(&arguments, &collector, &devices, &mut failed).await;

    for question in questions::questions(&devices) {
        let (count, readers) = (arguments.questions, arguments.readers);
        let asked = questions::ask(&question, count, readers, &console, collector.pid()).await;
        told(asked, &mut failed);
    }
    let past = reports::now().plus_ms(-1);
    for path in ["devices.csv", "software.csv", "software.json"] {
        for moment in [String::new(), format!("?as_of={past}")] {
            let path = format!("/api/v1/exports/{path}{moment}");
            told(questions::export(&path, &console, collector.pid()).await, &mut failed);
        }
    }
    let rss = usage(collector.pid()).map_or(0, |(_, rss)| rss);
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
    restart(start(false), begun).await;
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
    say(&format!("enrolled         {:>7} {rate:>9.0}/s, one after the other", arguments.devices));
    devices
}

async fn report(
    arguments: &Arguments,
    collector: &Collector,
    devices: &Arc<Vec<Device>>,
    failed: &mut usize,
) {
    let wire = Wire::new(&collector.url);
    // The history ends now: the first report lies `days` days back.
    let start = reports::now().plus_ms(-i64::from(arguments.days) * DAY_MS);
    let send = async |name, requests| {
        let phase = Phase::start(name, collector.pid());
        reports::send(phase, requests, devices, &wire, arguments.concurrency).await
    };
    let first = reports::prepared(arguments.devices, |computer| computer.report(1, 0, start));
    told(send("first", first).await, failed);
    for day in 1..=arguments.days {
        let changed = reports::prepared(arguments.devices, |computer| {
            let report = computer.report(1 + u64::from(day), day, start);
            without_bodies(report, |section| section != "software")
        });
        told(send("changed", changed).await, failed);
    }
    for round in 1..=arguments.rounds {
        let seq = 1 + u64::from(arguments.days) + u64::from(round);
        let unchanged = reports::prepared(arguments.devices, |computer| {
            without_bodies(computer.report(seq, arguments.days, start), |_| true)
        });
        told(send("unchanged", unchanged).await, failed);
    }
}

/// How long a second start takes until the whole fleet is in memory.
async fn restart(collector: Collector, begun: std::time::Instant) {
    let console = Console::sign_in(&collector.url).await;
    let answered = begun.elapsed().as_secs_f64();
    let total = console.json("/api/v1/devices?limit=1").await["total"].clone();
    let listed = begun.elapsed().as_secs_f64();
    say(&format!(
        "second start     signed in after {answered:.2} s, {total} devices after {listed:.2} s"
    ));
    assert!(collector.stop(), "the collector stops");
}
