//! What is collected stands in a document, field by field, and nobody was forgotten in it.

use rollcall_shared::privacy;
use rollcall_tests::collected::{document, fields};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../agent/what-we-collect.md");

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
