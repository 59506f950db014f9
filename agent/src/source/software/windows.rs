//! Packages of programming languages, and extensions of browsers and editors, where they lie on
//! Windows. What they are called is read as on other systems.

use std::collections::BTreeSet;

use rollcall_shared::section::software::SoftwareScope;
use rollcall_shared::section::{Section, Software};
use rollcall_shared::{Note, NoteKind};

use super::{extensions, keep, languages};
use crate::host::{Host, HostError};
use crate::order;
use crate::source::windows_place::{place, system_drive};
use crate::source::{Gathered, Platform, Privilege, Source, homes};

const PROFILES: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
const PYTHON: &[&str] =
    &[r"HKLM\SOFTWARE\Python\PythonCore", r"HKLM\SOFTWARE\WOW6432Node\Python\PythonCore"];
const NODE: &str = r"HKLM\SOFTWARE\Node.js";

/// Below the profile of a person.
const FIREFOX: &[&str] = &["AppData/Roaming/Mozilla/Firefox/Profiles"];
const CHROMIUM: &[(&str, &str)] = &[
    ("brave", "AppData/Local/BraveSoftware/Brave-Browser/User Data"),
    ("chrome", "AppData/Local/Google/Chrome/User Data"),
    ("chromium", "AppData/Local/Chromium/User Data"),
    ("edge", "AppData/Local/Microsoft/Edge/User Data"),
    ("vivaldi", "AppData/Local/Vivaldi/User Data"),
];

/// Packages of Python, JavaScript, Ruby and Rust.
pub const LANGUAGES_WINDOWS: Source = Source {
    name: "language_packages",
    section: "software",
    about: "Packages that pip, npm and gem installed for everybody, and those of people, by cargo as well, only where the configuration of this computer says `home_folders = true`",
    platforms: &[Platform::Windows],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: packages,
};

/// Extensions of browsers and editors.
pub const EXTENSION_WINDOWS: Source = Source {
    name: "profile_extensions",
    section: "software",
    about: "Extensions of browsers and editors in the profiles of people, only where the configuration of this computer says `home_folders = true`",
    platforms: &[Platform::Windows],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: extensions,
};

fn packages(host: &Host) -> Gathered {
    let Some(drive) = system_drive(host) else { return Gathered::nothing() };
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for folder in pythons(host, &drive) {
        pip_in(host, &format!("{folder}/Lib/site-packages"), &mut rows);
    }
    let node = host.registry(NODE).ok().and_then(|key| key.text("InstallPath"));
    let node = node.unwrap_or_else(|| format!("{drive}/Program Files/nodejs"));
    let modules = format!("{}/node_modules", place(host, &node));
    languages::npm_in(host, &modules, &mut rows, &mut notes);
    let top = place(host, &format!("{drive}/"));
    for ruby in named(host, &top, "Ruby") {
        gem_in(host, &format!("{ruby}/lib/ruby/gems"), &mut rows);
    }
    set_scope(&mut rows, &SoftwareScope::Machine);
    if host.may_enter_homes() {
        let mut own = Vec::new();
        let denied = for_each_home(host, |home| in_home(host, home, &mut own, &mut notes));
        set_scope(&mut own, &SoftwareScope::User);
        rows.extend(own);
        // What is missing from a list must not be taken for removed, whichever list it is.
        if let Some(note) = denied {
            notes.extend(["pip", "npm", "cargo"].map(|list| note.clone().from_source(list)));
        }
    }
    order::sort(&mut rows, |a, b| {
        (&a.source, &a.name, &a.version).cmp(&(&b.source, &b.name, &b.version))
    });
    rows.dedup();
    let notes = notes.into_iter().map(|note| match note.source {
        Some(_) => note,
        None => note.from_source("npm"),
    });
    Gathered {
        section: (!rows.is_empty()).then_some(Section::Software(rows)),
        notes: notes.collect(),
    }
}

fn set_scope(rows: &mut [Software], scope: &SoftwareScope) {
    for row in rows {
        row.scope = Some(scope.clone());
    }
}

/// Folders of Python: those that its own set-up program noted, and the usual ones.
fn pythons(host: &Host, drive: &str) -> BTreeSet<String> {
    let noted = PYTHON.iter().flat_map(|list| {
        let versions = host.registry(list).map(|key| key.keys).unwrap_or_default();
        versions.into_iter().filter_map(move |version| {
            host.registry(&format!(r"{list}\{version}\InstallPath")).ok()?.text("")
        })
    });
    let mut found: BTreeSet<String> = noted.map(|path| place(host, &path)).collect();
    for top in [format!("{drive}/Program Files"), format!("{drive}/")] {
        found.extend(named(host, &place(host, &top), "Python3"));
    }
    found
}

/// Folders whose names begin so.
fn named(host: &Host, top: &str, beginning: &str) -> Vec<String> {
    let names = host.list(&format!("{top}/")).unwrap_or_default();
    let names = names.into_iter().filter(|name| name.starts_with(beginning));
    names.map(|name| format!("{top}/{name}")).collect()
}

fn pip_in(host: &Host, folder: &str, rows: &mut Vec<Software>) {
    for name in host.list(folder).unwrap_or_default() {
        if let Some(row) = languages::python_package(&name) {
            keep(rows, row);
        }
    }
}

fn gem_in(host: &Host, top: &str, rows: &mut Vec<Software>) {
    for version in host.list(top).unwrap_or_default() {
        for name in host.list(&format!("{top}/{version}/specifications")).unwrap_or_default() {
            if let Some(row) = name.strip_suffix(".gemspec").and_then(languages::ruby_package) {
                keep(rows, row);
            }
        }
    }
}

