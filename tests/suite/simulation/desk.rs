//! Between the runs and the file: what linqsync may do to it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use linqsync::mirror::IntentKind;
use linqsync::model::{
    AsWritten, Field, Fingerprint, LinqId, Positions, RecordIndex, Resting, Side, SourceAtRest,
    SourceRecord,
};
use linqsync::source::{
    EditOutcome, Source, SourceEdit, SourceError, SourceReading, WriteError, WriteReceipt,
};

use super::check::mass;
use super::people::tag;
use super::scenario::Feature;
use super::sheet::{ID, NOTES, SimSheet};
use super::world::SimWorld;

/// The file as a run gets at it.
pub(super) struct SimDecisions {
    pub(super) world: Arc<SimWorld>,
    pub(super) inner: Box<dyn Source>,
    /// For each record that was last read, the number of its row.
    rows: BTreeMap<RecordIndex, usize>,
}

impl SimDecisions {
    pub(super) fn new(world: &Arc<SimWorld>, inner: Box<dyn Source>) -> SimDecisions {
        SimDecisions { world: Arc::clone(world), inner, rows: BTreeMap::new() }
    }

    /// What is asked of a record is not asked without reason.
    fn check_edits(&self, edits: &[SourceEdit]) {
        let world = &self.world;
        let state = world.state();
        let links = state.link_keys().unwrap();
        let journal: Vec<IntentKind> =
            state.open_intents().unwrap().into_iter().map(|intent| intent.kind).collect();
        for edit in edits {
            match edit {
                SourceEdit::Add { linq_id, .. } => {
                    let is_intended = journal.iter().any(|kind| {
                        matches!(kind, IntentKind::AddToSource { linq_id: id, .. } if id == linq_id)
                    });
                    if !is_intended {
                        world.violation(&format!("a row for {linq_id} is not in the journal"));
                    }
                    self.check_not_risen(*linq_id);
                }
                SourceEdit::Remove { at } => {
                    let written = self.inner.as_written(*at);
                    let whose = journal.iter().find_map(|kind| {
                        let IntentKind::RemoveFromSource { linq_id, written: of, .. } = kind else {
                            return None;
                        };
                        (*of == written).then_some(*linq_id)
                    });
                    let linked = |id: LinqId| links.iter().any(|link| link.linq_id == id);
                    let asked = {
                        let past = &world.inner().past;
                        past.contacts_removed > 0 || past.undone
                    };
                    if !asked {
                        let row = at.0;
                        world.violation(&format!("row {row} goes, and nobody removed a contact"));
                    }
                    match whose {
                        None => {
                            world
                                .violation(&format!("removing row {} is not in the journal", at.0));
                        }
                        Some(_) if world.inner().past.undone => {}
                        Some(id) if !linked(id) || world.linq.contact(id.0).is_some() => {
                            world.violation(&format!("row {} goes and {id} is in Linq", at.0));
                        }
                        Some(_) => {}
                    }
                    if world.has(Feature::KeepInSource) {
                        world.violation(&format!("row {} goes although the source keeps", at.0));
                    }
                }
                SourceEdit::Update { changes: set, .. } => {
                    let is_intended = set.is_empty() || journal.iter().any(|kind| {
                        matches!(kind, IntentKind::UpdateInSource { changes, .. } if changes == set)
                    });
                    if !is_intended {
                        world.violation("changing a row is not in the journal");
                    }
                    let whose = journal.iter().find_map(|kind| {
                        let IntentKind::UpdateInSource { linq_id, changes, .. } = kind else {
                            return None;
                        };
                        (changes == set).then_some(*linq_id)
                    });
                    for (id, change) in
                        whose.iter().flat_map(|id| set.iter().map(move |c| (*id, c)))
                    {
                        let (from, to) = (&change.from, &change.to);
                        mass::justified(world, Side::Source, id, change.field, from, to);
                    }
                }
            }
        }
    }

    /// A contact whose row people removed comes back only if people edited it.
    fn check_not_risen(&self, id: LinqId) {
        let is_risen = {
            let past = &self.world.inner().past;
            let edited = past.edited_contacts.iter().any(|(edited, _)| *edited == id.0);
            // Linq gave it an owner that nobody has in the source so far.
            let given = self.world.has(Feature::Owner) && past.posted.contains(&id.0);
            past.linked.contains_key(&id.0) && !edited && !given && !past.undone
        };
        if is_risen {
            self.world.violation(&format!("{id} gets a row again, and nobody edited it"));
        }
    }

