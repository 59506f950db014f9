//! Changes of sections that are lists of plain rows: which fields tell rows apart is data.

use serde_json::{Map, Value};

use super::{Out, optional_words};

/// How the rows of a section are compared.
struct Rule {
    section: &'static str,
    /// What one row is called.
    noun: &'static str,
    /// Fields that tell rows apart.
    keys: &'static [&'static str],
    /// Fields that describe a row that came or went.
    told: &'static [&'static str],
    /// Fields whose change says nothing of the computer.
    silent: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        section: "service",
        noun: "service",
        keys: &["name"],
        told: &["start", "state"],
        silent: &["description"],
    },
    Rule {
        section: "port",
        noun: "port",
        keys: &["port", "protocol", "address"],
        told: &["process", "package"],
        silent: &[],
    },
    Rule {
        section: "display",
        noun: "display",
        keys: &["model", "serial", "connector"],
        told: &["manufacturer", "model", "serial"],
        silent: &[],
    },
    Rule {
        section: "pci",
        noun: "device",
        keys: &["address", "id"],
        told: &["class", "vendor", "name"],
        silent: &[],
    },
    Rule {
        section: "usb",
        noun: "USB device",
        keys: &["id", "serial"],
        told: &["vendor", "name", "serial"],
        silent: &["port"],
    },
    Rule {
        section: "audio",
        noun: "sound card",
        keys: &["name"],
        told: &["codec"],
        silent: &["id"],
    },
    Rule { section: "camera", noun: "camera", keys: &["name"], told: &["id"], silent: &[] },
    Rule {
        section: "input",
        noun: "input device",
        keys: &["name", "kind"],
        told: &["kind", "bus"],
        silent: &[],
    },
    Rule {
        section: "printer",
        noun: "printer",
        keys: &["name"],
        told: &["model", "address"],
        silent: &[],
    },
    Rule {
        section: "certificate",
        noun: "certificate",
        keys: &["place", "subject"],
        told: &["subject", "not_after"],
        silent: &["serial", "not_before", "signature"],
    },
    Rule {
        section: "container",
        noun: "container",
        keys: &["runtime", "name"],
        told: &["image"],
        silent: &["id", "created_at"],
    },
    Rule {
        section: "virtual_machine",
        noun: "virtual machine",
        keys: &["name"],
        told: &["manager", "uuid"],
        silent: &[],
    },
    Rule {
        section: "database",
        noun: "database",
        keys: &["name", "package"],
        told: &["version"],
        silent: &["path"],
    },
    Rule {
        section: "remote_access",
        noun: "remote access",
        keys: &["name", "package"],
        told: &["version", "id"],
        silent: &["path"],
    },
    Rule {
        section: "management",
        noun: "management",
        keys: &["name", "by"],
        told: &["realm", "server"],
        silent: &[],
    },
    Rule {
        section: "pool",
        noun: "pool",
        keys: &["name", "kind"],
        told: &["kind", "level"],
        silent: &[],
    },
];

/// Whether the section is such a list; then its changes are in `out`.
pub(super) fn compare(section: &str, before: &str, after: &str, out: &mut Out) -> bool {
    let Some(rule) = RULES.iter().find(|rule| rule.section == section) else { return false };
    let rows = |json: &str| serde_json::from_str::<Vec<Map<String, Value>>>(json).ok();
    let (Some(old), Some(new)) = (rows(before), rows(after)) else { return false };
    let field = |row: &Map<String, Value>, name: &&str| row.get(*name).and_then(optional_words);
    let joined = |row: &Map<String, Value>, names: &[&str], between: &str| {
        let parts: Vec<String> = names.iter().filter_map(|name| field(row, name)).collect();
        (!parts.is_empty()).then(|| parts.join(between))
    };
    out.list(
        rule.noun,
        &old,
        &new,
        |row| joined(row, rule.keys, " ").unwrap_or_default(),
        |row| joined(row, rule.told, ", "),
        |subject, was, is, out| {
            let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            let loud = |name: &&&String| {
                let name = name.as_str();
                !rule.silent.contains(&name) && !rule.keys.contains(&name)
            };
            for name in names.iter().filter(loud) {
                let subject = format!("{subject}, {}", name.replace('_', " "));
                out.value(&subject, &was.get(*name), &is.get(*name));
            }
        },
    );
    true
}

#[cfg(test)]
mod tests {
    use rollcall_shared::section::SECTIONS;

    use super::*;

    #[test]
    fn every_rule_is_of_a_known_section() {
        for rule in RULES {
            assert!(SECTIONS.iter().any(|info| info.name == rule.section), "{}", rule.section);
        }
    }
}
