//! Lists, facets, search and titles over a small fleet in memory.

use std::sync::Arc;

use rollcall_shared::api::device::{DeviceClass, DeviceFilter, DeviceSort, Presence};
use rollcall_shared::api::finding::Severity;
use rollcall_shared::api::search::MatchKind;
use rollcall_shared::api::software::SoftwareFilter;
use rollcall_shared::api::unit::UnitFrom;
use rollcall_shared::time::{DAY_MS, HOUR_MS};
use rollcall_shared::{DeviceId, Timestamp};
use uuid::Uuid;

use super::*;
use crate::app::{App, Inner};
use crate::clock::Clock;
use crate::domain::Scope;
use crate::fleet::{Fleet, OpenFindings, TitleText};
use crate::store::device::{DeviceKey, DeviceRow, Membership, Summary};
use crate::store::{Store, testing};

const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// An app over this store whose clock stands still.
pub(crate) fn app(store: Store, now: Timestamp) -> App {
    App::new(Inner {
        store,
        fleet: Fleet::default(),
        clock: Clock::test(now),
        public_url: "https://127.0.0.1:8443".to_owned(),
        ca_digest: None,
        guard: crate::http::Guard::default(),
        past_being_told: Arc::default(),
    })
}

fn row(key: u32, hostname: &str, os_name: &str) -> DeviceRow {
    DeviceRow {
        key: DeviceKey(key),
        id: DeviceId(Uuid::from_u128(u128::from(key) + 1)),
        enrolled_at: NOW.plus_ms(-90 * DAY_MS),
        pending: false,
        retired_at: None,
        demo: false,
        site: Some(Membership {
            unit: if key.is_multiple_of(2) { 1 } else { 2 },
            name: if key.is_multiple_of(2) { "Berlin" } else { "Lyon" }.to_owned(),
            from: UnitFrom::Token,
        }),
        department: None,
        token_site: None,
        token_department: None,
        asset_tag: None,
        summary: Summary {
            hostname: hostname.to_owned(),
            class: Some(DeviceClass::Laptop),
            os_name: os_name.to_owned(),
            model: Some(format!("Model {}", key % 3)),
            ..Summary::default()
        },
        last_seen_at: Some(NOW.plus_ms(-HOUR_MS * i64::from(key))),
        first_report_at: Some(NOW.plus_ms(-80 * DAY_MS)),
    }
}

/// 40 devices; every 10th is long gone; titles 0 to 2 are versions of one package.
async fn fleet(folder: &std::path::Path) -> App {
    let app = app(testing::sqlite(folder).await, NOW);
    let title = |version: &str| TitleText {
        source: "dpkg".to_owned(),
        name: "openssl".to_owned(),
        version: version.to_owned(),
        architecture: "amd64".to_owned(),
        publisher: "Debian".to_owned(),
    };
    let other = TitleText { name: "bash".to_owned(), ..title("5.2") };
    app.fleet.titles_added(vec![
        (0, title("3.0.9-1")),
        (1, title("3.0.10-1")),
        (2, title("3.0.2-1")),
        (3, other),
    ]);
    for key in 0..40 {
        let os = if key < 30 { "Debian GNU/Linux 12" } else { "Ubuntu 24.04" };
        let mut row = row(key, &format!("lt-{:04}", 39 - key), os);
        if key.is_multiple_of(10) {
            row.last_seen_at = Some(NOW.plus_ms(-30 * DAY_MS));
        }
        let titles: Arc<[u32]> = Arc::from([key % 3, 3]);
        app.fleet.device_applied(row, titles);
    }
    let open = OpenFindings::of([("missing", Severity::Warning), ("clock_wrong", Severity::Info)]);
    app.fleet.findings_changed(DeviceKey(10), open);
    let open = OpenFindings::of([("missing", Severity::Warning), ("missing", Severity::Critical)]);
    app.fleet.findings_changed(DeviceKey(20), open);
    app
}

