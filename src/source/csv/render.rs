//! Edited rows as bytes; every other byte stays as it is.
//!
//! Owns quoting and line ends: an edited cell keeps the quoting it had, an added
//! row looks like its neighbours. Leaves to [`super::table_edit`] what is written.

use memchr::memchr3;

use super::scan::{ScannedCell, ScannedRow};
use super::sheet::Sheet;
use super::table_edit::{NewCells, NewRow, RowEdit, TableEdit};

/// How many rows an added row is modelled on.
const NEIGHBOURS: usize = 20;

/// Whether a cell gets quotation marks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    Always,
    WhereNeeded,
}

impl TableEdit<'_> {
    /// The text of the file with the edits.
    pub(super) fn render_text(&self) -> Vec<u8> {
        let body = self.sheet.text.body_bytes();
        let mut out = Vec::with_capacity(body.len() + 128 * (self.added.len() + self.edited.len()));
        out.extend_from_slice(&body[..self.sheet.dialect.start]);
        for (position, row) in self.sheet.rows.iter().enumerate() {
            match self.edited.get(&position) {
                None => {
                    part_line_ends(&body[row.start..row.end], &mut out);
                    out.extend_from_slice(&body[row.start..row.end]);
                }
                Some(RowEdit::Remove) => {}
                Some(RowEdit::Rewrite(new)) => {
                    rewrite_row(self.sheet, *row, new, &mut out);
                    out.extend_from_slice(&body[row.content_end..row.end]);
                }
            }
            self.append_rows(position, *row, &mut out);
        }
        if self.sheet.text.looks_cut(&out) {
            out.extend_from_slice(line_end(self.sheet));
        }
        out
    }

    /// The new rows that come behind the old one at `position`, with their numbers.
    pub(super) fn rows_behind(&self, position: usize) -> impl Iterator<Item = (usize, &NewRow)> {
        let numbers = self.places.get(&position).into_iter().flatten();
        numbers.map(|number| (*number, &self.added[*number]))
    }

    /// Adds the new rows that come behind `last`, which is at `position`, and whose want of a
    /// line end they keep.
    fn append_rows(&self, position: usize, last: ScannedRow, out: &mut Vec<u8>) {
        if self.rows_behind(position).next().is_none() {
            return;
        }
        let style = Style::style_of(self.sheet);
        for (_, new) in self.rows_behind(position) {
            if !matches!(out.last(), Some(b'\n' | b'\r')) {
                out.extend_from_slice(style.line_end);
            }
            if let Some(raw) = new.raw_bytes() {
                out.extend_from_slice(raw);
                if last.end > last.content_end {
                    out.extend_from_slice(style.line_end);
                }
                continue;
            }
            for column in 0..self.sheet.columns.column_count() {
                if column > 0 {
                    out.push(self.sheet.dialect.delimiter);
                }
                let text = new.cells.get(&column).map_or("", String::as_str);
                let quoting = match &new.quoted {
                    Some(quoted) if quoted.contains(&column) => Quoting::Always,
                    Some(_) => Quoting::WhereNeeded,
                    None => style.column_quoting(self.sheet, column, text),
                };
                write_cell(text, quoting, self.sheet.dialect.delimiter, out);
            }
            if last.end > last.content_end {
                out.extend_from_slice(style.line_end);
            }
        }
    }
}

/// Keeps a row that ends with CR apart from a blank line that ends with LF and has
/// come to follow it, by ending the row with LF: together they would be one.
fn part_line_ends(next: &[u8], out: &mut [u8]) {
    if let (Some(end @ b'\r'), Some(b'\n')) = (out.last_mut(), next.first()) {
        *end = b'\n';
    }
}

fn rewrite_row(sheet: &Sheet, row: ScannedRow, new: &NewCells, out: &mut Vec<u8>) {
    let (body, delimiter, cells) =
        (sheet.text.body_bytes(), sheet.dialect.delimiter, sheet.row_cells(row));
    let beyond = new.last_key_value().map_or(0, |(column, _)| column + 1);
    for column in 0..cells.len().max(beyond) {
        if column > 0 {
            out.push(delimiter);
        }
        let cell = cells.get(column);
        match (new.get(&column), cell) {
            (Some(text), Some(cell)) if cell.is_quoted() => {
                // Behind blanks nobody expects a cell of several lines.
                if !text.contains(['\n', '\r']) {
                    out.extend_from_slice(cell.leading_blanks(body));
                }
                write_cell(text, Quoting::Always, delimiter, out);
            }
            (Some(text), _) => write_cell(text, Quoting::WhereNeeded, delimiter, out),
            (None, Some(cell)) => out.extend_from_slice(&body[cell.text_range()]),
            (None, None) => {}
        }
    }
}

fn write_cell(text: &str, quoting: Quoting, delimiter: u8, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let needed = memchr3(b'"', b'\n', b'\r', bytes).is_some() || bytes.contains(&delimiter);
    if !needed && quoting == Quoting::WhereNeeded {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    for byte in bytes {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// How the last rows of a file are written.
struct Style {
    line_end: &'static [u8],
    neighbours: Vec<Vec<ScannedCell>>,
}

impl Style {
    fn style_of(sheet: &Sheet) -> Style {
        let last = sheet.record_rows.iter().rev().take(NEIGHBOURS);
        let neighbours = last.map(|position| sheet.row_cells(sheet.rows[*position])).collect();
        Style { line_end: line_end(sheet), neighbours }
    }

    /// As most neighbours in the column are quoted, counting filled and empty
    /// cells apart; where there are none, as most cells of the neighbours are.
    fn column_quoting(&self, sheet: &Sheet, column: usize, text: &str) -> Quoting {
        let alike = |cell: &&ScannedCell| {
            cell.cell_value(sheet.text.body_bytes()).is_empty() == text.is_empty()
        };
        let in_column: Vec<&ScannedCell> =
            self.neighbours.iter().filter_map(|cells| cells.get(column)).filter(alike).collect();
        let cells = if in_column.is_empty() {
            self.neighbours.iter().flatten().filter(alike).collect()
        } else {
            in_column
        };
        let quoted = cells.iter().filter(|cell| cell.is_quoted()).count();
        if quoted * 2 > cells.len() { Quoting::Always } else { Quoting::WhereNeeded }
    }
}

/// The line end of most rows; `\n` where no row has one.
fn line_end(sheet: &Sheet) -> &'static [u8] {
    let ends = |wanted: &[u8]| {
        let body = sheet.text.body_bytes();
        sheet.rows.iter().filter(|row| &body[row.content_end..row.end] == wanted).count()
    };
    let kinds: [&'static [u8]; 3] = [b"\r", b"\r\n", b"\n"];
    kinds.into_iter().max_by_key(|kind| ends(kind)).unwrap_or(b"\n")
}
