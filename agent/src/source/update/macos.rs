//! Updates of a Mac, as its own update service noted them.

use rollcall_shared::section::update::PendingUpdate;
use rollcall_shared::section::{Section, Update};
use rollcall_shared::{Note, Timestamp};

use crate::host::Host;
use crate::order;
use crate::plist::Value;
use crate::source::text::some;
use crate::source::{Gathered, Platform, Privilege, Source};

const NOTED: &str = "/Library/Preferences/com.apple.SoftwareUpdate.plist";
/// What a profile of the owner of the computer says, which counts more.
const BY_PROFILE: &str = "/Library/Managed Preferences/com.apple.SoftwareUpdate.plist";
const HISTORY: &str = "/Library/Receipts/InstallHistory.plist";
/// What installs updates of the system, by the names in the history.
const INSTALLERS: &[&str] =
    &["softwareupdated", "macOS Installer", "OS Installer", "MobileSoftwareUpdate"];
/// How the names of files begin that the system fetches for its own protection.
const PROTECTION: &[&str] = &["XProtect", "MRT", "Gatekeeper"];
const UPDATES_LIMIT: usize = 1_000;

/// The declaration.
pub const MACOS: Source = Source {
    name: "software_update",
    section: "update",
    about: "Updates that wait and whether they install themselves from com.apple.SoftwareUpdate.plist, the last one installed from InstallHistory.plist",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let told = match host.property_list(NOTED) {
        Ok(told) => told,
        Err(error) => return Gathered::absent(error.into()),
    };
    let profile = host.property_list(BY_PROFILE).unwrap_or(Value::Other);
    let mut notes: Vec<Note> = Vec::new();
    let history = host.property_list(HISTORY).unwrap_or_else(|error| {
        if !error.is_not_found() {
            notes.push(error.into());
        }
        Value::Other
    });
    let flag = |name: &str| profile.flag(name).or_else(|| told.flag(name));
    let automatic = match flag("AutomaticCheckEnabled") {
        Some(false) => Some(false),
        _ => flag("AutomaticallyInstallMacOSUpdates"),
    };
    let waiting = told.list("RecommendedUpdates");
    let mut pending: Vec<PendingUpdate> =
        waiting.iter().take(UPDATES_LIMIT).filter_map(update).collect();
    order::sort(&mut pending, |a, b| (&a.name, &a.available).cmp(&(&b.name, &b.available)));
    pending.dedup();
    // A service that never looked knows of none.
    let looked = checked_at(&told).is_some() || !pending.is_empty();
    let update = Update {
        manager: "softwareupdate".to_owned(),
        automatic,
        pending,
        pending_unknown: !looked,
        security_known: false,
        last_installed_at: last_installed_at(&history),
    };
    Gathered { section: Some(Section::Update(update)), notes }
}

/// When the update service last looked for updates.
pub(crate) fn lists_at(host: &Host) -> Option<Timestamp> {
    checked_at(&host.property_list(NOTED).ok()?)
}

fn checked_at(noted: &Value) -> Option<Timestamp> {
    let names = ["LastSuccessfulDate", "LastFullSuccessfulDate", "LastBackgroundSuccessfulDate"];
    names.iter().filter_map(|name| noted.moment(name)).max()
}

fn update(entry: &Value) -> Option<PendingUpdate> {
    let text = |name: &str| entry.text(name).and_then(|text| some(text.as_bytes()));
    let name = text("Display Name").or_else(|| text("Identifier"))?;
    Some(PendingUpdate {
        security: is_for_security(entry, &name),
        name,
        installed: None,
        available: text("Display Version"),
        origin: text("Identifier"),
    })
}

/// Whether an update is there to close holes and for nothing else. Other updates close them too and
/// do not say so.
fn is_for_security(entry: &Value, name: &str) -> bool {
    let text = |key: &str| entry.text(key).unwrap_or_default();
    // What comes between two versions has a letter: `13.4.1 (a)`.
    let has_letter = |version: &str| {
        let letter = version.strip_suffix(')').and_then(|rest| rest.rsplit_once(" ("));
        letter.is_some_and(|(_, letter)| matches!(letter.as_bytes(), [b'a'..=b'z']))
    };
    let names = ["Security Update", "Security Response", "Background Security Improvement"];
    names.iter().any(|known| name.contains(known))
        || PROTECTION.iter().any(|known| name.starts_with(known))
        || ["Product Key", "Identifier"].iter().any(|key| text(key).ends_with("_rsr"))
        || name.starts_with("macOS") && has_letter(&text("Display Version"))
}

/// Files that the system fetches for its protection come every other day, and are no updates.
fn last_installed_at(history: &Value) -> Option<Timestamp> {
    let Value::List(entries) = history else { return None };
    let is_update = |entry: &&Value| {
        let by = entry.text("processName").unwrap_or_default();
        let name = entry.text("displayName").unwrap_or_default();
        INSTALLERS.contains(&by.as_str()) && !PROTECTION.iter().any(|word| name.starts_with(word))
    };
    entries.iter().filter(is_update).filter_map(|entry| entry.moment("date")).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_that_say_that_they_are_for_security() {
        let told = |name: &str, version: &str, key: &str| {
            let text = format!(
                "<plist><dict><key>Display Name</key><string>{name}</string>\
                 <key>Display Version</key><string>{version}</string>\
                 <key>Product Key</key><string>{key}</string></dict></plist>"
            );
            update(&Value::read(text.as_bytes()).unwrap()).unwrap().security
        };
        assert!(told("Security Update 2022-005", "10.15.7", "012-38280"));
        assert!(told("macOS Security Response 13.4.1 (a)", "13.4.1 (a)", "x"));
        assert!(told("macOS Ventura 13.4.1", "13.4.1 (a)", "x"));
        assert!(told("macOS Ventura", "13.4.1", "MSU_UPDATE_22F770820d_patch_13.4.1_rsr"));
        assert!(told("XProtectPlistConfigData", "5279", "072-1"));
        assert!(!told("macOS Sonoma 14.7.1", "14.7.1", "MSU_UPDATE_23H222_patch_14.7.1_minor"));
        assert!(!told("Safari", "18.1", "072-2") && !told("Printer (b)", "5 (b)", "072-3"));
    }
}
