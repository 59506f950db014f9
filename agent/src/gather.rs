//! Runs every source and puts together what they found. A failure becomes a note.
//!
//! It knows nothing of sending: digests, numbers and spools are the business of the caller.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcall_shared::report::{Cost, SectionState, SourceCost, Vitals};
use rollcall_shared::section::{SECTIONS, Section};
use rollcall_shared::{HardwareIds, Note, NoteKind, Timestamp};

use crate::budget::{BUDGET, Budget, Meter, peak_rss_bytes};
use crate::clock::{self, Stopwatch};
use crate::hardware_ids;
use crate::host::{Host, Look};
use crate::inputs::Inputs;
use crate::merge;
use crate::report;
use crate::source::{
    DECIDED, FROM_DEVICES, FROM_FILES, Gathered, Platform, SOURCES, Source, vitals,
};
use crate::worker::{Ended, Workers};

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

/// What was found for one section.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The body, merged, sorted and within the limits.
    pub section: Option<Arc<Section>>,
    /// Why there is none, or what is missing from it; each names its source.
    pub notes: Vec<Note>,
    /// The same as it goes into a report, where it was made before.
    told: Option<Arc<SectionState>>,
}

impl Found {
    /// A body, or why there is none.
    pub fn new(section: Option<Section>, notes: Vec<Note>) -> Self {
        Self { section: section.map(Arc::new), notes, told: None }
    }

    /// What a report says of it.
    pub fn into_told(self) -> SectionState {
        match self.told {
            Some(told) => Arc::unwrap_or_clone(told),
            None => report::section_state(self.section.as_deref(), self.notes),
        }
    }

    /// The same, with what a report says of it made once for all reports.
    fn prepared(self) -> Self {
        let told = report::section_state(self.section.as_deref(), self.notes.clone());
        Self { told: Some(Arc::new(told)), ..self }
    }

    /// Takes the body back and says why.
    pub(crate) fn take_back(&mut self, why: Note) {
        (self.section, self.told) = (None, None);
        self.notes.push(why);
    }
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
        let found = self.section(section, options);
        self.workers.rest();
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

        let mut sections = BTreeMap::new();
        for info in SECTIONS {
            let found = if is_off(info.name) {
                Found::new(None, vec![Note::new(NoteKind::SwitchedOff)])
            } else {
                self.section(info.name, options)
            };
            sections.insert(info.name, found);
        }

        let hardware_ids = hardware_ids::from_sections(
            body(&sections, "system"),
            body(&sections, "network"),
            self.host.value("/etc/machine-id").as_deref(),
        );
        let vitals = without_switched_off(self.vitals(), is_off);
        self.workers.rest();
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

    /// Asks the sources of one section.
    fn section(&mut self, name: &'static str, options: &Options) -> Found {
        let here: Vec<Source> = self
            .sources
            .iter()
            .filter(|source| source.section == name)
            .filter(|source| Platform::CURRENT.is_some_and(|now| source.platforms.contains(&now)))
            .copied()
            .collect();
        let mut answers = Vec::new();
        let mut all_the_same = true;
        for source in &here {
            let (gathered, same) = self.ask(source, options);
            all_the_same &= same;
            answers.push((source.name, gathered));
        }
        if all_the_same && let Some(found) = self.sections.get(name) {
            return found.clone();
        }
        let found = together(name, answers).prepared();
        self.sections.insert(name, found.clone());
        found
    }

    /// What a source says, asked only if its answer may be another than last time; and whether it
    /// is the same as last time.
    fn ask(&mut self, source: &Source, options: &Options) -> (Arc<Gathered>, bool) {
        if let Some(answer) = self.answers.get(source.name)
            && !options.full
            && match &answer.holds {
                Holds::WhileUnchanged(inputs) => self.host.is_unchanged(inputs),
                Holds::UntilFullLook => true,
                Holds::Once => false,
            }
        {
            return (Arc::clone(&answer.gathered), true);
        }
        let before = self.answers.remove(source.name).map(|answer| answer.gathered);
        let (gathered, holds) = self.ask_anew(source, options);
        let same = before.as_deref() == Some(&gathered);
        let gathered = before.filter(|_| same).unwrap_or_else(|| Arc::new(gathered));
        let answer = Answer { gathered: Arc::clone(&gathered), holds };
        self.answers.insert(source.name, answer);
        (gathered, same)
    }

