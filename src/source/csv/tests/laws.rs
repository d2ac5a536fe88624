//! The laws of lossless editing, on files made from a model that knows the value and the
//! bytes of every cell. What a file must be after edits is worked out from the model, so
//! that it shares no step with the product.

use proptest::prelude::*;

use super::super::{Charset, CsvOptions, Table};
use super::edited;
use crate::model::{Change, Field, LinqId, RecordIndex, Values};
use crate::source::{Edit, EditOutcome};

/// How a file turns text into bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Utf8,
    Utf8WithMark,
    Utf16Le,
    Utf16Be,
    Western,
}

impl Code {
    fn bytes(self, text: &str) -> Vec<u8> {
        let marked = || std::iter::once('\u{feff}').chain(text.chars()).collect::<String>();
        match self {
            Code::Utf8 => text.into(),
            Code::Utf8WithMark => marked().into(),
            Code::Utf16Le => marked().encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Code::Utf16Be => marked().encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Code::Western => {
                let byte = |c: char| u8::try_from(u32::from(c)).unwrap();
                text.chars().map(|c| if c == '€' { 0x80 } else { byte(c) }).collect()
            }
        }
    }

    fn text(self, bytes: &[u8]) -> String {
        let encoding = match self {
            Code::Utf8 | Code::Utf8WithMark => encoding_rs::UTF_8,
            Code::Utf16Le => encoding_rs::UTF_16LE,
            Code::Utf16Be => encoding_rs::UTF_16BE,
            Code::Western => encoding_rs::WINDOWS_1252,
        };
        encoding.decode(bytes).0.into_owned()
    }

    fn options(self) -> CsvOptions {
        let encoding = match self {
            Code::Western => Charset::Named("windows-1252".to_owned()),
            Code::Utf8 | Code::Utf8WithMark | Code::Utf16Le | Code::Utf16Be => Charset::Auto,
        };
        let id_column = Some("linq_id".to_owned());
        CsvOptions { id_column, encoding, ..CsvOptions::new("contacts.csv") }
    }
}

#[derive(Clone, Debug)]
struct Cell {
    value: String,
    quoted: bool,
}

impl Cell {
    fn written(&self, delimiter: char) -> String {
        let needed = self.value.contains(['"', '\n', '\r', delimiter]);
        // A quotation mark within a bare cell is text.
        let inner = !self.value.contains(['\n', '\r', delimiter]) && !self.value.starts_with('"');
        if self.quoted || needed && !inner { quoted(&self.value) } else { self.value.clone() }
    }

    /// What the cell is once it holds `text`.
    fn rewritten(&self, text: &str, delimiter: char) -> String {
        let was_quoted = self.written(delimiter).starts_with('"');
        written(text, was_quoted, delimiter)
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn written(text: &str, was_quoted: bool, delimiter: char) -> String {
    let needed = text.contains(['"', '\n', '\r', delimiter]);
    if was_quoted || needed { quoted(text) } else { text.to_owned() }
}

#[derive(Clone, Debug)]
struct Row {
    cells: Vec<Cell>,
    end: &'static str,
}

impl Row {
    fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.value.trim_ascii().is_empty())
    }

    fn written(&self, delimiter: char) -> String {
        let cells: Vec<String> = self.cells.iter().map(|cell| cell.written(delimiter)).collect();
        cells.join(&delimiter.to_string()) + self.end
    }
}

#[derive(Clone, Debug)]
struct File {
    code: Code,
    delimiter: char,
    above: String,
    names: Vec<&'static str>,
    header_end: &'static str,
    rows: Vec<Row>,
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

impl File {
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

    /// The rows that are records.
    fn records(&self) -> Vec<usize> {
        (0..self.rows.len()).filter(|row| !self.rows[*row].is_blank()).collect()
    }

    fn value(&self, row: usize, column: usize) -> &str {
        self.rows[row].cells.get(column).map_or("", |cell| cell.value.as_str())
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z]{0,5}", 3 => "[a-z ,;|\t\"'=+@é€\r\n]{0,7}"]
}

fn row(ends: &'static [&'static str]) -> impl Strategy<Value = Row> {
    let cell = (text(), any::<bool>()).prop_map(|(value, quoted)| Cell { value, quoted });
    let cells = prop_oneof![
        6 => prop::collection::vec(cell, NAMES.len()),
        1 => prop::collection::vec(("[a-z]{1,3}", any::<bool>())
            .prop_map(|(value, quoted)| Cell { value, quoted }), 1..NAMES.len()),
        1 => Just(vec![Cell { value: String::new(), quoted: false }]),
    ];
    (cells, prop::sample::select(ends)).prop_map(|(cells, end)| Row { cells, end })
}

