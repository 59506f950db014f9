//! What we collect: every section and field, from the same definitions that agents and collector
//! are built from, so that this page cannot promise anything else.

use std::sync::LazyLock;

use askama::Template;
use axum::extract::State;
use rollcall_shared::report::Vitals;
use rollcall_shared::section as s;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::filters;
use super::shell::Shell;
use super::visit::{Page, Visit, page};
use crate::app::App;
use crate::http::auth::Helpdesk;

#[derive(Template)]
#[template(path = "collected.html")]
pub(super) struct CollectedPage {
    shell: Shell,
    sections: &'static [SectionDoc],
}

struct SectionDoc {
    name: &'static str,
    about: &'static str,
    fields: Vec<FieldDoc>,
}

struct FieldDoc {
    name: String,
    about: String,
}

static SECTIONS: LazyLock<Vec<SectionDoc>> = LazyLock::new(|| {
    let known = s::SECTIONS.iter().map(|info| SectionDoc {
        name: info.name,
        about: info.about,
        fields: fields_of(info.name),
    });
    let vitals = SectionDoc {
        name: "vitals",
        about: "The numbers that move all the time: only the latest are kept",
        fields: fields::<Vitals>(),
    };
    known.chain(std::iter::once(vitals)).collect()
});

fn fields_of(section: &str) -> Vec<FieldDoc> {
    match section {
        "system" => fields::<s::System>(),
        "firmware" => fields::<s::Firmware>(),
        "os" => fields::<s::Os>(),
        "cpu" => fields::<s::Processor>(),
        "memory" => fields::<s::Memory>(),
        "storage" => fields::<s::Disk>(),
        "volume" => fields::<s::Volume>(),
        "network" => fields::<s::Network>(),
        "gpu" => fields::<s::Gpu>(),
        "battery" => fields::<s::Battery>(),
        "user" => fields::<s::Users>(),
        "software" => fields::<s::Software>(),
        "update" => fields::<s::Update>(),
        "security" => fields::<s::Security>(),
        "service" => fields::<s::Service>(),
        "port" => fields::<s::Port>(),
        "display" => fields::<s::Display>(),
        "pci" => fields::<s::PciDevice>(),
        "usb" => fields::<s::UsbDevice>(),
        "audio" => fields::<s::Audio>(),
        "camera" => fields::<s::Camera>(),
        "input" => fields::<s::Input>(),
        "printer" => fields::<s::Printer>(),
        "certificate" => fields::<s::Certificate>(),
        "container" => fields::<s::Container>(),
        "virtual_machine" => fields::<s::VirtualMachine>(),
        "database" | "remote_access" => fields::<s::Product>(),
        "management" => fields::<s::Manager>(),
        "pool" => fields::<s::Pool>(),
        _ => Vec::new(),
    }
}

/// The fields of a type with what they are, those of its parts after a dot.
fn fields<T: JsonSchema>() -> Vec<FieldDoc> {
    let schema = SchemaGenerator::default().into_root_schema_for::<T>();
    let root = schema.as_value();
    let mut found = Vec::new();
    walk(root, root, "", &mut found, 0);
    found
}

fn walk(root: &Value, schema: &Value, prefix: &str, found: &mut Vec<FieldDoc>, depth: u8) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, property) in properties {
        let name = format!("{prefix}{name}");
        let about = property.get("description").and_then(Value::as_str).unwrap_or_default();
        found.push(FieldDoc { name: name.clone(), about: about.replace('\n', " ") });
        if depth < 4
            && let Some(part) = part(root, property)
        {
            walk(root, part, &format!("{name}."), found, depth + 1);
        }
    }
}

/// The definition that a property, an optional property or a list refers to.
fn part<'a>(root: &'a Value, property: &'a Value) -> Option<&'a Value> {
    let reference = |value: &'a Value| {
        let pointer = value.get("$ref")?.as_str()?.strip_prefix('#')?;
        root.pointer(pointer)
    };
    let alternatives = property.get("anyOf").and_then(Value::as_array);
    reference(property)
        .or_else(|| property.get("items").and_then(reference))
        .or_else(|| alternatives.and_then(|all| all.iter().find_map(reference)))
}

impl CollectedPage {
    pub(super) fn new(shell: Shell) -> Self {
        Self { shell, sections: &SECTIONS }
    }
}

/// `GET /collected`
pub(super) async fn get(State(app): State<App>, Helpdesk(caller): Helpdesk, visit: Visit) -> Page {
    page(&CollectedPage::new(visit.shell(&app, &caller, "collected")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn every_section_lists_its_fields_with_their_meaning() {
        for section in SECTIONS.iter() {
            assert!(!section.fields.is_empty(), "{} lists nothing", section.name);
            for field in &section.fields {
                assert!(!field.about.is_empty(), "{}.{} says nothing", section.name, field.name);
            }
        }
        let html = CollectedPage::new(sample::shell()).render().unwrap();
        for part in ["modules.size_bytes", "board.serial", "accounts.last_sign_in_at"] {
            assert!(html.contains(part), "{part}");
        }
    }
}
