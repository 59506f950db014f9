//! Changes of sections that this version does not know: key by key, entry by entry.

use rollcall_shared::api::change::ChangeKind;
use serde_json::Value;

use super::{Out, SectionChange, optional_words};

/// Deeper values are compared whole.
const DEPTH: usize = 4;
/// Keys by which entries of a list are told apart, best first.
const KEYS: [&str; 5] = ["name", "id", "serial", "key", "path"];

pub(super) fn compare(before: &str, after: &str, out: &mut Out) {
    let read = |json: &str| serde_json::from_str::<Value>(json).unwrap_or(Value::Null);
    values("", &read(before), &read(after), DEPTH, out);
}

fn values(subject: &str, before: &Value, after: &Value, depth: usize, out: &mut Out) {
    if before == after {
        return;
    }
    let named = if subject.is_empty() { "value" } else { subject };
    match (before, after) {
        (Value::Object(old), Value::Object(new)) if depth > 0 => {
            for (key, was) in old {
                match new.get(key) {
                    Some(is) => values(&below(subject, key), was, is, depth - 1, out),
                    None => out.push(ChangeKind::Removed, below(subject, key), Some(was), None),
                }
            }
            for (key, is) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                out.push(ChangeKind::Added, below(subject, key), None, Some(is));
            }
        }
        (Value::Array(old), Value::Array(new)) if depth > 0 => {
            entries(subject, old, new, depth, out);
        }
        _ => out.changed(named, optional_words(before), optional_words(after)),
    }
}

fn entries(subject: &str, old: &[Value], new: &[Value], depth: usize, out: &mut Out) {
    let key = KEYS.into_iter().find(|key| {
        old.iter().chain(new).all(|entry| entry.get(*key).is_some_and(Value::is_string))
    });
    let name = |entry: &Value| match key.and_then(|key| entry.get(key)).and_then(Value::as_str) {
        Some(name) => below(subject, name),
        None if subject.is_empty() => "entry".to_owned(),
        None => subject.to_owned(),
    };
    let Some(key) = key else {
        // Without a key an entry is only there or not.
        let (came, went) = (without(new, old), without(old, new));
        for entry in went {
            out.push(ChangeKind::Removed, name(entry), Some(entry), None);
        }
        for entry in came {
            out.push(ChangeKind::Added, name(entry), None, Some(entry));
        }
        return;
    };
    let index = |list: &'_ [Value]| {
        let keyed = list.iter().enumerate().filter_map(|(place, entry)| {
            entry.get(key).and_then(Value::as_str).map(|text| (text.to_owned(), place))
        });
        let mut map = std::collections::BTreeMap::new();
        for (text, place) in keyed {
            map.entry(text).or_insert(place);
        }
        map
    };
    let (before, mut after) = (index(old), index(new));
    for (text, place) in before {
        let was = &old[place];
        match after.remove(&text) {
            Some(now) => values(&name(was), was, &new[now], depth - 1, out),
            None => out.push(ChangeKind::Removed, name(was), Some(was), None),
        }
    }
    for place in after.into_values() {
        out.push(ChangeKind::Added, name(&new[place]), None, Some(&new[place]));
    }
}

/// The entries of `list` that `other` does not have, each counted.
fn without<'a>(list: &'a [Value], other: &[Value]) -> Vec<&'a Value> {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for entry in other {
        *counts.entry(entry.to_string()).or_default() += 1;
    }
    list.iter()
        .filter(|entry| match counts.get_mut(&entry.to_string()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        })
        .collect()
}

fn below(subject: &str, key: &str) -> String {
    if subject.is_empty() { key.to_owned() } else { format!("{subject}.{key}") }
}

impl Out {
    fn push(
        &mut self,
        kind: ChangeKind,
        subject: String,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        self.0.push(SectionChange {
            kind,
            subject,
            before: before.and_then(optional_words),
            after: after.and_then(optional_words),
        });
    }
}
