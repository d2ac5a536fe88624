//! What a run came to, for people and for scripts.
//!
//! Owns the JSON documents `linqsync.run/1` and `linqsync.plan/1` and the exit code
//! that follows from an outcome. Leaves printing to [`crate::cli`].

mod json;
mod plan;

use serde::{Deserialize, Serialize};

use crate::linq::RequestCounts;
use crate::model::{RunId, Timestamp};
use crate::plan::{Observation, Plan, Unknown, Wait};

pub use json::{json_text, write_json};
pub use plan::PlanDocument;
pub(crate) use plan::{released, step_rows};

/// A run, as `linqsync.run/1`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunReport {
    #[serde(skip_deserializing, default = "schema")]
    schema: &'static str,
    /// Its number; `None` for a dry run and for one that did not begin.
    pub run: Option<RunId>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// What was seen and done in Linq.
    pub linq: SideCounts,
    /// What was seen and done in the source.
    pub source: SideCounts,
    /// Pairs joined because they were on both sides already.
    pub linked: usize,
    /// Linked pairs for which nothing waits and nothing is left to be done.
    pub in_sync: usize,
    /// Pairs, records and contacts that are not in sync though nothing waits for a person:
    /// deletions in their grace, and what waits for a whole listing of Linq. Left out where
    /// there are none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub pending: usize,
    /// Linked pairs about which nothing is done and that cannot be said to be in sync; left
    /// out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<LeftAlone>,
    /// Whether the listing of Linq did not show all contacts, so that nothing counts as gone
    /// from Linq.
    #[serde(skip)]
    pub listing_incomplete: bool,
    /// How many take no part, on each side; left out where all do.
    #[serde(default, skip_serializing_if = "ExcludedCounts::is_none")]
    pub outside: ExcludedCounts,
    /// What waits after the run.
    #[serde(flatten)]
    pub open: Open,
    /// Steps that were not carried out because something had changed.
    pub skipped: usize,
    /// Requests, retries included.
    pub requests: RequestCounts,
    /// When it began.
    #[serde(serialize_with = "second")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(serialize_with = "second")]
    pub finished_at: Timestamp,
    /// Why it failed, if it did.
    pub error: Option<ReportedError>,
    /// Whether the guard let nothing at all be written.
    #[serde(skip)]
    halted: bool,
    /// What people should know; left out where there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// Linked pairs that are left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftAlone {
    /// How many.
    pub pairs: usize,
    /// Why, for people.
    pub reason: String,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Everything is in sync.
    Clean,
    /// Something waits for a person.
    Attention,
    /// Deletions or clearings are held.
    Held,
    /// It ended early.
    Failed,
}

impl RunOutcome {
    /// All of them.
    pub const ALL: [RunOutcome; 4] =
        [RunOutcome::Clean, RunOutcome::Attention, RunOutcome::Held, RunOutcome::Failed];

    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            RunOutcome::Clean => "clean",
            RunOutcome::Attention => "attention",
            RunOutcome::Held => "held",
            RunOutcome::Failed => "failed",
        }
    }
}

/// What was seen and done on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideCounts {
    /// Contacts or records that were read.
    pub seen: usize,
    /// Created there.
    pub created: usize,
    /// Updated there.
    pub updated: usize,
    /// Deleted there.
    pub deleted: usize,
}

/// How many of those that were read take no part, because of `source.only` or `linq.scope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExcludedCounts {
    /// Rows or cards.
    pub source: usize,
    /// Contacts in Linq, those whose row or card takes no part among them.
    pub linq: usize,
}

impl ExcludedCounts {
    /// Whether all take part.
    fn is_none(&self) -> bool {
        *self == ExcludedCounts::default()
    }
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Pairs with a conflict.
    pub conflicts: usize,
    /// Records of which nobody can tell who they are.
    pub ambiguous: usize,
    /// Records that cannot be read, and fields and records that a side cannot take, each as
    /// `list rejected` shows it.
    pub rejected: usize,
    /// Deletions that wait for approval.
    pub held_deletes: usize,
    /// Clearings of a field that wait for approval.
    pub held_clears: usize,
    /// Changes of a field that wait for approval.
    #[serde(default)]
    pub held_changes: usize,
}

