//! What Windows lists under "Installed apps": the keys that set-up programs leave for removal.
//!
//! 64-bit and 32-bit programs have lists of their own, and so has every user who is signed in.

use jiff::civil::Date;
use rollcall_shared::section::software::SoftwareScope;
use rollcall_shared::section::{Section, Software};
use rollcall_shared::{Note, Timestamp};

use super::keep;
use crate::host::{Host, HostError};
use crate::registry::Key;
use crate::source::{Gathered, Platform, Privilege, Source};

const LIST: &str = r"Microsoft\Windows\CurrentVersion\Uninstall";

/// The declaration.
pub const REGISTRY: Source = Source {
    name: "registry",
    section: "software",
    about: "Installed programs from the registry (Uninstall): the 64-bit list, the 32-bit one, and those of users who are signed in",
    platforms: &[Platform::Windows],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    let mut list = |path: &str, architecture: Option<&str>, scope: SoftwareScope| match host
        .registry_below(path)
    {
        Ok(keys) => {
            for (_, key) in &keys {
                if let Some(row) = title(key, architecture, &scope) {
                    keep(&mut rows, row);
                }
            }
        }
        Err(HostError::NotFound { .. }) => {}
        Err(error) => notes.push(Note::from(error)),
    };
    list(&format!(r"HKLM\SOFTWARE\{LIST}"), Some("x64"), SoftwareScope::Machine);
    list(&format!(r"HKLM\SOFTWARE\WOW6432Node\{LIST}"), Some("x86"), SoftwareScope::Machine);
    for user in host.registry("HKU").map(|users| users.keys).unwrap_or_default() {
        // Each account has a second hive for its classes.
        if user.starts_with("S-1-") && !user.ends_with("_Classes") {
            list(&format!(r"HKU\{user}\SOFTWARE\{LIST}"), None, SoftwareScope::User);
        }
    }
    let section = (!rows.is_empty()).then_some(Section::Software(rows));
    Gathered { section, notes }
}

fn title(key: &Key, architecture: Option<&str>, scope: &SoftwareScope) -> Option<Software> {
    let part_of_another = key.number("SystemComponent") == Some(1)
        || key.text("ParentKeyName").is_some()
        || key.text("ParentDisplayName").is_some();
    if part_of_another {
        return None;
    }
    Some(Software {
        source: "registry".to_owned(),
        name: key.text("DisplayName")?,
        version: key.text("DisplayVersion").unwrap_or_default(),
        architecture: architecture.map(str::to_owned),
        publisher: key.text("Publisher"),
        installed_at: key.text("InstallDate").and_then(|date| day(&date)),
        size_bytes: key.number("EstimatedSize").filter(|kib| *kib > 0).map(|kib| kib * 1024),
        scope: Some(scope.clone()),
        ..Software::default()
    })
}

/// The beginning of a day such as `20261123`; set-up programs write other things here as well.
fn day(text: &str) -> Option<Timestamp> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i16>().ok();
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let date =
        Date::new(part(0..4)?, part(4..6)?.try_into().ok()?, part(6..8)?.try_into().ok()?).ok()?;
    let at = date.to_datetime(jiff::civil::Time::midnight());
    let at = at.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp(at.as_millisecond())).filter(|at| at.0 > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_are_days() {
        assert_eq!(day("20261123").unwrap().to_string(), "2026-11-23T00:00:00Z");
        for other in ["", "11/23/2026", "20261340", "2026112", "00000000"] {
            assert_eq!(day(other), None, "{other}");
        }
    }
}