    /// The file holds what was asked for, and nothing else is different.
    fn check_written(&self, before: &[u8], edits: &[SourceEdit], written: &WriteReceipt) {
        let (old, new) = (SimSheet::parse(before), self.world.sheet());
        let row = |at: RecordIndex| self.row_of(&old, at);
        let mut expected = old.clone();
        let (mut gone, mut back) = (Vec::new(), Vec::new());
        let keeps_ids = self.world.has(Feature::Ids);
        for (edit, outcome) in edits.iter().zip(&written.edits) {
            match (edit, outcome) {
                (_, EditOutcome::Refused(_)) => {}
                (SourceEdit::Update { at, changes, linq_id }, _) => {
                    for change in changes {
                        let at = row(*at);
                        let name = self.world.column(change.field);
                        expected.put(at, &name, &guarded(change.field, &change.to));
                    }
                    if let Some(id) = linq_id.filter(|_| keeps_ids) {
                        expected.put(row(*at), ID, &id.to_string());
                    }
                }
                (SourceEdit::Remove { at }, _) => gone.push(row(*at)),
                (SourceEdit::Add { values, linq_id, was }, _) => {
                    let at = expected.add();
                    let was = was.as_ref().map(|was| SimSheet::parse(was.text.as_bytes()));
                    if let Some(was) = &was {
                        expected.put_back(at, was);
                        back.push(at);
                    }
                    for field in Field::ALL {
                        // A cell that says the value comes back as it was typed.
                        let name = self.world.column(field);
                        let was = was.as_ref().map(|was| was.cell(0, &name));
                        let is_guarded = |cell: &str| {
                            cell.strip_prefix('\'').is_some_and(|text| guarded(field, text) == cell)
                        };
                        let typed = was.filter(|was| *was == values[field] && !is_guarded(was));
                        let cell =
                            typed.map_or_else(|| guarded(field, &values[field]), str::to_owned);
                        expected.put(at, &name, &cell);
                    }
                    if keeps_ids {
                        expected.put(at, ID, &linq_id.to_string());
                    }
                }
            }
        }
        // A row that comes back may come anywhere among the others.
        let mut restored = expected.clone();
        restored.rows = back.iter().map(|at| expected.rows[*at].clone()).collect();
        gone.extend(back);
        gone.sort_unstable();
        gone.into_iter().rev().for_each(|at| drop(expected.rows.remove(at)));
        let heads = |sheet: &SimSheet| (sheet.above.clone(), sheet.header.clone());
        let mut stayed = trimmed(&expected).into_iter().peekable();
        let mut came = trimmed(&new);
        came.retain(|row| stayed.next_if_eq(row).is_none());
        let mut restored_rows = trimmed(&restored);
        came.sort();
        restored_rows.sort();
        if heads(&expected) != heads(&new) || stayed.peek().is_some() || came != restored_rows {
            self.world.violation(&format!(
                "the file is not what was asked for:\n{:?} and {:?}\n{:?}",
                expected.rows, restored.rows, new.rows
            ));
        }
        self.check_bytes(before, edits);
    }

    /// The row of a record: rows without any text are no records.
    fn row_of(&self, sheet: &SimSheet, at: RecordIndex) -> usize {
        let row = self.rows[&at];
        let row = sheet.row_of(row);
        assert!(row < sheet.rows.len());
        row
    }

    /// Rows that no edit names keep every byte.
    fn check_bytes(&self, before: &[u8], edits: &[SourceEdit]) {
        let old = SimSheet::parse(before);
        let named: Vec<usize> = edits
            .iter()
            .filter_map(|edit| match edit {
                SourceEdit::Update { at, .. } | SourceEdit::Remove { at } => {
                    Some(self.row_of(&old, *at))
                }
                SourceEdit::Add { .. } => None,
            })
            .collect();
        let now = self.world.bytes();
        let mut lines = lines(&now).into_iter();
        let rows = lines_of_rows(before).into_iter().skip(old.above.len());
        for (row, line) in rows.enumerate() {
            if !named.contains(&row) && !lines.any(|now| now == line) {
                self.world.violation(&format!(
                    "row {row} lost its bytes: {:?}",
                    String::from_utf8_lossy(&line)
                ));
            }
        }
    }

    fn count(&self, edits: &[SourceEdit], written: &WriteReceipt) {
        let mut inner = self.world.inner();
        for (edit, outcome) in edits.iter().zip(&written.edits) {
            let run = &mut inner.run;
            match (edit, outcome) {
                (_, EditOutcome::Refused(_)) => {}
                (SourceEdit::Add { .. }, _) => run.added += 1,
                (SourceEdit::Remove { .. }, _) => run.removed += 1,
                (SourceEdit::Update { changes, .. }, _) => {
                    run.changed += usize::from(!changes.is_empty());
                }
            }
        }
    }
}

impl Source for SimDecisions {
    fn read_beside(&mut self, resting: &Arc<Resting>) -> Result<SourceReading, SourceError> {
        self.world.event("before reading the source");
        let reading = self.inner.read_beside(resting)?;
        let sheet = self.world.sheet();
        let mut inner = self.world.inner();
        inner.ledger.read_source();
        inner.run.sheet = Some(sheet);
        self.rows = rows(&*self.inner, &reading);
        Ok(reading)
    }

