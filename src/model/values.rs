//! The values of a contact: one text for each field.

use std::fmt;
use std::ops::{Index, IndexMut};

use ecow::EcoString;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Field, FieldSet};

/// One text for each field, exactly as a side shows it. An empty text is a blank:
/// Linq's `null`, `""` and an absent member mean the same.
///
/// Serialises as an object of the non-blank fields. `Debug` shows which fields
/// are filled, never with what.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Values([EcoString; 8]);

impl Values {
    /// The same values with every field outside `fields` blank.
    #[must_use]
    pub fn only_fields(&self, fields: FieldSet) -> Values {
        let mut values = Values::default();
        for field in fields.iter() {
            values[field].clone_from(&self[field]);
        }
        values
    }

    /// Whether nothing identifies the contact: no name, e-mail or phone number.
    pub fn lacks_identity(&self) -> bool {
        Field::IDENTITY.into_iter().all(|field| self[field].trim().is_empty())
    }

    /// Whether Linq can search for the contact: it sees e-mail addresses and phone numbers.
    pub fn can_be_found(&self) -> bool {
        [Field::Email, Field::PhoneNumber].into_iter().any(|field| !self[field].trim().is_empty())
    }

    /// The fields that are not blank.
    pub fn filled_fields(&self) -> FieldSet {
        Field::ALL.into_iter().filter(|field| !self[*field].trim().is_empty()).collect()
    }

    /// A name for people to recognise the contact by: full name, else e-mail,
    /// else phone number, else company, else a dash.
    pub fn display_name(&self) -> String {
        let full = format!("{} {}", self[Field::FirstName].trim(), self[Field::LastName].trim());
        [full.trim(), &self[Field::Email], &self[Field::PhoneNumber], &self[Field::Company]]
            .into_iter()
            .find(|text| !text.trim().is_empty())
            .unwrap_or("—")
            .trim()
            .to_owned()
    }

    /// These values after `changes`.
    #[must_use]
    pub fn with_changes(&self, changes: &[FieldChange]) -> Values {
        let mut values = self.clone();
        for change in changes {
            values[change.field].clone_from(&change.to);
        }
        values
    }
}

impl Index<Field> for Values {
    type Output = EcoString;

    fn index(&self, field: Field) -> &EcoString {
        &self.0[field as usize]
    }
}

impl IndexMut<Field> for Values {
    fn index_mut(&mut self, field: Field) -> &mut EcoString {
        &mut self.0[field as usize]
    }
}

impl<T: Into<EcoString>> FromIterator<(Field, T)> for Values {
    fn from_iter<I: IntoIterator<Item = (Field, T)>>(pairs: I) -> Values {
        let mut values = Values::default();
        for (field, text) in pairs {
            values[field] = text.into();
        }
        values
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values{:?}", self.filled_fields())
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let filled = Field::ALL.into_iter().filter(|field| !self[*field].is_empty());
        let mut map = serializer.serialize_map(None)?;
        for field in filled {
            map.serialize_entry(&field, &self[field])?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Values, D::Error> {
        struct ValuesVisitor;
        impl<'de> Visitor<'de> for ValuesVisitor {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of field names and texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Values, A::Error> {
                let mut values = Values::default();
                while let Some((field, text)) = map.next_entry::<Field, EcoString>()? {
                    values[field] = text;
                }
                Ok(values)
            }
        }
        deserializer.deserialize_map(ValuesVisitor)
    }
}

/// One field that gets another text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field that changes.
    pub field: Field,
    /// Its text before; empty for a blank.
    pub from: EcoString,
    /// Its text afterwards; empty to clear it.
    pub to: EcoString,
}

impl FieldChange {
    /// Whether it takes a value away and puts none in its place.
    pub fn clears_value(&self) -> bool {
        self.to.trim().is_empty() && !self.from.trim().is_empty()
    }

    /// Whether it puts another value in the place of one.
    pub fn replaces_value(&self) -> bool {
        !self.to.trim().is_empty() && !self.from.trim().is_empty()
    }
}

impl fmt::Debug for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change({})", self.field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Values {
        [(Field::FirstName, "Ada".to_owned()), (Field::Company, "Engine Ltd".to_owned())]
            .into_iter()
            .collect()
    }

    #[test]
    fn debug_output_names_fields_and_shows_no_value() {
        assert_eq!(format!("{:?}", ada()), "Values{FirstName, Company}");
    }

    #[test]
    fn values_survive_json_and_leave_blanks_out() {
        let json = serde_json::to_string(&ada()).unwrap();
        assert_eq!(json, r#"{"first_name":"Ada","company":"Engine Ltd"}"#);
        assert_eq!(serde_json::from_str::<Values>(&json).unwrap(), ada());
    }

    #[test]
    fn a_company_alone_does_not_identify_a_person() {
        assert!(ada().only_fields([Field::Company].into_iter().collect()).lacks_identity());
        assert!(!ada().lacks_identity());
    }
}
