//! What waits for a decision, and which decisions it takes.
//!
//! Every way to decide goes through here: what is typed, what a table says, and what is
//! answered on a terminal.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::mirror::{State, StateError};
use crate::model::{
    Decided, Decision, Field, Fingerprint, LinqId, Policy, Side, Timestamp, Waiting, WaitingKind,
};
use crate::open;
use crate::report::ReportedError;
use crate::text::shown_text;

/// What waits, as the last run left it.
pub(crate) struct Questions {
    pub(crate) state: State,
    pub(crate) waiting: Vec<Waiting>,
    linked: Linked,
    policy: Policy,
}

impl Questions {
    /// Opens the state beside whoever works with it.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub(crate) fn open(config: &Config) -> Result<Questions, ReportedError> {
        let state = match open::open_state_beside(config) {
            Ok(Some(state)) => state,
            Ok(None) => {
                let hint =
                    "`linqsync plan` shows what the first would do, `--once` makes it".to_owned();
                let message = "there was no run yet, so nothing waits".to_owned();
                return Err(ReportedError { code: 2, message, hint });
            }
            Err(error) => return Err(error.to_reported_error()),
        };
        let (waiting, linked) = state
            .stored_waiting()
            .and_then(|waiting| Ok((waiting, linked_contacts(&state)?)))
            .map_err(|error| reported_state_error(&error))?;
        Ok(Questions { state, waiting, linked, policy: config.policy() })
    }

    /// What was decided for the next run, by what it is about.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub(crate) fn decided(&self) -> Result<BTreeMap<Fingerprint, Decided>, ReportedError> {
        let decided =
            self.state.stored_decisions().map_err(|error| reported_state_error(&error))?;
        Ok(decided.into_iter().map(|one| (one.about.question_id, one)).collect())
    }

    /// Remembers decisions of the user `by` for the next run: all of them or none.
    ///
    /// # Errors
    /// When one is about what does not wait any more, or the state cannot be written.
    pub(crate) fn store_decisions(
        &self,
        decisions: &[(Fingerprint, Decision)],
        by: &str,
        at: Timestamp,
    ) -> Result<(), ReportedError> {
        let done = self.state.store_decisions(decisions, by, at);
        done.map_err(|error| reported_state_error(&error))
    }

    /// Whether `decision` fits what waits.
    ///
    /// # Errors
    /// Why it does not, for people.
    pub(crate) fn check_decision(
        &self,
        waiting: &Waiting,
        decision: &Decision,
    ) -> Result<(), String> {
        match (&waiting.kind, decision) {
            (WaitingKind::Conflict { .. }, Decision::Take { .. } | Decision::Value { .. }) => {
                Ok(())
            }
            (WaitingKind::Ambiguous { candidates }, Decision::Separate) => {
                if is_copy(waiting, candidates, &self.linked) {
                    return Err(format!(
                        "{} has the key of another record: give it a key of its own, and the \
                         next run creates it",
                        waiting.label.as_deref().unwrap_or_default()
                    ));
                }
                Ok(())
            }
            (WaitingKind::Ambiguous { candidates }, Decision::Link { linq_id }) => {
                self.may_link(*linq_id, candidates)
            }
            (kind, Decision::Approve) if kind.is_held() => Ok(()),
            (kind, Decision::Reject) if kind.is_held() => self.may_put_back(waiting),
            (kind, Decision::Retry) if kind.is_refused() => Ok(()),
            (
                _,
                Decision::Approve
                | Decision::Reject
                | Decision::Take { .. }
                | Decision::Value { .. }
                | Decision::Link { .. }
                | Decision::Separate
                | Decision::Retry,
            ) => Err(format!("this cannot be decided with `{}`", decision.command())),
        }
    }

    fn may_link(&self, id: LinqId, candidates: &[LinqId]) -> Result<(), String> {
        if self.linked.ids.contains(&id) {
            return Err(format!(
                "contact {id} is linked with somebody else in the source: take this one out if \
                 both are one person, or say --separate"
            ));
        }
        if candidates.contains(&id) {
            return Ok(());
        }
        let listed: Vec<String> = candidates.iter().map(ToString::to_string).collect();
        Err(format!("{id} is not one of the candidates: {}", listed.join(", ")))
    }

    fn may_put_back(&self, waiting: &Waiting) -> Result<(), String> {
        let Some((side, field)) = written_back(&waiting.kind) else {
            return Err("only what is held can be rejected".to_owned());
        };
        let writes = field
            .map_or(self.policy.may_write(side), |field| self.policy.writes_field(side, field));
        if writes {
            return Ok(());
        }
        Err(format!(
            "{}: {side} is not written (sync.direction, sync.fields), so put it back there \
             yourself, or approve it",
            shown_text(&waiting.person.display_name(), 60)
        ))
    }
}

