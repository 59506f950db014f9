//! What lists and the search show of a device, derived from its sections.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcall_shared::report::Vitals;
use rollcall_shared::section::{Network, Os, System, Users};
use serde::de::DeserializeOwned;

use super::device::Summary;

/// The sections a summary is derived from.
pub(super) const SECTIONS: &[&str] = &["system", "os", "network", "user"];

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
    if let Some(system) = &system {
        summary.hostname.clone_from(&system.hostname);
        summary.manufacturer.clone_from(&system.manufacturer);
        summary.model.clone_from(&system.model);
        summary.serial.clone_from(&system.serial);
        summary.firmware_asset_tag.clone_from(&system.asset_tag);
    }
    if let Some(os) = &os {
        summary.os_name.clone_from(&os.name);
    }
    if let Some(network) = &network {
        summary.macs = network.interfaces.iter().filter_map(|one| one.mac.clone()).collect();
        summary.addresses = network
            .interfaces
            .iter()
            .flat_map(|one| &one.addresses)
            .map(|address| address.split('/').next().unwrap_or_default().to_owned())
            .collect();
    }
    if let Some(session) = vitals.sessions.first() {
        summary.user = Some(session.user.clone());
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
