//! Putting back what an earlier run did: a plan like any other, under the same guard.
//!
//! [`plan_undo`] compares what the history tells of the run with what both sides show
//! now. A field that still holds what the run left goes back on both sides; what the
//! run created is removed where it was created, and the pair is released; what it
//! deleted is created again on both sides. Whatever was edited since is left alone and
//! told. The plan depends on nothing but what is seen, so a run that is interrupted is
//! finished by planning again.
//!
//! Leaves reading the history to [`crate::run`].

mod fields;
mod history;
mod removal;
mod restore;

use std::collections::BTreeMap;

use crate::model::{
    BaseChange, FieldSet, Link, LinkStatus, LinqId, Policy, RunId, Side, SourceRecord, Values, Who,
};

use super::case::{Case, LinqHalf, SourceHalf, Unaccounted, check_accounted};
use super::correlate::correlate_cases;
use super::guard::{MissingCounts, guard_undo};
use super::observation::Observation;
use super::pairs::step_subject;
use super::refusals::leave_out_refused;
use super::step::{
    LinkPlan, LinqWrite, Plan, Skipped, SourceWrite, Step, StepReason, Subject, Wait,
};
use history::{ContactHistory, undone_contacts};
use restore::PeoplePresent;

/// What is to be put back.
#[derive(Clone, Debug)]
pub struct Undoing<'a> {
    /// The run that did it.
    pub run: RunId,
    /// Whether what later runs did goes back as well.
    pub and_later: bool,
    /// What it did, in order.
    pub done: Vec<PastDeed>,
    /// What was done to put it back so far, in order.
    pub undone: Vec<PastDeed>,
    /// Only what was done to this person.
    pub whom: Option<Who<'a>>,
}

impl Undoing<'_> {
    /// The command that asks for it: `undo 3`, or `undo --since 3`.
    pub fn undo_command(&self) -> String {
        let since = if self.and_later { "--since " } else { "" };
        format!("undo {since}{}", self.run)
    }
}

/// Something that a run did to a person.
#[derive(Clone, Debug)]
pub struct PastDeed {
    /// The contact.
    pub linq_id: Option<LinqId>,
    /// How the source named the record.
    pub source_key: Option<String>,
    /// A name for people.
    pub name: String,
    /// What was done.
    pub deed: UndoneDeed,
}

/// What a run can do to a person that can be put back.
#[derive(Clone, Debug)]
pub enum UndoneDeed {
    /// Fields were changed, on one side.
    Changed(Vec<BaseChange>),
    /// It was created on this side, with these values.
    Created(Side, Values),
    /// It was deleted from a side.
    Deleted {
        /// The side.
        side: Side,
        /// What it had in the source.
        source: Values,
        /// What it had in Linq.
        linq: Values,
    },
}

/// Why nothing could be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UndoError {
    /// A defect: nothing must be done.
    #[error(transparent)]
    Unaccounted(#[from] Unaccounted),
    /// The run did nothing to whom was named.
    #[error("run {0} changed no contact of that name")]
    NoSuchContact(RunId),
}

/// Makes the plan that puts back what a run did.
///
/// # Errors
/// [`UndoError::NoSuchContact`] when only one person was asked for, whom the run left alone.
pub fn plan_undo(
    seen: &Observation,
    policy: &Policy,
    undoing: &Undoing<'_>,
) -> Result<Plan, UndoError> {
    let cases = correlate_cases(seen, policy);
    check_accounted(&cases, seen)?;
    let missing = MissingCounts::in_cases(&cases, seen, policy);
    let mut undo = Undo {
        seen,
        policy,
        undoing,
        pairs: linked_pairs(&cases),
        crowd: PeoplePresent::default(),
        plan: Plan { halt: missing.reason_to_halt(seen), ..Plan::default() },
    };
    let mut people = undone_contacts(undoing);
    undo.merge_restored(&mut people);
    if let Some(whom) = &undoing.whom {
        people.retain(|person| undo.is_named(person, whom));
        if people.is_empty() {
            return Err(UndoError::NoSuchContact(undoing.run));
        }
    }
    if undo.plan.halt.is_none() {
        undo.crowd = PeoplePresent::among_cases(&people, &cases, seen, policy);
        for person in &people {
            undo.undo_contact(person);
        }
    }
    Ok(undo.guarded_plan(&cases))
}

