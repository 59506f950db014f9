//! What the doors remember between requests: who guesses passwords, which keys were looked up.
//! All of it may be lost at a restart.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rollcall_shared::Timestamp;
use rollcall_shared::time::HOUR_MS;

use super::agent::{Places, Refusals};
use super::figures::Figures;
use super::password::Passwords;
use super::throttle::Throttle;
use crate::store::device::DeviceKey;

/// Copies of one device that may get keys of their own in an hour: a classroom from one image.
const REKEYS_AN_HOUR: u32 = 200;

/// The state of the doors.
#[derive(Debug)]
pub struct Guard {
    /// Proxies whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether TLS is ours, so that browsers may be told to insist on it.
    pub own_tls: bool,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) places: Places,
    /// Enrolments that were refused.
    pub(crate) enrolments: Refusals,
    rekeys: Mutex<HashMap<DeviceKey, (Timestamp, u32)>>,
    pub(crate) figures: Figures,
    admin_exists: AtomicBool,
}

impl Guard {
    /// Doors that nobody came through yet.
    pub fn new(trusted_proxies: Vec<IpAddr>, own_tls: bool) -> Self {
        Self {
            trusted_proxies,
            own_tls,
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            places: Places::default(),
            enrolments: Refusals::default(),
            rekeys: Mutex::default(),
            figures: Figures::default(),
            admin_exists: AtomicBool::new(false),
        }
    }

    /// Whether an administrator is known to exist. Once true, it stays so.
    pub(crate) fn admin_exists(&self) -> bool {
        self.admin_exists.load(Ordering::Relaxed)
    }

    /// Counts a copy that asks for a key of its own; `false` when one device has too many: a
    /// hostile holder of a key could otherwise make devices without end.
    pub(crate) fn may_rekey(&self, device: DeviceKey, now: Timestamp) -> bool {
        let mut rekeys = self.rekeys.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = rekeys.entry(device).or_insert((now, 0));
        if now.since(entry.0) >= HOUR_MS {
            *entry = (now, 0);
        }
        entry.1 += 1;
        entry.1 <= REKEYS_AN_HOUR
    }

    pub(crate) fn note_admin_exists(&self) {
        self.admin_exists.store(true, Ordering::Relaxed);
    }
}

impl Default for Guard {
    fn default() -> Self {
        Self::new(Vec::new(), true)
    }
}
