//! Software titles: each (source, name, version, …) once for the whole fleet, numbered.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rollcall_shared::report::limits;
use rollcall_shared::section::Software;
use rollcall_shared::section::software::{Mark, SoftwareScope};
use rollcall_shared::{Digest, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};

use super::memory::Memory;
use super::report::TitleRows;
use super::{Error, Store};
use crate::codec::extra::Extra;

/// One title with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title {
    /// Its number.
    pub id: u32,
    /// Its texts.
    pub text: TitleText,
}

/// The texts of a title as one: seven parts between NULs, which no part holds. `""` is "absent".
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TitleText(Arc<str>);

impl TitleText {
    pub(super) fn join(parts: [&str; 7]) -> Self {
        Self(parts.join("\0").into())
    }

    /// Source, name, version, architecture, publisher, source package, source version.
    pub fn parts(&self) -> [&str; 7] {
        let mut parts = [""; 7];
        for (part, text) in parts.iter_mut().zip(self.0.split('\0')) {
            *part = text;
        }
        parts
    }

    /// The title of one installation.
    pub(crate) fn of(software: &Software) -> Self {
        Self(software.title().into())
    }

    /// Its part in the mark of a list.
    pub(crate) fn mark(&self) -> Mark {
        Mark::of(&self.0)
    }

    /// What the table keeps unique: shorter than the texts.
    pub(crate) fn hash(&self) -> Vec<u8> {
        Digest::of(self.0.as_bytes()).0[..16].to_vec()
    }

    /// The installation on one device.
    pub(crate) fn with(&self, extra: Extra) -> Software {
        let [source, name, version, architecture, publisher, source_package, source_version] =
            self.parts();
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let Extra { installed_at, size_bytes, scope, origin } = extra;
        Software {
            source: source.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: some(architecture),
            publisher: some(publisher),
            source_package: some(source_package),
            source_version: some(source_version),
            installed_at,
            size_bytes,
            scope,
            origin,
        }
    }
}

impl std::borrow::Borrow<str> for TitleText {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// One installation as it stands in a report, nothing copied.
#[derive(Debug, Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow, default)]
    architecture: Option<Text<'a>>,
    #[serde(borrow, default)]
    publisher: Option<Text<'a>>,
    #[serde(borrow, default)]
    source_package: Option<Text<'a>>,
    #[serde(borrow, default)]
    source_version: Option<Text<'a>>,
    #[serde(default)]
    installed_at: Option<Timestamp>,
    #[serde(default)]
    size_bytes: Option<u64>,
    #[serde(default)]
    scope: Option<SoftwareScope>,
    #[serde(borrow, default)]
    origin: Option<Text<'a>>,
}

/// A text that is copied only when it is spelled with escapes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Rows that are looked up together. The dictionary is held as long as that takes, not for a whole
/// list, and the rows have not left the processor's caches yet.
const TOGETHER: usize = 32;

/// Reads a list of software and looks up every title as it is read.
struct LookUp<'m> {
    memory: &'m Memory,
    known: Vec<(u32, Extra)>,
    new: Vec<(TitleText, Extra)>,
    text: String,
}

impl<'de> Visitor<'de> for LookUp<'_> {
    type Value = TitleRows;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of software")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<TitleRows, A::Error> {
        let mut rows: Vec<Row<'de>> = Vec::with_capacity(TOGETHER);
        let mut count = 0;
        while let Some(row) = list.next_element::<Row<'de>>()? {
            count += 1;
            if count > limits::SECTION_ROWS || row.texts().any(too_long) {
                return Err(A::Error::custom("it must be sanitised first"));
            }
            rows.push(row);
            if rows.len() == TOGETHER {
                self.look_up(&mut rows);
            }
        }
        self.look_up(&mut rows);
        Ok(TitleRows::of(self.known, self.new))
    }
}

fn too_long(text: &str) -> bool {
    text.len() > limits::STRING_BYTES
}

impl LookUp<'_> {
    fn look_up(&mut self, rows: &mut Vec<Row<'_>>) {
        let dictionary = self.memory.titles();
        for row in rows.drain(..) {
            self.one(&dictionary, row);
        }
    }

    fn one(&mut self, dictionary: &Dictionary, row: Row<'_>) {
        let text = &mut self.text;
        text.clear();
        for part in [&row.source, &row.name, &row.version] {
            text.push_str(&part.0);
            text.push('\0');
        }
        let some = [&row.architecture, &row.publisher, &row.source_package, &row.source_version];
        for (place, part) in some.into_iter().enumerate() {
            if place > 0 {
                text.push('\0');
            }
            text.push_str(part.as_ref().map_or("", |part| &part.0));
        }
        let Row { installed_at, size_bytes, scope, origin, .. } = row;
        let origin = origin.map(|origin| origin.0.into_owned());
        let extra = Extra { installed_at, size_bytes, scope, origin };
        match dictionary.ids.get(text.as_str()) {
            Some(id) => self.known.push((*id, extra)),
            None => self.new.push((TitleText(text.as_str().into()), extra)),
        }
    }
}

impl Row<'_> {
    /// All its texts.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let scope = match &self.scope {
            Some(SoftwareScope::Other(word)) => Some(word.as_str()),
            _ => None,
        };
        let some = [
            &self.architecture,
            &self.publisher,
            &self.source_package,
            &self.source_version,
            &self.origin,
        ];
        [&self.source, &self.name, &self.version]
            .into_iter()
            .chain(some.into_iter().flatten())
            .map(|text| &*text.0)
            .chain(scope)
    }
}

