//! Whole check-ins against both databases, without HTTP.

use std::collections::BTreeMap;

use rollcall_shared::api::change::ChangeKind;
use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::report::{AgentInfo, Session, Vitals};
use rollcall_shared::section::software::SoftwareScope;
use rollcall_shared::section::{Memory, Software, System};
use rollcall_shared::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use rollcall_shared::{DeviceId, HardwareIds};
use uuid::Uuid;

use super::*;
use crate::domain::Scope;
use crate::store::audit::By;
use crate::store::enroll::{Decision, NewDevice, Permission, TokenGrant};
use crate::store::history::Past;
use crate::store::listing::TitleOrder;
use crate::store::testing::{hold_writer, postgres_url, store_test};

const START: Timestamp = Timestamp(1_790_000_000_000);

async fn enrolled(store: &Store, number: u8) -> DeviceKey {
    let decision = Decision {
        at: START,
        kind: DecisionKind::Enrolled,
        evidence: "a test".into(),
        other: None,
        actor: None,
    };
    let new = NewDevice {
        id: DeviceId(Uuid::from_u128(u128::from(number) + 1)),
        public_key: [number; 32],
        hostname: format!("pc-{number}"),
        hardware_ids: ids(number),
        pending: false,
        demo: false,
    };
    let grant = Permission::Grant(TokenGrant::default());
    store.enroll(&grant, new, &decision).await.unwrap().unwrap().key
}

fn ids(number: u8) -> HardwareIds {
    HardwareIds {
        serial: Some(format!("PF3A1B{number:02X}")),
        uuid: Some(format!("4c4c4544-0042-3510-8056-b9c04f4e4d{number:02x}")),
        board_serial: None,
        machine_id_digest: None,
        macs: vec![format!("8c:8c:aa:12:34:{number:02x}")],
    }
}

fn system(number: u8) -> Section {
    Section::System(System {
        hostname: format!("pc-{number}"),
        serial: ids(number).serial,
        ..System::default()
    })
}

fn title(name: &str, version: &str) -> Software {
    Software {
        source: "dpkg".into(),
        name: name.into(),
        version: version.into(),
        architecture: Some("amd64".into()),
        installed_at: Some(Timestamp(START.0 - 1000)),
        size_bytes: Some(4096),
        scope: Some(SoftwareScope::Machine),
        ..Software::default()
    }
}

fn software(titles: &[(&str, &str)]) -> Section {
    Section::Software(titles.iter().map(|(name, version)| title(name, version)).collect())
}

/// A report of a computer, one minute after the last number.
fn report(number: u8, seq: u64, sections: &[Section]) -> CheckIn {
    let at = START.plus_ms(i64::try_from(seq).unwrap() * MINUTE_MS);
    CheckIn {
        report_id: Uuid::from_u128(u128::from(number) << 64 | u128::from(seq)),
        seq,
        observed_at: at,
        sent_at: at,
        agent: AgentInfo { version: "0.1.0".into(), ..AgentInfo::default() },
        hardware_ids: ids(number),
        vitals: Vitals::default(),
        sections: sections
            .iter()
            .map(|one| (one.name().to_owned(), SectionState::collected(one).unwrap()))
            .collect(),
        cost: rollcall_shared::report::Cost::default(),
        dropped_reports: 0,
    }
}

fn without_bodies(mut check_in: CheckIn) -> CheckIn {
    check_in.sections.values_mut().for_each(|state| state.body = None);
    check_in
}

/// Sends it as its sender would: it arrives a second after it was made.
async fn send(
    store: &Store,
    device: DeviceKey,
    check_in: CheckIn,
) -> Result<CheckInAnswer, Refusal> {
    let now = check_in.sent_at.plus_ms(1000);
    Ok(store_report(store, device, check_in, now).await?.0)
}

async fn names(store: &Store, device: DeviceKey, as_of: Option<Timestamp>) -> Vec<String> {
    match store.software(device, as_of).await.unwrap() {
        Past::Known(list) => {
            list.iter().map(|one| format!("{} {}", one.name, one.version)).collect()
        }
        Past::NotKnown => vec!["not known".into()],
    }
}

