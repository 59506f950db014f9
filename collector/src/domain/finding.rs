//! Findings: what a flag is, which rules there are, and how flags become findings over time.
//!
//! A flag says what holds now; values in it are absolute (dates, not ages), so that it stays equal
//! to itself while nothing but time passes. The rules themselves are in `rule`.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::DeviceClass;
use rollcall_shared::api::finding::Severity;
use rollcall_shared::report::{AgentInfo, Vitals};
use rollcall_shared::section::{Os, Update, Volume};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::facts::Facts;
use super::policy::Policy;
use super::rule;
use super::waiting::Waiting;

macro_rules! rules {
    ($( $variant:ident $word:literal $title:literal, )*) => {
        /// The rules, in the order in which pages list them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Rule {
            $( #[doc = $title] $variant, )*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$( Self::$variant, )*];

            /// The word in the store, on the wire and in addresses.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }

            /// The rule in words.
            pub fn title(self) -> &'static str {
                match self { $( Self::$variant => $title, )* }
            }

            /// Reads the word; `None` for any other.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $( $word => Some(Self::$variant), )* _ => None }
            }
        }
    };
}

rules! {
    CloneSuspected "clone_suspected" "Two computers use the same device key",
    OsEndOfLife "os_end_of_life" "Operating system is past its end of life",
    DiskNearlyFull "disk_nearly_full" "A volume is nearly full",
    Missing "missing" "Device has not checked in for too long",
    SecurityUpdatesPending "security_updates_pending" "Security updates wait to be installed",
    OsEndingSoon "os_ending_soon" "Operating system reaches its end of life soon",
    UpdateInformationStale "update_information_stale" "The package manager's lists are old",
    AgentOutdated "agent_outdated" "The agent is too old",
    ClockWrong "clock_wrong" "The device's clock is wrong",
    RebootPending "reboot_pending" "A restart is waited for",
    UpdatesPending "updates_pending" "Updates wait to be installed",
    OsExtendedOnly "os_extended_only" "Operating system lives on extended support",
}

/// What is known of one device, as far as the rules look at it.
#[derive(Debug, Clone)]
pub struct Observed<'a> {
    /// Last check-in by the collector's clock.
    pub last_seen_at: Option<Timestamp>,
    /// First contact.
    pub enrolled_at: Timestamp,
    /// Kind of device, which decides its limits.
    pub class: DeviceClass,
    /// Taken out of service by a person: nothing is flagged.
    pub retired: bool,
    /// Waits for approval: nothing is flagged.
    pub pending: bool,
    /// Section `os`.
    pub os: Option<&'a Os>,
    /// The moving numbers of the last report.
    pub vitals: Option<&'a Vitals>,
    /// When they were taken.
    pub vitals_at: Option<Timestamp>,
    /// Section `volume`; tells read-only and remote file systems apart.
    pub volumes: Option<&'a [Volume]>,
    /// Section `update`.
    pub update: Option<&'a Update>,
    /// Since when each of them waits, where that is known; the grace days count from it.
    pub waiting: Option<&'a Waiting>,
    /// The agent of the last report.
    pub agent: Option<&'a AgentInfo>,
    /// The device's clock minus the collector's, in milliseconds.
    pub clock_error_ms: Option<i64>,
    /// Set while a clone is suspected: the evidence in words.
    pub clone_suspected: Option<&'a str>,
}

impl<'a> Observed<'a> {
    /// A device of which nothing is known but that it enrolled.
    pub fn new(class: DeviceClass, enrolled_at: Timestamp) -> Observed<'a> {
        Observed {
            last_seen_at: None,
            enrolled_at,
            class,
            retired: false,
            pending: false,
            os: None,
            vitals: None,
            vitals_at: None,
            volumes: None,
            update: None,
            waiting: None,
            agent: None,
            clock_error_ms: None,
            clone_suspected: None,
        }
    }
}

/// What holds now against the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// The rule.
    pub rule: Rule,
    /// How bad.
    pub severity: Severity,
    /// What on the device, e.g. the volume `/home`.
    pub subject: Option<String>,
    /// The value found, for people.
    pub value: String,
    /// What it was held against.
    pub threshold: String,
    /// Where the knowledge comes from.
    pub source: String,
    /// The date of that source.
    pub source_date: Option<Timestamp>,
    /// What to do now.
    pub next_step: String,
    /// The very values used.
    pub evidence: BTreeMap<String, Value>,
}

/// Everything that holds against the policy, worst first; at most one flag a rule and subject.
pub fn evaluate(
    observed: &Observed<'_>,
    policy: &Policy,
    facts: &Facts,
    now: Timestamp,
) -> Vec<Flag> {
    let mut flags = rule::flags(observed, policy, facts, now);
    flags.sort_by(|a, b| (a.severity, a.rule, &a.subject).cmp(&(b.severity, b.rule, &b.subject)));
    let mut seen = BTreeSet::new();
    flags.retain(|flag| seen.insert((flag.rule, flag.subject.clone())));
    flags
}

/// A finding that is open or waived, as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFlag {
    /// Number of the finding.
    pub id: i64,
    /// Since when it holds.
    pub since: Timestamp,
    /// What it said last.
    pub flag: Flag,
}

/// What to write so that the store agrees with the flags found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// New findings, with the moment since when they hold.
    pub open: Vec<(Timestamp, Flag)>,
    /// Findings by number whose values changed at this moment; `since` and a waiver stay.
    pub update: Vec<(Timestamp, i64, Flag)>,
    /// Findings by number that no longer hold, closed at this moment.
    pub close: Vec<(Timestamp, i64)>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.update.is_empty() && self.close.is_empty()
    }
}

/// The difference between the findings held (open and waived) and the flags found now.
pub fn reconcile(open: &[OpenFlag], found: &[Flag], now: Timestamp) -> Changes {
    let mut wanted: BTreeMap<_, &Flag> = BTreeMap::new();
    for flag in found {
        wanted.entry((flag.rule, flag.subject.as_deref())).or_insert(flag);
    }
    let mut changes = Changes::default();
    for held in open {
        match wanted.remove(&(held.flag.rule, held.flag.subject.as_deref())) {
            Some(flag) if *flag == held.flag => {}
            Some(flag) => changes.update.push((now, held.id, flag.clone())),
            None => changes.close.push((now, held.id)),
        }
    }
    changes.open = wanted.into_values().map(|flag| (now, flag.clone())).collect();
    changes
}

#[cfg(test)]
#[path = "finding_tests.rs"]
mod tests;
