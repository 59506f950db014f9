//! Looks whether the collector is well: its memory against its tables, and what people should know
//! before it becomes a problem.

use rollcall_shared::Timestamp;
use rollcall_shared::section::System;
use rollcall_shared::time::DAY_MS;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::fleet::Inner;
use crate::fleet::compare::Drift;
use crate::job::load;
use crate::store;
use crate::store::drift::LAST_BACKUP;
use crate::store::history::Past;
use crate::store::webhook::WebhookRow;

/// Differences that are told; more of them only count.
const TOLD: usize = 100;
/// How often memory is looked at again before a difference is believed: reports go on meanwhile.
const LOOKS: usize = 3;
/// Days after which a backup is old.
const BACKUP_DAYS: i64 = 7;
/// Free space below which it is told.
const DISK_PERCENT: u64 = 10;

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Ok,
    /// Somebody should see to it.
    Warning,
    /// It is wrong.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How well it is.
    pub health: Health,
    /// What was seen.
    pub says: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// One place where memory says something else than the tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Difference {
    /// The structure in memory.
    pub structure: String,
    /// What it is about.
    pub subject: String,
    /// What memory says.
    pub memory: String,
    /// What the tables say.
    pub tables: String,
}

/// What the doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Diagnosis {
    /// The worst of the checks.
    pub health: Health,
    /// Each thing that was looked at.
    pub checks: Vec<Check>,
    /// Where memory has drifted from the tables, the first 100.
    pub differences: Vec<Difference>,
    /// How many places there are.
    pub difference_count: u64,
}

/// Looks at everything; changes nothing.
pub async fn examine(app: &App) -> Result<Diagnosis, store::Error> {
    let drifts = drifts(app).await?;
    let mut checks = vec![memory_check(&drifts)];
    checks.extend(surroundings(app).await?);
    let health = checks.iter().map(|check| check.health).max().unwrap_or(Health::Ok);
    let differences = drifts.iter().take(TOLD).map(|drift| Difference {
        structure: drift.structure.to_owned(),
        subject: drift.subject.clone(),
        memory: drift.memory.clone(),
        tables: drift.tables.clone(),
    });
    Ok(Diagnosis {
        health,
        differences: differences.collect(),
        difference_count: drifts.len() as u64,
        checks,
    })
}

/// Builds everything in memory anew from the tables.
pub async fn rebuild(app: &App) -> Result<(), store::Error> {
    app.store.mend_memory().await?;
    load::load(app).await
}

/// What differs each time it is looked at.
async fn drifts(app: &App) -> Result<Vec<Drift>, store::Error> {
    app.fleet.ready().await;
    let mut known = look(app).await?;
    for _ in 1..LOOKS {
        if known.is_empty() {
            break;
        }
        // A report that was stored between two reads is no drift: it is gone at the next look.
        let again = look(app).await?;
        known.retain(|drift| again.contains(drift));
    }
    Ok(known)
}

async fn look(app: &App) -> Result<Vec<Drift>, store::Error> {
    let mut found = app.store.memory_drift().await?;
    let tables = Inner::of_tables(load::read(app).await?);
    // Titles are told to the fleet when somebody asks.
    let texts = app.store.set_titles(app.fleet.read().unknown_titles());
    app.fleet.titles_added(texts.iter().map(load::title).collect());
    found.extend(app.fleet.read().differences(&tables));
    found.sort();
    Ok(found)
}

fn memory_check(drifts: &[Drift]) -> Check {
    let name = "memory".to_owned();
    if drifts.is_empty() {
        let says = "it says what the tables say".to_owned();
        return Check { name, health: Health::Ok, says, mend: None };
    }
    let mut structures: Vec<&str> = drifts.iter().map(|drift| drift.structure).collect();
    structures.dedup();
    Check {
        name,
        health: Health::Wrong,
        says: format!(
            "it differs from the tables in {} places: {}",
            drifts.len(),
            structures.join(", ")
        ),
        mend: Some(
            "Build it anew with POST /api/v1/doctor/rebuild, or start the collector again; the \
             tables are not touched. Keep this answer: it shows what went wrong."
                .to_owned(),
        ),
    }
}

