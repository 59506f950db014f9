//! Holds back what looks like a failed look: a list that lost more than half of its rows.
//!
//! A package database that is just being written, or a bus that hangs for a moment, gives a list
//! that is short and not wrong in form. Told at once it would be hundreds of removals in the
//! history of the device. So it waits for a second look that says the same.

use std::collections::BTreeMap;

use rollcall_shared::{Note, NoteKind};

use crate::gather::Gathering;
use crate::merge;

/// Shorter lists are told as they are: what is plugged in comes and goes.
const ROWS_THAT_COUNT: usize = 20;

/// Rows of each list, by section.
pub(crate) type Rows = BTreeMap<String, usize>;

/// Takes back the lists that lost more than half of their rows since they were told last, unless
/// the look before found the same. `held` is what that look found and took back; afterwards it is
/// what this one took back. Says whether anything was taken back.
pub(crate) fn hold_back(gathering: &mut Gathering, told: &Rows, held: &mut Rows) -> bool {
    let before = std::mem::take(held);
    for (name, found) in &mut gathering.sections {
        let (name, Some(section)) = (*name, &found.section) else { continue };
        let (Some(rows), Some(had)) = (merge::rows(section), told.get(name).copied()) else {
            continue;
        };
        let shrunk = had >= ROWS_THAT_COUNT && rows < had.div_ceil(2);
        if !shrunk || before.get(name) == Some(&rows) {
            continue;
        }
        held.insert(name.to_owned(), rows);
        found.take_back(Note::new(NoteKind::Failed).with_detail(format!(
            "this look found {rows} of {had} rows; it is told once a second look says the same"
        )));
    }
    !held.is_empty()
}

/// The rows of each list that was found.
pub(crate) fn rows_of(gathering: &Gathering) -> Rows {
    let counted = |(name, found): (&&'static str, &crate::gather::Found)| {
        Some(((*name).to_owned(), merge::rows(found.section.as_ref()?)?))
    };
    gathering.sections.iter().filter_map(counted).collect()
}

#[cfg(test)]
mod tests {
    use rollcall_shared::section::{Section, Software};

    use super::*;
    use crate::gather::Found;

    fn found(count: usize) -> Gathering {
        let row = |number| Software { name: format!("p{number}"), ..Software::default() };
        let section = Section::Software((0..count).map(row).collect());
        let mut gathering = Gathering::default();
        gathering.sections.insert("software", Found::new(Some(section), Vec::new()));
        gathering
    }

    #[test]
    fn a_look_that_lost_more_than_half_waits_for_a_second_one() {
        let told = rows_of(&found(1_000));
        let mut held = Rows::new();
        for harmless in [500, 2_000] {
            let mut gathering = found(harmless);
            assert!(!hold_back(&mut gathering, &told, &mut held));
            assert!(gathering.sections["software"].section.is_some());
        }
        let mut gathering = found(300);
        assert!(hold_back(&mut gathering, &told, &mut held));
        let software = &gathering.sections["software"];
        assert_eq!(software.section, None);
        assert!(software.notes[0].leaves_open(), "unknown is never gone");
        assert!(software.notes[0].detail.as_ref().unwrap().contains("300 of 1000 rows"));

        let mut other = found(200);
        assert!(hold_back(&mut other, &told, &mut held), "it says something else again");
        let mut same = found(200);
        assert!(!hold_back(&mut same, &told, &mut held), "so it is true");
        assert!(same.sections["software"].section.is_some());
    }

    #[test]
    fn a_short_list_and_a_recovery_are_told_at_once() {
        let mut held = Rows::new();
        assert!(!hold_back(&mut found(3), &rows_of(&found(19)), &mut held));
        assert!(!hold_back(&mut found(3), &Rows::new(), &mut held), "nothing was told before");
        let told = rows_of(&found(1_000));
        assert!(hold_back(&mut found(10), &told, &mut held));
        assert!(!hold_back(&mut found(1_000), &told, &mut held));
        assert_eq!(held, Rows::new());
    }
}
