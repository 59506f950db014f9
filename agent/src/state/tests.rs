//! The state survives restarts, damage and a second agent.

use super::*;
use crate::now::SystemPresent;

fn identity(public_key: &str) -> Identity {
    Identity {
        device_id: DeviceId(Uuid::nil()),
        url: "https://collector.example:8443".to_owned(),
        ca_certificate: None,
        ca_digest: None,
        public_key: public_key.to_owned(),
        status: EnrollStatus::Active,
        enrolled_at: Timestamp(0),
    }
}

#[test]
fn remembers_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut state = State::open(&path, Disk::default()).unwrap();
    let key = state.key(&SystemPresent).unwrap().public_key();
    state.save_identity(identity(&key)).unwrap();
    state.ledger.dropped_reports = 3;
    state.save_ledger().unwrap();
    assert_eq!((state.take_seq().0, state.take_seq().0), (1, 2));
    state.continue_after(40).unwrap();
    state.continue_after(u64::MAX).unwrap();
    state.continue_after(7).unwrap();
    drop(state);
    let mut state = State::open(&path, Disk::default()).unwrap();
    assert_eq!(state.key(&SystemPresent).unwrap().public_key(), key);
    assert_eq!(state.identity, Some(identity(&key)));
    assert_eq!(state.ledger.dropped_reports, 3);
    assert_eq!(state.take_seq().0, 41);
}

fn with_user_switched_off(path: &Path) {
    let mut state = State::open(path, Disk::default()).unwrap();
    state.ledger.settings.sections_off = vec!["user".to_owned()];
    state.save_ledger().unwrap();
}

#[test]
fn a_damaged_ledger_does_not_make_the_agent_tell_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    with_user_switched_off(&path);
    Disk::default().write(&path.join(LEDGER), b"{").unwrap();
    let state = State::open(&path, Disk::default()).unwrap();
    assert_eq!(state.ledger.settings.sections_off, ["user"]);
    assert_eq!(State::peek_settings(&path).sections_off, ["user"]);
}

#[test]
fn with_damaged_settings_nothing_is_told_until_the_collector_speaks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    with_user_switched_off(&path);
    Disk::default().write(&path.join(SETTINGS), b"{").unwrap();
    let mut state = State::open(&path, Disk::default()).unwrap();
    assert_eq!(state.ledger.settings.sections_off.len(), SECTIONS.len());
    assert_eq!(State::peek_settings(&path).sections_off.len(), SECTIONS.len());
    state.ledger.settings = Settings::default();
    state.save_ledger().unwrap();
    assert_eq!(State::peek_settings(&path), Settings::default());
}

#[test]
fn settings_of_an_earlier_version_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    drop(State::open(&path, Disk::default()).unwrap());
    let ledger = br#"{"settings":{"sections_off":["user"]}}"#;
    Disk::default().write(&path.join(LEDGER), ledger).unwrap();
    assert_eq!(State::peek_settings(&path).sections_off, ["user"]);
    let mut state = State::open(&path, Disk::default()).unwrap();
    state.save_ledger().unwrap();
    drop(state);
    let state = State::open(&path, Disk::default()).unwrap();
    assert_eq!(state.ledger.settings.sections_off, ["user"]);
}

#[test]
fn two_agents_do_not_share_a_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let _first = State::open(&path, Disk::default()).unwrap();
    assert!(matches!(State::open(&path, Disk::default()), Err(StateError::Locked(_))));
}

#[test]
fn a_damaged_identity_or_key_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut state = State::open(&path, Disk::default()).unwrap();
    let key = state.key(&SystemPresent).unwrap().public_key();
    state.save_identity(identity(&key)).unwrap();
    drop(state);
    Disk::default().write(&path.join(KEY), b"short").unwrap();
    assert!(matches!(State::open(&path, Disk::default()), Err(StateError::Damaged { .. })));
    Disk::default().write(&path.join(KEY), &[9; 32]).unwrap();
    assert!(matches!(State::open(&path, Disk::default()), Err(StateError::Damaged { .. })));
    Disk::default().write(&path.join(IDENTITY), b"{").unwrap();
    assert!(matches!(State::open(&path, Disk::default()), Err(StateError::Damaged { .. })));
}

#[test]
fn a_rekey_cut_short_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut state = State::open(&path, Disk::default()).unwrap();
    state.key(&SystemPresent).unwrap();
    let next = state.next_key(&SystemPresent).unwrap().public_key();
    state.save_identity(identity(&next)).unwrap();
    drop(state);
    let state = State::open(&path, Disk::default()).unwrap();
    assert_eq!(state.key(&SystemPresent).unwrap().public_key(), next);
    assert!(!path.join(NEXT_KEY).exists());
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let state = State::open(&path, Disk::default()).unwrap();
    state.key(&SystemPresent).unwrap();
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(path.join(KEY), open).unwrap();
    assert!(matches!(state.key(&SystemPresent), Err(StateError::Exposed(_))));
}
