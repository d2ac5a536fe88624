//! What people do to whole tables: sorted, shifted, filled, filtered and restored, on
//! purpose or by accident, and what programs do to files that people save.
//!
//! Owns what that comes to, cell by cell, in the harness's memory: who typed what, who
//! edited or removed whom, and what no person typed at all.

use std::collections::{BTreeMap, BTreeSet};

use linqsync::model::{Field, Side};

use super::people::tag;
use super::scenario::SimOffice;
use super::sheet::{EXTRA, ID, NOTES, SimSheet};
use super::world::SimWorld;

/// Whether people meant what became of the cells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MeantEdit {
    /// A person did it, knowingly or not.
    Edited,
    /// A program lost it.
    Damaged,
}

impl SimWorld {
    /// Somebody works on the whole table.
    pub(super) fn work(&self, office: &SimOffice) {
        let before = self.sheet();
        let mut after = before.clone();
        self.inner().past.office = true;
        let meant = self.worked(office, &mut after);
        if after == before {
            return;
        }
        self.met(&format!("office {}", name(office)));
        self.inner().past.reconfigured |= before.header != after.header;
        self.account(&before, &after, meant);
        self.log(format_args!("a person works on the whole table: {office:?}"));
        self.home.save(after.bytes());
    }

    fn worked(&self, office: &SimOffice, sheet: &mut SimSheet) -> MeantEdit {
        match office {
            SimOffice::SortColumn { field } => self.on_column(sheet, *field, |cells| cells.sort()),
            SimOffice::SortRows { field } => self.sort_rows(sheet, *field),
            SimOffice::SortAll { field } => {
                sheet.rows.append(&mut sheet.above);
                sheet.rows.push(sheet.header.clone());
                self.sort_rows(sheet, *field);
                sheet.find_header();
            }
            SimOffice::HeaderUp => {
                let mut rows = std::mem::take(&mut sheet.above);
                rows.append(&mut sheet.rows);
                sheet.rows = rows;
            }
            SimOffice::ShiftColumn { field, up } => self.on_column(sheet, *field, |cells| {
                if *up {
                    cells.rotate_left(1);
                } else {
                    cells.rotate_right(1);
                }
                // What is pushed out of the table is gone, and a blank comes in.
                let blank = if *up { cells.last_mut() } else { cells.first_mut() };
                blank.into_iter().for_each(String::clear);
            }),
            SimOffice::PasteBlock { first, last, who, rows } => {
                self.inner().past.pasted = true;
                let rows = *rows as usize;
                for field in Field::ALL.into_iter().filter(|f| first <= f && f <= last) {
                    self.on_column(sheet, field, |cells| paste(cells, *who as usize, rows));
                }
            }
            SimOffice::FillDown { field, who, rows } => self.on_column(sheet, *field, |cells| {
                let Some(from) = (*who as usize).checked_rem(cells.len()) else { return };
                let text = cells[from].clone();
                cells[from..].iter_mut().take(1 + *rows as usize).for_each(|cell| {
                    text.clone_into(cell);
                });
            }),
            SimOffice::EmptyColumn { field } => {
                self.on_column(sheet, *field, |cells| cells.iter_mut().for_each(String::clear));
            }
            SimOffice::DropColumn { field } => self.drop_column(sheet, *field),
            SimOffice::PutColumn { field, filled } => self.put_column(sheet, *field, *filled),
            SimOffice::AddColumn { filled } => {
                if sheet.at(EXTRA).is_none() {
                    sheet.add_column(EXTRA);
                    for row in 0..sheet.rows.len() {
                        sheet.put(
                            row,
                            EXTRA,
                            &if *filled { row.to_string() } else { String::new() },
                        );
                    }
                }
            }
            SimOffice::Reencode => {
                let cells = sheet.above.iter_mut().chain(&mut sheet.rows).flatten();
                cells.for_each(|cell| *cell = lossy(cell));
                return MeantEdit::Damaged;
            }
            SimOffice::Filter { field, keep } => {
                let column = self.column(*field);
                let shown = |row: usize| {
                    let sum: u32 = sheet.cell(row, &column).bytes().map(u32::from).sum();
                    sum % 3 == keep % 3
                };
                let shown: Vec<bool> = (0..sheet.rows.len()).map(shown).collect();
                let mut shown = shown.into_iter();
                sheet.rows.retain(|_| shown.next() == Some(true));
            }
            SimOffice::Restore { which } => {
                let copies = self.inner().past.copies.clone();
                if let Some(at) = (*which as usize).checked_rem(copies.len()) {
                    *sheet = SimSheet::parse(&copies[at]);
                }
            }
            SimOffice::CutRows { who, rows, cells } => {
                let count = sheet.rows.len();
                let cells = (*cells as usize).max(1 + usize::from(sheet.header[0] == NOTES));
                for at in (0..count).cycle().skip(*who as usize).take((*rows as usize).min(count)) {
                    sheet.rows[at].truncate(cells);
                }
                return MeantEdit::Damaged;
            }
        }
        MeantEdit::Edited
    }

    fn on_column(&self, sheet: &mut SimSheet, field: Field, change: impl FnOnce(&mut Vec<String>)) {
        let column = self.column(field);
        if sheet.at(&column).is_none() || sheet.rows.is_empty() {
            return;
        }
        let mut cells: Vec<String> =
            (0..sheet.rows.len()).map(|row| sheet.cell(row, &column).to_owned()).collect();
        change(&mut cells);
        for (row, cell) in cells.iter().enumerate() {
            if sheet.cell(row, &column) != cell {
                sheet.put(row, &column, cell);
            }
        }
    }

