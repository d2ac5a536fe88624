//! The cells of one row, as an edit changes them field by field.
//!
//! Owns which of a field's places an edit is about, and that a field that cannot be written
//! leaves the others alone. Leaves to [`FieldLocation`] what is written there.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Field, FieldChange, RejectedField, Values};
use crate::source::full_name::{NameOrder, SplitName, Usual, WholeName};

use super::super::cell;
use super::super::location::{CellTexts, FieldLocation, RowText};
use super::{NewCells, ScannedCell, Sheet};

/// The texts that the columns of a file have, once they are asked for.
#[derive(Default)]
pub(super) struct KnownTexts(RefCell<BTreeMap<usize, BTreeSet<String>>>);

impl KnownTexts {
    fn holds_text(&self, sheet: &Sheet, column: usize, text: &str) -> bool {
        let read = |position: &usize| {
            let cells = sheet.row_cells(sheet.rows[*position]);
            let written = sheet.cell_text(&cells, column);
            cell::meant_text(sheet.guard, &written).trim().to_owned()
        };
        let mut known = self.0.borrow_mut();
        let texts =
            known.entry(column).or_insert_with(|| sheet.record_rows.iter().map(read).collect());
        texts.contains(text)
    }
}

/// A row in the making.
pub(super) struct RowDraft<'a> {
    sheet: &'a Sheet,
    cells: &'a [ScannedCell],
    order: NameOrder,
    known: &'a KnownTexts,
    /// The texts that are new.
    pub(super) new: NewCells,
}

impl RowText for RowDraft<'_> {
    fn written_text(&self, column: usize) -> Cow<'_, str> {
        match self.new.get(&column) {
            Some(text) => Cow::Borrowed(text),
            None => self.sheet.cell_text(self.cells, column),
        }
    }

    fn column_holds(&self, column: usize, text: &str) -> bool {
        self.known.holds_text(self.sheet, column, text)
    }
}

