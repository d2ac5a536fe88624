//! Edited rows as bytes; every other byte stays as it is.
//!
//! Owns quoting and line ends: an edited cell keeps the quoting it had, an added
//! row looks like its neighbours. Leaves to [`super::draft`] what is written.

use memchr::memchr3;

use super::draft::{Draft, NewCells, RowEdit};
use super::scan::{Cell, Row};
use super::sheet::Sheet;

/// How many rows an added row is modelled on.
const NEIGHBOURS: usize = 20;

/// Whether a cell gets quotation marks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    Always,
    WhereNeeded,
}

impl Draft<'_> {
    /// The text of the file with the edits.
    pub(super) fn render(&self) -> Vec<u8> {
        let body = self.sheet.text.body();
        let mut out = Vec::with_capacity(body.len() + 128 * (self.added.len() + self.edited.len()));
        out.extend_from_slice(&body[..self.sheet.dialect.start]);
        for (position, row) in self.sheet.rows.iter().enumerate() {
            match self.edited.get(&position) {
                None => {
                    part_line_ends(&body[row.start..row.end], &mut out);
                    out.extend_from_slice(&body[row.start..row.end]);
                }
                Some(RowEdit::Remove) => {}
                Some(RowEdit::Rewrite(new)) => {
                    rewrite(self.sheet, *row, new, &mut out);
                    out.extend_from_slice(&body[row.content_end..row.end]);
                }
            }
            if position == self.sheet.last_filled {
                self.append(*row, &mut out);
            }
        }
        out
    }

    /// Adds the new rows behind the last one, whose want of a line end they keep.
    fn append(&self, last: Row, out: &mut Vec<u8>) {
        if self.added.is_empty() {
            return;
        }
        let style = Style::of(self.sheet);
        for new in &self.added {
            if !matches!(out.last(), Some(b'\n' | b'\r')) {
                out.extend_from_slice(style.line_end);
            }
            for column in 0..self.sheet.columns.width() {
                if column > 0 {
                    out.push(self.sheet.dialect.delimiter);
                }
                let text = new.get(&column).map_or("", String::as_str);
                let quoting = style.quoting(self.sheet, column, text);
                write_cell(text, quoting, self.sheet.dialect.delimiter, out);
            }
            if last.end > last.content_end {
                out.extend_from_slice(style.line_end);
            }
        }
    }
}

/// Keeps a row that ends with CR apart from a blank line that ends with LF and has
/// come to follow it, by ending the row with LF: together they would be one.
fn part_line_ends(next: &[u8], out: &mut [u8]) {
    if let (Some(end @ b'\r'), Some(b'\n')) = (out.last_mut(), next.first()) {
        *end = b'\n';
    }
}

fn rewrite(sheet: &Sheet, row: Row, new: &NewCells, out: &mut Vec<u8>) {
    let (body, delimiter, cells) = (sheet.text.body(), sheet.dialect.delimiter, sheet.cells(row));
    let beyond = new.last_key_value().map_or(0, |(column, _)| column + 1);
    for column in 0..cells.len().max(beyond) {
        if column > 0 {
            out.push(delimiter);
        }
        let cell = cells.get(column);
        match (new.get(&column), cell) {
            (Some(text), Some(cell)) if cell.is_quoted() => {
                write_cell(text, Quoting::Always, delimiter, out);
            }
            (Some(text), _) => write_cell(text, Quoting::WhereNeeded, delimiter, out),
            (None, Some(cell)) => out.extend_from_slice(&body[cell.span()]),
            (None, None) => {}
        }
    }
}

