//! A contact as each of the two sides shows it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Composed, Field, FieldSet, Fingerprint, LinqId, NamesSeen, RecordIndex, SourceKey, ToldNames,
    Values,
};

/// An instant, in UTC.
pub type Timestamp = DateTime<Utc>;

/// A contact as Linq last showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinqContact {
    /// Linq's id.
    pub id: LinqId,
    /// The eight fields; the owner is `contact_owner.email`.
    pub values: Values,
    /// When Linq says it was created; `None` where it does not say.
    pub created_at: Option<Timestamp>,
    /// When Linq says it was last changed: a hint, never evidence.
    pub updated_at: Option<Timestamp>,
}

/// A record of the source as one reading found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRecord {
    /// Its position in this reading: the handle for writes.
    pub index: RecordIndex,
    /// What people call the place: `row:12`, counted as a spreadsheet counts,
    /// with the header in row 1.
    pub label: String,
    /// The line on which the record begins, counted from 1.
    pub line: u32,
    /// The value of the key column, if there is one and it is filled.
    pub key: Option<SourceKey>,
    /// The value of the id column, if there is one and it holds a number.
    pub linq_id: Option<LinqId>,
    /// The values of the mapped fields, decoded; every other field is blank.
    pub values: Values,
    /// Mapped fields for which the record has no place, such as the cells that a short row
    /// lacks. Their value is blank, and nothing was cleared.
    pub unsaid: FieldSet,
    /// Fields whose value cannot be believed. They are neither an edit nor a
    /// clearing: they wait until somebody repairs them.
    pub rejected: Vec<RejectedField>,
    /// Further values of fields that the source has several places for, such as two
    /// e-mail addresses. None is blank.
    pub others: Vec<OtherValue>,
    /// The name as the record tells it a second time, where it does.
    pub told_names: Option<ToldNames>,
    /// What of it is written in a composed form.
    pub composed: Composed,
    /// Whether `[source.only]` leaves it out: it takes no part.
    pub is_outside: bool,
    /// When the record says it was last changed (REV of a vCard).
    pub revised_at: Option<Timestamp>,
    /// The record's bytes as they are written, unmapped parts included.
    pub fingerprint: Fingerprint,
    /// What is written in it, unmapped parts included, however it is written: other
    /// quotation marks, delimiters, folding or line ends, other places of columns, a blank
    /// column more, and Linq's id beside it make no difference.
    pub content: Fingerprint,
    /// How many records before it in this reading are written with the same bytes.
    pub twin: u32,
}

/// The records of one reading, in the order of the source. Copies share them until one of the
/// copies is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRecords(Arc<Vec<SourceRecord>>);

impl Deref for SourceRecords {
    type Target = Vec<SourceRecord>;

    fn deref(&self) -> &Vec<SourceRecord> {
        &self.0
    }
}

impl DerefMut for SourceRecords {
    fn deref_mut(&mut self) -> &mut Vec<SourceRecord> {
        Arc::make_mut(&mut self.0)
    }
}

impl From<Vec<SourceRecord>> for SourceRecords {
    fn from(records: Vec<SourceRecord>) -> SourceRecords {
        SourceRecords(Arc::new(records))
    }
}

impl FromIterator<SourceRecord> for SourceRecords {
    fn from_iter<I: IntoIterator<Item = SourceRecord>>(records: I) -> SourceRecords {
        SourceRecords::from(records.into_iter().collect::<Vec<SourceRecord>>())
    }
}

impl IntoIterator for SourceRecords {
    type Item = SourceRecord;
    type IntoIter = std::vec::IntoIter<SourceRecord>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}

impl<'a> IntoIterator for &'a SourceRecords {
    type Item = &'a SourceRecord;
    type IntoIter = std::slice::Iter<'a, SourceRecord>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl SourceRecord {
    /// The position in `records`, which are in the order of the source, of the one whose
    /// index is `at`, if there is one.
    pub fn position_of(records: &[SourceRecord], at: RecordIndex) -> Option<usize> {
        records.binary_search_by_key(&at, |record| record.index).ok()
    }

    /// The one of `records`, which are in the order of the source, whose index is `at`. It
    /// must be one of them.
    pub fn record_at(records: &[SourceRecord], at: RecordIndex) -> &SourceRecord {
        // Rather a defect that is told than another person's record.
        &records[SourceRecord::position_of(records, at).unwrap_or(usize::MAX)]
    }

