use proptest::prelude::*;
use rollcall_shared::section::user::{Account, AccountKind};
use rollcall_shared::section::{Section, Users};

use super::parse::{self, People};
use super::records::{HEAD_BYTES, Layout};
use super::{ACCOUNTS, records};
use crate::host::Host;
use crate::source::security::Who;

fn users(system: &str) -> Users {
    let root = format!("{}/../tests/fixtures/user/{system}", env!("CARGO_MANIFEST_DIR"));
    let gathered = (ACCOUNTS.gather)(&Host::at(root));
    assert_eq!(gathered.notes, []);
    match gathered.section {
        Some(Section::User(users)) => users,
        other => panic!("no users: {other:?}"),
    }
}

fn account<'a>(users: &'a Users, name: &str) -> &'a Account {
    users.accounts.iter().find(|account| account.name == name).unwrap()
}

#[test]
fn people_services_and_the_directory_are_told_apart() {
    let users = users("debian-12");
    let anna = account(&users, "anna");
    assert_eq!(anna.kind, Some(AccountKind::Person));
    assert_eq!(anna.full_name.as_deref(), Some("Anna Berg"));
    assert_eq!(anna.administrator, Some(true));
    assert_eq!(anna.disabled, Some(false));
    assert_eq!(anna.last_sign_in_at.unwrap().to_string(), "2026-11-20T08:00:00Z");
    assert_eq!(anna.last_sign_in_from.as_deref(), Some("10.1.2.3"));

    assert_eq!(account(&users, "daemon").kind, Some(AccountKind::System));
    assert_eq!(account(&users, "nobody").kind, Some(AccountKind::System));
    assert_eq!(account(&users, "daemon").disabled, Some(true));
    assert_eq!(account(&users, "root").administrator, Some(true));

    let directory = account(&users, "EXAMPLE\\bert");
    assert_eq!(directory.kind, Some(AccountKind::Directory));
    assert_eq!(directory.last_sign_in_at.unwrap().to_string(), "2026-11-21T09:30:00Z");

    let sudo = users.groups.iter().find(|group| group.name == "sudo").unwrap();
    assert_eq!(sudo.members, ["anna"]);
    assert!(users.groups.iter().all(|group| group.name != "anna"));
}

/// The log's own first record and restarts are no people.
#[test]
fn nobody_is_called_wtmp_or_reboot() {
    let users = users("debian-12");
    assert!(
        users.accounts.iter().all(|account| account.name != "wtmp" && account.name != "reboot")
    );
}

#[test]
fn other_ranges_and_groups_are_followed() {
    let users = users("rhel-6");
    assert_eq!(account(&users, "carl").kind, Some(AccountKind::Person));
    assert_eq!(account(&users, "carl").administrator, Some(true));
    assert_eq!(account(&users, "carl").disabled, None);
    assert_eq!(users.accounts.len(), 2);
}

/// 64-bit ARM writes longer records, and its seconds do not end in 2038.
#[test]
fn the_logs_of_64_bit_arm_are_read() {
    let users = users("ubuntu-24.04-arm64");
    let anna = account(&users, "anna");
    assert_eq!(anna.last_sign_in_at.unwrap().to_string(), "2026-11-20T08:00:00Z");
    assert_eq!(anna.last_sign_in_from.as_deref(), Some("10.1.2.3"));
    let carl = account(&users, "carl");
    assert_eq!(carl.last_sign_in_at.unwrap().to_string(), "2040-02-01T07:30:00Z");
    assert_eq!(carl.last_sign_in_from.as_deref(), Some("tty1"));
    let root = account(&users, "root");
    assert_eq!(root.last_sign_in_at.unwrap().to_string(), "2026-01-05T12:00:00Z");
    assert_eq!(root.last_sign_in_from.as_deref(), Some("tty1"));
    assert_eq!(users.accounts.len(), 3);
}

#[test]
fn the_databases_of_newer_systems_are_read() {
    let users = users("debian-13");
    let anna = account(&users, "anna");
    assert_eq!(anna.last_sign_in_at.unwrap().to_string(), "2026-11-20T08:00:00Z");
    assert_eq!(anna.last_sign_in_from.as_deref(), Some("10.1.2.3"));
    let carl = account(&users, "carl");
    assert_eq!(carl.last_sign_in_at.unwrap().to_string(), "2026-11-22T06:15:00Z");
    assert_eq!(account(&users, "bert").kind, Some(AccountKind::Directory));
}

/// A log that cannot be read says so and stops no other.
#[test]
fn an_unreadable_log_does_not_hide_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("var/log");
    let databases = folder.path().join("var/lib/wtmpdb");
    std::fs::create_dir_all(log.join("wtmp.1")).unwrap();
    std::fs::create_dir_all(folder.path().join("etc")).unwrap();
    std::fs::create_dir_all(&databases).unwrap();
    let fixture = format!("{}/../tests/fixtures/user/debian-12", env!("CARGO_MANIFEST_DIR"));
    for file in ["etc/passwd", "var/log/wtmp"] {
        std::fs::copy(format!("{fixture}/{file}"), folder.path().join(file)).unwrap();
    }
    std::fs::write(databases.join("wtmp.db"), "no database at all").unwrap();
    let gathered = (ACCOUNTS.gather)(&Host::at(folder.path()));
    let Some(Section::User(users)) = gathered.section else { panic!("no users") };
    assert!(account(&users, "anna").last_sign_in_at.is_some());
    let notes: Vec<String> = gathered.notes.into_iter().filter_map(|note| note.detail).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("wtmp.1") && notes[1].contains("wtmp.db"), "{notes:?}");
}

/// The administrator of a cloud image has no password, only a key, and stands in sudoers alone.
#[test]
fn an_account_that_only_a_key_opens_is_not_disabled() {
    let users = users("ubuntu-24.04-cloud");
    let ubuntu = account(&users, "ubuntu");
    assert_eq!((ubuntu.disabled, ubuntu.password_locked), (Some(false), Some(true)));
    let root = account(&users, "root");
    assert_eq!((root.disabled, root.password_locked), (Some(false), Some(true)));
    for name in ["daemon", "sync", "left"] {
        assert_eq!(account(&users, name).disabled, Some(true), "{name}");
    }
    assert_eq!(account(&users, "left").password_locked, Some(false), "expired");
}

#[test]
fn who_stands_in_sudoers_is_administrator() {
    let users = users("ubuntu-24.04-cloud");
    let found = users.accounts.iter().filter(|account| account.administrator == Some(true));
    let names: Vec<&str> = found.map(|account| account.name.as_str()).collect();
    assert_eq!(names, ["ops1", "root", "ubuntu"]);
}

#[test]
fn an_expired_account_is_told_from_a_locked_password() {
    let shadow = parse::shadow("a:$y$x:1:0:9:7::1:\nb:$y$x:1:0:9:7:::\nc:!:1\nd::1");
    let found: Vec<(bool, bool)> =
        shadow.into_values().map(|shadow| (shadow.expired, shadow.locked)).collect();
    assert_eq!(found, [(true, false), (false, false), (false, true), (false, false)]);
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(bytes: Vec<u8>, text in "([a-z+]{0,3}:|[0-9]{0,5}:|\\PC|\n){0,40}") {
        let entries = parse::passwd(&text, People::parse(&text));
        parse::groups(&text, &entries, &[Who::Everybody].into());
        parse::shadow(&text);
        records(&bytes).count();
        records(&bytes.repeat(40)).count();
        let layout = Layout::of_log(&bytes.repeat(9)[..HEAD_BYTES.min(bytes.len() * 9)]);
        layout.last(&bytes);
    }
}
