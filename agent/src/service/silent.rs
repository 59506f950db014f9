//! A system whose service manager asks nothing while a service runs.

use std::time::Duration;

/// Nobody to tell.
#[derive(Debug)]
pub struct Manager;

impl Manager {
    /// There is none.
    pub fn started_by() -> Self {
        Self
    }

    /// Nobody waits for a sign of life.
    pub fn interval(&self) -> Option<Duration> {
        None
    }

    /// Tells nobody.
    pub fn ready(&self) {}

    /// Tells nobody.
    pub fn alive(&self) {}

    /// Tells nobody.
    pub fn stopping(&self) {}

    /// Tells nobody.
    pub fn status(&self, _: &str) {}
}
