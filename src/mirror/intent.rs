//! Intents: writes that are about to be made, and the steps each may take.
//!
//! Owns what an intent is and its legal transitions. Leaves keeping it to the
//! journal.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{
    AsWritten, Base, FieldChange, Fingerprint, IntentId, LinkId, LinqId, RunId, SourceKey,
    Timestamp, Values,
};

/// A write that is about to be made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum IntentKind {
    /// A record of the source becomes a contact in Linq.
    CreateInLinq {
        /// What is sent.
        values: Values,
        /// The owner that is asked for; `None` leaves the choice to Linq.
        user_email: Option<String>,
        /// The record's key, where the source has keys.
        key: Option<SourceKey>,
        /// The record's bytes.
        fingerprint: Fingerprint,
    },
    /// A contact in Linq gets other values.
    UpdateInLinq {
        /// The contact.
        linq_id: LinqId,
        /// Its fields that change.
        changes: Vec<FieldChange>,
        /// What both sides have once it has landed, where that is not what is sent:
        /// when something is put back.
        #[serde(default, skip_serializing_if = "Base::is_empty")]
        base: Base,
    },
    /// A contact is deleted in Linq.
    DeleteInLinq {
        /// The contact.
        linq_id: LinqId,
    },
    /// A contact of Linq becomes a record of the source.
    AddToSource {
        /// The contact.
        linq_id: LinqId,
        /// What is written.
        values: Values,
    },
    /// A record of the source gets other values.
    UpdateInSource {
        /// The contact that it is linked to.
        linq_id: LinqId,
        /// Its fields that change.
        changes: Vec<FieldChange>,
        /// What Linq has in these fields, where that is not what is written: a person decided
        /// on another value, which goes there next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        linq: Option<Values>,
    },
    /// A record of the source is removed.
    RemoveFromSource {
        /// The contact that it is linked to.
        linq_id: LinqId,
        /// The record's bytes; `None` in journals of old.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fingerprint: Option<Fingerprint>,
        /// The record as it was written.
        #[serde(flatten)]
        written: AsWritten,
    },
}

impl fmt::Debug for IntentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IntentKind::CreateInLinq { values, .. } => write!(f, "CreateInLinq({values:?})"),
            IntentKind::UpdateInLinq { linq_id, changes, .. } => {
                write!(f, "UpdateInLinq({linq_id}, {changes:?})")
            }
            IntentKind::DeleteInLinq { linq_id } => write!(f, "DeleteInLinq({linq_id})"),
            IntentKind::AddToSource { linq_id, values } => {
                write!(f, "AddToSource({linq_id}, {values:?})")
            }
            IntentKind::UpdateInSource { linq_id, changes, .. } => {
                write!(f, "UpdateInSource({linq_id}, {changes:?})")
            }
            IntentKind::RemoveFromSource { linq_id, .. } => {
                write!(f, "RemoveFromSource({linq_id})")
            }
        }
    }
}

/// An open intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its number.
    pub id: IntentId,
    /// The run that planned it.
    pub run: RunId,
    /// The link that it concerns, if there was one.
    pub link: Option<LinkId>,
    /// What is to be written.
    pub kind: IntentKind,
    /// How far it has come.
    pub state: IntentState,
    /// When it was planned: before anything could be sent.
    pub planned_at: Timestamp,
    /// When it was last about to be sent; present exactly when it is
    /// [`IntentState::Sent`].
    pub sent_at: Option<Timestamp>,
    /// How often it was about to be sent.
    pub attempts: u32,
}

/// How far an open intent has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentState {
    /// Nothing has been sent.
    Planned,
    /// It may have been sent, and may have landed.
    Sent,
}

/// How an intent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentOutcome {
    /// It is written on the other side.
    Landed,
    /// The other side refused it; nothing was written.
    Refused,
    /// It is proven that it was never written.
    NotSent,
    /// It is given up: the next plan looks at the record anew.
    Abandoned,
}

/// What happens to an open intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentStep {
    /// It is about to be sent.
    Send,
    /// It ends.
    Close(IntentOutcome),
}

impl IntentOutcome {
    /// Every outcome.
    pub const ALL: [IntentOutcome; 4] = [
        IntentOutcome::Landed,
        IntentOutcome::Refused,
        IntentOutcome::NotSent,
        IntentOutcome::Abandoned,
    ];
}

impl IntentState {
    /// The name used in the state.
    pub const fn name(self) -> &'static str {
        match self {
            IntentState::Planned => "planned",
            IntentState::Sent => "sent",
        }
    }

    /// The state called `name`, if there is one.
    pub fn from_name(name: &str) -> Option<IntentState> {
        [IntentState::Planned, IntentState::Sent].into_iter().find(|state| state.name() == name)
    }

    /// Whether an intent in this state may take `step`. What was never sent cannot
    /// have landed or been refused; what was sent may be sent again once it is
    /// known to have been lost.
    pub const fn allows_step(self, step: IntentStep) -> bool {
        match (self, step) {
            (
                IntentState::Planned,
                IntentStep::Send
                | IntentStep::Close(IntentOutcome::NotSent | IntentOutcome::Abandoned),
            )
            | (
                IntentState::Sent,
                IntentStep::Send
                | IntentStep::Close(
                    IntentOutcome::Landed
                    | IntentOutcome::Refused
                    | IntentOutcome::NotSent
                    | IntentOutcome::Abandoned,
                ),
            ) => true,
            (
                IntentState::Planned,
                IntentStep::Close(IntentOutcome::Landed | IntentOutcome::Refused),
            ) => false,
        }
    }
}

impl fmt::Display for IntentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for IntentStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IntentStep::Send => "sent",
            IntentStep::Close(IntentOutcome::Landed) => "closed as landed",
            IntentStep::Close(IntentOutcome::Refused) => "closed as refused",
            IntentStep::Close(IntentOutcome::NotSent) => "closed as not sent",
            IntentStep::Close(IntentOutcome::Abandoned) => "closed as abandoned",
        })
    }
}

/// An intent before it has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIntent {
    /// The link that it concerns, if there is one.
    pub link: Option<LinkId>,
    /// What is to be written.
    pub kind: IntentKind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_have_been_sent_can_have_landed_or_been_refused() {
        let allowed = |state: IntentState| {
            IntentOutcome::ALL.map(|outcome| state.allows_step(IntentStep::Close(outcome)))
        };
        assert_eq!(allowed(IntentState::Planned), [false, false, true, true]);
        assert_eq!(allowed(IntentState::Sent), [true, true, true, true]);
        assert!(IntentState::Planned.allows_step(IntentStep::Send));
        assert!(IntentState::Sent.allows_step(IntentStep::Send));
    }

    #[test]
    fn a_removal_that_an_earlier_version_began_is_still_understood() {
        let kept = r#"{"kind":"remove_from_source","linq_id":7,"written":"Ada,King"}"#;
        let kind: IntentKind = serde_json::from_str(kept).unwrap();
        let written = AsWritten { text: "Ada,King".to_owned(), ..AsWritten::default() };
        assert_eq!(
            kind,
            IntentKind::RemoveFromSource { linq_id: LinqId(7), fingerprint: None, written }
        );
        assert_eq!(serde_json::to_string(&kind).unwrap(), kept);
    }

    #[test]
    fn debug_output_shows_no_persons_data() {
        let kind = IntentKind::CreateInLinq {
            values: Values::default(),
            user_email: Some("sam@acme.example".to_owned()),
            key: Some(SourceKey("E-1".to_owned())),
            fingerprint: Fingerprint::of(b""),
        };
        assert_eq!(format!("{kind:?}"), "CreateInLinq(Values{})");
    }
}
