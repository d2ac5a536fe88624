//! Single files of cards, as bytes: for tools, benches and fuzzers that look at them
//! without a directory.
//!
//! Owns nothing but the way from a whole file to its cards and back. Leaves everything
//! else to the modules beside it.

use crate::model::{Field, FieldChange, Values};

use super::check::prove_edit;
use super::folder::{CardsRead, FoundCard};
use super::put::put_changes;
use super::scan::{self, Layout};
use super::text::DecodedCards;
use super::values::CardValues;

/// What is in a file of cards.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The values of each card that is a contact; `None` for a list of contacts.
    pub people: Vec<Option<Values>>,
    /// The UID of each card.
    pub uids: Vec<Option<String>>,
    /// The lines of what is no card.
    pub broken: Vec<u32>,
}

/// The cards of a file.
pub fn cards_of(raw: &[u8]) -> Whole {
    let contents = CardsRead::parse_cards(raw, None);
    let person = |card: &FoundCard| card.person.clone();
    let people: Vec<Option<CardValues>> = contents.cards.iter().map(person).collect();
    Whole {
        uids: people.iter().map(|person| person.as_ref().and_then(|p| p.uid.clone())).collect(),
        people: people.into_iter().map(|person| person.map(|person| person.values)).collect(),
        broken: contents.broken.iter().map(|(line, _)| *line).collect(),
    }
}

/// The file `raw` after `changes` of one of its cards. With no changes it is made of
/// its parts again, and must be the same.
///
/// # Errors
/// Why they cannot be written, for people.
pub fn edit_file(raw: &[u8], card: usize, changes: &[FieldChange]) -> Result<Vec<u8>, String> {
    let text = DecodedCards::decode(raw)?;
    let layout = Layout::find_cards(&text.body);
    let mut body = Vec::with_capacity(text.body.len());
    let mut at = 0;
    for position in 0..layout.cards.len() {
        let span = layout.card_range(position);
        body.extend_from_slice(&text.body[at..span.start]);
        at = span.end;
        let bytes = &text.body[span];
        let lines = scan::content_lines(bytes);
        if position == card {
            body.extend(put_changes(bytes, changes)?);
        } else {
            body.extend(lines.iter().flat_map(|line| line.line_bytes(bytes)));
        }
    }
    body.extend_from_slice(&text.body[at..]);
    text.encode_body(body).ok_or_else(|| "the file's encoding cannot hold it".to_owned())
}

/// Looks for a defect: the file must be put together as it was taken apart, what is there
/// already must change nothing, and each field of each card must be read as it is put,
/// with nothing else changed. What a damaged card cannot hold is refused.
///
/// # Errors
/// What is wrong.
pub fn probe(raw: &[u8]) -> Result<(), String> {
    if edit_file(raw, usize::MAX, &[]).is_ok_and(|same| same != raw) {
        return Err("the file is not put together as it was".to_owned());
    }
    each_field(raw, |card, field, from| {
        for to in [from, "Plain", "Z\u{f6}e; \\B, K", "\"a\": b=", ""] {
            let change = [FieldChange { field, from: from.into(), to: to.into() }];
            // What cannot be written is refused, and nothing is written then.
            let Ok(new) = put_changes(card, &change) else { continue };
            if to == from && new != card {
                return Err(format!("{field}: what is there is written again"));
            }
            prove_edit(card, &new, &change).map_err(|problem| format!("{field}: {problem}"))?;
        }
        Ok(())
    })
}

/// Calls `law` with every card, each of its fields, and what the card says there.
fn each_field(
    raw: &[u8],
    law: impl Fn(&[u8], Field, &str) -> Result<(), String>,
) -> Result<(), String> {
    let Ok(text) = DecodedCards::decode(raw) else { return Ok(()) };
    let layout = Layout::find_cards(&text.body);
    for (position, values) in cards_of(raw).people.iter().enumerate() {
        let Some(values) = values else { continue };
        let card = &text.body[layout.card_range(position)];
        for field in Field::ALL.into_iter().filter(|field| *field != Field::Owner) {
            law(card, field, &values[field])?;
        }
    }
    Ok(())
}
