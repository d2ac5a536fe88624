//! The source as a whole, on real files.

mod cut;
mod edits;
mod laws;
#[path = "../../../../tests/oracles/straight.rs"]
pub(super) mod straight;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::lock::LockError;
use crate::model::{FieldChange, LinqId, RecordIndex};
use crate::source::EditOutcome;

use super::*;

const FILE: &str = "First Name,Email,Notes\nAnn,ann@example.org,\"a\nb\"\nBob,bob@example.org,\n";

/// The bytes of the file after `edits`, and what became of them.
fn edited(
    raw: &[u8],
    options: &CsvOptions,
    edits: &[SourceEdit],
) -> Result<(Vec<u8>, WriteReceipt), WriteError> {
    let (table, _) = TableVersion::parse(raw.to_vec(), options).unwrap();
    let (next, written) = table.with_edits(options, edits)?;
    Ok((next.unwrap_or(table).raw_bytes().to_vec(), written))
}

/// A directory with one file, `contacts.csv`.
struct TempTable {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl TempTable {
    fn new(file: impl AsRef<[u8]>) -> TempTable {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        fs::write(&path, file).unwrap();
        TempTable { dir, path }
    }

    fn source(&self) -> CsvSource {
        CsvSource::new(CsvOptions::new(&self.path))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap().map(Result::unwrap);
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        // What was displaced stays for a while.
        names.retain(|name| name != ".linqsync");
        names.sort();
        names
    }
}

fn rename_ann() -> SourceEdit {
    let change = FieldChange { field: Field::FirstName, from: "Ann".into(), to: "Anna".into() };
    SourceEdit::Update { at: RecordIndex(0), changes: vec![change], linq_id: None }
}

fn problem(source: &mut CsvSource) -> (Option<u32>, String) {
    match source.read_records() {
        Err(SourceError::Unusable { line, problem, .. }) => (line, problem),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_read_edited_and_is_then_what_the_next_reading_finds() {
    let place = TempTable::new(FILE);
    let mut source = place.source();
    assert_eq!(source.read_records().unwrap().records.len(), 2);
    let written =
        source.write_edits(&[rename_ann(), SourceEdit::Remove { at: RecordIndex(1) }]).unwrap();
    assert_eq!(place.text(), "First Name,Email,Notes\nAnna,ann@example.org,\"a\nb\"\n");
    assert!(matches!(
        written.edits[..],
        [EditOutcome::Stands(RecordIndex(0)), EditOutcome::Removed]
    ));
    let again = source.read_records().unwrap();
    assert_eq!(written.reading.records, again.records);
    assert_eq!(written.reading.fingerprint, again.fingerprint);
    assert_eq!(place.names(), ["contacts.csv"]);
}

#[test]
fn what_changes_nothing_does_not_touch_the_file() {
    let place = TempTable::new(FILE);
    let before = fs::metadata(&place.path).unwrap();
    let mut source = place.source();
    let reading = source.read_records().unwrap();
    let same = SourceEdit::Update { at: RecordIndex(0), changes: vec![], linq_id: Some(LinqId(1)) };
    for edits in [&[][..], &[same], &[SourceEdit::Remove { at: RecordIndex(7) }]] {
        let written = source.write_edits(edits).unwrap();
        assert_eq!(written.edits.len(), edits.len());
        assert_eq!(written.reading.records, reading.records);
    }
    let after = fs::metadata(&place.path).unwrap();
    assert_eq!(
        (before.ino(), before.mtime_nsec(), before.ctime_nsec()),
        (after.ino(), after.mtime_nsec(), after.ctime_nsec())
    );
}

#[test]
fn the_mode_is_kept_and_a_symbolic_link_stays_one() {
    let place = TempTable::new(FILE);
    fs::set_permissions(&place.path, fs::Permissions::from_mode(0o664)).unwrap();
    let link = place.dir.path().join("link.csv");
    std::os::unix::fs::symlink("contacts.csv", &link).unwrap();
    let mut source = CsvSource::new(CsvOptions::new(&link));
    source.read_records().unwrap();
    source.write_edits(&[rename_ann()]).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(place.text().contains("Anna"));
    assert_eq!(fs::metadata(&place.path).unwrap().mode() & 0o777, 0o664);
}

#[test]
fn a_save_between_reading_and_writing_is_kept_and_told() {
    let place = TempTable::new(FILE);
    let mut source = place.source();
    source.read_records().unwrap();
    let saved = FILE.replace("Bob", "Rob");
    fs::write(&place.path, &saved).unwrap();
    let error = source.write_edits(&[rename_ann()]).unwrap_err();
    assert!(matches!(error, WriteError::Changed { kept: None, .. }));
    assert!(error.to_string().ends_with("was saved by another program in the meantime"));
    assert_eq!(place.text(), saved);
    source.read_records().unwrap();
    source.write_edits(&[rename_ann()]).unwrap();
    assert_eq!(place.text(), saved.replace("Ann,", "Anna,"));
}

#[test]
fn a_second_program_is_kept_out_before_and_after_a_write() {
    let place = TempTable::new(FILE);
    let (mut first, mut second) = (place.source(), place.source());
    let is_held = |source: &mut CsvSource| {
        matches!(source.read_records(), Err(SourceError::Locked(LockError::Held { .. })))
    };
    first.read_records().unwrap();
    assert!(is_held(&mut second));
    first.write_edits(&[rename_ann()]).unwrap();
    assert!(is_held(&mut second));
    // An editor puts another file in place: the next reading locks that one.
    let new = place.dir.path().join("new");
    fs::write(&new, FILE).unwrap();
    fs::rename(&new, &place.path).unwrap();
    first.read_records().unwrap();
    assert!(is_held(&mut second));
    drop(first);
    second.read_records().unwrap();
}

#[test]
fn reading_alone_neither_locks_nor_writes() {
    let place = TempTable::new(FILE);
    let mut writer = place.source();
    writer.read_records().unwrap();
    let options = CsvOptions { access: SourceAccess::ReadOnly, ..CsvOptions::new(&place.path) };
    let mut reader = CsvSource::new(options);
    assert_eq!(reader.read_records().unwrap().records.len(), 2);
    assert!(matches!(reader.write_edits(&[rename_ann()]), Err(WriteError::ReadOnly { .. })));
    writer.write_edits(&[rename_ann()]).unwrap();
}

#[test]
fn a_file_with_an_open_quotation_mark_is_read_and_not_written() {
    let place = TempTable::new(format!("{FILE}Cy,\"cy@example.org,\n"));
    let mut source = place.source();
    let reading = source.read_records().unwrap();
    assert_eq!((reading.records.len(), reading.unreadable.len()), (2, 1));
    let error = source.write_edits(&[rename_ann()]).unwrap_err();
    assert!(error.to_string().contains("the quotation mark opened on line 5 is never closed"));
}

#[test]
fn what_is_no_table_of_contacts_is_an_error_that_says_why() {
    let table = [
        ("", None, "is empty"),
        ("\n \n", None, "has only blank lines"),
        ("\n\nBezeichnung,Notes\n", Some(3), "has no column for a name"),
        ("\"First Name,Email\nAnn,x\n", Some(1), "a quotation mark in its header"),
    ];
    for (file, line, expected) in table {
        let (found, problem) = problem(&mut TempTable::new(file).source());
        assert!(problem.contains(expected), "{problem}");
        assert_eq!(found, line);
    }
    let place = TempTable::new(FILE);
    let options = CsvOptions { delimiter: Delimiter::Byte(b'"'), ..CsvOptions::new(&place.path) };
    assert!(problem(&mut CsvSource::new(options)).1.contains("configured delimiter"));
}

#[test]
fn a_header_alone_is_a_source_without_contacts() {
    let place = TempTable::new("First Name,Email");
    let mut source = place.source();
    let reading = source.read_records().unwrap();
    assert!(reading.records.is_empty() && reading.unreadable.is_empty());
    assert_eq!(reading.mapped, [Field::FirstName, Field::Email].into_iter().collect());
    let shape = source.table_shape().unwrap();
    assert_eq!((shape.encoding, shape.delimiter), ("UTF-8", b','));
    assert_eq!(shape.columns[&Field::Email], "Email");
}

#[test]
fn a_backup_holds_what_was_read_even_if_the_file_has_changed() {
    let place = TempTable::new(FILE);
    let backups = tempfile::tempdir().unwrap();
    let mut source = place.source();
    assert!(source.back_up(backups.path()).is_err());
    source.read_records().unwrap();
    fs::write(&place.path, "x").unwrap();
    let copy = source.back_up(backups.path()).unwrap();
    assert_eq!(fs::read_to_string(&copy).unwrap(), FILE);
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o600);
    assert_ne!(source.back_up(backups.path()).unwrap(), copy);
}

#[test]
fn a_file_that_is_open_in_an_editor_is_read_and_not_written() {
    let place = TempTable::new(FILE);
    let mark = place.dir.path().join(".~lock.contacts.csv#");
    let mut source = place.source();
    assert_eq!(source.read_records().unwrap().read_only, None);
    fs::write(&mark, "").unwrap();
    assert!(matches!(source.write_edits(&[rename_ann()]), Err(WriteError::Changed { .. })));
    let reading = source.read_records().unwrap();
    assert_eq!(reading.records.len(), 2);
    assert!(reading.read_only.unwrap().contains("open in LibreOffice"));
    assert!(matches!(source.write_edits(&[rename_ann()]), Err(WriteError::ReadOnly { .. })));
    fs::remove_file(&mark).unwrap();
    source.read_records().unwrap();
    source.write_edits(&[rename_ann()]).unwrap();
}

#[test]
fn a_record_as_it_is_written_can_be_read_on_its_own() {
    let place = TempTable::new(FILE);
    let mut source = place.source();
    assert_eq!(source.as_written(RecordIndex(0)).text, "");
    source.read_records().unwrap();
    assert_eq!(
        source.as_written(RecordIndex(0)).text,
        "First Name,Email,Notes\nAnn,ann@example.org,\"a\nb\"\n"
    );
    assert_eq!(source.as_written(RecordIndex(2)).text, "");
}

#[test]
fn debug_output_shows_no_contact() {
    let place = TempTable::new(FILE);
    let mut source = place.source();
    source.read_records().unwrap();
    assert!(!format!("{source:?}").contains("Ann"));
}

#[test]
fn what_would_not_be_read_is_not_written() {
    let most = usize::try_from(open::MAX_BYTES).unwrap();
    let notes = "n".repeat(most - FILE.len());
    let place = TempTable::new(format!("{FILE}Cy,cy@example.org,{notes}").get(..most).unwrap());
    let mut source = place.source();
    source.read_records().unwrap();
    let before = place.text();
    let change =
        FieldChange { field: Field::FirstName, from: "Ann".into(), to: "Anna-Maria".into() };
    let edit = SourceEdit::Update { at: RecordIndex(0), changes: vec![change], linq_id: None };
    let error = source.write_edits(&[edit]).unwrap_err().to_string();
    assert!(error.contains("larger than 512 MiB"), "{error}");
    assert_eq!(place.text(), before);
    source.read_records().unwrap();
}
