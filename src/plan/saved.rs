//! A plan that is kept for later, and what of it still holds then.
//!
//! A kept plan is never carried out by itself: a plan is made anew, and of that only
//! what the kept one lists, for people who are still as it expects them to be. So it
//! does nothing that it does not list, and nothing that is not due any more.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{
    Base, FieldChange, Fingerprint, LinkStatus, LinqId, SourceKey, Timestamp, Values,
};

use super::observation::Observation;
use super::step::{LinkPlan, LinqWrite, Plan, Skipped, SourceWrite, Step, Subject};

/// A plan as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    /// When it was made.
    pub made_at: Timestamp,
    /// Linq's base URL.
    pub linq: String,
    /// The path of the source.
    pub source: String,
    /// What it does, person by person.
    pub steps: Vec<SavedStep>,
}

/// What is to be done for one person, and what is expected of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedStep {
    /// A name for people.
    pub name: String,
    /// How the source names the record.
    pub source_key: Option<String>,
    /// How both sides and the base must be.
    pub expects: Expects,
    /// What is done.
    pub deeds: Vec<SavedDeed>,
}

/// How both sides and the base are when a step may be carried out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expects {
    /// The contact.
    pub linq_id: Option<LinqId>,
    /// The record's key.
    pub key: Option<SourceKey>,
    /// The record's values; `None` if there is none.
    pub source: Option<Values>,
    /// The contact's values; `None` if there is none.
    pub linq: Option<Values>,
    /// The base as the state writes it, and whether the pair is kept the same; `None` if
    /// it is not linked.
    pub base: Option<(String, LinkStatus)>,
}

/// One thing that a step does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum SavedDeed {
    /// Creates a contact in Linq.
    CreateInLinq {
        /// Its values.
        values: Values,
        /// Its owner.
        user_email: Option<String>,
    },
    /// Changes a contact in Linq.
    UpdateInLinq {
        /// The fields.
        set: Vec<FieldChange>,
        /// The contact as it must be.
        expected: Values,
    },
    /// Deletes a contact in Linq.
    DeleteInLinq {
        /// The contact as it must be.
        expected: Values,
    },
    /// Adds a record to the source.
    CreateInSource {
        /// Its values.
        values: Values,
    },
    /// Changes a record of the source.
    UpdateInSource {
        /// The fields.
        set: Vec<FieldChange>,
        /// The id that is filled in.
        linq_id: Option<LinqId>,
    },
    /// Removes a record from the source.
    DeleteInSource {
        /// The record as it must be.
        was: Values,
    },
    /// Changes what is remembered of a pair.
    Remember {
        /// What becomes of it.
        what: LinkEffect,
    },
}

/// What becomes of a pair in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkEffect {
    /// Its sides agree on further fields.
    Agree,
    /// It is linked.
    Join,
    /// It was put back.
    PutBack,
    /// It is kept the same again.
    Relink,
    /// It is kept the same no longer.
    Release,
    /// It is forgotten.
    Forget,
    /// One half is missing.
    Missing,
    /// What was missing is there again.
    Found,
}

impl SavedPlan {
    /// What `plan`, made of `seen`, does for the pair of `linq` and `source`.
    pub fn from_plan(plan: &Plan, seen: &Observation, linq: String, source: String) -> SavedPlan {
        let acting = plan.steps.iter().filter(|step| step.has_effect());
        let saved = |step: &Step| SavedStep {
            name: step.subject.name.clone(),
            source_key: step.subject.source_key.clone(),
            expects: expected_state(step, seen),
            deeds: step_deeds(step, seen),
        };
        SavedPlan { made_at: seen.now, linq, source, steps: acting.map(saved).collect() }
    }

