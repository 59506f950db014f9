//! Accounts and groups of a Mac, from its own directory: one property list for each. They hold
//! digests of passwords too, which are never looked at. Newer systems keep these files even from
//! root unless somebody gave the agent full disk access; then the directory is asked by its program.

use rollcall_shared::section::user::{Account, AccountKind, Group};
use rollcall_shared::section::{Section, Users};
use rollcall_shared::{Note, NoteKind};

use crate::host::{Host, HostError};
use crate::order;
use crate::plist::Value;
use crate::source::text::{clip, has_ending, some};
use crate::source::{Gathered, Platform, Privilege, Program, Source};

const FOLDER: &str = "/private/var/db/dslocal/nodes/Default";
const ADMINISTRATORS: &str = "admin";
/// Numbers of people begin here.
const FIRST_OF_PEOPLE: i64 = 500;
const RECORDS_LIMIT: usize = 20_000;

/// The directory's own program, which everybody may ask.
const DIRECTORY: Program = Program {
    path: "/usr/bin/dscl",
    why: "accounts and groups, where the system keeps their files from the agent",
};
/// What it is asked for; nothing that has to do with passwords but whether there is one.
const OF_USERS: &[&str] = &[
    "-plist",
    ".",
    "-readall",
    "/Users",
    "RecordName",
    "UniqueID",
    "GeneratedUID",
    "RealName",
    "UserShell",
    "AuthenticationAuthority",
    "OriginalNodeName",
    "IsHidden",
];
const OF_GROUPS: &[&str] = &[
    "-plist",
    ".",
    "-readall",
    "/Groups",
    "RecordName",
    "PrimaryGroupID",
    "GroupMembership",
    "GroupMembers",
];

/// The declaration.
pub const MACOS: Source = Source {
    name: "directory_records",
    section: "user",
    about: "Accounts and groups from /private/var/db/dslocal, or else from dscl; those that the system made for its own services, with names that begin with _, are left out",
    platforms: &[Platform::Macos],
    privilege: Privilege::Administrator,
    programs: &[DIRECTORY],
    gather,
};

/// What is asked of a record.
#[derive(Debug, Default)]
struct Record {
    name: String,
    /// Number of the account or group.
    id: String,
    /// Number that it has in all directories.
    everywhere: Option<String>,
    full_name: Option<String>,
    shell: Option<String>,
    hidden: bool,
    password: Option<String>,
    authorities: Vec<String>,
    /// Where an account of another directory came from.
    origin: Option<String>,
    /// Members of a group, by name and by the number everywhere.
    members: Vec<String>,
    member_ids: Vec<String>,
}

