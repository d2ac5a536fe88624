//! How much a record resembles one that an earlier reading knew.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use ecow::EcoString;

use encoding_rs::WINDOWS_1252;

use crate::model::{Canon, Field, FieldSet, SourceRecord, Values, names_contradict};

use super::reidentify::KnownRecord;

/// How much sharing a field says about being the same record.
const fn field_weight(field: Field) -> u32 {
    match field {
        Field::Email | Field::PhoneNumber => 4,
        Field::FirstName | Field::LastName => 2,
        Field::Company | Field::Title | Field::Location => 1,
        Field::Owner => 0,
    }
}

/// Values shared by more records than this say nothing about which is which.
const COMMON: usize = 50;

/// So many records that have lost letters are compared with all that are missing: with many
/// more the file as a whole is damaged.
const MOST_DAMAGED: usize = 200;

/// A record as it is compared: its place among all, and its values in canonical form.
struct Compared {
    place: usize,
    has_key: bool,
    values: Values,
    /// Of a record, the fields for which it has no cell: they say nothing.
    unsaid: FieldSet,
}

impl Compared {
    fn filled_values(&self) -> impl Iterator<Item = (Field, &EcoString)> {
        let value = |field| (field, &self.values[field]);
        Field::ALL.into_iter().map(value).filter(|(_, text)| !text.is_empty())
    }
}

/// Whether records with different keys may be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyed {
    /// Keys say nothing.
    AnyKey,
    /// They may not.
    SameKey,
}