    fn to_remember(
        &self,
        reading: &SourceReading,
        is_at_rest: &dyn Fn(&SourceRecord) -> bool,
    ) -> SourceAtRest {
        self.inner.to_remember(reading, is_at_rest)
    }

    fn at_rest(&self, pairs: &Positions) -> Vec<SourceRecord> {
        self.inner.at_rest(pairs)
    }

    fn records_beside(&self, at: &[RecordIndex]) -> Vec<(usize, SourceRecord)> {
        self.inner.records_beside(at)
    }

    fn write_edits(&mut self, edits: &[SourceEdit]) -> Result<WriteReceipt, WriteError> {
        self.world.event("before writing the source");
        for edit in edits {
            self.world.log(format_args!("* {}", described(edit)));
        }
        self.check_edits(edits);
        let before = self.world.bytes();
        let written = self.inner.write_edits(edits);
        match &written {
            Ok(written) => {
                self.check_written(&before, edits, written);
                self.count(edits, written);
                let sheet = self.world.sheet();
                self.world.inner().run.sheet = Some(sheet);
                self.rows = rows(&*self.inner, &written.reading);
            }
            Err(error) => self.world.log(format_args!("* the source is not written: {error}")),
        }
        self.world.event("after writing the source");
        written
    }

    fn as_written(&self, at: RecordIndex) -> AsWritten {
        self.inner.as_written(at)
    }

    fn forget_late(&mut self) {
        self.inner.forget_late();
    }

    fn record_stamp(&self, at: RecordIndex) -> Fingerprint {
        self.inner.record_stamp(at)
    }

    fn lost_parts(&self, was: &AsWritten) -> Vec<String> {
        self.inner.lost_parts(was)
    }

    fn back_up(&self, into: &Path) -> io::Result<PathBuf> {
        self.world.event("before copying the source");
        self.inner.back_up(into)
    }
}

/// For each record the number of its row.
fn rows(source: &dyn Source, reading: &SourceReading) -> BTreeMap<RecordIndex, usize> {
    let number = |label: &str| label.strip_prefix("row:").unwrap().parse().unwrap();
    let at_rest = source.at_rest(&reading.at_rest);
    let all = reading.records.iter().chain(&at_rest);
    all.map(|record| (record.index, number(&record.label))).collect()
}

fn described(edit: &SourceEdit) -> String {
    match edit {
        SourceEdit::Update { at, changes, linq_id } => {
            let changes: Vec<String> = changes
                .iter()
                .map(|change| format!("{}: {:?} to {:?}", change.field, change.from, change.to))
                .collect();
            format!("update record {} {linq_id:?}: {}", at.0, changes.join(", "))
        }
        SourceEdit::Add { values, linq_id, .. } => {
            format!("add {linq_id}: {}", serde_json::to_string(values).unwrap())
        }
        SourceEdit::Remove { at } => format!("remove record {}", at.0),
    }
}

/// What must stand in a cell for a value that a spreadsheet would run.
fn guarded(field: Field, value: &str) -> String {
    let is_formula = value
        .trim_start_matches('\'')
        .starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
    let is_number = field == Field::PhoneNumber
        && value.strip_prefix('+').is_some_and(|rest| {
            rest.chars().all(|c| c.is_ascii_digit() || [' ', '-', '(', ')'].contains(&c))
        });
    if is_formula && !is_number { format!("'{value}") } else { value.to_owned() }
}

/// Rows without the blank cells at their ends; blank rows may come before or after
/// those that are added.
fn trimmed(sheet: &SimSheet) -> Vec<Vec<String>> {
    let mut rows = sheet.rows.clone();
    rows.retain(|row| row.iter().any(|cell| !cell.trim().is_empty()));
    for row in &mut rows {
        while row.last().is_some_and(String::is_empty) {
            row.pop();
        }
    }
    rows
}

/// The lines of a file; a line end within quotation marks ends no line.
fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new()];
    let mut quoted = false;
    for byte in bytes {
        quoted ^= *byte == b'"';
        if *byte == b'\n' && !quoted {
            lines.push(Vec::new());
        } else if let Some(line) = lines.last_mut() {
            line.push(*byte);
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn lines_of_rows(bytes: &[u8]) -> Vec<Vec<u8>> {
    lines(bytes).into_iter().skip(1).collect()
}

/// By what the harness knows the rows of a file, in their order.
pub(super) fn tags(sheet: &SimSheet) -> Vec<Option<String>> {
    (0..sheet.rows.len()).map(|row| tag(sheet.cell(row, NOTES))).collect()
}
