//! Rows below the header that are no contacts.
//!
//! Owns how lines of a report and headers are told from contacts, and what is said of them.
//! Leaves the words of reports to [`super::footers`], and contacts to [`super::rows`].

use super::footers::is_footer;
use super::header::{Columns, is_header};
use super::scan::{ScannedCell, ScannedRow};

/// How many cells of a line of a report are filled at most, rules aside.
const MOST_OF_A_FOOTER: usize = 3;

/// A row with so many digits is no header.
const DIGITS_OF_A_PHONE: usize = 7;

/// The labels of rows that are no contacts.
#[derive(Debug, Default)]
pub(super) struct Beside {
    footers: Vec<String>,
    headers: Vec<String>,
}

impl Beside {
    /// Takes up the row with this label as a line of a report.
    pub(super) fn add_footer(&mut self, label: String) {
        self.footers.push(label);
    }

    /// Takes it up as the header once more.
    pub(super) fn add_header(&mut self, label: String) {
        self.headers.push(label);
    }

    /// What is said of them, if there are any.
    pub(super) fn skipped_notice(&self) -> Option<String> {
        const NAMED: usize = 5;
        let listed = |labels: &[String], what: &str| {
            let more = if labels.len() > NAMED { ", …" } else { "" };
            let named = labels[..labels.len().min(NAMED)].join(", ");
            (!labels.is_empty()).then(|| format!("{named}{more} ({what})"))
        };
        let parts = [
            listed(&self.headers, "the header again"),
            listed(&self.footers, "a line of a report"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty())
            .then(|| format!("not contacts, so left as they are: {}", parts.join(", ")))
    }
}

/// What a row below the header is.
pub(super) enum OtherRowKind {
    /// One of a contact, as far as can be told here.
    Contact,
    /// A line of a report.
    Footer,
    /// The header once more.
    Header,
    /// A header with other columns.
    OtherHeader,
}

impl OtherRowKind {
    /// What a row is, by what it says.
    pub(super) fn kind_of_row(
        body: &[u8],
        row: ScannedRow,
        cells: &[ScannedCell],
        columns: &Columns,
    ) -> OtherRowKind {
        let text =
            |cell: &ScannedCell| String::from_utf8_lossy(&cell.cell_value(body)).into_owned();
        let filled = cells.iter().filter(|cell| !cell.is_blank(body)).count();
        let Some(first) = cells.iter().find(|cell| !cell.is_blank(body)) else {
            return OtherRowKind::Contact;
        };
        let may_be_footer = filled <= MOST_OF_A_FOOTER || !begins_with_a_word(&text(first));
        if !may_be_footer && !may_be_header(&body[row.start..row.content_end]) {
            return OtherRowKind::Contact;
        }
        let texts: Vec<String> = cells.iter().map(text).collect();
        OtherRowKind::of_texts(&texts, columns)
    }

    /// What a row with these texts is.
    pub(super) fn of_texts(texts: &[String], columns: &Columns) -> OtherRowKind {
        let texts: Vec<String> = texts.iter().map(|text| text.trim().to_owned()).collect();
        let filled = texts.iter().filter(|text| !text.is_empty()).count();
        let first = texts.iter().find(|text| !text.is_empty());
        let may_be_footer =
            filled <= MOST_OF_A_FOOTER || first.is_some_and(|text| !begins_with_a_word(text));
        if may_be_footer && is_footer(texts.iter().map(String::as_str)) {
            return OtherRowKind::Footer;
        }
        let names = columns.names();
        let is_same = |at: usize, name: &String| {
            texts.get(at).map_or("", String::as_str).to_lowercase() == name.to_lowercase()
        };
        if !may_be_header(texts.concat().as_bytes()) {
            OtherRowKind::Contact
        } else if texts.len() <= names.len()
            && names.iter().enumerate().all(|(at, name)| is_same(at, name))
        {
            OtherRowKind::Header
        } else if is_header(&texts) {
            OtherRowKind::OtherHeader
        } else {
            OtherRowKind::Contact
        }
    }
}

fn begins_with_a_word(text: &str) -> bool {
    text.trim().starts_with(char::is_alphanumeric)
}

/// Whether neither an e-mail address nor a phone number is in it.
fn may_be_header(written: &[u8]) -> bool {
    let digits = written.iter().filter(|byte| byte.is_ascii_digit()).count();
    memchr::memchr(b'@', written).is_none() && digits < DIGITS_OF_A_PHONE
}
