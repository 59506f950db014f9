//! The text in which WMI writes objects (MOF): `instance of Class { Name = "text"; … };`.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// Objects in one text, and values of one property that are looked at.
const ROWS_LIMIT: usize = 5_000;
const VALUES_LIMIT: usize = 256;

/// The properties of one object: each has a value, a list of them, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row(BTreeMap<String, Vec<String>>);

impl Row {
    fn values(&self, name: &str) -> &[String] {
        self.0.get(&name.to_ascii_lowercase()).map(Vec::as_slice).unwrap_or_default()
    }

    /// A text that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let text = self.values(name).first()?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// A number; long ones are written as texts.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// Whether a list of numbers holds this one.
    pub(crate) fn has(&self, name: &str, number: u64) -> bool {
        self.values(name).iter().any(|value| value.trim().parse() == Ok(number))
    }

    /// Whether it is said to be true.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("TRUE"))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

/// The objects of a text, with these properties alone. What is no such text has none.
pub(super) fn rows(text: &str, properties: &[&str]) -> Vec<Row> {
    let mut tokens = Tokens(text.chars().peekable());
    let mut rows = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            Token::Sign('[') => tokens.skip_qualifiers(),
            Token::Sign('{') => rows.push(tokens.row(properties)),
            _ => {}
        }
        if rows.len() >= ROWS_LIMIT {
            break;
        }
    }
    rows
}

struct Tokens<'a>(Peekable<Chars<'a>>);

