//! What is flagged, what is not, and how flags become findings.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rollcall_shared::report::{Reboot, VolumeSpace};
use rollcall_shared::section::update::PendingUpdate;
use rollcall_shared::time::{DAY_MS, MINUTE_MS};

use super::*;

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn seen() -> Observed<'static> {
    Observed {
        last_seen_at: Some(now().plus_ms(-5 * MINUTE_MS)),
        vitals_at: Some(now().plus_ms(-5 * MINUTE_MS)),
        ..Observed::new(DeviceClass::Laptop, now().plus_ms(-100 * DAY_MS))
    }
}

fn flags(observed: &Observed<'_>) -> Vec<Flag> {
    evaluate(observed, &Policy::default(), Facts::built_in(), now())
}

fn rules(observed: &Observed<'_>) -> Vec<Rule> {
    flags(observed).into_iter().map(|flag| flag.rule).collect()
}

fn debian(version: &str) -> Os {
    let release = [("ID", "debian"), ("NAME", "Debian GNU/Linux"), ("VERSION_ID", version)];
    let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    Os { release: release.into_iter().map(own).collect::<BTreeMap<_, _>>(), ..Os::default() }
}

fn space(point: &str, size_gb: u64, free_gb: u64) -> VolumeSpace {
    let gb = 1_000_000_000;
    let (size_bytes, available_bytes) = (size_gb * gb, free_gb * gb);
    VolumeSpace { point: point.to_owned(), size_bytes, available_bytes }
}

fn pending(name: &str, security: bool) -> PendingUpdate {
    PendingUpdate { name: name.to_owned(), security, ..PendingUpdate::default() }
}

#[test]
fn words_and_titles_are_unique() {
    for rule in Rule::ALL {
        assert_eq!(Rule::from_word(rule.as_str()), Some(*rule));
        assert_eq!(serde_json::to_value(rule).unwrap(), rule.as_str());
        assert!(!rule.title().ends_with('.'));
    }
    assert_eq!(Rule::from_word("nonsense"), None);
}

#[test]
fn a_healthy_device_has_no_flag() {
    let os = debian("13");
    let vitals = Vitals { volumes: vec![space("/", 500, 300)], ..Vitals::default() };
    let update = Update { manager: "apt".to_owned(), ..Update::default() };
    let agent = AgentInfo { version: env!("CARGO_PKG_VERSION").to_owned(), ..AgentInfo::default() };
    let observed = Observed {
        os: Some(&os),
        vitals: Some(&vitals),
        update: Some(&update),
        agent: Some(&agent),
        clock_error_ms: Some(-1500),
        ..seen()
    };
    assert_eq!(flags(&observed), []);
}

#[test]
fn missing_on_an_ended_system_is_missing_only() {
    let os = debian("10");
    let vitals = Vitals {
        volumes: vec![space("/", 100, 1)],
        reboot: Some(Reboot { pending: true, reasons: Vec::new() }),
        ..Vitals::default()
    };
    let update = Update {
        manager: "apt".to_owned(),
        pending: vec![pending("openssl", true)],
        security_known: true,
        ..Update::default()
    };
    let gone = now().plus_ms(-20 * DAY_MS);
    let observed = Observed {
        last_seen_at: Some(gone),
        vitals_at: Some(gone),
        os: Some(&os),
        vitals: Some(&vitals),
        update: Some(&update),
        ..seen()
    };
    let found = flags(&observed);
    assert_eq!(found.len(), 1);
    let flag = &found[0];
    assert_eq!((flag.rule, flag.severity), (Rule::Missing, Severity::Warning));
    assert_eq!(flag.value, "last check-in on 2026-11-03");
    assert_eq!(flag.threshold, "a laptop checks in at least every 14 days");
    assert_eq!(flag.evidence["os"], "Debian GNU/Linux 10");
    assert_eq!(flag.evidence["facts_known_at"], "2026-11-03T10:00:00Z");
    // The same device, back again, is judged again.
    let back = Observed { last_seen_at: Some(now()), ..observed };
    assert_eq!(flags(&back)[0].rule, Rule::OsEndOfLife);
}

