//! Programs in which people have the file open.
//!
//! Owns the marks that editors leave beside a file: while there is one, the file is
//! read and not written, because what is written would be lost when the editor saves
//! what it holds. Leaves to [`super::open`] files that are being written.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A mark beside a file `contacts.csv`: what stands before the name, what behind it,
/// and whose it is.
const MARKS: [(&str, &str, &str); 7] = [
    (".~lock.", "#", "LibreOffice"),
    ("~$", "", "Excel"),
    (".", ".swp", "Vim or nano"),
    (".", ".swo", "Vim"),
    (".", ".swn", "Vim"),
    (".", ".kate-swp", "Kate"),
    (".#", "", "Emacs"),
];

/// Says which program has one of `files`, names of the same file, open, if one has.
pub(super) fn open_in_editor(files: [&Path; 2]) -> Option<String> {
    files.into_iter().find_map(|file| {
        let (name, directory) = (file.file_name()?, file.parent()?);
        lock_marks(name).into_iter().find_map(|(mark, editor)| {
            // Emacs leaves a symbolic link that leads nowhere.
            std::fs::symlink_metadata(directory.join(&mark)).ok()?;
            Some(format!(
                "it is open in {editor}, as the file `{}` beside it says; close it there, or \
                 remove that file if nobody has it open",
                mark.display()
            ))
        })
    })
}

/// The names of all marks of the file called `name`.
fn lock_marks(name: &OsStr) -> Vec<(OsString, &'static str)> {
    let around = |before: &str, name: &OsStr, after: &str| {
        let mut mark = OsString::from(before);
        mark.push(name);
        mark.push(after);
        mark
    };
    let of_all = MARKS.iter().map(|(before, after, editor)| (around(before, name, after), *editor));
    // Excel puts its mark in place of the first two letters of longer names.
    let short =
        name.to_str().and_then(|name| name.char_indices().nth(2).map(|(at, _)| &name[at..]));
    let of_long = short.map(|rest| (around("~$", OsStr::new(rest), ""), "Excel"));
    of_all.chain(of_long).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened_with(mark: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(mark), "").unwrap();
        let file = dir.path().join("contacts.csv");
        open_in_editor([&file, &file])
    }

    #[test]
    fn the_marks_of_editors_are_known() {
        let table = [
            (".~lock.contacts.csv#", "LibreOffice"),
            ("~$contacts.csv", "Excel"),
            ("~$ntacts.csv", "Excel"),
            (".contacts.csv.swp", "Vim"),
            (".contacts.csv.kate-swp", "Kate"),
            (".#contacts.csv", "Emacs"),
        ];
        for (mark, editor) in table {
            let told = opened_with(mark).unwrap();
            assert!(told.starts_with(&format!("it is open in {editor}")), "{told}");
            assert!(told.contains(mark), "{told}");
        }
        for mark in [".~lock.others.csv#", "contacts.csv~", "#contacts.csv#", "contacts.csv.bak"] {
            assert_eq!(opened_with(mark), None, "{mark}");
        }
    }

    #[test]
    fn a_mark_that_leads_nowhere_and_one_beside_a_symbolic_link_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::os::unix::fs::symlink("ann@host.812:1", path(".#link.csv")).unwrap();
        assert!(open_in_editor([&path("contacts.csv"), &path("link.csv")]).is_some());
        assert!(open_in_editor([&path("contacts.csv"), &path("contacts.csv")]).is_none());
    }
}
