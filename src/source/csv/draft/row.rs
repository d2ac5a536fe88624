//! The cells of one row, as an edit changes them field by field.
//!
//! Owns which of a field's places an edit is about, and that a field that cannot be written
//! leaves the others alone. Leaves to [`Place`] what is written there.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Change, Field, RejectedField, Values};
use crate::source::full_name::{Names, Order, Usual, WholeName};

use super::super::cell;
use super::super::place::{CellTexts, Place, RowText};
use super::{Cell, NewCells, Sheet};

/// The texts that the columns of a file have, once they are asked for.
#[derive(Default)]
pub(super) struct KnownTexts(RefCell<BTreeMap<usize, BTreeSet<String>>>);

impl KnownTexts {
    fn holds(&self, sheet: &Sheet, column: usize, text: &str) -> bool {
        let read = |position: &usize| {
            let cells = sheet.cells(sheet.rows[*position]);
            let written = sheet.written(&cells, column);
            cell::meant(sheet.guard, &written).trim().to_owned()
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
    cells: &'a [Cell],
    order: Order,
    known: &'a KnownTexts,
    /// The texts that are new.
    pub(super) new: NewCells,
}

impl RowText for RowDraft<'_> {
    fn written(&self, column: usize) -> Cow<'_, str> {
        match self.new.get(&column) {
            Some(text) => Cow::Borrowed(text),
            None => self.sheet.written(self.cells, column),
        }
    }

    fn holds(&self, column: usize, text: &str) -> bool {
        self.known.holds(self.sheet, column, text)
    }
}

