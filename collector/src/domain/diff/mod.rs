//! What changed between two states of a section, in words for people.
//!
//! Most known sections are compared field by field; each struct is taken apart completely, so a
//! new field must be decided here. Sections that are lists of plain rows are compared by rules that
//! are data. Unknown sections, and bodies that this version cannot read, are compared key by key. What moves without meaning (the last sign-in, the boot order of reports)
//! is no change.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rollcall_shared::api::change::ChangeKind;
use rollcall_shared::section::{self, Section, Software};
use rollcall_shared::version::{self, Scheme};
use serde::Serialize;
use serde_json::Value;

mod generic;
mod hardware;
mod listed;
mod system;

/// One change in one section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionChange {
    /// What happened.
    pub kind: ChangeKind,
    /// What it happened to, e.g. `openssl`, `module DIMM 1`, `hostname`.
    pub subject: String,
    /// The value before, for people.
    pub before: Option<String>,
    /// The value after, for people.
    pub after: Option<String>,
}

/// The changes of a section. Without a state before there is nothing to compare: what is first
/// seen is not a change of the computer.
pub fn changes(section: &str, before: Option<&str>, after: &str) -> Vec<SectionChange> {
    let Some(before) = before.filter(|before| *before != after) else { return Vec::new() };
    let mut out = Out::default();
    if listed::compare(section, before, after, &mut out) {
        return out.0;
    }
    match (read(section, before), read(section, after)) {
        (Some(old), Some(new)) => typed(&old, &new, &mut out),
        _ => generic::compare(before, after, &mut out),
    }
    out.0
}

fn read(section: &str, json: &str) -> Option<Section> {
    Section::from_json(section, json)?.ok()
}

fn typed(before: &Section, after: &Section, out: &mut Out) {
    use Section as S;
    match (before, after) {
        (S::System(a), S::System(b)) => system::system(a, b, out),
        (S::Firmware(a), S::Firmware(b)) => system::firmware(a, b, out),
        (S::Os(a), S::Os(b)) => system::os(a, b, out),
        (S::Cpu(a), S::Cpu(b)) => hardware::processors(a, b, out),
        (S::Memory(a), S::Memory(b)) => hardware::memory(a, b, out),
        (S::Storage(a), S::Storage(b)) => hardware::disks(a, b, out),
        (S::Volume(a), S::Volume(b)) => hardware::volumes(a, b, out),
        (S::Network(a), S::Network(b)) => hardware::network(a, b, out),
        (S::Gpu(a), S::Gpu(b)) => hardware::gpus(a, b, out),
        (S::Battery(a), S::Battery(b)) => hardware::batteries(a, b, out),
        (S::User(a), S::User(b)) => system::users(a, b, out),
        (S::Software(a), S::Software(b)) => out.0.extend(software(a, b)),
        (S::Update(a), S::Update(b)) => system::update(a, b, out),
        (S::Security(a), S::Security(b)) => system::security(a, b, out),
        _ => {}
    }
}

/// The changes between two lists of software, or between the titles that went and those that came:
/// what went and came under one name is an upgrade or a downgrade.
pub fn software(before: &[Software], after: &[Software]) -> Vec<SectionChange> {
    /// Titles of one name: a title may be there in several versions, like kernels.
    type Versions<'a> = BTreeMap<TitleKey<'a>, (Vec<&'a Software>, Vec<&'a Software>)>;
    let mut titles: Versions<'_> = BTreeMap::new();
    for title in before {
        titles.entry(title_key(title)).or_default().0.push(title);
    }
    for title in after {
        titles.entry(title_key(title)).or_default().1.push(title);
    }
    let mut changes = Vec::new();
    for ((source, name, _, _), (mut old, mut new)) in titles {
        // What stands on both sides in the same version stayed.
        old.retain(|title| {
            let same = new.iter().position(|other| other.version == title.version);
            same.map(|place| new.swap_remove(place)).is_none()
        });
        let scheme = Scheme::of_source(source);
        let by_version = |a: &&Software, b: &&Software| {
            version::compare(scheme, &a.version, &b.version)
                .unwrap_or(Ordering::Equal)
                .then_with(|| a.version.cmp(&b.version))
        };
        // Words and numbers together have no total order; then the text decides alone.
        let comparable = old
            .iter()
            .chain(&new)
            .all(|title| version::compare(scheme, &title.version, &title.version).is_some());
        for list in [&mut old, &mut new] {
            if comparable {
                list.sort_by(by_version);
            } else {
                list.sort_by(|a, b| a.version.cmp(&b.version));
            }
        }
        // The newest that went was replaced by the newest that came.
        while let (Some(went), Some(came)) = (old.last(), new.last()) {
            let kind = match version::compare(scheme, &went.version, &came.version) {
                Some(Ordering::Less) => ChangeKind::Upgraded,
                Some(Ordering::Greater) => ChangeKind::Downgraded,
                _ => ChangeKind::Changed,
            };
            changes.push(SectionChange {
                kind,
                subject: name.to_owned(),
                before: Some(went.version.clone()),
                after: Some(came.version.clone()),
            });
            old.pop();
            new.pop();
        }
        changes.extend(old.into_iter().map(|title| SectionChange {
            kind: ChangeKind::Removed,
            subject: name.to_owned(),
            before: Some(title.version.clone()),
            after: None,
        }));
        changes.extend(new.into_iter().map(|title| SectionChange {
            kind: ChangeKind::Added,
            subject: name.to_owned(),
            before: None,
            after: Some(title.version.clone()),
        }));
    }
    changes.sort_by(|a, b| (&a.subject, a.kind, &a.before).cmp(&(&b.subject, b.kind, &b.before)));
    changes
}

