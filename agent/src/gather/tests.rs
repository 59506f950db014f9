//! One look: what becomes of what its sources say, and of those that fail.

use rollcall_shared::section::{Disk, Memory};

use std::sync::atomic::{AtomicUsize, Ordering};

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
