//! Extensions of browsers and editors. They lie in the homes of people, so nothing is looked at
//! unless this computer's own configuration says so.

use rollcall_shared::section::software::SoftwareScope;
use rollcall_shared::section::{Section, Software};
use rollcall_shared::{Note, NoteKind};
use serde_json::Value;

use super::keep;
use crate::host::{Host, HostError};
use crate::order;
use crate::source::text::{clip, json_text, some};
use crate::source::{Gathered, Platform, Privilege, Source, homes};

/// The declaration.
pub const EXTENSION: Source = Source {
    name: "extension",
    section: "software",
    about: "Extensions of browsers and editors in the homes of people, only where the \
            configuration of this computer says `home_folders = true`",
    platforms: &[Platform::Linux, Platform::Macos],
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
/// The same on a Mac.
const FIREFOX_MAC: &[&str] = &["Library/Application Support/Firefox/Profiles"];
const CHROMIUM_MAC: &[(&str, &str)] = &[
    ("brave", "Library/Application Support/BraveSoftware/Brave-Browser"),
    ("chrome", "Library/Application Support/Google/Chrome"),
    ("chromium", "Library/Application Support/Chromium"),
    ("edge", "Library/Application Support/Microsoft Edge"),
    ("vivaldi", "Library/Application Support/Vivaldi"),
];
const EDITORS: &[(&str, &str)] = &[
    ("vscode", ".vscode/extensions"),
    ("vscode", ".vscode-server/extensions"),
    ("vscodium", ".vscode-oss/extensions"),
    ("cursor", ".cursor/extensions"),
];
const JSON_LIMIT_BYTES: usize = 2 * 1024 * 1024;

fn gather(host: &Host) -> Gathered {
    if !host.may_enter_homes() {
        return Gathered::nothing();
    }
    let mut rows = Vec::new();
    let mut denied = false;
    let mac = homes::is_mac(host);
    let (firefox, chromium) = if mac { (FIREFOX_MAC, CHROMIUM_MAC) } else { (FIREFOX, CHROMIUM) };
    for home in homes::of_people(host) {
        match host.list(&home) {
            Ok(_) => in_home(host, &home, (firefox, chromium), &mut rows),
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

pub(super) fn in_home(
    host: &Host,
    home: &str,
    (firefox_places, chromium_places): (&[&str], &[(&str, &str)]),
    rows: &mut Vec<Software>,
) {
    let names = |path: &str| host.list(&format!("{home}/{path}")).unwrap_or_default();
    // People fill these folders, so no link on the way is followed.
    let read = |path: &str| host.read_text_below(home, path).ok();
    for folder in firefox_places {
        for profile in names(folder) {
            if let Some(text) = read(&format!("{folder}/{profile}/extensions.json")) {
                for row in firefox(&text) {
                    keep(rows, row);
                }
            }
        }
    }
    for (browser, folder) in chromium_places {
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

/// Extensions of a profile that a person added; those that come with the browser are none.
fn firefox(text: &str) -> Vec<Software> {
    let list: Value = parsed(text).unwrap_or_default();
    let one = |it: &Value| {
        let of = |way: &[&str]| json_text(it, way);
        let own = of(&["location"]).is_some_and(|place| place.starts_with("app-builtin"))
            || of(&["type"]).is_some_and(|kind| kind != "extension");
        let name = of(&["defaultLocale", "name"]).or(of(&["id"]))?;
        let publisher = of(&["defaultLocale", "creator"]);
        if own { None } else { row("firefox", name, of(&["version"])?, publisher) }
    };
    list.get("addons").and_then(Value::as_array).into_iter().flatten().filter_map(one).collect()
}

/// An extension by its manifest; its name may stand in a list of words.
fn chromium(
    browser: &str,
    id: &str,
    manifest: &str,
    words: impl Fn(&str) -> Option<String>,
) -> Option<Software> {
    let manifest = parsed(manifest)?;
    let name = json_text(&manifest, &["name"]).unwrap_or_default();
    let key = name.strip_prefix("__MSG_").and_then(|name| name.strip_suffix("__"));
    let name = match key {
        None => Some(name.to_owned()),
        Some(key) => {
            let language = json_text(&manifest, &["default_locale"]).filter(|it| is_plain(it))?;
            let messages = words(language).as_deref().and_then(parsed).unwrap_or_default();
            let messages = messages.as_object().into_iter().flatten();
            let mut found = messages.filter(|(name, _)| name.eq_ignore_ascii_case(key));
            found.next().and_then(|(_, it)| json_text(it, &["message"])).map(str::to_owned)
        }
    };
    let name = name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| clip(id.as_bytes()));
    row(browser, &name, json_text(&manifest, &["version"])?, None)
}

/// JSON that is not so large that taking it apart would cost much memory.
fn parsed(text: &str) -> Option<Value> {
    if text.len() > JSON_LIMIT_BYTES { None } else { serde_json::from_str(text).ok() }
}

fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn editor_extensions(editor: &str, text: &str) -> Vec<Software> {
    let list = parsed(text).unwrap_or_default();
    let one = |it: &Value| {
        let id = json_text(it, &["identifier", "id"])?;
        let publisher = id.split_once('.').map(|(publisher, _)| publisher);
        row(editor, id, json_text(it, &["version"])?, publisher)
    };
    list.as_array().into_iter().flatten().filter_map(one).collect()
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
        assert_eq!(told("macos-15-languages", false), Vec::<String>::new());
        assert_eq!(
            told("macos-15-languages", true),
            [
                "chrome Google Docs Offline 1.86.0",
                "vscode rust-lang.rust-analyzer 0.3.2150",
                "firefox uBlock Origin 1.61.0"
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*|\\{\"name\":\"__MSG_\\PC{0,4}__\",\"version\":\"1\"\\}") {
            let _ = firefox(&text);
            let _ = chromium("x", "y", &text, |_| Some(text.clone()));
            let _ = editor_extensions("x", &text);
        }
    }
}
