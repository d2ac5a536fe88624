//! Writing down what landed: the one place where the base advances.

use std::fmt;

use rusqlite::Connection;

use super::State;
use super::contacts::{self, ShownContact};
use super::error::{MirrorFault, StateError};
use super::history::{self, HistoryEntry};
use super::intent::IntentOutcome;
use super::journal;
use super::links::{self, LinkChange};
use super::memory;
use super::rejections::{self, RejectionChange};
use super::waiting;
use crate::model::{
    Fingerprint, IntentId, LinqContact, LinqId, Meaning, MeaningChange, RunId, Timestamp,
};

/// What is written down about one contact. The default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateChange {
    /// The intent that ends, and how.
    pub intent: Option<(IntentId, IntentOutcome)>,
    /// What becomes of its link.
    pub link: LinkChange,
    /// What becomes of it in the mirror.
    pub contact: ContactChange,
    /// What the history tells of it.
    pub history: Vec<HistoryEntry>,
    /// What becomes of its rejection.
    pub rejection: RejectionChange,
    /// The decisions of people that are carried out by this.
    pub decided: Vec<Fingerprint>,
}

/// What becomes of a contact in the mirror.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum ContactChange {
    /// Nothing.
    #[default]
    Keep,
    /// Linq has shown it like this.
    Store {
        /// The contact.
        contact: Box<LinqContact>,
        /// Its JSON as it came.
        raw: String,
    },
    /// It is gone from Linq.
    Forget(LinqId),
}

impl fmt::Debug for ContactChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ContactChange::Keep => f.write_str("Keep"),
            ContactChange::Store { contact, .. } => write!(f, "Store({contact:?})"),
            ContactChange::Forget(id) => write!(f, "Forget({id})"),
        }
    }
}

impl State {
    /// Writes down what became of some contacts, in the order given and in one
    /// transaction. This is the only way in which the base advances: together with
    /// the end of the intent, the mirror and the history. It is durable when it
    /// returns.
    ///
    /// A link is given to another contact by a record that removes it and a later
    /// one that inserts the new link.
    ///
    /// # Errors
    /// [`StateError::AlreadyLinked`], [`StateError::UnknownLink`],
    /// [`StateError::UnknownIntent`] or [`StateError::IllegalStep`] when a record
    /// contradicts the state. Then, as on every other error, nothing is written.
    pub fn commit_changes(
        &self,
        run: RunId,
        at: Timestamp,
        records: &[StateChange],
    ) -> Result<(), StateError> {
        self.write(|tx| records.iter().try_for_each(|record| write(tx, run, at, record)))
    }

    /// The same for the outcome of an intent, which stays open for as long as this is not durable:
    /// until the next commit of another kind. After a loss of power it is found out again, as
    /// after a kill in the instant before.
    ///
    /// # Errors
    /// As [`State::commit_changes`].
    pub fn commit_outcome(
        &self,
        run: RunId,
        at: Timestamp,
        records: &[StateChange],
    ) -> Result<(), StateError> {
        self.write_soon(|tx| records.iter().try_for_each(|record| write(tx, run, at, record)))
    }

    /// Writes down what a change of meaning makes of links, and remembers the meaning in
    /// the same transaction: none of it is true without the other.
    ///
    /// # Errors
    /// As [`State::commit_changes`].
    pub fn commit_meaning(
        &self,
        run: RunId,
        at: Timestamp,
        records: &[StateChange],
        meaning: &Meaning,
        change: &MeaningChange,
    ) -> Result<(), StateError> {
        self.write(|tx| {
            records.iter().try_for_each(|record| write(tx, run, at, record))?;
            memory::remember_change(tx, meaning, change)
        })
    }
}

