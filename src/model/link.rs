//! Links between the two sides, and what both last agreed on.

use std::borrow::Cow;
use std::fmt;

use ecow::EcoString;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Canon, Field, FieldSet, Fingerprint, LinkId, LinqId, NamesSeen, Side, SourceKey, SourceRecord,
    Timestamp, Values,
};

/// What the two sides had in one field when they last agreed: each its own
/// spelling. A side has changed when its value differs from *its own* half, so
/// whatever Linq rewrites never looks like an edit.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The text in the source.
    pub source: EcoString,
    /// The text in Linq.
    pub linq: EcoString,
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
/// A half is *void* after a change of settings: it was read from another column, or in
/// another encoding, and says nothing about the values of today. A field with a void half
/// has no agreement until both sides are the same again. The other half stays known: its
/// side has changed if it differs from it.
///
/// A field may also be *apart*: it is known what each side has, that differs, and a
/// person wants it so, since a run that made it the same was undone.
///
/// Serialises as an object of `["text in the source", "text in Linq"]` for each field,
/// with `null` for a void half, and a third member `"apart"` where it is apart. Beside them
/// stands `names`, for a record that tells its name twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    agreements: [Option<Agreement>; 8],
    /// The fields whose half is void, for each side; such a half is empty.
    void: [FieldSet; 2],
    apart: FieldSet,
    /// How the record told its name, where it does so twice.
    names: Option<Box<NamesSeen>>,
}

impl Base {
    /// The agreement on `field`, if there has ever been one that still stands.
    pub fn get(&self, field: Field) -> Option<&Agreement> {
        self.agreements[field as usize].as_ref().filter(|_| !self.is_void(field))
    }

    /// Records that both sides now agree on `field`.
    pub fn set(&mut self, field: Field, agreement: Agreement) {
        self.apart.remove(field);
        self.void.iter_mut().for_each(|void| void.remove(field));
        self.agreements[field as usize] = Some(agreement);
    }