fn write_cell(text: &str, quoting: Quoting, delimiter: u8, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let needed = memchr3(b'"', b'\n', b'\r', bytes).is_some() || bytes.contains(&delimiter);
    if !needed && quoting == Quoting::WhereNeeded {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    for byte in bytes {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// How the last rows of a file are written.
struct Style {
    line_end: &'static [u8],
    neighbours: Vec<Vec<Cell>>,
}

impl Style {
    fn of(sheet: &Sheet) -> Style {
        let last = sheet.record_rows.iter().rev().take(NEIGHBOURS);
        let neighbours = last.map(|position| sheet.cells(sheet.rows[*position])).collect();
        Style { line_end: line_end(sheet), neighbours }
    }

    /// As most neighbours in the column are quoted, counting filled and empty
    /// cells apart; where there are none, as most cells of the neighbours are.
    fn quoting(&self, sheet: &Sheet, column: usize, text: &str) -> Quoting {
        let alike = |cell: &&Cell| cell.value(sheet.text.body()).is_empty() == text.is_empty();
        let in_column: Vec<&Cell> =
            self.neighbours.iter().filter_map(|cells| cells.get(column)).filter(alike).collect();
        let cells = if in_column.is_empty() {
            self.neighbours.iter().flatten().filter(alike).collect()
        } else {
            in_column
        };
        let quoted = cells.iter().filter(|cell| cell.is_quoted()).count();
        if quoted * 2 > cells.len() { Quoting::Always } else { Quoting::WhereNeeded }
    }
}

/// The line end of most rows; `\n` where no row has one.
fn line_end(sheet: &Sheet) -> &'static [u8] {
    let ends = |wanted: &[u8]| {
        let body = sheet.text.body();
        sheet.rows.iter().filter(|row| &body[row.content_end..row.end] == wanted).count()
    };
    let kinds: [&'static [u8]; 3] = [b"\r", b"\r\n", b"\n"];
    kinds.into_iter().max_by_key(|kind| ends(kind)).unwrap_or(b"\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::CsvOptions;
    use super::*;
    use crate::model::{Change, Field, LinqId, RecordIndex, SourceRecord, Values};
    use crate::source::{Edit, EditOutcome, Reading};

    fn options() -> CsvOptions {
        CsvOptions::new("contacts.csv")
    }

    fn parse(file: &[u8], options: &CsvOptions) -> (Sheet, Reading) {
        Sheet::parse(file.to_vec(), options).unwrap()
    }

    /// The file after the edits, and what became of them.
    fn edited(file: &[u8], options: &CsvOptions, edits: &[Edit]) -> (Vec<u8>, Vec<EditOutcome>) {
        let (sheet, _) = parse(file, options);
        let draft = Draft::new(&sheet, edits);
        let bytes = sheet.text.encode(&draft.render());
        let (new, _) = parse(&bytes, options);
        let outcomes = draft.verify(&new).unwrap();
        (bytes, outcomes)
    }

    fn text_after(file: &str, edits: &[Edit]) -> String {
        String::from_utf8(edited(file.as_bytes(), &options(), edits).0).unwrap()
    }

    fn change(field: Field, from: &str, to: &str) -> Change {
        Change { field, from: from.to_owned(), to: to.to_owned() }
    }

    fn update(at: u32, changes: &[Change]) -> Edit {
        Edit::Update { at: RecordIndex(at), changes: changes.to_vec(), linq_id: None }
    }

    fn add(pairs: &[(Field, &str)]) -> Edit {
        let values = pairs.iter().map(|(field, text)| (*field, (*text).to_owned())).collect();
        Edit::Add { values, linq_id: LinqId(7) }
    }

    fn remove(at: u32) -> Edit {
        Edit::Remove { at: RecordIndex(at) }
    }

    fn refusal(outcome: &EditOutcome) -> &str {
        match outcome {
            EditOutcome::Refused(reason) => reason,
            EditOutcome::Stands(_) | EditOutcome::Removed | EditOutcome::Undone => {
                panic!("{outcome:?}")
            }
        }
    }

    use Field::{Company, Email, FirstName, LastName, PhoneNumber};

    #[test]
    fn an_edited_cell_keeps_its_quoting_and_its_neighbours_keep_every_byte() {
        let file = "First Name,Company,x\r\n\"Ann\",Acme, \"odd\" \r\nBob,\"\",\"a\nb\"\n";
        let table = [
            (0, change(FirstName, "Ann", "Eve"), "\"Eve\",Acme, \"odd\" \r\n"),
            (0, change(FirstName, "Ann", "E\"e"), "\"E\"\"e\",Acme, \"odd\" \r\n"),
            (0, change(Company, "Acme", "A, B"), "\"Ann\",\"A, B\", \"odd\" \r\n"),
            (0, change(Company, "Acme", "A\r\nB"), "\"Ann\",\"A\r\nB\", \"odd\" \r\n"),
            (0, change(Company, "Acme", ""), "\"Ann\",, \"odd\" \r\n"),
            (0, change(FirstName, "Ann", ""), "\"\",Acme, \"odd\" \r\n"),
            (0, change(Company, "Acme", "=1+1"), "\"Ann\",'=1+1, \"odd\" \r\n"),
            (0, change(Company, "Acme", "\u{1}x"), "\"Ann\",\u{1}x, \"odd\" \r\n"),
        ];
        for (at, change, row) in table {
            let expected = file.replace("\"Ann\",Acme, \"odd\" \r\n", row);
            assert_eq!(text_after(file, &[update(at, &[change])]), expected);
        }
    }

    #[test]
    fn rows_are_added_in_the_files_own_manner() {
        let ann = add(&[(FirstName, "Ann"), (Company, "A, B")]);
        let table = [
            ("First Name,Company,x\nBob,B,1\n", "Ann,\"A, B\",\n"),
            ("First Name,Company,x\r\nBob,B,1\r\n", "Ann,\"A, B\",\r\n"),
            ("First Name;Company;x\nBob;B;1\n", "Ann;A, B;\n"),
            ("First Name\tCompany\tx\rBob\tB\t1\r", "Ann\tA, B\t\r"),
            ("x|Company|First Name\nBob|B|1\n", "|A, B|Ann\n"),
            ("First Name,Company,x\n\"Bob\",\"B\",\"\"\n", "\"Ann\",\"A, B\",\"\"\n"),
            ("First Name,Company,x\n\"Bob\",B,\n\"Cy\",C,1\n", "\"Ann\",\"A, B\",\n"),
            ("First Name,Company,x\n", "Ann,\"A, B\",\n"),
            ("First Name,Company,x\nBob,B,1\r\nCy,C,2\r\n", "Ann,\"A, B\",\r\n"),
        ];
        for (file, row) in table {
            assert_eq!(text_after(file, std::slice::from_ref(&ann)), format!("{file}{row}"));
        }
    }

    #[test]
    fn a_missing_last_line_end_is_put_before_an_added_row_and_not_behind_it() {
        let ann = [add(&[(FirstName, "Ann")]), add(&[(FirstName, "Eve")])];
        let after = text_after("First Name,Company\r\nBob,B", &ann);
        assert_eq!(after, "First Name,Company\r\nBob,B\r\nAnn,\r\nEve,");
        assert_eq!(text_after("First Name", &ann), "First Name\nAnn\nEve");
        let edits = [remove(0), add(&[(FirstName, "Ann")])];
        assert_eq!(text_after("First Name\nBob", &edits), "First Name\nAnn");
    }

    #[test]
    fn rows_are_added_above_blank_rows_at_the_end() {
        let after = text_after("First Name,x\nBob,1\n,\n\n  ", &[add(&[(FirstName, "Ann")])]);
        assert_eq!(after, "First Name,x\nBob,1\nAnn,\n,\n\n  ");
    }

    #[test]
    fn removing_a_row_removes_its_bytes_and_its_line_end() {
        let file = "First Name\r\nAnn\n\"B\nb\"\r\n\nCy";
        assert_eq!(text_after(file, &[remove(1)]), "First Name\r\nAnn\n\nCy");
        assert_eq!(text_after(file, &[remove(2)]), "First Name\r\nAnn\n\"B\nb\"\r\n\n");
        let all = [remove(2), remove(0), remove(1)];
        assert_eq!(text_after(file, &all), "First Name\r\n\n");
    }

    #[test]
    fn line_ends_that_come_together_do_not_become_one() {
        assert_eq!(text_after("First Name\nAnn\rBob\n\nCy", &[remove(1)]), "First Name\nAnn\n\nCy");
    }

    #[test]
    fn a_short_row_is_made_longer_by_the_cells_that_it_needs() {
        let mut options = options();
        options.id_column = Some("id".to_owned());
        let file = "First Name,a,b,id,c\nAnn\n";
        let edit = Edit::Update { at: RecordIndex(0), changes: vec![], linq_id: Some(LinqId(42)) };
        let (bytes, outcomes) = edited(file.as_bytes(), &options, &[edit]);
        assert_eq!(bytes, b"First Name,a,b,id,c\nAnn,,,42\n");
        assert!(matches!(outcomes[..], [EditOutcome::Stands(RecordIndex(0))]));
    }

    #[test]
    fn a_file_keeps_its_encoding_and_byte_order_mark() {
        let utf16 = |text: &str| -> Vec<u8> {
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            units.flat_map(u16::to_le_bytes).collect()
        };
        let to_eve = update(0, &[change(FirstName, "Zoë", "Ève")]);
        let table = [
            (utf16("First Name\r\nZoë\r\n"), utf16("First Name\r\nÈve\r\n")),
            (b"First Name\nZo\xeb\n".to_vec(), b"First Name\n\xc8ve\n".to_vec()),
            ("\u{feff}First Name\nZoë".into(), "\u{feff}First Name\nÈve".into()),
            (
                b"sep=;\nFirst Name;x\nZo\xc3\xab;\xff\n".to_vec(),
                b"sep=;\nFirst Name;x\n\xc3\x88ve;\xff\n".to_vec(),
            ),
        ];
        for (before, after) in table {
            assert_eq!(edited(&before, &options(), std::slice::from_ref(&to_eve)).0, after);
        }
    }

    #[test]
    fn edits_that_cannot_be_written_are_refused_and_the_others_go_on() {
        let mut options = options();
        options.key = Some("Email".to_owned());
        let file = b"First Name,Email\nZo\xeb,z@x.example\nBob,b@x.example\nCy,c@x.example\n";
        let edits = [
            update(0, &[change(FirstName, "Zoë", "a\0b")]),
            update(0, &[change(FirstName, "Zoë", "Łukasz")]),
            update(0, &[change(FirstName, "Zoe", "Eve")]),
            update(0, &[change(Company, "", "Acme")]),
            update(0, &[change(FirstName, "Zoë", " "), change(Email, "z@x.example", "")]),
            update(0, &[change(Email, "z@x.example", "b@x.example ")]),
            add(&[(Email, "c@x.example")]),
            add(&[(PhoneNumber, "+14155552671")]),
            remove(1),
            update(1, &[change(FirstName, "Bob", "Rob")]),
            remove(9),
            update(
                2,
                &[change(FirstName, "Cy", "Di"), change(Email, "c@x.example", " c@x.example")],
            ),
        ];
        let (bytes, outcomes) = edited(file, &options, &edits);
        let expected = b"First Name,Email\nZo\xeb,z@x.example\nDi, c@x.example\n";
        assert_eq!(bytes, expected);
        let reasons = [
            "its first_name contains a NUL",
            "its first_name has a character that the file's encoding windows-1252 lacks",
            "its first_name is not what it was",
            "no column for company",
            "a row without any text",
            "same value in the key column `Email`",
            "same value in the key column `Email`",
            "a row without any text",
        ];
        for (outcome, reason) in outcomes.iter().zip(reasons) {
            assert!(refusal(outcome).contains(reason), "{outcome:?}: {reason}");
        }
        assert!(matches!(outcomes[8], EditOutcome::Removed));
        assert!(refusal(&outcomes[9]).contains("another edit"));
        assert!(refusal(&outcomes[10]).contains("no such row"));
        assert!(matches!(outcomes[11], EditOutcome::Stands(RecordIndex(1))));
    }

    #[test]
    fn an_update_to_what_is_there_already_changes_nothing() {
        let file = "First Name,x\n'=1,\n";
        let (sheet, _) = parse(file.as_bytes(), &options());
        let draft = Draft::new(&sheet, &[update(0, &[change(FirstName, "=1", "=1")])]);
        assert!(draft.is_empty());
        assert_eq!(draft.render(), file.as_bytes());
    }

    #[test]
    fn a_result_that_is_not_as_intended_is_noticed() {
        let (sheet, _) = parse(b"First Name,x\nAnn,1\nBob,2\n", &options());
        let edits = [update(0, &[change(FirstName, "Ann", "Eve")]), remove(1)];
        let draft = Draft::new(&sheet, &edits);
        let verdict = |file: &str| draft.verify(&parse(file.as_bytes(), &options()).0).is_ok();
        assert!(verdict("First Name,x\nEve,1\n"));
        let wrong = [
            "First Name,x\nEve,2\n",
            "First Name,x\nEva,1\n",
            "First Name,x\nEve, 1\n",
            "First Name,x\nEve,1\r\n",
            "First Name,x\nEve,1\nBob,2\n",
            "First Name,x\n",
            "First Name,x\nEve,1\n\n",
            "First Name,y\nEve,1\n",
            "First Name;x\nEve;1\n",
        ];
        for file in wrong {
            assert!(!verdict(file), "{file:?}");
        }
    }

    /// A file as some program may have written it, in one dialect or a mixture.
    fn file() -> impl Strategy<Value = Vec<u8>> {
        let line_end = prop::sample::select(vec!["\n", "\r\n", "\r"]);
        let cell = prop_oneof![
            4 => "[a-z ]{0,3}",
            1 => "\"([a-z,;\n\r]|\"\"){0,4}\"",
            1 => "[a-z]\"[a-z']{0,2}",
            1 => "'?[=+@-][0-9]{0,3}",
        ];
        let row = (prop::collection::vec(cell, 1..7), line_end);
        let delimiter = prop::sample::select(vec![",", ";", "\t", "|"]);
        let header = ["First Name", "\"Last Name\"", "Email", "Notes", "linq_id"];
        let shuffled = Just(header.to_vec()).prop_shuffle();
        let parts = (shuffled, prop::collection::vec(row, 0..8), delimiter, any::<[bool; 2]>());
        parts.prop_map(|(header, rows, delimiter, [bom, cut])| {
            let mut file = if bom { "\u{feff}".to_owned() } else { String::new() };
            file += &header.join(delimiter);
            file += "\n";
            for (cells, line_end) in &rows {
                file += &cells.join(delimiter);
                file += line_end;
            }
            file.truncate(file.len() - usize::from(cut));
            file.into_bytes()
        })
    }

    /// What to do to each record, and rows to add.
    fn wishes() -> impl Strategy<Value = (Vec<(u8, String)>, Vec<String>)> {
        let text = || "[a-z,;|'\"=+\t\r\n é]{0,6}";
        (prop::collection::vec((0..6_u8, text()), 8), prop::collection::vec(text(), 0..3))
    }

    fn edit_of(record: &SourceRecord, wish: &(u8, String)) -> Option<Edit> {
        let at = record.index;
        let change =
            |field: Field| Change { field, from: record.values[field].clone(), to: wish.1.clone() };
        let (changes, linq_id) = match wish.0 {
            0 => return None,
            1 => return Some(Edit::Remove { at }),
            2 => (vec![change(FirstName)], None),
            3 => (vec![change(LastName), change(Email)], None),
            4 => (vec![], Some(LinqId(99))),
            _ => (vec![change(Email)], Some(LinqId(99))),
        };
        Some(Edit::Update { at, changes, linq_id })
    }

    /// The records that must be there afterwards: each has the values that it had
    /// or was given, and stands where its edit says.
    fn expected_after(
        reading: &Reading,
        edits: &[Edit],
        outcomes: &[EditOutcome],
    ) -> Vec<(Values, Option<LinqId>)> {
        let mut expected = Vec::new();
        for record in &reading.records {
            let its_own = edits.iter().zip(outcomes).find(|(edit, _)| match edit {
                Edit::Update { at, .. } | Edit::Remove { at } => *at == record.index,
                Edit::Add { .. } => false,
            });
            match its_own {
                Some((_, EditOutcome::Removed)) => {}
                Some((Edit::Update { changes, linq_id, .. }, EditOutcome::Stands(now))) => {
                    assert_eq!(now.0 as usize, expected.len());
                    expected.push((record.values.with(changes), linq_id.or(record.linq_id)));
                }
                _ => expected.push((record.values.clone(), record.linq_id)),
            }
        }
        for (edit, outcome) in edits.iter().zip(outcomes) {
            if let (Edit::Add { values, linq_id }, EditOutcome::Stands(now)) = (edit, outcome) {
                assert_eq!(now.0 as usize, expected.len());
                expected.push((values.clone(), Some(*linq_id)));
            }
        }
        expected
    }

    /// All cells as an independent reader sees them.
    fn oracle(file: &[u8], delimiter: u8) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new();
        reader.delimiter(delimiter).has_headers(false).flexible(true);
        let records = reader.from_reader(file).into_records();
        records.map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    proptest! {
        #[test]
        fn without_edits_every_file_is_rendered_as_it_is(file in prop_oneof![
            file(),
            prop::collection::vec(any::<u8>(), 0..80)
                .prop_map(|junk| [&b"First Name,Email\n"[..], &junk].concat()),
        ]) {
            if let Ok((sheet, _)) = Sheet::parse(file.clone(), &options())
                && sheet.read_only.is_none()
            {
                let draft = Draft::new(&sheet, &[]);
                prop_assert_eq!(sheet.text.encode(&draft.render()), file);
            }
        }

        #[test]
        fn edits_change_the_named_cells_and_no_others(file in file(), wishes in wishes()) {
            let options = CsvOptions { id_column: Some("linq_id".to_owned()), ..options() };
            let (sheet, reading) = parse(&file, &options);
            if sheet.read_only.is_some() {
                return Ok(());
            }
            let mut edits: Vec<Edit> =
                reading.records.iter().zip(&wishes.0).filter_map(|(r, w)| edit_of(r, w)).collect();
            let adds = wishes.1.iter().map(|text| add(&[(FirstName, "Ann"), (LastName, text)]));
            edits.extend(adds);
            let (bytes, outcomes) = edited(&file, &options, &edits);
            let (_, after) = parse(&bytes, &options);

            let expected = expected_after(&reading, &edits, &outcomes);
            let found: Vec<_> = after.records.iter().map(|r| (r.values.clone(), r.linq_id)).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(after.unreadable.len(), reading.unreadable.len());

            // To another reader too, no text in the unmapped column is new.
            let column = sheet.columns.names().iter().position(|name| name == "Notes").unwrap();
            let notes = |file: &[u8]| -> Vec<String> {
                let rows = oracle(file, sheet.dialect.delimiter);
                rows.iter().filter_map(|row| row.get(column)).cloned().collect()
            };
            let mut before = notes(&file);
            for note in notes(&bytes) {
                let old = before.iter().position(|old| *old == note);
                prop_assert!(old.is_some() || note.is_empty());
                old.map(|at| before.remove(at));
            }
        }
    }
}
