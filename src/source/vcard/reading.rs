//! Cards as records.
//!
//! Owns the order of records, their keys and labels. Leaves files to [`super::folder`] and
//! what cards say to [`super::person`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::model::{
    AsWritten, Field, FieldSet, Fingerprint, Manner, OtherValue, RecordIndex, SourceKey,
    SourceRecord, Unreadable,
};
use crate::source::{Reading, number};

use super::Last;
use super::folder::{Files, FoundCard};
use super::fresh;
use super::person::Person;
use super::scan::Layout;
use super::text::Text;
use crate::source::charset;

/// Where a record is: the file, and the position of the card in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) card: usize,
}

/// The fields that a card carries: all but the owner, who is Linq's alone.
fn mapped() -> FieldSet {
    Field::ALL.into_iter().filter(|field| *field != Field::Owner).collect()
}

/// What was read, as records with their places.
pub(super) fn assembled(files: &Files, unreadable: &[(PathBuf, String)]) -> (Vec<Place>, Reading) {
    let mut found: Vec<(Place, SourceRecord)> = Vec::with_capacity(files.len());
    let mut broken: Vec<Unreadable> =
        unreadable.iter().map(|(path, why)| no_directory(path, why)).collect();
    for (path, file) in files {
        let contents = &file.contents;
        let several = contents.cards.len() > 1;
        for (card, one) in contents.cards.iter().enumerate() {
            if let Some(person) = &one.person {
                let label = label(path, one.line, several && card > 0);
                found.push((Place { file: path.clone(), card }, record(label, one, person)));
            }
        }
        broken.extend(contents.broken.iter().map(|(line, reason)| Unreadable {
            label: label(path, *line, false),
            line: *line,
            reason: reason.clone(),
        }));
    }
    broken.sort_by(|a, b| (&a.label, a.line).cmp(&(&b.label, b.line)));
    let (places, mut records): (Vec<Place>, Vec<SourceRecord>) = found.into_iter().unzip();
    number(&mut records);
    let reading = Reading {
        places: BTreeMap::new(),
        manner: Manner { kind: "vcard".to_owned(), ..Manner::default() },
        mapped: mapped(),
        records,
        unreadable: broken,
        other_ids: 0,
        keeps_ids: false,
        read_only: None,
        notices: Vec::new(),
        fingerprint: fingerprint(files),
        late: BTreeSet::new(),
    };
    (places, reading)
}

fn label(path: &Path, line: u32, with_line: bool) -> String {
    if with_line { format!("{}:{line}", path.display()) } else { path.display().to_string() }
}

fn no_directory(path: &Path, why: &str) -> Unreadable {
    let label = if path == Path::new("") { ".".to_owned() } else { path.display().to_string() };
    Unreadable { label, line: 1, reason: why.to_owned() }
}

fn fingerprint(files: &Files) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    for (path, file) in files {
        hasher.update(path.as_os_str().as_encoded_bytes()).update(&[0]);
        hasher.update(&file.fingerprint.0);
    }
    Fingerprint(*hasher.finalize().as_bytes())
}

fn record(label: String, card: &FoundCard, person: &Person) -> SourceRecord {
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
        linq_id: person.uid.as_deref().and_then(fresh::linq_id),
        values: person.values.clone(),
        // A card clears a property by not having it.
        unsaid: FieldSet::EMPTY,
        rejected: person.rejected.clone(),
        others: others.collect(),
        composed: crate::model::Composed::default(),
        told_names: person.told_names.clone(),
        revised_at: person.revised_at,
        fingerprint: card.fingerprint,
        content: card.content,
        twin: 0,
    }
}

/// Stands for what [`as_written`] says.
pub(super) fn stamp(last: &Last, place: &Place) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    hasher.update(place.file.as_os_str().as_encoded_bytes()).update(&[0]);
    hasher.update(&place.card.to_le_bytes());
    hasher.update(&last.files.get(&place.file).map(|file| file.fingerprint.0).unwrap_or_default());
    Fingerprint(*hasher.finalize().as_bytes())
}

/// A card as it is written, if its file still is what was read. What is not UTF-8 is
/// decoded, so that it can be kept as text too. A file that is only there for this card
/// is kept whole.
pub(super) fn as_written(last: &Last, place: &Place) -> Option<AsWritten> {
    let raw = fs::read(last.root.join(&place.file)).ok()?;
    if Fingerprint::of(&raw) != last.files.get(&place.file)?.fingerprint {
        return None;
    }
    let body = Text::decode(&raw).ok()?.body;
    let layout = Layout::of(&body);
    if place.card >= layout.cards.len() {
        return None;
    }
    let span = layout.span(place.card);
    let card = &body[span.clone()];
    let text = charset::decode(card, charset::fallback(card).encoding)
        .unwrap_or_else(|| String::from_utf8_lossy(card).into_owned());
    let is_alone = [&body[..span.start], &body[span.end..]].concat().trim_ascii().is_empty();
    let bytes = if is_alone { raw } else { card.to_vec() };
    let bytes = Some(bytes).filter(|bytes| bytes != text.as_bytes());
    Some(AsWritten { text, place: place.file.to_string_lossy().into_owned(), bytes })
}
