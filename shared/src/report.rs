//! A report: one complete observation of a computer, as a check-in carries it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::digest::Digest;
use crate::identity::HardwareIds;
use crate::note::Note;
use crate::section::Section;
use crate::section::software::SoftwareChange;
use crate::time::Timestamp;

/// The body of `POST /agent/v1/check-in`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckIn {
    /// Names this report (a `UUIDv7`). Sent again, it has no second effect.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub report_id: Uuid,
    /// Grows by one with every new report of a device.
    pub seq: u64,
    /// When the computer was looked at, by its own clock.
    pub observed_at: Timestamp,
    /// When this was sent, by the computer's own clock; the collector learns the clock's error.
    pub sent_at: Timestamp,
    /// Which agent looked.
    pub agent: AgentInfo,
    /// What the hardware says of itself.
    #[serde(default)]
    pub hardware_ids: HardwareIds,
    /// The numbers that move all the time.
    #[serde(default)]
    pub vitals: Vitals,
    /// Every section by name: its digest with or without the body, or a note.
    pub sections: BTreeMap<String, SectionState>,
    /// What looking cost.
    #[serde(default)]
    pub cost: Cost,
    /// Older reports that the spool had to give up since the last acknowledged one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_reports: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One section in a check-in: a digest with or without its body, or notes that say why there is
/// none. Notes beside a digest name sources of the section that gave nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SectionState {
    /// SHA-256 over exactly the bytes of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The body as serialised once by the agent; absent when the collector holds it already. Shared
    /// by all reports that say the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub body: Option<Arc<RawValue>>,
    /// In place of a body, in `software` only: how the list differs from an acknowledged one. The
    /// digest is that of the whole list all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<SoftwareChange>,
    /// Why there is no body, or what is missing from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

impl SectionState {
    /// A section with its body and the digest over it.
    pub fn with_body(body: Box<RawValue>) -> Self {
        Self {
            digest: Some(Digest::of(body.get().as_bytes())),
            body: Some(body.into()),
            ..Self::default()
        }
    }

    /// A typed section, serialised once.
    pub fn collected(section: &Section) -> serde_json::Result<Self> {
        Ok(Self::with_body(section.to_json()?))
    }

    /// An absent section and why.
    pub fn absent(note: Note) -> Self {
        Self { notes: vec![note], ..Self::default() }
    }
}

/// The program that looked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentInfo {
    /// Its version, e.g. `0.3.0`.
    pub version: String,
    /// What it was built for, e.g. `x86_64-unknown-linux-gnu`.
    pub target: String,
    /// Whether it runs with administrator rights.
    #[serde(default)]
    pub privileged: bool,
}

/// What one look at the computer cost, measured by the agent itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cost {
    /// Processor time in milliseconds.
    #[serde(default)]
    pub cpu_ms: u64,
    /// Largest resident memory in bytes.
    #[serde(default)]
    pub peak_rss_bytes: u64,
    /// Time from start to end in milliseconds.
    #[serde(default)]
    pub wall_ms: u64,
    /// Bytes read from files.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub read_bytes: u64,
    /// What each source cost that was asked, by its name. Those whose files did not change were
    /// not asked and are not named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, SourceCost>,
}

/// What one source cost in one look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SourceCost {
    /// Processor time in microseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cpu_us: u64,
    /// Time from start to end in microseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wall_us: u64,
    /// Bytes read from files.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub read_bytes: u64,
    /// By how much it raised the largest resident memory of the agent, in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rss_growth_bytes: u64,
}

/// The numbers that move all the time: the latest value counts, their past is not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Vitals {
    /// When the computer was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booted_at: Option<Timestamp>,
    /// Free space of the mounted file systems, sorted by mount point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<VolumeSpace>,
    /// Memory that programs can still get, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_available_bytes: Option<u64>,
    /// Charge of the batteries, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batteries: Vec<BatteryCharge>,
    /// Who is signed in, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<Session>,
    /// Whether a restart is waited for; absent when it could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot: Option<Reboot>,
    /// When the package manager last refreshed its lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_lists_at: Option<Timestamp>,
    /// Last full upgrade, for rolling systems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_upgrade_at: Option<Timestamp>,
}

/// Free space of one file system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VolumeSpace {
    /// Mount point or drive letter, as in the `volume` section.
    pub point: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Space that ordinary programs can still use, in bytes.
    pub available_bytes: u64,
}

