//! Findings on both databases: what holds at which moment, in which order.

use rollcall_shared::HardwareIds;
use rollcall_shared::api::device::DecisionKind;
use uuid::Uuid;

use super::*;
use crate::domain::Scope;
use crate::store::enroll::{Decision, NewDevice, Permission, TokenGrant};
use crate::store::finding_list::FindingQuery;
use crate::store::testing::store_test;

async fn device(store: &Store, hostname: &str) -> DeviceKey {
    let number = u8::try_from(hostname.len()).unwrap();
    let new = NewDevice {
        id: DeviceId(Uuid::from_u128(u128::from(number))),
        public_key: [number; 32],
        hostname: hostname.to_owned(),
        hardware_ids: HardwareIds::default(),
        pending: false,
        demo: false,
    };
    let decision = Decision {
        at: Timestamp(1),
        kind: DecisionKind::Enrolled,
        evidence: String::new(),
        other: None,
        actor: None,
    };
    let permission = Permission::Grant(TokenGrant::default());
    store.enroll(&permission, new, &decision).await.unwrap().unwrap().key
}

fn found(rule: Rule, severity: Severity, subject: Option<&str>, value: &str) -> Flag {
    Flag {
        rule,
        severity,
        subject: subject.map(str::to_owned),
        value: value.to_owned(),
        threshold: "t".to_owned(),
        source: "s".to_owned(),
        source_date: None,
        next_step: "n".to_owned(),
        evidence: BTreeMap::from([("a".to_owned(), serde_json::json!(1))]),
    }
}

fn asked(at: i64, state: FindingState) -> FindingQuery {
    let at = Timestamp(at);
    FindingQuery {
        at,
        now: false,
        state,
        rule: None,
        severity: None,
        words: Vec::new(),
        scope: Scope::whole(),
    }
}

async fn ids(store: &Store, query: &FindingQuery) -> Vec<(String, i64)> {
    let findings = store.finding_page(query, None, 100).await.unwrap();
    assert_eq!(findings.len() as u64, store.finding_count(query).await.unwrap());
    findings.into_iter().map(|finding| (finding.rule, finding.since.0)).collect()
}

store_test!(holds_from_its_opening_to_its_closing, |store| {
    let device = device(&store, "LT-1").await;
    let flag = found(Rule::DiskNearlyFull, Severity::Warning, Some("/home"), "5 % free");
    let open = Changes { open: vec![(Timestamp(100), flag.clone())], ..Changes::default() };
    store.change_findings(device, &open).await.unwrap();
    // The same again is no second finding.
    store.change_findings(device, &open).await.unwrap();
    let held = store.open_flags(device).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].since, &held[0].flag), (Timestamp(100), &flag));

    let worse = Flag { severity: Severity::Critical, ..flag };
    let update =
        Changes { update: vec![(Timestamp(120), held[0].id, worse)], ..Changes::default() };
    store.change_findings(device, &update).await.unwrap();
    let finding = store.finding(held[0].id, Timestamp(150)).await.unwrap().unwrap();
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!((finding.hostname.as_str(), finding.since), ("LT-1", Timestamp(100)));
    assert_eq!(finding.evidence["a"], 1);

    let close = Changes { close: vec![(Timestamp(200), held[0].id)], ..Changes::default() };
    store.change_findings(device, &close).await.unwrap();
    assert!(store.open_flags(device).await.unwrap().is_empty());
    assert_eq!(ids(&store, &asked(99, FindingState::Open)).await, []);
    assert_eq!(ids(&store, &asked(100, FindingState::Open)).await.len(), 1);
    assert_eq!(ids(&store, &asked(199, FindingState::Open)).await.len(), 1);
    assert_eq!(ids(&store, &asked(200, FindingState::Open)).await, []);
    assert_eq!(ids(&store, &asked(200, FindingState::Closed)).await.len(), 1);
    assert_eq!(store.findings_of(device, Timestamp(150)).await.unwrap().len(), 1);
    assert_eq!(store.findings_between(None, device, Timestamp(200)).await.unwrap(), []);
    // It may come again.
    store.change_findings(device, &open).await.unwrap();
    assert_eq!(store.open_flags(device).await.unwrap().len(), 1);
});

