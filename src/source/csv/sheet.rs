//! A CSV file as one reading found it.
//!
//! Owns the order in which a file is understood: encoding, dialect, header, rows.
//! Leaves the file itself to [`super::open`].

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::model::{
    AsWritten, Fingerprint, Manner, Positions, RecordIndex, Resting, SelectedBy, Selection,
    Setting, SourceRecord, Unreadable,
};
use crate::source::formula::FormulaGuard;
use crate::source::{AtRest, SourceReading};

use super::cell::meant_text;
use super::dialect::{Delimiter, Dialect, header_name};
use super::foreign::foreign_format;
use super::header::{Columns, NameColumn, Profile, Profiles};
use super::preamble::rows_like_persons;
use super::rows::{RowReader, RowsRead, TextEnding};
use super::scan::{ScannedCell, ScannedRow, Scanner};
use super::text::{DecodedTable, Flaw};
use super::{CsvOptions, Defect};

/// A file that was read.
pub(super) struct Sheet {
    /// Its bytes and its text.
    pub(super) text: DecodedTable,
    /// How it is laid out.
    pub(super) dialect: Dialect,
    /// What its columns are.
    pub(super) columns: Columns,
    /// Whether formulas are guarded.
    pub(super) guard: FormulaGuard,
    /// The column that says which rows take part, and what a new row gets there.
    pub(super) only: Option<(usize, String)>,
    /// All its rows, blank lines included.
    pub(super) rows: Vec<ScannedRow>,
    /// Position in `rows` of the header.
    header: usize,
    /// For each record its position in `rows`.
    pub(super) record_rows: Vec<usize>,
    /// Where the records at rest are.
    at_rest: AtRest,
    /// Position in `rows` of the last row that is not blank.
    pub(super) last_filled: usize,
    /// Why it must not be written, if it must not.
    pub(super) read_only: Option<String>,
}

impl Sheet {
    /// Reads the file that consists of `raw`.
    ///
    /// # Errors
    /// [`Defect`] when it cannot be read as a table of contacts at all.
    pub(super) fn parse_sheet(
        raw: Vec<u8>,
        options: &CsvOptions,
        resting: &Resting,
    ) -> Result<(Sheet, SourceReading), Defect> {
        Sheet::parse_like(raw, options, None, resting)
    }

    /// The same, with the columns of `before` where the header is the same: what is written
    /// into a file decides nothing about what its columns are.
    pub(super) fn parse_like(
        raw: Vec<u8>,
        options: &CsvOptions,
        before: Option<&Columns>,
        resting: &Resting,
    ) -> Result<(Sheet, SourceReading), Defect> {
        check_delimiter(options.delimiter)?;
        if raw.is_empty() {
            return Err(Defect::new(
                None,
                "is empty: not even a header is there",
                "restore the file, or write a header row into it",
            ));
        }
        if let Some(defect) = foreign_format(&raw) {
            return Err(defect);
        }
        let text = DecodedTable::new(raw, &options.encoding)?;
        let known = |name: &str| NameColumn::parse_name(name, options);
        let dialect = Dialect::detect_dialect(text.body_bytes(), options.delimiter, known);
        let mut walk = RowWalk::new(text.body_bytes(), dialect);
        let columns = walk.walk_header(dialect, options, before)?;
        let header = walk.rows.len() - 1;
        let mut contents = walk.walk_contents(&columns, options, text.flaw, resting);
        contents.unreadable.splice(0..0, walk.persons_above(header, &columns));
        let rows = walk.rows;
        let manner = reading_manner(&text, dialect, &columns, options);
        let at_rest = std::mem::take(&mut contents.places);
        let (mut reading, record_rows, last_filled) =
            sheet_reading(&text, &columns, manner, contents);
        let only = options.only.clone();
        reading.only = only.map(|selection| SelectedBy { selection, told: columns.told_by_only() });
        // What a new row gets so that it takes part. A column that is a field's has its value.
        let first = options.only.as_ref().and_then(Selection::first).map(String::from);
        let only = columns.only.filter(|_| columns.told_by_only().is_none()).zip(first);
        let sheet = Sheet {
            dialect,
            guard: options.formula_guard,
            only,
            rows,
            header,
            record_rows,
            at_rest,
            last_filled: last_filled.unwrap_or(header),
            read_only: reading.read_only.clone(),
            columns,
            text,
        };
        Ok((sheet, reading))
    }

