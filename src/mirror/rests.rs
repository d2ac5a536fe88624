//! The pairs at rest, which the next run need not read.
//!
//! Owns the table `rests`. All of it holds under one epoch: of another one nothing is known
//! to be at rest. Whatever changes a link or the mirror of its contact takes its pair out, in
//! the same transaction; triggers see to that.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::State;
use super::error::StateError;
use super::links::link_from_row;
use super::memory::{EPOCH, READING, forget_value, recall_value, remember_value};
use crate::model::{
    Counted, Digest, FieldSet, FileAtRest, Fingerprint, Link, LinqId, Mark, Rest, Resting,
    SourceAtRest,
};

impl State {
    /// The pairs that are at rest under `epoch`.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn resting_pairs(&self, epoch: Fingerprint) -> Result<Resting, StateError> {
        self.with_connection(|conn| {
            if recall_value(conn, EPOCH)? != Some(epoch) {
                return Ok(Resting::default());
            }
            let mut statement = conn.prepare_cached(
                "SELECT linq_id, link, contact, record, counted FROM rests ORDER BY linq_id",
            )?;
            let rests = statement.query_map([], |row| rest_from_row(row, Vec::new()))?;
            let resting: rusqlite::Result<Resting> = rests.collect();
            Ok(resting?.of_reading(recall_value(conn, READING)?).of_files(resting_files(conn)?))
        })
    }

    /// The contacts of the pairs at rest that have a mark which `is_wanted`.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn resting_with(
        &self,
        mut is_wanted: impl FnMut(Mark) -> bool,
    ) -> Result<Vec<LinqId>, StateError> {
        self.with_connection(|conn| {
            let mut statement = conn.prepare_cached("SELECT linq_id, marks FROM rests")?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let marks = row.get_ref(1)?.as_blob()?;
                let (marks, _) = marks.as_chunks::<8>();
                if marks.iter().any(|mark| is_wanted(Mark(u64::from_le_bytes(*mark)))) {
                    found.push(row.get(0)?);
                }
            }
            Ok(found)
        })
    }

    /// Tells `take` of the link of each pair at rest.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn each_link_at_rest(&self, mut take: impl FnMut(&Link)) -> Result<(), StateError> {
        self.with_connection(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, linq_id, status, source_key, fingerprint, base,
                        source_missing_since, linq_missing_since, content, excluded
                 FROM links WHERE linq_id IN (SELECT linq_id FROM rests)",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                take(&link_from_row(row)?);
            }
            Ok(())
        })
    }

    /// Remembers that of the pairs of the contacts `planned` those in `rests` are at rest
    /// under `epoch`. Of the other pairs that holds which is known already, if it is known
    /// under the same epoch. Of `source` need not be read again what is at rest.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn remember_rests(
        &self,
        epoch: Fingerprint,
        planned: &[LinqId],
        rests: &[Rest],
        source: &SourceAtRest,
    ) -> Result<(), StateError> {
        self.write(|tx| {
            if recall_value(tx, EPOCH)? != Some(epoch) {
                tx.execute("DELETE FROM rests", [])?;
                tx.execute("DELETE FROM files_at_rest", [])?;
                remember_value(tx, EPOCH, &epoch)?;
            }
            let mut restless = tx.prepare_cached("DELETE FROM rests WHERE linq_id = ?1")?;
            for id in planned {
                restless.execute([id])?;
            }
            let mut insert = tx.prepare_cached(
                "INSERT INTO rests (linq_id, link, contact, record, counted, marks)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for rest in rests {
                let Rest { link, linq_id, contact, record, counted, marks } = rest;
                let marks: Vec<u8> = marks.iter().flat_map(|mark| mark.0.to_le_bytes()).collect();
                insert.execute(params![
                    linq_id,
                    link,
                    contact.0,
                    record.0,
                    counted_bits(*counted),
                    marks
                ])?;
            }
            remember_files(tx, source)?;
            match &source.reading {
                Some(reading) => remember_value(tx, READING, reading),
                None => forget_value(tx, READING),
            }
        })
    }
}

/// The files of which nothing need be read again.
fn resting_files(conn: &Connection) -> rusqlite::Result<BTreeMap<Vec<u8>, FileAtRest>> {
    let mut statement =
        conn.prepare_cached("SELECT path, stamp, fingerprint, records FROM files_at_rest")?;
    let files = statement.query_map([], |row| {
        let records: Vec<u8> = row.get(3)?;
        let (records, _) = records.as_chunks::<16>();
        let records = records.iter().copied().map(Digest).collect();
        let file = FileAtRest { stamp: row.get(1)?, fingerprint: row.get(2)?, records };
        Ok((row.get(0)?, file))
    })?;
    files.collect()
}