store_test!(a_first_report_is_stored_and_read_back, |store| {
    let device = enrolled(&store, 1).await;
    assert_eq!(store.software(device, None).await.unwrap(), Past::NotKnown);
    let sections = [system(1), software(&[("bash", "5.2"), ("apt", "2.6")])];
    let answer = send(&store, device, report(1, 1, &sections)).await.unwrap();
    assert!(answer.stored && !answer.duplicate && answer.want.is_empty());

    let Past::Known(list) = store.software(device, None).await.unwrap() else { panic!() };
    assert_eq!(list, [title("apt", "2.6"), title("bash", "5.2")]);
    let Past::Known(found) = store.sections(device, None).await.unwrap() else { panic!() };
    let json = found["system"].json.as_deref().unwrap();
    assert_eq!(json, system(1).to_json().unwrap().get());
    let row = store.devices().await.unwrap().remove(0);
    assert_eq!(row.summary.hostname, "pc-1");
    assert_eq!(row.summary.serial.as_deref(), Some("PF3A1B01"));
    assert_eq!(row.summary.software_count, 2);
    assert_eq!(row.first_report_at, Some(START.plus_ms(MINUTE_MS)));
    assert_eq!(row.last_seen_at, Some(START.plus_ms(MINUTE_MS + 1000)));
    let before = START.plus_ms(MINUTE_MS - 1);
    assert_eq!(store.software(device, Some(before)).await.unwrap(), Past::NotKnown);
    assert_eq!(store.sections(device, Some(before)).await.unwrap(), Past::NotKnown);
    assert!(store.changes(device, None, 10).await.unwrap().is_empty());
    let values = store.seen_values(device).await.unwrap();
    let kinds: Vec<&str> = values.iter().map(|value| value.kind).collect();
    assert_eq!(kinds, ["hostname", "serial"]);
});

store_test!(a_repetition_has_no_effect_and_another_content_is_refused, |store| {
    let device = enrolled(&store, 1).await;
    let first = report(1, 1, &[system(1), software(&[("bash", "5.2")])]);
    send(&store, device, first.clone()).await.unwrap();
    let later = |mut check_in: CheckIn| {
        check_in.sent_at = check_in.sent_at.plus_ms(HOUR_MS);
        check_in
    };
    let seen = store.devices().await.unwrap()[0].last_seen_at;
    let answer = send(&store, device, later(first.clone())).await.unwrap();
    assert!(answer.stored && answer.duplicate);
    let answer = send(&store, device, without_bodies(later(first.clone()))).await.unwrap();
    assert!(answer.duplicate);
    let other = CheckIn { report_id: first.report_id, ..report(1, 1, &[system(2)]) };
    let refused = send(&store, device, other).await;
    assert!(matches!(refused, Err(Refusal::ReportConflict(_))), "{refused:?}");
    // The same after a check-in without changes, which only memory knows yet.
    let second = without_bodies(report(1, 2, &[system(1), software(&[("bash", "5.2")])]));
    assert!(!send(&store, device, second.clone()).await.unwrap().duplicate);
    assert!(send(&store, device, later(second.clone())).await.unwrap().duplicate);
    assert!(send(&store, device, later(first)).await.unwrap().duplicate);
    store.flush().await.unwrap();
    assert!(send(&store, device, later(second)).await.unwrap().duplicate);
    let now = store.devices().await.unwrap()[0].last_seen_at;
    assert_eq!(now, seen.map(|seen| seen.plus_ms(MINUTE_MS)));
});

store_test!(an_unchanged_check_in_needs_no_bodies_and_moves_last_seen, |store| {
    let device = enrolled(&store, 1).await;
    let sections = [system(1), software(&[("bash", "5.2")])];
    send(&store, device, report(1, 1, &sections)).await.unwrap();
    let mut second = without_bodies(report(1, 2, &sections));
    second.vitals.memory_available_bytes = Some(7);
    assert!(send(&store, device, second).await.unwrap().stored);
    for flushed in [false, true] {
        if flushed {
            store.flush().await.unwrap();
        }
        let last = store.last_report(device).await.unwrap().unwrap();
        assert_eq!((last.seq, last.vitals.memory_available_bytes), (2, Some(7)));
        assert_eq!(last.hardware_ids, ids(1));
        let row = store.device_by_key(device).await.unwrap().unwrap();
        assert_eq!(row.last_seen_at, Some(START.plus_ms(2 * MINUTE_MS + 1000)));
    }
    assert!(store.recently_changed(&Scope::whole(), 10).await.unwrap().is_empty());
});

store_test!(content_that_any_device_holds_is_not_asked_for_again, |store| {
    let (one, two) = (enrolled(&store, 1).await, enrolled(&store, 2).await);
    let list = software(&[("bash", "5.2"), ("zsh", "5.9")]);
    let memory = Section::Memory(Memory::default());
    let sections = [list.clone(), memory.clone()];
    let asked = send(&store, one, without_bodies(report(1, 1, &sections))).await.unwrap();
    assert!(!asked.stored);
    assert_eq!(asked.want, ["memory", "software"]);
    assert_eq!(store.software(one, None).await.unwrap(), Past::NotKnown);
    send(&store, one, report(1, 1, &sections)).await.unwrap();

    let copied = send(&store, two, without_bodies(report(2, 1, &sections))).await.unwrap();
    assert!(copied.stored, "{copied:?}");
    assert_eq!(names(&store, two, None).await, ["bash 5.2", "zsh 5.9"]);
    let Past::Known(found) = store.sections(two, None).await.unwrap() else { panic!() };
    assert_eq!(found["memory"].json.as_deref(), Some(memory.to_json().unwrap().get()));

    // The body of one section never becomes another section.
    let mut strange = without_bodies(report(2, 2, &[memory]));
    let state = strange.sections.remove("memory").unwrap();
    strange.sections.insert("os".into(), state);
    assert_eq!(send(&store, two, strange).await.unwrap().want, ["os"]);
});

