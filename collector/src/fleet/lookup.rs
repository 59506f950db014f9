//! The one search box: what was asked, and how well a device answers it.
//!
//! Each device carries its values in lower case as one text; a word is looked for in the whole
//! text first, and only where it is found the values are ranked one by one.

use memchr::memmem;
use rollcall_shared::api::search::MatchKind;

use super::signature::Signature;
use crate::store::device::{DeviceRow, SeenValue};

/// Words beyond this many are not looked at.
const WORDS: usize = 16;
/// Longest question, in bytes.
pub const QUERY_BYTES: usize = 256;

/// What was asked, ready to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    phrase: Word,
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    /// In lower case.
    text: String,
    /// The part of an e-mail address before the `@`.
    local: Option<String>,
    /// The hexadecimal digits, where it can be part of a MAC address.
    mac: Option<String>,
    /// Of each of these spellings: a device has one of them or the word is nowhere in it.
    signatures: Vec<Signature>,
}

/// How well a value answers, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fit {
    /// The value is what was asked.
    Whole,
    /// The value begins with it.
    Beginning,
    /// A word in the value begins with it.
    WordBeginning,
    /// It stands somewhere in the value.
    Inside,
    /// The words stand in several values.
    Scattered,
}

/// The best answer one device has to a query. Orders best first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// How well it fits.
    pub fit: Fit,
    /// The value is a former one.
    pub past: bool,
    /// What matched.
    pub kind: MatchKind,
    /// The value as stored.
    pub value: String,
}

/// All values of one device that can be found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Values in lower case, one a line; MAC addresses as bare digits.
    text: String,
    values: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    kind: MatchKind,
    past: bool,
    /// Where it stands in the text.
    start: u32,
    end: u32,
    /// Absent where the text shows it as it is.
    shown: Option<Box<str>>,
}

impl Query {
    /// Reads a question; `None` when it holds nothing to look for.
    pub fn new(text: &str) -> Option<Self> {
        let words: Vec<Word> =
            text.split_whitespace().take(WORDS).filter_map(|word| Word::new(word, word)).collect();
        let joined = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>();
        let phrase = Word::new(&joined.join(" "), &joined.concat())?;
        Some(Self { phrase, words })
    }

    /// Whether [`Lookup::find`] may find something in a device of this signature.
    pub(super) fn may_be_in(&self, device: &Signature) -> bool {
        self.phrase.may_be_in(device)
            || self.words.len() > 1 && self.words.iter().all(|word| word.may_be_in(device))
    }
}

impl Word {
    fn new(text: &str, digits: &str) -> Option<Self> {
        let text = text.to_lowercase();
        if text.is_empty() {
            return None;
        }
        let local = text.split_once('@').map(|(local, _)| local.to_owned());
        let local = local.filter(|local| local.chars().count() > 1);
        let mac = mac_digits(digits);
        let spellings = [Some(&text), local.as_ref(), mac.as_ref()].into_iter().flatten();
        let signatures = spellings.map(|spelling| Signature::of(spelling)).collect();
        Some(Self { text, local, mac, signatures })
    }

    fn may_be_in(&self, device: &Signature) -> bool {
        self.signatures.iter().any(|one| device.may_hold(one))
    }
}

