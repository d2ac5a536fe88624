//! What must hold for any bytes as a CSV file, and for any edits of it.
//!
//! Owns the laws alone, for whoever has bytes: the fuzz targets, the tests, and the tool
//! that looks at other people's files. The csv crate is the other reader. It is compared
//! with cell by cell; these are all the differences:
//!
//! - rows whose cells are all blank are no records (the crate leaves out blank lines
//!   only);
//! - the encoding, a byte order mark, the line `sep=;` and what is above the header are
//!   not its business;
//! - it has no notion of a damaged row: what follows a closing quotation mark, cells
//!   beyond the header, a shared key and a quotation mark that is never closed are told
//!   as unreadable rows, one for each row that it reads; a last row that had begun and
//!   broke off is one even if nothing is in it yet;
//! - where two columns have the same name, only the number of rows is compared;
//! - it does not know that blanks before a quotation mark belong to none: [`straight`] takes
//!   them away first;
//! - the header once more, and lines of dashes, are no rows.

use std::collections::BTreeMap;

use linqsync::model::{Field, FieldChange, LinqId, RecordIndex, SourceRecord, Values};
use linqsync::source::csv::{Charset, CsvOptions, Delimiter, TableShape, TableVersion};
use linqsync::source::{EditOutcome, SourceEdit, SourceReading, WriteError, WriteReceipt};

#[allow(dead_code, reason = "some of it is for the tests beside the code")]
#[path = "straight.rs"]
mod straight;

type Cells = Vec<Vec<Vec<u8>>>;

