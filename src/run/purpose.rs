//! What a run is for: which plan it carries out.

use std::collections::BTreeSet;

use crate::mirror::{RunOrigin, State};
use crate::model::{Policy, RunId, Timestamp};
use crate::plan::{Observation, Plan, SavedPlan, Undoing, make_plan, plan_undo, source_first};

use super::RunError;

/// What a run is for.
#[derive(Clone, Copy, Debug)]
pub enum RunPurpose<'a> {
    /// Both sides become the same.
    Sync,
    /// What an earlier run did is put back.
    Undo(&'a Undoing<'a>),
    /// What a plan lists that was kept is carried out, as far as it still holds.
    Apply(&'a SavedPlan),
}

impl RunPurpose<'_> {
    /// Begins the run, which is only done once for a plan that was kept, for the user `by`.
    pub(super) fn begin_run(
        self,
        state: &State,
        now: Timestamp,
        by: Option<&str>,
    ) -> Result<RunId, RunError> {
        let command = self.command();
        let request = by.map(|by| RunOrigin { by, command: &command });
        Ok(match self {
            RunPurpose::Sync => state.begin_run_for(now, request)?,
            RunPurpose::Undo(undoing) => state.begin_undo(now, undoing.run, request)?,
            RunPurpose::Apply(saved) => {
                state.begin_apply(now, saved.fingerprint(), request)?.map_err(RunError::Applied)?
            }
        })
    }

    /// The command with which a person asks for it.
    fn command(self) -> String {
        match self {
            RunPurpose::Sync => "--once".to_owned(),
            RunPurpose::Undo(undoing) => undoing.undo_command(),
            RunPurpose::Apply(_) => "apply".to_owned(),
        }
    }

    /// All that is to be done.
    pub(super) fn make_plan(self, seen: &Observation, policy: &Policy) -> Result<Plan, RunError> {
        Ok(match self {
            RunPurpose::Sync | RunPurpose::Apply(_) => make_plan(seen, policy)?,
            RunPurpose::Undo(undoing) => plan_undo(seen, policy, undoing)?,
        })
    }

    /// What is to be done next; of a plan that was kept, only what is `holding`.
    pub(super) fn next(
        self,
        seen: &Observation,
        policy: &Policy,
        holding: &BTreeSet<usize>,
    ) -> Result<Plan, RunError> {
        let plan = self.make_plan(seen, policy)?;
        Ok(match self {
            RunPurpose::Sync => plan,
            RunPurpose::Undo(_) => source_first(plan),
            RunPurpose::Apply(saved) => saved.part_of(plan, seen, holding),
        })
    }
}
