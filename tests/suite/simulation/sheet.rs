//! The CSV file as people's programs read and save it.
//!
//! Written apart from the product's own reader, on the crates `csv` and `csv-core`, so that each
//! is a witness against the other. It knows nothing of formulas or canonical
//! forms: a cell is what stands in it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use linqsync::model::Field;

use super::scenario::Feature;

/// A file, cell by cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SimSheet {
    bom: bool,
    crlf: bool,
    quoted: bool,
    delimiter: u8,
    /// Rows above the header, where people have moved it.
    pub(super) above: Vec<Vec<String>>,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// The column that linqsync does not know.
pub(super) const NOTES: &str = "Notes";
/// The column that identifies a row.
pub(super) const KEY: &str = "Employee ID";
/// The column that holds Linq's id.
pub(super) const ID: &str = "linq_id";
/// A column that people add.
pub(super) const EXTRA: &str = "Extra";

/// The name of a field's column.
pub(super) const fn column(field: Field) -> &'static str {
    match field {
        Field::FirstName => "First Name",
        Field::LastName => "Last Name",
        Field::Email => "Email",
        Field::PhoneNumber => "Phone",
        Field::Company => "Company",
        Field::Title => "Title",
        Field::Location => "Location",
        Field::Owner => "Owner",
    }
}

impl SimSheet {
    /// A file without rows.
    pub(super) fn new(features: &BTreeSet<Feature>) -> SimSheet {
        let has = |feature| features.contains(&feature);
        let mut header: Vec<String> = Vec::new();
        if has(Feature::NotesFirst) {
            header.push(NOTES.to_owned());
        }
        if has(Feature::Key) {
            header.push(KEY.to_owned());
        }
        for field in Field::ALL {
            if is_mapped(features, field) {
                header.push(column(field).to_owned());
            }
        }
        if !has(Feature::NotesFirst) {
            header.push(NOTES.to_owned());
        }
        if has(Feature::Ids) {
            header.push(ID.to_owned());
        }
        SimSheet {
            bom: has(Feature::Bom),
            crlf: has(Feature::Crlf),
            quoted: has(Feature::Quoted),
            delimiter: if has(Feature::Semicolons) { b';' } else { b',' },
            above: Vec::new(),
            header,
            rows: Vec::new(),
        }
    }

    /// Reads what stands in a file.
    pub(super) fn parse(bytes: &[u8]) -> SimSheet {
        let body = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut lines = body.split(|byte| *byte == b'\n');
        // The header need not be the first row.
        let names = NOTES.as_bytes();
        let names_columns = |line: &&[u8]| line.windows(names.len()).any(|part| part == names);
        let first = lines.clone().find(names_columns).or_else(|| lines.next()).unwrap_or_default();
        let delimiter = if first.contains(&b';') { b';' } else { b',' };
        let mut rows = cells(body, delimiter);
        let header = if rows.is_empty() { Vec::new() } else { rows.remove(0) };
        let mut sheet = SimSheet {
            bom: body.len() != bytes.len(),
            crlf: first.ends_with(b"\r"),
            quoted: first.starts_with(b"\""),
            delimiter,
            above: Vec::new(),
            header,
            rows,
        };
        if !is_header(&sheet.header) {
            sheet.rows.insert(0, std::mem::take(&mut sheet.header));
            sheet.find_header();
        }
        sheet
    }

    /// Takes the row that is one for the header: those before it stand above it.
    pub(super) fn find_header(&mut self) {
        let Some(at) = self.rows.iter().position(|row| is_header(row)) else { return };
        let rows = self.rows.split_off(at + 1);
        self.above = std::mem::replace(&mut self.rows, rows);
        self.header = self.above.pop().unwrap_or_default();
    }

    /// What stands in the file after it is saved.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(self.delimiter)
            .terminator(if self.crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
            .quote_style(if self.quoted {
                csv::QuoteStyle::Always
            } else {
                csv::QuoteStyle::Necessary
            })
            .flexible(true)
            .from_writer(if self.bom { b"\xEF\xBB\xBF".to_vec() } else { Vec::new() });
        for row in self.above.iter().chain(std::iter::once(&self.header)).chain(&self.rows) {
            writer.write_record(row).unwrap();
        }
        writer.into_inner().unwrap()
    }

