//! One device: its detail, software, changes and people, now or at a past moment.

use std::collections::BTreeMap;

use rollcall_shared::api::Page;
use rollcall_shared::api::change::Change;
use rollcall_shared::api::device::{
    DeviceDetail, DeviceSoftware, DeviceSummary, IdentityDecision, OsSupport, Person, SectionView,
};
use rollcall_shared::section::Os;
use rollcall_shared::{DeviceId, HardwareIds, Timestamp};

use super::devices::Row;
use super::{Error, cursor, past};
use crate::app::App;
use crate::codec::ids::PackedSet;
use crate::domain::{Facts, Scope};
use crate::fleet::Entry;
use crate::store::device::{DeviceKey, DeviceRow};
use crate::store::history::{ChangePage, Past};

/// The section that is stored title by title.
const SOFTWARE: &str = "software";

/// Everything but the software. `None` when there is no such device, or none yet at that moment.
pub async fn detail(
    app: &App,
    scope: &Scope,
    id: DeviceId,
    as_of: Option<Timestamp>,
) -> Result<Option<DeviceDetail>, Error> {
    super::told(app, as_of)?;
    let Some(row) = row(app, scope, id).await? else { return Ok(None) };
    let (key, now) = (row.key, app.clock.now());
    let Past::Known(sections) = app.store.sections(key, as_of).await? else {
        // Enrolled but silent: today it is shown, in the past there was nothing to show.
        return if as_of.is_none() {
            without_report(app, scope, row).await.map(Some)
        } else {
            Ok(None)
        };
    };
    let (summary, vitals_of) = match as_of {
        Some(at) => {
            let Some(then) = past::one(app, key, at).await? else { return Ok(None) };
            (then.summary(), None)
        }
        None => (summary_now(app, &row), app.store.last_report(key).await?),
    };
    let os = sections.get("os").and_then(|section| section.json.as_deref());
    let os: Option<Os> = os.and_then(|text| serde_json::from_str(text).ok());
    let judged_at = as_of.unwrap_or(now);
    let support = os
        .map(|os| Facts::built_in().verdict(&os, &app.fleet.policy(), judged_at))
        .map(OsSupport::from);
    let sections = sections
        .into_iter()
        .map(|(name, section)| {
            let body = section.json.as_deref().map(serde_json::from_str).transpose();
            let body = body.map_err(|error| {
                crate::store::Error::Damaged(format!("section `{name}`: {error}"))
            })?;
            let changed_at = Some(section.changed_at);
            Ok((name, SectionView { body, changed_at, notes: section.notes }))
        })
        .collect::<Result<_, Error>>()?;
    let mut sections: BTreeMap<String, SectionView> = sections;
    if as_of.is_none() {
        // The titles have an answer of their own; why some are missing is told here.
        let notes = app.store.notes(key).await?.remove(SOFTWARE).unwrap_or_default();
        if !notes.is_empty() {
            let view = SectionView { body: None, changed_at: None, notes };
            sections.insert(SOFTWARE.to_owned(), view);
        }
    }
    let last = vitals_of.as_ref();
    let hardware_ids = match last {
        Some(last) => last.hardware_ids.clone(),
        None => app.store.last_report(key).await?.map(|l| l.hardware_ids).unwrap_or_default(),
    };
    Ok(Some(DeviceDetail {
        summary,
        sections,
        vitals: last.map(|last| last.vitals.clone()),
        vitals_at: last.map(|last| last.observed_at),
        hardware_ids,
        agent: last.map(|last| last.agent.clone()),
        cost: last.map(|last| last.cost.clone()),
        findings: app.store.findings_of(key, as_of.unwrap_or(now)).await?,
        os_support: support,
        decisions: decisions(app, scope, key, as_of).await?,
        as_of,
        first_report_at: row.first_report_at.map(|first| first.max(app.store.history_from())),
        clock_error_ms: last.map(|last| last.clock_error_ms),
        notes_text: app.store.notes_text(key).await?,
    }))
}

async fn without_report(app: &App, scope: &Scope, row: DeviceRow) -> Result<DeviceDetail, Error> {
    Ok(DeviceDetail {
        summary: summary_now(app, &row),
        sections: BTreeMap::new(),
        vitals: None,
        vitals_at: None,
        hardware_ids: HardwareIds::default(),
        agent: None,
        cost: None,
        findings: app.store.findings_of(row.key, app.clock.now()).await?,
        os_support: None,
        decisions: decisions(app, scope, row.key, None).await?,
        as_of: None,
        first_report_at: row.first_report_at,
        clock_error_ms: None,
        notes_text: app.store.notes_text(row.key).await?,
    })
}

