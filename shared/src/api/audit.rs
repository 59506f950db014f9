//! The audit log: who did what, to what, and when.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::time::Timestamp;

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditLine {
    /// Its number: dense, so that one that is missing leaves a gap.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who: a person, an API token with its owner, or a part of the collector.
    pub actor: String,
    /// What was done, one word, e.g. `device_retired`.
    pub action: String,
    /// To what.
    pub object: String,
    /// In words.
    pub detail: String,
    /// Its hash, over itself and all entries before it.
    pub hash: Digest,
}

/// Which entries of the audit log are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditFilter {
    /// From this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Timestamp>,
    /// A part of who did it, in any case of letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// What was done, as the word says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// A part of what it was done to, in any case of letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows of a page, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 500)))]
    pub limit: Option<u32>,
}

/// What an export was, and where the audit log stood: stands in a JSON export itself, and beside a
/// CSV export under the address of its `Link` header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExportReceipt {
    /// The file, e.g. `devices.csv`.
    pub file: String,
    /// What was asked for.
    pub asked: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Who asked.
    pub made_by: String,
    /// Number of the export's own entry in the audit log.
    pub audit_entry: i64,
    /// That entry's hash. `rollcall audit verify --kept ENTRY:HASH` tells whether the log still has
    /// it and everything before it.
    pub audit_hash: Digest,
    /// What the file was when it was whole; never in the file itself. Absent while the export goes
    /// on, and for one that broke off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<ExportEnd>,
}

/// The whole file of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExportEnd {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its bytes, as `sha256sum` prints it.
    pub sha256: Digest,
    /// When its last byte was made.
    pub ended_at: Timestamp,
}

impl ExportEnd {
    /// As the audit log says it, e.g. `devices.csv, 4096 bytes, SHA-256 9f86…`.
    pub fn words(&self, file: &str) -> String {
        format!("{file}, {} bytes, SHA-256 {}", self.bytes, self.sha256)
    }

    /// Reads what [`ExportEnd::words`] wrote.
    pub fn read(words: &str, ended_at: Timestamp) -> Option<Self> {
        let (rest, sha256) = words.rsplit_once(" bytes, SHA-256 ")?;
        let bytes = rest.rsplit_once(", ")?.1.parse().ok()?;
        Some(Self { bytes, sha256: sha256.parse().ok()?, ended_at })
    }
}
