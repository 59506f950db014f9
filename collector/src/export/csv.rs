//! CSV as RFC 4180 says, safe to open in a spreadsheet.

use std::borrow::Cow;

use super::Profile;

/// Writes rows of a fixed number of cells.
pub(super) struct CsvWriter {
    columns: &'static [&'static str],
    profile: Profile,
}

impl CsvWriter {
    pub(super) fn new(columns: &'static [&'static str], profile: Profile) -> Self {
        Self { columns, profile }
    }

    /// The first line: the names of the columns, units included.
    pub(super) fn header(&self, out: &mut Vec<u8>) {
        line(self.columns.iter().map(|name| Cow::Borrowed(*name)), out);
    }

    /// One row; cells are in the order of the columns.
    pub(super) fn row<C: AsRef<str>>(&self, cells: &[C], out: &mut Vec<u8>) {
        let written = cells.iter().map(|cell| match self.profile {
            Profile::Spreadsheet => defused(cell.as_ref()),
            Profile::Raw => Cow::Borrowed(cell.as_ref()),
        });
        line(written, out);
    }
}

fn line<'a>(cells: impl Iterator<Item = Cow<'a, str>>, out: &mut Vec<u8>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let special = |byte: u8| matches!(byte, b'"' | b',' | b'\r' | b'\n');
        if cell.bytes().any(special) || cell.starts_with(' ') || cell.ends_with(' ') {
            out.push(b'"');
            out.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(cell.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// A cell that a spreadsheet would run as a formula gets an apostrophe in front, which shows it
/// as text. Full-width forms count: some spreadsheets read them alike.
fn defused(cell: &str) -> Cow<'_, str> {
    // The first byte alone tells of most cells that they are harmless.
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    if cell.as_bytes().first().is_none_or(plain) {
        return Cow::Borrowed(cell);
    }
    let dangerous = |c: char| {
        matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
    };
    if cell.starts_with(dangerous) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

#[cfg(test)]
mod tests {
    use ::csv::ReaderBuilder;
    use proptest::prelude::*;

    use super::*;

    fn written(cells: &[String], profile: Profile) -> Vec<u8> {
        let mut out = Vec::new();
        CsvWriter::new(&["a", "b"], profile).row(cells, &mut out);
        out
    }

    proptest! {
        #[test]
        fn every_reader_reads_back_what_was_written(a in any::<String>(), b in any::<String>()) {
            let cells = vec![a, b];
            let bytes = written(&cells, Profile::Raw);
            let mut reader = ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
            let read: Vec<Vec<String>> =
                reader.deserialize().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(read, vec![cells]);
        }

        #[test]
        fn no_cell_begins_a_formula(a in "[=+\\-@\t\r\n＝＋－＠ a]{0,4}", b in any::<String>()) {
            let bytes = written(&[a, b], Profile::Spreadsheet);
            let mut reader = ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
            for row in reader.records() {
                for cell in &row.unwrap() {
                    prop_assert!(!cell.starts_with(
                        ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']
                    ));
                }
            }
        }
    }

    #[test]
    fn quotes_what_needs_it() {
        let cells = ["a\"b".to_owned(), "=1+1,2".to_owned()];
        let text = String::from_utf8(written(&cells, Profile::Spreadsheet)).unwrap();
        assert_eq!(text, "\"a\"\"b\",\"'=1+1,2\"\r\n");
    }
}
