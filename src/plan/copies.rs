//! Records that share a key: one of them is the record that the key stands for, and the
//! others are copies of it.
//!
//! A copy is nobody else, whatever it says: it waits until it is removed or has a key of
//! its own, while the original goes on.
//!
//! Owns which record is the original. Leaves whether it is linked to [`super::recognise`].

use std::collections::BTreeMap;

use crate::model::{Canon, FieldSet, LinqId, SourceKey, SourceRecord};

use super::reidentify::KnownRecord;
use super::similarity::has_nothing_of;

/// The copies among `records`: the position of each, and that of its original. That is the
/// first that says something of what was known under the key: a copy is made below its
/// original, or under a longer name, whichever of the two was edited since. Of a key that
/// is new it is the first.
pub(super) fn find_copies(
    known: &[KnownRecord<'_>],
    records: &[SourceRecord],
    mapped: FieldSet,
    canon: Canon,
) -> BTreeMap<usize, usize> {
    let groups = same_key_groups(known, records);
    if groups.is_empty() {
        return BTreeMap::new();
    }
    let by_key: BTreeMap<&SourceKey, KnownRecord<'_>> =
        known.iter().filter_map(|one| Some((one.key()?, *one))).collect();
    let mut copies = BTreeMap::new();
    for (key, positions) in groups {
        let values = by_key.get(key).map(|known| known.values());
        let find = |is: &dyn Fn(&SourceRecord) -> bool| {
            positions.iter().copied().find(|position| is(&records[*position]))
        };
        let kin = values.as_ref().and_then(|values| {
            find(&|record| {
                canon.differing_fields(mapped, values, &record.values).is_empty()
                    || !has_nothing_of(canon, values, &record.values)
            })
        });
        let original = kin.unwrap_or(positions[0]);
        let others = positions.into_iter().filter(|position| *position != original);
        copies.extend(others.map(|copy| (copy, original)));
    }
    copies
}

/// The positions of records with the same key, where there are several. A record that has
/// the id of a contact with another key is known by that.
fn same_key_groups<'a>(
    known: &[KnownRecord<'_>],
    records: &'a [SourceRecord],
) -> BTreeMap<&'a SourceKey, Vec<usize>> {
    let mut groups: BTreeMap<&SourceKey, Vec<usize>> = BTreeMap::new();
    for (position, record) in records.iter().enumerate() {
        if let Some(key) = &record.key {
            groups.entry(key).or_default().push(position);
        }
    }
    groups.retain(|_, positions| positions.len() > 1);
    if groups.is_empty() {
        return groups;
    }
    let keys: BTreeMap<LinqId, Option<&SourceKey>> =
        known.iter().filter_map(|one| Some((one.linq_id()?, one.key()))).collect();
    for (key, positions) in &mut groups {
        positions.retain(|position| {
            let by_id = records[*position].linq_id.and_then(|id| keys.get(&id));
            by_id.is_none_or(|other| *other == Some(*key))
        });
    }
    groups.retain(|_, positions| positions.len() > 1);
    // The name of a copied file is that of its original and more.
    for positions in groups.values_mut() {
        positions.sort_by_key(|position| (records[*position].label.len(), *position));
    }
    groups
}
