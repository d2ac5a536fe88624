//! Which delimiter a file uses, and where its header begins.
//!
//! Owns detection, by the header row alone, so that no edit of a contact can ever
//! change how the file is read. Leaves the meaning of the header to
//! [`super::header`].

use super::scan::{Cell, Scanner, line_end};

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
}

impl Dialect {
    /// Finds the delimiter under which the header has the most `known` names;
    /// among equals the most cells.
    pub(super) fn find(body: &[u8], delimiter: Delimiter, known: impl Fn(&str) -> bool) -> Dialect {
        let (start, announced) = announced(body);
        let score = |candidate: u8| {
            let names = header(body, start, candidate);
            (names.iter().filter(|name| known(name)).count(), names.len())
        };
        let delimiter = match (delimiter, announced) {
            (Delimiter::Byte(byte), _) | (Delimiter::Auto, Some(byte)) => byte,
            // Of equals `max_by_key` takes the last.
            (Delimiter::Auto, None) => {
                b"|\t;,".iter().copied().max_by_key(|candidate| score(*candidate)).unwrap_or(b',')
            }
        };
        Dialect { delimiter, start }
    }

    /// The line on which the first row stands, counted from 1.
    pub(super) fn first_line(self) -> u32 {
        if self.start == 0 { 1 } else { 2 }
    }
}

/// The delimiter that the first line announces as `sep=;`, and where the next
/// line begins.
fn announced(body: &[u8]) -> (usize, Option<u8>) {
    let usable = |byte: u8| byte == b'\t' || byte.is_ascii_punctuation() && byte != b'"';
    match *body {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter, ref rest @ ..]
            if usable(delimiter) && (rest.is_empty() || line_end(rest) > 0) =>
        {
            (5 + line_end(rest), Some(delimiter))
        }
        _ => (0, None),
    }
}

/// The trimmed cells of the first row that is not blank.
fn header(body: &[u8], start: usize, delimiter: u8) -> Vec<String> {
    let (mut scanner, mut cells) = (Scanner::new(body, delimiter, start, 1), Vec::new());
    while scanner.next_row(&mut cells).is_some() {
        if !cells.iter().all(|cell| cell.is_blank(body)) {
            return cells.iter().map(|cell| name(*cell, body)).collect();
        }
    }
    Vec::new()
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
        assert_eq!(find("separate,First Name\n"), (b',', 0));
    }

    #[test]
    fn a_configured_delimiter_is_taken_as_it_is() {
        let dialect = Dialect::find(b"First Name,Email^x\n", Delimiter::Byte(b'^'), |_| true);
        assert_eq!(dialect.delimiter, b'^');
    }
}
