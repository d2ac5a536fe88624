//! What the rows below the header mean.
//!
//! Owns the way from cells to [`SourceRecord`]s, and which rows cannot be read:
//!
//! - a row whose cells are all blank is no record and no error;
//! - a row that has text beyond the last column or behind a closing quotation mark,
//!   or is not valid in its mapped cells, is unreadable; so is one with quotation marks of
//!   which nobody can tell what they hold;
//! - a line of a report and the header once more are no contacts, and are told; a header
//!   with other names makes what is below it unreadable;
//! - cells that are missing at the end of a row are blank, as spreadsheets write
//!   them, but say nothing: a value that stood there before is not cleared;
//! - a row without a name, e-mail address and phone number is a record like every
//!   other: whether it is a contact yet is not decided here;
//! - a quotation mark that is never closed, or is closed lines later by one that
//!   was meant to open a cell, and a last row that breaks off, make the file
//!   read-only.
//!
//! Leaves the header to [`super::header`].

use std::borrow::Cow;

use super::CsvOptions;
use super::beside::{Beside, OtherRowKind};
use super::cell::meant_text;
use super::damage::find_damage;
use super::header::{Columns, printable};
use super::location::FieldLocation;
use super::quotes::{find_mark, is_whole_row};
use super::scan::{ScannedCell, ScannedRow, line_breaks};
use super::text::Flaw;
use crate::model::Unreadable;
use crate::model::{
    Composed, Field, FieldSet, Fingerprint, LinqId, OtherValue, Positions, RecordIndex,
    RejectedField, Resting, SourceKey, SourceRecord, Values,
};
use crate::source::full_name::WholeName;
use crate::source::{AtRest, Counting};

/// Turns the rows of a file into records, one after the other.
pub(super) struct RowReader<'a> {
    body: &'a [u8],
    delimiter: u8,
    columns: &'a Columns,
    options: &'a CsvOptions,
    ending: TextEnding,
    /// The columns that people write in, by their names.
    by_name: Vec<usize>,
    /// Number of the next row, counted as a spreadsheet counts.
    number: u32,
    /// The line of another header, below which columns mean something else.
    other_header: Option<u32>,
    counting: Counting<'a>,
    contents: RowsRead,
}

/// How the text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextEnding {
    /// With a whole character.
    Whole,
    /// Within a character.
    Cut,
}

impl TextEnding {
    /// How a text with this flaw ends.
    pub(super) const fn for_flaw(flaw: Option<Flaw>) -> TextEnding {
        match flaw {
            Some(Flaw::Cut) => TextEnding::Cut,
            Some(Flaw::Inexact) | None => TextEnding::Whole,
        }
    }
}

/// What the rows of a file hold.
#[derive(Debug, Default)]
pub(super) struct RowsRead {
    /// The records that are not at rest, and those that are.
    pub(super) records: Vec<SourceRecord>,
    pub(super) at_rest: Positions,
    pub(super) doubled: Positions,
    pub(super) places: AtRest,
    /// For each record its position among the rows of the file.
    pub(super) rows: Vec<usize>,
    /// The rows that could not be read, from top to bottom.
    pub(super) unreadable: Vec<Unreadable>,
    /// How many records have something else in the id column than an id.
    pub(super) other_ids: usize,
    /// Position of the last row that is not blank, lines below the table aside.
    pub(super) last_filled: Option<usize>,
    /// Why the file must not be written, if it must not.
    pub(super) read_only: Option<String>,
    /// The rows that are no contacts.
    pub(super) beside: Beside,
}

