//! `agent/what-we-collect.md`: every field that the agent may tell, with its meaning, where it is
//! read, and what it tells of people. Made from the types, the sources and the notes on privacy,
//! so that none of the three can grow without it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rollcall_agent::source::{Privilege, SOURCES, Source};
use rollcall_shared::section::SECTIONS;
use rollcall_shared::{privacy, report};
use serde_json::Value;

const HEAD: &str = "\
# What the agent collects

Every field that a report can hold, with its meaning, where it is read, and what it tells of people
(in italics). This page is made from the code and compared with it by a test; `rollcall-agent
explain SECTION` prints a part of it together with what was read on this computer, and
`rollcall-agent show` what would be sent. A section is switched off by `sections_off` in the
configuration of the computer or by the collector.

Never collected: documents, e-mail, browsing history, environment variables, command lines, key
material, full product keys.

A source may take 60 seconds, 3 seconds of processor time and 256 MiB of reading in one look. What
is more is cut short, with a note that says so.
";

/// One field that a report can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its path, e.g. `user.accounts[].name`.
    pub path: String,
    /// What it means.
    pub meaning: String,
}

/// Parts of a report beside the sections, with their types.
const OTHER_PARTS: [(&str, &str, &str); 4] = [
    ("vitals", "Vitals", "The numbers that move all the time; only the latest are kept"),
    ("hardware_ids", "HardwareIds", "What the hardware says of itself, to tell devices apart"),
    ("agent", "AgentInfo", "The program that looked"),
    ("cost", "Cost", "What looking cost, measured by the agent itself"),
];

/// Every field of a report, in the order of the document.
pub fn fields() -> Vec<Field> {
    let schema = serde_json::to_value(report::schema()).expect("the schema is JSON");
    let types = &schema["$defs"];
    let mut found = Vec::new();
    for info in SECTIONS {
        walk(info.name, &types["AllSections"]["properties"][info.name], types, "", &mut found);
    }
    for (name, of, _) in OTHER_PARTS {
        walk(name, &serde_json::json!({ "$ref": format!("#/$defs/{of}") }), types, "", &mut found);
    }
    found
}

fn walk(path: &str, node: &Value, types: &Value, meaning: &str, found: &mut Vec<Field>) {
    let meaning = node["description"].as_str().unwrap_or(meaning);
    if let Some(name) = node["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
        let of = &types[name];
        if let Some(fields) = of["properties"].as_object() {
            for (field, node) in fields {
                walk(&format!("{path}.{field}"), node, types, "", found);
            }
            return;
        }
    }
    // Optional types are "this or null".
    let of =
        node["anyOf"].as_array().and_then(|all| all.iter().find(|one| one["$ref"].is_string()));
    if let Some(of) = of {
        return walk(path, of, types, meaning, found);
    }
    if node["items"].is_object() {
        return walk(&format!("{path}[]"), &node["items"], types, meaning, found);
    }
    if node["additionalProperties"].is_object() {
        return walk(&format!("{path}.*"), &node["additionalProperties"], types, meaning, found);
    }
    found.push(Field { path: path.to_owned(), meaning: meaning.replace('\n', " ") });
}

/// The whole document.
pub fn document() -> String {
    let mut text = HEAD.to_owned();
    let fields = fields();
    for info in SECTIONS {
        let _ = write!(text, "\n## {}\n\n{}.\n\n", info.name, info.about);
        for source in SOURCES.iter().filter(|source| source.section == info.name) {
            text.push_str(&read_by(source));
        }
        text.push('\n');
        list(&mut text, info.name, &fields);
    }
    for (name, _, about) in OTHER_PARTS {
        let _ = write!(text, "\n## {name}\n\n{about}.\n\n");
        list(&mut text, name, &fields);
    }
    text
}

fn read_by(source: &Source) -> String {
    let systems: BTreeSet<String> =
        source.platforms.iter().map(|platform| format!("{platform:?}")).collect();
    let systems: Vec<String> = systems.into_iter().collect();
    let rights = match source.privilege {
        Privilege::User => "",
        Privilege::Administrator => " Some of it only with administrator rights.",
    };
    let programs: Vec<String> = source
        .programs
        .iter()
        .map(|program| format!(" Starts `{}`: {}.", program.path, program.why))
        .collect();
    format!(
        "- {}, `{}`: {}.{rights}{}\n",
        systems.join(", "),
        source.name,
        source.about,
        programs.concat()
    )
}

fn list(text: &mut String, part: &str, fields: &[Field]) {
    let of_part = |field: &&Field| {
        field.path.strip_prefix(part).is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    for field in fields.iter().filter(of_part) {
        let name = field.path[part.len()..].trim_start_matches(['[', ']', '.']);
        let note = privacy::note(&field.path).unwrap_or("NOT JUDGED");
        let meaning = field.meaning.trim_end_matches('.');
        let _ = writeln!(text, "- `{name}`: {meaning}. *{note}*");
    }
}
