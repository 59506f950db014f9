//! Accounts and groups that a Windows computer keeps itself, with who is in each.

use std::collections::BTreeSet;

use rollcall_shared::section::user::{Account, AccountKind, Group};
use rollcall_shared::section::{Section, Users};
use rollcall_shared::{Note, NoteKind, Timestamp};

use crate::host::Host;
use crate::source::{Gathered, Platform, Privilege, Source};

const PRODUCT: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions";
const PROFILES: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
/// The number of the group of administrators on every computer.
const ADMINISTRATORS: &str = "S-1-5-32-544";

/// The declaration.
pub const LOCAL: Source = Source {
    name: "local_accounts",
    section: "user",
    about: "Local accounts and groups with their members as the system tells them, which looks up names of a directory; never passwords",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

/// An account as the system tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RawAccount {
    pub(super) name: String,
    /// May be empty.
    pub(super) full_name: String,
    /// E.g. `S-1-5-21-…-1001`.
    pub(super) id: String,
    /// `usri3_flags`.
    pub(super) flags: u32,
    /// Seconds since 1970; 0 for never.
    pub(super) last_sign_in_s: u32,
}

/// A group as the system tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RawGroup {
    pub(super) name: String,
    /// E.g. `S-1-5-32-544`; empty where it is not told.
    pub(super) id: String,
    pub(super) members: Vec<RawMember>,
}

/// A member of a group as the system tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RawMember {
    pub(super) id: String,
    /// `SID_NAME_USE`.
    pub(super) kind: u32,
    /// With its domain; empty where nobody could be asked for it.
    pub(super) name: String,
}

/// What the system tells of its accounts, or why it does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) accounts: Vec<RawAccount>,
    pub(super) groups: Vec<RawGroup>,
    /// What could not be read, in the system's words.
    pub(super) failures: Vec<String>,
}

fn gather(host: &Host) -> Gathered {
    // There every account is one of the directory.
    let product = host.registry(PRODUCT).ok().and_then(|key| key.text("ProductType"));
    if product.is_some_and(|product| product.eq_ignore_ascii_case("LanmanNT")) {
        let why =
            "a domain controller has no accounts of its own; those of the directory are not listed";
        return Gathered::absent(Note::new(NoteKind::Unsupported).with_detail(why));
    }
    let told = told(host);
    let mut notes: Vec<Note> = told
        .failures
        .iter()
        .map(|why| Note::new(NoteKind::Failed).with_detail(why.clone()))
        .collect();
    if told.accounts.is_empty() {
        if notes.is_empty() {
            let why = "the system tells of no local account";
            notes.push(Note::new(NoteKind::Failed).with_detail(why));
        }
        return Gathered { section: None, notes };
    }
    if told.groups.iter().flat_map(|group| &group.members).any(|member| member.name.is_empty()) {
        let why = "members of groups that only an unreachable directory knows are told by number";
        notes.push(Note::new(NoteKind::Failed).with_detail(why));
    }
    let profiles = host.registry(PROFILES).map(|key| key.keys).unwrap_or_default();
    Gathered { section: Some(Section::User(users(&told, &profiles))), notes }
}

fn users(told: &Told, profiles: &[String]) -> Users {
    let administrators = told.groups.iter().find(|group| group.id == ADMINISTRATORS);
    let members = || administrators.iter().flat_map(|group| &group.members);
    let ids: BTreeSet<&str> = members().map(|member| member.id.as_str()).collect();
    let own: BTreeSet<&str> = told.accounts.iter().map(|account| account.id.as_str()).collect();
    let is_administrator = |id: &str| administrators.is_some().then(|| ids.contains(id));
    let mut accounts: Vec<Account> = told
        .accounts
        .iter()
        .map(|account| Account { administrator: is_administrator(&account.id), ..local(account) })
        .collect();
    // Of accounts of a directory those count that have signed in here.
    let of_directory = members().filter(|member| {
        const PERSON: u32 = 1;
        member.kind == PERSON && !own.contains(member.id.as_str()) && profiles.contains(&member.id)
    });
    accounts.extend(of_directory.map(|member| Account {
        name: member_name(member),
        id: member.id.clone(),
        kind: Some(AccountKind::Directory),
        administrator: Some(true),
        ..Account::default()
    }));
    let groups = told.groups.iter().filter(|group| !group.members.is_empty());
    Users { accounts, groups: groups.map(group).collect() }
}