/// The same report with a change in place of the list of software.
fn as_change(mut check_in: CheckIn, held: &Section, now: &Section) -> CheckIn {
    let (Section::Software(before), Section::Software(after)) = (held, now) else { panic!() };
    let base = SectionState::collected(held).unwrap().digest.unwrap();
    let state = check_in.sections.get_mut("software").unwrap();
    let change = SoftwareChange::between(before, after, base).unwrap();
    (state.body, state.change) = (None, Some(change));
    check_in
}

/// Titles that never change, so that a change is small beside them, and these.
fn software_beside(titles: &[(&str, &str)]) -> Section {
    let Section::Software(mut list) = software(titles) else { panic!() };
    list.extend((0..40).map(|number| title(&format!("still-{number:02}"), "1")));
    Section::Software(list)
}

store_test!(a_change_of_the_list_does_what_the_whole_list_does, |store| {
    let (device, whole) = (enrolled(&store, 1).await, enrolled(&store, 2).await);
    let mut edited = title("bash", "5.2");
    edited.size_bytes = Some(1);
    let Section::Software(mut last) = software_beside(&[("apt", "2.8")]) else { panic!() };
    last.push(edited.clone());
    let days = [
        software_beside(&[("bash", "5.2"), ("apt", "2.6")]),
        software_beside(&[("bash", "5.2"), ("apt", "2.7"), ("zsh", "5.9")]),
        software_beside(&[("bash", "5.2"), ("apt", "2.8")]),
        Section::Software(last),
    ];
    for (day, list) in days.iter().enumerate() {
        let seq = day as u64 + 1;
        let mut check_in = report(1, seq, &[system(1), list.clone()]);
        if day > 0 {
            check_in = as_change(check_in, &days[day - 1], list);
        }
        assert!(send(&store, device, check_in.clone()).await.unwrap().stored, "day {day}");
        let again = send(&store, device, check_in).await.unwrap();
        assert!(again.duplicate, "day {day}");
        let full = report(1, seq, &[system(1), list.clone()]);
        let again = send(&store, device, full).await.unwrap();
        assert!(again.duplicate, "the same report with the whole list is the same");
        send(&store, whole, report(2, seq, &[system(2), list.clone()])).await.unwrap();
        let Past::Known(one) = store.software(device, None).await.unwrap() else { panic!() };
        let Past::Known(other) = store.software(whole, None).await.unwrap() else { panic!() };
        assert_eq!(one, other, "day {day}");
    }
    let told = store.changes(device, None, 10).await.unwrap();
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(told, store.changes(whole, None, 10).await.unwrap());
    // What says no more than before needs neither list nor change.
    let unchanged = without_bodies(report(1, 5, &[system(1), days[3].clone()]));
    assert!(send(&store, device, unchanged).await.unwrap().stored);
    // Another section changes, the list does not.
    let mut moved = without_bodies(report(1, 6, &[system(3), days[3].clone()]));
    let body = SectionState::collected(&system(3)).unwrap();
    moved.sections.insert("system".into(), body);
    moved.hardware_ids = ids(1);
    assert!(send(&store, device, moved).await.unwrap().stored);
});

store_test!(a_change_that_does_not_fit_is_answered_with_want, |store| {
    let device = enrolled(&store, 1).await;
    let held = software_beside(&[("bash", "5.2"), ("apt", "2.6")]);
    let now = software_beside(&[("bash", "5.3"), ("apt", "2.6")]);
    let later = software_beside(&[("bash", "5.4"), ("apt", "2.6")]);
    let nothing_held = as_change(report(1, 1, std::slice::from_ref(&held)), &now, &held);
    assert_eq!(send(&store, device, nothing_held).await.unwrap().want, ["software"]);
    send(&store, device, report(1, 1, std::slice::from_ref(&held))).await.unwrap();

    let good = as_change(report(1, 2, std::slice::from_ref(&now)), &held, &now);
    let with = |edit: &dyn Fn(&mut SoftwareChange)| {
        let mut check_in = good.clone();
        let state = check_in.sections.get_mut("software").unwrap();
        edit(state.change.as_mut().unwrap());
        check_in
    };
    let wrong = [
        with(&|change| change.base = Digest::of(b"another list")),
        with(&|change| change.mark.0 += 1),
        with(&|change| change.gone.clear()),
        with(&|change| change.come.clear()),
        with(&|change| change.gone.push(title("never", "1"))),
        with(&|change| change.gone.push(change.gone[0].clone())),
        with(&|change| change.come.push(change.come[0].clone())),
    ];
    for check_in in wrong {
        let answer = send(&store, device, check_in.clone()).await.unwrap();
        assert!(!answer.stored && answer.want == ["software"], "{check_in:?}");
    }
    assert_eq!(names(&store, device, None).await[..2], ["apt 2.6", "bash 5.2"]);
    // Asked for, the whole list heals whatever was wrong.
    assert!(send(&store, device, report(1, 2, std::slice::from_ref(&now))).await.unwrap().stored);
    let third = as_change(report(1, 3, std::slice::from_ref(&later)), &now, &later);
    assert!(send(&store, device, third).await.unwrap().stored);
    assert_eq!(names(&store, device, None).await[..2], ["apt 2.6", "bash 5.4"]);
});

