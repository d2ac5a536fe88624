//! How long a CSV file takes: reading it, reading it again, writing it with nothing to
//! change, and with a thousand rows changed.
//!
//! ```text
//! cargo bench --bench csv               # 100,000 rows
//! cargo bench --bench csv -- 1000
//! ```

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it reports to people")]
#![allow(clippy::disallowed_methods, reason = "it prepares files and measures time")]

use std::fmt::Write;
use std::time::Instant;

use linqsync::model::{Field, FieldChange, SourceRecord};
use linqsync::source::csv::{CsvOptions, CsvSource};
use linqsync::source::{Source, SourceEdit};

/// How many rows are changed.
const CHANGED: usize = 1000;

fn main() {
    let asked: Vec<usize> = std::env::args().filter_map(|size| size.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![100_000] } else { asked };
    for size in sizes {
        measure(size);
    }
}

fn measure(size: usize) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("contacts.csv");
    let table = table(size);
    std::fs::write(&path, &table).unwrap();
    println!("{size} rows, {} bytes", table.len());
    let mut source = CsvSource::new(CsvOptions::new(&path));
    let reading = timed("first reading", || source.read_records().unwrap());
    assert_eq!(reading.records.len(), size);
    timed("reading again", || source.read_records().unwrap());
    let written = timed("nothing to change", || source.write_edits(&[]).unwrap());
    assert_eq!(written.reading.records.len(), size);
    let step = size.div_ceil(CHANGED).max(1);
    let edits: Vec<SourceEdit> = reading.records.iter().step_by(step).map(edit).collect();
    let what = format!("{} rows changed", edits.len());
    let written = timed(&what, || source.write_edits(&edits).unwrap());
    assert_eq!(written.reading.records.len(), size);
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("  {what}: {:?}", start.elapsed());
    result
}

fn edit(record: &SourceRecord) -> SourceEdit {
    let from = record.values[Field::Title].clone();
    let change = FieldChange { field: Field::Title, from, to: "Chief, of \"all\"".into() };
    SourceEdit::Update { at: record.index, changes: vec![change], linq_id: None }
}

fn table(rows: usize) -> String {
    let mut text = "First Name,Last Name,Email,Phone,Company,Title,Notes\r\n".to_owned();
    for n in 0..rows {
        write!(
            text,
            "First{n},\"Last {n}\",person{n}@people.example,+1415{:07},\"Company, {n}\",Title {n},\
             \"two\r\nlines of \"\"notes\"\"\"\r\n",
            n % 10_000_000
        )
        .unwrap();
    }
    text
}
