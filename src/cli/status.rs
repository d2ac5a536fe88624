//! `status`: in sync? when last? what waits, and which command decides it? what next?
//!
//! Reads the state, beside whoever works with it, and asks a daemon what it is doing;
//! nobody on the network.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::config::Config;
use crate::daemon::control::{DaemonActivity, ask_activity};
use crate::mirror::{Failures, Holder, LinkCounts, LinqDown, State, StoredRun, StoredRunEnd};
use crate::model::{Scope, Timestamp};
use crate::open::{self, OpenError};
use crate::report::{LeftAlone, RunOutcome, RunReport};

use super::args::{OutputArgs, StatusArgs};
use super::history::instant_text;
use super::once::file_name;
use super::show::takes_part;
use super::text::{count_noun, shown_text, wrap_text};
use super::{failed_command, print_json, print_text, report_error, system_now};

const GOOD: Style = AnsiColor::Green.on_default();
const WAITS: Style = AnsiColor::Magenta.on_default();

/// Tells how things stand. Returns the exit code.
pub(super) async fn status(
    output: OutputArgs,
    config: &Config,
    args: &StatusArgs,
) -> anyhow::Result<u8> {
    if args.healthy {
        return check_health(config).await;
    }
    let mut status = match open::open_state_reading(config)
        .and_then(|state| StatusView::load_status(&state, config))
    {
        Ok(status) => status,
        Err(error) => {
            let error = error.to_reported_error();
            report_error(&error);
            failed_command(output, &error)?;
            return Ok(error.code);
        }
    };
    if status.holder.is_some() {
        status.standing = ask_activity(&config.state.dir).await;
    }
    if output.json {
        print_json(&status.to_json(config))?;
    } else {
        print_text(&status.to_text(config, system_now()))?;
    }
    Ok(0)
}

/// Tells by the exit code whether a daemon is at work and its runs do what they should.
async fn check_health(config: &Config) -> anyhow::Result<u8> {
    let (healthy, line) = match ask_activity(&config.state.dir).await {
        Some(DaemonActivity { healthy: true, .. }) => (true, "healthy"),
        Some(_) => (false, "unhealthy: see its log, or `linqsync status`"),
        None => (false, "no daemon answers"),
    };
    print_text(&format!("{line}\n"))?;
    Ok(u8::from(!healthy))
}

struct StatusView {
    linked: usize,
    released: usize,
    last: Option<StoredRun>,
    last_good: Option<StoredRun>,
    /// The runs that have failed since.
    failures: Option<Failures>,
    /// How many wait, what they are called, and what decides them.
    waiting: Vec<(usize, &'static str, &'static str, &'static str)>,
    /// In how many fields there are conflicts.
    conflict_fields: usize,
    decided: usize,
    ignored: usize,
    open_intents: usize,
    holder: Option<Holder>,
    /// What the daemon says that it is doing, if one is at work.
    standing: Option<DaemonActivity>,
    /// Since when Linq does not work, if so.
    down: Option<LinqDown>,
}

impl StatusView {
    fn load_status(state: &State, config: &Config) -> Result<StatusView, OpenError> {
        let LinkCounts { linked, released } = state.count_links()?;
        Ok(StatusView {
            linked,
            released,
            last: state.last_runs(1)?.pop(),
            last_good: state.last_good_run()?,
            failures: state.failures_since()?,
            waiting: waiting_counts(state)?,
            conflict_fields: state.count_waiting()?.get("conflict").copied().unwrap_or_default(),
            decided: state.count_decided()?,
            ignored: state.ignored()?.len(),
            open_intents: state.count_open_intents()?,
            holder: State::holder(&config.state.dir),
            standing: None,
            down: state.linq_down()?,
        })
    }

    /// Whether the last run left nothing of which `verify` would say otherwise.
    fn in_sync(&self) -> bool {
        self.decided == 0
            && self.open_intents == 0
            && self.last_report().is_some_and(|report| report.is_in_sync())
    }

    fn last_report(&self) -> Option<RunReport> {
        let ending = self.last.as_ref()?.ending.as_ref()?;
        serde_json::from_value(ending.report.clone()).ok()
    }

