//! What an earlier run did, read from the history: what `undo` starts from.
//!
//! Owns the way from rows of the history to [`plan::Undoing`](crate::plan::Undoing).
//! Leaves what is to be put back to the planner.

use std::collections::BTreeSet;

use ecow::EcoString;

use crate::mirror::{HistoryAction, HistoryEntry, HistoryRow, State, StateError};
use crate::model::{Agreement, BaseChange, FieldChange, RunId, Values, Who};
use crate::plan::{PastDeed, Undoing, UndoneDeed};

/// What `run` did, and with `and_later` all runs after it, and what was put back of it so far;
/// of everybody, or only of `whom`.
///
/// # Errors
/// When the state cannot be read.
pub fn load_undoing<'a>(
    state: &State,
    run: RunId,
    and_later: bool,
    whom: Option<Who<'a>>,
) -> Result<Undoing<'a>, StateError> {
    let all =
        |rows: Vec<HistoryRow>| rows.into_iter().filter_map(|row| past_deed(row.entry)).collect();
    let did = if and_later { state.history_since(run)? } else { state.history_of_run(run)? };
    let runs: BTreeSet<RunId> = did.iter().map(|row| row.run).chain([run]).collect();
    let mut undone = Vec::new();
    for run in runs {
        undone.extend(state.undone_by_later(run)?);
    }
    Ok(Undoing { run, and_later, done: all(did), undone: all(undone), whom })
}

fn past_deed(entry: HistoryEntry) -> Option<PastDeed> {
    let deed = match entry.action {
        HistoryAction::Create => {
            UndoneDeed::Created(entry.side, change_values(&entry.changes, |change| &change.to))
        }
        HistoryAction::Update => UndoneDeed::Changed(base_changes(&entry)),
        HistoryAction::Delete => {
            let [source, linq] = last_known(&entry);
            UndoneDeed::Deleted { side: entry.side, source, linq }
        }
        HistoryAction::Link
        | HistoryAction::Release
        | HistoryAction::Relink
        | HistoryAction::Forget
        | HistoryAction::Conflict
        | HistoryAction::Reject => return None,
    };
    let HistoryEntry { linq_id, source_key, name, .. } = entry;
    Some(PastDeed { linq_id, source_key, name, deed })
}

fn change_values(changes: &[FieldChange], text: fn(&FieldChange) -> &EcoString) -> Values {
    changes.iter().map(|change| (change.field, text(change).clone())).collect()
}

/// What a deleted person had in the source and in Linq. History from before bases were
/// kept tells one text for both.
fn last_known(entry: &HistoryEntry) -> [Values; 2] {
    if entry.bases.is_empty() {
        let values = change_values(&entry.changes, |change| &change.from);
        return [values.clone(), values];
    }
    let half = |half: fn(&Agreement) -> &EcoString| {
        entry.bases.iter().map(|change| (change.field, half(&change.before).clone())).collect()
    };
    [half(|before| &before.source), half(|before| &before.linq)]
}

/// The bases of an update. History from before they were kept tells one text for both
/// sides.
fn base_changes(entry: &HistoryEntry) -> Vec<BaseChange> {
    if !entry.bases.is_empty() {
        return entry.bases.clone();
    }
    let both = |text: &EcoString| Agreement { source: text.clone(), linq: text.clone() };
    let base = |change: &FieldChange| BaseChange {
        field: change.field,
        before: both(&change.from),
        agreed: true,
        after: both(&change.to),
    };
    entry.changes.iter().map(base).collect()
}
