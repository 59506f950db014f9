//! Runs every source and puts together what they found. A failure becomes a note.
//!
//! It knows nothing of sending: digests, numbers and spools are the business of the caller.

use std::collections::BTreeMap;
use std::time::Duration;

use rollcall_shared::report::{Cost, Vitals};
use rollcall_shared::section::{SECTIONS, Section};
use rollcall_shared::{HardwareIds, Note, NoteKind, Timestamp};

use crate::clock::{self, Stopwatch};
use crate::hardware_ids;
use crate::host::Host;
use crate::inputs::Inputs;
use crate::merge;
use crate::source::{FROM_FILES, Gathered, Platform, SOURCES, Source, vitals};
use crate::worker::{Ended, Workers};

/// How long one source may take; a slow disk just after the start takes some of it.
const SOURCE_LIMIT: Duration = Duration::from_secs(60);

/// What the configuration and the collector's settings say about looking.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of sections not to look at, e.g. `user`.
    pub sections_off: Vec<String>,
    /// Look into the homes of people, for extensions of their browsers and editors.
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
    pub section: Option<Section>,
    /// Why there is none, or what is missing from it; each names its source.
    pub notes: Vec<Note>,
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
    /// Answers that stay true as long as their inputs do not change, by source.
    remembered: BTreeMap<&'static str, (Gathered, Inputs)>,
}

impl Observer {
    /// Has not looked yet.
    pub fn new(host: Host) -> Self {
        Self::with(SOURCES.to_vec(), host, SOURCE_LIMIT)
    }

    fn with(sources: Vec<Source>, host: Host, limit: Duration) -> Self {
        Self { host, sources, workers: Workers::new(limit), remembered: BTreeMap::new() }
    }

    /// Looks at everything that is not switched off.
    pub fn look(&mut self, options: &Options) -> Gathering {
        self.host = self.host.clone().with_homes(options.home_folders);
        let watch = Stopwatch::start();
        let cpu_before_ms = clock::process_cpu_ms();
        let is_off = |name: &str| options.sections_off.iter().any(|off| off == name);

        let mut sections = BTreeMap::new();
        for info in SECTIONS {
            let found = if is_off(info.name) {
                Found { section: None, notes: vec![Note::new(NoteKind::SwitchedOff)] }
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
        Gathering {
            sections,
            vitals,
            hardware_ids,
            cost: Cost {
                cpu_ms: clock::process_cpu_ms().saturating_sub(cpu_before_ms),
                peak_rss_bytes: peak_rss_bytes(),
                wall_ms: watch.elapsed_ms(),
            },
        }
    }

    /// Asks the sources of one section.
    fn section(&mut self, name: &str, options: &Options) -> Found {
        let mut found = Found::default();
        let here: Vec<Source> = self
            .sources
            .iter()
            .filter(|source| source.section == name)
            .filter(|source| Platform::CURRENT.is_some_and(|now| source.platforms.contains(&now)))
            .copied()
            .collect();
        for source in &here {
            let gathered = self.ask(source, options);
            found.notes.extend(gathered.notes.into_iter().map(|note| match note.source {
                Some(_) => note,
                None => note.from_source(source.name),
            }));
            let Some(section) = gathered.section else { continue };
            let (section, refused) = match found.section.take() {
                Some(before) => merge::put_together(before, section),
                None => (section, None),
            };
            found.section = Some(section);
            found.notes.extend(
                refused.map(|why| {
                    Note::new(NoteKind::Failed).from_source(source.name).with_detail(why)
                }),
            );
        }
        if let Some(section) = found.section.take() {
            let (section, note) = merge::tidy(section);
            found.section = Some(section);
            found.notes.extend(note);
        } else if found.notes.is_empty() {
            let kind = if here.is_empty() { NoteKind::Unsupported } else { NoteKind::NotFound };
            found.notes.push(Note::new(kind));
        }
        found
    }

    /// What a source says, asked only if its answer may be another than last time.
    fn ask(&mut self, source: &Source, options: &Options) -> Gathered {
        if !FROM_FILES.contains(&source.name) {
            let host = self.host.clone();
            return self.run(source, host);
        }
        if let Some((gathered, inputs)) = self.remembered.get(source.name)
            && !options.full
            && self.host.is_unchanged(inputs)
        {
            return gathered.clone();
        }
        self.remembered.remove(source.name);
        let (host, inputs) = self.host.watched();
        let gathered = self.run(source, host);
        // What went wrong for the moment may go well at the next check-in.
        let passing = |note: &Note| matches!(note.kind, NoteKind::Failed | NoteKind::TimedOut);
        if !gathered.notes.iter().any(passing)
            && let Ok(mut inputs) = inputs.lock()
            && inputs.are_settled(options.now)
        {
            let inputs = std::mem::take(&mut *inputs);
            self.remembered.insert(source.name, (gathered.clone(), inputs));
        }
        gathered
    }

    fn run(&mut self, source: &Source, host: Host) -> Gathered {
        let gather = source.gather;
        let note = match self.workers.run(source.name, move || gather(&host)) {
            Ended::Done(gathered) => return gathered,
            Ended::Broken(why) => Note::new(NoteKind::Failed)
                .with_detail(format!("the source stopped because of a mistake in it: {why}")),
            Ended::TimedOut => Note::new(NoteKind::TimedOut)
                .with_detail("it did not end in time, perhaps because a disk or mount hangs"),
        };
        Gathered::absent(note.from_source(source.name))
    }

    fn vitals(&mut self) -> Vitals {
        let host = self.host.clone();
        match self.workers.run("vitals", move || vitals::vitals(&host)) {
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

fn body<'a>(sections: &'a BTreeMap<&'static str, Found>, name: &str) -> Option<&'a Section> {
    sections.get(name)?.section.as_ref()
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

/// The largest resident memory of this process; 0 where the system does not say.
fn peak_rss_bytes() -> u64 {
    let status = Host::live().read_text("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use rollcall_shared::section::{Disk, Memory};

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
        Observer::with(sources.to_vec(), host, SOURCE_LIMIT).look(options)
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
        assert_eq!(found.section, Some(Section::Storage(vec![disk("sda"), disk("sdb")])));
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
        let mut observer = Observer::with(sources, host, Duration::from_millis(50));
        for _ in 0..2 {
            let gathering = observer.look(&Options::default());
            assert_eq!(gathering.sections["volume"].notes[0].kind, NoteKind::TimedOut);
            assert_eq!(gathering.sections["volume"].notes[0].source.as_deref(), Some("hangs"));
            assert!(gathering.sections["storage"].section.is_some());
        }
    }
}
