//! `approve`, `reject`, `retry` and `resolve`: decisions about what waits, for the next run.
//!
//! They work beside a running daemon: a decision is remembered, and the next run
//! carries it out. What is decided about must be what was listed; anything else
//! changes nothing. Where no contact is named on a terminal, the questions are asked one
//! after another.

mod choice;
mod from_table;
mod ignore;
mod one_by_one;

use std::io::{self, IsTerminal};

use crate::config::Config;
use crate::decisions::questions::{Questions, decision_sentence};
use crate::model::{Decision, Field, Fingerprint, LinqId, Side, Waiting, WaitingKind};
use crate::report::ReportedError;
use crate::users;

use super::args::{HeldArgs, OutputArgs, ResolveArgs, RetryArgs, TakeSide};
use super::text::count_noun;
use super::{print_text, refuse_command, system_now};
use choice::Choice;

/// How many decisions are shown before it is asked whether all of them are meant.
const SHOWN: usize = 20;

/// Lets held deletions, clearings and changes go on. Returns the exit code.
pub(super) fn approve(output: OutputArgs, config: &Config, args: &HeldArgs) -> anyhow::Result<u8> {
    decide_held(output, config, args, &Decision::Approve)
}

/// Drops held deletions, clearings and changes: what was done is put back where it was
/// done. Returns the exit code.
pub(super) fn reject(output: OutputArgs, config: &Config, args: &HeldArgs) -> anyhow::Result<u8> {
    decide_held(output, config, args, &Decision::Reject)
}

fn decide_held(
    output: OutputArgs,
    config: &Config,
    args: &HeldArgs,
    decision: &Decision,
) -> anyhow::Result<u8> {
    let is_meant = &|waiting: &Waiting| waiting.kind.is_held();
    let choice = Choice { who: &args.who, all: args.all, what: "held", is_meant };
    if args.who.is_empty() && !args.all && can_ask(output) {
        return one_by_one::ask_each(output, config, &choice);
    }
    decide(output, config, &choice, ask_mode(args.all, args.yes), |_| Ok(decision.clone()))
}

/// Lets what was refused be sent again. Returns the exit code.
pub(super) fn retry(output: OutputArgs, config: &Config, args: &RetryArgs) -> anyhow::Result<u8> {
    let is_meant = &|waiting: &Waiting| waiting.kind.is_refused();
    let choice =
        Choice { who: &args.who, all: args.all, what: "refused by Linq or the source", is_meant };
    decide(output, config, &choice, AskMode::No, |_| Ok(Decision::Retry))
}

/// Decides conflicts and ambiguous matches. Returns the exit code.
pub(super) fn resolve(
    output: OutputArgs,
    config: &Config,
    args: &ResolveArgs,
) -> anyhow::Result<u8> {
    if let Some(path) = &args.from {
        return from_table::resolve_from_table(output, config, path);
    }
    if args.ignore {
        return ignore::ignore(output, config, &args.who);
    }
    if args.unignore {
        return ignore::unignore(output, config, &args.who);
    }
    let is_identity = args.link.is_some() || args.separate;
    let is_value = args.take.is_some() || args.value.is_some();
    let is_open = !is_identity && !is_value;
    let undecided = |waiting: &Waiting| match &waiting.kind {
        WaitingKind::Conflict { field, .. } => {
            (is_value || is_open)
                && args.field.as_ref().is_none_or(|name| Field::from_name(name) == Some(*field))
        }
        WaitingKind::Ambiguous { .. } => is_identity || is_open && args.field.is_none(),
        WaitingKind::HeldDeletion { .. }
        | WaitingKind::HeldClearing { .. }
        | WaitingKind::HeldChange { .. }
        | WaitingKind::Rejected { .. } => false,
    };
    let what = match (is_identity, is_open) {
        (true, _) => "ambiguous",
        (false, true) => "in conflict or ambiguous",
        (false, false) => "in conflict",
    };
    let choice = Choice { who: &args.who, all: args.all, what, is_meant: &undecided };
    if is_open && can_ask(output) {
        return one_by_one::ask_each(output, config, &choice);
    }
    if is_open {
        let message = "say what is decided: --take, --value, --link or --separate".to_owned();
        let hint = "on a terminal `linqsync resolve` asks; `linqsync list --csv` prints a table \
                    for `linqsync resolve --from FILE`"
            .to_owned();
        return refuse_command(output, &ReportedError { code: 2, message, hint });
    }
    decide(output, config, &choice, ask_mode(args.all, args.yes), |waiting| {
        decision_from_args(args, waiting)
    })
}

