//! The ledger: what each device was told is stored, and what a collector holds of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rollcall_shared::{DeviceId, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::fleet::MARKER;
use crate::console::Console;

/// One acknowledged report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The device that was told.
    pub device: DeviceId,
    /// The report.
    pub report_id: Uuid,
    /// Its number.
    pub seq: u64,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// Which state of the device it tells of; grows with every change.
    pub version: u64,
    /// Digest over the titles that it tells of.
    pub titles: Digest,
}

/// Everything that was acknowledged, in memory and in a file that outlives a failed run.
#[derive(Debug)]
pub struct Ledger {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    entries: BTreeMap<DeviceId, Vec<Entry>>,
    file: std::fs::File,
}

impl Ledger {
    /// A new one in this file.
    pub fn at(path: &Path) -> Self {
        let file = std::fs::File::create(path).expect("the ledger's file can be made");
        Self { kept: Mutex::new(Kept { entries: BTreeMap::new(), file }) }
    }

    /// Writes an acknowledgement down.
    pub fn acknowledged(&self, entry: Entry) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let line = serde_json::to_string(&entry).expect("an entry is plain");
        writeln!(kept.file, "{line}").expect("the ledger's file takes a line");
        kept.entries.entry(entry.device).or_default().push(entry);
    }

    /// What one device was told.
    pub fn of(&self, device: DeviceId) -> Vec<Entry> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.get(&device).cloned().unwrap_or_default()
    }

    /// How many reports were acknowledged.
    pub fn len(&self) -> usize {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.values().map(Vec::len).sum()
    }

    /// Whether nothing was acknowledged.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The digest over a list of titles, whatever its order.
pub fn digest_of_titles(titles: impl IntoIterator<Item = (String, String)>) -> Digest {
    let lines: BTreeSet<String> =
        titles.into_iter().map(|(name, version)| format!("{name} {version}\n")).collect();
    Digest::of(lines.into_iter().collect::<String>().as_bytes())
}

/// The titles of an answer of the API.
pub fn titles_of(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|one| (text(&one["name"]), text(&one["version"]))).collect()
}

/// The number of a version as devices of the suite write it: `1.17` is 17.
pub fn number_of(version: &str) -> Option<u64> {
    version.strip_prefix("1.")?.parse().ok()
}

/// The state that is shown now.
pub async fn present(console: &Console, device: DeviceId) -> Option<u64> {
    let answer = console.json(&format!("/api/v1/devices/{device}/software")).await;
    let titles = titles_of(&answer);
    let (_, version) = titles.iter().find(|(name, _)| name == MARKER)?;
    number_of(version)
}

/// Every state that the history of a device names, oldest first: of its software, of its kernel.
pub async fn history(console: &Console, device: DeviceId) -> (Vec<u64>, Vec<u64>) {
    // Newest first; the oldest change names the state before it as well.
    let (mut software, mut kernel) = (States::default(), States::default());
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/devices/{device}/changes?limit=500{cursor}");
        let page = console.json(&path).await;
        for change in page["items"].as_array().into_iter().flatten() {
            match change["section"].as_str() {
                Some("software") if change["subject"] == MARKER => software.add(change),
                Some("os") => kernel.add(change),
                _ => {}
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    if software.0.is_empty() {
        software.0.extend(present(console, device).await);
    }
    if kernel.0.is_empty() {
        let detail = console.json(&format!("/api/v1/devices/{device}")).await;
        kernel.0.extend(detail["sections"]["os"]["body"]["kernel"].as_str().and_then(number_of));
    }
    software.0.reverse();
    kernel.0.reverse();
    (software.0, kernel.0)
}

#[derive(Default)]
struct States(Vec<u64>);

impl States {
    /// Adds a change that is older than those before. After a gap, where a state came from nothing,
    /// that state stands there twice.
    fn add(&mut self, change: &Value) {
        let number = |side: &str| change[side].as_str().and_then(number_of);
        match self.0.last().copied() {
            Some(last) if Some(last) == number("after") => {
                self.0.pop();
            }
            Some(last) => self.0.push(last),
            None => {}
        }
        self.0.extend(number("after"));
        self.0.extend(number("before"));
    }
}

/// Holds a history against what was acknowledged. `sent` are states that were sent and perhaps not
/// acknowledged: they may be there or not.
pub fn compare(found: &[u64], acknowledged: &BTreeSet<u64>, sent: &BTreeSet<u64>) -> Vec<String> {
    let mut problems = Vec::new();
    let all: BTreeSet<u64> = found.iter().copied().collect();
    if all.len() != found.len() {
        let mut seen = BTreeSet::new();
        let twice: Vec<_> = found.iter().filter(|one| !seen.insert(**one)).collect();
        problems.push(format!("twice in the history: {twice:?}"));
    }
    if !found.is_sorted() {
        problems.push(format!("out of order: {found:?}"));
    }
    let lost: Vec<_> = acknowledged.difference(&all).collect();
    if !lost.is_empty() {
        problems.push(format!("acknowledged and lost: {lost:?}"));
    }
    let invented: Vec<_> =
        all.iter().filter(|one| !acknowledged.contains(one) && !sent.contains(one)).collect();
    if !invented.is_empty() {
        problems.push(format!("never sent: {invented:?}"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_the_history_is_seen() {
        let change = |before: &str, after: &str| serde_json::json!({ "before": format!("1.{before}"), "after": format!("1.{after}") });
        let mut whole = States::default();
        whole.add(&change("2", "3"));
        whole.add(&change("1", "2"));
        assert_eq!(whole.0, [3, 2, 1]);
        let mut gap = States::default();
        gap.add(&change("3", "4"));
        gap.add(&change("1", "2"));
        assert_eq!(gap.0, [4, 3, 3, 2, 1]);
    }

    #[test]
    fn every_kind_of_loss_is_noticed() {
        let told = BTreeSet::from([2, 3, 5]);
        let sent = BTreeSet::from([6]);
        assert_eq!(compare(&[2, 3, 5], &told, &sent), [""; 0]);
        assert_eq!(compare(&[2, 3, 5, 6], &told, &sent), [""; 0]);
        assert!(compare(&[2, 5], &told, &sent)[0].contains("lost: [3]"));
        assert!(compare(&[2, 3, 3, 5], &told, &sent)[0].contains("twice"));
        assert!(compare(&[3, 2, 5], &told, &sent)[0].contains("order"));
        assert!(compare(&[2, 3, 5, 9], &told, &sent)[0].contains("never sent: [9]"));
    }
}
