//! Devices that change with every report and keep a ledger of what was acknowledged.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rollcall_agent::clock::Stopwatch;
use rollcall_shared::Timestamp;
use rollcall_shared::join::JoinString;
use rollcall_shared::report::{AgentInfo, CheckIn, SectionState, Vitals};
use rollcall_shared::section::{Os, Section, Software, System};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

use super::ledger::{Entry, Ledger, compare, digest_of_titles, history, number_of, titles_of};
use super::now;
use crate::console::Console;
use crate::synthetic::{Computer, mix, without_bodies};
use crate::wire::{Device, Wire, WireError, pack};

/// The title whose version tells which state of a device is seen.
pub const MARKER: &str = "marker";

/// So often one report is sent before somebody is told.
const TRIES: u32 = 20_000;

/// Where a device stands: the report that is under way, the same however often it is sent.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Its number.
    pub seq: u64,
    /// When it was observed.
    pub observed_at: Timestamp,
}

impl Standing {
    /// The report after this one; two reports of one device have two moments.
    fn next(self) -> Self {
        Self { seq: self.seq + 1, observed_at: now().max(self.observed_at.plus_ms(1)) }
    }
}

/// One device of the fleet.
#[derive(Debug)]
pub struct Member {
    /// Its key and id.
    pub device: Device,
    /// Its number.
    pub number: u32,
    /// Titles it has beside the marker.
    titles: u32,
    /// Where it stands.
    pub standing: Mutex<Standing>,
}

/// The state that a report tells of: every fourth report tells nothing new.
pub fn version_of(seq: u64) -> u64 {
    if seq.is_multiple_of(4) { seq - 1 } else { seq }
}

impl Member {
    fn software(&self, version: u64) -> Vec<Software> {
        let title = |name: String, version: String| Software {
            source: "dpkg".to_owned(),
            name,
            version,
            architecture: Some("amd64".to_owned()),
            ..Software::default()
        };
        let mut all: Vec<Software> = (0..self.titles)
            .map(|which| {
                let choice = mix(11, self.number.into(), which.into()) % 50;
                title(format!("lib{which:04}"), format!("{choice}.1"))
            })
            .collect();
        all.push(title(MARKER.to_owned(), format!("1.{version}")));
        all
    }

    /// The report under way with all of its bodies.
    pub fn report(&self, standing: Standing) -> CheckIn {
        let Standing { seq, observed_at } = standing;
        let version = version_of(seq);
        let computer = Computer { number: self.number };
        let sections = [
            Section::System(System { hostname: computer.hostname(), ..System::default() }),
            Section::Os(Os {
                name: "Debian GNU/Linux 12 (bookworm)".to_owned(),
                architecture: "x86_64".to_owned(),
                kernel: Some(format!("1.{version}")),
                ..Os::default()
            }),
            Section::Software(self.software(version)),
        ];
        let collected = |section: &Section| {
            let state = SectionState::collected(section).expect("sections serialise");
            (section.name().to_owned(), state)
        };
        let random = u128::from(mix(12, self.number.into(), seq));
        CheckIn {
            report_id: Uuid::from_u128((random << 64 | random) & !(0xf000 << 64) | (0x7000 << 64)),
            seq,
            observed_at,
            sent_at: now(),
            agent: AgentInfo {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                target: "x86_64-unknown-linux-gnu".to_owned(),
                privileged: true,
            },
            hardware_ids: computer.hardware_ids(),
            // Tells which report was the last one.
            vitals: Vitals { memory_available_bytes: Some(seq), ..Vitals::default() },
            sections: sections.iter().map(collected).collect(),
            cost: rollcall_shared::report::Cost::default(),
            dropped_reports: 0,
        }
    }

    fn entry(&self, report: &CheckIn) -> Entry {
        let version = version_of(report.seq);
        let titles = self.software(version).into_iter().map(|one| (one.name, one.version));
        Entry {
            device: self.device.id,
            report_id: report.report_id,
            seq: report.seq,
            observed_at: report.observed_at,
            version,
            titles: digest_of_titles(titles),
        }
    }