/// What a person installed.
fn in_home(host: &Host, home: &str, rows: &mut Vec<Software>, notes: &mut Vec<Note>) {
    for top in ["AppData/Local/Programs/Python", "AppData/Roaming/Python"] {
        for python in named(host, &format!("{home}/{top}"), "Python3") {
            pip_in(host, &format!("{python}/Lib/site-packages"), rows);
            pip_in(host, &format!("{python}/site-packages"), rows);
        }
    }
    languages::npm_in(host, &format!("{home}/AppData/Roaming/npm/node_modules"), rows, notes);
    let crates = host.read_text_below(home, ".cargo/.crates.toml").unwrap_or_default();
    for row in crates.lines().filter_map(languages::crate_line) {
        keep(rows, row);
    }
}

fn extensions(host: &Host) -> Gathered {
    if !host.may_enter_homes() {
        return Gathered::nothing();
    }
    let mut rows = Vec::new();
    let denied =
        for_each_home(host, |home| extensions::in_home(host, home, (FIREFOX, CHROMIUM), &mut rows));
    order::sort(&mut rows, |a, b| {
        (&a.name, &a.origin, &a.version).cmp(&(&b.name, &b.origin, &b.version))
    });
    // Whose they are is nobody's business.
    rows.dedup();
    let notes = denied.map(|note| note.from_source("extension")).into_iter().collect();
    Gathered { section: (!rows.is_empty()).then_some(Section::Software(rows)), notes }
}

/// Looks into the profiles of people; a note where one of them was closed.
fn for_each_home(host: &Host, mut look: impl FnMut(&str)) -> Option<Note> {
    let mut denied = false;
    for home in homes(host) {
        match host.list(&home) {
            Ok(_) => look(&home),
            Err(error) => denied |= matches!(error, HostError::Denied { .. }),
        }
    }
    let why = "the profiles of others need administrator rights";
    denied.then(|| Note::new(NoteKind::NeedsPrivilege).with_detail(why))
}

/// Profiles of people, as they are opened here.
fn homes(host: &Host) -> Vec<String> {
    let keys = host.registry_below(PROFILES).unwrap_or_default();
    let people = keys
        .into_iter()
        .filter(|(id, _)| ["S-1-5-21-", "S-1-12-1-"].iter().any(|kind| id.starts_with(kind)));
    let mut homes: Vec<String> = people
        .filter_map(|(_, key)| key.text("ProfileImagePath"))
        // On a share they are those of another computer.
        .filter(|path| path.get(1..3) == Some(r":\") && !path.contains(".."))
        .map(|path| place(host, &path))
        .collect();
    homes.sort_unstable();
    homes.dedup();
    homes.truncate(homes::LIMIT);
    homes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(gather: fn(&Host) -> Gathered, computer: &str, homes: bool) -> Vec<String> {
        let root = format!("{}/../tests/fixtures/host/{computer}", env!("CARGO_MANIFEST_DIR"));
        let gathered = gather(&Host::at(root).with_homes(homes));
        assert_eq!(gathered.notes, []);
        let Some(Section::Software(rows)) = gathered.section else { return Vec::new() };
        let scope = |row: &Software| match row.scope {
            Some(SoftwareScope::User) => "of a person",
            _ => "of all",
        };
        let origin = |row: &Software| row.origin.clone().unwrap_or_else(|| row.source.clone());
        rows.iter()
            .map(|row| format!("{} {} {} {}", origin(row), row.name, row.version, scope(row)))
            .collect()
    }

    #[test]
    fn packages_of_all_and_of_people() {
        let of_all = [
            "npm corepack 0.29.4 of all",
            "npm npm 10.9.0 of all",
            "pip pip 24.2 of all",
            "pip requests 2.32.3 of all",
        ];
        assert_eq!(told(packages, "windows-11-laptop", false), of_all);
        assert_eq!(
            told(packages, "windows-11-laptop", true),
            [
                "crates.io ripgrep 14.1.1 of a person",
                "npm @angular/cli 18.2.11 of a person",
                "npm corepack 0.29.4 of all",
                "npm npm 10.9.0 of all",
                "pip black 24.10.0 of a person",
                "pip pip 24.2 of all",
                "pip requests 2.32.3 of all",
            ]
        );
        assert_eq!(
            told(packages, "windows-server-2019", false),
            ["gem bundler 2.5.9 of all", "pip salt 3007.1 of all"]
        );
        assert_eq!(told(packages, "windows-10-desktop", true), ["npm pnpm 9.12.3 of all"]);
    }

    #[test]
    fn profiles_are_entered_only_when_this_computer_says_so() {
        assert_eq!(told(extensions, "windows-11-laptop", false), Vec::<String>::new());
        assert_eq!(
            told(extensions, "windows-11-laptop", true),
            [
                "edge Bitwarden 2024.10.1 of a person",
                "vscode rust-lang.rust-analyzer 0.3.2162 of a person",
                "firefox uBlock Origin 1.60.0 of a person",
            ]
        );
        assert_eq!(
            told(extensions, "windows-10-desktop", true),
            ["chrome Google Docs Offline 1.84.1 of a person"]
        );
        assert_eq!(
            told(extensions, "windows-11-tablet", true),
            ["vivaldi uBlock Origin 1.60.0 of a person"]
        );
        assert_eq!(told(extensions, "windows-server-2019", true), Vec::<String>::new());
    }

    #[test]
    fn another_system_has_no_such_places() {
        let gathered = packages(&Host::at("/nonexistent-root"));
        assert_eq!((gathered.section, gathered.notes.len()), (None, 0));
    }
}