    /// Records what each side has in `field` and neither is to be given: an agreement only if
    /// that is the same. Two different values are apart.
    pub fn set_agreement(&mut self, field: Field, each: Agreement, canon: Canon) {
        if canon.has_all_of(field, &each.source, &each.linq) {
            self.set(field, each);
        } else {
            self.set_apart(field, each);
        }
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

    /// Makes the half of `side` void. What the other side has is `other` where nothing
    /// was known of it.
    pub fn make_void(&mut self, side: Side, field: Field, other: &str) {
        let agreement = self.agreements[field as usize].get_or_insert_with(|| match side {
            Side::Source => Agreement { source: EcoString::new(), linq: other.into() },
            Side::Linq => Agreement { source: other.into(), linq: EcoString::new() },
        });
        match side {
            Side::Source => agreement.source.clear(),
            Side::Linq => agreement.linq.clear(),
        }
        self.apart.remove(field);
        self.void[side as usize].insert(field);
    }

    /// Whether a half of `field` is void, so that there is no agreement.
    pub fn is_void(&self, field: Field) -> bool {
        self.void.iter().any(|void| void.contains(field))
    }

    /// What `side` had in `field` when both last agreed; `None` if nothing is known of it,
    /// or its half is void.
    pub fn half_text(&self, side: Side, field: Field) -> Option<&str> {
        let agreement = self.agreements[field as usize].as_ref()?;
        let half = match side {
            Side::Source => &agreement.source,
            Side::Linq => &agreement.linq,
        };
        (!self.void[side as usize].contains(field)).then_some(half)
    }

    /// Takes over what `other` says of `field`, if it has an agreement on it.
    pub fn take_field(&mut self, field: Field, other: &Base) {
        match other.get(field) {
            Some(each) if other.is_apart(field) => self.set_apart(field, each.clone()),
            Some(agreement) => self.set(field, agreement.clone()),
            None => {}
        }
    }

    /// The same, as if nothing were known of `fields`.
    #[must_use]
    pub fn without_fields(&self, fields: FieldSet) -> Base {
        let mut base = self.clone();
        for field in fields.iter() {
            base.agreements[field as usize] = None;
            base.apart.remove(field);
            base.void.iter_mut().for_each(|void| void.remove(field));
        }
        base
    }

    /// How the record told its name when both sides agreed on it, where it did so twice.
    pub fn names_seen(&self) -> Option<&NamesSeen> {
        self.names.as_deref()
    }

    /// Remembers how `record` tells its name, if that is what was agreed on.
    pub fn see_names(&mut self, record: &SourceRecord, canon: Canon) {
        let is_agreed = |field: Field| {
            self.get(field)
                .is_some_and(|each| canon.means_same(field, &each.source, &record.values[field]))
        };
        if is_agreed(Field::FirstName) && is_agreed(Field::LastName) {
            self.names = record.names_seen().map(Box::new);
        }
    }

    /// Whether [`Base::see_names`] would remember something else of `record`.
    pub fn sees_names_anew(&self, record: &SourceRecord, canon: Canon) -> bool {
        let mut after = self.clone();
        after.see_names(record, canon);
        after.names != self.names
    }

    /// Whether nothing is known of any field.
    pub fn is_empty(&self) -> bool {
        self.agreements.iter().all(Option::is_none)
    }

    /// The fields with an agreement.
    pub fn agreed_fields(&self) -> FieldSet {
        Field::ALL.into_iter().filter(|field| self.get(*field).is_some()).collect()
    }

    /// The source's halves; fields of which none is known are blank.
    pub fn source_values(&self) -> Values {
        half_values(|field| self.half_text(Side::Source, field))
    }

    /// Linq's halves; fields of which none is known are blank.
    pub fn linq_values(&self) -> Values {
        half_values(|field| self.half_text(Side::Linq, field))
    }

    /// What is known of the record: the source's halves, and Linq's where those are void.
    pub fn known_values(&self) -> Values {
        half_values(|field| {
            self.half_text(Side::Source, field).or_else(|| self.half_text(Side::Linq, field))
        })
    }
}

fn half_values<'a>(half: impl Fn(Field) -> Option<&'a str>) -> Values {
    Field::ALL.into_iter().filter_map(|field| Some((field, half(field)?))).collect()
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
const NAMES: &str = "names";

impl Serialize for Base {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in Field::ALL {
            if self.agreements[field as usize].is_none() {
                continue;
            }
            let [source, linq] = Side::ALL.map(|side| self.half_text(side, field));
            if self.is_apart(field) {
                map.serialize_entry(&field, &[source, linq, Some(APART)])?;
            } else {
                map.serialize_entry(&field, &[source, linq])?;
            }
        }
        if let Some(names) = &self.names {
            map.serialize_entry(NAMES, names)?;
        }
        map.end()
    }
}

/// What stands in JSON for one field.
struct Halves {
    each: [Option<EcoString>; 2],
    is_apart: bool,
}

impl<'de> Deserialize<'de> for Halves {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Halves, D::Error> {
        struct HalvesVisitor;
        impl<'de> Visitor<'de> for HalvesVisitor {
            type Value = Halves;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "two texts or nulls, with {APART:?} after them or nothing")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Halves, A::Error> {
                let missing = |at| A::Error::invalid_length(at, &self);
                let source = texts.next_element()?.ok_or_else(|| missing(0))?;
                let linq = texts.next_element()?.ok_or_else(|| missing(1))?;
                let third: Option<Cow<'de, str>> = texts.next_element()?;
                let is_apart = third.as_deref() == Some(APART);
                if third.is_some() && !is_apart || texts.next_element::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom("not a base"));
                }
                Ok(Halves { each: [source, linq], is_apart })
            }
        }
        deserializer.deserialize_seq(HalvesVisitor)
    }
}

impl Base {
    /// Takes over what stands in JSON for `field`.
    fn read_halves(&mut self, field: Field, halves: Halves) {
        let Halves { each, is_apart } = halves;
        let void = each.each_ref().map(Option::is_none);
        let [source, mut linq] = each.map(Option::unwrap_or_default);
        if source == linq {
            // One text for both.
            linq = source.clone();
        }
        self.set(field, Agreement { source, linq });
        for (side, is_void) in Side::ALL.into_iter().zip(void) {
            if is_void {
                self.void[side as usize].insert(field);
            }
        }
        if is_apart && !self.is_void(field) {
            self.apart.insert(field);
        }
    }
}

