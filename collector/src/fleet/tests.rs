//! The fleet answers like a scan of the same rows, after any series of updates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use rollcall_shared::api::device::DeviceSort;
use rollcall_shared::api::finding::Severity;
use rollcall_shared::api::search::MatchKind;
use rollcall_shared::api::unit::UnitFrom;
use rollcall_shared::{DeviceId, Timestamp};
use uuid::Uuid;

use super::facets::{Facets, sort_key};
use super::lookup::{Fit, Query};
use super::*;
use crate::store::device::{Membership, Summary};

fn row(key: u32, hostname: &str) -> DeviceRow {
    DeviceRow {
        key: DeviceKey(key),
        id: DeviceId(Uuid::from_u128(u128::from(key) + 1)),
        enrolled_at: Timestamp(1),
        // Names decide the rest, so that devices move between values of every column.
        pending: hostname.starts_with('b'),
        retired_at: hostname.starts_with('c').then_some(Timestamp(5)),
        demo: hostname.ends_with('a'),
        site: hostname.chars().last().map(|letter| Membership {
            unit: i64::from(u32::from(letter)),
            name: letter.to_string(),
            from: UnitFrom::Rule,
        }),
        department: None,
        token_site: None,
        token_department: None,
        asset_tag: None,
        summary: Summary {
            hostname: hostname.to_owned(),
            os_name: hostname.chars().skip(1).take(1).collect(),
            model: hostname.chars().nth(2).map(String::from),
            ..Summary::default()
        },
        last_seen_at: None,
        first_report_at: Some(Timestamp(1)),
    }
}

fn text(id: u32) -> TitleText {
    // Three versions of each name, so that groups have several members.
    TitleText {
        source: "dpkg".to_owned(),
        name: format!("package{}", id / 3),
        version: format!("1.{}", id % 3),
        ..TitleText::default()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Apply(u32, String, BTreeSet<u32>),
    Seen(u32, i64),
    Findings(u32, u64),
    Remove(u32),
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0..6_u32;
    let titles = proptest::collection::btree_set(0..30_u32, 0..12);
    prop_oneof![
        5 => (device.clone(), "[a-cÄé]{1,3}", titles).prop_map(|(d, h, t)| Step::Apply(d, h, t)),
        2 => (device.clone(), 1..100_i64).prop_map(|(d, at)| Step::Seen(d, at)),
        2 => (device.clone(), 0..3_u64).prop_map(|(d, n)| Step::Findings(d, n)),
        1 => device.prop_map(Step::Remove),
        1 => Just(Step::Reload),
    ]
}

#[derive(Debug, Clone, Default)]
struct Plain {
    hostname: String,
    past: BTreeSet<String>,
    titles: BTreeSet<u32>,
    seen: Option<i64>,
    findings: u64,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn equals_a_scan(steps in proptest::collection::vec(step(), 1..40)) {
        let fleet = Fleet::default();
        fleet.titles_added((0..30).map(|id| (id, text(id))).collect());
        let mut plain: BTreeMap<u32, Plain> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Apply(key, hostname, titles) => {
                    fleet.device_applied(row(key, &hostname), titles.iter().copied().collect());
                    let device = plain.entry(key).or_default();
                    let before = std::mem::replace(&mut device.hostname, hostname);
                    device.past.insert(before);
                    device.titles = titles;
                }
                Step::Seen(key, at) => {
                    fleet.device_seen(DeviceKey(key), Timestamp(at));
                    if let Some(device) = plain.get_mut(&key) {
                        device.seen = device.seen.max(Some(at));
                    }
                }
                Step::Findings(key, count) => {
                    let open = (0..count).map(|_| ("missing", Severity::Warning));
                    fleet.findings_changed(DeviceKey(key), OpenFindings::of(open));
                    if let Some(device) = plain.get_mut(&key) {
                        device.findings = count;
                    }
                }
                Step::Remove(key) => {
                    fleet.device_removed(DeviceKey(key));
                    plain.remove(&key);
                }
                Step::Reload => reload(&fleet, &plain),
            }
            check(&fleet, &plain)?;
        }
    }

    #[test]
    fn no_question_panics(asked in any::<String>(), value in any::<String>()) {
        let fleet = Fleet::default();
        fleet.device_applied(row(0, &value), Arc::default());
        if let Some(query) = Query::new(&asked) {
            let _ = fleet.read().entries().next().map(|entry| entry.lookup.find(&query));
        }
    }
}

