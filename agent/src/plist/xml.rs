//! The form with tags.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollcall_shared::Timestamp;

use super::{DATA_LIMIT_BYTES, DEPTH_LIMIT, Left, Value};

pub(super) fn read(text: &str, left: &mut Left) -> Option<Value> {
    let mut rest = text;
    loop {
        match tag(&mut rest)? {
            "plist" => {}
            name if name.starts_with("plist ") => {}
            name => return value(name, &mut rest, left, DEPTH_LIMIT),
        }
    }
}

/// The inside of the next tag; declarations and comments are passed over.
fn tag<'a>(rest: &mut &'a str) -> Option<&'a str> {
    loop {
        let from = rest.get(rest.find('<')? + 1..)?;
        if let Some(comment) = from.strip_prefix("!--") {
            *rest = comment.get(comment.find("-->")? + 3..)?;
            continue;
        }
        let (inside, after) = from.split_once('>')?;
        *rest = after;
        if !inside.starts_with(['?', '!']) {
            return Some(inside.trim());
        }
    }
}

fn value(name: &str, rest: &mut &str, left: &mut Left, depth: usize) -> Option<Value> {
    left.value()?;
    let depth = depth.checked_sub(1)?;
    Some(match name {
        "true/" => Value::Flag(true),
        "false/" => Value::Flag(false),
        "dict/" => Value::Dictionary(BTreeMap::new()),
        "array/" => Value::List(Vec::new()),
        "string/" => Value::Text(String::new()),
        "string" => Value::Text(content(rest, "string")?),
        "integer" => integer(&content(rest, "integer")?),
        "data/" => Value::Bytes(Vec::new()),
        "data" => data(&content(rest, "data")?),
        "date" => content(rest, "date")?
            .parse::<jiff::Timestamp>()
            .map_or(Value::Other, |at| Value::Moment(Timestamp(at.as_millisecond()))),
        "array" => {
            let mut values = Vec::new();
            loop {
                match tag(rest)? {
                    "/array" => break Value::List(values),
                    name => values.push(value(name, rest, left, depth)?),
                }
            }
        }
        "dict" => {
            let mut values = BTreeMap::new();
            loop {
                match tag(rest)? {
                    "/dict" => break Value::Dictionary(values),
                    "key" => {
                        let key = content(rest, "key")?;
                        let name = tag(rest)?;
                        values.insert(key, value(name, rest, left, depth)?);
                    }
                    _ => return None,
                }
            }
        }
        other if other.ends_with('/') => Value::Other,
        other => {
            content(rest, other)?;
            Value::Other
        }
    })
}

/// Numbers without a sign may be larger than those with one; their bits are kept, as in the form
/// in bytes.
fn integer(text: &str) -> Value {
    let text = text.trim();
    let number = text.parse::<i64>().ok();
    let number = number.or_else(|| Some(text.parse::<u64>().ok()?.cast_signed()));
    number.map_or(Value::Other, Value::Number)
}

fn data(text: &str) -> Value {
    let plain: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    match STANDARD.decode(plain) {
        Ok(bytes) if bytes.len() <= DATA_LIMIT_BYTES => Value::Bytes(bytes),
        _ => Value::Other,
    }
}

/// The text up to the end of an element.
fn content(rest: &mut &str, name: &str) -> Option<String> {
    let (inside, after) = rest.split_once(format!("</{name}>").as_str())?;
    *rest = after;
    Some(plain(inside))
}

fn plain(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        told.push_str(before);
        let meant = after.split_once(';').and_then(|(name, more)| {
            let letter = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix('x') {
                        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((letter, more))
        });
        if let Some((letter, more)) = meant {
            told.push(letter);
            rest = more;
        } else {
            told.push('&');
            rest = after;
        }
    }
    told.push_str(rest);
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_systems_write() {
        let text = "<?xml version=\"1.0\"?><!DOCTYPE plist PUBLIC \"x\" \"y\"><plist version=\"1.0\">\
            <!-- <dict> --><dict><key>A &amp; B</key><string>&lt;&#x41;&bad;</string>\
            <key>n</key><integer>-7</integer><key>on</key><true/><key>list</key><array><dict/>\
            <real>1.5</real></array><key>at</key><date>2026-11-23T10:15:00Z</date>\
            <key>raw</key><data>\n\tAAEC\n\t</data><key>max</key><integer>18446744073709551615</integer>\
            </dict></plist>";
        let value = read(text, &mut Left::all()).unwrap();
        assert_eq!(value.text("A & B").as_deref(), Some("<A&bad;"));
        assert_eq!(value.get("n"), Some(&Value::Number(-7)));
        assert_eq!(value.get("on"), Some(&Value::Flag(true)));
        let list = Value::List(vec![Value::Dictionary(BTreeMap::new()), Value::Other]);
        assert_eq!(value.get("list"), Some(&list));
        assert_eq!(value.moment("at").unwrap().to_string(), "2026-11-23T10:15:00Z");
        assert_eq!(value.bytes("raw"), Some(&[0, 1, 2][..]));
        assert_eq!(value.number("max"), Some(-1));
        assert_eq!(read("<plist><dict><key>a</key>", &mut Left::all()), None);
        assert_eq!(read(&"<array>".repeat(100_000), &mut Left::all()), None, "too deep");
        let mut left = Left { values: 2, ..Left::all() };
        assert_eq!(read("<array><true/><true/></array>", &mut left), None, "too many");
    }
}
