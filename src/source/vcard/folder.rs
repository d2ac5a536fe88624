//! The files of a directory, and the cards in them.
//!
//! Owns what is in each file, and knowing those again that did not change since: by size,
//! times and inode, unless a file is so young that it could have changed without that
//! showing. Leaves which files take part to [`super::listing`], and what to do with cards
//! to [`super`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::model::{Digest, FileAtRest, Fingerprint, Resting, Selection};
use crate::source::files::{FileStamp, QuietTime, ReadError, TRIES, follow_link, read_stable};

use super::Only;
use super::card::Card;
use super::listing::{
    DirEntryKind, DirectoryListing, ListingDepth, directory_identity, list_directory,
};
use super::scan::Layout;
use super::text::DecodedCards;
use super::values::CardValues;

/// No file of cards is as large as this.
pub(super) const LARGEST: u64 = 256 << 20;

/// The files that take part, by their path below the directory.
pub(super) type CardFiles = BTreeMap<PathBuf, CardFile>;

/// A file as it was read.
#[derive(Clone, Debug)]
pub(super) struct CardFile {
    /// What it was like when it was read; `None` if it was not.
    stamp: Option<FileStamp>,
    /// Which of its cards take part.
    only: Only,
    /// Whether a later change is sure to show in its stamp.
    is_settled: bool,
    /// All its bytes; of a file that cannot be read, of nothing.
    pub(super) fingerprint: Fingerprint,
    pub(super) contents: KnownFile,
}

/// What is known of the contents of a file.
#[derive(Clone, Debug)]
pub(super) enum KnownFile {
    /// What is in it.
    Read(Arc<CardsRead>),
    /// Its cards are as they were when each was at rest: what is in it is read where it is
    /// needed.
    AtRest(Arc<[Digest]>, Arc<OnceLock<Arc<CardsRead>>>),
}

/// What is in a file.
#[derive(Clone, Debug, Default)]
pub(super) struct CardsRead {
    pub(super) cards: Vec<FoundCard>,
    /// What is no card, with its line.
    pub(super) broken: Vec<(u32, String)>,
}

/// A card of a file.
#[derive(Clone, Debug)]
pub(super) struct FoundCard {
    pub(super) line: u32,
    pub(super) fingerprint: Fingerprint,
    /// What is written in it, however it is written.
    pub(super) content: Fingerprint,
    /// `None` for a list of contacts, which is none itself.
    pub(super) person: Option<CardValues>,
    /// Whether it takes no part.
    pub(super) is_outside: bool,
}

impl CardsRead {
    /// What is in these bytes of a file.
    pub(super) fn parse_cards(raw: &[u8], only: Option<&Selection>) -> CardsRead {
        let broken =
            |reason: String| CardsRead { broken: vec![(1, reason)], ..CardsRead::default() };
        if raw.trim_ascii().is_empty() {
            return broken("the file is empty; if it is not needed, remove it".to_owned());
        }
        match DecodedCards::decode(raw) {
            Ok(text) => CardsRead::of_body(&text.body, only),
            Err(reason) => broken(reason),
        }
    }

    fn of_body(body: &[u8], only: Option<&Selection>) -> CardsRead {
        let layout = Layout::find_cards(body);
        let found = |position: usize| {
            let lines = &layout.lines[layout.cards[position].clone()];
            let card = Card::new(body, lines);
            FoundCard {
                line: lines[0].number,
                fingerprint: Fingerprint::of(&body[layout.card_range(position)]),
                content: card.content_fingerprint(),
                person: (!card.is_group()).then(|| card.card_values()),
                is_outside: only.is_some_and(|only| {
                    !only.takes(card.selecting(&only.column).iter().map(String::as_str))
                }),
            }
        };
        let mut contents = CardsRead {
            cards: (0..layout.cards.len()).map(found).collect(),
            broken: layout.broken.iter().map(|b| (b.line, b.reason.to_owned())).collect(),
        };
        if contents.cards.is_empty() && contents.broken.is_empty() {
            contents.broken.push((1, "there is no card in the file".to_owned()));
        }
        contents
    }
}

impl CardFile {
    /// The file that was just written with these bytes. It is read again next time.
    pub(super) fn from_written(raw: &[u8], only: &Only) -> CardFile {
        CardFile {
            stamp: None,
            only: only.clone(),
            is_settled: false,
            fingerprint: Fingerprint::of(raw),
            contents: KnownFile::Read(Arc::new(CardsRead::parse_cards(raw, only.as_deref()))),
        }
    }

