//! Extensions of browsers and editors. They lie in the homes of people, so nothing is looked at
//! unless this computer's own configuration says so.

use std::collections::BTreeMap;

use rollcall_shared::section::software::SoftwareScope;
use rollcall_shared::section::{Section, Software};
use rollcall_shared::{Note, NoteKind};
use serde::Deserialize;

use super::keep;
use crate::host::{Host, HostError};
use crate::order;
use crate::source::text::{clip, some};
use crate::source::{Gathered, Platform, Privilege, Source};

/// The declaration.
pub const EXTENSION: Source = Source {
    name: "extension",
    section: "software",
    about: "Extensions of browsers and editors in the homes of people, only where the \
            configuration of this computer says `home_folders = true`",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

const FIREFOX: &[&str] = &[
    ".mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
];
const CHROMIUM: &[(&str, &str)] = &[
    ("brave", ".config/BraveSoftware/Brave-Browser"),
    ("chrome", ".config/google-chrome"),
    ("chromium", ".config/chromium"),
    ("chromium", "snap/chromium/common/chromium"),
    ("edge", ".config/microsoft-edge"),
    ("vivaldi", ".config/vivaldi"),
];
const EDITORS: &[(&str, &str)] = &[
    ("vscode", ".vscode/extensions"),
    ("vscode", ".vscode-server/extensions"),
    ("vscodium", ".vscode-oss/extensions"),
    ("cursor", ".cursor/extensions"),
];
/// Homes that are looked into at most.
const HOMES_LIMIT: usize = 200;

fn gather(host: &Host) -> Gathered {
    if !host.may_enter_homes() {
        return Gathered::nothing();
    }
    let mut rows = Vec::new();
    let mut denied = false;
    let passwd = host.read_text("/etc/passwd").unwrap_or_default();
    for home in homes(&passwd).into_iter().take(HOMES_LIMIT) {
        match host.list(&home) {
            Ok(_) => in_home(host, &home, &mut rows),
            Err(error) => denied |= matches!(error, HostError::Denied { .. }),
        }
    }
    order::sort(&mut rows, |a, b| {
        (&a.name, &a.origin, &a.version).cmp(&(&b.name, &b.origin, &b.version))
    });
    // Whose they are is nobody's business.
    rows.dedup();
    let mut notes = Vec::new();
    if denied {
        let why = "the homes of others need administrator rights";
        notes.push(Note::new(NoteKind::NeedsPrivilege).with_detail(why));
    }
    Gathered { section: (!rows.is_empty()).then_some(Section::Software(rows)), notes }
}

/// Homes of people, from `/etc/passwd`.
fn homes(passwd: &str) -> Vec<String> {
    let home = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let number: u32 = fields.get(2)?.parse().ok()?;
        let home = *fields.get(5)?;
        let plain = home.starts_with('/') && home.len() > 1 && !home.contains("/..");
        ((1000..60_000).contains(&number) && plain).then(|| home.to_owned())
    };
    let mut homes: Vec<String> = passwd.lines().filter_map(home).collect();
    homes.sort();
    homes.dedup();
    homes
}

fn in_home(host: &Host, home: &str, rows: &mut Vec<Software>) {
    let names = |path: &str| host.list(&format!("{home}/{path}")).unwrap_or_default();
    // People fill these folders, so no link on the way is followed.
    let read = |path: &str| host.read_text_below(home, path).ok();
    for folder in FIREFOX {
        for profile in names(folder) {
            if let Some(text) = read(&format!("{folder}/{profile}/extensions.json")) {
                for row in firefox(&text) {
                    keep(rows, row);
                }
            }
        }
    }
    for (browser, folder) in CHROMIUM {
        for profile in names(folder) {
            if profile != "Default" && !profile.starts_with("Profile ") {
                continue;
            }
            let extensions = format!("{folder}/{profile}/Extensions");
            for id in names(&extensions) {
                let Some(version) = names(&format!("{extensions}/{id}")).pop() else { continue };
                let place = format!("{extensions}/{id}/{version}");
                let Some(text) = read(&format!("{place}/manifest.json")) else { continue };
                let words =
                    |language: &str| read(&format!("{place}/_locales/{language}/messages.json"));
                if let Some(row) = chromium(browser, &id, &text, words) {
                    keep(rows, row);
                }
            }
        }
    }
    for (editor, folder) in EDITORS {
        if let Some(text) = read(&format!("{folder}/extensions.json")) {
            for row in editor_extensions(editor, &text) {
                keep(rows, row);
            }
        }
    }
}

fn row(origin: &str, name: &str, version: &str, publisher: Option<&str>) -> Option<Software> {
    Some(Software {
        source: "extension".to_owned(),
        name: some(name.as_bytes())?,
        version: some(version.as_bytes())?,
        publisher: publisher.and_then(|text| some(text.as_bytes())),
        scope: Some(SoftwareScope::User),
        origin: Some(origin.to_owned()),
        ..Software::default()
    })
}

