//! What needs attention as a table for a spreadsheet, which may come back with decisions.
//!
//! Owns the names of the columns, and both ways between a table and text: written as RFC 4180
//! in UTF-8 with a byte order mark, by which spreadsheets know it; read as spreadsheets save
//! it, with any of the usual delimiters, in UTF-8, UTF-16 or a Western code page. A cell that a
//! spreadsheet would run gets one apostrophe, which is taken off again. Leaves what a decision
//! means to [`super::decision_of`].

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use serde_json::Value;

use crate::model::Field;
use crate::source::FormulaGuard;

use super::entry::AttentionEntry;

/// The columns, in order.
pub(crate) const COLUMNS: [&str; 18] = [
    "id",
    "state",
    "name",
    "place",
    "linq_id",
    "line",
    "email",
    "phone_number",
    "field",
    "source_value",
    "linq_value",
    "last_synced",
    "cell",
    "candidates",
    "reason",
    "choices",
    "decision",
    "value",
];

/// The delimiters with which tables are saved.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// A table with these columns and rows, as bytes.
pub(crate) fn write_table<'a, const N: usize>(
    columns: [&str; N],
    rows: impl Iterator<Item = [Cow<'a, str>; N]>,
) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec());
    // Writing into memory cannot fail, and all rows are of one length.
    let _ = writer.write_record(columns);
    for row in rows {
        let guarded = row.iter().map(|cell| guard_cell(cell));
        let _ = writer.write_record(guarded.map(|cell| cell.as_bytes().to_vec()));
    }
    writer.into_inner().unwrap_or_default()
}

/// `cell` such that no spreadsheet runs it. Phone numbers are guarded too: one that begins
/// with a plus sign would come back as a number.
pub(crate) fn guard_cell(cell: &str) -> Cow<'_, str> {
    FormulaGuard::On.guard_value(Field::Title, cell)
}

impl AttentionEntry {
    /// The cells of its row.
    pub(crate) fn table_row(&self) -> [Cow<'_, str>; 18] {
        [
            &*self.id,
            self.state.name(),
            &self.name,
            &self.place,
            &self.linq_id,
            &self.line,
            &self.email,
            &self.phone_number,
            &self.field,
            &self.source_value,
            &self.linq_value,
            &self.last_synced,
            &self.cell,
            &self.candidates,
            &self.reason,
            &self.choices,
            &self.decision,
            &self.value,
        ]
        .map(Cow::Borrowed)
    }
}

/// The row of a contact about which nothing is asked, from its JSON.
pub(crate) fn contact_row(state: &str, json: &Value, reason: &str) -> [Cow<'static, str>; 18] {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    };
    COLUMNS.map(|column| {
        Cow::Owned(match column {
            "state" => state.to_owned(),
            "place" => text(&json["source_key"]),
            "name" | "linq_id" | "line" => text(&json[column]),
            "email" | "phone_number" => text(&json["person"][column]),
            "reason" => reason.to_owned(),
            _ => String::new(),
        })
    })
}

/// A row of a table that came back.
pub(crate) struct DecisionRow {
    /// The line of the file on which it begins.
    pub(crate) line: u64,
    /// Which question it answers.
    pub(crate) id: String,
    /// The source's value that it shows, if it shows one.
    pub(crate) source_value: Option<String>,
    /// Linq's value that it shows, if it shows one.
    pub(crate) linq_value: Option<String>,
    /// What is decided.
    pub(crate) decision: String,
    /// The value that is decided on.
    pub(crate) value: String,
}

/// A table that came back.
pub(crate) struct DecisionTable {
    pub(crate) rows: Vec<DecisionRow>,
    /// Whether the encoding of the file is a guess.
    pub(crate) is_guessed: bool,
}

