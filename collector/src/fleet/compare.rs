//! Two fleets held against each other: the one that followed every update, and one that was built
//! from the tables just now.

use std::collections::BTreeSet;

use super::entry::Entry;
use super::facets::Facets;
use super::inner::Inner;
use crate::store::device::DeviceKey;

/// One place where memory says something else than the tables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drift {
    /// The structure in memory.
    pub structure: &'static str,
    /// What it is about: a device by name and id, a title, a value.
    pub subject: String,
    /// What memory says.
    pub memory: String,
    /// What the tables say.
    pub tables: String,
}

impl Drift {
    /// Adds one where the two differ.
    pub(crate) fn note<T: PartialEq>(
        found: &mut Vec<Self>,
        structure: &'static str,
        subject: &str,
        (memory, tables): (&T, &T),
        say: impl Fn(&T) -> String,
    ) {
        if memory != tables {
            found.push(Self {
                structure,
                subject: subject.to_owned(),
                memory: say(memory),
                tables: say(tables),
            });
        }
    }
}

impl Inner {
    /// Where this fleet differs from one that was built from the tables.
    pub fn differences(&self, tables: &Self) -> Vec<Drift> {
        let mut found = Vec::new();
        let keys: BTreeSet<DeviceKey> = self.keys().into_iter().chain(tables.keys()).collect();
        for key in keys {
            match (self.entry(key), tables.entry(key)) {
                (Some(memory), Some(tables)) => compare(&mut found, memory, tables),
                (memory, tables) => {
                    let subject = memory.or(tables).map(name).unwrap_or_default();
                    let there = |entry: Option<&Entry>| {
                        if entry.is_some() { "there" } else { "not there" }.to_owned()
                    };
                    let (memory, tables) = (there(memory), there(tables));
                    found.push(Drift { structure: "devices", subject, memory, tables });
                }
            }
        }
        self.compare_titles(tables, &mut found);
        if *self.facets() != Facets::of(self.entries()) {
            let (memory, tables) = ("other counts".to_owned(), "those of its devices".to_owned());
            found.push(Drift { structure: "facets", subject: "lists".to_owned(), memory, tables });
        }
        for group in self.titles().groups() {
            let counts = (&self.group_count(group), &self.title_count(&group.ids));
            Drift::note(&mut found, "counts of titles", &group.name, counts, u64::to_string);
        }
        found
    }

    fn compare_titles(&self, tables: &Self, found: &mut Vec<Drift>) {
        for id in 0..self.title_numbers().max(tables.title_numbers()) {
            let text = |inner: &Self| {
                inner.titles().text(id).map(|text| format!("{} {}", text.name, text.version))
            };
            let (here, there) = (text(self), text(tables));
            let say = |text: &Option<String>| text.clone().unwrap_or_else(|| "not known".into());
            // The text of a title that nobody asked for yet may come later.
            if here.is_some() || !self.unknown_titles().contains(&id) {
                Drift::note(found, "titles", &format!("title {id}"), (&here, &there), say);
            }
            let subject = there.or(here).unwrap_or_else(|| format!("title {id}"));
            let counts = (self.title_devices(id), tables.title_devices(id));
            if counts.0 != counts.1 {
                let odd = &counts.0 ^ &counts.1;
                let named = |inner: &Self| {
                    let key = odd.iter().next().map(DeviceKey)?;
                    inner.entry(key).map(name)
                };
                let device = named(self).or_else(|| named(tables)).unwrap_or_default();
                found.push(Drift {
                    structure: "postings",
                    subject: format!("{subject} on {device}"),
                    memory: format!("{} devices", counts.0.len()),
                    tables: format!("{} devices", counts.1.len()),
                });
            }
        }
    }
}

/// A device as people find it again.
fn name(entry: &Entry) -> String {
    format!("{} ({})", entry.row.summary.hostname, entry.row.id)
}

fn compare(found: &mut Vec<Drift>, memory: &Entry, tables: &Entry) {
    let subject = name(tables);
    // A check-in is written within a second: memory may be ahead.
    let mut row = memory.row.clone();
    if row.last_seen_at > tables.row.last_seen_at {
        row.last_seen_at = tables.row.last_seen_at;
    }
    Drift::note(found, "rows", &subject, (&row, &tables.row), |row| format!("{row:?}"));
    let sets = (&memory.titles(), &tables.titles());
    Drift::note(found, "sets of titles", &subject, sets, |set| format!("{} titles", set.len()));
    let mut open = [&memory.findings, &tables.findings].map(|open| open.0.clone());
    for open in &mut open {
        open.sort();
    }
    Drift::note(found, "open findings", &subject, (&open[0], &open[1]), |open| {
        let each =
            open.iter().map(|(rule, severity, n)| format!("{n} {} {rule}", severity.as_str()));
        let all: Vec<String> = each.collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    });
    Drift::note(found, "systems", &subject, (&memory.cycle, &tables.cycle), |cycle| {
        format!("{cycle:?}")
    });
    // Only what one of them has alone: a device has many values.
    let (here, there) = (memory.lookup.told(), tables.lookup.told());
    let alone = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).cloned().collect::<Vec<_>>().join(", ")
    };
    let looked = (&alone(&here, &there), &alone(&there, &here));
    Drift::note(found, "look-up texts", &subject, looked, Clone::clone);
}
