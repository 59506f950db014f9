//! Whole computers from folders of captures: what the agent tells of each, as snapshots.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::gather::{Options, gather};
use crate::host::Host;

/// The hardware sections of a captured computer as readable lines.
fn told(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/host").join(name);
    assert!(root.is_dir(), "there is no folder of captures at {}", root.display());
    let found = gather(&Host::at(root), &Options::default());
    let mut text = String::new();
    let sections =
        ["system", "firmware", "cpu", "memory", "storage", "volume", "network", "gpu", "battery"];
    for section in sections {
        let found = &found.sections[section];
        if let Some(body) = &found.section {
            let json = body.to_json().unwrap_or_default();
            let json: serde_json::Value = serde_json::from_str(json.get()).unwrap_or_default();
            let _ = writeln!(text, "{section}: {json:#}");
        }
        for note in &found.notes {
            let _ = writeln!(text, "{section}: {:?} {:?}", note.kind, note.detail);
        }
    }
    let _ = writeln!(text, "{:#?}", found.hardware_ids);
    text
}

#[test]
fn thinkpad_t14() {
    let told = told("thinkpad-t14");
    assert!(!told.contains("never-to-be-told"), "a password is in the report");
    insta::assert_snapshot!(told);
}

#[test]
fn raspberry_pi_4() {
    insta::assert_snapshot!(told("raspberry-pi-4"));
}

#[test]
fn vmware_server() {
    insta::assert_snapshot!(told("vmware-server"));
}

#[test]
fn firecracker_guest() {
    insta::assert_snapshot!(told("firecracker-guest"));
}
