//! Which delimiter a file uses, and where its header is.
//!
//! Owns detection, by the header row alone, so that no edit of a contact can ever
//! change how the file is read. The header is the first row with a name that is
//! known; lines above it, such as LinkedIn's notes, stay as they are. Leaves the
//! meaning of the header to [`super::header`].

use memchr::memchr2;

use super::scan::{Cell, Scanner, line_end};

/// What separates the cells of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// Found out: comma, semicolon, tab or pipe.
    Auto,
    /// This ASCII character.
    Byte(u8),
}

/// How many filled rows are looked at to find the header.
const ROWS: usize = 20;

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
}

/// A row that may be the header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// How many of its cells are known as names of columns.
    known: usize,
    cells: usize,
    /// Where it begins.
    start: usize,
}

impl Dialect {
    /// Finds the delimiter under which the header has the most `known` names;
    /// among equals the most cells.
    pub(super) fn find(body: &[u8], delimiter: Delimiter, known: impl Fn(&str) -> bool) -> Dialect {
        let (start, announced) = announced(body);
        let under = |candidate: u8| (header(body, start, candidate, &known), candidate);
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
                    .max_by_key(|(header, _)| (header.known, header.cells))
                    .unwrap_or_else(|| under(b','))
            }
        };
        Dialect { delimiter, start, header: header.start }
    }

    /// The line on which the first row stands, counted from 1.
    pub(super) fn first_line(self) -> u32 {
        if self.start == 0 { 1 } else { 2 }
    }
}

/// The delimiter that the first line announces as `sep=;` or `"sep=;"`, and where
/// the next line begins.
fn announced(body: &[u8]) -> (usize, Option<u8>) {
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

/// The row that is the header: the first in which a name is known. A row of one cell
/// may be a title and gives way to a later row with several. Where nothing is known,
/// it is the first row that is not blank.
fn header(body: &[u8], start: usize, delimiter: u8, known: impl Fn(&str) -> bool) -> Candidate {
    let (mut scanner, mut cells) = (Scanner::new(body, delimiter, start, 1), Vec::new());
    let mut best: Option<Candidate> = None;
    for _ in 0..ROWS {
        let row = loop {
            match scanner.next_row(&mut cells) {
                Some(_) if cells.iter().all(|cell| cell.is_blank(body)) => {}
                row => break row,
            }
        };
        let Some(row) = row else { break };
        let names = cells.iter().filter(|cell| known(&name(**cell, body))).count();
        let row = Candidate { known: names, cells: cells.len(), start: row.start };
        match best {
            None => best = Some(row),
            Some(first) if first.known == 0 && row.known > 0 => best = Some(row),
            Some(title) if title.cells == 1 && row.known > 1 => best = Some(row),
            Some(_) => {}
        }
        if best.is_some_and(|best| best.known > 0 && best.cells > 1) {
            break;
        }
    }
    best.unwrap_or(Candidate { known: 0, cells: 0, start: body.len() })
}

/// A cell of the header as a name: its trimmed value.
pub(super) fn name(cell: Cell, body: &[u8]) -> String {
    String::from_utf8_lossy(&cell.value(body)).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(body: &str) -> (u8, usize) {
        let known = |name: &str| ["First Name", "Last Name", "Email"].contains(&name);
        let dialect = Dialect::find(body.as_bytes(), Delimiter::Auto, known);
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
        let known = |name: &str| ["First Name", "Last Name", "Email"].contains(&name);
        for (body, header) in table {
            let dialect = Dialect::find(body.as_bytes(), Delimiter::Auto, known);
            assert!(body[dialect.header..].starts_with(header), "{body}");
        }
    }

    #[test]
    fn a_configured_delimiter_is_taken_as_it_is() {
        let dialect = Dialect::find(b"First Name,Email^x\n", Delimiter::Byte(b'^'), |_| true);
        assert_eq!(dialect.delimiter, b'^');
    }
}
