//! `list`: what waits, what is in sync, and who is there twice.

mod duplicates;
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::Config;
use crate::decisions::{ListState, kinds};
use crate::mirror::{State, StateError};
use crate::model::{
    Decided, DecidedBy, Field, Fingerprint, Ignored, LinqId, Values, Waiting, WaitingKind,
};
use crate::open::{self, OpenError};
use crate::report::ReportedError;

use super::args::{ListArgs, OutputArgs};
use super::attention::AttentionEntry;
use super::history::instant_text;
use super::pager::Pages;
use super::rows::{JsonArray, Stop, print_rows, report_early_end};
use super::text::{count_noun, shown_text, wrap_text};
use super::{print_json, refuse_command};
use duplicates::{in_linq_twice, in_source_twice};

/// Lists what is in one state, or whatever needs attention, as the last run left it. Returns
/// the exit code.
pub(super) fn list(output: OutputArgs, config: &Config, args: &ListArgs) -> anyhow::Result<u8> {
    if output.json && args.csv {
        let message = "--json and --csv exclude one another".to_owned();
        let hint = "take one of them".to_owned();
        return refuse_command(output, &ReportedError { code: 2, message, hint });
    }
    let state = match open::open_state_reading(config) {
        Ok(state) => state,
        Err(error) => return refuse_command(output, &error.to_reported_error()),
    };
    if args.csv {
        return lines::list_table(output, config, &state, args.state);
    }
    match args.state {
        None if !output.json => lines::list_attention(output, &state),
        Some(ListState::InSync) => list_in_sync(output, &state),
        wanted => list_states(output, config, &state, wanted),
    }
}

/// Lists what is in one state; as JSON, whatever needs attention too. Returns the exit code.
fn list_states(
    output: OutputArgs,
    config: &Config,
    state: &State,
    wanted: Option<ListState>,
) -> anyhow::Result<u8> {
    let states = wanted.map_or(ListState::ATTENTION.to_vec(), |state| vec![state]);
    let mut lists = Vec::new();
    for list in states {
        match gather_items(state, config, list) {
            Ok(items) => lists.push((list, items)),
            Err(error) => return refuse_command(output, &error),
        }
    }
    if output.json {
        let items = lists.into_iter().flat_map(|(_, items)| items).map(|item| item.json);
        print_json(&list_document(wanted, items.collect::<Vec<Value>>()))?;
        return Ok(0);
    }
    let mut text = String::new();
    for (state, items) in &lists {
        text.extend(items.iter().map(|item| item.text.as_str()));
        let is_refused = items.iter().any(|item| item.is_refused);
        let hint = if items.is_empty() { "" } else { list_hint(*state, is_refused) };
        text += &(count_text(*state, items) + hint + "\n");
    }
    let mut pages = Pages::open();
    super::ignore_closed_pipe(pages.write_all(text.as_bytes()).and_then(|()| pages.flush()))?;
    Ok(0)
}

/// Lists whoever is in sync, as the last run left it. Returns the exit code.
fn list_in_sync(output: OutputArgs, state: &State) -> anyhow::Result<u8> {
    let failure = if output.json {
        let rows = JsonArray::new(|each| each_in_sync(state, |item| each(item.json)));
        let printed = print_json(&list_document(Some(ListState::InSync), &rows));
        let failure = rows.state_failure();
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
            let told = match listed {
                0 => count_text::<ListedContact>(ListState::InSync, &[]),
                listed => count_noun(listed, "in sync", "in sync"),
            };
            print(&(told + "\n"))
        })?
    };
    Ok(report_early_end(failure))
}

#[derive(Serialize)]
struct ListDocument<T> {
    schema: &'static str,
    state: Option<&'static str>,
    items: T,
    error: Option<()>,
}

fn list_document<T>(state: Option<ListState>, items: T) -> ListDocument<T> {
    ListDocument {
        schema: "linqsync.list/1",
        state: state.map(ListState::name),
        items,
        error: None,
    }
}

