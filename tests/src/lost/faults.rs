//! The Nth write, fsync, rename or truncation fails, for every N: under the collector on SQLite,
//! and under the agent's state and spool.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rollcall_shared::join::JoinString;

use super::Told;
use super::fleet::{Depth, Fleet};
use super::gate::Gate;
use super::kills::Place;
use super::kills_of_agent::{device_named, held_by};
use super::puppet::Puppet;
use crate::console::Console;
use crate::programs::{Collector, preloaded};
use crate::synthetic::mix;

/// The library that lets calls fail, as C.
const SOURCE: &str = include_str!("fail.c");
/// No scenario makes more calls.
const CALLS: u32 = 5_000;

/// How calls fail.
const KINDS: [&str; 3] = ["eio", "enospc", "short"];

/// One failing call.
#[derive(Debug)]
struct Fault<'a> {
    library: &'a Path,
    under: &'a Path,
    at: String,
    how: &'a str,
    told: PathBuf,
}

impl<'a> Fault<'a> {
    fn new(library: &'a Path, under: &'a Path, told: PathBuf, at: u32) -> Self {
        let how = KINDS[usize::try_from(mix(at.into(), 95, 0) % 3).unwrap_or_default()];
        let _ = std::fs::remove_file(&told);
        Self { library, under, at: at.to_string(), how, told }
    }

    fn environment(&self) -> [(&'a str, &OsStr); 5] {
        [
            ("LD_PRELOAD", self.library.as_os_str()),
            ("ROLLCALL_FAIL_UNDER", self.under.as_os_str()),
            ("ROLLCALL_FAIL_AT", self.at.as_ref()),
            ("ROLLCALL_FAIL_HOW", self.how.as_ref()),
            ("ROLLCALL_FAIL_TOLD", self.told.as_os_str()),
        ]
    }

    /// The call that failed, if the scenario came so far.
    fn struck(&self) -> Option<String> {
        std::fs::read_to_string(&self.told).ok()
    }
}

fn copy_files(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a file is copied");
    }
}

fn in_words(struck: &BTreeMap<String, u32>) -> String {
    let words: Vec<String> = struck.iter().map(|(call, count)| format!("{count} {call}")).collect();
    words.join(", ")
}

/// Lets every `step`th call fail under a collector that starts, enrols, takes reports and stops.
pub async fn of_collector(step: u32) -> Told {
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder");
    let library = match preloaded(folder.path(), "fail", SOURCE) {
        Ok(library) => library,
        Err(why) => return Told::without(format!("failing calls under the collector: {why}")),
    };
    let (base, data) = (folder.path().join("base"), folder.path().join("data"));
    let place = Place { data: base.clone(), database: None };
    let collector = place.start(true);
    let console = Console::set_up(&collector).await;
    let join = collector.join_string();
    told.problems.extend((!collector.stop()).then(|| "it did not end well".to_owned()));
    let (mut struck, mut not_started) = (BTreeMap::new(), 0);
    for at in (1..CALLS).step_by(step as usize) {
        copy_files(&base, &data);
        let fault = Fault::new(&library, &data, folder.path().join("told"), at);
        let story = of_one_collector(&data, &join, &console, &fault).await;
        let Some(call) = fault.struck() else { break };
        let name = format!("{call} {at} ({})", fault.how);
        *struck.entry(call).or_default() += 1;
        match story {
            Ok(started) => not_started += u32::from(!started),
            Err(problems) => {
                told.problems.extend(problems.into_iter().map(|told| format!("{name}: {told}")));
            }
        }
        if told.problems.len() > 20 {
            break;
        }
    }
    told.say(format!(
        "one failing call under the collector    {:>4} times: {}; {not_started} times it did not \
         start",
        struck.values().sum::<u32>(),
        in_words(&struck)
    ));
    told
}

