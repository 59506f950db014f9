//! The lifecycle facts: which systems there are, which cycles they have, when those end.
//!
//! A snapshot is built in; another in the same form may take its place. How a device is mapped to
//! a cycle and what a cycle means today is in [`super::lifecycle`].

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rollcall_shared::Timestamp;
use rollcall_shared::time::DAY_MS;
use serde::{Deserialize, Deserializer, de};

/// Facts older than this want to be renewed: ends were announced that they do not know.
const OLD_MS: i64 = 180 * DAY_MS;

const BUILT_IN: &str = include_str!("../../facts/os-lifecycle.json");

/// One snapshot of the facts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Facts {
    /// The day on which they were true.
    #[serde(deserialize_with = "day")]
    pub snapshot: Timestamp,
    /// Where they come from.
    pub sources: Vec<Source>,
    /// Values of Windows' `EditionID` by family of equal support.
    pub windows_edition_families: BTreeMap<String, Vec<String>>,
    /// Operating systems.
    pub products: Vec<Product>,
}

/// A source of facts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Source {
    /// Name of the project.
    pub name: String,
    /// Date or version of what was taken.
    pub date: String,
    /// Licence it is published under.
    pub licence: String,
}

/// One operating system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Product {
    /// Its key, e.g. `debian`.
    pub product: String,
    /// Its name for people.
    pub name: String,
    /// Family: `linux`, `windows`, `macos`.
    pub kind: String,
    /// Values of os-release `ID` that mean it.
    #[serde(default)]
    pub ids: Vec<String>,
    /// If not empty: values of os-release `NAME`, one of which must be there.
    #[serde(default)]
    pub names: Vec<String>,
    /// Values of os-release `NAME` that mean another product.
    #[serde(default)]
    pub names_not: Vec<String>,
    /// Has no cycles: it rolls.
    #[serde(default)]
    pub rolling: bool,
    /// Rolls where it names no version (Debian testing and unstable).
    #[serde(default)]
    pub rolling_without_version: bool,
    /// Who gets extended support.
    #[serde(default)]
    pub extended_access: Access,
    /// Its cycles, newest first.
    pub cycles: Vec<Cycle>,
}

/// Who gets extended support.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everybody.
    Free,
    /// Whoever has a subscription; there are free ones.
    Subscription,
    /// Whoever pays.
    #[default]
    Paid,
}

/// One cycle of an operating system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Cycle {
    /// Its key within the product, e.g. `12`.
    pub cycle: String,
    /// Its full name for people, e.g. `Debian 12 (Bookworm)`.
    pub name: String,
    /// Last day of security support for everybody.
    pub eol: End,
    /// Last day of extended support.
    #[serde(default)]
    pub extended_end: Option<End>,
    /// What extended support is called, e.g. `lts`, `esm`, `esu`.
    #[serde(default)]
    pub extended_kind: Option<String>,
    /// Newest point release in the snapshot.
    #[serde(default)]
    pub latest: Option<String>,
    /// Its date.
    #[serde(default, deserialize_with = "optional_day")]
    pub latest_date: Option<Timestamp>,
    /// Windows: its build.
    #[serde(default)]
    pub build: Option<u32>,
    /// Windows: families of editions; `any` and `server` stand for all of a kind.
    #[serde(default)]
    pub edition_family: Vec<String>,
    /// Windows: update revisions from here on prove that extended updates arrive.
    #[serde(default)]
    pub extended_from_revision: Option<u32>,
    /// The sources contradict each other: patches were published after the end.
    #[serde(default)]
    pub disputed: bool,
}

/// The end of a phase of support.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The last day, which itself is still supported.
    On(Timestamp),
    /// None was announced when the snapshot was taken.
    Open,
    /// Over, without a known date.
    Ended,
}

/// The facts could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the lifecycle facts cannot be read; keep the snapshot before and import another file")]
pub struct FactsError(#[from] serde_json::Error);

impl Facts {
    /// The snapshot that this version carries.
    pub fn built_in() -> &'static Self {
        static FACTS: OnceLock<Facts> = OnceLock::new();
        FACTS.get_or_init(|| {
            // A test reads the embedded file, so the empty facts (everything unknown) never show.
            Self::from_json(BUILT_IN).unwrap_or_else(|_| Self {
                snapshot: Timestamp(0),
                sources: Vec::new(),
                windows_edition_families: BTreeMap::new(),
                products: Vec::new(),
            })
        })
    }

    /// Reads a snapshot in this product's own form.
    pub fn from_json(json: &str) -> Result<Self, FactsError> {
        Ok(serde_json::from_str(json)?)
    }

    /// How findings name the facts, e.g. `lifecycle facts, mainly endoflife-date/endoflife.date`.
    pub fn source_name(&self) -> String {
        match self.sources.first() {
            Some(source) => format!("lifecycle facts, mainly {}", source.name),
            None => "lifecycle facts".to_owned(),
        }
    }

    /// Whether they are too old to rely on.
    pub fn are_old(&self, now: Timestamp) -> bool {
        now.since(self.snapshot) > OLD_MS
    }

    /// A product by its key.
    pub fn product(&self, key: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.product == key)
    }
}

impl Product {
    /// A cycle by its key.
    pub fn cycle(&self, key: &str) -> Option<&Cycle> {
        self.cycles.iter().find(|cycle| cycle.cycle == key)
    }
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "open" => Ok(Self::Open),
            "ended" => Ok(Self::Ended),
            date => parse_day(date).map(Self::On),
        }
    }
}

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    parse_day(&String::deserialize(deserializer)?)
}

fn optional_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(|text| parse_day(&text)).transpose()
}

fn parse_day<E: de::Error>(text: &str) -> Result<Timestamp, E> {
    Timestamp::from_date(text).ok_or_else(|| E::custom(format!("`{text}` is not a date")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_facts_can_be_read() {
        let facts = Facts::from_json(BUILT_IN).unwrap();
        assert_eq!(facts.snapshot.date(), "2026-08-22");
        assert!(facts.products.len() > 25);
        assert!(facts.sources.iter().all(|source| !source.licence.is_empty()));
        let debian = facts.product("debian").unwrap();
        assert_eq!(debian.cycle("12").unwrap().name, "Debian 12 (Bookworm)");
        assert!(matches!(debian.cycle("12").unwrap().eol, End::On(_)));
    }

    #[test]
    fn damaged_facts_are_refused_whole() {
        assert!(Facts::from_json("{}").is_err());
        let damaged = BUILT_IN.replacen("\"eol\":\"2028-08-09\"", "\"eol\":\"soon\"", 1);
        assert!(Facts::from_json(&damaged).is_err());
    }

    #[test]
    fn keys_are_unique() {
        for product in &Facts::built_in().products {
            let mut keys: Vec<_> = product.cycles.iter().map(|cycle| &cycle.cycle).collect();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), product.cycles.len(), "{}", product.product);
        }
    }
}
