//! What is found in the data of both sides, and the kinds that there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, SourceKind};
use crate::mirror::State;
use crate::model::{
    Canon, Field, LinqContact, LinqId, RecordIndex, Side, SourceRecord, Values, WHOLE_NAME,
    bare_address,
};
use crate::open::{self, OpenError};
use crate::plan::find_duplicates;
use crate::report::ReportedError;
use crate::run::RunError;
use crate::source::csv::TableShape;
use crate::source::{Source, SourceAccess, SourceReading};

/// A field of which no more than this part is filled is mostly empty: one in so many.
const MOSTLY: usize = 10;
/// Of fewer contacts nothing is said about columns.
const ENOUGH: usize = 10;

/// What sort of finding it is, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum QualityKind {
    Unreadable,
    UnusablePhone,
    UnusableEmail,
    Damaged,
    Duplicate,
    OnlyInSource,
    OnlyInLinq,
    NoName,
    NoEmailOrPhone,
    NoEmail,
    NoPhone,
    NoOwner,
    MostlyEmpty,
    Unmapped,
}

impl QualityKind {
    pub(super) const ALL: [QualityKind; 14] = [
        QualityKind::Unreadable,
        QualityKind::UnusablePhone,
        QualityKind::UnusableEmail,
        QualityKind::Damaged,
        QualityKind::Duplicate,
        QualityKind::OnlyInSource,
        QualityKind::OnlyInLinq,
        QualityKind::NoName,
        QualityKind::NoEmailOrPhone,
        QualityKind::NoEmail,
        QualityKind::NoPhone,
        QualityKind::NoOwner,
        QualityKind::MostlyEmpty,
        QualityKind::Unmapped,
    ];

    /// The name in tables and JSON.
    pub(super) const fn name(self) -> &'static str {
        match self {
            QualityKind::Unreadable => "unreadable",
            QualityKind::UnusablePhone => "unusable-phone",
            QualityKind::UnusableEmail => "unusable-email",
            QualityKind::Damaged => "damaged",
            QualityKind::Duplicate => "duplicate",
            QualityKind::OnlyInSource => "only-in-source",
            QualityKind::OnlyInLinq => "only-in-linq",
            QualityKind::NoName => "no-name",
            QualityKind::NoEmailOrPhone => "no-email-or-phone",
            QualityKind::NoEmail => "no-email",
            QualityKind::NoPhone => "no-phone",
            QualityKind::NoOwner => "no-owner",
            QualityKind::MostlyEmpty => "mostly-empty",
            QualityKind::Unmapped => "unmapped",
        }
    }

    /// What it is called in a report.
    pub(super) const fn report_words(self) -> &'static str {
        match self {
            QualityKind::Unreadable => "unreadable rows or cards",
            QualityKind::UnusablePhone => "unusable phone numbers",
            QualityKind::UnusableEmail => "unusable e-mail addresses",
            QualityKind::Damaged => "damaged values",
            QualityKind::Duplicate => "possible duplicates",
            QualityKind::OnlyInSource => "only in the source",
            QualityKind::OnlyInLinq => "only in Linq",
            QualityKind::NoName => "without a name",
            QualityKind::NoEmailOrPhone => "without e-mail and phone",
            QualityKind::NoEmail => "without e-mail",
            QualityKind::NoPhone => "without phone",
            QualityKind::NoOwner => "without owner",
            QualityKind::MostlyEmpty => "mostly empty fields",
            QualityKind::Unmapped => "data that is not synced",
        }
    }
}

/// Something that could be better.
pub(super) struct QualityFinding {
    pub(super) kind: QualityKind,
    pub(super) side: Side,
    pub(super) name: String,
    pub(super) place: String,
    pub(super) linq_id: Option<LinqId>,
    pub(super) line: Option<u32>,
    pub(super) email: String,
    pub(super) phone_number: String,
    pub(super) field: String,
    pub(super) value: String,
    pub(super) cell: String,
    pub(super) detail: String,
}

impl QualityFinding {
    fn on_side(kind: QualityKind, side: Side) -> QualityFinding {
        let none = String::new;
        QualityFinding {
            kind,
            side,
            name: none(),
            place: none(),
            linq_id: None,
            line: None,
            email: none(),
            phone_number: none(),
            field: none(),
            value: none(),
            cell: none(),
            detail: none(),
        }
    }

    fn about_contact(kind: QualityKind, who: &QualityContact<'_>) -> QualityFinding {
        QualityFinding {
            name: who.display_name(),
            place: who.place.clone(),
            linq_id: who.linq_id,
            line: who.line,
            email: who.values[Field::Email].to_string(),
            phone_number: who.values[Field::PhoneNumber].to_string(),
            ..QualityFinding::on_side(kind, who.side)
        }
    }
}

