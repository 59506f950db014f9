//! Since when updates wait, told from what a device said of them before.
//!
//! Counted for each update by its name and the version installed: a newer version of what was never
//! installed has waited as long, while a device that installs all of its updates each week is never
//! late although something always waits.

use std::collections::BTreeMap;

use rollcall_shared::Timestamp;
use rollcall_shared::section::Update;
use rollcall_shared::section::update::PendingUpdate;

/// Since when each update of a device waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    all: BTreeMap<String, Timestamp>,
    security: BTreeMap<String, Timestamp>,
}

impl Waiting {
    /// Reads it from what the device said, the present first, each state with the moment it began;
    /// `None` for times in which nobody could look, which are no sign that anything was installed.
    pub fn of(states: &[(Timestamp, Option<Update>)]) -> Self {
        let since = |security: bool| {
            let mut told = states.iter().filter_map(|(begin, state)| {
                let state = state.as_ref().filter(|state| state.security_known || !security)?;
                let asked = |one: &&PendingUpdate| one.security || !security;
                Some((*begin, state.pending.iter().filter(asked).collect::<Vec<_>>()))
            });
            let Some((begin, mut waiting)) = told.next() else { return BTreeMap::new() };
            let mut since: BTreeMap<String, Timestamp> =
                waiting.iter().map(|one| (one.name.clone(), begin)).collect();
            for (begin, older) in told {
                waiting.retain(|one| older.iter().any(|other| same(one, other)));
                if waiting.is_empty() {
                    break;
                }
                since.extend(waiting.iter().map(|one| (one.name.clone(), begin)));
            }
            since
        };
        Self { all: since(false), security: since(true) }
    }

    /// How many of these wait since this moment or longer; one nothing is known of does.
    pub fn since(&self, update: &Update, security: bool, moment: Timestamp) -> usize {
        let known = if security { &self.security } else { &self.all };
        let late = |one: &&PendingUpdate| {
            (one.security || !security) && known.get(&one.name).is_none_or(|since| *since <= moment)
        };
        update.pending.iter().filter(late).count()
    }
}

/// Whether nothing was installed between the two.
fn same(one: &PendingUpdate, other: &PendingUpdate) -> bool {
    let installed = (&one.installed, &other.installed);
    one.name == other.name
        && match installed {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(names: &[&str]) -> Update {
        let pending = names.iter().map(|name| PendingUpdate {
            name: (*name).trim_end_matches('!').to_owned(),
            security: name.ends_with('!'),
            ..PendingUpdate::default()
        });
        Update { security_known: true, pending: pending.collect(), ..Update::default() }
    }

    #[test]
    fn each_update_waits_for_itself() {
        let states = [
            (Timestamp(40), Some(told(&["curl!", "bash", "vim"]))),
            (Timestamp(30), Some(told(&["curl", "bash"]))),
            (Timestamp(20), None),
            (Timestamp(10), Some(told(&["bash", "zsh"]))),
            (Timestamp(0), Some(told(&["vim", "bash"]))),
        ];
        let waiting = Waiting::of(&states);
        let all = [("bash", 0), ("curl", 30), ("vim", 40)];
        let all = all.map(|(name, at)| (name.to_owned(), Timestamp(at)));
        assert_eq!(waiting.all, BTreeMap::from(all));
        assert_eq!(waiting.security, BTreeMap::from([("curl".to_owned(), Timestamp(40))]));
        let update = states[0].1.clone().unwrap();
        assert_eq!(waiting.since(&update, false, Timestamp(30)), 2);
        assert_eq!(waiting.since(&update, true, Timestamp(39)), 0);
        assert_eq!(waiting.since(&update, true, Timestamp(40)), 1);
    }

    #[test]
    fn what_is_installed_and_waits_anew_begins_anew() {
        let mut states =
            [(Timestamp(9), Some(told(&["curl"]))), (Timestamp(1), Some(told(&["curl"])))];
        for ((_, state), version) in states.iter_mut().zip(["8.1", "8.0"]) {
            state.as_mut().unwrap().pending[0].installed = Some(version.to_owned());
        }
        let update = states[0].1.clone().unwrap();
        assert_eq!(Waiting::of(&states).since(&update, false, Timestamp(8)), 0);
    }

    #[test]
    fn nothing_known_is_no_excuse() {
        let update = told(&["curl!"]);
        assert_eq!(Waiting::default().since(&update, true, Timestamp(0)), 1);
        assert_eq!(Waiting::of(&[(Timestamp(5), None)]), Waiting::default());
    }
}
