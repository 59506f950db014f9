//! What was found for one section, put together from all its sources.

use std::sync::Arc;

use rollcall_shared::report::SectionState;
use rollcall_shared::section::Section;
use rollcall_shared::{Note, NoteKind};

use crate::merge;
use crate::report;
use crate::source::{DECIDED, Gathered, Platform};

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

/// Why a system has no source for a section, where that was decided.
fn why_without_source(name: &str, system: Option<Platform>) -> Option<&'static str> {
    let found = DECIDED.iter().find(|(section, on, _)| *section == name && Some(*on) == system);
    found.map(|(_, _, why)| *why)
}

/// Puts together what the sources of one section said.
pub(super) fn together(name: &str, answers: Vec<(&'static str, Arc<Gathered>)>) -> Found {
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
    Found::new(whole, notes).prepared()
}

#[cfg(test)]
mod tests {
    use rollcall_shared::section::SECTIONS;

    use super::*;
    use crate::source::{SOURCES, Source};

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
}
