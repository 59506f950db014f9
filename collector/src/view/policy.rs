//! What other thresholds would flag: every device judged twice, nothing written.

use std::collections::{BTreeMap, HashSet};

use rollcall_shared::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::Error;
use crate::app::App;
use crate::domain::Policy;
use crate::domain::finding::{Flag, Rule};
use crate::job::evaluate::{Known, grace_days};
use crate::job::retain::kept_from;
use crate::store::device::DeviceKey;
use crate::store::retain::Older;

/// Devices judged at a time.
const PAGE: usize = 500;

/// How many findings would be open under other thresholds, against those in force now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PolicyPreview {
    /// Devices with an open finding now.
    pub devices_now: u64,
    /// Devices that would have one.
    pub devices_then: u64,
    /// The rules that flag a device under either, in the order in which pages list them.
    pub rules: Vec<RulePreview>,
    /// What of the past would be kept no longer; absent when all of it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryPreview>,
}

/// What would go for good under a policy that keeps less of the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HistoryPreview {
    /// The oldest moment that would be kept.
    pub from: Timestamp,
    /// The oldest moment that is known now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// Devices that would lose some of their past.
    pub devices: u64,
    /// Changes that would go.
    pub changes: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Closed findings that would go.
    pub findings: u64,
}

async fn history(app: &App, then: &Policy) -> Result<Option<HistoryPreview>, Error> {
    let Some(from) = kept_from(then, app.clock.now()) else { return Ok(None) };
    let told = app.store.history_from();
    let Older { changes, bytes, devices, findings } = app.store.older_than(from).await?;
    let oldest = app.store.oldest_report().await?.map(|oldest| oldest.max(told));
    let from = from.max(told);
    Ok(Some(HistoryPreview { from, oldest, devices, changes, bytes, findings }))
}

/// One rule under two policies. Waived findings are not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RulePreview {
    /// The rule.
    pub rule: String,
    /// In words.
    pub title: String,
    /// Findings open now.
    pub findings_now: u64,
    /// Findings that would be open.
    pub findings_then: u64,
    /// Devices flagged now.
    pub devices_now: u64,
    /// Devices that would be flagged.
    pub devices_then: u64,
}

#[derive(Default)]
struct Count {
    findings: u64,
    devices: u64,
}

/// The open findings of one policy, counted.
#[derive(Default)]
struct Counts {
    devices: u64,
    rules: BTreeMap<Rule, Count>,
}

impl Counts {
    fn add(&mut self, flags: &[Flag], waived: &HashSet<(String, Option<String>)>) {
        let mut rules: BTreeMap<Rule, u64> = BTreeMap::new();
        for flag in flags {
            if !waived.contains(&(flag.rule.as_str().to_owned(), flag.subject.clone())) {
                *rules.entry(flag.rule).or_default() += 1;
            }
        }
        self.devices += u64::from(!rules.is_empty());
        for (rule, findings) in rules {
            let count = self.rules.entry(rule).or_default();
            count.findings += findings;
            count.devices += 1;
        }
    }
}

/// Judges every device by the thresholds in force and by these, as if a sweep came now.
pub async fn preview(app: &App, then: &Policy) -> Result<PolicyPreview, Error> {
    super::ready(app).await;
    let (now, at) = (app.fleet.policy(), app.clock.now());
    let grace = grace_days(&now).max(grace_days(then));
    let (mut counts_now, mut counts_then) = (Counts::default(), Counts::default());
    let keys = app.fleet.read().keys();
    let mut before = None;
    for page in keys.chunks(PAGE) {
        let Some(&last) = page.last() else { break };
        let mut texts = app.store.judged_sections_between(before, last).await?;
        let mut reports = app.store.last_reports_between(before, last).await?;
        let waived = waived(app, before, last, at).await?;
        for &key in page {
            let Some(row) = app.fleet.read().entry(key).map(|entry| entry.row.clone()) else {
                continue;
            };
            let (texts, report) = (texts.remove(&key).unwrap_or_default(), reports.remove(&key));
            let known = Known::of(app, row, report, &texts, grace, at).await?;
            let none = HashSet::new();
            let waived = waived.get(&key).unwrap_or(&none);
            counts_now.add(&known.flags(&now, at), waived);
            counts_then.add(&known.flags(then, at), waived);
        }
        before = Some(last);
        // A large fleet takes seconds; other requests of this thread go on meanwhile.
        tokio::task::yield_now().await;
    }
    let rules = Rule::ALL.iter().filter_map(|rule| {
        let one = counts_now.rules.remove(rule);
        let other = counts_then.rules.remove(rule);
        if one.is_none() && other.is_none() {
            return None;
        }
        let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
        Some(RulePreview {
            rule: rule.as_str().to_owned(),
            title: rule.title().to_owned(),
            findings_now: one.findings,
            findings_then: other.findings,
            devices_now: one.devices,
            devices_then: other.devices,
        })
    });
    Ok(PolicyPreview {
        history: history(app, then).await?,
        rules: rules.collect(),
        devices_now: counts_now.devices,
        devices_then: counts_then.devices,
    })
}

type Waived = BTreeMap<DeviceKey, HashSet<(String, Option<String>)>>;

/// What people accepted for now: rule and subject.
async fn waived(
    app: &App,
    after: Option<DeviceKey>,
    last: DeviceKey,
    at: Timestamp,
) -> Result<Waived, Error> {
    let mut waived = Waived::new();
    for (device, finding) in app.store.findings_between(after, last, at).await? {
        if finding.waiver.is_some() {
            waived.entry(device).or_default().insert((finding.rule, finding.subject));
        }
    }
    Ok(waived)
}
