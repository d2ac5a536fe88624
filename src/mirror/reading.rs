//! What commands that only read ask of the state.
//!
//! Rows are handed on one by one and forgotten, so that many contacts take no more memory
//! than few; what is counted, SQLite counts. Owns no table. A text is read in full only where
//! a cheap look says that it may be about whoever is meant.

use std::collections::BTreeMap;

use rusqlite::{Params, Row};

use super::State;
use super::columns::Json;
use super::contacts::text_column;
use super::error::{MirrorFault, StateError};
use super::history::{HistoryRow, OF_RUN_BACKWARDS, WHOLE, history_row};
use crate::model::{
    Base, Field, Fingerprint, LinkStatus, LinqId, Needles, RunId, SourceKey, Values, Waiting,
};

/// How many links there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// Pairs that are kept the same.
    pub linked: usize,
    /// Pairs that are remembered and left alone.
    pub released: usize,
}

/// How much waits of each kind, by the name of the kind.
pub type WaitingKinds = BTreeMap<String, usize>;

/// A link as far as it is needed to recognise whose it is.
#[derive(Clone, Debug)]
pub struct LinkSeen {
    /// The contact.
    pub linq_id: LinqId,
    /// Whether the pair is kept the same.
    pub status: LinkStatus,
    /// The record's key, where the source has keys.
    pub key: Option<SourceKey>,
    /// The record's bytes.
    pub fingerprint: Fingerprint,
    /// What both last agreed on.
    pub base: Base,
}

