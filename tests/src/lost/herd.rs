//! A fleet that comes back after an outage: when its agents come, by the agent's own schedule, and
//! a live one against a collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rollcall_agent::clock::Stopwatch;
use rollcall_agent::schedule::{Outcome, Schedule, device_number};
use tokio::task::JoinSet;

use super::Told;
use super::figures::{permille, rate, rss_mib};
use super::fleet::{Ended, Patience};
use super::kills::{Place, begin, finish};
use super::postgres::Postgres;
use crate::synthetic::mix;
use crate::wire::Wire;

/// Time between check-ins as agents have it when nobody says otherwise.
pub const INTERVAL: Duration = Duration::from_mins(15);
/// Check-ins are counted in any time of this length.
const WINDOW: Duration = Duration::from_secs(10);

/// The moments after the end of an outage at which agents come back, sorted. They were at their
/// usual places in the interval when it began, and every attempt of theirs failed until its end.
pub fn arrivals(agents: u32, outage: Duration, seed: u64) -> Vec<Duration> {
    let mut arrivals: Vec<Duration> = (0..agents)
        .map(|agent| {
            let device = device_number(&mix(seed, agent.into(), 1).to_le_bytes());
            let mut schedule = Schedule::default();
            // After days of check-ins a device is anywhere in its interval.
            let first = schedule.next(Outcome::Delivered, INTERVAL, device, 0);
            let mut at = fraction(first, mix(seed, agent.into(), 2));
            for attempt in 0.. {
                if at >= outage {
                    break;
                }
                let random = mix(seed, agent.into(), 100 + attempt);
                let failed = Outcome::Failed { retry_after: None };
                at += schedule.next(failed, INTERVAL, device, random);
            }
            at.saturating_sub(outage)
        })
        .collect();
    arrivals.sort_unstable();
    arrivals
}

#[expect(clippy::cast_precision_loss, reason = "a fraction needs no 64 bits")]
fn fraction(whole: Duration, number: u64) -> Duration {
    whole.mul_f64(number as f64 / u64::MAX as f64)
}

/// Most arrivals in any ten seconds.
pub fn busiest(arrivals: &[Duration]) -> usize {
    let within = |first: usize| {
        arrivals[first..].iter().take_while(|at| **at < arrivals[first] + WINDOW).count()
    };
    (0..arrivals.len()).map(within).max().unwrap_or_default()
}

/// Ten seconds of the usual rate.
pub fn steady(agents: u32) -> f64 {
    f64::from(agents) * WINDOW.as_secs_f64() / INTERVAL.as_secs_f64()
}

/// Counts arrivals after outages of several lengths.
pub fn simulated(agents: u32) -> Told {
    let mut told = Told::default();
    let steady = steady(agents);
    for (minutes, promised) in [(10, false), (30, false), (120, true), (480, true), (2880, true)] {
        let outage = Duration::from_mins(minutes);
        let peaks: Vec<usize> =
            (0..5).map(|seed| busiest(&arrivals(agents, outage, seed))).collect();
        let most = peaks.iter().copied().max().unwrap_or_default();
        let times = f64::from(u32::try_from(most).unwrap_or(u32::MAX)) / steady;
        if promised && times >= 3.0 {
            told.problems.push(format!("after {minutes} minutes {most} came in ten seconds"));
        }
        told.say(format!(
            "herd by schedule  {agents} agents after {minutes:>4} min: at most {most:>4} in any 10 \
             s, {times:.1} times the usual {steady:.0}"
        ));
    }
    told
}

/// Devices that come back to a collector after two hours, their hour of coming pressed into
/// `spread`; each on a connection of its own.
pub async fn live(devices: u32, spread: Duration, server: Option<&Postgres>) -> Told {
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder for the collector");
    let place = Place::new(folder.path(), server);
    let (collector, console, fleet, _) = begin(folder.path(), &place, devices, 40).await;
    told.problems.extend(fleet.deliver_all(&collector.url).await);
    if !collector.stop() {
        told.problems.push("the collector did not end well".to_owned());
    }
    let collector = place.start(false);
    let console = console.at(&collector.url);
    let begun = rss_mib(collector.pid());
    let arrivals = arrivals(devices, Duration::from_hours(2), 1);
    let last = arrivals.last().copied().unwrap_or_default().as_secs_f64().max(1.0);
    let pressed = (last / spread.as_secs_f64().max(0.1)).max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundreds")]
    let patience = Patience { faster: Some(pressed as u32), ..Patience::FOREVER };
    let wires = Wire::from_addresses(&collector.url, 40, false);
    let start = Stopwatch::start();
    let mut tasks = JoinSet::new();
    for ((member, wire), at) in fleet.members.iter().zip(wires.iter().cycle()).zip(&arrivals) {
        let (member, wire, at) = (Arc::clone(member), wire.clone(), at.div_f64(pressed));
        let (ledger, counts) = (Arc::clone(&fleet.ledger), Arc::clone(&fleet.counts));
        tasks.spawn(async move {
            tokio::time::sleep(at).await;
            let never = AtomicBool::new(false);
            let begun = Stopwatch::start();
            // The report of the outage, and the one of today.
            for _ in 0..2 {
                member.deliver(&wire, &ledger, &counts, &patience, &never).await?;
            }
            Ok::<Duration, Ended>(begun.elapsed())
        });
    }
    let (mut times, mut peak) = (Vec::new(), begun);
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(Ok(time)) => times.push(time),
            other => told.problems.push(format!("{other:?}")),
        }
        peak = peak.max(rss_mib(collector.pid()));
    }
    let spent = start.elapsed();
    told.say(format!(
        "herd alive on {:<11} {devices} devices, an hour pressed into {:.0} s: all delivered after \
         {:.1} s, {:.0} connections/s; each was done after p50 {:.0} ms, p99 {:.0} ms; {} refused \
         with Retry-After, {} cut",
        place.kind(),
        spread.as_secs_f64(),
        spent.as_secs_f64(),
        rate(u64::from(devices) * 2, spent),
        permille(&mut times, 500).as_secs_f64() * 1e3,
        permille(&mut times, 990).as_secs_f64() * 1e3,
        fleet.counts.refused.load(Ordering::Relaxed),
        fleet.counts.cut.load(Ordering::Relaxed),
    ));
    told.say(format!(
        "  memory of the collector {begun} MiB at first, {peak} at most, {} at the end",
        rss_mib(collector.pid())
    ));
    finish(&mut told, collector, &console, &fleet, &place).await;
    told
}
