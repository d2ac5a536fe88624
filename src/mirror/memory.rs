//! What the state remembers of the configuration it was last used with.
//!
//! Owns the table `meta`. Leaves what follows from a change to the planner.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::State;
use super::columns::Json;
use super::error::{MirrorFault, StateError};
use crate::model::{FieldSet, Fingerprint, IntentId, Meaning, MeaningChange, Stale, Timestamp};

const MAPPING: &str = "mapping";
const STALE: &str = "stale_intents";
pub(super) const BACKED_UP_AT: &str = "backed_up_at";
const NOBODIES: &str = "nobodies";
pub(super) const EPOCH: &str = "epoch";
pub(super) const READING: &str = "reading_at_rest";
const COUNTED: &str = "counted";

impl State {
    /// What the readings meant that were remembered last.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn stored_meaning(&self) -> Result<Option<Meaning>, StateError> {
        self.with_connection(|conn| recall_value(conn, MAPPING))
    }

    /// Remembers `meaning` in place of an earlier one.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn remember_meaning(&self, meaning: &Meaning) -> Result<(), StateError> {
        self.write(|tx| remember_value(tx, MAPPING, meaning))
    }

    /// Which intents were planned when readings meant something else, if any were.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn stale_intents(&self) -> Result<Option<Stale>, StateError> {
        self.with_connection(|conn| recall_value(conn, STALE))
    }

    /// Records of the source that are known to be nobody's: headings within the file,
    /// for example.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn unidentifiable_records(&self) -> Result<BTreeSet<Fingerprint>, StateError> {
        let known: Option<Vec<String>> =
            self.with_connection(|conn| recall_value(conn, NOBODIES))?;
        Ok(known.into_iter().flatten().filter_map(|hex| Fingerprint::from_hex(&hex)).collect())
    }

    /// Remembers which records are nobody's, in place of earlier ones.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn remember_nobodies(&self, nobodies: &BTreeSet<Fingerprint>) -> Result<(), StateError> {
        let known: Vec<String> = nobodies.iter().map(|fingerprint| fingerprint.to_hex()).collect();
        self.write(|tx| remember_value(tx, NOBODIES, &known))
    }

    /// What was counted so far, in the form of whoever counts.
    ///
    /// # Errors
    /// When the state cannot be read, or was kept in another form.
    pub fn stored_counts<T: DeserializeOwned>(&self) -> Result<Option<T>, StateError> {
        self.with_connection(|conn| recall_value(conn, COUNTED))
    }

    /// Remembers what was counted so far, in place of what was.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn remember_counted<T: Serialize>(&self, counted: &T) -> Result<(), StateError> {
        self.write(|tx| remember_value(tx, COUNTED, counted))
    }

    /// When the source was backed up before the first write to it; `None` as long
    /// as it has not been.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn backed_up_at(&self) -> Result<Option<Timestamp>, StateError> {
        self.with_connection(|conn| recall_value(conn, BACKED_UP_AT))
    }

    /// Forgets that the source was backed up: it is again before the next write to it.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn forget_backup(&self) -> Result<(), StateError> {
        self.write(|tx| forget_value(tx, BACKED_UP_AT))
    }

    /// Remembers that the source was backed up before the first write to it.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn remember_backup(&self, at: Timestamp) -> Result<(), StateError> {
        self.write(|tx| remember_value(tx, BACKED_UP_AT, &at))
    }
}

/// Remembers `meaning`, and of the open intents that they were planned before `change`.
pub(super) fn remember_change(
    tx: &Connection,
    meaning: &Meaning,
    change: &MeaningChange,
) -> Result<(), MirrorFault> {
    remember_value(tx, MAPPING, meaning)?;
    let last: Option<IntentId> =
        tx.query_row("SELECT max(id) FROM intents", [], |row| row.get(0))?;
    let Some(last) = last else { return forget_value(tx, STALE) };
    // Whether one was planned before an earlier change, too, is not known any more.
    let earlier: Option<Stale> = recall_value(tx, STALE)?;
    let fields = earlier.map_or(FieldSet::EMPTY, |stale| stale.read_anew);
    let read_anew = fields.iter().chain(change.read_anew.iter()).collect();
    let keys = change.keys || earlier.is_some_and(|stale| stale.keys);
    remember_value(tx, STALE, &Stale { last, read_anew, keys })
}

pub(super) fn recall_value<T: DeserializeOwned>(
    conn: &Connection,
    name: &str,
) -> rusqlite::Result<Option<T>> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
        .map(|found| found.map(|Json(value)| value))
}

/// Remembers `value` under `name`.
pub(super) fn remember_value<T: Serialize>(
    conn: &Connection,
    name: &str,
    value: &T,
) -> Result<(), MirrorFault> {
    conn.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
        .execute((name, Json(value)))?;
    Ok(())
}

pub(super) fn forget_value(conn: &Connection, name: &str) -> Result<(), MirrorFault> {
    conn.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([name])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{at, empty_state};
    use crate::model::Field;

    #[test]
    fn the_mapping_the_nobodies_and_the_first_backup_are_remembered() {
        let state = empty_state();
        assert_eq!(state.stored_meaning().unwrap(), None);
        assert_eq!(state.backed_up_at().unwrap(), None);
        let fields = |list: &[Field]| list.iter().copied().collect::<FieldSet>();
        for fields in [fields(&[Field::Email, Field::Owner]), FieldSet::ALL, FieldSet::EMPTY] {
            let places = Some([(Field::Title, "Job Title".to_owned())].into());
            let scope = "owner:sam@acme.example".to_owned();
            let mapping = Meaning {
                fields,
                places,
                scope,
                manner: None,
                sends: None,
                kept_by_blanks: FieldSet::EMPTY,
            };
            state.remember_meaning(&mapping).unwrap();
            assert_eq!(state.stored_meaning().unwrap(), Some(mapping));
        }
        let nobodies = BTreeSet::from([Fingerprint::of(b"Sales;;;"), Fingerprint::of(b";;;x")]);
        assert!(state.unidentifiable_records().unwrap().is_empty());
        state.remember_nobodies(&nobodies).unwrap();
        assert_eq!(state.unidentifiable_records().unwrap(), nobodies);
        state.remember_backup(at(7)).unwrap();
        assert_eq!(state.backed_up_at().unwrap(), Some(at(7)));
    }
}