    /// Quotes every cell, or only where it is needed.
    pub(super) fn requote(&mut self) {
        self.quoted = !self.quoted;
    }

    /// The position of a column.
    pub(super) fn at(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// What stands in a row in a column; nothing where there is no such cell.
    pub(super) fn cell(&self, row: usize, name: &str) -> &str {
        let at = self.at(name);
        at.and_then(|at| self.rows.get(row)?.get(at)).map_or("", String::as_str)
    }

    /// Gives a row what stood in the only row of `was` in columns that linqsync does not
    /// know, and its key if no other row has that by now.
    pub(super) fn put_back(&mut self, row: usize, was: &SimSheet) {
        self.put(row, NOTES, was.cell(0, NOTES));
        let key = was.cell(0, KEY);
        if (0..self.rows.len()).all(|row| self.cell(row, KEY) != key) {
            self.put(row, KEY, key);
        }
    }

    /// Puts `text` into a cell, if there is such a column.
    pub(super) fn put(&mut self, row: usize, name: &str, text: &str) {
        let Some(at) = self.at(name) else { return };
        let cells = &mut self.rows[row];
        while cells.len() <= at {
            cells.push(String::new());
        }
        text.clone_into(&mut cells[at]);
    }

    /// Adds a blank column at the end.
    pub(super) fn add_column(&mut self, name: &str) {
        let at = self.header.len();
        self.header.push(name.to_owned());
        for row in self.above.iter_mut().chain(&mut self.rows) {
            // Cells beyond the header stay where they are.
            while row.len() <= at {
                row.push(String::new());
            }
        }
    }

    /// The position among the rows of what a spreadsheet calls row `number`.
    pub(super) fn row_of(&self, number: usize) -> usize {
        number - 2 - self.above.len()
    }

    /// Every text in every row.
    pub(super) fn texts(&self) -> Vec<String> {
        self.above.concat().into_iter().chain(self.rows.concat()).collect()
    }

    /// A row without any text.
    pub(super) fn add(&mut self) -> usize {
        self.rows.push(vec![String::new(); self.header.len()]);
        self.rows.len() - 1
    }
}

/// Whether a row is the one that names the columns.
fn is_header(row: &[String]) -> bool {
    row.iter().any(|cell| cell == NOTES)
}

thread_local! {
    /// A reader for each delimiter: making one costs more than reading a small file.
    static READERS: [RefCell<csv_core::Reader>; 2] = [b',', b';'].map(|delimiter| {
        RefCell::new(csv_core::ReaderBuilder::new().delimiter(delimiter).build())
    });
}

/// The cells of every row that is not an empty line.
fn cells(mut input: &[u8], delimiter: u8) -> Vec<Vec<String>> {
    READERS.with(|readers| {
        let mut reader = readers[usize::from(delimiter == b';')].borrow_mut();
        reader.reset();
        let (mut rows, mut row) = (Vec::new(), Vec::new());
        // What stands in a cell is never longer than how it is written.
        let mut cell = vec![0; input.len() + 1];
        let mut filled = 0;
        loop {
            let (result, read, written) = reader.read_field(input, &mut cell[filled..]);
            input = &input[read..];
            filled += written;
            match result {
                csv_core::ReadFieldResult::InputEmpty => {}
                csv_core::ReadFieldResult::OutputFull => unreachable!("the cell is long enough"),
                csv_core::ReadFieldResult::Field { record_end } => {
                    row.push(String::from_utf8(cell[..filled].to_vec()).unwrap());
                    filled = 0;
                    if record_end {
                        rows.push(std::mem::take(&mut row));
                    }
                }
                csv_core::ReadFieldResult::End => return rows,
            }
        }
    })
}

/// Whether the file has a column for `field`.
pub(super) fn is_mapped(features: &BTreeSet<Feature>, field: Field) -> bool {
    match field {
        Field::Owner => features.contains(&Feature::Owner),
        Field::Location => features.contains(&Feature::Location),
        Field::FirstName
        | Field::LastName
        | Field::Email
        | Field::PhoneNumber
        | Field::Company
        | Field::Title => true,
    }
}
