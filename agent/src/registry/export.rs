//! The text that `reg export` writes (as UTF-8), and the bytes of values.

use super::{Key, Value};

/// The long names of the hives.
const HIVES: &[(&str, &str)] = &[("HKEY_LOCAL_MACHINE", "HKLM"), ("HKEY_USERS", "HKU")];

/// Adds what an export tells of a key; the name of a key does not depend on capitals.
pub fn collect(export: &str, path: &str, found: &mut Option<Key>) {
    let mut inside = false;
    for line in joined_lines(export) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let name = short(name);
            inside = name.eq_ignore_ascii_case(path);
            if inside {
                found.get_or_insert_default();
            } else if let Some(below) = below(&name, path) {
                let key = found.get_or_insert_default();
                if let Err(place) = key.keys.binary_search_by(|one| one.as_str().cmp(below)) {
                    key.keys.insert(place, below.to_owned());
                }
            }
        } else if inside
            && let Some((name, value)) = value(&line)
            && let Some(key) = found
        {
            key.values.insert(name.to_ascii_lowercase(), value);
        }
    }
}

fn short(name: &str) -> String {
    for (long, short) in HIVES {
        if let Some(rest) = name.strip_prefix(long) {
            return format!("{short}{rest}");
        }
    }
    name.to_owned()
}

/// The name of the key below `path` on the way to `name`.
fn below<'a>(name: &'a str, path: &str) -> Option<&'a str> {
    let beginning = name.get(..path.len())?;
    let rest = name.get(path.len()..)?.strip_prefix('\\')?;
    beginning.eq_ignore_ascii_case(path).then(|| rest.split('\\').next().unwrap_or(rest))
}

/// Lines, where one that ends in `\` goes on in the next.
fn joined_lines(text: &str) -> impl Iterator<Item = String> {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        let mut line = lines.next()?.trim_end().to_owned();
        while line.ends_with('\\') && !line.starts_with('[') {
            line.pop();
            line.push_str(lines.next().unwrap_or_default().trim());
        }
        Some(line)
    })
}

/// `"Name"="text"`, `"Name"=dword:0000000a`, `"Name"=hex(7):31,00,…`; `@` stands for the value that
/// has no name.
fn value(line: &str) -> Option<(String, Value)> {
    let (name, rest) = match line.strip_prefix('@') {
        Some(rest) => (String::new(), rest),
        None => quoted(line)?,
    };
    let rest = rest.strip_prefix('=')?;
    if rest.starts_with('"') {
        return Some((name, Value::Text(quoted(rest)?.0)));
    }
    if let Some(digits) = rest.strip_prefix("dword:") {
        return Some((name, Value::Number(u64::from_str_radix(digits, 16).ok()?)));
    }
    let (kind, digits) = rest.strip_prefix("hex")?.split_once(':')?;
    let bytes: Vec<u8> =
        digits.split(',').filter_map(|pair| u8::from_str_radix(pair.trim(), 16).ok()).collect();
    let value = match kind {
        "(2)" => Value::Text(text(&bytes)),
        "(7)" => Value::Texts(texts(&bytes)),
        "(b)" => Value::Number(u64::from_le_bytes(bytes.try_into().ok()?)),
        _ => Value::Bytes(bytes),
    };
    Some((name, value))
}

/// A text between quotation marks and what comes after it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let rest = text.strip_prefix('"')?;
    let mut told = String::new();
    let mut letters = rest.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((told, rest.get(at + 1..)?)),
            '\\' => told.push(letters.next()?.1),
            letter => told.push(letter),
        }
    }
    None
}

/// Text of Windows (UTF-16, little end first) up to the first NUL.
pub fn text(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    text_of_units(&units.collect::<Vec<u16>>())
}

/// The same from its units.
pub(crate) fn text_of_units(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(units.get(..end).unwrap_or_default())
}

/// Several texts, each with a NUL at its end and one more after the last.
pub fn texts(bytes: &[u8]) -> Vec<String> {
    let units: Vec<u16> =
        bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let texts = units.split(|unit| *unit == 0).filter(|units| !units.is_empty());
    texts.map(String::from_utf16_lossy).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXPORT: &str = "Windows Registry Editor Version 5.00\n\n\
        [HKEY_LOCAL_MACHINE\\SOFTWARE\\Uninstall]\n\n\
        [HKEY_LOCAL_MACHINE\\SOFTWARE\\Uninstall\\Editor]\n\
        \"DisplayName\"=\"Éditeur \\\"2\\\" C:\\\\x\"\n\"Size\"=dword:000004d2\n\
        \"List\"=hex(7):61,00,62,00,00,00,\\\n  63,00,00,00,00,00\n\
        \"Path\"=hex(2):43,00,3a,00,00,00\n\"Time\"=hex(b):01,00,00,00,01,00,00,00\n\
        \"Raw\"=hex:01,02\n@=\"default\"\n\
        [HKEY_LOCAL_MACHINE\\SOFTWARE\\Uninstall\\Editor\\Deep]\n";

    fn key(path: &str) -> Option<Key> {
        let mut found = None;
        collect(EXPORT, path, &mut found);
        found
    }

    #[test]
    fn reads_every_kind_of_value() {
        let editor = key("HKLM\\software\\UNINSTALL\\editor").unwrap();
        assert_eq!(editor.text("displayname").as_deref(), Some("Éditeur \"2\" C:\\x"));
        assert_eq!(editor.number("Size"), Some(1234));
        assert_eq!(editor.texts("List"), ["ab", "c"]);
        assert_eq!(editor.text("Path").as_deref(), Some("C:"));
        assert_eq!(editor.number("Time"), Some(0x1_0000_0001));
        assert_eq!(editor.bytes("Raw"), Some(&[1, 2][..]));
        assert_eq!(editor.text("").as_deref(), Some("default"));
        assert_eq!(editor.keys, ["Deep"]);
        assert_eq!(key("HKLM\\SOFTWARE\\Uninstall").unwrap().keys, ["Editor"]);
        assert_eq!(key("HKLM\\SOFTWARE").unwrap().keys, ["Uninstall"]);
        assert_eq!(key("HKLM\\SOFTWARE\\Un"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in "(\\[HKLM\\\\a\\]\n|\"a\"=|hex\\(7\\):|dword:|[0-9a-f]{2},|\\\\\n|\\PC|\n)*",
            bytes: Vec<u8>,
        ) {
            let mut found = None;
            collect(&text, "HKLM", &mut found);
            collect(&text, "HKLM\\a", &mut found);
            texts(&bytes);
            super::text(&bytes);
        }
    }
}