store_test!(a_waiver_lasts_until_its_end, |store| {
    let device = device(&store, "LT-1").await;
    let flag = found(Rule::RebootPending, Severity::Info, None, "kernel");
    let open = Changes { open: vec![(Timestamp(100), flag)], ..Changes::default() };
    store.change_findings(device, &open).await.unwrap();
    let id = store.open_flags(device).await.unwrap()[0].id;
    let waiver = Waiver { by: "it".into(), reason: "known".into(), until: Timestamp(500) };
    assert!(store.waive_finding(id, &waiver, Timestamp(200)).await.unwrap());
    assert_eq!(ids(&store, &asked(150, FindingState::Open)).await.len(), 1);
    assert_eq!(ids(&store, &asked(200, FindingState::Open)).await, []);
    assert_eq!(ids(&store, &asked(200, FindingState::Waived)).await.len(), 1);
    assert_eq!(ids(&store, &asked(500, FindingState::Open)).await.len(), 1);
    let finding = store.finding(id, Timestamp(300)).await.unwrap().unwrap();
    assert_eq!((finding.state, finding.waiver), (FindingState::Waived, Some(waiver)));
    assert_eq!(store.open_findings(Timestamp(300)).await.unwrap(), []);
    let rows = store.open_findings(Timestamp(500)).await.unwrap();
    assert_eq!(rows, [(device, "reboot_pending".to_owned(), Severity::Info)]);
    let ended = store.expired_waivers(Timestamp(499), Timestamp(500)).await.unwrap();
    assert_eq!(ended, [device]);
    assert_eq!(store.expired_waivers(Timestamp(500), Timestamp(600)).await.unwrap(), []);
    assert!(store.unwaive_finding(id, &By::new("anna", Timestamp(300))).await.unwrap());
    assert!(!store.unwaive_finding(id, &By::new("anna", Timestamp(301))).await.unwrap());
    assert_eq!(ids(&store, &asked(300, FindingState::Open)).await.len(), 1);
});

store_test!(the_list_is_worst_first_and_reads_in_pages, |store| {
    let (one, two) = (device(&store, "LT-1").await, device(&store, "Ärger").await);
    let open = |at, rule, severity, subject, value| Changes {
        open: vec![(Timestamp(at), found(rule, severity, subject, value))],
        ..Changes::default()
    };
    let rows = [
        (one, open(300, Rule::RebootPending, Severity::Info, None, "kernel")),
        (one, open(200, Rule::DiskNearlyFull, Severity::Warning, Some("/a_b"), "9 % free")),
        (two, open(100, Rule::DiskNearlyFull, Severity::Warning, Some("/acb"), "8 % free")),
        (two, open(400, Rule::Missing, Severity::Critical, None, "gone")),
        (one, open(100, Rule::DiskNearlyFull, Severity::Warning, Some("/c"), "7 % free")),
    ];
    for (device, changes) in &rows {
        store.change_findings(*device, changes).await.unwrap();
    }
    // As of now, and as of a moment that is not known to be the present: the same.
    for now in [true, false] {
        let query = FindingQuery { now, ..asked(1000, FindingState::Open) };
        let all = store.finding_page(&query, None, 100).await.unwrap();
        assert_eq!(store.finding_count(&query).await.unwrap(), 5);
        let values: Vec<&str> = all.iter().map(|finding| finding.value.as_str()).collect();
        assert_eq!(values, ["gone", "8 % free", "7 % free", "9 % free", "kernel"]);
        assert_eq!(paged(&store, &query).await, all);
        let words = |words: &[&str]| FindingQuery {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            ..query.clone()
        };
        assert_eq!(ids(&store, &words(&["A_B"])).await.len(), 1, "`_` is a letter, no wildcard");
        assert_eq!(ids(&store, &words(&["free", "lt-1"])).await.len(), 2);
        assert_eq!(ids(&store, &words(&["%"])).await.len(), 3);
        for wide in ["ÄRGER", "ärger", "är"] {
            let of_letters = words(&[wide]);
            assert_eq!(ids(&store, &of_letters).await.len(), 2, "{wide}");
            assert_eq!(paged(&store, &of_letters).await.len(), 2, "{wide}");
        }
        for (severity, count) in [(Severity::Critical, 1), (Severity::Warning, 3)] {
            let of_severity = FindingQuery { severity: Some(severity), ..query.clone() };
            assert_eq!(paged(&store, &of_severity).await.len(), count);
        }
        let of_rule = FindingQuery { rule: Some("disk_nearly_full".into()), ..query };
        assert_eq!(paged(&store, &of_rule).await.len(), 3);
    }
});

/// All of a list, two rows at a time.
async fn paged(store: &Store, query: &FindingQuery) -> Vec<Finding> {
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let page = store.finding_page(query, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        let rank = Severity::ALL.iter().position(|one| *one == last.severity).unwrap();
        let rank = i64::try_from(rank).unwrap();
        after = Some(FindingPosition { rank, since: last.since, id: last.id });
        read.extend(page);
    }
    assert_eq!(store.finding_count(query).await.unwrap(), read.len() as u64);
    read
}