/// Reads a table that came back.
///
/// # Errors
/// Why these bytes are no such table.
pub(crate) fn read_table(bytes: &[u8]) -> Result<DecisionTable, String> {
    let (text, is_guessed) = decode_table(bytes)?;
    let (body, skipped) = without_separator(&text);
    for delimiter in DELIMITERS {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .from_reader(body.as_bytes());
        let Ok(header) = reader.headers().cloned() else { continue };
        let at = |name: &str| header.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
        let (Some(id), Some(decision)) = (at("id"), at("decision")) else { continue };
        let (value, source, linq) = (at("value"), at("source_value"), at("linq_value"));
        let mut rows = Vec::new();
        let mut lines = LineCounter::of_text(body);
        for record in reader.records() {
            let record = record.map_err(|error| format!("it cannot be read: {error}"))?;
            let at = record.position().map_or(0, csv::Position::byte);
            let line = lines.line_at(usize::try_from(at).unwrap_or(usize::MAX)) + skipped;
            let cell = |at: usize| record.get(at).unwrap_or_default();
            let plain = |at: usize| FormulaGuard::On.strip_guard(cell(at)).to_owned();
            rows.push(DecisionRow {
                line,
                id: cell(id).trim().to_owned(),
                source_value: source.map(plain),
                linq_value: linq.map(plain),
                decision: cell(decision).trim().to_owned(),
                value: value.map(plain).unwrap_or_default(),
            });
        }
        return Ok(DecisionTable { rows, is_guessed });
    }
    Err("it has no columns `id` and `decision`: it must be the table that `linqsync list --csv` \
         printed, saved as CSV"
        .to_owned())
}

/// Counts lines, where a record begins at the latter half of the line break before it.
struct LineCounter<'a> {
    rest: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> LineCounter<'a> {
    const fn of_text(text: &'a str) -> LineCounter<'a> {
        LineCounter { rest: text.as_bytes(), at: 0, line: 1 }
    }

    /// The line of what begins at this byte, or after the line breaks there. Asked in order.
    fn line_at(&mut self, byte: usize) -> u64 {
        while let Some((first, rest)) = self.rest.split_first() {
            let is_break = matches!(first, b'\n' | b'\r');
            if self.at >= byte && !is_break {
                break;
            }
            let is_half = *first == b'\r' && rest.first() == Some(&b'\n');
            self.line += u64::from(is_break && !is_half);
            (self.rest, self.at) = (rest, self.at + 1);
        }
        self.line
    }
}

/// The text of a file, and whether its encoding is a guess.
fn decode_table(bytes: &[u8]) -> Result<(String, bool), String> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err("it is a workbook: save it as CSV".to_owned());
    }
    let (encoding, bom) = Encoding::for_bom(bytes).unwrap_or((UTF_8, 0));
    let body = &bytes[bom..];
    match encoding.decode_without_bom_handling_and_without_replacement(body) {
        Some(text) => Ok((text.into_owned(), false)),
        None if bom == 0 => {
            Ok((WINDOWS_1252.decode_without_bom_handling(body).0.into_owned(), true))
        }
        None => Err(format!("it is not valid {}", encoding.name())),
    }
}

/// `text` after a line `sep=;`, which some spreadsheets write, and how many lines that was.
fn without_separator(text: &str) -> (&str, u64) {
    let is_separator =
        |line: &str| line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sep="));
    match text.split_once('\n') {
        Some((first, rest)) if is_separator(first) => (rest, 1),
        Some(_) | None => (text, 0),
    }
}

