//! What people and programs ask, each question once: for the API, the pages and the exports alike.
//!
//! Handlers call these functions and nothing else to read.

pub mod changes;
pub mod cursor;
pub mod device;
pub mod devices;
pub mod findings;
mod order;
pub mod overview;
pub(crate) mod past;
pub mod policy;
pub mod search;
pub mod software;
pub mod units;

#[cfg(test)]
pub(crate) mod tests;

use rollcall_shared::Timestamp;

use crate::app::App;

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The question itself is wrong.
    #[error("`{field}`: {why}")]
    Invalid {
        /// The parameter.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        why: String,
    },
    /// The tables did not answer.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}

/// Refuses a moment of which nothing is told any more: half a past would be a wrong one.
pub(crate) fn told(app: &App, as_of: Option<Timestamp>) -> Result<(), Error> {
    let from = app.store.history_from();
    match as_of {
        Some(at) if at < from => Err(Error::Invalid {
            field: "as_of",
            why: format!("what was before {from} is no longer kept"),
        }),
        _ => Ok(()),
    }
}

/// Waits until the fleet is in memory, and tells it the texts of titles that came lately.
pub(crate) async fn ready(app: &App) {
    app.fleet.ready().await;
    let unknown = app.fleet.read().unknown_titles().to_vec();
    if !unknown.is_empty() {
        let texts = app.store.set_titles(&unknown);
        app.fleet.titles_added(texts.iter().map(crate::job::load::title).collect());
    }
}