    /// Stands for exactly this plan.
    pub fn fingerprint(&self) -> Fingerprint {
        // Serialising texts and numbers cannot fail.
        Fingerprint::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// The positions of the steps that still hold: `plan`, made anew of `seen`, has the
    /// same step for the same person, of whom everything is as expected.
    pub fn steps_holding(&self, plan: &Plan, seen: &Observation) -> BTreeSet<usize> {
        let mut fresh: BTreeMap<(Expects, Vec<SavedDeed>), usize> = BTreeMap::new();
        for step in plan.steps.iter().filter(|step| step.has_effect()) {
            *fresh.entry((expected_state(step, seen), step_deeds(step, seen))).or_default() += 1;
        }
        let mut holding = BTreeSet::new();
        for (position, step) in self.steps.iter().enumerate() {
            let same = fresh.get_mut(&(step.expects.clone(), step.deeds.clone()));
            if let Some(left @ 1..) = same {
                *left -= 1;
                holding.insert(position);
            }
        }
        holding
    }

    /// What of `plan` may be carried out: what the steps at `holding` list, for the
    /// people whom they are about.
    #[must_use]
    pub fn part_of(&self, plan: Plan, seen: &Observation, holding: &BTreeSet<usize>) -> Plan {
        let listed = PlannedSteps::from_saved(self, holding);
        let mut plan = plan;
        for step in &mut plan.steps {
            let allowed = listed.of_step(step, seen);
            let own = step_deeds(step, seen);
            let is_allowed = |deed: &SavedDeed| allowed.contains(deed);
            step.waits.clear();
            if !own.iter().filter(|deed| is_in_linq(deed)).all(is_allowed) {
                step.linq = None;
            }
            if !own.iter().filter(|deed| is_in_source(deed)).all(is_allowed) {
                step.source = None;
            }
            if !own.iter().filter(|deed| is_memory(deed)).all(is_allowed) {
                step.link = LinkPlan::Keep;
            }
        }
        plan.steps.retain(|step| !step.is_empty());
        let others = self.steps.iter().enumerate().filter(|(at, _)| !holding.contains(at));
        plan.skipped
            .extend(others.map(|(_, step)| skipped_step(step, "changed since the plan was saved")));
        plan.notices.clear();
        plan.postponed = 0;
        plan
    }

    /// Steps at `holding` of which `left`, the plan that is made last, still has
    /// something to write: what they expected has changed while they were carried out.
    pub fn unfinished_steps(
        &self,
        left: &Plan,
        seen: &Observation,
        holding: &BTreeSet<usize>,
    ) -> Vec<Skipped> {
        let open: BTreeSet<PlannedSubject> = left
            .steps
            .iter()
            .filter(|step| step.linq.is_some() || writes_fields(step))
            .filter_map(|step| PlannedSubject::from_expects(&expected_state(step, seen)))
            .collect();
        let steps = holding.iter().map(|position| &self.steps[*position]);
        let unfinished = steps.filter(|step| {
            let writes = step.deeds.iter().any(|deed| !is_memory(deed));
            writes
                && PlannedSubject::from_expects(&step.expects)
                    .is_some_and(|whom| open.contains(&whom))
        });
        unfinished
            .map(|step| skipped_step(step, "it changed while the plan was carried out"))
            .collect()
    }
}

fn skipped_step(step: &SavedStep, why: &str) -> Skipped {
    let subject = Subject {
        linq_id: step.expects.linq_id,
        source_key: step.source_key.clone(),
        name: step.name.clone(),
        ..Subject::default()
    };
    Skipped { subject, why: why.to_owned() }
}

fn writes_fields(step: &Step) -> bool {
    match &step.source {
        Some(SourceWrite::Update { set, .. }) => !set.is_empty(),
        Some(SourceWrite::Create { .. } | SourceWrite::Delete { .. }) => true,
        None => false,
    }
}

/// By what a person is found again while a plan is carried out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PlannedSubject {
    Contact(LinqId),
    Record(Option<SourceKey>, Box<Values>),
}

impl PlannedSubject {
    fn from_expects(expects: &Expects) -> Option<PlannedSubject> {
        let record =
            || Some(PlannedSubject::Record(expects.key.clone(), Box::new(expects.source.clone()?)));
        expects.linq_id.map(PlannedSubject::Contact).or_else(record)
    }
}

/// What may be done, by person.
struct PlannedSteps<'a>(BTreeMap<PlannedSubject, BTreeSet<&'a SavedDeed>>);