impl<'de> Deserialize<'de> for Base {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Base, D::Error> {
        struct BaseVisitor;
        impl<'de> Visitor<'de> for BaseVisitor {
            type Value = Base;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of field names, each with two texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Base, A::Error> {
                let mut base = Base::default();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    if name == NAMES {
                        base.names = Some(map.next_value()?);
                        continue;
                    }
                    let field =
                        Field::from_name(&name).ok_or_else(|| A::Error::custom("not a field"))?;
                    base.read_halves(field, map.next_value()?);
                }
                Ok(base)
            }
        }
        deserializer.deserialize_map(BaseVisitor)
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
    /// What was written in the record, as [`super::SourceRecord::content`], when it was last
    /// read or written while the contact was there: whatever differs from it is an edit that
    /// Linq's deletion has not seen. `None` in links of old, of which that is not known.
    pub content: Option<Fingerprint>,
    /// What both sides last agreed on.
    pub base: Base,
    /// Since when complete readings of the source have lacked the record.
    pub source_missing_since: Option<Timestamp>,
    /// Since when the contact is proven to be gone from Linq.
    pub linq_missing_since: Option<Timestamp>,
    /// Why a released pair takes no part; `None` where it is released for another reason.
    pub excluded: Option<Exclusion>,
}

/// Why a pair was released that takes no part, and is as any other once it takes part again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exclusion {
    /// Its record is outside the selection of the source.
    Selection,
    /// A person wants it to be ignored.
    Ignored,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_of_old_is_read_and_a_void_half_is_null() {
        let text = r#"{"email":["a@x.example","A@x.example"],"title":["Chief","Boss","apart"]}"#;
        let mut base: Base = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&base).unwrap(), text);
        base.make_void(Side::Source, Field::Title, "");
        base.make_void(Side::Source, Field::Company, "Works");
        base.make_void(Side::Linq, Field::Email, "");
        let text =
            r#"{"email":["a@x.example",null],"company":[null,"Works"],"title":[null,"Boss"]}"#;
        assert_eq!(serde_json::to_string(&base).unwrap(), text);
        assert_eq!(serde_json::from_str::<Base>(text).unwrap(), base);
        assert!(
            base.agreed_fields().is_empty() && !base.is_empty() && !base.is_apart(Field::Title)
        );
        assert_eq!(base.half_text(Side::Linq, Field::Title), Some("Boss"));
        assert_eq!(base.known_values()[Field::Company], "Works");
        base.set(Field::Title, Agreement { source: "Boss".into(), linq: "Boss".into() });
        assert!(base.get(Field::Title).is_some() && !base.is_void(Field::Title));
        assert!(base.without_fields(FieldSet::ALL).is_empty());
    }

    #[test]
    fn a_base_is_read_from_the_json_that_it_is_written_as() {
        let agreed = |text: &str| Agreement { source: text.into(), linq: "b\n".into() };
        let mut base = Base::default();
        base.set(Field::Title, agreed("a \"quoted\" text"));
        base.set_apart(Field::Company, agreed(APART));
        let json = r#"{"company":["apart","b\n","apart"],"title":["a \"quoted\" text","b\n"]}"#;
        assert_eq!(serde_json::to_string(&base).unwrap(), json);
        assert_eq!(serde_json::from_str::<Base>(json).unwrap(), base);
    }

    #[test]
    fn how_a_name_was_told_is_remembered_in_the_base() {
        let mut base = Base::default();
        let (parts, whole) = (Fingerprint::of(b"parts"), Fingerprint::of(b"whole"));
        base.names = Some(Box::new(NamesSeen { parts, whole, is_same: true, told: None }));
        base.set(Field::Title, Agreement::default());
        let json = serde_json::to_string(&base).unwrap();
        assert_eq!(serde_json::from_str::<Base>(&json).unwrap(), base);
    }

    #[test]
    fn what_is_no_base_is_refused() {
        for json in [
            r#"{"title":[]}"#,
            r#"{"title":["a"]}"#,
            r#"{"title":["a","b","c"]}"#,
            r#"{"title":["a","b","apart","d"]}"#,
            r#"{"title":"a"}"#,
            r#"{"salary":["a","b"]}"#,
            "[]",
        ] {
            assert!(serde_json::from_str::<Base>(json).is_err(), "{json}");
        }
    }
}