    fn sort_rows(&self, sheet: &mut SimSheet, field: Field) {
        if let Some(at) = sheet.at(&self.column(field)) {
            sheet.rows.sort_by_key(|row| row.get(at).cloned().unwrap_or_default());
        }
    }

    fn drop_column(&self, sheet: &mut SimSheet, field: Field) {
        let column = self.column(field);
        let Some(at) = sheet.at(&column) else { return };
        let known = (0..sheet.rows.len()).filter_map(|row| {
            Some((tag(sheet.cell(row, NOTES))?, sheet.cell(row, &column).into()))
        });
        let known: BTreeMap<String, String> = known.collect();
        self.inner().past.dropped.insert(field, known);
        sheet.header.remove(at);
        for row in sheet.above.iter_mut().chain(&mut sheet.rows) {
            if at < row.len() {
                row.remove(at);
            }
        }
    }

    fn put_column(&self, sheet: &mut SimSheet, field: Field, filled: bool) {
        let column = self.column(field);
        let Some(known) = self.inner().past.dropped.get(&field).cloned() else { return };
        if sheet.at(&column).is_some() {
            return;
        }
        sheet.add_column(&column);
        for row in 0..sheet.rows.len() {
            let known = tag(sheet.cell(row, NOTES)).and_then(|tag| known.get(&tag));
            let text = known.filter(|_| filled).cloned().unwrap_or_default();
            sheet.put(row, &column, &text);
        }
    }

    /// Remembers what became of every cell.
    fn account(&self, before: &SimSheet, after: &SimSheet, meant: MeantEdit) {
        let (was, is) = (texts(before), texts(after));
        let mut inner = self.inner();
        for (text, times) in &was {
            for _ in is.get(text).copied().unwrap_or_default()..*times {
                inner.ledger.replace(Side::Source, text, "");
            }
        }
        for (text, times) in &is {
            for _ in was.get(text).copied().unwrap_or_default()..*times {
                if meant == MeantEdit::Edited {
                    inner.ledger.replace(Side::Source, "", text);
                }
            }
        }
        drop(inner);
        if meant == MeantEdit::Edited {
            self.account_rows(before, after);
        }
    }

    /// Remembers whose fields were edited, and who was removed.
    fn account_rows(&self, before: &SimSheet, after: &SimSheet) {
        let (was, is) = (by_tag(before), by_tag(after));
        let column = |field| self.column(field);
        let tags: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        let dropped = self.inner().past.dropped.clone();
        let mut edited = BTreeSet::new();
        let mut removed = 0;
        for tag in tags {
            // A cell that a row lacks is not blank: whoever fills it up has edited it.
            let cells =
                |sheet: &SimSheet, rows: Option<&Vec<usize>>, field| -> Vec<Option<String>> {
                    let rows = rows.into_iter().flatten();
                    let at = sheet.at(&column(field));
                    rows.map(|row| sheet.rows[*row].get(at?).cloned()).collect()
                };
            let (old, new) = (was.get(tag), is.get(tag));
            let count = |rows: Option<&Vec<usize>>| rows.map_or(0, Vec::len);
            removed += count(old).saturating_sub(count(new));
            for field in Field::ALL {
                let [was, is] = [before, after].map(|sheet| sheet.at(&column(field)).is_some());
                // A column that comes back as it was is no edit, one with other texts is.
                let is_other = || match (was, is) {
                    (true, true) => cells(before, old, field) != cells(after, new, field),
                    (false, true) => {
                        let known = dropped.get(&field).and_then(|known| known.get(tag));
                        let texts = cells(after, new, field).into_iter().flatten();
                        texts.filter(|text| !text.is_empty()).any(|text| Some(&text) != known)
                    }
                    (_, false) => false,
                };
                if is_other() {
                    edited.insert((tag.clone(), field));
                }
            }
        }
        let mut inner = self.inner();
        inner.past.edited_ours |= edited.iter().any(|(tag, _)| tag.is_empty());
        inner.past.edited_rows.extend(edited);
        inner.past.removals += removed;
    }
}

/// A text after it was saved in an encoding that lacks its letters.
pub(super) fn lossy(text: &str) -> String {
    text.replace(|c: char| !c.is_ascii(), "?")
}

fn name(office: &SimOffice) -> String {
    format!("{office:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// Copies `rows` cells from `from` on to where they begin a row later.
fn paste(cells: &mut [String], from: usize, rows: usize) {
    let Some(from) = from.checked_rem(cells.len()) else { return };
    let block: Vec<String> = cells[from..].iter().take(rows).cloned().collect();
    for (cell, text) in cells[from..].iter_mut().skip(1).zip(block) {
        *cell = text;
    }
}

/// How often each text stands in the rows, ids apart, which are linqsync's.
fn texts(sheet: &SimSheet) -> BTreeMap<String, usize> {
    let ids = sheet.at(ID);
    let mut texts = BTreeMap::new();
    for row in sheet.above.iter().chain(&sheet.rows) {
        for (at, text) in row.iter().enumerate() {
            if Some(at) != ids {
                *texts.entry(text.clone()).or_default() += 1;
            }
        }
    }
    texts
}

/// The rows of each note; those that linqsync added have none.
fn by_tag(sheet: &SimSheet) -> BTreeMap<String, Vec<usize>> {
    let mut rows: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for row in 0..sheet.rows.len() {
        rows.entry(tag(sheet.cell(row, NOTES)).unwrap_or_default()).or_default().push(row);
    }
    rows
}
