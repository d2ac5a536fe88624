//! The first page: how it is, what waits, and how the last runs went.

use askama::Template;
use http::StatusCode;
use serde_json::Value;

use super::Glance;
use super::frame::{Frame, error_text, page, state_so_far, time, unreadable};
use super::guarded::{Answer, Visit};
use crate::mirror::{State, StateError, StoredRun};
use crate::model::RunId;
use crate::report::RunOutcome;

/// How many runs the chart shows.
const RUNS: usize = 30;
/// The place that each takes in it.
const STEP: usize = 12;
const HEIGHT: u64 = 60;

/// A run in the chart.
struct Bar {
    run: RunId,
    at: String,
    outcome: String,
    changes: u64,
    x: usize,
    y: u64,
    height: u64,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    state: String,
    class: &'static str,
    facts: Vec<(&'static str, String)>,
    waits: bool,
    bars: Vec<Bar>,
    width: usize,
}

/// The page.
pub(super) fn overview(visit: &Visit<'_>) -> Answer {
    let glance = (visit.inbox.outside.glance)();
    let known = match state_so_far(visit) {
        Ok(known) => known,
        Err(problem) => return *problem,
    };
    let read = |state: State| Ok::<_, StateError>((state.last_runs(RUNS)?, state.count_decided()?));
    let (runs, decided) = match known.map(read).transpose() {
        Ok(read) => read.unwrap_or_default(),
        Err(error) => return unreadable(visit, &error),
    };
    let last = runs.iter().find(|run| run.ending.is_some());
    let frame = Frame::of(visit, "overview");
    if frame.tabs.iter().any(|tab| tab.count.is_none()) {
        return unreadable(visit, &"what waits cannot be counted");
    }
    let waits = frame.tabs.iter().any(|tab| tab.count.is_some_and(|count| count > 0));
    let (state, class) = match (glance.healthy, waits, last.map(has_failed)) {
        (false, ..) => ("Something is wrong: runs do not do what they should.", "bad"),
        (true, true, Some(true)) => {
            ("Something waits for a decision, and the last run failed.", "warn")
        }
        (true, true, _) => ("Something waits for a decision.", "warn"),
        (true, false, Some(true)) => {
            ("The last run failed, so it is not known whether both sides are in sync.", "warn")
        }
        (true, false, Some(false)) => ("Everything is in sync, as of the last run.", "good"),
        (true, false, None) => ("There was no run yet.", "warn"),
    };
    let bars = bars(&runs);
    let template = Overview {
        frame,
        state: state.to_owned(),
        class,
        facts: facts(&glance, last, decided),
        waits,
        width: bars.len().max(1) * STEP,
        bars,
    };
    page(StatusCode::OK, &template)
}

fn has_failed(run: &StoredRun) -> bool {
    run.ending.as_ref().is_some_and(|ending| ending.outcome == RunOutcome::Failed.name())
}

fn facts(glance: &Glance, last: Option<&StoredRun>, decided: usize) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Status", glance.line.clone())];
    if let Some(ending) = last.and_then(|run| run.ending.as_ref()) {
        facts.push(("Last run", format!("{}: {}", time(ending.at), ending.outcome)));
        let in_sync = ending.report["in_sync"].as_u64();
        if let (Some(in_sync), false) = (in_sync, last.is_some_and(has_failed)) {
            facts.push(("In sync", in_sync.to_string()));
        }
        let error = ending.report["error"]["message"].as_str();
        facts.extend(error.map(|error| ("Error", error_text(error, 400))));
    }
    if let Some(since) = glance.running_since {
        facts.push(("A run is being made since", time(since)));
    }
    facts.extend(glance.next_run.map(|next| ("Next run", time(next))));
    if decided > 0 {
        facts.push(("Decisions for the next run", decided.to_string()));
    }
    facts
}

/// The runs from the oldest to the last; a bar is as high as there were changes.
fn bars(runs: &[StoredRun]) -> Vec<Bar> {
    let count = |report: &Value| -> u64 {
        let of = |side: &str, what: &str| report[side][what].as_u64().unwrap_or_default();
        let sides = ["linq", "source"].iter();
        sides.flat_map(|side| ["created", "updated", "deleted"].map(|what| of(side, what))).sum()
    };
    let ended = runs.iter().rev().filter_map(|run| Some((run, run.ending.as_ref()?)));
    let ended: Vec<_> = ended.map(|(run, ending)| (run, ending, count(&ending.report))).collect();
    let most = ended.iter().map(|(.., changes)| *changes).max().unwrap_or_default().max(1);
    let bar = |(place, (run, ending, changes)): (
        usize,
        &(&StoredRun, &crate::mirror::StoredRunEnd, u64),
    )| {
        let height = 4 + (HEIGHT - 4).saturating_mul(*changes) / most;
        Bar {
            run: run.id,
            at: time(run.started_at),
            outcome: ending.outcome.clone(),
            changes: *changes,
            x: place * STEP + 2,
            y: HEIGHT + 2 - height,
            height,
        }
    };
    ended.iter().enumerate().map(bar).collect()
}
