//! Cards as records.
//!
//! Owns the order of records, their keys and labels. Leaves files to [`super::folder`] and
//! what cards say to [`super::values`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{
    AsWritten, Digest, Field, FieldSet, Fingerprint, Manner, OtherValue, RecordIndex, Resting,
    SourceAtRest, SourceKey, SourceRecord, Unreadable,
};
use crate::source::{AtRest, Counting, SourceReading};

use super::folder::{CardFiles, CardsRead, FoundCard, KnownFile};
use super::new_card;
use super::scan::Layout;
use super::selecting::selected_by;
use super::text::DecodedCards;
use super::values::CardValues;
use super::{LastCards, Only};
use crate::source::charset;

/// Where a record is: the file, and the position of the card in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CardLocation {
    pub(super) file: PathBuf,
    pub(super) card: usize,
}

/// The fields that a card carries: all but the owner, who is Linq's alone.
fn mapped_fields() -> FieldSet {
    Field::ALL.into_iter().filter(|field| *field != Field::Owner).collect()
}

/// What was read, as records with their places.
pub(super) fn assemble_records(
    root: &Path,
    files: &CardFiles,
    unreadable: &[(PathBuf, String)],
    resting: &Resting,
    only: &Only,
) -> (Vec<CardLocation>, AtRest, SourceReading) {
    let mut places = Vec::with_capacity(files.len());
    let mut counting = Counting::new(resting);
    let mut broken: Vec<Unreadable> =
        unreadable.iter().map(|(path, why)| no_directory(path, why)).collect();
    for (path, file) in files {
        let contents = match &file.contents {
            KnownFile::Read(contents) => contents,
            KnownFile::AtRest(records, _)
                if records.iter().all(|one| resting.of_digest(*one).is_some()) =>
            {
                for (card, at) in
                    records.iter().filter_map(|one| resting.of_digest(*one)).enumerate()
                {
                    places.push(CardLocation { file: path.clone(), card });
                    counting.take_at_rest(at);
                }
                continue;
            }
            KnownFile::AtRest(..) => &file.cards_read(&root.join(path)),
        };
        for card in 0..contents.cards.len() {
            if let Some(record) = record_of(path, contents, card) {
                places.push(CardLocation { file: path.clone(), card });
                counting.take_record(record);
            }
        }
        broken.extend(contents.broken.iter().map(|(line, reason)| Unreadable {
            label: record_label(path, *line, false),
            line: *line,
            reason: reason.clone(),
        }));
    }
    broken.sort_by(|a, b| (&a.label, a.line).cmp(&(&b.label, b.line)));
    let Counting { records, places: rows_at_rest, at_rest, doubled, .. } = counting;
    let reading = SourceReading {
        places: BTreeMap::new(),
        manner: Manner {
            kind: "vcard".to_owned(),
            only: only.as_ref().map(|only| only.rule()),
            ..Manner::default()
        },
        mapped: mapped_fields(),
        records: records.into(),
        count: places.len(),
        at_rest,
        doubled,
        unreadable: broken,
        other_ids: 0,
        keeps_ids: false,
        only: only.as_ref().map(|only| selected_by(only)),
        read_only: None,
        notices: Vec::new(),
        fingerprint: files_fingerprint(files),
        displaced: BTreeSet::new(),
    };
    (places, rows_at_rest, reading)
}

/// The record at `place`.
pub(super) fn record_at(
    root: &Path,
    files: &CardFiles,
    place: &CardLocation,
) -> Option<SourceRecord> {
    let contents = files.get(&place.file)?.cards_read(&root.join(&place.file));
    record_of(&place.file, &contents, place.card)
}

/// The record of a card of the file at `path`, unless it is a list of contacts.
fn record_of(path: &Path, contents: &CardsRead, card: usize) -> Option<SourceRecord> {
    let cards = &contents.cards;
    let one = cards.get(card)?;
    let label = record_label(path, one.line, cards.len() > 1 && card > 0);
    Some(card_record(label, one, one.person.as_ref()?))
}

/// The UIDs of all cards; of those at rest, which are not read, only below `root`. A card that
/// is made for a contact has another one than a card of somebody else.
pub(super) fn all_uids(files: &CardFiles, root: Option<&Path>) -> BTreeSet<String> {
    let mut uids = BTreeSet::new();
    for (path, file) in files {
        let contents = match (&file.contents, root) {
            (KnownFile::Read(contents), _) => Arc::clone(contents),
            (KnownFile::AtRest(..), Some(root)) => file.cards_read(&root.join(path)),
            (KnownFile::AtRest(..), None) => continue,
        };
        uids.extend(contents.cards.iter().filter_map(|card| card.person.as_ref()?.uid.clone()));
    }
    uids
}