impl State {
    /// How many links there are of either status.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn count_links(&self) -> Result<LinkCounts, StateError> {
        // All of them are counted in an index, which is a small part of the table.
        let [all, released] =
            ["SELECT count(*) FROM links", "SELECT count(*) FROM links WHERE status = 'released'"]
                .map(|sql| self.count_rows(sql));
        let (all, released) = (all?, released?);
        Ok(LinkCounts { linked: all.saturating_sub(released), released })
    }

    /// How many decisions the next run is to carry out.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn count_decided(&self) -> Result<usize, StateError> {
        self.count_rows("SELECT count(*) FROM decisions")
    }

    /// How many intents are open.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn count_open_intents(&self) -> Result<usize, StateError> {
        self.count_rows("SELECT count(*) FROM intents")
    }

    fn count_rows(&self, sql: &'static str) -> Result<usize, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(sql)?.query_row([], |row| row.get(0)).map(|n: u32| n as usize)
        })
    }

    /// How much waits of each kind.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn count_waiting(&self) -> Result<WaitingKinds, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT waiting ->> '$.kind.kind', count(*) FROM waiting GROUP BY 1",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get::<_, u32>(1)? as usize)))?
            .collect()
        })
    }

    /// Hands on what waits of the kinds with these names, in the order of its plan.
    ///
    /// # Errors
    /// When the state cannot be read, or as `each` does.
    pub fn each_waiting<E: From<StateError>>(
        &self,
        kinds: &[&str],
        each: impl FnMut(Waiting) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT waiting FROM waiting
                   WHERE waiting ->> '$.kind.kind' IN (SELECT value FROM json_each(?1))
                   ORDER BY position";
        self.for_each_row(
            sql,
            [Json(kinds)],
            |row| row.get(0).map(|Json(waiting)| Some(waiting)),
            each,
        )
    }

    /// Hands on the contacts of the mirror, in the order of their ids: those whose texts may
    /// have what is looked for in them.
    ///
    /// # Errors
    /// When the state cannot be read, or as `each` does.
    pub fn each_contact<E: From<StateError>>(
        &self,
        needles: &Needles,
        mut each: impl FnMut(LinqId, Values) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT first_name, last_name, email, phone_number, company, title, location,
                          owner_email, linq_id
                   FROM linq_contacts ORDER BY linq_id";
        let contact = |row: &Row<'_>| {
            let mut texts = [""; Field::ALL.len()];
            for (column, text) in texts.iter_mut().enumerate() {
                *text = row.get_ref(column)?.as_str()?;
            }
            if !needles.may_be_in(&texts) {
                return Ok(None);
            }
            let texts = texts.into_iter().map(str::to_owned);
            Ok(Some((row.get(8)?, Field::ALL.into_iter().zip(texts).collect())))
        };
        self.for_each_row(sql, [], contact, |(id, values)| each(id, values))
    }

    /// Hands on the links, in the order of their ids: those whose base may have what is
    /// looked for in it.
    ///
    /// # Errors
    /// When the state cannot be read, or as `each` does.
    pub fn each_link<E: From<StateError>>(
        &self,
        needles: &Needles,
        each: impl FnMut(LinkSeen) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT linq_id, status, source_key, fingerprint, base FROM links ORDER BY id";
        let link = |row: &Row<'_>| {
            if needles.may_be_in(&[row.get_ref(4)?.as_str()?]) {
                link_seen_from_row(row).map(Some)
            } else {
                Ok(None)
            }
        };
        self.for_each_row(sql, [], link, each)
    }

    /// The contacts that are linked with a record with this key.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn linked_with_key(&self, key: &str) -> Result<Vec<LinqId>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached("SELECT linq_id FROM links WHERE source_key = ?1")?
                .query_map([key], |row| row.get(0))?
                .collect()
        })
    }

    /// The contacts that are linked with a record that is there, and the keys of those.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn linked_and_there(&self) -> Result<Vec<(LinqId, Option<SourceKey>)>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT linq_id, source_key FROM links
                 WHERE status = 'linked' AND source_missing_since IS NULL",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }

    /// The contacts that are linked with a record of these bytes.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn linked_with_bytes(&self, bytes: Fingerprint) -> Result<Vec<LinqId>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached("SELECT linq_id FROM links WHERE fingerprint = ?1")?
                .query_map([bytes], |row| row.get(0))?
                .collect()
        })
    }

    /// Hands on the pairs that are kept the same, in the order of their links, with their
    /// values in Linq as far as they are known.
    ///
    /// # Errors
    /// When the state cannot be read, or as `each` does.
    pub fn each_pair<E: From<StateError>>(
        &self,
        each: impl FnMut((LinqId, Option<SourceKey>, Values)) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT c.first_name, c.last_name, c.email, c.phone_number, c.company, c.title,
                          c.location, c.owner_email, l.linq_id, l.source_key,
                          iif(c.linq_id IS NULL, l.base, NULL)
                   FROM links AS l LEFT JOIN linq_contacts AS c USING (linq_id)
                   WHERE l.status = 'linked' ORDER BY l.id";
        let pair = |row: &Row<'_>| {
            let base: Option<Json<Base>> = row.get(10)?;
            let values = if let Some(Json(base)) = base {
                base.linq_values()
            } else {
                let texts = Field::ALL.into_iter().enumerate();
                let value = |(column, field)| Ok((field, text_column(row, column)?));
                texts.map(value).collect::<rusqlite::Result<_>>()?
            };
            Ok(Some((row.get(8)?, row.get(9)?, values)))
        };
        self.for_each_row(sql, [], pair, each)
    }

    /// Hands on the history, in order: what may have in it what is looked for, what is about
    /// the contact `id`, and what is about a record with the key `key`.
    ///
    /// # Errors
    /// When the state cannot be read, or as `each` does.
    pub fn each_in_history<E: From<StateError>>(
        &self,
        (id, key): (Option<LinqId>, &str),
        needles: Option<&Needles>,
        each: impl FnMut(HistoryRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let entry = |row: &Row<'_>| {
            let is_named = (id.is_some() && row.get::<_, Option<LinqId>>(5)? == id)
                || row.get_ref(6)?.as_str_or_null()? == Some(key);
            let texts = [row.get_ref(8)?.as_str()?, row.get_ref(12)?.as_str()?];
            let may_be = is_named || needles.is_some_and(|needles| needles.may_be_in(&texts));
            if may_be { history_row(row).map(Some) } else { Ok(None) }
        };
        self.for_each_row(WHOLE, [], entry, each)
    }

    /// Hands on what `run` did, the last first.
    ///
    /// # Errors
    /// When the state cannot be read, or as `each` does.
    pub fn each_of_run<E: From<StateError>>(
        &self,
        run: RunId,
        each: impl FnMut(HistoryRow) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_each_row(OF_RUN_BACKWARDS, [run], |row| history_row(row).map(Some), each)
    }

    /// Whether the mirror has a contact with this id.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn has_contact(&self, id: LinqId) -> Result<bool, StateError> {
        self.has_row("SELECT 1 FROM linq_contacts WHERE linq_id = ?1", id)
    }

    /// Whether the mirror or a link has a contact with this id.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn knows_contact(&self, id: LinqId) -> Result<bool, StateError> {
        let is_linked = self.has_row("SELECT 1 FROM links WHERE linq_id = ?1", id)?;
        Ok(is_linked || self.has_contact(id)?)
    }

    fn has_row(&self, sql: &'static str, id: LinqId) -> Result<bool, StateError> {
        self.with_connection(|conn| conn.prepare_cached(sql)?.exists([id]))
    }

    /// Hands on what `read` makes of each row, but for those of which it makes nothing.
    pub(super) fn for_each_row<T, E: From<StateError>>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
        mut each: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed =
            |error: rusqlite::Error| MirrorFault::from(error).error_at(&self.database_path());
        let mut statement = self.conn.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query(params).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            if let Some(found) = read(row).map_err(failed)? {
                each(found)?;
            }
        }
        Ok(())
    }
}

