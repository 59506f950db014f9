//! Cards of sections that are lists of plain rows: which columns they have is data.

use rollcall_shared::api::device::{DeviceDetail, SectionView};
use rollcall_shared::{Note, NoteKind, Timestamp};
use serde_json::Value;

use super::card::{Card, note};
use super::filters::{disk_size, size, spoken};

/// Rows of one table; the raw view has all.
const ROWS_SHOWN: usize = 1000;

/// How a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As it came.
    Text,
    /// A word of ours.
    Word,
    /// A number, to the right.
    Number,
    /// Bytes as memory counts them.
    Memory,
    /// Bytes as disks count them.
    Disk,
    /// The day of a moment.
    Day,
}

use Form::{Day, Disk, Memory, Number, Text, Word};

/// One section that is a list.
struct List {
    section: &'static str,
    tab: &'static str,
    title: &'static str,
    /// What there is none of, in a sentence.
    none: &'static str,
    columns: &'static [(&'static str, &'static str, Form)],
}

const LISTS: &[List] = &[
    List {
        section: "pool",
        tab: "hardware",
        title: "Pools and arrays",
        none: "pools or arrays",
        columns: &[
            ("name", "Name", Text),
            ("kind", "Kind", Text),
            ("level", "Level", Text),
            ("state", "State", Text),
            ("size_bytes", "Size", Disk),
            ("members", "Members", Text),
            ("failed_members", "Failed", Text),
            ("volumes", "Volumes", Text),
        ],
    },
    List {
        section: "display",
        tab: "hardware",
        title: "Displays",
        none: "displays",
        columns: &[
            ("connector", "Where", Text),
            ("manufacturer", "Maker", Text),
            ("model", "Model", Text),
            ("serial", "Serial", Text),
            ("year", "Year", Number),
            ("width_px", "Pixels across", Number),
            ("height_px", "Pixels down", Number),
        ],
    },
    List {
        section: "printer",
        tab: "hardware",
        title: "Printers",
        none: "printers",
        columns: &[
            ("name", "Name", Text),
            ("description", "Description", Text),
            ("location", "Location", Text),
            ("model", "Model", Text),
            ("address", "Address", Text),
            ("is_default", "Default", Text),
            ("shared", "Shared", Text),
        ],
    },
    List {
        section: "input",
        tab: "hardware",
        title: "Keyboards and pointers",
        none: "keyboards or pointers",
        columns: &[("name", "Name", Text), ("kind", "Kind", Word), ("bus", "Bus", Text)],
    },
    List {
        section: "audio",
        tab: "hardware",
        title: "Sound",
        none: "sound cards",
        columns: &[("name", "Name", Text), ("driver", "Driver", Text), ("codec", "Chip", Text)],
    },
    List {
        section: "camera",
        tab: "hardware",
        title: "Cameras",
        none: "cameras",
        columns: &[("name", "Name", Text), ("id", "Number", Text), ("driver", "Driver", Text)],
    },
    List {
        section: "usb",
        tab: "hardware",
        title: "USB",
        none: "USB devices",
        columns: &[
            ("port", "Where", Text),
            ("vendor", "Maker", Text),
            ("name", "Name", Text),
            ("class", "Kind", Text),
            ("serial", "Serial", Text),
            ("id", "Number", Text),
        ],
    },
    List {
        section: "pci",
        tab: "hardware",
        title: "PCI",
        none: "PCI devices",
        columns: &[
            ("address", "Where", Text),
            ("class", "Kind", Text),
            ("vendor", "Maker", Text),
            ("name", "Name", Text),
            ("driver", "Driver", Text),
            ("id", "Number", Text),
        ],
    },
    List {
        section: "port",
        tab: "network",
        title: "Open ports",
        none: "open ports",
        columns: &[
            ("port", "Port", Number),
            ("protocol", "Protocol", Text),
            ("address", "Address", Text),
            ("process", "Program", Text),
            ("package", "Package", Text),
            ("account", "Account", Text),
        ],
    },
    List {
        section: "management",
        tab: "services",
        title: "Managed by",
        none: "managers",
        columns: &[
            ("name", "Name", Text),
            ("kind", "Kind", Word),
            ("realm", "Realm", Text),
            ("server", "Server", Text),
            ("by", "Joined by", Text),
            ("running", "Runs", Text),
        ],
    },
    List {
        section: "remote_access",
        tab: "services",
        title: "Remote access",
        none: "programs for remote access",
        columns: PRODUCT,
    },
    List {
        section: "database",
        tab: "services",
        title: "Databases",
        none: "databases",
        columns: PRODUCT,
    },
    List {
        section: "container",
        tab: "services",
        title: "Containers",
        none: "containers",
        columns: &[
            ("name", "Name", Text),
            ("runtime", "Runtime", Text),
            ("image", "Image", Text),
            ("running", "Runs", Text),
            ("created_at", "Made", Day),
        ],
    },
    List {
        section: "virtual_machine",
        tab: "services",
        title: "Virtual machines",
        none: "virtual machines",
        columns: &[
            ("name", "Name", Text),
            ("manager", "Manager", Text),
            ("cpus", "Processors", Number),
            ("memory_bytes", "Memory", Memory),
            ("running", "Runs", Text),
            ("automatic", "Starts by itself", Text),
        ],
    },
    List {
        section: "certificate",
        tab: "services",
        title: "Certificates",
        none: "certificates of its own",
        columns: &[
            ("subject", "Subject", Text),
            ("purpose", "For", Word),
            ("not_after", "Valid until", Day),
            ("issuer", "Issuer", Text),
            ("key_kind", "Key", Text),
            ("key_bits", "Bits", Number),
            ("place", "Where", Text),
        ],
    },
    List {
        section: "service",
        tab: "services",
        title: "Services",
        none: "services",
        columns: &[
            ("name", "Name", Text),
            ("description", "Description", Text),
            ("start", "Starts", Word),
            ("state", "State", Word),
            ("account", "Account", Text),
            ("path", "Program", Text),
        ],
    },
];

