//! kill -9 of the real agent in mid-run, with a collector that is there or not.

use std::collections::BTreeSet;
use std::time::Duration;

use rollcall_agent::clock::Stopwatch;
use rollcall_shared::DeviceId;
use rollcall_shared::join::JoinString;

use super::Told;
use super::gate::Gate;
use super::kills::Place;
use super::ledger::{compare, history};
use super::puppet::Puppet;
use crate::console::Console;
use crate::programs::Collector;
use crate::synthetic::mix;

/// The name of the computer.
const NAME: &str = "puppet";

/// The one device of a collector with this name.
pub async fn device_named(console: &Console, hostname: &str) -> Result<DeviceId, String> {
    let list = console.json(&format!("/api/v1/devices?q={hostname}")).await;
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut named = items.iter().filter(|one| one["hostname"] == hostname);
    let (Some(device), None) = (named.next(), named.next()) else {
        return Err(format!("not one device is named {hostname}: {list}"));
    };
    let id = device["id"].as_str().unwrap_or_default();
    id.parse().map_err(|_| format!("`{id}` is no device"))
}

/// Kills an agent so often. Before each kill its computer has changed; every third time the
/// collector cannot be reached, so that reports stay in the spool.
pub async fn of_agent(kills: u32) -> Told {
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::new(folder.path(), None);
    let collector = place.start(true);
    let console = Console::set_up(&collector).await;
    let gate = Gate::to(&collector.url).await;
    let join = JoinString { url: gate.url.clone(), ..collector.join_string() };
    let (root, state) = (folder.path().join("root"), folder.path().join("agent"));
    let mut puppet = Puppet::new(&root, &state, NAME);
    puppet.change();
    if let Err(error) = puppet.enroll(&join) {
        told.problems.push(format!("the agent did not enrol: {error}"));
        return told;
    }
    let started = Stopwatch::start();
    told.problems.extend(puppet.once().err());
    let whole = started.elapsed();
    // What lay in the spool must arrive; what was only looked at may.
    let (mut kept, mut sent) = (BTreeSet::from([puppet.version()]), BTreeSet::new());
    for kill in 1..=kills {
        gate.set(!kill.is_multiple_of(3));
        sent.insert(puppet.change());
        match puppet.start(&[]) {
            Ok(mut process) => {
                process.tell("once");
                // Anywhere in a run, and sometimes after its end.
                let part = u32::try_from(mix(kill.into(), 7, 7) % 110).unwrap_or_default();
                tokio::time::sleep(whole * part / 100).await;
                // The first says that the state was opened, the second that all was delivered.
                if process.kill() == 2 {
                    kept.insert(puppet.version());
                }
            }
            Err(error) => told.problems.push(format!("kill {kill}: {error}")),
        }
        match puppet.spooled() {
            Ok(spooled) => kept.extend(spooled),
            Err(error) => told.problems.push(format!("kill {kill}: {error}")),
        }
        if kill.is_multiple_of(10) {
            // Everything arrives as soon as one run goes through.
            gate.set(true);
            if let Err(error) = puppet.once() {
                told.problems.push(format!("after kill {kill}: {error}"));
            }
            told.problems.extend(held(&console, &puppet, &kept, &sent).await);
        }
        if told.problems.len() > 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    gate.set(true);
    sent.insert(puppet.change());
    kept.insert(puppet.version());
    if let Err(error) = puppet.once() {
        told.problems.push(format!("after the last kill: {error}"));
    }
    told.problems.extend(held(&console, &puppet, &kept, &sent).await);
    finish(&mut told, collector, &place);
    told.say(format!(
        "kill -9 of the agent                    {kills:>4} times, {:>6} reports were in its \
         spool at a kill or acknowledged",
        kept.len(),
    ));
    told
}

/// Holds the history against what must have arrived.
async fn held(
    console: &Console,
    puppet: &Puppet,
    kept: &BTreeSet<u64>,
    sent: &BTreeSet<u64>,
) -> Vec<String> {
    match device_named(console, NAME).await {
        Ok(device) => held_by(console, device, puppet, kept, sent).await,
        Err(error) => vec![error],
    }
}

/// The same for a device of a fleet.
pub async fn held_by(
    console: &Console,
    device: DeviceId,
    puppet: &Puppet,
    kept: &BTreeSet<u64>,
    sent: &BTreeSet<u64>,
) -> Vec<String> {
    let (software, _) = history(console, device).await;
    let mut problems = compare(&software, kept, sent);
    if puppet.rejected() > 0 {
        problems.push(format!("{} reports were put aside", puppet.rejected()));
    }
    match puppet.spooled() {
        Ok(spooled) if spooled.is_empty() => {}
        other => problems.push(format!("the spool is not empty: {other:?}")),
    }
    problems
}

fn finish(told: &mut Told, collector: Collector, place: &Place) {
    if !collector.stop() {
        told.problems.push("the collector did not end well when it was asked to".to_owned());
    }
    told.problems.extend(place.verify());
}
