//! The mirror: Linq's contacts as Linq last showed them.
//!
//! Owns the table `linq_contacts`. A contact is stored with the JSON it came in,
//! so that what linqsync does not understand is kept as well.

use std::collections::{BTreeMap, BTreeSet};

use ecow::EcoString;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::State;
use super::columns::Millis;
use super::error::{MirrorFault, StateError};
use crate::model::{Field, IntentId, LinqContact, LinqId, RunId, Timestamp, Values};

/// A contact as Linq showed it, with the JSON of the answer.
#[derive(Clone, Copy)]
pub struct ShownContact<'a> {
    /// The contact.
    pub contact: &'a LinqContact,
    /// Its JSON as it came.
    pub raw: &'a str,
}

impl State {
    /// All contacts of the mirror by id. Instants are exact to the millisecond.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn contacts(&self) -> Result<BTreeMap<LinqId, LinqContact>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT linq_id, first_name, last_name, email, phone_number, company, title,
                        location, owner_email, created_at, updated_at
                 FROM linq_contacts ORDER BY linq_id",
            )?
            .query_map([], |row| contact_from_row(row).map(|contact| (contact.id, contact)))?
            .collect()
        })
    }

    /// Those of these contacts that the mirror has, by id.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn contacts_of(
        &self,
        ids: impl IntoIterator<Item = LinqId>,
    ) -> Result<BTreeMap<LinqId, LinqContact>, StateError> {
        self.with_connection(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT linq_id, first_name, last_name, email, phone_number, company, title,
                        location, owner_email, created_at, updated_at
                 FROM linq_contacts WHERE linq_id = ?1",
            )?;
            let mut contacts = BTreeMap::new();
            for id in ids {
                let found = statement.query_row([id], contact_from_row).optional()?;
                contacts.extend(found.map(|contact| (id, contact)));
            }
            Ok(contacts)
        })
    }

    /// The contacts of the mirror that are not linked.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn unlinked_ids(&self) -> Result<BTreeSet<LinqId>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT linq_id FROM linq_contacts
                 WHERE linq_id NOT IN (SELECT linq_id FROM links)",
            )?
            .query_map([], |row| row.get(0))?
            .collect()
        })
    }

    /// Whether the mirror has any contact.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn has_contacts(&self) -> Result<bool, StateError> {
        self.with_connection(|conn| conn.prepare_cached("SELECT 1 FROM linq_contacts")?.exists([]))
    }

    /// Some contacts that have an e-mail address and a phone number.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn some_with_addresses(&self) -> Result<Vec<LinqContact>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT linq_id, first_name, last_name, email, phone_number, company, title,
                        location, owner_email, created_at, updated_at
                 FROM linq_contacts WHERE email <> '' AND phone_number <> ''
                 ORDER BY linq_id LIMIT 20",
            )?
            .query_map([], contact_from_row)?
            .collect()
        })
    }

    /// One contact of the mirror.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn contact(&self, id: LinqId) -> Result<Option<LinqContact>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT linq_id, first_name, last_name, email, phone_number, company, title,
                        location, owner_email, created_at, updated_at
                 FROM linq_contacts WHERE linq_id = ?1",
            )?
            .query_row([id], contact_from_row)
            .optional()
        })
    }

    /// The JSON of a contact as Linq last sent it.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn raw_contact(&self, id: LinqId) -> Result<Option<String>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached("SELECT raw FROM linq_contacts WHERE linq_id = ?1")?
                .query_row([id], |row| row.get(0))
                .optional()
        })
    }

    /// For each contact that is not linked, the last intent that there was when it came into
    /// the mirror: what a later one sent has not made it.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn known_since(&self) -> Result<BTreeMap<LinqId, IntentId>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT linq_id, known_since FROM linq_contacts
                 WHERE linq_id NOT IN (SELECT linq_id FROM links)",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }

    /// Stores contacts as `run` read them at `at`, in one transaction; each
    /// replaces what was known of it. Any order will do.
    ///
    /// # Errors
    /// When the state cannot be written; then none of them is stored.
    pub fn store_contacts<'a>(
        &self,
        run: RunId,
        at: Timestamp,
        shown: impl IntoIterator<Item = ShownContact<'a>>,
    ) -> Result<(), StateError> {
        let mut shown: Vec<ShownContact<'a>> = shown.into_iter().collect();
        // Rows in the order of their key are written several times faster.
        shown.sort_by_key(|shown| shown.contact.id.0.cast_signed());
        self.write(|tx| shown.iter().try_for_each(|shown| store_contact(tx, run, at, *shown)))
    }

    /// Takes contacts out of the mirror, in one transaction; ids that are not in
    /// it do no harm.
    ///
    /// # Errors
    /// When the state cannot be written; then none of them is forgotten.
    pub fn forget_contacts(&self, ids: &[LinqId]) -> Result<(), StateError> {
        self.write(|tx| ids.iter().try_for_each(|id| forget_contact(tx, *id)))
    }
}

