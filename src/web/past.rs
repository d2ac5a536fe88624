//! The history, and putting back what a run did.

use std::collections::BTreeMap;

use askama::Template;
use http::StatusCode;

use super::frame::{Frame, error_text, message, missing, page, state, time, unreadable, value};
use super::guarded::{Answer, Visit, redirect, too_late};
use super::sessions::{Session, is_same};
use super::{RunWanted, UndoRequest, locked};
use crate::mirror::{HistoryRow, State, StateError, StoredRun};
use crate::model::{LinqId, RunId};
use crate::text::{count_noun, shown_text};

/// How many runs are listed.
const RUNS: usize = 50;
/// How many entries of a run are shown.
const ENTRIES: usize = 200;
/// How many contacts of a run are named.
const NAMES: usize = 3;

/// Something that was done.
pub(super) struct Event {
    pub(super) run: RunId,
    pub(super) at: String,
    pub(super) what: String,
    pub(super) contact: Option<LinqId>,
    pub(super) name: String,
    pub(super) reason: String,
    pub(super) changes: Vec<ChangeShown>,
    pub(super) decided: Option<String>,
}

pub(super) struct ChangeShown {
    pub(super) field: &'static str,
    pub(super) from: String,
    pub(super) to: String,
}

/// A row of the history for people.
pub(super) fn event(row: &HistoryRow) -> Event {
    let entry = &row.entry;
    let decided = entry.decided.as_ref().map(|decided| {
        let by = decided.by.as_deref().unwrap_or("somebody");
        shown_text(&format!("decided by {by} with {}, {}", decided.command, time(decided.at)), 200)
    });
    let change = |change: &crate::model::FieldChange| ChangeShown {
        field: change.field.name(),
        from: value(&change.from),
        to: value(&change.to),
    };
    Event {
        run: row.run,
        at: time(row.at),
        what: format!("{} in {}", entry.action, entry.side),
        contact: entry.linq_id,
        name: shown_text(&entry.name, 120),
        reason: shown_text(&entry.reason, 400),
        changes: entry.changes.iter().map(change).collect(),
        decided,
    }
}

struct RunShown {
    id: RunId,
    at: String,
    contacts: String,
    decided: String,
}

#[derive(Template)]
#[template(path = "history.html")]
struct History {
    frame: Frame,
    runs: Vec<RunShown>,
}

/// The page of runs.
pub(super) fn history(visit: &Visit<'_>) -> Answer {
    let state = match state(visit) {
        Ok(state) => state,
        Err(problem) => return *problem,
    };
    let runs = state
        .runs_with_history(RUNS)
        .and_then(|runs| runs.iter().map(|run| run_shown(&state, run)).collect());
    let runs = match runs {
        Ok(runs) => runs,
        Err(error) => return unreadable(visit, &error),
    };
    page(StatusCode::OK, &History { frame: Frame::of(visit, "history"), runs })
}