/// The law of reading: nothing panics, an independent reader sees the same, and without
/// edits the file is the same.
///
/// # Errors
/// What is wrong.
pub(crate) fn reading(raw: &[u8], options: &CsvOptions) -> Result<(), String> {
    let Ok((table, reading)) = TableVersion::parse(raw.to_vec(), options) else { return Ok(()) };
    let shape = table.table_shape();
    if let Some(rows) = rows_below_the_header(raw, &shape) {
        compare(&reading, &shape, &rows)?;
    }
    match edited(&table, options, &[]) {
        Ok((written, _)) if written != raw => Err("it is not written as it is".to_owned()),
        Ok((_, after)) if after.reading.records != reading.records => {
            Err("it is read otherwise the second time".to_owned())
        }
        Ok(_) => Ok(()),
        Err(WriteError::ReadOnly { .. }) if reading.read_only.is_some() => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The bytes of the file after `edits`, and what became of them.
fn edited(
    table: &TableVersion,
    options: &CsvOptions,
    edits: &[SourceEdit],
) -> Result<(Vec<u8>, WriteReceipt), WriteError> {
    let (next, written) = table.with_edits(options, edits)?;
    Ok((next.as_ref().unwrap_or(table).raw_bytes().to_vec(), written))
}

/// The law of editing: the cells that are named have what was asked for, and to an
/// independent reader all others are the same.
///
/// # Errors
/// What is wrong.
pub(crate) fn edits(raw: &[u8], options: &CsvOptions, edits: &[SourceEdit]) -> Result<(), String> {
    let Ok((table, reading)) = TableVersion::parse(raw.to_vec(), options) else { return Ok(()) };
    let shape = table.table_shape();
    let (bytes, after) = match edited(&table, options, edits) {
        Ok(done) => done,
        Err(WriteError::ReadOnly { .. }) if reading.read_only.is_some() => return Ok(()),
        Err(WriteError::ReadOnly { .. }) if is_damaged_utf8(raw, &shape) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    stands(&reading, edits, &after.edits, &after.reading)?;
    let again = TableVersion::parse(bytes.clone(), options).map_err(|error| error.to_string())?.0;
    if edited(&again, options, &[]).map_err(|error| error.to_string())?.0 != bytes {
        return Err("what was written is not written as it is".to_owned());
    }
    let tables = (rows_below_the_header(raw, &shape), rows_below_the_header(&bytes, &shape));
    let (Some(before), Some(now)) = tables else { return Ok(()) };
    if !has_names_of_its_own(&shape) {
        return Ok(());
    }
    others_are_the_same(&reading, edits, &after.edits, &shape, before, &now)
}

/// Takes the bytes of a fuzzer for a file and, in the last one, options; holds the file
/// to the law of reading.
///
/// # Errors
/// What is wrong.
pub(crate) fn reading_of_bytes(bytes: &[u8]) -> Result<(), String> {
    let Some((choice, raw)) = bytes.split_last() else { return Ok(()) };
    reading(raw, &options(*choice))
}

/// Takes the bytes of a fuzzer for a file, edits and, in the last one, options; holds
/// them to the law of editing.
///
/// # Errors
/// What is wrong.
pub(crate) fn edits_of_bytes(bytes: &[u8]) -> Result<(), String> {
    let Some((choice, rest)) = bytes.split_last() else { return Ok(()) };
    let (raw, chosen) = rest.split_at(rest.len().saturating_sub(15));
    let options = options(*choice);
    edits(raw, &options, &wishes(raw, &options, chosen))
}

/// Whether the file is in UTF-8 save for some characters: it is not written if only
/// these would be left, which say nothing about its encoding.
fn is_damaged_utf8(raw: &[u8], shape: &TableShape) -> bool {
    shape.encoding == "UTF-8" && std::str::from_utf8(raw).is_err()
}

/// Options, as the bytes of a fuzzer choose them.
pub(crate) fn options(choice: u8) -> CsvOptions {
    let names = ["utf-8", "windows-1252", "utf-16le", "utf-16be", "shift_jis", "gb18030"];
    let charset = |name: &&str| Charset::Named((*name).to_owned());
    CsvOptions {
        encoding: names.get(usize::from(choice % 16)).map_or(Charset::Auto, charset),
        delimiter: [Delimiter::Auto, Delimiter::Byte(b';')][usize::from(choice >> 7)],
        id_column: (choice & 16 != 0).then(|| "linq_id".to_owned()),
        key: (choice & 32 != 0).then(|| "Email".to_owned()),
        ..CsvOptions::new("contacts.csv")
    }
}

/// Edits of the file `raw`, as the bytes of a fuzzer choose them: five for each.
pub(crate) fn wishes(raw: &[u8], options: &CsvOptions, chosen: &[u8]) -> Vec<SourceEdit> {
    const TEXTS: [&str; 12] = [
        "",
        "Ada",
        "a,b;c\td|e",
        "say \"hi\"",
        "two\nlines",
        "\r\n",
        "=1+1",
        "'t",
        "Zo\u{eb}",
        "\u{674e}",
        "\0",
        " ",
    ];
    const FIELDS: [Field; 4] = [Field::FirstName, Field::Email, Field::PhoneNumber, Field::Company];
    let Ok((_, reading)) = TableVersion::parse(raw.to_vec(), options) else { return Vec::new() };
    let wish = |bytes: &[u8]| {
        let [what, at, field, text, id] = *bytes else { return None };
        let field = FIELDS[usize::from(field) % FIELDS.len()];
        let to = TEXTS[usize::from(text) % TEXTS.len()].to_owned();
        let record = reading.records.get(usize::from(at) % reading.records.len().max(1));
        Some(match (what % 4, record) {
            (0, Some(record)) => SourceEdit::Remove { at: record.index },
            (1, _) => {
                let values: Values = [(Field::FirstName, to)].into_iter().collect();
                SourceEdit::Add { values, linq_id: LinqId(u64::from(id)), was: None }
            }
            (2, _) => SourceEdit::Remove { at: RecordIndex(u32::from(at)) },
            (_, Some(record)) => {
                let from = record.values[field].clone();
                let changes = vec![FieldChange { field, from, to: to.into() }];
                let linq_id = (id % 2 == 1).then_some(LinqId(99));
                SourceEdit::Update { at: record.index, changes, linq_id }
            }
            (_, None) => return None,
        })
    };
    chosen.chunks(5).take(12).filter_map(wish).collect()
}

/// The cells below the header as the csv crate reads them, without blank rows; `None`
/// where the text cannot be had.
fn rows_below_the_header(raw: &[u8], shape: &TableShape) -> Option<Cells> {
    let text = text(raw, shape)?;
    let body = without_announcement(&text, shape.delimiter);
    let mut reader = csv::ReaderBuilder::new();
    reader.delimiter(shape.delimiter).has_headers(false).flexible(true);
    let straight = straight::straightened(body, shape.delimiter);
    let rows = reader.from_reader(&straight[..]).into_byte_records();
    let rows: Cells = rows.map(|row| row.unwrap().iter().map(<[u8]>::to_vec).collect()).collect();
    let name = |cell: &Vec<u8>| String::from_utf8_lossy(cell).trim().to_owned();
    let is_header = |row: &Vec<Vec<u8>>| row.iter().map(name).eq(shape.header.iter().cloned());
    let header = rows.iter().position(is_header)?;
    let is_blank = |row: &Vec<Vec<u8>>| row.iter().flatten().all(u8::is_ascii_whitespace);
    let is_beside = |row: &Vec<Vec<u8>>| is_header_again(row, shape) || is_rule(row);
    let below = rows.into_iter().skip(header + 1);
    Some(below.filter(|row| !is_blank(row) && !is_beside(row)).collect())
}

fn is_header_again(row: &[Vec<u8>], shape: &TableShape) -> bool {
    let text = |at: usize| row.get(at).map_or("".into(), |cell| String::from_utf8_lossy(cell));
    let same = |(at, name): (usize, &String)| text(at).trim().to_lowercase() == name.to_lowercase();
    row.len() <= shape.header.len() && shape.header.iter().enumerate().all(same)
}

/// Whether a row is a line of dashes or the like.
fn is_rule(row: &[Vec<u8>]) -> bool {
    let cells = row.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned());
    cells.filter(|cell| !cell.is_empty()).all(|cell| {
        cell.chars().all(|c| "-=_*~#.+—–─━═ ".contains(c))
            && cell.chars().filter(|c| !c.is_whitespace()).count() > 2
    })
}

fn text(raw: &[u8], shape: &TableShape) -> Option<Vec<u8>> {
    if shape.encoding == "UTF-8" {
        return Some(raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw).to_vec());
    }
    let encoding = encoding_rs::Encoding::for_label(shape.encoding.as_bytes())?;
    let bom = encoding_rs::Encoding::for_bom(raw).map_or(0, |(_, length)| length);
    let text = encoding.decode_without_bom_handling_and_without_replacement(&raw[bom..])?;
    Some(text.into_owned().into_bytes())
}

fn without_announcement(text: &[u8], delimiter: u8) -> &[u8] {
    let line = text.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
    let bare = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let announced = bare.to_ascii_lowercase() == [&b"sep="[..], &[delimiter]].concat();
    if announced { &text[line.len()..] } else { text }
}

/// The columns of each field, the best first.
fn columns(shape: &TableShape) -> BTreeMap<Field, Vec<usize>> {
    let at = |name: &String| shape.header.iter().position(|found| found == name);
    let all = |(field, best): (&Field, &String)| {
        let further = shape.further.get(field).into_iter().flatten();
        (*field, std::iter::once(best).chain(further).filter_map(at).collect())
    };
    shape.columns.iter().map(all).collect()
}

fn has_names_of_its_own(shape: &TableShape) -> bool {
    let mut names: Vec<&String> = shape.header.iter().filter(|name| !name.is_empty()).collect();
    names.sort();
    names.windows(2).all(|pair| pair[0] != pair[1])
}

/// Compares the records, and the rows that could not be read, with the other reader's.
fn compare(reading: &SourceReading, shape: &TableShape, rows: &Cells) -> Result<(), String> {
    let places = places(reading);
    let broken_off = usize::from(reading.read_only.is_some() && places.len() == rows.len() + 1);
    if places.len() != rows.len() + broken_off {
        let (ours, theirs) = (places.len(), rows.len());
        return Err(format!("{ours} rows are read where the other reader sees {theirs}"));
    }
    if !has_names_of_its_own(shape) {
        return Ok(());
    }
    let columns = columns(shape);
    for (place, row) in places.iter().zip(rows) {
        let Some(record) = place else { continue };
        for (field, columns) in &columns {
            let cell = |column: &usize| {
                let cell = row.get(*column).map_or(&[][..], Vec::as_slice);
                unguarded(&String::from_utf8_lossy(cell)).to_owned()
            };
            let filled = columns.iter().find(|column| !cell(column).trim().is_empty());
            let theirs = filled.or(columns.first()).map(cell).unwrap_or_default();
            let ours = &record.values[*field];
            let is_name = matches!(field, Field::FirstName | Field::LastName);
            let is_part = is_name && shape.full_name.is_some() && theirs.contains(ours.as_str());
            if *ours != theirs && !is_part && !is_within(ours, &theirs) {
                return Err(format!("the other reader sees another {field} in {}", record.label));
            }
        }
    }
    Ok(())
}

/// Whether a cell says more than the value that is read from it: a whole name, several
/// values, or an address or a number in another spelling.
fn is_within(value: &str, cell: &str) -> bool {
    let is_more = |by: &str| cell.contains(by);
    let spelled =
        ["@", ":::", "=\"", ".0", ";", ",", "|", " / ", "\n", "\r", " ", "\u{3000}", "・"];
    cell.replace("\"\"", "\"").contains(value) && spelled.into_iter().any(is_more)
        || cell.contains('@') && value.is_empty()
        || !cell.is_ascii() && cell.contains(value)
}

/// The filled rows from top to bottom; `None` for one that could not be read.
fn places(reading: &SourceReading) -> Vec<Option<&SourceRecord>> {
    let records = reading.records.iter().map(|record| (record.line, Some(record)));
    let below = reading.unreadable.iter().filter(|it| !it.reason.contains("above the header"));
    let unreadable = below.map(|unreadable| (unreadable.line, None));
    let mut places: Vec<_> = records.chain(unreadable).collect();
    places.sort_by_key(|(line, _)| *line);
    places.into_iter().map(|(_, place)| place).collect()
}

fn runs(text: &str) -> bool {
    let starts = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    text.trim_start_matches('\'').starts_with(starts)
}

fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| runs(rest)).unwrap_or(text)
}