/// What was looked at, and what was found.
pub(super) struct QualityResult {
    /// How many records the source has.
    pub(super) records: usize,
    /// How many contacts Linq has; `None` before the first run.
    pub(super) contacts: Option<usize>,
    pub(super) findings: Vec<QualityFinding>,
}

/// A contact on one side.
struct QualityContact<'a> {
    side: Side,
    place: String,
    linq_id: Option<LinqId>,
    line: Option<u32>,
    values: &'a Values,
}

impl QualityContact<'_> {
    fn display_name(&self) -> String {
        if self.values.filled_fields().is_empty() {
            String::new()
        } else {
            self.values.display_name()
        }
    }
}

/// Looks at both sides.
///
/// # Errors
/// When the source or the state cannot be read.
pub(super) fn check_quality(
    state: &State,
    config: &Config,
) -> Result<QualityResult, ReportedError> {
    let mut source = open::open_source(config, SourceAccess::ReadOnly);
    let reading =
        source.read_records().map_err(|error| RunError::from(error).to_reported_error())?;
    let canon = config.policy().canon;
    let shape = source.table_shape();
    let columns = shape.as_ref().map(|shape| shape.columns.clone()).unwrap_or_default();
    let state_error = |error| OpenError::from(error).to_reported_error();
    let contacts = state.contacts().map_err(state_error)?;
    let has_run = !contacts.is_empty() || state.last_good_run().map_err(state_error)?.is_some();
    let mut findings = Vec::new();
    for row in &reading.unreadable {
        let mut finding = QualityFinding::on_side(QualityKind::Unreadable, Side::Source);
        (finding.place, finding.line) = (row.label.clone(), Some(row.line));
        finding.detail.clone_from(&row.reason);
        findings.push(finding);
    }
    // Of who takes no part it matters only whether somebody is there twice.
    for record in reading.records.iter().filter(|record| !record.is_outside) {
        let who = in_source(record);
        let cell = |field| record.cell_name(field, &columns);
        let carries = |field| reading.mapped.contains(field);
        check_values(&who, canon, &carries, &cell, &mut findings);
        for rejected in &record.rejected {
            let known = findings.iter().rev().take_while(|one| one.line == who.line);
            if known.into_iter().any(|one| one.field == rejected.field.name()) {
                continue;
            }
            let mut finding = QualityFinding::about_contact(QualityKind::Damaged, &who);
            rejected.field.name().clone_into(&mut finding.field);
            finding.value = record.values[rejected.field].to_string();
            finding.cell = cell(rejected.field);
            finding.detail.clone_from(&rejected.reason);
            findings.push(finding);
        }
    }
    for (id, contact) in &contacts {
        check_values(
            &in_linq(*id, &contact.values),
            canon,
            &|_| true,
            &|_| String::new(),
            &mut findings,
        );
    }
    if has_run {
        only_on_one_side(state, canon, &reading, &mut findings).map_err(state_error)?;
    }
    let records: BTreeMap<RecordIndex, &SourceRecord> =
        reading.records.iter().map(|record| (record.index, record)).collect();
    let people: Vec<(RecordIndex, &Values)> =
        records.iter().map(|(at, record)| (*at, &record.values)).collect();
    note_duplicates(&people, canon, &|at| in_source(records[&at]), &mut findings);
    let people: Vec<(LinqId, &Values)> =
        contacts.iter().map(|(id, contact)| (*id, &contact.values)).collect();
    note_duplicates(&people, canon, &|id| in_linq(id, &contacts[&id].values), &mut findings);
    let taking_part = reading.records.iter().filter(|record| !record.is_outside);
    let of_records: Vec<&Values> = taking_part.map(|record| &record.values).collect();
    let carries = |field| reading.mapped.contains(field);
    mostly_empty(Side::Source, &of_records, &carries, &columns, &mut findings);
    let of_contacts: Vec<&Values> = contacts.values().map(|contact| &contact.values).collect();
    mostly_empty(Side::Linq, &of_contacts, &|_| true, &BTreeMap::new(), &mut findings);
    find_unmapped(config, &*source, &reading, &mut findings);
    findings.sort_by_key(|finding| (finding.kind, finding.side));
    let contacts = has_run.then_some(contacts.len());
    Ok(QualityResult { records: reading.records.len(), contacts, findings })
}

fn in_source(record: &SourceRecord) -> QualityContact<'_> {
    QualityContact {
        side: Side::Source,
        place: record.name_in_source(),
        linq_id: None,
        line: Some(record.line),
        values: &record.values,
    }
}

