//! The fleet in memory: lists, counts and the search. All of it can be rebuilt from the tables.

/// The fleet in memory. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Fleet {}
