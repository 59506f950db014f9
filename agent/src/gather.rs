//! Runs every source and puts together what they found. A failure becomes a note.
//!
//! It knows nothing of sending: digests, numbers and spools are the business of the caller.

mod found;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rollcall_shared::report::{Cost, SourceCost, Vitals};
use rollcall_shared::section::{SECTIONS, Section};
use rollcall_shared::{HardwareIds, Note, NoteKind, Timestamp};

use crate::budget::{BUDGET, Budget, Meter, peak_rss_bytes};
use crate::clock::{self, Stopwatch};
use crate::hardware_ids;
use crate::host::{Host, Look};
use crate::inputs::Inputs;
use crate::source::{FROM_DEVICES, FROM_FILES, Gathered, Platform, SOURCES, Source, vitals};
use crate::worker::{Ended, Job, Workers};

pub use found::Found;
use found::together;

/// The name under which the numbers that move are told among the sources.
const VITALS: &str = "vitals";

/// Of a source that used less, the memory is not asked for.
const SMALL_CPU_US: u64 = 1_000;
const SMALL_READ_BYTES: u64 = 64 * 1024;

/// What the configuration and the collector's settings say about looking.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of sections not to look at, e.g. `user`.
    pub sections_off: Vec<String>,
    /// Look into the homes of people, for extensions of their browsers and editors, for their
    /// virtual machines, and on Windows for their packages of languages.
    pub home_folders: bool,
    /// Ask every source, also those whose files did not change since it was asked last.
    pub full: bool,
    /// The present by this computer's clock. Without it nothing is taken for unchanged.
    pub now: Timestamp,
}

/// One complete look at a computer.
#[derive(Debug, Clone, Default)]
pub struct Gathering {
    /// Every section of [`SECTIONS`] by name, each with a body or at least one note.
    pub sections: BTreeMap<&'static str, Found>,
    /// The numbers that move all the time.
    pub vitals: Vitals,
    /// What the hardware says of itself.
    pub hardware_ids: HardwareIds,
    /// What looking cost.
    pub cost: Cost,
}

/// Looks once at everything that is not switched off.
pub fn gather(host: &Host, options: &Options) -> Gathering {
    Observer::new(host.clone()).look(options)
}

/// Looks at one computer again and again, and asks no source whose files did not change.
#[derive(Debug)]
pub struct Observer {
    host: Host,
    sources: Vec<Source>,
    workers: Workers,
    /// What each source said last.
    answers: BTreeMap<&'static str, Answer>,
    /// What was made of it for each section, as long as its sources say the same.
    sections: BTreeMap<&'static str, Found>,
    looks: u64,
    budget: Budget,
    /// The largest resident memory so far, in bytes.
    peak_rss_bytes: u64,
    /// What the sources asked in this look cost.
    costs: BTreeMap<String, SourceCost>,
    /// Whether every path that is looked for is remembered, for a person who wants to know.
    with_paths: bool,
    paths: BTreeMap<&'static str, Vec<String>>,
}

/// What a source said, and for how long that is true.
#[derive(Debug)]
struct Answer {
    gathered: Arc<Gathered>,
    holds: Holds,
}

/// What a job found.
#[derive(Debug)]
enum Told {
    Source(Box<Gathered>),
    Vitals(Box<Vitals>),
}

/// The same with what it cost.
#[derive(Debug)]
struct Measured {
    told: Told,
    cpu_us: u64,
    wall_us: u64,
    /// 0 where it was not asked for.
    peak_rss_bytes: u64,
}

/// How long an answer is true.
#[derive(Debug)]
enum Holds {
    /// As long as these do not change.
    WhileUnchanged(Inputs),
    /// The source was cut short, and is not asked before everything is looked at anew.
    UntilFullLook,
    /// It may be another the next time.
    Once,
}

impl Observer {
    /// Has not looked yet.
    pub fn new(host: Host) -> Self {
        Self::with(SOURCES.to_vec(), host, BUDGET)
    }

