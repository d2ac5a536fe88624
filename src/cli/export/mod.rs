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

use super::args::{ExportArgs, ExportFormat, Output};
use super::moment::{End, moment};
use super::rows::Rows;
use super::text::counted;
use super::{complain, failed_command, file, now, say, written};

/// Prints or saves the mirror. Returns the exit code.
pub(super) fn export(output: Output, config: &Config, args: &ExportArgs) -> anyhow::Result<u8> {
    if output.json && args.format.is_some_and(|format| format != ExportFormat::Json) {
        let message = "--json and another --format exclude one another".to_owned();
        let hint = "take one of them; --json is --format json".to_owned();
        return refuse(output, &ReportedError { code: 2, message, hint });
    }
    let state = match open::reading(config) {
        Ok(state) => state,
        Err(error) => return refuse(output, &error.reported()),
    };
    let past = match past(&state, config, args) {
        Ok(past) => past,
        Err(error) => return refuse(output, &error),
    };
    let contacts = Contacts { state: &state, past };
    let asked = if output.json { ExportFormat::Json } else { ExportFormat::Csv };
    let format = args.format.unwrap_or(asked);
    let Some(path) = &args.out else {
        let mut out = BufWriter::new(io::stdout().lock());
        return match write_contacts(&contacts, format, &mut out) {
            Ok(_) => written(out.flush()).map(|()| 0),
            Err(Failure::Unwritten(error)) => written(Err(error)).map(|()| 0),
            Err(Failure::State(error)) => {
                // What is printed already is no document in which an error has a place.
                let error = OpenError::from(error).reported();
                complain(&error);
                Ok(error.code)
            }
        };
    };
    let mut text = Vec::new();
    let saved = write_contacts(&contacts, format, &mut text)
        .and_then(|count| Ok(file::save_private(path, &text).map(|()| count)?));
    let error = match saved {
        Ok(count) => {
            let count = counted(count, "contact", "contacts");
            say(&format!("{count} in {}, which nobody else can read", path.display()));
            return Ok(0);
        }
        Err(Failure::State(error)) => OpenError::from(error).reported(),
        Err(Failure::Unwritten(error)) => ReportedError {
            code: 2,
            message: format!("cannot write {}: {error}", path.display()),
            hint: "check that the directory is there and may be written".to_owned(),
        },
    };
    refuse(output, &error)
}

/// The contacts of the time that is asked for, if it is an earlier one.
fn past(
    state: &State,
    config: &Config,
    args: &ExportArgs,
) -> Result<Option<(Timestamp, at::Contacts)>, ReportedError> {
    let Some(text) = &args.at else { return Ok(None) };
    let now = now();
    let at = moment(text, now, End::Last).map_err(|message| {
        let hint = "`linqsync history` shows when runs were made".to_owned();
        ReportedError { code: 2, message, hint }
    })?;
    Ok(Some((at, at::contacts_at(state, config, at, now)?)))
}

/// The contacts that leave.
struct Contacts<'a> {
    state: &'a State,
    /// Those of an earlier time.
    past: Option<(Timestamp, at::Contacts)>,
}

impl Contacts<'_> {
    /// Hands on each of them, in the order of their ids.
    fn each<E: From<StateError>>(
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
enum Failure {
    State(StateError),
    Unwritten(io::Error),
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Failure {
        Failure::State(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Unwritten(error)
    }
}

/// Writes the contacts one by one. Returns how many there are.
fn write_contacts(
    contacts: &Contacts<'_>,
    format: ExportFormat,
    out: &mut dyn Write,
) -> Result<usize, Failure> {
    let mut count = 0;
    match format {
        ExportFormat::Csv => {
            out.write_all(head().as_bytes())?;
            contacts.each(|id, values| {
                count += 1;
                Ok::<(), Failure>(out.write_all(line(id, values).as_bytes())?)
            })?;
        }
        ExportFormat::Vcard => contacts.each(|id, values| {
            count += 1;
            Ok::<(), Failure>(out.write_all(vcard(id, values).as_bytes())?)
        })?,
        ExportFormat::Json => {
            let listed = Cell::new(0);
            let rows = Rows::new(|each| {
                contacts.each(|id, values| {
                    listed.set(listed.get() + 1);
                    each(document(id, values))
                })
            });
            let at = contacts.past.as_ref().map(|past| past.0);
            let all = Document { schema: "linqsync.export/1", at, contacts: &rows, error: None };
            let result = crate::report::write_json(&mut *out, &all);
            if let Some(error) = rows.failure() {
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
struct Document<'a, T> {
    schema: &'static str,
    at: Option<Timestamp>,
    contacts: &'a T,
    error: Option<()>,
}

fn refuse(output: Output, error: &ReportedError) -> anyhow::Result<u8> {
    complain(error);
    failed_command(output, error)?;
    Ok(error.code)
}

/// The names of Linq's own fields, the id first.
fn head() -> String {
    format!("id,{}\r\n", Field::ALL.map(Field::name).join(","))
}

/// A contact as a line of a table.
fn line(id: LinqId, values: &Values) -> String {
    let cell = |field: Field| quoted(&FormulaGuard::On.guarded(field, &values[field]));
    format!("{id},{}\r\n", Field::ALL.map(cell).join(","))
}

/// A cell by RFC 4180, section 2.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

fn document(id: LinqId, values: &Values) -> Value {
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
        let text = head() + &line(ID, &hostile);
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
