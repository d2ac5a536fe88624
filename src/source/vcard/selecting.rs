//! Which cards take part: what a card has in the property of `source.only`.
//!
//! Owns the values of that property, and the line that a new card gets so that it takes part.
//! Leaves the rule itself to [`crate::model::Selection`].

use crate::model::{Field, SelectedBy, Selection, SelectionBasis};

use super::VcardVersion;
use super::card::{Card, CardVersion, own};
use super::escape::escape_text;
use super::property::Property;

/// The rule, with the field whose property it goes by.
pub(super) fn selected_by(only: &Selection) -> SelectedBy {
    SelectedBy { selection: only.clone(), told: told(&only.column) }
}

/// What is read from the properties called `name`, if anything is.
fn told(name: &str) -> Option<SelectionBasis> {
    Some(match &*name.to_ascii_uppercase() {
        "FN" => SelectionBasis::WholeName,
        "N" => SelectionBasis::Names,
        "EMAIL" => SelectionBasis::Field(Field::Email),
        "TEL" => SelectionBasis::Field(Field::PhoneNumber),
        "ORG" => SelectionBasis::Field(Field::Company),
        "TITLE" => SelectionBasis::Field(Field::Title),
        "ADR" => SelectionBasis::Field(Field::Location),
        _ => return None,
    })
}

impl Card<'_> {
    /// What the properties called `name` say: the whole text of each, its components, and
    /// the parts of a list. What cannot be decoded says nothing.
    pub(super) fn selecting(&self, name: &str) -> Vec<String> {
        let name = name.to_ascii_uppercase();
        let mut texts = Vec::new();
        let named = own(self.lines)
            .filter_map(|line| Property::of_names(*line, self.body, &[name.as_str()]));
        for property in named {
            texts.extend(self.property_text(&property).ok());
            let pieces = self.property_pieces(&property).unwrap_or_default();
            for piece in pieces {
                let parts = if name == "CATEGORIES" { listed(&piece) } else { vec![&*piece] };
                texts.extend(parts.into_iter().map(|part| self.meant_text(part)));
            }
        }
        texts
    }
}

/// The parts of `text` between commas that are not escaped.
fn listed(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut is_escaped) = (Vec::new(), 0, false);
    for (at, character) in text.char_indices() {
        if character == ',' && !is_escaped {
            parts.push(&text[start..at]);
            start = at + 1;
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    parts.push(&text[start..]);
    parts
}

/// The line by which a new card takes part; empty where it needs none, or the property is
/// that of a field.
pub(super) fn mark(only: &Selection, version: VcardVersion) -> String {
    let version = match version {
        VcardVersion::V3 => CardVersion::V3,
        VcardVersion::V4 => CardVersion::V4,
    };
    let name = only.column.to_ascii_uppercase();
    match only.first() {
        Some(value) if told(&name).is_none() => {
            folded(&format!("{name}:{}", escape_text(value, version)))
        }
        Some(_) | None => String::new(),
    }
}

/// `line` in pieces of at most 75 bytes, with its line end.
fn folded(line: &str) -> String {
    const WIDTH: usize = 75;
    let (mut folded, mut column) = (String::with_capacity(line.len() + 2), 0);
    for character in line.chars() {
        if column + character.len_utf8() > WIDTH {
            folded.push_str("\r\n ");
            column = 1;
        }
        folded.push(character);
        column += character.len_utf8();
    }
    folded + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::super::folder::CardsRead;
    use super::super::new_card;
    use super::*;
    use crate::model::{LinqId, Values};

    fn only(column: &str, values: &[&str]) -> Selection {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Selection { column: column.to_owned(), values, except: false }
    }

    #[test]
    fn any_value_of_a_property_that_has_several_selects_a_card() {
        for (lines, column, value, takes) in [
            ("CATEGORIES:Friends,Linq\r\n", "CATEGORIES", "linq", true),
            ("CATEGORIES:Friends\r\nCATEGORIES: LINQ \r\n", "categories", "linq", true),
            ("item1.CATEGORIES;X=1:a\\,b,c\r\n", "Categories", "a,b", true),
            ("CATEGORIES:a\\,b,c\r\n", "CATEGORIES", "b", false),
            ("ORG:Acme;Sales\r\n", "ORG", "acme", true),
            ("ORG:Acme;Sales\r\n", "ORG", "sales", true),
            ("ORG:Acme\\; Sons\r\n", "ORG", "Acme; Sons", true),
            ("KIND:individual\r\n", "KIND", "Individual", true),
            ("NOTE:Yes\\, sync\r\n", "NOTE", "yes, sync", true),
            ("NOTE:Yes\\, sync\r\n", "NOTE", "yes", false),
            ("NOTE;ENCODING=QUOTED-PRINTABLE:=79es\r\n", "NOTE", "yes", true),
            ("CATEG\r\n ORIES:Li\r\n nq\r\n", "CATEGORIES", "linq", true),
            ("", "CATEGORIES", "linq", false),
        ] {
            let card = format!("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\n{lines}END:VCARD\r\n");
            let contents = CardsRead::parse_cards(card.as_bytes(), Some(&only(column, &[value])));
            assert_eq!(contents.cards[0].is_outside, !takes, "{lines}");
        }
    }

    #[test]
    fn a_new_card_takes_part_unless_its_own_field_decides() {
        let values = Values::from_iter([(Field::FirstName, "Ann".to_owned())]);
        for (column, value, version) in [
            ("CATEGORIES", "to Linq, and back", VcardVersion::V3),
            ("note", "é".repeat(90).as_str(), VcardVersion::V4),
            ("X-SYNC", "yes", VcardVersion::V3),
        ] {
            let only = only(column, &[value, "other"]);
            let card = new_card::new_card(LinqId(7), &values, version, Some(&only)).unwrap();
            let contents = CardsRead::parse_cards(&card, Some(&only));
            assert!(contents.broken.is_empty() && !contents.cards[0].is_outside, "{column}");
            let text = String::from_utf8(card).unwrap();
            assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
        }
        let by_field =
            new_card::new_card(LinqId(7), &values, VcardVersion::V3, Some(&only("ORG", &["A"])));
        assert!(!String::from_utf8(by_field.unwrap()).unwrap().contains("ORG"));
    }
}