impl<'a> PlannedSteps<'a> {
    fn from_saved(saved: &'a SavedPlan, holding: &BTreeSet<usize>) -> PlannedSteps<'a> {
        let mut listed: BTreeMap<PlannedSubject, BTreeSet<&SavedDeed>> = BTreeMap::new();
        for step in holding.iter().map(|position| &saved.steps[*position]) {
            if let Some(whom) = PlannedSubject::from_expects(&step.expects) {
                listed.entry(whom).or_default().extend(&step.deeds);
            }
        }
        PlannedSteps(listed)
    }

    fn of_step(&self, step: &Step, seen: &Observation) -> BTreeSet<&'a SavedDeed> {
        let whom = PlannedSubject::from_expects(&expected_state(step, seen));
        whom.and_then(|whom| self.0.get(&whom)).cloned().unwrap_or_default()
    }
}

fn expected_state(step: &Step, seen: &Observation) -> Expects {
    let record = step.subject.record.map(|index| seen.source.record_at(index));
    let contact = step.subject.linq_id.and_then(|id| seen.linq.contacts.get(&id));
    let link = step.subject.link.and_then(|id| seen.links.iter().find(|link| link.id == id));
    let base = |base: &Base| serde_json::to_string(base).unwrap_or_default();
    Expects {
        linq_id: step.subject.linq_id,
        key: record.and_then(|record| record.key.clone()),
        source: record.map(|record| record.values.clone()),
        linq: contact.map(|contact| contact.values.clone()),
        base: link.map(|link| (base(&link.base), link.status)),
    }
}

fn step_deeds(step: &Step, seen: &Observation) -> Vec<SavedDeed> {
    let linq = step.linq.as_ref().map(|write| match write.clone() {
        LinqWrite::Create { values, user_email, .. } => {
            SavedDeed::CreateInLinq { values, user_email }
        }
        LinqWrite::Update { set, expected, .. } => SavedDeed::UpdateInLinq { set, expected },
        LinqWrite::Delete { expected, .. } => SavedDeed::DeleteInLinq { expected },
    });
    let source = step.source.as_ref().map(|write| match write.clone() {
        SourceWrite::Create { values, .. } => SavedDeed::CreateInSource { values },
        SourceWrite::Update { set, linq_id, .. } => SavedDeed::UpdateInSource { set, linq_id },
        SourceWrite::Delete { at } => {
            SavedDeed::DeleteInSource { was: seen.source.record_at(at).values.clone() }
        }
    });
    let memory = match &step.link {
        LinkPlan::Keep => None,
        LinkPlan::Agree(_) => Some(LinkEffect::Agree),
        LinkPlan::Join { .. } => Some(LinkEffect::Join),
        LinkPlan::PutBack(_) => Some(LinkEffect::PutBack),
        LinkPlan::Relink(_) => Some(LinkEffect::Relink),
        LinkPlan::Release | LinkPlan::Exclude(_) => Some(LinkEffect::Release),
        LinkPlan::Forget => Some(LinkEffect::Forget),
        LinkPlan::Missing(_) => Some(LinkEffect::Missing),
        LinkPlan::Found => Some(LinkEffect::Found),
    };
    let memory = memory.map(|what| SavedDeed::Remember { what });
    linq.into_iter().chain(source).chain(memory).collect()
}

const fn is_in_linq(deed: &SavedDeed) -> bool {
    match deed {
        SavedDeed::CreateInLinq { .. }
        | SavedDeed::UpdateInLinq { .. }
        | SavedDeed::DeleteInLinq { .. } => true,
        SavedDeed::CreateInSource { .. }
        | SavedDeed::UpdateInSource { .. }
        | SavedDeed::DeleteInSource { .. }
        | SavedDeed::Remember { .. } => false,
    }
}

const fn is_memory(deed: &SavedDeed) -> bool {
    match deed {
        SavedDeed::Remember { .. } => true,
        SavedDeed::CreateInLinq { .. }
        | SavedDeed::UpdateInLinq { .. }
        | SavedDeed::DeleteInLinq { .. }
        | SavedDeed::CreateInSource { .. }
        | SavedDeed::UpdateInSource { .. }
        | SavedDeed::DeleteInSource { .. } => false,
    }
}

const fn is_in_source(deed: &SavedDeed) -> bool {
    !is_in_linq(deed) && !is_memory(deed)
}