/// An error of the state, for people.
pub(crate) fn reported_state_error(error: &StateError) -> ReportedError {
    let code = crate::run::state_code(error);
    ReportedError::from_error(error, code, error.hint().unwrap_or_default())
}

/// The side, and the field, that are written when what is held is put back.
fn written_back(kind: &WaitingKind) -> Option<(Side, Option<Field>)> {
    match kind {
        WaitingKind::HeldDeletion { side } => Some((side.other(), None)),
        WaitingKind::HeldClearing { side, change } | WaitingKind::HeldChange { side, change } => {
            Some((side.other(), Some(change.field)))
        }
        WaitingKind::Conflict { .. }
        | WaitingKind::Ambiguous { .. }
        | WaitingKind::Rejected { .. } => None,
    }
}

/// Whether `waiting` is about a record that has the key of a linked one.
fn is_copy(waiting: &Waiting, candidates: &[LinqId], linked: &Linked) -> bool {
    waiting.source_key.as_ref().is_some_and(|key| linked.keys.contains(key))
        && candidates.iter().all(|id| linked.ids.contains(id))
}

/// The linked contacts whose record is there.
#[derive(Default)]
struct Linked {
    ids: BTreeSet<LinqId>,
    keys: BTreeSet<String>,
}

fn linked_contacts(state: &State) -> Result<Linked, StateError> {
    let mut linked = Linked::default();
    for (id, key) in state.linked_and_there()? {
        linked.ids.insert(id);
        linked.keys.extend(key.map(|key| key.to_string()));
    }
    Ok(linked)
}

/// A decision in words.
pub(crate) fn decision_sentence(waiting: &Waiting, decision: &Decision) -> String {
    let name = shown_text(&waiting.person.display_name(), 40);
    match (&waiting.kind, decision) {
        (WaitingKind::HeldDeletion { side }, Decision::Reject) => {
            format!("{name}: stay in {side}, and come back on the other side")
        }
        (
            WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. },
            Decision::Reject,
        ) => format!("{name}: {} stays “{}”", change.field, shown_text(&change.from, 40)),
        (WaitingKind::HeldChange { change, .. }, _) => {
            format!("{name}: {} becomes “{}”", change.field, shown_text(&change.to, 40))
        }
        (WaitingKind::HeldDeletion { side }, _) => format!("{name}: delete in {side}"),
        (WaitingKind::HeldClearing { side, change }, _) => {
            format!("{name}: clear {} in {side}", change.field)
        }
        (WaitingKind::Conflict { field, source, linq, .. }, Decision::Take { side }) => {
            let value = match side {
                Side::Source => source,
                Side::Linq => linq,
            };
            format!("{name}: {field} is “{}”", shown_text(value, 40))
        }
        (WaitingKind::Conflict { field, .. }, Decision::Value { value }) => {
            format!("{name}: {field} is “{}”", shown_text(value, 40))
        }
        (_, Decision::Link { linq_id }) => format!("{name}: is contact {linq_id}"),
        (WaitingKind::Rejected { field: Some(field), side, .. }, Decision::Retry) => {
            format!("{name}: send {field} to {side} again")
        }
        (WaitingKind::Rejected { side, .. }, Decision::Retry) => {
            format!("{name}: send to {side} again")
        }
        (_, Decision::Retry) => format!("{name}: send again"),
        (_, Decision::Separate) => format!("{name}: is another contact, to be created in Linq"),
        (
            _,
            Decision::Approve | Decision::Reject | Decision::Take { .. } | Decision::Value { .. },
        ) => name,
    }
}
