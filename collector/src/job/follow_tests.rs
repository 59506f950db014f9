//! Two collectors on one database.

use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::section::{Section, Software, System};
use rollcall_shared::time::DAY_MS;

use super::*;
use crate::job::evaluate::tests::{START, enrolled, report, system};
use crate::store::enroll::Decision;
use crate::store::history::Past;
use crate::store::testing::{another, store_test};
use crate::view::tests::app;

fn software(names: &[&str]) -> Section {
    let title = |name: &&str| Software {
        source: "dpkg".into(),
        name: (*name).to_owned(),
        version: "1.0".into(),
        ..Software::default()
    };
    Section::Software(names.iter().map(title).collect())
}

fn at(minute: i64) -> Timestamp {
    START.plus_ms(minute * MINUTE_MS)
}

async fn both(store: store::Store) -> [App; 2] {
    let other = another(&store).await;
    [app(store, START), app(other, START)]
}

/// Host name, number of titles and open rules of every device, as the fleet of one collector has it.
fn fleet(app: &App) -> Vec<(String, usize, u64, bool)> {
    let fleet = app.fleet.read();
    fleet
        .entries()
        .map(|entry| {
            let row = &entry.row;
            let name = row.summary.hostname.clone();
            (name, entry.titles().len(), entry.findings.count(), row.retired_at.is_some())
        })
        .collect()
}

async fn hostname(app: &App, device: DeviceKey, at: Timestamp) -> String {
    let past = app.store.sections(device, Some(at)).await.unwrap();
    let Past::Known(sections) = past else { panic!("{past:?}") };
    let text = sections["system"].json.clone().unwrap();
    serde_json::from_str::<System>(&text).unwrap().hostname
}

async fn names(app: &App, device: DeviceKey, at: Timestamp) -> Vec<String> {
    let past = app.store.software(device, Some(at)).await.unwrap();
    let Past::Known(software) = past else { panic!("{past:?}") };
    let mut names: Vec<String> = software.into_iter().map(|one| one.name).collect();
    names.sort_unstable();
    names
}

async fn follow(app: &App) {
    app.store.follow().await.unwrap();
    tell_fleet(app).await.unwrap();
}

fn retired(at: Timestamp) -> Decision {
    Decision {
        at,
        kind: DecisionKind::Retired,
        evidence: "sold".into(),
        other: None,
        actor: Some("it".into()),
    }
}

store_test!(one_learns_what_the_other_stored, |store| {
    let [one, two] = both(store).await;
    let third = app(another(&one.store).await, START);
    let device = enrolled(&one, 1).await;
    report(&one, device, 1, at(1), &[system("pc-a"), software(&["bash", "vim"])]).await;
    // Titles are read when they are needed, also by one that does not follow yet.
    assert_eq!(names(&third, device, at(1)).await, ["bash", "vim"]);
    assert_eq!(fleet(&two), []);
    follow(&two).await;
    assert_eq!(fleet(&two), fleet(&one));
    assert_eq!(fleet(&two)[0].0, "pc-a");

    report(&two, device, 2, at(2), &[system("pc-b"), software(&["bash", "curl", "git"])]).await;
    follow(&one).await;
    assert_eq!(fleet(&one), fleet(&two));
    assert_eq!((fleet(&one)[0].0.as_str(), fleet(&one)[0].1), ("pc-b", 3));
    assert_eq!(one.store.set_titles(&[0, 1, 2, 3]), two.store.set_titles(&[0, 1, 2, 3]));

    // It went missing, which one of them finds out; then a person retires it at the other.
    evaluate::sweep(&one, at(2).plus_ms(400 * DAY_MS)).await.unwrap();
    follow(&two).await;
    assert_eq!(fleet(&two), fleet(&one));
    assert!(fleet(&two)[0].2 > 0);
    two.store.retire(device, &retired(at(3))).await.unwrap();
    follow(&one).await;
    assert!(fleet(&one)[0].3);
    let id = one.store.device_by_key(device).await.unwrap().unwrap().id;
    assert!(one.store.key_of_device(id).unwrap().retired);

    // Nothing is left to read.
    for app in [&one, &two] {
        follow(app).await;
        follow(app).await;
        assert!(app.store.take_followed().devices.is_empty());
    }
});

