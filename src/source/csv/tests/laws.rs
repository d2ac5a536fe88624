//! The laws of lossless editing, on files made from a model that knows the value and the
//! bytes of every cell. What a file must be after edits is worked out from the model, so
//! that it shares no step with the product.

use proptest::prelude::*;

use super::super::{Charset, CsvOptions, TableVersion};
use super::{edited, straight};
use crate::model::{Field, FieldChange, LinqId, RecordIndex, Values};
use crate::source::{EditOutcome, SourceEdit, WriteError, WriteReceipt};

/// How a file turns text into bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DrawnCharset {
    Utf8,
    Utf8WithMark,
    Utf16Le,
    Utf16Be,
    Western,
}

impl DrawnCharset {
    fn bytes(self, text: &str) -> Vec<u8> {
        let marked = || std::iter::once('\u{feff}').chain(text.chars()).collect::<String>();
        match self {
            DrawnCharset::Utf8 => text.into(),
            DrawnCharset::Utf8WithMark => marked().into(),
            DrawnCharset::Utf16Le => marked().encode_utf16().flat_map(u16::to_le_bytes).collect(),
            DrawnCharset::Utf16Be => marked().encode_utf16().flat_map(u16::to_be_bytes).collect(),
            DrawnCharset::Western => {
                let byte = |c: char| u8::try_from(u32::from(c)).unwrap();
                text.chars().map(|c| if c == '€' { 0x80 } else { byte(c) }).collect()
            }
        }
    }

    fn text(self, bytes: &[u8]) -> String {
        let encoding = match self {
            DrawnCharset::Utf8 | DrawnCharset::Utf8WithMark => encoding_rs::UTF_8,
            DrawnCharset::Utf16Le => encoding_rs::UTF_16LE,
            DrawnCharset::Utf16Be => encoding_rs::UTF_16BE,
            DrawnCharset::Western => encoding_rs::WINDOWS_1252,
        };
        encoding.decode(bytes).0.into_owned()
    }

    fn options(self) -> CsvOptions {
        let encoding = match self {
            DrawnCharset::Western => Charset::Named("windows-1252".to_owned()),
            DrawnCharset::Utf8
            | DrawnCharset::Utf8WithMark
            | DrawnCharset::Utf16Le
            | DrawnCharset::Utf16Be => Charset::Auto,
        };
        let id_column = Some("linq_id".to_owned());
        CsvOptions { id_column, encoding, ..CsvOptions::new("contacts.csv") }
    }
}

/// A cell: what is written, and what that means.
#[derive(Clone, Debug)]
struct DrawnCell {
    written: String,
    value: String,
    /// The blanks before its quotation mark, if it is quoted.
    lead: Option<String>,
    /// Whether nobody can tell what its quotation mark means.
    is_stray: bool,
    /// Whether that may go on in the next line.
    dangles: bool,
}

impl DrawnCell {
    /// Whether its quotation mark is never closed, or is before it ends.
    fn is_broken(&self) -> bool {
        self.lead.as_ref().is_some_and(|lead| self.written[lead.len()..] != quoted(&self.value))
    }

    /// What the cell is once it holds `text`.
    fn rewritten(&self, text: &str, delimiter: char) -> String {
        match &self.lead {
            // Behind blanks there are no cells of several lines.
            Some(_) if text.contains(['\n', '\r']) => quoted(text),
            Some(lead) => lead.clone() + &quoted(text),
            None => written(text, false, delimiter),
        }
    }
}

/// A cell as somebody may write it, before it is known what that means.
fn spelled(value: &str, lead: Option<&str>, delimiter: char) -> String {
    let needed = value.contains(['"', '\n', '\r', delimiter]);
    // A quotation mark within a bare cell is text.
    let inner = !value.contains(['\n', '\r', delimiter]) && !value.starts_with('"');
    match lead {
        Some(lead) => lead.replace(delimiter, " ") + &quoted(value),
        None if needed && !inner => quoted(value),
        None => value.to_owned(),
    }
}

