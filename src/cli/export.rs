//! `export`: Linq's contacts as the state knows them, as CSV, vCards or JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::config::Config;
use crate::model::{Field, LinqContact, Values};
use crate::open;
use crate::report::ReportedError;
use crate::source::FormulaGuard;
use crate::source::vcard::uid_of;

use super::args::{ExportArgs, ExportFormat, Output};
use super::text::counted;
use super::{complain, failed_command, file, print_bytes, say};

/// Prints or saves the mirror. Returns the exit code.
pub(super) fn export(output: Output, config: &Config, args: &ExportArgs) -> anyhow::Result<u8> {
    let contacts = open::scratch(config).and_then(|state| Ok(state.contacts()?));
    let contacts: Vec<LinqContact> = match contacts {
        Ok(contacts) => contacts.into_values().collect(),
        Err(error) => return refuse(output, &error.reported()),
    };
    let asked = if output.json { ExportFormat::Json } else { ExportFormat::Csv };
    let text = match args.format.unwrap_or(asked) {
        ExportFormat::Csv => csv(&contacts),
        ExportFormat::Vcard => contacts.iter().map(vcard).collect(),
        ExportFormat::Json => serde_json::to_string_pretty(&document(&contacts))? + "\n",
    };
    let Some(path) = &args.out else {
        print_bytes(text.as_bytes())?;
        return Ok(0);
    };
    if let Err(error) = file::save_private(path, text.as_bytes()) {
        let message = format!("cannot write {}: {error}", path.display());
        let hint = "check that the directory is there and may be written".to_owned();
        return refuse(output, &ReportedError { code: 2, message, hint });
    }
    let count = counted(contacts.len(), "contact", "contacts");
    say(&format!("{count} in {}, which nobody else can read", path.display()));
    Ok(0)
}

fn refuse(output: Output, error: &ReportedError) -> anyhow::Result<u8> {
    complain(error);
    failed_command(output, error)?;
    Ok(error.code)
}

/// The names of Linq's own fields, the id first.
fn csv(contacts: &[LinqContact]) -> String {
    let names = Field::ALL.map(Field::name);
    let mut text = format!("id,{}\r\n", names.join(","));
    for contact in contacts {
        let cell = |field: Field| quoted(&FormulaGuard::On.guarded(field, &contact.values[field]));
        let cells = Field::ALL.map(cell);
        let _ = write!(text, "{},{}\r\n", contact.id, cells.join(","));
    }
    text
}

/// A cell by RFC 4180, section 2.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

fn document(contacts: &[LinqContact]) -> Value {
    let contact = |contact: &LinqContact| {
        let mut json = json!({ "id": contact.id });
        for field in Field::ALL {
            json[field.name()] = json!(contact.values[field]);
        }
        json
    };
    let contacts: Vec<Value> = contacts.iter().map(contact).collect();
    json!({ "schema": "linqsync.export/1", "contacts": contacts, "error": null })
}

/// A contact as a vCard 3.0 (RFC 2426).
fn vcard(contact: &LinqContact) -> String {
    let values: &Values = &contact.values;
    let text = |field: Field| escaped(&values[field]);
    let mut lines = vec![
        "BEGIN:VCARD".to_owned(),
        "VERSION:3.0".to_owned(),
        format!("UID:{}", uid_of(contact.id)),
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
    use crate::model::LinqId;

    fn contact(fields: &[(Field, &str)]) -> LinqContact {
        let values = fields.iter().map(|(field, text)| (*field, (*text).to_owned())).collect();
        LinqContact { id: LinqId(7), values, created_at: None, updated_at: None }
    }

    #[test]
    fn csv_is_read_back_by_an_independent_reader_and_runs_no_formula() {
        let hostile = contact(&[
            (Field::FirstName, "A \"q\", b\r\nc"),
            (Field::PhoneNumber, "+14155552671"),
            (Field::Title, "=1+1"),
        ]);
        let text = csv(&[hostile]);
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
        let card = vcard(&hostile);
        assert!(card.contains("\r\nN:a\\;b\\,c\\\\d;x\\nTEL:+666;;;\r\n"), "{card}");
        assert!(card.split("\r\n").all(|line| line.len() <= 75));
        let unfolded = card.replace("\r\n ", "");
        assert_eq!(unfolded.lines().filter(|line| line.starts_with("TEL")).count(), 0);
        assert!(unfolded.contains(&format!("TITLE:{}\r\n", "é".repeat(100))));
    }
}
