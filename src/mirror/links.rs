//! Links: which record of the source and which contact in Linq are one person,
//! and what both last agreed on.
//!
//! Owns the table `links`. The base advances only through [`State::commit`].

use std::collections::BTreeSet;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, params};

use super::State;
use super::columns::{Json, Millis};
use super::error::{MirrorFault, StateError};
use crate::model::{
    Base, Exclusion, Fingerprint, Link, LinkId, LinkStatus, LinqId, Side, SourceKey, Timestamp,
};

/// What becomes of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkChange {
    /// Nothing.
    #[default]
    Keep,
    /// A record and a contact become a pair.
    Insert {
        /// The contact; no link has it yet.
        linq_id: LinqId,
        /// The record's key, where the source has keys.
        key: Option<SourceKey>,
        /// The record's bytes.
        fingerprint: Fingerprint,
        /// What is written in it, if that is known.
        content: Option<Fingerprint>,
        /// What both agree on.
        base: Base,
    },
    /// Both sides agree anew, or the record was only written differently.
    Update {
        /// The link.
        id: LinkId,
        /// The record's key, where the source has keys.
        key: Option<SourceKey>,
        /// The record's bytes.
        fingerprint: Fingerprint,
        /// What is written in it, if that is known.
        content: Option<Fingerprint>,
        /// What both agree on.
        base: Base,
    },
    /// One half is missing, or is back.
    Missing {
        /// The link.
        id: LinkId,
        /// The side that lacks it.
        side: Side,
        /// Since when; `None` when it is back.
        since: Option<Timestamp>,
    },
    /// The pair is remembered and no longer kept the same.
    Release(LinkId),
    /// The same, since it takes no part.
    Exclude(LinkId, Exclusion),
    /// A released pair is kept the same again; neither half is missing.
    Relink(LinkId),
    /// The pair is no more.
    Remove(LinkId),
}

impl State {
    /// All links, in the order of their ids.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn links(&self) -> Result<Vec<Link>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT id, linq_id, status, source_key, fingerprint, base,
                        source_missing_since, linq_missing_since, content, excluded
                 FROM links ORDER BY id",
            )?
            .query_map([], link_from_row)?
            .collect()
        })
    }
}

impl State {
    /// The links of these contacts, those that have one, in the order of the links' ids.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn links_of(&self, ids: &BTreeSet<LinqId>) -> Result<Vec<Link>, StateError> {
        self.with_connection(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, linq_id, status, source_key, fingerprint, base,
                        source_missing_since, linq_missing_since, content, excluded
                 FROM links WHERE linq_id = ?1",
            )?;
            let mut links = Vec::new();
            for id in ids {
                links.extend(statement.query_row([id], link_from_row).optional()?);
            }
            links.sort_by_key(|link| link.id);
            Ok(links)
        })
    }

    /// Whether the contact is linked, or was and is released.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn is_linked(&self, id: LinqId) -> Result<bool, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached("SELECT 1 FROM links WHERE linq_id = ?1")?.exists([id])
        })
    }

    /// The contacts of all links but those of pairs at rest.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn unrested_contacts(&self) -> Result<BTreeSet<LinqId>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT linq_id FROM links WHERE linq_id NOT IN (SELECT linq_id FROM rests)",
            )?
            .query_map([], |row| row.get(0))?
            .collect()
        })
    }
}

/// What there is to know of a link without what was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkKey {
    /// The contact.
    pub linq_id: LinqId,
    /// Whether the pair is kept the same.
    pub status: LinkStatus,
    /// The record's bytes.
    pub fingerprint: Fingerprint,
    /// What was written in it while the contact was there, if that is known.
    pub content: Option<Fingerprint>,
}

