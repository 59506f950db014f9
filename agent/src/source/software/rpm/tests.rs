use super::*;
use crate::source::software::testing::software;

/// Three forms of one database give the same packages.
#[test]
fn every_form_of_the_database_gives_the_same() {
    let rows = software(&RPM, "rocky-9");
    let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["bash", "openssl-libs", "tzdata"]);
    let openssl = &rows[1];
    assert_eq!(openssl.version, "1:3.0.7-27.el9");
    assert_eq!(openssl.architecture.as_deref(), Some("x86_64"));
    assert_eq!(openssl.publisher.as_deref(), Some("Example Linux"));
    assert_eq!(openssl.source_package.as_deref(), Some("openssl"));
    assert_eq!(openssl.source_version, None);
    assert_eq!(openssl.size_bytes, Some(3000));
    assert!(openssl.installed_at.is_some());
    assert_eq!(rows[2].architecture.as_deref(), Some("noarch"));

    assert_eq!(software(&RPM, "opensuse-tumbleweed"), rows);
    assert_eq!(software(&RPM, "centos-7"), rows);
}

#[test]
fn reading_leaves_nothing_beside_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("var/lib/rpm");
    std::fs::create_dir_all(&place).unwrap();
    let original = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/software/rocky-9/var/lib/rpm/rpmdb.sqlite"
    );
    std::fs::copy(original, place.join("rpmdb.sqlite")).unwrap();
    assert!((RPM.gather)(&Host::at(folder.path())).section.is_some());
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
}

#[test]
fn a_package_still_in_the_log_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("var/lib/rpm");
    std::fs::create_dir_all(&place).unwrap();
    let path = place.join("rpmdb.sqlite");
    let original = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/software/rocky-9/var/lib/rpm/rpmdb.sqlite"
    );
    std::fs::copy(original, &path).unwrap();
    // As a running rpm leaves it: the connection is open, the removal only in the log.
    let rpm = rusqlite::Connection::open(&path).unwrap();
    rpm.execute_batch("PRAGMA wal_autocheckpoint = 0; DELETE FROM Packages WHERE hnum = 1")
        .unwrap();
    let gathered = (RPM.gather)(&Host::at(folder.path()));
    let Some(rollcall_shared::section::Section::Software(rows)) = gathered.section else {
        panic!("no software: {:?}", gathered.notes)
    };
    assert_eq!(rows.len(), 2);
    drop(rpm);
}

#[test]
fn a_database_that_cannot_be_read_gives_a_note() {
    for file in ["rpmdb.sqlite", "Packages.db", "Packages"] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("var/lib/rpm");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join(file), [b'x'; 300]).unwrap();
        let gathered = (RPM.gather)(&Host::at(folder.path()));
        assert!(gathered.section.is_none());
        assert_eq!(gathered.notes[0].kind, NoteKind::Failed, "{file}");
    }
    assert!((RPM.gather)(&Host::at("/nonexistent-root")).notes.is_empty());
}
