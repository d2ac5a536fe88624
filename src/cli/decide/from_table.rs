//! `resolve --from`: decisions that come back in the table that `list --csv` has printed.
//!
//! The whole table is looked at before anything is remembered: if one line is wrong, or is
//! about what does not wait any more, nothing is.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::config::Config;
use crate::model::{Decision, Fingerprint, LinqId, Side, Waiting, WaitingKind};
use crate::report::ReportedError;

use super::super::args::Output;
use super::super::attention::{Entry, choices, question_id};
use super::super::table::{self, Row, Table, still_shows};
use super::super::text::{counted, shown};
use super::super::{refuse_command, say};
use super::questions::Questions;
use super::remember;

/// Decides what the table at `path` says; `-` is stdin. Returns the exit code.
pub(super) fn resolve(output: Output, config: &Config, path: &Path) -> anyhow::Result<u8> {
    let table = match read(path) {
        Ok(table) => table,
        Err(message) => {
            let message = format!("{}: {message}", path.display());
            let hint = "`linqsync list --csv > FILE` prints the table to be filled in".to_owned();
            return refuse_command(output, &ReportedError { code: 2, message, hint });
        }
    };
    let questions = match Questions::open(config) {
        Ok(questions) => questions,
        Err(error) => return refuse_command(output, &error),
    };
    let decided = match questions.state.decided() {
        Ok(decided) => decided.into_iter().map(|one| (one.about.what, one.decision)).collect(),
        Err(error) => return Err(error.into()),
    };
    match answers(&table, &questions, &decided) {
        Ok(answers) => {
            let none = "the table decides nothing new, so nothing was recorded";
            remember(output, &questions, &answers, none)
        }
        Err(problems) => {
            if !output.json {
                for problem in &problems {
                    say(&format!("{}: {problem}", path.display()));
                }
            }
            let bad = counted(problems.len(), "line is", "lines are");
            let listed =
                if output.json { format!(": {}", problems.join("; ")) } else { String::new() };
            let message = format!("{bad} wrong, so nothing was recorded{listed}");
            let hint = "correct the lines or empty their `decision`; `linqsync list --csv` prints \
                        what waits now"
                .to_owned();
            refuse_command(output, &ReportedError { code: 2, message, hint })
        }
    }
}

fn read(path: &Path) -> Result<Table, String> {
    let mut bytes = Vec::new();
    let done = if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    done.map_err(|error| format!("cannot be read: {error}"))?;
    table::read(&bytes)
}

/// What the table decides that is not decided already.
///
/// # Errors
/// What is wrong, line by line.
fn answers<'q>(
    table: &Table,
    questions: &'q Questions,
    decided: &BTreeMap<Fingerprint, Decision>,
) -> Result<Vec<(&'q Waiting, Decision)>, Vec<String>> {
    let open: BTreeMap<String, &Waiting> =
        questions.waiting.iter().map(|waiting| (question_id(waiting), waiting)).collect();
    let mut seen: BTreeMap<&str, (u64, Decision)> = BTreeMap::new();
    let (mut answers, mut problems) = (Vec::new(), Vec::new());
    for row in &table.rows {
        let answer = match answer(row, table.is_guessed, &open, questions) {
            Ok(Some(answer)) => answer,
            Ok(None) => continue,
            Err(problem) => {
                problems.push(format!("line {}: {problem}", row.line));
                continue;
            }
        };
        match seen.get(row.id.as_str()) {
            Some((_, same)) if *same == answer.1 => {}
            Some((line, _)) => problems
                .push(format!("line {}: line {line} decides the same thing differently", row.line)),
            None => {
                seen.insert(&row.id, (row.line, answer.1.clone()));
                if decided.get(&answer.0.what) != Some(&answer.1) {
                    answers.push(answer);
                }
            }
        }
    }
    if problems.is_empty() { Ok(answers) } else { Err(problems) }
}

/// What a row decides; `None` if it decides nothing.
fn answer<'q>(
    row: &Row,
    is_guessed: bool,
    open: &BTreeMap<String, &'q Waiting>,
    questions: &Questions,
) -> Result<Option<(&'q Waiting, Decision)>, String> {
    if row.decision.is_empty() {
        return if row.value.trim().is_empty() {
            Ok(None)
        } else {
            Err("it has a `value` and no `decision`: write `value` there".to_owned())
        };
    }
    if row.id.is_empty() {
        return Err("it has no `id`, so there is nothing to decide".to_owned());
    }
    let waiting = *open.get(&row.id.to_lowercase()).ok_or(
        "what it shows does not wait any more, or has changed since the table was printed",
    )?;
    let decision = meant(row, waiting)?;
    let takes_value = matches!(&decision, Decision::Value { value } if !value.is_empty());
    if !takes_value && !row.value.trim().is_empty() {
        return Err(format!(
            "it has a `value`, which the decision `{}` does not take",
            shown(&row.decision, 20)
        ));
    }
    if takes_value && is_guessed && !row.value.is_ascii() {
        return Err(
            "the encoding of its `value` is not known: save the table as CSV UTF-8".to_owned()
        );
    }
    let entry = Entry::of(waiting, None);
    let shows = [
        ("source_value", &row.source_value, &entry.source_value),
        ("linq_value", &row.linq_value, &entry.linq_value),
    ];
    for (column, cell, value) in shows {
        if cell.as_ref().is_some_and(|cell| !still_shows(cell, value, is_guessed)) {
            return Err(format!(
                "`{column}` is not what was printed; another value goes into `value`, with the \
                 decision `value`"
            ));
        }
    }
    questions.allows(waiting, &decision)?;
    Ok(Some((waiting, decision)))
}

/// The decision that a row names.
fn meant(row: &Row, waiting: &Waiting) -> Result<Decision, String> {
    let words = row.decision.to_lowercase();
    let (word, rest) = words.split_once(char::is_whitespace).unwrap_or((&words, ""));
    let choices = choices(&waiting.kind);
    let unknown = || {
        let of = shown(&row.decision, 40);
        if choices.is_empty() {
            format!("`{of}` cannot be decided: correct it in the source, and the next run reads it")
        } else {
            format!("`{of}` is no decision here; write one of: {}", choices.join(", "))
        }
    };
    let is_choice = choices.iter().any(|choice| choice.split(' ').next() == Some(word));
    if !is_choice || (!rest.is_empty() && word != "link") {
        return Err(unknown());
    }
    Ok(match word {
        "source" => Decision::Take { side: Side::Source },
        "linq" => Decision::Take { side: Side::Linq },
        "clear" => Decision::Value { value: String::new() },
        "value" if row.value.trim().is_empty() => {
            return Err("`value` is empty; `clear` as the decision clears the field".to_owned());
        }
        "value" => Decision::Value { value: row.value.trim().to_owned() },
        "link" => Decision::Link { linq_id: candidate(rest, waiting).ok_or_else(unknown)? },
        "separate" => Decision::Separate,
        "approve" => Decision::Approve,
        "reject" => Decision::Reject,
        "retry" => Decision::Retry,
        _ => return Err(unknown()),
    })
}

/// The contact that `link` names: without an id the only candidate.
fn candidate(text: &str, waiting: &Waiting) -> Option<LinqId> {
    let WaitingKind::Ambiguous { candidates } = &waiting.kind else { return None };
    match (text.trim(), candidates.as_slice()) {
        ("", [only]) => Some(*only),
        ("", _) => None,
        (id, _) => id.parse().ok().map(LinqId),
    }
}
