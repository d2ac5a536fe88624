//! What waits for a person, and what a person decides about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DecidedBy, Field, FieldChange, Fingerprint, LinqId, Side, Timestamp, Values};

/// Something that waits for a person, as a run left it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Stands for exactly this: with other values on either side it is another one,
    /// and what was decided about this does not hold for that.
    #[serde(rename = "what")]
    pub question_id: Fingerprint,
    /// What sort it is.
    pub kind: WaitingKind,
    /// The contact in Linq, if it is known.
    pub linq_id: Option<LinqId>,
    /// How the source names the record.
    pub source_key: Option<String>,
    /// The place of the record: `row:12`.
    pub label: Option<String>,
    /// The line on which the record begins.
    pub line: Option<u32>,
    /// Name, e-mail and phone number, for people to recognise the person by.
    pub person: Values,
    /// Why it waits.
    pub reason: String,
    /// The value of a field that was rejected: on the side that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where that value stands in the source, or would stand there, for people: "`Phone` in
    /// row 7".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
}

/// What sort of thing waits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WaitingKind {
    /// Both sides changed a field.
    Conflict {
        /// The field.
        field: Field,
        /// What both agreed on last.
        base: String,
        /// The source's value.
        source: String,
        /// Linq's value.
        linq: String,
    },
    /// It cannot be told who a record is.
    Ambiguous {
        /// The contacts that it may be.
        candidates: Vec<LinqId>,
    },
    /// A deletion on this side.
    HeldDeletion {
        /// The side that would lose the person.
        side: Side,
    },
    /// Clearing a field on this side.
    HeldClearing {
        /// The side that would lose the value.
        side: Side,
        /// The field and its value.
        change: FieldChange,
    },
    /// Changing a field on this side, as one of many such changes.
    HeldChange {
        /// The side whose value would be replaced.
        side: Side,
        /// The field and both values.
        change: FieldChange,
    },
    /// A field, or all of a record, cannot be synchronised as it is.
    Rejected {
        /// The field; `None` for the whole record.
        field: Option<Field>,
        /// What was refused, if a side refused it: that can be sent again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal: Option<Fingerprint>,
        /// The side that cannot take it.
        #[serde(default = "Side::linq", skip_serializing_if = "Side::is_linq")]
        side: Side,
    },
}

impl WaitingKind {
    /// Whether the guard holds it: `approve` and `reject` decide it.
    pub const fn is_held(&self) -> bool {
        match self {
            WaitingKind::HeldDeletion { .. }
            | WaitingKind::HeldClearing { .. }
            | WaitingKind::HeldChange { .. } => true,
            WaitingKind::Conflict { .. }
            | WaitingKind::Ambiguous { .. }
            | WaitingKind::Rejected { .. } => false,
        }
    }

    /// Whether a side refused it, so that it can be sent again: `retry` decides it.
    pub const fn is_refused(&self) -> bool {
        match self {
            WaitingKind::Rejected { refusal, .. } => refusal.is_some(),
            WaitingKind::HeldDeletion { .. }
            | WaitingKind::HeldClearing { .. }
            | WaitingKind::HeldChange { .. }
            | WaitingKind::Conflict { .. }
            | WaitingKind::Ambiguous { .. } => false,
        }
    }

    /// The edit that the guard holds back from `side`, if it is one.
    pub fn edit_on(&self, side: Side) -> Option<&FieldChange> {
        match self {
            WaitingKind::HeldClearing { side: of, change }
            | WaitingKind::HeldChange { side: of, change } => (*of == side).then_some(change),
            WaitingKind::HeldDeletion { .. }
            | WaitingKind::Conflict { .. }
            | WaitingKind::Ambiguous { .. }
            | WaitingKind::Rejected { .. } => None,
        }
    }

    /// What the guard calls `change` on `side`: a clearing, or else a change.
    pub fn of_held(side: Side, change: FieldChange) -> WaitingKind {
        if change.clears_value() {
            WaitingKind::HeldClearing { side, change }
        } else {
            WaitingKind::HeldChange { side, change }
        }
    }
}

/// What a person decided about something that waits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// The held deletion, clearing or change may be carried out.
    Approve,
    /// The held deletion, clearing or change is dropped: what was removed or changed is
    /// put back on the side where that was done.
    Reject,
    /// This side's value of a field in conflict is right.
    Take {
        /// The side.
        side: Side,
    },
    /// Neither value of a field in conflict is right, but this one.
    Value {
        /// The value.
        value: String,
    },
    /// An ambiguous record is this contact.
    Link {
        /// The contact.
        linq_id: LinqId,
    },
    /// An ambiguous record is somebody whom Linq does not have.
    Separate,
    /// What a side refused is sent again.
    Retry,
}

/// A decision, and what was shown to the person who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What waited.
    pub about: Waiting,
    /// What is to become of it.
    pub decision: Decision,
    /// Who decided it; `None` where an older version did not ask.
    pub by: Option<String>,
    /// When it was decided.
    pub at: Timestamp,
}

impl Decided {
    /// Who decided it, with which command, and when.
    pub fn decided_by(&self) -> DecidedBy {
        let command = self.decision.command().to_owned();
        DecidedBy { by: self.by.clone(), command, at: self.at }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Waiting({:?}, {:?})", self.question_id, self.kind)
    }
}

impl fmt::Debug for WaitingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitingKind::Conflict { field, .. } => write!(f, "Conflict({field})"),
            WaitingKind::Ambiguous { candidates } => write!(f, "Ambiguous({candidates:?})"),
            WaitingKind::HeldDeletion { side } => write!(f, "HeldDeletion({side:?})"),
            WaitingKind::HeldClearing { side, change } => {
                write!(f, "HeldClearing({side:?}, {})", change.field)
            }
            WaitingKind::HeldChange { side, change } => {
                write!(f, "HeldChange({side:?}, {})", change.field)
            }
            WaitingKind::Rejected { field, .. } => write!(f, "Rejected({field:?})"),
        }
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::Approve => f.write_str("Approve"),
            Decision::Reject => f.write_str("Reject"),
            Decision::Take { side } => write!(f, "Take({side:?})"),
            Decision::Value { .. } => f.write_str("Value(…)"),
            Decision::Link { linq_id } => write!(f, "Link({linq_id})"),
            Decision::Separate => f.write_str("Separate"),
            Decision::Retry => f.write_str("Retry"),
        }
    }
}
