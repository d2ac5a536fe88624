//! What single edits make of a file, byte by byte.

use super::super::sheet::Sheet;
use super::super::table_edit::TableEdit;
use super::super::{Charset, CsvOptions};
use crate::model::{Field, FieldChange, LinqId, RecordIndex, Resting};
use crate::source::{EditOutcome, SourceEdit, SourceReading};

fn options() -> CsvOptions {
    CsvOptions::new("contacts.csv")
}

fn parse(file: &[u8], options: &CsvOptions) -> (Sheet, SourceReading) {
    Sheet::parse_sheet(file.to_vec(), options, &Resting::default()).unwrap()
}

/// The file after the edits, and what became of them.
fn edited(file: &[u8], options: &CsvOptions, edits: &[SourceEdit]) -> (Vec<u8>, Vec<EditOutcome>) {
    let (sheet, _) = parse(file, options);
    let draft = TableEdit::new(&sheet, edits);
    let bytes = sheet.text.encode_body(&draft.render_text());
    let (new, _) = parse(&bytes, options);
    let outcomes = draft.verify_edit(&new).unwrap();
    (bytes, outcomes)
}

fn text_after(file: &str, edits: &[SourceEdit]) -> String {
    String::from_utf8(edited(file.as_bytes(), &options(), edits).0).unwrap()
}

fn change(field: Field, from: &str, to: &str) -> FieldChange {
    FieldChange { field, from: from.into(), to: to.into() }
}

fn update(at: u32, changes: &[FieldChange]) -> SourceEdit {
    SourceEdit::Update { at: RecordIndex(at), changes: changes.to_vec(), linq_id: None }
}

fn add(pairs: &[(Field, &str)]) -> SourceEdit {
    let values = pairs.iter().map(|(field, text)| (*field, (*text).to_owned())).collect();
    SourceEdit::Add { values, linq_id: LinqId(7), was: None }
}

fn remove(at: u32) -> SourceEdit {
    SourceEdit::Remove { at: RecordIndex(at) }
}

fn refusal(outcome: &EditOutcome) -> &str {
    match outcome {
        EditOutcome::Refused(reason) => reason,
        EditOutcome::StandsWithout(_, refused) => &refused[0].reason,
        EditOutcome::Stands(_) | EditOutcome::Removed | EditOutcome::Undone => {
            panic!("{outcome:?}")
        }
    }
}

use Field::{Company, Email, FirstName, PhoneNumber};

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
fn a_lone_letter_at_the_end_of_a_file_of_guessed_encoding_gets_a_line_end_behind_it() {
    let file = b"Email,First Name\nbo@x.example,Zo\xeb\nada@x.example,Ada";
    let added = add(&[(Email, "zoe@x.example"), (FirstName, "Zo\u{eb}")]);
    let (bytes, _) = edited(file, &options(), &[remove(0), added]);
    let expected: &[u8] = b"Email,First Name\nada@x.example,Ada\nzoe@x.example,Zo\xeb\n";
    assert_eq!(bytes, expected);
    let renamed = update(1, &[change(FirstName, "Ada", "Zo\u{eb}")]);
    let (bytes, _) = edited(file, &options(), &[remove(0), renamed.clone()]);
    assert_eq!(bytes, b"Email,First Name\nada@x.example,Zo\xeb\n");
    let (bytes, _) = edited(file, &options(), &[renamed]);
    assert!(bytes.ends_with(b"ada@x.example,Zo\xeb"), "with another letter there is no doubt");
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
    let edit =
        SourceEdit::Update { at: RecordIndex(0), changes: vec![], linq_id: Some(LinqId(42)) };
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
fn the_encoding_of_a_file_in_utf_8_stays_when_the_row_goes_that_told_it() {
    let file = b"First Name,x\nZo\xc3\xab,1\nBob,\xfc\n";
    let (bytes, written) = super::edited(file, &options(), &[remove(0)]).unwrap();
    assert_eq!(bytes, b"First Name,x\nBob,\xfc\n");
    assert_eq!(written.reading.records.len(), 1);
}

#[test]
fn a_file_that_nobody_could_read_afterwards_is_not_written() {
    let file = b"First Name,x\nZo\xc3\xab,1\nBob,\x81\n";
    let error = super::edited(file, &options(), &[remove(0)]).unwrap_err().to_string();
    assert!(error.contains("would be unreadable on line 2"), "{error}");
    let named = Charset::Named("utf-8".to_owned());
    let named = CsvOptions { encoding: named, ..options() };
    super::edited(file, &named, &[remove(0)]).unwrap();
}

#[test]
fn a_blank_that_is_written_beside_another_filled_column_is_what_was_asked_for() {
    let file = b"Email,Email 2\na@x.example,b@x.example\n";
    for blank in ["", " ", "\r\n"] {
        let edit = update(0, &[change(Email, "a@x.example", blank)]);
        let (_, written) = super::edited(file, &options(), &[edit]).unwrap();
        assert_eq!(written.reading.records[0].values[Email], blank);
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
        update(2, &[change(FirstName, "Cy", "Di"), change(Email, "c@x.example", " c@x.example")]),
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
    let draft = TableEdit::new(&sheet, &[update(0, &[change(FirstName, "=1", "=1")])]);
    assert!(draft.is_empty());
    assert_eq!(draft.render_text(), file.as_bytes());
}

#[test]
fn of_two_edits_of_a_row_the_first_counts_even_if_it_changes_nothing() {
    let file = b"First Name\nAnn\n";
    let edits = [update(0, &[change(FirstName, "Ann", "Ann")]), remove(0)];
    let (bytes, outcomes) = edited(file, &options(), &edits);
    assert_eq!(bytes, file);
    assert!(refusal(&outcomes[1]).contains("another edit already names this row"));
}

#[test]
fn a_result_that_is_not_as_intended_is_noticed() {
    let (sheet, _) = parse(b"First Name,x\nAnn,1\nBob,2\n", &options());
    let edits = [update(0, &[change(FirstName, "Ann", "Eve")]), remove(1)];
    let draft = TableEdit::new(&sheet, &edits);
    let verdict = |file: &str| draft.verify_edit(&parse(file.as_bytes(), &options()).0).is_ok();
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
