//! `resolve --ignore` and `--unignore`: rows, cards and contacts that are left alone.

use std::collections::BTreeSet;

use serde_json::json;

use crate::config::Config;
use crate::decisions::Questions;
use crate::decisions::questions::reported_state_error;
use crate::model::{Fingerprint, Ignored, Waiting, WaitingKind, Who};
use crate::report::ReportedError;
use crate::users;

use super::super::args::OutputArgs;
use super::super::named::find_named;
use super::super::text::{count_noun, shown_text};
use super::super::{print_json, print_text, refuse_command, system_now};
use super::choice::Choice;
use super::usage_error;

/// Lets what waits be ignored. Returns the exit code.
pub(super) fn ignore(output: OutputArgs, config: &Config, who: &[String]) -> anyhow::Result<u8> {
    let questions = match Questions::open(config) {
        Ok(questions) => questions,
        Err(error) => return refuse_command(output, &error),
    };
    let is_meant = &|waiting: &Waiting| match waiting.kind {
        WaitingKind::Ambiguous { .. } | WaitingKind::Rejected { .. } => true,
        WaitingKind::Conflict { .. }
        | WaitingKind::HeldDeletion { .. }
        | WaitingKind::HeldClearing { .. }
        | WaitingKind::HeldChange { .. } => false,
    };
    let choice = Choice { who, all: false, what: "ambiguous or rejected", is_meant };
    let chosen = match choice.matching_waits(&questions.state, &questions.waiting, config) {
        Ok(chosen) => chosen,
        Err(problem) => return refuse_command(output, &usage_error(problem)),
    };
    if let Some(problem) = chosen.iter().find_map(|waiting| Ignored::check(waiting).err()) {
        return refuse_command(output, &usage_error(problem.to_owned()));
    }
    let what: Vec<Fingerprint> = chosen.iter().map(|waiting| waiting.question_id).collect();
    if let Err(error) = questions.state.ignore(&what, &users::calling_user(), system_now()) {
        return refuse_command(output, &reported_state_error(&error));
    }
    tell(output, &chosen, "ignored: nothing is created, changed or deleted on either side")
}

/// Takes back that something is ignored. Returns the exit code.
pub(super) fn unignore(output: OutputArgs, config: &Config, who: &[String]) -> anyhow::Result<u8> {
    let questions = match Questions::open(config) {
        Ok(questions) => questions,
        Err(error) => return refuse_command(output, &error),
    };
    let ignored = match questions.state.ignored() {
        Ok(ignored) => ignored,
        Err(error) => return refuse_command(output, &reported_state_error(&error)),
    };
    let mut chosen: Vec<&Ignored> = Vec::new();
    for text in who {
        let known = match find_named(&questions.state, config, text) {
            Ok(Ok(known)) => known,
            Ok(Err(same)) => return refuse_command(output, &same.to_reported_error()),
            Err(error) => return refuse_command(output, &error.to_reported_error()),
        };
        let is_called = |entry: &Ignored| crate::model::is_called(&entry.about.person, text);
        let who = Who::new(&known, config.policy().canon);
        let found = ignored.iter().filter(|entry| who.is_meant(&entry.about) || is_called(entry));
        let before = chosen.len();
        chosen.extend(found);
        if chosen.len() == before {
            let message = format!("{} is not ignored", shown_text(text, 60));
            let hint = "`linqsync list ignored` shows what is".to_owned();
            return refuse_command(output, &ReportedError { code: 2, message, hint });
        }
    }
    let what: Vec<Fingerprint> = chosen.iter().map(|entry| entry.about.question_id).collect();
    if let Err(error) = questions.state.stop_ignoring(&what) {
        return refuse_command(output, &reported_state_error(&error));
    }
    let about: Vec<&Waiting> = chosen.iter().map(|entry| &entry.about).collect();
    tell(output, &about, "no longer ignored: the next run looks at it again")
}

fn tell(output: OutputArgs, about: &[&Waiting], what: &str) -> anyhow::Result<u8> {
    let names: BTreeSet<String> = about.iter().map(|waiting| name(waiting)).collect();
    if output.json {
        print_json(&json!({
            "schema": "linqsync.decisions/1",
            "decided": about.len(),
            "error": null,
        }))?;
        return Ok(0);
    }
    for name in &names {
        print_text(&format!("{name}: {what}\n"))?;
    }
    let count = count_noun(names.len(), "decision", "decisions");
    print_text(&format!("{count} for the next run; `linqsync --once` makes one now\n"))?;
    Ok(0)
}

fn name(waiting: &Waiting) -> String {
    let name = shown_text(&waiting.person.display_name(), 44);
    match (&waiting.source_key, waiting.linq_id) {
        (Some(key), _) => format!("{name} ({})", shown_text(key, 24)),
        (None, Some(id)) => format!("{name} (id {id})"),
        (None, None) => name,
    }
}
