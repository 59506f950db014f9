//! Whole sweeps over a few devices, against both databases.

use rollcall_shared::HardwareIds;
use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::api::finding::FindingState;
use rollcall_shared::report::{AgentInfo, CheckIn, Cost, SectionState, Vitals};
use rollcall_shared::section::update::PendingUpdate;
use rollcall_shared::section::{Section, Software, System, Update};
use rollcall_shared::time::DAY_MS;
use uuid::Uuid;

use super::*;
use crate::clock::Clock;
use crate::domain::Scope;
use crate::store::Database;
use crate::store::enroll::{Decision, NewDevice, Permission, TokenGrant};
use crate::store::finding_list::FindingQuery;
use crate::store::testing::{damage_section, store_test};
use crate::view::tests::app;

pub(crate) const START: Timestamp = Timestamp(1_790_000_000_000);

/// A device that enrolled at [`START`] and never reported.
pub(crate) async fn enrolled(app: &App, number: u8) -> DeviceKey {
    let decision = Decision {
        at: START,
        kind: DecisionKind::Enrolled,
        evidence: "a test".into(),
        other: None,
        actor: None,
    };
    let new = NewDevice {
        id: rollcall_shared::DeviceId(Uuid::from_u128(u128::from(number) + 1)),
        public_key: [number; 32],
        hostname: format!("pc-{number}"),
        hardware_ids: HardwareIds::default(),
        pending: false,
        demo: false,
    };
    let permission = Permission::Grant(TokenGrant::default());
    let row = app.store.enroll(&permission, new, &decision).await.unwrap().unwrap();
    app.fleet.row_changed(&row);
    row.key
}

/// Sends a report of these sections, judged at its moment.
pub(crate) async fn report(
    app: &App,
    device: DeviceKey,
    seq: u64,
    at: Timestamp,
    sections: &[Section],
) {
    let check_in = check_in(device, seq, at, sections);
    let then = app.with_clock(Clock::test(at));
    assert!(crate::ingest::check_in(&then, device, check_in).await.unwrap().stored);
}

/// A report of these sections.
pub(crate) fn check_in(
    device: DeviceKey,
    seq: u64,
    at: Timestamp,
    sections: &[Section],
) -> CheckIn {
    CheckIn {
        report_id: Uuid::from_u128(u128::from(device.0) << 64 | u128::from(seq)),
        seq,
        observed_at: at,
        sent_at: at,
        agent: AgentInfo { version: env!("CARGO_PKG_VERSION").into(), ..AgentInfo::default() },
        hardware_ids: HardwareIds::default(),
        vitals: Vitals::default(),
        sections: sections
            .iter()
            .map(|one| (one.name().to_owned(), SectionState::collected(one).unwrap()))
            .collect(),
        cost: Cost::default(),
        dropped_reports: 0,
    }
}

store_test!(a_report_that_finds_nothing_new_is_judged_without_a_read, |store| {
    let app = app(store, START);
    let key = enrolled(&app, 1).await;
    let list = |version: &str| {
        let (source, name) = ("dpkg".into(), "bash".into());
        let bash = Software { source, name, version: version.into(), ..Software::default() };
        [system("pc-1"), Section::Software(vec![bash])]
    };
    report(&app, key, 1, START, &list("1")).await;
    for (seq, damaged) in [(2, false), (3, true)] {
        if damaged {
            damage_section(&app.store, key).await;
        }
        let at = START.plus_ms(i64::try_from(seq).unwrap());
        let mut changed = check_in(key, seq, at, &list(&seq.to_string()));
        changed.sections.get_mut("system").unwrap().body = None;
        let stored = crate::ingest::store_report(&app.store, key, changed, at).await.unwrap();
        let applied = stored.1.expect("it is stored");
        // Where nothing can be read any more, nothing is needed.
        if let (false, Database::Sqlite { readers, .. }) = (damaged, app.store.database()) {
            let mut taken = Vec::new();
            for _ in 0..readers.options().get_max_connections() {
                taken.push(readers.acquire().await.unwrap());
            }
            after_report(&app, &applied, at).await.unwrap();
        }
        // What is damaged is told by whoever reads it; the report is stored all the same.
        assert_eq!(after_report(&app, &applied, at).await.is_err(), damaged);
    }
});

pub(crate) fn system(name: &str) -> Section {
    Section::System(System { hostname: name.into(), ..System::default() })
}