/// Whether every record is what it was, or what its edit asked for.
fn stands(
    before: &SourceReading,
    edits: &[SourceEdit],
    outcomes: &[EditOutcome],
    after: &SourceReading,
) -> Result<(), String> {
    let mut expected: Vec<Option<(Values, Option<LinqId>)>> =
        before.records.iter().map(|r| Some((r.values.clone(), r.linq_id))).collect();
    for (edit, outcome) in edits.iter().zip(outcomes) {
        match (edit, outcome) {
            (SourceEdit::Update { at, changes, linq_id }, EditOutcome::Stands(_)) => {
                let record = expected[at.0 as usize].as_mut().ok_or("an edit of what is gone")?;
                let linq_id = linq_id.filter(|_| before.keeps_ids);
                *record = (record.0.with_changes(changes), linq_id.or(record.1));
            }
            (SourceEdit::Add { values, linq_id, .. }, EditOutcome::Stands(_)) => {
                let linq_id = before.keeps_ids.then_some(*linq_id);
                expected.push(Some((values.only_fields(before.mapped), linq_id)));
            }
            (SourceEdit::Remove { at }, EditOutcome::Removed) => expected[at.0 as usize] = None,
            (
                SourceEdit::Update { at, changes, linq_id },
                EditOutcome::StandsWithout(_, refused),
            ) => {
                let record = expected[at.0 as usize].as_mut().ok_or("an edit of what is gone")?;
                let linq_id = linq_id.filter(|_| before.keeps_ids);
                let is_done =
                    |change: &&FieldChange| refused.iter().all(|one| one.field != change.field);
                let done: Vec<FieldChange> = changes.iter().filter(is_done).cloned().collect();
                *record = (record.0.with_changes(&done), linq_id.or(record.1));
            }
            (SourceEdit::Add { values, linq_id, .. }, EditOutcome::StandsWithout(_, refused)) => {
                let linq_id = before.keeps_ids.then_some(*linq_id);
                let mut values = values.only_fields(before.mapped);
                for one in refused {
                    values[one.field].clear();
                }
                expected.push(Some((values, linq_id)));
            }
            (_, EditOutcome::Refused(_)) => {}
            _ => return Err("an edit has an outcome that is not its own".to_owned()),
        }
    }
    let found = after.records.iter().map(|r| (r.values.clone(), r.linq_id));
    if !found.eq(expected.into_iter().flatten()) {
        return Err("a record is not what it was, or not what was asked for".to_owned());
    }
    Ok(())
}

