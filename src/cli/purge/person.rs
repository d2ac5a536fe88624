//! Who is to be erased, and what tells of them.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::mirror::{ContactTraces, IntentKind, State, StateError};
use crate::model::{Canon, Field, LinqId, Values, Who};
use crate::open::OpenError;
use crate::report::ReportedError;

use super::super::text::shown_text;
use super::super::whose;
use super::decodings::decodings;

/// A person, and all that the state knows of them.
pub(super) struct PurgeSubject {
    pub(super) traces: ContactTraces,
    /// What they are and were called.
    pub(super) names: BTreeSet<String>,
    /// Everything that they are and were known by.
    known: Vec<Values>,
    /// Whether a write about them may be on its way.
    is_open: bool,
    /// The contacts of that name that there are at present.
    present: Vec<LinqId>,
    /// What nobody else who is there has, in lower case: addresses, numbers, whole names.
    own: BTreeSet<String>,
}

impl PurgeSubject {
    pub(super) fn find_subject(
        state: &State,
        config: &Config,
        text: &str,
    ) -> Result<PurgeSubject, OpenError> {
        let ids = whose::linq_ids(state, config, text)?;
        let who = Who::new(text, config.policy().canon);
        let mut person = PurgeSubject {
            traces: ContactTraces { contacts: ids, ..ContactTraces::default() },
            names: BTreeSet::new(),
            known: Vec::new(),
            is_open: false,
            present: Vec::new(),
            own: BTreeSet::new(),
        };
        person.known_values(state, &who)?;
        for values in &person.known {
            person.names.insert(values.display_name());
        }
        // Too little to recognise a mention by.
        person.names.retain(|name| name.chars().count() > 3);
        person.own_values(state, config.policy().canon)?;
        person.add_mentions(state, &who)?;
        Ok(person)
    }

    /// What the mirror, the links and the history know them by.
    fn known_values(&mut self, state: &State, who: &Who<'_>) -> Result<(), StateError> {
        let ids = self.traces.contacts.clone();
        let contacts = state.contacts()?;
        self.present = ids.iter().copied().filter(|id| contacts.contains_key(id)).collect();
        self.known.extend(ids.iter().filter_map(|id| Some(contacts.get(id)?.values.clone())));
        for link in state.links()?.iter().filter(|link| ids.contains(&link.linq_id)) {
            self.known.extend([link.base.source_values(), link.base.linq_values()]);
        }
        for row in state.whole_history()? {
            let entry = &row.entry;
            let is_theirs = match entry.linq_id {
                Some(id) => ids.contains(&id),
                None => whose::is_about(entry, who),
            };
            if !is_theirs {
                continue;
            }
            self.traces.history.insert(row.id);
            self.names.insert(entry.name.clone());
            self.known.push(entry.changes.iter().map(|c| (c.field, c.from.clone())).collect());
            self.known.push(entry.changes.iter().map(|c| (c.field, c.to.clone())).collect());
        }
        Ok(())
    }

    /// What they alone are known by: what another contact has as well says nothing about them.
    fn own_values(&mut self, state: &State, canon: Canon) -> Result<(), StateError> {
        let ids = &self.traces.contacts;
        let contacts = state.contacts()?.into_iter().filter(|(id, _)| !ids.contains(id));
        let links = state.links()?.into_iter().filter(|link| !ids.contains(&link.linq_id));
        let mut others: Vec<Values> = contacts.map(|(_, contact)| contact.values).collect();
        others.extend(links.flat_map(|link| [link.base.source_values(), link.base.linq_values()]));
        let texts = |values: &Values| {
            let number = canon.phone_key(values).unwrap_or_default();
            let plain = [&*values[Field::Email], &*values[Field::PhoneNumber], &number];
            let plain = plain.map(|text| text.trim().to_lowercase());
            let name = values.display_name().to_lowercase();
            let is_whole = [Field::FirstName, Field::LastName]
                .iter()
                .all(|field| !values[*field].trim().is_empty());
            plain.into_iter().chain(is_whole.then_some(name)).collect::<Vec<String>>()
        };
        let others: BTreeSet<String> = others.iter().flat_map(texts).collect();
        let own = self.known.iter().flat_map(texts);
        self.own = own.filter(|text| text.chars().count() > 3 && !others.contains(text)).collect();
        Ok(())
    }

    /// Whether bytes that people wrote, in whatever way, have in them what nobody else has.
    pub(super) fn is_own_in(&self, bytes: &[u8]) -> bool {
        decodings(bytes).any(|text| {
            let lower = text.to_lowercase();
            self.own.iter().any(|own| lower.contains(own.as_str()))
        })
    }

