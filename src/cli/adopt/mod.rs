//! `adopt`: the source was renamed or moved, or the machine or Linq's address changed, and its
//! state goes on.
//!
//! Owns the order: both sides are read and compared with the state before anything is asked,
//! and nothing is changed before that is answered. `find` looks for the state, `compare` for its
//! contacts. Whoever is not found again is released, so that the next run deletes nobody for it.

mod compare;
mod find;

use std::io::{IsTerminal, Write};

use serde_json::json;

use crate::config::Config;
use crate::mirror::{State, StateError};
use crate::open::{self, Linq, OpenError};
use crate::plan::Observation;
use crate::report::ReportedError;
use crate::run::{Extent, RunPurpose};
use crate::source::SourceAccess;

use super::args::{AdoptArgs, Cli, OutputArgs};
use super::once::{OpenedSides, preview_run};
use super::text::{count_noun, shown_text, wrap_text};
use super::{failed_command, print_json, print_text, report_error, system_now};
use compare::Comparison;
use find::{AdoptWay, NoOtherState, OtherState, find_state, is_there};

/// How many contacts are named that were not recognised.
const NAMED: usize = 5;

/// Takes a state over. Returns the exit code.
pub(super) async fn adopt(cli: &Cli, config: &Config, args: &AdoptArgs) -> anyhow::Result<u8> {
    let output = cli.output;
    let found = match find_state(config, args.dir.as_deref()) {
        Ok(found) => found,
        Err(NoOtherState::Settled) => return report_settled(output, config),
        Err(NoOtherState::Refused(error)) => return report_refusal(output, &error),
    };
    let seen = match observe_both(output, config, &found).await? {
        Ok(seen) => seen,
        Err(error) => return report_refusal(output, &error),
    };
    let compared = Comparison::compare_links(&seen, &config.policy());
    if !output.json {
        print_text(&describe_adoption(config, &found, &compared))?;
    }
    if let Some(error) = reason_not_to(&seen, &compared, &found) {
        return report_refusal(output, &error);
    }
    if !args.yes && !ask_to_confirm()? {
        let message = "cancelled; nothing was changed".to_owned();
        let hint = "add --yes where there is no terminal to ask on".to_owned();
        return report_refusal(output, &ReportedError { code: 2, message, hint });
    }
    if let Err(error) = take_over(config, &found, &compared) {
        return report_refusal(output, &OpenError::from(error).to_reported_error());
    }
    finish_adoption(cli, config, &found, &compared)
}

/// Reads both sides with the state that was found, and changes nothing.
async fn observe_both(
    output: OutputArgs,
    config: &Config,
    found: &OtherState,
) -> anyhow::Result<Result<Observation, ReportedError>> {
    let open = || -> Result<OpenedSides, OpenError> {
        let source = open::open_source(config, SourceAccess::ReadOnly);
        Ok(OpenedSides {
            linq: Linq::configured_linq(config)?,
            source,
            state: State::open_copy(&found.dir)?,
        })
    };
    let opened = match open() {
        Ok(opened) => opened,
        Err(error) => return Ok(Err(error.to_reported_error())),
    };
    let seen = preview_run(output, config, opened, RunPurpose::Sync, Extent::Everybody).await?;
    Ok(seen.map(|(_, seen, _)| seen))
}

/// Why the state is not to be taken over, if there is a reason.
fn reason_not_to(
    seen: &Observation,
    compared: &Comparison,
    found: &OtherState,
) -> Option<ReportedError> {
    let refused = |message: String, hint: &str| {
        Some(ReportedError { code: 2, message, hint: hint.to_owned() })
    };
    if let Some(row) = seen.source.unreadable.first() {
        return refused(
            format!("{} (line {}) cannot be read: {}", row.label, row.line, row.reason),
            "correct it first: what cannot be read would not be recognised",
        );
    }
    if let Some(incomplete) = &seen.linq.incomplete {
        return refused(
            format!("Linq's listing is not whole: {}", incomplete.why),
            "try again: contacts that are not listed would not be recognised",
        );
    }
    if !compared.is_the_same() {
        let hint = "check source.path, linq.base_url and the token; to start anew with this pair, \
                    name another directory in [state] dir";
        return refused(
            format!(
                "only {} of {} recognised, so the state in {} is of other contacts; nothing was \
                 changed",
                compared.recognised(),
                count_noun(compared.linked, "linked contact is", "linked contacts are"),
                found.dir.display()
            ),
            hint,
        );
    }
    None
}