type TitleKey<'a> = (&'a str, &'a str, Option<&'a str>, Option<String>);

/// Sizes, publishers and dates of a title are no change of the computer.
fn title_key(title: &Software) -> TitleKey<'_> {
    let Software {
        source,
        name,
        version: _,
        architecture,
        publisher: _,
        source_package: _,
        source_version: _,
        installed_at: _,
        size_bytes: _,
        scope,
        origin: _,
    } = title;
    let scope = scope.as_ref().filter(|scope| **scope != section::software::SoftwareScope::Machine);
    (source, name, architecture.as_deref(), scope.map(words))
}

/// The changes found so far.
#[derive(Default)]
struct Out(Vec<SectionChange>);

impl Out {
    /// One value of one subject.
    fn value<T: Serialize + PartialEq>(&mut self, subject: &str, before: &T, after: &T) {
        if before != after {
            self.changed(subject, optional_words(before), optional_words(after));
        }
    }

    fn changed(&mut self, subject: &str, before: Option<String>, after: Option<String>) {
        if before == after {
            return;
        }
        self.0.push(SectionChange {
            kind: ChangeKind::Changed,
            subject: subject.to_owned(),
            before,
            after,
        });
    }

    /// A list whose entries are told apart by a key: what came, what went, and what changed in
    /// those that stayed. Entries with equal keys are told apart by their place.
    fn list<'a, T: PartialEq>(
        &mut self,
        noun: &str,
        before: &'a [T],
        after: &'a [T],
        key: impl Fn(&'a T) -> String,
        describe: impl Fn(&'a T) -> Option<String>,
        fields: impl Fn(&str, &'a T, &'a T, &mut Self),
    ) {
        let index = |list: &'a [T]| {
            let mut places: BTreeMap<String, usize> = BTreeMap::new();
            let mut entries = BTreeMap::new();
            for entry in list {
                let key = key(entry);
                let place = places.entry(key.clone()).or_default();
                entries.insert((key, *place), entry);
                *place += 1;
            }
            entries
        };
        let (old, mut new) = (index(before), index(after));
        for (key, was) in old {
            let subject = if noun.is_empty() { key.0.clone() } else { format!("{noun} {}", key.0) };
            match new.remove(&key) {
                Some(is) if is == was => {}
                Some(is) => fields(&subject, was, is, self),
                None => self.0.push(SectionChange {
                    kind: ChangeKind::Removed,
                    subject,
                    before: describe(was),
                    after: None,
                }),
            }
        }
        for (key, is) in new {
            let subject = if noun.is_empty() { key.0 } else { format!("{noun} {}", key.0) };
            self.0.push(SectionChange {
                kind: ChangeKind::Added,
                subject,
                before: None,
                after: describe(is),
            });
        }
    }

    /// A list of plain words.
    fn words(&mut self, noun: &str, before: &[String], after: &[String]) {
        self.list(noun, before, after, Clone::clone, |_| None, |_, _, _, _| {});
    }
}

/// A value for people: texts bare, lists with commas, everything else as JSON writes it.
fn words<T: Serialize + ?Sized>(value: &T) -> String {
    optional_words(value).unwrap_or_default()
}

fn optional_words<T: Serialize + ?Sized>(value: &T) -> Option<String> {
    fn text(value: Value) -> Option<String> {
        match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            Value::Bool(true) => Some("yes".to_owned()),
            Value::Bool(false) => Some("no".to_owned()),
            Value::Array(list) => {
                let parts: Vec<String> = list.into_iter().filter_map(text).collect();
                (!parts.is_empty()).then(|| parts.join(", "))
            }
            other => Some(other.to_string()),
        }
    }
    text(serde_json::to_value(value).ok()?)
}

/// Parts that are there, with commas between them.
fn join<const N: usize>(parts: [Option<&str>; N]) -> Option<String> {
    let parts: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests;
