//! What is said unasked: in the log about a run that has ended, and everywhere when the
//! health changes.
//!
//! Owns the lines: one for a run that changed something or found something new that
//! waits, one for an outage and one for its end. Nothing of anybody is in them: notices
//! name people, and `linqsync plan` shows them.

use super::health::{Condition, News, OutageNotice};
use super::hooks::Hooks;
use super::status::{StatusBoard, length_text};
use super::systemd;
use crate::model::Timestamp;
use crate::report::RunReport;

/// Logs how a run ended; `before` is the run before it.
pub(super) fn announce_run(report: &RunReport, before: Option<&RunReport>, news: News) {
    match (&report.error, news) {
        (None, News::Recovered { after, failures, told }) => {
            announce_finished(report, before);
            announce_recovery(&length_text(after), failures, told);
        }
        (Some(_), news) => announce_failure(report, news),
        (None, News::Fine | News::Hiccup | News::Outage { .. } | News::Known) => {
            announce_finished(report, before);
        }
    }
}

/// Tells everybody if the health is no longer what people know.
pub(super) fn look_at_health(
    board: &StatusBoard,
    hooks: &Hooks,
    known: &mut Condition,
    now: Timestamp,
) {
    let status = board.lock_status();
    let condition = status.health.condition(now);
    let before = std::mem::replace(known, condition);
    if before.is_good() == condition.is_good() {
        return;
    }
    let (line, document) = (status.status_line(now), status.to_json(now));
    drop(status);
    match condition {
        Condition::Stale { .. } => tracing::error!("unhealthy: {line}"),
        // The run that failed was logged.
        Condition::Failing { .. } | Condition::TokenRefused { .. } => {}
        Condition::Good => tracing::info!("healthy again: {line}"),
    }
    systemd::notify_status(&line);
    hooks.health_changed(&document);
}

fn announce_recovery(outage: &str, failures: u32, told: OutageNotice) {
    match told {
        OutageNotice::Yes => tracing::info!(outage, failures, "runs succeed again"),
        OutageNotice::No => tracing::debug!(outage, failures, "runs succeed again"),
    }
}

fn announce_failure(report: &RunReport, news: News) {
    let Some(error) = &report.error else { return };
    let (run, code, hint) = (report.run.map(|run| run.0), error.code, error.hint.as_str());
    match news {
        News::Outage { since, failures } => {
            let since = since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            tracing::error!(run, code, since, failures, hint, "{}", error.message);
        }
        News::Hiccup => {
            tracing::info!(run, code, "a run failed and will be made again: {}", error.message);
        }
        News::Known | News::Fine | News::Recovered { .. } => {
            tracing::debug!(run, code, hint, "{}", error.message);
        }
    }
}

fn announce_finished(report: &RunReport, before: Option<&RunReport>) {
    let run = report.run.map(|run| run.0);
    let is_new = before.is_none_or(|before| before.open != report.open);
    let something_waits = report.open != crate::report::Open::default();
    if !report.changed_anything() && !(is_new && (something_waits || before.is_some())) {
        tracing::debug!(run, in_sync = report.in_sync, "nothing to do");
        return;
    }
    tracing::info!(
        run,
        in_sync = report.in_sync,
        linked = report.linked,
        linq_created = report.linq.created,
        linq_updated = report.linq.updated,
        linq_deleted = report.linq.deleted,
        source_created = report.source.created,
        source_updated = report.source.updated,
        source_deleted = report.source.deleted,
        conflicts = report.open.conflicts,
        ambiguous = report.open.ambiguous,
        rejected = report.open.rejected,
        held = report.open.held_count(),
        "run finished"
    );
}
