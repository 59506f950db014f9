//! A system whose service manager asks nothing while a service runs.

use std::time::Duration;

/// Nobody to tell.
#[derive(Debug)]
pub(crate) struct Manager;

#[expect(clippy::unused_self, reason = "the same signatures as where there is somebody to tell")]
impl Manager {
    pub(crate) fn started_by() -> Self {
        Self
    }

    pub(crate) fn interval(&self) -> Option<Duration> {
        None
    }

    pub(crate) fn ready(&self) {}

    pub(crate) fn alive(&self) {}

    pub(crate) fn stopping(&self) {}

    pub(crate) fn status(&self, _: &str) {}
}
