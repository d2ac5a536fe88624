//! Which of several values of a field is the one that both sides keep the same.
//!
//! Where a source has several places for a field, such as two e-mail addresses, the
//! first that is filled is Linq's. Once both sides have agreed on one, that one stays
//! Linq's for as long as it is there: whoever fills in a better place beside it changes
//! nothing in Linq, and what Linq changes is written where it stood.
//!
//! Where Linq takes another of them, that one is Linq's from then on, and nothing is
//! written.
//!
//! A card tells its name twice. Of a linked one that way counts which was changed since both
//! sides agreed; where nothing was, it is the one that was agreed on.
//!
//! A record that is not linked yet may be known in Linq by another of its addresses than
//! the first: that one is taken then, so that it is matched and not created again.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Base, Canon, Field, Link, LinqContact, NameText, OtherValue, Policy, Side, SourceRecord,
    ToldNames, Values, first_names_agree, names_contradict,
};

use super::observation::Observation;
use super::recognise::recognise_records;

/// Chooses the values of the records that have several, by what their links agreed on.
pub fn choose_values(seen: &mut Observation, policy: &Policy) {
    let has_choice =
        |record: &SourceRecord| !record.others.is_empty() || record.told_names.is_some();
    if !seen.source.records.iter().any(has_choice) {
        return;
    }
    seen.source.records.iter_mut().for_each(choose_filled);
    let mut choices: Vec<(usize, Field, String)> = Vec::new();
    let mut names: Vec<(usize, ToldNames)> = Vec::new();
    let mut known = BTreeSet::new();
    let recognised = recognise_records(seen, policy);
    for (link, position) in recognised.links {
        if let Some(position) = position {
            known.insert(position);
            let record = &seen.source.records[position];
            let contact = seen.linq.contacts.get(&link.linq_id);
            let chosen = agreed_texts(link, record, policy.canon).map(|(field, agreed)| {
                let taken = contact.and_then(|contact| {
                    taken_in_linq(field, agreed, link, record, contact, policy.canon)
                });
                (position, field, taken.unwrap_or(agreed).to_owned())
            });
            choices.extend(chosen);
            names.extend(by_whole(link, record, policy.canon).map(|told| (position, told)));
        }
    }
    known.extend(recognised.creates.iter().filter_map(|create| create.1));
    known.extend(recognised.additions.iter().filter_map(|addition| addition.1));
    choices.extend(shown_by_contacts(seen, &known, policy.canon));
    for (position, field, text) in choices {
        seen.source.records[position].choose_value(field, &text);
    }
    for (position, told) in names {
        for (field, name) in told.by_field() {
            seen.source.records[position].values[field] = name.into();
        }
    }
}

/// Reads what records say in a composed form as their contacts have it, where the text says
/// that as well: `Ann Bell Cole` is `Ann` and `Bell Cole` where Linq, or what was agreed on,
/// parts it so.
pub fn read_composed(seen: &mut Observation, policy: &Policy) {
    if !seen.source.records.iter().any(|record| record.composed.is_any()) {
        return;
    }
    let mut read: Vec<(usize, Values)> = Vec::new();
    for (link, position) in recognise_records(seen, policy).links {
        let Some(position) = position else { continue };
        let record = &seen.source.records[position];
        let contact = seen.linq.contacts.get(&link.linq_id);
        read.extend(as_meant(record, contact, &link.base).map(|values| (position, values)));
    }
    for (position, values) in read {
        seen.source.records[position].values = values;
    }
}

/// The values of a record as its contact has them, or else as what was agreed on has them, if
/// they are others.
pub(super) fn as_meant(
    record: &SourceRecord,
    contact: Option<&LinqContact>,
    base: &Base,
) -> Option<Values> {
    let fields = [Field::FirstName, Field::LastName, Field::Location];
    let is_same =
        |one: &LinqContact| fields.iter().all(|field| one.values[*field] == record.values[*field]);
    if !record.composed.is_any() || contact.is_some_and(is_same) {
        return None;
    }
    let composed = &record.composed;
    let mut values = record.values.clone();
    let agreed = base.source_values();
    let is_agreed = composed.read_as(&mut values, &agreed);
    let is_linqs = contact.is_some_and(|one| composed.read_as(&mut values, &one.values));
    if !is_agreed && !is_linqs && base.get(Field::LastName).is_some() {
        keep_a_half(record, &agreed, &mut values);
    }
    (values != record.values).then_some(values)
}

/// Takes an edited whole name apart so that one half is as it was agreed on, if neither is.
fn keep_a_half(record: &SourceRecord, agreed: &Values, values: &mut Values) {
    let [first, last] = [Field::FirstName, Field::LastName];
    let is_kept = values[first] == agreed[first] || values[last] == agreed[last];
    let near = |name: &NameText| name.near_names(&agreed[first], &agreed[last]);
    if let Some([a, b]) = record.composed.name.as_ref().filter(|_| !is_kept).and_then(near) {
        (values[first], values[last]) = (a.into(), b.into());
    }
}

