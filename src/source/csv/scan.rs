//! Where rows and cells lie in the text of a CSV file.
//!
//! Owns the grammar: RFC 4180 as spreadsheets read it, with every kind of line
//! end, and with blanks before a quotation mark, as people and programs write them
//! behind a delimiter (`"Bo", "Fox"`): they open the cell all the same, if the closing
//! quotation mark ends it. A cell is a span of the text as it is written, blanks and
//! quotation marks included; nothing is copied until a value is asked for. Leaves to
//! [`super::rows`] what a row means.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr2, memchr2_iter, memchr3};

/// One cell, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScannedCell {
    start: usize,
    end: usize,
    quote: Quote,
}

/// How a cell is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    /// It is not.
    Bare,
    /// It opens with blanks and a quotation mark, and the cell does not end where that
    /// is closed: all of it is text. It `dangles` if it is not closed on its line.
    Stray { dangles: bool },
    /// Where its opening and its closing quotation mark stand.
    Closed { open: usize, close: usize },
    /// It opens with a quotation mark that is never closed.
    Open,
}

impl ScannedCell {
    /// Where it stands in the text.
    pub(super) fn text_range(self) -> Range<usize> {
        self.start..self.end
    }

    /// The value that is written there.
    pub(super) fn cell_value(self, body: &[u8]) -> Cow<'_, [u8]> {
        let (inner, tail) = match self.quote {
            Quote::Bare | Quote::Stray { .. } => return Cow::Borrowed(&body[self.text_range()]),
            Quote::Closed { open, close } => (&body[open + 1..close], &body[close + 1..self.end]),
            Quote::Open => (&body[self.start + 1..self.end], &[][..]),
        };
        if tail.is_empty() && memchr(b'"', inner).is_none() {
            return Cow::Borrowed(inner);
        }
        let mut value = Vec::with_capacity(inner.len() + tail.len());
        let mut rest = inner;
        while let Some(at) = memchr(b'"', rest) {
            value.extend_from_slice(&rest[..=at]);
            rest = rest.get(at + 2..).unwrap_or_default();
        }
        value.extend_from_slice(rest);
        value.extend_from_slice(tail);
        Cow::Owned(value)
    }

    /// Whether it holds nothing but white space.
    pub(super) fn is_blank(self, body: &[u8]) -> bool {
        self.cell_value(body).iter().all(u8::is_ascii_whitespace)
    }

    /// Whether it opens with a quotation mark.
    pub(super) fn is_quoted(self) -> bool {
        matches!(self.quote, Quote::Closed { .. } | Quote::Open)
    }

    /// Whether blanks and a quotation mark begin it, and nobody can tell where it ends.
    pub(super) fn is_stray(self) -> bool {
        matches!(self.quote, Quote::Stray { .. })
    }

    /// Whether blanks and a quotation mark begin it that is not closed on its line, so that
    /// it may hold what looks like further rows.
    pub(super) fn has_dangling_quote(self, body: &[u8]) -> bool {
        self.quote == Quote::Stray { dangles: true }
            || !self.leading_blanks(body).is_empty() && self.has_line_break(body)
    }

    /// The blanks before its opening quotation mark.
    pub(super) fn leading_blanks(self, body: &[u8]) -> &[u8] {
        match self.quote {
            Quote::Closed { open, .. } => &body[self.start..open],
            Quote::Bare | Quote::Stray { .. } | Quote::Open => &[],
        }
    }

    /// Whether its quotation mark is never closed.
    pub(super) fn is_open(self) -> bool {
        self.quote == Quote::Open
    }

    /// Whether more than white space follows the closing quotation mark.
    pub(super) fn has_tail(self, body: &[u8]) -> bool {
        match self.quote {
            Quote::Closed { close, .. } => !body[close + 1..self.end].trim_ascii().is_empty(),
            Quote::Bare | Quote::Stray { .. } | Quote::Open => false,
        }
    }

    /// Whether it goes over more than one line.
    pub(super) fn has_line_break(self, body: &[u8]) -> bool {
        memchr2(b'\n', b'\r', &body[self.text_range()]).is_some()
    }
}

/// One row, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScannedRow {
    /// Where it begins.
    pub(super) start: usize,
    /// Where its line end begins.
    pub(super) content_end: usize,
    /// Where the next row begins.
    pub(super) end: usize,
    /// The line on which it begins, counted from 1.
    pub(super) line: u32,
}

