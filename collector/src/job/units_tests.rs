//! Devices go where rules and tokens say, when they report and when the rules change.

use rollcall_shared::Timestamp;
use rollcall_shared::api::unit::{RuleTest, UnitRule};
use rollcall_shared::section::{Section, System};
use rollcall_shared::time::DAY_MS;

use super::*;
use crate::domain::Scope;
use crate::job::evaluate::tests::{START, enrolled, report};
use crate::store::audit::By;
use crate::store::testing::{another, store_test};
use crate::view::tests::app;

fn by() -> By {
    By::new("clara", START)
}

fn rule(unit: i64, test: RuleTest, pattern: &str) -> UnitRule {
    UnitRule { unit, test, pattern: pattern.to_owned() }
}

fn called(hostname: &str, domain: &str) -> Section {
    Section::System(System {
        hostname: hostname.into(),
        domain: Some(domain.into()),
        ..System::default()
    })
}

/// Where a device belongs, as memory and as the tables have it.
async fn place(app: &App, device: DeviceKey, kind: UnitKind) -> Option<(String, UnitFrom)> {
    let memory = app.fleet.read().entry(device).unwrap().row.clone();
    let tables = app.store.device_by_key(device).await.unwrap().unwrap();
    assert_eq!(memory.unit(kind), tables.unit(kind));
    tables.unit(kind).map(|unit| (unit.name.clone(), unit.from))
}

fn day(days: i64) -> Timestamp {
    START.plus_ms(days * DAY_MS)
}

store_test!(a_report_moves_a_device_and_what_a_person_said_stays, |store| {
    let app = app(store, day(30));
    let store = &app.store;
    let berlin = store.create_unit(UnitKind::Site, "Berlin", &by()).await.unwrap();
    let lyon = store.create_unit(UnitKind::Site, "Lyon", &by()).await.unwrap();
    let sales = store.create_unit(UnitKind::Department, "Sales", &by()).await.unwrap();
    let rules = [
        rule(berlin, RuleTest::Hostname, "b-*"),
        rule(lyon, RuleTest::Hostname, "l-*"),
        rule(sales, RuleTest::Directory, "sales.example.org"),
    ];
    store.set_unit_rules(&rules, &by()).await.unwrap();
    let device = enrolled(&app, 1).await;
    assert_eq!(place(&app, device, UnitKind::Site).await, None);
    report(&app, device, 1, day(0), &[called("b-1", "SALES.example.org")]).await;
    let rule_says = |name: &str| Some((name.to_owned(), UnitFrom::Rule));
    assert_eq!(place(&app, device, UnitKind::Site).await, rule_says("Berlin"));
    assert_eq!(place(&app, device, UnitKind::Department).await, rule_says("Sales"));
    report(&app, device, 2, day(1), &[called("l-1", "example.org")]).await;
    assert_eq!(place(&app, device, UnitKind::Site).await, rule_says("Lyon"));
    assert_eq!(place(&app, device, UnitKind::Department).await, None, "no rule fits any more");

    // By hand: neither a report nor other rules nor a late decision of the collector moves it.
    let hand = Place::of(berlin, UnitFrom::Hand);
    store.set_asset(device, [hand, Place::NOWHERE], None, "", &by()).await.unwrap();
    tell_fleet(&app, &[device]).await.unwrap();
    report(&app, device, 3, day(2), &[called("l-2", "example.org")]).await;
    let by_hand = Some(("Berlin".to_owned(), UnitFrom::Hand));
    assert_eq!(place(&app, device, UnitKind::Site).await, by_hand);
    store.set_unit_rules(&[rule(lyon, RuleTest::Hostname, "*")], &by()).await.unwrap();
    assert_eq!(settle(&app).await.unwrap(), 0);
    let late = Move { device, kind: UnitKind::Site, to: Place::of(lyon, UnitFrom::Rule) };
    store.place_devices(&[late]).await.unwrap();
    assert_eq!(place(&app, device, UnitKind::Site).await, by_hand);
});

store_test!(deleting_a_unit_leaves_nothing_that_points_to_it, |store| {
    let app = app(store, day(30));
    let store = &app.store;
    let one = store.create_unit(UnitKind::Site, "One", &by()).await.unwrap();
    let two = store.create_unit(UnitKind::Site, "Two", &by()).await.unwrap();
    let again = store.create_unit(UnitKind::Site, "One", &by()).await;
    assert!(matches!(again, Err(store::Error::Conflict)));
    let other_kind = store.create_unit(UnitKind::Department, "One", &by()).await.unwrap();
    let rules = [rule(one, RuleTest::Hostname, "*"), rule(two, RuleTest::Hostname, "b-*")];
    store.set_unit_rules(&rules, &by()).await.unwrap();
    let device = enrolled(&app, 1).await;
    report(&app, device, 1, day(0), &[called("b-1", "x")]).await;
    assert_eq!(place(&app, device, UnitKind::Site).await.unwrap().0, "One");
    for wrong in [one, other_kind, 99] {
        assert_eq!(store.delete_unit(one, Some(wrong), &by()).await.unwrap(), None);
    }
    let moved = store.delete_unit(one, None, &by()).await.unwrap().unwrap();
    assert_eq!(moved, [device]);
    tell_fleet(&app, &moved).await.unwrap();
    assert_eq!(place(&app, device, UnitKind::Site).await, None);
    assert_eq!(settle(&app).await.unwrap(), 1, "the other rule fits as well");
    assert_eq!(place(&app, device, UnitKind::Site).await.unwrap().0, "Two");
    let three = store.create_unit(UnitKind::Site, "One", &by()).await.unwrap();
    assert!(three > other_kind, "a number never comes twice");
    let moved = store.delete_unit(two, Some(three), &by()).await.unwrap().unwrap();
    tell_fleet(&app, &moved).await.unwrap();
    let placed = place(&app, device, UnitKind::Site).await;
    assert_eq!(placed, Some(("One".to_owned(), UnitFrom::Rule)), "the rule moved with it");
    assert_eq!(settle(&app).await.unwrap(), 0);
    let within = app.fleet.read().keys_within(&Scope::of(Some([three].into()), None));
    assert_eq!(within, [device]);
});

store_test!(another_collector_learns_rules_and_places, |store| {
    let two = app(another(&store).await, day(30));
    let one = app(store, day(30));
    let device = enrolled(&one, 1).await;
    report(&one, device, 1, day(0), &[called("b-1", "x")]).await;
    crate::job::load::load(&two).await.unwrap();
    let site = one.store.create_unit(UnitKind::Site, "Berlin", &by()).await.unwrap();
    let rules = [rule(site, RuleTest::Hostname, "b-*")];
    one.store.set_unit_rules(&rules, &by()).await.unwrap();
    assert_eq!(settle(&one).await.unwrap(), 1);
    two.store.follow().await.unwrap();
    assert_eq!(*two.store.unit_rules(), *one.store.unit_rules());
    crate::job::follow::tell_fleet(&two).await.unwrap();
    let found = place(&two, device, UnitKind::Site).await;
    assert_eq!(found, Some(("Berlin".to_owned(), UnitFrom::Rule)));
});
