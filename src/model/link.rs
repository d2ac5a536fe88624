//! Links between the two sides, and what both last agreed on.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
///
/// A field may also be *apart*: it is known what each side has, that differs, and a
/// person wants it so, since a run that made it the same was undone.
///
/// Serialises as an object of `["text in the source", "text in Linq"]` for each field,
/// with a third member `"apart"` where it is apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    agreements: [Option<Agreement>; 8],
    apart: FieldSet,
}

impl Base {
    /// The agreement on `field`, if there has ever been one.
    pub fn get(&self, field: Field) -> Option<&Agreement> {
        self.agreements[field as usize].as_ref()
    }

    /// Records that both sides now agree on `field`.
    pub fn set(&mut self, field: Field, agreement: Agreement) {
        self.apart.remove(field);
        self.agreements[field as usize] = Some(agreement);
    }

    /// Records that each side keeps what it has in `field`.
    pub fn set_apart(&mut self, field: Field, each: Agreement) {
        self.set(field, each);
        self.apart.insert(field);
    }

    /// Whether each side keeps what it has in `field`.
    pub fn is_apart(&self, field: Field) -> bool {
        self.apart.contains(field)
    }

    /// Takes over what `other` says of `field`, if anything.
    pub fn take(&mut self, field: Field, other: &Base) {
        match other.get(field) {
            Some(each) if other.is_apart(field) => self.set_apart(field, each.clone()),
            Some(agreement) => self.set(field, agreement.clone()),
            None => {}
        }
    }

    /// The same, as if nothing were known of `fields`.
    #[must_use]
    pub fn without(&self, fields: FieldSet) -> Base {
        let mut base = Base::default();
        for field in self.fields().iter().filter(|field| !fields.contains(*field)) {
            base.take(field, self);
        }
        base
    }

    /// Whether nothing is known of any field.
    pub fn is_empty(&self) -> bool {
        self.fields().is_empty()
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

const APART: &str = "apart";

impl Serialize for Base {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in self.fields().iter() {
            let Some(Agreement { source, linq }) = self.get(field) else { continue };
            if self.is_apart(field) {
                map.serialize_entry(&field, &[source.as_str(), linq, APART])?;
            } else {
                map.serialize_entry(&field, &[source, linq])?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Base {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Base, D::Error> {
        let mut base = Base::default();
        for (field, texts) in BTreeMap::<Field, Vec<String>>::deserialize(deserializer)? {
            match texts.as_slice() {
                [source, linq] => {
                    let (source, linq) = (source.clone(), linq.clone());
                    base.set(field, Agreement { source, linq });
                }
                [source, linq, apart] if apart == APART => {
                    let (source, linq) = (source.clone(), linq.clone());
                    base.set_apart(field, Agreement { source, linq });
                }
                _ => return Err(D::Error::custom("not a base")),
            }
        }
        Ok(base)
    }
}

/// What both sides had in a field before a run wrote it, and what it left them with:
/// what there is to know to put it back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseChange {
    /// The field.
    pub field: Field,
    /// What both agreed on before, or else what each had.
    pub before: Agreement,
    /// Whether `before` was agreed on.
    pub agreed: bool,
    /// What each had afterwards.
    pub after: Agreement,
}

impl fmt::Debug for BaseChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseChange({})", self.field)
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