/// Charge of one battery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BatteryCharge {
    /// Name, as in the `battery` section.
    pub name: String,
    /// Charge in percent of today's full capacity.
    pub percent: u8,
    /// Whether it is being charged.
    pub charging: bool,
}

/// One person signed in now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    /// Sign-in name.
    pub user: String,
    /// Terminal or seat, e.g. `tty2`, `pts/0`, `seat0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    /// Where from, for remote sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_host: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// Whether a restart is waited for, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reboot {
    /// A restart is waited for.
    pub pending: bool,
    /// Why, e.g. `linux-image-6.1.0-38-amd64`, `running 6.1.0-37, newest installed 6.1.0-38`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// The answer to a check-in that was understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckInAnswer {
    /// The report this answers; an answer that does not name it is not the collector's.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub report_id: Uuid,
    /// The report is durably stored.
    pub stored: bool,
    /// It was stored before.
    #[serde(default)]
    pub duplicate: bool,
    /// Sections whose bodies the collector holds from no device; send the report again with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub want: Vec<String>,
    /// The collector's clock.
    pub server_time: Timestamp,
    /// Set when the computer was turned back to an older state: the number to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_seq: Option<u64>,
    /// How the agent shall behave.
    #[serde(default)]
    pub settings: Settings,
}

/// All that a collector may tell an agent: clamped numbers and section names to leave out.
/// There are no commands, paths, addresses or names in it, and never will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Settings {
    /// Seconds between check-ins, from 60 to 86 400.
    pub check_in_interval_s: u32,
    /// Seconds between full looks, from 900 to 604 800.
    pub scan_interval_s: u32,
    /// Sections not to look at, e.g. `user`. Names that the agent does not know have no effect.
    pub sections_off: Vec<String>,
    /// Largest compressed request in bytes, from 65 536 to 4 194 304. A report that is larger goes
    /// without its largest sections.
    pub upload_limit_bytes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            check_in_interval_s: 900,
            scan_interval_s: 4 * 3600,
            sections_off: Vec::new(),
            upload_limit_bytes: limits::COMPRESSED_BYTES,
        }
    }
}

impl Settings {
    /// The same settings with every number moved into its allowed range and unknown section
    /// names dropped. Agents apply it to whatever a collector says.
    #[must_use]
    pub fn clamped(self) -> Self {
        let known = |name: &String| crate::section::SECTIONS.iter().any(|info| info.name == name);
        Self {
            check_in_interval_s: self.check_in_interval_s.clamp(60, 86_400),
            scan_interval_s: self.scan_interval_s.clamp(900, 604_800),
            sections_off: self.sections_off.into_iter().filter(known).collect(),
            upload_limit_bytes: self.upload_limit_bytes.clamp(65_536, limits::COMPRESSED_BYTES),
        }
    }
}

/// What a report may not exceed, on both sides of the wire.
pub mod limits {
    /// A request body as sent.
    pub const COMPRESSED_BYTES: u32 = 4 * 1024 * 1024;
    /// A request body unpacked.
    pub const DECOMPRESSED_BYTES: usize = 64 * 1024 * 1024;
    /// Rows of one section.
    pub const SECTION_ROWS: usize = 100_000;
    /// Software titles that no device had before which one device may bring in a day (UTC). The
    /// first computer of a fleet brings some thousands; later ones a handful. What is beyond is
    /// held back with a note and asked for again.
    pub const NEW_TITLES_A_DAY: u32 = 6_000;
    /// Bytes of one string; longer ones are cut and end in `…`.
    pub const STRING_BYTES: usize = 4096;
    /// Sections of one report, known or not.
    pub const SECTIONS: usize = 64;
    /// Sources whose cost one report tells.
    pub const SOURCES: usize = 256;
}

/// The JSON schema of a check-in with the body of every section this version knows.
#[cfg(feature = "schema")]
pub fn schema() -> schemars::Schema {
    /// A check-in, and what its section bodies look like.
    #[derive(schemars::JsonSchema)]
    #[schemars(title = "Rollcall report")]
    #[expect(dead_code, reason = "read by the schema generator only")]
    struct Report {
        /// The body of `POST /agent/v1/check-in`.
        check_in: CheckIn,
        /// The bodies of its sections, by name.
        section_bodies: crate::section::AllSections,
    }
    schemars::schema_for!(Report)
}
