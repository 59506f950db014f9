//! What a second look at the same computer costs, and that it misses nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rollcall_shared::Timestamp;
use rollcall_shared::section::Section;

use crate::gather::{Gathering, Observer, Options};
use crate::host::Host;
use crate::source::FROM_DEVICES;

pub(crate) const STATUS: &str = "var/lib/dpkg/status";

/// A moment at which files made by a test are no longer new.
const LATER: Timestamp = Timestamp(i64::MAX / 2);

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_symlink() {
            // Two captures may hold the same link.
            let _ = fs::remove_file(&target);
            std::os::unix::fs::symlink(fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A computer of its own from a folder of captures.
pub(crate) fn computer(captures: &str) -> (tempfile::TempDir, Host) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(captures);
    let folder = tempfile::tempdir().unwrap();
    copy(&root, folder.path());
    let host = Host::at(folder.path());
    (folder, host)
}

pub(crate) fn options() -> Options {
    Options { now: LATER, ..Options::default() }
}

pub(crate) fn software(gathering: &Gathering) -> Vec<String> {
    match gathering.sections["software"].section.as_deref() {
        Some(Section::Software(rows)) => rows.iter().map(|row| row.name.clone()).collect(),
        other => panic!("no software: {other:?}"),
    }
}

/// Lets the file system's clock go on.
pub(crate) fn wait() {
    std::thread::sleep(Duration::from_millis(20));
}

#[test]
fn an_unchanged_computer_is_hardly_read_again() {
    let (_folder, host) = computer("update/debian-12");
    let mut observer = Observer::new(host.clone());
    let first = observer.look(&options());
    let cost_of_first = host.opened();
    let second = observer.look(&options());
    let cost_of_second = host.opened() - cost_of_first;
    assert_eq!(software(&first), software(&second));
    assert_eq!(first.sections["update"].section, second.sections["update"].section);
    assert!(first.sections["update"].section.is_some());
    let full = Options { full: true, ..options() };
    observer.look(&full);
    let cost_of_full = host.opened() - cost_of_first - cost_of_second;
    assert_eq!(cost_of_full, cost_of_first);
    // The sources that are left read the kernel's own files and a few lines of logs.
    let lists = fs::read_dir(host.root().join("var/lib/apt/lists")).unwrap().count();
    assert!(cost_of_first - cost_of_second > lists, "{cost_of_second} of {cost_of_first}");
}

#[test]
fn a_change_of_the_package_list_is_seen_at_the_next_look() {
    let (folder, host) = computer("update/debian-12");
    let mut observer = Observer::new(host);
    let before = observer.look(&options());
    wait();
    let path = folder.path().join(STATUS);
    let mut status = fs::read_to_string(&path).unwrap();
    status.push_str("\nPackage: newcomer\nStatus: install ok installed\nVersion: 1\n");
    fs::write(&path, status).unwrap();
    let after = observer.look(&options());
    assert!(!software(&before).contains(&"newcomer".to_owned()));
    assert!(software(&after).contains(&"newcomer".to_owned()));
}

#[test]
fn waiting_updates_follow_the_package_list_the_lists_and_the_pins() {
    let pending = |gathering: &Gathering| match gathering.sections["update"].section.as_deref() {
        Some(Section::Update(update)) => update.pending.len(),
        other => panic!("no updates: {other:?}"),
    };
    let (folder, host) = computer("update/debian-12");
    let mut observer = Observer::new(host);
    let before = pending(&observer.look(&options()));
    assert!(before > 0);
    let preferences = folder.path().join("etc/apt/preferences");
    let pins = fs::read(&preferences).ok();
    wait();
    fs::write(&preferences, "Package: *\nPin: release *\nPin-Priority: -1\n").unwrap();
    assert_eq!(pending(&observer.look(&options())), 0, "all is held back");
    wait();
    match pins {
        Some(text) => fs::write(&preferences, text).unwrap(),
        None => fs::remove_file(&preferences).unwrap(),
    }
    assert_eq!(pending(&observer.look(&options())), before);
    wait();
    let status = folder.path().join(STATUS);
    let nothing = "Package: none\nStatus: deinstall ok config-files\nVersion: 1\n";
    let installed = fs::read_to_string(&status).unwrap();
    fs::write(&status, nothing).unwrap();
    assert_eq!(pending(&observer.look(&options())), 0, "nothing is installed");
    wait();
    fs::write(&status, installed).unwrap();
    assert_eq!(pending(&observer.look(&options())), before);
    wait();
    fs::remove_dir_all(folder.path().join("var/lib/apt/lists")).unwrap();
    let without = observer.look(&options());
    let unknown = match without.sections["update"].section.as_deref() {
        Some(Section::Update(update)) => update.pending_unknown,
        other => panic!("nothing of updates: {other:?}"),
    };
    assert!(unknown && pending(&without) == 0, "the lists are gone");
}

#[test]
fn a_new_account_is_seen_at_the_next_look() {
    let (folder, host) = computer("update/debian-12");
    fs::create_dir_all(folder.path().join("etc")).unwrap();
    let passwd = folder.path().join("etc/passwd");
    fs::write(&passwd, "root:x:0:0:root:/root:/bin/bash\n").unwrap();
    let mut observer = Observer::new(host);
    let accounts = |gathering: &Gathering| match gathering.sections["user"].section.as_deref() {
        Some(Section::User(users)) => users.accounts.len(),
        other => panic!("no accounts: {other:?}"),
    };
    assert_eq!(accounts(&observer.look(&options())), 1);
    wait();
    let two = "root:x:0:0:root:/root:/bin/bash\nanna:x:1000:1000:Anna:/home/anna:/bin/bash\n";
    fs::write(&passwd, two).unwrap();
    assert_eq!(accounts(&observer.look(&options())), 2);
}

#[test]
fn what_changed_just_before_a_look_is_read_again() {
    let (folder, host) = computer("update/debian-12");
    let mut observer = Observer::new(host.clone());
    let changed = fs::metadata(folder.path().join(STATUS)).unwrap().modified().unwrap();
    let since = changed.duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = Timestamp(i64::try_from(since.as_millis()).unwrap() + 500);
    let at_once = Options { now, ..Options::default() };
    observer.look(&at_once);
    let first = host.opened();
    observer.look(&at_once);
    let again = host.opened() - first;
    // Later the same files are settled.
    observer.look(&options());
    let before = host.opened();
    observer.look(&options());
    let settled = host.opened() - before;
    let lists = fs::read_dir(host.root().join("var/lib/apt/lists")).unwrap().count();
    assert!(again > settled + lists, "package list and lists were read again: {again}, {settled}");
}

#[test]
fn devices_are_asked_again_once_the_kernel_tells_of_an_event() {
    let (folder, host) = computer("host/thinkpad-t14");
    fs::create_dir_all(folder.path().join("sys/kernel")).unwrap();
    fs::create_dir_all(folder.path().join("proc/sys/kernel/random")).unwrap();
    let events = folder.path().join("sys/kernel/uevent_seqnum");
    fs::write(&events, "4711\n").unwrap();
    fs::write(folder.path().join("proc/sys/kernel/random/boot_id"), "0197\n").unwrap();
    let mut observer = Observer::new(host);
    let first = observer.look(&options());
    let asked = |gathering: &Gathering, source: &str| gathering.cost.sources.contains_key(source);
    for source in FROM_DEVICES {
        assert!(asked(&first, source), "{source}");
    }
    let second = observer.look(&options());
    for source in FROM_DEVICES {
        assert!(!asked(&second, source), "{source} was asked though no device changed");
    }
    for section in ["cpu", "memory", "storage", "battery", "firmware"] {
        assert_eq!(first.sections[section].section, second.sections[section].section);
        assert!(second.sections[section].section.is_some(), "{section}");
    }
    fs::write(&events, "4712\n").unwrap();
    let third = observer.look(&options());
    for source in FROM_DEVICES {
        assert!(asked(&third, source), "{source} was not asked after an event");
    }
}
