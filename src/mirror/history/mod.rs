//! History: what was done and decided, append only.
//!
//! Owns the table `history`. Rows come through [`State::commit`] and go only when
//! they are older than they are kept.

use std::collections::BTreeSet;
use std::fmt;

use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::State;
use super::columns::{Json, Millis};
use super::error::{MirrorFault, StateError};
use crate::model::{
    AsWritten, BaseChange, DecidedBy, FieldChange, Link, LinqId, RunId, Side, Timestamp,
};

/// What was done or decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryAction {
    /// A contact or record was created.
    Create,
    /// Fields were changed.
    Update,
    /// A contact or record was deleted.
    Delete,
    /// A record and a contact, both there already, became a pair.
    Link,
    /// A pair is remembered and no longer kept the same.
    Release,
    /// A released pair is kept the same again.
    Relink,
    /// A pair that is gone from both sides was forgotten.
    Forget,
    /// Both sides changed a field; the changes show what was kept over what.
    Conflict,
    /// Linq refused what was sent.
    Reject,
}

impl HistoryAction {
    /// Every action.
    pub const ALL: [HistoryAction; 9] = [
        HistoryAction::Create,
        HistoryAction::Update,
        HistoryAction::Delete,
        HistoryAction::Link,
        HistoryAction::Release,
        HistoryAction::Relink,
        HistoryAction::Forget,
        HistoryAction::Conflict,
        HistoryAction::Reject,
    ];

    /// The name used in JSON and in the state.
    pub const fn name(self) -> &'static str {
        match self {
            HistoryAction::Create => "create",
            HistoryAction::Update => "update",
            HistoryAction::Delete => "delete",
            HistoryAction::Link => "link",
            HistoryAction::Release => "release",
            HistoryAction::Relink => "relink",
            HistoryAction::Forget => "forget",
            HistoryAction::Conflict => "conflict",
            HistoryAction::Reject => "reject",
        }
    }

    /// The action called `name`, if there is one.
    pub fn from_name(name: &str) -> Option<HistoryAction> {
        HistoryAction::ALL.into_iter().find(|action| action.name() == name)
    }
}

impl fmt::Display for HistoryAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that was done or decided.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct HistoryEntry {
    /// The side on which it was done.
    pub side: Side,
    /// What was done.
    pub action: HistoryAction,
    /// The contact, where there was one.
    pub linq_id: Option<LinqId>,
    /// The record's key or place, where there was one.
    pub source_key: Option<String>,
    /// A name for people to recognise the contact by.
    pub name: String,
    /// The fields that changed.
    pub changes: Vec<FieldChange>,
    /// For fields that changed, what there is to know to put them back.
    pub bases: Vec<BaseChange>,
    /// Before a deletion, all there was: the contact's JSON, or the record as it
    /// was written.
    pub before: Option<String>,
    /// Where the contact was deleted, or forgotten, since a person had removed its record:
    /// the record, as it was written.
    pub record: Option<String>,
    /// Where the record was that was removed.
    #[serde(skip)]
    pub place: Option<String>,
    /// Its bytes, where they are others than those of the text.
    #[serde(skip)]
    pub bytes: Option<Vec<u8>>,
    /// The version of the source's file in which it was written.
    #[serde(skip)]
    pub version: Option<String>,
    /// Why, for people.
    pub reason: String,
    /// Whether a person had approved it: then the guard does not count it.
    pub approved: bool,
    /// Who decided it, where a person did.
    pub decided: Option<DecidedBy>,
}

impl HistoryEntry {
    /// That `link` is released.
    pub fn for_release(link: &Link, reason: String) -> HistoryEntry {
        HistoryEntry {
            side: Side::Linq,
            action: HistoryAction::Release,
            linq_id: Some(link.linq_id),
            source_key: link.key.as_ref().map(ToString::to_string),
            name: link.base.linq_values().display_name(),
            changes: Vec::new(),
            bases: Vec::new(),
            before: None,
            record: None,
            version: None,
            place: None,
            bytes: None,
            reason,
            approved: false,
            decided: None,
        }
    }

    /// The record that was removed from the source, by us or by a person, as it was written;
    /// `None` of anything else, and where that is not known.
    pub fn removed_record(&self) -> Option<AsWritten> {
        let text = match (self.side, self.action) {
            (Side::Source, HistoryAction::Delete) => self.before.clone(),
            _ => self.record.clone(),
        };
        let text = text.filter(|text| !text.is_empty())?;
        let place = self.place.clone().unwrap_or_default();
        Some(AsWritten { text, place, bytes: self.bytes.clone() })
    }