async fn all(app: &App, filter: &DeviceFilter) -> Vec<String> {
    let mut filter = DeviceFilter { limit: Some(7), ..filter.clone() };
    let mut names = Vec::new();
    loop {
        let page = devices::list(app, &Scope::whole(), &filter).await.unwrap();
        names.extend(page.items.into_iter().map(|device| device.hostname));
        filter.cursor = page.next_cursor;
        if filter.cursor.is_none() {
            assert_eq!(names.len() as u64, page.total);
            return names;
        }
    }
}

#[tokio::test]
async fn pages_show_every_device_once_in_every_order() {
    let folder = tempfile::tempdir().unwrap();
    let app = fleet(folder.path()).await;
    for sort in DeviceSort::ALL {
        for descending in [false, true] {
            let filter = DeviceFilter { sort: Some(*sort), descending, ..DeviceFilter::default() };
            let mut names = all(&app, &filter).await;
            if *sort == DeviceSort::Hostname {
                let first = if descending { "lt-0039" } else { "lt-0000" };
                assert_eq!(names[0], first);
            }
            names.sort();
            names.dedup();
            assert_eq!(names.len(), 40, "{sort:?} {descending}");
        }
    }
}

#[tokio::test]
async fn every_filter_narrows_and_facets_count_what_lists_show() {
    let folder = tempfile::tempdir().unwrap();
    let app = fleet(folder.path()).await;
    let facets = devices::facets(&app, &Scope::whole(), &DeviceFilter::default()).await.unwrap();
    let expected = [("Debian GNU/Linux 12".to_owned(), 30), ("Ubuntu 24.04".to_owned(), 10)];
    assert_eq!(facets.os, expected);
    assert_eq!(facets.rule, [("missing".to_owned(), 2), ("clock_wrong".to_owned(), 1)]);
    let count = async |filter: DeviceFilter| all(&app, &filter).await.len() as u64;
    let none = DeviceFilter::default;
    for (os, expected) in &facets.os {
        assert_eq!(count(DeviceFilter { os: Some(os.clone()), ..none() }).await, *expected);
    }
    for (model, expected) in &facets.model {
        assert_eq!(count(DeviceFilter { model: Some(model.clone()), ..none() }).await, *expected);
    }
    for (site, expected) in &facets.site {
        assert_eq!(count(DeviceFilter { site: Some(site.clone()), ..none() }).await, *expected);
    }
    for (word, expected) in &facets.presence {
        let presence = Presence::from_word(word);
        assert_eq!(count(DeviceFilter { presence, ..none() }).await, *expected);
    }
    for (rule, expected) in &facets.rule {
        assert_eq!(count(DeviceFilter { rule: Some(rule.clone()), ..none() }).await, *expected);
    }
    let severity = Some(Severity::Critical);
    assert_eq!(count(DeviceFilter { severity, ..none() }).await, 1);
    assert_eq!(count(DeviceFilter { q: Some("LT-000".into()), ..none() }).await, 10);
    let software = Some("openssl".to_owned());
    let version = Some("3.0.9-1".to_owned());
    assert_eq!(count(DeviceFilter { software: software.clone(), ..none() }).await, 40);
    let filter = DeviceFilter { software, software_version: version, ..none() };
    assert_eq!(count(filter.clone()).await, 14);
    let elsewhere = Some("no-such-source".to_owned());
    assert_eq!(count(DeviceFilter { software_source: elsewhere, ..filter }).await, 0);
}

#[tokio::test]
async fn wrong_questions_are_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let app = fleet(folder.path()).await;
    let field =
        async |filter: DeviceFilter| match devices::list(&app, &Scope::whole(), &filter).await {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        };
    let none = DeviceFilter::default;
    assert_eq!(field(DeviceFilter { limit: Some(501), ..none() }).await, "limit");
    assert_eq!(field(DeviceFilter { cursor: Some("x".into()), ..none() }).await, "cursor");
    let version = Some("1".to_owned());
    let filter = DeviceFilter { software_version: version, ..none() };
    assert_eq!(field(filter).await, "software_version");
    // A cursor of one order is none of another.
    let page = devices::list(&app, &Scope::whole(), &DeviceFilter { limit: Some(5), ..none() })
        .await
        .unwrap();
    let filter =
        DeviceFilter { cursor: page.next_cursor, sort: Some(DeviceSort::LastSeen), ..none() };
    assert_eq!(field(filter).await, "cursor");
}