const PRODUCT: &[(&str, &str, Form)] = &[
    ("name", "Name", Text),
    ("version", "Version", Text),
    ("running", "Runs", Text),
    ("automatic", "Starts by itself", Text),
    ("ports", "Ports", Text),
    ("id", "Number", Text),
];

/// The cards of a tab. Lists that are empty are told together in one sentence at the end.
pub(super) fn cards(detail: &DeviceDetail, tab: &str) -> Vec<Card> {
    let mut cards = Vec::new();
    let mut none = Vec::new();
    for list in LISTS.iter().filter(|list| list.tab == tab) {
        let Some(view) = detail.sections.get(list.section) else { continue };
        match card(list, view) {
            Some(card) => cards.push(card),
            // A system that has no such thing is not worth a word.
            None if view.notes.iter().any(|note| note.kind == NoteKind::Unsupported) => {}
            None => none.push(list.none),
        }
    }
    if !none.is_empty() {
        let mut card = Card { key: format!("none-{tab}"), title: "Not found", ..Card::default() };
        card.text("The agent looked for", none.join(", "));
        cards.push(card);
    }
    if cards.is_empty() && tab == "services" {
        cards.push(Card {
            key: "services".to_owned(),
            title: "Services",
            empty: Some("The agent has not reported any of this."),
            ..Card::default()
        });
    }
    cards
}

