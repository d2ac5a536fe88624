//! Rows that were removed, once they are put back.
//!
//! Owns which of their cells still have a column: those under the same name, and under the
//! same of several such names; and where among the rows of today they belong. Leaves the
//! fields of the plan to [`super::table_edit`].

use std::collections::{BTreeMap, BTreeSet};

use crate::model::AsWritten;

use super::dialect::header_name;
use super::scan::{ScannedCell, Scanner};
use super::sheet::{Sheet, row_name};
use super::table_edit::{NewCells, NewRow, RowBefore};

/// What may have separated the cells of a row that was removed.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A row that was removed, and the header above it.
struct RemovedRow<'a> {
    delimiter: u8,
    header: Vec<String>,
    cells: Vec<ScannedCell>,
    body: &'a [u8],
    /// Its bytes.
    row: &'a [u8],
}

impl<'a> RemovedRow<'a> {
    /// The row as it was written, whatever separated its cells then: what makes the most of
    /// the columns of today, those of `sheet`.
    fn parse_removed(was: &'a AsWritten, sheet: &Sheet) -> RemovedRow<'a> {
        let known = |removed: &RemovedRow<'_>| {
            let is_known = |name: &&String| sheet.columns.names().contains(name);
            removed.header.iter().filter(is_known).count()
        };
        let now = RemovedRow::parse_with(was, sheet.dialect.delimiter);
        let others = DELIMITERS.map(|delimiter| RemovedRow::parse_with(was, delimiter));
        others.into_iter().fold(
            now,
            |best, other| {
                if known(&other) > known(&best) { other } else { best }
            },
        )
    }

    fn parse_with(was: &'a AsWritten, delimiter: u8) -> RemovedRow<'a> {
        let body = was.text.as_bytes();
        let mut scanner = Scanner::new(body, delimiter, 0, 1);
        let (mut header, mut cells) = (Vec::new(), Vec::new());
        scanner.next_row(&mut header);
        let row = scanner.next_row(&mut cells);
        let header = header.iter().map(|cell| header_name(*cell, body)).collect();
        let row = row.map_or(&body[..0], |row| &body[row.start..row.content_end]);
        RemovedRow { delimiter, header, cells, body, row }
    }

    fn cell_text(&self, cell: &ScannedCell) -> String {
        String::from_utf8_lossy(&cell.cell_value(self.body)).into_owned()
    }
}

impl Sheet {
    /// The row that `was` there, as far as this table has its columns. What its encoding
    /// cannot hold stays out.
    pub(super) fn restored_row(&self, was: &AsWritten) -> NewRow {
        let removed = RemovedRow::parse_removed(was, self);
        let (mut new, mut quoted) = (NewCells::new(), BTreeSet::new());
        let mut is_whole =
            removed.header == self.columns.names() && removed.delimiter == self.dialect.delimiter;
        for (column, cell) in self.columns_of(&removed) {
            let text = removed.cell_text(cell);
            match column.filter(|_| self.holds_text(&text)) {
                Some(column) => {
                    quoted.extend(cell.is_quoted().then_some(column));
                    new.insert(column, text);
                }
                None => is_whole = false,
            }
        }
        let raw = is_whole.then(|| (new.clone(), removed.row.to_vec()));
        let (above, below) = was.place.split_once("..").unwrap_or_default();
        let was = RowBefore {
            name: row_name(removed.row),
            beside: (!was.place.is_empty()).then(|| [above.to_owned(), below.to_owned()]),
            raw,
        };
        NewRow { cells: new, quoted: Some(quoted), was: Some(was) }
    }

    /// The names of columns of the row that `was` there which have something in it and cannot
    /// come back: this table has no such column, or cannot hold the text.
    pub(super) fn lost_columns(&self, was: &AsWritten) -> Vec<String> {
        let removed = RemovedRow::parse_removed(was, self);
        let mut columns = self.columns_of(&removed).zip(removed.header.iter());
        let mut lost = Vec::new();
        for ((column, cell), name) in columns.by_ref() {
            let text = removed.cell_text(cell);
            let stays = column.is_some() && self.holds_text(&text);
            if !stays && !text.trim().is_empty() {
                lost.push(name.clone());
            }
        }
        lost
    }

    fn holds_text(&self, text: &str) -> bool {
        !text.contains('\0') && self.text.trouble_with(text).is_none()
    }