fn link_seen_from_row(row: &Row<'_>) -> rusqlite::Result<LinkSeen> {
    let Json(base) = row.get(4)?;
    Ok(LinkSeen {
        linq_id: row.get(0)?,
        status: row.get(1)?,
        key: row.get(2)?,
        fingerprint: row.get(3)?,
        base,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::mirror::testing::{ada, at, commit, contact, deletion, empty_state, insert};
    use crate::mirror::{ContactChange, LinkChange, ShownContact, StateChange, checked};
    use crate::model::{LinkId, Side, WaitingKind};

    fn record(id: u64) -> StateChange {
        let contact = contact(id, ada());
        StateChange {
            link: insert(id),
            contact: ContactChange::Store { contact: contact.into(), raw: "{}".to_owned() },
            history: vec![deletion(Side::Linq, id)],
            ..StateChange::default()
        }
    }

    fn waiting(what: &[u8], kind: WaitingKind) -> Waiting {
        Waiting {
            question_id: Fingerprint::of(what),
            kind,
            linq_id: None,
            source_key: None,
            label: None,
            line: None,
            person: ada(),
            reason: String::new(),
            value: None,
            cell: None,
        }
    }

    fn held() -> WaitingKind {
        WaitingKind::HeldDeletion { side: Side::Linq }
    }

    fn ambiguous() -> WaitingKind {
        WaitingKind::Ambiguous { candidates: vec![] }
    }

    #[test]
    fn what_is_counted_is_what_there_is() {
        let state = empty_state();
        assert_eq!(state.count_links().unwrap(), LinkCounts::default());
        commit(&state, [record(1), record(2), record(3)]).unwrap();
        let released =
            StateChange { link: LinkChange::Release(LinkId(2)), ..StateChange::default() };
        commit(&state, [released]).unwrap();
        assert_eq!(state.count_links().unwrap(), LinkCounts { linked: 2, released: 1 });
        let list = [waiting(b"a", ambiguous()), waiting(b"b", held()), waiting(b"c", ambiguous())];
        state.replace_waiting(&list).unwrap();
        let counts = [("ambiguous".to_owned(), 2), ("held_deletion".to_owned(), 1)];
        assert_eq!(state.count_waiting().unwrap(), WaitingKinds::from(counts));
    }

    #[test]
    fn what_waits_of_a_kind_comes_in_the_order_of_its_plan() {
        let state = empty_state();
        let list = [waiting(b"b", ambiguous()), waiting(b"x", held()), waiting(b"a", ambiguous())];
        state.replace_waiting(&list).unwrap();
        let of = |kinds: &[&str]| {
            let mut found = Vec::new();
            let each = |one: Waiting| {
                found.push(one.question_id);
                Ok::<(), StateError>(())
            };
            state.each_waiting(kinds, each).unwrap();
            found
        };
        let [b, x, a] = [b"b", b"x", b"a"].map(|what| Fingerprint::of(what));
        assert_eq!(of(&["ambiguous"]), [b, a]);
        assert_eq!(of(&["ambiguous", "held_deletion"]), [b, x, a]);
        assert_eq!(of(&["conflict"]), []);
    }

    #[test]
    fn a_pair_is_shown_as_linq_has_it_and_by_its_base_where_linq_is_not_known() {
        let state = empty_state();
        let unknown = StateChange { link: insert(8), ..StateChange::default() };
        commit(&state, [record(7), unknown]).unwrap();
        let mut pairs = Vec::new();
        let each = |(id, _, values): (LinqId, Option<SourceKey>, Values)| {
            pairs.push((id.0, values.display_name()));
            Ok::<(), StateError>(())
        };
        state.each_pair(each).unwrap();
        assert_eq!(pairs, [(7, "Ada".to_owned()), (8, "ADA".to_owned())]);
    }

    #[test]
    fn only_whoever_may_be_meant_is_handed_on() {
        let state = empty_state();
        let mut bob = record(8);
        let values = Values::from_iter([(Field::FirstName, "Bob".to_owned())]);
        let shown = contact(8, values);
        bob.contact = ContactChange::Store { contact: shown.into(), raw: "{}".to_owned() };
        bob.history[0].source_key = Some("E-8".to_owned());
        commit(&state, [record(7), bob]).unwrap();
        let needles = |part: &str| Needles::new([[part.to_owned()]]);
        let contacts = |part: &str| {
            let mut found = Vec::new();
            let each = |id: LinqId, _| {
                found.push(id.0);
                Ok::<(), StateError>(())
            };
            state.each_contact(&needles(part), each).unwrap();
            found
        };
        assert_eq!((contacts("ada"), contacts("bob"), contacts("eve")), (vec![7], vec![8], vec![]));
        let history = |named: (Option<LinqId>, &str)| {
            let mut found = Vec::new();
            let each = |row: HistoryRow| {
                found.push(row.entry.linq_id.unwrap().0);
                Ok::<(), StateError>(())
            };
            state.each_in_history(named, Some(&needles("eve")), each).unwrap();
            found
        };
        assert_eq!(history((Some(LinqId(7)), "")), [7]);
        assert_eq!(history((None, "E-8")), [8]);
        assert_eq!(history((None, "")), Vec::<u64>::new());
        assert!(
            state.knows_contact(LinqId(8)).unwrap() && !state.knows_contact(LinqId(9)).unwrap()
        );
    }

    /// How many bytes this thread has read from files so far.
    fn bytes_read() -> u64 {
        let told = fs::read_to_string("/proc/thread-self/io").unwrap();
        let line = told.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
        line.parse().unwrap()
    }

    fn cost(work: impl FnOnce()) -> u64 {
        let before = bytes_read();
        work();
        bytes_read() - before
    }

    #[test]
    fn of_a_large_state_only_a_small_part_is_read() {
        const MIB: u64 = 1024 * 1024;
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("state");
        let state = State::open(&dir, at(0)).unwrap();
        let run = state.begin_run(at(0)).unwrap();
        let raw = format!("\"{}\"", "x".repeat(30_000));
        let contacts: Vec<_> = (1..=500).map(|id| contact(id, ada())).collect();
        let shown = contacts.iter().map(|contact| ShownContact { contact, raw: &raw });
        state.store_contacts(run, at(0), shown).unwrap();
        state.commit_changes(run, at(1), &(1..=500).map(record).collect::<Vec<_>>()).unwrap();
        state
            .store_contacts(
                run,
                at(2),
                contacts.iter().map(|c| ShownContact { contact: c, raw: &raw }),
            )
            .unwrap();
        drop(state);
        assert!(fs::metadata(dir.join("state.db")).unwrap().len() > 14 * MIB);

        let looked = cost(|| {
            let state = State::open_reading(&dir).unwrap();
            let counts = state.count_links().unwrap();
            assert_eq!(counts.linked, 500);
            assert_eq!(state.runs_with_history(20).unwrap().len(), 1);
            assert_eq!(state.contact(LinqId(250)).unwrap().unwrap().values, ada());
        });
        assert!(looked < MIB, "{looked} bytes to count");
        let opened = cost(|| drop(State::open(&dir, at(3)).unwrap()));
        assert!(opened < MIB, "{opened} bytes to open what is known to be sound");
        let checked = cost(|| drop(State::open(&dir, at(100_000)).unwrap()));
        assert!(checked > 14 * MIB, "{checked} bytes to check it once a day");
        assert_eq!(checked::last_check(&dir.join("state.db")), Some(at(100_000)));
    }
}
