//! Findings: the list, one of them, and how many are open.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use rollcall_shared::Timestamp;
use rollcall_shared::api::Page;
use rollcall_shared::api::finding::{Finding, FindingFilter, FindingState, RuleCount, Severity};

use super::{Error, cursor};
use crate::app::App;
use crate::domain::Scope;
use crate::domain::finding::Rule;
use crate::fleet::Inner;
use crate::fleet::lookup::QUERY_BYTES;
use crate::store::device::DeviceKey;
use crate::store::finding_list::{FindingPosition, FindingQuery};

/// Where a page ended: severity, since when, number, and the moment the list speaks of.
type Position = (i64, i64, i64, Option<Timestamp>);

/// One page of findings, worst first, then oldest first.
pub async fn list(
    app: &App,
    scope: &Scope,
    filter: &FindingFilter,
) -> Result<Page<Finding>, Error> {
    super::told(app, filter.as_of)?;
    let limit = cursor::limit(filter.limit)?;
    let decode = |text: &str| cursor::decode::<Position>(scope, text);
    let after = filter.cursor.as_deref().map(decode).transpose()?;
    if after.is_some_and(|(_, _, _, as_of)| as_of != filter.as_of) {
        return Err(cursor::invalid());
    }
    let text = filter.q.as_deref().unwrap_or_default();
    if text.len() > QUERY_BYTES {
        let why = format!("it is longer than {QUERY_BYTES} bytes");
        return Err(Error::Invalid { field: "q", why });
    }
    let query = FindingQuery {
        at: filter.as_of.unwrap_or_else(|| app.clock.now()),
        now: filter.as_of.is_none(),
        state: filter.state.unwrap_or(FindingState::Open),
        rule: filter.rule.clone(),
        severity: filter.severity,
        // A NUL byte is no text to PostgreSQL, and no host name holds one.
        words: text.replace('\0', " ").split_whitespace().map(str::to_owned).collect(),
        scope: scope.clone(),
    };
    if query.rule.as_ref().is_some_and(|rule| rule.contains('\0')) {
        return Ok(Page { items: Vec::new(), total: 0, next_cursor: None });
    }
    let after =
        after.map(|(rank, since, id, _)| FindingPosition { rank, since: Timestamp(since), id });
    let mut items = app.store.finding_page(&query, after, limit + 1).await?;
    let more = items.len() > limit;
    let total = if after.is_none() && !more {
        items.len() as u64
    } else if query.now && query.state == FindingState::Open && query.words.is_empty() {
        app.fleet.ready().await;
        let fleet = app.fleet.read();
        open_count(&fleet, scope, query.rule.as_deref(), query.severity)
    } else {
        app.store.finding_count(&query).await?
    };
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).and_then(|last| {
        cursor::encode(scope, &(rank(last.severity), last.since.0, last.id, filter.as_of))
    });
    Ok(Page { items, total, next_cursor })
}

fn rank(severity: Severity) -> i64 {
    match severity {
        Severity::Critical => 0,
        Severity::Warning => 1,
        Severity::Info => 2,
    }
}

/// How many open findings the devices of a scope have.
fn open_count(fleet: &Inner, scope: &Scope, rule: Option<&str>, severity: Option<Severity>) -> u64 {
    let facets = fleet.facets();
    let Some(within) = fleet.within(scope) else { return facets.finding_count(rule, severity) };
    let devices = within & facets.with_finding(rule, severity);
    let entries = devices.iter().filter_map(|key| fleet.entry(DeviceKey(key)));
    entries.map(|entry| entry.findings.count_of(rule, severity)).sum()
}

/// One finding by its number, of a device inside of the scope.
pub async fn get(app: &App, scope: &Scope, id: i64) -> Result<Option<Finding>, Error> {
    let Some(finding) = app.store.finding(id, app.clock.now()).await? else { return Ok(None) };
    let row = super::device::row(app, scope, finding.device_id).await?;
    Ok(row.map(|_| finding))
}

/// Open findings by rule, worst first.
pub async fn counts(app: &App, scope: &Scope) -> Result<Vec<RuleCount>, Error> {
    app.fleet.ready().await;
    let fleet = app.fleet.read();
    Ok(rule_counts(&fleet, fleet.within(scope).as_ref()))
}

/// How many devices have an open finding of each rule; `within`: of these devices only.
pub(super) fn rule_counts(fleet: &Inner, within: Option<&RoaringBitmap>) -> Vec<RuleCount> {
    let mut devices: BTreeMap<&str, (Severity, RoaringBitmap)> = BTreeMap::new();
    for ((rule, severity), (of, _)) in &fleet.facets().findings {
        let of = within.map_or_else(|| of.clone(), |within| of & within);
        if of.is_empty() {
            continue;
        }
        let known = devices.entry(rule).or_insert_with(|| (*severity, RoaringBitmap::new()));
        known.0 = known.0.min(*severity);
        known.1 |= of;
    }
    let counts = devices.into_iter().map(|(rule, (severity, of))| (rule, (severity, of.len())));
    let mut counts: Vec<RuleCount> = counts
        .map(|(rule, (severity, open))| RuleCount {
            title: Rule::from_word(rule)
                .map_or_else(|| rule.replace('_', " "), |rule| rule.title().to_owned()),
            rule: rule.to_owned(),
            severity,
            open,
        })
        .collect();
    counts.sort_by(|a, b| {
        a.severity.cmp(&b.severity).then(b.open.cmp(&a.open)).then_with(|| a.rule.cmp(&b.rule))
    });
    counts
}