/// What `args` says about `waiting`.
fn decision_from_args(args: &ResolveArgs, waiting: &Waiting) -> Result<Decision, String> {
    if let Some(side) = args.take {
        return Ok(Decision::Take {
            side: match side {
                TakeSide::Source => Side::Source,
                TakeSide::Linq => Side::Linq,
            },
        });
    }
    if let Some(value) = &args.value {
        return Ok(Decision::Value { value: value.clone() });
    }
    if !matches!(waiting.kind, WaitingKind::Ambiguous { .. }) {
        return Err("say what to do: --take, --value, --link or --separate".to_owned());
    }
    Ok(args.link.map_or(Decision::Separate, |id| Decision::Link { linq_id: LinqId(id) }))
}

/// Whether it is asked before many decisions are remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AskMode {
    No,
    First,
}

const fn ask_mode(all: bool, yes: bool) -> AskMode {
    if all && !yes { AskMode::First } else { AskMode::No }
}

/// Whether there is a terminal on which a person can be asked.
fn can_ask(output: OutputArgs) -> bool {
    !output.json && io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn usage_error(message: String) -> ReportedError {
    let hint = "`linqsync list held`, `list conflicts`, `list ambiguous` and `list rejected` show \
                what waits"
        .to_owned();
    ReportedError { code: 2, message, hint }
}

fn decide(
    output: OutputArgs,
    config: &Config,
    choice: &Choice<'_>,
    asks: AskMode,
    decision: impl Fn(&Waiting) -> Result<Decision, String>,
) -> anyhow::Result<u8> {
    let questions = match Questions::open(config) {
        Ok(questions) => questions,
        Err(error) => return refuse_command(output, &error),
    };
    let chosen = match choice.matching_waits(&questions.state, &questions.waiting, config) {
        Ok(chosen) => chosen,
        Err(problem) => return refuse_command(output, &usage_error(problem)),
    };
    let decided = chosen.into_iter().map(|waiting| {
        let decision = decision(waiting)?;
        questions.check_decision(waiting, &decision).map(|()| (waiting, decision))
    });
    let decided: Vec<(&Waiting, Decision)> = match decided.collect() {
        Ok(decided) => decided,
        Err(problem) => return refuse_command(output, &usage_error(problem)),
    };
    if asks == AskMode::First && !decided.is_empty() && can_ask(output) && !are_meant(&decided)? {
        let message = "cancelled; nothing was decided".to_owned();
        let hint = "--yes decides without asking".to_owned();
        return refuse_command(output, &ReportedError { code: 2, message, hint });
    }
    store_decisions(
        output,
        &questions,
        &decided,
        &format!("nothing is {}, so nothing was decided", choice.what),
    )
}

/// Shows what all is about to be decided, and asks whether that is meant.
fn are_meant(decided: &[(&Waiting, Decision)]) -> anyhow::Result<bool> {
    for (waiting, decision) in decided.iter().take(SHOWN) {
        print_text(&format!("{}\n", decision_sentence(waiting, decision)))?;
    }
    if decided.len() > SHOWN {
        let more = decided.len() - SHOWN;
        print_text(&format!("… and {more} more, which `linqsync list` shows\n"))?;
    }
    let question = format!("record {}?", count_noun(decided.len(), "decision", "decisions"));
    Ok(dialoguer::Confirm::new().with_prompt(question).default(false).interact_opt()? == Some(true))
}

/// Remembers decisions, and says which; or `none`, if there are none. Returns the exit code.
fn store_decisions(
    output: OutputArgs,
    questions: &Questions,
    decided: &[(&Waiting, Decision)],
    none: &str,
) -> anyhow::Result<u8> {
    let decisions: Vec<(Fingerprint, Decision)> =
        decided.iter().map(|(waiting, decision)| (waiting.question_id, decision.clone())).collect();
    if let Err(error) = questions.store_decisions(&decisions, &users::calling_user(), system_now())
    {
        return refuse_command(output, &error);
    }
    if output.json {
        super::print_json(&serde_json::json!({
            "schema": "linqsync.decisions/1",
            "decided": decided.len(),
            "error": null,
        }))?;
    } else if decided.is_empty() {
        print_text(&format!("{none}\n"))?;
    } else {
        for (waiting, decision) in decided {
            print_text(&format!("{}\n", decision_sentence(waiting, decision)))?;
        }
        print_text(&for_the_next_run(decided.len()))?;
    }
    Ok(0)
}

fn for_the_next_run(count: usize) -> String {
    let things = count_noun(count, "decision", "decisions");
    format!("{things} for the next run; `linqsync --once` makes one now\n")
}
