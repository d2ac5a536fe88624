//! `history`: what was changed, when, where, by which run and why, and who decided it.
//!
//! Nothing is left out in silence: where not all runs are told, it says how many more there are
//! and how to see them.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::Config;
use crate::mirror::{HistoryAction, HistoryRow, RunDeeds, Span, State, StateError, StoredRun};
use crate::model::{DecidedBy, RunId, Side, Timestamp};
use crate::open::{self, OpenError};
use crate::report::ReportedError;

use super::args::{HistoryArgs, OutputArgs};
use super::moment::{DayEnd, parse_moment};
use super::named::find_named;
use super::once::file_name;
use super::rows::{JsonArray, Stop, print_rows, report_early_end};
use super::show::{change_lines, head_of};
use super::text::{count_noun, shown_text, wrap_text};
use super::{failed_command, print_json, report_error, system_now, undo, whose};

/// How many lines of runs are told where nothing is asked for in particular.
const LINES: usize = 20;
/// How many contacts of a run are named.
const NAMES: usize = 5;

/// Tells what was changed. Returns the exit code.
pub(super) fn history(
    output: OutputArgs,
    config: &Config,
    args: &HistoryArgs,
) -> anyhow::Result<u8> {
    let span = match asked_span(args) {
        Ok(span) => span,
        Err(message) => {
            let hint = "--since and --until take the same forms".to_owned();
            return report_refusal(output, &ReportedError { code: 2, message, hint });
        }
    };
    let found = open::open_state_reading(config).and_then(|state| {
        Ok(find_history(&state, config, args, span)?.map(|found| (state, found)))
    });
    let (state, found) = match found {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return report_refusal(output, &error),
        Err(error) => return report_refusal(output, &error.to_reported_error()),
    };
    let source = file_name(&config.source.path);
    let failure = if output.json {
        let entries = JsonArray::new(|each| {
            found.each_entry(&state, |row| each(serde_json::to_value(row).unwrap_or_default()))
        });
        let printed = print_json(&HistoryDocument {
            schema: "linqsync.history/1",
            runs: found.groups.iter().flat_map(|group| &group.runs).map(run_json).collect(),
            more: found.more,
            entries: &entries,
            error: None,
        });
        let failure = entries.state_failure();
        if failure.is_none() {
            printed?;
        }
        failure
    } else if args.run.is_none() && args.contact.is_none() {
        print_rows(|print| {
            for group in &found.groups {
                print(&group.to_text(&state, &source)?)?;
            }
            print(&found.last_line())
        })?
    } else {
        print_rows(|print| {
            print(&failures_text(&found.groups, args))?;
            let mut told = 0;
            found.each_entry(&state, |row| {
                told += 1;
                print(&entry_text(row, &source))
            })?;
            print(&format!("{}, newest first\n", count_noun(told, "entry", "entries")))
        })?
    };
    Ok(report_early_end(failure))
}

#[derive(Serialize)]
struct HistoryDocument<'a, T> {
    schema: &'static str,
    runs: Vec<Value>,
    /// How many earlier runs are not told.
    more: usize,
    entries: &'a T,
    error: Option<()>,
}

fn report_refusal(output: OutputArgs, error: &ReportedError) -> anyhow::Result<u8> {
    report_error(error);
    failed_command(output, error)?;
    Ok(error.code)
}

/// The span of time that is asked for.
fn asked_span(args: &HistoryArgs) -> Result<Span, String> {
    let now = system_now();
    let at = |text: &Option<String>, end| {
        text.as_ref().map(|text| parse_moment(text, now, end)).transpose()
    };
    Ok(Span { since: at(&args.since, DayEnd::First)?, until: at(&args.until, DayEnd::Last)? })
}

/// What there is to tell, newest first.
struct FoundHistory {
    groups: Vec<Group>,
    /// How many earlier runs are not told.
    more: usize,
    entries: Entries,
    span: Span,
}

/// Runs that are told together: one, or several in a row that failed for the same reason.
struct Group {
    runs: Vec<StoredRun>,
}

enum Entries {
    None,
    /// All of one run.
    OfRun(RunId),
    /// All of a span of time.
    Within,
    /// These.
    These(Vec<HistoryRow>),
}

impl FoundHistory {
    /// Hands on the entries, newest first.
    fn each_entry(
        &self,
        state: &State,
        mut each: impl FnMut(&HistoryRow) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let Span { since, until } = self.span;
        let is_within = |row: &HistoryRow| {
            since.is_none_or(|since| row.at >= since) && until.is_none_or(|until| row.at <= until)
        };
        match &self.entries {
            Entries::None => Ok(()),
            Entries::OfRun(run) => {
                state.each_of_run(*run, |row| if is_within(&row) { each(&row) } else { Ok(()) })
            }
            Entries::Within => state.each_within(self.span, |row| each(&row)),
            Entries::These(rows) => rows.iter().filter(|row| is_within(row)).try_for_each(each),
        }
    }