impl Open {
    /// All that waits for approval.
    pub const fn held_count(&self) -> usize {
        self.held_deletes + self.held_clears + self.held_changes
    }
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedError {
    /// The exit code.
    pub code: u8,
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl ReportedError {
    /// `error` with its causes in one line.
    pub fn from_error(error: &dyn std::error::Error, code: u8, hint: &str) -> ReportedError {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.ends_with(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        ReportedError { code, message, hint: hint.to_owned() }
    }
}

fn schema() -> &'static str {
    "linqsync.run/1"
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

fn second<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

impl RunReport {
    /// A report of a run that began at `started_at` and has done nothing so far.
    pub fn new(started_at: Timestamp) -> RunReport {
        RunReport {
            schema: schema(),
            run: None,
            outcome: RunOutcome::Clean,
            dry_run: false,
            linq: SideCounts::default(),
            source: SideCounts::default(),
            linked: 0,
            in_sync: 0,
            pending: 0,
            unknown: Vec::new(),
            listing_incomplete: false,
            outside: ExcludedCounts::default(),
            open: Open::default(),
            skipped: 0,
            requests: RequestCounts::default(),
            started_at,
            finished_at: started_at,
            error: None,
            halted: false,
            notices: Vec::new(),
        }
    }

    /// The outcome that follows from what waits, and from the error if there is one.
    pub fn conclude_outcome(&mut self, finished_at: Timestamp) {
        self.finished_at = finished_at;
        let Open { conflicts, ambiguous, rejected, .. } = self.open;
        self.outcome = if self.error.is_some() {
            RunOutcome::Failed
        } else if self.halted || self.open.held_count() > 0 {
            RunOutcome::Held
        } else if conflicts + ambiguous + rejected + self.skipped > 0 {
            RunOutcome::Attention
        } else {
            RunOutcome::Clean
        };
        if self.outcome != RunOutcome::Clean {
            self.pending = 0;
        }
    }

    /// Whether each linked pair is in sync or released and nothing else is open: what
    /// `verify` would say.
    pub fn is_in_sync(&self) -> bool {
        self.outcome == RunOutcome::Clean && self.pending == 0 && self.unknown.is_empty()
    }

    /// The program's exit code.
    pub fn exit_code(&self) -> u8 {
        match (self.outcome, &self.error) {
            (RunOutcome::Failed, Some(error)) => error.code,
            (RunOutcome::Failed, None) => 1,
            (RunOutcome::Clean, _) => 0,
            (RunOutcome::Attention, _) => 3,
            (RunOutcome::Held, _) => 4,
        }
    }

    /// Takes what waits from a plan made after everything was done.
    pub fn take_open(&mut self, plan: &Plan, seen: &Observation) {
        self.halted = plan.halt.is_some();
        self.in_sync = if self.halted { 0 } else { plan.standings.in_sync };
        self.open = open_counts(plan, seen);
        self.skipped += plan.standings.for_a_person() + plan.delayed;
        // Of a listing in parts it cannot be told whom it does not show.
        self.listing_incomplete = seen.linq.incomplete.is_some();
        self.pending = plan.standings.pending_count().max(usize::from(self.listing_incomplete));
        let left_alone = |(reason, pairs): (&Unknown, &usize)| LeftAlone {
            pairs: *pairs,
            reason: reason.to_string(),
        };
        self.unknown = plan.standings.unknown.iter().map(left_alone).collect();
        let [source, linq] = plan.outside;
        self.outside = ExcludedCounts { source, linq };
        self.linq.seen = seen.linq.contacts.len() + seen.census.pairs;
        self.source.seen = seen.source.records.len() + seen.census.pairs;
    }

    /// How much the run changed so far.
    pub fn change_count(&self) -> usize {
        let done = |side: SideCounts| side.created + side.updated + side.deleted;
        done(self.linq) + done(self.source) + self.linked
    }

    /// Whether the run changed anything.
    pub fn changed_anything(&self) -> bool {
        self.change_count() > 0
    }
}

fn open_counts(plan: &Plan, seen: &Observation) -> Open {
    let steps_with = |waits: fn(&Wait) -> bool| {
        plan.steps.iter().filter(|step| step.waits.iter().any(waits)).count()
    };
    let all = |waits: fn(&Wait) -> bool| {
        plan.steps.iter().flat_map(|step| &step.waits).filter(|wait| waits(wait)).count()
    };
    Open {
        conflicts: steps_with(|wait| matches!(wait, Wait::Conflict { .. })),
        ambiguous: steps_with(|wait| matches!(wait, Wait::Ambiguous { .. })),
        rejected: all(|wait| matches!(wait, Wait::Rejected { .. })) + seen.source.unreadable.len(),
        held_deletes: all(|wait| matches!(wait, Wait::HeldDeletion(_))),
        held_clears: all(|wait| matches!(wait, Wait::HeldClearing(..))),
        held_changes: all(|wait| matches!(wait, Wait::HeldChange { .. })),
    }
}
