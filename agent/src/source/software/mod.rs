//! Installed software, one file for each package manager.
//!
//! A package manager that is not on the computer gives nothing; one that is there and cannot be
//! read gives a note. Home folders are never walked.

pub(crate) mod apk;
mod appx;
pub(crate) mod dpkg;
mod extensions;
mod flatpak;
mod homebrew;
pub(crate) mod hotfix;
mod languages;
mod macos;
pub(crate) mod pacman;
mod registry;
pub(crate) mod rpm;
mod snap;
mod windows;

use std::io::BufReader;

use rollcall_shared::Note;
use rollcall_shared::report::limits::SECTION_ROWS;
use rollcall_shared::section::software::SoftwareScope;
use rollcall_shared::section::{Section, Software};

use super::Gathered;
use crate::host::Host;
use crate::order;

pub use apk::APK;
pub use appx::APPX;
pub use dpkg::DPKG;
pub use extensions::EXTENSION;
pub use flatpak::FLATPAK;
pub use homebrew::HOMEBREW;
pub use hotfix::HOTFIX;
pub use languages::{CARGO, GEM, NPM, PIP};
pub use macos::{APP_BUNDLE, RECEIPT};
pub use pacman::PACMAN;
pub use registry::REGISTRY;
pub use rpm::RPM;
pub use snap::SNAP;
pub use windows::{EXTENSION_WINDOWS, LANGUAGES_WINDOWS};

/// Adds a row unless there are more than a report may hold.
fn keep(rows: &mut Vec<Software>, row: Software) {
    if rows.len() < SECTION_ROWS {
        rows.push(row);
    }
}

/// Rows in an order that is the same every time, or nothing to say. All of them are there for
/// everybody who uses the computer: what single users install lies in their home folders.
fn finish(mut rows: Vec<Software>, notes: Vec<Note>) -> Gathered {
    for row in &mut rows {
        row.scope = Some(SoftwareScope::Machine);
    }
    order::sort(&mut rows, |a, b| {
        (&a.name, &a.architecture, &a.version).cmp(&(&b.name, &b.architecture, &b.version))
    });
    rows.dedup();
    let section = (!rows.is_empty()).then_some(Section::Software(rows));
    Gathered { section, notes }
}

/// Installed packages whose names are wanted, where the package manager's own index or one quick
/// pass tells them; elsewhere nothing.
pub(crate) fn named(host: &Host, wanted: &dyn Fn(&str) -> bool) -> Vec<Software> {
    let mut rows = Vec::new();
    if let Ok(file) = host.open(dpkg::STATUS) {
        let _ = dpkg::parse_wanted(BufReader::new(file), wanted, &mut rows);
    } else if rpm::is_present(host) {
        rpm::named(host, wanted, &mut |row| keep(&mut rows, row));
    } else if let Some(file) = apk::INSTALLED.iter().find_map(|path| host.open(path).ok()) {
        let _ = apk::parse(BufReader::new(file), &mut rows);
        rows.retain(|row| wanted(&row.name));
    }
    rows
}

#[cfg(test)]
mod testing {
    use super::*;
    use crate::source::Source;

    /// What a source finds in a captured system, which must give no note.
    pub(super) fn software(source: &Source, system: &str) -> Vec<Software> {
        let root = format!("{}/../tests/fixtures/software/{system}", env!("CARGO_MANIFEST_DIR"));
        let gathered = (source.gather)(&Host::at(root));
        assert_eq!(gathered.notes, []);
        match gathered.section {
            Some(Section::Software(rows)) => {
                assert!(rows.iter().all(|row| row.scope == Some(SoftwareScope::Machine)));
                rows
            }
            other => panic!("no software: {other:?}"),
        }
    }
}
