//! `list`: what waits, what is in sync, and who is there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::Config;
use crate::mirror::{State, StateError};
use crate::model::{
    Decided, DecidedBy, Field, Fingerprint, LinqId, RecordIndex, Side, SourceRecord, Values,
    Waiting, WaitingKind,
};
use crate::open::{self, OpenError};
use crate::plan::duplicates;
use crate::report::ReportedError;
use crate::run::RunError;
use crate::source::csv::Access;

use super::args::{ListArgs, ListState, Output};
use super::rows::{Rows, Stop, print_rows};
use super::text::{counted, shown, wrapped};
use super::{complain, print, print_json};

/// Lists what is in one state, or whatever needs attention, as the last run left it. Returns
/// the exit code.
pub(super) fn list(output: Output, config: &Config, args: &ListArgs) -> anyhow::Result<u8> {
    let state = match open::reading(config) {
        Ok(state) => state,
        Err(error) => return refuse(output, &error.reported()),
    };
    if args.state == Some(ListState::InSync) {
        return list_in_sync(output, &state);
    }
    let states = args.state.map_or(ListState::ATTENTION.to_vec(), |state| vec![state]);
    let mut lists = Vec::new();
    for wanted in states {
        match gathered(&state, config, wanted) {
            Ok(items) => lists.push((wanted, items)),
            Err(error) => return refuse(output, &error),
        }
    }
    if output.json {
        let items = lists.into_iter().flat_map(|(_, items)| items).map(|item| item.json);
        print_json(&document(args.state, items.collect::<Vec<Value>>()))?;
        return Ok(0);
    }
    if args.state.is_none() {
        lists.retain(|(_, items)| !items.is_empty());
        if lists.is_empty() {
            print("nothing needs attention\n")?;
        }
    }
    for (state, items) in &lists {
        for item in items {
            print(&item.text)?;
        }
        print(&(count(*state, items.len()) + hint(*state, items) + "\n"))?;
    }
    Ok(0)
}

/// Lists whoever is in sync, as the last run left it. Returns the exit code.
fn list_in_sync(output: Output, state: &State) -> anyhow::Result<u8> {
    let failure = if output.json {
        let rows = Rows::new(|each| each_in_sync(state, |item| each(item.json)));
        let printed = print_json(&document(Some(ListState::InSync), &rows));
        let failure = rows.failure();
        if failure.is_none() {
            printed?;
        }
        failure
    } else {
        print_rows(|print| {
            let mut listed = 0;
            each_in_sync(state, |item| {
                listed += 1;
                print(&item.text)
            })?;
            print(&(count(ListState::InSync, listed) + "\n"))
        })?
    };
    match failure {
        None => Ok(0),
        Some(error) => {
            let error = OpenError::from(error).reported();
            complain(&error);
            Ok(error.code)
        }
    }
}

#[derive(Serialize)]
struct Document<T> {
    schema: &'static str,
    state: Option<&'static str>,
    items: T,
    error: Option<()>,
}

fn document<T>(state: Option<ListState>, items: T) -> Document<T> {
    Document { schema: "linqsync.list/1", state: state.map(ListState::name), items, error: None }
}

fn refuse(output: Output, error: &ReportedError) -> anyhow::Result<u8> {
    complain(error);
    super::failed_command(output, error)?;
    Ok(error.code)
}

/// What the state knows, and for duplicates what the source holds by now.
fn gathered(state: &State, config: &Config, wanted: ListState) -> Result<Vec<Item>, ReportedError> {
    let reported = |error: StateError| OpenError::from(error).reported();
    let mut items = items(state, config, wanted).map_err(reported)?;
    if wanted == ListState::Duplicates {
        items.extend(in_source_twice(config)?);
    }
    Ok(items)
}

