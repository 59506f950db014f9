//! The form with tags.

use std::collections::BTreeMap;

use rollcall_shared::Timestamp;

use super::{DEPTH_LIMIT, Value};

pub(super) fn read(text: &str, left: &mut usize) -> Option<Value> {
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

fn value(name: &str, rest: &mut &str, left: &mut usize, depth: usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    let depth = depth.checked_sub(1)?;
    Some(match name {
        "true/" => Value::Flag(true),
        "false/" => Value::Flag(false),
        "dict/" => Value::Dictionary(BTreeMap::new()),
        "array/" => Value::List(Vec::new()),
        "string/" => Value::Text(String::new()),
        "string" => Value::Text(content(rest, "string")?),
        "integer" => Value::Number(content(rest, "integer")?.trim().parse().ok()?),
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
            <key>raw</key><data>AAEC</data></dict></plist>";
        let value = read(text, &mut 100).unwrap();
        assert_eq!(value.text("A & B").as_deref(), Some("<A&bad;"));
        assert_eq!(value.get("n"), Some(&Value::Number(-7)));
        assert_eq!(value.get("on"), Some(&Value::Flag(true)));
        let list = Value::List(vec![Value::Dictionary(BTreeMap::new()), Value::Other]);
        assert_eq!(value.get("list"), Some(&list));
        assert_eq!(value.moment("at").unwrap().to_string(), "2026-11-23T10:15:00Z");
        assert_eq!(value.get("raw"), Some(&Value::Other));
        assert_eq!(read("<plist><dict><key>a</key>", &mut 100), None);
        assert_eq!(read(&"<array>".repeat(100_000), &mut 200_000), None, "too deep");
    }
}