/// How a linked record tells its name as a whole, if it goes by that.
fn by_whole(link: &Link, record: &SourceRecord, canon: Canon) -> Option<ToldNames> {
    let (told, seen) = (record.told_names.as_ref()?, link.base.names_seen()?);
    let agreed = link.base.source_values();
    let goes = told.goes_by_whole(seen, &record.values, &agreed, canon);
    let is_sound = !record.is_rejected(Field::FirstName) && !record.is_rejected(Field::LastName);
    (goes && is_sound).then(|| told.clone())
}

type ValueHolders<'a> = BTreeMap<(Field, String), Vec<&'a LinqContact>>;

/// The addresses by which Linq knows the records that the state does not know: of those
/// whose first one no contact has, another one that a contact has whose name suits.
fn shown_by_contacts(
    seen: &Observation,
    known: &BTreeSet<usize>,
    canon: Canon,
) -> Vec<(usize, Field, String)> {
    let is_open = |(position, record): &(usize, &SourceRecord)| {
        !record.others.is_empty() && !known.contains(position)
    };
    let open: Vec<_> = seen.source.records.iter().enumerate().filter(is_open).collect();
    let holders = value_holders(seen, &open, canon);
    let mut choices = Vec::new();
    for (position, record) in open {
        for field in FIELDS {
            let held = |text: &str| {
                value_key(field, text, canon).and_then(|key| holders.get(&(field, key)))
            };
            let mut texts = field_texts(record, field);
            if texts.next().is_some_and(|first| held(first).is_some_and(|held| !held.is_empty())) {
                continue;
            }
            let is_theirs = |text: &&str| {
                held(text)
                    .is_some_and(|held| held.iter().any(|contact| names_allow(record, contact)))
            };
            let found = texts.find(is_theirs);
            choices.extend(found.map(|text| (position, field, text.to_owned())));
        }
    }
    choices
}

/// What somebody can be known by.
const FIELDS: [Field; 2] = [Field::Email, Field::PhoneNumber];

/// For each address of `records`, the contacts that have it.
fn value_holders<'a>(
    seen: &'a Observation,
    records: &[(usize, &SourceRecord)],
    canon: Canon,
) -> ValueHolders<'a> {
    let mut holders = ValueHolders::new();
    for (_, record) in records {
        for field in FIELDS {
            let keys = field_texts(record, field).filter_map(|text| value_key(field, text, canon));
            holders.extend(keys.map(|key| ((field, key), Vec::new())));
        }
    }
    if holders.is_empty() {
        return holders;
    }
    for contact in seen.linq.contacts.values() {
        for field in FIELDS {
            let key = value_key(field, &contact.values[field], canon).map(|key| (field, key));
            if let Some(holders) = key.and_then(|key| holders.get_mut(&key)) {
                holders.push(contact);
            }
        }
    }
    holders
}

/// What a record says in a field, its value first.
fn field_texts(record: &SourceRecord, field: Field) -> impl Iterator<Item = &str> {
    let others = record.others.iter().filter(move |other| other.field == field);
    let others = others.filter(|other| other.reason.is_none()).map(|other| other.text.as_str());
    std::iter::once(record.values[field].as_str()).chain(others)
}

fn value_key(field: Field, text: &str, canon: Canon) -> Option<String> {
    let values = Values::from_iter([(field, text.to_owned())]);
    if field == Field::Email { canon.email_key(&values) } else { canon.phone_key(&values) }
}

/// Whether the names allow that a contact is this record. Who has a second address may
/// share it with others.
fn names_allow(record: &SourceRecord, contact: &LinqContact) -> bool {
    let (a, b) = (&record.values, &contact.values);
    !names_contradict(a, b) && first_names_agree(a, b)
}

/// Takes the first further value where the value itself is blank, because it was just
/// cleared.
fn choose_filled(record: &mut SourceRecord) {
    for OtherValue { field, text, .. } in record.others.clone() {
        if record.values[field].is_empty() {
            record.choose_value(field, &text);
        }
    }
}

/// Another value of `record` that Linq has by now, where the `agreed` one is still there:
/// nothing is to be written over it.
fn taken_in_linq<'a>(
    field: Field,
    agreed: &str,
    link: &Link,
    record: &'a SourceRecord,
    contact: &LinqContact,
    canon: Canon,
) -> Option<&'a str> {
    let linq = &contact.values[field];
    let was = link.base.half_text(Side::Linq, field)?;
    let is_kept = || field_texts(record, field).any(|text| text == agreed);
    if linq.trim().is_empty() || canon.means_same(field, linq, was) || !is_kept() {
        return None;
    }
    field_texts(record, field).find(|text| *text != agreed && canon.means_same(field, text, linq))
}

/// What `link` agreed on in the fields of which `record` has several values. Where the
/// record is read from other places since, it is what Linq had, in the record's spelling.
fn agreed_texts<'a>(
    link: &'a Link,
    record: &'a SourceRecord,
    canon: Canon,
) -> impl Iterator<Item = (Field, &'a str)> {
    record.others.iter().filter_map(move |other| {
        let field = other.field;
        let linq = link.base.half_text(Side::Linq, field).filter(|linq| !linq.trim().is_empty())?;
        let text = match link.base.half_text(Side::Source, field) {
            Some(source) => source,
            None => field_texts(record, field).find(|text| canon.means_same(field, text, linq))?,
        };
        Some((field, text))
    })
}
