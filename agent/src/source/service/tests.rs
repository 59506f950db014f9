use std::fmt::Write as _;

use super::*;

fn told(system: &str) -> String {
    let root = format!("{}/../tests/fixtures/service/{system}", env!("CARGO_MANIFEST_DIR"));
    let gathered = gather(&Host::at(root));
    let mut text = String::new();
    let Some(Section::Service(rows)) = gathered.section else { panic!("no services") };
    for row in rows {
        let word = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let _ = writeln!(
            text,
            "{} | {:?} | {:?} | {} | {} | {} | {}",
            row.name,
            row.start.unwrap_or(ServiceStart::Other(String::new())),
            row.state,
            word(row.path),
            word(row.account),
            word(row.manager),
            word(row.description),
        );
    }
    for note in gathered.notes {
        let _ = writeln!(text, "{note:?}");
    }
    assert!(!text.contains("never-to-be-told"));
    text
}

#[test]
fn units_of_systemd() {
    insta::assert_snapshot!(told("debian-12"));
}

#[test]
fn scripts_of_openrc() {
    insta::assert_snapshot!(told("alpine-3.20"));
}

#[test]
fn scripts_of_system_v() {
    insta::assert_snapshot!(told("rhel-6"));
}

#[test]
fn without_any_of_them_there_is_a_note() {
    let gathered = gather(&Host::at("/nonexistent-root"));
    assert!(gathered.section.is_none());
    assert_eq!(gathered.notes[0].kind, NoteKind::NotFound);
}