    /// Whether the two sides are in sync, in words.
    fn sync_answer(&self, sides: &str) -> String {
        let Some(last) = &self.last else {
            return "not yet: there was no run; `linqsync plan` shows what the first would do"
                .to_owned();
        };
        let has_failed = |ending: &StoredRunEnd| ending.outcome == RunOutcome::Failed.name();
        match (&last.ending, &self.last_good) {
            _ if self.in_sync() => format!("{GOOD}yes{GOOD:#}: {sides}"),
            (Some(ending), Some(good)) if has_failed(ending) => {
                let at = good.ending.as_ref().map_or(good.started_at, |ending| ending.at);
                let since = instant_text(at);
                format!("{WAITS}unknown{WAITS:#}: {sides} have not been compared since {since}")
            }
            (Some(ending), None) if has_failed(ending) => {
                format!("{WAITS}unknown{WAITS:#}: no run has compared {sides} so far")
            }
            (Some(_) | None, _) => format!("{WAITS}no{WAITS:#}: {sides}"),
        }
    }

    /// What was left alone, and why.
    fn left_alone(&self) -> Vec<LeftAlone> {
        self.last_report().map(|report| report.unknown).unwrap_or_default()
    }

    /// How many take part, where not all of them are to, as the last run found it.
    fn takes_part(&self, config: &Config) -> Option<String> {
        let only = config.source.only.as_ref().map(|only| format!("rows or cards whose {only}"));
        let scope = (config.linq.scope != Scope::All).then(|| "contacts in linq.scope".to_owned());
        let rules: Vec<String> = only.into_iter().chain(scope).collect();
        if rules.is_empty() {
            return None;
        }
        let rules = rules.join(", ");
        let Some(RunReport { source, linq, outside, .. }) = self.last_report() else {
            return Some(rules);
        };
        let part = takes_part([source.seen, outside.source], [linq.seen, outside.linq]);
        Some(format!("{part}: {rules}"))
    }

    fn next(&self, config: &Config) -> String {
        let schedule = &config.sync.schedule;
        match (&self.holder, self.standing) {
            (Some(_), Some(DaemonActivity { running_since: Some(since), .. })) => {
                format!("the service has been making a run since {}", instant_text(since))
            }
            (Some(_), Some(DaemonActivity { next_run: Some(next), .. })) => {
                format!("the service makes a run at {} (`{schedule}`)", instant_text(next))
            }
            (Some(holder), _) => format!("a linqsync is at work ({holder})"),
            (None, _) => "nothing runs; `linqsync --once` makes a run now".to_owned(),
        }
    }

