//! What the tests of the mirror share.

use proptest::prelude::*;

use super::{HistoryAction, HistoryEntry, LinkChange, State, StateChange, StateError};
use crate::model::{
    Agreement, Base, Field, Fingerprint, LinqContact, LinqId, Side, Timestamp, Values,
};

/// An empty state in memory.
pub(super) fn empty_state() -> State {
    State::open_copy("/nonexistent/linqsync".as_ref()).unwrap()
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

pub(super) fn ada() -> Values {
    [(Field::FirstName, "Ada".to_owned()), (Field::Email, "ada@example.org".to_owned())]
        .into_iter()
        .collect()
}

pub(super) fn contact(id: u64, values: Values) -> LinqContact {
    LinqContact { id: LinqId(id), values, created_at: Some(at(-9)), updated_at: Some(at(-8)) }
}

/// A new link to the contact `id`.
pub(super) fn insert(id: u64) -> LinkChange {
    let agreement = Agreement { source: "Ada".into(), linq: "ADA".into() };
    LinkChange::Insert {
        linq_id: LinqId(id),
        key: None,
        fingerprint: Fingerprint::of(b"Ada,ada@example.org"),
        content: None,
        base: Base::from_iter([(Field::FirstName, agreement)]),
    }
}

/// The history of a deletion.
pub(super) fn deletion(side: Side, id: u64) -> HistoryEntry {
    HistoryEntry {
        side,
        action: HistoryAction::Delete,
        linq_id: Some(LinqId(id)),
        source_key: None,
        name: "Ada".to_owned(),
        changes: vec![],
        bases: vec![],
        before: None,
        record: None,
        version: None,
        place: None,
        bytes: None,
        reason: "gone from the other side".to_owned(),
        approved: false,
        decided: None,
    }
}

/// Commits records as a run of their own.
pub(super) fn commit(
    state: &State,
    records: impl IntoIterator<Item = StateChange>,
) -> Result<(), StateError> {
    let run = state.begin_run(at(0)).unwrap();
    state.commit_changes(run, at(1), &records.into_iter().collect::<Vec<_>>())
}

/// Texts that break out of quotes, end early or are not what they seem.
const HOSTILE: [&str; 9] = [
    "'; DROP TABLE links; --",
    "\" OR 1=1",
    "nul\0inside",
    "{\"json\": [null]}",
    "?1 :name @name $name",
    "\u{feff}\u{202e}\u{fffd}",
    "\r\n\t\u{1b}[31m",
    "9223372036854775808",
    "NULL",
];

/// Any text, hostile ones among them.
pub(super) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), proptest::sample::select(&HOSTILE[..]).prop_map(String::from)]
}

pub(super) fn any_values() -> impl Strategy<Value = Values> {
    proptest::collection::vec((any_field(), any_text()), 0..8).prop_map(Values::from_iter)
}

pub(super) fn any_base() -> impl Strategy<Value = Base> {
    let agreement = (any_text(), any_text())
        .prop_map(|(source, linq)| Agreement { source: source.into(), linq: linq.into() });
    let agreed = proptest::collection::vec((any_field(), agreement), 0..8);
    let void = proptest::collection::vec((any_field(), any_side(), any_text()), 0..3);
    (agreed, void).prop_map(|(agreed, void)| {
        let mut base = Base::from_iter(agreed);
        for (field, side, other) in &void {
            base.make_void(*side, *field, other);
        }
        base
    })
}

fn any_side() -> impl Strategy<Value = Side> {
    proptest::sample::select(&Side::ALL[..])
}

fn any_field() -> impl Strategy<Value = Field> {
    proptest::sample::select(&Field::ALL[..])
}

/// How much work SQLite has with a statement: the steps of its machine. A table that
/// is read from end to end shows in `full`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) steps: i32,
    pub(super) full: i32,
}

/// Carries a statement out to its end, and counts.
pub(super) fn measure_statement(
    state: &State,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Work {
    use rusqlite::StatementStatus;
    let mut statement = state.conn.prepare(sql).unwrap();
    let mut rows = statement.query(parameters).unwrap();
    while rows.next().unwrap().is_some() {}
    drop(rows);
    Work {
        steps: statement.get_status(StatementStatus::VmStep),
        full: statement.get_status(StatementStatus::FullscanStep),
    }
}