fn run_shown(state: &State, run: &StoredRun) -> Result<RunShown, StateError> {
    let deeds = state.run_deeds(run.id, NAMES)?;
    let names: Vec<String> = deeds.names.iter().map(|name| shown_text(name, 40)).collect();
    let more = match deeds.contacts.saturating_sub(names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let decided = deeds.decided.iter().map(|(by, command, count)| {
        let by = by.as_deref().unwrap_or("somebody");
        format!("{by}: {command} ({count})")
    });
    let mut decided: Vec<String> = decided.collect();
    decided.extend(asked(run));
    Ok(RunShown {
        id: run.id,
        at: time(run.started_at),
        contacts: names.join(", ") + &more,
        decided: shown_text(&decided.join("; "), 400),
    })
}

/// Who asked for a run, if somebody did.
fn asked(run: &StoredRun) -> Option<String> {
    let by = run.asked_by.as_ref()?;
    let is_inbox = by.starts_with("web: ");
    Some(match run.command.as_deref() {
        None | Some("--once") if is_inbox => format!("asked for in the inbox by {by} (Sync now)"),
        None | Some("--once") => format!("asked for by {by}"),
        Some(command) => format!("asked for by {by} ({command})"),
    })
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    frame: Frame,
    run: RunId,
    about: String,
    events: Vec<Event>,
    more: usize,
    contacts: Vec<(LinqId, String)>,
}

/// The page of a run.
pub(super) fn run(visit: &Visit<'_>, id: RunId) -> Answer {
    let state = match state(visit) {
        Ok(state) => state,
        Err(problem) => return *problem,
    };
    let read =
        || -> Result<_, StateError> { Ok((state.stored_run(id)?, state.history_of_run(id)?)) };
    let (run, rows) = match read() {
        Ok(read) => read,
        Err(error) => return unreadable(visit, &error),
    };
    let Some(run) = run else { return missing(visit) };
    let mut about = vec![format!("Began {}", time(run.started_at))];
    if let Some(ending) = &run.ending {
        about.push(format!("ended {}: {}", time(ending.at), ending.outcome));
    }
    if let Some(undone) = run.undoes {
        about.push(format!("put back run {undone}"));
    }
    if let Some(asked) = asked(&run) {
        about.push(shown_text(&asked, 200));
    }
    about.push(count_noun(rows.len(), "entry", "entries"));
    let contacts: BTreeMap<LinqId, String> = rows
        .iter()
        .filter_map(|row| Some((row.entry.linq_id?, shown_text(&row.entry.name, 80))))
        .take(ENTRIES)
        .collect();
    let template = RunPage {
        frame: Frame::of(visit, "history"),
        run: id,
        about: about.join("; "),
        events: rows.iter().take(ENTRIES).map(event).collect(),
        more: rows.len().saturating_sub(ENTRIES),
        contacts: contacts.into_iter().collect(),
    };
    page(StatusCode::OK, &template)
}

#[derive(Template)]
#[template(path = "undo.html")]
struct UndoPage {
    frame: Frame,
    run: RunId,
    contact: String,
    plan: String,
    digest: String,
}

/// What the form means by a run and a contact.
fn undo_of(visit: &Visit<'_>) -> Option<UndoRequest> {
    let run = RunId(visit.form.get("run").parse().ok()?);
    let contact = match visit.form.get("contact") {
        "" => None,
        id => Some(LinqId(id.parse().ok()?)),
    };
    Some(UndoRequest { run, contact })
}

/// What an undo would do, in words.
fn plan(visit: &Visit<'_>, undo: UndoRequest) -> Result<String, String> {
    let _one_at_a_time = locked(&visit.inbox.planning);
    let is_wanted = || visit.caller.is_there();
    (visit.inbox.outside.helpers.foresee)(visit.config, undo, &is_wanted)
}

/// The plan of an undo: nothing is changed.
pub(super) fn undo_plan(visit: &Visit<'_>) -> Answer {
    let Some(undo) = undo_of(visit) else { return missing(visit) };
    let plan = match plan(visit, undo) {
        Ok(plan) => plan,
        Err(why) => return no_plan(visit, &why),
    };
    let digest = blake3::hash(plan.as_bytes()).to_hex().to_string();
    let template = UndoPage {
        frame: Frame::of(visit, "history"),
        run: undo.run,
        contact: undo.contact.map(|id| id.to_string()).unwrap_or_default(),
        plan: plan.lines().map(|line| shown_text(line, 400) + "\n").collect(),
        digest,
    };
    page(StatusCode::OK, &template)
}

/// Asks for an undo, if its plan is still the one that was shown.
pub(super) fn undo(visit: &Visit<'_>, session: &Session) -> Answer {
    let Some(undo) = undo_of(visit) else { return missing(visit) };
    let plan = match plan(visit, undo) {
        Ok(plan) => plan,
        Err(why) => return no_plan(visit, &why),
    };
    if !is_same(&blake3::hash(plan.as_bytes()).to_hex(), visit.form.get("shown")) {
        let text = "Something has changed since the plan was made, so it would be another one. \
                    Nothing was undone.";
        let back = format!("/history/{}", undo.run);
        return message(visit, StatusCode::CONFLICT, "The plan is stale", text, &back);
    }
    if !visit.caller.begin() {
        return too_late();
    }
    let wanted = RunWanted { by: session.by(), undo: Some(undo) };
    if (visit.inbox.outside.ask)(wanted) {
        visit.note(format!("The undo of run {} was asked for; it is a run of its own.", undo.run));
    } else {
        visit.note("Too many runs are asked for already; nothing was undone.");
    }
    redirect("/history")
}

fn no_plan(visit: &Visit<'_>, why: &str) -> Answer {
    let why = error_text(why, 1000);
    message(visit, StatusCode::CONFLICT, "There is no plan", &why, "/history")
}