/// The decisions about who a device is that may be seen in this scope.
pub(crate) async fn decisions(
    app: &App,
    scope: &Scope,
    key: DeviceKey,
    as_of: Option<Timestamp>,
) -> Result<Vec<IdentityDecision>, Error> {
    let mut decisions = app.store.decisions(key).await?;
    if let Some(at) = as_of {
        decisions.retain(|decision| decision.at <= at);
    }
    let mut seen = Vec::new();
    for decision in decisions {
        // One that is about another device as well tells its name and its numbers.
        match decision.other_device {
            Some(other) if row(app, scope, other).await?.is_none() => {}
            _ => seen.push(decision),
        }
    }
    Ok(seen)
}

/// The device as memory has it, else as the tables have it. `None` also when it is outside of the
/// scope: whoever may not see a device learns nothing of it, not even that it is there.
pub(crate) async fn row(
    app: &App,
    scope: &Scope,
    id: DeviceId,
) -> Result<Option<DeviceRow>, Error> {
    app.fleet.ready().await;
    let known = app.fleet.read().by_id(id).map(|entry| entry.row.clone());
    let row = match known {
        Some(row) => Some(row),
        None => app.store.device(id).await?,
    };
    Ok(row.filter(|row| row.is_in(scope)))
}

fn summary_now(app: &App, row: &DeviceRow) -> DeviceSummary {
    let (policy, now) = (app.fleet.policy(), app.clock.now());
    let fleet = app.fleet.read();
    if let Some(entry) = fleet.entry(row.key) {
        return Row::new(entry, &policy, now).summary();
    }
    let entry = Entry::new(row.clone(), PackedSet::default(), Vec::new());
    Row::new(&entry, &policy, now).summary()
}

/// The installed software, sorted by name.
pub async fn software(
    app: &App,
    scope: &Scope,
    id: DeviceId,
    as_of: Option<Timestamp>,
) -> Result<Option<DeviceSoftware>, Error> {
    super::told(app, as_of)?;
    let Some(row) = row(app, scope, id).await? else { return Ok(None) };
    match app.store.software(row.key, as_of).await? {
        Past::Known(items) => Ok(Some(DeviceSoftware { items, as_of })),
        Past::NotKnown if as_of.is_none() => Ok(Some(DeviceSoftware { items: Vec::new(), as_of })),
        Past::NotKnown => Ok(None),
    }
}

/// What changed up to a moment, newest first. `cursor` is the one of the page before.
pub async fn changes(
    app: &App,
    scope: &Scope,
    id: DeviceId,
    as_of: Option<Timestamp>,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Option<Page<Change>>, Error> {
    super::told(app, as_of)?;
    let limit = cursor::limit(Some(limit))?;
    let end = as_of.map(|at| at.plus_ms(1));
    let decode = |text: &str| cursor::decode::<Timestamp>(scope, text);
    let before = cursor.map(decode).transpose()?.or(end);
    let Some(row) = row(app, scope, id).await? else { return Ok(None) };
    let ChangePage { mut items, more, total } =
        app.store.change_page(row.key, before, end, limit).await?;
    for change in &mut items {
        change.device_id = row.id;
        change.hostname.clone_from(&row.summary.hostname);
    }
    let next_cursor =
        items.last().filter(|_| more).and_then(|last| cursor::encode(scope, &last.at));
    Ok(Some(Page { items, total, next_cursor }))
}

/// People seen on the device, latest first.
pub async fn people(app: &App, scope: &Scope, id: DeviceId) -> Result<Option<Vec<Person>>, Error> {
    let Some(row) = row(app, scope, id).await? else { return Ok(None) };
    let mut people: Vec<Person> = app
        .store
        .seen_values(row.key)
        .await?
        .into_iter()
        .filter(|seen| seen.kind == "user")
        .map(|seen| Person {
            user: seen.value.into(),
            full_name: seen.label.map(Into::into),
            first_seen_at: seen.first_at,
            last_seen_at: seen.last_at,
        })
        .collect();
    people.sort_by(|a, b| b.last_seen_at.cmp(&a.last_seen_at).then_with(|| a.user.cmp(&b.user)));
    Ok(Some(people))
}