/// Whether both names of a row stand between marks, or at least two of its cells and
/// no others have letters.
fn is_between_marks<'v>(values: impl Iterator<Item = &'v str>, names: &[&str]) -> bool {
    let mark = |value: &str| {
        let value = value.trim();
        let ends = value.chars().next().zip(value.chars().skip(1).last());
        ends.filter(|(open, end)| open == end && "'\"".contains(*open)).map(|(open, _)| open)
    };
    let values: Vec<&str> = values.collect();
    let named = |name| names.iter().zip(&values).any(|(n, v)| *n == name && mark(v).is_some());
    let marks: Vec<char> = values.iter().filter_map(|value| mark(value)).collect();
    let others = values.iter().filter(|value| mark(value).is_none());
    let bare = others.flat_map(|value| value.chars()).any(char::is_alphabetic);
    named("First Name") && named("Last Name")
        || marks.len() > 1 && marks.windows(2).all(|pair| pair[0] == pair[1]) && !bare
}

/// The rows of a text as the law of quotation marks has it.
fn rows_in(text: &str, delimiter: char) -> Vec<DrawnRow> {
    let by = u8::try_from(delimiter).unwrap();
    let cell = |token: &straight::StraightToken| {
        let written = text[token.span.clone()].to_owned();
        let value = rows_of(&written[token.lead..], delimiter).concat().concat();
        let lead = token.is_quoted.then(|| written[..token.lead].to_owned());
        DrawnCell { written, value, lead, is_stray: token.is_stray, dangles: token.dangles }
    };
    let row = |(cells, end): &(Vec<straight::StraightToken>, std::ops::Range<usize>)| DrawnRow {
        cells: cells.iter().map(cell).collect(),
        end: text[end.clone()].to_owned(),
    };
    straight::rows(text.as_bytes(), by).iter().map(row).collect()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn written(text: &str, was_quoted: bool, delimiter: char) -> String {
    let needed = text.contains(['"', '\n', '\r', delimiter]);
    if was_quoted || needed { quoted(text) } else { text.to_owned() }
}

#[derive(Clone, Debug)]
struct DrawnRow {
    cells: Vec<DrawnCell>,
    end: String,
}

impl DrawnRow {
    fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.value.trim_ascii().is_empty())
    }

    fn written(&self, delimiter: char) -> String {
        let cells: Vec<&str> = self.cells.iter().map(|cell| &*cell.written).collect();
        cells.join(&delimiter.to_string()) + &self.end
    }
}

#[derive(Clone, Debug)]
struct DrawnFile {
    code: DrawnCharset,
    delimiter: char,
    above: String,
    names: Vec<&'static str>,
    header_end: &'static str,
    rows: Vec<DrawnRow>,
}

/// The columns, of which three are nobody's.
const NAMES: [&str; 8] =
    ["First Name", "Last Name", "E-mail", "Firma", "linq_id", "Notes", "", "Notes"];

/// The fields and their columns.
const FIELDS: [(Field, &str); 4] = [
    (Field::FirstName, "First Name"),
    (Field::LastName, "Last Name"),
    (Field::Email, "E-mail"),
    (Field::Company, "Firma"),
];

impl DrawnFile {
    fn header(&self) -> String {
        self.names.join(&self.delimiter.to_string()) + self.header_end
    }

    fn bytes(&self) -> Vec<u8> {
        let rows = self.rows.iter().map(|row| row.written(self.delimiter));
        self.code.bytes(&(self.above.clone() + &self.header() + &rows.collect::<String>()))
    }

    fn column(&self, name: &str) -> usize {
        self.names.iter().position(|found| *found == name).unwrap()
    }

    /// The rows in which something is written.
    fn filled(&self) -> Vec<usize> {
        (0..self.rows.len()).filter(|row| !self.rows[*row].is_blank()).collect()
    }

    /// The rows that are records.
    fn records(&self) -> Vec<usize> {
        self.filled().into_iter().filter(|row| self.is_readable(*row)).collect()
    }

    /// Whether it can be told what the quotation marks of a row mean.
    fn is_readable(&self, row: usize) -> bool {
        let cells = &self.rows[row].cells;
        let is_ours = |at: usize| {
            FIELDS.iter().any(|(_, name)| self.names.get(at) == Some(name))
                || self.names.get(at) == Some(&"linq_id")
        };
        let is_whole = cells.len() == self.names.len();
        cells
            .iter()
            .enumerate()
            .all(|(at, cell)| !cell.dangles && !(cell.is_stray && (!is_whole || is_ours(at))))
            && !is_between_marks(cells.iter().map(|cell| &*cell.value), &self.names)
    }

    /// Whether rows may be hidden in a cell.
    fn is_read_only(&self) -> bool {
        self.rows.iter().flat_map(|row| &row.cells).any(|cell| cell.dangles)
    }

