//! The source: whether it can be read, what it carries, whether it can be written.

use std::path::Path;

use rustix::fs::{Access as Permission, access};

use crate::config::{Config, SourceKind};
use crate::model::{Direction, Field, Region, SelectedBy, Unreadable};
use crate::open;
use crate::run::RunError;
use crate::source::csv::TableShape;
use crate::source::{Source, SourceAccess, SourceReading};

use super::region::{Better, Numbers, count_numbers, country_name};
use super::{CheckFinding, Grade};

/// How many unreadable records are named.
const NAMED: usize = 3;

/// What is said of a file without a column for names, and what to do about it.
pub const NAMELESS: &str = "contacts from this file have no names in Linq: give it a column for the \
                            first and one for the last name, or one with whole names";

pub(super) fn check_source(config: &Config) -> Vec<CheckFinding> {
    let mut source = open::open_source(config, SourceAccess::ReadOnly);
    let reading = match source.read_records() {
        Ok(reading) => reading,
        Err(error) => {
            return vec![CheckFinding::error("source", RunError::from(error).to_reported_error())];
        }
    };
    let mut findings =
        vec![CheckFinding::ok("source", describe_source(config, &*source, &reading))];
    findings.extend(selection(&reading));
    findings.extend(check_columns(&*source));
    findings.extend(check_phones(
        &count_numbers(&*source, &reading, config.sync.region),
        config.sync.region,
    ));
    findings.extend(check_unreadable(&reading.unreadable));
    let notice = |notice: &String| CheckFinding::warning("source", notice.clone(), "");
    findings.extend(reading.notices.iter().map(notice));
    findings.push(check_writable(config, &reading));
    findings
}

fn describe_source(config: &Config, source: &dyn Source, reading: &SourceReading) -> String {
    let path = config.source.path.display();
    let records = reading.records.len();
    match (&config.source.kind, source.table_shape()) {
        (SourceKind::Csv(_), Some(TableShape { encoding, delimiter, .. })) => {
            let delimiter = delimiter_name(delimiter);
            format!("{path}: {encoding}, separated by {delimiter}; rows with contacts: {records}")
        }
        (SourceKind::Csv(_) | SourceKind::Vcard(_), _) => format!("{path}: contacts: {records}"),
    }
}

/// What the character between two cells is called.
pub fn delimiter_name(delimiter: u8) -> String {
    match delimiter {
        b',' => "commas".to_owned(),
        b';' => "semicolons".to_owned(),
        b'\t' => "tabs".to_owned(),
        b'|' => "bars".to_owned(),
        other => format!("`{}`", char::from(other)),
    }
}

/// How many rows or cards take part, where not all of them are to.
fn selection(reading: &SourceReading) -> Option<CheckFinding> {
    let SelectedBy { selection, .. } = reading.only.as_ref()?;
    let all = reading.records.len();
    let outside = reading.records.iter().filter(|record| record.is_outside).count();
    let message = format!("{} of {all} take part, {outside} do not: {selection}", all - outside);
    Some(if all > 0 && outside == all {
        let hint = "set source.only.values to what stands there, or leave [source.only] out";
        CheckFinding::warning("selection", message, hint)
    } else {
        CheckFinding::ok("selection", message)
    })
}

/// Which column is which field, and which fields have none.
fn check_columns(source: &dyn Source) -> Option<CheckFinding> {
    let shape = source.table_shape()?;
    let TableShape { columns, further, .. } = &shape;
    let or = |field| further.get(field).into_iter().flatten().map(|name| format!(" or `{name}`"));
    let whole = shape.full_name.as_ref().map(|column| {
        format!("full_name = `{column}` (taken apart into first_name and last_name)")
    });
    let is_whole =
        |field: &Field| whole.is_some() && matches!(field, Field::FirstName | Field::LastName);
    let each = columns.iter().filter(|(field, _)| !is_whole(field));
    let each = each
        .map(|(field, column)| format!("{field} = `{column}`{}", or(field).collect::<String>()));
    let mapped: Vec<String> = whole.clone().into_iter().chain(each).collect();
    let without: Vec<&str> = Field::ALL
        .into_iter()
        .filter(|field| *field != Field::Owner && !columns.contains_key(field))
        .map(Field::name)
        .collect();
    let without = match without.join(", ") {
        none if none.is_empty() => none,
        some => format!("; not in the file: {some}"),
    };
    let told = mapped.join(", ") + &without;
    Some(if shape.has_names() {
        CheckFinding::ok("columns", told)
    } else {
        CheckFinding::warning("columns", told, NAMELESS)
    })
}

/// In which country phone numbers are read, and how many are none there.
fn check_phones(numbers: &Numbers, region: Region) -> Option<CheckFinding> {
    let Numbers { total, unusable, example, better } = numbers;
    if *total == 0 {
        return None;
    }
    let country = country_name(region);
    let message = match example {
        None => format!("{total} of {total} valid in {country} (sync.region)"),
        Some(cell) => format!(
            "{unusable} of {total} not valid in {country} (sync.region = \"{region}\"), the \
             first in {cell}"
        ),
    };
    Some(match better {
        Some(Better { region, country, because, unusable, .. }) => {
            let hint = format!(
                "set sync.region = \"{region}\": for {country}, where {unusable} of {total} are not \
                 valid, there are {because}"
            );
            CheckFinding::warning("phones", message, &hint)
        }
        None if *unusable > 0 => {
            let hint = "correct them, or write them with their country code (+44 …); Linq may \
                        refuse them, and the other fields of the contact flow";
            CheckFinding::warning("phones", message, hint)
        }
        None => CheckFinding::ok("phones", message),
    })
}

fn check_unreadable(unreadable: &[Unreadable]) -> Option<CheckFinding> {
    if unreadable.is_empty() {
        return None;
    }
    let named: Vec<String> = unreadable
        .iter()
        .take(NAMED)
        .map(|record| format!("{} (line {}): {}", record.label, record.line, record.reason))
        .collect();
    let more = match unreadable.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let message = format!("cannot read {}{more}", named.join("; "));
    let hint = "correct them; until then nothing is deleted, and everything else flows";
    Some(CheckFinding::warning("source", message, hint))
}

/// Whether the source can be written, where it would have to be.
fn check_writable(config: &Config, reading: &SourceReading) -> CheckFinding {
    if config.sync.direction == Direction::Push && !reading.keeps_ids {
        let message = "only Linq is written (sync.direction)";
        return CheckFinding::new("writing", Grade::Skipped, message);
    }
    let hint = "put that right, or set sync.direction to \"push\"";
    if let Some(reason) = &reading.read_only {
        let message = format!("the source will not be written: {reason}");
        return CheckFinding::warning("writing", message, hint);
    }
    let file = config.source.path.canonicalize().unwrap_or_else(|_| config.source.path.clone());
    let dir = if file.is_dir() { file.as_path() } else { file.parent().unwrap_or(&file) };
    match first_unwritable(&file, dir) {
        Some(path) => {
            let message = format!("this user may not write {}", path.display());
            CheckFinding::warning("writing", message, hint)
        }
        None => CheckFinding::ok("writing", format!("{} can be written", dir.display())),
    }
}

/// The first of the two that this user may not write.
fn first_unwritable<'a>(file: &'a Path, dir: &'a Path) -> Option<&'a Path> {
    let permissions =
        [(file, Permission::WRITE_OK), (dir, Permission::WRITE_OK | Permission::EXEC_OK)];
    permissions
        .into_iter()
        .find(|(path, permission)| access(*path, *permission).is_err())
        .map(|found| found.0)
}