    fn to_text(&self, config: &Config, now: Timestamp) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:<10} {}", wrap_text(value, 11));
        };
        let source = shown_text(&file_name(&config.source.path), 40);
        line("in sync", &self.sync_answer(&format!("{source} and Linq")));
        let released = match self.released {
            0 => String::new(),
            released => format!(", {released} released"),
        };
        line("contacts", &format!("{} linked{released}", self.linked));
        if let Some(part) = self.takes_part(config) {
            line("takes part", &part);
        }
        line("last run", &self.last_text(now));
        if let Some(Failures { since, count }) = self.failures {
            let runs = count_noun(count as usize, "run has failed", "runs in a row have failed");
            line("failing", &format!("since {}: {runs}", instant_text(since)));
        }
        if let Some(good) =
            self.last_good.as_ref().filter(|good| Some(good.id) != self.last.as_ref().map(|l| l.id))
        {
            line("last good", &format!("run {}, {}", good.id, ended_ago(good, now)));
        }
        for LeftAlone { pairs, reason } in self.left_alone() {
            line("unknown", &format!("{}: {reason}", count_noun(pairs, "contact", "contacts")));
        }
        for (position, (count, one, many, command)) in self.waiting.iter().enumerate() {
            let name = if position == 0 { "waiting" } else { "" };
            let fields = match *many {
                "conflicts" if self.conflict_fields > *count => {
                    format!(" in {} fields", self.conflict_fields)
                }
                _ => String::new(),
            };
            line(name, &format!("{}{fields}: {command}", count_noun(*count, one, many)));
        }
        if self.decided > 0 {
            let decisions = count_noun(self.decided, "decision", "decisions");
            line("decided", &format!("{decisions}, which the next run carries out"));
        }
        if self.ignored > 0 {
            line("ignored", &format!("{}: `linqsync list ignored`", self.ignored));
        }
        if self.open_intents > 0 {
            let writes = count_noun(self.open_intents, "write", "writes");
            line("open", &format!("{writes} that an interrupted run began; the next one finishes"));
        }
        if let Some(down) = &self.down {
            line("Linq", &down.to_string());
        }
        line("next", &self.next(config));
        // Whole, to be copied.
        let _ = writeln!(text, "{:<10} {}", "state", config.state.dir.display());
        text
    }

    fn last_text(&self, now: Timestamp) -> String {
        let Some(run) = &self.last else { return "none".to_owned() };
        let how = match &run.ending {
            None if self.holder.is_some() => "at work, or interrupted".to_owned(),
            None => "interrupted".to_owned(),
            Some(ending) => match ending.report["error"]["message"].as_str() {
                Some(message) => format!("failed: {}", shown_text(message, 200)),
                None if ending.outcome == RunOutcome::Clean.name() && !self.in_sync() => {
                    "done, and nothing waits for you".to_owned()
                }
                None => in_words(&ending.outcome).to_owned(),
            },
        };
        format!("run {}, {}: {how}", run.id, ended_ago(run, now))
    }

    fn to_json(&self, config: &Config) -> Value {
        let run = |run: &StoredRun| {
            json!({
                "run": run.id,
                "started_at": run.started_at,
                "finished_at": run.ending.as_ref().map(|ending| ending.at),
                "outcome": run.ending.as_ref().map(|ending| &ending.outcome),
                "error": run.ending.as_ref().map(|ending| &ending.report["error"]),
            })
        };
        let count =
            |name: &str| self.waiting.iter().find(|w| w.2 == name).map_or(0, |(count, ..)| *count);
        json!({
            "schema": "linqsync.status/1",
            "in_sync": self.in_sync(),
            "linq": config.linq.base_url.to_string(),
            "source": config.source.path,
            "state": config.state.dir,
            "linked": self.linked,
            "released": self.released,
            "taking_part": self.last_report().map(|report| json!({
                "source": report.source.seen.saturating_sub(report.outside.source),
                "linq": report.linq.seen.saturating_sub(report.outside.linq),
            })),
            "outside": self.last_report().map(|report| report.outside),
            "linq_down": self.down,
            "last_run": self.last.as_ref().map(run),
            "last_success": self.last_good.as_ref().map(run),
            "failing_since": self.failures.map(|failures| failures.since),
            "failures": self.failures.map_or(0, |failures| failures.count),
            "unknown": self.left_alone(),
            "conflicts": count("conflicts"),
            "ambiguous": count("ambiguous matches"),
            "rejected": count("rejected"),
            "held_deletes": count("held deletions"),
            "held_clears": count("held clearings"),
            "held_changes": count("held changes"),
            "decided": self.decided,
            "ignored": self.ignored,
            "open": self.open_intents,
            "running": self.holder.map(|h| json!({ "pid": h.pid, "since": h.since })),
            "next_run": self.standing.and_then(|standing| standing.next_run),
            "next": self.next(config),
            "error": null,
        })
    }
}

/// An outcome as people read it.
fn in_words(outcome: &str) -> &str {
    match outcome {
        "clean" => "everything is in sync",
        "attention" => "done, and something waits for you",
        "held" => "done, and deletions, clearings or changes are held",
        other => other,
    }
}

fn ended_ago(run: &StoredRun, now: Timestamp) -> String {
    let at = run.ending.as_ref().map_or(run.started_at, |ending| ending.at);
    let seconds = (now - at).max(TimeDelta::zero()).num_seconds();
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{} ({count} {unit}{plural} ago)", instant_text(at))
}

/// How to decide what is held.
const DECIDE_HELD: &str = "`linqsync list held`, then `approve WHO` or `reject WHO`";

type WaitingCounts = (usize, &'static str, &'static str, &'static str);

fn waiting_counts(state: &State) -> Result<Vec<WaitingCounts>, OpenError> {
    let waiting = state.count_waiting()?;
    let count = |kind: &str| waiting.get(kind).copied().unwrap_or_default();
    let all: [WaitingCounts; 6] = [
        (count("held_deletion"), "held deletion", "held deletions", DECIDE_HELD),
        (count("held_clearing"), "held clearing", "held clearings", DECIDE_HELD),
        (count("held_change"), "held change", "held changes", DECIDE_HELD),
        (
            // As in the report of a run: of a contact, in however many fields.
            state.count_in_conflict()?,
            "conflict",
            "conflicts",
            "`linqsync list conflicts`, then `resolve WHO --take source|linq`",
        ),
        (
            count("ambiguous"),
            "ambiguous match",
            "ambiguous matches",
            "`linqsync list ambiguous`, then `resolve WHO --link ID|--separate`",
        ),
        (
            count("rejected"),
            "rejected",
            "rejected",
            "`linqsync list rejected` says why; correct the value, or `retry WHO`",
        ),
    ];
    Ok(all.into_iter().filter(|(count, ..)| *count > 0).collect())
}
