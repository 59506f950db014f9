//! Many times more reports than a collector can take, and people who look at pages meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rollcall_agent::clock::Stopwatch;

use super::Told;
use super::figures::{permille, rate, rss_mib};
use super::fleet::{Fleet, Patience};
use super::kills::{Place, begin, finish};
use super::postgres::Postgres;
use crate::console::Console;
use crate::wire::Wire;

/// Titles of each device beside the one that changes.
const TITLES: u32 = 300;
/// Many times what a collector can take is wanted of it.
const TIMES: f64 = 10.0;
/// Memory that may come while nothing but the history grows, in MiB.
const GROWTH_MIB: u64 = 64;

/// Devices that report without a pause, so long.
pub async fn run(devices: u32, time: Duration, server: Option<&Postgres>) -> Told {
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder for the collector");
    let place = Place::new(folder.path(), server);
    let (collector, console, fleet, _) = begin(folder.path(), &place, devices, TITLES).await;
    let capacity = capacity(&fleet, &collector.url, time / 10, &mut told).await;
    let wires =
        Wire::from_addresses(&collector.url, u8::try_from(devices / 100 + 1).unwrap_or(80), true);
    let begun = rss_mib(collector.pid());
    let before = (fleet.counts.acknowledged(), fleet.counts.refused.load(Ordering::Relaxed));
    let wanted = capacity * TIMES;
    let every = Duration::from_secs_f64(f64::from(devices) / wanted.max(1.0));
    let running = fleet.start(&wires, Patience::without(every));
    let looking = Arc::new(AtomicBool::new(true));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn(look(
                console.clone(),
                fleet.members[0].device.id.to_string(),
                Arc::clone(&looking),
            ))
        })
        .collect();
    let start = Stopwatch::start();
    let mut memory = Vec::new();
    while start.elapsed() < time && !running.has_ended() {
        tokio::time::sleep(time / 100).await;
        memory.push(rss_mib(collector.pid()));
    }
    let spent = start.elapsed();
    looking.store(false, Ordering::Relaxed);
    let stored = fleet.counts.acknowledged() - before.0;
    let refused = fleet.counts.refused.load(Ordering::Relaxed) - before.1;
    let mut times = Vec::new();
    for reader in readers {
        match reader.await {
            Ok((taken, problems)) => {
                times.extend(taken);
                told.problems.extend(problems);
            }
            Err(error) => told.problems.push(format!("a page failed: {error}")),
        }
    }
    told.problems.extend(running.stop().await);
    let cut = fleet.counts.cut.load(Ordering::Relaxed);
    if cut > 0 {
        told.problems.push(format!("{cut} requests were cut instead of refused"));
    }
    // The first half fills the memory of the collector: every device, its allocator's room.
    let (early, late) = memory.split_at(memory.len() / 2);
    let peak = |part: &[u64]| part.iter().copied().max().unwrap_or_default();
    if peak(late) > peak(early) + GROWTH_MIB {
        told.problems.push(format!("memory grows: {} and then {} MiB", peak(early), peak(late)));
    }
    if refused == 0 {
        told.problems.push("nobody was refused: this was no overload".to_owned());
    }
    told.say(format!(
        "overload on {:<11} {devices} devices, {:.0} s: alone it stores {capacity:.0} reports/s; \
         {wanted:.0}/s wanted in; {:.0}/s stored, {:.0}/s refused with Retry-After, the rest \
         waited for these answers",
        place.kind(),
        spent.as_secs_f64(),
        rate(stored, spent),
        rate(refused, spent),
    ));
    told.say(format!(
        "  memory of the collector {begun} MiB at first, {} in the first half, {} in the second, \
         {} at the end",
        peak(early),
        peak(late),
        memory.last().copied().unwrap_or_default(),
    ));
    told.say(format!(
        "  {} pages meanwhile: p50 {:.0} ms, p99 {:.0} ms",
        times.len(),
        permille(&mut times, 500).as_secs_f64() * 1e3,
        permille(&mut times, 990).as_secs_f64() * 1e3,
    ));
    finish(&mut told, collector, &console, &fleet, &place).await;
    told
}

/// Reports a second that are stored when few devices report, one after the other.
async fn capacity(fleet: &Fleet, url: &str, time: Duration, told: &mut Told) -> f64 {
    let few = Fleet {
        members: fleet.members.iter().take(16).map(Arc::clone).collect(),
        ledger: Arc::clone(&fleet.ledger),
        counts: Arc::default(),
    };
    let start = Stopwatch::start();
    let running = few.start(&[Wire::new(url)], Patience::FOREVER);
    tokio::time::sleep(time).await;
    let stored = rate(few.counts.acknowledged(), start.elapsed());
    told.problems.extend(running.stop().await);
    stored
}

/// A person who opens one page after the other.
async fn look(
    console: Console,
    device: String,
    looking: Arc<AtomicBool>,
) -> (Vec<Duration>, Vec<String>) {
    let pages = [
        "/".to_owned(),
        "/devices".to_owned(),
        format!("/devices/{device}"),
        "/software".to_owned(),
        "/api/v1/devices?q=lt-000001".to_owned(),
    ];
    let (mut times, mut problems) = (Vec::new(), Vec::new());
    for page in pages.iter().cycle() {
        if !looking.load(Ordering::Relaxed) {
            break;
        }
        let start = Stopwatch::start();
        let (status, _) = console.get(page).await;
        times.push(start.elapsed());
        if !status.is_success() && problems.len() < 5 {
            problems.push(format!("{page} says {status} under load"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (times, problems)
}
