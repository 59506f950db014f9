//! The dictionary of software titles: number to text, and all versions of one title together.

use std::collections::HashMap;

/// What a title's number stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TitleText {
    /// Where it was read, e.g. `dpkg`.
    pub source: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Architecture; empty when not known.
    pub architecture: String,
    /// Maker; empty when not known.
    pub publisher: String,
}

/// All versions and architectures of one name from one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TitleGroup {
    /// Where it was read.
    pub source: String,
    /// Name.
    pub name: String,
    /// Name and makers in lower case, for finding.
    pub lower: String,
    /// The numbers of its titles.
    pub ids: Vec<u32>,
    /// Its own number.
    pub number: usize,
}

/// All titles the fleet has or had.
#[derive(Debug, Default)]
pub struct Titles {
    texts: Vec<Option<TitleText>>,
    /// The group of each number.
    group_of: Vec<Option<u32>>,
    groups: Vec<TitleGroup>,
    by_name: HashMap<String, Vec<usize>>,
}

impl Titles {
    /// Adds a title; one that is there stays as it is.
    pub fn add(&mut self, id: u32, text: TitleText) {
        let at = id as usize;
        if at >= self.texts.len() {
            self.texts.resize(at + 1, None);
        }
        if self.texts[at].is_some() {
            return;
        }
        let publisher = text.publisher.to_lowercase();
        let candidates = self.by_name.entry(text.name.clone()).or_default();
        let known = candidates.iter().copied().find(|&g| self.groups[g].source == text.source);
        let group = known.unwrap_or_else(|| {
            self.groups.push(TitleGroup {
                source: text.source.clone(),
                name: text.name.clone(),
                lower: text.name.to_lowercase(),
                ids: Vec::new(),
                number: self.groups.len(),
            });
            candidates.push(self.groups.len() - 1);
            self.groups.len() - 1
        });
        self.group_of.resize(self.texts.len(), None);
        self.group_of[at] = u32::try_from(group).ok();
        let group = &mut self.groups[group];
        group.ids.push(id);
        if !publisher.is_empty() && !group.lower.contains(&publisher) {
            group.lower.push('\n');
            group.lower.push_str(&publisher);
        }
        self.texts[at] = Some(text);
    }

    /// One above the highest number that has a text.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether no title is known.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The text of a number.
    pub fn text(&self, id: u32) -> Option<&TitleText> {
        self.texts.get(id as usize)?.as_ref()
    }

    /// The group of a number that has a text.
    pub fn group_of(&self, id: u32) -> Option<&TitleGroup> {
        let group = self.group_of.get(id as usize)?.as_ref()?;
        self.groups.get(*group as usize)
    }

    /// All titles with their versions together.
    pub fn groups(&self) -> &[TitleGroup] {
        &self.groups
    }

    /// The titles of this name, one group for each source.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &TitleGroup> {
        self.by_name.get(name).into_iter().flatten().map(|&group| &self.groups[group])
    }
}