/// The same plan without the writes to Linq that the source must take first. A value
/// that is back in the source is an edit like a person's, and a record that is back is
/// new: if the run ends here, the next ordinary one goes on in the same direction.
#[must_use]
pub fn source_first(mut plan: Plan) -> Plan {
    for step in &mut plan.steps {
        let fills_id_only = match &step.source {
            Some(SourceWrite::Update { set, .. }) => set.is_empty(),
            Some(SourceWrite::Create { .. } | SourceWrite::Delete { .. }) => false,
            None => true,
        };
        if fills_id_only {
            continue;
        }
        let later: FieldSet = match step.linq.take() {
            Some(LinqWrite::Update { set, .. }) => set.iter().map(|change| change.field).collect(),
            Some(LinqWrite::Create { .. } | LinqWrite::Delete { .. }) | None => FieldSet::EMPTY,
        };
        if let LinkPlan::PutBack(base) = &mut step.link {
            **base = base.without_fields(later);
        }
    }
    plan
}

/// A linked pair and what was seen of it.
#[derive(Clone, Copy)]
struct UndoPair<'a> {
    link: &'a Link,
    source: SourceHalf<'a>,
    linq: LinqHalf<'a>,
}

fn linked_pairs<'a>(cases: &[Case<'a>]) -> BTreeMap<LinqId, UndoPair<'a>> {
    let pair =
        |(link, source, linq): (&'a Link, _, _)| (link.linq_id, UndoPair { link, source, linq });
    cases.iter().filter_map(|case| case.linked_pair().map(pair)).collect()
}

struct Undo<'a, 'u> {
    seen: &'a Observation,
    policy: &'u Policy,
    undoing: &'u Undoing<'u>,
    pairs: BTreeMap<LinqId, UndoPair<'a>>,
    crowd: PeoplePresent<'a>,
    plan: Plan,
}

