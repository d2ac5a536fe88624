//! What the history keeps, and for whom.

use proptest::prelude::*;

use super::*;
use crate::mirror::testing::{Work, any_text, at, deletion, empty_state, measure_statement};
use crate::mirror::{IntentKind, NewIntent, StateChange};
use crate::model::{Agreement, Field};

fn record(state: &State, run: RunId, second: i64, entry: HistoryEntry) {
    let record = StateChange { history: vec![entry], ..StateChange::default() };
    state.commit_changes(run, at(second), &[record]).unwrap();
}

#[test]
fn each_action_is_found_by_the_name_that_json_gives_it() {
    for action in HistoryAction::ALL {
        assert_eq!(HistoryAction::from_name(action.name()), Some(action));
        assert_eq!(serde_json::to_value(action).unwrap(), action.name());
    }
}

#[test]
fn the_guard_counts_deletions_of_one_side_and_of_its_window_only() {
    let state = empty_state();
    let run = state.begin_run(at(0)).unwrap();
    let approved = HistoryEntry { approved: true, ..deletion(Side::Linq, 1) };
    let created = HistoryEntry { action: HistoryAction::Create, ..deletion(Side::Linq, 1) };
    for (second, entry) in [
        (10, deletion(Side::Linq, 1)),
        (20, deletion(Side::Linq, 2)),
        (20, deletion(Side::Source, 3)),
        (20, approved),
        (20, created),
    ] {
        record(&state, run, second, entry);
    }
    let count = |side, second| state.deletions_since(side, at(second)).unwrap();
    assert_eq!((count(Side::Linq, 10), count(Side::Linq, 11), count(Side::Linq, 21)), (2, 1, 0));
    assert_eq!(count(Side::Source, 0), 1);
}

#[test]
fn history_is_told_by_run_and_by_contact() {
    let state = empty_state();
    let runs = [state.begin_run(at(0)).unwrap(), state.begin_run(at(1)).unwrap()];
    record(&state, runs[0], 5, deletion(Side::Linq, 7));
    record(&state, runs[1], 6, deletion(Side::Source, 7));
    record(&state, runs[1], 7, deletion(Side::Linq, 8));
    let sides = |rows: Vec<HistoryRow>| -> Vec<(Side, Timestamp)> {
        rows.into_iter().map(|row| (row.entry.side, row.at)).collect()
    };
    assert_eq!(sides(state.history_of_run(runs[0]).unwrap()), [(Side::Linq, at(5))]);
    assert_eq!(
        sides(state.history_of(LinqId(7)).unwrap()),
        [(Side::Linq, at(5)), (Side::Source, at(6))]
    );
}

#[test]
fn pruning_takes_what_is_old_and_keeps_what_something_still_needs() {
    let state = empty_state();
    let [old, mixed, journalled, _last] =
        [0, 1, 2, 3].map(|second| state.begin_run(at(second)).unwrap());
    record(&state, old, 10, deletion(Side::Linq, 1));
    record(&state, mixed, 10, deletion(Side::Linq, 2));
    record(&state, mixed, 60, deletion(Side::Linq, 3));
    let kind = IntentKind::DeleteInLinq { linq_id: LinqId(4) };
    state.plan_intents(journalled, at(2), &[NewIntent { link: None, kind }]).unwrap();

    let prune = |seconds| state.prune_history(at(seconds), TimeDelta::seconds(40)).unwrap();
    assert_eq!(prune(86_400 * 1_000), 0, "no run a day before has seen that day");
    let next = state.begin_run(at(100)).unwrap();
    assert_eq!(prune(100), 0, "nor is anything a day old");
    assert_eq!(prune(100 + 86_400), 2);
    let left: Vec<RunId> = state.last_runs(9).unwrap().iter().map(|run| run.id).collect();
    assert_eq!(left, [next, journalled, mixed]);
    assert_eq!(state.history_of_run(mixed).unwrap().len(), 1);
}

#[test]
fn what_each_run_asks_of_the_history_is_no_more_work_after_years() {
    let state = empty_state();
    let years = |runs: i64| {
        for _ in 0..runs {
            let run = state.begin_run(at(100)).unwrap();
            let update = HistoryEntry { action: HistoryAction::Update, ..deletion(Side::Linq, 1) };
            record(&state, run, 100, update);
        }
        [
            measure_statement(&state, DELETIONS, (Millis(at(50)), Side::Linq)),
            measure_statement(&state, PRUNE_HISTORY, [Millis(at(50))]),
            measure_statement(&state, PRUNE_RUNS, [Millis(at(50))]),
        ]
    };
    let few = years(10);
    assert!(few.iter().all(|work| work.full == 0), "by indexes: {few:?}");
    assert_eq!(years(1_000), few);
    let Work { steps, .. } = measure_statement(&state, DELETIONS, (Millis(at(50)), Side::Linq));
    record(&state, RunId(1), 100, deletion(Side::Linq, 1));
    assert!(
        measure_statement(&state, DELETIONS, (Millis(at(50)), Side::Linq)).steps > steps,
        "it counts"
    );
}

proptest! {
    #[test]
    fn entries_are_read_back_as_they_were_written(text in any_text(), linq_id: u64) {
        let state = empty_state();
        let run = state.begin_run(at(0)).unwrap();
        let entry = HistoryEntry {
            linq_id: Some(LinqId(linq_id)),
            source_key: Some(text.clone()),
            name: text.clone(),
            changes: vec![FieldChange {
                field: Field::Owner, from: text.clone().into(), to: "".into(),
            }],
            bases: vec![BaseChange {
                field: Field::Owner,
                before: Agreement { source: text.clone().into(), linq: "".into() },
                agreed: true,
                after: Agreement { source: text.clone().into(), linq: text.clone().into() },
            }],
            before: Some(text.clone()),
            place: Some(text.clone()),
            bytes: Some(text.clone().into_bytes()),
            reason: text,
            ..deletion(Side::Source, 0)
        };
        record(&state, run, 1, entry.clone());
        let mut rows = state.history_of_run(run).unwrap();
        prop_assert_eq!(rows.remove(0).entry, entry);
    }
}
