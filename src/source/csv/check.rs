//! The proof that a rewritten file differs from the old one as intended and in
//! nothing else.
//!
//! Owns a comparison that shares no step with the writer: the new bytes were read
//! like any file, and are walked beside the old ones. A file that fails it is
//! never written. Leaves the writing to [`super::render`].

use crate::model::{RecordIndex, RejectedField};
use crate::source::EditOutcome;

use super::scan::ScannedRow;
use super::sheet::Sheet;
use super::table_edit::{EditTarget, NewCells, NewRow, RowEdit, TableEdit};

impl TableEdit<'_> {
    /// Compares `new`, which was read from the rewritten file, with what was
    /// intended, and says where the records of the edits are in it.
    ///
    /// # Errors
    /// What is not as intended, for people.
    pub(super) fn verify_edit(&self, new: &Sheet) -> Result<Vec<EditOutcome>, String> {
        if new.columns != self.sheet.columns || new.dialect != self.sheet.dialect {
            return Err("its header would be read differently".to_owned());
        }
        let places = self.compare_rows(new)?;
        let records = self.expected_records(&places);
        if new.record_rows != records || new.read_only.is_some() {
            return Err("other rows would be read as contacts than before".to_owned());
        }
        let outcome = |target: &EditTarget| match target {
            EditTarget::Row(position, refused) => {
                edit_outcome(&records, places.old[*position], refused)
            }
            EditTarget::Added(number, refused) => {
                edit_outcome(&records, Some(places.added[*number]), refused)
            }
            EditTarget::Removed => Ok(EditOutcome::Removed),
            EditTarget::Refused(reason) => Ok(EditOutcome::Refused(reason.clone())),
        };
        self.targets.iter().map(outcome).collect()
    }

    fn compare_rows(&self, new: &Sheet) -> Result<RowPositions, String> {
        let mut rows = new.rows.iter().copied().enumerate();
        let mut next = || rows.next().ok_or_else(|| "rows would be missing".to_owned());
        let mut places = RowPositions {
            old: Vec::with_capacity(self.sheet.rows.len()),
            added: vec![0; self.added.len()],
        };
        for (position, row) in self.sheet.rows.iter().enumerate() {
            if matches!(self.edited.get(&position), Some(RowEdit::Remove)) {
                places.old.push(None);
            } else {
                let (place, fresh) = next()?;
                self.compare_row(position, *row, new, fresh)?;
                places.old.push(Some(place));
            }
            for (number, row) in self.rows_behind(position) {
                let (place, fresh) = next()?;
                compare_added(row, new, fresh)?;
                places.added[number] = place;
            }
        }
        match next() {
            Ok(_) => Err("there would be rows too many".to_owned()),
            Err(_) => Ok(places),
        }
    }

    /// Compares an old row that stays with the one in its place.
    fn compare_row(
        &self,
        position: usize,
        row: ScannedRow,
        new: &Sheet,
        fresh: ScannedRow,
    ) -> Result<(), String> {
        let (was, is) = (self.sheet.text.body_bytes(), new.text.body_bytes());
        let is_last = position == self.sheet.last_filled && row.end == row.content_end;
        let gets_line_end =
            is_last && (self.places.contains_key(&position) || self.sheet.text.is_guessed());
        let ends = (&was[row.content_end..row.end], &is[fresh.content_end..fresh.end]);
        let is_parted = ends == (b"\r", b"\n") && is.get(fresh.end) == Some(&b'\n');
        if !gets_line_end && !is_parted && ends.0 != ends.1 {
            return Err(format!("the end of line {} would change", row.line));
        }
        let same = match self.edited.get(&position) {
            Some(RowEdit::Rewrite(cells)) => self.is_rewritten(row, cells, new, fresh),
            Some(RowEdit::Remove) | None => {
                was[row.start..row.content_end] == is[fresh.start..fresh.content_end]
            }
        };
        if same { Ok(()) } else { Err(format!("line {} would not be as intended", row.line)) }
    }

    /// Whether `fresh` is `row` with other texts in `cells`, and the same bytes in
    /// all others.
    fn is_rewritten(
        &self,
        row: ScannedRow,
        cells: &NewCells,
        new: &Sheet,
        fresh: ScannedRow,
    ) -> bool {
        let (was, is) = (self.sheet.row_cells(row), new.row_cells(fresh));
        let beyond = cells.last_key_value().map_or(0, |(column, _)| column + 1);
        is.len() == was.len().max(beyond)
            && is.iter().enumerate().all(|(column, cell)| {
                match (cells.get(&column), was.get(column)) {
                    (Some(text), _) => *cell.cell_value(new.text.body_bytes()) == *text.as_bytes(),
                    (None, Some(old)) => {
                        new.text.body_bytes()[cell.text_range()]
                            == self.sheet.text.body_bytes()[old.text_range()]
                    }
                    (None, None) => cell.text_range().is_empty(),
                }
            })
    }

    /// The rows of the new file that must be its records: the old ones that stay, and the
    /// added ones.
    fn expected_records(&self, places: &RowPositions) -> Vec<usize> {
        let stay = self.sheet.record_rows.iter().filter_map(|position| places.old[*position]);
        let mut records: Vec<usize> = stay.chain(places.added.iter().copied()).collect();
        records.sort_unstable();
        records
    }
}

/// Where rows are in the new file.
struct RowPositions {
    /// For each old row its place, unless it is gone.
    old: Vec<Option<usize>>,
    /// For each added row its place.
    added: Vec<usize>,
}

fn compare_added(row: &NewRow, new: &Sheet, fresh: ScannedRow) -> Result<(), String> {
    let (written, cells) = (new.row_cells(fresh), &row.cells);
    if let Some(raw) = row.raw_bytes() {
        let same = new.bytes_of(fresh) == raw;
        return if same { Ok(()) } else { Err(not_intended(fresh)) };
    }
    let same = |column: usize| {
        let text = cells.get(&column).map_or("", String::as_str);
        *written[column].cell_value(new.text.body_bytes()) == *text.as_bytes()
    };
    if written.len() == new.columns.column_count() && (0..written.len()).all(same) {
        Ok(())
    } else {
        Err(not_intended(fresh))
    }
}

fn not_intended(row: ScannedRow) -> String {
    format!("line {} would not be as intended", row.line)
}

fn edit_outcome(
    records: &[usize],
    place: Option<usize>,
    refused: &[RejectedField],
) -> Result<EditOutcome, String> {
    let index = place.and_then(|place| records.binary_search(&place).ok());
    let index = index.and_then(|index| u32::try_from(index).ok());
    let missing = || "a row would not be read as a contact".to_owned();
    let at = index.map(RecordIndex).ok_or_else(missing)?;
    Ok(EditOutcome::of_parts(at, refused.to_vec()))
}