fn local(account: &RawAccount) -> Account {
    const DISABLED: u32 = 0x2;
    // Guest, and accounts that the system keeps for itself.
    const OF_SYSTEM: [&str; 3] = ["-501", "-503", "-504"];
    let of_system = OF_SYSTEM.iter().any(|end| account.id.ends_with(end));
    let full_name = account.full_name.trim();
    Account {
        name: account.name.clone(),
        id: account.id.clone(),
        kind: Some(if of_system { AccountKind::System } else { AccountKind::Person }),
        full_name: (!full_name.is_empty()).then(|| full_name.to_owned()),
        disabled: Some(account.flags & DISABLED != 0),
        last_sign_in_at: (account.last_sign_in_s > 0)
            .then(|| Timestamp::from_seconds(account.last_sign_in_s.into())),
        ..Account::default()
    }
}

fn group(group: &RawGroup) -> Group {
    let mut members: Vec<String> = group.members.iter().map(member_name).collect();
    members.sort_unstable();
    members.dedup();
    let id = if group.id.is_empty() { group.name.clone() } else { group.id.clone() };
    Group { name: group.name.clone(), id, members }
}

fn member_name(member: &RawMember) -> String {
    let name = member.name.trim_matches('\\');
    if name.is_empty() { member.id.clone() } else { name.to_owned() }
}

fn told(host: &Host) -> Told {
    if host.is_live() {
        return cfg_select! {
            windows => super::accounts::told(),
            _ => Told::default(),
        };
    }
    let mut told = Told::default();
    for line in host.captured_call("local_accounts").unwrap_or_default().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields.as_slice() {
            ["account", name, full_name, id, flags, seconds] => told.accounts.push(RawAccount {
                name: (*name).to_owned(),
                full_name: (*full_name).to_owned(),
                id: (*id).to_owned(),
                flags: u32::from_str_radix(flags, 16).unwrap_or_default(),
                last_sign_in_s: seconds.parse().unwrap_or_default(),
            }),
            ["group", name, id] => told.groups.push(RawGroup {
                name: (*name).to_owned(),
                id: (*id).to_owned(),
                members: Vec::new(),
            }),
            ["member", id, kind, name] => {
                if let Some(group) = told.groups.last_mut() {
                    group.members.push(RawMember {
                        id: (*id).to_owned(),
                        kind: kind.parse().unwrap_or_default(),
                        name: (*name).to_owned(),
                    });
                }
            }
            ["failure", why] => told.failures.push((*why).to_owned()),
            _ => {}
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, name: &str) -> RawMember {
        RawMember { id: id.to_owned(), kind: 1, name: name.to_owned() }
    }

    #[test]
    fn without_the_group_of_administrators_nobody_is_called_none() {
        let account = RawAccount { id: "S-1-5-21-1-2-3-1001".to_owned(), ..RawAccount::default() };
        let told = Told { accounts: vec![account.clone()], ..Told::default() };
        assert_eq!(users(&told, &[]).accounts[0].administrator, None);
        let members = vec![member("S-1-5-21-1-2-3-500", r"PC\Administrator")];
        let group = RawGroup { id: ADMINISTRATORS.to_owned(), members, ..RawGroup::default() };
        let told = Told { accounts: vec![account], groups: vec![group], failures: Vec::new() };
        assert_eq!(users(&told, &[]).accounts[0].administrator, Some(false));
    }

    #[test]
    fn administrators_of_a_directory_count_where_they_signed_in() {
        let id = "S-1-5-21-9-9-9-1107";
        let members = vec![member(id, r"EXAMPLE\anna"), member("S-1-5-21-9-9-9-1108", "")];
        let group = RawGroup { id: ADMINISTRATORS.to_owned(), members, ..RawGroup::default() };
        let told = Told { groups: vec![group], ..Told::default() };
        let found = users(&told, &[id.to_owned()]);
        assert_eq!(found.accounts.len(), 1);
        assert_eq!(found.accounts[0].name, r"EXAMPLE\anna");
        assert_eq!(found.groups[0].members, [r"EXAMPLE\anna", "S-1-5-21-9-9-9-1108"]);
    }

    #[test]
    fn a_domain_controller_is_not_asked() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("registry")).unwrap();
        let product = "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\ProductOptions]\n\
            \"ProductType\"=\"LanmanNT\"\n";
        std::fs::write(folder.path().join("registry/product.reg"), product).unwrap();
        let gathered = gather(&Host::at(folder.path()));
        assert!(gathered.section.is_none());
        assert_eq!(gathered.notes[0].kind, NoteKind::Unsupported);
    }
}
