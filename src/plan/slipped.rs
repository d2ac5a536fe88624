//! Keys that slipped from one row to another: a row was inserted and the keys filled down
//! again, they were sorted without the other columns, or two were exchanged.
//!
//! A key is believed as long as its row has something of the person whose key it was. It
//! is not where the row says, to the letter, what another known person said, or where that
//! person is found under a key that has slipped itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Canon, Field, FieldSet, SourceRecord, Values, names_contradict};

use super::reidentify::KnownRecord;
use super::similarity::has_nothing_of;

/// A known record and the position of the record that has its key now.
pub(super) type Claim = (usize, usize);

/// Which claims by key are not believed.
#[derive(Debug, Default)]
pub(super) struct Slipped {
    /// The known records whose claims they are.
    pub(super) claims: BTreeSet<usize>,
    /// Whether that is most of all: keys say nothing about who is who.
    pub(super) most: bool,
}

/// Finds the `claims` whose key has slipped. `strangers` are the positions of further
/// records, whose key nobody is known to have had; `at_rest` says how many more claims there
/// are whose key has not.
pub(super) fn find_slipped(
    known: &[KnownRecord<'_>],
    records: &[SourceRecord],
    claims: &[Claim],
    strangers: &[usize],
    at_rest: usize,
    mapped: FieldSet,
    canon: Canon,
) -> Slipped {
    let changed: Vec<Claim> = claims
        .iter()
        .copied()
        .filter(|(index, position)| has_another_identity(known[*index], &records[*position]))
        .collect();
    if changed.is_empty() {
        return Slipped::default();
    }
    let moved = Moved::new(known, records, claims, &changed, strangers, mapped, canon);
    let mut slipped = moved.by_content(&changed);
    let displaced = moved.displaced_claims(&changed, &slipped);
    slipped.extend(displaced);
    let most = slipped.len() >= 2 && slipped.len() * 2 >= claims.len() + at_rest;
    if most {
        let foreign = |(index, position): &&Claim| {
            has_nothing_of(canon, &records[*position].values, &known[*index].values())
        };
        slipped.extend(changed.iter().filter(foreign).map(|claim| claim.0));
    }
    Slipped { claims: slipped, most }
}

/// Whether a record does not say of whom it is what the known one said.
fn has_another_identity(known: KnownRecord<'_>, record: &SourceRecord) -> bool {
    if known.fingerprint() == Some(record.fingerprint) {
        return false;
    }
    let values = known.values();
    Field::IDENTITY.into_iter().any(|field| values[field] != record.values[field])
}

/// Who moved to which record.
struct Moved<'a> {
    known: &'a [KnownRecord<'a>],
    records: &'a [SourceRecord],
    canon: Canon,
    /// For each record that may be somebody else, the known record that it is, and
    /// whether it says the same to the letter.
    owners: BTreeMap<usize, (usize, bool)>,
}

impl<'a> Moved<'a> {
    fn new(
        known: &'a [KnownRecord<'a>],
        records: &'a [SourceRecord],
        claims: &[Claim],
        changed: &[Claim],
        strangers: &[usize],
        mapped: FieldSet,
        canon: Canon,
    ) -> Moved<'a> {
        let content = |values: &Values| -> Option<String> {
            let texts: Vec<&str> = mapped.iter().map(|field| values[field].as_str()).collect();
            (!values.lacks_identity()).then(|| texts.join("\u{1f}"))
        };
        let email = |values: &Values| canon.email_key(values);
        let (by_content, by_email) = (unique_by(known, content), unique_by(known, email));
        let gone_astray: BTreeSet<usize> = changed.iter().map(|claim| claim.0).collect();
        let at_home: BTreeSet<usize> =
            claims.iter().map(|claim| claim.0).filter(|i| !gone_astray.contains(i)).collect();
        let owner = |position: usize| {
            let values = &records[position].values;
            let exactly = content(values).and_then(|it| by_content.get(&it).copied().flatten());
            let by_email = || {
                let index = email(values).and_then(|it| by_email.get(&it).copied().flatten())?;
                (!names_contradict(values, &known[index].values())).then_some((index, false))
            };
            let owner = exactly.map(|index| (index, true)).or_else(by_email);
            owner.filter(|(index, _)| !at_home.contains(index))
        };
        let positions = changed.iter().map(|claim| claim.1).chain(strangers.iter().copied());
        let owners = positions.filter_map(|at| Some((at, owner(at)?))).collect();
        Moved { known, records, canon, owners }
    }

    fn has_nothing_of(&self, (index, position): Claim) -> bool {
        has_nothing_of(self.canon, &self.records[position].values, &self.known[index].values())
    }

    /// The claims to records that are somebody else.
    fn by_content(&self, changed: &[Claim]) -> BTreeSet<usize> {
        let slipped = |claim: &&Claim| {
            self.owners.get(&claim.1).is_some_and(|(owner, exactly)| {
                *owner != claim.0 && (*exactly || self.has_nothing_of(**claim))
            })
        };
        changed.iter().filter(slipped).map(|claim| claim.0).collect()
    }

    /// The claims of those who are found in another record: one whose key has slipped, or
    /// one with an unknown key where that under their own has nothing of them.
    fn displaced_claims(&self, changed: &[Claim], slipped: &BTreeSet<usize>) -> BTreeSet<usize> {
        let astray: BTreeSet<usize> =
            changed.iter().filter(|c| slipped.contains(&c.0)).map(|claim| claim.1).collect();
        let exactly = self.owners.iter().filter(|(_, (_, exactly))| *exactly);
        let found: BTreeMap<usize, usize> =
            exactly.map(|(position, (owner, _))| (*owner, *position)).collect();
        let displaced = |claim: &&Claim| {
            found.get(&claim.0).is_some_and(|position| {
                *position != claim.1 && (astray.contains(position) || self.has_nothing_of(**claim))
            })
        };
        let left = changed.iter().filter(|claim| !slipped.contains(&claim.0));
        left.filter(displaced).map(|claim| claim.0).collect()
    }
}

/// The known records by a key; `None` where several have it.
fn unique_by(
    known: &[KnownRecord<'_>],
    key: impl Fn(&Values) -> Option<String>,
) -> BTreeMap<String, Option<usize>> {
    let mut unique = BTreeMap::new();
    for (index, known) in known.iter().enumerate() {
        if let Some(key) = key(&known.values()) {
            unique.entry(key).and_modify(|one| *one = None).or_insert(Some(index));
        }
    }
    unique
}
