use std::io::Read as _;

use proptest::prelude::*;
use rollcall_shared::section::{Section, Update};
use rollcall_shared::{Note, NoteKind};

use super::UPDATES;
use super::apt::{Apt, Release};
use super::pins::Pins;
use crate::host::Host;

fn updates(system: &str) -> (Option<Update>, Vec<Note>) {
    let root = format!("{}/../tests/fixtures/update/{system}", env!("CARGO_MANIFEST_DIR"));
    let gathered = (UPDATES.gather)(&Host::at(root));
    match gathered.section {
        Some(Section::Update(update)) => (Some(update), gathered.notes),
        None => (None, gathered.notes),
        other => panic!("no updates: {other:?}"),
    }
}

fn lines(update: &Update) -> Vec<String> {
    let word = |security| if security { " security" } else { "" };
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let pending = update.pending.iter();
    pending
        .map(|row| {
            format!(
                "{} {} -> {}{}",
                row.name,
                text(&row.installed),
                text(&row.available),
                word(row.security)
            )
        })
        .collect()
}

/// The lists of this system are compressed; `apt list --upgradable` said the same.
#[test]
fn debian_agrees_with_apt() {
    let (update, notes) = updates("debian-12");
    assert_eq!(notes, []);
    let update = update.unwrap();
    assert_eq!(
        lines(&update),
        [
            "bash 5.2.15-2+b8 -> 5.2.15-2+b13",
            "krb5-locales 1.20.1-2+deb12u3 -> 1.20.1-2+deb12u5 security",
            "libcap2-bin 1:2.66-4+deb12u2+b2 -> 1:2.66-4+deb12u3+b1",
        ]
    );
    assert_eq!(update.automatic, Some(true));
    let origin = update.pending[1].origin.as_deref();
    assert_eq!(origin, Some("Debian-Security:12/oldstable-security"));
    assert_eq!(update.last_installed_at.unwrap().to_string(), "2026-09-22T02:51:10Z");
}

/// Backports do not count for what came from stable, but do for what came from backports; a
/// pinned package stays; the release of the other architecture has its own versions.
#[test]
fn ubuntu_follows_pins_and_backports() {
    let (update, notes) = updates("ubuntu-24.04");
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!(notes[0].kind, NoteKind::Unsupported);
    assert_eq!(
        lines(&update.unwrap()),
        [
            "cockpit 330-1~bpo24.04.1 -> 331-1~bpo24.04.1",
            "libssl3t64 3.0.13-0ubuntu3.4 -> 3.0.13-0ubuntu3.5 security",
            "libssl3t64:i386 3.0.13-0ubuntu3.3 -> 3.0.13-0ubuntu3.5 security",
            "tzdata 2024a-3 -> 2025b-0 security",
        ]
    );
}

#[test]
fn no_lists_are_not_the_same_as_no_updates() {
    let (update, notes) = updates("debian-12-no-lists");
    assert!(update.unwrap().pending_unknown);
    assert_eq!(notes[0].kind, NoteKind::NotFound);
    assert!(!updates("debian-12").0.unwrap().pending_unknown);
}

/// Where the lists are not read, the rest is still told.
#[test]
fn other_managers_tell_what_they_can() {
    let told = |system: &str| {
        let (update, notes) = updates(system);
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert_eq!(notes[0].kind, NoteKind::Unsupported);
        let update = update.unwrap();
        assert!(update.pending_unknown && update.pending.is_empty());
        let last = update.last_installed_at.map(|at| at.to_string()).unwrap_or_default();
        (update.manager, update.automatic, last)
    };
    let expected =
        |manager: &str, automatic, last: &str| (manager.to_owned(), automatic, last.to_owned());
    assert_eq!(told("fedora-41"), expected("dnf", Some(true), "2026-11-20T09:00:00Z"));
    assert_eq!(told("opensuse-15.6"), expected("zypper", Some(false), "2026-11-21T08:30:00Z"));
    assert_eq!(told("alpine-3.20"), expected("apk", None, ""));
}

fn waiting(status: &str, lists: &[(&str, &str)]) -> Vec<String> {
    let mut apt = Apt::installed(status.as_bytes(), Pins::default()).unwrap();
    for (release, list) in lists {
        let release = Release::parse(release.as_bytes()).unwrap();
        apt.add_list(list.as_bytes(), release).unwrap();
    }
    lines(&Update { pending: apt.pending(), ..Update::default() })
}

#[test]
fn held_packages_and_downgrades_are_no_updates() {
    let status = "Package: a\nStatus: hold ok installed\nVersion: 1\nArchitecture: amd64\n\n\
                  Package: b\nStatus: install ok installed\nVersion: 2\nArchitecture: amd64\n";
    let list = "Package: a\nVersion: 2\nArchitecture: amd64\n\n\
                Package: b\nVersion: 1\nArchitecture: amd64\n";
    assert!(waiting(status, &[("Suite: stable", list)]).is_empty());
}

#[test]
fn a_fix_counts_as_security_even_when_a_newer_version_hides_it() {
    let status = "Package: b\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n";
    let one = |version| format!("Package: b\nVersion: {version}\nArchitecture: amd64\n");
    let found = waiting(
        status,
        &[("Suite: noble-updates", &one("3")), ("Suite: noble-security", &one("2"))],
    );
    assert_eq!(found, ["b 1 -> 3 security"]);
    let experimental = [("Suite: experimental\nNotAutomatic: yes", &*one("9"))];
    assert!(waiting(status, &experimental).is_empty());
}

proptest! {
    #[test]
    fn no_list_makes_it_panic(bytes: Vec<u8>, text in "((Package|Version|Architecture|Status): [a-z0-9 .]{0,9}\n|\n){0,20}") {
        let mut apt = Apt::installed(text.as_bytes(), Pins::default()).unwrap();
        apt.add_list(&bytes[..], Release::parse(&bytes[..]).unwrap()).unwrap();
        apt.add_list(text.as_bytes(), Release::default()).unwrap();
        apt.pending();
    }

    #[test]
    fn no_compressed_list_makes_it_panic(mut bytes: Vec<u8>) {
        let _ = super::linux::lz4(&bytes[..]).read_to_end(&mut Vec::new());
        bytes.splice(0..0, [0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0xc0]);
        let _ = super::linux::lz4(&bytes[..]).read_to_end(&mut Vec::new());
    }
}
