//! After a cut every day that is kept is told as it was, and no day before it is told at all.

use rollcall_shared::api::device::DeviceFilter;
use rollcall_shared::api::finding::FindingFilter;
use rollcall_shared::section::{Section, Software};

use super::*;
use crate::clock::Clock;
use crate::demo::random::Random;
use crate::domain::Scope;
use crate::job::evaluate::tests::{START, enrolled, report, system};
use crate::store::device::DeviceKey;
use crate::store::history::Past;
use crate::store::testing::store_test;
use crate::view;
use crate::view::tests::app;

const DAYS: i64 = 40;

fn day(day: i64) -> Timestamp {
    // Noon, so that no report stands on the edge of a day.
    Timestamp(START.0 - START.0.rem_euclid(DAY_MS)).plus_ms(day * DAY_MS + 12 * HOUR_MS)
}

fn software(names: &[u64]) -> Section {
    let title = |name: &u64| Software {
        source: "dpkg".into(),
        name: format!("package{name}"),
        version: "1".into(),
        ..Software::default()
    };
    Section::Software(names.iter().map(title).collect())
}

/// What a device said: its name and its titles.
async fn told(app: &App, device: DeviceKey, at: Timestamp) -> (Option<String>, Vec<String>) {
    let name = match app.store.sections(device, Some(at)).await.unwrap() {
        Past::Known(sections) => {
            let text = sections["system"].json.clone().unwrap();
            Some(serde_json::from_str::<serde_json::Value>(&text).unwrap()["hostname"].to_string())
        }
        Past::NotKnown => None,
    };
    let titles = match app.store.software(device, Some(at)).await.unwrap() {
        Past::Known(titles) => titles.into_iter().map(|title| title.name).collect(),
        Past::NotKnown => Vec::new(),
    };
    (name, titles)
}

/// Devices that changed on random days, some reports late; what is true at the end of each day.
async fn lived(app: &App, seed: u64) -> Vec<(DeviceKey, Vec<(Option<String>, Vec<String>)>)> {
    let mut random = Random::of(&[77, seed]);
    let mut devices = Vec::new();
    for number in 1..=3_u8 {
        let device = enrolled(app, number).await;
        let mut waits: Option<(i64, u64, Vec<Section>)> = None;
        for now in 0..DAYS {
            if now > 0 && random.chance(40) {
                continue;
            }
            let mut names: Vec<u64> = (0..12).filter(|_| random.chance(50)).collect();
            names.sort_unstable();
            let name = format!("pc-{number}-{}", random.below(3));
            let sections = vec![system(&name), software(&names)];
            let seq = u64::try_from(now).unwrap() + 1;
            if now > 0 && waits.is_none() && random.chance(20) {
                waits = Some((now, seq, sections));
                continue;
            }
            report(app, device, seq, day(now), &sections).await;
            if let Some((then, seq, sections)) = waits.take() {
                report_late(app, device, seq, day(then), day(now).plus_ms(HOUR_MS), &sections)
                    .await;
            }
        }
        let mut truth = Vec::new();
        for now in 0..DAYS {
            truth.push(told(app, device, day(now).plus_ms(2 * HOUR_MS)).await);
        }
        devices.push((device, truth));
    }
    devices
}

async fn report_late(
    app: &App,
    device: DeviceKey,
    seq: u64,
    observed: Timestamp,
    now: Timestamp,
    sections: &[Section],
) {
    let then = app.with_clock(Clock::test(now));
    let check_in = crate::job::evaluate::tests::check_in(device, seq, observed, sections);
    assert!(crate::ingest::check_in(&then, device, check_in).await.unwrap().stored);
}

async fn keep(app: &App, days: u32) {
    let policy = Policy { keep_history_days: Some(days), ..Policy::default() };
    app.store.put_setting(crate::job::evaluate::POLICY_SETTING, &policy).await.unwrap();
    crate::job::evaluate::load_policy(app).await.unwrap();
}

