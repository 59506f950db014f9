//! RPM's order: epoch, version, release; what is neither letter nor digit only separates.
//!
//! A text without a release stands before every release of it, where rpm itself would call both
//! equal and lose the order of three.

use std::cmp::Ordering;

use super::{Number, split_epoch, split_release, split_while};

pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let ((epoch_a, a), (epoch_b, b)) = (split_epoch(a)?, split_epoch(b)?);
    let ((version_a, release_a), (version_b, release_b)) = (split_release(a), split_release(b));
    Some(
        epoch_a
            .cmp(&epoch_b)
            .then_with(|| Segments(version_a).cmp(Segments(version_b)))
            .then_with(|| Segments(release_a).cmp(Segments(release_b))),
    )
}

/// The order of the arms is the order of versions.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Tilde,
    End,
    Caret,
    Word(&'a str),
    Digits(Number<'a>),
}

/// The segments of a text, ended by [`Segment::End`] without end.
struct Segments<'a>(&'a str);

impl<'a> Segments<'a> {
    fn cmp(mut self, mut other: Self) -> Ordering {
        loop {
            let (a, b) = (self.next(), other.next());
            let order = a.cmp(&b);
            if order.is_ne() || a == Segment::End {
                return order;
            }
        }
    }

    fn next(&mut self) -> Segment<'a> {
        let (_, text) = split_while(self.0, |c| !c.is_ascii_alphanumeric() && c != '~' && c != '^');
        let (segment, rest) = match text.bytes().next() {
            None => (Segment::End, ""),
            Some(b'~') => (Segment::Tilde, &text[1..]),
            Some(b'^') => (Segment::Caret, &text[1..]),
            Some(byte) if byte.is_ascii_digit() => {
                let (digits, rest) = split_while(text, |c| c.is_ascii_digit());
                (Segment::Digits(Number::new(digits)), rest)
            }
            Some(_) => {
                let (word, rest) = split_while(text, |c| c.is_ascii_alphabetic());
                (Segment::Word(word), rest)
            }
        };
        self.0 = rest;
        segment
    }
}
