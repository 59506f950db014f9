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
    told_on(Platform::Windows, name)
}

/// What the sources for macOS tell of a captured computer.
fn told_on_macos(name: &str) -> String {
    told_on(Platform::Macos, name)
}

/// What the sources for a system tell of a captured computer.
fn told_on(system: Platform, name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/host").join(name);
    let host = Host::at(root);
    let mut text = String::new();
    for source in SOURCES.iter().filter(|one| one.platforms.contains(&system)) {
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
fn windows_server_2022() {
    let told = told_on_windows("windows-server-2022");
    assert!(!told.contains("never-to-be-told"), "an argument or a secret is in the report");
    insta::assert_snapshot!(told);
}

#[test]
fn windows_10_desktop() {
    let told = told_on_windows("windows-10-desktop");
    assert!(!told.contains("never-to-be-told"), "an argument or a secret is in the report");
    insta::assert_snapshot!(told);
}

/// A file with values of other types and sizes than it should have; the forms that are no text are
/// left alone.
fn twisted(bytes: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
    let text = text.replace("<true/>", "<string>true</string>");
    let mut told = String::new();
    for (place, part) in text.split("<string>").enumerate() {
        match part.split_once("</string>").filter(|_| place % 3 == 1) {
            Some((_, rest)) => {
                let _ = write!(told, "<integer>-9223372036854775808</integer>{rest}");
            }
            None if place == 0 => told.push_str(part),
            None => {
                let _ = write!(told, "<string>{part}");
            }
        }
    }
    told.replace("<integer>1", "<integer>922337203685477580").into_bytes()
}

fn files_below(folder: &std::path::Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

/// Every file of a Mac in turn is cut off, empty, or holds other things than it should: nothing
/// panics, and when it is whole again all is told as before.
#[test]
fn broken_files_of_a_mac_harm_nothing_else() {
    for name in ["macbook-air-m1", "mac-mini-2018", "mac-studio-2022"] {
        let root =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/host").join(name);
        let mut files = Vec::new();
        files_below(&root, &mut files);
        let copy = tempfile::tempdir().unwrap();
        for file in &files {
            let to = copy.path().join(file.strip_prefix(&root).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(file, to).unwrap();
        }
        let host = Host::at(copy.path());
        let sources: Vec<_> =
            SOURCES.iter().filter(|one| one.platforms.contains(&Platform::Macos)).collect();
        // Only who opens a file can be harmed by it.
        let mut before = Vec::new();
        for source in sources {
            host.take_opened();
            let answer = (source.gather)(&host);
            before.push((source, answer, host.take_opened()));
        }
        let mut harmed = 0;
        for file in files {
            let path = format!("/{}", file.strip_prefix(&root).unwrap().display());
            let to = copy.path().join(file.strip_prefix(&root).unwrap());
            let whole = std::fs::read(&to).unwrap();
            let half = whole.get(..whole.len() / 2).unwrap_or_default().to_vec();
            for broken in [half, Vec::new(), twisted(&whole)] {
                std::fs::write(&to, &broken).unwrap();
                for (source, answer, _) in before.iter().filter(|it| it.2.contains(&path)) {
                    harmed += usize::from((source.gather)(&host) != *answer);
                }
            }
            std::fs::write(&to, &whole).unwrap();
            for (source, answer, _) in before.iter().filter(|it| it.2.contains(&path)) {
                assert_eq!((source.gather)(&host), *answer, "{} and {path}", source.name);
            }
        }
        assert!(harmed > 50, "{name}: only {harmed} answers became others");
    }
}

#[test]
fn macbook_air_m1() {
    let told = told_on_macos("macbook-air-m1");
    assert!(!told.contains("never-to-be-told"), "a secret is in the report");
    insta::assert_snapshot!(told);
}

#[test]
fn mac_mini_2018() {
    let told = told_on_macos("mac-mini-2018");
    assert!(!told.contains("never-to-be-told"), "a secret is in the report");
    insta::assert_snapshot!(told);
}

#[test]
fn macbook_pro_2015() {
    insta::assert_snapshot!(told_on_macos("macbook-pro-2015"));
}

#[test]
fn mac_virtual_machine() {
    insta::assert_snapshot!(told_on_macos("mac-virtual-machine"));
}

#[test]
fn macbook_pro_2019() {
    let told = told_on_macos("macbook-pro-2019");
    assert!(!told.contains("never-to-be-told"), "a secret is in the report");
    insta::assert_snapshot!(told);
}

#[test]
fn imac_2017() {
    let told = told_on_macos("imac-2017");
    assert!(!told.contains("never-to-be-told"), "a secret is in the report");
    insta::assert_snapshot!(told);
}

#[test]
fn mac_studio_2022() {
    let told = told_on_macos("mac-studio-2022");
    assert!(!told.contains("never-to-be-told"), "a secret is in the report");
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