store_test!(the_past_says_what_held_then, |store| {
    let device = device(&store, "LT-1").await;
    let day = |days: i64, hours: i64| {
        Timestamp(1_790_000_000_000 / DAY_MS * DAY_MS).plus_ms(days * DAY_MS + hours * 3_600_000)
    };
    let full = |severity, value: &str| found(Rule::DiskNearlyFull, severity, Some("/"), value);
    let open = Changes {
        open: vec![(day(0, 8), full(Severity::Warning, "9 % free"))],
        ..Changes::default()
    };
    store.change_findings(device, &open).await.unwrap();
    let id = store.open_flags(device).await.unwrap()[0].id;
    let update = async |at, flag| {
        let update = Changes { update: vec![(at, id, flag)], ..Changes::default() };
        store.change_findings(device, &update).await.unwrap();
    };
    update(day(0, 10), full(Severity::Warning, "8 % free")).await;
    update(day(1, 10), full(Severity::Warning, "7 % free")).await;
    update(day(1, 11), full(Severity::Warning, "6 % free")).await;
    // The same words from a later look: no past of its own.
    let looked = Flag { source_date: Some(day(2, 8)), ..full(Severity::Warning, "6 % free") };
    update(day(2, 8), looked).await;
    update(day(2, 9), full(Severity::Critical, "4 % free")).await;
    update(day(2, 10), full(Severity::Critical, "3 % free")).await;
    let other = Flag { threshold: "at least 20 %".into(), ..full(Severity::Warning, "3 % free") };
    update(day(2, 11), other).await;
    let said = async |at| {
        let finding = store.finding(id, at).await.unwrap().unwrap();
        (finding.severity, finding.value)
    };
    let expected = |severity, value: &str| (severity, value.to_owned());
    assert_eq!(said(day(0, 24)).await, expected(Severity::Warning, "8 % free"));
    assert_eq!(said(day(1, 24)).await, expected(Severity::Warning, "6 % free"));
    assert_eq!(said(day(2, 8)).await, expected(Severity::Warning, "6 % free"));
    assert_eq!(said(day(2, 9)).await.0, Severity::Critical);
    assert_eq!(said(day(2, 10)).await, expected(Severity::Critical, "3 % free"));
    assert_eq!(said(day(2, 11)).await, expected(Severity::Warning, "3 % free"));
    let finding = store.finding(id, day(2, 10)).await.unwrap().unwrap();
    assert_eq!(finding.threshold, "t");
    let kept: i64 = on_backend!(store, read pool =>
        sqlx::query_scalar("SELECT count(*) FROM finding_past").fetch_one(pool).await.unwrap());
    assert_eq!(kept, 3, "a value that moves all day takes one row a day");
    // Every list tells the same.
    let critical = FindingQuery {
        severity: Some(Severity::Critical),
        ..asked(day(2, 10).0, FindingState::Open)
    };
    assert_eq!(ids(&store, &critical).await.len(), 1);
    assert_eq!(ids(&store, &FindingQuery { at: day(2, 11), ..critical }).await, []);
    let (_, of_then) = store.findings_between(None, device, day(1, 24)).await.unwrap().remove(0);
    assert_eq!((of_then.value.as_str(), of_then.source_date), ("6 % free", None));
    assert_eq!(store.open_findings(day(2, 10)).await.unwrap()[0].2, Severity::Critical);
    assert_eq!(store.open_flags(device).await.unwrap()[0].flag.value, "3 % free");
});

store_test!(each_waiver_is_kept, |store| {
    let device = device(&store, "LT-1").await;
    let flag = found(Rule::RebootPending, Severity::Info, None, "kernel");
    let open = Changes { open: vec![(Timestamp(100), flag)], ..Changes::default() };
    store.change_findings(device, &open).await.unwrap();
    let id = store.open_flags(device).await.unwrap()[0].id;
    let waiver = |by: &str, until| Waiver {
        by: by.into(),
        reason: format!("said {by}"),
        until: Timestamp(until),
    };
    assert!(store.waive_finding(id, &waiver("anna", 500), Timestamp(200)).await.unwrap());
    assert!(store.waive_finding(id, &waiver("bob", 900), Timestamp(300)).await.unwrap());
    assert!(store.unwaive_finding(id, &By::new("anna", Timestamp(400))).await.unwrap());
    assert!(store.waive_finding(id, &waiver("clara", 600), Timestamp(450)).await.unwrap());
    let by = async |at| {
        let finding = store.finding(id, Timestamp(at)).await.unwrap().unwrap();
        finding.waiver.map(|waiver| (waiver.by, waiver.until.0))
    };
    assert_eq!(by(199).await, None);
    assert_eq!(by(200).await, Some(("anna".to_owned(), 500)));
    assert_eq!(by(300).await, Some(("bob".to_owned(), 900)));
    assert_eq!(by(400).await, None);
    assert_eq!(by(450).await, Some(("clara".to_owned(), 600)));
    assert_eq!(by(600).await, None);
    for (at, state) in [(250, FindingState::Waived), (420, FindingState::Open)] {
        assert_eq!(ids(&store, &asked(at, state)).await.len(), 1, "{at}");
    }
    // Those that a person ended do not end once more.
    assert_eq!(store.expired_waivers(Timestamp(400), Timestamp(550)).await.unwrap(), []);
    assert_eq!(store.expired_waivers(Timestamp(550), Timestamp(1000)).await.unwrap(), [device]);
    let close = Changes { close: vec![(Timestamp(700), id)], ..Changes::default() };
    store.change_findings(device, &close).await.unwrap();
    assert!(!store.waive_finding(id, &waiver("dora", 900), Timestamp(800)).await.unwrap());
});