    /// The entry with the record that a person had removed.
    #[must_use]
    pub(crate) fn with_gone(self, was: Option<AsWritten>) -> HistoryEntry {
        let Some(AsWritten { text, place, bytes }) = was else { return self };
        let place = Some(place).filter(|place| !place.is_empty());
        HistoryEntry { record: Some(text), place, bytes, ..self }
    }

    /// The entry with the record that was removed.
    #[must_use]
    pub(crate) fn with_removed(self, was: &AsWritten) -> HistoryEntry {
        HistoryEntry {
            before: Some(was.text.clone()),
            place: Some(was.place.clone()).filter(|place| !place.is_empty()),
            bytes: was.bytes.clone(),
            ..self
        }
    }
}

impl fmt::Debug for HistoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryEntry")
            .field("side", &self.side)
            .field("action", &self.action)
            .field("linq_id", &self.linq_id)
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}

/// A row of the history: an entry, and when which run made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HistoryRow {
    /// Its position in the history.
    pub id: i64,
    /// The run.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub entry: HistoryEntry,
}

/// Spelled as the index `deletions` spells it, which is then all that is read.
const DELETIONS: &str = "SELECT count(*) FROM history
     WHERE at >= ?1 AND side = ?2 AND action = 'delete' AND approved = 0";

const CHANGES: &str = "SELECT linq_id, changes FROM history JOIN runs ON runs.id = history.run
     WHERE at >= ?1 AND side = ?2 AND action = 'update' AND approved = 0 AND undoes IS NULL
       AND linq_id IS NOT NULL";

const PRUNE_HISTORY: &str = "DELETE FROM history WHERE at < ?1";

const PRUNE_RUNS: &str = "DELETE FROM runs
     WHERE started_at < ?1 AND id < (SELECT max(id) FROM runs)
       AND NOT EXISTS (SELECT 1 FROM history WHERE run = runs.id)
       AND NOT EXISTS (SELECT 1 FROM intents WHERE run = runs.id)";

/// The statement that reads rows of the history, those that are named.
macro_rules! rows {
    ($which:literal) => {
        concat!(
            "SELECT id, run, at, side, action, linq_id, source_key, name, changes, before,
                    reason, approved, bases, place, bytes, decided, record, version
             FROM history ",
            $which
        )
    };
}

/// The statement that reads all of the history, in order.
pub(super) const WHOLE: &str = rows!("ORDER BY id");

/// The statement that reads what a run did, the last first.
pub(super) const OF_RUN_BACKWARDS: &str = rows!("WHERE run = ?1 ORDER BY id DESC");

/// The statement that reads what was done in a span of time, the last first.
pub(super) const WITHIN_BACKWARDS: &str = rows!("WHERE at BETWEEN ?1 AND ?2 ORDER BY id DESC");

/// The statement that reads what a run and those after it did, in order, but for those that put
/// back one of them.
pub(super) const SINCE_RUN: &str = rows!(
    "WHERE run >= ?1
       AND run NOT IN (SELECT id FROM runs WHERE undoes >= ?1 AND id >= ?1) ORDER BY id"
);

