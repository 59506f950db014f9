//! Pure coding of sets, deltas and documents for the tables.
