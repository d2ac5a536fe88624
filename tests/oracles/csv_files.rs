//! Looks at every file below a directory as a CSV file: whether it is read as another
//! reader reads it, is written to the same bytes, and whether edits change the cells that
//! they name alone.
//!
//! ```text
//! cargo run --example csv_files -- DIRECTORY [MUTATIONS]
//! ```
//!
//! With a number, each file is damaged so many times at random, and what is left of it
//! must obey the same laws. It writes nothing. It ends with 1 if anything is wrong.

#![allow(clippy::print_stdout, reason = "it reports to people")]
#![allow(clippy::unwrap_used, reason = "a surprise ends it")]

use std::path::{Path, PathBuf};

use linqsync::model::{Field, FieldChange};
use linqsync::source::SourceEdit;
use linqsync::source::csv::{CsvOptions, TableVersion};

#[allow(dead_code, reason = "some of it is for the fuzz targets")]
mod csv_laws;

/// How many records of each file are edited, each by itself.
const EDITED: usize = 40;

#[derive(Default)]
struct TableTally {
    files: usize,
    sources: usize,
    records: usize,
    unreadable: usize,
    read_only: usize,
    edits: usize,
    mutated: usize,
    wrong: usize,
}

fn main() -> std::process::ExitCode {
    let Some(root) = std::env::args_os().nth(1) else {
        println!("usage: csv_files DIRECTORY [MUTATIONS]");
        return 2.into();
    };
    let mutations = std::env::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut files = Vec::new();
    collect(Path::new(&root), &mut files);
    let mut tally = TableTally::default();
    for file in &files {
        let Ok(raw) = std::fs::read(file) else { continue };
        tally.files += 1;
        let options = options(&raw);
        look(file, &raw, &options, &mut tally);
        mutate(file, &raw, &options, mutations, &mut tally);
    }
    let TableTally { files, sources, records, unreadable, read_only, edits, mutated, wrong } =
        tally;
    println!(
        "{files} files, {sources} of them tables: {records} records, {unreadable} unreadable rows, \
         {read_only} read-only files, {edits} edits, {mutated} damaged files, {wrong} wrong"
    );
    u8::from(wrong > 0 || files == 0).into()
}

fn collect(path: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(path) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, into);
        } else {
            into.push(path);
        }
    }
    into.sort();
}

/// What is recognised, or else the first column as that of a last name: any will do.
fn options(raw: &[u8]) -> CsvOptions {
    let mut options = CsvOptions::new("contacts.csv");
    if TableVersion::parse(raw.to_vec(), &options).is_err() {
        let encoding = encoding_rs::Encoding::for_bom(raw);
        let text = encoding.unwrap_or((encoding_rs::WINDOWS_1252, 0)).0.decode(raw).0.into_owned();
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).flexible(true);
        let mut rows = reader.from_reader(text.as_bytes()).into_byte_records();
        let first = rows.next().and_then(Result::ok);
        let name = first.as_ref().and_then(|row| row.get(0)).unwrap_or_default();
        let name = String::from_utf8_lossy(name).trim().to_owned();
        options.columns.insert(Field::LastName, vec![name]);
    }
    options
}

fn look(file: &Path, raw: &[u8], options: &CsvOptions, tally: &mut TableTally) {
    let mut told = |law: Result<(), String>| {
        if let Err(problem) = law {
            println!("{}: {problem}", file.display());
            tally.wrong += 1;
        }
    };
    told(csv_laws::reading(raw, options));
    let Ok((table, reading)) = TableVersion::parse(raw.to_vec(), options) else { return };
    let shape = table.table_shape();
    for record in reading.records.iter().take(EDITED) {
        for field in reading.mapped.iter() {
            let from = record.values[field].clone();
            let to = "Zed \"Z\", Z; \r\nX".to_owned();
            let changes = vec![FieldChange { field, from, to: to.into() }];
            let edit = SourceEdit::Update { at: record.index, changes, linq_id: None };
            told(csv_laws::edits(raw, options, &[edit]));
            tally.edits += 1;
        }
        told(csv_laws::edits(raw, options, &[SourceEdit::Remove { at: record.index }]));
        tally.edits += 1;
    }
    tally.sources += 1;
    tally.records += reading.records.len();
    tally.unreadable += reading.unreadable.len();
    tally.read_only += usize::from(reading.read_only.is_some());
    println!(
        "{}: {}, {:?}, {} records, {} unreadable{}",
        file.display(),
        shape.encoding,
        char::from(shape.delimiter),
        reading.records.len(),
        reading.unreadable.len(),
        reading.read_only.map(|reason| format!(", read-only: {reason}")).unwrap_or_default()
    );
}

/// Damages a file of moderate size at random, the same way each time.
fn mutate(file: &Path, raw: &[u8], options: &CsvOptions, mutations: usize, tally: &mut TableTally) {
    if raw.len() > 20_000 {
        return;
    }
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..mutations {
        let damaged = damage(raw, &mut random);
        let chosen: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(15).collect();
        let wishes = csv_laws::wishes(&damaged, options, &chosen);
        let laws =
            [csv_laws::reading(&damaged, options), csv_laws::edits(&damaged, options, &wishes)];
        tally.mutated += 1;
        for problem in laws.into_iter().filter_map(Result::err) {
            println!("{}: damaged: {problem}: {}", file.display(), damaged.escape_ascii());
            tally.wrong += 1;
        }
    }
}

/// Damages a file at random in a few places, mostly with bytes that mean something.
fn damage(raw: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut damaged = raw.to_vec();
    for _ in 0..random.usize(1..8) {
        let at = random.usize(..=damaged.len());
        let byte = *random.choice(b"\r\n\t ,;|\"\"'=+\xe9\xc3\xff\0a1").unwrap_or(&b' ');
        match random.u8(..8) {
            0..3 => damaged.insert(at, byte),
            3..5 if at < damaged.len() => damaged[at] = byte,
            5 if at < damaged.len() => damaged[at] = random.u8(..),
            6 => damaged.truncate(at),
            _ if at < damaged.len() => drop(damaged.remove(at)),
            _ => {}
        }
    }
    damaged
}
