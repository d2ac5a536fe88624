//! Links between the two sides, and what both last agreed on.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Field, FieldSet, Fingerprint, LinkId, LinqId, SourceKey, Timestamp, Values};

/// What the two sides had in one field when they last agreed: each its own
/// spelling. A side has changed when its value differs from *its own* half, so
/// whatever Linq rewrites never looks like an edit.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The text in the source.
    pub source: String,
    /// The text in Linq.
    pub linq: String,
}

impl fmt::Debug for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Agreement({}+{} bytes)", self.source.len(), self.linq.len())
    }
}

/// The base of a link: for each field, what both sides last agreed on. A field
/// without an agreement has never been the same on both sides: it was not mapped
/// so far, or the sides have contradicted each other since they were linked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base([Option<Agreement>; 8]);

impl Base {
    /// The agreement on `field`, if there has ever been one.
    pub fn get(&self, field: Field) -> Option<&Agreement> {
        self.0[field as usize].as_ref()
    }

    /// Records that both sides now agree on `field`.
    pub fn set(&mut self, field: Field, agreement: Agreement) {
        self.0[field as usize] = Some(agreement);
    }

    /// The fields with an agreement.
    pub fn fields(&self) -> FieldSet {
        Field::ALL.into_iter().filter(|field| self.get(*field).is_some()).collect()
    }

    /// The source's halves; fields without an agreement are blank.
    pub fn source_values(&self) -> Values {
        self.halves(|agreement| &agreement.source)
    }

    /// Linq's halves; fields without an agreement are blank.
    pub fn linq_values(&self) -> Values {
        self.halves(|agreement| &agreement.linq)
    }

    fn halves(&self, half: impl Fn(&Agreement) -> &String) -> Values {
        self.fields().iter().filter_map(|f| Some((f, half(self.get(f)?).clone()))).collect()
    }
}

impl FromIterator<(Field, Agreement)> for Base {
    fn from_iter<I: IntoIterator<Item = (Field, Agreement)>>(pairs: I) -> Base {
        let mut base = Base::default();
        for (field, agreement) in pairs {
            base.set(field, agreement);
        }
        base
    }
}

/// A record of the source and a contact in Linq that are the same person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Our id.
    pub id: LinkId,
    /// The contact. At most one link has it.
    pub linq_id: LinqId,
    /// Whether the pair is kept the same.
    pub status: LinkStatus,
    /// The record's key when it was last read, where the source has keys.
    pub key: Option<SourceKey>,
    /// The record's bytes when it was last read: how an unchanged row without a
    /// key is recognised.
    pub fingerprint: Fingerprint,
    /// What both sides last agreed on.
    pub base: Base,
    /// Since when complete readings of the source have lacked the record.
    pub source_missing_since: Option<Timestamp>,
    /// Since when the contact is proven to be gone from Linq.
    pub linq_missing_since: Option<Timestamp>,
}

/// Whether a linked pair is kept the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkStatus {
    /// The pair is kept the same.
    Linked,
    /// One half is gone and is not to be deleted on the other side: remembered,
    /// never recreated, written or deleted, until it is back.
    Released,
}
