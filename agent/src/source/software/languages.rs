//! Packages of programming languages that are installed for everybody: of Python by pip, of
//! JavaScript by npm, of Ruby by gem, of Rust by cargo. What the system's own package manager
//! brought is told by that, and homes of people are never walked.

use rollcall_shared::section::Software;
use rollcall_shared::{Note, NoteKind};
use serde_json::Value;

use super::{finish, keep};
use crate::host::Host;
use crate::source::homes::is_mac;
use crate::source::text::{clip, json_text, some};
use crate::source::{Gathered, Platform, Privilege, Source};

/// Packages of Python.
pub const PIP: Source = Source {
    name: "pip",
    section: "software",
    about: "Python packages that pip installed for everybody",
    platforms: &[Platform::Linux, Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather: pip,
};

/// Packages of JavaScript.
pub const NPM: Source = Source {
    name: "npm",
    section: "software",
    about: "JavaScript packages that npm installed for everybody",
    platforms: &[Platform::Linux, Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather: npm,
};

/// Packages of Ruby.
pub const GEM: Source = Source {
    name: "gem",
    section: "software",
    about: "Ruby packages that gem installed for everybody",
    platforms: &[Platform::Linux, Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather: gem,
};

/// Programs that cargo installed.
pub const CARGO: Source = Source {
    name: "cargo",
    section: "software",
    about: "Programs that cargo installed for everybody or for the administrator",
    platforms: &[Platform::Linux, Platform::Macos],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: cargo,
};

/// Home of the administrator.
const ADMINISTRATOR: &str = "/root";
/// Where Homebrew lies on chips of Apple.
const HOMEBREW: &str = "/opt/homebrew";
const ADMINISTRATOR_OF_MAC: &str = "/var/root";
/// Folders below these that begin with `python3` hold packages.
const PYTHON: &[&str] = &["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"];

fn row(source: &str, name: &str, version: &str) -> Option<Software> {
    let (name, version) = (some(name.as_bytes())?, some(version.as_bytes())?);
    Some(Software { source: source.to_owned(), name, version, ..Software::default() })
}

fn pip(host: &Host) -> Gathered {
    let mut rows = Vec::new();
    let mac = is_mac(host);
    let mut tops: Vec<String> = PYTHON.iter().map(|top| (*top).to_owned()).collect();
    if mac {
        tops.push(format!("{HOMEBREW}/lib"));
        let framework = "/Library/Frameworks/Python.framework/Versions";
        let versions = host.list(framework).unwrap_or_default();
        // `Current` is a link to one of the others.
        let versions = versions.iter().filter(|name| name.starts_with('3'));
        tops.extend(versions.map(|version| format!("{framework}/{version}/lib")));
    }
    for top in tops {
        let versions = host.list(&top).unwrap_or_default();
        for version in versions.iter().filter(|name| name.starts_with("python3")) {
            for folder in ["dist-packages", "site-packages"] {
                python_packages(host, &format!("{top}/{version}/{folder}"), &mut rows);
            }
        }
    }
    if mac {
        // Of the Python that comes with Apple's tools.
        let top = "/Library/Python";
        for version in host.list(top).unwrap_or_default() {
            python_packages(host, &format!("{top}/{version}/site-packages"), &mut rows);
        }
    }
    // Two versions of Python may have the same package.
    finish(rows, Vec::new())
}

fn python_packages(host: &Host, folder: &str, rows: &mut Vec<Software>) {
    let names = host.list(folder).unwrap_or_default();
    // Every version of a package has a folder of its own.
    host.takes_tree_as_whole(folder);
    for name in names {
        if let Some(row) = python_package(&name)
            && is_of_pip(host, folder, &name)
        {
            keep(rows, row);
        }
    }
}

/// `requests-2.31.0.dist-info`, `old_one-1.0-py3.11.egg-info`
pub(super) fn python_package(entry: &str) -> Option<Software> {
    let (stem, egg) = match entry.strip_suffix(".dist-info") {
        Some(stem) => (stem, false),
        None => (entry.strip_suffix(".egg-info")?, true),
    };
    let mut parts = stem.split('-');
    let (name, version) = (parts.next()?, parts.next()?);
    let rest = parts.next();
    let fits = rest.is_none() || (egg && rest.is_some_and(|rest| rest.starts_with("py")));
    let numbered = version.starts_with(|letter: char| letter.is_ascii_digit());
    // Underscores and hyphens are one in such names; people write hyphens.
    if fits && numbered { row("pip", &name.replace('_', "-"), version) } else { None }
}

/// Whether nobody but pip, or what stands for it, brought the package.
fn is_of_pip(host: &Host, folder: &str, entry: &str) -> bool {
    match host.value(&format!("{folder}/{entry}/INSTALLER")).as_deref() {
        Some("pip" | "uv" | "poetry" | "pipx" | "pdm") => true,
        Some(_) => false,
        None => folder.starts_with("/usr/local/") || folder.starts_with("/Library/"),
    }
}

fn npm(host: &Host) -> Gathered {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    let mut folders = vec!["/usr/lib/node_modules", "/usr/local/lib/node_modules"];
    if is_mac(host) {
        folders.push("/opt/homebrew/lib/node_modules");
    }
    for folder in folders {
        npm_in(host, folder, &mut rows, &mut notes);
    }
    finish(rows, notes)
}

/// Packages in a folder `node_modules`, those of a maker one folder further down.
pub(super) fn npm_in(host: &Host, folder: &str, rows: &mut Vec<Software>, notes: &mut Vec<Note>) {
    let mut entries = Vec::new();
    for name in host.list(folder).unwrap_or_default() {
        if name.starts_with('.') {
            continue;
        }
        if name.starts_with('@') {
            let below = host.list(&format!("{folder}/{name}")).unwrap_or_default();
            entries.extend(below.into_iter().map(|below| format!("{name}/{below}")));
        } else {
            entries.push(name);
        }
    }
    for entry in entries {
        // Makers of packages put these there; no link is followed.
        let path = format!("{entry}/package.json");
        let Ok(text) = host.read_text_below(folder, &path) else { continue };
        match serde_json::from_str::<Value>(&text) {
            Ok(package) => {
                let name = json_text(&package, &["name"]).unwrap_or(&entry);
                let version = json_text(&package, &["version"]);
                if let Some(row) = version.and_then(|version| row("npm", name, version)) {
                    keep(rows, row);
                }
            }
            Err(error) => notes.push(
                Note::new(NoteKind::Failed)
                    .with_detail(format!("{folder}/{path} could not be understood: {error}")),
            ),
        }
    }
}

fn gem(host: &Host) -> Gathered {
    let mut folders = vec!["/usr/local/share/gems/specifications".to_owned()];
    let mut tops = vec!["/var/lib/gems", "/usr/local/lib/ruby/gems"];
    if is_mac(host) {
        tops.extend(["/opt/homebrew/lib/ruby/gems", "/Library/Ruby/Gems"]);
    }
    for top in tops {
        let versions = host.list(top).unwrap_or_default();
        folders.extend(versions.iter().map(|version| format!("{top}/{version}/specifications")));
    }
    let mut rows = Vec::new();
    for folder in folders {
        for name in host.list(&folder).unwrap_or_default() {
            if let Some(row) = name.strip_suffix(".gemspec").and_then(ruby_package) {
                keep(&mut rows, row);
            }
        }
    }
    finish(rows, Vec::new())
}

/// `rails-7.1.3`, `nokogiri-1.16.0-x86_64-linux`
pub(super) fn ruby_package(stem: &str) -> Option<Software> {
    let mut at = 0;
    loop {
        let hyphen = at + stem.get(at..)?.find('-')?;
        let rest = stem.get(hyphen + 1..)?;
        if rest.starts_with(|letter: char| letter.is_ascii_digit()) {
            let (version, architecture) = match rest.split_once('-') {
                Some((version, architecture)) => (version, some(architecture.as_bytes())),
                None => (rest, None),
            };
            let row = row("gem", stem.get(..hyphen)?, version)?;
            return Some(Software { architecture, ..row });
        }
        at = hyphen + 1;
    }
}

fn cargo(host: &Host) -> Gathered {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    let home = if is_mac(host) { ADMINISTRATOR_OF_MAC } else { ADMINISTRATOR };
    let administrator = format!("{home}/.cargo/.crates.toml");
    for path in [administrator.as_str(), "/usr/local/.crates.toml", "/usr/local/cargo/.crates.toml"]
    {
        match host.read_text(path) {
            Ok(text) => rows.extend(text.lines().filter_map(crate_line)),
            Err(error) if error.is_not_found() => {}
            Err(error) => notes.push(error.into()),
        }
    }
    // An ordinary user cannot look into the administrator's home, which is no fault.
    notes.retain(|note: &Note| note.kind != NoteKind::NeedsPrivilege);
    finish(rows, notes)
}

/// `"ripgrep 14.1.0 (registry+https://…)" = ["rg"]`; the address may hold a password.
pub(super) fn crate_line(line: &str) -> Option<Software> {
    let mut words = line.strip_prefix('"')?.split(' ');
    let (name, version) = (words.next()?, words.next()?);
    let origin = words.next()?.starts_with("(registry+").then(|| "crates.io".to_owned());
    let row = row("cargo", name, &clip(version.as_bytes()))?;
    Some(Software { origin, ..row })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::software::testing::software;

    fn titles(source: &Source, system: &str) -> Vec<String> {
        let rows = software(source, system);
        rows.iter().map(|row| format!("{} {}", row.name, row.version)).collect()
    }

    #[test]
    fn captured_systems() {
        let there = "debian-12-languages";
        assert_eq!(titles(&PIP, there), ["pip 24.0", "requests 2.31.0", "zope.interface 6.1"]);
        assert_eq!(titles(&NPM, there), ["@angular/cli 17.3.0", "npm 10.8.2"]);
        assert_eq!(titles(&GEM, there), ["bundler 2.5.6", "nokogiri 1.16.0"]);
        assert_eq!(titles(&CARGO, there), ["ripgrep 14.1.0"]);
        let there = "rocky-9-languages";
        assert_eq!(titles(&PIP, there), ["ansible 9.2.0", "some-tool 1.0rc1"]);
        assert_eq!(titles(&NPM, there), ["yarn 1.22.22"]);
        assert_eq!(titles(&GEM, there), ["puppet 8.4.0"]);
        assert_eq!(titles(&CARGO, there), ["sqlx-cli 0.8.2", "tool 0.1.0"]);
        let there = "ubuntu-24.04-languages";
        assert_eq!(titles(&PIP, there), ["awscli 1.32.0"]);
        assert_eq!(titles(&NPM, there), ["pnpm 9.0.0"]);
        assert_eq!(titles(&GEM, there), ["rails 7.1.3"]);
        assert_eq!(titles(&CARGO, there), ["just 1.25.2"]);
    }

    #[test]
    fn a_mac_has_other_places() {
        let there = "macos-15-languages";
        assert_eq!(titles(&PIP, there), ["pip 24.2", "requests 2.32.3", "six 1.15.0"]);
        assert_eq!(titles(&NPM, there), ["@angular/cli 19.0.0", "npm 10.9.0"]);
        assert_eq!(titles(&GEM, there), ["cocoapods 1.16.2", "rails 8.0.0"]);
        assert_eq!(titles(&CARGO, there), ["ripgrep 14.1.1"]);
    }

    #[test]
    fn names_and_versions_are_told_apart() {
        let told = |row: Option<Software>| row.map(|row| format!("{} {}", row.name, row.version));
        assert_eq!(told(python_package("a_b-1.0.dist-info")).as_deref(), Some("a-b 1.0"));
        assert_eq!(told(python_package("x-1.0-py3.11.egg-info")).as_deref(), Some("x 1.0"));
        assert_eq!(told(python_package("x.egg-info")), None);
        assert_eq!(told(ruby_package("net-http-0.4.1")).as_deref(), Some("net-http 0.4.1"));
        assert_eq!(told(ruby_package("nothing")), None);
        let line = "\"x 0.1.0 (git+https://token@git.example.org/x#abc)\" = [\"x\"]";
        let row = crate_line(line).unwrap();
        assert!(row.origin.is_none() && !format!("{row:?}").contains("token"));
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(text in "\\PC{0,20}(-[0-9é]{0,3}){0,3}(.dist-info|.egg-info)?") {
            let _ = python_package(&text);
            let _ = ruby_package(&text);
            let _ = crate_line(&text);
            let _ = crate_line(&format!("\"{text}"));
        }
    }
}