    /// The records of these pairs at rest.
    pub(super) fn at_rest(&self, pairs: &Positions, options: &CsvOptions) -> Vec<SourceRecord> {
        self.at_rest.records_of(pairs).filter_map(|index| self.record_at(index, options)).collect()
    }

    /// The records at rest next to one of these.
    pub(super) fn records_beside(
        &self,
        at: &[RecordIndex],
        options: &CsvOptions,
    ) -> Vec<(usize, SourceRecord)> {
        let record = |(index, at)| Some((at, self.record_at(index, options)?));
        self.at_rest.records_beside(at).filter_map(record).collect()
    }

    /// The record at `index` once more.
    pub(super) fn record_at(
        &self,
        index: RecordIndex,
        options: &CsvOptions,
    ) -> Option<SourceRecord> {
        let (text, nobody) = ((self.text.body_bytes(), self.dialect.delimiter), Resting::default());
        let ending = TextEnding::for_flaw(self.text.flaw);
        let position = *self.record_rows.get(usize::try_from(index.0).ok()?)?;
        let number = row_number(position);
        let reader = RowReader::new(text, &self.columns, options, (ending, &nobody), number);
        let row = self.rows[position];
        let record = reader.reread_row(row, &self.row_cells(row))?;
        Some(SourceRecord { index, ..record })
    }

    /// The cells of `row`.
    pub(super) fn row_cells(&self, row: ScannedRow) -> Vec<ScannedCell> {
        let mut cells = Vec::with_capacity(self.columns.column_count());
        let body = self.text.body_bytes();
        Scanner::new(body, self.dialect.delimiter, row.start, row.line).next_row(&mut cells);
        cells
    }

    /// What stands in a cell of a row, which is blank where the row is too short.
    pub(super) fn cell_text(&self, cells: &[ScannedCell], column: usize) -> Cow<'_, str> {
        let Some(cell) = cells.get(column) else { return Cow::Borrowed("") };
        match cell.cell_value(self.text.body_bytes()) {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The header and the record `at` as they are written, each in a line of its own;
    /// empty if there is no such record.
    pub(super) fn as_written(&self, at: RecordIndex) -> AsWritten {
        let index = usize::try_from(at.0).unwrap_or(usize::MAX);
        let Some(position) = self.record_rows.get(index) else { return AsWritten::default() };
        let text = |row: ScannedRow| String::from_utf8_lossy(self.bytes_of(row)).into_owned();
        let rows = [self.header, *position].map(|position| text(self.rows[position]) + "\n");
        let name = |at: Option<usize>| {
            let row = at.and_then(|at| self.record_rows.get(at));
            row.map(|row| self.name_of(*row)).unwrap_or_default()
        };
        let place = format!("{}..{}", name(index.checked_sub(1)), name(index.checked_add(1)));
        AsWritten { text: rows.concat(), place, ..AsWritten::default() }
    }

    /// Stands for what [`Sheet::as_written`] says of the record `at`: the header, the row, and
    /// those beside it.
    pub(super) fn record_stamp(&self, at: RecordIndex) -> Fingerprint {
        let index = usize::try_from(at.0).unwrap_or(usize::MAX);
        let beside = [index.checked_sub(1), Some(index), index.checked_add(1)];
        let rows = beside.map(|at| at.and_then(|at| self.record_rows.get(at)).copied());
        let mut hasher = blake3::Hasher::new();
        for row in [Some(self.header)].into_iter().chain(rows) {
            let bytes = row.map_or(&[][..], |row| self.bytes_of(self.rows[row]));
            hasher.update(&bytes.len().to_le_bytes()).update(bytes);
        }
        Fingerprint(*hasher.finalize().as_bytes())
    }

    /// A row without its line end.
    pub(super) fn bytes_of(&self, row: ScannedRow) -> &[u8] {
        &self.text.body_bytes()[row.start..row.content_end]
    }

    /// What the row at `position` is called by its neighbours.
    pub(super) fn name_of(&self, position: usize) -> String {
        row_name(self.bytes_of(self.rows[position]))
    }

    /// The position of the header.
    pub(super) const fn header_position(&self) -> usize {
        self.header
    }
}

/// What a row with these bytes is called by its neighbours.
pub(super) fn row_name(bytes: &[u8]) -> String {
    Fingerprint::of(bytes).to_hex()[..16].to_owned()
}

/// The number, counted as a spreadsheet counts, of the row at `position`.
fn row_number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX).saturating_add(1)
}

