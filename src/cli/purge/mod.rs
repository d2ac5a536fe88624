//! `purge`: erases a person from history, backups and mirror, and looks whether any file of
//! ours still tells of them.

mod decodings;
mod person;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::config::Config;
use crate::mirror::{State, StateError};
use crate::open::{self, OpenError};
use crate::report::ReportedError;
use crate::source::{Leftover, Source, SourceAccess};

use super::args::{OutputArgs, PurgeArgs};
use super::named::find_named;
use super::text::{count_noun, shown_text, wrap_text};
use super::{failed_command, print_json, print_text, report_error};
use person::PurgeSubject;

/// Erases a person. Returns the exit code.
pub(super) fn purge(output: OutputArgs, config: &Config, args: &PurgeArgs) -> anyhow::Result<u8> {
    let found = open::open_state(config).and_then(|state| {
        let name = match find_named(&state, config, &args.who)? {
            Ok(name) => name,
            Err(same) => return Ok(Err(same)),
        };
        let person = PurgeSubject::find_subject(&state, config, &name)?;
        Ok(Ok((state, person)))
    });
    let (state, person) = match found {
        Ok(Ok(found)) => found,
        Ok(Err(same)) => return report_refusal(output, &same.to_reported_error()),
        Err(error) => return report_refusal(output, &error.to_reported_error()),
    };
    if let Some(error) = person.reason_not_to(&args.who) {
        return report_refusal(output, &error);
    }
    if !args.yes && !ask_to_confirm(&person)? {
        let message = "cancelled; nothing was erased".to_owned();
        let hint = "add --yes where there is no terminal to ask on".to_owned();
        return report_refusal(output, &ReportedError { code: 2, message, hint });
    }
    let source = open::open_source(config, SourceAccess::ReadOnly);
    let done = match erase_contact(&state, &*source, &person) {
        Ok(done) => done,
        Err(error) => return report_refusal(output, &OpenError::from(error).to_reported_error()),
    };
    if output.json {
        print_json(&json!({
            "schema": "linqsync.purge/1",
            "contacts": person.traces.contacts,
            "history": person.traces.history.len(),
            "waiting": person.traces.waiting.len() + person.traces.rejections.len(),
            "backups": done.backups,
            "displaced": done.displaced,
            "left": done.left,
            "error": null,
        }))?;
    } else {
        print_text(&format!("{}\n", wrap_text(&purge_text(&person, &done), 0)))?;
    }
    for path in &done.left {
        let message = format!("{} still tells of this person", path.display());
        report_error(&ReportedError { code: 3, message, hint: hint_for(path).to_owned() });
    }
    Ok(if done.left.is_empty() { 0 } else { 3 })
}

/// What was erased besides the state, and what still tells of the person.
struct PurgeResult {
    backups: Vec<PathBuf>,
    /// Versions of the source that a write had displaced.
    displaced: Vec<PathBuf>,
    left: Vec<PathBuf>,
}

fn erase_contact(
    state: &State,
    source: &dyn Source,
    person: &PurgeSubject,
) -> Result<PurgeResult, StateError> {
    let tells = |bytes: &[u8]| person.is_told_in(bytes) || person.is_own_in(bytes);
    state.purge_contact(&person.traces, &tells)?;
    let backups = state.purge_backups(&|bytes| person.is_in(bytes))?;
    let mut done = PurgeResult { backups, displaced: Vec::new(), left: Vec::new() };
    for Leftover { path, is_spare } in source.find_leftovers() {
        if !is_told(&path, &|bytes| person.is_in(bytes)) {
            continue;
        }
        #[expect(clippy::disallowed_methods, reason = "a write of ours put it there")]
        if is_spare && fs::remove_file(&path).is_ok() {
            done.displaced.push(path);
        } else {
            done.left.push(path);
        }
    }
    // With a look at what is there now, whatever was done to it.
    let files = state.state_files()?.into_iter();
    let told = files.filter(|path| is_told(path, &|bytes| person.is_told_in(bytes)));
    done.left.extend(told);
    done.left.sort();
    Ok(done)
}

/// Whether the file at `path` tells of somebody, by `tells`. One that cannot be read may; one
/// that is gone does not.
fn is_told(path: &Path, tells: &dyn Fn(&[u8]) -> bool) -> bool {
    match fs::read(path) {
        Ok(bytes) => tells(&bytes),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn purge_text(person: &PurgeSubject, done: &PurgeResult) -> String {
    let history = count_noun(person.traces.history.len(), "entry", "entries");
    let backups = count_noun(done.backups.len(), "backup", "backups");
    let displaced = match done.displaced.len() {
        0 => String::new(),
        count => {
            let versions = count_noun(count, "earlier version", "earlier versions");
            format!(", and {versions} of the source removed that lay hidden beside it")
        }
    };
    let found = match done.left.len() {
        0 => "All files of linqsync were searched afterwards, and none tells of the person.",
        _ => "Not all of it is gone: see below.",
    };
    format!(
        "erased from the mirror, from the history ({history}) and from the backups ({backups} \
         removed){displaced}. {found} Nothing was deleted in Linq or in the source: where the \
         person still is, the next run reads them again, so delete them there too. Plans and \
         exports that were saved elsewhere are not touched."
    )
}

/// What to do about a file that still tells of the person.
fn hint_for(path: &Path) -> &'static str {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if name.contains(".saved-") {
        "a version that somebody saved and that could not stay in place: look at it, and remove it"
    } else if name.starts_with(".linqsync-") {
        "somebody wrote into it after it was replaced: make a run, which puts it in place, and \
         purge once more"
    } else if name.starts_with("state.db-") {
        "another program reads the state: end it, and purge once more"
    } else {
        "purge once more; if it stays, please report this"
    }
}

fn report_refusal(output: OutputArgs, error: &ReportedError) -> anyhow::Result<u8> {
    report_error(error);
    failed_command(output, error)?;
    Ok(error.code)
}

/// Asks on the terminal; where there is none, nobody confirms.
fn ask_to_confirm(person: &PurgeSubject) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(false);
    }
    let names: Vec<String> = person.names.iter().map(|name| shown_text(name, 40)).collect();
    let mut err = anstream::stderr().lock();
    write!(err, "erase {} for good? [y/N] ", names.join(", "))?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
