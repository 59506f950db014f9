//! The order of versions that follow no written rule: numbers count, known words place a version
//! before or after its number, other words and all separators mean nothing. `1.0` is `1.0.0`.

use std::cmp::Ordering;

use super::{Number, split_while};

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (components(a), components(b));
    (0..a.len().max(b.len()))
        .map(|place| {
            a.get(place).unwrap_or(&Component::Zero).cmp(b.get(place).unwrap_or(&Component::Zero))
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// The order of the arms is the order of versions; a text that has ended goes on with `Zero`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Component<'a> {
    Before(usize),
    Zero,
    After,
    Digits(Number<'a>),
    Letter(u8),
}

fn components(text: &str) -> Vec<Component<'_>> {
    let mut components = Vec::new();
    let mut rest = text;
    let mut after_digits = false;
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_digit() {
            let (digits, after) = split_while(rest, |c| c.is_ascii_digit());
            let number = Number::new(digits);
            components.push(if number.is_zero() {
                Component::Zero
            } else {
                Component::Digits(number)
            });
            rest = after;
            after_digits = true;
        } else if first.is_ascii_alphabetic() {
            let (word, after) = split_while(rest, |c| c.is_ascii_alphabetic());
            let before_digit = after.starts_with(|c: char| c.is_ascii_digit());
            components.extend(meaning(word, after_digits, before_digit));
            rest = after;
            after_digits = false;
        } else {
            rest = &rest[first.len_utf8()..];
            after_digits = false;
        }
    }
    components
}

/// What a word says about its version; `None` for words that say nothing (`esr`, `build`, `x`).
fn meaning(word: &str, after_digits: bool, before_digit: bool) -> Option<Component<'static>> {
    let word = word.to_ascii_lowercase();
    match word.as_str() {
        "dev" | "nightly" | "snapshot" => Some(Component::Before(0)),
        "alpha" => Some(Component::Before(1)),
        "beta" => Some(Component::Before(2)),
        "pre" | "preview" => Some(Component::Before(3)),
        "rc" => Some(Component::Before(4)),
        "p" | "pl" | "patch" | "post" | "sp" if before_digit => Some(Component::After),
        "a" if after_digits && before_digit => Some(Component::Before(1)),
        "b" if after_digits && before_digit => Some(Component::Before(2)),
        _ if after_digits && !before_digit && word.len() == 1 => {
            word.bytes().next().map(Component::Letter)
        }
        _ => None,
    }
}