impl<'a> RowDraft<'a> {
    /// A row with these cells, which gets whole names in this order where it has none.
    pub(super) fn for_row(
        sheet: &'a Sheet,
        cells: &'a [ScannedCell],
        order: NameOrder,
        known: &'a KnownTexts,
    ) -> RowDraft<'a> {
        RowDraft { sheet, cells, order, known, new: NewCells::new() }
    }

    /// Takes up changes, and returns the fields that cannot be written and why.
    pub(super) fn change_fields(&mut self, changes: &[FieldChange]) -> Vec<RejectedField> {
        let is_whole = |change: &&FieldChange| self.has_whole_name(change.field);
        let (names, others): (Vec<&FieldChange>, Vec<&FieldChange>) =
            changes.iter().partition(is_whole);
        let mut refused = Vec::new();
        // Both names go into one cell, together or not at all: half of another name is none.
        if let Err(reason) = self.change_names(&names) {
            let refusal = |change: &&FieldChange| RejectedField {
                field: change.field,
                reason: reason.clone(),
            };
            refused.extend(names.iter().map(refusal));
        }
        for change in others {
            let done = self.change_one(change);
            refused.extend(done.err().map(|reason| RejectedField { field: change.field, reason }));
        }
        refused
    }

    fn has_whole_name(&self, field: Field) -> bool {
        matches!(self.sheet.columns.places_of(field), [FieldLocation::WholeName(..), ..])
    }

    /// Exchanges one name or both in the column with whole names.
    fn change_names(&mut self, changes: &[&FieldChange]) -> Result<(), String> {
        let [FieldChange { field, .. }, ..] = changes else { return Ok(()) };
        let place = &self.sheet.columns.places_of(*field)[0];
        let guard = self.sheet.guard;
        let [first, last] = [Field::FirstName, Field::LastName]
            .map(|field| place.field_values(field, self, guard).swap_remove(0));
        let (mut had, mut names) = (SplitName::new(&first, &last), SplitName { first, last });
        for FieldChange { field, from, to } in changes {
            let is_first = *field == Field::FirstName;
            *(if is_first { &mut had.first } else { &mut had.last }) = from.to_string();
            *(if is_first { &mut names.first } else { &mut names.last }) = to.to_string();
        }
        let texts = place.put_names((&had, &names), self, guard, self.order);
        let texts = texts.map_err(|why| format!("its {field} {why}"))?;
        self.take_texts(*field, texts)
    }

    /// Changes a field where its old value stands: of several places the first.
    fn change_one(&mut self, change: &FieldChange) -> Result<(), String> {
        let FieldChange { field, from, to } = change;
        let places = self.sheet.columns.places_of(*field);
        if places.is_empty() {
            return Err(format!("the file has no column for {field}"));
        }
        let guard = self.sheet.guard;
        let says = |place: &&FieldLocation| place.reads_back(*field, from, self, guard);
        let place = places.iter().find(says).ok_or_else(|| changed_since(*field))?;
        let texts = place.put_value(*field, (from, to), self, guard);
        let texts = texts.map_err(|why| format!("its {field} {why}"))?;
        self.take_texts(*field, texts)
    }

    /// Makes a row that is added, or comes back, say `values`, and returns the fields that
    /// cannot be written and why.
    pub(super) fn fill_values(&mut self, values: &Values) -> Vec<RejectedField> {
        let mut refused = Vec::new();
        for (field, places) in self.sheet.columns.fields() {
            let value = &values[field];
            if self.has_whole_name(field) {
                continue;
            }
            if value.is_empty() {
                self.new.retain(|column, _| {
                    !self.sheet.columns.columns_of(field).any(|at| at == *column)
                });
                continue;
            }
            let guard = self.sheet.guard;
            if places
                .iter()
                .any(|place| place.field_values(field, self, guard).iter().any(|one| one == value))
            {
                continue;
            }
            let from = places[0].field_values(field, self, guard).swap_remove(0);
            let texts = places[0].put_value(field, (&from, value), self, guard);
            let done = texts
                .map_err(|why| format!("its {field} {why}"))
                .and_then(|texts| self.take_texts(field, texts));
            refused.extend(done.err().map(|reason| RejectedField { field, reason }));
        }
        refused.extend(self.fill_names(values));
        refused
    }

    /// The same for the column with whole names.
    fn fill_names(&mut self, values: &Values) -> Vec<RejectedField> {
        let Some(column) = self.sheet.columns.whole_name() else { return Vec::new() };
        let [first, last] = [Field::FirstName, Field::LastName].map(|field| values[field].as_str());
        let names = SplitName::new(first, last);
        let place = FieldLocation::WholeName(column, self.sheet.columns.usual_order());
        if first.is_empty() && last.is_empty() {
            self.new.remove(&column);
            return Vec::new();
        }
        let had = [Field::FirstName, Field::LastName];
        let [first, last] =
            had.map(|field| place.field_values(field, self, self.sheet.guard).swap_remove(0));
        let had = SplitName { first, last };
        let texts = place.put_names((&had, &names), self, self.sheet.guard, self.order);
        let done = texts
            .map_err(|why| format!("its name {why}"))
            .and_then(|texts| self.take_texts(Field::FirstName, texts));
        let Err(reason) = done else { return Vec::new() };
        self.new.remove(&column);
        let filled = values.filled_fields();
        let fields = [Field::FirstName, Field::LastName].into_iter();
        let lost = fields.filter(|field| filled.contains(*field));
        lost.map(|field| RejectedField { field, reason: reason.clone() }).collect()
    }

    /// Takes up texts, if the file can hold them.
    fn take_texts(&mut self, field: Field, texts: CellTexts) -> Result<(), String> {
        for (_, text) in &texts {
            if text.contains('\0') {
                return Err(format!(
                    "its {field} contains a NUL character, which a CSV file cannot hold"
                ));
            }
            if let Some(trouble) = self.sheet.text.trouble_with(text) {
                return Err(format!("its {field} {trouble}"));
            }
        }
        self.new.extend(texts);
        Ok(())
    }
}

fn changed_since(field: Field) -> String {
    format!("its {field} is not what it was when it was read")
}

/// The order in which most whole names of a file stand.
pub(super) fn usual_order(sheet: &Sheet) -> NameOrder {
    let Some(column) = sheet.columns.whole_name() else { return NameOrder::FirstLast };
    let order = |position: &usize| {
        let cells = sheet.row_cells(sheet.rows[*position]);
        let written = sheet.cell_text(&cells, column);
        WholeName::of_usual(&cell::meant_text(sheet.guard, &written), sheet.columns.usual_order())
            .name_order()
    };
    let orders: Vec<NameOrder> = sheet.record_rows.iter().filter_map(order).collect();
    let count = |order: NameOrder| orders.iter().filter(|one| **one == order).count();
    // Of equals `max_by_key` takes the last.
    let all = [NameOrder::Unspaced, NameOrder::Spaced, NameOrder::LastFirst, NameOrder::FirstLast];
    if orders.is_empty() && sheet.columns.usual_order() == Usual::LastName {
        return NameOrder::Spaced;
    }
    all.into_iter().max_by_key(|order| count(*order)).unwrap_or(NameOrder::FirstLast)
}
