//! What exports and lists tell of a past moment.

use rollcall_shared::api::device::DeviceFilter;
use rollcall_shared::section::{Section, Software};
use rollcall_shared::time::DAY_MS;

use super::*;
use crate::domain::Scope;
use crate::job::evaluate::sweep;
use crate::job::evaluate::tests::{START, enrolled, report, system};
use crate::store::testing::store_test;
use crate::view::devices;
use crate::view::tests::app;

fn title(version: &str) -> Section {
    Section::Software(vec![Software {
        source: "dpkg".into(),
        name: "openssl".into(),
        version: version.into(),
        ..Software::default()
    }])
}

async fn text(app: &App, kind: Kind, at: Timestamp) -> Vec<String> {
    let mut rows = rows(app, &Scope::whole(), kind, Format::Csv, Profile::Raw, Some(at), None);
    let mut bytes = Vec::new();
    while let Some(chunk) = rows.next().await {
        bytes.extend(chunk.unwrap());
    }
    String::from_utf8(bytes).unwrap().lines().skip(1).map(str::to_owned).collect()
}

store_test!(the_past_has_the_names_of_then, |store| {
    let app = app(store, START.plus_ms(20 * DAY_MS));
    let (renamed, silent) = (enrolled(&app, 1).await, enrolled(&app, 2).await);
    let day = |days: i64| START.plus_ms(days * DAY_MS);
    report(&app, renamed, 1, day(0), &[system("old-name"), title("3.0.9-1")]).await;
    report(&app, silent, 1, day(0), &[system("silent"), title("3.0.10-1")]).await;
    sweep(&app, day(8)).await.unwrap();
    report(&app, renamed, 2, day(10), &[system("new-name"), title("3.0.11-1")]).await;
    sweep(&app, day(12)).await.unwrap();

    for (row, name) in text(&app, Kind::Findings, day(9)).await.iter().zip(["old-name", "silent"]) {
        assert!(row.contains(name) && row.contains("missing"), "{row}");
    }
    let software = text(&app, Kind::Software, day(9)).await;
    assert!(software[0].contains(",old-name,missing,dpkg,openssl,3.0.9-1,"), "{software:?}");
    assert_eq!(software.len(), 2);
    let software = text(&app, Kind::Software, day(11)).await;
    assert!(software[0].contains(",new-name,fresh,dpkg,openssl,3.0.11-1,"), "{software:?}");

    let asked = |below: &str| DeviceFilter {
        as_of: Some(day(9)),
        software: Some("openssl".into()),
        software_below: Some(below.into()),
        ..DeviceFilter::default()
    };
    let found = devices::list(&app, &Scope::whole(), &asked("3.0.10-1")).await.unwrap();
    let names: Vec<&str> = found.items.iter().map(|one| one.hostname.as_str()).collect();
    assert_eq!((names, found.total), (vec!["old-name"], 1));
    assert_eq!(found.items[0].last_seen_at, None, "it was seen since; when before is not kept");
    let facets = devices::facets(&app, &Scope::whole(), &asked("3.0.11-1")).await.unwrap();
    assert_eq!(facets.presence, [("missing".to_owned(), 2)]);
    // Page by page, and known where nothing came since.
    let mut filter = DeviceFilter { limit: Some(1), ..asked("9") };
    let first = devices::list(&app, &Scope::whole(), &filter).await.unwrap();
    filter.cursor = first.next_cursor;
    let second = devices::list(&app, &Scope::whole(), &filter).await.unwrap();
    assert_eq!((second.items[0].hostname.as_str(), second.total), ("silent", 2));
    assert_eq!(second.items[0].last_seen_at, Some(day(0)));
    assert_eq!(second.next_cursor, None);
});