/// Walks through the rows of a text.
pub(super) struct Scanner<'a> {
    body: &'a [u8],
    delimiter: u8,
    at: usize,
    line: u32,
}

impl<'a> Scanner<'a> {
    /// Starts at the byte `at`, which begins the line `line`.
    pub(super) fn new(body: &'a [u8], delimiter: u8, at: usize, line: u32) -> Scanner<'a> {
        Scanner { body, delimiter, at, line }
    }

    /// What separates cells.
    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The next row, with its cells in `cells`; a blank line is a row of one
    /// empty cell.
    pub(super) fn next_row(&mut self, cells: &mut Vec<ScannedCell>) -> Option<ScannedRow> {
        cells.clear();
        if self.at >= self.body.len() {
            return None;
        }
        let (start, line) = (self.at, self.line);
        loop {
            let cell = self.next_cell();
            cells.push(cell);
            self.at = cell.end;
            if self.body.get(cell.end) != Some(&self.delimiter) {
                break;
            }
            self.at += 1;
        }
        let content_end = self.at;
        self.at += line_end(&self.body[content_end..]);
        self.line += u32::from(self.at > content_end);
        Some(ScannedRow { start, content_end, end: self.at, line })
    }

    fn next_cell(&mut self) -> ScannedCell {
        let start = self.at;
        let open = start + self.count_blanks(start);
        if self.body.get(open) != Some(&b'"') {
            return ScannedCell { start, end: self.bare_end(start), quote: Quote::Bare };
        }
        let (inside, cell) = if let Some(close) = self.closing_quote(open + 1) {
            let end = self.bare_end(close + 1);
            (start..close, ScannedCell { start, end, quote: Quote::Closed { open, close } })
        } else {
            let end = self.body.len();
            (start..end, ScannedCell { start, end, quote: Quote::Open })
        };
        if open > start && (cell.is_open() || cell.has_tail(self.body)) {
            let end = self.bare_end(start);
            let dangles = cell.is_open() || line_breaks(&self.body[inside]) > 0;
            return ScannedCell { start, end, quote: Quote::Stray { dangles } };
        }
        self.line += line_breaks(&self.body[inside]);
        cell
    }

    /// How many bytes of blanks begin at `from`.
    fn count_blanks(&self, from: usize) -> usize {
        let mut rest = &self.body[from..];
        loop {
            rest = match rest {
                [blank @ (b' ' | b'\t'), after @ ..] if *blank != self.delimiter => after,
                // A no-break space.
                [0xc2, 0xa0, after @ ..] => after,
                _ => return self.body.len() - from - rest.len(),
            };
        }
    }

    /// Where the unquoted text that begins at `from` ends.
    fn bare_end(&self, from: usize) -> usize {
        let rest = &self.body[from..];
        memchr3(self.delimiter, b'\n', b'\r', rest).map_or(self.body.len(), |length| from + length)
    }

    fn closing_quote(&self, mut from: usize) -> Option<usize> {
        loop {
            let at = from + memchr(b'"', &self.body[from..])?;
            if self.body.get(at + 1) != Some(&b'"') {
                return Some(at);
            }
            from = at + 2;
        }
    }
}

/// Length of the line end with which `rest` begins.
pub(super) fn line_end(rest: &[u8]) -> usize {
    match rest {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// Number of line breaks in `text`, of every kind.
pub(super) fn line_breaks(text: &[u8]) -> u32 {
    let breaks = memchr2_iter(b'\n', b'\r', text)
        .filter(|at| text[*at] == b'\n' || text.get(at + 1) != Some(&b'\n'));
    u32::try_from(breaks.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::straight::straightened;
    use super::*;

    fn rows(body: &[u8], delimiter: u8) -> Vec<(u32, Vec<Vec<u8>>)> {
        let (mut scanner, mut cells) = (Scanner::new(body, delimiter, 0, 1), Vec::new());
        let mut rows = Vec::new();
        while let Some(row) = scanner.next_row(&mut cells) {
            rows.push((
                row.line,
                cells.iter().map(|cell| cell.cell_value(body).into_owned()).collect(),
            ));
        }
        rows
    }

    /// The same rows as the `csv` crate reads them, once it is spared blanks before quotation
    /// marks. It leaves out blank lines.
    fn oracle(body: &[u8], delimiter: u8) -> Vec<Vec<Vec<u8>>> {
        let body = &straightened(body, delimiter)[..];
        let mut reader = csv::ReaderBuilder::new();
        reader.delimiter(delimiter).has_headers(false).flexible(true);
        let records = reader.from_reader(body).into_byte_records();
        records.map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect()).collect()
    }

    #[test]
    fn quoted_line_breaks_belong_to_the_cell_and_count_as_lines() {
        let body = b"a,\"x\r\ny\rz\n\"\r\nb,c\n\n\rd";
        let read = rows(body, b',');
        assert_eq!(read[0].1[1], b"x\r\ny\rz\n");
        assert_eq!(read.iter().map(|row| row.0).collect::<Vec<_>>(), [1, 5, 6, 7, 8]);
    }

    #[test]
    fn a_doubled_quotation_mark_is_one_and_what_follows_the_closing_one_is_kept() {
        let read = rows(b"\"the \"\"best\"\"\",\"a\" b\"c", b',');
        assert_eq!(read[0].1, [b"the \"best\"".to_vec(), b"a b\"c".to_vec()]);
    }

    #[test]
    fn blanks_before_a_quotation_mark_open_the_cell_all_the_same() {
        let read = rows("a, \"b\",\t \"c, d\" ,\u{a0}\"e\"\n".as_bytes(), b',');
        assert_eq!(read[0].1, [&b"a"[..], b"b", b"c, d ", b"e"]);
        let body = b"a\t \"b\tc\"\n \"two\nlines\"\td";
        let read = rows(body, b'\t');
        assert_eq!(read[0].1, [&b"a"[..], b"b\tc"]);
        assert_eq!(read[1], (2, vec![b"two\nlines".to_vec(), b"d".to_vec()]));
    }

    #[test]
    fn behind_blanks_a_quotation_mark_that_does_not_end_its_cell_swallows_nothing() {
        let body = b"a, \"b,c\n \"Bo\" Fox,d\n";
        let (mut scanner, mut cells) = (Scanner::new(body, b',', 0, 1), Vec::new());
        for expected in [vec![false, true, false], vec![true, false]] {
            scanner.next_row(&mut cells);
            assert_eq!(cells.iter().map(|cell| cell.is_stray()).collect::<Vec<_>>(), expected);
        }
        assert_eq!(*cells[0].cell_value(body), *b" \"Bo\" Fox");
    }

    #[test]
    fn a_quotation_mark_that_is_never_closed_is_told() {
        let body = b"a\nb,\"c\nd,e\n";
        let (mut scanner, mut cells) = (Scanner::new(body, b',', 0, 1), Vec::new());
        scanner.next_row(&mut cells);
        assert!(!cells.iter().any(|cell| cell.is_open()));
        scanner.next_row(&mut cells);
        assert!(cells[1].is_open());
        assert_eq!(scanner.next_row(&mut cells), None);
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            &b"a"[..],
            b"b c",
            b"\"",
            b"\"\"",
            b",",
            b",",
            b";",
            b"\n",
            b"\r\n",
            b"\r",
            b"\xff",
            b" ",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn values_are_those_that_an_independent_reader_sees(body in text(), semicolon: bool) {
            let delimiter = if semicolon { b';' } else { b',' };
            let blank_line = |row: &(u32, Vec<Vec<u8>>)| row.1 == [Vec::<u8>::new()];
            let ours: Vec<_> = rows(&body, delimiter).into_iter().filter(|row| !blank_line(row)).collect();
            // A lone `""` is a row to the oracle, and blank to people.
            let mut theirs = oracle(&body, delimiter);
            theirs.retain(|row| row != &[Vec::<u8>::new()]);
            prop_assert_eq!(ours.into_iter().map(|row| row.1).collect::<Vec<_>>(), theirs);
        }

        #[test]
        fn rows_and_cells_cover_every_byte(body in text()) {
            let (mut scanner, mut cells) = (Scanner::new(&body, b',', 0, 1), Vec::new());
            let mut rebuilt = Vec::new();
            while let Some(row) = scanner.next_row(&mut cells) {
                let raw: Vec<_> = cells.iter().map(|cell| &body[cell.text_range()]).collect();
                rebuilt.extend_from_slice(&raw.join(&b','));
                rebuilt.extend_from_slice(&body[row.content_end..row.end]);
            }
            prop_assert_eq!(rebuilt, body);
        }
    }
}