    fn value(&self, row: usize, column: usize) -> &str {
        self.rows[row].cells.get(column).map_or("", |cell| cell.value.as_str())
    }
}

/// No text that Excel would take for one, which `cell` has laws of its own about.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z]{0,5}", 3 => "[a-z ,;|\t\"'=+@é€\r\n]{0,7}"]
        .prop_map(|text| text.replace("=\"", "=q"))
}

/// The texts of a row's cells, each with the blanks before its quotation mark if it has
/// one, and its line end.
type Drawn = (Vec<(String, Option<&'static str>)>, &'static str);

fn row(ends: &'static [&'static str]) -> impl Strategy<Value = Drawn> {
    let lead = || {
        prop_oneof![
            3 => Just(None),
            2 => Just(Some("")),
            1 => prop::sample::select(vec![" ", "   ", "\t", "\u{a0}"]).prop_map(Some),
        ]
    };
    let cells = prop_oneof![
        6 => prop::collection::vec((text(), lead()), NAMES.len()),
        1 => prop::collection::vec(("[a-z]{1,3}", lead()), 1..NAMES.len()),
        1 => Just(vec![(String::new(), None)]),
    ];
    (cells, prop::sample::select(ends))
}

fn file() -> impl Strategy<Value = DrawnFile> {
    let code = prop::sample::select(vec![
        DrawnCharset::Utf8,
        DrawnCharset::Utf8WithMark,
        DrawnCharset::Utf16Le,
        DrawnCharset::Utf16Be,
        DrawnCharset::Western,
    ]);
    let delimiter = prop::sample::select(vec![',', ';', '\t', '|']);
    let ends: [&'static [&'static str]; 4] = [&["\n"], &["\r\n"], &["\r"], &["\n", "\r\n"]];
    let rows = prop::sample::select(ends.to_vec())
        .prop_flat_map(|ends| (Just(ends[0]), prop::collection::vec(row(ends), 0..8)));
    let above =
        prop::sample::select(vec!["", "sep=", "Notes:\n\"some, are;\nmissing\"\n\n", "# of\n"]);
    let names = Just(NAMES.to_vec()).prop_shuffle();
    (code, delimiter, above, names, rows, any::<bool>()).prop_map(
        |(code, delimiter, above, names, (header_end, drawn), unended)| {
            let above =
                if above == "sep=" { format!("sep={delimiter}\n") } else { above.to_owned() };
            let text = |spell: &dyn Fn(&str, Option<&'static str>) -> String| -> String {
                let row = |(cells, end): &Drawn| {
                    let cells: Vec<String> =
                        cells.iter().map(|(value, lead)| spell(value, *lead)).collect();
                    cells.join(&delimiter.to_string()) + end
                };
                drawn.iter().map(row).collect()
            };
            let mut rows =
                rows_in(&text(&|value, lead| spelled(value, lead, delimiter)), delimiter);
            // By chance a mark behind blanks goes with one of another cell that is left open.
            if rows.iter().flat_map(|row| &row.cells).any(DrawnCell::is_broken) {
                rows = rows_in(&text(&|value, _| quoted(value)), delimiter);
            }
            // A last row without an end must be whole, or it looks cut off.
            if let Some(last) = rows.last_mut()
                && unended
                && (last.cells.len() == names.len() && !last.is_blank())
                && !last.cells.last().is_some_and(|cell| cell.is_stray)
            {
                last.end = String::new();
            }
            DrawnFile { code, delimiter, above, names, header_end, rows }
        },
    )
}

/// What becomes of a record.
#[derive(Clone, Debug)]
enum Wish {
    Keep,
    Remove,
    Fields(Vec<(usize, String)>, bool),
}

fn wish() -> impl Strategy<Value = Wish> {
    let fields = prop::collection::btree_map(0..FIELDS.len(), text(), 0..3);
    let update = (fields, any::<bool>());
    prop_oneof![
        2 => Just(Wish::Keep),
        1 => Just(Wish::Remove),
        3 => update.prop_map(|(fields, id)| Wish::Fields(fields.into_iter().collect(), id)),
    ]
}

fn runs(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

fn guarded(text: &str) -> String {
    if runs(text) { format!("'{text}") } else { text.to_owned() }
}

fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| runs(rest)).unwrap_or(text)
}

const ID: u64 = 4711;

