//! The registry of Windows as plain data: a key with its values and the names of its subkeys.
//!
//! On Windows it is asked through the system; in a folder of captures it is the `.reg` files below
//! `registry/`, as `reg export` writes them. So everything that gives the values a meaning is
//! tested on every system.

use std::collections::BTreeMap;

use rollcall_shared::Timestamp;

use crate::host::{Host, HostError};
use crate::source::text::has_ending;

pub mod export;
#[cfg(windows)]
mod live;

/// Subkeys of one key that are looked at.
const KEYS_LIMIT: usize = 20_000;

/// A value as its type says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `REG_SZ` and `REG_EXPAND_SZ`.
    Text(String),
    /// `REG_MULTI_SZ`.
    Texts(Vec<String>),
    /// `REG_DWORD` and `REG_QWORD`.
    Number(u64),
    /// Everything else.
    Bytes(Vec<u8>),
}

impl Value {
    /// About how many bytes it has.
    #[cfg(windows)]
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Texts(texts) => texts.iter().map(String::len).sum(),
            Self::Number(_) => size_of::<u64>(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// A key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    /// Its values, by name in lower case.
    pub values: BTreeMap<String, Value>,
    /// Names of the keys right below it, sorted.
    pub keys: Vec<String>,
}

impl Key {
    /// A text that is not empty.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.values.get(&name.to_ascii_lowercase())? {
            Value::Text(text) => some(text),
            _ => None,
        }
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.values.get(&name.to_ascii_lowercase())? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Texts that are not empty; one text counts as a list of one.
    pub fn texts(&self, name: &str) -> Vec<String> {
        match self.values.get(&name.to_ascii_lowercase()) {
            Some(Value::Texts(texts)) => texts.iter().filter_map(|text| some(text)).collect(),
            Some(Value::Text(text)) => some(text).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Bytes.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        match self.values.get(&name.to_ascii_lowercase())? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A moment in units of 100 ns since 1601, as Windows counts, given in two halves.
pub fn moment(high: u64, low: u64) -> Option<Timestamp> {
    const UNITS_A_MS: u64 = 10_000;
    const BEFORE_1970_MS: i64 = 11_644_473_600_000;
    let units = (high << 32) | (low & 0xffff_ffff);
    let ms = i64::try_from(units / UNITS_A_MS).ok()? - BEFORE_1970_MS;
    (ms > 0).then_some(Timestamp(ms))
}

impl Host {
    /// Reads a key, e.g. `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`.
    pub fn registry(&self, path: &str) -> Result<Key, HostError> {
        if self.is_live() {
            // Keys have no stamp that would tell of a change.
            self.watch_without_stamp();
            #[cfg(windows)]
            return live::read(path).and_then(|key| self.counted(path, key));
            #[cfg(not(windows))]
            return Err(HostError::NotFound { path: path.to_owned() });
        }
        let mut found = None;
        for name in self.list("/registry")? {
            if has_ending(&name, "reg") {
                let text = self.read_text(&format!("/registry/{name}"))?;
                export::collect(&text, path, &mut found);
            }
        }
        found.ok_or_else(|| HostError::NotFound { path: path.to_owned() })
    }

    /// A key that was read: a source pays for its bytes as for those of a file.
    #[cfg(windows)]
    fn counted(&self, path: &str, key: Key) -> Result<Key, HostError> {
        self.saw(path);
        let values = key.values.iter().map(|(name, value)| name.len() + value.len());
        let names = key.keys.iter().map(String::len);
        self.count(path, values.sum::<usize>() + names.sum::<usize>())?;
        Ok(key)
    }

    /// The keys right below a key, each with its name. What is not there has none.
    pub fn registry_below(&self, path: &str) -> Result<Vec<(String, Key)>, HostError> {
        let key = match self.registry(path) {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            other => other?,
        };
        let below = |name: String| {
            // One that went meanwhile or is closed to us says nothing of the others.
            let key = self.registry(&format!("{path}\\{name}")).ok()?;
            Some((name, key))
        };
        Ok(key.keys.into_iter().take(KEYS_LIMIT).filter_map(below).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_windows_are_moments() {
        // 2026-11-23T10:15:00Z
        let units = (1_795_428_900_000_u64 + 11_644_473_600_000) * 10_000;
        let at = moment(units >> 32, units & 0xffff_ffff).unwrap();
        assert_eq!(at.to_string(), "2026-11-23T10:15:00Z");
        assert_eq!(moment(0, 0), None);
        assert!(moment(u64::MAX, u64::MAX).is_some());
    }
}
