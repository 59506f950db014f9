//! Packages of Alpine, from apk's own file.

use std::io::{self, BufRead, BufReader};

use rollcall_shared::section::Software;
use rollcall_shared::{Note, NoteKind};

use super::dpkg::person;
use super::{finish, keep};
use crate::host::Host;
use crate::source::text::{Step, clip, for_each_field, number, some};
use crate::source::{Gathered, Platform, Privilege, Source};

/// Where apk keeps its file; newer versions use the second place.
pub(crate) const INSTALLED: &[&str] = &["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

/// The declaration.
pub const APK: Source = Source {
    name: "apk",
    section: "software",
    about: "Installed Alpine packages, from /lib/apk/db/installed",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    // Where both places are, one is a link to the other.
    if let Some(path) = INSTALLED.iter().find(|path| host.exists(path)) {
        match host.open(path) {
            Ok(file) => {
                if let Err(error) = parse(BufReader::new(file), &mut rows) {
                    let why = format!("reading {path} failed: {error}");
                    notes.push(Note::new(NoteKind::Failed).with_detail(why));
                }
            }
            Err(error) => notes.push(error.into()),
        }
    }
    finish(rows, notes)
}

/// Reads stanzas of `P:`, `V:`, … into `rows`; the same letters stand in a repository's index.
pub(crate) fn parse(reader: impl BufRead, rows: &mut Vec<Software>) -> io::Result<()> {
    let mut row = Software::default();
    for_each_field(reader, |step| match step {
        Step::Field(b"P", value) => row.name = clip(value),
        Step::Field(b"V", value) => row.version = clip(value),
        Step::Field(b"A", value) => row.architecture = some(value),
        Step::Field(b"m", value) => row.publisher = person(value),
        Step::Field(b"o", value) => row.source_package = some(value),
        Step::Field(b"I", value) => row.size_bytes = number(value),
        Step::Field(..) => {}
        Step::End => {
            let mut done = std::mem::take(&mut row);
            // Names that begin with a dot are apk's own bookkeeping (`apk add --virtual`).
            if !done.name.is_empty() && !done.name.starts_with('.') && !done.version.is_empty() {
                "apk".clone_into(&mut done.source);
                keep(rows, done);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::software::testing::software;
    use proptest::prelude::*;

    #[test]
    fn alpine_packages_are_read() {
        let rows = software(&APK, "alpine-3.20");
        let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["alpine-baselayout", "busybox", "musl", "ssl_client"]);
        let ssl = &rows[3];
        assert_eq!(ssl.version, "1.36.1-r29");
        assert_eq!(ssl.source_package.as_deref(), Some("busybox"));
        assert_eq!(ssl.publisher.as_deref(), Some("Natanael Copa"));
        assert_eq!(ssl.size_bytes, Some(28_672));
        assert_eq!(software(&APK, "alpine-3.23").len(), 2);
        let rows = software(&APK, "alpine-3.21-raspberry");
        assert_eq!(rows[0].name, "linux-rpi");
        assert_eq!(rows[0].size_bytes, Some(113_000_000));
        assert_eq!((rows[1].name.as_str(), rows[1].size_bytes), ("local-watchdog", None));
        assert_eq!(rows[1].architecture.as_deref(), Some("noarch"));
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(bytes: Vec<u8>) {
            parse(&bytes[..], &mut Vec::new()).unwrap();
        }
    }
}