store_test!(a_list_made_from_a_change_is_given_to_no_other_device, |store| {
    let (liar, honest) = (enrolled(&store, 1).await, enrolled(&store, 2).await);
    let held = software_beside(&[("bash", "5.2")]);
    let (told, meant) = (software_beside(&[("evil", "1")]), software_beside(&[("bash", "5.3")]));
    send(&store, liar, report(1, 1, std::slice::from_ref(&held))).await.unwrap();
    // It changes to one list and says the digest of another.
    let mut lie = as_change(report(1, 2, std::slice::from_ref(&told)), &held, &told);
    let digest = SectionState::collected(&meant).unwrap().digest;
    lie.sections.get_mut("software").unwrap().digest = digest;
    assert!(send(&store, liar, lie).await.unwrap().stored);
    let claim = without_bodies(report(2, 1, std::slice::from_ref(&meant)));
    assert_eq!(send(&store, honest, claim).await.unwrap().want, ["software"]);
    send(&store, honest, report(2, 1, std::slice::from_ref(&meant))).await.unwrap();
    assert_eq!(names(&store, honest, None).await[0], "bash 5.3");
    assert_eq!(names(&store, liar, None).await[0], "evil 1");
});

store_test!(changes_are_told_newest_first_in_words, |store| {
    let device = enrolled(&store, 1).await;
    let renamed = Section::System(System { hostname: "renamed".into(), ..System::default() });
    let steps = [
        vec![system(1), software(&[("bash", "5.1"), ("vim", "9.0")])],
        vec![system(1), software(&[("bash", "5.2"), ("vim", "9.0")])],
        vec![renamed, software(&[("bash", "5.2"), ("zsh", "5.9")])],
    ];
    for (seq, sections) in (1..).zip(&steps) {
        send(&store, device, report(1, seq, sections)).await.unwrap();
    }
    let changes = store.changes(device, None, 100).await.unwrap();
    let told: Vec<(ChangeKind, &str)> =
        changes.iter().map(|change| (change.kind, change.subject.as_str())).collect();
    assert!(told.contains(&(ChangeKind::Removed, "vim")));
    assert!(told.contains(&(ChangeKind::Added, "zsh")));
    assert_eq!(told.last(), Some(&(ChangeKind::Upgraded, "bash")));
    assert!(changes.iter().any(|change| change.section == "system"));
    let (second, third) = (START.plus_ms(2 * MINUTE_MS), START.plus_ms(3 * MINUTE_MS));
    assert_eq!(changes[0].at, third);
    assert_eq!(changes[0].received_at, third.plus_ms(1000));
    let older = store.changes(device, Some(third), 100).await.unwrap();
    assert_eq!((older.len(), older[0].at), (1, second));
    let recent = store.recently_changed(&Scope::whole(), 10).await.unwrap();
    assert_eq!(recent, [(device, third), (device, second)]);
    let values = store.seen_values(device).await.unwrap();
    let hosts: Vec<&str> =
        values.iter().filter(|v| v.kind == "hostname").map(|v| &*v.value).collect();
    assert_eq!(hosts, ["renamed", "pc-1"]);
});