/// Whether what the tables keep beside each other agrees: what lists show of a device is derived
/// from its sections and its set.
pub async fn derived(app: &App) -> Result<Check, store::Error> {
    let mut wrong = Vec::new();
    let keys = app.fleet.read().keys();
    for key in keys {
        let Some(row) = app.fleet.read().entry(key).map(|entry| entry.row.clone()) else {
            continue;
        };
        let titles = app.fleet.read().entry(key).map_or(0, |entry| entry.titles().len() as u64);
        let subject = format!("{} ({})", row.summary.hostname, row.id);
        if titles != row.summary.software_count {
            let said = row.summary.software_count;
            wrong.push(format!("{subject} has {titles} titles, its row says {said}"));
        }
        let Past::Known(sections) = app.store.sections(key, None).await? else { continue };
        let system = sections.get("system").and_then(|section| section.json.as_deref());
        let system: Option<System> = system.and_then(|text| serde_json::from_str(text).ok());
        if let Some(system) = system.filter(|system| system.hostname != row.summary.hostname) {
            wrong.push(format!("{subject} calls itself {}", system.hostname));
        }
    }
    let health = if wrong.is_empty() { Health::Ok } else { Health::Wrong };
    wrong.truncate(20);
    let says = if wrong.is_empty() {
        "what lists show agrees with what devices said".to_owned()
    } else {
        wrong.join("; ")
    };
    let mend =
        "The next report of such a device writes its row anew; if it stays, restore a backup.";
    let mend = (health != Health::Ok).then(|| mend.to_owned());
    Ok(Check { name: "rows".to_owned(), health, says, mend })
}

/// How long the certificate that agents see is good.
pub fn certificate(ends: Timestamp, now: Timestamp, own: bool) -> Check {
    let days = ends.since(now).div_euclid(DAY_MS);
    let health = match days {
        ..0 => Health::Wrong,
        0..14 => Health::Warning,
        _ => Health::Ok,
    };
    let mend = if own {
        "A running collector makes a new one by itself; see its log when it does not."
    } else {
        "Put a new certificate in its place; the collector takes it without a restart."
    };
    Check {
        name: "certificate".to_owned(),
        health,
        says: format!("it is good until {ends}"),
        mend: (health != Health::Ok).then(|| mend.to_owned()),
    }
}

/// Everything beside the memory.
async fn surroundings(app: &App) -> Result<Vec<Check>, store::Error> {
    let ok = |name: &str, says: String| Check {
        name: name.to_owned(),
        health: Health::Ok,
        says,
        mend: None,
    };
    let backend = app.store.backend();
    let mut checks = vec![
        ok("version", format!("this is version {}", env!("CARGO_PKG_VERSION"))),
        ok("tables", format!("version {} of the tables, on {backend}", app.store.version().await?)),
    ];
    checks.push(if app.store.takes_writes() {
        ok("writing", "the last attempt to write succeeded".to_owned())
    } else {
        Check {
            name: "writing".to_owned(),
            health: Health::Wrong,
            says: "the last attempt to write failed".to_owned(),
            mend: Some("See the log; check the disk and the database's server.".to_owned()),
        }
    });
    if let Some(file) = app.store.file().await? {
        checks.extend(disk(&file));
        let made: Option<Timestamp> = app.store.setting(LAST_BACKUP).await?;
        checks.push(backup(made, app.clock.now()));
    }
    checks.extend(webhooks(app).await?);
    Ok(checks)
}

/// Webhooks at which nothing arrives; nothing is said where there are none.
async fn webhooks(app: &App) -> Result<Option<Check>, store::Error> {
    let all = app.store.webhooks().await?;
    let fails = |row: &&WebhookRow| {
        row.webhook.failing_since.is_some() || row.webhook.disabled_why.is_some()
    };
    let failing: Vec<String> =
        all.iter().filter(fails).map(|row| row.webhook.label.clone()).collect();
    let name = "webhooks".to_owned();
    Ok(match (all.len(), failing.is_empty()) {
        (0, _) => None,
        (count, true) => {
            let says = format!("what is sent to {count} webhooks arrives");
            Some(Check { name, health: Health::Ok, says, mend: None })
        }
        (_, false) => {
            let says = format!("nothing arrives at: {}", failing.join(", "));
            let mend = Some("See the page of the webhook; it says why.".to_owned());
            Some(Check { name, health: Health::Warning, says, mend })
        }
    })
}

