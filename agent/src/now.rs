//! The present moment and randomness: the only place that asks the system for them.
//!
//! Everything else takes a [`Present`] as a parameter, so that tests decide what time it is.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom as _, SystemRandom};
use rollcall_shared::Timestamp;
use uuid::Uuid;

/// Knows the time and draws random numbers.
pub trait Present: fmt::Debug + Send + Sync {
    /// The computer's own clock, right or wrong.
    fn now(&self) -> Timestamp;

    /// Fills the bytes with unguessable values; `false` when the system has none.
    #[must_use]
    fn random(&self, bytes: &mut [u8]) -> bool;

    /// A random number for spreading load; never for secrets.
    fn random_number(&self) -> u64 {
        let mut bytes = [0; 8];
        // Without randomness the load is spread a little less well, which is no reason to stop.
        let _ = self.random(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A new report id: a UUIDv7 of the present moment.
    fn report_id(&self) -> Uuid {
        let mut random = [0; 10];
        let _ = self.random(&mut random);
        let ms = u64::try_from(self.now().0).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
    }
}

/// The system's clock and random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemPresent;

impl Present for SystemPresent {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks")]
    fn now(&self) -> Timestamp {
        let ms =
            |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Timestamp(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => ms(since),
            Err(before) => -ms(before.duration()),
        })
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        SystemRandom::new().fill(bytes).is_ok()
    }
}
