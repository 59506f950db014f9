//! Whether a device reports in time, by the collector's clock alone.

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::{DeviceClass, Presence};

use super::policy::Policy;

/// The presence of a device. One that never checked in is counted from its enrolment.
pub fn presence(
    last_seen_at: Option<Timestamp>,
    enrolled_at: Timestamp,
    class: DeviceClass,
    policy: &Policy,
    retired: bool,
    pending: bool,
    now: Timestamp,
) -> Presence {
    if retired {
        return Presence::Retired;
    }
    if pending {
        return Presence::Pending;
    }
    let silent_ms = now.since(last_seen_at.unwrap_or(enrolled_at));
    if silent_ms > policy.missing_ms(class) {
        Presence::Missing
    } else if silent_ms > policy.stale_ms() {
        Presence::Stale
    } else {
        Presence::Fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_shared::time::{DAY_MS, HOUR_MS, MINUTE_MS};

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn after(silent_ms: i64, class: DeviceClass) -> Presence {
        let seen = Some(NOW.plus_ms(-silent_ms));
        presence(seen, Timestamp(0), class, &Policy::default(), false, false, NOW)
    }

    #[test]
    fn each_class_has_its_limit() {
        use DeviceClass::{Desktop, Laptop, Server};
        assert_eq!(after(15 * MINUTE_MS, Laptop), Presence::Fresh);
        assert_eq!(after(2 * HOUR_MS, Laptop), Presence::Fresh);
        assert_eq!(after(2 * HOUR_MS + 1, Laptop), Presence::Stale);
        assert_eq!(after(DAY_MS, Server), Presence::Stale);
        assert_eq!(after(DAY_MS + 1, Server), Presence::Missing);
        assert_eq!(after(DAY_MS + 1, Desktop), Presence::Stale);
        assert_eq!(after(14 * DAY_MS, Laptop), Presence::Stale);
        assert_eq!(after(14 * DAY_MS + 1, Laptop), Presence::Missing);
    }

    #[test]
    fn people_decide_before_the_clock_does() {
        let policy = Policy::default();
        let case = |retired, pending| {
            presence(None, Timestamp(0), DeviceClass::Server, &policy, retired, pending, NOW)
        };
        assert_eq!(case(true, true), Presence::Retired);
        assert_eq!(case(false, true), Presence::Pending);
        assert_eq!(case(false, false), Presence::Missing);
    }

    #[test]
    fn one_that_never_checked_in_is_counted_from_its_enrolment() {
        let policy = Policy::default();
        let enrolled = NOW.plus_ms(-HOUR_MS);
        let found = presence(None, enrolled, DeviceClass::Server, &policy, false, false, NOW);
        assert_eq!(found, Presence::Fresh);
    }

    #[test]
    fn a_collector_clock_that_was_set_back_makes_nothing_missing() {
        assert_eq!(after(-DAY_MS, DeviceClass::Server), Presence::Fresh);
    }
}