/// Host name, rule and beginning of what is open at a moment.
async fn open(app: &App, at: Timestamp) -> Vec<(String, String, Timestamp)> {
    let query = FindingQuery {
        at,
        now: false,
        state: FindingState::Open,
        rule: None,
        severity: None,
        words: vec![],
        scope: Scope::whole(),
    };
    let found = app.store.finding_page(&query, None, 100).await.unwrap();
    found.into_iter().map(|one| (one.hostname, one.rule, one.since)).collect()
}

store_test!(one_unreadable_device_leaves_the_others_to_be_judged, |store| {
    let app = app(store, START);
    let mut keys = Vec::new();
    for number in 1..=3 {
        let key = enrolled(&app, number).await;
        report(&app, key, 1, START, &[system(&format!("pc-{number}"))]).await;
        keys.push(key);
    }
    // What rules look at cannot be unpacked on the first of them.
    damage_section(&app.store, keys[0]).await;
    let late = START.plus_ms(400 * DAY_MS);
    assert!(device(&app, keys[0], late).await.is_err());
    sweep(&app, late).await.unwrap();
    let names: Vec<String> = open(&app, late).await.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["pc-2", "pc-3"]);

    report(&app, keys[1], 2, late, &[system("pc-2")]).await;
    sweep_silent(&app, late, late.plus_ms(1)).await.unwrap();
    let later = late.plus_ms(400 * DAY_MS);
    sweep_silent(&app, late, later).await.unwrap();
    let names: Vec<String> = open(&app, later).await.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["pc-3", "pc-2"], "the oldest finding first");
    assert_eq!(open(&app, START).await, []);
});

/// What waits, `!` behind what is a security update.
fn updates(names: &[&str]) -> Vec<Section> {
    let pending = names.iter().map(|name| PendingUpdate {
        name: name.trim_end_matches('!').to_owned(),
        security: name.ends_with('!'),
        ..PendingUpdate::default()
    });
    vec![
        system("pc"),
        Section::Update(Update {
            manager: "apt".into(),
            security_known: true,
            pending: pending.collect(),
            ..Update::default()
        }),
    ]
}

store_test!(updates_are_flagged_when_their_days_of_grace_have_passed, |store| {
    let app = app(store, START);
    let policy =
        Policy { updates_grace_days: 7, security_updates_grace_days: 3, ..Policy::default() };
    app.store.put_setting(POLICY_SETTING, &policy).await.unwrap();
    load_policy(&app).await.unwrap();
    let (diligent, lazy, patched) =
        (enrolled(&app, 1).await, enrolled(&app, 2).await, enrolled(&app, 3).await);
    let day = |days: i64| START.plus_ms(days * DAY_MS);
    let mut opened: Vec<(String, String, i64)> = Vec::new();
    for days in 0..12_i64 {
        let seq = u64::try_from(days).unwrap() + 1;
        // Something always waits, nothing for long.
        let fresh = format!("package-{}", days / 2);
        report(&app, diligent, seq, day(days), &updates(&[&fresh])).await;
        // `bash` waits from the second day on, and the list changes every day.
        let other = format!("other-{days}");
        let waits = if days == 0 { vec![other.as_str()] } else { vec!["bash", &other] };
        report(&app, lazy, seq, day(days), &updates(&waits)).await;
        // A security update waits from the first day and is installed on the sixth.
        let waits: &[&str] = if days < 6 { &["openssl!"] } else { &[] };
        report(&app, patched, seq, day(days), &updates(waits)).await;
        sweep(&app, day(days).plus_ms(1000)).await.unwrap();
        for (host, rule, since) in open(&app, day(days).plus_ms(1000)).await {
            let known = (host, rule, since.since(START) / DAY_MS);
            if !opened.contains(&known) {
                opened.push(known);
            }
        }
    }
    let named = |host: &str, rule: &str, days| (host.to_owned(), rule.to_owned(), days);
    let expected = [named("pc", "security_updates_pending", 3), named("pc", "updates_pending", 8)];
    assert_eq!(opened, expected);
    let end = day(11).plus_ms(1000);
    let late = app.store.findings_of(lazy, end).await.unwrap();
    assert_eq!(late[0].threshold, "none waits longer than 7 days");
    assert_eq!(late[0].value, "2 updates");
    assert_eq!(app.store.findings_of(diligent, end).await.unwrap(), []);
    assert_eq!(app.store.findings_of(patched, end).await.unwrap(), []);
});