fn write(
    tx: &Connection,
    run: RunId,
    at: Timestamp,
    record: &StateChange,
) -> Result<(), MirrorFault> {
    if let Some((id, outcome)) = record.intent {
        journal::close_intent(tx, id, outcome)?;
    }
    links::change_link(tx, &record.link)?;
    match &record.contact {
        ContactChange::Keep => {}
        ContactChange::Store { contact, raw } => {
            contacts::store_contact(tx, run, at, ShownContact { contact, raw })?;
        }
        ContactChange::Forget(id) => contacts::forget_contact(tx, *id)?,
    }
    for entry in &record.history {
        history::append_entry(tx, run, at, entry)?;
    }
    waiting::forget_decisions(tx, &record.decided)?;
    rejections::change_rejection(tx, &record.rejection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{ada, at, contact, deletion, empty_state, insert};
    use crate::mirror::{IntentKind, NewIntent};
    use crate::model::{LinkId, Side};

    /// A state in which a create is on its way.
    fn in_flight() -> (State, RunId, IntentId) {
        let state = empty_state();
        let run = state.begin_run(at(0)).unwrap();
        let kind = IntentKind::AddToSource { linq_id: LinqId(7), values: ada() };
        let id = state.plan_intents(run, at(1), &[NewIntent { link: None, kind }]).unwrap()[0];
        state.mark_sent(id, at(2)).unwrap();
        (state, run, id)
    }

    fn landed(id: IntentId) -> StateChange {
        StateChange {
            intent: Some((id, IntentOutcome::Landed)),
            link: insert(7),
            contact: ContactChange::Store {
                contact: contact(7, ada()).into(),
                raw: "{}".to_owned(),
            },
            history: vec![deletion(Side::Linq, 7)],
            ..StateChange::default()
        }
    }

    #[test]
    fn what_landed_is_written_down_everywhere_at_once() {
        let (state, run, id) = in_flight();
        state.commit_changes(run, at(3), &[landed(id)]).unwrap();
        assert_eq!(state.open_intents().unwrap(), []);
        assert_eq!(state.links().unwrap()[0].linq_id, LinqId(7));
        assert_eq!(state.contacts().unwrap()[&LinqId(7)], contact(7, ada()));
        assert_eq!(state.history_of_run(run).unwrap()[0].at, at(3));

        let forget = StateChange {
            link: LinkChange::Remove(state.links().unwrap()[0].id),
            contact: ContactChange::Forget(LinqId(7)),
            ..StateChange::default()
        };
        state.commit_changes(run, at(4), &[forget]).unwrap();
        assert!(state.links().unwrap().is_empty() && state.contacts().unwrap().is_empty());
    }

    #[test]
    fn one_record_that_contradicts_the_state_takes_all_of_them_back() {
        let (state, run, id) = in_flight();
        let link = |link| StateChange { link, ..StateChange::default() };
        let closing =
            |id, outcome| StateChange { intent: Some((id, outcome)), ..StateChange::default() };
        for contradiction in [
            link(insert(7)),
            link(LinkChange::Release(LinkId(99))),
            closing(id, IntentOutcome::Refused),
            closing(IntentId(99), IntentOutcome::NotSent),
        ] {
            let refused = state.commit_changes(run, at(3), &[landed(id), contradiction]);
            assert!(refused.is_err());
            assert_eq!(state.open_intents().unwrap().len(), 1);
            assert_eq!(state.links().unwrap(), []);
            assert!(state.contacts().unwrap().is_empty());
            assert_eq!(state.history_of_run(run).unwrap(), []);
        }
        state.commit_changes(run, at(3), &[landed(id)]).unwrap();
    }

    #[test]
    fn a_second_link_to_a_contact_is_refused_by_name() {
        let (state, run, id) = in_flight();
        state.commit_changes(run, at(3), &[landed(id)]).unwrap();
        let second = StateChange { link: insert(7), ..StateChange::default() };
        assert!(matches!(
            state.commit_changes(run, at(4), &[second]),
            Err(StateError::AlreadyLinked(LinqId(7)))
        ));
    }

    #[test]
    fn a_pair_gets_another_contact_in_one_commit() {
        let (state, run, id) = in_flight();
        state.commit_changes(run, at(3), &[landed(id)]).unwrap();
        let old = state.links().unwrap()[0].id;
        let records = [LinkChange::Remove(old), insert(8)]
            .map(|link| StateChange { link, ..StateChange::default() });
        state.commit_changes(run, at(4), &records).unwrap();
        assert_eq!(state.links().unwrap()[0].linq_id, LinqId(8));
    }

    #[test]
    fn debug_output_shows_no_persons_data() {
        let (_, _, id) = in_flight();
        let shown = format!("{:?}", landed(id));
        assert!(shown.contains("LinqId(7)") && !shown.contains("Ada"), "{shown}");
    }
}
