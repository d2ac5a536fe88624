//! Cards that were removed, once they are put back.
//!
//! Owns that such a card is what it was, with the fields of a plan in it, and comes back
//! under the name that its file had, as far as that is still possible. Leaves cards that
//! never were there to [`super::new_card`].

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::model::{AsWritten, Field, FieldChange, Values};

use super::check::prove_edit;
use super::folder::CardsRead;
use super::listing::{ListingDepth, takes_part};
use super::new_card;
use super::put::put_changes;
use super::scan::Layout;
use super::text::DecodedCards;
use super::values::CardValues;

/// A card that was removed, as it comes back.
pub(super) struct Restored {
    /// Its file.
    pub(super) raw: Vec<u8>,
    pub(super) uid: Option<String>,
}

/// The card that `was` there, with `values` in it; `None` where it cannot hold them.
pub(super) fn restored_card(was: &AsWritten, values: &Values) -> Option<Restored> {
    let (raw, person) = only_person(was.restorable_bytes())?;
    let raw = match &value_changes(&person, values)[..] {
        [] => raw.to_vec(),
        changes => edit_raw_card(raw, changes)?,
    };
    Some(Restored { raw, uid: person.uid })
}

/// The file of nothing but one person's card, and that person.
fn only_person(raw: &[u8]) -> Option<(&[u8], CardValues)> {
    let mut contents = CardsRead::parse_cards(raw, None);
    let is_alone = contents.cards.len() == 1 && contents.broken.is_empty();
    let card = contents.cards.pop().filter(|_| is_alone)?;
    Some((raw, card.person?))
}

/// What makes the card say `values`; of several addresses any may be theirs.
fn value_changes(person: &CardValues, values: &Values) -> Vec<FieldChange> {
    let says = |field: Field| match field {
        Field::Email => person.emails.iter().any(|one| *one == values[field]),
        Field::PhoneNumber => person.phones.iter().any(|one| *one == values[field]),
        Field::FirstName
        | Field::LastName
        | Field::Company
        | Field::Title
        | Field::Location
        | Field::Owner => false,
    };
    let change = |field: Field| {
        let (from, to) = (person.values[field].clone(), values[field].clone());
        let is_there = from == to || says(field) || field == Field::Owner;
        (!is_there).then_some(FieldChange { field, from, to })
    };
    Field::ALL.into_iter().filter_map(change).collect()
}

fn edit_raw_card(raw: &[u8], changes: &[FieldChange]) -> Option<Vec<u8>> {
    let text = DecodedCards::decode(raw).ok()?;
    let span = Layout::find_cards(&text.body).card_range(0);
    let card = &text.body[span.clone()];
    let new = put_changes(card, changes).ok()?;
    prove_edit(card, &new, changes).ok()?;
    let body = [&text.body[..span.start], &new, &text.body[span.end..]].concat();
    text.encode_body(body)
}

/// The directory below `root` and the name for the file of a card that comes back: those
/// that it had, if such a file would take part.
pub(super) fn file_place(
    root: &Path,
    depth: ListingDepth,
    was: &AsWritten,
    uid: &str,
) -> (PathBuf, String) {
    let place = Path::new(&was.place);
    let name = place.file_name().and_then(|name| name.to_str());
    let name = name.filter(|name| takes_part(Path::new(name)));
    let name = name.map_or_else(|| new_card::file_name(uid), str::to_owned);
    let below = place.parent().filter(|below| is_directory(root, below, depth));
    (below.unwrap_or(Path::new("")).to_owned(), name)
}

/// What of a card that `was` there cannot come back, for people.
pub(super) fn lost_properties(root: &Path, depth: ListingDepth, was: &AsWritten) -> Vec<String> {
    if only_person(was.restorable_bytes()).is_none() {
        return vec!["whatever its card said beyond the fields".to_owned()];
    }
    let was_at = Path::new(&was.place);
    let (below, name) = file_place(root, depth, was, "");
    let is_taken = fs::symlink_metadata(root.join(&below).join(&name)).is_ok();
    if below.join(name) == was_at && !is_taken {
        return Vec::new();
    }
    vec![format!("its file name {}, which is taken or lies in no directory", was.place)]
}

