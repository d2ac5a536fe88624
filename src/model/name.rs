//! Names of people, for matching only: case, accents and order do not count.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::{Field, Needles, Values};

/// Whether both have a name and share no part of it.
pub fn names_contradict(a: &Values, b: &Values) -> bool {
    let parts = |values: &Values| -> BTreeSet<String> {
        [Field::FirstName, Field::LastName]
            .into_iter()
            .flat_map(|field| name_parts(&values[field]))
            .collect()
    };
    let (a, b) = (parts(a), parts(b));
    !a.is_empty() && !b.is_empty() && a.is_disjoint(&b)
}

/// Whether the first names share a part, or at least one side has none.
pub fn first_names_agree(a: &Values, b: &Values) -> bool {
    let (a, b) = (name_parts(&a[Field::FirstName]), name_parts(&b[Field::FirstName]));
    a.is_empty() || b.is_empty() || !a.is_disjoint(&b)
}

/// Whether each part of `part` is one of `name`, of which there is more.
pub fn name_contains(name: &str, part: &str) -> bool {
    let (name, part) = (name_parts(name), name_parts(part));
    !part.is_empty() && part.is_subset(&name) && part.len() < name.len()
}

/// First name, last name and company as one key to match contacts by; `None`
/// unless all three are filled.
pub fn name_and_company_key(values: &Values) -> Option<String> {
    let company = name_words(&values[Field::Company]);
    let [first, last] = [Field::FirstName, Field::LastName].map(|field| name_words(&values[field]));
    let filled = [&first, &last, &company].into_iter().all(|text| !text.is_empty());
    filled.then(|| [first, last, company].join("\u{1f}"))
}

/// First and last name as one key, however they are parted; `None` when both are blank.
pub fn full_name_key(values: &Values) -> Option<String> {
    let names = [Field::FirstName, Field::LastName].map(|field| name_words(&values[field]));
    let filled: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
    (!filled.is_empty()).then(|| filled.join(" "))
}

/// Whether people call the contact with these values `name`: first and last name in either
/// order, with or without a comma between them, or what it is called where it has no name.
pub fn is_called(values: &Values, name: &str) -> bool {
    let [first, last] = [Field::FirstName, Field::LastName].map(|field| name_words(&values[field]));
    let name = name_words(name);
    if name.is_empty() {
        return false;
    }
    let orders = [format!("{first} {last}"), format!("{last} {first}"), format!("{last}, {first}")];
    orders.iter().any(|full| full.trim() == name) || name_words(&values.display_name()) == name
}

/// What the values of whoever is called `name` have in them.
pub fn name_needles(name: &str) -> Needles {
    Needles::new([name_words(name)
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .map(String::from)])
}

fn name_words(text: &str) -> String {
    fold_text(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn name_parts(name: &str) -> BTreeSet<String> {
    fold_text(name)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(String::from)
        .collect()
}

/// Without case and accents. The short way for ASCII leads to the same.
fn fold_text(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { folded_text(text) }
}

fn folded_text(text: &str) -> String {
    let bare: String = text.nfkd().filter(|c| !is_combining_mark(*c)).collect();
    caseless::default_case_fold_str(&bare)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_short_way_of_an_ascii_name_is_that_of_any_other(name in "[ -~]{0,20}") {
            prop_assert_eq!(fold_text(&name), folded_text(&name));
        }
    }

    fn person(first: &str, last: &str) -> Values {
        [(Field::FirstName, first.to_owned()), (Field::LastName, last.to_owned())]
            .into_iter()
            .collect()
    }

    #[test]
    fn names_contradict_only_when_nothing_is_shared() {
        assert!(names_contradict(&person("Jane", "Doe"), &person("Bo", "Wang")));
        assert!(!names_contradict(&person("Jane", "Doe"), &person("JANE", "Müller")));
        assert!(!names_contradict(&person("", ""), &person("Bo", "Wang")));
        assert!(!names_contradict(&person("Léa", "Rossi"), &person("Rossi", "Lea")));
    }

    #[test]
    fn a_family_shares_a_name_and_not_a_first_name() {
        assert!(!first_names_agree(&person("Jane", "Doe"), &person("John", "Doe")));
        assert!(first_names_agree(&person("Mary Ann", "Doe"), &person("mary", "Roe")));
        assert!(first_names_agree(&person("", "Doe"), &person("John", "Doe")));
    }

    #[test]
    fn a_full_name_is_the_same_however_it_is_parted() {
        let key = |first, last| full_name_key(&person(first, last));
        assert_eq!(key("Ann", "Bell"), key(" ANN  Bell", ""));
        assert_ne!(key("Ann", "Bell"), key("Bell", "Ann"));
        assert_eq!(key(" ", ""), None);
    }

    #[test]
    fn a_contact_is_called_by_its_full_name_in_either_order() {
        let ada = person("Ada", "Lovelace King");
        for name in ["ada lovelace  king", "Lovelace King, Ada", "LOVELACE KING ADA"] {
            assert!(is_called(&ada, name), "{name}");
        }
        for name in ["Ada", "Lovelace King", "Ada King", ""] {
            assert!(!is_called(&ada, name), "{name}");
        }
        assert!(is_called(&person("Zoë", ""), "zoe"));
    }

    #[test]
    fn name_and_company_are_a_key_only_together() {
        let mut ada = person("Ada", "King  Noel");
        assert_eq!(name_and_company_key(&ada), None);
        ada[Field::Company] = "ÉNGINE".into();
        assert_eq!(name_and_company_key(&ada).as_deref(), Some("ada\u{1f}king noel\u{1f}engine"));
    }
}