impl Tokens<'_> {
    fn next(&mut self) -> Option<Token> {
        let is_of_word = |letter: char| letter.is_alphanumeric() || "_$+-.:".contains(letter);
        loop {
            let letter = self.0.next()?;
            if letter == '"' {
                return Some(Token::Text(self.text()));
            }
            if is_of_word(letter) {
                let mut word = String::from(letter);
                while let Some(letter) = self.0.next_if(|letter| is_of_word(*letter)) {
                    word.push(letter);
                }
                return Some(Token::Word(word));
            }
            if !letter.is_whitespace() {
                return Some(Token::Sign(letter));
            }
        }
    }

    /// What follows a quotation mark, up to the next one.
    fn text(&mut self) -> String {
        let mut told = String::new();
        while let Some(letter) = self.0.next() {
            match letter {
                '"' => break,
                '\\' => match self.0.next() {
                    Some('n') => told.push('\n'),
                    Some('r') => told.push('\r'),
                    Some('t') => told.push('\t'),
                    Some('b' | 'f') => told.push(' '),
                    Some('x' | 'X') => told.extend(self.by_number()),
                    Some(other) => told.push(other),
                    None => break,
                },
                other => told.push(other),
            }
        }
        told
    }

    /// A letter by its number in up to four hexadecimal digits.
    fn by_number(&mut self) -> Option<char> {
        let mut number = None;
        for _ in 0..4 {
            let Some(digit) = self.0.peek().and_then(|letter| letter.to_digit(16)) else { break };
            self.0.next();
            number = Some(number.unwrap_or(0) * 16 + digit);
        }
        number.and_then(char::from_u32).filter(|letter| *letter != '\0')
    }

    fn skip_qualifiers(&mut self) {
        while self.next().is_some_and(|token| token != Token::Sign(']')) {}
    }

    /// What follows the brace of an object, up to its end.
    fn row(&mut self, properties: &[&str]) -> Row {
        let mut row = Row::default();
        let mut name = String::new();
        while let Some(token) = self.next() {
            match token {
                Token::Sign('}') => break,
                Token::Sign('[') => self.skip_qualifiers(),
                Token::Sign('=') => {
                    let (values, is_last) = self.values_of_one();
                    if properties.iter().any(|one| one.eq_ignore_ascii_case(&name)) {
                        row.0.insert(name.to_ascii_lowercase(), values);
                    }
                    if is_last {
                        break;
                    }
                }
                Token::Word(word) => name = word,
                _ => {}
            }
        }
        row
    }

    /// The values up to a semicolon, and whether the object ends with them. An object within the
    /// object has none.
    fn values_of_one(&mut self) -> (Vec<String>, bool) {
        let mut values: Vec<String> = Vec::new();
        let (mut depth, mut is_object, mut goes_on) = (0_usize, false, false);
        while let Some(token) = self.next() {
            let went_on = std::mem::take(&mut goes_on);
            match token {
                Token::Sign(';') if depth == 0 => {
                    return (if is_object { Vec::new() } else { values }, false);
                }
                Token::Sign('{') => depth += 1,
                Token::Sign('}') if depth == 0 => break,
                Token::Sign('}') => depth -= 1,
                Token::Sign('=') => is_object = true,
                Token::Sign(_) => {}
                Token::Text(text) => {
                    goes_on = true;
                    let has_room = values.len() < VALUES_LIMIT;
                    match values.last_mut().filter(|_| went_on) {
                        // A long text is written in parts.
                        Some(last) => last.push_str(&text),
                        None if has_room => values.push(text),
                        None => {}
                    }
                }
                Token::Word(word) => {
                    if values.len() < VALUES_LIMIT && !word.eq_ignore_ascii_case("NULL") {
                        values.push(word);
                    }
                }
            }
        }
        (if is_object { Vec::new() } else { values }, true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn objects_have_texts_numbers_and_lists() {
        let text = r#"
[dynamic: ToInstance, Values{"a"}]
instance of MSFT_PhysicalDisk
{
	BusType = 11;
	CannotPoolReason = {2, 6};
	FriendlyName = "ATA \"fast\" " "disk \x00e9";
	IsPartial = TRUE;
	Location = "never asked for";
	Nothing = NULL;
	ObjectId = "{1}\\\\SRV\\root:PD:{2}";
	Part = 
instance of Other
{
	Name = "other";
};
	Size = "4000225165312";
	Names = {"one", "two"};
};

instance of MSFT_PhysicalDisk
{
	DeviceId = "7"
"#;
        let asked = [
            "BusType",
            "CannotPoolReason",
            "FriendlyName",
            "IsPartial",
            "Nothing",
            "ObjectId",
            "Part",
            "Size",
            "Names",
            "DeviceId",
        ];
        let rows = rows(text, &asked);
        assert_eq!(rows.len(), 2);
        let row = &rows[0];
        assert_eq!(row.number("bustype"), Some(11));
        assert!(row.has("CannotPoolReason", 6) && !row.has("CannotPoolReason", 3));
        assert_eq!(row.text("FriendlyName"), Some("ATA \"fast\" disk é"));
        assert!(row.is("IsPartial") && !row.is("Nothing"));
        assert_eq!(row.text("ObjectId"), Some(r"{1}\\SRV\root:PD:{2}"));
        assert_eq!(row.number("Size"), Some(4_000_225_165_312));
        assert_eq!(row.values("names"), ["one", "two"]);
        assert_eq!((row.text("Part"), row.text("Name"), row.text("Location")), (None, None, None));
        assert_eq!(rows[1].number("DeviceId"), Some(7), "cut off");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(instance of X|\\{|\\}|;|=|\\[|\\]|\"|\\\\|\\\\x[0-9a-f]{0,5}|,|A|[0-9]{1,22}|\\PC)*") {
            let _ = rows(&text, &["A"]);
        }

        #[test]
        fn a_text_is_read_as_it_was_written(text in "[^\\p{C}]{0,40}") {
            let written = text.replace('\\', r"\\").replace('"', "\\\"");
            let found = rows(&format!("instance of X {{ Name = \"{written}\"; Last = 1; }};"), &["Name", "Last"]);
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(found[0].values("Name"), [text]);
            prop_assert_eq!(found[0].number("Last"), Some(1));
        }
    }
}