    fn ask_anew(&mut self, source: &Source, options: &Options) -> (Gathered, Holds) {
        let of_devices = FROM_DEVICES.contains(&source.name);
        if !of_devices && !FROM_FILES.contains(&source.name) {
            let host = self.host.clone();
            return self.run(source, host);
        }
        let (host, inputs) = self.host.watched(of_devices);
        let (gathered, mut holds) = self.run(source, host);
        // What went wrong for the moment may go well at the next check-in.
        let passing = |note: &Note| matches!(note.kind, NoteKind::Failed | NoteKind::TimedOut);
        if matches!(holds, Holds::Once)
            && !gathered.notes.iter().any(passing)
            && let Ok(mut inputs) = inputs.lock()
            && inputs.are_settled(options.now)
        {
            holds = Holds::WhileUnchanged(std::mem::take(&mut *inputs));
        }
        (gathered, holds)
    }

    fn run(&mut self, source: &Source, host: Host) -> (Gathered, Holds) {
        let gather = source.gather;
        let (ended, meter) = self.measured(source.name, host, gather);
        let note = match ended {
            Ended::Done(gathered) => match meter.over() {
                None => return (gathered, Holds::Once),
                Some(over) => {
                    let mut cut = Gathered::absent(over.note().from_source(source.name));
                    // Of this list alone a part is better than nothing: what is missing from one of
                    // its sources is never taken for removed.
                    cut.section = gathered.section.filter(|section| section.name() == "software");
                    return (cut, Holds::UntilFullLook);
                }
            },
            Ended::Broken(why) => Note::new(NoteKind::Failed)
                .with_detail(format!("the source stopped because of a mistake in it: {why}")),
            Ended::TimedOut => Note::new(NoteKind::TimedOut)
                .with_detail("it did not end in time, perhaps because a disk or mount hangs"),
        };
        (Gathered::absent(note.from_source(source.name)), Holds::Once)
    }

    /// Runs a job on the computer under the budget and writes down what it cost.
    fn measured<T: Send + 'static>(
        &mut self,
        name: &'static str,
        host: Host,
        job: impl FnOnce(&Host) -> T + Send + 'static,
    ) -> (Ended<T>, Arc<Meter>) {
        let meter = Arc::new(if self.with_paths {
            Meter::with_paths(self.budget)
        } else {
            Meter::new(self.budget)
        });
        let host = host.metered(Arc::clone(&meter));
        let watch = Stopwatch::start();
        let counts = Arc::clone(&meter);
        let ended = self.workers.run(name, move || {
            counts.begin();
            let told = job(&host);
            (told, counts.cpu())
        });
        let micros =
            |span: std::time::Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let (ended, cpu_us) = match ended {
            Ended::Done((told, cpu)) => (Ended::Done(told), micros(cpu)),
            Ended::Broken(why) => (Ended::Broken(why), 0),
            Ended::TimedOut => (Ended::TimedOut, 0),
        };
        let wall_us = micros(watch.elapsed());
        let read_bytes = meter.read_bytes();
        // To ask costs as much as a small source, which adds nothing to speak of.
        let is_small = cpu_us < SMALL_CPU_US && read_bytes < SMALL_READ_BYTES;
        let peak = if is_small { self.peak_rss_bytes } else { peak_rss_bytes() };
        let peak_before = std::mem::replace(&mut self.peak_rss_bytes, peak);
        let rss_growth_bytes = peak.saturating_sub(peak_before);
        let cost = SourceCost { cpu_us, wall_us, read_bytes, rss_growth_bytes };
        self.costs.insert(name.to_owned(), cost);
        if self.with_paths {
            self.paths.insert(name, meter.paths());
        }
        (ended, meter)
    }

    fn vitals(&mut self) -> Vitals {
        let host = self.host.clone();
        match self.measured(VITALS, host, vitals::vitals).0 {
            Ended::Done(vitals) => vitals,
            Ended::Broken(why) => {
                tracing::error!(why, "the vitals could not be read because of a mistake");
                Vitals::default()
            }
            Ended::TimedOut => {
                tracing::warn!("the vitals did not come in time; a disk or mount may hang");
                Vitals::default()
            }
        }
    }
}

