//! kill -9 of the collector and of its database, at random moments under load.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rollcall_shared::join::JoinString;

use super::fleet::{Depth, Fleet, Patience};
use super::postgres::Postgres;
use super::{Told, verify};
use crate::console::Console;
use crate::programs::Collector;
use crate::synthetic::mix;
use crate::wire::Wire;

/// Devices that report.
const DEVICES: u32 = 8;
/// Titles of each beside the one that changes.
const TITLES: u32 = 60;
/// After so many kills the whole history is looked at, and `rollcall verify` run.
const WHOLE_EVERY: u32 = 25;

/// Where a collector of the suite keeps its tables.
#[derive(Debug)]
pub struct Place {
    /// Its data folder.
    pub data: PathBuf,
    /// Its database, where that is not in the folder.
    pub database: Option<String>,
}

impl Place {
    /// A folder, and a database of that server if there is one.
    pub fn new(folder: &Path, server: Option<&Postgres>) -> Self {
        Self { data: folder.join("data"), database: server.map(Postgres::database) }
    }

    /// Starts the collector there.
    pub fn start(&self, fresh: bool) -> Collector {
        match &self.database {
            None => Collector::start(&self.data, &["--no-self"]),
            Some(url) => {
                let log = self.data.with_extension("log");
                let log = std::fs::File::options().create(true).append(true).open(log);
                let log = log.expect("a file for what it logs");
                Collector::serve_telling(&self.data, url, fresh, log.into())
            }
        }
    }

    /// What `rollcall verify` finds wrong.
    pub fn verify(&self) -> Vec<String> {
        verify(&self.data, self.database.as_deref()).err().into_iter().collect()
    }

    /// The name of its database, for people.
    pub fn kind(&self) -> &'static str {
        if self.database.is_some() { "PostgreSQL" } else { "SQLite" }
    }
}

/// A fresh collector, a person at it, and a fleet.
pub async fn begin(
    folder: &Path,
    place: &Place,
    devices: u32,
    titles: u32,
) -> (Collector, Console, Fleet, JoinString) {
    let collector = place.start(true);
    let console = Console::set_up(&collector).await;
    let join = collector.join_string();
    let fleet = Fleet::enroll(folder, &collector.url, &join, 0..devices, titles).await;
    (collector, console, fleet, join)
}

/// Waits until a random number of reports was acknowledged, and then a little.
async fn random_moment(fleet: &Fleet, seed: u64, until: impl Fn() -> bool) {
    let enough = fleet.counts.acknowledged() + mix(seed, 99, 0) % 24;
    while fleet.counts.acknowledged() < enough && !until() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_micros(mix(seed, 98, 0) % 9_000)).await;
}

/// Kills the collector so often; every sixth time also while it starts.
pub async fn of_collector(kills: u32, server: Option<&Postgres>) -> Told {
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder for the collector");
    let place = Place::new(folder.path(), server);
    let (mut collector, mut console, fleet, _) =
        begin(folder.path(), &place, DEVICES, TITLES).await;
    for kill in 1..=kills {
        let running = fleet.start(&[Wire::new(&collector.url)], Patience::UNTIL_CUT);
        random_moment(&fleet, kill.into(), || running.has_ended()).await;
        collector.kill();
        told.problems.extend(running.stop().await);
        if kill.is_multiple_of(6) {
            let after = Duration::from_millis(mix(kill.into(), 97, 0) % 300);
            Collector::start_and_kill(&place.data, place.database.as_deref(), after);
        }
        collector = place.start(false);
        console = console.at(&collector.url);
        let whole = kill.is_multiple_of(WHOLE_EVERY) || kill == kills;
        let depth = if whole { Depth::History } else { Depth::Present };
        let problems = fleet.check(&console, depth).await;
        told.problems.extend(problems.into_iter().map(|told| format!("kill {kill}: {told}")));
        if whole {
            told.problems.extend(place.verify());
        }
        if told.problems.len() > 20 {
            break;
        }
    }
    finish(&mut told, collector, &console, &fleet, &place).await;
    told.say(format!(
        "kill -9 of the collector on {:<11} {kills:>4} times, {:>6} reports acknowledged, {} of \
         them once more after a lost answer",
        place.kind(),
        fleet.ledger.len(),
        fleet.counts.duplicates.load(std::sync::atomic::Ordering::Relaxed),
    ));
    told
}

/// Kills the PostgreSQL server so often, under a collector that stays up.
pub async fn of_server(kills: u32, server: &Postgres) -> Told {
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder for the collector");
    let place = Place::new(folder.path(), Some(server));
    let (mut collector, console, fleet, _) = begin(folder.path(), &place, DEVICES, TITLES).await;
    for kill in 1..=kills {
        let running = fleet.start(&[Wire::new(&collector.url)], Patience::FOREVER);
        random_moment(&fleet, kill.into(), || running.has_ended()).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(mix(kill.into(), 96, 0) % 200)).await;
        if let Err(error) = server.start_again() {
            told.problems.push(format!("kill {kill}: PostgreSQL did not start again: {error}"));
            break;
        }
        // It comes back by itself: every device is heard again.
        let back = fleet.counts.acknowledged() + u64::from(DEVICES);
        while fleet.counts.acknowledged() < back && !running.has_ended() && collector.runs() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        told.problems.extend(running.stop().await);
        if !collector.runs() {
            told.problems.push(format!("kill {kill}: the collector ended with its database"));
            return told;
        }
        let whole = kill.is_multiple_of(WHOLE_EVERY) || kill == kills;
        let depth = if whole { Depth::History } else { Depth::Present };
        let problems = fleet.check(&console, depth).await;
        told.problems.extend(problems.into_iter().map(|told| format!("kill {kill}: {told}")));
        if told.problems.len() > 20 {
            break;
        }
    }
    finish(&mut told, collector, &console, &fleet, &place).await;
    told.say(format!(
        "kill -9 of PostgreSQL, the collector stays {kills:>4} times, {:>6} reports acknowledged, \
         {} answers of 503 meanwhile",
        fleet.ledger.len(),
        fleet.counts.refused.load(std::sync::atomic::Ordering::Relaxed),
    ));
    told
}

/// Everything that was under way arrives; then the whole of it is looked at, before and after a
/// last start.
pub async fn finish(
    told: &mut Told,
    collector: Collector,
    console: &Console,
    fleet: &Fleet,
    place: &Place,
) {
    told.problems.extend(fleet.deliver_all(&collector.url).await);
    let console = console.at(&collector.url);
    told.problems.extend(fleet.check(&console, Depth::History).await);
    if !collector.stop() {
        told.problems.push("the collector did not end well when it was asked to".to_owned());
    }
    told.problems.extend(place.verify());
    let collector = place.start(false);
    told.problems.extend(fleet.check(&console.at(&collector.url), Depth::History).await);
    if !collector.stop() {
        told.problems.push("the collector did not end well when it was asked to".to_owned());
    }
}