fn gather(host: &Host) -> Gathered {
    let (users, note) = match records(host, "users", OF_USERS) {
        Ok(found) => found,
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut notes: Vec<Note> = note.into_iter().collect();
    let groups = match records(host, "groups", OF_GROUPS) {
        Ok((groups, note)) => {
            notes.extend(note);
            groups
        }
        Err(error) => {
            notes.push(error.into());
            Vec::new()
        }
    };
    let administrators = groups.iter().find(|group| group.name == ADMINISTRATORS);
    let mut accounts: Vec<Account> = users
        .iter()
        .filter(|user| !is_of_system(user))
        .map(|user| account(user, administrators))
        .collect();
    let mut groups: Vec<Group> = groups
        .iter()
        .filter(|group| !is_of_system(group))
        .filter_map(|one| group(one, &users))
        .collect();
    order::sort(&mut accounts, |a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    order::sort(&mut groups, |a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Gathered { section: Some(Section::User(Users { accounts, groups })), notes }
}

fn is_of_system(record: &Record) -> bool {
    record.name.starts_with('_')
}

/// All records of a kind, from their files or else from the program.
fn records(
    host: &Host,
    kind: &str,
    question: &[&str],
) -> Result<(Vec<Record>, Option<Note>), HostError> {
    let denied = match files(host, kind) {
        Ok(found) => return Ok(found),
        Err(error) => error,
    };
    let told = host.run(DIRECTORY.path, question).ok();
    match told.as_deref().and_then(Value::read) {
        Some(Value::List(records)) => {
            Ok((records.iter().filter_map(record).take(RECORDS_LIMIT).collect(), None))
        }
        _ => Err(denied),
    }
}

fn files(host: &Host, kind: &str) -> Result<(Vec<Record>, Option<Note>), HostError> {
    let folder = format!("{FOLDER}/{kind}");
    let (mut found, mut unread) = (Vec::new(), 0_usize);
    for name in host.list(&folder)?.iter().filter(|name| has_ending(name, "plist")) {
        if found.len() >= RECORDS_LIMIT {
            break;
        }
        match host.property_list(&format!("{folder}/{name}")) {
            Ok(list) => found.extend(record(&list)),
            Err(_) => unread += 1,
        }
    }
    let note = (unread > 0).then(|| {
        let why = format!("{unread} records in {folder} could not be read");
        Note::new(NoteKind::Failed).with_detail(why)
    });
    Ok((found, note))
}

/// Every property is a list, mostly of one value. In files they have other names than the program
/// gives them.
fn record(list: &Value) -> Option<Record> {
    let values = |names: [&str; 2]| {
        let told = |name: &str| list.list(name);
        let own = told(names[0]);
        if own.is_empty() { told(&format!("dsAttrTypeStandard:{}", names[1])) } else { own }
    };
    let texts = |names: [&str; 2]| -> Vec<String> {
        let texts = values(names).iter().filter_map(Value::as_text);
        texts.map(|text| clip(text.as_bytes())).collect()
    };
    let first = |names: [&str; 2]| {
        values(names).first().and_then(Value::as_text).and_then(|text| some(text.as_bytes()))
    };
    let hidden = first(["IsHidden", "IsHidden"]).or_else(|| {
        let native = list.list("dsAttrTypeNative:IsHidden").first()?.as_text()?;
        Some(native.to_owned())
    });
    Some(Record {
        name: first(["name", "RecordName"])?,
        id: first(["uid", "UniqueID"]).or_else(|| first(["gid", "PrimaryGroupID"]))?,
        everywhere: first(["generateduid", "GeneratedUID"]),
        full_name: first(["realname", "RealName"]),
        shell: first(["shell", "UserShell"]),
        hidden: hidden.is_some_and(|word| word == "1" || word.eq_ignore_ascii_case("yes")),
        password: first(["passwd", "Password"]),
        authorities: texts(["authentication_authority", "AuthenticationAuthority"]),
        origin: first(["OriginalNodeName", "OriginalNodeName"]),
        members: texts(["users", "GroupMembership"]),
        member_ids: texts(["groupmembers", "GroupMembers"]),
    })
}

fn is_member(user: &Record, group: &Record) -> bool {
    group.members.contains(&user.name)
        || user.everywhere.as_ref().is_some_and(|id| group.member_ids.contains(id))
}

fn account(user: &Record, administrators: Option<&Record>) -> Account {
    let number: i64 = user.id.parse().unwrap_or(0);
    let of_directory = user.origin.is_some()
        || user.authorities.iter().any(|authority| authority.contains(";LocalCachedUser;"));
    let kind = if of_directory {
        AccountKind::Directory
    } else if number >= FIRST_OF_PEOPLE && !user.hidden {
        AccountKind::Person
    } else {
        AccountKind::System
    };
    let switched_off =
        user.authorities.iter().any(|authority| authority.contains(";DisabledUser;"));
    let without_shell = user
        .shell
        .as_deref()
        .is_some_and(|shell| shell.ends_with("/false") || shell.ends_with("/nologin"));
    Account {
        name: user.name.clone(),
        id: user.id.clone(),
        kind: Some(kind),
        full_name: user.full_name.clone(),
        shell: user.shell.clone(),
        administrator: administrators.map(|group| number == 0 || is_member(user, group)),
        disabled: Some(switched_off || without_shell),
        // A digest of a password lies elsewhere, and eight stars stand for it here.
        password_locked: user.password.as_ref().map(|word| word == "*"),
        last_sign_in_at: None,
        last_sign_in_from: None,
    }
}

fn group(record: &Record, users: &[Record]) -> Option<Group> {
    let by_id = users.iter().filter(|user| is_member(user, record)).map(|user| user.name.clone());
    let mut members: Vec<String> = record.members.iter().cloned().chain(by_id).collect();
    members.retain(|name| !name.starts_with('_'));
    members.sort_unstable();
    members.dedup();
    let (name, id) = (record.name.clone(), record.id.clone());
    (!members.is_empty()).then_some(Group { name, id, members })
}