fn check_delimiter(delimiter: Delimiter) -> Result<(), Defect> {
    let usable = match delimiter {
        Delimiter::Auto => true,
        Delimiter::Byte(byte) => byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0),
    };
    if usable {
        return Ok(());
    }
    Err(Defect::new(
        None,
        "cannot be read with the configured delimiter",
        "set source.delimiter to `auto` or to one ASCII character such as `;`",
    ))
}

/// A walk down the rows, which remembers where they are.
struct RowWalk<'a> {
    body: &'a [u8],
    scanner: Scanner<'a>,
    rows: Vec<ScannedRow>,
    cells: Vec<ScannedCell>,
}

impl<'a> RowWalk<'a> {
    fn new(body: &'a [u8], dialect: Dialect) -> RowWalk<'a> {
        let Dialect { delimiter, start, .. } = dialect;
        let scanner = Scanner::new(body, delimiter, start, dialect.first_line());
        RowWalk { body, scanner, rows: Vec::new(), cells: Vec::new() }
    }

    fn next(&mut self) -> Option<ScannedRow> {
        let row = self.scanner.next_row(&mut self.cells)?;
        self.rows.push(row);
        Some(row)
    }

    /// Walks past the header.
    fn walk_header(
        &mut self,
        dialect: Dialect,
        options: &CsvOptions,
        before: Option<&Columns>,
    ) -> Result<Columns, Defect> {
        while let Some(row) = self.next() {
            if self.cells.iter().any(|cell| cell.is_open()) {
                return Err(Defect::new(
                    Some(row.line),
                    "has a quotation mark in its header, or above it, that is never closed",
                    "close it",
                ));
            }
            if row.start >= dialect.header && dialect.is_headless {
                return Err(Defect::new(
                    Some(row.line),
                    "has no header: this row looks like a contact",
                    "write a row with the names of the columns above it, such as \
                     First Name,Last Name,Email",
                ));
            }
            if row.start >= dialect.header {
                let names: Vec<String> =
                    self.cells.iter().map(|cell| header_name(*cell, self.body)).collect();
                if let Some(before) = before.filter(|before| before.names() == names) {
                    return Ok(before.clone());
                }
                let below =
                    BelowHeader { body: self.body, delimiter: dialect.delimiter, row, options };
                return Columns::find_columns(names, options, &below)
                    .map_err(|defect| Defect { line: Some(row.line), ..defect });
            }
        }
        Err(Defect::new(None, "has only blank lines", "write a header row into it"))
    }

    /// The rows above the one at `header` that look like contacts, as unreadable ones.
    fn persons_above(&self, header: usize, columns: &Columns) -> Vec<Unreadable> {
        if header == 0 {
            return Vec::new();
        }
        let texts = |row: &ScannedRow| -> Vec<String> {
            let (delimiter, mut cells) = (self.scanner.delimiter(), Vec::new());
            Scanner::new(self.body, delimiter, row.start, row.line).next_row(&mut cells);
            cells.iter().map(|cell| header_name(*cell, self.body)).collect()
        };
        let above: Vec<Vec<String>> = self.rows[..header].iter().map(texts).collect();
        let mut below = self.rows[header + 1..].iter().map(texts);
        let below = below.find(|cells| cells.iter().any(|text| !text.is_empty()));
        let line = self.rows[header].line;
        let unreadable = |at: usize| Unreadable {
            label: format!("row:{}", at + 1),
            line: self.rows[at].line,
            reason: format!(
                "it stands above the header on line {line} and looks like a contact; move the \
                 header to the top of the table"
            ),
        };
        let found = rows_like_persons(&above, &below.unwrap_or_default(), columns);
        found.into_iter().map(unreadable).collect()
    }

    /// Walks down to the end and takes every row for a contact's.
    fn walk_contents(
        &mut self,
        columns: &Columns,
        options: &CsvOptions,
        flaw: Option<Flaw>,
        resting: &Resting,
    ) -> RowsRead {
        let (text, ending) = ((self.body, self.scanner.delimiter()), TextEnding::for_flaw(flaw));
        let number = row_number(self.rows.len());
        let mut reader = RowReader::new(text, columns, options, (ending, resting), number);
        while let Some(row) = self.next() {
            reader.take_row(self.rows.len() - 1, row, &self.cells);
        }
        reader.finish()
    }
}

/// What is below the header.
struct BelowHeader<'a> {
    body: &'a [u8],
    delimiter: u8,
    /// The header.
    row: ScannedRow,
    options: &'a CsvOptions,
}

