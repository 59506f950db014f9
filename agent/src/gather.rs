//! Runs every source and puts together what they found. A failure becomes a note.
//!
//! It knows nothing of sending: digests, numbers and spools are the business of the caller.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rollcall_shared::report::{Cost, Vitals};
use rollcall_shared::section::{SECTIONS, Section};
use rollcall_shared::{HardwareIds, Note, NoteKind};

use crate::clock::{self, Stopwatch};
use crate::hardware_ids;
use crate::host::Host;
use crate::merge;
use crate::source::{Gathered, Platform, SOURCES, Source, vitals};

/// What the configuration and the collector's settings say about looking.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of sections not to look at, e.g. `user`.
    pub sections_off: Vec<String>,
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

/// Looks at everything that is not switched off.
pub fn gather(host: &Host, options: &Options) -> Gathering {
    gather_from(SOURCES, host, options)
}

fn gather_from(sources: &[Source], host: &Host, options: &Options) -> Gathering {
    let watch = Stopwatch::start();
    let cpu_before_ms = clock::process_cpu_ms();
    let is_off = |name: &str| options.sections_off.iter().any(|off| off == name);

    let mut sections = BTreeMap::new();
    for info in SECTIONS {
        let found = if is_off(info.name) {
            Found { section: None, notes: vec![Note::new(NoteKind::SwitchedOff)] }
        } else {
            look(info.name, sources, host)
        };
        sections.insert(info.name, found);
    }

    let hardware_ids = hardware_ids::from_sections(
        body(&sections, "system"),
        body(&sections, "network"),
        host.value("/etc/machine-id").as_deref(),
    );
    let vitals = without_switched_off(vitals::vitals(host), is_off);
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

fn body<'a>(sections: &'a BTreeMap<&'static str, Found>, name: &str) -> Option<&'a Section> {
    sections.get(name)?.section.as_ref()
}

/// Runs the sources of one section.
fn look(name: &str, sources: &[Source], host: &Host) -> Found {
    let mut found = Found::default();
    let here = sources
        .iter()
        .filter(|source| source.section == name)
        .filter(|source| Platform::CURRENT.is_some_and(|now| source.platforms.contains(&now)));
    let mut looked = false;
    for source in here {
        looked = true;
        let gathered = run(source, host);
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
            refused
                .map(|why| Note::new(NoteKind::Failed).from_source(source.name).with_detail(why)),
        );
    }
    if let Some(section) = found.section.take() {
        let (section, note) = merge::tidy(section);
        found.section = Some(section);
        found.notes.extend(note);
    } else if found.notes.is_empty() {
        let kind = if looked { NoteKind::NotFound } else { NoteKind::Unsupported };
        found.notes.push(Note::new(kind));
    }
    found
}

fn run(source: &Source, host: &Host) -> Gathered {
    catch_unwind(AssertUnwindSafe(|| (source.gather)(host))).unwrap_or_else(|panic| {
        let why = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no reason was given".to_owned());
        Gathered::absent(
            Note::new(NoteKind::Failed)
                .from_source(source.name)
                .with_detail(format!("the source stopped because of a mistake in it: {why}")),
        )
    })
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

    fn nowhere() -> Host {
        Host::at("/nonexistent-root")
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
        let gathering = gather_from(&sources, &nowhere(), &Options::default());
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
        let options = Options { sections_off: vec!["memory".to_owned()] };
        let gathering = gather_from(&sources, &nowhere(), &options);
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
        let gathering = gather_from(&sources, &nowhere(), &Options::default());
        assert_eq!(gathering.sections.len(), SECTIONS.len());
        for (name, found) in &gathering.sections {
            assert!(found.section.is_some() || !found.notes.is_empty(), "{name}");
        }
        assert_eq!(gathering.sections["battery"].notes[0].kind, NoteKind::NotFound);
        assert_eq!(gathering.sections["cpu"].notes[0].kind, NoteKind::Unsupported);
    }
}