#[tokio::test]
async fn titles_are_counted_and_versions_sorted() {
    let folder = tempfile::tempdir().unwrap();
    let app = fleet(folder.path()).await;
    let page = software::titles(&app, &Scope::whole(), &SoftwareFilter::default()).await.unwrap();
    let names: Vec<_> = page.items.iter().map(|t| (t.name.as_str(), t.versions)).collect();
    assert_eq!(names, [("bash", 1), ("openssl", 3)]);
    let filter = SoftwareFilter { q: Some("DEBIAN ssl".into()), ..SoftwareFilter::default() };
    assert_eq!(software::titles(&app, &Scope::whole(), &filter).await.unwrap().total, 1);
    let filter = SoftwareFilter { limit: Some(1), ..SoftwareFilter::default() };
    let first = software::titles(&app, &Scope::whole(), &filter).await.unwrap();
    let filter = SoftwareFilter { cursor: first.next_cursor, ..filter };
    let second = software::titles(&app, &Scope::whole(), &filter).await.unwrap();
    assert_eq!((second.items[0].name.as_str(), second.next_cursor), ("openssl", None));
    let detail = software::detail(&app, &Scope::whole(), "dpkg", "openssl").await.unwrap().unwrap();
    let versions: Vec<_> =
        detail.versions.iter().map(|v| (v.version.as_str(), v.devices)).collect();
    assert_eq!(versions, [("3.0.10-1", 13), ("3.0.9-1", 14), ("3.0.2-1", 13)]);
    assert_eq!((detail.devices, detail.publisher.as_deref()), (40, Some("Debian")));
    assert!(software::detail(&app, &Scope::whole(), "rpm", "openssl").await.unwrap().is_none());
}

#[tokio::test]
async fn the_best_answer_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let app = fleet(folder.path()).await;
    let answer = search::search(&app, &Scope::whole(), "lt-0003", 5, None).await.unwrap();
    assert_eq!((answer.total, answer.hits[0].device.hostname.as_str()), (1, "lt-0003"));
    assert_eq!((answer.hits[0].matched, answer.hits[0].past), (MatchKind::Hostname, false));
    let mut renamed = row(0, "nb-new", "Debian GNU/Linux 12");
    renamed.summary.macs = vec!["8c:8c:aa:12:34:56".to_owned()];
    app.fleet.device_applied(renamed, Arc::default());
    let answer = search::search(&app, &Scope::whole(), "lt-0039", 5, None).await.unwrap();
    assert!(answer.hits[0].past);
    assert_eq!(answer.hits[0].device.hostname, "nb-new");
    assert_eq!(search::search(&app, &Scope::whole(), "AA-12-34", 5, None).await.unwrap().total, 1);
    let answer = search::search(&app, &Scope::whole(), "lt", 5, None).await.unwrap();
    assert_eq!((answer.total, answer.hits.len()), (40, 5));
    assert_eq!(search::search(&app, &Scope::whole(), " ", 5, None).await.unwrap().total, 0);
    assert!(search::search(&app, &Scope::whole(), &"x".repeat(300), 5, None).await.is_err());
}

#[tokio::test]
async fn the_overview_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let app = fleet(folder.path()).await;
    let found = overview::overview(&app, &Scope::whole()).await.unwrap();
    assert_eq!(found.devices, 40);
    assert_eq!(found.fresh + found.stale + found.missing, 40);
    assert_eq!((found.missing, found.titles), (4, 2));
    // One missing device of every ten lies outside of the last 24 hours, as do late ones.
    assert_eq!(found.seen_by_hour.iter().sum::<u64>(), 21);
    let rules: Vec<_> = found.rules.iter().map(|r| (r.rule.as_str(), r.severity, r.open)).collect();
    let expected = [("missing", Severity::Critical, 2), ("clock_wrong", Severity::Info, 1)];
    assert_eq!(rules, expected);
}