/// Builds the fleet again as a start of the collector does.
fn reload(fleet: &Fleet, plain: &BTreeMap<u32, Plain>) {
    let mut loaded =
        Loaded { titles: (0..30).map(|id| (id, text(id))).collect(), ..Loaded::default() };
    for (&key, device) in plain {
        let mut row = row(key, &device.hostname);
        row.last_seen_at = device.seen.map(Timestamp);
        loaded.devices.push(row);
        let titles: Vec<u32> = device.titles.iter().copied().collect();
        loaded.sets.push((DeviceKey(key), PackedSet::of(&titles)));
        for value in device.past.iter().filter(|past| !past.is_empty()) {
            let value = SeenValue {
                kind: "hostname",
                value: value.as_str().into(),
                label: None,
                first_at: Timestamp(0),
                last_at: Timestamp(0),
            };
            loaded.seen_values.push((DeviceKey(key), value));
        }
        let open = (0..device.findings).map(|_| ("missing", Severity::Warning));
        loaded.findings.push((DeviceKey(key), OpenFindings::of(open)));
    }
    fleet.begin_loading();
    // An update that comes while the tables are read is not lost.
    for (&key, device) in plain.iter().take(1) {
        loaded.sets.retain(|(loaded, _)| loaded.0 != key);
        let titles = device.titles.iter().copied().collect();
        fleet.device_applied(row(key, &device.hostname), titles);
    }
    fleet.loaded(loaded);
}

fn check(fleet: &Fleet, plain: &BTreeMap<u32, Plain>) -> Result<(), TestCaseError> {
    let inner = fleet.read();
    prop_assert_eq!(inner.facets(), &Facets::of(inner.entries()));
    for sort in DeviceSort::ALL {
        for descending in [false, true] {
            let ordered: Vec<_> = inner.facets().ordered(*sort, descending, None).collect();
            let mut scanned: Vec<_> =
                inner.entries().map(|one| (sort_key(one, *sort), one.row.key.0)).collect();
            scanned.sort_by(|a, b| {
                let by_value = if descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
                by_value.then(a.1.cmp(&b.1))
            });
            prop_assert_eq!(ordered, scanned);
        }
    }
    let keys: Vec<u32> = inner.entries().map(|entry| entry.row.key.0).collect();
    prop_assert_eq!(keys, plain.keys().copied().collect::<Vec<_>>());
    for name in 0..10 {
        let ids = [name * 3, name * 3 + 1, name * 3 + 2];
        let expected: Vec<u32> = plain
            .iter()
            .filter(|(_, device)| ids.iter().any(|id| device.titles.contains(id)))
            .map(|(&key, _)| key)
            .collect();
        let name = format!("package{name}");
        let found: Vec<u32> = inner
            .devices_with(&inner.titles_asked(&TitleAsked {
                name: &name,
                version: None,
                below: None,
                source: None,
            }))
            .iter()
            .collect();
        prop_assert_eq!(&found, &expected);
        let group = inner.titles().named(&name).next().unwrap();
        let serves = |key: &&u32| {
            let row = &inner.entry(DeviceKey(**key)).unwrap().row;
            !row.pending && row.retired_at.is_none()
        };
        let in_service = expected.iter().filter(serves).count() as u64;
        prop_assert_eq!(inner.group_count(group), in_service);
        prop_assert_eq!(inner.group_count(group), inner.title_count(&group.ids));
        let one: Vec<u32> = inner
            .devices_with(&inner.titles_asked(&TitleAsked {
                name: &name,
                version: Some("1.1"),
                below: None,
                source: None,
            }))
            .iter()
            .collect();
        let expected = plain.iter().filter(|(_, device)| device.titles.contains(&ids[1]));
        prop_assert_eq!(one, expected.map(|(&key, _)| key).collect::<Vec<_>>());
    }
    for asked in ["a", "B", "ab", "ä", "É"] {
        let query = Query::new(asked).unwrap();
        let lower = asked.to_lowercase();
        let found = |entry: &Entry| entry.lookup.find(&query).is_some();
        let all: Vec<DeviceKey> = inner.entries().filter(|e| found(e)).map(|e| e.row.key).collect();
        let quick = inner.candidates(&query).filter(|e| found(e)).map(|e| e.row.key);
        prop_assert_eq!(quick.collect::<Vec<_>>(), all);
        for (&key, device) in plain {
            let entry = inner.entry(DeviceKey(key)).unwrap();
            let found = entry.lookup.find(&query);
            let found = found.filter(|found| found.kind == MatchKind::Hostname);
            let now = device.hostname.to_lowercase().contains(&lower);
            let past = device.past.iter().any(|past| past.to_lowercase().contains(&lower));
            // The id holds the letters a to f as well, so only host names are compared.
            if found.is_some() {
                prop_assert!(now || past);
            }
            if device.hostname.to_lowercase() == lower {
                let found = found.unwrap();
                prop_assert_eq!((found.fit, found.past), (Fit::Whole, false));
            }
        }
    }
    for (&key, device) in plain {
        let entry = inner.entry(DeviceKey(key)).unwrap();
        prop_assert_eq!(entry.findings.count(), device.findings);
        prop_assert_eq!(entry.row.last_seen_at, device.seen.map(Timestamp));
        prop_assert_eq!(&entry.row.summary.hostname, &device.hostname);
    }
    Ok(())
}

