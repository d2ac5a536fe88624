//! What an earlier run did, read from the history: what `undo` starts from.
//!
//! Owns the way from rows of the history to [`plan::Undoing`](crate::plan::Undoing).
//! Leaves what is to be put back to the planner.

use ecow::EcoString;

use crate::mirror::{Action, HistoryEntry, State, StateError};
use crate::model::{Agreement, BaseChange, Change, RunId, Values, Who};
use crate::plan::{Deed, Done, Undoing};

/// What `run` did, and what was put back of it so far; of everybody, or only of `whom`.
///
/// # Errors
/// When the state cannot be read.
pub fn undoing<'a>(
    state: &State,
    run: RunId,
    whom: Option<Who<'a>>,
) -> Result<Undoing<'a>, StateError> {
    let all = |rows: Vec<crate::mirror::HistoryRow>| {
        rows.into_iter().filter_map(|row| done(row.entry)).collect()
    };
    Ok(Undoing { run, done: all(state.history(run)?), undone: all(state.undone(run)?), whom })
}

fn done(entry: HistoryEntry) -> Option<Done> {
    let deed = match entry.action {
        Action::Create => Deed::Created(entry.side, texts(&entry.changes, |change| &change.to)),
        Action::Update => Deed::Changed(bases(&entry)),
        Action::Delete => {
            let [source, linq] = last_known(&entry);
            Deed::Deleted { side: entry.side, source, linq }
        }
        Action::Link
        | Action::Release
        | Action::Relink
        | Action::Forget
        | Action::Conflict
        | Action::Reject => return None,
    };
    let HistoryEntry { linq_id, source_key, name, .. } = entry;
    Some(Done { linq_id, source_key, name, deed })
}

fn texts(changes: &[Change], text: fn(&Change) -> &EcoString) -> Values {
    changes.iter().map(|change| (change.field, text(change).clone())).collect()
}

/// What a deleted person had in the source and in Linq. History from before bases were
/// kept tells one text for both.
fn last_known(entry: &HistoryEntry) -> [Values; 2] {
    if entry.bases.is_empty() {
        let values = texts(&entry.changes, |change| &change.from);
        return [values.clone(), values];
    }
    let half = |half: fn(&Agreement) -> &EcoString| {
        entry.bases.iter().map(|change| (change.field, half(&change.before).clone())).collect()
    };
    [half(|before| &before.source), half(|before| &before.linq)]
}

/// The bases of an update. History from before they were kept tells one text for both
/// sides.
fn bases(entry: &HistoryEntry) -> Vec<BaseChange> {
    if !entry.bases.is_empty() {
        return entry.bases.clone();
    }
    let both = |text: &EcoString| Agreement { source: text.clone(), linq: text.clone() };
    let base = |change: &Change| BaseChange {
        field: change.field,
        before: both(&change.from),
        agreed: true,
        after: both(&change.to),
    };
    entry.changes.iter().map(base).collect()
}
