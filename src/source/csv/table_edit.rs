//! What edits come to, row by row and cell by cell.
//!
//! Owns which edits can be written; the others are refused one by one, and field by field,
//! so that they never hold up the rest. Leaves bytes to [`super::render`] and the proof of
//! the result to [`super::check`].

mod row;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AsWritten, FieldChange, LinqId, RecordIndex, RejectedField, Values};
use crate::source::SourceEdit;
use crate::source::full_name::NameOrder;

use super::beside::OtherRowKind;
use super::header::printable;
use super::quotes::find_mark;
use super::scan::ScannedCell;
use super::sheet::Sheet;
use row::{KnownTexts, RowDraft};

/// New texts of cells by column, with the apostrophe of the formula guard and
/// without quotation marks.
pub(super) type NewCells = BTreeMap<usize, String>;

/// What becomes of one row.
#[derive(Debug)]
pub(super) enum RowEdit {
    /// Some of its cells get other texts.
    Rewrite(NewCells),
    /// It goes, with its line end.
    Remove,
}

/// A row that is added.
#[derive(Debug, Default)]
pub(super) struct NewRow {
    /// Its texts.
    pub(super) cells: NewCells,
    /// For a row that was there before, which of its cells had quotation marks: it keeps
    /// them. Others look like their neighbours.
    pub(super) quoted: Option<BTreeSet<usize>>,
    /// What it was before, for a row that was there before.
    pub(super) was: Option<RowBefore>,
}

/// What is known of a row that comes back.
#[derive(Debug)]
pub(super) struct RowBefore {
    /// What its neighbours call it.
    pub(super) name: String,
    /// The names of the rows above and below it, blank where there was none.
    pub(super) beside: Option<[String; 2]>,
    /// Its texts and its bytes, where every cell of it has its column.
    pub(super) raw: Option<(NewCells, Vec<u8>)>,
}

impl NewRow {
    /// Its bytes, if it comes back as it was written.
    pub(super) fn raw_bytes(&self) -> Option<&[u8]> {
        let (cells, bytes) = self.was.as_ref()?.raw.as_ref()?;
        (*cells == self.cells).then_some(bytes)
    }
}

/// What one edit comes to.
#[derive(Debug)]
pub(super) enum EditTarget {
    /// A record that stays: the row at this position among the old rows, with the fields
    /// that are left as they are because they cannot be written.
    Row(usize, Vec<RejectedField>),
    /// The added row with this number, counted from 0, with the fields that it lacks.
    Added(usize, Vec<RejectedField>),
    /// A record that goes.
    Removed,
    /// Nothing, for this reason.
    Refused(String),
}

/// Edits of one sheet that can be written together.
pub(super) struct TableEdit<'a> {
    pub(super) sheet: &'a Sheet,
    /// The rows that change, by their position.
    pub(super) edited: BTreeMap<usize, RowEdit>,
    /// The rows that are new, in the order of the edits.
    pub(super) added: Vec<NewRow>,
    /// Their numbers, by the position of the old row behind which they come.
    pub(super) places: BTreeMap<usize, Vec<usize>>,
    /// For each edit, in order, what it comes to.
    pub(super) targets: Vec<EditTarget>,
    /// The keys in use, where the key column is also that of a field. No edit may
    /// make two rows share one.
    keys: BTreeSet<String>,
    /// The rows that an edit has named, also one that changes nothing.
    named: BTreeSet<usize>,
    /// The order in which most whole names stand, where there is a column with them.
    order: NameOrder,
    /// What the columns hold, for values that have several.
    known: KnownTexts,
}

