//! Where in a row a field stands.
//!
//! Owns the ways in which columns hold a field: one column, a column that holds both names,
//! or several that make up one value; what a row says there, and which cells change for
//! another value. Leaves what the text of a cell means to [`super::cell`], and names to
//! [`crate::source::full_name`].

use std::borrow::Cow;

use crate::model::{Field, same_parts};
use crate::source::formula::FormulaGuard;
use crate::source::full_name::{NameOrder, SplitName, Usual, WholeName};

use super::{cell, joined};

/// What stands between the parts of a value that has several columns.
pub(super) const BETWEEN: &str = ", ";

/// Where a field stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FieldLocation {
    /// In a column of its own.
    Column(usize),
    /// In a column with whole names, together with the other name.
    WholeName(usize, Usual),
    /// In several columns, a part in each.
    Joined(Vec<usize>),
}

/// The cells of a row as they are written; blank where the row is too short.
pub(super) trait RowText {
    /// What is written in a column.
    fn written_text(&self, column: usize) -> Cow<'_, str>;

    /// Whether other rows have this text in a column.
    fn column_holds(&self, _column: usize, _text: &str) -> bool {
        false
    }
}

impl<F: Fn(usize) -> String> RowText for F {
    fn written_text(&self, column: usize) -> Cow<'_, str> {
        Cow::Owned(self(column))
    }
}

/// New texts of cells by column.
pub(super) type CellTexts = Vec<(usize, String)>;

/// Why a value is not written, for people; what follows "its first_name".
pub(super) type Unwritable = &'static str;

const NOT_REVERSIBLE: Unwritable =
    "cannot be written into its cell, because it would be read as something else";
const NO_SUCH_NAME: Unwritable = "cannot be written into the column with whole names, because the \
                                  name would be taken apart in another way";
const CHANGED: Unwritable = "is not what it was when it was read";
const WRONG_PARTS: Unwritable = "cannot be written, because nothing tells which of its parts \
                                 belong into which of its columns";

impl FieldLocation {
    /// The columns.
    pub(super) fn columns(&self) -> &[usize] {
        match self {
            FieldLocation::Column(column) | FieldLocation::WholeName(column, _) => {
                std::slice::from_ref(column)
            }
            FieldLocation::Joined(columns) => columns,
        }
    }

    /// Which name comes first in a whole name here, where nothing in it tells.
    pub(super) fn usual_order(&self) -> Usual {
        match self {
            FieldLocation::WholeName(_, usual) => *usual,
            FieldLocation::Column(_) | FieldLocation::Joined(_) => Usual::FirstName,
        }
    }

    /// The only column, if it holds this field alone.
    pub(super) fn own_column(&self) -> Option<usize> {
        match self {
            FieldLocation::Column(column) => Some(*column),
            FieldLocation::WholeName(..) | FieldLocation::Joined(_) => None,
        }
    }

    /// The values of `field` in a row, at least one: the first is the value, the others are
    /// further ones.
    pub(super) fn field_values(
        &self,
        field: Field,
        row: &dyn RowText,
        guard: FormulaGuard,
    ) -> Vec<String> {
        match self {
            FieldLocation::Column(column) => {
                let written = row.written_text(*column);
                let text = cell::meant_text(guard, &written);
                cell::cell_values(field, &text).into_iter().map(Cow::into_owned).collect()
            }
            FieldLocation::WholeName(column, usual) => {
                let names = split_names(&row.written_text(*column), *usual, guard);
                vec![if field == Field::FirstName { names.first } else { names.last }]
            }
            FieldLocation::Joined(columns) => {
                let parts: Vec<String> = column_parts(columns, row, guard);
                let filled: Vec<&str> =
                    parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
                vec![filled.join(BETWEEN)]
            }
        }
    }

    /// The cells by which a row says `to` where it said `from`, which it does here.
    ///
    /// # Errors
    /// Why that cannot be written.
    pub(super) fn put_value(
        &self,
        field: Field,
        (from, to): (&str, &str),
        row: &dyn RowText,
        guard: FormulaGuard,
    ) -> Result<CellTexts, Unwritable> {
        match self {
            FieldLocation::Column(column) => {
                let written = row.written_text(*column);
                let text = cell::meant_text(guard, &written);
                let new = cell::exchange_value(field, &text, from, to).ok_or(NOT_REVERSIBLE)?;
                let new = cell::write_cell(guard, field, &written, &new).ok_or(NOT_REVERSIBLE)?;
                Ok(vec![(*column, new)])
            }
            FieldLocation::WholeName(column, usual) => {
                let mut had = split_names(&row.written_text(*column), *usual, guard);
                let half = |names: &mut SplitName, text: &str| {
                    let is_first = field == Field::FirstName;
                    text.clone_into(if is_first { &mut names.first } else { &mut names.last });
                };
                half(&mut had, from);
                let mut names = had.clone();
                half(&mut names, to);
                self.put_names((&had, &names), row, guard, NameOrder::FirstLast)
            }
            FieldLocation::Joined(columns) => {
                let old = column_parts(columns, row, guard);
                let holds = |at: usize, text: &str| row.column_holds(columns[at], text);
                let new = joined::parts_of(to, &old, &holds).ok_or(WRONG_PARTS)?;
                put_parts(columns, field, &new, row, guard)
            }
        }
    }

