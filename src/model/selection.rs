//! Which records of the source take part.
//!
//! Owns the rule of `[source.only]`: whether what a record has in one column or property
//! selects it. Leaves reading that column to [`crate::source`], and what follows for a record
//! that takes no part to [`crate::plan`].

use std::fmt;

use super::text::fold_spaces;
use super::{Field, Values};

/// The rule by which records take part, as it is configured.
#[derive(Clone, PartialEq, Eq)]
pub struct Selection {
    /// The column of a table, or the property of a card.
    pub column: String,
    /// The values that select, or exclude; at least one, and none is blank.
    pub values: Vec<String>,
    /// Whether records with one of the values are those that take no part.
    pub except: bool,
}

impl Selection {
    /// Whether a record that has these `texts` there takes part.
    pub fn takes<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        let values: Vec<String> = self.values.iter().map(|value| compared(value)).collect();
        let is_named = texts.into_iter().map(compared).any(|text| values.contains(&text));
        is_named != self.except
    }

    /// The rule, the same however it is spelled.
    pub fn rule(&self) -> String {
        let mut values: Vec<String> = self.values.iter().map(|value| compared(value)).collect();
        values.sort();
        values.dedup();
        format!("{} {} {values:?}", compared(&self.column), self.except)
    }

    /// What a record that is made for a contact of Linq gets there: the first value. With
    /// `except` it takes part without one.
    pub fn first(&self) -> Option<&str> {
        self.values.first().map(String::as_str).filter(|_| !self.except)
    }
}

/// `text` as it is compared: without blanks around it, in lower case.
fn compared(text: &str) -> String {
    fold_spaces(text).trim().to_lowercase()
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selection({} values)", self.values.len())
    }
}

impl fmt::Display for Selection {
    /// The rule for people: "`Sync` is “yes” or “x”".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, or) = if self.except { ("is not", "nor") } else { ("is", "or") };
        let quoted: Vec<String> = self.values.iter().map(|value| format!("“{value}”")).collect();
        write!(f, "`{}` {verb} {}", self.column, quoted.join(&format!(" {or} ")))
    }
}

/// Of what of a contact a column or property tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectionBasis {
    /// Of one field.
    Field(Field),
    /// Of first and last name together.
    WholeName,
    /// Of first and last name, each apart.
    Names,
}

/// A selection, and of what the column or property tells that it goes by, if of a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedBy {
    /// The rule.
    pub selection: Selection,
    /// Of what the column or property tells.
    pub told: Option<SelectionBasis>,
}

impl SelectedBy {
    /// Whether a record that is made of these `values` of a contact takes part: where the
    /// rule goes by a column that is a field's, the contact's own value decides.
    pub fn takes(&self, values: &Values) -> bool {
        let (first, last) = (&*values[Field::FirstName], &*values[Field::LastName]);
        let field = match self.told {
            Some(SelectionBasis::Field(field)) => field,
            Some(SelectionBasis::WholeName) => {
                let wholes = [[first, last], [last, first]].map(|names| names.join(" "));
                return self.selection.takes(wholes.iter().map(String::as_str));
            }
            Some(SelectionBasis::Names) => return self.selection.takes([first, last]),
            None => return true,
        };
        let text = &*values[field];
        match field {
            Field::Location => self.selection.takes(text.split(", ").chain([text])),
            Field::FirstName
            | Field::LastName
            | Field::Email
            | Field::PhoneNumber
            | Field::Company
            | Field::Title
            | Field::Owner => self.selection.takes([text]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(values: &[&str], except: bool) -> Selection {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Selection { column: "Sync".to_owned(), values, except }
    }

    #[test]
    fn a_value_selects_whatever_its_case_and_the_blanks_around_it() {
        let only = selection(&["yes", " X "], false);
        for (texts, takes) in [
            (&["yes"][..], true),
            (&[" YES\t"], true),
            (&["\u{a0}x"], true),
            (&["no", "Yes"], true),
            (&["yes please"], false),
            (&[""], false),
            (&[], false),
        ] {
            assert_eq!(only.takes(texts.iter().copied()), takes, "{texts:?}");
            let except = Selection { except: true, ..only.clone() };
            assert_eq!(except.takes(texts.iter().copied()), !takes, "all but {texts:?}");
        }
    }

    #[test]
    fn new_records_get_the_first_value_unless_values_exclude() {
        assert_eq!(selection(&["yes", "x"], false).first(), Some("yes"));
        assert_eq!(selection(&["no"], true).first(), None);
        assert_eq!(selection(&["yes", "x"], false).to_string(), "`Sync` is “yes” or “x”");
        assert_eq!(selection(&["no", "left"], true).to_string(), "`Sync` is not “no” nor “left”");
    }

    #[test]
    fn where_the_column_is_a_fields_the_contacts_own_value_decides() {
        let by = |field: Option<Field>| {
            let selection = selection(&["oslo", "acme"], false);
            SelectedBy { selection, told: field.map(SelectionBasis::Field) }
        };
        let values = Values::from_iter([
            (Field::Company, "ACME".to_owned()),
            (Field::Location, "Oslo, Norway".to_owned()),
        ]);
        assert!(by(None).takes(&values) && by(Some(Field::Company)).takes(&values));
        assert!(by(Some(Field::Location)).takes(&values) && !by(Some(Field::Title)).takes(&values));
    }

    #[test]
    fn a_whole_name_is_compared_as_a_whole_and_names_apart_each() {
        let takes = |told, value, except| {
            let selection = selection(&[value], except);
            let values = [(Field::FirstName, "Ada"), (Field::LastName, "King")];
            let values = Values::from_iter(values.map(|(field, text)| (field, text.to_owned())));
            SelectedBy { selection, told: Some(told) }.takes(&values)
        };
        for (told, value, expected) in [
            (SelectionBasis::WholeName, "ada king", true),
            (SelectionBasis::WholeName, "King Ada", true),
            (SelectionBasis::WholeName, "King", false),
            (SelectionBasis::Names, "King", true),
            (SelectionBasis::Names, "Ada", true),
            (SelectionBasis::Names, "Ada King", false),
        ] {
            assert_eq!(takes(told, value, false), expected, "{told:?} {value}");
            assert_eq!(takes(told, value, true), !expected, "{told:?} all but {value}");
        }
    }
}
