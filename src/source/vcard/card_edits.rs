//! The edits of one run, file by file.
//!
//! Owns that a file is replaced once, whole and only if it still is what was read, and that
//! trouble with one file holds up no other. Leaves what a file becomes to
//! [`super::new_file`].

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use crate::model::{
    AsWritten, FieldChange, Fingerprint, LinqId, RecordIndex, RejectedField, Resting, SourceRecord,
    Values,
};
use crate::source::atomic::{self, ReplaceError, by_way_of};
use crate::source::files::{Hidden, read_stable};
use crate::source::{EditOutcome, SourceEdit, WriteError, WriteReceipt};

use super::folder::{CardFile, LARGEST};
use super::listing::ListingDepth;
use super::new_file::{CardEdit, NewFile};
use super::reading::{CardLocation, all_uids, assemble_records, record_at};
use super::{LastCards, Only, VcardOptions, VcardVersion, new_card, restore};

/// The directory while it is written.
pub(super) struct CardEdits<'a> {
    last: LastCards,
    resting: &'a Resting,
    version: VcardVersion,
    depth: ListingDepth,
    only: &'a Only,
    outcomes: Vec<CardEditOutcome>,
    /// The file of each edit of a card that was there.
    files: BTreeMap<usize, PathBuf>,
    /// Why writing ended early.
    failed: Option<WriteError>,
}

/// What became of an edit.
#[derive(Clone, Debug)]
pub(super) enum CardEditOutcome {
    /// The card is here by now, without the fields that cannot be written.
    Stands(CardLocation, Vec<RejectedField>),
    Removed,
    Refused(String),
    /// Not carried out: the file is another one by now, or something failed.
    Undone,
}

