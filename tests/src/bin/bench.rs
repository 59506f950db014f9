//! Measures a running collector with signed requests over TLS, and tells what it cost.
//!
//! Every phase packs its requests before its clock starts, so that the figures are the collector's
//! and the wire's, not the generator's.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use rollcall_shared::Timestamp;
use rollcall_shared::join::JoinString;
use rollcall_shared::report::CheckIn;
use rollcall_shared::time::DAY_MS;
use rollcall_tests::synthetic::{Computer, without_bodies};
use rollcall_tests::wire::{Device, Wire, WireError, pack};
use tokio::task::JoinSet;

/// Measures a running collector.
#[derive(Debug, Parser)]
struct Arguments {
    /// Join string of a token with any number of uses.
    #[arg(long, env = "ROLLCALL_JOIN", hide_env_values = true)]
    join: JoinString,
    /// Computers to enrol.
    #[arg(long, default_value_t = 1_000)]
    devices: u32,
    /// Requests under way at once.
    #[arg(long, default_value_t = 32)]
    concurrency: usize,
    /// Days of changed reports.
    #[arg(long, default_value_t = 2)]
    days: u32,
    /// Rounds of unchanged check-ins.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Number of the first computer, so that a second run makes others.
    #[arg(long, default_value_t = 0)]
    first: u32,
    /// Process id of the collector, to account for its processor time and memory.
    #[arg(long)]
    pid: Option<u32>,
}

/// Processor time in milliseconds and resident memory in bytes of a process, from /proc.
fn usage(pid: u32) -> Option<(u64, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let rss: u64 = rss.split_whitespace().next()?.parse().ok()?;
    Some((ticks * 10, rss * 1_024))
}

struct Request {
    device: usize,
    seq: u64,
    body: Vec<u8>,
}

struct Phase {
    name: &'static str,
    requests: Vec<Request>,
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn clock() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a device has a clock of its own")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(0))
}

async fn run_phase(
    phase: Phase,
    devices: &Arc<Vec<Device>>,
    wire: &Wire,
    arguments: &Arguments,
) -> (String, usize) {
    let bytes: usize = phase.requests.iter().map(|request| request.body.len()).sum();
    let count = phase.requests.len();
    let requests = Arc::new(phase.requests);
    let next = Arc::new(AtomicUsize::new(0));
    let before = arguments.pid.and_then(usage);
    let start = clock();
    let mut workers = JoinSet::new();
    for _ in 0..arguments.concurrency {
        let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
        let (devices, wire) = (Arc::clone(devices), wire.clone());
        workers.spawn(async move {
            let mut times = Vec::new();
            let mut retries = 0_u32;
            let mut failures = Vec::new();
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                let device = &devices[request.device];
                let sent = clock();
                loop {
                    let body = request.body.clone();
                    match device.send_packed(&wire, request.seq, body, now()).await {
                        Ok(answer) if answer.stored => break,
                        Ok(answer) => {
                            failures.push(format!("not stored, wants {:?}", answer.want));
                            break;
                        }
                        Err(WireError::Status { status, .. })
                            if status.is_server_error() || status.as_u16() == 429 =>
                        {
                            retries += 1;
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        Err(error) => {
                            failures.push(error.to_string());
                            break;
                        }
                    }
                }
                times.push(sent.elapsed());
            }
            (times, retries, failures)
        });
    }
    let mut times = Vec::with_capacity(count);
    let (mut retries, mut failures) = (0, Vec::new());
    while let Some(worker) = workers.join_next().await {
        let (worker_times, worker_retries, worker_failures) = worker.expect("a worker ends");
        times.extend(worker_times);
        retries += worker_retries;
        failures.extend(worker_failures);
    }
    let wall = start.elapsed();
    let after = arguments.pid.and_then(usage);
    times.sort_unstable();
    let at = |part: f64| {
        let index = ((times.len().max(1) - 1) as f64 * part) as usize;
        times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
    };
    let mut line = format!(
        "{:<10} {:>7} {:>9.0}/s  p50 {:>7.2} ms  p99 {:>7.2} ms  {:>7} B each  retries {retries}",
        phase.name,
        count,
        count as f64 / wall.as_secs_f64(),
        at(0.5),
        at(0.99),
        bytes / count.max(1),
    );
    if let (Some((cpu_before, _)), Some((cpu_after, rss))) = (before, after) {
        let each = (cpu_after - cpu_before) as f64 / count.max(1) as f64;
        let _ = write!(line, "  collector {each:.3} ms CPU each, {} MiB", rss >> 20);
    }
    for failure in failures.iter().take(3) {
        let _ = write!(line, "\n           failed: {failure}");
    }
    (line, failures.len())
}

fn prepared(
    name: &'static str,
    arguments: &Arguments,
    make: impl Fn(Computer) -> CheckIn + Sync,
) -> Phase {
    let threads = 2;
    let mut parts: Vec<Vec<Request>> = Vec::new();
    std::thread::scope(|scope| {
        let make = &make;
        let workers: Vec<_> = (0..threads)
            .map(|part| {
                scope.spawn(move || {
                    (0..arguments.devices)
                        .filter(|number| number % threads == part)
                        .map(|number| {
                            let report = make(Computer { number: arguments.first + number });
                            Request {
                                device: number as usize,
                                seq: report.seq,
                                body: pack(&report),
                            }
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        parts = workers.into_iter().map(|worker| worker.join().expect("packing ends")).collect();
    });
    Phase { name, requests: parts.into_iter().flatten().collect() }
}

#[expect(clippy::print_stdout, reason = "the figures are this program's data")]
fn say(line: &str) {
    println!("{line}");
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let wire = Wire::new(&arguments.join.url);
    // The history ends now: the first report lies `days` days back.
    let start = now().plus_ms(-i64::from(arguments.days) * DAY_MS);

    let enrolling = clock();
    let mut devices = Vec::new();
    for number in 0..arguments.devices {
        let computer = Computer { number: arguments.first + number };
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&computer.number.to_be_bytes());
        let (hostname, ids) = (computer.hostname(), computer.hardware_ids());
        match Device::enroll(&wire, &arguments.join, seed, &hostname, ids, now()).await {
            Ok(device) => devices.push(device),
            Err(error) => {
                say(&format!("enrolment of computer {number} failed: {error}"));
                return ExitCode::FAILURE;
            }
        }
    }
    let rate = f64::from(arguments.devices) / enrolling.elapsed().as_secs_f64();
    say(&format!("enrolled   {:>7} {rate:>9.0}/s (one after the other)", arguments.devices));

    let devices = Arc::new(devices);
    let mut failed = 0;
    let first = prepared("first", &arguments, |computer| computer.report(1, 0, start));
    let (line, failures) = run_phase(first, &devices, &wire, &arguments).await;
    say(&line);
    failed += failures;
    for day in 1..=arguments.days {
        let changed = prepared("changed", &arguments, |computer| {
            let report = computer.report(1 + u64::from(day), day, start);
            without_bodies(report, |section| section != "software")
        });
        let (line, failures) = run_phase(changed, &devices, &wire, &arguments).await;
        say(&line);
        failed += failures;
    }
    for round in 1..=arguments.rounds {
        let seq = 1 + u64::from(arguments.days) + u64::from(round);
        let unchanged = prepared("unchanged", &arguments, |computer| {
            without_bodies(computer.report(seq, arguments.days, start), |_| true)
        });
        let (line, failures) = run_phase(unchanged, &devices, &wire, &arguments).await;
        say(&line);
        failed += failures;
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
