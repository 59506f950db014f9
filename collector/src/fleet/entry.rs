//! One device in memory, with what lists sort and filter by.

use rollcall_shared::Timestamp;
use rollcall_shared::api::finding::Severity;

use super::lookup::Lookup;
use crate::codec::ids::PackedSet;
use crate::domain::CycleMatch;
use crate::store::device::{DeviceRow, SeenValue};

/// The open findings of one device in short: rule, severity and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenFindings(pub Vec<(String, Severity, u64)>);

impl OpenFindings {
    /// Counts open findings.
    pub fn of<'a>(open: impl IntoIterator<Item = (&'a str, Severity)>) -> Self {
        let mut counted = Self::default();
        for (rule, severity) in open {
            counted.add(rule, severity);
        }
        counted
    }

    /// One more.
    pub fn add(&mut self, rule: &str, severity: Severity) {
        match self.0.iter_mut().find(|(r, s, _)| r == rule && *s == severity) {
            Some((_, _, count)) => *count += 1,
            None => self.0.push((rule.to_owned(), severity, 1)),
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, _, count)| count).sum()
    }

    /// How many have this rule and this severity, as far as they are asked for.
    pub fn count_of(&self, rule: Option<&str>, severity: Option<Severity>) -> u64 {
        let asked = self.0.iter().filter(|(r, s, _)| {
            rule.is_none_or(|rule| r == rule) && severity.is_none_or(|severity| *s == severity)
        });
        asked.map(|(_, _, count)| count).sum()
    }

    /// The worst severity among them.
    pub fn worst(&self) -> Option<Severity> {
        self.0.iter().map(|(_, severity, _)| *severity).min()
    }

    /// Whether one of them has this rule and this severity, as far as they are asked for.
    pub fn has(&self, rule: Option<&str>, severity: Option<Severity>) -> bool {
        self.0.iter().any(|(r, s, _)| {
            rule.is_none_or(|rule| r == rule) && severity.is_none_or(|severity| *s == severity)
        })
    }
}

/// One device.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its row.
    pub row: DeviceRow,
    /// Its titles.
    packed: PackedSet,
    /// Its open findings.
    pub findings: OpenFindings,
    /// The cycle of its operating system; absent when it did not tell its system.
    pub cycle: Option<CycleMatch>,
    /// Values it had and has no longer, with those it has.
    pub seen: Vec<SeenValue>,
    /// What the search looks through.
    pub lookup: Lookup,
    /// Host name in lower case, to sort by.
    pub hostname_lower: String,
    /// Operating system in lower case, to sort by.
    pub os_lower: String,
    /// Maker and model in lower case, to sort by.
    pub model_lower: String,
}

impl Entry {
    /// An entry without findings.
    pub fn new(row: DeviceRow, packed: PackedSet, mut seen: Vec<SeenValue>) -> Self {
        // What it was called when it enrolled is no value that it was seen with.
        if row.first_report_at.is_some() {
            remember(&mut seen, &row, row.last_seen_at.unwrap_or(row.enrolled_at));
        }
        seen.shrink_to_fit();
        let lookup = Lookup::of(&row, &seen);
        let summary = &row.summary;
        Self {
            lookup,
            hostname_lower: summary.hostname.to_lowercase(),
            os_lower: summary.os_name.to_lowercase(),
            model_lower: maker_and_model(&row).to_lowercase(),
            findings: OpenFindings::default(),
            cycle: None,
            packed,
            seen,
            row,
        }
    }

    /// Its sorted titles.
    pub fn titles(&self) -> Vec<u32> {
        self.packed.ids()
    }

    /// It has these titles from now on.
    pub(super) fn set_titles(&mut self, titles: &[u32]) {
        self.packed = PackedSet::of(titles);
    }

    /// Makes these values findable from now on.
    pub(crate) fn remember(&mut self, values: Vec<SeenValue>) {
        let mut news = false;
        for value in values {
            let same = |one: &&mut SeenValue| one.kind == value.kind && one.value == value.value;
            if let Some(known) = self.seen.iter_mut().find(same) {
                known.last_at = known.last_at.max(value.last_at);
                if value.label.is_some() && value.label != known.label {
                    known.label = value.label;
                    news = true;
                }
            } else {
                self.seen.push(value);
                news = true;
            }
        }
        if news {
            self.lookup = Lookup::of(&self.row, &self.seen);
        }
    }

    /// A value it had is kept no longer.
    pub(super) fn forget(&mut self, kind: &str, value: &str) {
        let before = self.seen.len();
        self.seen.retain(|seen| seen.kind != kind || &*seen.value != value);
        if self.seen.len() < before {
            self.lookup = Lookup::of(&self.row, &self.seen);
        }
    }

    /// The same device with another row; what it was called before stays findable.
    pub(super) fn set_row(&mut self, mut row: DeviceRow) {
        row.last_seen_at = row.last_seen_at.max(self.row.last_seen_at);
        if row == self.row {
            return;
        }
        let findings = std::mem::take(&mut self.findings);
        let cycle = self.cycle.take();
        let seen = std::mem::take(&mut self.seen);
        let packed = std::mem::take(&mut self.packed);
        *self = Self::new(row, packed, seen);
        self.findings = findings;
        self.cycle = cycle;
    }
}

/// Maker and model as lists show them in one column.
pub fn maker_and_model(row: &DeviceRow) -> String {
    let maker = row.summary.manufacturer.as_deref().unwrap_or_default();
    let model = row.summary.model.as_deref().unwrap_or_default();
    format!("{maker} {model}").trim().to_owned()
}

/// Adds today's values to the remembered ones.
fn remember(seen: &mut Vec<SeenValue>, row: &DeviceRow, at: Timestamp) {
    let mut add = |kind: &'static str, value: &str, label: Option<&str>| {
        if value.is_empty() {
            return;
        }
        if let Some(known) = seen.iter_mut().find(|s| s.kind == kind && &*s.value == value) {
            known.last_at = known.last_at.max(at);
            if label.is_some() {
                known.label = label.map(Into::into);
            }
            return;
        }
        seen.push(SeenValue {
            kind,
            value: value.into(),
            label: label.map(Into::into),
            first_at: at,
            last_at: at,
        });
    };
    let summary = &row.summary;
    add("hostname", &summary.hostname, None);
    if let Some(user) = &summary.user {
        add("user", user, summary.user_full_name.as_deref());
    }
    if let Some(serial) = &summary.serial {
        add("serial", serial, None);
    }
    for mac in &summary.macs {
        add("mac", mac, None);
    }
    for address in &summary.addresses {
        add("ip", address, None);
    }
    if let Some(tag) = &summary.firmware_asset_tag {
        add("asset_tag", tag, None);
    }
}
