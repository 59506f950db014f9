//! The thresholds that devices are held against, as data that IT may change.

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::DeviceClass;
use rollcall_shared::report::Settings;
use rollcall_shared::time::{DAY_MS, SECOND_MS};
use rollcall_shared::version::{self, Scheme};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All thresholds. Every field has a default, so a stored policy may name only what differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = all_optional)]
pub struct Policy {
    /// Days without a check-in after which a device is missing.
    pub missing_after_days: MissingAfter,
    /// Seconds between check-ins, as agents are told.
    pub check_in_interval_s: u32,
    /// A device is stale after this many check-in intervals without one.
    pub stale_after_intervals: u32,
    /// Days before the end of support from which an operating system is called ending soon.
    pub ending_soon_days: u32,
    /// When a volume counts as nearly full.
    pub disk_free: DiskFree,
    /// Days after which the package manager's lists are too old to believe.
    pub update_lists_stale_days: u32,
    /// Number of pending updates from which they are flagged.
    pub updates_pending_from: u32,
    /// Days that updates may wait before they are flagged, where it is known since when they do.
    pub updates_grace_days: u32,
    /// The same for security updates.
    pub security_updates_grace_days: u32,
    /// Minutes by which a device's clock may differ from the collector's.
    pub clock_error_minutes: u32,
    /// Days of the past that are kept; absent: all of it. What is older goes, the oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_history_days: Option<u32>,
    /// The oldest agent version that is not flagged; absent: two minor versions behind the
    /// collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_minimum_version: Option<String>,
}

/// Days without a check-in after which a device of each class is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = all_optional)]
pub struct MissingAfter {
    /// Servers and virtual machines.
    pub server: u32,
    /// Computers that stay in place.
    pub desktop: u32,
    /// Computers that travel.
    pub laptop: u32,
    /// Anything else.
    pub other: u32,
}

/// When a volume counts as nearly full: below the percentage *and* below the absolute floor, so
/// that a big disk with plenty of room is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = all_optional)]
pub struct DiskFree {
    /// A warning below this percentage of free space.
    pub warning_percent: u8,
    /// Critical below this percentage.
    pub critical_percent: u8,
    /// No warning above this many free bytes.
    pub warning_floor_bytes: u64,
    /// Not critical above this many free bytes.
    pub critical_floor_bytes: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            missing_after_days: MissingAfter::default(),
            check_in_interval_s: Settings::default().check_in_interval_s,
            stale_after_intervals: 8,
            ending_soon_days: 90,
            disk_free: DiskFree::default(),
            update_lists_stale_days: 14,
            updates_pending_from: 1,
            updates_grace_days: 0,
            security_updates_grace_days: 0,
            clock_error_minutes: 10,
            keep_history_days: None,
            agent_minimum_version: None,
        }
    }
}

impl Default for MissingAfter {
    fn default() -> Self {
        Self { server: 1, desktop: 7, laptop: 14, other: 7 }
    }
}

impl Default for DiskFree {
    fn default() -> Self {
        const GIB: u64 = 1 << 30;
        Self {
            warning_percent: 10,
            critical_percent: 5,
            warning_floor_bytes: 20 * GIB,
            critical_floor_bytes: 5 * GIB,
        }
    }
}

/// Every field may be absent when it is sent; the published schema says so in both directions.
fn all_optional(schema: &mut schemars::Schema) {
    schema.remove("required");
}

/// A threshold that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy field `{field}`: {why}")]
pub struct PolicyError {
    /// The field, as it is written in the policy.
    pub field: &'static str,
    /// What is wrong and which values are allowed.
    pub why: String,
}

impl Policy {
    /// Days without a check-in after which a device of this class is missing.
    pub fn missing_days(&self, class: DeviceClass) -> u32 {
        match class {
            DeviceClass::Server => self.missing_after_days.server,
            DeviceClass::Desktop => self.missing_after_days.desktop,
            DeviceClass::Laptop => self.missing_after_days.laptop,
            DeviceClass::Other => self.missing_after_days.other,
        }
    }

    /// The same in milliseconds.
    pub fn missing_ms(&self, class: DeviceClass) -> i64 {
        i64::from(self.missing_days(class)).saturating_mul(DAY_MS)
    }

    /// Milliseconds without a check-in after which a device is stale.
    pub fn stale_ms(&self) -> i64 {
        i64::from(self.check_in_interval_s)
            .saturating_mul(i64::from(self.stale_after_intervals))
            .saturating_mul(SECOND_MS)
    }

