//! Snaps: the revision in use, by its own description.
//!
//! Where a snap is not mounted only its file is seen; then the revision stands for the version.

use rollcall_shared::Note;
use rollcall_shared::NoteKind;
use rollcall_shared::section::Software;

use super::{finish, keep};
use crate::host::Host;
use crate::source::text::{clip, some, unquote};
use crate::source::{Gathered, Platform, Privilege, Source};

/// Where snaps are mounted: Ubuntu and Debian, then Fedora and Arch.
const MOUNTS: &[&str] = &["/snap", "/var/lib/snapd/snap"];
const FILES: &str = "/var/lib/snapd/snaps";

/// The declaration.
pub const SNAP: Source = Source {
    name: "snap",
    section: "software",
    about: "Installed snaps, from /snap/<name>/current/meta/snap.yaml",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    if !host.exists("/var/lib/snapd") {
        return Gathered::nothing();
    }
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    if let Some(mount) = MOUNTS.iter().find(|mount| host.exists(mount)) {
        for name in host.list(mount).unwrap_or_default() {
            let Ok(revision) = host.link(&format!("{mount}/{name}/current")) else { continue };
            let revision = revision.to_string_lossy().into_owned();
            // What is inside a snap is its publisher's.
            let text =
                host.read_text_below(&format!("{mount}/{name}/{revision}"), "meta/snap.yaml");
            let row = match text {
                Ok(text) => parse(&text).ok_or("it could not be understood".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            let mut row = row.unwrap_or_else(|why| {
                // The other name of the version must not look like an upgrade.
                notes.push(Note::new(NoteKind::Failed).with_detail(format!(
                    "the version of the snap {name} is not known, its revision stands for it: {why}"
                )));
                by_revision(&name, &revision)
            });
            describe(host, &mut row, &format!("{name}_{revision}.snap"));
            keep(&mut rows, row);
        }
    }
    match host.list(FILES) {
        Ok(files) => {
            for (name, revision, file) in newest(&files) {
                if rows.iter().any(|row| row.name == name) {
                    continue;
                }
                let mut row = by_revision(name, revision);
                describe(host, &mut row, file);
                keep(&mut rows, row);
            }
        }
        Err(error) if error.is_not_found() => {}
        Err(error) if rows.is_empty() => notes.push(Note::from(error)),
        Err(_) => {}
    }
    if rows.is_empty() && notes.is_empty() && host.exists("/var/lib/snapd/state.json") {
        notes.push(
            Note::new(NoteKind::NotFound).with_detail("snapd is installed, but there is no snap"),
        );
    }
    finish(rows, notes)
}

fn by_revision(name: &str, revision: &str) -> Software {
    Software {
        source: "snap".to_owned(),
        name: clip(name.as_bytes()),
        version: clip(format!("revision {revision}").as_bytes()),
        ..Software::default()
    }
}

/// Size and age of the file a snap is mounted from.
fn describe(host: &Host, row: &mut Software, file: &str) {
    if let Ok(info) = host.info(&format!("{FILES}/{file}")) {
        row.size_bytes = Some(info.size_bytes);
        row.installed_at = Some(info.modified_at).filter(|at| at.0 > 0);
    }
}

/// Name, revision and file of the newest revision of every snap.
fn newest(files: &[String]) -> Vec<(&str, &str, &str)> {
    let mut found: Vec<(&str, &str, &str)> = Vec::new();
    for file in files {
        let Some((name, revision)) =
            file.strip_suffix(".snap").and_then(|stem| stem.rsplit_once('_'))
        else {
            continue;
        };
        // Revisions of the store are numbers, local ones `x1`, `x2`.
        let order = |revision: &str| revision.trim_start_matches('x').parse::<u64>().unwrap_or(0);
        match found.iter_mut().find(|known| known.0 == name) {
            Some(known) if order(known.1) < order(revision) => *known = (name, revision, file),
            Some(_) => {}
            None => found.push((name, revision, file)),
        }
    }
    found
}

/// Reads the few plain lines at the outermost level of a `snap.yaml` that matter here.
fn parse(text: &str) -> Option<Software> {
    let mut row = Software { source: "snap".to_owned(), ..Software::default() };
    let mut in_architectures = false;
    for line in text.lines() {
        if in_architectures && let Some(item) = line.trim_start().strip_prefix("- ") {
            row.architecture = row.architecture.or_else(|| some(unquote(item).as_bytes()));
            continue;
        }
        in_architectures = false;
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = unquote(value);
        match key {
            "name" => row.name = some(value.as_bytes())?,
            "version" => row.version = some(value.as_bytes())?,
            "architectures" => {
                in_architectures = true;
                let first = value.trim_matches(['[', ']']).split(',').next().unwrap_or_default();
                row.architecture = some(unquote(first).as_bytes());
            }
            _ => {}
        }
    }
    (!row.name.is_empty() && !row.version.is_empty()).then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::software::testing::software;
    use proptest::prelude::*;

    #[test]
    fn mounted_and_unmounted_snaps_are_read() {
        let rows = software(&SNAP, "ubuntu-24.04");
        let found: Vec<_> =
            rows.iter().map(|row| (row.name.as_str(), row.version.as_str())).collect();
        let expected =
            [("core22", "20250315"), ("firefox", "137.0.2-1"), ("lxd", "revision 31333")];
        assert_eq!(found, expected);
        assert_eq!(rows[0].architecture.as_deref(), Some("amd64"));
        assert_eq!(software(&SNAP, "fedora-41-snap").len(), 1);
        let rows = software(&SNAP, "ubuntu-core-24");
        let found: Vec<_> =
            rows.iter().map(|row| (row.name.as_str(), row.version.as_str())).collect();
        let expected = [
            ("core24", "20241217"),
            ("pc", "24-0.1"),
            ("pc-kernel", "revision 2105"),
            ("snapd", "2.67"),
        ];
        assert_eq!(found, expected);
        assert!(rows.iter().all(|row| row.architecture.as_deref() != Some("amd64")));
    }

    /// While a snap is not mounted its description is not there; that is no other version.
    #[test]
    #[cfg(unix)]
    fn a_snap_without_its_description_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let snap = folder.path().join("snap/firefox");
        std::fs::create_dir_all(snap.join("5987")).unwrap();
        std::fs::create_dir_all(folder.path().join("var/lib/snapd/snaps")).unwrap();
        std::os::unix::fs::symlink("5987", snap.join("current")).unwrap();
        let gathered = gather(&Host::at(folder.path()));
        let Some(rollcall_shared::section::Section::Software(rows)) = gathered.section else {
            panic!("no software")
        };
        assert_eq!((rows.len(), rows[0].version.as_str()), (1, "revision 5987"));
        assert_eq!(gathered.notes.len(), 1);
        let detail = gathered.notes[0].detail.as_deref().unwrap();
        assert!(detail.contains("firefox") && detail.contains("revision"), "{detail}");
    }

    #[test]
    fn a_description_is_read_at_its_outermost_level() {
        let row = parse(
            "name: firefox\nversion: '131.0.2-1'\narchitectures:\n- amd64\napps:\n  firefox:\n    \
             version: 9\nversion-note: x\n",
        )
        .unwrap();
        assert_eq!((row.name.as_str(), row.version.as_str()), ("firefox", "131.0.2-1"));
        assert_eq!(row.architecture.as_deref(), Some("amd64"));
    }

    #[test]
    fn the_newest_file_counts() {
        let files = ["core22_99.snap", "core22_1380.snap", "mine_x2.snap", "partial"];
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        let found = newest(&files);
        assert_eq!(found[0], ("core22", "1380", "core22_1380.snap"));
        assert_eq!(found.len(), 2);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in "((name|version|architectures): ?['\\[]?|- |\\PC{0,9}|\n){0,20}") {
            parse(&text);
        }
    }
}
