//! Runs every source and puts a report together. A failure becomes a note.
