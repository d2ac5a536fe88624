//! Which row is the header.
//!
//! Owns the choice among the rows at the top of a file: a header has names that say
//! something (those of the configuration above all), among them one by which a person is
//! identified, and below it stands what the names promise. A row with an e-mail address or a
//! phone number in a cell is no header, and neither is a label such as `Company,Acme Ltd`
//! above one. A table that was sorted together with its header has it anywhere: then all
//! rows are looked at. Leaves what the names mean to [`super::find_header`].

use std::collections::BTreeSet;

use super::dialect::header_name as text_of;
use super::header::NameColumn;
use super::looks::{is_email, is_phone};
use super::scan::{ScannedCell, Scanner};
use crate::model::Field;

/// How many filled rows are looked at to find the header.
const ROWS: usize = 20;

/// How many filled rows below a candidate are looked at.
const BELOW: usize = 20;

/// A row that may be the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeaderCandidate {
    /// Where it begins.
    pub(super) start: usize,
    /// Whether it is a row of a contact.
    pub(super) is_contact: bool,
    /// How many of its cells are named in the configuration.
    configured: usize,
    /// How many of its cells say something.
    known: usize,
    /// How many fields its cells name.
    fields: usize,
    /// Whether one of them identifies a person.
    identifies: bool,
    cells: usize,
    filled: usize,
    /// Whether no filled cell is there twice.
    is_distinct: bool,
    /// How many of its columns for addresses and numbers have these below them, and how
    /// many have something else.
    kept: usize,
    broken: usize,
}

impl HeaderCandidate {
    /// What makes one delimiter better than another.
    pub(super) fn candidate_worth(&self) -> (usize, bool, usize, usize) {
        (self.configured, self.identifies, self.known, self.cells)
    }

    /// Whether it is rather the header than `best`, which stands above it.
    fn takes_over(&self, best: &HeaderCandidate) -> bool {
        if self.is_contact || self.known == 0 {
            return false;
        }
        if best.is_contact || self.configured != best.configured {
            return best.is_contact || self.configured > best.configured;
        }
        let is_title = best.cells == 1 && self.known > 1;
        match (best.identifies, self.identifies) {
            (true, false) => false,
            (false, true) => {
                let is_weak = self.known == 1 && best.is_like_header(self);
                self.kept > 0
                    || self.known > best.known && !is_weak
                    || self.known == best.known && self.filled > best.filled
            }
            (true, true) => is_title || self.known.saturating_sub(self.broken) > 2 * best.known,
            (false, false) => best.known == 0 && !best.is_like_header(self) || is_title,
        }
    }

    /// Whether it may be a header of names that nobody knows, rather than a title.
    fn is_like_header(&self, other: &HeaderCandidate) -> bool {
        self.filled > 1 && self.is_distinct && self.filled >= other.filled
    }

    /// Whether it is one for certain, wherever it stands.
    fn is_certain(&self) -> bool {
        !self.is_contact
            && self.identifies
            && (self.configured > 0
                || self.fields > 1 && (self.fields > 2 || self.known * 2 >= self.filled))
    }
}

/// A filled row by the texts of its cells.
struct FilledRow {
    start: usize,
    cells: Vec<String>,
}

/// The row that is the header. Where no row has a name that says something, it is the first
/// one that is not blank.
pub(super) fn find_header(
    body: &[u8],
    start: usize,
    delimiter: u8,
    name: impl Fn(&str) -> NameColumn,
) -> HeaderCandidate {
    let mut rows =
        FilledRows { body, scanner: Scanner::new(body, delimiter, start, 1), cells: Vec::new() };
    let first: Vec<FilledRow> = rows.by_ref().take(ROWS + BELOW).collect();
    let candidates = (0..first.len().min(ROWS)).map(|at| header_candidate(&first, at, &name));
    let best = candidates.reduce(|best, row| if row.takes_over(&best) { row } else { best });
    let Some(best) = best else { return header_candidate(&[], 0, &name).moved_to(body.len()) };
    if best.identifies && !best.is_contact && (best.known > 1 || best.configured > 0) {
        return best;
    }
    let beyond = first.into_iter().skip(ROWS).chain(rows);
    let mut beyond = beyond.map(|row| header_candidate(&[row], 0, &name));
    beyond.find(|row| row.is_certain() && row.takes_over(&best)).unwrap_or(best)
}

/// The filled rows from some place on.
struct FilledRows<'a> {
    body: &'a [u8],
    scanner: Scanner<'a>,
    cells: Vec<ScannedCell>,
}

impl Iterator for FilledRows<'_> {
    type Item = FilledRow;

    fn next(&mut self) -> Option<FilledRow> {
        loop {
            let row = self.scanner.next_row(&mut self.cells)?;
            if !self.cells.iter().all(|cell| cell.is_blank(self.body)) {
                let cells = self.cells.iter().map(|cell| text_of(*cell, self.body)).collect();
                return Some(FilledRow { start: row.start, cells });
            }
        }
    }
}