    /// Remembers every path that is looked for.
    pub(crate) fn with_paths(host: Host) -> Self {
        Self { with_paths: true, ..Self::new(host) }
    }

    fn with(sources: Vec<Source>, host: Host, budget: Budget) -> Self {
        Self {
            host,
            sources,
            workers: Workers::new(budget.wall),
            answers: BTreeMap::new(),
            sections: BTreeMap::new(),
            looks: 0,
            budget,
            peak_rss_bytes: 0,
            costs: BTreeMap::new(),
            with_paths: false,
            paths: BTreeMap::new(),
        }
    }

    /// Looks at one section alone; gives what was found, what each source cost, and every path it
    /// looked for.
    pub(crate) fn look_at(
        &mut self,
        section: &'static str,
        options: &Options,
    ) -> (Found, BTreeMap<String, SourceCost>, BTreeMap<&'static str, Vec<String>>) {
        self.begin(options);
        let sources = self.sources_of(|name| name == section);
        let (same, _) = self.ask(&sources, options, false);
        let found = self.section(section, &sources, &same);
        (found, std::mem::take(&mut self.costs), std::mem::take(&mut self.paths))
    }

    /// Begins a look.
    fn begin(&mut self, options: &Options) {
        self.looks += 1;
        let look = Look { number: self.looks, began_at: options.now };
        let host = self.host.clone().in_look(look);
        let host = if options.full { host.without_memory() } else { host };
        if host.may_enter_homes() != options.home_folders {
            self.answers.clear();
        }
        self.host = host.with_homes(options.home_folders);
        self.peak_rss_bytes = peak_rss_bytes();
        self.costs.clear();
    }

    /// Looks at everything that is not switched off.
    pub fn look(&mut self, options: &Options) -> Gathering {
        let watch = Stopwatch::start();
        let cpu_before_ms = clock::process_cpu_ms();
        self.begin(options);
        let is_off = |name: &str| options.sections_off.iter().any(|off| off == name);

        let sources = self.sources_of(|name| !is_off(name));
        let (same, vitals) = self.ask(&sources, options, true);
        let mut sections = BTreeMap::new();
        for info in SECTIONS {
            let found = if is_off(info.name) {
                Found::new(None, vec![Note::new(NoteKind::SwitchedOff)])
            } else {
                self.section(info.name, &sources, &same)
            };
            sections.insert(info.name, found);
        }

        let hardware_ids = hardware_ids::from_sections(
            body(&sections, "system"),
            body(&sections, "network"),
            self.host.value("/etc/machine-id").as_deref(),
        );
        let vitals = without_switched_off(vitals, is_off);
        let sources = std::mem::take(&mut self.costs);
        Gathering {
            sections,
            vitals,
            hardware_ids,
            cost: Cost {
                cpu_ms: clock::process_cpu_ms().saturating_sub(cpu_before_ms),
                peak_rss_bytes: peak_rss_bytes(),
                wall_ms: watch.elapsed_ms(),
                read_bytes: sources.values().map(|cost| cost.read_bytes).sum(),
                sources,
            },
        }
    }