impl<'a> RowDraft<'a> {
    /// A row with these cells, which gets whole names in this order where it has none.
    pub(super) fn of(
        sheet: &'a Sheet,
        cells: &'a [Cell],
        order: Order,
        known: &'a KnownTexts,
    ) -> RowDraft<'a> {
        RowDraft { sheet, cells, order, known, new: NewCells::new() }
    }

    /// Takes up changes, and returns the fields that cannot be written and why.
    pub(super) fn change(&mut self, changes: &[Change]) -> Vec<RejectedField> {
        let is_whole = |change: &&Change| self.has_whole_name(change.field);
        let (names, others): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(is_whole);
        let mut refused = Vec::new();
        // Both names go into one cell, together or not at all: half of another name is none.
        if let Err(reason) = self.rename(&names) {
            let refusal =
                |change: &&Change| RejectedField { field: change.field, reason: reason.clone() };
            refused.extend(names.iter().map(refusal));
        }
        for change in others {
            let done = self.change_one(change);
            refused.extend(done.err().map(|reason| RejectedField { field: change.field, reason }));
        }
        refused
    }

    fn has_whole_name(&self, field: Field) -> bool {
        matches!(self.sheet.columns.places_of(field), [Place::WholeName(..), ..])
    }

    /// Exchanges one name or both in the column with whole names.
    fn rename(&mut self, changes: &[&Change]) -> Result<(), String> {
        let [Change { field, .. }, ..] = changes else { return Ok(()) };
        let place = &self.sheet.columns.places_of(*field)[0];
        let guard = self.sheet.guard;
        let [first, last] = [Field::FirstName, Field::LastName]
            .map(|field| place.values(field, self, guard).swap_remove(0));
        let (mut had, mut names) = (Names::new(&first, &last), Names { first, last });
        for Change { field, from, to } in changes {
            let is_first = *field == Field::FirstName;
            *(if is_first { &mut had.first } else { &mut had.last }) = from.to_string();
            *(if is_first { &mut names.first } else { &mut names.last }) = to.to_string();
        }
        let texts = place.put_names((&had, &names), self, guard, self.order);
        let texts = texts.map_err(|why| format!("its {field} {why}"))?;
        self.take(*field, texts)
    }

    /// Changes a field where its old value stands: of several places the first.
    fn change_one(&mut self, change: &Change) -> Result<(), String> {
        let Change { field, from, to } = change;
        let places = self.sheet.columns.places_of(*field);
        if places.is_empty() {
            return Err(format!("the file has no column for {field}"));
        }
        let guard = self.sheet.guard;
        let says = |place: &&Place| place.says(*field, from, self, guard);
        let place = places.iter().find(says).ok_or_else(|| changed_since(*field))?;
        let texts = place.put(*field, (from, to), self, guard);
        let texts = texts.map_err(|why| format!("its {field} {why}"))?;
        self.take(*field, texts)
    }

    /// Makes a row that is added, or comes back, say `values`, and returns the fields that
    /// cannot be written and why.
    pub(super) fn fill(&mut self, values: &Values) -> Vec<RejectedField> {
        let mut refused = Vec::new();
        for (field, places) in self.sheet.columns.fields() {
            let value = &values[field];
            if self.has_whole_name(field) {
                continue;
            }
            if value.is_empty() {
                self.new.retain(|column, _| !self.sheet.columns.of(field).any(|at| at == *column));
                continue;
            }
            let guard = self.sheet.guard;
            if places
                .iter()
                .any(|place| place.values(field, self, guard).iter().any(|one| one == value))
            {
                continue;
            }
            let from = places[0].values(field, self, guard).swap_remove(0);
            let texts = places[0].put(field, (&from, value), self, guard);
            let done = texts
                .map_err(|why| format!("its {field} {why}"))
                .and_then(|texts| self.take(field, texts));
            refused.extend(done.err().map(|reason| RejectedField { field, reason }));
        }
        refused.extend(self.fill_names(values));
        refused
    }

    /// The same for the column with whole names.
    fn fill_names(&mut self, values: &Values) -> Vec<RejectedField> {
        let Some(column) = self.sheet.columns.whole_name() else { return Vec::new() };
        let [first, last] = [Field::FirstName, Field::LastName].map(|field| values[field].as_str());
        let names = Names::new(first, last);
        let place = Place::WholeName(column, self.sheet.columns.usual());
        if first.is_empty() && last.is_empty() {
            self.new.remove(&column);
            return Vec::new();
        }
        let had = [Field::FirstName, Field::LastName];
        let [first, last] =
            had.map(|field| place.values(field, self, self.sheet.guard).swap_remove(0));
        let had = Names { first, last };
        let texts = place.put_names((&had, &names), self, self.sheet.guard, self.order);
        let done = texts
            .map_err(|why| format!("its name {why}"))
            .and_then(|texts| self.take(Field::FirstName, texts));
        let Err(reason) = done else { return Vec::new() };
        self.new.remove(&column);
        let filled = values.filled();
        let fields = [Field::FirstName, Field::LastName].into_iter();
        let lost = fields.filter(|field| filled.contains(*field));
        lost.map(|field| RejectedField { field, reason: reason.clone() }).collect()
    }

    /// Takes up texts, if the file can hold them.
    fn take(&mut self, field: Field, texts: CellTexts) -> Result<(), String> {
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
pub(super) fn usual_order(sheet: &Sheet) -> Order {
    let Some(column) = sheet.columns.whole_name() else { return Order::FirstLast };
    let order = |position: &usize| {
        let cells = sheet.cells(sheet.rows[*position]);
        let written = sheet.written(&cells, column);
        WholeName::of_usual(&cell::meant(sheet.guard, &written), sheet.columns.usual()).order()
    };
    let orders: Vec<Order> = sheet.record_rows.iter().filter_map(order).collect();
    let count = |order: Order| orders.iter().filter(|one| **one == order).count();
    // Of equals `max_by_key` takes the last.
    let all = [Order::Unspaced, Order::Spaced, Order::LastFirst, Order::FirstLast];
    if orders.is_empty() && sheet.columns.usual() == Usual::LastName {
        return Order::Spaced;
    }
    all.into_iter().max_by_key(|order| count(*order)).unwrap_or(Order::FirstLast)
}
