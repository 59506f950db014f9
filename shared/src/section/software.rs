//! Installed software, one entry per title and version.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One installed title.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Software {
    /// Where it was read, e.g. `dpkg`, `rpm`, `snap`, `flatpak`, `registry`, `app_bundle`.
    pub source: String,
    /// Name, e.g. `openssl`, `Mozilla Firefox`.
    pub name: String,
    /// Version exactly as the source says it, epoch included, e.g. `1:9.2p1-2+deb12u5`.
    pub version: String,
    /// Architecture, e.g. `amd64`, `noarch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Maker or maintainer, e.g. `Mozilla`, `Debian OpenSSL Team`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// Package that the maker built it from, e.g. `openssl` for `libssl3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_package: Option<String>,
    /// Version of that package where it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version: Option<String>,
    /// When it was installed or last upgraded, where that is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed_at: Option<Timestamp>,
    /// Space it takes, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// For whom it is installed; absent means the whole computer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<SoftwareScope>,
    /// Repository or store it came from, e.g. `Debian`, `flathub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl Software {
    /// What makes it this title and no other, as one text: source, name, version, architecture,
    /// publisher, source package and source version between NULs; `""` is "absent".
    pub fn title(&self) -> String {
        let some = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            self.source.clone(),
            self.name.clone(),
            self.version.clone(),
            some(&self.architecture),
            some(&self.publisher),
            some(&self.source_package),
            some(&self.source_version),
        ]
        .join("\0")
    }
}

/// What went and what came since a list that the collector has acknowledged, sent in place of the
/// whole list. A collector that cannot follow it answers `want`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SoftwareChange {
    /// Digest of the acknowledged list.
    pub base: crate::digest::Digest,
    /// Titles that are no more; of them only what makes the title counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Software>,
    /// Titles that were not there, and those of which something else changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub come: Vec<Software>,
    /// [`Mark`] of the whole list after it.
    pub mark: Mark,
}

impl SoftwareChange {
    /// A change of more rows than this part of the list is hardly smaller than the list.
    const PART: usize = 4;

    /// The change from the list of this digest to another; `None` when the whole list is as good.
    /// Of rows with one title the first counts, as it does where they are stored.
    pub fn between(held: &[Software], now: &[Software], base: crate::Digest) -> Option<Self> {
        let mut before: BTreeMap<String, &Software> = BTreeMap::new();
        for row in held {
            before.entry(row.title()).or_insert(row);
        }
        let mut change = Self { base, gone: Vec::new(), come: Vec::new(), mark: Mark(0) };
        let mut seen = BTreeSet::new();
        for row in now {
            let title = row.title();
            if seen.contains(&title) {
                continue;
            }
            change.mark = change.mark.with(Mark::of(&title));
            if before.get(&title).is_none_or(|known| *known != row) {
                change.come.push(row.clone());
            }
            seen.insert(title);
        }
        let gone = before.into_iter().filter(|(title, _)| !seen.contains(title));
        change.gone.extend(gone.map(|(_, row)| Software {
            installed_at: None,
            size_bytes: None,
            scope: None,
            origin: None,
            ..row.clone()
        }));
        let small = change.gone.len() + change.come.len() <= now.len() / Self::PART;
        small.then_some(change)
    }
}

/// A number made of all titles of a list in any order, each counted once: by it both sides know
/// that they mean the same list. A sum of SHA-256 beginnings, below 2^53 so that any reader of
/// JSON can hold it. It finds mistakes; it is no proof against somebody who looks for equal sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Mark(pub u64);

impl Mark {
    const BELOW: u64 = 1 << 53;

    /// Of a list of one title, given as [`Software::title`] does.
    pub fn of(title: &str) -> Self {
        let digest = crate::digest::Digest::of(title.as_bytes()).0;
        let mut start = [0; 8];
        start[..7].copy_from_slice(&digest[..7]);
        Self(u64::from_le_bytes(start) % Self::BELOW)
    }

    /// With the titles of the other list, of which it has none.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0) % Self::BELOW)
    }

    /// Without the titles of the other list, of which it has all.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0) % Self::BELOW)
    }
}

/// For whom software is installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SoftwareScope {
    /// Everybody on the computer.
    Machine,
    /// One user only.
    User,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_the_titles_in_any_order() {
        let [a, b, c] = ["a", "b", "c"].map(Mark::of);
        assert_eq!(a.with(b).with(c), c.with(a).with(b));
        assert_eq!(a.with(b).without(a), b);
        assert_eq!(Mark(0).without(a).with(a), Mark(0));
        assert!(a != b && a.0 < Mark::BELOW);
    }

    fn list(rows: &[(&str, &str, u64)]) -> Vec<Software> {
        let row = |(name, version, size): &(&str, &str, u64)| Software {
            source: "dpkg".into(),
            name: (*name).into(),
            version: (*version).into(),
            size_bytes: Some(*size),
            ..Software::default()
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn a_change_tells_what_went_came_and_changed() {
        let fill: Vec<String> = (0..20).map(|number| format!("fill{number}")).collect();
        let rest: Vec<_> = fill.iter().map(|name| (name.as_str(), "1", 1)).collect();
        let held = list(&[&rest[..], &[("a", "1", 1), ("b", "1", 1), ("c", "1", 1)]].concat());
        let now = list(&[&rest[..], &[("a", "1", 1), ("b", "2", 1), ("c", "1", 9)]].concat());
        let base = crate::Digest::of(b"held");
        let change = SoftwareChange::between(&held, &now, base).unwrap();
        let names = |rows: &[Software]| -> Vec<_> {
            rows.iter().map(|row| format!("{} {}", row.name, row.version)).collect()
        };
        assert_eq!(
            (names(&change.gone), names(&change.come)),
            (vec!["b 1".to_owned()], vec!["b 2".to_owned(), "c 1".to_owned()])
        );
        assert_eq!(change.gone[0].size_bytes, None, "only the title counts");
        let mark = now.iter().fold(Mark(0), |mark, row| mark.with(Mark::of(&row.title())));
        assert_eq!(change.mark, mark);
        assert_eq!(
            SoftwareChange::between(&held, &list(&[("z", "1", 1)]), base),
            None,
            "a whole list is smaller"
        );
    }

    #[test]
    fn of_rows_with_one_title_the_first_counts() {
        let fill: Vec<String> = (0..20).map(|number| format!("fill{number}")).collect();
        let rest: Vec<_> = fill.iter().map(|name| (name.as_str(), "1", 1)).collect();
        let twice = list(&[&rest[..], &[("a", "1", 1), ("a", "1", 2)]].concat());
        let once = list(&[&rest[..], &[("a", "1", 1)]].concat());
        let change = SoftwareChange::between(&twice, &once, crate::Digest::of(b"held")).unwrap();
        assert_eq!((change.gone.len(), change.come.len()), (0, 0));
    }
}