fn in_linq(id: LinqId, values: &Values) -> QualityContact<'_> {
    QualityContact {
        side: Side::Linq,
        place: format!("id {id}"),
        linq_id: Some(id),
        line: None,
        values,
    }
}

/// What is missing and what is unusable of one contact, in the fields that its side carries.
fn check_values(
    who: &QualityContact<'_>,
    canon: Canon,
    carries: &dyn Fn(Field) -> bool,
    cell: &dyn Fn(Field) -> String,
    findings: &mut Vec<QualityFinding>,
) {
    let text = |field: Field| who.values[field].trim();
    let lacks = |field: Field| carries(field) && text(field).is_empty();
    let has_name_columns = carries(Field::FirstName) || carries(Field::LastName);
    if has_name_columns && text(Field::FirstName).is_empty() && text(Field::LastName).is_empty() {
        findings.push(QualityFinding::about_contact(QualityKind::NoName, who));
    }
    match (lacks(Field::Email), lacks(Field::PhoneNumber)) {
        (true, true) => {
            findings.push(QualityFinding::about_contact(QualityKind::NoEmailOrPhone, who));
        }
        (true, false) => findings.push(QualityFinding::about_contact(QualityKind::NoEmail, who)),
        (false, true) => findings.push(QualityFinding::about_contact(QualityKind::NoPhone, who)),
        (false, false) => {}
    }
    if lacks(Field::Owner) {
        findings.push(QualityFinding::about_contact(QualityKind::NoOwner, who));
    }
    let phone = text(Field::PhoneNumber);
    let is_unusable_email =
        |field: Field| !text(field).is_empty() && bare_address(text(field)).is_none();
    let unusable = [
        (
            QualityKind::UnusablePhone,
            Field::PhoneNumber,
            !phone.is_empty() && !canon.is_usable_number(phone),
        ),
        (QualityKind::UnusableEmail, Field::Email, is_unusable_email(Field::Email)),
        (QualityKind::UnusableEmail, Field::Owner, is_unusable_email(Field::Owner)),
    ];
    for (kind, field, _) in unusable.into_iter().filter(|(.., is_it)| *is_it) {
        let mut finding = QualityFinding::about_contact(kind, who);
        field.name().clone_into(&mut finding.field);
        finding.value = who.values[field].to_string();
        finding.cell = cell(field);
        findings.push(finding);
    }
}

/// Who is on one side alone. A record that was edited since the last run is known by its key,
/// address, number or name.
fn only_on_one_side(
    state: &State,
    canon: Canon,
    reading: &SourceReading,
    findings: &mut Vec<QualityFinding>,
) -> Result<(), crate::mirror::StateError> {
    let (mut keys, mut bytes, mut known) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    state.each_link(&crate::model::Needles::default(), |link| {
        keys.extend(link.key.map(|key| key.to_string()));
        bytes.insert(link.fingerprint);
        known.extend(identity_marks(canon, &link.base.source_values()));
        Ok::<(), crate::mirror::StateError>(())
    })?;
    let (outside, taking_part): (Vec<&SourceRecord>, Vec<&SourceRecord>) =
        reading.records.iter().partition(|record| record.is_outside);
    let outside: BTreeSet<String> =
        outside.iter().flat_map(|record| identity_marks(canon, &record.values)).collect();
    for record in taking_part {
        let has_key = record.key.as_ref().is_some_and(|key| keys.contains(&key.to_string()));
        let is_known =
            identity_marks(canon, &record.values).iter().any(|mark| known.contains(mark));
        if !has_key && !bytes.contains(&record.fingerprint) && !is_known {
            findings
                .push(QualityFinding::about_contact(QualityKind::OnlyInSource, &in_source(record)));
        }
    }
    for id in state.unlinked_ids()? {
        let is_outside = |contact: &LinqContact| {
            identity_marks(canon, &contact.values).iter().any(|mark| outside.contains(mark))
        };
        if let Some(contact) = state.contact(id)?.filter(|contact| !is_outside(contact)) {
            findings.push(QualityFinding::about_contact(
                QualityKind::OnlyInLinq,
                &in_linq(id, &contact.values),
            ));
        }
    }
    Ok(())
}

/// What a contact is known by.
fn identity_marks(canon: Canon, values: &Values) -> Vec<String> {
    let email = canon.email_key(values);
    let phone = canon.phone_key(values);
    let names = [Field::FirstName, Field::LastName]
        .map(|field| canon.canonical_value(field, &values[field]));
    let name = names.join(" ").trim().to_lowercase();
    let company = canon.canonical_value(Field::Company, &values[Field::Company]).to_lowercase();
    let named = (!name.is_empty()).then(|| format!("{name}\n{company}"));
    email.into_iter().chain(phone).chain(named).collect()
}