fn remember_files(tx: &Connection, source: &SourceAtRest) -> rusqlite::Result<()> {
    let mut forget = tx.prepare_cached("DELETE FROM files_at_rest WHERE path = ?1")?;
    for path in &source.other_files {
        forget.execute([path])?;
    }
    let mut insert = tx.prepare_cached(
        "INSERT OR REPLACE INTO files_at_rest (path, stamp, fingerprint, records)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (path, FileAtRest { stamp, fingerprint, records }) in &source.files {
        let records: Vec<u8> = records.iter().flat_map(|record| record.0).collect();
        insert.execute(params![path, stamp, fingerprint, records])?;
    }
    Ok(())
}

fn rest_from_row(row: &Row<'_>, marks: Vec<Mark>) -> rusqlite::Result<Rest> {
    Ok(Rest {
        linq_id: row.get(0)?,
        link: row.get(1)?,
        contact: Digest(row.get(2)?),
        record: Digest(row.get(3)?),
        counted: counted_from_bits(row.get(4)?),
        marks,
    })
}

const KEY: u32 = 1 << 16;
const ID: u32 = 1 << 17;

/// What is counted, as bits: a byte for the fields of each side, and one for the rest.
fn counted_bits(counted: Counted) -> u32 {
    let [source, linq] = counted.filled.map(|fields| u32::from(fields.bits()));
    let flag = |bit, is_set| if is_set { bit } else { 0 };
    source | linq << 8 | flag(KEY, counted.has_key) | flag(ID, counted.has_id)
}

fn counted_from_bits(bits: u32) -> Counted {
    let [source, linq, ..] = bits.to_le_bytes();
    Counted {
        filled: [FieldSet::of_bits(source), FieldSet::of_bits(linq)],
        has_key: bits & KEY != 0,
        has_id: bits & ID != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{ada, at as at_time, commit, contact, empty_state, insert};
    use crate::mirror::{LinkChange, ShownContact, StateChange};
    use crate::model::{Base, Field, LinkId};

    fn pair(state: &State, id: u64) -> LinkId {
        let link = insert(id);
        commit(state, [StateChange { link, ..StateChange::default() }]).unwrap();
        let run = state.begin_run(at_time(0)).unwrap();
        let contact = contact(id, ada());
        state
            .store_contacts(run, at_time(0), [ShownContact { contact: &contact, raw: "{}" }])
            .unwrap();
        state.links().unwrap().into_iter().find(|link| link.linq_id == LinqId(id)).unwrap().id
    }

    fn rest(state: &State, id: u64, mark: u64) -> Rest {
        let filled = [Field::Email].into_iter().collect();
        Rest {
            link: pair(state, id),
            linq_id: LinqId(id),
            contact: Digest([1; 16]),
            record: Digest([2; 16]),
            counted: Counted { filled: [filled, FieldSet::ALL], has_key: true, has_id: false },
            marks: vec![Mark(7), Mark(mark)],
        }
    }

    #[test]
    fn what_is_at_rest_is_so_until_its_pair_or_the_epoch_changes() {
        let state = empty_state();
        let (one, other) = (Fingerprint::of(b"one"), Fingerprint::of(b"other"));
        let ids = [1, 2, 1 << 63].map(LinqId);
        let rests: Vec<Rest> =
            (ids.iter().zip(10..)).map(|(id, mark)| rest(&state, id.0, mark)).collect();
        state.remember_rests(one, &ids, &rests, &SourceAtRest::default()).unwrap();
        let count = |epoch| state.resting_pairs(epoch).unwrap().len();
        assert_eq!((count(one), count(other)), (3, 0));
        let resting = state.resting_pairs(one).unwrap();
        let at = resting.of_id(ids[2]).unwrap();
        assert_eq!(
            (resting.link_id(at), resting.counted_at(at)),
            (rests[2].link, rests[2].counted)
        );
        assert_eq!(state.resting_with(|mark| mark == Mark(11)).unwrap(), [ids[1]]);
        assert_eq!(state.resting_with(|mark| mark == Mark(7)).unwrap().len(), 3);

        // What is planned and comes to something is at rest no longer.
        state.remember_rests(one, &ids[..1], &[], &SourceAtRest::default()).unwrap();
        assert_eq!(count(one), 2);
        let run = state.begin_run(at_time(1)).unwrap();
        let shown = contact(2, ada());
        state
            .store_contacts(run, at_time(1), [ShownContact { contact: &shown, raw: "{}" }])
            .unwrap();
        assert_eq!(count(one), 1);
        let (id, key) = (rests[2].link, None);
        let (fingerprint, content, base) = (Fingerprint::of(b"row"), None, Base::default());
        let link = LinkChange::Update { id, key, fingerprint, content, base };
        commit(&state, [StateChange { link, ..StateChange::default() }]).unwrap();
        assert_eq!(count(one), 0);

        state.remember_rests(one, &ids, &rests, &SourceAtRest::default()).unwrap();
        state.remember_rests(other, &ids[..1], &rests[..1], &SourceAtRest::default()).unwrap();
        assert_eq!((count(one), count(other)), (0, 1));
        commit(
            &state,
            [StateChange { link: LinkChange::Remove(rests[0].link), ..StateChange::default() }],
        )
        .unwrap();
        assert_eq!(count(other), 0);
    }
}
