//! Findings: open facts against a policy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::identity::DeviceId;
use crate::time::Timestamp;

/// One finding with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// Its number.
    pub id: i64,
    /// The device.
    pub device_id: DeviceId,
    /// Its host name.
    pub hostname: String,
    /// The rule, e.g. `os_end_of_life`.
    pub rule: String,
    /// The rule in words, e.g. "Operating system is past its end of life".
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// Open, waived or closed.
    pub state: FindingState,
    /// Since when it holds.
    pub since: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// What on the device, e.g. the volume `/home`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The value found, for people, e.g. "Ubuntu 20.04".
    pub value: String,
    /// What it was held against, e.g. "supported until 2025-05-31".
    pub threshold: String,
    /// Where the knowledge comes from, e.g. "endoflife.date facts", "this computer's apt".
    pub source: String,
    /// The date of that source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_date: Option<Timestamp>,
    /// What to do now.
    pub next_step: String,
    /// The very values used.
    pub evidence: BTreeMap<String, serde_json::Value>,
    /// Who waived it, why, until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<Waiver>,
}

/// A person's word that a finding is known and accepted for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Waiver {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Timestamp,
}

/// Which findings a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingFilter {
    /// Of this rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Of this severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// In this state; open when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<FindingState>,
    /// Words to find in host name, subject and value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Open then.
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

/// How many findings of a rule are open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RuleCount {
    /// The rule.
    pub rule: String,
    /// In words.
    pub title: String,
    /// The worst among them.
    pub severity: Severity,
    /// How many devices.
    pub open: u64,
}

/// The body that waives a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WaiveRequest {
    /// Why, at least three characters.
    pub reason: String,
    /// Until when; 90 days when absent, at most a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Act today.
    Critical,
    /// Plan to act.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// All of them, in order.
    pub const ALL: &[Self] = &[Self::Critical, Self::Warning, Self::Info];

    /// The word on the wire, in the store and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}

/// Where a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// Holds now.
    Open,
    /// Holds, and a person accepted it for a time.
    Waived,
    /// Ended.
    Closed,
}

impl FindingState {
    /// All of them, in order.
    pub const ALL: &[Self] = &[Self::Open, Self::Waived, Self::Closed];

    /// The word on the wire, in the store and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waived => "waived",
            Self::Closed => "closed",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}
