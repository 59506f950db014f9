//! What is done with arbitrary bytes: the targets of `tests/fuzz`, which a fuzzer feeds, and of the
//! ordinary tests, which replay the committed corpora and change them.
//!
//! A target returns when all is well, whatever the bytes mean, and panics otherwise.

mod collector;
mod pure;

pub use collector::{request, stored};
pub use pure::{body, join_line, query, report, signature};

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them. The name is that of the corpus and of the file in `fuzz_targets`.
pub const TARGETS: &[Target] = &[
    ("report", report),
    ("stored", stored),
    ("signature", signature),
    ("join_line", join_line),
    ("query", query),
    ("body", body),
    ("request", request),
];