#[test]
fn nothing_moves_while_only_time_passes() {
    let observed = Observed { last_seen_at: Some(now().plus_ms(-20 * DAY_MS)), ..seen() };
    let at = |now| evaluate(&observed, &Policy::default(), Facts::built_in(), now);
    assert_eq!(at(now()), at(now().plus_ms(DAY_MS)));
}

#[test]
fn retired_and_pending_devices_are_not_flagged() {
    let gone = Observed { last_seen_at: Some(Timestamp(0)), ..seen() };
    assert_eq!(rules(&gone), [Rule::Missing]);
    assert_eq!(rules(&Observed { retired: true, ..gone.clone() }), []);
    assert_eq!(rules(&Observed { pending: true, ..gone }), []);
}

#[test]
fn a_missing_server_is_urgent() {
    let two_days = Some(now().plus_ms(-2 * DAY_MS));
    let server = Observed { class: DeviceClass::Server, last_seen_at: two_days, ..seen() };
    assert_eq!(flags(&server)[0].severity, Severity::Critical);
    assert_eq!(flags(&server)[0].threshold, "a server checks in at least every 1 day");
}

#[test]
fn the_system_is_judged_by_its_lifecycle() {
    let case = |version| {
        let os = debian(version);
        flags(&Observed { os: Some(&os), ..seen() }).first().cloned()
    };
    let ended = case("11").unwrap();
    assert_eq!((ended.rule, ended.severity), (Rule::OsEndOfLife, Severity::Critical));
    assert_eq!(ended.value, "Debian 11 (Bullseye)");
    assert_eq!(ended.threshold, "supported until 2026-08-31");
    assert_eq!(ended.source_date.unwrap().date(), "2026-08-22");
    assert_eq!(ended.evidence["facts_date"], "2026-08-22");
    let extended = case("12").unwrap();
    assert_eq!((extended.rule, extended.severity), (Rule::OsExtendedOnly, Severity::Info));
    assert_eq!(extended.threshold, "LTS security support until 2028-06-30");
    assert_eq!(case("13"), None);
    assert_eq!(case("99"), None, "unknown is never flagged");
}

#[test]
fn old_agents_are_flagged_and_odd_versions_are_not() {
    let policy = Policy { agent_minimum_version: Some("0.3.0".to_owned()), ..Policy::default() };
    let case = |version: &str| {
        let agent = AgentInfo { version: version.to_owned(), ..AgentInfo::default() };
        let observed = Observed { agent: Some(&agent), ..seen() };
        evaluate(&observed, &policy, Facts::built_in(), now()).len()
    };
    assert_eq!((case("0.2.9"), case("0.3.0"), case("0.10.0"), case("unknown")), (1, 0, 0, 0));
}

#[test]
fn nothing_pending_with_stale_lists_is_unknown_and_said_so() {
    let vitals = Vitals { update_lists_at: Some(now().plus_ms(-15 * DAY_MS)), ..Vitals::default() };
    let update = Update { manager: "apt".to_owned(), ..Update::default() };
    let observed = Observed { vitals: Some(&vitals), update: Some(&update), ..seen() };
    let found = flags(&observed);
    assert_eq!(
        found.iter().map(|flag| flag.rule).collect::<Vec<_>>(),
        [Rule::UpdateInformationStale]
    );
    assert_eq!(found[0].value, "lists of 2026-11-08");
    // A laptop that lay in a drawer for ten days had fresh lists when it was looked at.
    let then = now().plus_ms(-10 * DAY_MS);
    let drawer = Observed { last_seen_at: Some(then), vitals_at: Some(then), ..observed };
    assert_eq!(rules(&drawer), []);
}

