//! Quotation marks that are none of a CSV file.
//!
//! Owns how a row is known whose cells all stand between marks that no reader of tables
//! takes for quotation marks, such as `“Bo”,“Fox”` or `'Bo','Fox'`: what is between them is
//! meant, and where a cell ends cannot be told for certain. A name that merely has such a
//! mark, as `O'Neill`, `'t Hooft` and `Bo "Ace" Fox`, is left alone.

use super::header::Columns;
use super::location::FieldLocation;
use super::looks::is_email;
use crate::model::Field;

/// Opening marks, each with those that close it.
const MARKS: [(char, &str); 15] = [
    ('“', "”“"),
    ('„', "“”"),
    ('”', "”"),
    ('‘', "’‘"),
    ('‚', "‘’"),
    ('’', "’"),
    ('«', "»"),
    ('»', "«»"),
    ('‹', "›"),
    ('\'', "'"),
    ('`', "`'´"),
    ('´', "´"),
    ('＂', "＂"),
    ('″', "″"),
    ('"', "\""),
];

/// How many cells must stand between marks for a row to be written that way.
const CELLS: usize = 2;

/// The mark between which and another the cells of a row stand: both its names, or all
/// that have letters. `row` is what is written between two line ends, `values` what is read.
pub(super) fn find_mark(
    row: &str,
    delimiter: u8,
    values: &[String],
    columns: &Columns,
) -> Option<char> {
    let own = |field| columns.places_of(field).iter().filter_map(FieldLocation::own_column);
    let names = [Field::FirstName, Field::LastName]
        .map(|field| own(field).find_map(|column| opening_mark(values.get(column)?)));
    match names {
        [Some(mark), Some(_)] => Some(mark),
        _ => enclosing_mark(row, delimiter, values.iter().map(String::as_str)),
    }
}

/// The mark with which all cells of a row begin that have letters, where another ends each
/// of them: `row` is what is written between two line ends, `values` what is read.
fn enclosing_mark<'v>(
    row: &str,
    delimiter: u8,
    values: impl Iterator<Item = &'v str>,
) -> Option<char> {
    values_between(values).or_else(|| cells_between(row, char::from(delimiter)))
}

fn closing_marks(open: char) -> Option<&'static str> {
    MARKS.iter().find(|(mark, _)| *mark == open).map(|(_, closers)| *closers)
}

/// The mark with which a value begins, where another ends it.
pub(super) fn opening_mark(value: &str) -> Option<char> {
    let value = value.trim();
    let open = value.chars().next()?;
    let end = value.chars().next_back().filter(|_| value.chars().count() > 1)?;
    closing_marks(open).is_some_and(|closers| closers.contains(end)).then_some(open)
}

fn values_between<'v>(values: impl Iterator<Item = &'v str>) -> Option<char> {
    let mut tally = QuoteTally::default();
    for value in values {
        let open = opening_mark(value);
        tally.take_cell(value.trim(), open)?;
    }
    tally.common_mark()
}

/// The same by what is written, where a delimiter may stand between two marks.
fn cells_between(row: &str, delimiter: char) -> Option<char> {
    let mut tally = QuoteTally::default();
    let mut rest = Some(row);
    while let Some(text) = rest {
        let (cell, open, after) = next_cell(text, delimiter);
        if open == Some('"') {
            return None;
        }
        tally.take_cell(cell.trim(), open)?;
        rest = after;
    }
    tally.common_mark()
}

/// The first cell, the mark between which and another it stands, and what follows it.
fn next_cell(text: &str, delimiter: char) -> (&str, Option<char>, Option<&str>) {
    let inner = text.trim_start();
    if let Some(open) = inner.chars().next()
        && let Some(closers) = closing_marks(open)
    {
        for (at, close) in inner.char_indices().skip(1).filter(|(_, c)| closers.contains(*c)) {
            let after = inner[at + close.len_utf8()..].trim_start_matches([' ', '\u{a0}']);
            if after.is_empty() {
                return (inner, Some(open), None);
            }
            if let Some(after) = after.strip_prefix(delimiter) {
                return (&inner[..at + close.len_utf8()], Some(open), Some(after));
            }
        }
    }
    match text.split_once(delimiter) {
        Some((cell, after)) => (cell, None, Some(after)),
        None => (text, None, None),
    }
}

/// How many cells stand between marks, if all of them do.
#[derive(Default)]
struct QuoteTally {
    cells: usize,
    open: Option<char>,
}

impl QuoteTally {
    /// Takes a cell; `None` where it says that the row is not written that way.
    fn take_cell(&mut self, cell: &str, open: Option<char>) -> Option<()> {
        let Some(open) = open else {
            let is_word = cell.chars().any(char::is_alphabetic);
            let is_null = ["null", "true", "false", "none"].contains(&&*cell.to_lowercase());
            return (!is_word || is_null).then_some(());
        };
        self.cells += 1;
        (*self.open.get_or_insert(open) == open).then_some(())
    }

    fn common_mark(&self) -> Option<char> {
        self.open.filter(|_| self.cells >= CELLS)
    }
}

/// Whether the only cell of a row is all of them, in one pair of quotation marks.
pub(super) fn is_whole_row(cell: &str, delimiter: u8, width: usize) -> bool {
    let parts = || cell.split(char::from(delimiter));
    parts().count() > 1 && (parts().count() == width || parts().any(is_email))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(row: &str) -> Option<char> {
        enclosing_mark(row, b',', row.split(','))
    }

    #[test]
    fn a_row_between_other_marks_is_known() {
        for row in [
            "“Bo”,“Fox”,“bo@x.example”",
            "„Bo“, „Fox“",
            "'Bo','Fox','bo@x.example'",
            "'Bo','Fox, Jr.','bo@x.example'",
            "“Bo”,“Fox, Jr.”",
            "'Bo','Fox',42,NULL,",
            "«Bo»,«Fox»",
            "'Bo', 'O'Neill' ,",
            "`Bo`,`Fox`",
        ] {
            assert!(found(row).is_some(), "{row}");
        }
        assert_eq!(enclosing_mark("x", b',', ["\"Bo\"", "\"Fox\""].into_iter()), Some('"'));
    }

    #[test]
    fn a_name_with_a_mark_is_left_alone() {
        for row in [
            "Bo \"Ace\" Fox,x",
            "'t Hooft,Jan,'s-Gravenhage",
            "O'Neill,D'Arcy,x'",
            "Jan,'t Hooft',",
            "“Ace”,Fox",
            "'=1+1,'-2",
            "\"Bo\",\"Fox\"",
            "Bo,«Acme»",
            ",,",
            "'Bo',",
        ] {
            assert_eq!(found(row).filter(|mark| *mark != '"'), None, "{row}");
        }
    }
}
