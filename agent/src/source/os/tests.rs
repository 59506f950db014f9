use proptest::prelude::*;
use rollcall_shared::section::{Os, Section};
use rollcall_shared::{NoteKind, Timestamp};

use super::{OS, parse};
use crate::host::Host;

fn os(system: &str) -> Os {
    let root = format!("{}/../tests/fixtures/os/{system}", env!("CARGO_MANIFEST_DIR"));
    match (OS.gather)(&Host::at(root)).section {
        Some(Section::Os(os)) => os,
        other => panic!("no system: {other:?}"),
    }
}

#[test]
fn debian_is_read() {
    let os = os("debian-12");
    assert_eq!(os.name, "Debian GNU/Linux 12 (bookworm)");
    assert_eq!(os.release["VERSION_ID"], "12");
    assert_eq!(os.architecture, "x86_64");
    assert_eq!(os.kernel.as_deref(), Some("6.1.0-37-amd64"));
    assert_eq!(os.time_zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(os.locale.as_deref(), Some("de_DE.UTF-8"));
    assert_eq!(os.ubuntu_pro, None);
}

#[test]
fn macos_is_read() {
    for (system, version, build) in [
        ("macos-15", "15.1", "24B83"),
        ("macos-13", "13.7.1", "22H221"),
        ("macos-11", "11.7.10", "20G1427"),
    ] {
        let root = format!("{}/../tests/fixtures/os/{system}", env!("CARGO_MANIFEST_DIR"));
        let Some(Section::Os(os)) = (super::MACOS.gather)(&Host::at(root)).section else {
            panic!("no system");
        };
        assert_eq!(os.name, format!("macOS {version}"));
        let macos = os.macos.unwrap();
        assert_eq!((macos.version.as_str(), macos.build.as_deref()), (version, Some(build)));
    }
}

#[test]
fn ubuntu_with_pro_is_read() {
    let os = os("ubuntu-22.04-pro");
    assert_eq!(os.ubuntu_pro, Some(true));
    assert_eq!(os.time_zone.as_deref(), Some("Etc/UTC"));
    assert_eq!(os.locale.as_deref(), Some("C.UTF-8"));
}

#[test]
fn a_rolling_system_without_version_is_read() {
    let os = os("arch");
    assert_eq!(os.name, "Arch Linux");
    assert_eq!(os.release.get("VERSION_ID"), None);
    assert_eq!(os.release["BUILD_ID"], "rolling");
}

/// A file that cannot be read is told apart from one that is not there, and the second place still
/// counts.
#[test]
fn an_unreadable_os_release_is_not_called_missing() {
    let folder = tempfile::tempdir().unwrap();
    let gather = || (OS.gather)(&Host::at(folder.path())).notes;
    assert_eq!(gather()[0].kind, NoteKind::NotFound);
    std::fs::create_dir_all(folder.path().join("etc/os-release")).unwrap();
    let notes = gather();
    assert_eq!((notes.len(), &notes[0].kind), (1, &NoteKind::Failed));
    std::fs::create_dir_all(folder.path().join("usr/lib")).unwrap();
    std::fs::write(folder.path().join("usr/lib/os-release"), "ID=debian").unwrap();
    let Some(Section::Os(os)) = (OS.gather)(&Host::at(folder.path())).section else {
        panic!("no system")
    };
    assert_eq!(os.release["ID"], "debian");
}

#[test]
fn the_year_1970_is_no_install_date() {
    let later = Timestamp::from_date("2024-05-01").unwrap();
    assert_eq!(parse::installed_at([Timestamp(0), later, later.plus_ms(9)]), Some(later));
    assert_eq!(parse::installed_at([Timestamp(0)]), None);
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(text: String) {
        parse::name(&parse::release(&text));
        parse::zone_of_link(&text);
        parse::locale(&text);
        parse::ubuntu_pro(&text);
    }
}
