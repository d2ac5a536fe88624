//! What a run is for: which plan it carries out.

use std::collections::BTreeSet;

use crate::mirror::{Request, State};
use crate::model::{Policy, RunId, Timestamp};
use crate::plan::{Observation, Plan, SavedPlan, Undoing, plan, plan_undo, source_first};

use super::RunError;

/// What a run is for.
#[derive(Clone, Copy, Debug)]
pub enum Aim<'a> {
    /// Both sides become the same.
    Sync,
    /// What an earlier run did is put back.
    Undo(&'a Undoing<'a>),
    /// What a plan lists that was kept is carried out, as far as it still holds.
    Apply(&'a SavedPlan),
}

impl Aim<'_> {
    /// Begins the run, which is only done once for a plan that was kept, for the user `by`.
    pub(super) fn begin(
        self,
        state: &State,
        now: Timestamp,
        by: Option<&str>,
    ) -> Result<RunId, RunError> {
        let command = self.command();
        let request = by.map(|by| Request { by, command: &command });
        Ok(match self {
            Aim::Sync => state.begin_run_for(now, request)?,
            Aim::Undo(undoing) => state.begin_undo(now, undoing.run, request)?,
            Aim::Apply(saved) => {
                state.begin_apply(now, saved.fingerprint(), request)?.map_err(RunError::Applied)?
            }
        })
    }

    /// The command with which a person asks for it.
    fn command(self) -> String {
        match self {
            Aim::Sync => "--once".to_owned(),
            Aim::Undo(undoing) => undoing.command(),
            Aim::Apply(_) => "apply".to_owned(),
        }
    }

    /// All that is to be done.
    pub(super) fn plan(self, seen: &Observation, policy: &Policy) -> Result<Plan, RunError> {
        Ok(match self {
            Aim::Sync | Aim::Apply(_) => plan(seen, policy)?,
            Aim::Undo(undoing) => plan_undo(seen, policy, undoing)?,
        })
    }

    /// What is to be done next; of a plan that was kept, only what is `holding`.
    pub(super) fn next(
        self,
        seen: &Observation,
        policy: &Policy,
        holding: &BTreeSet<usize>,
    ) -> Result<Plan, RunError> {
        let plan = self.plan(seen, policy)?;
        Ok(match self {
            Aim::Sync => plan,
            Aim::Undo(_) => source_first(plan),
            Aim::Apply(saved) => saved.part_of(plan, seen, holding),
        })
    }
}