impl<'a> RowReader<'a> {
    /// Starts with the row that is number `number` of a text and its delimiter.
    pub(super) fn new(
        (body, delimiter): (&'a [u8], u8),
        columns: &'a Columns,
        options: &'a CsvOptions,
        (ending, resting): (TextEnding, &'a Resting),
        number: u32,
    ) -> RowReader<'a> {
        RowReader {
            body,
            delimiter,
            columns,
            options,
            ending,
            by_name: columns.by_name(),
            number,
            other_header: None,
            counting: Counting::new(resting),
            contents: RowsRead::default(),
        }
    }

    /// Takes the next row, which is at `position` among the rows of the file.
    pub(super) fn take_row(&mut self, position: usize, row: ScannedRow, cells: &[ScannedCell]) {
        let label = format!("row:{}", self.number);
        self.number += 1;
        let kind = OtherRowKind::kind_of_row(self.body, row, cells, self.columns);
        let is_whole = matches!(kind, OtherRowKind::Footer) && self.ending == TextEnding::Whole;
        let breakage = self.find_breakage(row, cells, &label).filter(|_| !is_whole);
        if breakage.is_none() && cells.iter().all(|cell| cell.is_blank(self.body)) {
            return;
        }
        match (&breakage, kind) {
            (None, OtherRowKind::Footer) => return self.contents.beside.add_footer(label),
            (None, OtherRowKind::Header) => {
                self.other_header = None;
                return self.contents.beside.add_header(label);
            }
            (None, OtherRowKind::OtherHeader) => self.other_header = Some(row.line),
            (Some(_), _) | (None, OtherRowKind::Contact) => {}
        }
        self.contents.last_filled = Some(position);
        let read = match breakage {
            Some(reason) => {
                self.contents.read_only.get_or_insert_with(|| reason.clone());
                Err(reason)
            }
            None => self.below_another_header().and_then(|()| self.read_record(row, cells, &label)),
        };
        match read {
            Ok(record) => {
                let id = self.columns.id.and_then(|column| cells.get(column));
                let is_other =
                    record.linq_id.is_none() && id.is_some_and(|cell| !cell.is_blank(self.body));
                self.contents.other_ids += usize::from(is_other);
                self.counting.take_record(record);
                self.contents.rows.push(position);
            }
            Err(reason) => {
                self.contents.unreadable.push(Unreadable { label, line: row.line, reason });
            }
        }
    }

    /// Whether columns still mean what the header says.
    fn below_another_header(&self) -> Result<(), String> {
        self.other_header.map_or(Ok(()), |line| {
            Err(format!(
                "line {line} looks like another header, with other columns; put what is below it \
                 into a file of its own, or under the columns of the first header"
            ))
        })
    }

    /// The record in a row of which is known that it holds one.
    pub(super) fn reread_row(
        &self,
        row: ScannedRow,
        cells: &[ScannedCell],
    ) -> Option<SourceRecord> {
        self.read_record(row, cells, &format!("row:{}", self.number)).ok()
    }

    /// The records, after all rows were taken.
    pub(super) fn finish(self) -> RowsRead {
        let Counting { records, places, at_rest, doubled, .. } = self.counting;
        RowsRead { records, at_rest, doubled, places, ..self.contents }
    }

    /// Why rows after this one may be missing, if they may.
    fn find_breakage(&self, row: ScannedRow, cells: &[ScannedCell], label: &str) -> Option<String> {
        let opened = |cell: &ScannedCell| {
            row.line + line_breaks(&self.body[row.start..cell.text_range().start])
        };
        if let Some(cell) = cells.iter().find(|cell| cell.is_open()) {
            return Some(format!(
                "the quotation mark opened on line {} is never closed; close it, or write it twice \
                 if it belongs to the text",
                opened(cell)
            ));
        }
        let swallows =
            |cell: &&ScannedCell| cell.has_tail(self.body) && cell.has_line_break(self.body);
        if let Some(cell) = cells.iter().find(swallows) {
            return Some(format!(
                "the quotation mark opened on line {} seems to be closed only by one that was meant \
                 to open another cell; close it where its cell ends",
                opened(cell)
            ));
        }
        if let Some(at) = cells.iter().position(|cell| cell.has_dangling_quote(self.body)) {
            return Some(format!(
                "the quotation mark behind a blank at the beginning of {} is not closed on line \
                 {}; close it there, take the blank away, or write it twice if it belongs to the text",
                self.column_name(at),
                opened(&cells[at])
            ));
        }
        // White space alone at the end of a file is no row that had begun.
        let is_begun = cells.len() > 1
            || cells.iter().any(|cell| cell.is_quoted() || !cell.is_blank(self.body));
        let is_last_and_unended = row.end == row.content_end;
        let is_short = is_begun
            && (cells.len() < self.columns.column_count()
                || cells.last().is_some_and(|c| c.is_stray()));
        (is_last_and_unended && (is_short || self.ending == TextEnding::Cut)).then(|| {
            format!(
                "the file seems to be cut off in {label}; restore the rest, or end the row with a \
                 line end"
            )
        })
    }

    fn read_record(
        &self,
        row: ScannedRow,
        cells: &[ScannedCell],
        label: &str,
    ) -> Result<SourceRecord, String> {
        self.check_shape(row, cells)?;
        let (mut values, mut unsaid) = (Values::default(), FieldSet::EMPTY);
        let mut rejected = Vec::new();
        let mut others = Vec::new();
        self.check_text(cells)?;
        for (field, places) in self.columns.fields() {
            if self.columns.columns_of(field).all(|column| column >= cells.len()) {
                unsaid.insert(field);
            }
            let (first, further) = self.field_values(field, places, cells);
            rejected.extend(first.reason.map(|reason| RejectedField { field, reason }));
            values[field] = first.text.into();
            others.extend(further);
        }
        let key = self.columns.key.map(|column| self.cell_text(cells, column)).transpose()?;
        let id = self.columns.id.and_then(|column| self.cell_text(cells, column).ok());
        let is_outside = self.is_outside(cells)?;
        Ok(SourceRecord {
            index: RecordIndex(0),
            label: label.to_owned(),
            line: row.line,
            key: key.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()).map(SourceKey),
            linq_id: id.and_then(|id| id.trim().parse().ok()).map(LinqId),
            values,
            unsaid,
            rejected,
            others,
            told_names: None,
            composed: self.composed_texts(cells),
            is_outside,
            revised_at: None,
            fingerprint: Fingerprint::of(&self.body[row.start..row.content_end]),
            content: self.content_fingerprint(cells),
            twin: 0,
        })
    }

