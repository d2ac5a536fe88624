//! The files of a directory, and the cards in them.
//!
//! Owns which files take part, reading them whole and unchanged, and knowing those again
//! that did not change since: by size, times and inode, unless a file is so young that
//! it could have changed without that showing. Hidden and temporary files take no part.
//! Leaves what to do with cards to [`super`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;

use crate::model::Fingerprint;

use super::card::Card;
use super::person::Person;
use super::scan::Layout;
use super::text::Text;

/// No file of cards is as large as this.
const LARGEST: u64 = 256 << 20;

/// How often something is read again that changes meanwhile.
const TRIES: usize = 5;

/// A file that was changed less than this before it was read is read again next time:
/// its times may be too coarse to show a further change.
const YOUNG: Duration = Duration::from_secs(3);

/// The files that take part, by their path below the directory.
pub(super) type Files = BTreeMap<PathBuf, CardFile>;

/// A file as it was read.
#[derive(Clone, Debug)]
pub(super) struct CardFile {
    /// By which it is known again; `None` if it is to be read again in any case.
    stamp: Option<Stamp>,
    /// All its bytes; of a file that cannot be read, of nothing.
    pub(super) fingerprint: Fingerprint,
    pub(super) contents: Arc<Contents>,
}

/// What is in a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
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
    pub(super) person: Option<Person>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    place: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            place: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether a later change of the file is sure to show in it.
    fn is_settled(self) -> bool {
        #[expect(clippy::disallowed_methods, reason = "it is compared with times of the kernel's")]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let limit = i64::try_from(now.saturating_sub(YOUNG).as_secs()).unwrap_or(i64::MAX);
        self.modified.0 < limit && self.changed.0 < limit
    }
}

impl Contents {
    /// What is in these bytes of a file.
    pub(super) fn of(raw: &[u8]) -> Contents {
        let broken = |reason: String| Contents { broken: vec![(1, reason)], ..Contents::default() };
        if raw.trim_ascii().is_empty() {
            return broken("the file is empty; if it is not needed, remove it".to_owned());
        }
        match Text::decode(raw) {
            Ok(text) => Contents::of_body(&text.body),
            Err(reason) => broken(reason),
        }
    }

    fn of_body(body: &[u8]) -> Contents {
        let layout = Layout::of(body);
        let found = |position: usize| {
            let lines = &layout.lines[layout.cards[position].clone()];
            let card = Card::new(body, lines);
            FoundCard {
                line: lines[0].number,
                fingerprint: Fingerprint::of(&body[layout.span(position)]),
                content: card.content(),
                person: (!card.is_group()).then(|| card.person()),
            }
        };
        let mut contents = Contents {
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
    pub(super) fn written(raw: &[u8]) -> CardFile {
        CardFile {
            stamp: None,
            fingerprint: Fingerprint::of(raw),
            contents: Arc::new(Contents::of(raw)),
        }
    }

    fn unreadable(reason: String) -> CardFile {
        let contents = Contents { broken: vec![(1, reason)], ..Contents::default() };
        let fingerprint = Fingerprint::of(&[]);
        CardFile { stamp: None, fingerprint, contents: Arc::new(contents) }
    }

    /// Reads the file at `path`, unless it is the `known` one; `None` if it is gone.
    pub(super) fn read(path: &Path, known: Option<&CardFile>) -> Option<CardFile> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return Some(CardFile::unreadable(error.to_string())),
        };
        let stamp = Stamp::of(&metadata);
        if let Some(known) = known
            && known.stamp == Some(stamp)
        {
            return Some(known.clone());
        }
        match read_stable(path) {
            Ok((raw, stamp)) => Some(CardFile {
                stamp: Some(stamp).filter(|s| s.is_settled()),
                ..CardFile::written(&raw)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(CardFile::unreadable(error.to_string())),
        }
    }
}

/// All bytes of a file that did not change while it was read.
pub(super) fn read_stable(path: &Path) -> io::Result<(Vec<u8>, Stamp)> {
    let flags = OFlags::NONBLOCK | OFlags::CLOEXEC;
    for _ in 0..TRIES {
        let mut file =
            OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
        let before = file.metadata()?;
        if !before.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        if before.size() > LARGEST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large for cards"));
        }
        let mut raw = Vec::with_capacity(usize::try_from(before.size()).unwrap_or_default());
        Read::by_ref(&mut file).take(LARGEST).read_to_end(&mut raw)?;
        let after = Stamp::of(&file.metadata()?);
        if after == Stamp::of(&before) && u64::try_from(raw.len()).is_ok_and(|n| n == after.size) {
            return Ok((raw, after));
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "somebody is writing it"))
}

/// Reads the files of `root`, of which some may be `known`. What cannot be read is told with its path.
///
/// # Errors
/// When the directory itself cannot be read.
pub(super) fn scan(
    root: &Path,
    depth: Depth,
    known: &Files,
) -> io::Result<(Files, Vec<(PathBuf, String)>)> {
    let mut scan = Scan { root, known, files: Files::new(), unreadable: Vec::new() };
    let mut open = vec![PathBuf::new()];
    let mut read = BTreeSet::new();
    while let Some(below) = open.pop() {
        if !read.insert(identity(&root.join(&below))) {
            continue;
        }
        match scan.directory(&below) {
            Ok(directories) if depth == Depth::All => open.extend(directories),
            Ok(_) => {}
            Err(error) if below == Path::new("") => return Err(error),
            Err(error) => scan.unreadable.push((below, error.to_string())),
        }
    }
    Ok((scan.files, scan.unreadable))
}

/// What directory a path leads to: one may have several names, by symbolic links, and is
/// read once. A path that leads nowhere is itself.
fn identity(path: &Path) -> Result<(u64, u64), PathBuf> {
    fs::metadata(path).map(|found| (found.dev(), found.ino())).map_err(|_| path.to_owned())
}

/// The directories whose files take part. One that cannot be read has none below it.
pub(super) fn directories(root: &Path, depth: Depth) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    let mut looked = 0;
    let mut known = BTreeSet::from([identity(root)]);
    while depth == Depth::All && looked < found.len() {
        let (names, _) = list(&found[looked]).unwrap_or_default();
        let below = names.into_iter().filter(|(_, is_directory)| *is_directory);
        let below: Vec<_> = below.map(|(name, _)| found[looked].join(name)).collect();
        found.extend(below.into_iter().filter(|path| known.insert(identity(path))));
        looked += 1;
    }
    found
}

