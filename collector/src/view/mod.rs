//! What people and programs ask, each question once: for the API, the pages and the exports alike.
//!
//! Handlers call these functions and nothing else to read.

pub mod changes;
mod cursor;
pub mod device;
pub mod devices;
pub mod findings;
mod order;
pub mod overview;
pub(crate) mod past;
pub mod policy;
pub mod search;
pub mod software;

#[cfg(test)]
pub(crate) mod tests;

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

/// Waits until the fleet is in memory, and tells it the texts of titles that came lately.
pub(crate) async fn ready(app: &crate::app::App) {
    app.fleet.ready().await;
    let unknown = app.fleet.read().unknown_titles().to_vec();
    if !unknown.is_empty() {
        let texts = app.store.set_titles(&unknown);
        app.fleet.titles_added(texts.iter().map(crate::job::load::title).collect());
    }
}