store_test!(what_is_kept_is_told_as_it_was, |store| {
    let end = day(DAYS);
    let app = app(store, end);
    let devices = lived(&app, 1).await;
    let audit = app.store.newest_audit_entries(500).await.unwrap();
    for keep_days in [35_u32, 21, 7] {
        keep(&app, keep_days).await;
        let from = kept_from(&app.fleet.policy(), end).unwrap();
        let would = app.store.older_than(from).await.unwrap();
        // Twice, as two collectors or a start after a cut would: the same.
        for hours in 0..3 {
            run(&app, end.plus_ms(hours * HOUR_MS)).await.unwrap();
            assert_eq!(app.store.history_from(), from);
        }
        assert!(would.changes > 0);
        assert_eq!(app.store.older_than(from).await.unwrap(), Older::default(), "it is gone");
        for (device, truth) in &devices {
            for now in 0..DAYS {
                let at = day(now).plus_ms(2 * HOUR_MS);
                let found = told(&app, *device, at).await;
                if at >= from {
                    assert_eq!(found, truth[usize::try_from(now).unwrap()], "day {now}");
                } else {
                    assert_eq!(found, (None, Vec::new()), "day {now} is not known");
                }
            }
            let known = app.store.changes(*device, None, 10_000).await.unwrap();
            assert!(known.iter().all(|change| change.at >= from));
        }
        let entry = &app.store.newest_audit_entries(1).await.unwrap()[0];
        assert_eq!(entry.action, "history_cut");
        assert!(entry.detail.contains(&format!("{} changes", would.changes)), "{}", entry.detail);
    }
    // Nothing of the audit log goes; a policy that keeps more brings nothing back.
    assert_eq!(app.store.newest_audit_entries(500).await.unwrap().len(), audit.len() + 3);
    let from = app.store.history_from();
    keep(&app, 4_000).await;
    run(&app, end.plus_ms(5 * HOUR_MS)).await.unwrap();
    assert_eq!(app.store.history_from(), from);
    assert!(app.store.examine().await.unwrap().problems.is_empty());
    let found = crate::doctor::examine(&app).await.unwrap();
    assert_eq!(found.differences, []);
});

store_test!(a_report_from_before_the_cut_bends_nothing, |store| {
    let end = day(DAYS);
    let app = app(store, end);
    let device = enrolled(&app, 1).await;
    for now in [0, 10, 20, 30] {
        let name = format!("a{now}");
        let seq = u64::try_from(now).unwrap() + 1;
        report(&app, device, seq, day(now), &[system(&name), software(&[1])]).await;
    }
    keep(&app, 15).await;
    for hours in 0..2 {
        run(&app, end.plus_ms(hours * HOUR_MS)).await.unwrap();
    }
    let before = told(&app, device, day(26)).await;
    let sections = [system("late"), software(&[2])];
    report_late(&app, device, 6, day(5), end.plus_ms(3 * HOUR_MS), &sections).await;
    assert_eq!(told(&app, device, day(26)).await, before);
    assert_eq!(told(&app, device, day(5)).await, (None, Vec::new()));
});

store_test!(lists_of_days_that_are_gone_are_refused, |store| {
    let end = day(DAYS);
    let app = app(store, end);
    lived(&app, 2).await;
    keep(&app, 10).await;
    run(&app, end).await.unwrap();
    let at = Some(day(3));
    let gone = |answer: Result<(), view::Error>| {
        assert!(matches!(answer, Err(view::Error::Invalid { field: "as_of", .. })), "{answer:?}");
    };
    let filter = DeviceFilter { as_of: at, ..DeviceFilter::default() };
    gone(view::devices::list(&app, &Scope::whole(), &filter).await.map(|_| ()));
    gone(view::devices::facets(&app, &Scope::whole(), &filter).await.map(|_| ()));
    let filter = FindingFilter { as_of: at, ..FindingFilter::default() };
    gone(view::findings::list(&app, &Scope::whole(), &filter).await.map(|_| ()));
    let id = app.fleet.read().entries().next().unwrap().row.id;
    gone(view::device::detail(&app, &Scope::whole(), id, at).await.map(|_| ()));
    gone(view::device::software(&app, &Scope::whole(), id, at).await.map(|_| ()));
    gone(view::device::changes(&app, &Scope::whole(), id, at, None, 5).await.map(|_| ()));
    // What is told of a device says since when.
    let detail = view::device::detail(&app, &Scope::whole(), id, None).await.unwrap().unwrap();
    assert_eq!(detail.first_report_at, Some(app.store.history_from()));
});