    /// What is in the file at `path`, which is read now if it was not. Of one that is another
    /// by now there is nothing.
    pub(super) fn cards_read(&self, path: &Path) -> Arc<CardsRead> {
        match &self.contents {
            KnownFile::Read(contents) => Arc::clone(contents),
            KnownFile::AtRest(_, read) => Arc::clone(read.get_or_init(|| {
                let raw = read_stable(path, LARGEST).map(|(raw, _)| raw).unwrap_or_default();
                let is_it = Fingerprint::of(&raw) == self.fingerprint;
                Arc::new(if is_it {
                    CardsRead::parse_cards(&raw, self.only.as_deref())
                } else {
                    CardsRead::default()
                })
            })),
        }
    }

    /// What there is to remember of the file, if its cards are at rest by now: `is_at_rest`
    /// says so of each.
    pub(super) fn to_remember(
        &self,
        is_at_rest: impl FnMut(&FoundCard) -> Option<Digest>,
    ) -> Option<FileAtRest> {
        let KnownFile::Read(contents) = &self.contents else { return None };
        let stamp = self.stamp.filter(|_| self.is_settled && contents.broken.is_empty())?;
        let records = contents.cards.iter().map(is_at_rest).collect::<Option<Vec<Digest>>>()?;
        Some(FileAtRest { stamp: stamp.to_bytes(), fingerprint: self.fingerprint, records })
    }

    fn unreadable_file(reason: String) -> CardFile {
        let contents = CardsRead { broken: vec![(1, reason)], ..CardsRead::default() };
        let fingerprint = Fingerprint::of(&[]);
        let contents = KnownFile::Read(Arc::new(contents));
        CardFile { stamp: None, only: None, is_settled: false, fingerprint, contents }
    }

    /// Reads the file at `path`, unless it is the `known` one, or as it was `at_rest`; `None`
    /// if it is gone.
    pub(super) fn read_file(
        path: &Path,
        known: Option<&CardFile>,
        at_rest: Option<&FileAtRest>,
        only: &Only,
    ) -> Option<CardFile> {
        match CardFile::read_as_it_is(path, known, at_rest, only) {
            Ok(file) => Some(file),
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                leads_nowhere(path).then(|| {
                    CardFile::unreadable_file("it is a symbolic link that leads nowhere".to_owned())
                })
            }
            Err(error) => Some(CardFile::unreadable_file(read_error_text(error))),
        }
    }

    fn read_as_it_is(
        path: &Path,
        known: Option<&CardFile>,
        at_rest: Option<&FileAtRest>,
        only: &Only,
    ) -> Result<CardFile, ReadError> {
        let known =
            known.filter(|known| known.is_settled && matches!(known.contents, KnownFile::Read(_)));
        if known.is_some() || at_rest.is_some() {
            let stamp = FileStamp::from_metadata(&fs::metadata(follow_link(path)?)?);
            if let Some(at_rest) = at_rest.filter(|file| file.stamp == stamp.to_bytes()) {
                return Ok(CardFile {
                    stamp: Some(stamp),
                    only: only.clone(),
                    is_settled: true,
                    fingerprint: at_rest.fingerprint,
                    contents: KnownFile::AtRest(at_rest.records.clone().into(), Arc::default()),
                });
            }
            if let Some(known) = known.filter(|known| known.stamp == Some(stamp)) {
                return Ok(known.clone());
            }
        }
        let (raw, stamp) = read_stable(path, LARGEST)?;
        let is_settled = stamp.is_settled();
        Ok(CardFile { stamp: Some(stamp), is_settled, ..CardFile::from_written(&raw, only) })
    }
}

/// Whether something is called so that leads nowhere at present.
pub(super) fn leads_nowhere(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
}

/// Why a file cannot be read, for people.
fn read_error_text(error: ReadError) -> String {
    let why = match error {
        ReadError::Io(error) => return error.to_string(),
        ReadError::ForeignLink => "it is a symbolic link of another user; make the link anew",
        ReadError::Directory | ReadError::NotRegular => "it is not a regular file",
        ReadError::TooLarge => "it is too large for cards",
        ReadError::Busy => "another program is writing it",
    };
    why.to_owned()
}

/// A directory as it was read.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) files: CardFiles,
    /// What cannot be read besides files.
    pub(super) unreadable: Vec<(PathBuf, String)>,
    /// What the directories were like.
    directories: BTreeMap<PathBuf, FileStamp>,
}

/// Reads the files of `root`, of which some may be `known`, or at rest. What cannot be read is
/// told with its path.
///
/// # Errors
/// When the directory itself cannot be read.
pub(super) fn scan_directory(
    root: &Path,
    depth: ListingDepth,
    known: &CardFiles,
    resting: &Resting,
    only: &Only,
) -> io::Result<Scanned> {
    let (scanned, open) = (Scanned::default(), Vec::new());
    let mut scan = Scan { root, depth, known, resting, only, scanned, open };
    let mut read = BTreeSet::new();
    scan.open.push(PathBuf::new());
    while let Some(below) = scan.open.pop() {
        if !read.insert(directory_identity(&root.join(&below))) {
            continue;
        }
        match scan.scan_files(&below) {
            Ok(()) => {}
            Err(error) if below == Path::new("") => return Err(error),
            Err(error) => scan.scanned.unreadable.push((below, error.to_string())),
        }
    }
    Ok(scan.scanned)
}