/// One collector with one failing call; whether it started.
async fn of_one_collector(
    data: &Path,
    join: &JoinString,
    console: &Console,
    fault: &Fault<'_>,
) -> Result<bool, Vec<String>> {
    let mut problems = Vec::new();
    let started = Collector::try_start_with(data, &["--no-self"], &fault.environment());
    let mut fleet = None;
    let has_started = started.is_ok();
    if let Ok(mut collector) = started {
        // Enrolment is not acknowledged while it fails, so it is asked again.
        for _ in 0..3 {
            let enrolled = Fleet::try_enroll(data, &collector.url, join, 0..3, 20).await;
            if let Ok(enrolled) = enrolled {
                fleet = Some(enrolled);
                break;
            }
        }
        match &fleet {
            None => problems.push("one failing call and nobody can enrol".to_owned()),
            Some(fleet) => {
                for _ in 0..5 {
                    problems.extend(fleet.deliver_all(&collector.url).await);
                }
            }
        }
        if collector.runs() {
            // What it could not write at its end it may say by its exit code.
            let _ = collector.stop();
        } else {
            problems.push("the collector ended".to_owned());
        }
    }
    let place = Place { data: data.to_owned(), database: None };
    let collector = match Collector::try_start(data, &["--no-self"]) {
        Ok(collector) => collector,
        Err(said) => return Err(vec![format!("it does not start again: {said}")]),
    };
    let console = console.at(&collector.url);
    let fleet = match fleet {
        Some(fleet) => fleet,
        None => Fleet::enroll(data, &collector.url, join, 0..3, 20).await,
    };
    problems.extend(fleet.check(&console, Depth::History).await);
    problems.extend(fleet.deliver_all(&collector.url).await);
    problems.extend(fleet.check(&console, Depth::History).await);
    if !collector.stop() {
        problems.push("it did not end well afterwards".to_owned());
    }
    problems.extend(place.verify());
    if problems.is_empty() { Ok(has_started) } else { Err(problems) }
}

/// Lets every `step`th call fail under an agent that enrols, reports, changes, cannot reach the
/// collector, and reports again.
pub async fn of_agent(step: u32) -> Told {
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder");
    let library = match preloaded(folder.path(), "fail", SOURCE) {
        Ok(library) => library,
        Err(why) => return Told::without(format!("failing calls under the agent: {why}")),
    };
    let place = Place::new(folder.path(), None);
    let collector = place.start(true);
    let console = Console::set_up(&collector).await;
    let gate = Gate::to(&collector.url).await;
    let join = JoinString { url: gate.url.clone(), ..collector.join_string() };
    let mut struck = BTreeMap::new();
    for at in (1..CALLS).step_by(step as usize) {
        let own = folder.path().join(format!("agent-{at}"));
        let (root, state) = (own.join("root"), own.join("state"));
        let fault = Fault::new(&library, &state, folder.path().join("told"), at);
        let puppet = Puppet::new(&root, &state, &format!("puppet-{at}"));
        let problems = of_one_agent(puppet, &fault, &gate, &join, &console, at).await;
        let Some(call) = fault.struck() else { break };
        let name = format!("{call} {at} ({})", fault.how);
        *struck.entry(call).or_default() += 1;
        told.problems.extend(problems.into_iter().map(|told| format!("{name}: {told}")));
        if told.problems.len() > 20 {
            break;
        }
    }
    if !collector.stop() {
        told.problems.push("the collector did not end well".to_owned());
    }
    told.problems.extend(place.verify());
    told.say(format!(
        "one failing call under the agent        {:>4} times: {}",
        struck.values().sum::<u32>(),
        in_words(&struck)
    ));
    told
}

async fn of_one_agent(
    mut puppet: Puppet,
    fault: &Fault<'_>,
    gate: &Gate,
    join: &JoinString,
    console: &Console,
    at: u32,
) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut kept, mut sent) = (BTreeSet::new(), BTreeSet::new());
    gate.set(true);
    sent.insert(puppet.change());
    match puppet.start(&fault.environment()) {
        Err(error) => problems.push(error),
        Ok(mut process) => {
            if process.answer().is_ok() {
                // As a service does: what failed is tried again.
                if process.ask(&format!("enroll {join}")).is_err() {
                    let _ = process.ask(&format!("enroll {join}"));
                }
                for reachable in [true, true, false, false, true] {
                    gate.set(reachable);
                    sent.insert(puppet.change());
                    if process.ask("once").is_ok() {
                        kept.insert(puppet.version());
                    }
                    match puppet.spooled() {
                        Ok(spooled) => kept.extend(spooled),
                        Err(error) => problems.push(error),
                    }
                }
            }
            process.end();
        }
    }
    // The next process finds a sound disk.
    gate.set(true);
    if !puppet.state.join("identity.json").exists()
        && let Err(error) = puppet.enroll(join)
    {
        problems.push(format!("it cannot enrol afterwards: {error}"));
        return problems;
    }
    sent.insert(puppet.change());
    kept.insert(puppet.version());
    if let Err(error) = puppet.once() {
        problems.push(format!("it does not go on afterwards: {error}"));
    }
    match device_named(console, &format!("puppet-{at}")).await {
        Err(error) => problems.push(error),
        Ok(device) => {
            problems.extend(held_by(console, device, &puppet, &kept, &sent).await);
        }
    }
    problems
}
