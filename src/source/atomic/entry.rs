//! The names of the files in our directory.
//!
//! Owns that a name tells what the file is about, so that whatever a killed process left
//! there can be finished: which file of the source it belongs to, the fingerprints of the
//! version that was there and of the one that took its place, and how far it had come. No
//! name ends as those of cards do.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use crate::model::Fingerprint;
use crate::source::files::Hidden;

/// How much of the path of a file goes into a name: names that encrypted directories can
/// have are no longer than 143 bytes.
const LONGEST: usize = 76;

/// How the names of new files begin that are not complete.
pub(super) const NEW: &str = "new-";

/// What stands in the place of the version that was made, where a file was removed.
const NOTHING: &str = "none";

/// The files of the source that are whoever asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EntryScope<'a> {
    /// This one.
    File(&'a Path),
    /// All that are called so, wherever below the directory.
    Called(fn(&Path) -> bool),
}

/// A file in our directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HiddenFile {
    pub(super) path: PathBuf,
    /// Tells the file that it belongs to from all others.
    of: String,
    /// The path of that file, or as much of its end as there was room for.
    at: PathBuf,
    /// Short for the version that was there.
    pub(super) was: String,
    pub(super) state: HiddenFileState,
}

/// What a file in our directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HiddenFileState {
    /// A new version that is not complete.
    Part,
    /// The new version before the exchange, and the displaced one after it; with what is
    /// short for the new one.
    Swap { made: String },
    /// A version that was replaced by this one.
    Replaced { made: String },
    /// A file that was removed.
    Removed,
}

/// Enough of a fingerprint to tell the versions of one file apart.
pub(super) fn short_fingerprint(fingerprint: Fingerprint) -> String {
    fingerprint.to_hex()[..16].to_owned()
}

/// What stands in the name of a file for `target` before and behind something that makes
/// it the only one of its name.
pub(super) fn swap_prefix(
    hidden: &Hidden,
    target: &Path,
    was: Fingerprint,
    made: Option<Fingerprint>,
) -> (String, String) {
    let below = path_below(hidden, target);
    let made = made.map_or_else(|| NOTHING.to_owned(), short_fingerprint);
    (
        format!("{}-{}-{made}-", path_key(below), short_fingerprint(was)),
        format!("-{}", escape_path(below)),
    )
}

/// The name of a file that was made under another one: about the version `was`, and the
/// only one by what comes with that.
pub(super) fn moved_name(
    hidden: &Hidden,
    target: &Path,
    [was, only]: [&str; 2],
    made: Option<&str>,
    kind: &str,
) -> String {
    let below = path_below(hidden, target);
    format!(
        "{}-{was}-{}-{only}-{}.{kind}",
        path_key(below),
        made.unwrap_or(NOTHING),
        escape_path(below)
    )
}

/// The path of `target` below the directory that ours is in.
fn path_below<'t>(hidden: &Hidden, target: &'t Path) -> &'t Path {
    let name = || Path::new(target.file_name().unwrap_or_default());
    target.strip_prefix(hidden.base_directory()).unwrap_or_else(|_| name())
}

fn path_key(below: &Path) -> String {
    short_fingerprint(Fingerprint::of(below.as_os_str().as_bytes()))
}

/// The end of a path, with nothing in it but plain characters.
fn escape_path(below: &Path) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@+ ".contains(&byte);
    let each = below.as_os_str().as_bytes().iter().map(|byte| match *byte {
        plain if is_plain(plain) => char::from(plain).to_string(),
        other => format!("%{other:02X}"),
    });
    let text: String = each.collect();
    text[text.len().saturating_sub(LONGEST)..].to_owned()
}