/// How many there are, or that there are none.
fn count(state: ListState, count: usize) -> String {
    let (none, one, many) = match state {
        ListState::InSync => ("nobody is linked and in sync", "in sync", "in sync"),
        ListState::Conflicts => ("no conflicts", "conflict", "conflicts"),
        ListState::Ambiguous => ("nobody is ambiguous", "ambiguous", "ambiguous"),
        ListState::Held => ("nothing is held", "held", "held"),
        ListState::Rejected => ("nothing is rejected", "rejected", "rejected"),
        ListState::Duplicates => ("nobody is there twice", "there twice", "there twice"),
    };
    if count == 0 { none.to_owned() } else { counted(count, one, many) }
}

fn hint(state: ListState, items: &[Item]) -> &'static str {
    match (state, items) {
        (_, []) | (ListState::InSync | ListState::Duplicates, _) => "",
        (ListState::Rejected, items) if items.iter().any(|item| item.is_refused) => {
            "; correct the value, or `linqsync retry WHO` sends again what was refused (--all)"
        }
        (ListState::Rejected, _) => "",
        (ListState::Conflicts, _) => "; decide with `linqsync resolve WHO --take source|linq`",
        (ListState::Ambiguous, _) => "; decide with `linqsync resolve WHO --link ID|--separate`",
        (ListState::Held, _) => {
            "; decide with `linqsync approve WHO` or `linqsync reject WHO` (--all)"
        }
    }
}

/// One line of a list, for people and for scripts.
struct Item {
    text: String,
    json: Value,
    /// Whether a side refused it, so that it can be sent again.
    is_refused: bool,
}

fn items(state: &State, config: &Config, wanted: ListState) -> Result<Vec<Item>, StateError> {
    let kinds: &[&str] = match wanted {
        ListState::Conflicts => &["conflict"],
        ListState::Ambiguous => &["ambiguous"],
        ListState::Rejected => &["rejected"],
        ListState::Held => &["held_deletion", "held_clearing", "held_change"],
        ListState::InSync => &[],
        ListState::Duplicates => return in_linq_twice(state, config),
    };
    let decided = state.decided()?.into_iter();
    let decisions = decided.map(|decided| (decided.about.what, decided)).collect();
    let mut items = Vec::new();
    state.each_waiting(kinds, |waiting| {
        items.push(item(&waiting, &decisions));
        Ok::<(), StateError>(())
    })?;
    Ok(items)
}

fn item(waiting: &Waiting, decisions: &BTreeMap<Fingerprint, Decided>) -> Item {
    let decided = decisions.get(&waiting.what);
    let name = shown(&waiting.person.display_name(), 44);
    let place = match (&waiting.source_key, waiting.linq_id) {
        (Some(key), _) => shown(key, 24),
        (None, Some(id)) => format!("id {id}"),
        (None, None) => String::new(),
    };
    let head = match waiting.line {
        Some(line) if name.is_empty() || waiting.person == Values::default() => {
            format!("{place} (line {line})")
        }
        _ => format!("{name} ({place})"),
    };
    let mut text = format!("{head}\n    {}\n", wrapped(&shown(&waiting.reason, 200), 4));
    for (what, value) in details(&waiting.kind) {
        let _ = writeln!(text, "    {what:<13} {value}");
    }
    if let (Some(value), Some(cell)) = (&waiting.value, &waiting.cell) {
        let _ = writeln!(text, "    {:<13} {}", shown(cell, 60), quoted(value));
    }
    if let Some(decided) = decided {
        let DecidedBy { by, command, .. } = decided.decided_by();
        let by = by.map(|by| format!(" by {}", shown(&by, 16))).unwrap_or_default();
        let _ = writeln!(text, "    decided{by} with `{command}`; the next run carries it out");
    }
    let mut json = serde_json::to_value(waiting).unwrap_or_default();
    json["name"] = json!(waiting.person.display_name());
    json["decided"] = json!(decided.map(|decided| &decided.decision));
    json["decided_by"] = json!(decided.map(Decided::decided_by));
    Item { text, json, is_refused: waiting.kind.is_refused() }
}

fn quoted(value: &str) -> String {
    match value.trim() {
        "" => "(none)".to_owned(),
        _ => format!("“{}”", shown(value, 50)),
    }
}

