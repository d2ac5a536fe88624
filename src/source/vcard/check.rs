//! The proof that an edited card differs from the old one as intended and in nothing
//! else.
//!
//! Owns a comparison that shares no step with the writer: the new bytes are read like
//! any card, and their lines are laid beside the old ones. A card that fails it is never
//! written. Leaves the writing to [`super::put`].

use crate::model::{Field, FieldChange, Fingerprint, Values};

use super::card::Card;
use super::escape::unify_line_ends;
use super::folder::CardsRead;
use super::property::{name_of, start_of};
use super::scan::{Layout, Line};
use super::values::CardValues;

/// Compares a card with what it was before `changes`.
///
/// # Errors
/// What is not as intended, for people.
pub(super) fn prove_edit(old: &[u8], new: &[u8], changes: &[FieldChange]) -> Result<(), String> {
    let (before, after) = (Layout::find_cards(old), Layout::find_cards(new));
    if after.cards.len() != 1 || after.lines.len() != after.cards[0].len() {
        return Err("it would not be one card any more".to_owned());
    }
    let mut touched: Vec<&str> =
        changes.iter().flat_map(|change| properties_of_field(change.field)).copied().collect();
    if touched.contains(&"FN") && !Card::new(old, &before.lines).has_name() {
        // Only the display name shows it: it may have to be written down.
        touched.push("N");
    }
    let others = |bytes, lines| untouched_lines(bytes, lines, &touched);
    if others(old, &before.lines) != others(new, &after.lines) {
        return Err("other properties of the card would change as well".to_owned());
    }
    let (was, is) =
        (Card::new(old, &before.lines).card_values(), Card::new(new, &after.lines).card_values());
    if was.uid != is.uid {
        return Err("it would be another card".to_owned());
    }
    let wrong = Field::ALL.into_iter().find(|field| !is_intended(*field, &was, &is, changes));
    wrong.map_or(Ok(()), |field| Err(format!("its {field} would not be read as it was written")))
}

/// The properties that an edit of a field may touch.
fn properties_of_field(field: Field) -> &'static [&'static str] {
    match field {
        Field::FirstName | Field::LastName => &["N", "FN"],
        // The display name may stand in for a name that is not there.
        Field::Email => &["EMAIL", "FN"],
        Field::PhoneNumber => &["TEL", "FN"],
        Field::Company => &["ORG", "FN"],
        Field::Title => &["TITLE"],
        Field::Location => &["ADR"],
        Field::Owner => &[],
    }
}

/// The lines that no edit of these properties may touch; the labels of a group go with
/// its last property.
fn untouched_lines<'b>(bytes: &'b [u8], lines: &[Line], touched: &[&str]) -> Vec<&'b [u8]> {
    let is_other = |line: &&Line| {
        let start = start_of(line, bytes);
        let (group, name) = name_of(&start);
        let is_touched =
            touched.iter().any(|touched| name.eq_ignore_ascii_case(touched.as_bytes()));
        let is_label = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"X-AB"));
        !(is_touched || group.is_some() && is_label)
    };
    lines.iter().filter(is_other).map(|line| line.line_bytes(bytes)).collect()
}

fn is_intended(field: Field, was: &CardValues, is: &CardValues, changes: &[FieldChange]) -> bool {
    let several = |person: &CardValues| match field {
        Field::Email => person.emails.clone(),
        Field::PhoneNumber => person.phones.clone(),
        Field::FirstName
        | Field::LastName
        | Field::Company
        | Field::Title
        | Field::Location
        | Field::Owner => vec![person.values[field].to_string()],
    };
    let text = |values: &Values| unify_line_ends(&values[field]).into_owned();
    match changes.iter().find(|change| change.field == field) {
        // Nothing but space says nothing.
        None if was.values[field].trim().is_empty() && is.values[field].trim().is_empty() => true,
        None => several(was) == several(is) && text(&was.values) == text(&is.values),
        // Another one of the card's may take the place of what is cleared.
        Some(change) if change.to.trim().is_empty() => {
            !several(is).iter().any(|one| *one == change.from) || change.from.trim().is_empty()
        }
        Some(change) => several(is).contains(&unify_line_ends(&change.to).into_owned()),
    }
}

/// Compares the cards of a file with what they are meant to be.
///
/// # Errors
/// What is not as intended, for people.
pub(super) fn proven_file(raw: &[u8], cards: &[Fingerprint]) -> Result<(), String> {
    let contents = CardsRead::parse_cards(raw, None);
    let found = contents.cards.iter().map(|card| card.fingerprint);
    if found.eq(cards.iter().copied()) {
        Ok(())
    } else {
        Err("the cards of its file would be read differently".to_owned())
    }
}