struct Scan<'a> {
    root: &'a Path,
    depth: ListingDepth,
    known: &'a CardFiles,
    resting: &'a Resting,
    only: &'a Only,
    scanned: Scanned,
    /// The directories that are still to be read.
    open: Vec<PathBuf>,
}

impl Scan<'_> {
    /// Takes the files of a directory, and remembers its subdirectories. A file that is
    /// gone before it is read may have got another name meanwhile: the directory is then
    /// looked through again.
    fn scan_files(&mut self, below: &Path) -> io::Result<()> {
        let mut found = FoundFiles::default();
        for _ in 0..TRIES {
            let listed = list_directory(&self.root.join(below))?;
            let stamp = listed.stamp;
            let is_stable = listed.is_stable;
            found = self.find_files(below, listed);
            self.scanned.directories.insert(below.to_owned(), stamp);
            if is_stable && found.vanished == 0 {
                break;
            }
            found.is_restless = true;
        }
        if found.is_restless {
            let reason = "its files come and go too fast to be read".to_owned();
            self.scanned.unreadable.push((below.to_owned(), reason));
        }
        self.scanned.files.extend(found.files);
        if self.depth == ListingDepth::All {
            self.open.extend(found.directories);
            self.scanned.unreadable.extend(found.refused);
        }
        Ok(())
    }

    /// What is found under the names of a directory.
    fn find_files(&self, below: &Path, listed: DirectoryListing) -> FoundFiles {
        let mut found = FoundFiles::default();
        for (name, kind) in listed.names {
            let path = below.join(name);
            match kind {
                DirEntryKind::Cards => {
                    let known = self.known.get(&path);
                    let at_rest = self.resting.resting_file(path.as_os_str().as_encoded_bytes());
                    match CardFile::read_file(&self.root.join(&path), known, at_rest, self.only) {
                        Some(file) => drop(found.files.insert(path, file)),
                        None => found.vanished += 1,
                    }
                }
                DirEntryKind::Directory => found.directories.push(path),
                DirEntryKind::Refused(why) => found.refused.push((path, why)),
            }
        }
        found
    }
}

/// What is in one directory.
#[derive(Default)]
struct FoundFiles {
    files: CardFiles,
    directories: Vec<PathBuf>,
    /// Links that are not followed, and why.
    refused: Vec<(PathBuf, String)>,
    /// How many files were gone before they were read.
    vanished: usize,
    is_restless: bool,
}

impl Scanned {
    /// Tells one state of the directory from another.
    pub(super) fn state_fingerprint(&self) -> Fingerprint {
        let mut hasher = blake3::Hasher::new();
        let files = self.files.iter().map(|(path, file)| (path, file.stamp));
        let directories = self.directories.iter().map(|(path, stamp)| (path, Some(*stamp)));
        for (path, stamp) in files.chain(directories) {
            hasher.update(path.as_os_str().as_encoded_bytes()).update(&[0]);
            if let Some(stamp) = stamp {
                stamp.add_to(&mut hasher);
            }
        }
        Fingerprint(*hasher.finalize().as_bytes())
    }

    /// What everything in it was like.
    pub(super) fn file_stamps(&self) -> impl Iterator<Item = FileStamp> {
        let files = self.files.values().filter_map(|file| file.stamp);
        files.chain(self.directories.values().copied())
    }

    /// Takes what was changed within the quiet time for what cannot be read: whoever
    /// changes it is not done yet. The rest counts, and nothing for missing.
    pub(super) fn distrust_restless(&mut self, clock: &QuietTime) {
        const REASON: &str = "it is being changed by another program; it is read when it has \
                              been left alone for as long as source.quiet says";
        for file in self.files.values_mut() {
            if file.stamp.is_some_and(|stamp| clock.is_restless(stamp)) {
                *file = CardFile::unreadable_file(REASON.to_owned());
            }
        }
        let root = PathBuf::new();
        let restless = self.directories.iter().filter(|(_, stamp)| clock.is_restless(**stamp));
        let mut restless: Vec<&PathBuf> = restless.map(|(path, _)| path).collect();
        if restless.is_empty() {
            // Something did not stay as it was, whatever the times say.
            restless.push(&root);
        }
        let told = restless.into_iter().map(|path| (path.clone(), REASON.to_owned()));
        self.unreadable.extend(told);
    }
}
