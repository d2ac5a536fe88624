//! What a run came to, for people and for scripts.
//!
//! Owns the JSON documents `linqsync.run/1` and `linqsync.plan/1` and the exit code
//! that follows from an outcome. Leaves printing to [`crate::cli`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::linq::RequestCounts;
use crate::model::{Change, Field, RunId, Side, Timestamp};
use crate::plan::{
    Clash, LinkPlan, LinqWrite, Observation, Plan, SourceWrite, Step, Subject, Wait,
};

/// A run, as `linqsync.run/1`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunReport {
    #[serde(skip_deserializing, default = "schema")]
    schema: &'static str,
    /// Its number; `None` for a dry run and for one that did not begin.
    pub run: Option<RunId>,
    /// How it ended.
    pub outcome: Outcome,
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

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything is in sync.
    Clean,
    /// Something waits for a person.
    Attention,
    /// Deletions or clearings are held.
    Held,
    /// It ended early.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 4] =
        [Outcome::Clean, Outcome::Attention, Outcome::Held, Outcome::Failed];

    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Clean => "clean",
            Outcome::Attention => "attention",
            Outcome::Held => "held",
            Outcome::Failed => "failed",
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

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Pairs with a conflict.
    pub conflicts: usize,
    /// Records of which nobody can tell who they are.
    pub ambiguous: usize,
    /// Records that cannot be read, or cannot be synchronised as they are.
    pub rejected: usize,
    /// Deletions that wait for approval.
    pub held_deletes: usize,
    /// Clearings of a field that wait for approval.
    pub held_clears: usize,
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
    pub fn of(error: &dyn std::error::Error, code: u8, hint: &str) -> ReportedError {
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

fn second<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

impl RunReport {
    /// A report of a run that began at `started_at` and has done nothing so far.
    pub fn new(started_at: Timestamp) -> RunReport {
        RunReport {
            schema: schema(),
            run: None,
            outcome: Outcome::Clean,
            dry_run: false,
            linq: SideCounts::default(),
            source: SideCounts::default(),
            linked: 0,
            in_sync: 0,
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
    pub fn conclude(&mut self, finished_at: Timestamp) {
        self.finished_at = finished_at;
        let Open { conflicts, ambiguous, rejected, held_deletes, held_clears } = self.open;
        self.outcome = if self.error.is_some() {
            Outcome::Failed
        } else if self.halted || held_deletes + held_clears > 0 {
            Outcome::Held
        } else if conflicts + ambiguous + rejected + self.skipped > 0 {
            Outcome::Attention
        } else {
            Outcome::Clean
        };
    }

    /// The program's exit code.
    pub fn exit_code(&self) -> u8 {
        match (self.outcome, &self.error) {
            (Outcome::Failed, Some(error)) => error.code,
            (Outcome::Failed, None) => 1,
            (Outcome::Clean, _) => 0,
            (Outcome::Attention, _) => 3,
            (Outcome::Held, _) => 4,
        }
    }

    /// Takes what waits from a plan made after everything was done.
    pub fn take_open(&mut self, plan: &Plan, seen: &Observation) {
        self.halted = plan.halt.is_some();
        self.in_sync = if self.halted { 0 } else { plan.in_sync };
        self.open = open(plan, seen);
        self.skipped += plan.unseen;
        self.linq.seen = seen.linq.contacts.len();
        self.source.seen = seen.source.records.len();
    }

    /// How much the run changed so far.
    pub fn changes(&self) -> usize {
        let done = |side: SideCounts| side.created + side.updated + side.deleted;
        done(self.linq) + done(self.source) + self.linked
    }

    /// Whether the run changed anything.
    pub fn changed_anything(&self) -> bool {
        self.changes() > 0
    }
}

fn open(plan: &Plan, seen: &Observation) -> Open {
    let steps_with = |waits: fn(&Wait) -> bool| {
        plan.steps.iter().filter(|step| step.waits.iter().any(waits)).count()
    };
    let all = |waits: fn(&Wait) -> bool| {
        plan.steps.iter().flat_map(|step| &step.waits).filter(|wait| waits(wait)).count()
    };
    Open {
        conflicts: steps_with(|wait| matches!(wait, Wait::Conflict { .. })),
        ambiguous: steps_with(|wait| matches!(wait, Wait::Ambiguous { .. })),
        rejected: steps_with(|wait| matches!(wait, Wait::Rejected { .. }))
            + seen.source.unreadable.len(),
        held_deletes: all(|wait| matches!(wait, Wait::HeldDeletion(_))),
        held_clears: all(|wait| matches!(wait, Wait::HeldClearing(..))),
    }
}

/// A plan as `linqsync.plan/1`, with the run that it would be.
pub fn plan_json(plan: &Plan, seen: &Observation, summary: &RunReport) -> Value {
    let mut steps: Vec<Value> = plan.steps.iter().flat_map(|step| step_json(step, seen)).collect();
    steps.extend(seen.source.unreadable.iter().map(|unreadable| {
        json!({
            "side": "source",
            "action": "reject",
            "linq_id": null,
            "source_key": unreadable.label,
            "name": unreadable.label,
            "fields": {},
            "reason": format!("line {}: {}", unreadable.line, unreadable.reason),
        })
    }));
    let skipped = plan.skipped.iter().map(|skipped| {
        let Subject { linq_id, source_key, name, .. } = &skipped.subject;
        json!({ "linq_id": linq_id, "source_key": source_key, "name": name, "why": skipped.why })
    });
    json!({
        "schema": "linqsync.plan/1",
        "steps": steps,
        "skipped": skipped.collect::<Vec<Value>>(),
        "notices": plan.notices,
        "halt": plan.halt,
        "summary": summary,
    })
}

/// A step as rows of `linqsync.plan/1`.
pub(crate) fn step_json(step: &Step, seen: &Observation) -> Vec<Value> {
    let mut rows = Vec::new();
    let reason = step.reason.to_string();
    let mut row = |side: Option<Side>, action: &str, fields: Value, reason: &str| {
        rows.push(json!({
            "side": side.map(Side::name),
            "action": action,
            "linq_id": step.subject.linq_id,
            "source_key": step.subject.source_key,
            "name": step.subject.name,
            "fields": fields,
            "reason": reason,
        }));
    };
    if matches!(step.link, LinkPlan::Join { .. } | LinkPlan::Relink(_)) {
        row(None, "link", json!({}), &reason);
    }
    if let Some(write) = &step.linq {
        let (action, fields) = linq_json(write);
        row(Some(Side::Linq), action, fields, &reason);
    }
    if let Some(write) = &step.source {
        let (action, fields) = source_json(write, seen);
        row(Some(Side::Source), action, fields, &reason);
    }
    let conflicts = conflicts_json(&step.waits);
    if !conflicts.is_empty() {
        row(None, "conflict", json!(conflicts), &why_conflicts(&step.waits));
    }
    for wait in &step.waits {
        let (side, action, fields, words) = match wait {
            Wait::Conflict { .. } => continue,
            Wait::Ambiguous { candidates } => {
                (Some(Side::Linq), "hold", json!({ "candidates": candidates }), reason.clone())
            }
            Wait::HeldDeletion(side) => (
                Some(*side),
                "hold",
                json!({}),
                format!("{reason}: the deletion waits for approval"),
            ),
            Wait::HeldClearing(side, change) => (
                Some(*side),
                "hold",
                changes_json(std::slice::from_ref(change)),
                "clearing this field for so many people waits for approval".to_owned(),
            ),
            Wait::Grace(side) => (
                Some(*side),
                "hold",
                json!({}),
                format!("{reason}: the deletion waits for sync.delete_grace"),
            ),
            Wait::Rejected { field, reason } => {
                let fields = changes_json(&refused(step, *field, seen));
                (Some(Side::Source), "reject", fields, reason.clone())
            }
        };
        row(side, action, fields, &words);
    }
    rows
}

fn linq_json(write: &LinqWrite) -> (&'static str, Value) {
    match write {
        LinqWrite::Create { values, .. } => ("create", values_json(values, Values::New)),
        LinqWrite::Update { set, .. } => ("update", changes_json(set)),
        LinqWrite::Delete { expected, .. } => ("delete", values_json(expected, Values::Gone)),
    }
}

fn source_json(write: &SourceWrite, seen: &Observation) -> (&'static str, Value) {
    match write {
        SourceWrite::Create { values, .. } => ("create", values_json(values, Values::New)),
        SourceWrite::Update { set, .. } => ("update", changes_json(set)),
        SourceWrite::Delete { at } => {
            let record = crate::observe::record(seen, *at);
            ("delete", values_json(&record.values, Values::Gone))
        }
    }
}

/// What Linq would have got instead of what, had it not been refused: `field`, or all that
/// somebody edited in the source.
fn refused(step: &Step, field: Option<Field>, seen: &Observation) -> Vec<Change> {
    let Some(record) = step.subject.record.map(|at| crate::observe::record(seen, at)) else {
        return Vec::new();
    };
    let contact = step.subject.linq_id.and_then(|id| seen.linq.contacts.get(&id));
    let link = step.subject.link.and_then(|id| seen.links.iter().find(|link| link.id == id));
    let agreed = |field: Field| link.and_then(|link| link.base.get(field));
    let is_edited =
        |field: &Field| agreed(*field).is_none_or(|agreed| agreed.source != record.values[*field]);
    let change = |field: Field| Change {
        field,
        from: contact.map(|contact| contact.values[field].clone()).unwrap_or_default(),
        to: record.values[field].clone(),
    };
    if let Some(field) = field {
        return vec![change(field)];
    }
    let fields = seen.source.mapped.iter().filter(is_edited).map(change);
    fields.filter(|change| change.from != change.to).collect()
}

fn changes_json(set: &[Change]) -> Value {
    let fields: BTreeMap<&str, Value> = set
        .iter()
        .map(|change| (change.field.name(), json!({ "from": change.from, "to": change.to })))
        .collect();
    json!(fields)
}

/// Whether values come into being or go away.
#[derive(Clone, Copy)]
enum Values {
    New,
    Gone,
}

fn values_json(values: &crate::model::Values, which: Values) -> Value {
    let fields: BTreeMap<&str, Value> = values
        .filled()
        .iter()
        .map(|field| {
            let (from, to) = match which {
                Values::New => ("", values[field].as_str()),
                Values::Gone => (values[field].as_str(), ""),
            };
            (field.name(), json!({ "from": from, "to": to }))
        })
        .collect();
    json!(fields)
}

/// Why fields are in conflict: what is out of the ordinary is said field by field.
fn why_conflicts(waits: &[Wait]) -> String {
    let others = waits.iter().filter_map(|wait| match wait {
        Wait::Conflict {
            field,
            clash: clash @ (Clash::ChangedBack(_) | Clash::NeverAgreed),
            ..
        } => Some(clash.reason(*field)),
        Wait::Conflict { clash: Clash::BothEdited, .. }
        | Wait::Ambiguous { .. }
        | Wait::HeldDeletion(_)
        | Wait::HeldClearing(..)
        | Wait::Rejected { .. }
        | Wait::Grace(_) => None,
    });
    let reasons: Vec<String> = others.collect();
    if reasons.is_empty() {
        return "edited on both sides to different values".to_owned();
    }
    reasons.join("; ")
}

fn conflicts_json(waits: &[Wait]) -> BTreeMap<&'static str, Value> {
    waits
        .iter()
        .filter_map(|wait| match wait {
            Wait::Conflict { field, base, source, linq, .. } => {
                let values = json!({ "base": base, "source": source, "linq": linq });
                Some((field.name(), values))
            }
            Wait::Ambiguous { .. }
            | Wait::HeldDeletion(_)
            | Wait::HeldClearing(..)
            | Wait::Rejected { .. }
            | Wait::Grace(_) => None,
        })
        .collect()
}
