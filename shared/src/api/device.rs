//! Devices: the list, one of them, its past.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::finding::{Finding, Severity};
use crate::api::unit::UnitFrom;
use crate::identity::{DeviceId, HardwareIds};
use crate::note::Note;
use crate::report::{AgentInfo, Cost, Vitals};
use crate::section::Software;
use crate::time::Timestamp;

/// One device as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceSummary {
    /// Its id.
    pub id: DeviceId,
    /// Host name of its last report.
    pub hostname: String,
    /// What kind of device, which decides when it counts as missing.
    pub class: DeviceClass,
    /// Whether it reports in time.
    pub presence: Presence,
    /// Last check-in by the collector's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
    /// First contact.
    pub enrolled_at: Timestamp,
    /// Operating system for people, empty before the first report.
    pub os_name: String,
    /// Maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The person seen on it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// That person's name, where the computer knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_full_name: Option<String>,
    /// Its IP addresses without prefix length, loopback and link-local left out.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Site it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_from: Option<UnitFrom>,
    /// Department it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department_from: Option<UnitFrom>,
    /// Asset tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset_tag: Option<String>,
    /// Version of its agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// Titles installed.
    pub software_count: u64,
    /// Findings open and not waived.
    pub open_findings: u64,
    /// The worst of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_severity: Option<Severity>,
    /// Made by `--demo`: not a real computer.
    pub demo: bool,
}

/// Which devices a list shows; absent fields do not narrow it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceFilter {
    /// Words to find, as in the search box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Presence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<Presence>,
    /// Kind of device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<DeviceClass>,
    /// Operating system name, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Model, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Maker, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Site, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Department, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// The person seen on it last, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Has an open finding of this rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Has an open finding of this severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Only devices in service: neither taken out of it nor waiting for approval.
    #[serde(default)]
    pub in_service: bool,
    /// Support of its operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_support: Option<SupportState>,
    /// Has this title installed (name, exactly).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software: Option<String>,
    /// With `software`: in this version, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// With `software`: in a version below this one, compared as its source compares versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_below: Option<String>,
    /// That title from exactly this source, e.g. `dpkg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_source: Option<String>,
    /// Order of the list; by name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<DeviceSort>,
    /// From the other end.
    #[serde(default)]
    pub descending: bool,
    /// The list as it was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Where the page before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows a page, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 500)))]
    pub limit: Option<u32>,
}

/// One device with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceDetail {
    /// As in lists.
    pub summary: DeviceSummary,
    /// Its sections but `software`, which has a list of its own.
    pub sections: BTreeMap<String, SectionView>,
    /// The moving numbers of the last report; absent for a past moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vitals: Option<Vitals>,
    /// When they were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vitals_at: Option<Timestamp>,
    /// What the hardware says of itself.
    pub hardware_ids: HardwareIds,
    /// Its agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentInfo>,
    /// What the last look cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Open findings, worst first.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What its maker still does for its operating system; absent when it did not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_support: Option<OsSupport>,
    /// How the collector decided who this device is, newest first.
    #[serde(default)]
    pub decisions: Vec<IdentityDecision>,
    /// Set when this shows a past moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Its past is known from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_report_at: Option<Timestamp>,
    /// Its clock minus the collector's at the last check-in, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_error_ms: Option<i64>,
    /// What people wrote about it.
    pub notes_text: String,
}

/// What a maker still does for an operating system, judged at the moment the answer speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OsSupport {
    /// The verdict.
    pub state: SupportState,
    /// Name of the version for people, e.g. `Debian 12 (Bookworm)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The last day with support, where one is known; past for what has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What the extended support is called that this device lives on: `lts`, `esm`, `esu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended: Option<String>,
    /// Extended support that exists but was not seen on this device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_not_seen: Option<String>,
    /// Why it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The day of the facts that were used.
    pub facts_date: Timestamp,
}

/// Whether an operating system is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SupportState {
    /// Gets security updates.
    Supported,
    /// Gets them, but not for long.
    EndingSoon,
    /// Past its regular end, on extended support.
    Extended,
    /// Past its end.
    Ended,
    /// Rolling: never at its end.
    Rolling,
    /// Not told by the facts, or the device did not tell its system.
    Unknown,
}

impl SupportState {
    /// All of them, in order.
    pub const ALL: &[Self] = &[
        Self::Supported,
        Self::EndingSoon,
        Self::Extended,
        Self::Ended,
        Self::Rolling,
        Self::Unknown,
    ];

    /// The word on the wire and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::EndingSoon => "ending_soon",
            Self::Extended => "extended",
            Self::Ended => "ended",
            Self::Rolling => "rolling",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}

