//! What is collected stands in a document, field by field, and nobody was forgotten in it.

use std::collections::BTreeMap;

use rollcall_agent::source::{DECIDED, Platform, SOURCES};
use rollcall_shared::privacy;
use rollcall_shared::section::SECTIONS;
use rollcall_tests::collected::{document, fields};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../agent/what-we-collect.md");

/// Which source reads what on which system.
const COVERAGE: &str = include_str!("../../agent/coverage.md");

/// The names between backquotes of a cell.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_table_of_coverage_says_what_the_sources_say() {
    let rows: BTreeMap<&str, Vec<&str>> = COVERAGE
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> =
                line.strip_prefix("| `")?.trim_end_matches('|').split('|').collect();
            Some((cells.first()?.trim().strip_suffix('`')?, cells.get(1..)?.to_vec()))
        })
        .collect();
    let known: Vec<&str> = rows.keys().copied().collect();
    let mut sections: Vec<&str> = SECTIONS.iter().map(|info| info.name).collect();
    sections.sort_unstable();
    assert_eq!(known, sections, "one row for each section");
    for (section, cells) in rows {
        assert_eq!(cells.len(), 5, "{section}: a row has six cells");
        let systems = [Platform::Linux, Platform::Windows, Platform::Macos];
        for (system, cell) in systems.into_iter().zip(&cells) {
            let here = SOURCES.iter().filter(|source| source.platforms.contains(&system));
            let mut declared: Vec<&str> =
                here.filter(|source| source.section == section).map(|source| source.name).collect();
            let mut written = named(cell);
            declared.sort_unstable();
            written.sort_unstable();
            assert_eq!(written, declared, "agent/coverage.md, {section} on {system:?}");
            let decided = DECIDED.iter().any(|(name, on, _)| *name == section && *on == system);
            assert_eq!(decided, cell.trim().starts_with("none: "), "{section} on {system:?}");
            let empty = written.is_empty() && !decided;
            assert_eq!(empty, cell.trim() == "–", "{section} on {system:?}");
        }
        assert!(
            cells[3..].iter().all(|cell| !cell.trim().is_empty()),
            "{section}: a cell is empty"
        );
    }
}

#[test]
fn every_field_that_is_collected_stands_in_the_document() {
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        std::fs::write(DOCUMENT, document()).unwrap();
    }
    let committed = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    assert!(
        committed == document(),
        "run the tests with UPDATE_DOCUMENTS=1 and look at the change"
    );
}

#[test]
fn every_field_has_a_meaning_and_a_note_on_privacy() {
    let fields = fields();
    assert!(fields.len() > 250, "{} fields were found", fields.len());
    let unjudged: Vec<_> =
        fields.iter().filter(|field| privacy::note(&field.path).is_none()).collect();
    assert!(unjudged.is_empty(), "add them to shared/src/privacy.rs: {unjudged:?}");
    let silent: Vec<_> = fields.iter().filter(|field| field.meaning.len() < 4).collect();
    assert!(silent.is_empty(), "say in shared/src what they mean: {silent:?}");
    let paths: Vec<String> = fields.into_iter().map(|field| field.path).collect();
    let unused = privacy::unused(&paths);
    assert!(unused.is_empty(), "no field is meant by {unused:?}");
}