#[tokio::test]
async fn below_a_version_is_what_its_source_calls_below() {
    let folder = tempfile::tempdir().unwrap();
    let app = fleet(folder.path()).await;
    let below = |version: &str, source: Option<&str>| DeviceFilter {
        software: Some("openssl".into()),
        software_below: Some(version.into()),
        software_source: source.map(str::to_owned),
        ..DeviceFilter::default()
    };
    // 3.0.2 on 13 devices, 3.0.9 on 14, 3.0.10 on 13.
    assert_eq!(all(&app, &below("3.0.9-1", None)).await.len(), 13);
    assert_eq!(all(&app, &below("3.0.10-1", None)).await.len(), 27);
    assert_eq!(all(&app, &below("3.0.10-1~rc1", Some("dpkg"))).await.len(), 27);
    assert_eq!(all(&app, &below("9", Some("rpm"))).await.len(), 0);
    let alone = DeviceFilter { software_below: Some("1".into()), ..DeviceFilter::default() };
    let both = DeviceFilter { software_version: Some("1".into()), ..below("2", None) };
    for wrong in [alone, both] {
        let refused = devices::list(&app, &Scope::whole(), &wrong).await;
        assert!(
            matches!(refused, Err(Error::Invalid { field: "software_below", .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn bitmaps_find_what_a_scan_finds() {
    let folder = tempfile::tempdir().unwrap();
    let app = fleet(folder.path()).await;
    let mut retired = app.fleet.read().entry(DeviceKey(7)).unwrap().row.clone();
    retired.retired_at = Some(NOW);
    app.fleet.row_changed(&retired);
    let mut waiting = app.fleet.read().entry(DeviceKey(8)).unwrap().row.clone();
    waiting.pending = true;
    waiting.summary.class = Some(DeviceClass::Server);
    app.fleet.row_changed(&waiting);
    let text = |text: &str| Some(text.to_owned());
    let none = DeviceFilter::default;
    let ones = [
        none(),
        DeviceFilter { in_service: true, ..none() },
        DeviceFilter { os: text("Ubuntu 24.04"), ..none() },
        DeviceFilter { os: text(""), ..none() },
        DeviceFilter { model: text("Model 1"), ..none() },
        DeviceFilter { site: text("Lyon"), ..none() },
        DeviceFilter { department: text("IT"), ..none() },
        DeviceFilter { class: Some(DeviceClass::Server), ..none() },
        DeviceFilter { rule: text("missing"), ..none() },
        DeviceFilter { severity: Some(Severity::Critical), ..none() },
        DeviceFilter { q: text("lt-003"), ..none() },
        DeviceFilter { software: text("openssl"), ..none() },
        DeviceFilter { software: text("openssl"), software_below: text("3.0.9"), ..none() },
        DeviceFilter { presence: Some(Presence::Missing), ..none() },
        DeviceFilter { presence: Some(Presence::Stale), ..none() },
        DeviceFilter { presence: Some(Presence::Fresh), ..none() },
        DeviceFilter { presence: Some(Presence::Pending), ..none() },
        DeviceFilter { presence: Some(Presence::Retired), ..none() },
    ];
    let scopes = [
        Scope::whole(),
        Scope::of(Some([1].into()), None),
        Scope::of(Some([1, 2].into()), Some([].into())),
    ];
    let mut found = 0;
    for one in &ones {
        for other in &ones {
            let both = DeviceFilter {
                os: one.os.clone().or_else(|| other.os.clone()),
                model: one.model.clone().or_else(|| other.model.clone()),
                site: one.site.clone().or_else(|| other.site.clone()),
                class: one.class.or(other.class),
                rule: one.rule.clone().or_else(|| other.rule.clone()),
                severity: one.severity.or(other.severity),
                presence: one.presence.or(other.presence),
                q: one.q.clone().or_else(|| other.q.clone()),
                in_service: one.in_service || other.in_service,
                ..one.clone()
            };
            for scope in &scopes {
                let scanned = devices::scanned(&app, scope, &both).unwrap();
                let page = devices::list(&app, scope, &both).await.unwrap();
                assert_eq!(page.total, scanned.len() as u64, "{both:?} {scope:?}");
                let facets = devices::facets(&app, scope, &both).await.unwrap();
                let sum: u64 = facets.presence.iter().map(|(_, count)| count).sum();
                assert_eq!(sum, page.total, "{both:?} {scope:?}");
                found += page.total;
            }
        }
    }
    assert!(found > 1_500);
}

#[tokio::test]
async fn a_page_of_changes_reads_the_history_once() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(testing::sqlite(folder.path()).await, NOW);
    crate::demo::seed(&app, 4).await.unwrap();
    let (mut pages, mut items) = (0, 0);
    let ids: Vec<DeviceId> = app.fleet.read().entries().map(|entry| entry.row.id).collect();
    for id in ids {
        let mut cursor = None;
        loop {
            let before = app.store.reads();
            let page = device::changes(&app, &Scope::whole(), id, None, cursor.as_deref(), 5)
                .await
                .unwrap();
            // The documents, the moments, and the two kinds of rows between them.
            assert!(app.store.reads() - before <= 4);
            let page = page.unwrap();
            pages += 1;
            items += page.items.len();
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    assert!(pages > 4 && items > 20);
    // The first page of all reads three times a report, however long its device's history is.
    let before = app.store.reads();
    let found = changes::of_newest_reports(&app, &Scope::whole(), 6).await.unwrap();
    assert!(!found.is_empty() && app.store.reads() - before <= 18);
}

mod new_titles {
    use rollcall_shared::report::limits;
    use rollcall_shared::section::{Section, Software};

    use super::*;
    use crate::ingest;
    use crate::job::evaluate::tests::{START, check_in, enrolled};
    use crate::store::testing::store_test;

    fn titles(count: u32) -> Vec<Section> {
        let title = |number: u32| Software {
            source: "dpkg".into(),
            name: format!("odd-{number}"),
            version: "1".into(),
            ..Software::default()
        };
        vec![Section::Software((0..count).map(title).collect())]
    }

    store_test!(what_a_device_invents_is_held_back_and_said, |store| {
        let app = app(store, START);
        let device = enrolled(&app, 1).await;
        let id = app.fleet.read().entry(device).unwrap().row.id;
        let most = limits::NEW_TITLES_A_DAY;
        assert!(most >= 5_000, "the first computer of a fleet passes");
        let many = titles(most + 70);
        let send = async |seq, hours: i64, bodies: bool| {
            let at = START.plus_ms(hours * HOUR_MS);
            let mut report = check_in(device, seq, at, &many);
            if !bodies {
                report.sections.values_mut().for_each(|state| state.body = None);
            }
            let then = app.with_clock(Clock::test(at));
            ingest::check_in(&then, device, report).await.unwrap()
        };
        assert!(send(1, 0, true).await.stored);
        let count = async || {
            let found = device::software(&app, &Scope::whole(), id, None).await.unwrap().unwrap();
            u32::try_from(found.items.len()).unwrap()
        };
        assert_eq!(count().await, most);
        let detail = device::detail(&app, &Scope::whole(), id, None).await.unwrap().unwrap();
        let note = detail.sections["software"].notes[0].detail.clone().unwrap();
        assert!(note.starts_with("70 titles are held back"), "{note}");
        // Its next check-in is asked for the list, and brings no more on that day.
        let asked = send(2, 1, false).await;
        assert_eq!((asked.stored, asked.want), (false, vec!["software".to_owned()]));
        assert!(send(2, 1, true).await.stored);
        assert_eq!(count().await, most);
        assert_eq!(crate::doctor::examine(&app).await.unwrap().differences, []);
        // The day after all of it is there, and an unchanged check-in is one again.
        assert_eq!(send(3, 25, false).await.want, ["software"]);
        assert!(send(3, 25, true).await.stored);
        assert_eq!(count().await, most + 70);
        let detail = device::detail(&app, &Scope::whole(), id, None).await.unwrap().unwrap();
        assert!(!detail.sections.contains_key("software"), "nothing is held back");
        assert!(send(4, 26, false).await.want.is_empty());
    });
}

/// Times the lists over a synthetic fleet in memory and a table of findings; run it by hand with
/// `--ignored`, optimised: `ROLLCALL_MEASURE=100000`.
#[tokio::test]
#[ignore = "measures; run it by hand, optimised"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn measure() {
    use std::time::Instant;

    use crate::codec::ids::PackedSet;
    use crate::fleet::Loaded;
    use rollcall_shared::api::finding::FindingFilter;

    let count: u32 =
        std::env::var("ROLLCALL_MEASURE").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let folder = tempfile::tempdir().unwrap();
    let app = app(testing::sqlite(folder.path()).await, NOW);
    let mut loaded = Loaded::default();
    for id in 0..62_000 {
        let text = TitleText {
            source: "dpkg".to_owned(),
            name: format!("package-{}", id / 4),
            version: format!("1.{}", id % 4),
            ..TitleText::default()
        };
        loaded.titles.push((id, text));
    }
    for key in 0..count {
        let name = format!("lt-{:06}", key.wrapping_mul(2_654_435_761) % 1_000_000);
        let mut one =
            row(key, &name, ["Debian 12", "Ubuntu 24.04", "Windows 11"][key as usize % 3]);
        one.last_seen_at = Some(NOW.plus_ms(-i64::from(key % 5_000) * 60_000));
        one.summary.macs = vec![format!("8c:8c:aa:00:{:02x}:{:02x}", key >> 8 & 255, key & 255)];
        one.summary.addresses = vec![format!("10.{}.{}.{}", key >> 16, key >> 8 & 255, key & 255)];
        one.summary.user = Some(format!("user{:05}", key % 70_000));
        loaded.devices.push(one);
        let set: Vec<u32> = (0..1_500).map(|at| at * 40 + key.wrapping_mul(at + 7) % 40).collect();
        loaded.sets.push((DeviceKey(key), PackedSet::of(&set)));
        let open =
            OpenFindings::of([("missing", Severity::Warning), ("reboot_pending", Severity::Info)]);
        loaded.findings.push((DeviceKey(key), open));
    }
    app.store.fill_findings(count).await;
    let begun = Instant::now();
    app.fleet.loaded(loaded);
    eprintln!("{count} devices: built in {:?}", begun.elapsed());
    macro_rules! time {
        ($what:expr, $body:expr) => {{
            let mut times = Vec::new();
            for _ in 0..60 {
                let begun = Instant::now();
                $body;
                times.push(begun.elapsed());
            }
            times.sort();
            eprintln!("{:<40} p50 {:>10.2?}  p99 {:>10.2?}", $what, times[30], times[59]);
        }};
    }
    let none = DeviceFilter::default;
    time!("devices", devices::list(&app, &Scope::whole(), &none()).await.unwrap());
    let filter = DeviceFilter { os: Some("Debian 12".to_owned()), in_service: true, ..none() };
    time!("devices of one system", devices::list(&app, &Scope::whole(), &filter).await.unwrap());
    let filter = DeviceFilter { presence: Some(Presence::Stale), ..none() };
    time!("stale devices", devices::list(&app, &Scope::whole(), &filter).await.unwrap());
    let filter = DeviceFilter { sort: Some(DeviceSort::LastSeen), descending: true, ..none() };
    time!("devices by last check-in", devices::list(&app, &Scope::whole(), &filter).await.unwrap());
    let filter = DeviceFilter { q: Some("user04".to_owned()), ..none() };
    time!("devices by words", devices::list(&app, &Scope::whole(), &filter).await.unwrap());
    time!("facets", devices::facets(&app, &Scope::whole(), &none()).await.unwrap());
    time!("overview", overview::overview(&app, &Scope::whole()).await.unwrap());
    time!(
        "software",
        software::titles(&app, &Scope::whole(), &SoftwareFilter::default()).await.unwrap()
    );
    let none = FindingFilter::default;
    time!("findings", findings::list(&app, &Scope::whole(), &none()).await.unwrap());
    let filter = FindingFilter { rule: Some("missing".to_owned()), ..none() };
    time!("findings of a rule", findings::list(&app, &Scope::whole(), &filter).await.unwrap());
    let filter = FindingFilter { severity: Some(Severity::Info), ..none() };
    time!("findings of a severity", findings::list(&app, &Scope::whole(), &filter).await.unwrap());
    let first = findings::list(&app, &Scope::whole(), &none()).await.unwrap();
    let filter = FindingFilter { cursor: first.next_cursor, ..none() };
    time!("findings, second page", findings::list(&app, &Scope::whole(), &filter).await.unwrap());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"))
    {
        eprintln!("{line}");
    }
}