/// The room on the disk of the database.
#[cfg(unix)]
fn disk(file: &std::path::Path) -> Option<Check> {
    let told = rustix::fs::statvfs(file.parent()?).ok()?;
    let (free, all) =
        (told.f_bavail.saturating_mul(told.f_frsize), told.f_blocks.saturating_mul(told.f_frsize));
    Some(room(free, all))
}

#[cfg(not(unix))]
fn disk(_: &std::path::Path) -> Option<Check> {
    None
}

fn room(free: u64, all: u64) -> Check {
    let percent = free.saturating_mul(100).checked_div(all).unwrap_or_default();
    let low = percent < DISK_PERCENT;
    Check {
        name: "disk".to_owned(),
        health: if low { Health::Warning } else { Health::Ok },
        says: format!("{free} bytes are free where the database is, {percent} percent"),
        mend: low.then(|| {
            "Make room, or keep less history; with a full disk reports are refused and agents \
             keep them."
                .to_owned()
        }),
    }
}

fn backup(made: Option<Timestamp>, now: Timestamp) -> Check {
    let days = made.map(|at| now.since(at).div_euclid(DAY_MS));
    let old = days.is_none_or(|days| days >= BACKUP_DAYS);
    Check {
        name: "backup".to_owned(),
        health: if old { Health::Warning } else { Health::Ok },
        says: match made {
            Some(at) => format!("the last was made at {at}"),
            None => "none was made with `rollcall backup`".to_owned(),
        },
        mend: old.then(|| "Run `rollcall backup FOLDER`, each day by a timer.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::finding::Severity;

    use super::*;
    use crate::demo;
    use crate::fleet::OpenFindings;
    use crate::store::device::DeviceKey;
    use crate::store::testing::store_test;
    use crate::view::tests::app;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    store_test!(memory_that_drifted_is_named_and_mended, |store| {
        let app = app(store, NOW);
        demo::seed(&app, 5).await.unwrap();
        let well = examine(&app).await.unwrap();
        assert_eq!(well.differences, [], "a fleet that reported through the real way in is well");
        assert_eq!(well.difference_count, 0);
        assert_eq!(well.checks[0].health, Health::Ok);

        let key = DeviceKey(app.fleet.read().keys()[1].0);
        let open = OpenFindings::of([("missing", Severity::Critical)]);
        app.fleet.findings_changed(key, open);
        app.fleet.poison_posting(0, key);
        app.store.poison_digest(key);
        let ill = examine(&app).await.unwrap();
        assert_eq!(ill.health, Health::Wrong);
        let (name, id) = {
            let fleet = app.fleet.read();
            let row = &fleet.entry(key).unwrap().row;
            (row.summary.hostname.clone(), row.id)
        };
        let told: Vec<(&str, &str)> = ill
            .differences
            .iter()
            .map(|one| (one.structure.as_str(), one.subject.as_str()))
            .collect();
        let device = format!("{name} ({id})");
        assert!(told.contains(&("open findings", &device)), "{told:?}");
        assert!(told.iter().any(|(what, about)| *what == "postings" && about.contains(&name)));
        assert!(told.contains(&("section digests", &format!("device number {}", key.0))));
        let others = told.iter().filter(|(what, _)| *what != "counts of titles").count();
        assert_eq!(others, 3, "{told:?}");

        rebuild(&app).await.unwrap();
        assert_eq!(examine(&app).await.unwrap().differences, []);
    });

    #[test]
    fn little_room_and_old_backups_are_told() {
        assert_eq!(room(50, 100).health, Health::Ok);
        assert_eq!(room(9, 100).health, Health::Warning);
        assert_eq!(backup(None, NOW).health, Health::Warning);
        assert_eq!(backup(Some(NOW.plus_ms(-DAY_MS)), NOW).health, Health::Ok);
        assert_eq!(backup(Some(NOW.plus_ms(-9 * DAY_MS)), NOW).health, Health::Warning);
    }
}
