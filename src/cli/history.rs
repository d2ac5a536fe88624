//! `history`: what was changed, when, where, by which run and why.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::Config;
use crate::mirror::{Action, HistoryRow, Run, State};
use crate::model::{DecidedBy, RunId, Side, Timestamp};
use crate::open::{self, OpenError};
use crate::report::ReportedError;

use super::args::{HistoryArgs, Output};
use super::named::named;
use super::once::file_name;
use super::rows::{Rows, Stop, print_rows};
use super::show::{changes, head_of};
use super::text::{counted, shown};
use super::{complain, failed_command, print, print_json, undo, whose};

/// How many runs are told where nothing is asked for in particular.
const RUNS: usize = 20;

/// Tells what was changed. Returns the exit code.
pub(super) fn history(output: Output, config: &Config, args: &HistoryArgs) -> anyhow::Result<u8> {
    let found = open::reading(config)
        .and_then(|state| Ok(found(&state, config, args)?.map(|found| (state, found))));
    let (state, found) = match found {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return refuse(output, &error),
        Err(error) => return refuse(output, &error.reported()),
    };
    let source = file_name(&config.source.path);
    let failure = if output.json {
        let entries = Rows::new(|each| {
            found.each_entry(&state, |row| each(serde_json::to_value(row).unwrap_or_default()))
        });
        let printed = print_json(&Document {
            schema: "linqsync.history/1",
            runs: found.runs.iter().map(run_json).collect(),
            entries: &entries,
            error: None,
        });
        let failure = entries.failure();
        if failure.is_none() {
            printed?;
        }
        failure
    } else if args.run.is_none() && args.contact.is_none() {
        print(&runs_text(&found.runs, &source))?;
        None
    } else {
        print_rows(|print| {
            print(&failures_text(&found.runs, args))?;
            let mut told = 0;
            found.each_entry(&state, |row| {
                told += 1;
                print(&entry_text(row, &source))
            })?;
            print(&format!("{}, newest first\n", counted(told, "entry", "entries")))
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
struct Document<'a, T> {
    schema: &'static str,
    runs: Vec<Value>,
    entries: &'a T,
    error: Option<()>,
}

fn refuse(output: Output, error: &ReportedError) -> anyhow::Result<u8> {
    complain(error);
    failed_command(output, error)?;
    Ok(error.code)
}

/// What there is to tell, newest first.
struct Found {
    runs: Vec<Run>,
    entries: Entries,
}

enum Entries {
    /// All of one run.
    OfRun(RunId),
    /// These.
    These(Vec<HistoryRow>),
}

impl Found {
    /// Hands on the entries, newest first.
    fn each_entry(
        &self,
        state: &State,
        mut each: impl FnMut(&HistoryRow) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        match &self.entries {
            Entries::OfRun(run) => state.each_of_run(*run, |row| each(&row)),
            Entries::These(rows) => rows.iter().try_for_each(each),
        }
    }
}

fn found(
    state: &State,
    config: &Config,
    args: &HistoryArgs,
) -> Result<Result<Found, ReportedError>, OpenError> {
    let run = args.run.map(RunId);
    if let Some(run) = run
        && let Some(error) = undo::unknown(state, run)?
    {
        return Ok(Err(error));
    }
    let entries = match (&args.contact, run) {
        (Some(text), run) => {
            let name = match named(state, config, text)? {
                Ok(name) => name,
                Err(same) => return Ok(Err(same.reported())),
            };
            let ids = whose::ids(state, config, &name)?;
            let mut rows = whose::history_of(state, &ids)?;
            rows.retain(|row| run.is_none_or(|run| row.run == run));
            if rows.is_empty() {
                return Ok(Err(nothing_about(text)));
            }
            rows.reverse();
            Entries::These(rows)
        }
        (None, Some(run)) => Entries::OfRun(run),
        (None, None) => Entries::These(Vec::new()),
    };
    let runs = match run {
        Some(run) => state.run(run)?.into_iter().collect(),
        None => state.runs_with_history(RUNS)?,
    };
    Ok(Ok(Found { runs, entries }))
}

fn nothing_about(text: &str) -> ReportedError {
    ReportedError {
        code: 2,
        message: format!("nothing was done to anybody called {}", shown(text, 60)),
        hint: "name a Linq id, an e-mail, a phone number, a full name, a key or row:N".to_owned(),
    }
}

fn run_json(run: &Run) -> Value {
    let report = run.ending.as_ref().map(|ending| &ending.report);
    json!({
        "run": run.id,
        "started_at": run.started_at,
        "finished_at": run.ending.as_ref().map(|ending| ending.at),
        "outcome": run.ending.as_ref().map(|ending| &ending.outcome),
        "undoes": run.undoes,
        "asked_by": run.asked_by,
        "command": run.command,
        "error": report.map(|report| &report["error"]),
        "linq": report.map(|report| &report["linq"]),
        "source": report.map(|report| &report["source"]),
    })
}

fn runs_text(runs: &[Run], source: &str) -> String {
    let mut text = String::new();
    for run in runs {
        let outcome = match (&run.ending, run.undoes) {
            (None, _) => "interrupted".to_owned(),
            (Some(ending), None) => ending.outcome.clone(),
            (Some(ending), Some(undone)) => format!("{}, put back run {undone}", ending.outcome),
        };
        let _ = writeln!(text, "run {:<6} {}  {outcome}", run.id.0, instant(run.started_at));
        text += &asked_text(run);
        for (name, side) in [("Linq", "linq"), (source, "source")] {
            if let Some(done) = run.ending.as_ref().and_then(|e| done(&e.report[side])) {
                let _ = writeln!(text, "    {:<20} {done}", shown(name, 20));
            }
        }
    }
    if runs.is_empty() {
        return "no run has changed anything so far\n".to_owned();
    }
    text + "each change with `linqsync history --run N`; put back with `linqsync undo N`\n"
}

/// Who asked for a run that was not made to keep both sides the same.
fn asked_text(run: &Run) -> String {
    match (&run.asked_by, run.command.as_deref()) {
        (Some(by), Some(command)) if command != "--once" => {
            format!("    asked for by {} with `{command}`\n", shown(by, 40))
        }
        (Some(_) | None, _) => String::new(),
    }
}

/// Why the run that was asked for failed, if it did.
fn failures_text(runs: &[Run], args: &HistoryArgs) -> String {
    let failed = |run: &Run| {
        let ending = run.ending.as_ref()?;
        let message = ending.report["error"]["message"].as_str()?;
        let at = instant(run.started_at);
        Some(format!("run {} of {at} failed: {}\n", run.id, shown(message, 200)))
    };
    match args.run {
        Some(_) => runs.iter().filter_map(failed).collect(),
        None => String::new(),
    }
}

fn done(counts: &Value) -> Option<String> {
    let words = ["created", "updated", "deleted"].into_iter().filter_map(|word| {
        let count = counts[word].as_u64().filter(|count| *count > 0)?;
        Some(format!("{count} {word}"))
    });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// One entry in words.
pub(super) fn entry_text(row: &HistoryRow, source: &str) -> String {
    let entry = &row.entry;
    let place = match (&entry.source_key, entry.linq_id) {
        (Some(key), _) => shown(key, 24),
        (None, Some(id)) => format!("id {id}"),
        (None, None) => String::new(),
    };
    let side = match entry.side {
        Side::Source => shown(source, 20),
        Side::Linq => "Linq".to_owned(),
    };
    let what = match entry.action {
        Action::Create => format!("created in {side}"),
        Action::Update => format!("updated in {side}"),
        Action::Delete => format!("deleted in {side}"),
        Action::Link => "linked".to_owned(),
        Action::Release => "released: remembered, and kept the same no longer".to_owned(),
        Action::Relink => "kept the same again".to_owned(),
        Action::Forget => "forgotten".to_owned(),
        Action::Conflict => "in conflict".to_owned(),
        Action::Reject => format!("rejected by {side}"),
    };
    let when = format!("{}  run {}", instant(row.at), row.run);
    let decided = entry.decided.as_ref().map(decided_text);
    let decided = decided.map(|text| format!("; {text}")).unwrap_or_default();
    head_of(&entry.name, &place, &when, &format!("{what}: {}{decided}", entry.reason))
        + &changes(&entry.changes)
}

/// Who decided something: "decided by anna with `approve` at 2026-11-30 09:00:00 UTC".
fn decided_text(decided: &DecidedBy) -> String {
    let DecidedBy { by, command, at } = decided;
    let by = by.as_ref().map(|by| format!(" by {}", shown(by, 60))).unwrap_or_default();
    format!("decided{by} with `{command}` at {}", instant(*at))
}

/// An instant, in UTC.
pub(super) fn instant(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