/// What would be taken over.
fn describe_adoption(config: &Config, found: &OtherState, compared: &Comparison) -> String {
    let way = match found.way {
        AdoptWay::Stays => String::new(),
        AdoptWay::Moves => format!("\nmoves to    {}", config.state.dir.display()),
        AdoptWay::Copied => format!("\ncopied to   {}", config.state.dir.display()),
    };
    let released = match compared.unrecognised.len() {
        0 => String::new(),
        count => {
            let mut names: Vec<String> = compared
                .unrecognised
                .iter()
                .take(NAMED)
                .map(|link| shown_text(&link.base.linq_values().display_name(), 40))
                .collect();
            if count > NAMED {
                names.push(format!("and {} more", count - NAMED));
            }
            let text = format!(
                "{}: {}; nothing is deleted for it, and nothing happens to them until they are \
                 back on both sides",
                count_noun(count, "contact", "contacts"),
                names.join(", ")
            );
            format!("\nreleased    {}", wrap_text(&text, 12))
        }
    };
    format!(
        "state       {}{way}\nwas for     {}{}\nis for      {}\nrecognised  {} of {}{released}\n",
        found.dir.display(),
        found.pair,
        is_there(&found.pair),
        open::configured_pair(config),
        compared.recognised(),
        count_noun(compared.linked, "linked contact", "linked contacts"),
    )
}

/// Asks on the terminal; where there is none, it is not confirmed.
fn ask_to_confirm() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(false);
    }
    let mut err = anstream::stderr().lock();
    write!(err, "go on with this state? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn take_over(config: &Config, found: &OtherState, compared: &Comparison) -> Result<(), StateError> {
    let now = system_now();
    let place = match found.way {
        AdoptWay::Stays => &found.dir,
        AdoptWay::Moves | AdoptWay::Copied => &config.state.dir,
    };
    if found.way == AdoptWay::Moves {
        State::relocate_state(&found.dir, place, now)?;
    }
    let mut state = State::open(place, now)?;
    if found.way == AdoptWay::Copied {
        state.copy_from(&found.dir)?;
    }
    let reason =
        format!("not recognised when the state was adopted for {}", open::configured_pair(config));
    state.adopt_pair(&open::configured_pair(config), &compared.releases(&reason), now)
}

fn finish_adoption(
    cli: &Cli,
    config: &Config,
    found: &OtherState,
    compared: &Comparison,
) -> anyhow::Result<u8> {
    if cli.output.json {
        let place = if found.way == AdoptWay::Stays { &found.dir } else { &config.state.dir };
        print_json(&json!({
            "schema": "linqsync.adopt/1",
            "adopted": true,
            "from": found.dir,
            "state": place,
            "was": found.pair,
            "is": open::configured_pair(config),
            "linked": compared.linked,
            "recognised": compared.recognised(),
            "released": compared.unrecognised.len(),
            "error": null,
        }))?;
        return Ok(0);
    }
    let copied = match found.way {
        AdoptWay::Copied => {
            format!("{} stays as it was; remove it when it is not needed.\n", found.dir.display())
        }
        AdoptWay::Stays | AdoptWay::Moves => String::new(),
    };
    print_text(&format!(
        "Adopted. Nothing else was changed; see what the next run does: {}\n{copied}",
        cli.command_line("plan")
    ))?;
    Ok(0)
}

fn report_settled(output: OutputArgs, config: &Config) -> anyhow::Result<u8> {
    let dir = &config.state.dir;
    if output.json {
        print_json(&json!({
            "schema": "linqsync.adopt/1",
            "adopted": false,
            "state": dir,
            "is": open::configured_pair(config),
            "error": null,
        }))?;
    } else {
        let dir = dir.display();
        print_text(&format!("the state in {dir} is this configuration's already\n"))?;
    }
    Ok(0)
}

fn report_refusal(output: OutputArgs, error: &ReportedError) -> anyhow::Result<u8> {
    report_error(error);
    failed_command(output, error)?;
    Ok(error.code)
}
