//! Pure coding of sets, deltas and documents for the tables. Knows neither tables nor sections.

pub mod delta;
pub mod document;
pub mod extra;
pub mod ids;
pub mod sanitise;
mod varint;

/// Stored bytes that do not mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damaged(pub &'static str);
