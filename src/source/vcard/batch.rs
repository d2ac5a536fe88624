//! The edits of one run, file by file.
//!
//! Owns that a file is replaced once, whole and only if it still is what was read; that
//! what was written is read again and is as intended before it takes the place of the
//! old file; and that trouble with one file holds up no other. Leaves the bytes of a
//! card to [`super::put`].

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use crate::model::{
    AsWritten, Change, Field, Fingerprint, LinqId, RecordIndex, RejectedField, Values,
};
use crate::source::atomic::{self, ReplaceError};
use crate::source::{Edit, EditOutcome, WriteError, Written};

use super::check::{proven, proven_file};
use super::folder::{CardFile, Depth, read_stable};
use super::put::{Refused, put};
use super::reading::{Place, assembled};
use super::scan::Layout;
use super::text::Text;
use super::{Last, VcardVersion, fresh, restore};

/// The directory while it is written.
pub(super) struct Batch {
    last: Last,
    version: VcardVersion,
    depth: Depth,
    outcomes: Vec<Outcome>,
    /// The file of each edit of a card that was there.
    files: BTreeMap<usize, PathBuf>,
    /// Why writing ended early.
    failed: Option<WriteError>,
}

/// What became of an edit.
#[derive(Clone, Debug)]
enum Outcome {
    /// The card is here by now, without the fields that cannot be written.
    Stands(Place, Vec<RejectedField>),
    Removed,
    Refused(String),
    /// Not carried out: the file is another one by now, or something failed.
    Undone,
}

/// An edit of a card that is there.
struct CardEdit<'e> {
    /// Its position among all edits.
    number: usize,
    card: usize,
    /// The fields to be changed; `None` to remove the card.
    changes: Option<&'e [Change]>,
}

/// What a file becomes.
struct Draft {
    /// Its bytes; without any, it goes.
    raw: Vec<u8>,
    outcomes: Vec<(usize, Outcome)>,
}

impl Batch {
    pub(super) fn new(last: Last, version: VcardVersion, depth: Depth) -> Batch {
        Batch { last, version, depth, outcomes: Vec::new(), files: BTreeMap::new(), failed: None }
    }

    /// Carries out `edits`, as far as it is possible.
    pub(super) fn carry_out(&mut self, edits: &[Edit]) {
        self.outcomes = vec![Outcome::Undone; edits.len()];
        let mut by_file: BTreeMap<PathBuf, Vec<CardEdit<'_>>> = BTreeMap::new();
        for (number, edit) in edits.iter().enumerate() {
            let (at, changes) = match edit {
                Edit::Update { at, changes, .. } => (*at, Some(&changes[..])),
                Edit::Remove { at } => (*at, None),
                Edit::Add { .. } => continue,
            };
            match self.card_edit(number, at, changes) {
                Some((file, edit)) => {
                    self.files.insert(number, file.clone());
                    by_file.entry(file).or_default().push(edit);
                }
                None => {
                    self.outcomes[number] = Outcome::Refused("there is no such card".to_owned());
                }
            }
        }
        for (file, edits) in by_file {
            if self.failed.is_none() {
                self.edit_file(&file, edits);
            }
        }
        self.add_all(edits);
    }

    fn add_all(&mut self, edits: &[Edit]) {
        let mut uids: BTreeSet<String> = self
            .last
            .reading
            .records
            .iter()
            .filter_map(|r| Some(r.key.as_ref()?.0.clone()))
            .collect();
        let mut directories: BTreeSet<PathBuf> = BTreeSet::new();
        for (number, edit) in edits.iter().enumerate() {
            let Edit::Add { values, linq_id, was } = edit else { continue };
            if self.failed.is_none() {
                let outcome = self.add(values, *linq_id, was.as_deref(), &mut uids);
                if let Outcome::Stands(Place { file, .. }, _) = &outcome {
                    directories.extend(file.parent().map(|below| self.last.root.join(below)));
                }
                self.outcomes[number] = outcome;
            }
        }
        // Names are made to last once for all new cards.
        for path in directories {
            if let Err(source) = atomic::sync_names(&path) {
                self.failed.get_or_insert(WriteError::Io { path, source });
            }
        }
    }