    /// How reports name the record: its key, else its place.
    pub fn name_in_source(&self) -> String {
        self.key.as_ref().map_or_else(|| self.label.clone(), ToString::to_string)
    }

    /// Where the value of `field` stands, for people: "`Phone` in row 7", or "TEL in
    /// ida.vcf". `columns` are the columns of a table by name.
    pub fn cell_name(&self, field: Field, columns: &BTreeMap<Field, String>) -> String {
        match self.label.strip_prefix("row:") {
            Some(row) => match columns.get(&field) {
                Some(column) => {
                    let column = column.split_once(WHOLE_NAME).map_or(&**column, |it| it.0);
                    format!("`{column}` in row {row}")
                }
                None => format!("{field} in row {row}"),
            },
            None => format!("{} in {}", vcard_property(field), self.label),
        }
    }

    /// Takes `text`, which is one of the further values of `field` or blank, for its
    /// value; the one that was it becomes a further one. If there is no such value, all
    /// stays.
    pub fn choose_value(&mut self, field: Field, text: &str) {
        let is_wanted = |other: &OtherValue| other.field == field && other.text == text;
        let chosen = match self.others.iter().position(is_wanted) {
            _ if self.values[field] == text => return,
            None if text.trim().is_empty() => {
                OtherValue { field, text: text.to_owned(), reason: None }
            }
            None => return,
            Some(position) => self.others.remove(position),
        };
        let rejected = self.rejected.iter().position(|rejected| rejected.field == field);
        let reason = rejected.map(|position| self.rejected.remove(position).reason);
        let text = std::mem::replace(&mut self.values[field], chosen.text.into());
        if !text.trim().is_empty() {
            self.others.push(OtherValue { field, text: text.into(), reason });
        }
        self.rejected.extend(chosen.reason.map(|reason| RejectedField { field, reason }));
    }

    /// What is to be remembered of a name that is told twice, once both sides agree on it.
    pub fn names_seen(&self) -> Option<NamesSeen> {
        Some(self.told_names.as_ref()?.names_seen(&self.values))
    }

    /// Whether the value of `field` cannot be believed.
    pub fn is_rejected(&self, field: Field) -> bool {
        self.rejected.iter().any(|rejected| rejected.field == field)
    }
}

/// What follows the name of a column that holds first and last name together, where it is
/// told where a field stands.
pub const WHOLE_NAME: &str = " (whole name";

/// The property of a vCard that holds a field.
const fn vcard_property(field: Field) -> &'static str {
    match field {
        Field::FirstName | Field::LastName => "N",
        Field::Email => "EMAIL",
        Field::PhoneNumber => "TEL",
        Field::Company => "ORG",
        Field::Title => "TITLE",
        Field::Location => "ADR",
        Field::Owner => "the owner",
    }
}

/// A field of a source record whose value cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedField {
    /// The field.
    pub field: Field,
    /// Why, for people, without the value: "a spreadsheet turned it into a power of ten".
    pub reason: String,
}

/// A further value of a field.
#[derive(Clone, PartialEq, Eq)]
pub struct OtherValue {
    /// The field.
    pub field: Field,
    /// The value.
    pub text: String,
    /// Why it cannot be believed, if it cannot.
    pub reason: Option<String>,
}

impl fmt::Debug for OtherValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OtherValue({})", self.field)
    }
}

/// A record as it is written in the source, whole: what there is to know to put it back
/// once it was removed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsWritten {
    /// Its text, which can be read on its own: of a row, below the header.
    #[serde(rename = "written")]
    pub text: String,
    /// Where it is: of a card the path of its file below the directory; of a row the rows
    /// above and below it, each by the first letters of its fingerprint: `0f3a…..91bc…`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// Its bytes, where they are others than those of the text: of a card that has its
    /// file to itself, all that are in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Vec<u8>>,
}

impl AsWritten {
    /// The bytes that put it back.
    pub fn restorable_bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(self.text.as_bytes())
    }
}

impl fmt::Debug for AsWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsWritten({} bytes)", self.restorable_bytes().len())
    }
}

/// A place in the source that could not be read as a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What people call the place: `row:12`.
    pub label: String,
    /// The line on which it begins, counted from 1.
    pub line: u32,
    /// What is wrong and what to do, for people.
    pub reason: String,
}