#[derive(Debug, Deserialize)]
struct FirefoxList {
    #[serde(default)]
    addons: Vec<FirefoxAddon>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FirefoxAddon {
    id: Option<String>,
    version: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    location: Option<String>,
    default_locale: Option<FirefoxWords>,
}

#[derive(Debug, Deserialize)]
struct FirefoxWords {
    name: Option<String>,
    creator: Option<String>,
}

/// Extensions of a profile that a person added; those that come with the browser are none.
fn firefox(text: &str) -> Vec<Software> {
    let Ok(list) = serde_json::from_str::<FirefoxList>(text) else { return Vec::new() };
    let one = |it: FirefoxAddon| {
        let own = it.location.is_some_and(|place| place.starts_with("app-builtin"))
            || it.kind.is_some_and(|kind| kind != "extension");
        let words = it.default_locale.unwrap_or(FirefoxWords { name: None, creator: None });
        let name = words.name.or(it.id)?;
        if own { None } else { row("firefox", &name, &it.version?, words.creator.as_deref()) }
    };
    list.addons.into_iter().filter_map(one).collect()
}

#[derive(Debug, Deserialize)]
struct Manifest {
    name: Option<String>,
    version: Option<String>,
    default_locale: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    message: Option<String>,
}

/// An extension by its manifest; its name may stand in a list of words.
fn chromium(
    browser: &str,
    id: &str,
    manifest: &str,
    words: impl Fn(&str) -> Option<String>,
) -> Option<Software> {
    let manifest: Manifest = serde_json::from_str(manifest).ok()?;
    let name = manifest.name.unwrap_or_default();
    let key = name.strip_prefix("__MSG_").and_then(|name| name.strip_suffix("__"));
    let name = match key {
        None => Some(name),
        Some(key) => {
            let language = manifest.default_locale.filter(|name| is_plain(name))?;
            let text = words(&language).unwrap_or_default();
            let messages: BTreeMap<String, Message> =
                serde_json::from_str(&text).unwrap_or_default();
            let message = messages.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
            message.and_then(|(_, message)| message.message)
        }
    };
    let name = name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| clip(id.as_bytes()));
    row(browser, &name, &manifest.version?, None)
}

fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

#[derive(Debug, Deserialize)]
struct EditorExtension {
    identifier: Option<EditorId>,
    version: Option<String>,
}

#[derive(Debug, Deserialize)]
struct EditorId {
    id: Option<String>,
}

fn editor_extensions(editor: &str, text: &str) -> Vec<Software> {
    let list: Vec<EditorExtension> = serde_json::from_str(text).unwrap_or_default();
    let one = |it: EditorExtension| {
        let id = it.identifier?.id?;
        let publisher = id.split_once('.').map(|(publisher, _)| publisher);
        row(editor, &id, &it.version?, publisher)
    };
    list.into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(system: &str, homes: bool) -> Vec<String> {
        let root = format!("{}/../tests/fixtures/software/{system}", env!("CARGO_MANIFEST_DIR"));
        match gather(&Host::at(root).with_homes(homes)).section {
            None => Vec::new(),
            Some(Section::Software(rows)) => {
                assert!(rows.iter().all(|row| row.scope == Some(SoftwareScope::User)));
                let word = |row: &Software| row.origin.clone().unwrap_or_default();
                rows.iter()
                    .map(|row| format!("{} {} {}", word(row), row.name, row.version))
                    .collect()
            }
            other => panic!("no software: {other:?}"),
        }
    }

    #[test]
    fn homes_are_entered_only_when_this_computer_says_so() {
        assert_eq!(told("ubuntu-24.04-extensions", false), Vec::<String>::new());
        assert_eq!(
            told("ubuntu-24.04-extensions", true),
            [
                "chrome Google Docs Offline 1.90.1",
                "vscode ms-python.python 2024.22.0",
                "firefox uBlock Origin 1.61.2"
            ]
        );
        assert_eq!(
            told("debian-12-extensions", true),
            ["chromium aapbdbdomjkkjkaonfhkkikfgjllcleb 2.0.13"]
        );
        assert_eq!(
            told("fedora-41-extensions", true),
            ["firefox Bitwarden 2024.11.0", "vscodium rust-lang.rust-analyzer 0.4.2000"]
        );
    }

    #[test]
    fn only_people_have_homes() {
        let passwd = "root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/bash\n\
            bad:x:1001:1001::/home/../etc:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n";
        assert_eq!(homes(passwd), ["/home/anna"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*|\\{\"name\":\"__MSG_\\PC{0,4}__\",\"version\":\"1\"\\}") {
            let _ = firefox(&text);
            let _ = chromium("x", "y", &text, |_| Some(text.clone()));
            let _ = editor_extensions("x", &text);
            let _ = homes(&text);
        }
    }
}