store_test!(a_device_that_goes_from_one_to_the_other_loses_no_change, |store| {
    let [one, two] = both(store).await;
    let device = enrolled(&one, 1).await;
    let states = ["red", "green", "red", "red", "blue", "green", "red"];
    for (number, name) in states.into_iter().enumerate() {
        // Never the same twice, and neither follows: each learns it when the report comes.
        let app = if number % 2 == 0 { &one } else { &two };
        let seq = u64::try_from(number).unwrap() + 1;
        report(app, device, seq, at(i64::try_from(number).unwrap()), &[system(name)]).await;
    }
    for app in [&one, &two] {
        app.store.flush().await.unwrap();
    }
    let moments: Vec<Timestamp> = (0..7).map(at).collect();
    for (moment, name) in moments.into_iter().zip(states) {
        assert_eq!(hostname(&one, device, moment).await, name);
    }
    assert_eq!(two.store.last_report(device).await.unwrap().unwrap().seq, 7);
});

store_test!(a_contact_never_covers_a_later_report, |store| {
    let [one, two] = both(store).await;
    let device = enrolled(&one, 1).await;
    report(&one, device, 1, at(1), &[system("pc")]).await;
    // Noted in the memory of the first only.
    report(&one, device, 2, at(2), &[system("pc")]).await;
    report(&two, device, 3, at(3), &[system("other")]).await;
    assert_eq!(one.store.last_report(device).await.unwrap().unwrap().seq, 3);
    one.store.flush().await.unwrap();
    let last = two.store.last_report(device).await.unwrap().unwrap();
    assert_eq!((last.seq, last.received_at), (3, at(3)));
    let row = two.store.device_by_key(device).await.unwrap().unwrap();
    assert_eq!(row.last_seen_at, Some(at(3)));
    // And the first does not take its old state for the present one.
    report(&one, device, 4, at(4), &[system("pc")]).await;
    assert_eq!(hostname(&two, device, at(4)).await, "pc");
    assert_eq!(hostname(&two, device, at(3)).await, "other");
});

store_test!(both_write_at_once_and_nothing_is_lost_or_doubled, |store| {
    let [one, two] = both(store).await;
    let mut devices = Vec::new();
    for number in 1..=20 {
        devices.push(enrolled(&one, number).await);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for (place, device) in devices.iter().copied().enumerate() {
        let apps = [one.clone(), two.clone()];
        tasks.spawn(async move {
            for round in 0..6_u64 {
                let app = &apps[(place + usize::try_from(round).unwrap()) % 2];
                let (mine, shared) = (format!("own-{place}-{round}"), format!("all-{round}"));
                let sections = [system(&shared), software(&["bash", &mine, &shared])];
                report(app, device, round + 1, at(i64::try_from(round).unwrap()), &sections).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let titles = one.store.titles().await.unwrap();
    let distinct: BTreeSet<String> =
        titles.iter().map(|title| title.text.parts().join(" ")).collect();
    assert_eq!((titles.len(), distinct.len()), (1 + 20 * 6 + 6, 1 + 20 * 6 + 6));
    for app in [&one, &two] {
        follow(app).await;
        for (place, device) in devices.iter().enumerate() {
            for round in 0..6 {
                let names = names(app, *device, at(round)).await;
                assert_eq!(
                    names,
                    [format!("all-{round}"), "bash".to_owned(), format!("own-{place}-{round}")]
                );
            }
        }
    }
    assert_eq!(fleet(&one), fleet(&two));
});

store_test!(tables_that_went_back_are_read_anew, |store| {
    let [one, two] = both(store).await;
    let device = enrolled(&one, 1).await;
    report(&one, device, 1, at(1), &[system("pc"), software(&["bash"])]).await;
    follow(&two).await;
    // As after a restored copy: what came last is gone.
    store::testing::go_back(&one.store, device).await;
    follow(&one).await;
    follow(&two).await;
    assert_eq!(fleet(&one), fleet(&two));
    assert_eq!(fleet(&one)[0].1, 0);
    report(&two, device, 1, at(1), &[system("pc"), software(&["vim"])]).await;
    follow(&one).await;
    assert_eq!(one.store.titles().await.unwrap(), two.store.titles().await.unwrap());
    assert_eq!(fleet(&one)[0].1, 1);
});