    fn card_edit<'e>(
        &self,
        number: usize,
        at: RecordIndex,
        changes: Option<&'e [Change]>,
    ) -> Option<(PathBuf, CardEdit<'e>)> {
        let index = usize::try_from(at.0).ok()?;
        let place = self.last.places.get(index)?;
        Some((place.file.clone(), CardEdit { number, card: place.card, changes }))
    }

    /// Edits the cards of one file.
    fn edit_file(&mut self, file: &Path, edits: Vec<CardEdit<'_>>) {
        let path = self.last.root.join(file);
        let Some(known) = self.last.files.get(file).map(|file| file.fingerprint) else { return };
        let raw = read_stable(&path).ok().map(|(raw, _)| raw);
        let Some(raw) = raw.filter(|raw| Fingerprint::of(raw) == known) else {
            return self.read_anew(file);
        };
        let numbers: Vec<usize> = edits.iter().map(|edit| edit.number).collect();
        let draft = match Draft::new(file, &raw, edits) {
            Ok(draft) => draft,
            Err(reason) => {
                for number in numbers {
                    self.outcomes[number] = Outcome::Refused(reason.clone());
                }
                return;
            }
        };
        let replaced = if draft.raw == raw {
            Ok(())
        } else if draft.raw.is_empty() {
            atomic::remove(&path, known)
        } else {
            atomic::replace(&path, known, &draft.raw).map(drop)
        };
        match replaced {
            Ok(()) => self.take(file, draft, &raw),
            Err(ReplaceError::Changed { kept }) => {
                if let Some(kept) = kept {
                    tracing::warn!(path = %kept.display(), "another version of a card is kept here");
                }
                self.read_anew(file);
            }
            Err(ReplaceError::Io(error)) if self.is_about_one_file(&error) => {
                for number in numbers {
                    self.outcomes[number] = Outcome::Refused(cannot_write(file, &error));
                }
            }
            Err(error @ (ReplaceError::Io(_) | ReplaceError::Locked(_))) => {
                self.failed = Some(error.at(&path));
                self.read_anew(file);
            }
        }
    }

    /// Whether an error says something about one file, or the folder that it is in, and not
    /// about all of them.
    fn is_about_one_file(&self, error: &io::Error) -> bool {
        let is_writable = || access(&self.last.root, Access::WRITE_OK | Access::EXEC_OK).is_ok();
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::LOOP | Errno::NAMETOOLONG) => true,
            Some(Errno::ACCESS | Errno::PERM) => is_writable(),
            Some(_) => false,
            None => error.kind() == io::ErrorKind::InvalidInput,
        }
    }

    /// Takes over what a file has become.
    fn take(&mut self, file: &Path, draft: Draft, was: &[u8]) {
        for (number, outcome) in draft.outcomes {
            self.outcomes[number] = outcome;
        }
        if draft.raw.is_empty() {
            self.last.files.remove(file);
        } else if draft.raw != was {
            self.last.files.insert(file.to_owned(), CardFile::written(&draft.raw));
        }
    }

    /// Reads a file that somebody else has written.
    fn read_anew(&mut self, file: &Path) {
        match CardFile::read(&self.last.root.join(file), None) {
            Some(read) => self.last.files.insert(file.to_owned(), read),
            None => self.last.files.remove(file),
        };
    }

    /// Adds a card in a file of its own: the one that it was, if it can be put back.
    fn add(
        &mut self,
        values: &Values,
        id: LinqId,
        was: Option<&AsWritten>,
        uids: &mut BTreeSet<String>,
    ) -> Outcome {
        let fresh_uid = fresh::uid(id);
        let restored = was.and_then(|was| Some((was, restore::card(was, values)?)));
        let (raw, uid, (below, name)) = match restored {
            Some((was, card)) => {
                let named = card.uid.as_deref().unwrap_or(&fresh_uid);
                let place = restore::place(&self.last.root, self.depth, was, named);
                (card.raw, card.uid, place)
            }
            None => match fresh::card(id, values, self.version) {
                Ok(raw) => {
                    let name = fresh::file_name(&fresh_uid);
                    (raw, Some(fresh_uid), (PathBuf::new(), name))
                }
                Err(reason) => return Outcome::Refused(reason),
            },
        };
        if let Some(uid) = uid
            && !uids.insert(uid.clone())
        {
            return Outcome::Refused(format!("there is another card with the UID {uid}"));
        }
        let like = self.last.files.keys().next().map(|file| self.last.root.join(file));
        let directory = self.last.root.join(&below);
        match atomic::create_in(&directory, name.as_ref(), &raw, like.as_deref()) {
            Ok(name) => {
                let file = below.join(name);
                self.last.files.insert(file.clone(), CardFile::written(&raw));
                Outcome::Stands(Place { file, card: 0 }, Vec::new())
            }
            Err(error) if self.is_about_one_file(&error) => {
                Outcome::Refused(cannot_write(&below.join(name), &error))
            }
            Err(source) => {
                self.failed = Some(WriteError::Io { path: directory.join(name), source });
                Outcome::Undone
            }
        }
    }

    /// What the directory holds now: what was written, even where somebody else has
    /// changed it since. That is read next time.
    pub(super) fn finish(self, asked: &[Edit]) -> (Last, Written) {
        let Batch { mut last, outcomes, files, failed, .. } = self;
        let version = |number: usize| {
            let file = last.files.get(files.get(&number)?)?;
            Some(atomic::version(file.fingerprint))
        };
        let versions = (0..outcomes.len()).map(version).collect();
        let (places, mut reading) = assembled(&last.files, &last.unreadable);
        let positions: BTreeMap<&Place, usize> = places.iter().zip(0..).collect();
        let edits = outcomes.into_iter().map(|outcome| match outcome {
            Outcome::Stands(place, refused) => match positions.get(&place) {
                Some(index) => {
                    let at = RecordIndex(u32::try_from(*index).unwrap_or(u32::MAX));
                    EditOutcome::of_parts(at, refused)
                }
                None => EditOutcome::Undone,
            },
            Outcome::Removed => EditOutcome::Removed,
            Outcome::Refused(reason) => EditOutcome::Refused(reason),
            Outcome::Undone => EditOutcome::Undone,
        });
        let edits: Vec<EditOutcome> = edits.collect();
        reading.keep_choices(asked, &edits);
        reading.places.clone_from(&last.reading.places);
        last.places = places;
        last.reading = reading.clone();
        (last, Written { edits, versions, reading, failed })
    }
}