#[test]
fn pending_updates_are_counted_by_kind() {
    let update = Update {
        manager: "apt".to_owned(),
        pending: vec![pending("bash", false), pending("openssl", true)],
        security_known: true,
        ..Update::default()
    };
    let observed = Observed { update: Some(&update), ..seen() };
    let found = flags(&observed);
    assert_eq!(
        (found[0].rule, found[0].value.as_str()),
        (Rule::SecurityUpdatesPending, "1 security update")
    );
    assert_eq!((found[1].rule, found[1].value.as_str()), (Rule::UpdatesPending, "2 updates"));
    assert_eq!(found[0].evidence["names"], serde_json::json!(["openssl"]));
    let policy = Policy { updates_grace_days: 7, updates_pending_from: 2, ..Policy::default() };
    let after = |days: i64| {
        let states = [(now().plus_ms(-days * DAY_MS), Some(update.clone()))];
        let waiting = Waiting::of(&states);
        let observed = Observed { waiting: Some(&waiting), ..observed.clone() };
        evaluate(&observed, &policy, Facts::built_in(), now())
    };
    assert_eq!((after(6).len(), after(7).len()), (1, 2));
    assert_eq!(after(7)[1].threshold, "fewer than 2 wait longer than 7 days");
    let untold = Update { security_known: false, ..update.clone() };
    assert_eq!(rules(&Observed { update: Some(&untold), ..seen() }), [Rule::UpdatesPending]);
}

#[test]
fn a_restart_is_flagged_with_its_reason() {
    let case = |reboot| {
        let vitals = Vitals { reboot, ..Vitals::default() };
        flags(&Observed { vitals: Some(&vitals), ..seen() })
    };
    let reasons = vec!["linux-image-6.1.0-38-amd64".to_owned()];
    assert_eq!(
        case(Some(Reboot { pending: true, reasons }))[0].value,
        "linux-image-6.1.0-38-amd64"
    );
    assert_eq!(case(Some(Reboot::default())), []);
    assert_eq!(case(None), []);
}

#[test]
fn volumes_are_judged_by_share_and_by_size() {
    let vitals = Vitals {
        volumes: vec![
            space("/", 100, 9),
            space("/big", 4000, 100),
            space("/cdrom", 1, 0),
            space("/full", 100, 1),
            space("/net", 100, 1),
            space("/none", 0, 0),
            space("/snap/core/1", 1, 0),
        ],
        ..Vitals::default()
    };
    let volume = |point: &str, read_only, remote| Volume {
        point: point.to_owned(),
        read_only,
        remote,
        ..Volume::default()
    };
    let volumes = [volume("/cdrom", true, false), volume("/net", false, true)];
    let observed = Observed { vitals: Some(&vitals), volumes: Some(&volumes), ..seen() };
    let found: Vec<_> = flags(&observed)
        .into_iter()
        .map(|flag| (flag.subject.unwrap(), flag.severity, flag.value, flag.threshold))
        .collect();
    let words =
        |a: &str, severity, b: &str, c: &str| (a.to_owned(), severity, b.to_owned(), c.to_owned());
    assert_eq!(
        found,
        [
            words(
                "/full",
                Severity::Critical,
                "1.0 GB free of 100.0 GB (1 %)",
                "at least 5 % free"
            ),
            words("/", Severity::Warning, "9.0 GB free of 100.0 GB (9 %)", "at least 10 % free"),
        ]
    );
}

#[test]
fn a_wrong_clock_is_flagged_either_way() {
    let case = |minutes: i64| {
        let observed = Observed { clock_error_ms: Some(minutes * MINUTE_MS), ..seen() };
        flags(&observed).first().map(|flag| flag.value.clone())
    };
    assert_eq!(case(10), None);
    assert_eq!(case(11).as_deref(), Some("11 minutes ahead"));
    assert_eq!(case(-180).as_deref(), Some("3 hours behind"));
    assert_eq!(case(-60 * 24 * 400).as_deref(), Some("400 days behind"));
    let extreme = Observed { clock_error_ms: Some(i64::MIN), ..seen() };
    assert_eq!(rules(&extreme), [Rule::ClockWrong]);
}

