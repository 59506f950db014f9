//! What would be sent, for a person or byte for byte.

use rollcall_shared::Note;
use rollcall_shared::report::{CheckIn, SectionState};
use serde_json::Value;
use std::fmt::Write as _;

/// Parts of a report beside its sections, as people may ask for them.
pub(crate) const OTHER_PARTS: [&str; 4] = ["vitals", "hardware_ids", "agent", "cost"];

/// A part of a report that is no section, as it is sent.
pub(crate) fn other_part(report: &CheckIn, name: &str) -> Option<serde_json::Result<String>> {
    Some(match name {
        "vitals" => serde_json::to_string(&report.vitals),
        "hardware_ids" => serde_json::to_string(&report.hardware_ids),
        "agent" => serde_json::to_string(&report.agent),
        "cost" => serde_json::to_string(&report.cost),
        _ => return None,
    })
}

/// The whole report for a person, or one part of it.
pub(crate) fn to_text(report: &CheckIn, only: Option<&str>) -> String {
    let mut text = String::new();
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    for (name, state) in report.sections.iter().filter(|(name, _)| wanted(name)) {
        section(&mut text, name, state);
    }
    for name in OTHER_PARTS.into_iter().filter(|name| wanted(name)) {
        let Some(Ok(part)) = other_part(report, name) else { continue };
        let Ok(part) = serde_json::from_str(&part) else { continue };
        text.push_str(name);
        text.push('\n');
        value(&mut text, &part, 1);
        text.push('\n');
    }
    text
}

fn section(text: &mut String, name: &str, state: &SectionState) {
    text.push_str(name);
    text.push('\n');
    let body = state.body.as_ref().and_then(|body| serde_json::from_str::<Value>(body.get()).ok());
    if let Some(body) = body {
        value(text, &body, 1);
    }
    for note in &state.notes {
        let _ = writeln!(text, "  ({})", sentence(note));
    }
    text.push('\n');
}

pub(crate) fn sentence(note: &Note) -> String {
    let kind = serde_json::to_value(&note.kind).ok();
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or("failed").replace('_', " ");
    let source = note.source.as_ref().map(|source| format!("{source}: ")).unwrap_or_default();
    let detail = note.detail.as_ref().map(|detail| format!(", {detail}")).unwrap_or_default();
    printable(&format!("{source}{kind}{detail}"))
}

fn value(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                if let Some(line) = scalar(field) {
                    let _ = writeln!(text, "{indent}{key}: {line}");
                } else {
                    let _ = writeln!(text, "{indent}{key}:");
                    self::value(text, field, depth + 1);
                }
            }
        }
        Value::Array(rows) => {
            for row in rows {
                text.push_str(&indent);
                text.push_str("- ");
                if let Value::Object(fields) = row {
                    let line: Vec<String> = fields
                        .iter()
                        .map(|(key, field)| {
                            let shown =
                                scalar(field).unwrap_or_else(|| printable(&field.to_string()));
                            format!("{key} {shown}")
                        })
                        .collect();
                    text.push_str(&line.join(", "));
                } else {
                    text.push_str(&scalar(row).unwrap_or_else(|| printable(&row.to_string())));
                }
                text.push('\n');
            }
        }
        other => {
            let _ = writeln!(text, "{indent}{}", scalar(other).unwrap_or_default());
        }
    }
}

/// A value that fits on its key's line.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("-".to_owned()),
        Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(printable(text)),
        Value::Array(items) if items.iter().all(|item| item.is_string() || item.is_number()) => {
            let items: Vec<String> = items.iter().filter_map(scalar).collect();
            Some(items.join(", "))
        }
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Text from the computer must not steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_read_like_a_list_and_cannot_steer_a_terminal() {
        let mut text = String::new();
        value(
            &mut text,
            &json!({
                "name": "Debian\u{1b}[2J",
                "tags": ["a", "b"],
                "modules": [{ "slot": "DIMM 1", "size_bytes": 1024, "ecc": false }],
                "tpm": { "version": "2.0" }
            }),
            1,
        );
        assert_eq!(
            text,
            "  modules:\n    - ecc no, size_bytes 1024, slot DIMM 1\n  name: Debian\u{fffd}[2J\n  \
             tags: a, b\n  tpm:\n    version: 2.0\n"
        );
    }

    #[test]
    fn everything_that_is_sent_is_shown() {
        use crate::gather::Gathering;
        use crate::report::{Naming, assemble};
        let mut gathering = Gathering::default();
        gathering.hardware_ids.serial = Some("PF3A1B2C".to_owned());
        gathering.vitals.memory_available_bytes = Some(1024);
        gathering.cost.wall_ms = 7;
        let naming = Naming {
            report_id: uuid::Uuid::nil(),
            seq: 0,
            observed_at: rollcall_shared::Timestamp(0),
            dropped_reports: 0,
        };
        let report = assemble(gathering, naming);
        let whole = to_text(&report, None);
        for line in ["serial: PF3A1B2C", "memory_available_bytes: 1024", "wall_ms: 7", "version: "]
        {
            assert!(whole.contains(line), "{line} in {whole}");
        }
        assert_eq!(to_text(&report, Some("vitals")), "vitals\n  memory_available_bytes: 1024\n\n");
        let ids = other_part(&report, "hardware_ids").unwrap().unwrap();
        assert_eq!(ids, r#"{"serial":"PF3A1B2C"}"#);
        assert!(other_part(&report, "nonsense").is_none());
    }
}