impl State {
    /// The keys of all links, in the order of the links' ids.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn link_keys(&self) -> Result<Vec<LinkKey>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT linq_id, status, fingerprint, content FROM links ORDER BY id",
            )?
            .query_map([], |row| {
                let (linq_id, status) = (row.get(0)?, row.get(1)?);
                let (fingerprint, content) = (row.get(2)?, row.get(3)?);
                Ok(LinkKey { linq_id, status, fingerprint, content })
            })?
            .collect()
        })
    }
}

/// Carries out one change.
pub(super) fn change_link(tx: &Connection, change: &LinkChange) -> Result<(), MirrorFault> {
    match change {
        LinkChange::Keep => Ok(()),
        LinkChange::Insert { linq_id, key, fingerprint, content, base } => {
            let inserted = tx
                .prepare_cached(
                    "INSERT INTO links (linq_id, status, source_key, fingerprint, content, base)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (linq_id) DO NOTHING",
                )?
                .execute(params![
                    linq_id,
                    LinkStatus::Linked,
                    key,
                    fingerprint,
                    content,
                    Json(base)
                ])?;
            if inserted == 0 { Err(StateError::AlreadyLinked(*linq_id).into()) } else { Ok(()) }
        }
        LinkChange::Update { id, key, fingerprint, content, base } => {
            let statement = tx.prepare_cached(
                "UPDATE links SET source_key = ?2, fingerprint = ?3, content = ?4, base = ?5
                 WHERE id = ?1",
            )?;
            to_one(statement, *id, (id, key, fingerprint, content, Json(base)))
        }
        LinkChange::Missing { id, side, since } => {
            let statement = match side {
                Side::Source => {
                    tx.prepare_cached("UPDATE links SET source_missing_since = ?2 WHERE id = ?1")?
                }
                Side::Linq => {
                    tx.prepare_cached("UPDATE links SET linq_missing_since = ?2 WHERE id = ?1")?
                }
            };
            to_one(statement, *id, (id, since.map(Millis)))
        }
        LinkChange::Release(id) => {
            let statement =
                tx.prepare_cached("UPDATE links SET status = 'released' WHERE id = ?1")?;
            to_one(statement, *id, [id])
        }
        LinkChange::Exclude(id, why) => {
            let statement = tx.prepare_cached(
                "UPDATE links SET status = 'released', excluded = ?2 WHERE id = ?1",
            )?;
            to_one(statement, *id, (id, why))
        }
        LinkChange::Relink(id) => {
            let statement = tx.prepare_cached(
                "UPDATE links SET status = 'linked', excluded = NULL, source_missing_since = NULL,
                                  linq_missing_since = NULL
                 WHERE id = ?1",
            )?;
            to_one(statement, *id, [id])
        }
        LinkChange::Remove(id) => {
            to_one(tx.prepare_cached("DELETE FROM links WHERE id = ?1")?, *id, [id])
        }
    }
}

/// Executes a statement that changes exactly the link `id`.
fn to_one(
    mut statement: CachedStatement<'_>,
    id: LinkId,
    params: impl Params,
) -> Result<(), MirrorFault> {
    if statement.execute(params)? == 0 {
        return Err(StateError::UnknownLink(id).into());
    }
    Ok(())
}