/// What is to be remembered of the `files`, of which those in `resting` were at rest before.
pub(super) fn to_remember(
    files: &CardFiles,
    resting: &Resting,
    is_at_rest: &dyn Fn(&SourceRecord) -> bool,
) -> SourceAtRest {
    let mut remembered = SourceAtRest::default();
    for (path, file) in files {
        let KnownFile::Read(contents) = &file.contents else { continue };
        let mut card = 0;
        let digest = |_: &FoundCard| {
            card += 1;
            let record = record_of(path, contents, card - 1)?;
            is_at_rest(&record).then(|| Digest::of_record(&record))
        };
        let name = path.as_os_str().as_encoded_bytes();
        match file.to_remember(digest) {
            Some(file) => remembered.files.push((name.to_owned(), file)),
            None if resting.has_file(name) => remembered.other_files.push(name.to_owned()),
            None => {}
        }
    }
    let is_gone = |name: &&[u8]| !files.contains_key(Path::new(OsStr::from_bytes(name)));
    remembered.other_files.extend(resting.file_paths().filter(is_gone).map(<[u8]>::to_owned));
    remembered
}

fn record_label(path: &Path, line: u32, with_line: bool) -> String {
    if with_line { format!("{}:{line}", path.display()) } else { path.display().to_string() }
}

fn no_directory(path: &Path, why: &str) -> Unreadable {
    let label = if path == Path::new("") { ".".to_owned() } else { path.display().to_string() };
    Unreadable { label, line: 1, reason: why.to_owned() }
}

fn files_fingerprint(files: &CardFiles) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    for (path, file) in files {
        hasher.update(path.as_os_str().as_encoded_bytes()).update(&[0]);
        hasher.update(&file.fingerprint.0);
    }
    Fingerprint(*hasher.finalize().as_bytes())
}

fn card_record(label: String, card: &FoundCard, person: &CardValues) -> SourceRecord {
    let several = [(Field::Email, &person.emails), (Field::PhoneNumber, &person.phones)];
    let others = several.into_iter().flat_map(|(field, texts)| {
        let others = texts.iter().filter(move |text| **text != person.values[field]);
        others.map(move |text| OtherValue { field, text: text.clone(), reason: None })
    });
    SourceRecord {
        index: RecordIndex(0),
        label,
        line: card.line,
        key: person.uid.clone().map(SourceKey),
        linq_id: person.uid.as_deref().and_then(new_card::linq_id),
        values: person.values.clone(),
        // A card clears a property by not having it.
        unsaid: FieldSet::EMPTY,
        rejected: person.rejected.clone(),
        others: others.collect(),
        composed: crate::model::Composed::default(),
        told_names: person.told_names.clone(),
        is_outside: card.is_outside,
        revised_at: person.revised_at,
        fingerprint: card.fingerprint,
        content: card.content,
        twin: 0,
    }
}

/// Stands for what [`as_written`] says.
pub(super) fn record_stamp(last: &LastCards, place: &CardLocation) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    hasher.update(place.file.as_os_str().as_encoded_bytes()).update(&[0]);
    hasher.update(&place.card.to_le_bytes());
    hasher.update(&last.files.get(&place.file).map(|file| file.fingerprint.0).unwrap_or_default());
    Fingerprint(*hasher.finalize().as_bytes())
}

/// A card as it is written, if its file still is what was read. What is not UTF-8 is
/// decoded, so that it can be kept as text too. A file that is only there for this card
/// is kept whole.
pub(super) fn as_written(last: &LastCards, place: &CardLocation) -> Option<AsWritten> {
    let raw = fs::read(last.root.join(&place.file)).ok()?;
    if Fingerprint::of(&raw) != last.files.get(&place.file)?.fingerprint {
        return None;
    }
    let body = DecodedCards::decode(&raw).ok()?.body;
    let layout = Layout::find_cards(&body);
    if place.card >= layout.cards.len() {
        return None;
    }
    let span = layout.card_range(place.card);
    let card = &body[span.clone()];
    let text = charset::decode(card, charset::fallback_charset(card).encoding)
        .unwrap_or_else(|| String::from_utf8_lossy(card).into_owned());
    let is_alone = [&body[..span.start], &body[span.end..]].concat().trim_ascii().is_empty();
    let bytes = if is_alone { raw } else { card.to_vec() };
    let bytes = Some(bytes).filter(|bytes| bytes != text.as_bytes());
    Some(AsWritten { text, place: place.file.to_string_lossy().into_owned(), bytes })
}