/// What the state knows, and for duplicates what the source holds by now.
fn gather_items(
    state: &State,
    config: &Config,
    wanted: ListState,
) -> Result<Vec<ListedContact>, ReportedError> {
    let reported = |error: StateError| OpenError::from(error).to_reported_error();
    let mut items = waiting_items(state, config, wanted).map_err(reported)?;
    if wanted == ListState::Duplicates {
        items.extend(in_source_twice(config)?);
    }
    Ok(items)
}

/// How many there are, or that there are none. A conflict is one of a contact, as in the
/// report of a run, in however many fields.
fn count_text<T: OfContact>(state: ListState, listed: &[T]) -> String {
    let (none, one, many) = match state {
        ListState::InSync => ("no contact is linked and in sync", "in sync", "in sync"),
        ListState::Conflicts => ("no conflicts", "conflict", "conflicts"),
        ListState::Ambiguous => ("no record is ambiguous", "ambiguous", "ambiguous"),
        ListState::Held => ("nothing is held", "held", "held"),
        ListState::Rejected => ("nothing is rejected", "rejected", "rejected"),
        ListState::Duplicates => ("no duplicates", "there twice", "there twice"),
        ListState::Ignored => ("nothing is ignored", "ignored", "ignored"),
    };
    let lines = listed.len();
    if lines == 0 {
        return none.to_owned();
    }
    if state == ListState::Conflicts {
        let contacts: BTreeSet<&str> = listed.iter().map(OfContact::contact_label).collect();
        let fields =
            if contacts.len() == lines { String::new() } else { format!(" in {lines} fields") };
        return count_noun(contacts.len(), one, many) + &fields;
    }
    count_noun(lines, one, many)
}

/// Something that is about a contact.
trait OfContact {
    /// What tells the contact from others.
    fn contact_label(&self) -> &str;
}

impl OfContact for ListedContact {
    fn contact_label(&self) -> &str {
        &self.contact
    }
}

impl OfContact for &AttentionEntry {
    fn contact_label(&self) -> &str {
        &self.linq_id
    }
}

const fn list_hint(state: ListState, is_refused: bool) -> &'static str {
    match state {
        ListState::InSync | ListState::Duplicates => "",
        ListState::Ignored => "; `linqsync resolve WHO --unignore` looks at one again",
        ListState::Rejected if is_refused => {
            "; correct the value, or `linqsync retry WHO` sends again what was refused (--all)"
        }
        ListState::Rejected => "; correct the value in the source",
        ListState::Conflicts => "; decide with `linqsync resolve WHO --take source|linq`",
        ListState::Ambiguous => "; decide with `linqsync resolve WHO --link ID|--separate`",
        ListState::Held => "; decide with `linqsync approve WHO` or `linqsync reject WHO` (--all)",
    }
}

/// One line of a list, for people and for scripts.
struct ListedContact {
    text: String,
    json: Value,
    /// Whether a side refused it, so that it can be sent again.
    is_refused: bool,
    /// The contact's id in Linq, if it has one.
    contact: String,
}

fn waiting_items(
    state: &State,
    config: &Config,
    wanted: ListState,
) -> Result<Vec<ListedContact>, StateError> {
    if wanted == ListState::Duplicates {
        return in_linq_twice(state, config);
    }
    if wanted == ListState::Ignored {
        return Ok(state.ignored()?.iter().map(ignored).collect());
    }
    let decisions = decided_by_question(state)?;
    let mut items = Vec::new();
    state.each_waiting(kinds(wanted), |waiting| {
        items.push(waiting_item(&waiting, &decisions));
        Ok::<(), StateError>(())
    })?;
    Ok(items)
}

/// What was decided for the next run, by what it is about.
fn decided_by_question(state: &State) -> Result<BTreeMap<Fingerprint, Decided>, StateError> {
    let decided = state.stored_decisions()?.into_iter();
    Ok(decided.map(|decided| (decided.about.question_id, decided)).collect())
}

