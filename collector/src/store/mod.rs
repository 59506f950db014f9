//! The tables, on SQLite or PostgreSQL, behind one set of functions.
//!
//! SQL stands at the top of each file as constants; one text serves both databases.

pub mod account;
pub mod api_token;
pub mod device;
pub mod history;
pub mod session;
pub mod setup;
pub mod token;

/// What can go wrong with the tables.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else changed the same thing at the same time, or it exists already.
    #[error("it was changed by somebody else at the same time")]
    Conflict,
    /// The database cannot be reached or cannot write now.
    #[error("the database is not available now")]
    Unavailable(#[source] sqlx::Error),
    /// A stored value cannot be read.
    #[error("a stored value cannot be read: {0}")]
    Damaged(String),
    /// Anything else the database said.
    #[error("the database refused")]
    Database(#[source] sqlx::Error),
}

/// The tables. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Store {
    /// One file.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}
