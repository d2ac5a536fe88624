//! `plan --out` and `apply`: a plan that is kept in a file, and carried out once.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::mirror::SyncPair;
use crate::model::RunId;
use crate::plan::{Observation, Plan, SavedPlan};
use crate::report::ReportedError;
use crate::run::RunPurpose;

use super::args::{ApplyArgs, OutputArgs};
use super::once::{carry_out, open_to_write};
use super::text::count_noun;
use super::{file, report_refusal, say_on_stderr};

const SCHEMA: &str = "linqsync.saved-plan/1";

/// The file: the plan, and what it was when linqsync wrote it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    schema: String,
    fingerprint: String,
    plan: SavedPlan,
}

/// Why a file is no plan that can be applied.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("cannot read {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("{} is not a saved plan", .0.display())]
    NotAPlan(PathBuf),
    #[error("{} was changed since linqsync wrote it", .0.display())]
    Changed(PathBuf),
    #[error("{} was made for {made_for}, and the configuration names {asked}", path.display())]
    Foreign { path: PathBuf, made_for: SyncPair, asked: SyncPair },
    #[error("{} was applied already, by run {run}", path.display())]
    Applied { path: PathBuf, run: RunId },
}

impl Unusable {
    fn to_reported_error(&self) -> ReportedError {
        let hint = match self {
            Unusable::Unreadable(..) => "check the path, and that this user may read it",
            Unusable::NotAPlan(_) | Unusable::Changed(_) | Unusable::Applied { .. } => {
                "make another one with `linqsync plan --out FILE`"
            }
            Unusable::Foreign { .. } => "use the configuration that it was made with",
        };
        ReportedError::from_error(self, 2, hint)
    }
}

/// Keeps a plan in a file that nobody else can read.
pub(super) fn save_plan(
    config: &Config,
    path: &Path,
    plan: &Plan,
    seen: &Observation,
) -> Result<(), ReportedError> {
    let SyncPair { base_url, source } = configured_pair(config);
    let plan = SavedPlan::from_plan(plan, seen, base_url, source);
    let steps = count_noun(plan.steps.len(), "change", "changes");
    let fingerprint = plan.fingerprint().to_hex();
    let kept = PlanFile { schema: SCHEMA.to_owned(), fingerprint, plan };
    let text = serde_json::to_vec_pretty(&kept).map_err(io::Error::from);
    if let Err(error) = text.and_then(|text| file::save_private(path, &text)) {
        let message = format!("cannot write {}: {error}", path.display());
        let hint = "check that the directory is there and may be written".to_owned();
        return Err(ReportedError { code: 2, message, hint });
    }
    say_on_stderr(&format!(
        "plan saved to {path} ({steps}); apply it with `linqsync apply {path}`",
        path = path.display()
    ));
    Ok(())
}

/// Carries out a plan that was kept. Returns the exit code.
pub(super) async fn apply(
    output: OutputArgs,
    config: &Config,
    args: &ApplyArgs,
) -> anyhow::Result<u8> {
    let saved = match load_plan(&args.file, config) {
        Ok(saved) => saved,
        Err(error) => return report_refusal(output, error.to_reported_error()),
    };
    let opened = match open_to_write(config) {
        Ok(opened) => opened,
        Err(error) => return report_refusal(output, error.to_reported_error()),
    };
    if let Some(run) = opened.state.applied_by_run(saved.fingerprint())? {
        let path = args.file.clone();
        return report_refusal(output, Unusable::Applied { path, run }.to_reported_error());
    }
    carry_out(output, config, opened, RunPurpose::Apply(&saved)).await
}

fn load_plan(path: &Path, config: &Config) -> Result<SavedPlan, Unusable> {
    let bytes =
        std::fs::read(path).map_err(|error| Unusable::Unreadable(path.to_owned(), error))?;
    let kept: PlanFile =
        serde_json::from_slice(&bytes).map_err(|_| Unusable::NotAPlan(path.to_owned()))?;
    if kept.schema != SCHEMA {
        return Err(Unusable::NotAPlan(path.to_owned()));
    }
    if kept.plan.fingerprint().to_hex() != kept.fingerprint {
        return Err(Unusable::Changed(path.to_owned()));
    }
    let made_for = SyncPair { base_url: kept.plan.linq.clone(), source: kept.plan.source.clone() };
    let asked = configured_pair(config);
    if made_for != asked {
        return Err(Unusable::Foreign { path: path.to_owned(), made_for, asked });
    }
    Ok(kept.plan)
}

fn configured_pair(config: &Config) -> SyncPair {
    SyncPair {
        base_url: config.linq.base_url.to_string(),
        source: config.source.path.to_string_lossy().into_owned(),
    }
}