impl<'a> TableEdit<'a> {
    /// Takes up `edits` of the records of `sheet`.
    pub(super) fn new(sheet: &'a Sheet, edits: &[SourceEdit]) -> TableEdit<'a> {
        let keys = claimed_keys(sheet, edits);
        let mut draft = TableEdit {
            sheet,
            edited: BTreeMap::new(),
            added: Vec::new(),
            places: BTreeMap::new(),
            targets: Vec::new(),
            keys,
            named: BTreeSet::new(),
            order: row::usual_order(sheet),
            known: KnownTexts::default(),
        };
        for edit in edits {
            let target = match edit {
                SourceEdit::Update { at, changes, linq_id } => {
                    draft.update_row(*at, changes, *linq_id)
                }
                SourceEdit::Add { values, linq_id, was } => {
                    draft.add_row(values, *linq_id, was.as_deref())
                }
                SourceEdit::Remove { at } => draft.remove_row(*at),
            };
            draft.targets.push(target.unwrap_or_else(EditTarget::Refused));
        }
        draft.places = sheet.places_of(&draft.added);
        draft
    }

    /// Whether the file stays as it is.
    pub(super) fn is_empty(&self) -> bool {
        self.edited.is_empty() && self.added.is_empty()
    }

    fn update_row(
        &mut self,
        at: RecordIndex,
        changes: &[FieldChange],
        linq_id: Option<LinqId>,
    ) -> Result<EditTarget, String> {
        let position = self.untouched_row(at)?;
        let cells = self.sheet.row_cells(self.sheet.rows[position]);
        let mut row = RowDraft::for_row(self.sheet, &cells, self.order, &self.known);
        let refused = row.change_fields(changes);
        let mut new = row.new;
        new.extend(self.sheet.columns.id.zip(linq_id).map(|(column, id)| (column, id.to_string())));
        new.retain(|column, text| self.sheet.cell_text(&cells, *column) != *text);
        if let Some(refused) = refused.first()
            && refused_all(changes, &new)
        {
            return Err(refused.reason.clone());
        }
        self.check_not_blank(&cells, &new)?;
        if !new.is_empty() {
            self.check_is_contact(&cells, &new)?;
        }
        self.claim_key(Some(&cells), &new)?;
        self.named.insert(position);
        if !new.is_empty() {
            self.edited.insert(position, RowEdit::Rewrite(new));
        }
        Ok(EditTarget::Row(position, refused))
    }

    fn add_row(
        &mut self,
        values: &Values,
        linq_id: LinqId,
        was: Option<&AsWritten>,
    ) -> Result<EditTarget, String> {
        let mut row = was.map(|was| self.sheet.restored_row(was)).unwrap_or_default();
        self.leave_taken_key(&mut row.cells);
        let mut draft = RowDraft::for_row(self.sheet, &[], self.order, &self.known);
        draft.new = row.cells;
        let refused = draft.fill_values(values);
        row.cells = draft.new;
        if was.is_none() {
            row.cells.extend(self.sheet.only.clone());
        }
        // An id that is in it already stays as it is written.
        let id = self.sheet.columns.id.map(|column| (column, linq_id.to_string()));
        let is_in = |(column, id): &(usize, String)| {
            row.cells.get(column).is_some_and(|text| text.trim() == id)
        };
        let id = id.filter(|id| !is_in(id));
        row.cells.extend(id);
        self.check_not_blank(&[], &row.cells)
            .map_err(|blank| refused.first().map_or(blank, |refused| refused.reason.clone()))?;
        self.check_is_contact(&[], &row.cells)?;
        self.claim_key(None, &row.cells)?;
        self.added.push(row);
        Ok(EditTarget::Added(self.added.len() - 1, refused))
    }

    /// A row that comes back without its key is known by what is written in it, where
    /// another one has taken the key.
    fn leave_taken_key(&self, cells: &mut NewCells) {
        let Some(column) = self.sheet.columns.key else { return };
        if cells.get(&column).is_some_and(|key| self.keys.contains(key.trim())) {
            cells.remove(&column);
        }
    }

    fn remove_row(&mut self, at: RecordIndex) -> Result<EditTarget, String> {
        let position = self.untouched_row(at)?;
        self.named.insert(position);
        self.edited.insert(position, RowEdit::Remove);
        Ok(EditTarget::Removed)
    }

    /// The row of a record that no edit has named yet.
    fn untouched_row(&self, at: RecordIndex) -> Result<usize, String> {
        let position = usize::try_from(at.0).ok().and_then(|at| self.sheet.record_rows.get(at));
        match position {
            Some(position) if self.named.contains(position) => {
                Err("another edit already names this row".to_owned())
            }
            Some(position) => Ok(*position),
            None => Err("there is no such row".to_owned()),
        }
    }

    /// A row without any text would be no record.
    fn check_not_blank(&self, cells: &[ScannedCell], new: &NewCells) -> Result<(), String> {
        let kept = |(column, cell): (usize, &ScannedCell)| {
            !new.contains_key(&column) && !cell.is_blank(self.sheet.text.body_bytes())
        };
        let is_filled = new.values().any(|text| !text.trim_ascii().is_empty())
            || cells.iter().enumerate().any(kept);
        if is_filled { Ok(()) } else { Err("it would be a row without any text".to_owned()) }
    }

    /// A row that would be read as something else than a contact is not written.
    fn check_is_contact(&self, cells: &[ScannedCell], new: &NewCells) -> Result<(), String> {
        let columns = &self.sheet.columns;
        let beyond = new.last_key_value().map_or(0, |(column, _)| column + 1);
        let width = if cells.is_empty() { columns.column_count() } else { cells.len().max(beyond) };
        let text = |column: usize| match new.get(&column) {
            Some(text) => text.clone(),
            None => self.sheet.cell_text(cells, column).into_owned(),
        };
        let values: Vec<String> = (0..width).map(text).collect();
        let delimiter = self.sheet.dialect.delimiter;
        let row = values.join(&char::from(delimiter).to_string());
        if find_mark(&row, delimiter, &values, columns).is_some() {
            return Err("its cells would stand between marks that look like quotation marks of \
                        a table"
                .to_owned());
        }
        match OtherRowKind::of_texts(&values, columns) {
            OtherRowKind::Contact => Ok(()),
            OtherRowKind::Footer => Err("it would look like a line of a report".to_owned()),
            OtherRowKind::Header | OtherRowKind::OtherHeader => {
                Err("it would look like a header".to_owned())
            }
        }
    }

    /// Makes sure that the row's new key, if it gets one, is its alone.
    fn claim_key(&mut self, cells: Option<&[ScannedCell]>, new: &NewCells) -> Result<(), String> {
        let Some(column) = self.sheet.columns.key else { return Ok(()) };
        let Some(key) = new.get(&column).map(|text| text.trim()) else { return Ok(()) };
        let is_own = cells.is_some_and(|cells| self.sheet.cell_text(cells, column).trim() == key);
        if key.is_empty() || is_own || self.keys.insert(key.to_owned()) {
            return Ok(());
        }
        let name = printable(&self.sheet.columns.names()[column]);
        Err(format!("another row has the same value in the key column `{name}`"))
    }
}

/// Whether nothing is left of an edit that was to change something.
fn refused_all(changes: &[FieldChange], new: &NewCells) -> bool {
    !changes.is_empty() && new.is_empty()
}

/// The keys of all rows, unreadable ones included, if `edits` can change any or bring
/// one back.
fn claimed_keys(sheet: &Sheet, edits: &[SourceEdit]) -> BTreeSet<String> {
    let Some(column) = sheet.columns.key else { return BTreeSet::new() };
    let mut fields = sheet.columns.fields();
    let is_field = fields.any(|(field, _)| sheet.columns.columns_of(field).any(|at| at == column));
    let comes_back = |edit: &SourceEdit| matches!(edit, SourceEdit::Add { was: Some(_), .. });
    if !is_field && !edits.iter().any(comes_back) {
        return BTreeSet::new();
    }
    let body = sheet.text.body_bytes();
    let key =
        |cell: &ScannedCell| String::from_utf8_lossy(&cell.cell_value(body)).trim().to_owned();
    sheet.rows.iter().filter_map(|row| sheet.row_cells(*row).get(column).map(key)).collect()
}
