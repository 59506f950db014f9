//! What each collected field tells of people, in one sentence.
//!
//! A field is named by its path, e.g. `user.accounts[].name`. The longest beginning that stands
//! here counts, so that a new field of a section is judged like the section until somebody decides
//! otherwise. `what-we-collect.md` shows the result for every field.

/// Nothing of a person.
pub const MACHINE: &str = "about the machine alone";
const IDENTIFIER: &str = "tells this machine from all others; not a person by itself";
const PLACE: &str = "may tell where the computer is, and so where its user is";
const NAMES: &str = "a name given by people, which may hold a person's name";
const PERSON: &str = "names a person; switched off with the section `user`";
const USE: &str = "tells when a person used the computer; switched off with the section `user`";
const INSTALLED: &str = "tells what is installed, and so what the computer is used for";
const RUNS: &str = "tells what runs here; never command lines or environments";

/// Beginnings of paths, and what is to be known of the fields below.
const NOTES: &[(&str, &str)] = &[
    ("system", MACHINE),
    ("system.hostname", NAMES),
    ("system.fqdn", NAMES),
    ("system.domain", "names the organisation"),
    ("system.asset_tag", IDENTIFIER),
    ("system.serial", IDENTIFIER),
    ("system.uuid", IDENTIFIER),
    ("system.board.serial", IDENTIFIER),
    ("system.cloud_instance_id", IDENTIFIER),
    ("firmware", MACHINE),
    ("os", MACHINE),
    ("os.installed_at", "tells since when the computer is in use"),
    ("os.time_zone", PLACE),
    ("os.locale", "tells the language of its users"),
    ("os.ubuntu_pro", "tells whether support was bought; never the token"),
    ("cpu", MACHINE),
    ("memory", MACHINE),
    ("memory.modules[].serial", IDENTIFIER),
    ("storage", MACHINE),
    ("storage[].serial", IDENTIFIER),
    ("storage[].wwn", IDENTIFIER),
    ("volume", MACHINE),
    ("volume[].device", "of a network file system it names the server"),
    ("volume[].label", NAMES),
    ("volume[].point", NAMES),
    ("volume[].uuid", IDENTIFIER),
    ("network", MACHINE),
    ("network.default_routes", PLACE),
    ("network.resolvers", PLACE),
    ("network.search_domains", PLACE),
    ("network.interfaces[].addresses", PLACE),
    ("network.interfaces[].mac", IDENTIFIER),
    ("network.interfaces[].permanent_mac", IDENTIFIER),
    ("network.interfaces[].name", NAMES),
    ("network.interfaces[].wifi_ssid", PLACE),
    ("gpu", MACHINE),
    ("battery", MACHINE),
    ("battery[].serial", IDENTIFIER),
    ("user", PERSON),
    ("user.accounts[].administrator", "tells what a person may do; never a password or its hash"),
    ("user.accounts[].disabled", "tells what a person may do; never a password or its hash"),
    ("user.accounts[].password_locked", "tells what a person may do; never a password or its hash"),
    ("user.accounts[].shell", "a preference of a person"),
    ("user.accounts[].last_sign_in_at", USE),
    ("user.accounts[].last_sign_in_from", PLACE),
    ("user.groups[].name", "tells what its members may do"),
    ("user.groups[].id", "tells what its members may do"),
    ("software", INSTALLED),
    ("update", MACHINE),
    ("security", MACHINE),
    ("service", RUNS),
    ("service[].account", NAMES),
    ("port", RUNS),
    ("port[].account", NAMES),
    ("display", MACHINE),
    ("display[].serial", IDENTIFIER),
    ("pci", MACHINE),
    ("usb", "tells what is plugged in"),
    ("usb[].serial", IDENTIFIER),
    ("audio", MACHINE),
    ("camera", "that a camera is there; never a picture"),
    ("input", "that a device is there; never what is typed"),
    ("printer", "tells which printers its users have; never what is printed"),
    ("printer[].address", "tells where the printer is; passwords in it are removed"),
    ("printer[].description", NAMES),
    ("printer[].location", PLACE),
    ("printer[].name", NAMES),
    ("printer[].serial", IDENTIFIER),
    ("certificate", "may name people and organisations; never a private key"),
    ("container", RUNS),
    ("container[].name", NAMES),
    ("virtual_machine", RUNS),
    ("virtual_machine[].name", NAMES),
    ("virtual_machine[].uuid", "tells that machine from all others"),
    ("database", INSTALLED),
    ("remote_access", INSTALLED),
    ("remote_access[].id", "the number by which others reach this computer; never its password"),
    ("management", MACHINE),
    ("management[].realm", "names the organisation"),
    ("management[].server", "names a server of the organisation"),
    ("pool", MACHINE),
    ("pool[].name", NAMES),
    ("pool[].uuid", IDENTIFIER),
    ("pool[].volumes", NAMES),
    ("vitals", MACHINE),
    ("vitals.volumes[].point", NAMES),
    ("vitals.sessions", USE),
    ("vitals.sessions[].user", PERSON),
    ("vitals.sessions[].remote_host", PLACE),
    ("hardware_ids", IDENTIFIER),
    ("hardware_ids.machine_id_digest", "a hash; the id itself never leaves the computer"),
    ("agent", "about this program"),
    ("cost", "about this program"),
];

/// What a field tells of people; `None` when nobody has judged it yet.
pub fn note(path: &str) -> Option<&'static str> {
    let (_, note) = entry(path)?;
    Some(note)
}

fn entry(path: &str) -> Option<(&'static str, &'static str)> {
    let covers = |beginning: &str| {
        path.strip_prefix(beginning)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    NOTES.iter().filter(|(beginning, _)| covers(beginning)).max_by_key(|(b, _)| b.len()).copied()
}

/// Beginnings that stand here and decide about none of these fields; a field was renamed or went.
pub fn unused(paths: &[String]) -> Vec<&'static str> {
    let used: std::collections::BTreeSet<&str> =
        paths.iter().filter_map(|path| entry(path)).map(|(beginning, _)| beginning).collect();
    NOTES.iter().map(|(beginning, _)| *beginning).filter(|one| !used.contains(one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_counts_and_only_at_the_end_of_a_name() {
        assert_eq!(note("user.accounts[].shell"), Some("a preference of a person"));
        assert_eq!(note("user.accounts[].full_name"), Some(PERSON));
        assert_eq!(note("network.interfaces[].addresses[]"), Some(PLACE));
        assert_eq!(note("network.interfaces[].name_of_something"), Some(MACHINE));
        assert_eq!(note("unheard_of"), None);
        assert_eq!(unused(&["cpu[].cores".to_owned()]).len(), NOTES.len() - 1);
    }
}