/// Why a system has no source for a section, where that was decided.
fn why_without_source(name: &str, system: Option<Platform>) -> Option<&'static str> {
    let found = DECIDED.iter().find(|(section, on, _)| *section == name && Some(*on) == system);
    found.map(|(_, _, why)| *why)
}

/// Puts together what the sources of one section said.
fn together(name: &str, answers: Vec<(&'static str, Arc<Gathered>)>) -> Found {
    let asked = !answers.is_empty();
    let (mut whole, mut notes): (Option<Section>, Vec<Note>) = (None, Vec::new());
    for (source, gathered) in answers {
        notes.extend(gathered.notes.iter().map(|note| match note.source {
            Some(_) => note.clone(),
            None => note.clone().from_source(source),
        }));
        let Some(section) = gathered.section.clone() else { continue };
        let (section, refused) = match whole.take() {
            Some(before) => merge::put_together(before, section),
            None => (section, None),
        };
        whole = Some(section);
        notes.extend(
            refused.map(|why| Note::new(NoteKind::Failed).from_source(source).with_detail(why)),
        );
    }
    if let Some(section) = whole.take() {
        let (section, note) = merge::tidy(section);
        whole = Some(section);
        notes.extend(note);
    } else if notes.is_empty() {
        let note = Note::new(if asked { NoteKind::NotFound } else { NoteKind::Unsupported });
        notes.push(match why_without_source(name, Platform::CURRENT).filter(|_| !asked) {
            Some(why) => note.with_detail(why),
            None => note,
        });
    }
    Found::new(whole, notes)
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
mod tests {
    use rollcall_shared::section::{Disk, Memory};

    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::source::Privilege;

    const ALL: &[Platform] = &[Platform::Linux, Platform::Windows, Platform::Macos];

    fn source(name: &'static str, section: &'static str, gather: fn(&Host) -> Gathered) -> Source {
        Source {
            name,
            section,
            about: "test",
            platforms: ALL,
            privilege: Privilege::User,
            programs: &[],
            gather,
        }
    }

    fn disk(name: &str) -> Disk {
        Disk { name: name.to_owned(), ..Disk::default() }
    }

    fn look(sources: &[Source], options: &Options) -> Gathering {
        let host = Host::at("/nonexistent-root");
        Observer::with(sources.to_vec(), host, BUDGET).look(options)
    }

    #[test]
    fn a_panic_becomes_a_note_and_the_others_are_kept() {
        let sources = [
            source("good", "storage", |_| Gathered::of(Section::Storage(vec![disk("sdb")]))),
            source("bad", "storage", |_| panic!("index out of bounds")),
            source("more", "storage", |_| {
                Gathered::of(Section::Storage(vec![disk("sda"), disk("sdb")]))
            }),
        ];
        let gathering = look(&sources, &Options::default());
        let found = &gathering.sections["storage"];
        let disks = Section::Storage(vec![disk("sda"), disk("sdb")]);
        assert_eq!(found.section.as_deref(), Some(&disks));
        assert_eq!(found.notes.len(), 1);
        assert_eq!(found.notes[0].kind, NoteKind::Failed);
        assert_eq!(found.notes[0].source.as_deref(), Some("bad"));
        assert!(found.notes[0].detail.as_ref().unwrap().contains("index out of bounds"));
    }

    #[test]
    fn a_section_switched_off_is_not_looked_at() {
        let sources = [source("never", "memory", |_| panic!("looked"))];
        let options = Options { sections_off: vec!["memory".to_owned()], ..Options::default() };
        let gathering = look(&sources, &options);
        let found = &gathering.sections["memory"];
        assert_eq!(found.section, None);
        assert_eq!(found.notes, vec![Note::new(NoteKind::SwitchedOff)]);
    }

    #[test]
    fn every_section_has_a_body_or_a_note() {
        let sources = [
            source("memory", "memory", |_| Gathered::of(Section::Memory(Memory::default()))),
            source("none", "battery", |_| Gathered::nothing()),
        ];
        let gathering = look(&sources, &Options::default());
        assert_eq!(gathering.sections.len(), SECTIONS.len());
        for (name, found) in &gathering.sections {
            assert!(found.section.is_some() || !found.notes.is_empty(), "{name}");
        }
        assert_eq!(gathering.sections["battery"].notes[0].kind, NoteKind::NotFound);
        assert_eq!(gathering.sections["cpu"].notes[0].kind, NoteKind::Unsupported);
    }

    #[test]
    fn a_section_that_was_decided_against_says_why() {
        for (name, system, why) in DECIDED {
            let note = why_without_source(name, Some(*system));
            assert_eq!(note, Some(*why));
            let read = |source: &&Source| source.platforms.contains(system);
            assert!(!SOURCES.iter().filter(read).any(|source| source.section == *name), "{name}");
            assert!(SECTIONS.iter().any(|info| info.name == *name), "{name}");
        }
        assert_eq!(why_without_source("container", Some(Platform::Linux)), None);
        assert_eq!(why_without_source("cpu", None), None);
    }

    #[test]
    fn a_source_that_hangs_leaves_a_note_and_the_others_are_kept() {
        let sources = vec![
            source("hangs", "volume", |_| {
                loop {
                    std::thread::park();
                }
            }),
            source("good", "storage", |_| Gathered::of(Section::Storage(vec![disk("sda")]))),
        ];
        let host = Host::at("/nonexistent-root");
        let budget = Budget { wall: Duration::from_millis(50), ..BUDGET };
        let mut observer = Observer::with(sources, host, budget);
        for _ in 0..2 {
            let gathering = observer.look(&Options::default());
            assert_eq!(gathering.sections["volume"].notes[0].kind, NoteKind::TimedOut);
            assert_eq!(gathering.sections["volume"].notes[0].source.as_deref(), Some("hangs"));
            assert!(gathering.sections["storage"].section.is_some());
        }
    }

    #[test]
    fn a_source_over_its_budget_is_cut_short_and_left_out_until_the_next_full_look() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c", "d"] {
            std::fs::write(folder.path().join(name), vec![b'x'; 1000]).unwrap();
        }
        let sources = vec![
            source("greedy", "storage", |host| {
                ASKED.fetch_add(1, Ordering::SeqCst);
                let read = ["a", "b", "c", "d"].iter().filter(|name| host.read(name).is_ok());
                Gathered::of(Section::Storage(vec![disk(&format!("{} files", read.count()))]))
            }),
            source("modest", "memory", |host| {
                host.read_text("a").unwrap();
                Gathered::of(Section::Memory(Memory::default()))
            }),
        ];
        let budget = Budget { read_bytes: 2_500, ..BUDGET };
        let mut observer = Observer::with(sources, Host::at(folder.path()), budget);
        let gathering = observer.look(&Options::default());
        let greedy = &gathering.sections["storage"];
        assert_eq!(greedy.section, None, "half of a list looks like a loss");
        assert_eq!(greedy.notes[0].kind, NoteKind::Failed);
        assert_eq!(greedy.notes[0].source.as_deref(), Some("greedy"));
        assert!(greedy.notes[0].detail.as_ref().unwrap().contains("cut short"));
        assert!(gathering.sections["memory"].section.is_some(), "the others have their own");
        let read = gathering.cost.sources["greedy"].read_bytes;
        assert!((2_501..=3_000).contains(&read), "it stopped at once: {read}");
        assert_eq!(gathering.cost.sources["modest"].read_bytes, 1_000);
        assert!(gathering.cost.read_bytes >= read + 1_000);

        let again = observer.look(&Options::default());
        assert_eq!(again.sections["storage"].notes, greedy.notes);
        assert!(!again.cost.sources.contains_key("greedy"));
        assert_eq!(ASKED.load(Ordering::SeqCst), 1, "it was not asked again");
        observer.look(&Options { full: true, ..Options::default() });
        assert_eq!(ASKED.load(Ordering::SeqCst), 2);
    }
}
