//! The keys by which somebody can be recognised on the other side.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Canon, Values, first_names_agree, name_and_company_key, names_contradict};

use super::step::Tier;

/// A kind of key, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Email,
    Phone,
    Name,
}

impl Key {
    pub(super) const ALL: [Key; 3] = [Key::Email, Key::Phone, Key::Name];

    /// The tier of a match by it.
    pub(super) const fn tier(self) -> Tier {
        match self {
            Key::Email => Tier::Email,
            Key::Phone => Tier::Phone,
            Key::Name => Tier::Name,
        }
    }

    pub(super) fn of(self, values: &Values, canon: Canon) -> Option<String> {
        match self {
            Key::Email => canon.email_key(values),
            Key::Phone => canon.phone_key(values),
            Key::Name => name_and_company_key(values),
        }
    }

    /// Whether sharing the key says anything about `a` and `b` at all. A phone number
    /// does not when the first names differ: families and switchboards share numbers.
    pub(super) fn counts(self, a: &Values, b: &Values) -> bool {
        match self {
            Key::Phone => !names_contradict(a, b) && first_names_agree(a, b),
            Key::Email | Key::Name => true,
        }
    }
}

/// Somebody's keys; `None` for each that they do not have.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys([Option<String>; 3]);

impl Keys {
    pub(super) fn of(values: &Values, canon: Canon) -> Keys {
        Keys(Key::ALL.map(|key| key.of(values, canon)))
    }

    fn get(&self, key: Key) -> Option<&str> {
        self.0[key as usize].as_deref()
    }
}

/// People by their keys.
#[derive(Clone, Debug)]
pub(super) struct Index<T>([BTreeMap<String, Vec<T>>; 3]);

impl<T> Default for Index<T> {
    fn default() -> Index<T> {
        Index(Default::default())
    }
}

impl<T: Copy> Index<T> {
    /// Everybody in `people`, in their order.
    pub(super) fn of<'k>(people: impl Iterator<Item = (T, &'k Keys)>) -> Index<T> {
        let mut index = Index::default();
        people.for_each(|(whom, keys)| index.insert(whom, keys));
        index
    }

    pub(super) fn insert(&mut self, whom: T, keys: &Keys) {
        for key in Key::ALL {
            if let Some(text) = keys.get(key) {
                self.0[key as usize].entry(text.to_owned()).or_default().push(whom);
            }
        }
    }

    /// Those who share the `key` of `keys`.
    pub(super) fn sharing(&self, key: Key, keys: &Keys) -> &[T] {
        let found = keys.get(key).and_then(|text| self.0[key as usize].get(text));
        found.map_or(&[], Vec::as_slice)
    }
}

/// The keys that somebody is looked for by. Nobody else's are worth remembering.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted([BTreeSet<String>; 3]);

impl Wanted {
    pub(super) fn extend<'k>(&mut self, people: impl Iterator<Item = &'k Keys>) {
        for keys in people {
            for key in Key::ALL {
                self.0[key as usize].extend(keys.get(key).map(str::to_owned));
            }
        }
    }

    /// The keys of somebody with `values`, if any of them is wanted.
    pub(super) fn keys_of(&self, values: &Values, canon: Canon) -> Option<Keys> {
        let kinds = Key::ALL.into_iter().filter(|key| !self.0[*key as usize].is_empty());
        let mut wanted = false;
        let mut keys = Keys::default();
        for key in kinds {
            let text = key.of(values, canon);
            wanted |= text.as_ref().is_some_and(|text| self.0[key as usize].contains(text));
            keys.0[key as usize] = text;
        }
        wanted.then(|| {
            if self.0.iter().any(BTreeSet::is_empty) { Keys::of(values, canon) } else { keys }
        })
    }
}