pub(super) fn link_from_row(row: &Row<'_>) -> rusqlite::Result<Link> {
    let Json(base) = row.get(5)?;
    Ok(Link {
        id: row.get(0)?,
        linq_id: row.get(1)?,
        status: row.get(2)?,
        key: row.get(3)?,
        fingerprint: row.get(4)?,
        base,
        source_missing_since: Millis::optional_instant(row.get(6)?),
        linq_missing_since: Millis::optional_instant(row.get(7)?),
        content: row.get(8)?,
        excluded: row.get(9)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mirror::testing::{any_base, any_text, at, commit, empty_state, insert as new_link};
    use crate::mirror::{State, StateChange};
    use crate::model::{Agreement, Field};

    fn change(state: &State, link: LinkChange) {
        commit(state, [StateChange { link, ..StateChange::default() }]).unwrap();
    }

    fn only(state: &State) -> Link {
        let mut links = state.links().unwrap();
        assert_eq!(links.len(), 1);
        links.remove(0)
    }

    #[test]
    fn a_link_goes_through_its_life() {
        let state = empty_state();
        change(&state, new_link(7));
        let mut expected = only(&state);
        assert_eq!((expected.linq_id, expected.status), (LinqId(7), LinkStatus::Linked));
        let id = expected.id;

        for (side, since) in [(Side::Source, Some(at(5))), (Side::Linq, Some(at(6)))] {
            change(&state, LinkChange::Missing { id, side, since });
        }
        change(&state, LinkChange::Release(id));
        expected.status = LinkStatus::Released;
        expected.source_missing_since = Some(at(5));
        expected.linq_missing_since = Some(at(6));
        assert_eq!(only(&state), expected);

        change(&state, LinkChange::Missing { id, side: Side::Source, since: None });
        expected.source_missing_since = None;
        assert_eq!(only(&state), expected);

        for why in [Exclusion::Selection, Exclusion::Ignored] {
            change(&state, LinkChange::Exclude(id, why));
            expected.excluded = Some(why);
            assert_eq!(only(&state), expected);
        }

        change(&state, LinkChange::Relink(id));
        expected.status = LinkStatus::Linked;
        expected.excluded = None;
        expected.linq_missing_since = None;
        assert_eq!(only(&state), expected);

        expected.key = Some(SourceKey("E-1".to_owned()));
        expected.fingerprint = Fingerprint::of(b"another row");
        expected.content = Some(Fingerprint::of(b"what it says"));
        expected.base.set(Field::Title, Agreement { source: "Dr".into(), linq: "dr".into() });
        let Link { key, fingerprint, content, base, .. } = expected.clone();
        change(&state, LinkChange::Update { id, key, fingerprint, content, base });
        assert_eq!(only(&state), expected);

        change(&state, LinkChange::Remove(id));
        assert_eq!(state.links().unwrap(), []);
        change(&state, new_link(7));
        assert_ne!(only(&state).id, id, "an id is not given again");
    }

    #[test]
    fn a_change_of_an_unknown_link_is_refused() {
        let (state, id) = (empty_state(), LinkId(5));
        let (fingerprint, base) = (Fingerprint::of(b""), Base::default());
        for link in [
            LinkChange::Update { id, key: None, fingerprint, content: None, base },
            LinkChange::Missing { id, side: Side::Linq, since: None },
            LinkChange::Release(id),
            LinkChange::Exclude(id, Exclusion::Ignored),
            LinkChange::Relink(id),
            LinkChange::Remove(id),
        ] {
            let outcome = commit(&state, [StateChange { link, ..StateChange::default() }]);
            assert!(matches!(outcome, Err(StateError::UnknownLink(LinkId(5)))));
        }
    }

    proptest! {
        #[test]
        fn links_are_read_back_as_they_were_written(
            linq_id: u64,
            key in proptest::option::of(any_text()),
            bytes: [u8; 32],
            content: Option<[u8; 32]>,
            base in any_base(),
        ) {
            let state = empty_state();
            let (linq_id, key, fingerprint) =
                (LinqId(linq_id), key.map(SourceKey), Fingerprint(bytes));
            let content = content.map(Fingerprint);
            change(&state, LinkChange::Insert {
                linq_id, key: key.clone(), fingerprint, content, base: base.clone(),
            });
            let found = only(&state);
            let LinkKey { linq_id: id, fingerprint: bytes, content: text, .. } =
                state.link_keys().unwrap()[0];
            prop_assert_eq!((id, bytes, text), (linq_id, fingerprint, content));
            prop_assert_eq!(
                (found.linq_id, found.key, found.fingerprint, found.content, found.base),
                (linq_id, key, fingerprint, content, base)
            );
        }
    }
}
