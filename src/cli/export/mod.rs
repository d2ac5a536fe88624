//! `export`: Linq's contacts as the state knows them, now or at an earlier time, as CSV, vCards
//! or JSON.

mod at;

use std::cell::Cell;
use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::Config;
use crate::mirror::{State, StateError};
use crate::model::{Field, LinqId, Needles, Timestamp, Values};
use crate::open::{self, OpenError};
use crate::report::ReportedError;
use crate::source::FormulaGuard;
use crate::source::vcard::uid_of;

use super::args::{ExportArgs, ExportFormat, OutputArgs};
use super::moment::{DayEnd, parse_moment};
use super::rows::JsonArray;
use super::text::count_noun;
use super::{failed_command, file, ignore_closed_pipe, report_error, say_on_stderr, system_now};

/// Prints or saves the mirror. Returns the exit code.
pub(super) fn export(output: OutputArgs, config: &Config, args: &ExportArgs) -> anyhow::Result<u8> {
    if output.json && args.format.is_some_and(|format| format != ExportFormat::Json) {
        let message = "--json and another --format exclude one another".to_owned();
        let hint = "take one of them; --json is --format json".to_owned();
        return report_refusal(output, &ReportedError { code: 2, message, hint });
    }
    let state = match open::open_state_reading(config) {
        Ok(state) => state,
        Err(error) => return report_refusal(output, &error.to_reported_error()),
    };
    let past = match past_contacts(&state, config, args) {
        Ok(past) => past,
        Err(error) => return report_refusal(output, &error),
    };
    let contacts = ExportedContacts { state: &state, past };
    let asked = if output.json { ExportFormat::Json } else { ExportFormat::Csv };
    let format = args.format.unwrap_or(asked);
    let Some(path) = &args.out else {
        let mut out = BufWriter::new(io::stdout().lock());
        return match write_contacts(&contacts, format, &mut out) {
            Ok(_) => ignore_closed_pipe(out.flush()).map(|()| 0),
            Err(ExportFailure::Unwritten(error)) => ignore_closed_pipe(Err(error)).map(|()| 0),
            Err(ExportFailure::State(error)) => {
                // What is printed already is no document in which an error has a place.
                let error = OpenError::from(error).to_reported_error();
                report_error(&error);
                Ok(error.code)
            }
        };
    };
    let mut text = Vec::new();
    let saved = write_contacts(&contacts, format, &mut text)
        .and_then(|count| Ok(file::save_private(path, &text).map(|()| count)?));
    let error = match saved {
        Ok(count) => {
            let count = count_noun(count, "contact", "contacts");
            say_on_stderr(&format!("{count} in {}, readable by you alone", path.display()));
            return Ok(0);
        }
        Err(ExportFailure::State(error)) => OpenError::from(error).to_reported_error(),
        Err(ExportFailure::Unwritten(error)) => ReportedError {
            code: 2,
            message: format!("cannot write {}: {error}", path.display()),
            hint: "check that the directory is there and may be written".to_owned(),
        },
    };
    report_refusal(output, &error)
}

/// The contacts of the time that is asked for, if it is an earlier one.
fn past_contacts(
    state: &State,
    config: &Config,
    args: &ExportArgs,
) -> Result<Option<(Timestamp, at::PastContacts)>, ReportedError> {
    let Some(text) = &args.at else { return Ok(None) };
    let now = system_now();
    let at = parse_moment(text, now, DayEnd::Last).map_err(|message| {
        let hint = "`linqsync history` shows when runs were made".to_owned();
        ReportedError { code: 2, message, hint }
    })?;
    Ok(Some((at, at::contacts_at(state, config, at, now)?)))
}

/// The contacts that leave.
struct ExportedContacts<'a> {
    state: &'a State,
    /// Those of an earlier time.
    past: Option<(Timestamp, at::PastContacts)>,
}

impl ExportedContacts<'_> {
    /// Hands on each of them, in the order of their ids.
    fn for_each_contact<E: From<StateError>>(
        &self,
        mut each: impl FnMut(LinqId, &Values) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.past {
            Some((_, contacts)) => contacts.iter().try_for_each(|(id, values)| each(*id, values)),
            None => self.state.each_contact(&Needles::default(), |id, values| each(id, &values)),
        }
    }
}

/// Why not all contacts were written.
enum ExportFailure {
    State(StateError),
    Unwritten(io::Error),
}

impl From<StateError> for ExportFailure {
    fn from(error: StateError) -> ExportFailure {
        ExportFailure::State(error)
    }
}

impl From<io::Error> for ExportFailure {
    fn from(error: io::Error) -> ExportFailure {
        ExportFailure::Unwritten(error)
    }
}

