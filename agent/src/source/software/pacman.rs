//! Packages of Arch and its kin, from pacman's local database: one small file for each package.

use rollcall_shared::section::Software;
use rollcall_shared::{Note, NoteKind, Timestamp};

use super::dpkg::person;
use super::{finish, keep};
use crate::host::Host;
use crate::source::text::{number, some};
use crate::source::{Gathered, Platform, Privilege, Source};

pub(crate) const LOCAL: &str = "/var/lib/pacman/local";

/// The declaration.
pub const PACMAN: Source = Source {
    name: "pacman",
    section: "software",
    about: "Installed Arch packages, from /var/lib/pacman/local",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let folders = match host.list(LOCAL) {
        Ok(folders) => folders,
        Err(error) if error.is_not_found() => return Gathered::nothing(),
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut rows = Vec::new();
    let mut unread = 0_u32;
    for folder in folders.iter().filter(|name| *name != "ALPM_DB_VERSION") {
        match host.read_text(&format!("{LOCAL}/{folder}/desc")).ok().as_deref().and_then(parse) {
            Some(row) => keep(&mut rows, row),
            None => unread += 1,
        }
    }
    let note = (unread > 0).then(|| {
        let why = format!("{unread} packages below {LOCAL} could not be read");
        Note::new(NoteKind::Failed).with_detail(why)
    });
    finish(rows, note.into_iter().collect())
}

/// Reads blocks of `%NAME%` and lines; also what a repository says of a package.
pub(crate) fn parse(text: &str) -> Option<Software> {
    let mut row = Software { source: "pacman".to_owned(), ..Software::default() };
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(key) = line.strip_prefix('%').and_then(|rest| rest.strip_suffix('%')) else {
            continue;
        };
        let value = lines.next().unwrap_or_default().as_bytes();
        match key {
            "NAME" => row.name = some(value)?,
            "VERSION" => row.version = some(value)?,
            "BASE" => row.source_package = some(value),
            "ARCH" => row.architecture = some(value),
            "PACKAGER" => row.publisher = person(value),
            "SIZE" => row.size_bytes = number(value),
            "INSTALLDATE" => {
                row.installed_at = number::<i64>(value)
                    .filter(|seconds| *seconds > 0)
                    .map(Timestamp::from_seconds);
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
    fn arch_packages_are_read() {
        let rows = software(&PACMAN, "arch");
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].name.as_str(), rows[0].version.as_str()), ("acl", "2.3.2-1"));
        assert_eq!(rows[1].version, "1:1.3.1-2");
        assert_eq!(rows[0].installed_at.unwrap().to_string(), "2026-09-14T08:31:07Z");
        assert_eq!(rows[0].publisher.as_deref(), Some("Christian Hesse"));
        assert_eq!(software(&PACMAN, "manjaro").len(), 1);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in "(%(NAME|VERSION|SIZE|INSTALLDATE)%\n|\\PC{0,9}\n){0,12}") {
            parse(&text);
        }
    }
}
