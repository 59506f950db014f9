//! The account files of a Linux system. Knows text, no files.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_shared::section::user::{Account, AccountKind, Group};

use crate::source::security::Who;
use crate::source::text::{clip, some};

/// Members of these may become administrator on the systems that have them.
const ADMINISTRATOR_GROUPS: &[&str] = &["sudo", "wheel", "admin", "root"];
/// "Nobody" stands at the end of the range of people on most systems.
const NOBODY: u32 = 65_534;

/// User ids that are given to people, from `/etc/login.defs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct People {
    first: u32,
    last: u32,
}

impl People {
    pub(super) fn parse(text: &str) -> Self {
        let value = |wanted: &str| {
            text.lines().find_map(|line| {
                let mut words = line.split_whitespace();
                (words.next() == Some(wanted)).then(|| words.next()?.parse().ok()).flatten()
            })
        };
        Self { first: value("UID_MIN").unwrap_or(1000), last: value("UID_MAX").unwrap_or(60_000) }
    }

    pub(super) fn kind(self, id: u32) -> AccountKind {
        if id != NOBODY && (self.first..=self.last).contains(&id) {
            AccountKind::Person
        } else {
            AccountKind::System
        }
    }
}

/// One line of `/etc/passwd`, with the numbers needed to join it to the others.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) account: Account,
    pub(super) id: u32,
    pub(super) group: u32,
}

/// Lines that cannot be an account, such as those that call in a directory (`+::::::`), are left
/// out.
pub(super) fn passwd(text: &str, people: People) -> Vec<Entry> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, id, group, gecos, _home, shell] = fields[..] else { return None };
        if name.is_empty() || name.starts_with(['+', '-', '#']) {
            return None;
        }
        let id: u32 = id.parse().ok()?;
        let full_name = gecos.split(',').next().unwrap_or_default().replace('&', name);
        Some(Entry {
            account: Account {
                name: clip(name.as_bytes()),
                id: id.to_string(),
                kind: Some(people.kind(id)),
                full_name: some(full_name.as_bytes()),
                shell: some(shell.as_bytes()),
                ..Account::default()
            },
            id,
            group: group.parse().ok()?,
        })
    };
    text.lines().filter_map(line).collect()
}

/// Groups that have members, and the names of those who may become administrator: by the custom of
/// some groups, or because sudo says so.
pub(super) fn groups(
    text: &str,
    entries: &[Entry],
    by_sudo: &BTreeSet<Who>,
) -> (Vec<Group>, BTreeSet<String>) {
    let mut by_primary: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for entry in entries {
        by_primary.entry(entry.group).or_default().push(&entry.account.name);
    }
    let mut groups = Vec::new();
    let mut administrators: BTreeSet<String> = by_sudo
        .iter()
        .filter_map(|who| match who {
            Who::User(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    let everybody = by_sudo.contains(&Who::Everybody);
    let told = entries.iter().filter(|entry| everybody || by_sudo.contains(&Who::UserId(entry.id)));
    administrators.extend(told.map(|entry| entry.account.name.clone()));
    for line in text.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, id, members] = fields[..] else { continue };
        let Ok(id) = id.parse::<u32>() else { continue };
        let mut members: BTreeSet<String> =
            members.split(',').filter_map(|member| some(member.as_bytes())).collect();
        if ADMINISTRATOR_GROUPS.contains(&name)
            || by_sudo.contains(&Who::Group(name.to_owned()))
            || by_sudo.contains(&Who::GroupId(id))
        {
            administrators.extend(members.iter().cloned());
            let primary = by_primary.get(&id).into_iter().flatten();
            administrators.extend(primary.map(|name| (*name).to_owned()));
        }
        // A group that holds only the account of the same name says nothing.
        let primary = by_primary.get(&id).into_iter().flatten().filter(|member| **member != name);
        members.extend(primary.map(|name| (*name).to_owned()));
        if !members.is_empty() {
            groups.push(Group {
                name: clip(name.as_bytes()),
                id: id.to_string(),
                members: members.into_iter().collect(),
            });
        }
    }
    groups.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    (groups, administrators)
}

/// What the shadow file says of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shadow {
    /// No password fits.
    pub(super) locked: bool,
    /// The account itself has ended.
    pub(super) expired: bool,
}

/// Only the first letters of a password field are looked at, and nothing of it is kept. An account
/// that expired on the first day of 1970 was switched off by that; later dates are not judged here,
/// where the present is not known.
pub(super) fn shadow(text: &str) -> BTreeMap<String, Shadow> {
    let line = |line: &str| {
        let mut fields = line.split(':');
        let (name, password) = (fields.next()?, fields.next()?);
        let last_day: Option<i64> = fields.nth(5).and_then(|days| days.parse().ok());
        let expired = last_day.is_some_and(|day| day <= 1);
        Some((clip(name.as_bytes()), Shadow { locked: password.starts_with(['!', '*']), expired }))
    };
    text.lines().filter_map(line).collect()
}

/// Whether an account cannot sign in at all. A locked password is not enough: the administrator of
/// a cloud image has only a key.
pub(super) fn disabled(account: &Account, shadow: Option<Shadow>) -> Option<bool> {
    let shell = account.shell.as_deref().and_then(|shell| shell.rsplit('/').next());
    if matches!(shell, Some("nologin" | "false")) {
        return Some(true);
    }
    shadow.map(|shadow| shadow.expired)
}