fn details(kind: &WaitingKind) -> Vec<(&'static str, String)> {
    match kind {
        WaitingKind::Conflict { base, source, linq, .. } => {
            vec![("source", quoted(source)), ("Linq", quoted(linq)), ("both had", quoted(base))]
        }
        WaitingKind::Ambiguous { candidates } => {
            candidates.iter().map(|id| ("perhaps", format!("contact {id}"))).collect()
        }
        WaitingKind::HeldClearing { change, .. } => vec![("now", quoted(&change.from))],
        WaitingKind::HeldChange { change, .. } => {
            vec![("now", quoted(&change.from)), ("then", quoted(&change.to))]
        }
        WaitingKind::HeldDeletion { .. } | WaitingKind::Rejected { .. } => Vec::new(),
    }
}

/// Hands on whoever is linked and about whom nothing waits.
fn each_in_sync(state: &State, mut each: impl FnMut(Item) -> Result<(), Stop>) -> Result<(), Stop> {
    let waiting = state.waiting()?;
    let waits: BTreeSet<_> = waiting.iter().filter_map(|waiting| waiting.linq_id).collect();
    state.each_pair(|(id, key, values)| {
        if waits.contains(&id) {
            return Ok(());
        }
        each(person(id, &values, json!({ "source_key": key })))
    })
}

/// Contacts in Linq that look like one another: each group is one item.
fn in_linq_twice(state: &State, config: &Config) -> Result<Vec<Item>, StateError> {
    let contacts = state.contacts()?;
    let people: Vec<(_, &Values)> = contacts.iter().map(|(id, c)| (*id, &c.values)).collect();
    let groups = duplicates(&people, config.policy().canon);
    let member = |id: &LinqId| {
        person(*id, &contacts[id].values, json!({ "side": Side::Linq.name(), "source_key": null }))
    };
    Ok(groups.iter().map(|ids| group(Side::Linq, ids.iter().map(member).collect())).collect())
}

/// Records of the source that look like one another: each group is one item.
fn in_source_twice(config: &Config) -> Result<Vec<Item>, ReportedError> {
    let mut source = open::source(config, Access::ReadOnly);
    let reading = source.read().map_err(|error| RunError::from(error).reported())?;
    let records: BTreeMap<RecordIndex, &SourceRecord> =
        reading.records.iter().map(|record| (record.index, record)).collect();
    let people: Vec<(_, &Values)> = records.iter().map(|(at, r)| (*at, &r.values)).collect();
    let groups = duplicates(&people, config.policy().canon);
    let member = |at: &RecordIndex| row(records[at]);
    Ok(groups.iter().map(|rows| group(Side::Source, rows.iter().map(member).collect())).collect())
}

fn group(side: Side, members: Vec<Item>) -> Item {
    let names: String = members.iter().flat_map(|one| ["    ", &one.text]).collect();
    Item {
        text: format!("perhaps one person, in {side}\n{names}"),
        json: json!(members.into_iter().map(|member| member.json).collect::<Vec<_>>()),
        is_refused: false,
    }
}

fn row(record: &SourceRecord) -> Item {
    let name = record.values.display_name();
    let json = json!({
        "side": Side::Source.name(),
        "linq_id": null,
        "source_key": record.name_in_source(),
        "label": record.label,
        "line": record.line,
        "name": name,
        "person": record.values.only(Field::IDENTITY.into_iter().collect()),
    });
    let place = shown(&record.name_in_source(), 24);
    Item { text: format!("{} ({place})\n", shown(&name, 40)), json, is_refused: false }
}

fn person(id: LinqId, values: &Values, mut json: Value) -> Item {
    let name = values.display_name();
    json["linq_id"] = json!(id);
    json["name"] = json!(name);
    json["person"] = json!(values.only(Field::IDENTITY.into_iter().collect()));
    Item { text: format!("{} (id {id})\n", shown(&name, 44)), json, is_refused: false }
}
