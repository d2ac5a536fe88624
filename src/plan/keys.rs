//! The keys by which somebody can be recognised on the other side.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Canon, Values, first_names_agree, name_and_company_key, names_contradict};

use super::step::Tier;

/// A kind of key, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MatchKey {
    Email,
    Phone,
    Name,
}

impl MatchKey {
    pub(super) const ALL: [MatchKey; 3] = [MatchKey::Email, MatchKey::Phone, MatchKey::Name];

    /// The tier of a match by it.
    pub(super) const fn match_tier(self) -> Tier {
        match self {
            MatchKey::Email => Tier::Email,
            MatchKey::Phone => Tier::Phone,
            MatchKey::Name => Tier::Name,
        }
    }

    pub(super) fn key_value(self, values: &Values, canon: Canon) -> Option<String> {
        match self {
            MatchKey::Email => canon.email_key(values),
            MatchKey::Phone => canon.phone_key(values),
            MatchKey::Name => name_and_company_key(values),
        }
    }

    /// Whether sharing the key says anything about `a` and `b` at all. A phone number
    /// does not when the first names differ: families and switchboards share numbers.
    pub(super) fn is_evidence(self, a: &Values, b: &Values) -> bool {
        match self {
            MatchKey::Phone => !names_contradict(a, b) && first_names_agree(a, b),
            MatchKey::Email | MatchKey::Name => true,
        }
    }
}

/// Somebody's keys; `None` for each that they do not have.
#[derive(Clone, Debug, Default)]
pub(super) struct MatchKeys([Option<String>; 3]);

impl MatchKeys {
    pub(super) fn of_values(values: &Values, canon: Canon) -> MatchKeys {
        MatchKeys(MatchKey::ALL.map(|key| key.key_value(values, canon)))
    }

    fn get(&self, key: MatchKey) -> Option<&str> {
        self.0[key as usize].as_deref()
    }
}

/// People by their keys.
#[derive(Clone, Debug)]
pub(super) struct KeyIndex<T>([BTreeMap<String, Vec<T>>; 3]);

impl<T> Default for KeyIndex<T> {
    fn default() -> KeyIndex<T> {
        KeyIndex(Default::default())
    }
}

impl<T: Copy> KeyIndex<T> {
    /// Everybody in `people`, in their order.
    pub(super) fn of_contacts<'k>(people: impl Iterator<Item = (T, &'k MatchKeys)>) -> KeyIndex<T> {
        let mut index = KeyIndex::default();
        people.for_each(|(whom, keys)| index.insert(whom, keys));
        index
    }

    pub(super) fn insert(&mut self, whom: T, keys: &MatchKeys) {
        for key in MatchKey::ALL {
            if let Some(text) = keys.get(key) {
                self.0[key as usize].entry(text.to_owned()).or_default().push(whom);
            }
        }
    }

    /// Those who share the `key` of `keys`.
    pub(super) fn sharing(&self, key: MatchKey, keys: &MatchKeys) -> &[T] {
        let found = keys.get(key).and_then(|text| self.0[key as usize].get(text));
        found.map_or(&[], Vec::as_slice)
    }
}

/// The keys that somebody is looked for by. Nobody else's are worth remembering.
#[derive(Clone, Debug, Default)]
pub(super) struct WantedKeys([BTreeSet<String>; 3]);

impl WantedKeys {
    pub(super) fn extend<'k>(&mut self, people: impl Iterator<Item = &'k MatchKeys>) {
        for keys in people {
            for key in MatchKey::ALL {
                self.0[key as usize].extend(keys.get(key).map(str::to_owned));
            }
        }
    }

    /// The keys of somebody with `values`, if any of them is wanted.
    pub(super) fn keys_of(&self, values: &Values, canon: Canon) -> Option<MatchKeys> {
        let kinds = MatchKey::ALL.into_iter().filter(|key| !self.0[*key as usize].is_empty());
        let mut wanted = false;
        let mut keys = MatchKeys::default();
        for key in kinds {
            let text = key.key_value(values, canon);
            wanted |= text.as_ref().is_some_and(|text| self.0[key as usize].contains(text));
            keys.0[key as usize] = text;
        }
        wanted.then(|| {
            if self.0.iter().any(BTreeSet::is_empty) {
                MatchKeys::of_values(values, canon)
            } else {
                keys
            }
        })
    }
}
