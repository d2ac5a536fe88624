//! `resolve --from`: decisions that come back in the table that `list --csv` has printed.
//!
//! The whole table is looked at before anything is remembered: if one line is wrong, or is
//! about what does not wait any more, nothing is.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::config::Config;
use crate::decisions::table::{self, DecisionRow, DecisionTable, still_shows};
use crate::decisions::{AttentionEntry, Questions, decision_of, question_id};
use crate::model::{Decision, Fingerprint, Waiting};
use crate::report::ReportedError;

use super::super::args::OutputArgs;
use super::super::text::{count_noun, shown_text};
use super::super::{refuse_command, say_on_stderr};
use super::store_decisions;

/// Decides what the table at `path` says; `-` is stdin. Returns the exit code.
pub(super) fn resolve_from_table(
    output: OutputArgs,
    config: &Config,
    path: &Path,
) -> anyhow::Result<u8> {
    let table = match read_table(path) {
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
    let decided = match questions.decided() {
        Ok(decided) => decided.into_iter().map(|(what, one)| (what, one.decision)).collect(),
        Err(error) => return refuse_command(output, &error),
    };
    match table_decisions(&table, &questions, &decided) {
        Ok(answers) => {
            let none = "the table decides nothing new, so nothing was recorded";
            store_decisions(output, &questions, &answers, none)
        }
        Err(problems) => {
            if !output.json {
                for problem in &problems {
                    say_on_stderr(&format!("{}: {problem}", path.display()));
                }
            }
            let bad = count_noun(problems.len(), "line is", "lines are");
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

fn read_table(path: &Path) -> Result<DecisionTable, String> {
    let mut bytes = Vec::new();
    let done = if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    done.map_err(|error| format!("cannot be read: {error}"))?;
    table::read_table(&bytes)
}

/// What the table decides that is not decided already.
///
/// # Errors
/// What is wrong, line by line.
fn table_decisions<'q>(
    table: &DecisionTable,
    questions: &'q Questions,
    decided: &BTreeMap<Fingerprint, Decision>,
) -> Result<Vec<(&'q Waiting, Decision)>, Vec<String>> {
    let open: BTreeMap<String, &Waiting> =
        questions.waiting.iter().map(|waiting| (question_id(waiting), waiting)).collect();
    let mut seen: BTreeMap<&str, (u64, Decision)> = BTreeMap::new();
    let (mut answers, mut problems) = (Vec::new(), Vec::new());
    for row in &table.rows {
        let answer = match row_decision(row, table.is_guessed, &open, questions) {
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
                if decided.get(&answer.0.question_id) != Some(&answer.1) {
                    answers.push(answer);
                }
            }
        }
    }
    if problems.is_empty() { Ok(answers) } else { Err(problems) }
}

/// What a row decides; `None` if it decides nothing.
fn row_decision<'q>(
    row: &DecisionRow,
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
    let decision = decision_of(&row.decision, &row.value, waiting)?;
    let takes_value = matches!(&decision, Decision::Value { value } if !value.is_empty());
    if !takes_value && !row.value.trim().is_empty() {
        return Err(format!(
            "it has a `value`, which the decision `{}` does not take",
            shown_text(&row.decision, 20)
        ));
    }
    if takes_value && is_guessed && !row.value.is_ascii() {
        return Err(
            "the encoding of its `value` is not known: save the table as CSV UTF-8".to_owned()
        );
    }
    let entry = AttentionEntry::from_waiting(waiting, None);
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
    questions.check_decision(waiting, &decision)?;
    Ok(Some((waiting, decision)))
}
