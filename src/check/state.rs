//! The state directory: whether it can be used, is sound, and has room.

use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

use crate::config::Config;
use crate::mirror::State;
use crate::open;
use crate::report::ReportedError;

use super::CheckFinding;

/// Less room than this, in bytes, is worth a word.
const LITTLE: u64 = 100 * 1024 * 1024;

pub(super) fn check_state(config: &Config) -> Vec<CheckFinding> {
    let dir = &config.state.dir;
    let state = match open::open_state_reading(config) {
        Ok(state) => state,
        Err(error) => return vec![CheckFinding::error("state", error.to_reported_error())],
    };
    let known = match describe_state(&state, dir) {
        Ok(known) => known,
        Err(error) => return vec![CheckFinding::error("state", error)],
    };
    let mut findings = vec![CheckFinding::ok("state", known)];
    findings.extend(open::left_behind(config).map(|(dir, pair)| {
        let message = format!("{} has a state too, for {pair}", dir.display());
        let hint = "if this is the same address book, renamed or moved: `linqsync adopt` keeps \
                    links and history; else nothing";
        CheckFinding::warning("state", message, hint)
    }));
    findings.extend(check_free_space(dir));
    findings
}

/// What the state knows. It was copied page by page and recognised before.
fn describe_state(state: &State, dir: &Path) -> Result<String, ReportedError> {
    let failed = |error: crate::mirror::StateError| {
        ReportedError::from_error(
            &error,
            crate::run::state_code(&error),
            error.hint().unwrap_or_default(),
        )
    };
    let counts = state.count_links().map_err(failed)?;
    let pairs = counts.linked + counts.released;
    let runs = state.last_runs(1).map_err(failed)?;
    Ok(match runs.first() {
        None => format!("{}: nothing yet; the first run deletes nothing", dir.display()),
        Some(run) => {
            let last = run.started_at.format("%Y-%m-%d %H:%M:%S UTC");
            let pairs = if pairs == 1 { "1 pair".to_owned() } else { format!("{pairs} pairs") };
            format!("{}: {pairs}; the last run, {}, began at {last}", dir.display(), run.id)
        }
    })
}

fn check_free_space(dir: &Path) -> Option<CheckFinding> {
    let there = nearest_directory(dir)?;
    let free = statvfs(&there).ok().map(|found| found.f_bavail.saturating_mul(found.f_frsize))?;
    if free >= LITTLE {
        return None;
    }
    let message = format!("only {} MiB are free where {} is", free / (1024 * 1024), dir.display());
    Some(CheckFinding::warning(
        "state",
        message,
        "make room: nothing is sent that cannot be recorded",
    ))
}

/// The directory, or the nearest one above it that is there.
fn nearest_directory(dir: &Path) -> Option<PathBuf> {
    dir.ancestors().find(|dir| dir.exists()).map(Path::to_owned)
}