    /// Whether `source.only` leaves the row out. A cell may hold several values, as exports
    /// write groups and categories.
    fn is_outside(&self, cells: &[ScannedCell]) -> Result<bool, String> {
        let (Some(column), Some(only)) = (self.columns.only, &self.options.only) else {
            return Ok(false);
        };
        let text = self.cell_text(cells, column)?;
        let text = meant_text(self.options.formula_guard, &text);
        let parts = text.split(';').flat_map(|part| part.split(":::"));
        // Google writes its own labels as `* myContacts`.
        let parts = parts.map(str::trim).flat_map(|part| [Some(part), part.strip_prefix("* ")]);
        Ok(!only.takes(parts.flatten().chain([&*text])))
    }

    /// What the cells say, each under the name of its column: blank ones say nothing.
    fn content_fingerprint(&self, cells: &[ScannedCell]) -> Fingerprint {
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: &[u8]| {
            hasher.update(&text.len().to_le_bytes());
            hasher.update(text);
        };
        for column in &self.by_name {
            let Some(cell) = cells.get(*column) else { continue };
            let value = cell.cell_value(self.body);
            let text = value.trim_ascii();
            if text.is_empty() {
                continue;
            }
            add(self.columns.names()[*column].as_bytes());
            add(&with_line_feeds(text));
        }
        Fingerprint(*hasher.finalize().as_bytes())
    }

    /// What stands in a cell together with something else, or in several.
    fn composed_texts(&self, cells: &[ScannedCell]) -> Composed {
        let name = self.columns.whole_name().and_then(|column| {
            let written = self.cell_text(cells, column).ok()?;
            let text = meant_text(self.options.formula_guard, &written);
            WholeName::of_usual(&text, self.columns.usual_order()).as_text()
        });
        let places = self.columns.places_of(Field::Location);
        Composed { name, location: matches!(places, [FieldLocation::Joined(_), ..]) }
    }

    fn check_shape(&self, row: ScannedRow, cells: &[ScannedCell]) -> Result<(), String> {
        let (found, width) = (cells.len(), self.columns.column_count());
        self.check_quotes(row, cells)?;
        if let Some(at) = cells.iter().position(|cell| cell.has_tail(self.body)) {
            return Err(format!(
                "text follows the closing quotation mark in {}; a quotation mark within a cell \
                 is written twice",
                self.column_name(at)
            ));
        }
        if cells.iter().skip(width).any(|cell| !cell.is_blank(self.body)) {
            return Err(format!(
                "it has {found} cells where the header has {width}; a cell that contains the \
                 delimiter needs quotation marks"
            ));
        }
        Ok(())
    }