/// Pairs of a known record and a record that share at least half of their values, with
/// a measure of how alike they are. Their names may only differ wholly where they share
/// an e-mail or a phone number: a successor in the same post is somebody else.
pub(super) fn pairs_alike(
    known: &[(usize, KnownRecord<'_>)],
    records: &[(usize, &SourceRecord)],
    mapped: FieldSet,
    canon: Canon,
    keyed: Keyed,
) -> Vec<(u32, usize, usize)> {
    if known.is_empty() || records.is_empty() {
        return Vec::new();
    }
    let known: Vec<Compared> = known
        .iter()
        .map(|(place, known)| Compared {
            place: *place,
            has_key: known.key().is_some(),
            values: canonical_values(mapped, canon, &known.values()),
            unsaid: FieldSet::EMPTY,
        })
        .collect();
    let records: Vec<Compared> = records
        .iter()
        .map(|(place, record)| Compared {
            place: *place,
            has_key: record.key.is_some(),
            values: canonical_values(mapped, canon, &record.values),
            unsaid: record.unsaid,
        })
        .collect();
    let alike = |(a, b): (usize, usize)| {
        let (known, record) = (&known[a], &records[b]);
        // Where both have a key the keys differ, or they would have been paired by it.
        let differ = keyed == Keyed::SameKey && known.has_key && record.has_key;
        let score =
            likeness_score(&known.values, &record.values, record.unsaid).filter(|_| !differ)?;
        Some((score, known.place, record.place))
    };
    sharing_a_value(&known, &records).into_iter().filter_map(alike).collect()
}

/// Of `pairs` with their likeness those that are likest, each partner once; of equals
/// the first.
pub(super) fn likest_first(mut pairs: Vec<(u32, usize, usize)>) -> Vec<(usize, usize)> {
    pairs.sort_by_key(|(likeness, known, record)| (Reverse(*likeness), *known, *record));
    let (mut known, mut records) = (BTreeSet::new(), BTreeSet::new());
    let mut chosen = Vec::new();
    for (_, index, position) in pairs {
        if !known.contains(&index) && !records.contains(&position) {
            known.insert(index);
            records.insert(position);
            chosen.push((index, position));
        }
    }
    chosen
}

/// Whether `a` and `b` share neither a name nor e-mail nor phone.
pub(super) fn has_nothing_of(canon: Canon, a: &Values, b: &Values) -> bool {
    names_contradict(a, b) && !canon.share_an_address(a, b)
}

/// How alike `a` and `b` are, as [`pairs_alike`] measures it; `None` if they are not.
pub(super) fn values_likeness(
    mapped: FieldSet,
    canon: Canon,
    a: &Values,
    b: &Values,
) -> Option<u32> {
    likeness_score(
        &canonical_values(mapped, canon, a),
        &canonical_values(mapped, canon, b),
        FieldSet::EMPTY,
    )
}

/// The weight of what is the same in `a` and `b`.
pub(super) fn shared_weight(mapped: FieldSet, canon: Canon, a: &Values, b: &Values) -> u32 {
    shared_weights(
        &canonical_values(mapped, canon, a),
        &canonical_values(mapped, canon, b),
        FieldSet::EMPTY,
    )
    .0
}

fn canonical_values(mapped: FieldSet, canon: Canon, values: &Values) -> Values {
    mapped.iter().map(|field| (field, canon.canonical_value(field, &values[field]))).collect()
}

/// Whether `text` is `agreed` with some letters outside ASCII replaced by `?` or by U+FFFD,
/// one for each letter or one for each of its bytes.
pub(super) fn lost_letters(agreed: &str, text: &str) -> bool {
    let is_mark = |c: &char| *c == '?' || *c == '\u{fffd}';
    let replaced = |marks: fn(char) -> usize| {
        let (mut any, mut rest) = (false, text.chars());
        let kept = agreed.chars().all(|letter| match rest.next() {
            Some(c) if c == letter => true,
            Some(c) if is_mark(&c) && !letter.is_ascii() => {
                any = true;
                rest.by_ref().take(marks(letter) - 1).filter(is_mark).count() == marks(letter) - 1
            }
            Some(_) | None => false,
        });
        any && kept && rest.next().is_none()
    };
    replaced(|_| 1) || replaced(char::len_utf8) || was_read_as_ansi(agreed, text)
}

/// Whether `text` is `agreed` as a program shows it that takes UTF-8 for Windows-1252.
fn was_read_as_ansi(agreed: &str, text: &str) -> bool {
    if agreed.is_ascii() {
        return false;
    }
    let (shown, _) = WINDOWS_1252.decode_without_bom_handling(agreed.as_bytes());
    let is_lost = |c: char| c == '?' || c == '\u{fffd}';
    let mut letters = text.chars();
    shown
        .chars()
        .all(|c| letters.next().is_some_and(|other| c == other || c.is_control() && is_lost(other)))
        && letters.next().is_none()
}

/// The weight of what is the same in both, and the weight of what is filled in either;
/// `unsaid` fields aside, and half a name that only one of them has where they share the
/// other half: that does not speak against them.
fn shared_weights(a: &Values, b: &Values, unsaid: FieldSet) -> (u32, u32) {
    let same = |field: Field| a[field] == b[field] || lost_letters(&a[field], &b[field]);
    let shares = |field: Field| !a[field].is_empty() && same(field);
    let (mut shared, mut total) = (0, 0);
    for field in Field::ALL.into_iter().filter(|field| !unsaid.contains(*field)) {
        let filled = [a, b].into_iter().filter(|values| !values[field].is_empty()).count();
        let is_known = field == Field::FirstName && shares(Field::LastName)
            || field == Field::LastName && shares(Field::FirstName);
        if filled == 2 || filled == 1 && !is_known {
            total += field_weight(field);
            shared += if same(field) { field_weight(field) } else { 0 };
        }
    }
    (shared, total)
}

/// How alike two records are, from 500 to 1000; `None` if they are not.
fn likeness_score(a: &Values, b: &Values, unsaid: FieldSet) -> Option<u32> {
    let (shared, total) = shared_weights(a, b, unsaid);
    let restored = restore_lost_letters(a, b);
    let b = restored.as_ref().unwrap_or(b);
    let same = |field: Field| !a[field].is_empty() && a[field] == b[field];
    let share_an_address = same(Field::Email) || same(Field::PhoneNumber);
    if shared * 2 < total || !share_an_address && names_contradict(a, b) {
        return None;
    }
    Some(shared * 1000 / total.max(1))
}

/// `text` with the letters that it has lost of `known`, if it has lost any.
fn restore_lost_letters(known: &Values, text: &Values) -> Option<Values> {
    let lost = |field: &Field| lost_letters(&known[*field], &text[*field]);
    let fields: FieldSet = Field::ALL.into_iter().filter(lost).collect();
    (!fields.is_empty()).then(|| {
        let mut restored = text.clone();
        for field in fields.iter() {
            restored[field].clone_from(&known[field]);
        }
        restored
    })
}

/// Pairs, by their places in the slices, that share a value which is not common, or one
/// that has lost letters.
fn sharing_a_value(known: &[Compared], records: &[Compared]) -> BTreeSet<(usize, usize)> {
    let mut rows: BTreeMap<(Field, &EcoString), Vec<usize>> = BTreeMap::new();
    for (row, record) in records.iter().enumerate() {
        for value in record.filled_values() {
            rows.entry(value).or_default().push(row);
        }
    }
    let is_damaged = |record: &Compared| {
        record.filled_values().any(|(_, text)| text.contains(['?', '\u{fffd}']))
    };
    let damaged = (0..records.len()).filter(|row| is_damaged(&records[*row]));
    let damaged: Vec<usize> = damaged.take(MOST_DAMAGED).collect();
    let mut pairs = BTreeSet::new();
    for (index, known) in known.iter().enumerate() {
        let lost =
            |row: &&usize| restore_lost_letters(&known.values, &records[**row].values).is_some();
        pairs.extend(damaged.iter().filter(lost).map(|row| (index, *row)));
        for value in known.filled_values() {
            let sharing = rows.get(&value).filter(|sharing| sharing.len() <= COMMON);
            pairs.extend(sharing.into_iter().flatten().map(|row| (index, *row)));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::lost_letters;

    #[test]
    fn letters_that_became_question_marks_are_told_from_edits() {
        for (agreed, text) in [
            ("Łukasik", "?ukasik"),
            ("東京", "??"),
            ("東京", "??????"),
            ("Šárka Ž", "?árka ?"),
            ("Łukasik", "\u{fffd}ukasik"),
            ("José", "Jos??"),
            ("José", "JosÃ©"),
            ("Müller", "MÃ¼ller"),
        ] {
            assert!(lost_letters(agreed, text), "{text}");
        }
        for (agreed, text) in [
            ("Łukasik", "Łukasik"),
            ("Łukasik", "Lukasik"),
            ("Why", "Wh?"),
            ("東京", "?"),
            ("Łukasik", "?ukasik?"),
            ("", "?"),
            ("José", "Jose"),
        ] {
            assert!(!lost_letters(agreed, text), "{text}");
        }
    }
}