impl State {
    /// What `run` did, in order.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn history_of_run(&self, run: RunId) -> Result<Vec<HistoryRow>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(rows!("WHERE run = ?1 ORDER BY id"))?
                .query_map([run], history_row)?
                .collect()
        })
    }

    /// What was done with a contact in all runs, in order.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn history_of(&self, id: LinqId) -> Result<Vec<HistoryRow>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(rows!("WHERE linq_id = ?1 ORDER BY id"))?
                .query_map([id], history_row)?
                .collect()
        })
    }

    /// What runs that ended well did to put back what `run` did, in order, but for what was
    /// put back itself since.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn undone_by_later(&self, run: RunId) -> Result<Vec<HistoryRow>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(rows!(
                "WHERE run IN (SELECT id FROM runs
                               WHERE undoes = ?1 AND outcome IS NOT NULL AND outcome <> 'failed')
                   AND NOT EXISTS (
                       SELECT 1 FROM runs AS r JOIN history AS h ON h.run = r.id
                       WHERE r.undoes = history.run AND r.outcome <> 'failed'
                         AND (h.linq_id = history.linq_id OR h.name = history.name))
                 ORDER BY id"
            ))?
            .query_map([run], history_row)?
            .collect()
        })
    }

    /// What was written into the source with this version of a file, in order.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn history_of_version(&self, version: &str) -> Result<Vec<HistoryRow>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(rows!("WHERE version = ?1 ORDER BY id"))?
                .query_map([version], history_row)?
                .collect()
        })
    }

    /// All of the history, in order.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn whole_history(&self) -> Result<Vec<HistoryRow>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(WHOLE)?.query_map([], history_row)?.collect()
        })
    }

    /// The contacts that were deleted since then, on either side.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn deleted_since(&self, since: Timestamp) -> Result<BTreeSet<LinqId>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT linq_id FROM history
                 WHERE at >= ?1 AND action = 'delete' AND linq_id IS NOT NULL",
            )?
            .query_map([Millis(since)], |row| row.get(0))?
            .collect()
        })
    }

    /// How many deletions were carried out on `side` at `since` or later, those
    /// aside that a person had approved.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn deletions_since(&self, side: Side, since: Timestamp) -> Result<usize, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(DELETIONS)?
                .query_row((Millis(since), side), |row| row.get(0))
                .map(|count: u32| count as usize)
        })
    }

    /// What was changed for which contacts on `side` at `since` or later, those changes aside
    /// that a person had approved, and those of runs that a person has asked for to put back
    /// another.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn changes_since(
        &self,
        side: Side,
        since: Timestamp,
    ) -> Result<Vec<(LinqId, FieldChange)>, StateError> {
        let sets: Vec<(LinqId, Vec<FieldChange>)> = self.with_connection(|conn| {
            conn.prepare_cached(CHANGES)?
                .query_map((Millis(since), side), |row| {
                    let Json(set) = row.get(1)?;
                    Ok((row.get(0)?, set))
                })?
                .collect()
        })?;
        let each =
            |(id, set): (LinqId, Vec<FieldChange>)| set.into_iter().map(move |one| (id, one));
        Ok(sets.into_iter().flat_map(each).collect())
    }

    /// Deletes history that is older than `kept`, and the runs of that time of which
    /// nothing is left; the last run stays. Its age is told by the last run that began a day
    /// before `at`: a clock that is ahead deletes nothing as long as it is not wrong for a
    /// whole day. Returns how many rows of history went.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn prune_history(&self, at: Timestamp, kept: TimeDelta) -> Result<usize, StateError> {
        self.write(|tx| {
            let started = tx
                .prepare_cached(
                    "SELECT started_at FROM runs WHERE started_at <= ?1
                     ORDER BY started_at DESC LIMIT 1",
                )?
                .query_row([Millis(at - TimeDelta::days(1))], |row| Ok(row.get::<_, Millis>(0)?.0))
                .optional()?;
            let Some(started) = started else { return Ok(0) };
            let before = started.checked_sub_signed(kept).unwrap_or(Timestamp::MIN_UTC);
            let pruned = tx.prepare_cached(PRUNE_HISTORY)?.execute([Millis(before)])?;
            tx.prepare_cached(PRUNE_RUNS)?.execute([Millis(before)])?;
            Ok(pruned)
        })
    }
}

/// Adds one entry. All that a run does which puts back another one, or carries out a plan
/// that was kept, is decided by whoever asked for it.
pub(super) fn append_entry(
    tx: &Connection,
    run: RunId,
    at: Timestamp,
    entry: &HistoryEntry,
) -> Result<(), MirrorFault> {
    tx.prepare_cached(
        "INSERT INTO history (run, at, side, action, linq_id, source_key, name, changes, before,
                              reason, approved, bases, place, bytes, decided, record,
                              version)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,
                 coalesce(?15, (SELECT json_object('by', asked_by, 'command', command, 'at',
                                strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000.0, 'unixepoch'))
                                FROM runs WHERE id = ?1 AND command <> '--once')), ?16, ?17)",
    )?
    .execute(params![
        run,
        Millis(at),
        entry.side,
        entry.action,
        entry.linq_id,
        &entry.source_key,
        &entry.name,
        Json(&entry.changes),
        &entry.before,
        &entry.reason,
        entry.approved,
        Json(&entry.bases),
        &entry.place,
        &entry.bytes,
        entry.decided.as_ref().map(Json),
        &entry.record,
        &entry.version,
    ])?;
    Ok(())
}

pub(super) fn history_row(row: &Row<'_>) -> rusqlite::Result<HistoryRow> {
    let Millis(at) = row.get(2)?;
    let (Json(changes), Json(bases)) = (row.get(8)?, row.get(12)?);
    let entry = HistoryEntry {
        side: row.get(3)?,
        action: row.get(4)?,
        linq_id: row.get(5)?,
        source_key: row.get(6)?,
        name: row.get(7)?,
        changes,
        bases,
        before: row.get(9)?,
        record: row.get(16)?,
        version: row.get(17)?,
        place: row.get(13)?,
        bytes: row.get(14)?,
        reason: row.get(10)?,
        approved: row.get(11)?,
        decided: row.get::<_, Option<Json<DecidedBy>>>(15)?.map(|Json(decided)| decided),
    };
    Ok(HistoryRow { id: row.get(0)?, run: row.get(1)?, at, entry })
}

#[cfg(test)]
mod tests;
