//! Who is who, with the computers that make it hard.

use std::str::FromStr;

use proptest::prelude::*;

use super::*;

const A: &str = "01970000-0000-7000-8000-00000000000a";
const B: &str = "01970000-0000-7000-8000-00000000000b";

fn laptop() -> HardwareIds {
    HardwareIds {
        serial: Some("PF3A1B2C".to_owned()),
        uuid: Some("4c4c4544-0042-3510-8056-b9c04f4e4d32".to_owned()),
        board_serial: Some("L1HF2AB00CD".to_owned()),
        machine_id_digest: Some("ab".repeat(31) + "cd"),
        macs: vec!["8c:8c:aa:12:34:56".to_owned()],
    }
}

fn other() -> HardwareIds {
    HardwareIds {
        serial: Some("PF9Z9Z9Z".to_owned()),
        uuid: Some("4c4c4544-0042-3510-8056-b9c04f4e4d99".to_owned()),
        board_serial: Some("L1HF2AB99ZZ".to_owned()),
        machine_id_digest: laptop().machine_id_digest,
        macs: vec!["8c:8c:aa:99:99:99".to_owned()],
    }
}

fn known(device: &str, ids: HardwareIds, silent: bool) -> Candidate {
    Candidate {
        device: DeviceId::from_str(device).unwrap(),
        label: "lt-0042".to_owned(),
        ids,
        silent,
    }
}

fn nobody(_: IdKind, _: &str) -> u32 {
    1
}

fn order(seq: u64, last_seq: u64, seq_taken: bool, observed_later: bool) -> Order {
    Order { seq, last_seq, seq_taken, observed_later }
}

fn junk_ids() -> HardwareIds {
    HardwareIds {
        serial: Some("To Be Filled By O.E.M.".to_owned()),
        uuid: Some("03000200-0400-0500-0006-000700080009".to_owned()),
        board_serial: Some("-1".to_owned()),
        machine_id_digest: None,
        macs: vec!["02:42:ac:11:00:02".to_owned()],
    }
}

#[test]
fn a_reinstalled_laptop_goes_on_where_the_token_allows() {
    let reinstalled = HardwareIds { machine_id_digest: Some("ef".repeat(32)), ..laptop() };
    let silent = [known(A, laptop(), true)];
    let decided = enrolment(&reinstalled, &silent, true, &nobody);
    let Enrolment::Continues { device, evidence } = decided else { panic!("{decided:?}") };
    assert_eq!(device.to_string(), A);
    assert!(evidence.starts_with("lt-0042: same serial number pf3a1b2c; "), "{evidence}");
    let asked = enrolment(&reinstalled, &silent, false, &nobody);
    assert!(matches!(asked, Enrolment::LooksLike { .. }), "{asked:?}");
    let living = enrolment(&reinstalled, &[known(A, laptop(), false)], true, &nobody);
    assert!(matches!(living, Enrolment::LooksLike { .. }), "{living:?}");
}

#[test]
fn a_device_that_nobody_knows_is_new() {
    let decided = enrolment(&other(), &[known(A, laptop(), true)], true, &nobody);
    let Enrolment::New { evidence } = decided else { panic!("{decided:?}") };
    assert!(evidence.contains("serial number pf9z9z9z"), "{evidence}");
}

#[test]
fn virtual_machines_with_identical_serials_are_not_one() {
    let guest = |uuid: &str| HardwareIds {
        serial: Some("VM-TEMPLATE-01".to_owned()),
        uuid: Some(uuid.to_owned()),
        ..HardwareIds::default()
    };
    let first = guest("4c4c4544-0042-3510-8056-000000000001");
    let second = guest("4c4c4544-0042-3510-8056-000000000002");
    // The other one lives: two computers with one number.
    let decided = enrolment(&second, &[known(A, first.clone(), false)], true, &nobody);
    assert!(matches!(decided, Enrolment::New { .. }), "{decided:?}");
    // It is silent: a person looks.
    let decided = enrolment(&second, &[known(A, first.clone(), true)], true, &nobody);
    assert!(matches!(decided, Enrolment::LooksLike { .. }), "{decided:?}");
    // The fleet knows the number from two living keys: it proves nothing any more.
    let shared = |kind: IdKind, _: &str| if kind == IdKind::Serial { 2 } else { 1 };
    let third = guest("4c4c4544-0042-3510-8056-000000000003");
    let both = [known(A, first, true), known(B, second, false)];
    let decided = enrolment(&third, &both, true, &shared);
    assert!(matches!(decided, Enrolment::New { .. }), "{decided:?}");
}

#[test]
fn placeholders_and_addresses_of_containers_match_nothing() {
    let candidates = [known(A, junk_ids(), true)];
    let decided = enrolment(&junk_ids(), &candidates, true, &nobody);
    let Enrolment::New { evidence } = decided else { panic!("{decided:?}") };
    assert_eq!(evidence, "no identifier that could tell it from other computers");
}

#[test]
fn a_dock_decides_nothing() {
    let dock = "00:50:b6:11:22:33".to_owned();
    let with_dock = |mut ids: HardwareIds| {
        ids.macs = vec![dock.clone()];
        ids.machine_id_digest = None;
        ids
    };
    let mut docked = with_dock(other());
    let candidates = [known(A, with_dock(laptop()), true)];
    let decided = enrolment(&docked, &candidates, true, &nobody);
    assert!(matches!(decided, Enrolment::New { .. }), "{decided:?}");
    (docked.serial, docked.uuid, docked.board_serial) = (None, None, None);
    let decided = enrolment(&docked, &candidates, true, &nobody);
    assert!(matches!(decided, Enrolment::New { .. }), "{decided:?}");
}

