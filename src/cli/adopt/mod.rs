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
use crate::run::{Aim, Extent};
use crate::source::Access;

use super::args::{AdoptArgs, Cli, Output};
use super::once::{Opened, foresee};
use super::text::{counted, shown, wrapped};
use super::{complain, failed_command, now, print, print_json};
use compare::Comparison;
use find::{Found, Nothing, Way, find, is_there};

/// How many contacts are named that were not recognised.
const NAMED: usize = 5;

/// Takes a state over. Returns the exit code.
pub(super) async fn adopt(cli: &Cli, config: &Config, args: &AdoptArgs) -> anyhow::Result<u8> {
    let output = cli.output;
    let found = match find(config, args.dir.as_deref()) {
        Ok(found) => found,
        Err(Nothing::Settled) => return settled(output, config),
        Err(Nothing::Refused(error)) => return refuse(output, &error),
    };
    let seen = match see(output, config, &found).await? {
        Ok(seen) => seen,
        Err(error) => return refuse(output, &error),
    };
    let compared = Comparison::of(&seen, &config.policy());
    if !output.json {
        print(&told(config, &found, &compared))?;
    }
    if let Some(error) = reason_not_to(&seen, &compared, &found) {
        return refuse(output, &error);
    }
    if !args.yes && !confirmed()? {
        let message = "cancelled; nothing was changed".to_owned();
        let hint = "add --yes where there is no terminal to ask on".to_owned();
        return refuse(output, &ReportedError { code: 2, message, hint });
    }
    if let Err(error) = take_over(config, &found, &compared) {
        return refuse(output, &OpenError::from(error).reported());
    }
    conclude(cli, config, &found, &compared)
}

/// Reads both sides with the state that was found, and changes nothing.
async fn see(
    output: Output,
    config: &Config,
    found: &Found,
) -> anyhow::Result<Result<Observation, ReportedError>> {
    let open = || -> Result<Opened, OpenError> {
        let source = open::source(config, Access::ReadOnly);
        Ok(Opened { linq: Linq::of(config)?, source, state: State::scratch(&found.dir)? })
    };
    let opened = match open() {
        Ok(opened) => opened,
        Err(error) => return Ok(Err(error.reported())),
    };
    let seen = foresee(output, config, opened, Aim::Sync, Extent::Everybody).await?;
    Ok(seen.map(|(_, seen, _)| seen))
}

/// Why the state is not to be taken over, if there is a reason.
fn reason_not_to(
    seen: &Observation,
    compared: &Comparison,
    found: &Found,
) -> Option<ReportedError> {
    let refused = |message: String, hint: &str| {
        Some(ReportedError { code: 2, message, hint: hint.to_owned() })
    };
    if let Some(row) = seen.source.unreadable.first() {
        return refused(
            format!("{} (line {}) cannot be read: {}", row.label, row.line, row.reason),
            "correct it first: whoever cannot be read would not be recognised",
        );
    }
    if let Some(incomplete) = &seen.linq.incomplete {
        return refused(
            format!("Linq's listing is not whole: {}", incomplete.why),
            "try again: whoever is not listed would not be recognised",
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
                counted(compared.linked, "linked contact is", "linked contacts are"),
                found.dir.display()
            ),
            hint,
        );
    }
    None
}

/// What would be taken over.
fn told(config: &Config, found: &Found, compared: &Comparison) -> String {
    let way = match found.way {
        Way::Stays => String::new(),
        Way::Moves => format!("\nmoves to    {}", config.state.dir.display()),
        Way::Copied => format!("\ncopied to   {}", config.state.dir.display()),
    };
    let released = match compared.unrecognised.len() {
        0 => String::new(),
        count => {
            let mut names: Vec<String> = compared
                .unrecognised
                .iter()
                .take(NAMED)
                .map(|link| shown(&link.base.linq_values().display_name(), 40))
                .collect();
            if count > NAMED {
                names.push(format!("and {} more", count - NAMED));
            }
            let text = format!(
                "{}: {}; nothing is deleted for it, and nothing happens to them until they are \
                 back on both sides",
                counted(count, "contact", "contacts"),
                names.join(", ")
            );
            format!("\nreleased    {}", wrapped(&text, 12))
        }
    };
    format!(
        "state       {}{way}\nwas for     {}{}\nis for      {}\nrecognised  {} of {}{released}\n",
        found.dir.display(),
        found.pair,
        is_there(&found.pair),
        open::pair(config),
        compared.recognised(),
        counted(compared.linked, "linked contact", "linked contacts"),
    )
}

/// Asks on the terminal; where there is none, it is not confirmed.
fn confirmed() -> anyhow::Result<bool> {
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

fn take_over(config: &Config, found: &Found, compared: &Comparison) -> Result<(), StateError> {
    let now = now();
    let place = match found.way {
        Way::Stays => &found.dir,
        Way::Moves | Way::Copied => &config.state.dir,
    };
    if found.way == Way::Moves {
        State::relocate(&found.dir, place, now)?;
    }
    let mut state = State::open(place, now)?;
    if found.way == Way::Copied {
        state.copy_from(&found.dir)?;
    }
    let reason = format!("not recognised when the state was adopted for {}", open::pair(config));
    state.adopt(&open::pair(config), &compared.releases(&reason), now)
}

fn conclude(
    cli: &Cli,
    config: &Config,
    found: &Found,
    compared: &Comparison,
) -> anyhow::Result<u8> {
    if cli.output.json {
        let place = if found.way == Way::Stays { &found.dir } else { &config.state.dir };
        print_json(&json!({
            "schema": "linqsync.adopt/1",
            "adopted": true,
            "from": found.dir,
            "state": place,
            "was": found.pair,
            "is": open::pair(config),
            "linked": compared.linked,
            "recognised": compared.recognised(),
            "released": compared.unrecognised.len(),
            "error": null,
        }))?;
        return Ok(0);
    }
    let copied = match found.way {
        Way::Copied => {
            format!("{} stays as it was; remove it when it is not needed.\n", found.dir.display())
        }
        Way::Stays | Way::Moves => String::new(),
    };
    print(&format!(
        "Adopted. Nothing else was changed; see what the next run does: {}\n{copied}",
        cli.command_line("plan")
    ))?;
    Ok(0)
}

fn settled(output: Output, config: &Config) -> anyhow::Result<u8> {
    let dir = &config.state.dir;
    if output.json {
        print_json(&json!({
            "schema": "linqsync.adopt/1",
            "adopted": false,
            "state": dir,
            "is": open::pair(config),
            "error": null,
        }))?;
    } else {
        let dir = dir.display();
        print(&format!("the state in {dir} is this configuration's already\n"))?;
    }
    Ok(0)
}

fn refuse(output: Output, error: &ReportedError) -> anyhow::Result<u8> {
    complain(error);
    failed_command(output, error)?;
    Ok(error.code)
}