fn look_up(memory: &Memory, json: &str) -> serde_json::Result<TitleRows> {
    let mut reader = serde_json::Deserializer::from_str(json);
    // What agents send takes about 150 bytes a row.
    let known = Vec::with_capacity(json.len() / 128);
    let rows = LookUp { memory, known, new: Vec::new(), text: String::new() };
    let rows = reader.deserialize_seq(rows)?;
    reader.end()?;
    Ok(rows)
}

/// All titles in memory, both ways.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    ids: HashMap<TitleText, u32>,
    texts: Vec<Option<TitleText>>,
    /// By number; those of numbers that stand for nothing are never asked for.
    marks: Vec<Mark>,
}

impl Dictionary {
    pub(crate) fn id(&self, text: &TitleText) -> Option<u32> {
        self.ids.get(text).copied()
    }

    pub(crate) fn text(&self, id: u32) -> Option<&TitleText> {
        self.texts.get(id as usize)?.as_ref()
    }

    /// All of them by number.
    pub(crate) fn all(&self) -> Vec<(usize, TitleText)> {
        let texts = self.texts.iter().enumerate();
        texts.filter_map(|(id, text)| Some((id, text.clone()?))).collect()
    }

    pub(crate) fn mark(&self, id: u32) -> Option<Mark> {
        self.marks.get(id as usize).copied()
    }

    pub(crate) fn next_id(&self) -> u32 {
        u32::try_from(self.texts.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn add(&mut self, title: Title) {
        let at = title.id as usize;
        if at >= self.texts.len() {
            self.texts.resize(at + 1, None);
            self.marks.resize(at + 1, Mark::default());
        }
        self.marks[at] = title.text.mark();
        self.texts[at] = Some(title.text.clone());
        self.ids.insert(title.text, title.id);
    }
}

impl Store {
    /// Every title, by number.
    pub async fn titles(&self) -> Result<Vec<Title>, Error> {
        let mut titles: Vec<Title> = Vec::new();
        loop {
            let last = titles.last().map_or(-1, |title| i64::from(title.id));
            let page = self.tables().title_page(last).await?;
            if page.is_empty() {
                return Ok(titles);
            }
            titles.extend(page);
        }
    }

    /// Looks up every title of a list of software. A list whose sanitised form would be another
    /// because it is too long, or a text in it, is an error.
    pub(crate) fn look_up_titles(&self, json: &str) -> serde_json::Result<TitleRows> {
        look_up(self.memory(), json)
    }

    /// Reads titles that another collector numbered, if one of these is among them.
    pub(crate) async fn know_titles(&self, ids: &[u32]) -> Result<(), Error> {
        let newest = ids.iter().max().copied();
        if newest.is_some_and(|id| id >= self.memory().titles().next_id()) {
            self.tables().load_titles().await?;
        }
        Ok(())
    }

    /// The titles of these numbers, in their order; numbers that stand for nothing are left out.
    pub fn set_titles(&self, ids: &[u32]) -> Vec<Title> {
        let dictionary = self.memory().titles();
        ids.iter()
            .filter_map(|&id| Some(Title { id, text: dictionary.text(id)?.clone() }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_looked_up_as_the_whole_type_reads_them() {
        let whole = Software {
            source: "dpkg".into(),
            name: "a \"quoted\" name".into(),
            version: "1:2.0-3".into(),
            publisher: Some("Maker".into()),
            source_version: Some("2.0".into()),
            installed_at: Some(Timestamp(1_795_000_000_000)),
            scope: Some(SoftwareScope::Other("kiosk".into())),
            origin: Some("Debian".into()),
            ..Software::default()
        };
        let bare = Software {
            source: "snap".into(),
            name: "b".into(),
            version: "1".into(),
            ..Software::default()
        };
        let json = serde_json::to_string(&[&whole, &bare, &whole]).unwrap();
        let memory = Memory::default();
        let found = look_up(&memory, &json).unwrap();
        assert_eq!((found.known.len(), found.new.len()), (0, 3));
        assert!(found.packed.is_none());
        let read: Vec<Software> =
            found.new.iter().map(|(text, extra)| text.with(extra.clone())).collect();
        assert_eq!(read, [whole.clone(), bare, whole]);
        for (id, place) in [(7, 0), (3, 1)] {
            memory.titles_mut().add(Title { id, text: found.new[place].0.clone() });
        }
        let found = look_up(&memory, &json).unwrap();
        assert_eq!(found.numbers(), [3, 7]);
        assert!(found.new.is_empty() && found.packed.is_some());
        assert!(look_up(&memory, r#"[{"source":"dpkg"}]"#).is_err());
        assert!(look_up(&memory, "{}").is_err());
        assert!(look_up(&memory, &format!("{json} 1")).is_err(), "nothing may follow");
    }

    #[test]
    fn what_must_be_sanitised_first_is_not_looked_up() {
        let memory = Memory::default();
        let long = "x".repeat(limits::STRING_BYTES + 1);
        let row = |field: &str, text: &str| {
            let mut row = serde_json::json!({"source": "a", "name": "b", "version": "1"});
            row[field] = text.into();
            format!("[{row}]")
        };
        for field in ["source", "name", "publisher", "origin", "scope"] {
            assert!(look_up(&memory, &row(field, &long)).is_err(), "{field}");
            assert!(look_up(&memory, &row(field, &long[1..])).is_ok(), "{field}");
        }
        let list = row("name", "c");
        let many = vec![&list[1..list.len() - 1]; limits::SECTION_ROWS + 1];
        assert!(look_up(&memory, &format!("[{}]", many.join(","))).is_err());
    }
}