    /// The oldest agent version that is not flagged.
    pub fn agent_minimum(&self) -> String {
        self.agent_minimum_version
            .clone()
            .unwrap_or_else(|| two_minors_back(env!("CARGO_PKG_VERSION")))
    }

    /// When something that was last seen at `last` becomes missing.
    pub fn missing_at(&self, class: DeviceClass, last: Timestamp) -> Timestamp {
        last.plus_ms(self.missing_ms(class))
    }

    /// Whether every threshold makes sense; the first that does not.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let within = |field, value: u32, low: u32, high: u32| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(PolicyError { field, why: format!("{value} is not between {low} and {high}") })
        };
        let Self {
            missing_after_days: MissingAfter { server, desktop, laptop, other },
            check_in_interval_s,
            stale_after_intervals,
            ending_soon_days,
            disk_free,
            update_lists_stale_days,
            updates_pending_from,
            updates_grace_days,
            security_updates_grace_days,
            clock_error_minutes,
            keep_history_days,
            agent_minimum_version,
        } = self;
        within("missing_after_days.server", *server, 1, 3650)?;
        within("missing_after_days.desktop", *desktop, 1, 3650)?;
        within("missing_after_days.laptop", *laptop, 1, 3650)?;
        within("missing_after_days.other", *other, 1, 3650)?;
        within("check_in_interval_s", *check_in_interval_s, 60, 86_400)?;
        within("stale_after_intervals", *stale_after_intervals, 2, 1000)?;
        within("ending_soon_days", *ending_soon_days, 0, 3650)?;
        within("disk_free.warning_percent", disk_free.warning_percent.into(), 0, 90)?;
        let critical = disk_free.critical_percent.into();
        within("disk_free.critical_percent", critical, 0, disk_free.warning_percent.into())?;
        if disk_free.critical_floor_bytes > disk_free.warning_floor_bytes {
            return Err(PolicyError {
                field: "disk_free.critical_floor_bytes",
                why: "it must not be above warning_floor_bytes".to_owned(),
            });
        }
        within("update_lists_stale_days", *update_lists_stale_days, 1, 3650)?;
        within("updates_pending_from", *updates_pending_from, 1, 100_000)?;
        within("updates_grace_days", *updates_grace_days, 0, 3650)?;
        within("security_updates_grace_days", *security_updates_grace_days, 0, 3650)?;
        within("clock_error_minutes", *clock_error_minutes, 1, 525_600)?;
        if let Some(days) = keep_history_days {
            within("keep_history_days", *days, 7, 36_500)?;
        }
        match agent_minimum_version {
            Some(text) if version::compare(Scheme::SemVer, text, text).is_none() => {
                Err(PolicyError {
                    field: "agent_minimum_version",
                    why: format!("`{text}` is not a version; write it as 0.3.0"),
                })
            }
            _ => Ok(()),
        }
    }
}

/// `0.5.3` gives `0.3.0`; the minor number stops at 0.
fn two_minors_back(version: &str) -> String {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    format!("{major}.{}.0", minor.saturating_sub(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_survives_json() {
        let policy = Policy::default();
        assert_eq!(policy.validate(), Ok(()));
        assert_eq!(policy.stale_ms(), 2 * 3_600_000);
        let json = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
        assert_eq!(serde_json::from_str::<Policy>("{}").unwrap(), policy);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let refused = |change: fn(&mut Policy)| {
            let mut policy = Policy::default();
            change(&mut policy);
            policy.validate().unwrap_err().field
        };
        assert_eq!(refused(|p| p.missing_after_days.laptop = 0), "missing_after_days.laptop");
        assert_eq!(refused(|p| p.disk_free.critical_percent = 11), "disk_free.critical_percent");
        assert_eq!(refused(|p| p.check_in_interval_s = 1), "check_in_interval_s");
        assert_eq!(
            refused(|p| p.agent_minimum_version = Some("new".to_owned())),
            "agent_minimum_version"
        );
        assert!(serde_json::from_str::<Policy>(r#"{"ending_son_days": 3}"#).is_err());
    }

    #[test]
    fn agents_of_two_minor_versions_back_are_fine() {
        assert_eq!(two_minors_back("0.5.3"), "0.3.0");
        assert_eq!(two_minors_back("1.1.0"), "1.0.0");
        assert_eq!(two_minors_back("odd"), "0.0.0");
    }
}
