//! What waits for a person, and deciding it: for the commands and for the inbox alike.
//!
//! Owns what is asked, what may be decided, and how a question is named, listed and written as a
//! table. Leaves asking to [`crate::cli`] and `web`, and carrying out to the next run.

pub(crate) mod entry;
pub(crate) mod questions;
pub(crate) mod table;
mod word;

use clap::ValueEnum;

pub(crate) use entry::{AttentionEntry, decision_choices, list_of, question_id, sort_entries};
pub(crate) use questions::Questions;
pub(crate) use word::decision_of;

/// A state in which contacts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListState {
    /// Linked, the same on both sides, nothing waits.
    InSync,
    /// A field was changed on both sides.
    Conflicts,
    /// It cannot be told who a record is.
    Ambiguous,
    /// Deletions, clearings and changes that wait for approval.
    Held,
    /// Rows and fields that cannot be synchronised as they are.
    Rejected,
    /// Contacts in Linq that look alike.
    Duplicates,
    /// What is left alone because of `resolve --ignore`.
    Ignored,
}

impl ListState {
    /// The states that need attention, what is most urgent first.
    pub(crate) const ATTENTION: [ListState; 4] =
        [ListState::Held, ListState::Conflicts, ListState::Ambiguous, ListState::Rejected];

    /// The name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            ListState::InSync => "in-sync",
            ListState::Conflicts => "conflicts",
            ListState::Ambiguous => "ambiguous",
            ListState::Held => "held",
            ListState::Rejected => "rejected",
            ListState::Duplicates => "duplicates",
            ListState::Ignored => "ignored",
        }
    }
}

/// The kinds of what waits on a list.
pub(crate) const fn kinds(list: ListState) -> &'static [&'static str] {
    match list {
        ListState::Conflicts => &["conflict"],
        ListState::Ambiguous => &["ambiguous"],
        ListState::Rejected => &["rejected"],
        ListState::Held => &["held_deletion", "held_clearing", "held_change"],
        ListState::InSync | ListState::Duplicates | ListState::Ignored => &[],
    }
}
