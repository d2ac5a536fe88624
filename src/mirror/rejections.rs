//! Rejections: writes that Linq refused, kept until what would be sent changes.
//!
//! Owns the table `rejections`. What was refused once would be refused again, so
//! the planner leaves out what it finds here, until its time comes or a person wants it to
//! be sent again; rows come and go through [`State::commit`].

use std::fmt;

use rusqlite::{Connection, Row};

use super::State;
use super::columns::{Json, Millis};
use super::error::{MirrorFault, StateError};
use crate::model::{FieldSet, Fingerprint, LinqId, Timestamp};

/// A write that Linq refused, or a field of one.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredRejection {
    /// What was sent, whatever distinguishes it from other writes included. There
    /// is one rejection for each.
    pub fingerprint: Fingerprint,
    /// The fields that Linq named; empty where it named none.
    pub fields: FieldSet,
    /// The contact that was to be changed; `None` when one was to be created.
    pub linq_id: Option<LinqId>,
    /// The record's key or place.
    pub source: Option<String>,
    /// The record's line, counted from 1.
    pub line: Option<u32>,
    /// Why Linq refused, for people.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl fmt::Debug for StoredRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Linq may quote a value in its reason, and a key may be an address.
        f.debug_struct("Rejection")
            .field("fingerprint", &self.fingerprint)
            .field("linq_id", &self.linq_id)
            .field("line", &self.line)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// What becomes of a rejection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RejectionChange {
    /// Nothing.
    #[default]
    Keep,
    /// Linq refused; an earlier rejection of the same is replaced.
    Add(StoredRejection),
    /// What would be sent has changed; one that is not there does no harm.
    Remove(Fingerprint),
}

impl State {
    /// All rejections, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn rejections(&self) -> Result<Vec<StoredRejection>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT fingerprint, linq_id, source, line, reason, at, fields FROM rejections
                 ORDER BY at, fingerprint",
            )?
            .query_map([], rejection_from_row)?
            .collect()
        })
    }
}

/// Carries out one change.
pub(super) fn change_rejection(
    tx: &Connection,
    change: &RejectionChange,
) -> Result<(), MirrorFault> {
    match change {
        RejectionChange::Keep => Ok(()),
        RejectionChange::Add(one) => {
            let StoredRejection { fingerprint, fields, linq_id, source, line, reason, at } = one;
            tx.prepare_cached(
                "INSERT OR REPLACE INTO rejections
                     (fingerprint, linq_id, source, line, reason, at, fields)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                fingerprint,
                linq_id,
                source,
                line,
                reason,
                Millis(*at),
                Json(fields),
            ))?;
            Ok(())
        }
        RejectionChange::Remove(fingerprint) => {
            tx.prepare_cached("DELETE FROM rejections WHERE fingerprint = ?1")?
                .execute([fingerprint])?;
            Ok(())
        }
    }
}

fn rejection_from_row(row: &Row<'_>) -> rusqlite::Result<StoredRejection> {
    let (Millis(at), Json(fields)) = (row.get(5)?, row.get(6)?);
    Ok(StoredRejection {
        fingerprint: row.get(0)?,
        fields,
        linq_id: row.get(1)?,
        source: row.get(2)?,
        line: row.get(3)?,
        reason: row.get(4)?,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::StateChange;
    use crate::mirror::testing::{at, commit, empty_state};
    use crate::model::Field;

    fn rejection(sent: &[u8], second: i64) -> StoredRejection {
        StoredRejection {
            fingerprint: Fingerprint::of(sent),
            fields: [Field::Email].into_iter().collect(),
            linq_id: None,
            source: Some("row:12".to_owned()),
            line: Some(14),
            reason: "Email is invalid".to_owned(),
            at: at(second),
        }
    }

    #[test]
    fn a_rejection_stands_until_what_is_sent_changes() {
        let state = empty_state();
        let change = |rejection| {
            commit(&state, [StateChange { rejection, ..StateChange::default() }]).unwrap();
        };
        let (first, second) = (rejection(b"a", 1), rejection(b"b", 2));
        change(RejectionChange::Add(second.clone()));
        change(RejectionChange::Add(first.clone()));
        change(RejectionChange::Keep);
        assert_eq!(state.rejections().unwrap(), [first, second.clone()]);

        let again = StoredRejection { linq_id: Some(LinqId(7)), ..rejection(b"a", 3) };
        change(RejectionChange::Add(again.clone()));
        assert_eq!(state.rejections().unwrap(), [second.clone(), again]);

        change(RejectionChange::Remove(Fingerprint::of(b"a")));
        change(RejectionChange::Remove(Fingerprint::of(b"never sent")));
        assert_eq!(state.rejections().unwrap(), [second]);
    }
}