    /// Whether a file of ours tells of them: what nobody else has, or one of their ids.
    pub(super) fn is_told_in(&self, bytes: &[u8]) -> bool {
        let lower = String::from_utf8_lossy(bytes).to_lowercase();
        let digit = |at: Option<usize>| {
            at.and_then(|at| lower.as_bytes().get(at)).is_some_and(u8::is_ascii_digit)
        };
        let has_id = |id: &LinqId| {
            let id = id.to_string();
            let alone =
                |(at, _): (usize, &str)| !digit(at.checked_sub(1)) && !digit(Some(at + id.len()));
            lower.match_indices(&id).any(alone)
        };
        self.own.iter().any(|text| lower.contains(text.as_str()))
            || self.traces.contacts.iter().any(has_id)
    }

    /// What waits or was refused about them, and whatever names them while it is about
    /// somebody else.
    fn add_mentions(&mut self, state: &State, who: &Who<'_>) -> Result<(), StateError> {
        let ids = self.traces.contacts.clone();
        let is_theirs = |id: Option<LinqId>| id.is_some_and(|id| ids.contains(&id));
        for waiting in state.stored_waiting()? {
            let all = serde_json::to_string(&waiting).unwrap_or_default();
            if is_theirs(waiting.linq_id)
                || who.is_meant(&waiting)
                || self.is_told_in(all.as_bytes())
            {
                self.traces.waiting.insert(waiting.question_id);
            }
        }
        for rejection in state.rejections()? {
            let source = rejection.source.as_deref().unwrap_or_default();
            let is_told = |text: &str| self.is_named_in(text) || self.is_told_in(text.as_bytes());
            if is_theirs(rejection.linq_id) || is_told(&rejection.reason) || is_told(source) {
                self.traces.rejections.insert(rejection.fingerprint);
            }
        }
        for row in state.whole_history()? {
            let entry = serde_json::to_string(&row.entry).unwrap_or_default();
            let bytes = row.entry.bytes.as_deref().unwrap_or_default();
            if self.is_named_in(&row.entry.reason)
                || self.is_told_in(entry.as_bytes())
                || self.is_own_in(bytes)
            {
                self.traces.history.insert(row.id);
            }
        }
        self.is_open = state.open_intents()?.iter().any(|intent| match &intent.kind {
            IntentKind::CreateInLinq { values, .. } => who.is_contact(None, values),
            IntentKind::UpdateInLinq { linq_id, .. }
            | IntentKind::DeleteInLinq { linq_id }
            | IntentKind::AddToSource { linq_id, .. }
            | IntentKind::UpdateInSource { linq_id, .. }
            | IntentKind::RemoveFromSource { linq_id, .. } => is_theirs(Some(*linq_id)),
        });
        Ok(())
    }

    fn is_named_in(&self, text: &str) -> bool {
        self.names.iter().any(|name| text.contains(name.as_str()))
    }

    pub(super) fn reason_not_to(&self, text: &str) -> Option<ReportedError> {
        let ContactTraces { contacts, history, waiting, rejections } = &self.traces;
        let (message, hint) = if self.is_open {
            let message = "an interrupted run may still be writing this person";
            (message.to_owned(), "make a run first: `linqsync --once`".to_owned())
        } else if self.present.len() > 1 {
            let ids: Vec<String> = self.present.iter().map(ToString::to_string).collect();
            let message = format!("several contacts are called {}", shown_text(text, 60));
            (message, format!("name one by its Linq id: {}", ids.join(", ")))
        } else if contacts.is_empty()
            && history.is_empty()
            && waiting.is_empty()
            && rejections.is_empty()
        {
            let message = format!("no contact in the state matches {}", shown_text(text, 60));
            (
                message,
                "name a Linq id, an e-mail, a phone number, a full name, a key or row:N".to_owned(),
            )
        } else {
            return None;
        };
        Some(ReportedError { code: 2, message, hint })
    }

    /// Whether a file shows them: an address of theirs, or both their names, in any
    /// encoding that a source may have.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        decodings(bytes).any(|text| {
            self.known.iter().any(|values| {
                let has = |field: Field| {
                    let value = values[field].trim();
                    !value.is_empty() && text.contains(value)
                };
                let name = !values[Field::FirstName].trim().is_empty()
                    && !values[Field::LastName].trim().is_empty();
                has(Field::Email)
                    || has(Field::PhoneNumber)
                    || (name && has(Field::FirstName) && has(Field::LastName))
            })
        })
    }
}
