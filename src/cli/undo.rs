//! `undo`: puts back what a run did, or all runs from one on.

use crate::config::Config;
use crate::mirror::{State, StateError};
use crate::model::{RunId, Who};
use crate::open::OpenError;
use crate::report::ReportedError;
use crate::run::{Extent, RunPurpose};
use crate::undo::load_undoing;

use super::args::{OutputArgs, UndoArgs};
use super::named::find_named;
use super::once::{carry_out, open_to_look, open_to_write, preview_run, show_plan};
use super::report_refusal;

/// How many runs are named when the one that was meant is not known.
const NAMED: usize = 5;

/// Puts back what a run did, or shows what that would be. Returns the exit code.
pub(super) async fn undo_run(
    output: OutputArgs,
    config: &Config,
    args: &UndoArgs,
) -> anyhow::Result<u8> {
    let opened = if args.dry_run { open_to_look(config) } else { open_to_write(config) };
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return report_refusal(output, error.to_reported_error()),
    };
    let (run, and_later) = match (args.since, args.run) {
        (Some(run), _) => (RunId(run), true),
        (None, run) => (RunId(run.unwrap_or_default()), false),
    };
    let canon = config.policy().canon;
    let name =
        args.contact.as_deref().map(|text| find_named(&opened.state, config, text)).transpose();
    let name = match name.map(Option::transpose) {
        Ok(Ok(name)) => name,
        Ok(Err(same)) => return report_refusal(output, same.to_reported_error()),
        Err(error) => return report_refusal(output, error.to_reported_error()),
    };
    let whom = name.as_deref().map(|text| Who::new(text, canon));
    let known = unknown_run(&opened.state, run).and_then(|unknown| match unknown {
        Some(error) => Ok(Err(error)),
        None => load_undoing(&opened.state, run, and_later, whom).map(Ok),
    });
    let undoing = match known {
        Ok(Ok(undoing)) => undoing,
        Ok(Err(error)) => return report_refusal(output, error),
        Err(error) => return report_refusal(output, OpenError::from(error).to_reported_error()),
    };
    if !args.dry_run {
        return carry_out(output, config, opened, RunPurpose::Undo(&undoing)).await;
    }
    match preview_run(output, config, opened, RunPurpose::Undo(&undoing), Extent::Everybody).await?
    {
        Ok(planned) => show_plan(output, config, &planned).map(|_| 0),
        Err(error) => report_refusal(output, error),
    }
}

/// What to say if there is no such run.
pub(super) fn unknown_run(state: &State, run: RunId) -> Result<Option<ReportedError>, StateError> {
    if state.stored_run(run)?.is_some() {
        return Ok(None);
    }
    let runs = state.runs_with_history(NAMED)?;
    let named: Vec<String> = runs.iter().map(|run| run.id.to_string()).collect();
    let hint = if named.is_empty() {
        "no run has changed anything so far".to_owned()
    } else {
        format!("the last runs that changed something: {}", named.join(", "))
    };
    Ok(Some(ReportedError { code: 2, message: format!("there is no run {run}"), hint }))
}
