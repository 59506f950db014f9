//! The demo fleet goes in through the real way, and every view, export and rebuild agrees on it.

use std::collections::BTreeSet;

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::{DeviceFilter, DeviceSummary};
use rollcall_shared::api::software::SoftwareFilter;
use rollcall_shared::time::DAY_MS;

use super::*;
use crate::app::App;
use crate::domain::Scope;
use crate::export::{self, Format, Kind, Profile};
use crate::job::{evaluate, load};
use crate::store::testing::store_test;
use crate::view::tests::app;
use crate::view::{changes, device, devices, findings, overview, search, software};

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const COUNT: u64 = 14;

async fn all(app: &App, as_of: Option<Timestamp>) -> Vec<DeviceSummary> {
    let filter = DeviceFilter { limit: Some(500), as_of, ..DeviceFilter::default() };
    devices::list(app, &Scope::whole(), &filter).await.unwrap().items
}

async fn exported(app: &App, kind: Kind, format: Format, as_of: Option<Timestamp>) -> String {
    let mut rows =
        export::rows(app, &Scope::whole(), kind, format, Profile::Spreadsheet, as_of, None);
    let mut bytes = Vec::new();
    while let Some(chunk) = rows.next().await {
        bytes.extend(chunk.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_same_number_is_the_same_device() {
    for number in 1..40 {
        let (one, two) = (DemoDevice::new(number, NOW), DemoDevice::new(number, NOW));
        assert_eq!(one.id(), two.id());
        let moments = one.moments();
        assert!(moments.is_sorted() && moments.len() >= 2, "{number} {moments:?}");
        assert!(moments[0] >= NOW.plus_ms(-90 * DAY_MS) && moments[moments.len() - 1] <= NOW);
        let report = Reports::of(&one).next_at(moments[0]).unwrap();
        let again = Reports::of(&two).next_at(moments[0]).unwrap();
        assert_eq!(serde_json::to_string(&report).unwrap(), serde_json::to_string(&again).unwrap());
    }
    let ids: BTreeSet<_> = (1..2000).map(|number| DemoDevice::new(number, NOW).id()).collect();
    assert_eq!(ids.len(), 1999);
}

store_test!(every_view_agrees_on_the_demo_fleet, |store| {
    let app = app(store, NOW);
    assert_eq!(seed(&app, COUNT).await.unwrap(), COUNT);
    assert_eq!(seed(&app, COUNT).await.unwrap(), 0, "a second start adds nothing");

    let now = all(&app, None).await;
    assert_eq!(now.len() as u64, COUNT);
    assert!(now.iter().all(|device| device.demo && device.software_count >= 250), "{now:#?}");
    let overview = overview::overview(&app, &Scope::whole()).await.unwrap();
    assert_eq!(overview.demo, COUNT);
    let titles = software::titles(&app, &Scope::whole(), &SoftwareFilter::default()).await.unwrap();
    assert!(titles.items[0].devices > 1, "images overlap");
    assert!(!changes::recent(&app, &Scope::whole(), 20).await.unwrap().is_empty());

    memory_equals_the_tables(&app, &now).await;
    the_past_is_told(&app, &now).await;
    exports_have_every_row(&app, &now).await;
    judging_again_changes_nothing(&app).await;
});

/// Building the fleet from the tables gives what the updates gave.
async fn memory_equals_the_tables(app: &App, now: &[DeviceSummary]) {
    let titles = software::titles(app, &Scope::whole(), &SoftwareFilter::default()).await.unwrap();
    let hostname = app.fleet.read().entries().next().unwrap().row.summary.hostname.clone();
    let found = search::search(app, &Scope::whole(), &hostname, 10, None).await.unwrap();
    app.store.flush().await.unwrap();
    load::load(app).await.unwrap();
    assert_eq!(all(app, None).await, now);
    assert_eq!(
        software::titles(app, &Scope::whole(), &SoftwareFilter::default()).await.unwrap(),
        titles
    );
    assert_eq!(search::search(app, &Scope::whole(), &hostname, 10, None).await.unwrap(), found);
}

async fn the_past_is_told(app: &App, now: &[DeviceSummary]) {
    assert!(all(app, Some(NOW.plus_ms(-91 * DAY_MS))).await.is_empty());
    let then = NOW.plus_ms(-20 * DAY_MS);
    let past = all(app, Some(then)).await;
    assert_eq!(past.len(), now.len());
    for summary in &past {
        let number = (1..=COUNT).find(|n| DemoDevice::new(*n, NOW).id() == summary.id).unwrap();
        let demo = DemoDevice::new(number, NOW);
        assert_eq!(summary.hostname, demo.hostname(then));
        let detail =
            device::detail(app, &Scope::whole(), summary.id, Some(then)).await.unwrap().unwrap();
        assert_eq!(detail.summary, *summary);
        let software =
            device::software(app, &Scope::whole(), summary.id, Some(then)).await.unwrap().unwrap();
        assert_eq!(software.items.len() as u64, summary.software_count);
        let expected = section::sections(&demo, &demo.state(then));
        let mut expected = expected.into_iter().filter_map(|section| match section {
            rollcall_shared::section::Section::Software(titles) => Some(titles),
            _ => None,
        });
        // Sizes and install times of titles that went since are not kept.
        let titles = |titles: Vec<rollcall_shared::section::Software>| -> BTreeSet<_> {
            titles.into_iter().map(|title| (title.name, title.version)).collect()
        };
        let (expected, found) = (titles(expected.next().unwrap()), titles(software.items));
        assert_eq!(
            expected.symmetric_difference(&found).collect::<Vec<_>>(),
            [] as [&(String, String); 0]
        );
    }
    let today = all(app, Some(NOW)).await;
    for (then, now) in today.iter().zip(now) {
        assert_eq!(
            (&then.hostname, &then.os_name, &then.model),
            (&now.hostname, &now.os_name, &now.model)
        );
        assert_eq!((then.software_count, &then.user), (now.software_count, &now.user));
        assert_eq!((then.open_findings, &then.addresses), (now.open_findings, &now.addresses));
        let page =
            device::changes(app, &Scope::whole(), now.id, None, None, 20).await.unwrap().unwrap();
        assert!(page.total >= page.items.len() as u64);
        assert!(device::people(app, &Scope::whole(), now.id).await.unwrap().is_some());
    }
}

async fn exports_have_every_row(app: &App, now: &[DeviceSummary]) {
    for as_of in [None, Some(NOW)] {
        let csv = exported(app, Kind::Devices, Format::Csv, as_of).await;
        assert_eq!(csv.lines().count(), now.len() + 1);
        assert!(csv.starts_with("device_id,hostname,class,"));
        let json = exported(app, Kind::Devices, Format::Json, as_of).await;
        assert_eq!(rows_of(&json).len(), now.len());
        let titles: u64 = now.iter().map(|device| device.software_count).sum();
        let lines = exported(app, Kind::Software, Format::JsonLines, as_of).await;
        assert_eq!(lines.lines().count() as u64, titles);
        let csv = exported(app, Kind::Findings, Format::Csv, as_of).await;
        let open: u64 = now.iter().map(|device| device.open_findings).sum();
        assert_eq!(csv.lines().count() as u64, open + 1);
    }
    let empty = exported(app, Kind::Devices, Format::Json, Some(Timestamp(0))).await;
    assert_eq!(rows_of(&empty), []);
}

/// The devices of a JSON export.
fn rows_of(json: &str) -> Vec<DeviceSummary> {
    let mut whole: serde_json::Value = serde_json::from_str(json).unwrap();
    let rows: Vec<DeviceSummary> = serde_json::from_value(whole["rows"].take()).unwrap();
    assert_eq!(whole["row_count"], rows.len());
    rows
}

async fn judging_again_changes_nothing(app: &App) {
    let filter = rollcall_shared::api::finding::FindingFilter::default();
    let before = findings::list(app, &Scope::whole(), &filter).await.unwrap();
    evaluate::sweep(app, NOW).await.unwrap();
    assert_eq!(findings::list(app, &Scope::whole(), &filter).await.unwrap(), before);
    // Two months of silence: everything in service is missing, and nothing else.
    let later = NOW.plus_ms(60 * DAY_MS);
    evaluate::sweep_silent(app, NOW, later).await.unwrap();
    let counts = findings::counts(app, &Scope::whole()).await.unwrap();
    let missing = counts.iter().find(|count| count.rule == "missing").unwrap();
    assert_eq!(missing.open, COUNT);
    let other = counts.iter().filter(|count| count.rule != "clone_suspected").count();
    assert_eq!(other, 1, "{counts:?}");
}
