//! When to check in next: interval, per-device spread, back-off. Pure: no clock, no randomness of
//! its own. Callers count the answer on the monotonic clock.

use std::time::Duration;

/// Shortest wait after a failure.
pub const BACK_OFF_MIN: Duration = Duration::from_secs(30);
/// Longest wait after a failure, whatever a collector asks for.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(3600);
/// Over this time computers that start together spread their first check-in.
const START_SPREAD: Duration = Duration::from_secs(60);

/// What is remembered between check-ins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Failures in a row.
    pub failures: u32,
}

/// How a check-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was delivered.
    Delivered,
    /// It is to be tried again, not before the time the collector asked for.
    Failed {
        /// The collector's `Retry-After`.
        retry_after: Option<Duration>,
    },
}

impl Schedule {
    /// How long to wait before the first check-in after a start.
    pub fn start(never_reported: bool, device: u64) -> Duration {
        if never_reported { Duration::ZERO } else { fraction(START_SPREAD, device) }
    }

    /// How long to wait after a check-in. `device` is a number that stays the same for a device,
    /// `random` a new one each time.
    pub fn next(
        &mut self,
        outcome: Outcome,
        interval: Duration,
        device: u64,
        random: u64,
    ) -> Duration {
        match outcome {
            Outcome::Delivered => {
                self.failures = 0;
                // A tenth of the interval apart, each device at its own place in it.
                interval.mul_f64(0.95) + fraction(interval / 10, device)
            }
            Outcome::Failed { retry_after } => {
                self.failures = self.failures.saturating_add(1);
                let doubled = BACK_OFF_MIN * 2u32.saturating_pow(self.failures.min(10));
                let ceiling = doubled.min(BACK_OFF_MAX);
                let wait = BACK_OFF_MIN + fraction(ceiling.saturating_sub(BACK_OFF_MIN), random);
                let asked = retry_after.unwrap_or_default().min(BACK_OFF_MAX);
                // Those who were told the same time still come back one after the other.
                wait.max(asked + fraction(asked / 4, random))
            }
        }
    }
}

/// A part of a duration, by a number taken as a fraction of its range.
fn fraction(whole: Duration, number: u64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "a fraction needs no 64 bits")]
    let part = number as f64 / u64::MAX as f64;
    whole.mul_f64(part.clamp(0.0, 1.0))
}

/// A number from a device id that spreads devices evenly.
pub fn device_number(id: &[u8]) -> u64 {
    let digest = rollcall_shared::Digest::of(id);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.0[..8]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(900);

    proptest! {
        #[test]
        fn waits_stay_in_their_range(
            failures: u32, device: u64, random: u64, asked in proptest::option::of(any::<u32>()),
            interval_s in 60u64..86_400,
        ) {
            let interval = Duration::from_secs(interval_s);
            let mut schedule = Schedule { failures };
            let retry_after = asked.map(|s| Duration::from_secs(s.into()));
            let wait = schedule.next(Outcome::Failed { retry_after }, interval, device, random);
            prop_assert!(wait >= BACK_OFF_MIN);
            prop_assert!(wait <= BACK_OFF_MAX.mul_f64(1.25));
            if let Some(asked) = retry_after {
                prop_assert!(wait >= asked.min(BACK_OFF_MAX));
            }
            let wait = schedule.next(Outcome::Delivered, interval, device, random);
            prop_assert!(wait >= interval.mul_f64(0.949) && wait <= interval.mul_f64(1.051));
            prop_assert_eq!(schedule.failures, 0);
            prop_assert!(Schedule::start(false, device) <= START_SPREAD);
        }

        #[test]
        fn a_device_keeps_its_place(device: u64, first: u64, second: u64) {
            let mut schedule = Schedule::default();
            prop_assert_eq!(
                schedule.next(Outcome::Delivered, INTERVAL, device, first),
                schedule.next(Outcome::Delivered, INTERVAL, device, second)
            );
        }
    }

    #[test]
    fn failures_wait_longer_and_longer() {
        let mut schedule = Schedule::default();
        let failed = Outcome::Failed { retry_after: None };
        let longest: Vec<u64> =
            (0..9).map(|_| schedule.next(failed, INTERVAL, 0, u64::MAX).as_secs()).collect();
        assert_eq!(longest, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    }

    #[test]
    fn five_thousand_devices_come_back_gently_after_two_hours() {
        let agents = 5_000u64;
        let outage = Duration::from_secs(2 * 3600);
        let mut arrivals = vec![0u32; 1000];
        for agent in 0..agents {
            let mut schedule = Schedule::default();
            let mut at = fraction(INTERVAL, device_number(&agent.to_le_bytes()));
            for attempt in 0u64.. {
                if at >= outage {
                    break;
                }
                let random = device_number(&[agent.to_le_bytes(), attempt.to_le_bytes()].concat());
                at += schedule.next(Outcome::Failed { retry_after: None }, INTERVAL, 0, random);
            }
            let slot = usize::try_from(at.checked_sub(outage).unwrap().as_secs() / 10).unwrap();
            arrivals[slot] += 1;
        }
        let steady = u32::try_from(agents * 10 / INTERVAL.as_secs()).unwrap();
        let most = *arrivals.iter().max().unwrap();
        assert!(most < 3 * steady, "{most} in ten seconds against {steady} usually");
    }
}