    /// The cells of a row that was removed, each with its column of today.
    fn columns_of<'r>(
        &self,
        removed: &'r RemovedRow<'_>,
    ) -> impl Iterator<Item = (Option<usize>, &'r ScannedCell)> {
        let columns = with_ordinals(self.columns.names());
        let places: Vec<Option<usize>> = with_ordinals(&removed.header)
            .into_iter()
            .map(|name| columns.iter().position(|known| *known == name))
            .collect();
        removed
            .cells
            .iter()
            .enumerate()
            .map(move |(at, cell)| (places.get(at).copied().flatten(), cell))
    }

    /// The numbers of the rows in `added`, in their order, by the row of today behind which
    /// they come. A row that was there before comes beside the rows that stood beside it, as
    /// far as these are there or come back too; others come at the end.
    pub(super) fn places_of(&self, added: &[NewRow]) -> BTreeMap<usize, Vec<usize>> {
        let at_the_end = |groups: &mut BTreeMap<usize, Vec<usize>>, at: usize| {
            groups.entry(self.last_filled).or_default().push(at);
        };
        let mut groups = BTreeMap::new();
        if added.iter().all(|row| row.was.is_none()) {
            (0..added.len()).for_each(|at| at_the_end(&mut groups, at));
            return groups;
        }
        let mut places = RestorePositions::for_sheet(self);
        loop {
            let taken = (0..added.len()).filter(|at| places.take_place(*at, &added[*at])).count();
            if taken == 0 {
                break;
            }
        }
        let RestorePositions { mut groups, placed, .. } = places;
        let others = (0..added.len()).filter(|at| !placed.contains(at));
        others.for_each(|at| at_the_end(&mut groups, at));
        groups
    }
}

/// Where rows that come back have their place so far.
struct RestorePositions<'a> {
    sheet: &'a Sheet,
    /// The records of today by name, the first of several.
    there: BTreeMap<String, usize>,
    /// The rows that come back, by the row of today behind which they come.
    groups: BTreeMap<usize, Vec<usize>>,
    /// Those that have their place, by name: the group.
    back: BTreeMap<String, (usize, usize)>,
    placed: BTreeSet<usize>,
}

impl<'a> RestorePositions<'a> {
    fn for_sheet(sheet: &'a Sheet) -> RestorePositions<'a> {
        let records = sheet.record_rows.iter().rev();
        RestorePositions {
            sheet,
            there: records.map(|position| (sheet.name_of(*position), *position)).collect(),
            groups: BTreeMap::new(),
            back: BTreeMap::new(),
            placed: BTreeSet::new(),
        }
    }

    /// Gives the row `at` its place, if it has none so far and one of its neighbours has one.
    fn take_place(&mut self, at: usize, row: &NewRow) -> bool {
        let Some(was) = row.was.as_ref().filter(|_| !self.placed.contains(&at)) else {
            return false;
        };
        let Some([upper, lower]) = &was.beside else { return false };
        let there = |name: &String| self.there.get(name).copied();
        let (behind, index) = if upper.is_empty() {
            (self.sheet.header_position(), 0)
        } else if let Some(position) = there(upper) {
            (position, 0)
        } else if let Some((behind, other)) = self.back.get(upper) {
            (*behind, self.index_of(*behind, *other) + 1)
        } else if let Some(position) = there(lower) {
            let behind = self.record_above(position);
            (behind, self.groups.get(&behind).map_or(0, Vec::len))
        } else if let Some((behind, other)) = self.back.get(lower) {
            (*behind, self.index_of(*behind, *other))
        } else {
            return false;
        };
        self.groups.entry(behind).or_default().insert(index, at);
        self.back.entry(was.name.clone()).or_insert((behind, at));
        self.placed.insert(at)
    }

    fn index_of(&self, behind: usize, other: usize) -> usize {
        let group = self.groups.get(&behind);
        group.and_then(|rows| rows.iter().position(|at| *at == other)).unwrap_or_default()
    }

    /// The record above the row at `position`, or the header.
    fn record_above(&self, position: usize) -> usize {
        let records = &self.sheet.record_rows;
        let at = records.partition_point(|row| *row < position);
        at.checked_sub(1).map_or(self.sheet.header_position(), |at| records[at])
    }
}

/// The names of columns, each with how many columns of that name stand left of it.
fn with_ordinals(names: &[String]) -> Vec<(&str, usize)> {
    let number = |at: usize| names[..at].iter().filter(|name| **name == names[at]).count();
    (0..names.len()).map(|at| (names[at].as_str(), number(at))).collect()
}