fn waiting_item(waiting: &Waiting, decisions: &BTreeMap<Fingerprint, Decided>) -> ListedContact {
    let decided = decisions.get(&waiting.question_id);
    let name = shown_text(&waiting.person.display_name(), 44);
    let place = match (&waiting.source_key, waiting.linq_id) {
        (Some(key), _) => shown_text(key, 24),
        (None, Some(id)) => format!("id {id}"),
        (None, None) => String::new(),
    };
    let head = match waiting.line {
        Some(line) if name.is_empty() || waiting.person == Values::default() => {
            format!("{place} (line {line})")
        }
        _ => format!("{name} ({place})"),
    };
    let mut text = format!("{head}\n    {}\n", wrap_text(&shown_text(&waiting.reason, 200), 4));
    for (what, value) in kind_details(&waiting.kind) {
        let _ = writeln!(text, "    {what:<13} {value}");
    }
    if let (Some(value), Some(cell)) = (&waiting.value, &waiting.cell) {
        let _ = writeln!(text, "    {:<13} {}", shown_text(cell, 60), quote_value(value));
    }
    if let Some(decided) = decided {
        let DecidedBy { by, command, .. } = decided.decided_by();
        let by = by.map(|by| format!(" by {}", shown_text(&by, 16))).unwrap_or_default();
        let _ = writeln!(text, "    decided{by} with `{command}`; the next run carries it out");
    }
    let mut json = serde_json::to_value(waiting).unwrap_or_default();
    json["name"] = json!(waiting.person.display_name());
    json["decided"] = json!(decided.map(|decided| &decided.decision));
    json["decided_by"] = json!(decided.map(Decided::decided_by));
    let contact = waiting.linq_id.map(|id| id.to_string()).unwrap_or_default();
    ListedContact { text, json, is_refused: waiting.kind.is_refused(), contact }
}

/// What is ignored, who wanted that, and since when.
fn ignored(ignored: &Ignored) -> ListedContact {
    let mut item = waiting_item(&ignored.about, &BTreeMap::new());
    let by =
        ignored.by.as_deref().map(|by| format!(" by {}", shown_text(by, 16))).unwrap_or_default();
    let _ = writeln!(item.text, "    ignored{by} since {}", instant_text(ignored.at));
    item.json["ignored_by"] = json!(ignored.by);
    item.json["ignored_at"] = json!(ignored.at);
    item
}

fn quote_value(value: &str) -> String {
    match value.trim() {
        "" => "(none)".to_owned(),
        _ => format!("“{}”", shown_text(value, 50)),
    }
}

fn kind_details(kind: &WaitingKind) -> Vec<(&'static str, String)> {
    match kind {
        WaitingKind::Conflict { base, source, linq, .. } => {
            vec![
                ("source", quote_value(source)),
                ("Linq", quote_value(linq)),
                ("last synced", quote_value(base)),
            ]
        }
        WaitingKind::Ambiguous { candidates } => {
            candidates.iter().map(|id| ("perhaps", format!("contact {id}"))).collect()
        }
        WaitingKind::HeldClearing { change, .. } => vec![("now", quote_value(&change.from))],
        WaitingKind::HeldChange { change, .. } => {
            vec![("now", quote_value(&change.from)), ("then", quote_value(&change.to))]
        }
        WaitingKind::HeldDeletion { .. } | WaitingKind::Rejected { .. } => Vec::new(),
    }
}

/// Hands on whoever is linked and about whom nothing waits.
fn each_in_sync(
    state: &State,
    mut each: impl FnMut(ListedContact) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let waiting = state.stored_waiting()?;
    let waits: BTreeSet<_> = waiting.iter().filter_map(|waiting| waiting.linq_id).collect();
    state.each_pair(|(id, key, values)| {
        if waits.contains(&id) {
            return Ok(());
        }
        each(contact_item(id, &values, json!({ "source_key": key })))
    })
}

fn contact_item(id: LinqId, values: &Values, mut json: Value) -> ListedContact {
    let name = values.display_name();
    json["linq_id"] = json!(id);
    json["name"] = json!(name);
    json["person"] = json!(values.only_fields(Field::IDENTITY.into_iter().collect()));
    ListedContact {
        text: format!("{} (id {id})\n", shown_text(&name, 44)),
        json,
        is_refused: false,
        contact: String::new(),
    }
}
