//! Packages of Debian, Ubuntu and their kin, streamed from dpkg's own file.
//!
//! Packages whose files are in place count, also those that apt is just working on; removed ones
//! whose configuration stayed do not.

use std::io::{self, BufRead, BufReader};

use rollcall_shared::section::Software;
use rollcall_shared::{Note, NoteKind, Timestamp};

use super::{finish, keep};
use crate::host::Host;
use crate::source::text::{Step, clip, for_each_field, number, some};
use crate::source::{Gathered, Platform, Privilege, Source};

pub(crate) const STATUS: &str = "/var/lib/dpkg/status";
/// One list of files for each package.
const LISTS: &str = "/var/lib/dpkg/info";
/// Images without a package manager ("distroless") keep one small file for each package here.
const STATUS_FOLDER: &str = "/var/lib/dpkg/status.d";

/// The declaration.
pub const DPKG: Source = Source {
    name: "dpkg",
    section: "software",
    about: "Installed Debian packages, from /var/lib/dpkg/status",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    match host.open(STATUS) {
        Ok(file) => {
            // dpkg writes a new list and puts it in the place of the old one.
            host.takes_as_whole(LISTS);
            let at = |name: &str, architecture: &str| installed_at(host, name, architecture);
            if let Err(error) = parse(BufReader::new(file), &at, &mut rows) {
                notes.push(failed(STATUS, &error));
            }
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => notes.push(Note::from(error)),
    }
    for name in host.list(STATUS_FOLDER).unwrap_or_default() {
        if name.ends_with(".md5sums") {
            continue;
        }
        let path = format!("{STATUS_FOLDER}/{name}");
        let Ok(file) = host.open(&path) else { continue };
        if let Err(error) = parse(BufReader::new(file), &|_, _| None, &mut rows) {
            notes.push(failed(&path, &error));
        }
    }
    finish(rows, notes)
}

fn failed(path: &str, error: &io::Error) -> Note {
    Note::new(NoteKind::Failed).with_detail(format!("reading {path} failed: {error}"))
}

/// dpkg writes the list of a package's files when it installs or upgrades the package.
fn installed_at(host: &Host, name: &str, architecture: &str) -> Option<Timestamp> {
    let info = host
        .info(&format!("{LISTS}/{name}.list"))
        .or_else(|_| host.info(&format!("{LISTS}/{name}:{architecture}.list")))
        .ok()?;
    Some(Timestamp::from_seconds(info.modified_at.seconds())).filter(|at| at.0 > 0)
}

/// Whether a `Status` field speaks of a package that is there, and whether it is held.
///
/// In the states between `unpacked` and `installed` the files lie on the disk. To leave them out
/// would call a package removed and installed again whenever apt is at work during a look.
pub(crate) fn state(status: &[u8]) -> (bool, bool) {
    let mut words = status.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let held = words.next() == Some(b"hold");
    let gone: [&[u8]; 3] = [b"not-installed", b"config-files", b"half-installed"];
    (words.nth(1).is_some_and(|state| !gone.contains(&state)), held)
}

/// Reads stanzas into `rows`. A stanza without a `Status` counts: images without dpkg have none.
pub(crate) fn parse(
    reader: impl BufRead,
    installed_at: &dyn Fn(&str, &str) -> Option<Timestamp>,
    rows: &mut Vec<Software>,
) -> io::Result<()> {
    let mut row = Software::default();
    let mut installed = true;
    for_each_field(reader, |step| match step {
        Step::Field(b"Package", value) => row.name = clip(value),
        Step::Field(b"Status", value) => installed = state(value).0,
        Step::Field(b"Version", value) => row.version = clip(value),
        Step::Field(b"Architecture", value) => row.architecture = some(value),
        Step::Field(b"Maintainer", value) => row.publisher = person(value),
        Step::Field(b"Origin", value) => row.origin = some(value),
        Step::Field(b"Installed-Size", value) => {
            row.size_bytes = number::<u64>(value).and_then(|kibibytes| kibibytes.checked_mul(1024));
        }
        Step::Field(b"Source", value) => {
            let text = clip(value);
            let (name, version) = text.split_once(' ').unwrap_or((&text, ""));
            row.source_package = some(name.as_bytes());
            row.source_version = some(version.trim_matches(['(', ')', ' ']).as_bytes());
        }
        Step::Field(..) => {}
        Step::End => {
            let mut done = std::mem::take(&mut row);
            if std::mem::replace(&mut installed, true)
                && !done.name.is_empty()
                && !done.version.is_empty()
            {
                "dpkg".clone_into(&mut done.source);
                if done.source_package.is_none() {
                    done.source_package = Some(done.name.clone());
                }
                if done.source_version.as_ref() == Some(&done.version) {
                    done.source_version = None;
                }
                let architecture = done.architecture.as_deref().unwrap_or_default();
                done.installed_at = installed_at(&done.name, architecture);
                keep(rows, done);
            }
        }
    })
}

/// Reads name, version and architecture of the installed packages whose names are wanted.
pub(super) fn parse_wanted(
    reader: impl BufRead,
    wanted: &dyn Fn(&str) -> bool,
    rows: &mut Vec<Software>,
) -> io::Result<()> {
    let mut row: Option<Software> = None;
    for_each_field(reader, |step| match (step, &mut row) {
        (Step::Field(b"Package", value), _) => {
            row = std::str::from_utf8(value).ok().filter(|name| wanted(name)).map(|name| {
                Software { source: "dpkg".to_owned(), name: name.to_owned(), ..Software::default() }
            });
        }
        (Step::Field(b"Status", value), Some(_)) if !state(value).0 => row = None,
        (Step::Field(b"Version", value), Some(row)) => row.version = clip(value),
        (Step::Field(b"Architecture", value), Some(row)) => row.architecture = some(value),
        (Step::End, _) => rows.extend(row.take()),
        _ => {}
    })
}

/// `Anna Berg` of `Anna Berg <anna@example.org>`.
pub(super) fn person(value: &[u8]) -> Option<String> {
    let end = memchr::memchr(b'<', value).unwrap_or(value.len());
    value.get(..end).and_then(some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::software::testing::software;
    use proptest::prelude::*;

    fn parsed(bytes: &[u8]) -> Vec<Software> {
        let mut rows = Vec::new();
        parse(bytes, &|_, _| None, &mut rows).unwrap();
        rows
    }

    #[test]
    fn removed_and_half_installed_packages_do_not_count() {
        let rows = parsed(
            b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
              Package: torn\nStatus: install reinstreq half-installed\nVersion: 1\n\n\
              Package: never\nStatus: unknown ok not-installed\nVersion: 1\n\n\
              Package: odd\nStatus: install\nVersion: 1\n\n\
              Package: held\nStatus: hold ok installed\nVersion: 1\n",
        );
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].name, "held");
    }

    /// While apt works, packages pass through these states with their files in place.
    #[test]
    fn a_package_that_apt_is_working_on_is_there() {
        for word in ["unpacked", "half-configured", "triggers-awaited", "triggers-pending"] {
            let stanza = format!("Package: libc-bin\nStatus: install ok {word}\nVersion: 1\n");
            assert_eq!(parsed(stanza.as_bytes()).len(), 1, "{word}");
        }
    }

    #[test]
    fn source_package_and_version_are_told_apart() {
        let rows = parsed(
            b"Package: libssl3\nStatus: install ok installed\nSource: openssl (3.0.17-1)\n\
              Version: 3.0.17-1+b1\nArchitecture: amd64\nInstalled-Size: 6000\n\
              Maintainer: Debian OpenSSL Team <pkg@lists.example.org>\n\n\
              Package: bash\nStatus: install ok installed\nVersion: 5.2\n",
        );
        assert_eq!(rows[0].source_package.as_deref(), Some("openssl"));
        assert_eq!(rows[0].source_version.as_deref(), Some("3.0.17-1"));
        assert_eq!(rows[0].publisher.as_deref(), Some("Debian OpenSSL Team"));
        assert_eq!(rows[0].size_bytes, Some(6_144_000));
        assert_eq!(rows[1].source_package.as_deref(), Some("bash"));
    }

    #[test]
    fn captured_systems_are_read() {
        let rows = software(&DPKG, "debian-12");
        let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(
            names,
            ["bash", "libc-bin", "libc6", "libssl3", "login", "tzdata", "util-linux"]
        );
        assert_eq!(rows[3].source_package.as_deref(), Some("openssl"));
        assert_eq!(rows[4].version, "1:4.13+dfsg1-1+deb12u1");
        assert_eq!(rows[4].source_package.as_deref(), Some("shadow"));

        let rows = software(&DPKG, "ubuntu-24.04");
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[1].source_version.as_deref(), Some("6.8.0-57.59+1"));

        let rows = software(&DPKG, "distroless");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].name, "tzdata");
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(bytes: Vec<u8>) {
            parsed(&bytes);
        }
    }
}
