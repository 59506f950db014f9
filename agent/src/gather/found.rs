//! What was found for one section, put together from all its sources.

use std::sync::Arc;

use rollcall_shared::report::SectionState;
use rollcall_shared::section::Section;
use rollcall_shared::{Note, NoteKind};

use crate::merge;
use crate::report;
use crate::source::Gathered;

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

/// Puts together what the sources of one section said.
pub(super) fn together(answers: Vec<(&'static str, Arc<Gathered>)>) -> Found {
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
        notes.push(Note::new(if asked { NoteKind::NotFound } else { NoteKind::Unsupported }));
    }
    Found::new(whole, notes).prepared()
}