    /// Sends the report under way until it is acknowledged, and writes that into the ledger.
    pub async fn deliver(
        &self,
        wire: &Wire,
        ledger: &Ledger,
        counts: &Counts,
        patience: &Patience,
        stopped: &AtomicBool,
    ) -> Result<(), Ended> {
        let mut standing = self.standing.lock().await;
        let full = self.report(*standing);
        let entry = self.entry(&full);
        let changed = full.seq == 1 || version_of(full.seq) == full.seq;
        // As agents do: what changed comes with its body at once, the rest when it is wanted.
        let sent = without_bodies(full.clone(), |section| {
            full.seq > 1 && !(changed && matches!(section, "software" | "os"))
        });
        let mut packed = pack(&sent);
        for _ in 0..TRIES {
            let seq = full.seq;
            let sent = Stopwatch::start();
            let mut pause = patience.pause;
            let cut = match self.device.send_packed(wire, seq, packed.clone(), now()).await {
                Ok(answer) if answer.stored => {
                    ledger.acknowledged(entry);
                    counts.acknowledged.fetch_add(1, Ordering::Relaxed);
                    if answer.duplicate {
                        counts.duplicates.fetch_add(1, Ordering::Relaxed);
                    }
                    *standing = standing.next();
                    patience.rest(sent.elapsed()).await;
                    return Ok(());
                }
                Ok(_) => {
                    packed = pack(&full);
                    continue;
                }
                // From a load balancer whose collector went away while it answered.
                Err(WireError::Status { status, .. }) if status.as_u16() == 502 => {
                    counts.cut.fetch_add(1, Ordering::Relaxed);
                    true
                }
                Err(WireError::Status { status, body, retry_after_s }) => {
                    let busy = matches!(status.as_u16(), 429 | 503);
                    if !busy || retry_after_s.is_none() {
                        return Err(Ended::Broken(format!(
                            "device {} report {}: {status} with Retry-After {retry_after_s:?}: \
                             {body}",
                            self.number, seq
                        )));
                    }
                    counts.refused.fetch_add(1, Ordering::Relaxed);
                    if let (Some(faster), Some(asked)) = (patience.faster, retry_after_s) {
                        pause = Duration::from_secs(asked) / faster;
                    }
                    false
                }
                Err(WireError::Transport(_)) => {
                    counts.cut.fetch_add(1, Ordering::Relaxed);
                    true
                }
                Err(error) => {
                    let told = format!("device {} report {}: {error}", self.number, seq);
                    return Err(Ended::Broken(told));
                }
            };
            if cut && !patience.beyond_cuts || stopped.load(Ordering::Relaxed) {
                return Err(Ended::Stopped);
            }
            tokio::time::sleep(pause).await;
            patience.rest(sent.elapsed()).await;
        }
        Err(Ended::Broken(format!("device {} was never heard", self.number)))
    }
}

/// Why a device stopped to report.
#[derive(Debug)]
pub enum Ended {
    /// It was asked to, or the collector is gone.
    Stopped,
    /// An answer that the protocol does not allow.
    Broken(String),
}

/// How devices take a collector that is away or busy.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Whether they go on when connections fail.
    pub beyond_cuts: bool,
    /// How long they wait, far shorter than agents do.
    pub pause: Duration,
    /// Set when they come back after the time they were asked to, divided by this.
    pub faster: Option<u32>,
    /// Set when a device wants to send this often, whatever it is told; while it waits for an
    /// answer it cannot.
    pub every: Option<Duration>,
}

impl Patience {
    /// Stops with the collector.
    pub const UNTIL_CUT: Self = Self { beyond_cuts: false, ..Self::FOREVER };
    /// Waits for it to come back.
    pub const FOREVER: Self =
        Self { beyond_cuts: true, pause: Duration::from_millis(20), faster: None, every: None };
    /// Wants to send this often, whatever it is told.
    pub const fn without(every: Duration) -> Self {
        Self { pause: Duration::ZERO, every: Some(every), ..Self::FOREVER }
    }
}

