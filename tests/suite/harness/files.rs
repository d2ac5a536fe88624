//! Whether anything on disk was touched.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A directory, to the byte: each file and directory in it with its content, mode,
/// inode and the time of its last change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestFiles(BTreeMap<PathBuf, FileTrace>);

#[derive(PartialEq, Eq)]
struct FileTrace {
    mode: u32,
    inode: u64,
    modified: (i64, i64),
    content: Option<Vec<u8>>,
}

impl TestFiles {
    /// What is at `path`, and below it.
    pub(crate) fn at(path: &Path) -> TestFiles {
        let mut files = BTreeMap::new();
        collect(path, &mut files);
        TestFiles(files)
    }

    /// The same without SQLite's companions, which appear and vanish when a
    /// database is only read, and without the times of their directory.
    pub(crate) fn without_companions(mut self) -> TestFiles {
        let companion = |path: &Path| {
            let name = path.to_string_lossy();
            name.ends_with("-wal") || name.ends_with("-shm")
        };
        self.0.retain(|path, _| !companion(path));
        for trace in self.0.values_mut().filter(|trace| trace.content.is_none()) {
            trace.modified = (0, 0);
        }
        self
    }

    /// The files and directories with a mode in `mask`.
    pub(crate) fn with_mode(&self, mask: u32) -> Vec<&Path> {
        let wide = self.0.iter().filter(|(_, trace)| trace.mode & mask != 0);
        wide.map(|(path, _)| path.as_path()).collect()
    }

    /// The files that contain `text`.
    pub(crate) fn containing(&self, text: &str) -> Vec<&Path> {
        let holds = |trace: &FileTrace| {
            let content = trace.content.as_deref().unwrap_or_default();
            content.windows(text.len()).any(|window| window == text.as_bytes())
        };
        self.0.iter().filter(|(_, trace)| holds(trace)).map(|(path, _)| path.as_path()).collect()
    }

    /// The names of all files and directories.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.0.keys().filter_map(|path| path.file_name());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }
}

/// What is in a directory, hidden or not, by name.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn collect(path: &Path, into: &mut BTreeMap<PathBuf, FileTrace>) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let trace = FileTrace {
        mode: metadata.mode() & 0o7777,
        inode: metadata.ino(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        content: metadata.is_file().then(|| fs::read(path).unwrap()),
    };
    into.insert(path.to_owned(), trace);
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), into);
        }
    }
}

impl std::fmt::Debug for FileTrace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let FileTrace { mode, inode, modified: (seconds, nanos), content } = self;
        let length = content.as_ref().map(Vec::len);
        write!(f, "{mode:o} inode {inode} at {seconds}.{nanos:09}, {length:?} bytes")
    }
}
