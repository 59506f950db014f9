//! Applications of macOS by their bundles, and packages by the receipts that the installer keeps.

use rollcall_shared::Note;
use rollcall_shared::section::Software;

use super::{finish, keep};
use crate::host::{Host, HostError};
use crate::plist::Value;
use crate::source::text::has_ending;
use crate::source::{Gathered, Platform, Privilege, Source};

/// Folders of applications for everybody; those in homes are not looked at.
const FOLDERS: &[&str] = &["/Applications", "/System/Applications"];
/// Folders of makers in one of these that are looked into.
const MAKERS_LIMIT: usize = 500;
const RECEIPTS: &str = "/private/var/db/receipts";

/// Applications.
pub const APP_BUNDLE: Source = Source {
    name: "app_bundle",
    section: "software",
    about: "Applications in /Applications, /System/Applications and folders right below them, by the Info.plist of each",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather: applications,
};

/// Packages.
pub const RECEIPT: Source = Source {
    name: "receipt",
    section: "software",
    about: "Packages that the installer put there, by its receipts in /private/var/db/receipts",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather: receipts,
};

fn applications(host: &Host) -> Gathered {
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for folder in FOLDERS {
        let mut makers = 0;
        for name in listed(host, folder, &mut notes) {
            let place = format!("{folder}/{name}");
            if has_ending(&name, "app") {
                bundle(host, folder, &name, &mut rows);
            } else if !name.starts_with('.') && makers < MAKERS_LIMIT {
                // Some makers put theirs into a folder; a file in its place has no names.
                makers += 1;
                for name in host.list(&place).unwrap_or_default() {
                    if has_ending(&name, "app") {
                        bundle(host, &place, &name, &mut rows);
                    }
                }
            }
        }
    }
    finish(rows, notes)
}

/// Adds the application that lies there.
fn bundle(host: &Host, folder: &str, name: &str, rows: &mut Vec<Software>) {
    let contents = format!("{folder}/{name}/Contents");
    let Some(stem) = name.strip_suffix(".app") else { return };
    let Ok(bytes) = host.read(&format!("{contents}/Info.plist")) else { return };
    if let Some(row) = Value::read(&bytes).and_then(|list| application(stem, &list)) {
        // The store leaves a receipt in what it brought.
        let of_store = host.exists(&format!("{contents}/_MASReceipt/receipt"));
        let origin = of_store.then(|| "Mac App Store".to_owned());
        keep(rows, Software { origin, ..row });
    }
}

fn application(stem: &str, list: &Value) -> Option<Software> {
    let version =
        list.text("CFBundleShortVersionString").or_else(|| list.text("CFBundleVersion"))?;
    Some(Software {
        source: "app_bundle".to_owned(),
        // People know an application by the name of its folder.
        name: stem.to_owned(),
        version,
        source_package: list.text("CFBundleIdentifier"),
        ..Software::default()
    })
}

fn receipts(host: &Host) -> Gathered {
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for name in listed(host, RECEIPTS, &mut notes) {
        if !has_ending(&name, "plist") {
            continue;
        }
        let Ok(bytes) = host.read(&format!("{RECEIPTS}/{name}")) else { continue };
        if let Some(row) = Value::read(&bytes).and_then(|list| receipt(&list)) {
            keep(&mut rows, row);
        }
    }
    finish(rows, notes)
}

fn receipt(list: &Value) -> Option<Software> {
    Some(Software {
        source: "receipt".to_owned(),
        name: list.text("PackageIdentifier")?,
        version: list.text("PackageVersion").unwrap_or_default(),
        installed_at: list.moment("InstallDate"),
        origin: list.text("InstallProcessName"),
        ..Software::default()
    })
}

fn listed(host: &Host, folder: &str, notes: &mut Vec<Note>) -> Vec<String> {
    match host.list(folder) {
        Ok(names) => names,
        Err(HostError::NotFound { .. }) => Vec::new(),
        Err(error) => {
            notes.push(error.into());
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::software;
    use super::*;

    fn told(rows: &[Software]) -> Vec<String> {
        rows.iter().map(|row| format!("{} {}", row.name, row.version)).collect()
    }

    #[test]
    fn bundles_of_both_forms_are_read_and_damaged_ones_left_out() {
        let rows = software(&APP_BUNDLE, "macos-15");
        assert_eq!(
            told(&rows),
            ["Firefox 132.0", "Mail 16.0", "Werkzeug für Büro 7", "Zoom.us 6.2.5 (46280)"]
        );
        assert_eq!(rows[0].source_package.as_deref(), Some("org.mozilla.firefox"));
        assert_eq!(
            told(&software(&APP_BUNDLE, "macos-13")),
            ["GlobalProtect 6.2.4-652", "Microsoft Excel 16.90", "Terminal 2.13"]
        );
        assert_eq!(
            told(&software(&APP_BUNDLE, "macos-11")),
            ["LibreOffice 7.6.7.2", "Safari 16.6.1"]
        );
    }

    #[test]
    fn receipts_tell_when_a_package_came() {
        let rows = software(&RECEIPT, "macos-15");
        assert_eq!(
            told(&rows),
            ["com.apple.pkg.CLTools_Executables 16.1.0.0.1.1729049160", "org.example.agent 1.4.2"]
        );
        assert_eq!(rows[1].installed_at.unwrap().to_string(), "2026-11-02T08:30:00Z");
        assert_eq!(rows[1].origin.as_deref(), Some("installer"));
        let rows = software(&RECEIPT, "macos-13");
        assert_eq!(rows[0].version, "16.90.24101387");
        assert_eq!(rows[1].installed_at.unwrap().to_string(), "2024-06-01T07:00:00Z");
        let rows = software(&RECEIPT, "macos-11");
        assert_eq!((rows.len(), rows[0].installed_at), (2, None), "not every receipt has a date");
    }
}