/// The digits of a MAC address or a part of one, in any spelling.
fn mac_digits(text: &str) -> Option<String> {
    // Digits and dots alone are an IP address unless the groups are Cisco's groups of four.
    let dotted = text.contains('.') && text.split('.').any(|g| !g.is_empty() && g.len() != 4);
    if dotted {
        return None;
    }
    let digits: String =
        text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect::<String>().to_lowercase();
    let fits = (2..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then_some(digits)
}

impl Lookup {
    /// The values of a device: those of its row, and those it had.
    pub fn of(row: &DeviceRow, seen: &[SeenValue]) -> Self {
        let mut lookup = Self::default();
        let summary = &row.summary;
        lookup.add(MatchKind::Hostname, false, &summary.hostname);
        for user in summary.user.iter().chain(&summary.user_full_name) {
            lookup.add(MatchKind::User, false, user);
        }
        if let Some(serial) = &summary.serial {
            lookup.add(MatchKind::Serial, false, serial);
        }
        for mac in &summary.macs {
            lookup.add(MatchKind::Mac, false, mac);
        }
        for address in &summary.addresses {
            lookup.add(MatchKind::Ip, false, address);
        }
        for tag in row.asset_tag.iter().chain(&summary.firmware_asset_tag) {
            lookup.add(MatchKind::AssetTag, false, tag);
        }
        lookup.add(MatchKind::Model, false, &super::entry::maker_and_model(row));
        if let Some(model) = &summary.model {
            lookup.add(MatchKind::Model, false, model);
        }
        lookup.add(MatchKind::Id, false, &row.id.to_string());
        for value in seen {
            let Some(kind) = MatchKind::from_word(value.kind) else { continue };
            lookup.add(kind, true, &value.value);
            if let Some(label) = &value.label {
                lookup.add(kind, true, label);
            }
        }
        lookup.text.shrink_to_fit();
        lookup.values.shrink_to_fit();
        lookup
    }

    /// Of all its values.
    pub(super) fn signature(&self) -> Signature {
        Signature::of(&self.text)
    }

    /// Every value that can be found, and whether it is a past one.
    pub(super) fn told(&self) -> std::collections::BTreeSet<String> {
        let told = self.values.iter().map(|value| {
            let past = if value.past { "past " } else { "" };
            format!("{past}{} `{}`", value.kind.as_str(), self.shown(value))
        });
        told.collect()
    }

    /// Adds a value; a past one only where it is not a present one as well.
    fn add(&mut self, kind: MatchKind, past: bool, shown: &str) {
        let known = |value: &Value| value.kind == kind && self.shown(value) == shown;
        if shown.is_empty() || self.values.iter().any(known) {
            return;
        }
        let mut text = shown.to_lowercase().replace('\n', " ");
        if kind == MatchKind::Mac {
            text.retain(|c| !matches!(c, ':' | '-' | '.'));
        }
        let place = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let start = place(&self.text);
        self.text.push_str(&text);
        let end = place(&self.text);
        self.text.push('\n');
        let shown = (text != shown).then(|| shown.into());
        self.values.push(Value { kind, past, start, end, shown });
    }

    /// A value as it is searched.
    fn text_of(&self, value: &Value) -> &str {
        self.text.get(value.start as usize..value.end as usize).unwrap_or_default()
    }

    /// A value as it is shown.
    fn shown<'a>(&'a self, value: &'a Value) -> &'a str {
        value.shown.as_deref().unwrap_or_else(|| self.text_of(value))
    }

    /// How well this device answers; `None` when a word is nowhere in it.
    pub fn find(&self, query: &Query) -> Option<Match> {
        if let Some(found) = self.best(&query.phrase) {
            return Some(found);
        }
        if query.words.len() < 2 {
            return None;
        }
        // The least telling word decides nothing; the best one is what is shown.
        let found: Option<Vec<Match>> = query.words.iter().map(|word| self.best(word)).collect();
        let best = found?.into_iter().min()?;
        Some(Match { fit: Fit::Scattered, ..best })
    }

    fn best(&self, word: &Word) -> Option<Match> {
        let texts = [Some(&word.text), word.local.as_ref(), word.mac.as_ref()];
        let inside = |text: &String| memmem::find(self.text.as_bytes(), text.as_bytes()).is_some();
        if !texts.into_iter().flatten().any(inside) {
            return None;
        }
        let mut best: Option<(Fit, bool, MatchKind, &Value)> = None;
        for value in &self.values {
            let text = self.text_of(value);
            let fit = if value.kind == MatchKind::Mac {
                word.mac.as_deref().and_then(|digits| fit(text, digits))
            } else {
                let local = || word.local.as_deref().and_then(|local| fit(text, local));
                fit(text, &word.text).or_else(local)
            };
            let Some(fit) = fit else { continue };
            let rank = (fit, value.past, value.kind);
            if best.is_none_or(|(fit, past, kind, _)| rank < (fit, past, kind)) {
                best = Some((fit, value.past, value.kind, value));
            }
        }
        best.map(|(fit, past, kind, value)| Match {
            fit,
            past,
            kind,
            value: self.shown(value).to_owned(),
        })
    }
}

fn fit(value: &str, asked: &str) -> Option<Fit> {
    let mut fit = None;
    for at in memmem::find_iter(value.as_bytes(), asked.as_bytes()) {
        if at == 0 {
            let whole = value.len() == asked.len();
            return Some(if whole { Fit::Whole } else { Fit::Beginning });
        }
        let after_letter = value
            .get(..at)
            .and_then(|before| before.chars().next_back())
            .is_some_and(char::is_alphanumeric);
        if !after_letter {
            return Some(Fit::WordBeginning);
        }
        fit = Some(Fit::Inside);
    }
    fit
}