/// One section of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SectionView {
    /// The body as the agent sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<serde_json::Value>,
    /// When it last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// Why it is absent or what is missing.
    #[serde(default)]
    pub notes: Vec<Note>,
}

/// The software of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceSoftware {
    /// Its titles, sorted by name.
    #[serde(default)]
    pub items: Vec<Software>,
    /// Set when this shows a past moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
}

/// One decision about who a device is, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IdentityDecision {
    /// Its number, by which a person takes it back.
    #[serde(default)]
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What was decided.
    pub kind: DecisionKind,
    /// In words: which values agreed or differed.
    pub evidence: String,
    /// The other device it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_device: Option<DeviceId>,
    /// The person who decided, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When a person took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_at: Option<Timestamp>,
}

/// One person seen on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Person {
    /// Sign-in name.
    pub user: String,
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// First report that showed the person there.
    pub first_seen_at: Timestamp,
    /// Last sign-in or session known.
    pub last_seen_at: Timestamp,
}

/// What can be decided about who a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// A new device.
    Enrolled,
    /// A known device with a new key; the old key was revoked.
    ReImaged,
    /// Waits for a person: the evidence points at a known device.
    LooksLike,
    /// The same key spoke from two computers: one of them was refused until it has its own key.
    CloneSuspected,
    /// The same key spoke from two computers; this one got a key of its own.
    Cloned,
    /// The same computer went back to an older state.
    Reverted,
    /// Same key, some hardware identifiers differ.
    HardwareChanged,
    /// A person let it in.
    Approved,
    /// A person said it is the other device.
    Merged,
    /// A person or a re-imaging revoked its key.
    Revoked,
    /// A person took it out of service.
    Retired,
}

impl DecisionKind {
    /// All of them, in order.
    pub const ALL: &[Self] = &[
        Self::Enrolled,
        Self::ReImaged,
        Self::LooksLike,
        Self::CloneSuspected,
        Self::Cloned,
        Self::Reverted,
        Self::HardwareChanged,
        Self::Approved,
        Self::Merged,
        Self::Revoked,
        Self::Retired,
    ];

    /// Whether a person can take it back. Two records that became one, one that became two, and a
    /// key that was refused stay so.
    pub fn can_be_taken_back(self) -> bool {
        match self {
            Self::LooksLike
            | Self::Approved
            | Self::Retired
            | Self::CloneSuspected
            | Self::Reverted
            | Self::HardwareChanged => true,
            Self::Enrolled | Self::ReImaged | Self::Cloned | Self::Merged | Self::Revoked => false,
        }
    }

    /// The word on the wire, in the store and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::ReImaged => "re_imaged",
            Self::LooksLike => "looks_like",
            Self::CloneSuspected => "clone_suspected",
            Self::Cloned => "cloned",
            Self::Reverted => "reverted",
            Self::HardwareChanged => "hardware_changed",
            Self::Approved => "approved",
            Self::Merged => "merged",
            Self::Revoked => "revoked",
            Self::Retired => "retired",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}

/// Kinds of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeviceClass {
    /// Servers and virtual machines.
    Server,
    /// Computers that stay in place.
    Desktop,
    /// Computers that travel.
    Laptop,
    /// Anything else.
    Other,
}

impl DeviceClass {
    /// All of them, in order.
    pub const ALL: &[Self] = &[Self::Server, Self::Desktop, Self::Laptop, Self::Other];

    /// The word on the wire, in the store and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Desktop => "desktop",
            Self::Laptop => "laptop",
            Self::Other => "other",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}

/// Whether a device reports in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// In time.
    Fresh,
    /// Late, but within its limit.
    Stale,
    /// Gone past its limit.
    Missing,
    /// Waits for approval.
    Pending,
    /// Taken out of service by a person.
    Retired,
}

impl Presence {
    /// All of them, in order.
    pub const ALL: &[Self] =
        &[Self::Fresh, Self::Stale, Self::Missing, Self::Pending, Self::Retired];

    /// The word on the wire, in the store and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Missing => "missing",
            Self::Pending => "pending",
            Self::Retired => "retired",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}

/// Orders of the list of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeviceSort {
    /// By host name.
    Hostname,
    /// By last check-in.
    LastSeen,
    /// By operating system.
    Os,
    /// By maker and model.
    Model,
    /// By number of open findings.
    Findings,
}

impl DeviceSort {
    /// All of them, in order.
    pub const ALL: &[Self] =
        &[Self::Hostname, Self::LastSeen, Self::Os, Self::Model, Self::Findings];

    /// The word on the wire, in the store and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hostname => "hostname",
            Self::LastSeen => "last_seen",
            Self::Os => "os",
            Self::Model => "model",
            Self::Findings => "findings",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}