/// The new texts of the columns of a row.
fn wanted(file: &DrawnFile, fields: &[(usize, String)], id: bool) -> Vec<(usize, String)> {
    let cells = fields.iter().map(|(field, to)| (file.column(FIELDS[*field].1), guarded(to)));
    cells.chain(id.then(|| (file.column("linq_id"), ID.to_string()))).collect()
}

/// The row after the edit.
fn row_after(file: &DrawnFile, row: usize, wanted: &[(usize, String)]) -> String {
    let cells = &file.rows[row].cells;
    let changes: Vec<&(usize, String)> =
        wanted.iter().filter(|(column, text)| file.value(row, *column) != text).collect();
    let width = changes.iter().map(|(column, _)| column + 1).fold(cells.len(), usize::max);
    let cell = |column: usize| {
        let change = changes.iter().find(|(changed, _)| *changed == column);
        match (change, cells.get(column)) {
            (Some((_, text)), Some(cell)) => cell.rewritten(text, file.delimiter),
            (Some((_, text)), None) => written(text, false, file.delimiter),
            (None, Some(cell)) => cell.written.clone(),
            (None, None) => String::new(),
        }
    };
    let cells: Vec<String> = (0..width).map(cell).collect();
    cells.join(&file.delimiter.to_string()) + &file.rows[row].end
}

fn edit(file: &DrawnFile, record: usize, row: usize, wish: &Wish) -> Option<SourceEdit> {
    let at = RecordIndex(u32::try_from(record).unwrap());
    match wish {
        Wish::Keep => None,
        Wish::Remove => Some(SourceEdit::Remove { at }),
        Wish::Fields(fields, id) => {
            let change = |(field, to): &(usize, String)| {
                let (field, name) = FIELDS[*field];
                let from = unguarded(file.value(row, file.column(name)));
                FieldChange { field, from: from.into(), to: to.into() }
            };
            let changes = fields.iter().map(change).collect();
            Some(SourceEdit::Update { at, changes, linq_id: id.then_some(LinqId(ID)) })
        }
    }
}

