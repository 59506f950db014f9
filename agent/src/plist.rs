//! Property lists of macOS, in both of their forms. Pure: bytes in, values out.

use std::collections::BTreeMap;

use rollcall_shared::Timestamp;

mod binary;
mod xml;

/// Lists within lists beyond this are no property list that an inventory reads.
const DEPTH_LIMIT: usize = 64;
/// Values of one list; a binary one may name the same part again and again.
const VALUES_LIMIT: usize = 200_000;
/// Bytes of all texts and data of one list together, for the same reason.
const CONTENT_LIMIT_BYTES: usize = 16 * 1024 * 1024;
/// Longer data is a picture or a signature, which no inventory asks for.
const DATA_LIMIT_BYTES: usize = 64 * 1024;

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
    /// Data.
    Bytes(Vec<u8>),
    /// Something that no inventory asks for: long data, numbers with a fraction, nothing.
    Other,
}

/// How much of a list may still be read.
#[derive(Debug, Clone, Copy)]
struct Left {
    values: usize,
    content_bytes: usize,
}

impl Left {
    const fn all() -> Self {
        Self { values: VALUES_LIMIT, content_bytes: CONTENT_LIMIT_BYTES }
    }

    /// One value more; `None` when there are too many.
    fn value(&mut self) -> Option<()> {
        self.values = self.values.checked_sub(1)?;
        Some(())
    }

    /// This much more text or data; `None` when it is too much.
    fn content(&mut self, bytes: usize) -> Option<()> {
        self.content_bytes = self.content_bytes.checked_sub(bytes)?;
        Some(())
    }
}

impl Value {
    /// Reads a property list, whichever form it has; `None` when it is damaged.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut left = Left::all();
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
        self.get(name)?.as_text().map(str::to_owned)
    }

    /// The whole number of this name.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The yes or no of this name; a number says no by 0.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Self::Flag(flag) => Some(*flag),
            Self::Number(number) => Some(*number != 0),
            _ => None,
        }
    }

    /// The data of this name.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        match self.get(name)? {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The values of the list of this name.
    pub fn list(&self, name: &str) -> &[Self] {
        match self.get(name) {
            Some(Self::List(values)) => values,
            _ => &[],
        }
    }

    /// This value, where it is a text that is not empty.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// The texts of the list of this name.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.list(name).iter().filter_map(|one| Some(one.as_text()?.to_owned())).collect()
    }

    /// The names in a dictionary with their values.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Self)> {
        let values = match self {
            Self::Dictionary(values) => Some(values),
            _ => None,
        };
        values.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
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

    /// A binary list of `count` references to one text of `length` letters.
    fn repeated(count: u16, length: u16) -> Vec<u8> {
        let mut bytes = b"bplist00".to_vec();
        bytes.extend([0x5F, 0x11]);
        bytes.extend(length.to_be_bytes());
        bytes.extend(std::iter::repeat_n(b'a', length.into()));
        let list = bytes.len();
        bytes.extend([0xAF, 0x11]);
        bytes.extend(count.to_be_bytes());
        bytes.extend(std::iter::repeat_n(0, count.into()));
        let table = bytes.len();
        bytes.extend(8_u32.to_be_bytes());
        bytes.extend(u32::try_from(list).unwrap().to_be_bytes());
        bytes.extend([0, 0, 0, 0, 0, 0, 4, 1]);
        for number in [2, 1, u64::try_from(table).unwrap()] {
            bytes.extend(number.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn a_part_that_is_named_again_and_again_fills_no_memory() {
        let Some(Value::List(values)) = Value::read(&repeated(3, 5)) else { panic!("no list") };
        assert_eq!(values, vec![Value::Text("aaaaa".to_owned()); 3]);
        assert_eq!(Value::read(&repeated(60_000, 60_000)), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes: Vec<u8>,
            text in "(<(/)?(dict|array|key|string|integer|date|data|true/)>|&[a-z#0-9]{0,4};|<!--|-->|\\PC)*",
        ) {
            Value::read(&bytes);
            Value::read(text.as_bytes());
            Value::read(&[b"bplist00", &bytes[..]].concat());
        }
    }
}
