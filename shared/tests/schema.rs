//! The published schema is the one of the types, and the types keep to it.

#![cfg(feature = "schema")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use rollcall_shared::report::{self, CheckIn, SectionState};
use rollcall_shared::section::{Os, Section, System, system::Chassis};
use rollcall_shared::{Note, NoteKind};

fn generated() -> String {
    let mut text = serde_json::to_string_pretty(&report::schema()).unwrap();
    text.push('\n');
    text
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/report.schema.json");
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        std::fs::write(path, generated()).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == generated(),
        "run `UPDATE_DOCUMENTS=1 cargo test -p rollcall-shared --all-features`"
    );
}

#[test]
fn a_report_keeps_to_the_schema() {
    let system = System {
        hostname: "lt-0042".to_owned(),
        chassis: Some(Chassis::Other("rollable".to_owned())),
        ..System::default()
    };
    let mut os = Os { name: "Debian GNU/Linux 12".to_owned(), ..Os::default() };
    os.release.insert("ID".to_owned(), "debian".to_owned());
    let check_in: CheckIn = serde_json::from_value(serde_json::json!({
        "report_id": "019734e0-0000-7000-8000-000000000001",
        "seq": 1,
        "observed_at": "2026-11-23T10:15:00Z",
        "sent_at": "2026-11-23T10:15:01Z",
        "agent": { "version": "0.1.0", "target": "x86_64-unknown-linux-gnu" },
        "sections": {
            "system": SectionState::collected(&Section::System(system.clone())).unwrap(),
            "battery": SectionState::absent(Note::new(NoteKind::NotFound)),
        },
    }))
    .unwrap();
    let document = serde_json::json!({
        "check_in": check_in,
        "section_bodies": { "system": system, "os": os },
    });
    let schema = serde_json::to_value(report::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<String> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn unknown_fields_and_words_are_kept_or_ignored_never_refused() {
    let json = r#"{"hostname":"x","chassis":"rollable","from_the_future":[1,2]}"#;
    let Some(Ok(Section::System(system))) = Section::from_json("system", json) else {
        panic!("a newer agent's section was refused");
    };
    assert_eq!(system.chassis, Some(Chassis::Other("rollable".to_owned())));
    assert!(Section::from_json("from_the_future", "{}").is_none());
}