/// Stores one contact.
pub(super) fn store_contact(
    tx: &Connection,
    run: RunId,
    at: Timestamp,
    shown: ShownContact<'_>,
) -> Result<(), MirrorFault> {
    let LinqContact { id, values, created_at, updated_at } = shown.contact;
    tx.prepare_cached(
        "INSERT INTO linq_contacts
             (linq_id, first_name, last_name, email, phone_number, company, title, location,
              owner_email, created_at, updated_at, raw, read_at, read_in_run, known_since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,
                 coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'intents'), 0))
         ON CONFLICT (linq_id) DO UPDATE SET
             first_name = excluded.first_name, last_name = excluded.last_name,
             email = excluded.email, phone_number = excluded.phone_number,
             company = excluded.company, title = excluded.title, location = excluded.location,
             owner_email = excluded.owner_email, created_at = excluded.created_at,
             updated_at = excluded.updated_at, raw = excluded.raw, read_at = excluded.read_at,
             read_in_run = excluded.read_in_run",
    )?
    .execute(params![
        id,
        values[Field::FirstName].as_str(),
        values[Field::LastName].as_str(),
        values[Field::Email].as_str(),
        values[Field::PhoneNumber].as_str(),
        values[Field::Company].as_str(),
        values[Field::Title].as_str(),
        values[Field::Location].as_str(),
        values[Field::Owner].as_str(),
        created_at.map(Millis),
        updated_at.map(Millis),
        shown.raw,
        Millis(at),
        run,
    ])?;
    Ok(())
}

/// Takes one contact out.
pub(super) fn forget_contact(tx: &Connection, id: LinqId) -> Result<(), MirrorFault> {
    tx.prepare_cached("DELETE FROM linq_contacts WHERE linq_id = ?1")?.execute([id])?;
    Ok(())
}

fn contact_from_row(row: &Row<'_>) -> rusqlite::Result<LinqContact> {
    Ok(LinqContact {
        id: row.get(0)?,
        values: values_from_row(row)?,
        created_at: Millis::optional_instant(row.get(9)?),
        updated_at: Millis::optional_instant(row.get(10)?),
    })
}

/// A text of a row.
pub(super) fn text_column(row: &Row<'_>, column: usize) -> rusqlite::Result<EcoString> {
    Ok(row.get_ref(column)?.as_str()?.into())
}

fn values_from_row(row: &Row<'_>) -> rusqlite::Result<Values> {
    let mut values = Values::default();
    for (column, field) in (1..).zip(Field::ALL) {
        values[field] = text_column(row, column)?;
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mirror::testing::{ada, any_values, at, contact as linq_contact, empty_state};

    #[test]
    fn a_contact_is_replaced_when_it_is_shown_again_and_goes_when_forgotten() {
        let state = empty_state();
        let run = state.begin_run(at(0)).unwrap();
        let mut contact = linq_contact(7, ada());
        let store = |contact: &LinqContact, raw| {
            state.store_contacts(run, at(0), [ShownContact { contact, raw }]).unwrap();
        };
        store(&contact, r#"{"id":7,"nickname":"countess"}"#);
        contact.values[Field::Title] = "Countess".into();
        store(&contact, r#"{"id":7}"#);
        store(&linq_contact(8, ada()), "{}");
        assert_eq!(state.contacts().unwrap().get(&LinqId(7)), Some(&contact));
        assert_eq!(state.raw_contact(LinqId(7)).unwrap().as_deref(), Some(r#"{"id":7}"#));

        state.forget_contacts(&[LinqId(7), LinqId(99)]).unwrap();
        assert_eq!(state.raw_contact(LinqId(7)).unwrap(), None);
        assert_eq!(state.contacts().unwrap().len(), 1);
    }

    #[test]
    fn thousands_of_contacts_come_back_in_the_order_of_their_ids() {
        let state = empty_state();
        let run = state.begin_run(at(0)).unwrap();
        let contacts: Vec<LinqContact> =
            (0..5_000).map(|n| linq_contact(n * 7_919 % 5_000, ada())).collect();
        let shown = contacts.iter().map(|contact| ShownContact { contact, raw: "{}" });
        state.store_contacts(run, at(0), shown).unwrap();
        let read = state.contacts().unwrap();
        assert!(read.keys().map(|id| id.0).eq(0..5_000));
    }

    proptest! {
        #[test]
        fn whatever_linq_shows_is_read_back_as_it_was(
            id: u64,
            values in any_values(),
            created in proptest::option::of(-60_000_000_000_i64..4_000_000_000_000),
            raw: String,
        ) {
            let state = empty_state();
            let run = state.begin_run(at(0)).unwrap();
            let created_at = created.and_then(Timestamp::from_timestamp_millis);
            let contact = LinqContact { id: LinqId(id), values, created_at, updated_at: None };
            let shown = ShownContact { contact: &contact, raw: &raw };
            state.store_contacts(run, at(0), [shown]).unwrap();
            prop_assert_eq!(state.raw_contact(contact.id).unwrap(), Some(raw));
            prop_assert_eq!(state.contacts().unwrap(), BTreeMap::from([(contact.id, contact)]));
        }
    }
}
