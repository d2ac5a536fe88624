//! What a file of cards becomes by the edits of its cards.
//!
//! Owns that what is not edited keeps its bytes, that what is about to be written is read
//! again and is as intended, and that a field that cannot be written holds back no other.
//! Leaves the bytes of a card to [`super::put_changes`], and writing files to [`super::card_edits`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use crate::model::{Field, FieldChange, Fingerprint, RejectedField};

use super::card_edits::CardEditOutcome;
use super::check::{prove_edit, proven_file};
use super::put::{NotWritten, put_changes};
use super::reading::CardLocation;
use super::scan::Layout;
use super::text::DecodedCards;

/// An edit of a card that is there.
pub(super) struct CardEdit<'e> {
    /// Its position among all edits.
    pub(super) number: usize,
    pub(super) card: usize,
    /// The fields to be changed; `None` to remove the card.
    pub(super) changes: Option<&'e [FieldChange]>,
}

/// What a file becomes.
pub(super) struct NewFile {
    /// Its bytes; without any, it goes.
    pub(super) raw: Vec<u8>,
    pub(super) outcomes: Vec<(usize, CardEditOutcome)>,
}

impl NewFile {
    /// Carries out `edits` in the bytes of a file.
    ///
    /// # Errors
    /// Why none of them can be carried out, for people.
    pub(super) fn new(
        file: &Path,
        raw: &[u8],
        edits: Vec<CardEdit<'_>>,
    ) -> Result<NewFile, String> {
        let text = DecodedCards::decode(raw)?;
        let layout = Layout::find_cards(&text.body);
        let mut new = NewFile { raw: Vec::new(), outcomes: Vec::new() };
        let mut by_card: BTreeMap<usize, CardEdit<'_>> = BTreeMap::new();
        for edit in edits {
            match by_card.entry(edit.card) {
                Entry::Vacant(free) => {
                    free.insert(edit);
                }
                Entry::Occupied(_) => {
                    let reason = "another edit already names this card".to_owned();
                    new.outcomes.push((edit.number, CardEditOutcome::Refused(reason)));
                }
            }
        }
        let (mut body, mut at, mut stay) = (Vec::with_capacity(text.body.len()), 0, Vec::new());
        for position in 0..layout.cards.len() {
            let span = layout.card_range(position);
            body.extend_from_slice(&text.body[at..span.start]);
            at = span.end;
            let edit = by_card.remove(&position);
            let place = CardLocation { file: file.to_owned(), card: stay.len() };
            if let Some(card) = new.edit_card(&text.body[span], edit.as_ref(), place) {
                stay.push(Fingerprint::of(&card));
                body.extend(card);
            }
        }
        body.extend_from_slice(&text.body[at..]);
        // Nothing but space is no file of cards.
        if !body.trim_ascii().is_empty() {
            new.raw = text.encode_body(body).ok_or("the encoding of its file cannot hold it")?;
            proven_file(&new.raw, &stay)?;
        }
        Ok(new)
    }

    /// The bytes of a card after an edit; `None` if it goes.
    fn edit_card(
        &mut self,
        card: &[u8],
        edit: Option<&CardEdit<'_>>,
        place: CardLocation,
    ) -> Option<Vec<u8>> {
        let Some(&CardEdit { number, changes, .. }) = edit else {
            return Some(card.to_vec());
        };
        let Some(changes) = changes else {
            self.outcomes.push((number, CardEditOutcome::Removed));
            return None;
        };
        match put_each(card, changes) {
            Ok((new, refused)) => {
                self.outcomes.push((number, CardEditOutcome::Stands(place, refused)));
                Some(new)
            }
            Err(reason) => {
                self.outcomes.push((number, CardEditOutcome::Refused(reason)));
                Some(card.to_vec())
            }
        }
    }
}

/// The bytes of a card after the changes that can be written, and the fields of the others.
///
/// # Errors
/// Why none of them can be written.
fn put_each(
    card: &[u8],
    changes: &[FieldChange],
) -> Result<(Vec<u8>, Vec<RejectedField>), NotWritten> {
    let one = |bytes: &[u8], changes: &[FieldChange]| {
        let new = put_changes(bytes, changes)?;
        prove_edit(bytes, &new, changes).map(|()| new)
    };
    let refusal = match one(card, changes) {
        Ok(new) => return Ok((new, Vec::new())),
        Err(refusal) => refusal,
    };
    let is_name = |change: &FieldChange| matches!(change.field, Field::FirstName | Field::LastName);
    let (names, others): (Vec<FieldChange>, Vec<FieldChange>) =
        changes.iter().cloned().partition(is_name);
    let names = Some(names).filter(|names| !names.is_empty());
    let (mut bytes, mut refused) = (card.to_vec(), Vec::new());
    // Both names stand in one property.
    for group in names.into_iter().chain(others.into_iter().map(|change| vec![change])) {
        match one(&bytes, &group) {
            Ok(new) => bytes = new,
            Err(reason) => refused.extend(
                group.iter().map(|one| RejectedField { field: one.field, reason: reason.clone() }),
            ),
        }
    }
    if refused.len() == changes.len() { Err(refusal) } else { Ok((bytes, refused)) }
}