impl<'a> Undo<'a, '_> {
    fn undo_contact(&mut self, person: &ContactHistory) {
        let pair = person.linq_id.and_then(|id| self.pairs.get(&id)).copied();
        match (&person.deleted, pair) {
            (Some(had), _) => self.restore_deleted(person, had, pair),
            (None, Some(pair)) => self.undo_changes(person, pair),
            (None, None) => self.not_linked(person),
        }
    }

    fn undo_changes(&mut self, person: &ContactHistory, pair: UndoPair<'a>) {
        if person.created.iter().any(Option::is_some) {
            self.remove_created(person, pair);
        } else {
            self.put_back_fields(person, pair);
        }
    }

    /// Nothing is left of a created contact that is gone; changes of somebody whom
    /// nothing is known of any more cannot be put back.
    fn not_linked(&mut self, person: &ContactHistory) {
        let is_there = person.linq_id.is_some_and(|id| self.seen.linq.contacts.contains_key(&id));
        let created = person.created.iter().any(Option::is_some);
        if is_there || !created {
            self.skip_contact(
                person.subject(),
                "it is not linked any more, and stays as it is".to_owned(),
            );
        }
    }

    fn skip_contact(&mut self, subject: Subject, why: String) {
        self.plan.skipped.push(Skipped { subject, why });
    }

    fn new_step(&self, pair: UndoPair<'a>) -> Step {
        let mut subject = step_subject(pair.source.record(), pair.linq.contact());
        subject.link = Some(pair.link.id);
        subject.linq_id = Some(pair.link.linq_id);
        if subject.name.is_empty() {
            subject.name = pair.link.base.linq_values().display_name();
        }
        Step::new(subject, StepReason::Undo(self.undoing.run))
    }

    fn push_step(&mut self, step: Step) {
        if !step.is_empty() {
            self.plan.steps.push(step);
        }
    }

    fn is_named(&self, person: &ContactHistory, whom: &Who<'_>) -> bool {
        let pair = person.linq_id.and_then(|id| self.pairs.get(&id));
        let record: Option<&SourceRecord> = pair.and_then(|pair| pair.source.record());
        let contact = pair.and_then(|pair| pair.linq.contact());
        let place = match record {
            Some(record) => {
                let key = record.key.as_ref().map(ToString::to_string);
                whom.is_place(&record.label) || key.is_some_and(|key| whom.is_place(&key))
            }
            None => person.source_key.as_ref().is_some_and(|key| whom.is_place(key)),
        };
        let now = [record.map(|r| &r.values), contact.map(|c| &c.values)];
        let mut values = now.into_iter().flatten().chain(person.known_values());
        place
            || whom.is_contact(person.linq_id, &Values::default())
            || values.any(|values| whom.is_contact(None, values))
    }

    /// The plan, under the same guard as every other.
    fn guarded_plan(self, cases: &[Case<'_>]) -> Plan {
        let Undo { mut plan, seen, policy, undoing, .. } = self;
        for step in &mut plan.steps {
            plan.refused.extend(leave_out_refused(step, seen, policy));
        }
        skip_what_needs_the_source(&mut plan, seen);
        let created = |step: &&Step| matches!(step.linq, Some(LinqWrite::Create { .. }));
        if plan.steps.iter().any(|step| created(&step)) {
            plan.notices.push(
                "who is created in Linq again gets a new id; colleagues' notes, and whatever \
                 Linq kept beyond the fields, cannot come back"
                    .to_owned(),
            );
        }
        guard_undo(&mut plan, cases, seen, policy);
        let held = |wait: &Wait| matches!(wait, Wait::HeldDeletion(_) | Wait::HeldClearing(..));
        if plan.steps.iter().any(|step| step.waits.iter().any(held)) {
            plan.notices.push(format!(
                "the guard holds what it takes for too much; if it is meant: `linqsync {} \
                 --max-deletes N`",
                undoing.undo_command()
            ));
        }
        plan.steps.iter_mut().for_each(leave_what_is_held);
        plan.steps.retain(|step| !step.is_empty());
        plan.steps.sort_by_key(|step| {
            let subject = &step.subject;
            (subject.link.is_none(), subject.link, subject.record, subject.linq_id)
        });
        plan
    }
}

/// Where the source must not be written, what would go back on both sides stays.
fn skip_what_needs_the_source(plan: &mut Plan, seen: &Observation) {
    let Some(reason) = &seen.source.read_only else { return };
    let (stay, go): (Vec<Step>, Vec<Step>) =
        std::mem::take(&mut plan.steps).into_iter().partition(|step| step.source.is_some());
    plan.steps = go;
    let why = format!("the source is not written in this run: {reason}");
    let skipped = stay.into_iter().map(|step| Skipped { subject: step.subject, why: why.clone() });
    plan.skipped.extend(skipped);
}

/// What is held stays as it is altogether: the pair is not released, and neither side
/// of a field goes back alone.
fn leave_what_is_held(step: &mut Step) {
    let mut held = FieldSet::EMPTY;
    for wait in &step.waits {
        match wait {
            Wait::HeldDeletion(_) => step.link = LinkPlan::Keep,
            Wait::HeldClearing(_, change) => held.insert(change.field),
            // What an undo replaces is never held.
            Wait::HeldChange { .. }
            | Wait::Conflict { .. }
            | Wait::Ambiguous { .. }
            | Wait::Rejected { .. }
            | Wait::Grace(_) => {}
        }
    }
    if held.is_empty() {
        return;
    }
    if let LinkPlan::PutBack(base) = &mut step.link {
        **base = base.without_fields(held);
        if base.is_empty() {
            step.link = LinkPlan::Keep;
        }
    }
    if let Some(LinqWrite::Update { set, .. }) = &mut step.linq {
        set.retain(|change| !held.contains(change.field));
        if set.is_empty() {
            step.linq = None;
        }
    }
    if let Some(SourceWrite::Update { set, linq_id: None, .. }) = &mut step.source {
        set.retain(|change| !held.contains(change.field));
        if set.is_empty() {
            step.source = None;
        }
    }
}

fn is_linked(link: &Link) -> bool {
    link.status == LinkStatus::Linked
}
