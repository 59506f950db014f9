//! A report made ready for the writer: checked, parsed, packed; what is left needs the tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcall_shared::section::software::Mark;
use rollcall_shared::{Digest, Note, Timestamp};
use uuid::Uuid;

use super::device::{DeviceKey, DeviceRow, LastReport, SeenValue};
use super::title::{Title, TitleText};
use crate::codec::extra::{self, Extra};
use crate::codec::ids;

/// A report that was checked and needs only the tables now.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The device that sent it.
    pub device: DeviceKey,
    /// Names the report.
    pub report_id: Uuid,
    /// Digest of what it says; equal for a repetition.
    pub content: Digest,
    /// Digest of what the next report must say to be unchanged.
    pub fingerprint: Digest,
    /// All but the sections.
    pub report: LastReport,
    /// What it says of each section; sections it knows nothing new of are not in it.
    pub sections: BTreeMap<Arc<str>, PreparedSection>,
    /// Why sections are absent or incomplete, by section.
    pub notes: BTreeMap<String, Vec<Note>>,
}

/// What a report says of one section.
#[derive(Debug, Clone)]
pub enum PreparedSection {
    /// It has this content, whose body was not sent.
    Claimed(Digest),
    /// It has this text.
    Document {
        /// Digest by which the content is known.
        digest: Digest,
        /// The text as it is stored.
        text: String,
        /// The text packed.
        packed: Vec<u8>,
    },
    /// The software, title by title.
    Software {
        /// Digest by which the content is known.
        digest: Digest,
        /// Its titles.
        rows: TitleRows,
        /// Sources that could not be read this time: what they said before stays.
        unread: Vec<String>,
    },
    /// The software as it differs from a list that the device sent before.
    Changed {
        /// Digest by which the content is known.
        digest: Digest,
        /// What differs.
        change: TitleChange,
    },
    /// The agent looked, and there is none.
    Gone,
}

/// How a device's software differs from what it sent before.
#[derive(Debug, Clone)]
pub struct TitleChange {
    /// Digests, one of which the device's list must be known by.
    pub bases: [Digest; 2],
    /// Titles that are no more.
    pub gone: Vec<TitleText>,
    /// Titles that are new, or of which something else is.
    pub come: Vec<(TitleText, Extra)>,
    /// Of all titles after it.
    pub mark: Mark,
}

/// The titles of a device, looked up in the dictionary. Numbers never change, so what was found
/// holds whenever the report is written.
#[derive(Debug, Clone, Default)]
pub struct TitleRows {
    /// Those that have a number: sorted by it, each once.
    pub known: Vec<(u32, Extra)>,
    /// Those that had none.
    pub new: Vec<(TitleText, Extra)>,
    /// The columns as they are stored, when every title has a number.
    pub packed: Option<PackedTitles>,
}

/// The columns of the table of software.
#[derive(Debug, Clone)]
pub struct PackedTitles {
    pub(crate) titles: Vec<u8>,
    pub(crate) extra: Vec<u8>,
}

impl TitleRows {
    /// Sorts and packs what was found.
    pub(crate) fn of(mut known: Vec<(u32, Extra)>, new: Vec<(TitleText, Extra)>) -> Self {
        known.sort_by_key(|(id, _)| *id);
        known.dedup_by_key(|(id, _)| *id);
        let mut rows = Self { known, new, packed: None };
        if rows.new.is_empty() {
            let titles = ids::encode(&rows.numbers());
            let extra = extra::encode_all(rows.known.iter().map(|(_, extra)| extra));
            rows.packed = Some(PackedTitles { titles, extra });
        }
        rows
    }

    /// Titles that nobody looked up.
    pub(crate) fn unknown(rows: &[(TitleText, Extra)]) -> Self {
        Self { new: rows.to_vec(), ..Self::default() }
    }

    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.known.iter().map(|(id, _)| *id).collect()
    }
}

/// How the writer answers.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is durably stored.
    Stored(Box<Applied>),
    /// It was stored before.
    Duplicate,
    /// An older report arrived after a newer one: it was taken, the state is the newer one's.
    Late,
    /// These sections must be sent with their bodies. Nothing was stored.
    Want(Vec<String>),
    /// The same id came with other content. Nothing was stored.
    Conflict,
    /// The numbers fork while the hardware differs. Nothing was stored.
    CloneSuspected {
        /// Which values differ.
        evidence: String,
    },
}

/// What a stored report made of the device.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The device as it is now.
    pub row: DeviceRow,
    /// Its sorted titles.
    pub titles: Arc<[u32]>,
    /// Titles that nobody had before this batch of reports.
    pub new_titles: Arc<[Title]>,
    /// Values it was seen with, where its documents were read.
    pub values: Vec<SeenValue>,
    /// The moment it stands at in the history.
    pub at: Timestamp,
    /// The report without its sections.
    pub report: LastReport,
    /// The texts of the sections that rules look at; absent where one of them is damaged.
    pub judged: Option<BTreeMap<String, String>>,
    /// Set when the computer was turned back: the number to go on from.
    pub next_seq: Option<u64>,
}