impl Profiles for BelowHeader<'_> {
    fn profiles_of(&self, columns: &[usize]) -> Vec<Profile> {
        let mut profiles = vec![Profile::default(); columns.len()];
        if columns.is_empty() {
            return profiles;
        }
        let mut scanner = Scanner::new(self.body, self.delimiter, self.row.end, self.row.line);
        let mut cells = Vec::new();
        while scanner.next_row(&mut cells).is_some() {
            for (column, profile) in columns.iter().zip(&mut profiles) {
                let Some(cell) = cells.get(*column) else { continue };
                let text = cell.cell_value(self.body);
                let text = String::from_utf8_lossy(&text);
                profile.take_text(&meant_text(self.options.formula_guard, &text));
            }
        }
        profiles
    }
}

/// How the file was read, as far as it is not told by where its fields are.
fn reading_manner(
    text: &DecodedTable,
    dialect: Dialect,
    columns: &Columns,
    options: &CsvOptions,
) -> Manner {
    let name = |column: Option<usize>| column.map(|at| columns.names()[at].clone());
    let found = |byte: u8| char::from(byte).to_string();
    Manner {
        kind: "csv".to_owned(),
        key: name(columns.key),
        id_column: name(columns.id),
        encoding: Setting {
            asked: options.encoding.to_string(),
            found: text.encoding_name().to_owned(),
        },
        delimiter: Setting {
            asked: match options.delimiter {
                Delimiter::Auto => "auto".to_owned(),
                Delimiter::Byte(byte) => found(byte),
            },
            found: found(dialect.delimiter),
        },
        formula_guard: options.formula_guard == FormulaGuard::On,
        only: options.only.as_ref().map(Selection::rule),
    }
}

fn sheet_reading(
    text: &DecodedTable,
    columns: &Columns,
    manner: Manner,
    contents: RowsRead,
) -> (SourceReading, Vec<usize>, Option<usize>) {
    let RowsRead {
        records,
        at_rest,
        doubled,
        rows,
        unreadable,
        other_ids,
        last_filled,
        read_only,
        beside,
        ..
    } = contents;
    let inexact = (text.flaw == Some(Flaw::Inexact)).then(|| {
        format!(
            "its encoding {} cannot be written back exactly; save it as UTF-8",
            text.encoding_name()
        )
    });
    let reading = SourceReading {
        mapped: columns.mapped_fields(),
        records: records.into(),
        count: rows.len(),
        at_rest,
        doubled,
        unreadable,
        places: columns.column_names(),
        manner,
        other_ids,
        keeps_ids: columns.id.is_some(),
        only: None,
        read_only: read_only.or(inexact),
        notices: columns.notices.iter().cloned().chain(beside.skipped_notice()).collect(),
        fingerprint: Fingerprint::of(text.raw_bytes()),
        displaced: BTreeSet::new(),
    };
    (reading, rows, last_filled)
}
