//! Which delimiter a file uses, and where its header is.
//!
//! Owns detection, by the row that [`super::candidates`] finds to be the header; lines
//! above it, such as LinkedIn's notes, stay as they are. Leaves the meaning of the header
//! to [`super::find_header`].

use memchr::memchr2;

use super::candidates::{HeaderCandidate, find_header};
use super::header::NameColumn;
use super::scan::{ScannedCell, line_end};

/// What separates the cells of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// Found out: comma, semicolon, tab or pipe.
    Auto,
    /// This ASCII character.
    Byte(u8),
}

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// What separates cells.
    pub(super) delimiter: u8,
    /// Where the first row begins: behind the line `sep=;` by which Excel is told
    /// the delimiter, where there is one.
    pub(super) start: usize,
    /// Where the header begins.
    pub(super) header: usize,
    /// Whether that row is one of a contact, and no other can be the header.
    pub(super) is_headless: bool,
}

impl Dialect {
    /// Finds the delimiter under which the header has the most names that say something,
    /// as `name` tells; among equals the most cells.
    pub(super) fn detect_dialect(
        body: &[u8],
        delimiter: Delimiter,
        name: impl Fn(&str) -> NameColumn,
    ) -> Dialect {
        let (start, announced) = announced_delimiter(body);
        let under = |candidate: u8| (find_header(body, start, candidate, &name), candidate);
        let (header, delimiter) = match (delimiter, announced) {
            (Delimiter::Byte(byte), _) | (Delimiter::Auto, Some(byte)) => under(byte),
            (Delimiter::Auto, None) => {
                // Those that occur nowhere read the file alike: one of them is enough.
                let all = [b'|', b'\t', b';', b','];
                let occurs = |candidate: &u8| memchr::memchr(*candidate, body).is_some();
                let idle = all.into_iter().rfind(|candidate| !occurs(candidate));
                // Of equals `max_by_key` takes the last.
                all.into_iter()
                    .filter(|candidate| Some(*candidate) == idle || occurs(candidate))
                    .map(under)
                    .max_by_key(|(header, _)| header.candidate_worth())
                    .unwrap_or_else(|| under(b','))
            }
        };
        let HeaderCandidate { start: at, is_contact, .. } = header;
        Dialect { delimiter, start, header: at, is_headless: is_contact }
    }

    /// The line on which the first row stands, counted from 1.
    pub(super) fn first_line(self) -> u32 {
        if self.start == 0 { 1 } else { 2 }
    }
}

/// The delimiter that the first line announces as `sep=;` or `"sep=;"`, and where
/// the next line begins.
fn announced_delimiter(body: &[u8]) -> (usize, Option<u8>) {
    let length = memchr2(b'\n', b'\r', body).unwrap_or(body.len());
    let (line, rest) = body.split_at(length);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let usable = |byte: u8| byte == b'\t' || byte.is_ascii_punctuation() && byte != b'"';
    match *line {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] if usable(delimiter) => {
            (length + line_end(rest), Some(delimiter))
        }
        _ => (0, None),
    }
}

/// A cell of the header as a name: its trimmed value.
pub(super) fn header_name(cell: ScannedCell, body: &[u8]) -> String {
    String::from_utf8_lossy(&cell.cell_value(body)).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Field;

    fn name(text: &str) -> NameColumn {
        let known = [
            ("First Name", Field::FirstName),
            ("Last Name", Field::LastName),
            ("Email", Field::Email),
        ];
        known
            .iter()
            .find(|(name, _)| *name == text)
            .map_or(NameColumn::Unknown, |(_, f)| NameColumn::Known(*f))
    }

    fn find(body: &str) -> (u8, usize) {
        let dialect = Dialect::detect_dialect(body.as_bytes(), Delimiter::Auto, name);
        (dialect.delimiter, dialect.start)
    }

    #[test]
    fn the_delimiter_is_the_one_under_which_the_header_makes_sense() {
        assert_eq!(find("First Name,Last Name\nAnn;A;B;C;D,Lee\n"), (b',', 0));
        assert_eq!(find("First Name;Last Name;Street, City, State, ZIP\n"), (b';', 0));
        assert_eq!(find("\"First Name\"\t\"Last Name\"\n"), (b'\t', 0));
        assert_eq!(find("\n\n First Name |Email\n"), (b'|', 0));
        assert_eq!(find("Email\na;b@c.example\n"), (b',', 0));
        assert_eq!(find("Vorname;Nachname,x;Ort\n"), (b';', 0));
        assert_eq!(find(""), (b',', 0));
    }

    #[test]
    fn the_line_by_which_excel_is_told_the_delimiter_is_no_header() {
        assert_eq!(find("sep=;\r\nFirst Name;Last Name\r\n"), (b';', 7));
        assert_eq!(find("SEP=\t\nFirst Name\tLast Name\n"), (b'\t', 6));
        assert_eq!(find("\"sep=;\"\nFirst Name;Last Name\n"), (b';', 8));
        assert_eq!(find("separate,First Name\n"), (b',', 0));
        assert_eq!(find("sep=;;\nFirst Name,Email\n"), (b',', 0));
    }

    #[test]
    fn lines_above_the_header_are_no_header() {
        let linkedin = "Notes:\n\"When exporting, \"\"some\"\" addresses\nmay be missing, too.\"\n\n\
                        First Name,Last Name,Email\nAnn,Lee,\n";
        let table = [
            (linkedin, "First Name,"),
            ("# exported on Monday, all; of them\nFirst Name;Email\nAnn;\n", "First Name;"),
            ("Email\n\nFirst Name,Email\n", "First Name,"),
            ("First Name,Notes\nEmail,Last Name\n", "First Name,Notes"),
            ("Email\nann@example.org\n", "Email"),
            ("\n \nEmail\nFirst Name\n", "Email"),
            ("Kunde,Ort\nx,y\n", "Kunde"),
        ];
        for (body, header) in table {
            let dialect = Dialect::detect_dialect(body.as_bytes(), Delimiter::Auto, name);
            assert!(body[dialect.header..].starts_with(header), "{body}");
        }
    }

    #[test]
    fn a_configured_delimiter_is_taken_as_it_is() {
        let dialect = Dialect::detect_dialect(b"First Name,Email^x\n", Delimiter::Byte(b'^'), name);
        assert_eq!(dialect.delimiter, b'^');
    }
}
