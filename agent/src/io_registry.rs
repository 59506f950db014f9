//! The I/O registry of macOS as plain data: what the kernel knows of every device, as entries with
//! properties and, below each, the entries that drive it or hang on it.
//!
//! On macOS the kernel is asked; in a folder of captures it is what programs write there, so that
//! everything that gives the properties a meaning is tested on every system: `ioreg/CLASS.plist` of
//! `ioreg -a -r -c CLASS`, and for a place of the firmware's device tree `ioreg/IODeviceTree-PLACE.plist`
//! of `ioreg -a -d 1 -p IODeviceTree -r -n PLACE`, with `-` for each slash in it.

use std::collections::BTreeSet;

use crate::plist::Value;
use crate::source::text::{clip, some};

#[cfg(target_os = "macos")]
pub(crate) mod live;

/// Where an entry names its class, itself, and the entries below it.
const CLASS: &str = "IOObjectClass";
const NAME: &str = "IORegistryEntryName";
const CHILDREN: &str = "IORegistryEntryChildren";
/// Tells one entry from all others as long as the system runs.
const ID: &str = "IORegistryEntryID";
/// Levels that are kept below an entry that lies below another of its class.
const NESTED_LEVELS: usize = 4;
/// Entries of one answer that are looked at.
const ENTRIES_LIMIT: usize = 10_000;

/// An entry of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its properties.
    pub properties: Value,
    /// What is right below it.
    pub below: Vec<Entry>,
}

impl Entry {
    /// The entries of a captured or told list.
    pub fn read_all(list: Value) -> Vec<Self> {
        let mut left = ENTRIES_LIMIT;
        let values = match list {
            Value::List(values) => values,
            // One entry alone may stand without a list around it.
            one @ Value::Dictionary(_) => vec![one],
            _ => Vec::new(),
        };
        Self::all(values, &mut left)
    }

    fn all(values: Vec<Value>, left: &mut usize) -> Vec<Self> {
        let one = |value: Value| {
            let Value::Dictionary(mut properties) = value else { return None };
            *left = left.checked_sub(1)?;
            let below = match properties.remove(CHILDREN) {
                Some(Value::List(values)) => Self::all(values, left),
                _ => Vec::new(),
            };
            Some(Self { properties: Value::Dictionary(properties), below })
        };
        values.into_iter().filter_map(one).collect()
    }

    /// The class of its object, e.g. `IOMedia`.
    pub fn class(&self) -> Option<String> {
        self.text(CLASS)
    }

    /// The name it has in the registry, e.g. `APPLE SSD AP0512Q Media`.
    pub fn name(&self) -> Option<String> {
        self.text(NAME)
    }

    /// A text that is not empty. Firmware writes texts as data that ends with a NUL.
    pub fn text(&self, name: &str) -> Option<String> {
        text_of(self.properties.get(name)?)
    }

    /// A number. Firmware writes numbers as data with the small end first.
    pub fn number(&self, name: &str) -> Option<u64> {
        number_of(self.properties.get(name)?)
    }

    /// The entries of a captured list, and those below them that are of a class of one of them: the
    /// program shows a hub once, and what hangs on it only below it.
    pub(crate) fn with_nested(entries: Vec<Self>) -> Vec<Self> {
        let classes: BTreeSet<String> = entries.iter().filter_map(Self::class).collect();
        let is_wanted = |one: &&Self| one.class().is_some_and(|class| classes.contains(&class));
        let nested = entries.iter().flat_map(|entry| entry.walk().into_iter().skip(1));
        // With little below them: hubs on hubs on hubs would be copied again and again.
        let nested: Vec<Self> =
            nested.filter(is_wanted).map(|one| one.copied(NESTED_LEVELS)).collect();
        let mut seen = BTreeSet::new();
        let all = entries.into_iter().chain(nested);
        all.filter(|entry| entry.number(ID).is_none_or(|id| seen.insert(id))).collect()
    }

    /// The same with so many levels below it.
    fn copied(&self, levels: usize) -> Self {
        let below = match levels.checked_sub(1) {
            Some(levels) => self.below.iter().map(|one| one.copied(levels)).collect(),
            None => Vec::new(),
        };
        Self { properties: self.properties.clone(), below }
    }

    /// This entry and all below it, each before those below it.
    pub fn walk(&self) -> Vec<&Self> {
        let mut found = vec![self];
        for entry in &self.below {
            found.extend(entry.walk());
        }
        found
    }
}

/// The text of a property.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => some(text.as_bytes()),
        Value::Bytes(bytes) => {
            let text = bytes.split(|byte| *byte == 0).next()?;
            let plain = text.iter().all(|byte| !byte.is_ascii_control());
            (plain && !text.trim_ascii().is_empty()).then(|| clip(text))
        }
        _ => None,
    }
}

/// The number of a property.
pub(crate) fn number_of(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => Some(number.cast_unsigned()),
        Value::Bytes(bytes) if (1..=8).contains(&bytes.len()) => {
            Some(bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_have_properties_and_others_below() {
        let text = "<plist><array><dict><key>IOObjectClass</key><string>IOMedia</string>\
            <key>model</key><data>TWFjMTQsMwAAAA==</data><key>reg</key><data>AAEAAA==</data>\
            <key>IORegistryEntryChildren</key><array><dict><key>IORegistryEntryName</key>\
            <string>disk0s1</string></dict><true/></array></dict></array></plist>";
        let entries = Entry::read_all(Value::read(text.as_bytes()).unwrap());
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].class().as_deref(), Some("IOMedia"));
        assert_eq!(entries[0].text("model").as_deref(), Some("Mac14,3"));
        assert_eq!(entries[0].number("reg"), Some(256));
        let names: Vec<_> = entries[0].walk().into_iter().filter_map(Entry::name).collect();
        assert_eq!(names, ["disk0s1"]);
    }

    #[test]
    fn what_hangs_on_others_of_its_class_is_found() {
        let hub = |id: u8, below: &str| {
            format!(
                "<dict><key>IOObjectClass</key><string>Device</string><key>IORegistryEntryID</key>\
                 <integer>{id}</integer><key>IORegistryEntryChildren</key><array>{below}</array></dict>"
            )
        };
        let port = |below: &str| {
            format!("<dict><key>IORegistryEntryChildren</key><array>{below}</array></dict>")
        };
        let text = format!("<array>{}{}</array>", hub(1, &port(&hub(2, ""))), hub(2, ""));
        let entries = Entry::read_all(Value::read(text.as_bytes()).unwrap());
        let ids: Vec<_> = Entry::with_nested(entries).iter().map(|one| one.number(ID)).collect();
        assert_eq!(ids, [Some(1), Some(2)]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let value = Value::Bytes(bytes);
            let _ = (text_of(&value), number_of(&value));
        }
    }
}