/// Whether a cell still shows `value`, after a spreadsheet has had it: which loses leading
/// zeros and plus signs, rounds long numbers and trims, and in a guessed encoding more.
pub(crate) fn still_shows(cell: &str, value: &str, is_guessed: bool) -> bool {
    let core = |text: &str| -> String {
        let kept = |c: &char| c.is_alphanumeric() && (!is_guessed || c.is_ascii());
        let text: String = text.chars().filter(kept).flat_map(char::to_lowercase).collect();
        text.trim_start_matches('0').to_owned()
    };
    let number = |text: &str| -> Option<f64> {
        let kept = |c: &char| !matches!(c, ' ' | '(' | ')' | '-' | '\u{a0}' | '\'');
        let text = text.replace(',', ".").to_uppercase();
        // A sign belongs to an exponent.
        let text = text.trim_start_matches('+').replace("E+", "E");
        text.chars().filter(kept).collect::<String>().parse().ok()
    };
    if cell == value || core(cell) == core(value) && !core(value).is_empty() {
        return true;
    }
    match (number(cell), number(value)) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-4 * b.abs(),
        (_, _) => cell.trim() == value.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, decision: &str, value: &str) -> [Cow<'static, str>; 18] {
        let mut row = [""; 18].map(|cell| Cow::Owned(cell.to_owned()));
        for (name, cell) in [("id", id), ("decision", decision), ("value", value)] {
            let at = COLUMNS.iter().position(|column| *column == name).unwrap();
            row[at] = Cow::Owned(cell.to_owned());
        }
        row
    }

    /// Line, id, decision and value of each row.
    fn told(bytes: &[u8]) -> Vec<(u64, String, String, String)> {
        let rows = read_table(bytes).unwrap().rows.into_iter();
        rows.map(|row| (row.line, row.id, row.decision, row.value)).collect()
    }

    fn expected() -> Vec<(u64, String, String, String)> {
        [(2, "q1", "value", "=1+1"), (3, "q2", "source", "Chief, \"É\"")]
            .map(|(line, id, decision, value)| (line, id.into(), decision.into(), value.into()))
            .into()
    }

    #[test]
    fn a_table_comes_back_in_every_form_in_which_spreadsheets_save_it() {
        let rows = [row("q1", "value", "=1+1"), row("q2", "source", "Chief, \"É\"")];
        let bytes = write_table(COLUMNS, rows.into_iter());
        assert_eq!(told(&bytes), expected());
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with('\u{feff}') && text.contains(",'=1+1\r\n"), "{text}");
        let text = text.trim_start_matches('\u{feff}').to_owned();
        assert_eq!(told(text.replace("\r\n", "\n").as_bytes()), expected());

        let mut semicolons = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
        let mut tabs = csv::WriterBuilder::new().delimiter(b'\t').from_writer(Vec::new());
        for record in
            csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes()).records()
        {
            let record = record.unwrap();
            semicolons.write_record(&record).unwrap();
            tabs.write_record(&record).unwrap();
        }
        let semicolons = String::from_utf8(semicolons.into_inner().unwrap()).unwrap();
        assert_eq!(told(semicolons.as_bytes()), expected());
        let announced: Vec<u64> =
            told(format!("sep=;\r\n{semicolons}").as_bytes()).iter().map(|row| row.0).collect();
        assert_eq!(announced, [3, 4]);
        let tabs = String::from_utf8(tabs.into_inner().unwrap()).unwrap();
        let utf16: Vec<u8> =
            format!("\u{feff}{tabs}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(told(&utf16), expected());
        let western = WINDOWS_1252.encode(&text).0.into_owned();
        assert_eq!(told(&western), expected());
        assert!(read_table(&western).unwrap().is_guessed);
    }

    #[test]
    fn what_is_no_such_table_is_refused() {
        for bytes in
            [&b""[..], b"First Name,Email\nAda,a@x.example\n", b"PK\x03\x04rest", b"\x00\xff"]
        {
            assert!(read_table(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_value_is_known_again_after_a_spreadsheet_had_it() {
        let same = [
            ("Chief", "Chief"),
            ("14155552671", "+1 (415) 555-2671"),
            ("1.41556E+10", "+14155552671"),
            ("612345678", "0612345678"),
            (" CTO ", "CTO"),
            ("", ""),
        ];
        for (cell, value) in same {
            assert!(still_shows(cell, value, false), "{cell} {value}");
        }
        for (cell, value) in [("CEO", "CTO"), ("", "CTO"), ("CTO", ""), ("15", "14"), ("-", "")] {
            assert!(!still_shows(cell, value, false), "{cell} {value}");
        }
        assert!(still_shows("J?r?me", "Jérôme", true) && !still_shows("J?r?me", "Jérôme", false));
    }
}