/// Writes the contacts one by one. Returns how many there are.
fn write_contacts(
    contacts: &ExportedContacts<'_>,
    format: ExportFormat,
    out: &mut dyn Write,
) -> Result<usize, ExportFailure> {
    let mut count = 0;
    match format {
        ExportFormat::Csv => {
            out.write_all(csv_header().as_bytes())?;
            contacts.for_each_contact(|id, values| {
                count += 1;
                Ok::<(), ExportFailure>(out.write_all(csv_line(id, values).as_bytes())?)
            })?;
        }
        ExportFormat::Vcard => contacts.for_each_contact(|id, values| {
            count += 1;
            Ok::<(), ExportFailure>(out.write_all(vcard(id, values).as_bytes())?)
        })?,
        ExportFormat::Json => {
            let listed = Cell::new(0);
            let rows = JsonArray::new(|each| {
                contacts.for_each_contact(|id, values| {
                    listed.set(listed.get() + 1);
                    each(contact_document(id, values))
                })
            });
            let at = contacts.past.as_ref().map(|past| past.0);
            let all =
                ExportDocument { schema: "linqsync.export/1", at, contacts: &rows, error: None };
            let result = crate::report::write_json(&mut *out, &all);
            if let Some(error) = rows.state_failure() {
                return Err(error.into());
            }
            result?;
            out.write_all(b"\n")?;
            count = listed.get();
        }
    }
    Ok(count)
}

#[derive(Serialize)]
struct ExportDocument<'a, T> {
    schema: &'static str,
    at: Option<Timestamp>,
    contacts: &'a T,
    error: Option<()>,
}

fn report_refusal(output: OutputArgs, error: &ReportedError) -> anyhow::Result<u8> {
    report_error(error);
    failed_command(output, error)?;
    Ok(error.code)
}

/// The names of Linq's own fields, the id first.
fn csv_header() -> String {
    format!("id,{}\r\n", Field::ALL.map(Field::name).join(","))
}

/// A contact as a line of a table.
fn csv_line(id: LinqId, values: &Values) -> String {
    let cell = |field: Field| quote_cell(&FormulaGuard::On.guard_value(field, &values[field]));
    format!("{id},{}\r\n", Field::ALL.map(cell).join(","))
}

/// A cell by RFC 4180, section 2.
fn quote_cell(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

fn contact_document(id: LinqId, values: &Values) -> Value {
    let mut json = json!({ "id": id });
    for field in Field::ALL {
        json[field.name()] = json!(values[field]);
    }
    json
}

/// A contact as a vCard 3.0 (RFC 2426).
fn vcard(id: LinqId, values: &Values) -> String {
    let text = |field: Field| escaped(&values[field]);
    let mut lines = vec![
        "BEGIN:VCARD".to_owned(),
        "VERSION:3.0".to_owned(),
        format!("UID:{}", uid_of(id)),
        format!("FN:{}", escaped(&values.display_name())),
        format!("N:{};{};;;", text(Field::LastName), text(Field::FirstName)),
    ];
    for (field, property, end) in [
        (Field::Email, "EMAIL;TYPE=INTERNET:", ""),
        (Field::PhoneNumber, "TEL:", ""),
        (Field::Company, "ORG:", ""),
        (Field::Title, "TITLE:", ""),
        (Field::Location, "ADR;TYPE=WORK:;;;", ";;;"),
    ] {
        if !values[field].trim().is_empty() {
            lines.push(format!("{property}{}{end}", text(field)));
        }
    }
    lines.push("END:VCARD".to_owned());
    lines.iter().map(|line| folded(line)).collect()
}

/// A text value (RFC 2426, section 5): no character ends it early.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' | '\r' => escaped += "\\n",
            c => escaped.push(c),
        }
    }
    escaped
}

/// A content line of at most 75 octets, continued after a blank (RFC 2425, 5.8.1).
fn folded(line: &str) -> String {
    let (mut text, mut octets) = (String::new(), 0);
    for c in line.chars() {
        if octets + c.len_utf8() > 75 {
            text += "\r\n ";
            octets = 1;
        }
        octets += c.len_utf8();
        text.push(c);
    }
    text + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: LinqId = LinqId(7);

    fn contact(fields: &[(Field, &str)]) -> Values {
        fields.iter().map(|(field, text)| (*field, (*text).to_owned())).collect()
    }

    #[test]
    fn csv_is_read_back_by_an_independent_reader_and_runs_no_formula() {
        let hostile = contact(&[
            (Field::FirstName, "A \"q\", b\r\nc"),
            (Field::PhoneNumber, "+14155552671"),
            (Field::Title, "=1+1"),
        ]);
        let text = csv_header() + &csv_line(ID, &hostile);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(&reader.headers().unwrap()[0], "id");
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!((&row[0], &row[1]), ("7", "A \"q\", b\r\nc"));
        assert_eq!((&row[4], &row[6]), ("+14155552671", "'=1+1"));
    }

    #[test]
    fn a_card_has_no_line_that_a_value_made_and_none_that_is_too_long() {
        let hostile = contact(&[
            (Field::FirstName, "x\r\nTEL:+666"),
            (Field::LastName, "a;b,c\\d"),
            (Field::Title, &"é".repeat(100)),
        ]);
        let card = vcard(ID, &hostile);
        assert!(card.contains("\r\nN:a\\;b\\,c\\\\d;x\\nTEL:+666;;;\r\n"), "{card}");
        assert!(card.split("\r\n").all(|line| line.len() <= 75));
        let unfolded = card.replace("\r\n ", "");
        assert_eq!(unfolded.lines().filter(|line| line.starts_with("TEL")).count(), 0);
        assert!(unfolded.contains(&format!("TITLE:{}\r\n", "é".repeat(100))));
    }
}