struct Scan<'a> {
    root: &'a Path,
    known: &'a Files,
    files: Files,
    unreadable: Vec<(PathBuf, String)>,
}

impl Scan<'_> {
    /// Takes the files of a directory, and returns its subdirectories. A file that is
    /// gone before it is read may have got another name meanwhile: the directory is then
    /// looked through again.
    fn directory(&mut self, below: &Path) -> io::Result<Vec<PathBuf>> {
        for _ in 0..TRIES {
            let (names, is_stable) = list(&self.root.join(below))?;
            let mut directories = Vec::new();
            let mut is_whole = is_stable;
            for (name, is_directory) in names {
                let path = below.join(name);
                if is_directory {
                    directories.push(path);
                } else if let Some(file) =
                    CardFile::read(&self.root.join(&path), self.known.get(&path))
                {
                    self.files.insert(path, file);
                } else {
                    self.files.remove(&path);
                    is_whole = false;
                }
            }
            if is_whole {
                return Ok(directories);
            }
        }
        let reason = "its files come and go too fast to be read".to_owned();
        Err(io::Error::new(io::ErrorKind::ResourceBusy, reason))
    }
}

/// Which directories take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// The directory itself.
    One,
    /// Its subdirectories as well.
    All,
}

impl Depth {
    /// Where cards are, as the state remembers it: fewer directories are no deletions.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Depth::One => "the directory",
            Depth::All => "the directory and those below",
        }
    }
}

type Listed = (Vec<(std::ffi::OsString, bool)>, bool);

/// What in a directory takes part: names, and which of them are directories. Says
/// whether nothing came or went meanwhile: then nothing can have been overlooked.
fn list(path: &Path) -> io::Result<Listed> {
    let mut names = Vec::new();
    for _ in 0..TRIES {
        let directory = File::open(path)?;
        let before = Stamp::of(&directory.metadata()?);
        names.clear();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let kind = entry.file_type()?;
            let is_hidden = name.as_encoded_bytes().starts_with(b".");
            let leads_to_directory = || {
                kind.is_symlink() && fs::metadata(entry.path()).is_ok_and(|found| found.is_dir())
            };
            let is_directory = kind.is_dir() || leads_to_directory();
            if is_directory && !is_hidden {
                names.push((name, true));
            } else if !is_directory && takes_part(Path::new(&name)) {
                names.push((name, false));
            }
        }
        if Stamp::of(&directory.metadata()?) == before {
            return Ok((names, true));
        }
    }
    Ok((names, false))
}

/// Whether a file of this name is one of cards, and not one that some program makes for
/// itself.
pub fn takes_part(name: &Path) -> bool {
    let is_own = name.as_os_str().as_encoded_bytes();
    let extension = name.extension().unwrap_or_default();
    let is_cards = ["vcf", "vcard"].iter().any(|known| extension.eq_ignore_ascii_case(known));
    is_cards && !matches!(is_own.first(), Some(b'.' | b'#' | b'~'))
}