/// What the row `at` of `rows` is worth as a header.
fn header_candidate(
    rows: &[FilledRow],
    at: usize,
    name: impl Fn(&str) -> NameColumn,
) -> HeaderCandidate {
    let empty = FilledRow { start: 0, cells: Vec::new() };
    let FilledRow { start, cells } = rows.get(at).unwrap_or(&empty);
    let names: Vec<NameColumn> = cells.iter().map(|text| name(text)).collect();
    let configured = names.iter().filter(|name| matches!(name, NameColumn::Configured(_))).count();
    let known = names.iter().filter(|name| **name != NameColumn::Unknown).count();
    let fields: BTreeSet<Field> = names.iter().filter_map(|name| name.field_named()).collect();
    let filled: Vec<&String> = cells.iter().filter(|text| !text.is_empty()).collect();
    let distinct: BTreeSet<&String> = filled.iter().copied().collect();
    let (mut kept, mut broken) = (0, 0);
    for (column, name) in names.iter().enumerate() {
        let promised: fn(&str) -> bool = match name.field_named() {
            Some(Field::Email) => is_email,
            Some(Field::PhoneNumber) => is_phone,
            _ => continue,
        };
        let below = rows.iter().skip(at + 1).take(BELOW).filter_map(|row| row.cells.get(column));
        let below: Vec<&String> = below.filter(|text| !text.is_empty()).collect();
        let right = below.iter().filter(|text| promised(text)).count();
        kept += usize::from(right * 2 > below.len());
        broken += usize::from(right == 0 && !below.is_empty());
    }
    HeaderCandidate {
        start: *start,
        is_contact: cells.iter().any(|text| is_email(text) || is_phone(text)),
        configured,
        known,
        identifies: Field::IDENTITY.into_iter().any(|field| fields.contains(&field)),
        fields: fields.len(),
        cells: cells.len(),
        is_distinct: distinct.len() == filled.len(),
        filled: filled.len(),
        kept,
        broken,
    }
}

impl HeaderCandidate {
    /// The same at another place.
    fn moved_to(self, start: usize) -> HeaderCandidate {
        HeaderCandidate { start, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::super::CsvOptions;
    use super::*;

    /// The first text of the header.
    fn found(body: &str, options: &CsvOptions) -> String {
        let header =
            find_header(body.as_bytes(), 0, b',', |text| NameColumn::parse_name(text, options));
        assert!(!header.is_contact, "{body}");
        body[header.start..].split([',', '\n']).next().unwrap().to_owned()
    }

    fn plain(body: &str) -> String {
        found(body, &CsvOptions::new("contacts.csv"))
    }

    #[test]
    fn a_row_of_a_contact_is_no_header() {
        let leads = "GCLID,Lead Email,Lead Phone,Keyword,Device\n\
                     c1,alex@x.example,+447700900123,flat,Mobile\n";
        assert_eq!(plain(leads), "GCLID");
        assert_eq!(plain("GCLID,Keyword,Device\nc1,flat,Mobile\nc2,house,Desktop\n"), "GCLID");
        let only = "ann@x.example,Mobile\nbob@x.example,Home\n";
        let header = find_header(only.as_bytes(), 0, b',', |text| {
            NameColumn::parse_name(text, &CsvOptions::new("contacts.csv"))
        });
        assert!(header.is_contact);
    }

    #[test]
    fn labels_above_the_header_are_none() {
        for above in [
            "Company,Acme Ltd\n",
            "Company,Acme Ltd\nCity,Berlin\n\n",
            "Contact list\n\nCompany,Acme Ltd,,\n",
            "Title,All customers\nLocation,Berlin\nPhone,\n",
            "Report date,2024-01-02\nEmail,all\n",
        ] {
            let body = format!("{above}First Name,Last Name,Email,Phone\nAnn,Lee,a@x.example,\n");
            assert_eq!(plain(&body), "First Name", "{above}");
        }
        assert_eq!(plain("Company,Acme Ltd\nE-Mail,Kunde\na@x.example,Ann\n"), "E-Mail");
        assert_eq!(plain("Kunden 2024,alle\nE-Mail,Kunde\na@x.example,Ann\n"), "E-Mail");
    }

    #[test]
    fn configured_names_count_most() {
        let mut options = CsvOptions::new("contacts.csv");
        options.columns.insert(Field::LastName, vec!["Kunde".to_owned()]);
        options.key = Some("Nr".to_owned());
        let body = "First Name,Email,Phone,City\nNr,Kunde,Ort\n1,Ann,Berlin\n";
        assert_eq!(found(body, &options), "Nr");
    }

    #[test]
    fn a_header_that_was_sorted_away_is_found_wherever_it_is() {
        let person = |n: usize| format!("Ann{n},Lee{n},ann{n}@x.example,+1415555{n:04}\n");
        for at in [0, 1, 19, 20, 57, 100] {
            let mut rows: Vec<String> = (0..100).map(person).collect();
            rows.insert(at, "First Name,Last Name,Email,Phone\n".to_owned());
            assert_eq!(plain(&rows.concat()), "First Name", "{at}");
        }
        let bare = |n: usize| format!("Ann{n},Lee,Acme\n");
        let mut rows: Vec<String> = (0..100).map(bare).collect();
        rows[3] = "Ann,Mobile,Acme\n".to_owned();
        rows.insert(70, "First Name,Last Name,Company\n".to_owned());
        assert_eq!(plain(&rows.concat()), "First Name");
    }
}
