//! A dump of PostgreSQL taken under load, restored beside it: it is whole, and agents go on there.

use std::collections::BTreeMap;

use super::fleet::Patience;
use super::kills::{Place, begin};
use super::postgres::Postgres;
use super::{Told, verify};
use crate::programs::Collector;
use crate::wire::Wire;

/// Devices that report meanwhile.
const DEVICES: u32 = 8;
/// Titles of each beside the one that changes.
const TITLES: u32 = 60;

/// Dumps, restores and goes on.
pub async fn restored(server: &Postgres) -> Told {
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder for the collector");
    let place = Place::new(folder.path(), Some(server));
    let (collector, console, fleet, _) = begin(folder.path(), &place, DEVICES, TITLES).await;
    let running = fleet.start(&[Wire::new(&collector.url)], Patience::FOREVER);
    while fleet.counts.acknowledged() < u64::from(DEVICES) * 20 && !running.has_ended() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // The last change of each device that must be in the dump.
    let changes: BTreeMap<_, u64> = fleet
        .members
        .iter()
        .map(|member| {
            let entries = fleet.ledger.of(member.device.id);
            (member.device.id, entries.last().map_or(0, |entry| entry.version))
        })
        .collect();
    let source = place.database.clone().unwrap_or_default();
    let copy = server.database();
    let copied = tokio::task::block_in_place(|| server.copy(&source, &copy, folder.path()));
    told.problems.extend(copied.err());
    told.problems.extend(running.stop().await);
    if !collector.stop() {
        told.problems.push("the collector did not end well when it was asked to".to_owned());
    }
    told.problems.extend(verify(&place.data, Some(&copy)).err());

    let restored = Collector::serve(&place.data, &copy, false);
    let console = console.at(&restored.url);
    for (device, version) in changes {
        let found = super::ledger::present(&console, device).await.unwrap_or_default();
        if found < version {
            told.problems.push(format!("{device}: the dump holds state {found}, not {version}"));
        }
    }
    // What came after the dump is gone, and nobody is asked to enrol again.
    told.problems.extend(fleet.deliver_all(&restored.url).await);
    told.problems.extend(verify(&place.data, Some(&copy)).err());
    told.say(format!(
        "pg_dump under load, restored: {} reports acknowledged before and after, all devices go on",
        fleet.ledger.len()
    ));
    if !restored.stop() {
        told.problems.push("the restored collector did not end well".to_owned());
    }
    told
}