#[test]
fn a_suspected_clone_is_flagged() {
    let observed = Observed { clone_suspected: Some("serial A before, B now"), ..seen() };
    assert_eq!(flags(&observed)[0].rule, Rule::CloneSuspected);
    assert_eq!(flags(&observed)[0].severity, Severity::Critical);
}

fn flag(rule: Rule, subject: Option<&str>, value: &str) -> Flag {
    Flag {
        rule,
        severity: Severity::Warning,
        subject: subject.map(str::to_owned),
        value: value.to_owned(),
        threshold: String::new(),
        source: String::new(),
        source_date: None,
        next_step: String::new(),
        evidence: BTreeMap::new(),
    }
}

#[test]
fn findings_open_change_and_close() {
    let held = |id, flag| OpenFlag { id, since: Timestamp(7), flag };
    let open = [
        held(1, flag(Rule::DiskNearlyFull, Some("/"), "9 %")),
        held(2, flag(Rule::DiskNearlyFull, Some("/home"), "8 %")),
        held(3, flag(Rule::RebootPending, None, "kernel")),
    ];
    let found = [
        flag(Rule::DiskNearlyFull, Some("/"), "4 %"),
        flag(Rule::RebootPending, None, "kernel"),
        flag(Rule::Missing, None, "gone"),
    ];
    let changes = reconcile(&open, &found, now());
    assert_eq!(changes.open, [(now(), found[2].clone())]);
    assert_eq!(changes.update, [(now(), 1, found[0].clone())]);
    assert_eq!(changes.close, [(now(), 2)]);
}

fn any_flags() -> impl Strategy<Value = Vec<Flag>> {
    let one = (0..Rule::ALL.len(), proptest::option::of("/[ab]?"), "[0-2]");
    let one =
        one.prop_map(|(rule, subject, value)| flag(Rule::ALL[rule], subject.as_deref(), &value));
    proptest::collection::vec(one, 0..8)
}

proptest! {
    #[test]
    fn reconciling_twice_changes_nothing(before in any_flags(), found in any_flags()) {
        let apply = |held: &[OpenFlag], changes: &Changes| {
            let mut next: Vec<OpenFlag> = held
                .iter()
                .filter(|held| !changes.close.iter().any(|(_, id)| *id == held.id))
                .cloned()
                .collect();
            for (_, id, flag) in &changes.update {
                next.iter_mut().filter(|held| held.id == *id).for_each(|held| held.flag = flag.clone());
            }
            let first = i64::try_from(held.len()).unwrap();
            next.extend(changes.open.iter().zip(first..).map(|((since, flag), id)| {
                OpenFlag { id, since: *since, flag: flag.clone() }
            }));
            next
        };
        let held = apply(&[], &reconcile(&[], &before, Timestamp(1)));
        let changes = reconcile(&held, &found, Timestamp(2));
        let after = apply(&held, &changes);
        prop_assert!(reconcile(&after, &found, Timestamp(3)).is_empty());
        for held_before in &held {
            let same = after.iter().find(|held| held.id == held_before.id);
            prop_assert!(same.is_none_or(|held| held.since == held_before.since));
        }
    }
}

#[test]
fn the_end_of_extended_support_is_told_before_it_comes() {
    let os = debian("11");
    let found = |date: &str| {
        let now = Timestamp::from_date(date).unwrap();
        let observed = Observed { os: Some(&os), last_seen_at: Some(now), ..seen() };
        let found = evaluate(&observed, &Policy::default(), Facts::built_in(), now);
        found.into_iter().map(|flag| (flag.rule, flag.threshold)).collect::<Vec<_>>()
    };
    let until = "LTS security support until 2026-08-31".to_owned();
    assert_eq!(found("2026-05-01"), [(Rule::OsExtendedOnly, until.clone())]);
    assert_eq!(found("2026-08-01"), [(Rule::OsEndingSoon, until)]);
    assert_eq!(found("2026-09-01")[0].0, Rule::OsEndOfLife);
}
