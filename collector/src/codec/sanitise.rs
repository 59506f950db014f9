//! Takes out of a JSON text what the tables and the pages cannot hold.
//!
//! The sanitised form: NUL and lone surrogates become U+FFFD, strings over 4 KiB are cut and end
//! in `…`. Too deep or too long is refused. The text is otherwise kept byte for byte, unknown
//! fields included.

use std::borrow::Cow;

use rollcall_shared::report::limits;

/// Deepest nesting; readers of JSON give up not far beyond.
const DEPTH: usize = 64;
/// The mark at the end of a cut string.
const MARK: &str = "…";

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Lists in lists in lists.
    #[error("it is nested deeper than 64 levels")]
    Deep,
    /// A list has too many rows.
    #[error("a list has more than 100000 rows")]
    Long,
}

/// The sanitised form of a valid JSON text.
pub fn json(text: &str) -> Result<Cow<'_, str>, Refused> {
    let bytes = text.as_bytes();
    let mut out: Option<String> = None;
    let mut kept = 0; // Everything before stands in `out` already.
    let mut rows = Vec::with_capacity(8);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'[' | b'{' => {
                if rows.len() >= DEPTH {
                    return Err(Refused::Deep);
                }
                rows.push(1usize);
            }
            b']' | b'}' => {
                rows.pop();
            }
            b',' => {
                if let Some(count) = rows.last_mut() {
                    *count += 1;
                    if *count > limits::SECTION_ROWS {
                        return Err(Refused::Long);
                    }
                }
            }
            b'"' => {
                let (end, escapes) = end_of_string(bytes, at + 1);
                let inner = &text[at + 1..end];
                let doubtful = escapes || inner.len() > limits::STRING_BYTES;
                if let Some(clean) = doubtful.then(|| string(inner)).flatten() {
                    let out = out.get_or_insert_with(|| String::with_capacity(text.len()));
                    out.push_str(&text[kept..=at]);
                    out.push_str(&clean);
                    kept = end;
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(match out {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.push_str(&text[kept..]);
            Cow::Owned(out)
        }
    })
}

/// Whether any character of the text is spelt by its number. Without, only strings that are too
/// long are other in the sanitised form.
pub fn has_escapes(text: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), b"\\u").is_some()
}

/// Where the closing quote stands, and whether a `\\` was on the way.
fn end_of_string(bytes: &[u8], mut at: usize) -> (usize, bool) {
    let mut escapes = false;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
        at += found;
        if bytes[at] == b'"' {
            return (at, escapes);
        }
        escapes = true;
        at += 2;
    }
    (bytes.len(), escapes)
}

/// The clean form of what stands between quotes, when it is not clean.
fn string(inner: &str) -> Option<String> {
    if !has_escapes(inner) && inner.len() <= limits::STRING_BYTES {
        return None;
    }
    let mut out = String::with_capacity(inner.len().min(limits::STRING_BYTES + 16));
    let mut length = 0; // Of the string that is meant, not of its spelling.
    let mut cut = 0; // Where `out` ends should the string be too long.
    let mut rest = inner;
    let mut changed = false;
    while !rest.is_empty() {
        let (spelling, meant, taken) = one(rest);
        changed |= spelling == "\u{fffd}" && !rest.starts_with('\u{fffd}');
        length += meant;
        if length <= limits::STRING_BYTES - MARK.len() {
            cut = out.len() + spelling.len();
        }
        if length > limits::STRING_BYTES {
            out.truncate(cut);
            out.push_str(MARK);
            return Some(out);
        }
        out.push_str(spelling);
        rest = &rest[taken..];
    }
    changed.then_some(out)
}