/// All rows of a text that are no blank lines, as an independent reader sees them.
fn rows_of(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new();
    reader.delimiter(u8::try_from(delimiter).unwrap()).has_headers(false).flexible(true);
    let rows = reader.from_reader(text.as_bytes()).into_records();
    rows.map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn expect_read_only(
    outcome: &Result<(Vec<u8>, WriteReceipt), WriteError>,
) -> Result<(), TestCaseError> {
    let is_refused = matches!(outcome, Err(WriteError::ReadOnly { .. }));
    prop_assert!(is_refused);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_cell_is_read_as_an_independent_reader_reads_it(file in file()) {
        let (table, reading) = TableVersion::parse(file.bytes(), &file.code.options()).unwrap();
        let shape = table.table_shape();
        prop_assert_eq!(shape.delimiter, u8::try_from(file.delimiter).unwrap());
        let unreadable = file.filled().len() - file.records().len();
        prop_assert_eq!(reading.unreadable.len(), unreadable);
        prop_assert_eq!(reading.read_only.is_some(), file.is_read_only());
        let text: String = file
            .records()
            .into_iter()
            .map(|row| file.rows[row].written(file.delimiter))
            .map(|row| if row.ends_with(['\n', '\r']) { row } else { row + "\n" })
            .collect();
        let by = u8::try_from(file.delimiter).unwrap();
        let text = String::from_utf8(straight::straightened(text.as_bytes(), by)).unwrap();
        let rows = rows_of(&text, file.delimiter);
        let filled = rows.iter().filter(|row| row.iter().any(|cell| !cell.trim_ascii().is_empty()));
        let theirs = filled.map(|row| FIELDS.map(|(_, name)| {
            unguarded(row.get(file.column(name)).map_or("", String::as_str)).to_owned()
        }));
        let ours = reading.records.iter().map(|record| FIELDS.map(|(f, _)| record.values[f].clone()));
        prop_assert_eq!(ours.collect::<Vec<_>>(), theirs.collect::<Vec<_>>());
    }

    #[test]
    fn a_file_without_edits_is_written_to_the_same_bytes(file in file()) {
        let raw = file.bytes();
        let outcome = edited(&raw, &file.code.options(), &[]);
        if file.is_read_only() {
            return expect_read_only(&outcome);
        }
        let (bytes, written) = outcome.unwrap();
        prop_assert_eq!(bytes, raw);
        prop_assert_eq!(written.reading.records.len(), file.records().len());
    }

    #[test]
    fn edits_change_the_named_cells_and_no_other_byte(
        file in file(),
        wishes in prop::collection::vec(wish(), 8),
    ) {
        let records = file.records();
        let wished: Vec<(usize, &Wish)> = records.iter().copied().zip(&wishes).collect();
        let edits: Vec<SourceEdit> = wished
            .iter()
            .enumerate()
            .filter_map(|(record, (row, wish))| edit(&file, record, *row, wish))
            .collect();
        let outcome = edited(&file.bytes(), &file.code.options(), &edits);
        if file.is_read_only() {
            return expect_read_only(&outcome);
        }
        let (bytes, after) = outcome.unwrap();
        let mut outcomes = after.edits.iter();
        let mut expected = file.above.clone() + &file.header();
        for (row, content) in file.rows.iter().enumerate() {
            let wish = wished.iter().find(|(at, _)| *at == row).map(|(_, wish)| *wish);
            match wish {
                None | Some(Wish::Keep) => expected += &content.written(file.delimiter),
                Some(Wish::Remove) => {
                    prop_assert!(matches!(outcomes.next(), Some(EditOutcome::Removed)));
                }
                Some(Wish::Fields(fields, id)) => {
                    let wanted = wanted(&file, fields, *id);
                    let after = row_after(&file, row, &wanted);
                    let read = rows_in(&after, file.delimiter);
                    let is_blank = read.iter().all(DrawnRow::is_blank);
                    let is_marked = read.iter().any(|row| {
                        let values = row.cells.iter().map(|cell| &*cell.value);
                        is_between_marks(values, &file.names)
                    });
                    let stands = matches!(outcomes.next(), Some(EditOutcome::Stands(_)));
                    // Between two lone marks all delimiters may be text: this law does not say.
                    let lone = |row: &DrawnRow| row.cells.iter().filter(|c| c.value.trim() == "'").count();
                    if read.iter().all(|row| lone(row) < 2) {
                        prop_assert_eq!(stands, !is_blank && !is_marked, "only what could not be read is refused");
                    }
                    expected += &if stands { after } else { content.written(file.delimiter) };
                }
            }
        }
        prop_assert_eq!(bytes, file.code.bytes(&expected));
    }

    #[test]
    fn new_rows_are_added_as_they_are_asked_for_and_no_other_byte_changes(
        file in file(),
        people in prop::collection::vec([text(), text(), text(), text()], 1..4),
    ) {
        let values = |person: &[String; 4]| -> Values {
            FIELDS.iter().map(|(field, _)| *field).zip(person.iter().cloned()).collect()
        };
        let edits: Vec<SourceEdit> = people
            .iter()
            .map(|person| SourceEdit::Add { values: values(person), linq_id: LinqId(ID), was: None })
            .collect();
        let outcome = edited(&file.bytes(), &file.code.options(), &edits);
        if file.is_read_only() {
            return expect_read_only(&outcome);
        }
        let (bytes, after) = outcome.unwrap();
        let cells = |person: &[String; 4]| {
            let mut cells = vec![String::new(); NAMES.len()];
            for ((_, name), text) in FIELDS.iter().zip(person) {
                cells[file.column(name)] = guarded(text);
            }
            cells[file.column("linq_id")] = ID.to_string();
            cells
        };
        let mut expected: Vec<Vec<String>> = Vec::new();
        for (person, outcome) in people.iter().zip(&after.edits) {
            let cells = cells(person);
            let stands = matches!(outcome, EditOutcome::Stands(_));
            let refused = is_between_marks(cells.iter().map(String::as_str), &file.names);
            prop_assert_eq!(stands, !refused, "only what could not be read is refused");
            expected.extend(stands.then_some(cells));
        }
        let filled = file.filled().last().map_or(0, |last| last + 1);
        let (before, below) = file.rows.split_at(filled);
        let above = before.iter().map(|row| row.written(file.delimiter)).collect::<String>();
        let above = file.above.clone() + &file.header() + &above;
        let below: String = below.iter().map(|row| row.written(file.delimiter)).collect();
        let whole = file.code.text(&bytes);
        let added = whole.strip_prefix(&above).and_then(|rest| rest.strip_suffix(&below));
        let added = added.expect("what was there stays");
        prop_assert_eq!(rows_of(added, file.delimiter), expected);
    }
}