fn file() -> impl Strategy<Value = File> {
    let code = prop::sample::select(vec![
        Code::Utf8,
        Code::Utf8WithMark,
        Code::Utf16Le,
        Code::Utf16Be,
        Code::Western,
    ]);
    let delimiter = prop::sample::select(vec![',', ';', '\t', '|']);
    let ends: [&'static [&'static str]; 4] = [&["\n"], &["\r\n"], &["\r"], &["\n", "\r\n"]];
    let rows = prop::sample::select(ends.to_vec())
        .prop_flat_map(|ends| (Just(ends[0]), prop::collection::vec(row(ends), 0..8)));
    let above =
        prop::sample::select(vec!["", "sep=", "Notes:\n\"some, are;\nmissing\"\n\n", "# of\n"]);
    let names = Just(NAMES.to_vec()).prop_shuffle();
    (code, delimiter, above, names, rows, any::<bool>()).prop_map(
        |(code, delimiter, above, names, (header_end, mut rows), unended)| {
            let above =
                if above == "sep=" { format!("sep={delimiter}\n") } else { above.to_owned() };
            // A last row without an end must be whole, or it looks cut off.
            if let Some(last) = rows.last_mut()
                && unended
                && (last.cells.len() == names.len() && !last.is_blank())
            {
                last.end = "";
            }
            File { code, delimiter, above, names, header_end, rows }
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
fn wanted(file: &File, fields: &[(usize, String)], id: bool) -> Vec<(usize, String)> {
    let cells = fields.iter().map(|(field, to)| (file.column(FIELDS[*field].1), guarded(to)));
    cells.chain(id.then(|| (file.column("linq_id"), ID.to_string()))).collect()
}

/// The row after the edit.
fn row_after(file: &File, row: usize, wanted: &[(usize, String)]) -> String {
    let cells = &file.rows[row].cells;
    let changes: Vec<&(usize, String)> =
        wanted.iter().filter(|(column, text)| file.value(row, *column) != text).collect();
    let width = changes.iter().map(|(column, _)| column + 1).fold(cells.len(), usize::max);
    let cell = |column: usize| {
        let change = changes.iter().find(|(changed, _)| *changed == column);
        match (change, cells.get(column)) {
            (Some((_, text)), Some(cell)) => cell.rewritten(text, file.delimiter),
            (Some((_, text)), None) => written(text, false, file.delimiter),
            (None, Some(cell)) => cell.written(file.delimiter),
            (None, None) => String::new(),
        }
    };
    let cells: Vec<String> = (0..width).map(cell).collect();
    cells.join(&file.delimiter.to_string()) + file.rows[row].end
}

fn edit(file: &File, record: usize, row: usize, wish: &Wish) -> Option<Edit> {
    let at = RecordIndex(u32::try_from(record).unwrap());
    match wish {
        Wish::Keep => None,
        Wish::Remove => Some(Edit::Remove { at }),
        Wish::Fields(fields, id) => {
            let change = |(field, to): &(usize, String)| {
                let (field, name) = FIELDS[*field];
                let from = unguarded(file.value(row, file.column(name))).to_owned();
                Change { field, from, to: to.clone() }
            };
            let changes = fields.iter().map(change).collect();
            Some(Edit::Update { at, changes, linq_id: id.then_some(LinqId(ID)) })
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_cell_is_read_as_an_independent_reader_reads_it(file in file()) {
        let (table, reading) = Table::parse(file.bytes(), &file.code.options()).unwrap();
        let shape = table.shape();
        prop_assert_eq!(shape.delimiter, u8::try_from(file.delimiter).unwrap());
        prop_assert!(reading.unreadable.is_empty() && reading.read_only.is_none());
        let text: String = file.rows.iter().map(|row| row.written(file.delimiter)).collect();
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
        let (bytes, written) = edited(&raw, &file.code.options(), &[]).unwrap();
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
        let edits: Vec<Edit> = wished
            .iter()
            .enumerate()
            .filter_map(|(record, (row, wish))| edit(&file, record, *row, wish))
            .collect();
        let (bytes, after) = edited(&file.bytes(), &file.code.options(), &edits).unwrap();
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
                    let is_blank = rows_of(&after, file.delimiter)
                        .concat()
                        .iter()
                        .all(|cell| cell.trim_ascii().is_empty());
                    let stands = matches!(outcomes.next(), Some(EditOutcome::Stands(_)));
                    prop_assert_eq!(stands, !is_blank, "only a row without any text is refused");
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
        let edits: Vec<Edit> = people
            .iter()
            .map(|person| Edit::Add { values: values(person), linq_id: LinqId(ID), was: None })
            .collect();
        let (bytes, after) = edited(&file.bytes(), &file.code.options(), &edits).unwrap();
        prop_assert!(after.edits.iter().all(|edit| matches!(edit, EditOutcome::Stands(_))));
        let filled = file.records().last().map_or(0, |last| last + 1);
        let (before, below) = file.rows.split_at(filled);
        let above = before.iter().map(|row| row.written(file.delimiter)).collect::<String>();
        let above = file.above.clone() + &file.header() + &above;
        let below: String = below.iter().map(|row| row.written(file.delimiter)).collect();
        let whole = file.code.text(&bytes);
        let added = whole.strip_prefix(&above).and_then(|rest| rest.strip_suffix(&below));
        let added = added.expect("what was there stays");
        let expected: Vec<Vec<String>> = people
            .iter()
            .map(|person| {
                let mut cells = vec![String::new(); NAMES.len()];
                for ((_, name), text) in FIELDS.iter().zip(person) {
                    cells[file.column(name)] = guarded(text);
                }
                cells[file.column("linq_id")] = ID.to_string();
                cells
            })
            .collect();
        prop_assert_eq!(rows_of(added, file.delimiter), expected);
    }
}