#[test]
fn several_weak_values_are_a_hint() {
    let bare = HardwareIds { serial: None, uuid: None, board_serial: None, ..laptop() };
    let decided = enrolment(&bare, &[known(A, bare.clone(), true)], true, &nobody);
    assert!(matches!(decided, Enrolment::LooksLike { .. }), "{decided:?}");
}

#[test]
fn two_devices_that_match_are_left_to_a_person() {
    let candidates = [known(A, laptop(), true), known(B, laptop(), true)];
    let decided = enrolment(&laptop(), &candidates, true, &nobody);
    assert!(matches!(decided, Enrolment::LooksLike { .. }), "{decided:?}");
}

#[test]
fn a_uuid_read_in_the_other_byte_order_is_the_same() {
    let turned = HardwareIds {
        uuid: Some("44454C4C-4200-1035-8056-B9C04F4E4D32".to_owned()),
        ..HardwareIds::default()
    };
    let comparison = compare(&laptop(), &turned, &nobody);
    assert_eq!(comparison.agree.len(), 1);
    assert_eq!(comparison.differ, []);
}

#[test]
fn the_ordinary_check_in_is_the_same_computer() {
    let case = |order| check_in(&laptop(), &laptop(), order, &nobody);
    assert_eq!(case(order(1, 0, false, true)), Identity::Same);
    assert_eq!(case(order(413, 412, false, true)), Identity::Same);
    assert_eq!(case(order(400, 412, false, false)), Identity::Late);
    // An agent without rights reads less; that is no change.
    let bare = HardwareIds::default();
    assert_eq!(check_in(&laptop(), &bare, order(413, 412, false, true), &nobody), Identity::Same);
    assert_eq!(
        check_in(&laptop(), &junk_ids(), order(413, 412, false, true), &nobody),
        Identity::Same
    );
}

#[test]
fn a_snapshot_that_was_turned_back_goes_on() {
    for taken in [true, false] {
        let decided = check_in(&laptop(), &laptop(), order(401, 412, taken, true), &nobody);
        let Identity::Reverted { next_seq, evidence } = decided else { panic!("{decided:?}") };
        assert_eq!(next_seq, 413);
        assert!(evidence.starts_with("went back from report 412 to 401; same "), "{evidence}");
    }
}

#[test]
fn one_key_from_two_computers_is_a_clone() {
    let decided = check_in(&laptop(), &other(), order(401, 412, true, true), &nobody);
    let Identity::CloneSuspected { evidence } = decided else { panic!("{decided:?}") };
    assert!(evidence.contains("serial number pf3a1b2c before, pf9z9z9z now"), "{evidence}");
    // Virtual machines may have nothing but the address of their adapter.
    let guest = |mac: &str| HardwareIds { macs: vec![mac.to_owned()], ..HardwareIds::default() };
    let (first, second) = (guest("00:0c:29:00:00:01"), guest("00:0c:29:00:00:02"));
    let decided = check_in(&first, &second, order(7, 7, true, true), &nobody);
    assert!(matches!(decided, Identity::CloneSuspected { .. }), "{decided:?}");
}

#[test]
fn parts_may_change_in_good_order() {
    let repaired = HardwareIds { board_serial: Some("L1HF2NEWBOARD".to_owned()), ..laptop() };
    let decided = check_in(&laptop(), &repaired, order(413, 412, false, true), &nobody);
    let Identity::HardwareChanged { evidence } = decided else { panic!("{decided:?}") };
    assert!(evidence.contains("board serial number l1hf2ab00cd before, l1hf2newboard now"));
    let moved = check_in(&laptop(), &other(), order(413, 412, false, true), &nobody);
    assert!(matches!(moved, Identity::HardwareChanged { .. }), "{moved:?}");
    // A disk that goes back into the old computer is not a clone either.
    let adapter = HardwareIds { macs: vec!["8c:8c:aa:77:77:77".to_owned()], ..laptop() };
    let decided = check_in(&laptop(), &adapter, order(413, 412, false, true), &nobody);
    assert_eq!(decided, Identity::Same);
}

#[test]
fn bad_reads_never_overwrite_good_values() {
    assert_eq!(merge_ids(&laptop(), &junk_ids()), laptop());
    assert_eq!(merge_ids(&laptop(), &HardwareIds::default()), laptop());
    assert_eq!(merge_ids(&laptop(), &other()), other());
    let first = merge_ids(&HardwareIds::default(), &junk_ids());
    assert_eq!(first.serial.as_deref(), Some("To Be Filled By O.E.M."), "shown as read");
    assert_eq!(first.macs, [""; 0]);
}

fn any_ids() -> impl Strategy<Value = HardwareIds> {
    let text = || proptest::option::of(prop_oneof![any::<String>(), "[A-C]{4,8}"]);
    let macs = proptest::collection::vec(any::<String>(), 0..3);
    (text(), text(), text(), text(), macs).prop_map(
        |(serial, uuid, board_serial, machine_id_digest, macs)| HardwareIds {
            serial,
            uuid,
            board_serial,
            machine_id_digest,
            macs,
        },
    )
}

proptest! {
    #[test]
    fn merging_settles_and_nothing_panics(a in any_ids(), b in any_ids()) {
        let merged = merge_ids(&a, &b);
        prop_assert_eq!(merge_ids(&merged, &b), merged.clone());
        prop_assert!(!compare(&a, &a, &nobody).other_computer());
        enrolment(&b, &[known(A, a.clone(), true)], true, &nobody);
        check_in(&a, &b, order(1, 1, true, true), &nobody);
    }
}
