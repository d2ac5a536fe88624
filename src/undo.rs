//! What an earlier run did, read from the history: what `undo` starts from.
//!
//! Owns the way from rows of the history to [`plan::Undoing`](crate::plan::Undoing).
//! Leaves what is to be put back to the planner.

use std::collections::BTreeSet;

use ecow::EcoString;

use crate::mirror::{Action, HistoryEntry, HistoryRow, State, StateError};
use crate::model::{Agreement, BaseChange, Change, RunId, Values, Who};
use crate::plan::{Deed, Done, Undoing};

/// What `run` did, and with `and_later` all runs after it, and what was put back of it so far;
/// of everybody, or only of `whom`.
///
/// # Errors
/// When the state cannot be read.
pub fn undoing<'a>(
    state: &State,
    run: RunId,
    and_later: bool,
    whom: Option<Who<'a>>,
) -> Result<Undoing<'a>, StateError> {
    let all = |rows: Vec<HistoryRow>| rows.into_iter().filter_map(|row| done(row.entry)).collect();
    let did = if and_later { state.history_since(run)? } else { state.history(run)? };
    let runs: BTreeSet<RunId> = did.iter().map(|row| row.run).chain([run]).collect();
    let mut undone = Vec::new();
    for run in runs {
        undone.extend(state.undone(run)?);
    }
    Ok(Undoing { run, and_later, done: all(did), undone: all(undone), whom })
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
