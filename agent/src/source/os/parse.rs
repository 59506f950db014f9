//! What the small files of a Linux system say of it. Knows text, no files.

use std::collections::BTreeMap;

use rollcall_shared::Timestamp;

use crate::source::text::{assignments, clip};

/// More lines than any system has; a report stays small whatever the file holds.
const RELEASE_LIMIT: usize = 100;

/// The whole os-release map.
pub(super) fn release(text: &str) -> BTreeMap<String, String> {
    assignments(text)
        .take(RELEASE_LIMIT)
        .map(|(key, value)| (clip(key.as_bytes()), clip(value.as_bytes())))
        .collect()
}

/// A name for people.
pub(super) fn name(release: &BTreeMap<String, String>) -> String {
    let get = |key: &str| release.get(key).filter(|value| !value.is_empty());
    if let Some(pretty) = get("PRETTY_NAME") {
        return pretty.clone();
    }
    match (get("NAME"), get("VERSION").or_else(|| get("VERSION_ID"))) {
        (Some(name), Some(version)) => format!("{name} {version}"),
        (Some(name), None) => name.clone(),
        _ => "Linux".to_owned(),
    }
}

/// `Europe/Berlin` of `/usr/share/zoneinfo/Europe/Berlin`, relative or not.
pub(super) fn zone_of_link(target: &str) -> Option<String> {
    let (_, zone) = target.rsplit_once("zoneinfo/")?;
    let zone = zone.trim_start_matches("posix/").trim_start_matches("right/");
    (!zone.is_empty()).then(|| zone.to_owned())
}

/// The language from files such as `/etc/default/locale` or `/etc/locale.conf`.
pub(super) fn locale(text: &str) -> Option<String> {
    let found = |wanted: &str| {
        let mut all = assignments(text);
        all.find(|(key, value)| *key == wanted && !value.is_empty()).map(|(_, value)| value)
    };
    found("LC_ALL").or_else(|| found("LANG"))
}

/// Whether Ubuntu Pro is attached, from the status file of its client.
pub(super) fn ubuntu_pro(json: &str) -> Option<bool> {
    let status: serde_json::Value = serde_json::from_str(json).ok()?;
    status.get("attached")?.as_bool()
}

/// The year 2000. A clock that was not set when a system was installed says 1970.
const EARLIEST: Timestamp = Timestamp(946_684_800_000);

/// The earliest of the traces of an installation that can be true.
pub(super) fn installed_at(traces: impl IntoIterator<Item = Timestamp>) -> Option<Timestamp> {
    let whole = |at: Timestamp| Timestamp::from_seconds(at.seconds());
    traces.into_iter().filter(|at| *at > EARLIEST).min().map(whole)
}
