//! Why a part of a report is absent. "Not there" and "could not look" are never the same value.

use serde::{Deserialize, Serialize};

/// Why a section, or one source of it, gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Note {
    /// The kind of absence.
    pub kind: NoteKind,
    /// The source that says so, as listed by `rollcall-agent sources`, e.g. `dpkg`, `smbios`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// One plain sentence for a person, e.g. `reading product_serial needs root`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The kinds of absence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// This system has no such thing or the agent cannot look for it here.
    Unsupported,
    /// It is there, but reading it needs administrator rights.
    NeedsPrivilege,
    /// The agent looked, and there is none.
    NotFound,
    /// The agent looked and something went wrong.
    Failed,
    /// The source took longer than it may.
    TimedOut,
    /// Switched off by the configuration of this computer or by the collector's settings.
    SwitchedOff,
    /// A kind that this version does not know.
    #[serde(untagged)]
    Other(String),
}

impl Note {
    /// A note of this kind without source and detail.
    pub fn new(kind: NoteKind) -> Self {
        Self { kind, source: None, detail: None }
    }

    /// Whether there may be something all the same: the source could not be read this time.
    pub fn leaves_open(&self) -> bool {
        matches!(self.kind, NoteKind::Failed | NoteKind::TimedOut | NoteKind::NeedsPrivilege)
    }

    /// The same note, naming its source.
    #[must_use]
    pub fn from_source(mut self, source: &str) -> Self {
        self.source = Some(source.to_owned());
        self
    }

    /// The same note with a sentence for a person.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}
