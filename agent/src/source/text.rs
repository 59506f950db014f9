//! Reading text of other people's making: lines of any length, fields, quotes.
//!
//! Nothing here keeps more than one line in memory.

use std::io::{self, BufRead};

use rollcall_shared::report::limits::STRING_BYTES;

/// Bytes of one line that are looked at; the rest of a longer line is dropped.
const LINE_LIMIT_BYTES: usize = 64 * 1024;

/// Calls `on_line` with every line, without its end.
pub(crate) fn for_each_line(
    mut reader: impl BufRead,
    mut on_line: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut carried: Vec<u8> = Vec::new();
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            if !carried.is_empty() {
                on_line(&carried);
            }
            return Ok(());
        }
        let mut rest = buffer;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            if carried.is_empty() {
                on_line(line);
            } else {
                carry(&mut carried, line);
                on_line(&carried);
                carried.clear();
            }
            rest = after.get(1..).unwrap_or_default();
        }
        carry(&mut carried, rest);
        let used = buffer.len();
        reader.consume(used);
    }
}

fn carry(carried: &mut Vec<u8>, more: &[u8]) {
    let room = LINE_LIMIT_BYTES.saturating_sub(carried.len());
    carried.extend_from_slice(more.get(..room.min(more.len())).unwrap_or_default());
}

/// One step through a file of stanzas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// A field; further lines of a long value are left out.
    Field(&'a [u8], &'a [u8]),
    /// The stanza is complete.
    End,
}

/// Walks through stanzas of `Name: value` lines with empty lines between them, as dpkg, apt and
/// apk write them.
pub(crate) fn for_each_field(
    reader: impl BufRead,
    mut on_step: impl FnMut(Step<'_>),
) -> io::Result<()> {
    let mut inside = false;
    for_each_line(reader, |line| match line.first() {
        None | Some(b'\r') if line.trim_ascii().is_empty() => {
            if inside {
                on_step(Step::End);
            }
            inside = false;
        }
        Some(b' ' | b'\t') => {}
        _ => {
            if let Some(colon) = memchr::memchr(b':', line) {
                let (name, value) = line.split_at(colon);
                inside = true;
                on_step(Step::Field(name, value.get(1..).unwrap_or_default().trim_ascii()));
            }
        }
    })?;
    if inside {
        on_step(Step::End);
    }
    Ok(())
}

/// The bytes as text without surrounding space, no longer than a report allows; bytes that are
/// not UTF-8 become `U+FFFD`.
pub(crate) fn clip(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.trim_ascii());
    if text.len() <= STRING_BYTES {
        return text.into_owned();
    }
    let mut end = STRING_BYTES - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// The same, or nothing when nothing is left.
pub(crate) fn some(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.trim_ascii();
    (!bytes.is_empty()).then(|| clip(bytes))
}

/// A decimal number.
pub(crate) fn number<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes.trim_ascii()).ok()?.parse().ok()
}

/// A value as a shell would read it: without its quotes and backslashes.
pub(crate) fn unquote(value: &str) -> String {
    let value = value.trim();
    let quoted = |quote: char| {
        value.strip_prefix(quote).and_then(|inner| inner.strip_suffix(quote)).map(str::to_owned)
    };
    if let Some(inner) = quoted('\'') {
        return inner;
    }
    let inner = quoted('"').unwrap_or_else(|| value.to_owned());
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.extend(letters.next()),
            other => plain.push(other),
        }
    }
    plain
}

/// `KEY=value` lines as in os-release, quotes taken off; comments left out.
pub(crate) fn assignments(text: &str) -> impl Iterator<Item = (&str, String)> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        let (key, value) = line.split_once('=')?;
        let key = key.trim();
        (!line.starts_with('#') && !key.is_empty()).then(|| (key, unquote(value)))
    })
}

/// A text within a JSON value, by the names on the way to it. Asked for one by one, so that nothing
/// else of a file is kept.
pub(crate) fn json_text<'a>(value: &'a serde_json::Value, way: &[&str]) -> Option<&'a str> {
    way.iter().try_fold(value, |value, name| value.get(*name))?.as_str()
}

/// Whether a file name ends in a dot and these letters; case counts, as it does for those who
/// read such files.
pub(crate) fn has_ending(name: &str, ending: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, last)| last == ending)
}

/// Whether `text` has the form of `pattern`, in which `*` stands for anything.
pub(crate) fn matches_pattern(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(bytes: &[u8], buffer: usize) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for_each_line(io::BufReader::with_capacity(buffer, bytes), |line| {
            found.push(line.to_vec());
        })
        .unwrap();
        found
    }

    #[test]
    fn stanzas_have_fields_and_ends() {
        let mut seen = String::new();
        for_each_field(&b"\n\nA: 1\n more\nB:2\r\n\n\nC: 3"[..], |step| match step {
            Step::Field(name, value) => {
                seen += &clip(name);
                seen += "=";
                seen += &clip(value);
                seen += " ";
            }
            Step::End => seen.push_str("| "),
        })
        .unwrap();
        assert_eq!(seen, "A=1 B=2 | C=3 | ");
    }

    #[test]
    fn quotes_come_off() {
        assert_eq!(unquote(r#""Debian \"x\" \$1""#), "Debian \"x\" $1");
        assert_eq!(unquote("'a\\b'"), "a\\b");
        assert_eq!(unquote("\""), "\"");
        let pairs: Vec<_> = assignments("# A=1\nB = 'two'\n=3\nnonsense").collect();
        assert_eq!(pairs, [("B", "two".to_owned())]);
    }

    #[test]
    fn long_text_is_cut_at_a_letter() {
        let cut = clip("ä".repeat(5000).as_bytes());
        assert!(cut.len() <= STRING_BYTES && cut.ends_with('…'));
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_the_buffer(bytes: Vec<u8>, buffer in 1_usize..64) {
            let mut expected: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
            if expected.last().is_some_and(|last| last.is_empty()) {
                expected.pop();
            }
            prop_assert_eq!(lines(&bytes, buffer), expected);
        }

        #[test]
        fn no_text_makes_it_panic(bytes: Vec<u8>, text: String) {
            clip(&bytes);
            unquote(&text);
            assignments(&text).count();
            for_each_field(&bytes[..], |_| {}).unwrap();
        }
    }
}