#[test]
fn finds_in_every_spelling() {
    let mut device = row(7, "LT-0042");
    device.summary.user = Some("EXAMPLE\\anna".to_owned());
    device.summary.user_full_name = Some("Anna Müller".to_owned());
    device.summary.serial = Some("PF3A1B2C".to_owned());
    device.summary.macs = vec!["8c:8c:aa:12:34:56".to_owned()];
    device.summary.addresses = vec!["10.1.2.3".to_owned()];
    device.summary.manufacturer = Some("LENOVO".to_owned());
    device.summary.model = Some("ThinkPad T14 Gen 3".to_owned());
    device.asset_tag = Some("A-10042".to_owned());
    let fleet = Fleet::default();
    fleet.device_applied(row(7, "OLD-NAME"), Arc::default());
    fleet.device_applied(device, Arc::default());
    let inner = fleet.read();
    let find = |asked: &str| {
        let found = inner.entries().next()?.lookup.find(&Query::new(asked)?)?;
        Some((found.kind, found.fit, found.past))
    };
    for spelling in [
        "8c:8c:aa:12:34:56",
        "8C-8C-AA-12-34-56",
        "8c8c.aa12.3456",
        "8C8CAA123456",
        "8c 8c aa 12 34 56",
    ] {
        assert_eq!(find(spelling), Some((MatchKind::Mac, Fit::Whole, false)), "{spelling}");
    }
    assert_eq!(find("12:34:56"), Some((MatchKind::Mac, Fit::Inside, false)));
    assert_eq!(find("lt-0042"), Some((MatchKind::Hostname, Fit::Whole, false)));
    assert_eq!(find("lt"), Some((MatchKind::Hostname, Fit::Beginning, false)));
    assert_eq!(find("anna@example.org"), Some((MatchKind::User, Fit::Beginning, false)));
    assert_eq!(find("MÜLL"), Some((MatchKind::User, Fit::WordBeginning, false)));
    assert_eq!(find("pf3a1b2c"), Some((MatchKind::Serial, Fit::Whole, false)));
    assert_eq!(find("10.1.2"), Some((MatchKind::Ip, Fit::Beginning, false)));
    assert_eq!(find("a-10042"), Some((MatchKind::AssetTag, Fit::Whole, false)));
    assert_eq!(find("thinkpad t14"), Some((MatchKind::Model, Fit::Beginning, false)));
    assert_eq!(find("anna thinkpad").map(|found| found.1), Some(Fit::Scattered));
    assert_eq!(find("old-name"), Some((MatchKind::Hostname, Fit::Whole, true)));
    assert_eq!(find("anna powerbook"), None);
    assert_eq!(find("  "), None);
}