impl Patience {
    /// What is left of the time between two requests.
    async fn rest(&self, spent: Duration) {
        if let Some(every) = self.every {
            tokio::time::sleep(every.saturating_sub(spent)).await;
        }
    }
}

/// What happened to requests.
#[derive(Debug, Default)]
pub struct Counts {
    /// Stored.
    pub acknowledged: AtomicU64,
    /// Of these: stored before, the first answer was lost.
    pub duplicates: AtomicU64,
    /// 429 or 503 with Retry-After.
    pub refused: AtomicU64,
    /// Connections that failed.
    pub cut: AtomicU64,
}

impl Counts {
    /// Acknowledged until now.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }
}

/// Devices with one ledger.
#[derive(Debug)]
pub struct Fleet {
    /// The devices.
    pub members: Vec<Arc<Member>>,
    /// What they were told.
    pub ledger: Arc<Ledger>,
    /// What happened to their requests.
    pub counts: Arc<Counts>,
}

/// How much of a collector is held against the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The present state of every device.
    Present,
    /// The present and the whole history.
    History,
}

impl Fleet {
    /// Enrols devices, whose ledger lies in `folder`.
    pub async fn enroll(
        folder: &Path,
        url: &str,
        join: &JoinString,
        numbers: std::ops::Range<u32>,
        titles: u32,
    ) -> Self {
        Self::try_enroll(folder, url, join, numbers, titles).await.expect("devices enrol")
    }

    /// The same; gives the first answer that was no enrolment.
    pub async fn try_enroll(
        folder: &Path,
        url: &str,
        join: &JoinString,
        numbers: std::ops::Range<u32>,
        titles: u32,
    ) -> Result<Self, WireError> {
        let wire = Wire::new(url);
        let mut members = Vec::new();
        for number in numbers {
            let mut seed = [7; 32];
            seed[..4].copy_from_slice(&number.to_be_bytes());
            let computer = Computer { number };
            let (hostname, ids) = (computer.hostname(), computer.hardware_ids());
            let device = Device::enroll(&wire, join, seed, &hostname, ids, now()).await?;
            let standing = Mutex::new(Standing { seq: 1, observed_at: now() });
            members.push(Arc::new(Member { device, number, titles, standing }));
        }
        let ledger = Arc::new(Ledger::at(&folder.join("ledger.jsonl")));
        Ok(Self { members, ledger, counts: Arc::default() })
    }

    /// Lets every device report again and again.
    pub fn start(&self, wires: &[Wire], patience: Patience) -> Running {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for (member, wire) in self.members.iter().zip(wires.iter().cycle()) {
            let (member, wire) = (Arc::clone(member), wire.clone());
            let (ledger, counts) = (Arc::clone(&self.ledger), Arc::clone(&self.counts));
            let stopped = Arc::clone(&stopped);
            tasks.push(tokio::spawn(async move {
                while !stopped.load(Ordering::Relaxed) {
                    match member.deliver(&wire, &ledger, &counts, &patience, &stopped).await {
                        Ok(()) => {}
                        Err(Ended::Stopped) => break,
                        Err(Ended::Broken(told)) => return Some(told),
                    }
                }
                None
            }));
        }
        Running { stopped, tasks }
    }

    /// Delivers what is under way of every device, some at once.
    pub async fn deliver_all(&self, url: &str) -> Vec<String> {
        let wire = Wire::new(url);
        let mut tasks = JoinSet::new();
        let mut problems = Vec::new();
        let mut members = self.members.iter();
        loop {
            while tasks.len() < 16
                && let Some(member) = members.next()
            {
                let (member, wire) = (Arc::clone(member), wire.clone());
                let (ledger, counts) = (Arc::clone(&self.ledger), Arc::clone(&self.counts));
                tasks.spawn(async move {
                    let never = AtomicBool::new(false);
                    member.deliver(&wire, &ledger, &counts, &Patience::FOREVER, &never).await
                });
            }
            match tasks.join_next().await {
                None => return problems,
                Some(Ok(Ok(()))) => {}
                Some(ended) => problems.push(format!("{ended:?}")),
            }
        }
    }