/// Nothing where there is no row and nothing to explain.
fn card(list: &List, view: &SectionView) -> Option<Card> {
    let says = |note: &&Note| !matches!(note.kind, NoteKind::NotFound | NoteKind::Unsupported);
    let mut card = Card {
        key: list.section.to_owned(),
        title: list.title,
        changed_at: view.changed_at,
        notes: view.notes.iter().filter(says).map(note).collect(),
        ..Card::default()
    };
    match view.body.as_ref() {
        Some(Value::Array(rows)) if !rows.is_empty() => {
            let columns: Vec<(&'static str, bool)> = list
                .columns
                .iter()
                .map(|(_, label, form)| (*label, matches!(form, Number | Memory | Disk)))
                .collect();
            let cells = |row: &Value| {
                list.columns.iter().map(|(field, _, form)| cell(row.get(*field), *form)).collect()
            };
            card.table(list.title, &columns, rows.iter().take(ROWS_SHOWN).map(cells).collect());
            if rows.len() > ROWS_SHOWN {
                card.notes.push(format!("{} more rows; see Raw", rows.len() - ROWS_SHOWN));
            }
        }
        Some(Value::Array(_)) | None => {}
        Some(_) => card.empty = Some("This version cannot read what the agent sent; see Raw."),
    }
    let has_something = !card.tables.is_empty() || !card.notes.is_empty() || card.empty.is_some();
    has_something.then_some(card)
}

fn cell(value: Option<&Value>, form: Form) -> String {
    match (value, form) {
        (None | Some(Value::Null), _) => String::new(),
        (Some(Value::Bool(yes)), _) => if *yes { "yes" } else { "no" }.to_owned(),
        (Some(Value::Number(number)), Memory) => number.as_u64().map(size).unwrap_or_default(),
        (Some(Value::Number(number)), Disk) => number.as_u64().map(disk_size).unwrap_or_default(),
        (Some(Value::String(text)), Word) => spoken(text),
        (Some(Value::String(text)), Day) => {
            text.parse::<Timestamp>().map_or_else(|_| text.clone(), Timestamp::date)
        }
        (Some(Value::String(text)), _) => text.clone(),
        (Some(Value::Array(items)), _) => {
            let items: Vec<String> = items.iter().map(|item| cell(Some(item), form)).collect();
            items.join(", ")
        }
        (Some(other), _) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_shared::section::SECTIONS;

    use super::*;
    use crate::http::web::sample;

    #[test]
    fn every_list_is_of_a_known_section() {
        for list in LISTS {
            assert!(SECTIONS.iter().any(|info| info.name == list.section), "{}", list.section);
        }
    }

    #[test]
    fn fields_are_written_for_people() {
        let told = |json: &str, form| cell(Some(&serde_json::from_str(json).unwrap()), form);
        assert_eq!(told("\"on_demand\"", Word), "on demand");
        assert_eq!(told("[5432, 5433]", Text), "5432, 5433");
        assert_eq!(told("\"2026-11-23T10:15:00Z\"", Day), "2026-11-23");
        assert_eq!(told("\"some day\"", Day), "some day");
        assert_eq!(told("true", Text), "yes");
        assert_eq!(told("8589934592", Memory), "8 GiB");
        assert_eq!(cell(None, Text), "");
    }

    #[test]
    fn rows_notes_and_nothing_found() {
        let mut detail = sample::device_detail();
        let view = |body, notes| SectionView { body, changed_at: None, notes };
        let rows = serde_json::json!([{"name": "ssh.service", "start": "automatic"}]);
        let denied = Note::new(NoteKind::NeedsPrivilege).with_detail("reading it needs root");
        let mut put = |name: &str, view| detail.sections.insert(name.to_owned(), view);
        put("service", view(Some(rows), vec![]));
        put("certificate", view(None, vec![denied]));
        put("database", view(Some(serde_json::json!([])), vec![]));
        put("container", view(None, vec![Note::new(NoteKind::Unsupported)]));
        put("management", view(None, vec![Note::new(NoteKind::NotFound)]));
        let cards = cards(&detail, "services");
        let titles: Vec<_> = cards.iter().map(|card| card.title).collect();
        assert_eq!(titles, ["Certificates", "Services", "Not found"]);
        assert_eq!(cards[1].tables[0].rows[0][2].text, "automatic");
        assert_eq!(cards[0].notes.len(), 1);
        let none = format!("{:?}", cards[2].facts);
        assert!(none.contains("managers, databases") && !none.contains("containers"), "{none}");
    }

    #[test]
    fn an_agent_that_tells_none_of_it_leaves_the_tabs_as_they_were() {
        let detail = sample::device_detail();
        assert!(cards(&detail, "hardware").is_empty() && cards(&detail, "network").is_empty());
        assert!(cards(&detail, "services")[0].empty.is_some());
    }
}
