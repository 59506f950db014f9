//! Alpine's order: `1.2.3b_rc4~hash-r5`. A text of any other form has no place in it.

use std::cmp::Ordering;

use super::{Number, split_while};

pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    Some(parse(a)?.cmp(&parse(b)?))
}

/// The order of the arms is the order of versions.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Before(usize),
    End,
    Revision(Number<'a>),
    Hash(&'a str),
    SuffixNumber(Number<'a>),
    After(usize),
    Letter(char),
    /// A component with a leading zero reads like a fraction and stands before all others.
    Fraction(&'a str),
    Digits(Number<'a>),
}

const BEFORE: [&str; 4] = ["alpha", "beta", "pre", "rc"];
const AFTER: [&str; 5] = ["cvs", "svn", "git", "hg", "p"];

fn parse(text: &str) -> Option<Vec<Part<'_>>> {
    let (first, mut rest) = digits(text)?;
    let mut parts = vec![Part::Digits(Number::new(first))];
    while let Some(component) = rest.strip_prefix('.') {
        let (number, after) = digits(component)?;
        parts.push(if number.starts_with('0') {
            Part::Fraction(number)
        } else {
            Part::Digits(Number::new(number))
        });
        rest = after;
    }
    if let Some(letter) = rest.chars().next().filter(char::is_ascii_lowercase) {
        parts.push(Part::Letter(letter));
        rest = &rest[1..];
    }
    while let Some(suffix) = rest.strip_prefix('_') {
        let (word, after) = split_while(suffix, |c| c.is_ascii_lowercase());
        let place = |words: &[&str]| words.iter().position(|known| *known == word);
        parts.push(place(&BEFORE).map(Part::Before).or(place(&AFTER).map(Part::After))?);
        rest = after;
        if let Some((number, after)) = digits(rest) {
            parts.push(Part::SuffixNumber(Number::new(number)));
            rest = after;
        }
    }
    if let Some(hash) = rest.strip_prefix('~') {
        let (hash, after) = split_while(hash, |c| c.is_ascii_hexdigit());
        parts.push(Part::Hash(hash));
        rest = after;
    }
    if let Some(revision) = rest.strip_prefix("-r") {
        let (number, after) = digits(revision)?;
        parts.push(Part::Revision(Number::new(number)));
        rest = after;
    }
    parts.push(Part::End);
    rest.is_empty().then_some(parts)
}

fn digits(text: &str) -> Option<(&str, &str)> {
    let (digits, rest) = split_while(text, |c| c.is_ascii_digit());
    (!digits.is_empty()).then_some((digits, rest))
}