    /// Holds what a collector says against the ledger; what is wrong, device by device.
    pub async fn check(&self, console: &Console, depth: Depth) -> Vec<String> {
        let mut problems = Vec::new();
        let total = console.json("/api/v1/devices?limit=1").await["total"].clone();
        if total != self.members.len() {
            problems.push(format!("{total} devices instead of {}", self.members.len()));
        }
        for member in &self.members {
            let told = self.check_device(console, member, depth).await;
            problems
                .extend(told.into_iter().map(|told| format!("device {}: {told}", member.number)));
        }
        problems
    }

    async fn check_device(&self, console: &Console, member: &Member, depth: Depth) -> Vec<String> {
        let mut problems = Vec::new();
        let (entries, id) = (self.ledger.of(member.device.id), member.device.id);
        let under_way = member.standing.lock().await.seq;
        let Some(last) = entries.last() else { return problems };
        let detail = console.json(&format!("/api/v1/devices/{id}")).await;
        // A check-in that changed nothing may be told anew: its moment is written every second.
        let last_change = entries.iter().rev().find(|entry| entry.seq == entry.version);
        let lowest = last_change.map_or(0, |entry| entry.seq);
        let last_seq = detail["vitals"]["memory_available_bytes"].as_u64().unwrap_or_default();
        if !(lowest..=under_way).contains(&last_seq) {
            problems.push(format!("report {last_seq} is the last one, not {lowest}..{under_way}"));
        }
        let answer = console.json(&format!("/api/v1/devices/{id}/software")).await;
        let titles = titles_of(&answer);
        let marker = titles.iter().find(|(name, _)| name == MARKER);
        let version = marker.and_then(|(_, version)| number_of(version)).unwrap_or_default();
        if version != last.version && version != version_of(under_way) {
            problems.push(format!("state {version} is shown, not {}", last.version));
        }
        if version == last.version && digest_of_titles(titles) != last.titles {
            problems.push(format!("the titles of state {version} are not those reported"));
        }
        if depth == Depth::History {
            problems.extend(self.check_history(console, member, &entries, under_way).await);
        }
        problems
    }

    async fn check_history(
        &self,
        console: &Console,
        member: &Member,
        entries: &[Entry],
        under_way: u64,
    ) -> Vec<String> {
        let id = member.device.id;
        let mut problems = Vec::new();
        let (software, kernel) = history(console, id).await;
        let acknowledged = entries.iter().map(|entry| entry.version).collect();
        let sent = [version_of(under_way)].into();
        for (what, found) in [("software", software), ("os", kernel)] {
            let told = compare(&found, &acknowledged, &sent);
            problems.extend(told.into_iter().map(|told| format!("{what}: {told}")));
        }
        // Some of the past as it was then.
        let every = (entries.len() / 8).max(1);
        let changes = entries.iter().filter(|entry| entry.seq == entry.version);
        for entry in changes.skip(1).step_by(every) {
            let path = format!("/api/v1/devices/{id}/software?as_of={}", entry.observed_at);
            let titles = titles_of(&console.json(&path).await);
            if digest_of_titles(titles) != entry.titles {
                problems.push(format!("the software at report {} is another", entry.seq));
            }
        }
        problems
    }
}

/// Devices that report.
#[derive(Debug)]
pub struct Running {
    stopped: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Option<String>>>,
}

impl Running {
    /// Whether every device has stopped.
    pub fn has_ended(&self) -> bool {
        self.tasks.iter().all(JoinHandle::is_finished)
    }

    /// Stops them after their report under way; what they were told that the protocol does not
    /// allow.
    pub async fn stop(self) -> Vec<String> {
        self.stopped.store(true, Ordering::Relaxed);
        let mut problems = Vec::new();
        for task in self.tasks {
            match task.await {
                Ok(told) => problems.extend(told),
                Err(error) => problems.push(format!("a device panicked: {error}")),
            }
        }
        problems
    }
}
