//! How events are signed for a webhook, and what follows when they do not arrive. Pure.

use ring::hmac;
use rollcall_shared::Timestamp;
use rollcall_shared::time::{DAY_MS, HOUR_MS, SECOND_MS};

/// The first wait; each further one is twice as long.
const FIRST_WAIT_MS: i64 = 30 * SECOND_MS;
const LONGEST_WAIT_MS: i64 = 6 * HOUR_MS;
/// A webhook at which nothing arrived for so long is switched off.
const PATIENCE_MS: i64 = 3 * DAY_MS;
/// Tries after which an event that the other side refuses for its own sake is left out, so that
/// those behind it arrive.
const REFUSED_TRIES: u32 = 5;

/// What follows on a try that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It is tried again at this moment.
    Again(Timestamp),
    /// This event is left out.
    LeaveOut,
    /// The webhook is switched off.
    SwitchOff,
}

/// What follows on a try that failed: the `tries`-th of this event, at a webhook where nothing
/// arrived since `failing_since`. `status` is absent where there was no answer.
pub fn after_failure(
    tries: u32,
    status: Option<u16>,
    failing_since: Timestamp,
    now: Timestamp,
) -> After {
    if now.since(failing_since) >= PATIENCE_MS {
        return After::SwitchOff;
    }
    // Too slow, too early and too many pass; the rest of this family does not.
    let refused = status.is_some_and(|code| {
        (400..500).contains(&code) && ![401, 403, 404, 408, 410, 425, 429].contains(&code)
    });
    if refused && tries >= REFUSED_TRIES {
        return After::LeaveOut;
    }
    let doubled = FIRST_WAIT_MS.saturating_mul(1_i64 << tries.saturating_sub(1).min(20));
    After::Again(now.plus_ms(doubled.min(LONGEST_WAIT_MS)))
}

/// The signature of a body: HMAC-SHA-256 over the moment in seconds, a point, and the body.
pub fn signature(secret: &str, seconds: i64, body: &[u8]) -> String {
    use std::fmt::Write as _;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut signing = hmac::Context::with_key(&key);
    signing.update(format!("{seconds}.").as_bytes());
    signing.update(body);
    signing.sign().as_ref().iter().fold("sha256=".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_six_hours_and_end_after_three_days() {
        let start = Timestamp(1_795_000_000_000);
        let (mut now, mut waits) = (start, Vec::new());
        let mut tries = 0;
        while tries < 100 {
            tries += 1;
            match after_failure(tries, None, start, now) {
                After::Again(at) => {
                    waits.push(at.since(now) / SECOND_MS);
                    now = at;
                }
                other => {
                    assert_eq!(other, After::SwitchOff);
                    break;
                }
            }
        }
        assert_eq!(&waits[..5], [30, 60, 120, 240, 480]);
        assert_eq!(waits.iter().max(), Some(&21_600));
        assert!((3 * DAY_MS..4 * DAY_MS).contains(&now.since(start)), "{waits:?}");
    }

    #[test]
    fn what_is_refused_for_its_own_sake_is_left_out() {
        let now = Timestamp(1_795_000_000_000);
        assert_eq!(after_failure(5, Some(422), now, now), After::LeaveOut);
        assert!(matches!(after_failure(4, Some(422), now, now), After::Again(_)));
        for status in [401, 404, 429, 500, 503] {
            assert!(matches!(after_failure(50, Some(status), now, now), After::Again(_)));
        }
    }

    #[test]
    fn the_signature_is_that_of_the_documentation() {
        // printf '1795000000.{"id":"1"}' | openssl dgst -sha256 -hmac rcl_whk_example
        let found = signature("rcl_whk_example", 1_795_000_000, br#"{"id":"1"}"#);
        assert_eq!(found, include_str!("webhook_signature.txt").trim_end());
    }
}