    /// Makes sure that it can be told what stands between quotation marks.
    fn check_quotes(&self, row: ScannedRow, cells: &[ScannedCell]) -> Result<(), String> {
        let is_stray = |(at, cell): &(usize, &ScannedCell)| {
            cell.is_stray()
                && (cells.len() != self.columns.column_count() || self.columns.is_used(*at))
        };
        if let Some((at, _)) = cells.iter().enumerate().find(is_stray) {
            return Err(format!(
                "the quotation mark behind a blank at the beginning of {} is not closed where the \
                 cell ends; take the blank away, and write a quotation mark of the text twice",
                self.column_name(at)
            ));
        }
        let is_marked = |cell: &ScannedCell| {
            let value = cell.cell_value(self.body);
            let first = value.trim_ascii_start().first().copied().unwrap_or_default();
            !first.is_ascii() || matches!(first, b'\'' | b'`' | b'"')
        };
        if !cells.iter().any(is_marked) && cells.len() > 1 {
            return Ok(());
        }
        let values: Vec<String> = cells
            .iter()
            .map(|cell| String::from_utf8_lossy(&cell.cell_value(self.body)).into_owned())
            .collect();
        let text = String::from_utf8_lossy(&self.body[row.start..row.content_end]);
        if let Some(mark) = find_mark(&text, self.delimiter, &values, self.columns) {
            return Err(format!(
                "its cells stand between marks such as {mark}, which would become part of the \
                 values; write straight double quotation marks, once, or none"
            ));
        }
        if let [only] = &values[..]
            && cells[0].is_quoted()
            && is_whole_row(only, self.delimiter, self.columns.column_count())
        {
            return Err(
                "all its cells stand in one pair of quotation marks; take these away".to_owned()
            );
        }
        Ok(())
    }

    /// Makes sure that the cells of fields can be read.
    fn check_text(&self, cells: &[ScannedCell]) -> Result<(), String> {
        let columns = self.columns.fields().flat_map(|(_, places)| places);
        columns
            .flat_map(FieldLocation::columns)
            .try_for_each(|at| self.cell_text(cells, *at).map(drop))
    }

    /// What the places of a field hold: the first value, and those that are there besides.
    fn field_values(
        &self,
        field: Field,
        places: &[FieldLocation],
        cells: &[ScannedCell],
    ) -> (OtherValue, Vec<OtherValue>) {
        let text = |column: usize| self.cell_text(cells, column).unwrap_or_default();
        let value = |text: String| {
            let reason = find_damage(field, &text, self.options.region);
            OtherValue { field, text, reason }
        };
        let values =
            |place: &FieldLocation| place.field_values(field, &text, self.options.formula_guard);
        let mut found: Vec<OtherValue> = places.iter().flat_map(values).map(value).collect();
        let is_filled = |value: &OtherValue| !value.text.trim().is_empty();
        let first = found.iter().position(is_filled).unwrap_or(0);
        let first = found.remove(first);
        found.retain(is_filled);
        (first, found)
    }

    /// What stands in a cell, which is blank where the row is too short.
    fn cell_text(&self, cells: &[ScannedCell], column: usize) -> Result<String, String> {
        let Some(cell) = cells.get(column) else { return Ok(String::new()) };
        String::from_utf8(cell.cell_value(self.body).into_owned())
            .map_err(|_| format!("{} is not valid UTF-8", self.column_name(column)))
    }

    fn column_name(&self, column: usize) -> String {
        match self.columns.names().get(column) {
            Some(name) if !name.is_empty() => format!("column `{}`", printable(name)),
            Some(_) | None => format!("column {}", column + 1),
        }
    }
}

/// `text` with every line break written alike.
fn with_line_feeds(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\r', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut unified = Vec::with_capacity(text.len());
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\r' if text.get(at + 1) == Some(&b'\n') => {}
            b'\r' => unified.push(b'\n'),
            other => unified.push(*other),
        }
    }
    Cow::Owned(unified)
}