    /// The sources of some sections that this system has.
    fn sources_of(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Source> {
        let here =
            |source: &&Source| Platform::CURRENT.is_some_and(|now| source.platforms.contains(&now));
        let wanted = |source: &&Source| is_wanted(source.section);
        self.sources.iter().filter(here).filter(wanted).copied().collect()
    }

    /// What was said of a section by its sources. `same`: those that say what they said last time.
    fn section(
        &mut self,
        name: &'static str,
        sources: &[Source],
        same: &BTreeSet<&'static str>,
    ) -> Found {
        let here = || sources.iter().filter(|source| source.section == name);
        if here().all(|source| same.contains(source.name))
            && let Some(found) = self.sections.get(name)
        {
            return found.clone();
        }
        let answer = |source: &Source| {
            Some((source.name, Arc::clone(&self.answers.get(source.name)?.gathered)))
        };
        let found = together(name, here().filter_map(answer).collect());
        self.sections.insert(name, found.clone());
        found
    }

    /// Asks those sources whose answer may be another than last time, and for the numbers that
    /// move. Gives the names of those that say the same as last time.
    fn ask(
        &mut self,
        sources: &[Source],
        options: &Options,
        with_vitals: bool,
    ) -> (BTreeSet<&'static str>, Vitals) {
        let mut same = BTreeSet::new();
        let (mut asked, mut jobs) = (Vec::new(), Vec::new());
        for source in sources {
            if self.still_holds(source, options) {
                same.insert(source.name);
                continue;
            }
            let of_devices = FROM_DEVICES.contains(&source.name);
            let (host, inputs) = if of_devices || FROM_FILES.contains(&source.name) {
                let (host, inputs) = self.host.watched(of_devices);
                (host, Some(inputs))
            } else {
                (self.host.clone(), None)
            };
            let gather = source.gather;
            let (job, meter) =
                self.job(source.name, host, move |host| Told::Source(Box::new(gather(host))));
            jobs.push(job);
            asked.push((source, meter, inputs));
        }
        let vitals_meter = with_vitals.then(|| {
            let tell = |host: &Host| Told::Vitals(Box::new(vitals::vitals(host)));
            let (job, meter) = self.job(VITALS, self.host.clone(), tell);
            jobs.push(job);
            meter
        });
        let mut ended = self.workers.run_all(jobs);
        let vitals = vitals_meter.zip(ended.pop_if(|_| with_vitals));
        let vitals = vitals.map(|(meter, ended)| self.vitals(&meter, ended)).unwrap_or_default();
        for ((source, meter, inputs), ended) in asked.into_iter().zip(ended) {
            let ended = self.count(source.name, &meter, ended);
            let (gathered, holds) = answer(source, &meter, inputs, ended, options);
            let before = self.answers.remove(source.name).map(|answer| answer.gathered);
            let is_same = before.as_deref() == Some(&gathered);
            if is_same {
                same.insert(source.name);
            }
            let gathered = before.filter(|_| is_same).unwrap_or_else(|| Arc::new(gathered));
            self.answers.insert(source.name, Answer { gathered, holds });
        }
        (same, vitals)
    }

    /// Whether what a source said last is still true, as far as can be told without asking it.
    fn still_holds(&self, source: &Source, options: &Options) -> bool {
        !options.full
            && self.answers.get(source.name).is_some_and(|answer| match &answer.holds {
                Holds::WhileUnchanged(inputs) => self.host.is_unchanged(inputs),
                Holds::UntilFullLook => true,
                Holds::Once => false,
            })
    }

    /// A job on the computer under the budget.
    fn job(
        &self,
        name: &'static str,
        host: Host,
        tell: impl FnOnce(&Host) -> Told + Send + 'static,
    ) -> (Job<Measured>, Arc<Meter>) {
        let meter = Arc::new(if self.with_paths {
            Meter::with_paths(self.budget)
        } else {
            Meter::new(self.budget)
        });
        let host = host.metered(Arc::clone(&meter));
        let counts = Arc::clone(&meter);
        let job = Job::new(name, move || {
            let watch = Stopwatch::start();
            counts.begin();
            let told = tell(&host);
            let cpu_us = micros(counts.cpu());
            // To ask costs as much as a small source, which adds nothing to speak of.
            let is_small = cpu_us < SMALL_CPU_US && counts.read_bytes() < SMALL_READ_BYTES;
            let peak_rss_bytes = if is_small { 0 } else { peak_rss_bytes() };
            Measured { told, cpu_us, wall_us: micros(watch.elapsed()), peak_rss_bytes }
        });
        (job, meter)
    }

    /// Writes down what a job cost.
    fn count(&mut self, name: &'static str, meter: &Meter, ended: Ended<Measured>) -> Ended<Told> {
        let read_bytes = meter.read_bytes();
        let mut cost = SourceCost { read_bytes, ..SourceCost::default() };
        let ended = match ended {
            Ended::Done(measured) => {
                (cost.cpu_us, cost.wall_us) = (measured.cpu_us, measured.wall_us);
                cost.rss_growth_bytes = measured.peak_rss_bytes.saturating_sub(self.peak_rss_bytes);
                self.peak_rss_bytes += cost.rss_growth_bytes;
                Ended::Done(measured.told)
            }
            Ended::Broken(why) => Ended::Broken(why),
            Ended::TimedOut => {
                cost.wall_us = micros(self.budget.wall);
                Ended::TimedOut
            }
        };
        self.costs.insert(name.to_owned(), cost);
        if self.with_paths {
            self.paths.insert(name, meter.paths());
        }
        ended
    }

    fn vitals(&mut self, meter: &Meter, ended: Ended<Measured>) -> Vitals {
        match self.count(VITALS, meter, ended) {
            Ended::Done(Told::Vitals(vitals)) => return *vitals,
            Ended::Done(Told::Source(_)) => {}
            Ended::Broken(why) => {
                tracing::error!(why, "the vitals could not be read because of a mistake");
            }
            Ended::TimedOut => {
                tracing::warn!("the vitals did not come in time; a disk or mount may hang");
            }
        }
        Vitals::default()
    }
}

/// What a source said, and for how long that is true.
fn answer(
    source: &Source,
    meter: &Meter,
    inputs: Option<Arc<Mutex<Inputs>>>,
    ended: Ended<Told>,
    options: &Options,
) -> (Gathered, Holds) {
    let note = match ended {
        Ended::Done(Told::Source(gathered)) => match meter.over() {
            None => {
                let holds = held_by(&gathered, inputs, options.now);
                return (*gathered, holds);
            }
            Some(over) => {
                let mut cut = Gathered::absent(over.note().from_source(source.name));
                // Of this list alone a part is better than nothing: what is missing from one of
                // its sources is never taken for removed.
                cut.section = gathered.section.filter(|section| section.name() == "software");
                return (cut, Holds::UntilFullLook);
            }
        },
        Ended::Done(Told::Vitals(_)) => Note::new(NoteKind::Failed),
        Ended::Broken(why) => Note::new(NoteKind::Failed)
            .with_detail(format!("the source stopped because of a mistake in it: {why}")),
        Ended::TimedOut => Note::new(NoteKind::TimedOut)
            .with_detail("it did not end in time, perhaps because a disk or mount hangs"),
    };
    (Gathered::absent(note.from_source(source.name)), Holds::Once)
}

/// For how long a complete answer is true.
fn held_by(gathered: &Gathered, inputs: Option<Arc<Mutex<Inputs>>>, now: Timestamp) -> Holds {
    // What went wrong for the moment may go well at the next check-in.
    let passing = |note: &Note| matches!(note.kind, NoteKind::Failed | NoteKind::TimedOut);
    if !gathered.notes.iter().any(passing)
        && let Some(inputs) = inputs
        && let Ok(mut inputs) = inputs.lock()
        && inputs.are_settled(now)
    {
        return Holds::WhileUnchanged(std::mem::take(&mut *inputs));
    }
    Holds::Once
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn body<'a>(sections: &'a BTreeMap<&'static str, Found>, name: &str) -> Option<&'a Section> {
    sections.get(name)?.section.as_deref()
}

/// A section that is switched off is not told through the vitals either.
fn without_switched_off(mut vitals: Vitals, is_off: impl Fn(&str) -> bool) -> Vitals {
    if is_off("volume") {
        vitals.volumes.clear();
    }
    if is_off("battery") {
        vitals.batteries.clear();
    }
    if is_off("user") {
        vitals.sessions.clear();
    }
    if is_off("update") {
        vitals.reboot = None;
        vitals.update_lists_at = None;
        vitals.last_upgrade_at = None;
    }
    vitals
}

#[cfg(test)]
mod tests;
