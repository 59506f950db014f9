//! The door for agents: enrolment, check-in, a new key after a clone.

mod bucket;
mod check_in;
mod enroll;
mod envelope;
mod evidence;
mod rekey;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::OwnedSemaphorePermit;

pub(crate) use bucket::Refusals;

use super::{Access, Error, Routes};
use crate::app::App;

/// Its routes.
pub fn routes() -> Routes {
    Routes::new()
        .post("/agent/v1/enroll", Access::Agent, enroll::post)
        .post("/agent/v1/check-in", Access::Agent, check_in::post)
        .post("/agent/v1/rekey", Access::Agent, rekey::post)
}

/// A place among the requests that are worked on, or the wish to come back at a random time.
fn place(app: &App) -> Result<OwnedSemaphorePermit, Error> {
    let places = app.guard.agent_requests.clone();
    places.try_acquire_owned().map_err(|_| Error::Busy { retry_after_s: spread(5, 60) })
}

/// A random number of seconds in this range, so that those sent away do not return together.
fn spread(from_s: u32, until_s: u32) -> u32 {
    let mut bytes = [0; 4];
    let _ = SystemRandom::new().fill(&mut bytes);
    from_s + u32::from_le_bytes(bytes) % (until_s - from_s + 1)
}