#[cfg(test)]
mod tests {
    use super::super::CsvOptions;
    use super::super::sheet::Sheet;
    use super::*;
    use crate::source::SourceReading;

    fn options() -> CsvOptions {
        CsvOptions {
            key: Some("No".to_owned()),
            id_column: Some("linq_id".to_owned()),
            ..CsvOptions::new("contacts.csv")
        }
    }

    const HEADER: &str = "No,First Name,Phone,Notes,linq_id\n";

    fn read(rows: &str) -> SourceReading {
        read_bytes(&[HEADER.as_bytes(), rows.as_bytes()].concat())
    }

    fn read_bytes(file: &[u8]) -> SourceReading {
        Sheet::parse_sheet(file.to_vec(), &options(), &Resting::default()).unwrap().1
    }

    fn reason(reading: &SourceReading) -> &str {
        let [unreadable] = &reading.unreadable[..] else { panic!("{:?}", reading.unreadable) };
        &unreadable.reason
    }

    #[test]
    fn rows_are_counted_as_a_spreadsheet_counts_and_lines_as_an_editor_does() {
        let reading = read("1,Ann,,\"a\nb\",\n\n , ,\n2,Bob,+1 415,,77\n");
        let places: Vec<_> = reading.records.iter().map(|r| (r.label.as_str(), r.line)).collect();
        assert_eq!(places, [("row:2", 2), ("row:5", 6)]);
        let bob = &reading.records[1];
        assert_eq!((bob.index, bob.linq_id), (RecordIndex(1), Some(LinqId(77))));
        assert_eq!(bob.key, Some(SourceKey("2".to_owned())));
        assert_eq!(bob.values[Field::FirstName], "Bob");
        assert!(reading.unreadable.is_empty() && reading.read_only.is_none());
    }

    #[test]
    fn cells_that_are_missing_at_the_end_of_a_row_are_blank() {
        let reading = read("1,Ann,5551234\n2,Bob\n3,Cy,,\n,Di\n");
        assert!(reading.unreadable.is_empty() && reading.read_only.is_none());
        let bob = &reading.records[1];
        assert_eq!((&*bob.values[Field::FirstName], &*bob.values[Field::PhoneNumber]), ("Bob", ""));
        assert_eq!((bob.linq_id, &reading.records[3].key), (None, &None));
    }

    #[test]
    fn text_beyond_the_last_column_is_unreadable_and_blank_cells_there_are_not() {
        let reading = read("1,Ann,,12 Main St, Oslo,x,y\n2,Bob,,,,, ,\n");
        assert_eq!(reading.records.len(), 1);
        assert!(reason(&reading).contains("7 cells where the header has 5"));
    }

    #[test]
    fn a_row_without_identity_is_a_record_and_a_blank_one_is_none() {
        let reading = read(",,,only a note,\n,,,,\n\"\",,,,\n");
        assert_eq!(reading.records.len(), 1);
        assert!(reading.records[0].values.lacks_identity());
    }

    #[test]
    fn rows_with_a_shared_key_are_records_and_those_with_the_same_bytes_are_numbered() {
        let reading = read("7,Ann,,,\n8,Bob,,,\n 7,Cy,,,\n8,Bob,,,\n8,Bob,,,\n");
        let shown: Vec<_> =
            reading.records.iter().map(|r| (r.key.clone().unwrap().0, r.twin)).collect();
        let shown: Vec<(&str, u32)> = shown.iter().map(|(key, twin)| (&**key, *twin)).collect();
        assert_eq!(shown, [("7", 0), ("8", 0), ("7", 0), ("8", 1), ("8", 2)]);
        assert!(reading.unreadable.is_empty());
    }

