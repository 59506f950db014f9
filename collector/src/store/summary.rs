//! What lists and the search show of a device, derived from its sections.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcall_shared::report::Vitals;
use rollcall_shared::section::{Manager, Network, Os, System, Users};
use serde::de::DeserializeOwned;

use super::device::Summary;
use crate::domain::hardware;

/// One value to remember: kind, value, label.
pub(super) type Value = (&'static str, String, Option<String>);

/// Renews a summary from the texts of all sections; what their absence leaves open stays.
pub(super) fn renew(
    summary: &mut Summary,
    texts: &BTreeMap<Arc<str>, String>,
    vitals: &Vitals,
) -> Vec<Value> {
    let system: Option<System> = read(texts, "system");
    let os: Option<Os> = read(texts, "os");
    let network: Option<Network> = read(texts, "network");
    let users: Option<Users> = read(texts, "user");
    let managers: Option<Vec<Manager>> = read(texts, "management");
    if system.is_some() || managers.is_some() {
        summary.directories = hardware::directories(system.as_ref(), managers.as_deref());
    }
    if let Some(system) = &system {
        summary.hostname.clone_from(&system.hostname);
        summary.manufacturer = hardware::display_manufacturer(system);
        summary.model = hardware::display_model(system);
        // A bad read (no rights, a reset firmware) does not take a good value away.
        summary.serial = hardware::display_serial(system).or_else(|| summary.serial.take());
        summary.firmware_asset_tag.clone_from(&system.asset_tag);
    }
    if let Some(os) = &os {
        summary.os_name = hardware::os_display(os);
    }
    if let (Some(system), Some(os)) = (&system, &os) {
        summary.class = Some(hardware::class_of(system, os));
    }
    if let Some(network) = &network {
        summary.macs = hardware::macs(network);
        summary.addresses = hardware::addresses(network);
    }
    if let Some(person) = hardware::person_of(users.as_ref(), vitals) {
        summary.user = Some(person.user);
        summary.user_full_name = person.full_name;
    }
    values(summary, users.as_ref(), vitals)
}

fn read<T: DeserializeOwned>(texts: &BTreeMap<Arc<str>, String>, name: &str) -> Option<T> {
    serde_json::from_str(texts.get(name)?).ok()
}

/// All that the search may look for, each once.
fn values(summary: &Summary, users: Option<&Users>, vitals: &Vitals) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    let mut add = |kind: &'static str, value: &str, label: Option<&str>| {
        let value = value.trim();
        if !value.is_empty() && !values.iter().any(|(k, known, _)| *k == kind && known == value) {
            values.push((kind, value.to_owned(), label.map(str::to_owned)));
        }
    };
    add("hostname", &summary.hostname, None);
    if let Some(serial) = &summary.serial {
        add("serial", serial, None);
    }
    if let Some(tag) = &summary.firmware_asset_tag {
        add("asset_tag", tag, None);
    }
    for mac in &summary.macs {
        add("mac", mac, None);
    }
    for address in &summary.addresses {
        add("ip", address, None);
    }
    let accounts = users.map(|users| users.accounts.as_slice()).unwrap_or_default();
    let name_of =
        |user: &str| accounts.iter().find(|account| account.name == user)?.full_name.as_deref();
    if let Some(user) = &summary.user {
        add("user", user, summary.user_full_name.as_deref().or_else(|| name_of(user)));
    }
    for session in &vitals.sessions {
        add("user", &session.user, name_of(&session.user));
    }
    values.sort();
    values
}