fn note_duplicates<'a, Id: Copy + Ord>(
    people: &[(Id, &Values)],
    canon: Canon,
    who: &dyn Fn(Id) -> QualityContact<'a>,
    findings: &mut Vec<QualityFinding>,
) {
    for (number, group) in (1..).zip(find_duplicates(people, canon)) {
        for id in group {
            let mut finding = QualityFinding::about_contact(QualityKind::Duplicate, &who(id));
            finding.detail = format!("group {number}");
            findings.push(finding);
        }
    }
}

fn mostly_empty(
    side: Side,
    all: &[&Values],
    carries: &dyn Fn(Field) -> bool,
    columns: &BTreeMap<Field, String>,
    findings: &mut Vec<QualityFinding>,
) {
    if all.len() < ENOUGH {
        return;
    }
    for field in Field::ALL.into_iter().filter(|field| carries(*field)) {
        let filled = all.iter().filter(|values| !values[field].trim().is_empty()).count();
        if filled * MOSTLY > all.len() {
            continue;
        }
        let mut finding = QualityFinding::on_side(QualityKind::MostlyEmpty, side);
        field.name().clone_into(&mut finding.field);
        let column = columns.get(&field).map(|column| format!(" (`{column}`)")).unwrap_or_default();
        finding.detail =
            format!("{}{column} is filled for {filled} of {}", field.name(), all.len());
        findings.push(finding);
    }
}

/// Columns and properties that hold something and that no field takes.
fn find_unmapped(
    config: &Config,
    source: &dyn Source,
    reading: &SourceReading,
    findings: &mut Vec<QualityFinding>,
) {
    let mut filled: BTreeMap<String, usize> = BTreeMap::new();
    match source.table_shape() {
        Some(shape) => {
            let used = in_use(config, &shape);
            let unused: Vec<(usize, &String)> = shape
                .header
                .iter()
                .enumerate()
                .filter(|(_, name)| !name.trim().is_empty() && !used.contains(*name))
                .collect();
            for record in &reading.records {
                // The row stands below its header.
                let text = source.as_written(record.index).text;
                let mut row = csv::ReaderBuilder::new()
                    .delimiter(shape.delimiter)
                    .flexible(true)
                    .from_reader(text.as_bytes());
                let Some(Ok(cells)) = row.records().next() else { continue };
                for (at, name) in &unused {
                    if cells.get(*at).is_some_and(|cell| !cell.trim().is_empty()) {
                        *filled.entry((*name).clone()).or_default() += 1;
                    }
                }
            }
        }
        None => {
            for record in &reading.records {
                let text = source.as_written(record.index).text;
                let names: BTreeSet<String> = text.lines().filter_map(card_property).collect();
                for name in names {
                    *filled.entry(name).or_default() += 1;
                }
            }
        }
    }
    for (name, count) in filled {
        let mut finding = QualityFinding::on_side(QualityKind::Unmapped, Side::Source);
        finding.detail = format!("`{name}` is filled for {count} of {}", reading.records.len());
        finding.cell = name;
        findings.push(finding);
    }
}

/// The columns that something is read from.
fn in_use(config: &Config, shape: &TableShape) -> BTreeSet<String> {
    let mut used: BTreeSet<String> = shape.full_name.iter().cloned().collect();
    used.extend(shape.further.values().flatten().cloned());
    if let SourceKind::Csv(csv) = &config.source.kind {
        used.extend(csv.key.iter().chain(&csv.id_column).cloned());
        used.extend(csv.columns.values().flatten().cloned());
    }
    for column in shape.columns.values() {
        let alone = column.split_once(WHOLE_NAME).map_or(&**column, |whole| whole.0);
        used.insert(alone.to_owned());
    }
    used
}

/// The property of a card on a line that is not synced, if it is one with a value.
fn card_property(line: &str) -> Option<String> {
    const SYNCED: [&str; 16] = [
        "BEGIN",
        "END",
        "VERSION",
        "UID",
        "REV",
        "PRODID",
        "FN",
        "N",
        "EMAIL",
        "TEL",
        "ORG",
        "TITLE",
        "ADR",
        "SORT-STRING",
        "X-ABLABEL",
        "CLASS",
    ];
    if line.starts_with([' ', '\t']) {
        return None;
    }
    let (name, value) = line.split_once(':')?;
    let name = name.split(';').next()?;
    let name = name.rsplit('.').next()?.to_ascii_uppercase();
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !name.is_empty();
    (is_name && !value.trim().is_empty() && !SYNCED.contains(&&*name)).then_some(name)
}
