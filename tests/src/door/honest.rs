//! Devices that check in as ever while somebody else misbehaves, and how long they wait.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rollcall_agent::clock::Stopwatch;

use crate::console::Console;
use crate::lost::figures::permille;
use crate::lost::fleet::{Fleet, Member, Standing, version_of};
use crate::lost::ledger::present;
use crate::lost::now;
use crate::programs::Collector;
use crate::wire::Wire;

/// Titles of each device beside the one that changes.
const TITLES: u32 = 200;
/// How long a device rests between two reports.
const REST: Duration = Duration::from_millis(100);

/// The devices, each with connections of its own.
pub struct Honest {
    fleet: Fleet,
    url: String,
    wires: Vec<Wire>,
}

/// What they saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// How long each answer took.
    pub times: Vec<Duration>,
    /// Reports that were not stored.
    pub problems: Vec<String>,
}

impl Seen {
    /// In words: how many, and the times in milliseconds.
    pub fn words(&mut self) -> String {
        let count = self.times.len();
        let mut ms = |part| permille(&mut self.times, part).as_secs_f64() * 1e3;
        let (median, most, longest) = (ms(500), ms(990), ms(1000));
        format!("{count} stored, p50 {median:.1} ms, p99 {most:.1} ms, longest {longest:.1} ms")
    }
}

impl Honest {
    /// Enrols them at this collector.
    pub async fn enroll(folder: &Path, collector: &Collector, devices: u32) -> Self {
        let join = collector.join_string();
        let fleet = Fleet::enroll(folder, &collector.url, &join, 0..devices, TITLES).await;
        let wires =
            Wire::from_addresses(&collector.url, u8::try_from(devices).unwrap_or(200), false);
        Self { fleet, url: collector.url.clone(), wires }
    }

    /// The first of them, to send something else in its name.
    pub fn first(&self) -> &Member {
        &self.fleet.members[0]
    }

    /// A connection of the first.
    pub fn wire(&self) -> Wire {
        Wire::new(&self.url)
    }

    /// They check in for as long as `others` takes, each report on a new connection.
    pub async fn during<T>(&self, others: impl Future<Output = T>) -> (T, Seen) {
        let ended = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = self
            .fleet
            .members
            .iter()
            .zip(self.wires.iter().cycle())
            .map(|(member, wire)| {
                let (member, wire, ended) = (Arc::clone(member), wire.clone(), Arc::clone(&ended));
                tokio::spawn(report(member, wire, ended))
            })
            .collect();
        let done = others.await;
        ended.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for task in tasks {
            match task.await {
                Ok(seen) => {
                    all.times.extend(seen.times);
                    all.problems.extend(seen.problems);
                }
                Err(error) => all.problems.push(format!("a device stopped: {error}")),
            }
        }
        (done, all)
    }

    /// Whether the collector shows of each the last state that it acknowledged.
    pub async fn check(&self, console: &Console) -> Vec<String> {
        let mut problems = Vec::new();
        for member in &self.fleet.members {
            let seq = member.standing.lock().await.seq;
            let shown = present(console, member.device.id).await;
            if shown != Some(version_of(seq)) {
                problems.push(format!("device {}: {shown:?} after report {seq}", member.device.id));
            }
        }
        problems
    }
}

async fn report(member: Arc<Member>, wire: Wire, ended: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::default();
    while !ended.load(Ordering::Relaxed) {
        let mut standing = member.standing.lock().await;
        let observed_at = now().max(standing.observed_at.plus_ms(1));
        let next = Standing { seq: standing.seq + 1, observed_at };
        let report = member.report(next);
        let watch = Stopwatch::start();
        match member.device.check_in(&wire, &report, now()).await {
            Ok(answer) if answer.stored => {
                seen.times.push(watch.elapsed());
                *standing = next;
            }
            Ok(answer) => seen.problems.push(format!("not stored: {answer:?}")),
            Err(error) => seen.problems.push(format!("a check-in failed: {error}")),
        }
        drop(standing);
        tokio::time::sleep(REST).await;
    }
    seen
}
