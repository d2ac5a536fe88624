//! Rows of which a cell was deleted or inserted, so that the others moved to other columns.
//!
//! Owns recognising whose they are. Leaves what becomes of their edits to
//! [`super::crossed`].

use std::collections::BTreeMap;

use crate::model::{Field, FieldSet, SourceRecord, Values};

use super::reidentify::KnownRecord;

/// So many values of a known record must stand in other fields of a row at least.
const FEWEST: usize = 2;
/// One of so many of its values must.
const SHARE: usize = 2;

/// Pairs of a known record and a row that has most of its values in other fields, an e-mail
/// address or a phone number among them: where there is one such row, and that row is of
/// nobody else.
pub(super) fn find_shifted(
    known: &[(usize, KnownRecord<'_>)],
    records: &[(usize, &SourceRecord)],
) -> Vec<(usize, usize)> {
    if known.is_empty() || records.is_empty() {
        return Vec::new();
    }
    let mut rows: BTreeMap<String, Vec<(usize, Field)>> = BTreeMap::new();
    for (at, record) in records {
        for (field, text) in filled_texts(&record.values) {
            rows.entry(text).or_default().push((*at, field));
        }
    }
    let mut claims: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, known) in known {
        let values = known.values();
        let mut moved: BTreeMap<usize, FieldSet> = BTreeMap::new();
        let mut filled = 0;
        for (field, text) in filled_texts(&values) {
            filled += 1;
            let elsewhere = rows.get(&text).into_iter().flatten().filter(|(_, of)| *of != field);
            for (at, _) in elsewhere {
                moved.entry(*at).or_default().insert(field);
            }
        }
        let is_most = |fields: FieldSet| {
            let count = fields.iter().count();
            count >= FEWEST
                && count * SHARE >= filled
                && (fields.contains(Field::Email) || fields.contains(Field::PhoneNumber))
        };
        let mut likely = moved.into_iter().filter(|(_, fields)| is_most(*fields));
        if let (Some((at, _)), None) = (likely.next(), likely.next()) {
            claims.entry(at).or_default().push(*index);
        }
    }
    let sole = |(at, of): (usize, Vec<usize>)| match of[..] {
        [index] => Some((index, at)),
        _ => None,
    };
    claims.into_iter().filter_map(sole).collect()
}

/// What is filled, without regard to spelling.
fn filled_texts(values: &Values) -> impl Iterator<Item = (Field, String)> {
    let fields = Field::ALL.into_iter().filter(|field| *field != Field::Owner);
    let text = |field: Field| (field, values[field].trim().to_lowercase());
    fields.map(text).filter(|(_, text)| !text.is_empty())
}
