//! Rows above the header that look like persons.
//!
//! A table that was sorted together with its header has people above it. Owns how they are
//! told from a title and from labels, which stay as they are: by what stands in the columns
//! that the header names. When one of them is a person for certain, so may be the others.

use super::header::{Columns, is_known};
use super::looks::{is_date, is_email, is_number, is_phone};
use crate::model::Field;

/// Which of the rows above the header may be persons; `below` is the first row under it.
/// Rows are given by the texts of their cells.
pub(super) fn rows_like_persons(
    rows: &[Vec<String>],
    below: &[String],
    columns: &Columns,
) -> Vec<usize> {
    let rows: Vec<Above<'_>> = rows.iter().map(|cells| Above { cells, columns }).collect();
    let below = Above { cells: below, columns };
    let bare = rows.iter().filter(|row| row.is_bare_name()).count();
    let is_certain =
        rows.iter().any(Above::is_person) || bare >= if below.is_bare_name() { 1 } else { 2 };
    (0..rows.len()).filter(|at| is_certain && rows[*at].may_be_person()).collect()
}

/// A row above the header.
struct Above<'r> {
    cells: &'r [String],
    columns: &'r Columns,
}

impl Above<'_> {
    fn filled_cells(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty())
    }

    /// What it has in the columns of a field.
    fn field_cells(&self, field: Field) -> impl Iterator<Item = &str> {
        let cells = self.columns.columns_of(field).filter_map(|column| self.cells.get(column));
        cells.map(|cell| cell.trim()).filter(|cell| !cell.is_empty())
    }

    /// Whether its first text says what the next one is, as in `Company,Acme Ltd`.
    fn is_label(&self) -> bool {
        let first = self.filled_cells().next().unwrap_or_default();
        first.ends_with(':') || self.filled_cells().count() <= 2 && is_known(first)
    }

    /// Whether it has a name, and nothing else in the columns of names.
    fn has_name(&self) -> bool {
        let names = [Field::FirstName, Field::LastName].map(|field| self.field_cells(field).next());
        let is_name = |text: &str| {
            !is_number(text) && !is_date(text) && !is_known(text) && !text.ends_with(':')
        };
        names.iter().any(Option::is_some) && names.iter().flatten().all(|name| is_name(name))
    }

    /// Whether it is a person: by an address or number, or by a name in a row that is
    /// too full for a label.
    fn is_person(&self) -> bool {
        let filled = self.filled_cells().count();
        let is_whole = filled >= 3 || filled >= 2 && filled == self.columns.column_count();
        !self.is_label()
            && (self.field_cells(Field::Email).any(is_email)
                || self.field_cells(Field::PhoneNumber).any(is_phone)
                || is_whole && self.has_name())
    }

    /// Whether it is a first and a last name, or two words of a title.
    fn is_bare_name(&self) -> bool {
        let has = |field| self.field_cells(field).next().is_some();
        self.filled_cells().count() == 2
            && self.columns.whole_name().is_none()
            && has(Field::FirstName)
            && has(Field::LastName)
            && !self.is_label()
            && self.has_name()
    }

    /// Whether it may be one, where others are.
    fn may_be_person(&self) -> bool {
        let identity = Field::IDENTITY.into_iter();
        !self.is_label() && identity.flat_map(|field| self.field_cells(field)).next().is_some()
    }
}