/// To the other reader, the cells that no edit names are what they were.
fn others_are_the_same(
    reading: &SourceReading,
    edits: &[SourceEdit],
    outcomes: &[EditOutcome],
    shape: &TableShape,
    before: Cells,
    now: &Cells,
) -> Result<(), String> {
    let places = places(reading);
    if places.len() != before.len() {
        return Err("the other reader sees other rows".to_owned());
    }
    let row_of = |at: RecordIndex| {
        places.iter().position(|place| place.is_some_and(|record| record.index == at))
    };
    let mut rows: Vec<Option<Vec<Vec<u8>>>> = before.into_iter().map(Some).collect();
    let mut may_differ = vec![Vec::new(); rows.len()];
    let ids = shape.header.iter().position(|name| name == "linq_id");
    let (mut added, columns) = (0, columns(shape));
    for (edit, outcome) in edits.iter().zip(outcomes) {
        match (edit, outcome) {
            (
                SourceEdit::Update { at, changes, .. },
                EditOutcome::Stands(_) | EditOutcome::StandsWithout(_, _),
            ) => {
                let named = changes.iter().flat_map(|change| columns[&change.field].clone());
                may_differ[row_of(*at).ok_or("no row")?] = named.chain(ids).collect();
            }
            (SourceEdit::Remove { at }, EditOutcome::Removed) => {
                rows[row_of(*at).ok_or("no row")?] = None;
            }
            (SourceEdit::Add { .. }, EditOutcome::Stands(_) | EditOutcome::StandsWithout(_, _)) => {
                added += 1;
            }
            _ => {}
        }
    }
    let left: Vec<_> =
        rows.into_iter().zip(may_differ).filter_map(|(r, d)| Some((r?, d))).collect();
    if now.len() != left.len() + added {
        return Err("the other reader sees rows too many or too few".to_owned());
    }
    for ((old, may_differ), new) in left.iter().zip(now) {
        let same = |column: &usize| old.get(*column) == new.get(*column);
        let grown = old.len() < new.len() && !may_differ.is_empty();
        let mut all = (0..old.len()).filter(|column| !may_differ.contains(column));
        if new.len() < old.len() || (old.len() < new.len() && !grown) || !all.all(|c| same(&c)) {
            return Err("the other reader sees a change in a cell that no edit names".to_owned());
        }
    }
    Ok(())
}
