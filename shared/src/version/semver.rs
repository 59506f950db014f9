//! Semantic versioning 2.0: three numbers, an optional pre-release; the build decides nothing.

use std::cmp::Ordering;

use super::Number;

pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (parse(a)?, parse(b)?);
    Some(a.numbers.cmp(&b.numbers).then_with(|| match (&a.pre_release, &b.pre_release) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => a.cmp(b),
    }))
}

struct Version<'a> {
    numbers: [Number<'a>; 3],
    pre_release: Option<Vec<Identifier<'a>>>,
}

/// Numbers stand before words.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Digits(Number<'a>),
    Word(&'a str),
}

/// Reads a version; a missing second or third number is zero.
fn parse(text: &str) -> Option<Version<'_>> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let text = text.split_once('+').map_or(text, |(version, _build)| version);
    let (core, pre_release) = match text.split_once('-') {
        Some((core, pre_release)) => (core, Some(pre_release)),
        None => (text, None),
    };
    let mut numbers = [Number::new(""); 3];
    for (place, part) in core.split('.').enumerate() {
        *numbers.get_mut(place)? = digits(part)?;
    }
    let identifier = |part| match digits(part) {
        Some(number) => Identifier::Digits(number),
        None => Identifier::Word(part),
    };
    let pre_release = pre_release.map(|text| text.split('.').map(identifier).collect());
    Some(Version { numbers, pre_release })
}

fn digits(part: &str) -> Option<Number<'_>> {
    (!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| Number::new(part))
}
