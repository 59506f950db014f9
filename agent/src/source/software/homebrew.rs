//! What Homebrew installed, by its folders and the receipt in each.

use rollcall_shared::section::Software;
use rollcall_shared::{Note, Timestamp};
use serde_json::Value;

use super::{finish, keep};
use crate::host::{Host, HostError};
use crate::source::text::{json_text, some};
use crate::source::{Gathered, Platform, Privilege, Source};

/// Where it lies: on chips of Apple, and on other Macs.
const TOPS: &[&str] = &["/opt/homebrew", "/usr/local"];
const RECEIPT: &str = "INSTALL_RECEIPT.json";
const JSON_LIMIT_BYTES: usize = 1024 * 1024;

/// The declaration.
pub const HOMEBREW: Source = Source {
    name: "homebrew",
    section: "software",
    about: "Formulae and casks of Homebrew in /opt/homebrew and /usr/local, by their folders and receipts",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for top in TOPS {
        for (folder, origin) in [("Cellar", None), ("Caskroom", Some("homebrew/cask"))] {
            let folder = format!("{top}/{folder}");
            for name in names(host, &folder, &mut notes) {
                let place = format!("{folder}/{name}");
                for version in names(host, &place, &mut notes) {
                    let receipt = match origin {
                        None => format!("{name}/{version}/{RECEIPT}"),
                        Some(_) => format!("{name}/.metadata/{RECEIPT}"),
                    };
                    // People fill these folders, so no link on the way is followed.
                    let receipt = host.read_text_below(&folder, &receipt).ok();
                    if let Some(row) = title(&name, &version, receipt.as_deref(), origin) {
                        keep(&mut rows, row);
                    }
                }
            }
        }
    }
    finish(rows, notes)
}

/// Names that are no files of the system.
fn names(host: &Host, folder: &str, notes: &mut Vec<Note>) -> Vec<String> {
    match host.list(folder) {
        Ok(names) => names.into_iter().filter(|name| !name.starts_with('.')).collect(),
        Err(HostError::NotFound { .. }) => Vec::new(),
        Err(error) => {
            notes.push(error.into());
            Vec::new()
        }
    }
}

fn title(
    name: &str,
    version: &str,
    receipt: Option<&str>,
    origin: Option<&str>,
) -> Option<Software> {
    let receipt: Value = receipt
        .filter(|text| text.len() <= JSON_LIMIT_BYTES)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let of = |way: &[&str]| json_text(&receipt, way).and_then(|text| some(text.as_bytes()));
    let seconds = receipt.get("time").and_then(Value::as_i64).filter(|seconds| *seconds > 0);
    Some(Software {
        source: "homebrew".to_owned(),
        name: some(name.as_bytes())?,
        version: some(version.as_bytes())?,
        architecture: of(&["arch"]),
        installed_at: seconds.map(Timestamp::from_seconds),
        origin: of(&["source", "tap"]).or_else(|| origin.map(str::to_owned)),
        ..Software::default()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::software;
    use super::*;

    fn told(system: &str) -> Vec<String> {
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let rows = software(&HOMEBREW, system);
        rows.iter()
            .map(|row| {
                let at = row.installed_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
                let (arch, origin) = (word(&row.architecture), word(&row.origin));
                format!("{} {} {arch} {origin} {at}", row.name, row.version)
            })
            .collect()
    }

    #[test]
    fn formulae_and_casks() {
        insta::assert_debug_snapshot!("homebrew-macos-15", told("macos-15-homebrew"));
        insta::assert_debug_snapshot!("homebrew-macos-13", told("macos-13-homebrew"));
        insta::assert_debug_snapshot!("homebrew-damaged", told("macos-14-homebrew-damaged"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(name: String, text in "\\PC*|\\{\"time\":-?[0-9]{1,25}\\}") {
            let _ = title(&name, &text, Some(&text), None);
        }
    }
}
