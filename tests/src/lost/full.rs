//! A full disk under the collector, and under the agent's state: a small file system of its own.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use rollcall_shared::join::JoinString;

use super::Told;
use super::fleet::Patience;
use super::gate::Gate;
use super::kills::{Place, begin, finish};
use super::kills_of_agent::{device_named, held_by};
use super::ledger::present;
use super::puppet::Puppet;
use crate::console::Console;
use crate::wire::Wire;

/// A file system in memory with so little room that it can be filled.
#[derive(Debug)]
struct Small {
    folder: tempfile::TempDir,
}

impl Small {
    fn mount(size: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Ok(Self { folder });
        }
        Err("a file system can be mounted by root only".to_owned())
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let file = std::fs::File::options().create(true).append(true).open(self.ballast());
        let mut file = file.expect("a file to fill the disk with");
        for size in [1 << 16, 4096, 512, 1] {
            let bytes = vec![b'x'; size];
            while file.write_all(&bytes).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).expect("the disk is given back");
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

/// The disk of a collector on SQLite is full so often, and then has room again.
pub async fn of_collector(times: u32) -> Told {
    let disk = match Small::mount("64m") {
        Ok(disk) => disk,
        Err(why) => return Told::without(format!("a full disk under the collector: {why}")),
    };
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder for the ledger");
    let place = Place { data: disk.path().join("data"), database: None };
    let (mut collector, console, fleet, _) = begin(folder.path(), &place, 6, 60).await;
    let running = fleet.start(&[Wire::new(&collector.url)], Patience::FOREVER);
    for time in 1..=times {
        disk.fill();
        let refused = fleet.counts.refused.load(Ordering::Relaxed) + 60;
        while fleet.counts.refused.load(Ordering::Relaxed) < refused
            && !running.has_ended()
            && collector.runs()
        {
            disk.fill();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let device = fleet.members[0].device.id;
        for path in [
            "/".to_owned(),
            "/devices".to_owned(),
            format!("/devices/{device}"),
            "/api/v1/devices".to_owned(),
            format!("/api/v1/devices/{device}/changes"),
        ] {
            let (status, _) = console.get(&path).await;
            if !status.is_success() {
                told.problems.push(format!("full {time}: {path} says {status}"));
            }
        }
        disk.make_room();
        let back = fleet.counts.acknowledged() + 24;
        while fleet.counts.acknowledged() < back && !running.has_ended() && collector.runs() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    if !collector.runs() {
        told.problems.push("the collector ended".to_owned());
    }
    told.problems.extend(running.stop().await);
    finish(&mut told, collector, &console, &fleet, &place).await;
    told.say(format!(
        "full disk under the collector           {times:>4} times, {:>6} reports acknowledged, {} \
         answers of 503 with Retry-After, pages readable, taken again by itself",
        fleet.ledger.len(),
        fleet.counts.refused.load(Ordering::Relaxed),
    ));
    told
}

/// The disk of an agent's state is full, with the collector there and away.
pub async fn of_agent(times: u32) -> Told {
    let disk = match Small::mount("1m") {
        Ok(disk) => disk,
        Err(why) => return Told::without(format!("a full disk under the agent: {why}")),
    };
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::new(folder.path(), None);
    let collector = place.start(true);
    let console = Console::set_up(&collector).await;
    let gate = Gate::to(&collector.url).await;
    let join = JoinString { url: gate.url.clone(), ..collector.join_string() };
    let mut puppet = Puppet::new(&folder.path().join("root"), &disk.path().join("state"), "full");
    let (mut kept, sent) = (BTreeSet::new(), (1..1000).collect());
    let mut once = |puppet: &Puppet, must: bool| {
        let done = puppet.once();
        if done.is_ok() {
            kept.insert(puppet.version());
        } else if must {
            told.problems.push(format!("state {}: {done:?}", puppet.version()));
        }
    };
    puppet.change();
    let enrolled = puppet.enroll(&join);
    once(&puppet, true);
    let mut from_memory = 0;
    for _ in 0..times {
        // Full with the collector there: the report is sent from memory.
        disk.fill();
        puppet.change();
        once(&puppet, false);
        if let Ok(device) = device_named(&console, "full").await {
            from_memory += u32::from(present(&console, device).await == Some(puppet.version()));
        }
        // Full with the collector away: nothing is acknowledged, and nothing may be poisoned.
        gate.set(false);
        puppet.change();
        once(&puppet, false);
        gate.set(true);
        once(&puppet, false);
        disk.make_room();
        puppet.change();
        once(&puppet, true);
        puppet.change();
        once(&puppet, true);
    }
    told.problems.extend(enrolled.err());
    if from_memory != times {
        told.problems.push(format!("{from_memory} of {times} changes arrived with a full disk"));
    }
    match device_named(&console, "full").await {
        Ok(device) => {
            told.problems.extend(held_by(&console, device, &puppet, &kept, &sent).await);
        }
        Err(error) => told.problems.push(error),
    }
    if !collector.stop() {
        told.problems.push("the collector did not end well".to_owned());
    }
    told.problems.extend(place.verify());
    told.say(format!(
        "full disk under the agent's state       {times:>4} times, every change was told from \
         memory meanwhile"
    ));
    told
}
