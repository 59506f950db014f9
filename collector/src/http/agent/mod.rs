//! The door for agents: enrolment, check-in, a new key after a clone.

mod bucket;
mod check_in;
mod enroll;
mod envelope;
mod evidence;
mod places;
mod rekey;

pub(crate) use bucket::Refusals;
pub(crate) use places::Places;

use super::{Access, Routes};

/// Its routes.
pub fn routes() -> Routes {
    Routes::new()
        .post("/agent/v1/enroll", Access::Agent, enroll::post)
        .post("/agent/v1/check-in", Access::Agent, check_in::post)
        .post("/agent/v1/rekey", Access::Agent, rekey::post)
}
