//! The eight fields that linqsync keeps the same, and sets of them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A field of a contact that takes part in synchronisation.
///
/// The first seven are the writable members of Linq's `contact` object;
/// [`Field::Owner`] is the e-mail of `contact_owner`, written as `user_email`
/// beside the contact (API page "Update Contact").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Field {
    /// `first_name`
    FirstName,
    /// `last_name`
    LastName,
    /// `email`
    Email,
    /// `phone_number`
    PhoneNumber,
    /// `company`
    Company,
    /// `title`
    Title,
    /// `location`
    Location,
    /// `contact_owner.email`, written as `user_email`
    Owner,
}

impl Field {
    /// Every field, in the order in which people read a contact.
    pub const ALL: [Field; 8] = [
        Field::FirstName,
        Field::LastName,
        Field::Email,
        Field::PhoneNumber,
        Field::Company,
        Field::Title,
        Field::Location,
        Field::Owner,
    ];

    /// The fields of which Linq requires at least one in every create and update.
    pub const IDENTITY: [Field; 4] =
        [Field::FirstName, Field::LastName, Field::Email, Field::PhoneNumber];

    /// Of a half of a person's name the other half.
    pub const fn other_half_of_name(self) -> Option<Field> {
        match self {
            Field::FirstName => Some(Field::LastName),
            Field::LastName => Some(Field::FirstName),
            Field::Email
            | Field::PhoneNumber
            | Field::Company
            | Field::Title
            | Field::Location
            | Field::Owner => None,
        }
    }

    /// The name used by Linq's API, in `sync.toml` and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Field::FirstName => "first_name",
            Field::LastName => "last_name",
            Field::Email => "email",
            Field::PhoneNumber => "phone_number",
            Field::Company => "company",
            Field::Title => "title",
            Field::Location => "location",
            Field::Owner => "owner",
        }
    }

    /// The field called `name` in configuration and JSON, if there is one.
    pub fn from_name(name: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.name() == name)
    }

    const fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of fields, iterated in the order of [`Field::ALL`].
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldSet(u8);

impl FieldSet {
    /// The set without any field.
    pub const EMPTY: FieldSet = FieldSet(0);
    /// The set of every field.
    pub const ALL: FieldSet = FieldSet(u8::MAX);

    /// Whether `field` is in the set.
    pub const fn contains(self, field: Field) -> bool {
        self.0 & field.bit() != 0
    }

    /// Whether no field is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Number of fields in the set, 0 to 8.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The set as bits, the first field in the lowest.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of which these are the bits.
    pub const fn of_bits(bits: u8) -> FieldSet {
        FieldSet(bits)
    }

    /// Adds `field`.
    pub fn insert(&mut self, field: Field) {
        self.0 |= field.bit();
    }

    /// Takes `field` out.
    pub fn remove(&mut self, field: Field) {
        self.0 &= !field.bit();
    }

    /// The fields that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: FieldSet) -> FieldSet {
        FieldSet(self.0 & other.0)
    }

    /// The fields, in the order of [`Field::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.into_iter().filter(move |field| self.contains(*field))
    }
}

impl Extend<Field> for FieldSet {
    fn extend<I: IntoIterator<Item = Field>>(&mut self, fields: I) {
        fields.into_iter().for_each(|field| self.insert(field));
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> FieldSet {
        let mut set = FieldSet::EMPTY;
        for field in fields {
            set.insert(field);
        }
        set
    }
}

impl fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for FieldSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for FieldSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<FieldSet, D::Error> {
        Ok(Vec::<Field>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_own_name() {
        for field in Field::ALL {
            assert_eq!(Field::from_name(field.name()), Some(field));
        }
        assert_eq!(Field::from_name("nickname"), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let mut set: FieldSet = [Field::Title, Field::Email].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Field::Email, Field::Title]);
        set.remove(Field::Email);
        assert!(!set.contains(Field::Email) && set.contains(Field::Title));
        assert_eq!((set.len(), FieldSet::ALL.len()), (1, Field::ALL.len()));
    }
}