    /// What follows the runs.
    fn last_line(&self) -> String {
        let is_limited = self.span.since.is_some() || self.span.until.is_some();
        if self.groups.is_empty() {
            return if is_limited {
                "no run has changed anything in that time\n".to_owned()
            } else {
                "no run has changed anything so far\n".to_owned()
            };
        }
        let more = match self.more {
            0 => String::new(),
            more => {
                let runs = count_noun(more, "earlier run", "earlier runs");
                format!("… and {runs}; `linqsync history --all` shows all, `--since TIME` some\n")
            }
        };
        more + "each change with `linqsync history --run N`; put back with `linqsync undo N`\n"
    }
}

/// The runs within `span`, in groups; of the whole past only the last of them, unless `all` is
/// asked for. And how many more there are.
fn run_groups(state: &State, span: Span, all: bool) -> Result<(Vec<Group>, usize), StateError> {
    enum HistoryLimit {
        Told,
        State(StateError),
    }
    impl From<StateError> for HistoryLimit {
        fn from(error: StateError) -> HistoryLimit {
            HistoryLimit::State(error)
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    let done = state.each_past_run(span, |run| {
        if groups.last().is_some_and(|group| group.goes_on_with(&run)) {
            groups.last_mut().into_iter().for_each(|group| group.runs.push(run.clone()));
        } else if !all && groups.len() == LINES {
            return Err(HistoryLimit::Told);
        } else {
            groups.push(Group { runs: vec![run] });
        }
        Ok(())
    });
    match done {
        Ok(()) => Ok((groups, 0)),
        Err(HistoryLimit::State(error)) => Err(error),
        Err(HistoryLimit::Told) => {
            let last = groups.last().and_then(|group| group.runs.last());
            let more = last.map(|run| state.count_past_runs(span, run.id)).transpose()?;
            Ok((groups, more.unwrap_or_default()))
        }
    }
}

fn find_history(
    state: &State,
    config: &Config,
    args: &HistoryArgs,
    span: Span,
) -> Result<Result<FoundHistory, ReportedError>, OpenError> {
    let run = args.run.map(RunId);
    if let Some(run) = run
        && let Some(error) = undo::unknown_run(state, run)?
    {
        return Ok(Err(error));
    }
    let is_limited = span.since.is_some() || span.until.is_some();
    let entries = match (&args.contact, run) {
        (Some(text), run) => {
            let name = match find_named(state, config, text)? {
                Ok(name) => name,
                Err(same) => return Ok(Err(same.to_reported_error())),
            };
            let ids = whose::linq_ids(state, config, &name)?;
            let mut rows = whose::history_of(state, &ids)?;
            rows.retain(|row| run.is_none_or(|run| row.run == run));
            if rows.is_empty() {
                return Ok(Err(nothing_about(text)));
            }
            rows.reverse();
            Entries::These(rows)
        }
        (None, Some(run)) => Entries::OfRun(run),
        (None, None) if is_limited => Entries::Within,
        (None, None) => Entries::None,
    };
    let (groups, more) = match run {
        Some(run) => {
            let runs: Vec<StoredRun> = state.stored_run(run)?.into_iter().collect();
            (vec![Group { runs }], 0)
        }
        None => run_groups(state, span, args.all || is_limited)?,
    };
    Ok(Ok(FoundHistory { groups, more, entries, span }))
}

fn nothing_about(text: &str) -> ReportedError {
    ReportedError {
        code: 2,
        message: format!("no run changed a contact that matches {}", shown_text(text, 60)),
        hint: "name a Linq id, an e-mail, a phone number, a full name, a key or row:N".to_owned(),
    }
}

fn run_json(run: &StoredRun) -> Value {
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

impl Group {
    /// Whether `earlier` failed for the same reason as these, and did nothing.
    fn goes_on_with(&self, earlier: &StoredRun) -> bool {
        let Some(last) = self.runs.last() else { return false };
        let reason = |run: &StoredRun| {
            let did = ["linq", "source"].into_iter().any(|side| {
                run.ending
                    .as_ref()
                    .is_some_and(|ending| counts_text(&ending.report[side]).is_some())
            });
            failure_reason(run).filter(|_| !did && run.undoes.is_none())
        };
        reason(last).is_some() && reason(last) == reason(earlier)
    }

    fn to_text(&self, state: &State, source: &str) -> Result<String, StateError> {
        match self.runs.as_slice() {
            [run] => run_text(state, run, source),
            [last, .., first] => Ok(format!(
                "runs {}–{}  {} to {}  failed {} times: {}\n",
                first.id.0,
                last.id.0,
                instant_text(first.started_at),
                instant_text(last.started_at),
                self.runs.len(),
                failure_reason(last).map(|message| shown_text(&message, 200)).unwrap_or_default(),
            )),
            [] => Ok(String::new()),
        }
    }
}

/// Why a run failed, if it did.
fn failure_reason(run: &StoredRun) -> Option<String> {
    let ending = run.ending.as_ref()?;
    ending.report["error"]["message"].as_str().map(str::to_owned)
}

fn run_text(state: &State, run: &StoredRun, source: &str) -> Result<String, StateError> {
    let outcome = match (&run.ending, run.undoes) {
        (None, _) => "interrupted, or at work".to_owned(),
        (Some(ending), None) => ending.outcome.clone(),
        (Some(ending), Some(undone)) => format!("{}, put back run {undone}", ending.outcome),
    };
    let why =
        failure_reason(run).map(|why| format!(": {}", shown_text(&why, 200))).unwrap_or_default();
    let mut text =
        format!("run {:<6} {}  {outcome}{why}\n", run.id.0, instant_text(run.started_at));
    text += &asked_text(run);
    for (name, side) in [("Linq", "linq"), (source, "source")] {
        if let Some(done) = run.ending.as_ref().and_then(|e| counts_text(&e.report[side])) {
            let _ = writeln!(text, "    {:<20} {done}", shown_text(name, 20));
        }
    }
    let RunDeeds { contacts, names, decided } = state.run_deeds(run.id, NAMES)?;
    if contacts > 0 {
        let told: Vec<String> = names.iter().map(|name| shown_text(name, 40)).collect();
        let more = match contacts - names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let names = wrap_text(&(told.join(", ") + &more), 25);
        let _ = writeln!(text, "    {:<20} {names}", "contacts");
    }
    // Who asked for all of the run is said already.
    let decided =
        decided.into_iter().filter(|(_, command, _)| Some(command) != run.command.as_ref());
    for (by, command, count) in decided {
        let by = by.map(|by| format!("by {} ", shown_text(&by, 40))).unwrap_or_default();
        let changes = count_noun(count, "change", "changes");
        let _ = writeln!(text, "    {:<20} {by}with `{command}`: {changes}", "decided");
    }
    Ok(text)
}

/// Who asked for a run that was not made to keep both sides the same.
fn asked_text(run: &StoredRun) -> String {
    match (&run.asked_by, run.command.as_deref()) {
        (Some(by), Some(command)) if command != "--once" => {
            format!("    asked for by {} with `{command}`\n", shown_text(by, 40))
        }
        (Some(_) | None, _) => String::new(),
    }
}

/// Why the run that was asked for failed, if it did.
fn failures_text(groups: &[Group], args: &HistoryArgs) -> String {
    let failed = |run: &StoredRun| {
        let ending = run.ending.as_ref()?;
        let message = ending.report["error"]["message"].as_str()?;
        let at = instant_text(run.started_at);
        Some(format!("run {} of {at} failed: {}\n", run.id, shown_text(message, 200)))
    };
    match args.run {
        Some(_) => groups.iter().flat_map(|group| &group.runs).filter_map(failed).collect(),
        None => String::new(),
    }
}

fn counts_text(counts: &Value) -> Option<String> {
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
        (Some(key), _) => shown_text(key, 24),
        (None, Some(id)) => format!("id {id}"),
        (None, None) => String::new(),
    };
    let side = match entry.side {
        Side::Source => shown_text(source, 20),
        Side::Linq => "Linq".to_owned(),
    };
    let what = match entry.action {
        HistoryAction::Create => format!("created in {side}"),
        HistoryAction::Update => format!("updated in {side}"),
        HistoryAction::Delete => format!("deleted in {side}"),
        HistoryAction::Link => "linked".to_owned(),
        HistoryAction::Release => "released: remembered, and kept the same no longer".to_owned(),
        HistoryAction::Relink => "kept the same again".to_owned(),
        HistoryAction::Forget => "forgotten".to_owned(),
        HistoryAction::Conflict => "in conflict".to_owned(),
        HistoryAction::Reject => format!("rejected by {side}"),
    };
    let when = format!("{}  run {}", instant_text(row.at), row.run);
    let decided = entry.decided.as_ref().map(decided_text);
    let decided = decided.map(|text| format!("; {text}")).unwrap_or_default();
    head_of(&entry.name, &place, &when, &format!("{what}: {}{decided}", entry.reason))
        + &change_lines(&entry.changes)
}

/// Who decided something: "decided by anna with `approve` at 2026-11-30 09:00:00 UTC".
fn decided_text(decided: &DecidedBy) -> String {
    let DecidedBy { by, command, at } = decided;
    let by = by.as_ref().map(|by| format!(" by {}", shown_text(by, 60))).unwrap_or_default();
    format!("decided{by} with `{command}` at {}", instant_text(*at))
}

/// An instant, in UTC.
pub(super) fn instant_text(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
