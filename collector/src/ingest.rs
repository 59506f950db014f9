//! A check-in as one story: verified request, who is it, what is new, store, answer.

use rollcall_shared::report::{CheckIn, CheckInAnswer};

use crate::app::App;
use crate::store::{self, device::DeviceKey};

/// How a check-in ends that is not answered with 200.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// 409: same report id, other content.
    #[error("report {0} was sent before with other content")]
    ReportConflict(uuid::Uuid),
    /// 409: the same key speaks from two computers.
    #[error("the same key speaks from two computers")]
    CloneSuspected,
    /// 422: a section's bytes do not give its digest, or they do not parse.
    #[error("section `{section}`: {why}")]
    BadSection {
        /// The section.
        section: String,
        /// What is wrong with it.
        why: String,
    },
    /// 503: the queue is full, the disk is full, or the database is away.
    #[error("the collector cannot store now")]
    Busy {
        /// When to come back, in seconds.
        retry_after_s: u32,
    },
    /// Anything else.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Takes a check-in whose signature was verified for `device`. Returns after the durable commit.
pub async fn check_in(
    app: &App,
    device: DeviceKey,
    check_in: CheckIn,
) -> Result<CheckInAnswer, Refusal> {
    let _ = (app, device, check_in);
    todo!()
}
