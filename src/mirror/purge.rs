//! Erasing a person from the state for good: the one way in which history goes before
//! its time.
//!
//! Owns what is left of them: nothing, but the id of a pair, released. Leaves finding
//! out what is about whom to [`crate::cli`].

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::State;
use super::directory;
use super::error::{MirrorFault, StateError};
use super::ignored::forget_ignored;
use crate::model::{Fingerprint, Link, LinkId, LinqId};

/// Everything in the state that is about one person.
#[derive(Clone, Debug, Default)]
pub struct ContactTraces {
    /// Their ids in Linq.
    pub contacts: BTreeSet<LinqId>,
    /// Rows of the history, by id.
    pub history: BTreeSet<i64>,
    /// What waits.
    pub waiting: BTreeSet<Fingerprint>,
    /// What Linq refused.
    pub rejections: BTreeSet<Fingerprint>,
}

impl State {
    /// Erases `traces`, and of the reports of runs what was said of an error where `is_told`
    /// finds something in it. A pair stays as a released id: neither half is created again on
    /// the other side. Afterwards no file of the state holds what was erased, free
    /// pages and the write-ahead log included.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn purge_contact(
        &self,
        traces: &ContactTraces,
        is_told: &dyn Fn(&[u8]) -> bool,
    ) -> Result<(), StateError> {
        let others = |link: &Link| !traces.contacts.contains(&link.linq_id);
        let stay: BTreeSet<LinkId> =
            self.links()?.into_iter().filter(others).map(|link| link.id).collect();
        self.forget_records(&stay, is_told)?;
        self.write(|tx| {
            forget_reports(tx, is_told)?;
            forget_ignored(tx, is_told)?;
            for id in &traces.contacts {
                tx.execute("DELETE FROM linq_contacts WHERE linq_id = ?1", [id])?;
                tx.execute("DELETE FROM history WHERE linq_id = ?1", [id])?;
                tx.execute("DELETE FROM rejections WHERE linq_id = ?1", [id])?;
                tx.execute("DELETE FROM not_found WHERE linq_id = ?1", [id])?;
                tx.execute("DELETE FROM decisions WHERE waiting ->> 'linq_id' = ?1", [id])?;
                tx.execute("DELETE FROM ignored WHERE waiting ->> 'linq_id' = ?1", [id])?;
                tx.execute(
                    "UPDATE links SET status = 'released', source_key = NULL, base = '{}'
                     WHERE linq_id = ?1",
                    [id],
                )?;
            }
            for id in &traces.history {
                tx.execute("DELETE FROM history WHERE id = ?1", [id])?;
            }
            for what in &traces.waiting {
                tx.execute("DELETE FROM waiting WHERE what = ?1", [what])?;
                tx.execute("DELETE FROM decisions WHERE what = ?1", [what])?;
            }
            for what in &traces.rejections {
                tx.execute("DELETE FROM rejections WHERE fingerprint = ?1", [what])?;
            }
            Ok(())
        })?;
        self.with_connection(|conn| conn.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"))
    }

    /// All files of the state, those of SQLite and the backups included.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn state_files(&self) -> Result<Vec<PathBuf>, StateError> {
        let mut files = Vec::new();
        list_files(&self.dir, &mut files)?;
        // Below it may be the states of other configurations.
        let backups = directory::backup_directory(&self.dir);
        files.retain(|path| path.parent() == Some(&self.dir) || path.starts_with(&backups));
        Ok(files)
    }

    /// Removes the backups of the source in which `is_trace` finds something. If there
    /// are any, the source is copied anew before the next write to it. Returns them.
    ///
    /// # Errors
    /// When one cannot be read or removed.
    pub fn purge_backups(
        &self,
        is_trace: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Vec<PathBuf>, StateError> {
        let mut removed = Vec::new();
        let backups = directory::backup_directory(&self.dir);
        if directory::path_exists(&backups)? {
            remove_traces(&backups, is_trace, &mut removed)?;
        }
        if !removed.is_empty() {
            self.forget_backup()?;
        }
        Ok(removed)
    }
}

/// Takes what was said of errors out of the reports of runs in which `is_told` finds
/// something.
fn forget_reports(tx: &Connection, is_told: &dyn Fn(&[u8]) -> bool) -> Result<(), MirrorFault> {
    let reports: Vec<(i64, String)> = tx
        .prepare("SELECT id, report FROM runs WHERE report ->> '$.error.message' IS NOT NULL")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (id, _) in reports.iter().filter(|(_, report)| is_told(report.as_bytes())) {
        tx.execute(
            "UPDATE runs SET report = json_set(report, '$.error.message', 'erased',
                                               '$.error.hint', '')
             WHERE id = ?1",
            [id],
        )?;
    }
    Ok(())
}

fn remove_traces(
    dir: &Path,
    is_trace: &dyn Fn(&[u8]) -> bool,
    removed: &mut Vec<PathBuf>,
) -> Result<(), StateError> {
    let mut paths = Vec::new();
    list_files(dir, &mut paths)?;
    for path in paths {
        if is_trace(&fs::read(&path).map_err(error_at(&path))?) {
            #[expect(clippy::disallowed_methods, reason = "erasing is what is asked for")]
            fs::remove_file(&path).map_err(error_at(&path))?;
            removed.push(path);
        }
    }
    Ok(())
}

/// The regular files below `dir`, in order.
fn list_files(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), StateError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(error_at(dir))? {
        paths.push(entry.map_err(error_at(dir))?.path());
    }
    paths.sort();
    for path in paths {
        let kind = fs::symlink_metadata(&path).map_err(error_at(&path))?.file_type();
        if kind.is_dir() {
            list_files(&path, files)?;
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn error_at(path: &Path) -> impl FnOnce(std::io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{ada, at, contact, deletion, insert};
    use crate::mirror::{ContactChange, StateChange};
    use crate::model::{LinkStatus, Side};

    #[test]
    fn no_file_holds_what_was_erased_and_the_pair_is_released() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("state");
        let state = State::open(&dir, at(0)).unwrap();
        let run = state.begin_run(at(0)).unwrap();
        let raw = r#"{"id":7,"email":"ada@example.org"}"#.to_owned();
        let record = StateChange {
            link: insert(7),
            contact: ContactChange::Store { contact: contact(7, ada()).into(), raw },
            history: vec![deletion(Side::Linq, 7)],
            ..StateChange::default()
        };
        state.commit_changes(run, at(1), &[record]).unwrap();
        fs::create_dir(dir.join("backups")).unwrap();
        fs::write(dir.join("backups/a.csv"), "Ada,ada@example.org\n").unwrap();
        fs::write(dir.join("backups/b.csv"), "Bo,bo@example.org\n").unwrap();

        state.remember_backup(at(1)).unwrap();
        let traces = ContactTraces { contacts: [LinqId(7)].into(), ..ContactTraces::default() };
        state.purge_contact(&traces, &|_| false).unwrap();
        let holds = |bytes: &[u8]| bytes.windows(4).any(|window| window == b"ada@");
        assert_eq!(state.purge_backups(&holds).unwrap(), [dir.join("backups/a.csv")]);
        assert_eq!(state.backed_up_at().unwrap(), None);
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let bytes = if path.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            assert!(!holds(&bytes) && !bytes.windows(3).any(|w| w == b"Ada"), "{path:?}");
        }
        let link = &state.links().unwrap()[0];
        assert_eq!((link.linq_id, link.status), (LinqId(7), LinkStatus::Released));
        assert!(link.base.is_empty());
    }
}
