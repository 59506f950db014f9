//! Software titles: each (source, name, version, …) once for the whole fleet, numbered.

use std::collections::HashMap;
use std::sync::Arc;

use rollcall_shared::Digest;
use rollcall_shared::section::Software;

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
    /// The title of an installation. Its texts hold no NUL.
    pub fn of(software: &Software) -> Self {
        let part = |part: &Option<String>| part.as_deref().unwrap_or_default().to_owned();
        Self::join([
            &software.source,
            &software.name,
            &software.version,
            &part(&software.architecture),
            &part(&software.publisher),
            &part(&software.source_package),
            &part(&software.source_version),
        ])
    }

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

/// All titles in memory, both ways.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    ids: HashMap<TitleText, u32>,
    texts: Vec<Option<TitleText>>,
}

impl Dictionary {
    pub(crate) fn id(&self, text: &TitleText) -> Option<u32> {
        self.ids.get(text).copied()
    }

    pub(crate) fn text(&self, id: u32) -> Option<&TitleText> {
        self.texts.get(id as usize)?.as_ref()
    }

    pub(crate) fn next_id(&self) -> u32 {
        u32::try_from(self.texts.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn add(&mut self, title: Title) {
        let at = title.id as usize;
        if at >= self.texts.len() {
            self.texts.resize(at + 1, None);
        }
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

    /// The titles of these numbers, in their order; numbers that stand for nothing are left out.
    pub fn set_titles(&self, ids: &[u32]) -> Vec<Title> {
        let dictionary = self.memory().titles();
        ids.iter()
            .filter_map(|&id| Some(Title { id, text: dictionary.text(id)?.clone() }))
            .collect()
    }
}