store_test!(unknown_is_never_gone_and_not_found_is, |store| {
    let device = enrolled(&store, 1).await;
    let memory = Section::Memory(Memory::default());
    let mut snap = title("firefox", "130");
    snap.source = "snap".into();
    let both = Section::Software(vec![title("bash", "5.2"), snap]);
    send(&store, device, report(1, 1, &[memory.clone(), both.clone()])).await.unwrap();

    // The memory could not be looked at, and snap did not answer.
    let mut partial = report(1, 2, &[software(&[("bash", "5.3")])]);
    let state = partial.sections.get_mut("software").unwrap();
    state.notes.push(Note::new(NoteKind::TimedOut).from_source("snap"));
    let failed = SectionState::absent(Note::new(NoteKind::Failed));
    partial.sections.insert("memory".into(), failed);
    send(&store, device, partial.clone()).await.unwrap();
    assert_eq!(names(&store, device, None).await, ["bash 5.3", "firefox 130"]);
    let Past::Known(found) = store.sections(device, None).await.unwrap() else { panic!() };
    assert!(found["memory"].json.is_some());
    assert_eq!(found["memory"].notes, [Note::new(NoteKind::Failed)]);

    // The same again is no change; then snap answers, and has nothing installed.
    let mut again = without_bodies(partial);
    (again.report_id, again.seq) = (Uuid::from_u128(77), 3);
    assert!(send(&store, device, again).await.unwrap().stored);
    let whole = report(1, 4, &[software(&[("bash", "5.3")])]);
    let answer = send(&store, device, without_bodies(whole.clone())).await.unwrap();
    assert_eq!(answer.want, ["software"]);
    send(&store, device, whole).await.unwrap();
    assert_eq!(names(&store, device, None).await, ["bash 5.3"]);

    // Looked at, and not there.
    let mut gone = report(1, 5, &[software(&[("bash", "5.3")])]);
    let state = SectionState::absent(Note::new(NoteKind::NotFound));
    gone.sections.insert("memory".into(), state);
    send(&store, device, gone).await.unwrap();
    let Past::Known(found) = store.sections(device, None).await.unwrap() else { panic!() };
    assert_eq!(found["memory"].json, None);
    let then = Some(START.plus_ms(4 * MINUTE_MS));
    let Past::Known(found) = store.sections(device, then).await.unwrap() else { panic!() };
    assert!(found["memory"].json.is_some());
});

store_test!(late_reports_never_overwrite_newer_state, |store| {
    let device = enrolled(&store, 1).await;
    send(&store, device, report(1, 1, &[software(&[("bash", "5.0")])])).await.unwrap();
    send(&store, device, report(1, 3, &[software(&[("bash", "5.2")])])).await.unwrap();
    let mut late = report(1, 2, &[software(&[("bash", "5.1")])]);
    late.sent_at = START.plus_ms(HOUR_MS);
    let answer = send(&store, device, late.clone()).await.unwrap();
    assert!(answer.stored && answer.next_seq.is_none());
    assert_eq!(names(&store, device, None).await, ["bash 5.2"]);
    let then = START.plus_ms(2 * MINUTE_MS);
    assert_eq!(names(&store, device, Some(then)).await, ["bash 5.1"]);
    assert_eq!(names(&store, device, Some(then.plus_ms(-1))).await, ["bash 5.0"]);
    assert!(send(&store, device, late).await.unwrap().duplicate);
    assert_eq!(store.last_report(device).await.unwrap().unwrap().seq, 3);
});

store_test!(a_reverted_computer_goes_on_and_a_cloned_one_is_refused, |store| {
    let device = enrolled(&store, 1).await;
    for seq in 1..=5 {
        let version = format!("5.{seq}");
        send(&store, device, report(1, seq, &[software(&[("bash", &version)])])).await.unwrap();
    }
    let mut back = report(1, 2, &[software(&[("bash", "5.1")])]);
    back.report_id = Uuid::from_u128(99);
    back.observed_at = START.plus_ms(HOUR_MS);
    back.sent_at = back.observed_at;
    let answer = send(&store, device, back.clone()).await.unwrap();
    assert_eq!(answer.next_seq, Some(6));
    assert_eq!(names(&store, device, None).await, ["bash 5.1"]);
    let decisions = store.decisions(device).await.unwrap();
    assert_eq!(decisions[0].kind, DecisionKind::Reverted);

    back.report_id = Uuid::from_u128(100);
    back.hardware_ids = ids(2);
    back.observed_at = START.plus_ms(2 * HOUR_MS);
    let refused = send(&store, device, back).await;
    assert!(matches!(refused, Err(Refusal::CloneSuspected)), "{refused:?}");
});

store_test!(a_serial_number_of_two_living_devices_proves_nothing, |store| {
    let (one, two) = (enrolled(&store, 1).await, enrolled(&store, 2).await);
    let shared = |number: u8| HardwareIds {
        serial: Some("VM-TEMPLATE-01".into()),
        uuid: None,
        ..ids(number)
    };
    let from = |number: u8, seq: u64, hardware: HardwareIds| CheckIn {
        hardware_ids: hardware,
        ..report(number, seq, &[system(number)])
    };
    for seq in 1..=3 {
        send(&store, one, from(1, seq, shared(1))).await.unwrap();
    }
    let fork = |id: u128, hours: i64| {
        let at = START.plus_ms(hours * HOUR_MS);
        let report_id = Uuid::from_u128(id);
        CheckIn { report_id, observed_at: at, sent_at: at, ..from(1, 2, shared(9)) }
    };
    // Alone with its number, it is the same computer with another adapter, turned back.
    let answer = send(&store, one, fork(99, 1)).await.unwrap();
    assert_eq!(answer.next_seq, Some(4));
    send(&store, one, CheckIn { report_id: Uuid::from_u128(98), ..from(1, 4, shared(1)) })
        .await
        .unwrap();
    // A second living key with the number: now it proves nothing, and the adapters differ.
    send(&store, two, from(2, 1, shared(2))).await.unwrap();
    let refused = send(&store, one, fork(100, 2)).await;
    assert!(matches!(refused, Err(Refusal::CloneSuspected)), "{refused:?}");
    assert!(store.clone_suspicion(one).await.unwrap().is_some());
});

