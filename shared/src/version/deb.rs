//! Debian's order: epoch, upstream version, revision, each as runs of text and numbers.

use std::cmp::Ordering;

use super::{Number, split_epoch, split_release, split_while};

pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let ((epoch_a, a), (epoch_b, b)) = (split_epoch(a)?, split_epoch(b)?);
    let ((upstream_a, revision_a), (upstream_b, revision_b)) = (split_release(a), split_release(b));
    Some(
        epoch_a
            .cmp(&epoch_b)
            .then_with(|| part(upstream_a, upstream_b))
            .then_with(|| part(revision_a, revision_b)),
    )
}

/// One part: text and number alternate, and an absent number is zero.
fn part(mut a: &str, mut b: &str) -> Ordering {
    while !(a.is_empty() && b.is_empty()) {
        let ((text_a, rest_a), (text_b, rest_b)) = (text(a), text(b));
        let ((digits_a, rest_a), (digits_b, rest_b)) = (digits(rest_a), digits(rest_b));
        let order = weights(text_a)
            .cmp(weights(text_b))
            .then_with(|| Number::new(digits_a).cmp(&Number::new(digits_b)));
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

fn text(part: &str) -> (&str, &str) {
    split_while(part, |c| !c.is_ascii_digit())
}

fn digits(part: &str) -> (&str, &str) {
    split_while(part, |c| c.is_ascii_digit())
}

/// The tilde sorts before the end of the text, letters before everything else.
fn weights(text: &str) -> impl Iterator<Item = u32> {
    text.chars()
        .map(|c| match c {
            '~' => 0,
            c if c.is_ascii_alphabetic() => 1 + u32::from(c),
            c => 1 + 256 + u32::from(c),
        })
        .chain([1])
}