    #[test]
    fn the_content_of_a_row_is_what_is_written_in_it_and_not_how() {
        let content = |header: &str, row: &str| {
            let file = format!("{header}\n{row}\n").into_bytes();
            Sheet::parse_sheet(file, &options(), &Resting::default()).unwrap().1.records[0].content
        };
        let header = "No,First Name,Phone,Notes,linq_id";
        let as_it_was = content(header, "1,Ann,555,likes tea,7");
        for (header, row) in [
            (header, "\"1\",\"Ann\",\"555\",\"likes tea\",8"),
            (header, "1,Ann,555,likes tea"),
            (header, "1, Ann ,555,likes tea,7"),
            ("No;First Name;Phone;Notes;linq_id", "1;Ann;555;likes tea;7"),
            ("Notes,linq_id,No,Phone,First Name", "likes tea,7,1,555,Ann"),
            ("No,First Name,Met at,Phone,Notes,linq_id", "1,Ann,,555,likes tea,7"),
        ] {
            assert_eq!(content(header, row), as_it_was, "{header} {row}");
        }
        for row in [
            "1,Ann,555,likes teas,7",
            "1,Ann,555,,7",
            "1,ANN,555,likes tea,7",
            "1,Ann,likes tea,555,7",
            "2,Ann,555,likes tea,7",
        ] {
            assert_ne!(content(header, row), as_it_was, "{row}");
        }
        let breaks = |text: &str| content(header, &format!("1,Ann,,\"{text}\",7"));
        assert_eq!(breaks("a\r\nb"), breaks("a\nb"));
        assert_ne!(breaks("a\nb"), breaks("a b"));
    }

    #[test]
    fn a_cell_that_a_spreadsheet_damaged_is_a_rejected_field() {
        let reading = read("1,2-Mar,1.41556E+10,,\n");
        let ann = &reading.records[0];
        assert!(ann.is_rejected(Field::PhoneNumber) && ann.is_rejected(Field::FirstName));
    }

    #[test]
    fn a_quotation_mark_that_is_never_closed_makes_the_file_read_only() {
        let reading = read("1,Ann,,,\n2,\"x\ny\",,\"oops,\n3,Cy,,,\n");
        assert_eq!(reading.records.len(), 1);
        assert!(reason(&reading).contains("mark opened on line 4 is never closed"));
        assert_eq!(reading.read_only.as_deref(), Some(reason(&reading)));
    }

    #[test]
    fn a_quotation_mark_closed_by_a_later_one_makes_the_file_read_only() {
        let reading = read("1,\"Ann,,,\n2,Bob,,\"note\",\n3,Cy,,,\n");
        assert_eq!(reading.records.len(), 1);
        assert!(reason(&reading).contains("opened on line 2"));
        assert!(reading.read_only.is_some());
    }

    #[test]
    fn text_behind_a_closing_quotation_mark_is_unreadable() {
        let reading = read("1,\"Ann\" Lee,,,\n2,\"Bob\" ,,,\n");
        assert_eq!(reading.records.len(), 1);
        assert!(reason(&reading).contains("column `First Name`") && reading.read_only.is_none());
    }

    #[test]
    fn a_last_row_that_breaks_off_makes_the_file_read_only() {
        for rows in ["1,Ann,,,\n2,Bob,555", "1,Ann\n2,Bob,555", "1,Ann,,,\n,", "1,Ann,,,\n\""] {
            let reading = read(rows);
            assert!(reading.read_only.is_some(), "{rows}");
            assert_eq!((reading.records.len(), reading.unreadable[0].line), (1, 3), "{rows}");
        }
        for rows in
            ["1,Ann,,,\n2,Bob,555\n", "1,Ann,,,\n2,Bob,555,,", "1,Ann,,,\n  ", "1,Ann,,,\n,,,,"]
        {
            let reading = read(rows);
            assert_eq!((reading.unreadable.len(), reading.read_only), (0, None), "{rows}");
        }
    }

    #[test]
    fn a_damaged_character_makes_its_row_unreadable_and_no_other() {
        let file = [HEADER.as_bytes(), b"1,Zo\xc3\xab,,\xff,\n2,M\xfcller,,,\n"].concat();
        let reading = read_bytes(&file);
        assert_eq!(reading.records.len(), 1, "an unmapped cell may hold anything");
        assert_eq!(reason(&reading), "column `First Name` is not valid UTF-8");
        let cut = [HEADER.as_bytes(), b"1,Ann,,,\n2,Bob,,,Zo\xc3"].concat();
        assert!(reason(&read_bytes(&cut)).contains("cut off"));
    }
}