/// The next character: how it is to be spelt, how many bytes it means, how many it takes here.
fn one(rest: &str) -> (&str, usize, usize) {
    const REPLACED: (&str, usize) = ("\u{fffd}", 3);
    let Some(escaped) = rest.strip_prefix('\\') else {
        let length = rest.chars().next().map_or(1, char::len_utf8);
        return (&rest[..length], length, length);
    };
    if !escaped.starts_with('u') {
        let length = 1 + escaped.chars().next().map_or(0, char::len_utf8);
        return (&rest[..length], 1, length);
    }
    let unit = |at: usize| u32::from_str_radix(rest.get(at..at + 4)?, 16).ok();
    match unit(2) {
        // No JSON has it; whatever stands behind is looked at by itself.
        None => (REPLACED.0, REPLACED.1, 2),
        Some(0xd800..=0xdbff) => {
            let low = rest.get(6..8).filter(|next| *next == "\\u").and_then(|_| unit(8));
            match low {
                Some(0xdc00..=0xdfff) => (&rest[..12], 4, 12),
                _ => (REPLACED.0, REPLACED.1, 6),
            }
        }
        Some(0 | 0xdc00..=0xdfff) => (REPLACED.0, REPLACED.1, 6),
        Some(code) => (&rest[..6], char::from_u32(code).map_or(3, char::len_utf8), 6),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn clean_text_is_kept_byte_for_byte() {
        for text in [r#"{ "a" : [1, 2.50, "é\n\u00e9\ud83d\ude00"] }"#, "[]", "7", r#""""#] {
            assert!(matches!(json(text), Ok(Cow::Borrowed(same)) if same == text), "{text}");
        }
    }

    #[test]
    fn nul_and_lone_surrogates_are_replaced() {
        let text = r#"["a\u0000b", "\ud800", "\udc00x", "\ud800\u0041", "\\u0000", "\"\u0000"]"#;
        let clean = json(text).unwrap();
        let read: Vec<String> = serde_json::from_str(&clean).unwrap();
        assert_eq!(
            read,
            ["a\u{fffd}b", "\u{fffd}", "\u{fffd}x", "\u{fffd}A", "\\u0000", "\"\u{fffd}"]
        );
    }

    #[test]
    fn half_a_number_of_a_character_is_survived() {
        for text in
            ["\"\\u12\u{20ac}x\"", "\"\\u\"", "\"\\u1\u{e9}\u{e9}\u{e9}\"", "\"\\u000\u{20ac}\""]
        {
            let clean = json(text).unwrap();
            assert!(clean.contains('\u{fffd}'), "{text}: {clean}");
        }
    }

    #[test]
    fn long_strings_are_cut_between_characters() {
        for piece in ["x", "é", "€", "\\n", "\\u20ac", "\\ud83d\\ude00"] {
            let text = format!("[\"{}\", 1]", piece.repeat(5000));
            let clean = json(&text).unwrap();
            let (read, one): (String, u8) = serde_json::from_str(&clean).unwrap();
            assert!(read.len() <= limits::STRING_BYTES && read.len() > limits::STRING_BYTES - 8);
            assert!(read.ends_with('…') && one == 1);
        }
        let just = format!("\"{}\"", "x".repeat(limits::STRING_BYTES));
        assert!(matches!(json(&just), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn deep_and_long_are_refused() {
        assert_eq!(json(&"[".repeat(65)), Err(Refused::Deep));
        assert_eq!(json(&format!("[{}1]", "1,".repeat(100_000))), Err(Refused::Long));
        assert!(json(&format!("[{}1]", "1,".repeat(99_999))).is_ok());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::from(serde_json::Map::from_iter(map))),
            ]
        })
    }

    proptest! {
        #[test]
        fn only_nul_is_taken_from_what_serde_writes(value in value()) {
            let text = value.to_string();
            let clean = json(&text).unwrap();
            let expected: Value = serde_json::from_str(&text.replace("\\u0000", "\u{fffd}"))
                .unwrap_or(Value::Null);
            if !text.contains("\\\\u0000") {
                prop_assert_eq!(serde_json::from_str::<Value>(&clean).unwrap(), expected);
            }
        }

        #[test]
        fn any_text_is_survived(text: String) {
            let _ = json(&text);
        }
    }
}
