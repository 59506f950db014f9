use std::fmt::Write as _;

use super::*;

fn told(system: &str) -> String {
    let root = format!("{}/../tests/fixtures/port/{system}", env!("CARGO_MANIFEST_DIR"));
    let gathered = gather(&Host::at(root));
    assert_eq!(gathered.notes, []);
    let Some(Section::Port(rows)) = gathered.section else { panic!("no ports") };
    let mut text = String::new();
    for row in rows {
        let word = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let (process, path) = (word(row.process), word(row.path));
        let (package, account) = (word(row.package), word(row.account));
        let Port { port, protocol, address, .. } = row;
        let _ = writeln!(
            text,
            "{port} {protocol} {address} | {process} | {path} | {package} | {account}"
        );
    }
    text
}

#[test]
#[cfg(target_endian = "little")]
fn captured_systems() {
    insta::assert_snapshot!("debian-12", told("debian-12"));
    insta::assert_snapshot!("ubuntu-24.04", told("ubuntu-24.04"));
    insta::assert_snapshot!("rocky-9", told("rocky-9"));
}

#[test]
fn without_tables_there_is_a_note() {
    let gathered = gather(&Host::at("/nonexistent-root"));
    assert!(gathered.section.is_none());
    assert_eq!(gathered.notes[0].kind, NoteKind::NotFound);
}