impl<'a> CardEdits<'a> {
    pub(super) fn new(
        last: LastCards,
        resting: &'a Resting,
        options: &'a VcardOptions,
    ) -> CardEdits<'a> {
        let (outcomes, files) = (Vec::new(), BTreeMap::new());
        let VcardOptions { version, only, .. } = options;
        let (version, depth) = (*version, last.depth);
        CardEdits { last, resting, version, depth, only, outcomes, files, failed: None }
    }

    /// Carries out `edits`, as far as it is possible.
    pub(super) fn carry_out(&mut self, edits: &[SourceEdit]) {
        self.outcomes = vec![CardEditOutcome::Undone; edits.len()];
        let mut by_file: BTreeMap<PathBuf, Vec<CardEdit<'_>>> = BTreeMap::new();
        for (number, edit) in edits.iter().enumerate() {
            let (at, changes) = match edit {
                SourceEdit::Update { at, changes, .. } => (*at, Some(&changes[..])),
                SourceEdit::Remove { at } => (*at, None),
                SourceEdit::Add { .. } => continue,
            };
            match self.card_edit(number, at, changes) {
                Some((file, edit)) => {
                    self.files.insert(number, file.clone());
                    by_file.entry(file).or_default().push(edit);
                }
                None => {
                    self.outcomes[number] =
                        CardEditOutcome::Refused("there is no such card".to_owned());
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

    fn add_all(&mut self, edits: &[SourceEdit]) {
        let brings_back = |edit: &SourceEdit| matches!(edit, SourceEdit::Add { was: Some(_), .. });
        let root = edits.iter().any(brings_back).then_some(&*self.last.root);
        let mut uids = all_uids(&self.last.files, root);
        let mut directories: BTreeSet<PathBuf> = BTreeSet::new();
        for (number, edit) in edits.iter().enumerate() {
            let SourceEdit::Add { values, linq_id, was } = edit else { continue };
            if self.failed.is_none() {
                let outcome = self.add_card(values, *linq_id, was.as_deref(), &mut uids);
                if let CardEditOutcome::Stands(CardLocation { file, .. }, _) = &outcome {
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
        changes: Option<&'e [FieldChange]>,
    ) -> Option<(PathBuf, CardEdit<'e>)> {
        let index = usize::try_from(at.0).ok()?;
        let place = self.last.places.get(index)?;
        Some((place.file.clone(), CardEdit { number, card: place.card, changes }))
    }

    /// Edits the cards of one file.
    fn edit_file(&mut self, file: &Path, edits: Vec<CardEdit<'_>>) {
        let path = self.last.root.join(file);
        let Some(known) = self.last.files.get(file).map(|file| file.fingerprint) else { return };
        let raw = read_stable(&path, LARGEST).ok().map(|(raw, _)| raw);
        let Some(raw) = raw.filter(|raw| Fingerprint::of(raw) == known) else {
            return self.read_anew(file);
        };
        let numbers: Vec<usize> = edits.iter().map(|edit| edit.number).collect();
        let draft = match NewFile::new(file, &raw, edits) {
            Ok(draft) => draft,
            Err(reason) => {
                for number in numbers {
                    self.outcomes[number] = CardEditOutcome::Refused(reason.clone());
                }
                return;
            }
        };
        if u64::try_from(draft.raw.len()).is_ok_and(|length| length > LARGEST) {
            // It could not be read afterwards.
            let error = io::Error::from(io::ErrorKind::FileTooLarge);
            for number in numbers {
                self.outcomes[number] = CardEditOutcome::Refused(cannot_write(file, &error));
            }
            return;
        }
        let root = &self.last.root;
        let replaced = if draft.raw == raw {
            Ok(())
        } else if draft.raw.is_empty() {
            by_way_of(root, &path, |hidden| atomic::remove_file(hidden, &path, known))
        } else {
            by_way_of(root, &path, |hidden| {
                atomic::replace_file(hidden, &path, known, &draft.raw).map(drop)
            })
        };
        match replaced {
            Ok(()) => self.take_file(file, draft, &raw),
            Err(ReplaceError::Changed { kept }) => {
                if let Some(kept) = kept {
                    tracing::warn!(path = %kept.display(), "another version of a card is kept here");
                }
                self.read_anew(file);
            }
            Err(ReplaceError::Io(error)) if self.is_about_one_file(&error) => {
                for number in numbers {
                    self.outcomes[number] = CardEditOutcome::Refused(cannot_write(file, &error));
                }
            }
            Err(error @ (ReplaceError::Io(_) | ReplaceError::Locked(_))) => {
                self.failed = Some(error.write_error(&path));
                self.read_anew(file);
            }
        }
    }

    /// Whether an error says something about one file, or the folder that it is in, and not
    /// about all of them.
    fn is_about_one_file(&self, error: &io::Error) -> bool {
        let files = self.last.files.keys().filter_map(|file| file.parent());
        let mut folders: BTreeSet<&Path> = files.collect();
        folders.insert(Path::new(""));
        let is_writable = || {
            let mut paths = folders.iter().map(|below| self.last.root.join(below));
            paths.any(|path| access(&path, Access::WRITE_OK | Access::EXEC_OK).is_ok())
        };
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::LOOP | Errno::NAMETOOLONG) => true,
            Some(Errno::ACCESS | Errno::PERM) => is_writable(),
            Some(_) => false,
            None => error.kind() == io::ErrorKind::InvalidInput,
        }
    }

    /// Takes over what a file has become.
    fn take_file(&mut self, file: &Path, draft: NewFile, was: &[u8]) {
        for (number, outcome) in draft.outcomes {
            self.outcomes[number] = outcome;
        }
        if draft.raw.is_empty() {
            self.last.files.remove(file);
        } else if draft.raw != was {
            self.last.files.insert(file.to_owned(), CardFile::from_written(&draft.raw, self.only));
        }
    }

    /// Reads a file that somebody else has written.
    fn read_anew(&mut self, file: &Path) {
        match CardFile::read_file(&self.last.root.join(file), None, None, self.only) {
            Some(read) => self.last.files.insert(file.to_owned(), read),
            None => self.last.files.remove(file),
        };
    }

    /// Adds a card in a file of its own: the one that it was, if it can be put back.
    fn add_card(
        &mut self,
        values: &Values,
        id: LinqId,
        was: Option<&AsWritten>,
        uids: &mut BTreeSet<String>,
    ) -> CardEditOutcome {
        let fresh_uid = new_card::new_uid(id);
        let restored = was.and_then(|was| Some((was, restore::restored_card(was, values)?)));
        let (raw, uid, (below, name)) = match restored {
            Some((was, card)) => {
                let named = card.uid.as_deref().unwrap_or(&fresh_uid);
                let place = restore::file_place(&self.last.root, self.depth, was, named);
                (card.raw, card.uid, place)
            }
            None => match new_card::new_card(id, values, self.version, self.only.as_deref()) {
                Ok(raw) => {
                    let name = new_card::file_name(&fresh_uid);
                    (raw, Some(fresh_uid), (PathBuf::new(), name))
                }
                Err(reason) => return CardEditOutcome::Refused(reason),
            },
        };
        if let Some(uid) = uid
            && !uids.insert(uid.clone())
        {
            return CardEditOutcome::Refused(format!("there is another card with the UID {uid}"));
        }
        let like = self.last.files.keys().next().map(|file| self.last.root.join(file));
        let directory = self.last.root.join(&below);
        let created = by_way_of(&self.last.root, &directory.join(&name), |hidden| {
            let created =
                atomic::create_in(hidden, &directory, name.as_ref(), &raw, like.as_deref());
            created.map_err(ReplaceError::Io)
        });
        match created {
            Ok(name) => {
                let file = below.join(name);
                self.last.files.insert(file.clone(), CardFile::from_written(&raw, self.only));
                CardEditOutcome::Stands(CardLocation { file, card: 0 }, Vec::new())
            }
            Err(ReplaceError::Io(error)) if self.is_about_one_file(&error) => {
                CardEditOutcome::Refused(cannot_write(&below.join(name), &error))
            }
            Err(error) => {
                self.failed = Some(error.write_error(&directory.join(name)));
                CardEditOutcome::Undone
            }
        }
    }

    /// What the directory holds now: what was written, even where somebody else has
    /// changed it since. That is read next time.
    pub(super) fn finish(self, asked: &[SourceEdit]) -> (LastCards, WriteReceipt) {
        let CardEdits { mut last, resting, only, outcomes, files, failed, .. } = self;
        let version = |number: usize| {
            let file = last.files.get(files.get(&number)?)?;
            Some(atomic::version_of(file.fingerprint))
        };
        let versions = (0..outcomes.len()).map(version).collect();
        Hidden::in_directory(&last.root).remove_if_empty();
        let (places, at_rest, mut reading) =
            assemble_records(&last.root, &last.files, &last.unreadable, resting, only);
        let positions: BTreeMap<&CardLocation, usize> = places.iter().zip(0..).collect();
        let edits = outcomes.into_iter().map(|outcome| match outcome {
            CardEditOutcome::Stands(place, refused) => match positions.get(&place) {
                Some(index) => {
                    let at = RecordIndex(u32::try_from(*index).unwrap_or(u32::MAX));
                    EditOutcome::of_parts(at, refused)
                }
                None => EditOutcome::Undone,
            },
            CardEditOutcome::Removed => EditOutcome::Removed,
            CardEditOutcome::Refused(reason) => EditOutcome::Refused(reason),
            CardEditOutcome::Undone => EditOutcome::Undone,
        });
        let edits: Vec<EditOutcome> = edits.collect();
        reading.add_edited(&edits, |at| {
            let place = places.get(usize::try_from(at.0).ok()?)?;
            let record = record_at(&last.root, &last.files, place)?;
            Some(SourceRecord { index: at, ..record })
        });
        reading.keep_choices(asked, &edits);
        reading.places = last.field_places(&reading);
        reading.read_only.clone_from(&last.obstacle);
        (last.places, last.at_rest) = (places, at_rest);
        (last, WriteReceipt { edits, versions, reading, failed })
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
