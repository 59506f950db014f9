//! Whole computers from folders of captures: what the agent tells of each, as snapshots.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::gather::{Options, gather};
use crate::host::Host;
use crate::merge;
use crate::source::{Platform, SOURCES};

const HARDWARE: &[&str] =
    &["system", "firmware", "cpu", "memory", "storage", "volume", "network", "gpu", "battery"];
/// And what its captures tell of the system on it.
const SYSTEM: &[&str] = &["os", "pool", "security", "service", "software"];

/// The hardware sections of a captured computer as readable lines.
fn told(name: &str) -> String {
    told_of(name, HARDWARE)
}

/// The sections of a captured computer.
fn told_of(name: &str, sections: &[&str]) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/host").join(name);
    assert!(root.is_dir(), "there is no folder of captures at {}", root.display());
    let found = gather(&Host::at(root), &Options::default());
    let mut text = String::new();
    for section in sections {
        let found = &found.sections[*section];
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

/// What the sources for Windows tell of a captured computer.
fn told_on_windows(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/host").join(name);
    let host = Host::at(root);
    let mut text = String::new();
    for source in SOURCES.iter().filter(|one| one.platforms.contains(&Platform::Windows)) {
        let gathered = (source.gather)(&host);
        let body = gathered.section.map(|section| merge::tidy(section).0);
        let json = body.and_then(|body| body.to_json().ok()).unwrap_or_default();
        let json: serde_json::Value = serde_json::from_str(json.get()).unwrap_or_default();
        let _ = writeln!(text, "{} by {}: {json:#}", source.section, source.name);
        for note in gathered.notes {
            let _ = writeln!(text, "{}: {:?} {:?}", source.name, note.kind, note.detail);
        }
    }
    text
}

#[test]
fn windows_11_laptop() {
    let told = told_on_windows("windows-11-laptop");
    assert!(!told.contains("never-to-be-told"), "an argument is in the report");
    insta::assert_snapshot!(told);
}

#[test]
fn windows_server_2019() {
    let told = told_on_windows("windows-server-2019");
    assert!(!told.contains("never-to-be-told"), "an argument or a secret is in the report");
    insta::assert_snapshot!(told);
}

#[test]
fn windows_10_desktop() {
    let told = told_on_windows("windows-10-desktop");
    assert!(!told.contains("never-to-be-told"), "an argument or a secret is in the report");
    insta::assert_snapshot!(told);
}

#[test]
fn windows_11_tablet() {
    let told = told_on_windows("windows-11-tablet");
    assert!(!told.contains("never-to-be-told"), "an argument or a secret is in the report");
    insta::assert_snapshot!(told);
}

#[test]
fn wine_8() {
    insta::assert_snapshot!(told_on_windows("wine-8"));
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

#[test]
fn latitude_arch() {
    insta::assert_snapshot!(told_of("latitude-arch", &[HARDWARE, SYSTEM].concat()));
}

#[test]
fn poweredge_opensuse() {
    insta::assert_snapshot!(told_of("poweredge-opensuse", &[HARDWARE, SYSTEM].concat()));
}

#[test]
fn workbench_nixos() {
    insta::assert_snapshot!(told_of("workbench-nixos", &[HARDWARE, SYSTEM].concat()));
}