/// Whether `below` leads from `root` to a directory whose files take part.
fn is_directory(root: &Path, below: &Path, depth: ListingDepth) -> bool {
    let mut path = root.to_owned();
    below.components().all(|part| {
        path.push(part);
        let is_plain =
            matches!(part, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b"."));
        let is_there = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        depth == ListingDepth::All && is_plain && is_there
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:King;Ada;;;\r\nEMAIL;TYPE=HOME:ada@home.example\r\n\
        EMAIL;TYPE=WORK:ada@work.example\r\nNOTE:met in 1833\r\nPHOTO;ENCODING=b:QUJD\r\nEND:VCARD\r\n";

    fn was(bytes: &[u8], place: &str) -> AsWritten {
        let text = String::from_utf8_lossy(bytes).into_owned();
        AsWritten { text, place: place.to_owned(), bytes: Some(bytes.to_vec()) }
    }

    fn ada(title: &str) -> Values {
        Values::from_iter([
            (Field::FirstName, "Ada".to_owned()),
            (Field::LastName, "King".to_owned()),
            (Field::Email, "ada@work.example".to_owned()),
            (Field::Title, title.to_owned()),
        ])
    }

    #[test]
    fn a_card_comes_back_as_it_was_with_what_is_meant_to_be_in_it() {
        let same = restored_card(&was(ADA.as_bytes(), ""), &ada("")).unwrap();
        assert_eq!(same.raw, ADA.as_bytes(), "the second address is the linked one");
        let new = restored_card(&was(ADA.as_bytes(), ""), &ada("Countess")).unwrap();
        let expected = ADA.replace("END:", "TITLE:Countess\r\nEND:");
        assert_eq!(String::from_utf8(new.raw).unwrap(), expected);
    }

    #[test]
    fn a_file_in_another_encoding_comes_back_in_it() {
        let utf16: Vec<u8> =
            [0xfeff].into_iter().chain(ADA.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(restored_card(&was(&utf16, ""), &ada("")).unwrap().raw, utf16);
        let new = restored_card(&was(&utf16, ""), &ada("Größte")).unwrap().raw;
        assert_eq!(
            DecodedCards::decode(&new).unwrap().body.len(),
            ADA.len() + "TITLE:Größte\r\n".len()
        );
    }

    #[test]
    fn what_is_no_single_card_is_not_put_back() {
        for text in ["", "Ada,ada@work.example\n", &ADA[..60], &[ADA, ADA].concat()] {
            assert!(restored_card(&was(text.as_bytes(), ""), &ada("")).is_none(), "{text}");
        }
    }

    #[test]
    fn a_card_comes_back_to_where_it_was_and_never_to_where_none_would_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("team/.hidden")).unwrap();
        std::os::unix::fs::symlink("/", root.join("out")).unwrap();
        let at = |place: &str, depth| {
            let (below, name) = super::file_place(root, depth, &was(b"", place), "linqsync-7");
            below.join(name).to_str().unwrap().to_owned()
        };
        assert_eq!(at("ada.vcf", ListingDepth::One), "ada.vcf");
        assert_eq!(at("team/ada.vcf", ListingDepth::All), "team/ada.vcf");
        assert_eq!(at("team/ada.vcf", ListingDepth::One), "ada.vcf");
        for gone in
            ["gone/ada.vcf", "../ada.vcf", "/ada.vcf", "out/ada.vcf", "team/.hidden/ada.vcf"]
        {
            assert_eq!(at(gone, ListingDepth::All), "ada.vcf", "{gone}");
        }
        for name in ["", ".ada.vcf", "ada.txt", ".."] {
            assert_eq!(at(name, ListingDepth::All), "linqsync-7.vcf", "{name}");
        }
    }
}
