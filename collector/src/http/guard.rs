//! What the doors remember between requests: who guesses passwords, which keys were looked up.
//! All of it may be lost at a restart.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use super::password::Passwords;
use super::throttle::Throttle;

/// Check-ins and enrolments worked on at the same time; more are asked to come back.
const AGENT_REQUESTS: usize = 64;

/// The state of the doors.
#[derive(Debug)]
pub struct Guard {
    /// Proxies whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether TLS is ours, so that browsers may be told to insist on it.
    pub own_tls: bool,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) agent_requests: Arc<Semaphore>,
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
            agent_requests: Arc::new(Semaphore::new(AGENT_REQUESTS)),
            admin_exists: AtomicBool::new(false),
        }
    }

    /// Whether an administrator is known to exist. Once true, it stays so.
    pub(crate) fn admin_exists(&self) -> bool {
        self.admin_exists.load(Ordering::Relaxed)
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
