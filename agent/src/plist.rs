//! Property lists of macOS, in both of their forms. Pure: bytes in, values out.

use std::collections::BTreeMap;

use rollcall_shared::Timestamp;

mod binary;
mod xml;

/// Lists within lists beyond this are no property list that an inventory reads.
const DEPTH_LIMIT: usize = 32;
/// Values of one list; a binary one may name the same part again and again.
const VALUES_LIMIT: usize = 200_000;

/// A value of a property list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// A moment.
    Moment(Timestamp),
    /// A list.
    List(Vec<Value>),
    /// Values by name.
    Dictionary(BTreeMap<String, Value>),
    /// Something that no inventory asks for: bytes, numbers with a fraction, nothing.
    Other,
}

impl Value {
    /// Reads a property list, whichever form it has; `None` when it is damaged.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut left = VALUES_LIMIT;
        if bytes.starts_with(b"bplist00") {
            binary::read(bytes, &mut left)
        } else {
            xml::read(&String::from_utf8_lossy(bytes), &mut left)
        }
    }

    /// The value of this name in a dictionary.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Dictionary(values) => values.get(name),
            _ => None,
        }
    }

    /// The text of this name, where it is one and not empty.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Self::Text(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    /// The moment of this name.
    pub fn moment(&self, name: &str) -> Option<Timestamp> {
        match self.get(name)? {
            Self::Moment(at) => Some(*at),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes: Vec<u8>,
            text in "(<(/)?(dict|array|key|string|integer|date|true/)>|&[a-z#0-9]{0,4};|<!--|-->|\\PC)*",
        ) {
            Value::read(&bytes);
            Value::read(text.as_bytes());
            Value::read(&[b"bplist00", &bytes[..]].concat());
        }
    }
}
