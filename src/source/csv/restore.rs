//! Rows that were removed, once they are put back.
//!
//! Owns which of their cells still have a column: those under the same name, and under the
//! same of several such names. Leaves the fields of the plan to [`super::draft`].

use std::collections::BTreeSet;

use crate::model::AsWritten;

use super::dialect::name;
use super::draft::{NewCells, NewRow};
use super::scan::Scanner;
use super::sheet::Sheet;

impl Sheet {
    /// The row that `was` there, as far as this table has its columns. What its encoding
    /// cannot hold stays out.
    pub(super) fn restored(&self, was: &AsWritten) -> NewRow {
        let body = was.text.as_bytes();
        let mut scanner = Scanner::new(body, self.dialect.delimiter, 0, 1);
        let mut row = || {
            let mut cells = Vec::new();
            scanner.next_row(&mut cells);
            cells
        };
        let (header, cells) = (row(), row());
        let names: Vec<String> = header.iter().map(|cell| name(*cell, body)).collect();
        let columns = numbered(self.columns.names());
        let (mut new, mut quoted) = (NewCells::new(), BTreeSet::new());
        for (name, cell) in numbered(&names).into_iter().zip(&cells) {
            let Some(column) = columns.iter().position(|known| *known == name) else { continue };
            let text = String::from_utf8_lossy(&cell.value(body)).into_owned();
            if !text.contains('\0') && self.text.trouble_with(&text).is_none() {
                quoted.extend(cell.is_quoted().then_some(column));
                new.insert(column, text);
            }
        }
        NewRow { cells: new, quoted: Some(quoted) }
    }
}

/// The names of columns, each with how many columns of that name stand left of it.
fn numbered(names: &[String]) -> Vec<(&str, usize)> {
    let number = |at: usize| names[..at].iter().filter(|name| **name == names[at]).count();
    (0..names.len()).map(|at| (names[at].as_str(), number(at))).collect()
}