    /// Whether a row says `value` here.
    pub(super) fn reads_back(
        &self,
        field: Field,
        value: &str,
        row: &dyn RowText,
        guard: FormulaGuard,
    ) -> bool {
        let values = self.field_values(field, row, guard);
        match self {
            FieldLocation::Column(_) | FieldLocation::WholeName(..) => {
                values.iter().any(|one| one == value)
            }
            FieldLocation::Joined(_) => {
                values.iter().any(|one| one == value || same_parts(one, value))
            }
        }
    }

    /// The cell by which a row that says the names it `had` says others, in the order `usual`
    /// where it has none yet.
    ///
    /// # Errors
    /// Why that cannot be written.
    pub(super) fn put_names(
        &self,
        (had, names): (&SplitName, &SplitName),
        row: &dyn RowText,
        guard: FormulaGuard,
        usual: NameOrder,
    ) -> Result<CellTexts, Unwritable> {
        let column = self.columns()[0];
        let written = row.written_text(column);
        let text = cell::meant_text(guard, &written);
        let whole = WholeName::of_usual(&text, self.usual_order()).read_as(had).ok_or(CHANGED)?;
        let new = whole.with_names(names, usual).ok_or(NO_SUCH_NAME)?;
        let new =
            cell::write_cell(guard, Field::FirstName, &written, &new).ok_or(NOT_REVERSIBLE)?;
        Ok(vec![(column, new)])
    }
}

fn split_names(written: &str, usual: Usual, guard: FormulaGuard) -> SplitName {
    WholeName::of_usual(&cell::meant_text(guard, written), usual).split_names()
}

fn column_parts(columns: &[usize], row: &dyn RowText, guard: FormulaGuard) -> Vec<String> {
    let part =
        |column: &usize| cell::meant_text(guard, &row.written_text(*column)).trim().to_owned();
    columns.iter().map(part).collect()
}

/// The cells by which the columns have these parts.
fn put_parts(
    columns: &[usize],
    field: Field,
    new: &[String],
    row: &dyn RowText,
    guard: FormulaGuard,
) -> Result<CellTexts, Unwritable> {
    let mut cells = CellTexts::new();
    for (column, text) in columns.iter().zip(new) {
        let written = row.written_text(*column);
        if cell::meant_text(guard, &written).trim() != text {
            let new = cell::write_cell(guard, field, &written, text).ok_or(NOT_REVERSIBLE)?;
            cells.push((*column, new));
        }
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put(place: &FieldLocation, row: &[&str], to: &str) -> Result<Vec<String>, Unwritable> {
        let text = |column: usize| row.get(column).copied().unwrap_or_default().to_owned();
        let from = place.field_values(Field::Location, &text, FormulaGuard::On).swap_remove(0);
        let cells = place.put_value(Field::Location, (&from, to), &text, FormulaGuard::On)?;
        let mut row: Vec<String> = row.iter().map(|text| (*text).to_owned()).collect();
        for (column, text) in cells {
            row[column] = text;
        }
        Ok(row)
    }

    #[test]
    fn a_value_goes_back_into_its_columns_where_its_parts_fit() {
        let place = FieldLocation::Joined(vec![0, 1]);
        let two = |row: [&str; 2], to: &str| put(&place, &row, to);
        assert_eq!(
            two(["Oslo", "Norway"], "Bergen, Norway"),
            Ok(vec!["Bergen".into(), "Norway".into()])
        );
        assert_eq!(two(["Oslo", ""], "Bergen"), Ok(vec!["Bergen".into(), String::new()]));
        assert_eq!(two(["", "Norway"], "Sweden"), Ok(vec![String::new(), "Sweden".into()]));
        assert_eq!(two(["", ""], "Oslo"), Ok(vec!["Oslo".into(), String::new()]));
        assert_eq!(two(["Oslo", "Norway"], ""), Ok(vec![String::new(), String::new()]));
        assert_eq!(two(["Oslo", "Norway"], "Bergen"), Ok(vec!["Bergen".into(), String::new()]));
        assert_eq!(two(["Oslo", "Norway"], "Bergen, Vestland, Norway"), Err(WRONG_PARTS));
        assert_eq!(
            two(["Washington, D.C.", "USA"], "Washington, D.C., Canada"),
            Ok(vec!["Washington, D.C.".into(), "Canada".into()])
        );
    }

    proptest! {
        #[test]
        fn what_is_put_into_several_columns_is_what_is_read(
            row in prop::collection::vec("[a-c, =']{0,4}", 3), to in "[a-c, =']{0,9}",
        ) {
            let place = FieldLocation::Joined(vec![2, 0, 1]);
            let row: Vec<&str> = row.iter().map(String::as_str).collect();
            if let Ok(after) = put(&place, &row, &to) {
                let text = |column: usize| after[column].clone();
                let is = place.field_values(Field::Location, &text, FormulaGuard::On);
                prop_assert!(same_parts(&is[0], &to), "{} {to}", is[0]);
            }
        }
    }
}