/// Why the card of one file is not written, for people.
fn cannot_write(file: &Path, error: &io::Error) -> String {
    let why = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::LOOP) => "it is a symbolic link; put the file itself in its place".to_owned(),
        Some(_) | None => error.to_string(),
    };
    format!("cannot write {}: {why}", file.display())
}

impl Draft {
    /// Carries out `edits` in the bytes of a file.
    fn new(file: &Path, raw: &[u8], edits: Vec<CardEdit<'_>>) -> Result<Draft, String> {
        let text = Text::decode(raw)?;
        let layout = Layout::of(&text.body);
        let mut draft = Draft { raw: Vec::new(), outcomes: Vec::new() };
        let mut by_card: BTreeMap<usize, CardEdit<'_>> = BTreeMap::new();
        for edit in edits {
            match by_card.entry(edit.card) {
                Entry::Vacant(free) => {
                    free.insert(edit);
                }
                Entry::Occupied(_) => {
                    let reason = "another edit already names this card".to_owned();
                    draft.outcomes.push((edit.number, Outcome::Refused(reason)));
                }
            }
        }
        let (mut body, mut at, mut stay) = (Vec::with_capacity(text.body.len()), 0, Vec::new());
        for position in 0..layout.cards.len() {
            let span = layout.span(position);
            body.extend_from_slice(&text.body[at..span.start]);
            at = span.end;
            let edit = by_card.remove(&position);
            let place = Place { file: file.to_owned(), card: stay.len() };
            if let Some(card) = draft.edit_card(&text.body[span], edit.as_ref(), place) {
                stay.push(Fingerprint::of(&card));
                body.extend(card);
            }
        }
        body.extend_from_slice(&text.body[at..]);
        // Nothing but space is no file of cards.
        if !body.trim_ascii().is_empty() {
            draft.raw = text.encode(body).ok_or("the encoding of its file cannot hold it")?;
            proven_file(&draft.raw, &stay)?;
        }
        Ok(draft)
    }

    /// The bytes of a card after an edit; `None` if it goes.
    fn edit_card(
        &mut self,
        card: &[u8],
        edit: Option<&CardEdit<'_>>,
        place: Place,
    ) -> Option<Vec<u8>> {
        let Some(&CardEdit { number, changes, .. }) = edit else {
            return Some(card.to_vec());
        };
        let Some(changes) = changes else {
            self.outcomes.push((number, Outcome::Removed));
            return None;
        };
        match put_each(card, changes) {
            Ok((new, refused)) => {
                self.outcomes.push((number, Outcome::Stands(place, refused)));
                Some(new)
            }
            Err(reason) => {
                self.outcomes.push((number, Outcome::Refused(reason)));
                Some(card.to_vec())
            }
        }
    }
}

/// The bytes of a card after the changes that can be written, and the fields of the others.
///
/// # Errors
/// Why none of them can be written.
fn put_each(card: &[u8], changes: &[Change]) -> Result<(Vec<u8>, Vec<RejectedField>), Refused> {
    let one = |bytes: &[u8], changes: &[Change]| {
        let new = put(bytes, changes)?;
        proven(bytes, &new, changes).map(|()| new)
    };
    let refusal = match one(card, changes) {
        Ok(new) => return Ok((new, Vec::new())),
        Err(refusal) => refusal,
    };
    let is_name = |change: &Change| matches!(change.field, Field::FirstName | Field::LastName);
    let (names, others): (Vec<Change>, Vec<Change>) = changes.iter().cloned().partition(is_name);
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
