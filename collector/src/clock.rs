//! The only place that asks the system what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rollcall_shared::Timestamp;

/// Tells the present. Tests move it by hand; a running collector may be told an offset.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The system's clock, moved by a fixed number of milliseconds (0 outside tests).
    System {
        /// Added to the system's time.
        offset_ms: i64,
    },
    /// A clock that stands still until it is moved.
    Test(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::System { offset_ms: 0 }
    }

    /// A clock that stands at `now`.
    pub fn test(now: Timestamp) -> Self {
        Self::Test(Arc::new(AtomicI64::new(now.0)))
    }

    /// The present.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may ask")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System { offset_ms } => {
                let since = std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .unwrap_or_default();
                Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)).plus_ms(*offset_ms)
            }
            Self::Test(now) => Timestamp(now.load(Ordering::SeqCst)),
        }
    }

    /// Moves a test clock; the system's clock is not moved.
    pub fn advance_ms(&self, ms: i64) {
        if let Self::Test(now) = self {
            now.fetch_add(ms, Ordering::SeqCst);
        }
    }
}