store_test!(wrong_bodies_are_refused_by_name_and_odd_ones_kept, |store| {
    let device = enrolled(&store, 1).await;
    let raw = |text: &str| serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
    let mut wrong = report(1, 1, &[system(1)]);
    wrong.sections.get_mut("system").unwrap().digest = Some(Digest::of(b"else"));
    let mut shape = report(1, 1, &[system(1)]);
    shape.sections.insert("memory".into(), SectionState::with_body(raw("[1]")));
    let mut deep = report(1, 1, &[system(1)]);
    let text = format!("{}{}", "[".repeat(100), "]".repeat(100));
    deep.sections.insert("future".into(), SectionState::with_body(raw(&text)));
    let mut name = report(1, 1, &[system(1)]);
    name.sections.insert("A b".into(), SectionState::with_body(raw("1")));
    for (check_in, section) in
        [(wrong, "system"), (shape, "memory"), (deep, "future"), (name, "A b")]
    {
        match send(&store, device, check_in).await {
            Err(Refusal::BadSection { section: named, .. }) => assert_eq!(named, section),
            other => panic!("{section}: {other:?}"),
        }
    }
    assert_eq!(store.sections(device, None).await.unwrap(), Past::NotKnown);

    let mut odd = report(1, 1, &[]);
    let system = r#"{"hostname":"a\u0000b\ud800","chassis":"toaster","new_field":[1.50]}"#;
    odd.sections.insert("system".into(), SectionState::with_body(raw(system)));
    odd.sections.insert("future".into(), SectionState::with_body(raw(r#"{ "x": 1.10 }"#)));
    let list = r#"[{"source":"dpkg","name":"'; DROP TABLE device --","version":"\u0000"}]"#;
    odd.sections.insert("software".into(), SectionState::with_body(raw(list)));
    odd.vitals.sessions.push(Session { user: "a\0b".into(), ..Session::default() });
    assert!(send(&store, device, odd.clone()).await.unwrap().stored);
    let Past::Known(found) = store.sections(device, None).await.unwrap() else { panic!() };
    assert_eq!(found["future"].json.as_deref(), Some(r#"{ "x": 1.10 }"#));
    let clean =
        "{\"hostname\":\"a\u{fffd}b\u{fffd}\",\"chassis\":\"toaster\",\"new_field\":[1.50]}";
    assert_eq!(found["system"].json.as_deref(), Some(clean));
    assert_eq!(names(&store, device, None).await, ["'; DROP TABLE device -- \u{fffd}"]);
    // The agent's own digests are what is remembered.
    (odd.report_id, odd.seq) = (Uuid::from_u128(9), 2);
    assert!(send(&store, device, without_bodies(odd)).await.unwrap().stored);
});

store_test!(many_devices_at_once_share_transactions, |store| {
    let mut tasks = Vec::new();
    for number in 1..=40 {
        let device = enrolled(&store, number).await;
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            for seq in 1..=5 {
                let version = format!("5.{seq}.{}", number % 7);
                let sections = [system(number), software(&[("bash", &version), ("vim", "9")])];
                send(&store, device, report(number, seq, &sections)).await.unwrap();
            }
            assert_eq!(names(&store, device, None).await.len(), 2);
            device
        }));
    }
    for task in tasks {
        let device = task.await.unwrap();
        assert_eq!(store.changes(device, None, 100).await.unwrap().len(), 4);
    }
    assert_eq!(store.titles().await.unwrap().len(), 36);
});

store_test!(one_report_that_fails_does_not_fail_the_others, |store| {
    let good = enrolled(&store, 1).await;
    let nobody = DeviceKey(999);
    let sections = [software(&[("bash", "5.2")])];
    let (first, second) = tokio::join!(
        send(&store, good, report(1, 1, &sections)),
        send(&store, nobody, report(2, 1, &sections)),
    );
    assert!(first.unwrap().stored);
    assert!(matches!(second, Err(Refusal::Store(store::Error::Damaged(_)))), "{second:?}");
    assert_eq!(names(&store, good, None).await, ["bash 5.2"]);
});

store_test!(a_full_queue_sends_agents_away, |store| {
    // More than one transaction and the queue behind it can take.
    const SENT: u64 = 1400;
    let device = enrolled(&store, 1).await;
    let held = hold_writer(&store).await;
    let mut tasks = tokio::task::JoinSet::new();
    for seq in 1..=SENT {
        let store = store.clone();
        tasks.spawn(async move { send(&store, device, report(1, seq, &[])).await });
    }
    // Nothing can be stored yet, so the first answers are refusals.
    let mut answers = vec![tasks.join_next().await.unwrap().unwrap()];
    assert!(matches!(answers[0], Err(Refusal::Busy { .. })), "{:?}", answers[0]);
    held.release().await;
    while let Some(answer) = tasks.join_next().await {
        answers.push(answer.unwrap());
    }
    let (mut stored, mut busy) = (0, 0);
    for answer in answers {
        match answer {
            Ok(answer) => stored += u64::from(answer.stored),
            Err(Refusal::Busy { retry_after_s }) => {
                assert!((5..=30).contains(&retry_after_s));
                busy += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(stored + busy, SENT, "{stored} stored, {busy} sent away");
    assert!(send(&store, device, report(1, 2000, &[])).await.unwrap().stored);
});

store_test!(texts_of_any_length_are_stored_on_both_databases, |store| {
    let device = enrolled(&store, 1).await;
    // What packs badly: an index of PostgreSQL takes at most 2.7 kB after packing.
    let long: String = (0..4000_u32)
        .map(|n| char::from(b'a' + u8::try_from((n * n * 7 + n / 3) % 26).unwrap()))
        .collect();
    let system = Section::System(System { hostname: long.clone(), ..System::default() });
    let sent = report(1, 1, &[system, software(&[(&long, &long)])]);
    assert!(send(&store, device, sent).await.unwrap().stored);
    let Past::Known(found) = store.software(device, None).await.unwrap() else { panic!() };
    assert_eq!(found[0].name, long);
});

#[tokio::test]
async fn the_last_contacts_are_written_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let store = Store::open(&url).await.unwrap();
    let device = enrolled(&store, 1).await;
    send(&store, device, report(1, 1, &[system(1)])).await.unwrap();
    send(&store, device, without_bodies(report(1, 2, &[system(1)]))).await.unwrap();
    drop(store);
    // The writer ends by itself once nobody can ask it any more.
    for _ in 0..500 {
        let store = Store::open(&url).await.unwrap();
        if store.last_report(device).await.unwrap().unwrap().seq == 2 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the last contact was lost");
}

store_test!(a_token_is_used_up_once_and_refused_alike_otherwise, |store| {
    use crate::store::token::NewTokenRow;
    use rollcall_shared::api::token::EnrollmentToken;
    use rollcall_shared::api::unit::{UnitFrom, UnitKind};
    let digest = Digest::of(b"secret");
    let token = EnrollmentToken {
        id: 0,
        label: "room 7".into(),
        site: Some("Bonn".into()),
        department: None,
        created_at: START,
        created_by: "it".into(),
        expires_at: START.plus_ms(DAY_MS),
        uses_allowed: Some(1),
        uses: 0,
        needs_approval: true,
        allows_reenrollment: false,
        revoked_at: None,
    };
    let by = By::new("it", START);
    let bonn = store.create_unit(UnitKind::Site, "Bonn", &by).await.unwrap();
    let row = NewTokenRow { digest, site: Some(bonn), department: None, token };
    store.create_token(&row).await.unwrap();
    let decision = |at| Decision {
        at,
        kind: DecisionKind::Enrolled,
        evidence: String::new(),
        other: None,
        actor: None,
    };
    let new = |number: u8| NewDevice {
        id: DeviceId(Uuid::from_u128(u128::from(number))),
        public_key: [number; 32],
        hostname: "x".into(),
        hardware_ids: ids(number),
        pending: false,
        demo: false,
    };
    let permission = Permission::Token(digest);
    let late = decision(START.plus_ms(2 * DAY_MS));
    assert!(store.enroll(&permission, new(1), &late).await.unwrap().is_none());
    let row = store.enroll(&permission, new(1), &decision(START)).await.unwrap().unwrap();
    assert!(row.pending);
    let site = row.site.clone().unwrap();
    assert_eq!((site.unit, site.name.as_str(), site.from), (bonn, "Bonn", UnitFrom::Token));
    assert_eq!(store.device(row.id).await.unwrap().unwrap(), row);
    assert!(store.enroll(&permission, new(2), &decision(START)).await.unwrap().is_none());
    assert!(store.device_by_public_key(&[2; 32]).await.unwrap().is_none());
    let state = store.key_of_device(row.id).unwrap();
    assert!(state.pending && !state.revoked && state.public_key == [1; 32]);
    store.approve(row.key, &decision(START)).await.unwrap();
    store.revoke(row.key, &decision(START)).await.unwrap();
    let state = store.key_of_device(row.id).unwrap();
    assert!(!state.pending && state.revoked);
    assert_eq!(store.all_hardware_ids().await.unwrap(), [(row.key, ids(1))]);
    assert!(store.last_report(row.key).await.unwrap().is_none());
});

#[tokio::test]
async fn everything_is_remembered_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite:{}", folder.path().join("test.db").display());
    for url in [Some(sqlite), postgres_url().await].into_iter().flatten() {
        let store = Store::open(&url).await.unwrap();
        let device = enrolled(&store, 1).await;
        let sections = [system(1), software(&[("bash", "5.2")])];
        send(&store, device, report(1, 1, &sections)).await.unwrap();
        let second = without_bodies(report(1, 2, &sections));
        send(&store, device, second.clone()).await.unwrap();
        store.flush().await.unwrap();
        drop(store);

        let store = Store::open(&url).await.unwrap();
        assert!(send(&store, device, second).await.unwrap().duplicate);
        assert!(
            send(&store, device, without_bodies(report(1, 3, &sections))).await.unwrap().stored
        );
        let changed = [system(1), software(&[("bash", "5.3")])];
        send(&store, device, report(1, 4, &changed)).await.unwrap();
        assert_eq!(store.changes(device, None, 9).await.unwrap().len(), 1);
        let two = enrolled(&store, 2).await;
        let answer = send(&store, two, without_bodies(report(2, 1, &changed[1..]))).await.unwrap();
        assert!(answer.stored);
        assert_eq!(store.title_sets_after(None).await.unwrap().len(), 2);
    }
}

/// A computer whose every state is known, and that changes a little each day.
struct Truth {
    random: u64,
    software: BTreeMap<String, u32>,
    hostname: u32,
}

impl Truth {
    /// The next of a row of numbers that looks random and is always the same.
    fn next(&mut self) -> u32 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) as u32
    }

    fn day(&mut self) -> [Section; 2] {
        for _ in 0..self.next() % 4 {
            let name = format!("package-{}", self.next() % 30);
            let (goes, step) = (self.next().is_multiple_of(3), self.next() % 2);
            if goes {
                self.software.remove(&name);
            } else {
                *self.software.entry(name).or_default() += step;
            }
        }
        self.hostname += u32::from(self.next().is_multiple_of(5));
        let list: Vec<Software> =
            self.software.iter().map(|(name, version)| title(name, &version.to_string())).collect();
        let system = System { hostname: format!("pc-{}", self.hostname), ..System::default() };
        [Section::System(system), Section::Software(list)]
    }
}

store_test!(every_day_of_a_month_is_remembered_as_it_was, |store| {
    let device = enrolled(&store, 1).await;
    let mut truth = Truth { random: 7, software: BTreeMap::new(), hostname: 0 };
    let mut days = Vec::new();
    for day in 1..=30u64 {
        let sections = truth.day();
        let at = START.plus_ms(i64::try_from(day).unwrap() * DAY_MS);
        let check_in = CheckIn { observed_at: at, sent_at: at, ..report(1, day, &sections) };
        send(&store, device, check_in).await.unwrap();
        days.push((at, sections));
    }
    let mut order = TitleOrder::default();
    for (at, [system, software]) in days {
        for moment in [at, at.plus_ms(DAY_MS - 1)] {
            let Past::Known(found) = store.sections(device, Some(moment)).await.unwrap() else {
                panic!("{at}")
            };
            assert_eq!(found["system"].json.as_deref(), Some(system.to_json().unwrap().get()));
            assert!(found["system"].changed_at <= at);
            let Past::Known(mut list) = store.software(device, Some(moment)).await.unwrap() else {
                panic!("{at}")
            };
            // A page of devices at once tells the same as each alone.
            let page = store.software_lists(None, device, Some(moment), &mut order).await.unwrap();
            let told = |(id, extra): &(u32, Extra)| order.text(*id).unwrap().with(extra.clone());
            let together: Vec<Software> = page[0].titles.iter().map(told).collect();
            assert_eq!((page.len(), &together), (1, &list));
            let texts = store.sections_at(None, device, moment).await.unwrap();
            assert_eq!(Some(texts[&device]["system"].as_str()), found["system"].json.as_deref());
            list.sort_by(|a, b| a.name.cmp(&b.name));
            let Section::Software(expected) = &software else { panic!() };
            let pairs = |list: &[Software]| -> Vec<(String, String)> {
                list.iter().map(|one| (one.name.clone(), one.version.clone())).collect()
            };
            let mut expected = pairs(expected);
            expected.sort();
            assert_eq!(pairs(&list), expected, "{at}");
        }
    }
});
