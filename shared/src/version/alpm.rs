//! Arch's order: like RPM's without tildes, but a word glued to a number stands before its end.
//!
//! Separators at the end of a text are left out: with them pacman's own comparison runs in circles.

use std::cmp::Ordering;

use super::{Number, split_epoch, split_release, split_while};

pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let ((epoch_a, a), (epoch_b, b)) = (split_epoch(a)?, split_epoch(b)?);
    let ((version_a, release_a), (version_b, release_b)) = (split_release(a), split_release(b));
    Some(
        epoch_a
            .cmp(&epoch_b)
            .then_with(|| segments(version_a).cmp(&segments(version_b)))
            .then_with(|| segments(release_a).cmp(&segments(release_b))),
    )
}

/// The order of the arms is the order of versions.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    GluedWord(&'a str),
    End,
    /// How many separators stand before it, then what it is.
    Other(usize, Content<'a>),
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Content<'a> {
    Word(&'a str),
    Digits(Number<'a>),
}

fn segments(text: &str) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    let mut rest = text;
    loop {
        let (separators, after) = split_while(rest, |c| !c.is_ascii_alphanumeric());
        if after.is_empty() {
            segments.push(Segment::End);
            return segments;
        }
        let (digits, after_digits) = split_while(after, |c| c.is_ascii_digit());
        if digits.is_empty() {
            let (word, after_word) = split_while(after, |c| c.is_ascii_alphabetic());
            segments.push(if separators.is_empty() {
                Segment::GluedWord(word)
            } else {
                Segment::Other(separators.len(), Content::Word(word))
            });
            rest = after_word;
        } else {
            segments.push(Segment::Other(separators.len(), Content::Digits(Number::new(digits))));
            rest = after_digits;
        }
    }
}