fn unescape_path(text: &str) -> PathBuf {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| u8::from_str_radix(str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// What lies in our directory.
pub(super) fn hidden_files(hidden: &Hidden) -> Vec<HiddenFile> {
    if !hidden.is_there() {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir(hidden.path()) else { return Vec::new() };
    entries.flatten().filter_map(|entry| HiddenFile::from_path(entry.path())).collect()
}

impl HiddenFile {
    fn from_path(path: PathBuf) -> Option<HiddenFile> {
        let (name, kind) = path.file_name()?.to_str()?.rsplit_once('.')?;
        let parts: Vec<&str> = name.splitn(5, '-').collect();
        let [of, was, made, _, at] = parts[..] else { return None };
        let state = match (kind, made) {
            ("part", _) => HiddenFileState::Part,
            ("swap", made) => HiddenFileState::Swap { made: made.to_owned() },
            ("old", NOTHING) => HiddenFileState::Removed,
            ("old", made) => HiddenFileState::Replaced { made: made.to_owned() },
            _ => return None,
        };
        let (of, was, at) = (of.to_owned(), was.to_owned(), unescape_path(at));
        let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        at.components().all(is_plain).then_some(HiddenFile { path, of, at, was, state })
    }

    /// The file of the source that it belongs to, if it is within `scope`.
    pub(super) fn target_file(&self, hidden: &Hidden, scope: EntryScope<'_>) -> Option<PathBuf> {
        match scope {
            EntryScope::File(target) => {
                (self.of == path_key(path_below(hidden, target))).then(|| target.to_owned())
            }
            EntryScope::Called(is_ours) => is_ours(&self.at).then(|| self.whole_path(hidden)),
        }
    }

    fn whole_path(&self, hidden: &Hidden) -> PathBuf {
        if path_key(&self.at) == self.of {
            return hidden.base_directory().join(&self.at);
        }
        // There was no room for all of it.
        find_by_key(hidden.base_directory(), Path::new(""), &self.of).unwrap_or_else(|| {
            hidden.base_directory().join(self.at.file_name().unwrap_or_default())
        })
    }
}

/// The file with this key below `base`.
fn find_by_key(base: &Path, directory: &Path, of: &str) -> Option<PathBuf> {
    let is_hidden = |name: &OsStr| name.as_bytes().starts_with(b".");
    fs::read_dir(base.join(directory)).ok()?.flatten().find_map(|entry| {
        let below = directory.join(entry.file_name());
        if path_key(&below) == of {
            return Some(base.join(below));
        }
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        (is_directory && !is_hidden(&entry.file_name()))
            .then(|| find_by_key(base, &below, of))
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_card(path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension == "vcf")
    }

    fn entry(hidden: &Hidden, target: &Path, kind: &str) -> HiddenFile {
        let was = Fingerprint::of(b"was");
        let made = (kind != "old").then(|| Fingerprint::of(b"made"));
        let (before, behind) = swap_prefix(hidden, target, was, made);
        let name = format!("{before}aB3xY9{behind}.{kind}");
        assert!(name.len() <= 143 && name.is_ascii() && !name.contains('/'), "{name}");
        HiddenFile::from_path(hidden.path().join(name)).unwrap()
    }

    #[test]
    fn a_name_tells_what_the_file_is_about() {
        let hidden = Hidden::in_directory(Path::new("/cards"));
        for below in ["ada.vcf", "team/b-o.vcf", "größe 100%.vcf", "a/b/c/d.e-f.vcf"] {
            let target = Path::new("/cards").join(below);
            for kind in ["part", "swap", "old"] {
                let entry = entry(&hidden, &target, kind);
                assert_eq!(
                    entry.target_file(&hidden, EntryScope::File(&target)),
                    Some(target.clone())
                );
                assert_eq!(
                    entry.target_file(&hidden, EntryScope::Called(is_card)),
                    Some(target.clone())
                );
                assert_eq!(entry.target_file(&hidden, EntryScope::Called(|_| false)), None);
                let other = Path::new("/cards/other.vcf");
                assert_eq!(entry.target_file(&hidden, EntryScope::File(other)), None);
                assert_eq!(entry.was, short_fingerprint(Fingerprint::of(b"was")));
            }
        }
    }

    #[test]
    fn a_file_whose_name_is_too_long_for_that_is_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let hidden = Hidden::in_directory(dir.path());
        let target = dir.path().join("team").join(format!("{}.vcf", "ä".repeat(120)));
        let entry = entry(&hidden, &target, "old");
        let found =
            |entry: &HiddenFile| entry.target_file(&hidden, EntryScope::Called(is_card)).unwrap();
        assert_eq!(found(&entry).parent(), Some(dir.path()), "it is gone");
        fs::create_dir(dir.path().join("team")).unwrap();
        fs::write(&target, "").unwrap();
        assert_eq!(found(&entry), target);
        assert_eq!(entry.target_file(&hidden, EntryScope::File(&target)), Some(target));
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "",
            "notes.txt",
            "new-aB3xY9.part",
            "a-b-c-d.old",
            "a-b-c-d-e.vcf",
            "a-b-c-d-..%2Fe.old",
            "a-b-c-d-%2Fetc%2Fpasswd.old",
        ] {
            assert_eq!(
                HiddenFile::from_path(Path::new("/cards/.linqsync").join(name)),
                None,
                "{name}"
            );
        }
    }
}
