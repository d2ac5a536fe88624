//! Carries out plans in a small world, as far as one likes.

use std::collections::BTreeSet;

use super::world::{PlannedWorld, content, record};
use crate::model::{
    Agreement, Base, Field, FieldChange, FieldSet, IntentId, Link, LinkStatus, LinqId, Side, Values,
};
use crate::plan::{
    DoubtfulCreate, HalfAdded, LinkPlan, LinqWrite, Plan, SourceWrite, Step, agreed_by_answer,
};

/// One thing that a run does at a time: after each of them it may end for good.
#[derive(Clone, Copy, Debug)]
pub(super) enum RunEffect<'a> {
    /// What becomes of all links without a write.
    Links,
    /// The step's write to Linq.
    Linq(&'a Step),
    /// All writes to the source.
    Source,
}

/// Whether an effect was written down before the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    Yes,
    No,
}

impl PlannedWorld {
    fn rewritten(&self, values: &Values) -> Values {
        Field::ALL.into_iter().map(|f| (f, (self.rewrite)(f, &values[f]))).collect()
    }

    /// Carries out a plan as the real machinery would, if nothing went wrong.
    pub(super) fn apply(&mut self, plan: &Plan) {
        let effects = effects(plan);
        self.apply_first(plan, effects.len(), Recorded::Yes);
    }

    /// Carries out the first `count` effects of a plan, the last of which may not be
    /// written down any more.
    pub(super) fn apply_first(&mut self, plan: &Plan, count: usize, last: Recorded) {
        for (id, index) in &plan.rewritten {
            let row = &self.rows[index.0 as usize];
            let (fingerprint, content) = (record(0, row).fingerprint, content(row));
            let link = self.links.iter_mut().find(|link| link.id == *id).unwrap();
            link.fingerprint = fingerprint;
            if self.contacts.contains_key(&link.linq_id) {
                link.content = Some(content);
            }
        }
        for (done, effect) in effects(plan).into_iter().take(count).enumerate() {
            let recorded = if done + 1 == count { last } else { Recorded::Yes };
            match effect {
                RunEffect::Links if recorded == Recorded::Yes => {
                    plan.steps.iter().for_each(|step| self.change_link(step));
                }
                RunEffect::Links => {}
                RunEffect::Linq(step) => self.write_linq(step, recorded),
                RunEffect::Source => self.write_source(plan, recorded),
            }
        }
        self.doubtful.retain(|doubt| !plan.settled.contains(&doubt.intent));
        self.half_added.retain(|added| !plan.settled.contains(&added.intent));
    }

    fn change_link(&mut self, step: &Step) {
        match &step.link {
            LinkPlan::Keep => {}
            LinkPlan::Missing(Side::Source) => {
                self.link_of(step).source_missing_since = Some(self.now);
            }
            LinkPlan::Missing(Side::Linq) => {
                self.link_of(step).linq_missing_since = Some(self.now);
            }
            LinkPlan::Found => {
                let link = self.link_of(step);
                link.source_missing_since = None;
                link.linq_missing_since = None;
            }
            LinkPlan::Agree(agreed) | LinkPlan::Relink(agreed) => {
                let canon = self.policy.canon;
                let link = self.link_of(step);
                if matches!(step.link, LinkPlan::Relink(_)) {
                    link.status = LinkStatus::Linked;
                    link.excluded = None;
                    link.source_missing_since = None;
                    link.linq_missing_since = None;
                }
                for (field, agreement) in agreed {
                    link.base.set_agreement(*field, agreement.clone(), canon);
                }
            }
            LinkPlan::Join { base, doubt } => {
                let row = step.subject.record.map(|at| self.rows[at.0 as usize].clone());
                let is_there = row.is_some();
                self.link(step.subject.linq_id.unwrap(), &row.unwrap_or_default(), *base.clone());
                if let Some(link) = self.links.last_mut().filter(|_| !is_there) {
                    link.content = None;
                }
                self.doubtful.retain(|open| Some(open.intent) != *doubt);
            }
            LinkPlan::PutBack(base) => {
                let link = self.link_of(step);
                for field in Field::ALL {
                    link.base.take_field(field, base);
                }
            }
            LinkPlan::Release => self.link_of(step).status = LinkStatus::Released,
            LinkPlan::Exclude(why) => {
                let link = self.link_of(step);
                link.status = LinkStatus::Released;
                link.excluded = Some(*why);
            }
            LinkPlan::Forget => self.links.retain(|link| Some(link.id) != step.subject.link),
        }
    }

    fn write_linq(&mut self, step: &Step, recorded: Recorded) {
        match step.linq.as_ref().unwrap() {
            LinqWrite::Create { values, user_email, doubt } => {
                let mut answer = self.rewritten(values);
                answer[Field::Owner] = user_email.as_deref().unwrap_or_default().into();
                let id = self.appear(answer.clone());
                self.created.insert(id);
                let row = self.rows[step.subject.record.unwrap().0 as usize].clone();
                if recorded == Recorded::No {
                    self.leave_doubt(values, &row);
                    return;
                }
                self.doubtful.retain(|open| Some(open.intent) != *doubt);
                self.links.retain(|link| Some(link.id) != step.subject.link);
                let sent = self.fields_written(Side::Linq);
                self.link(id, &row, agreed_by_answer(values, &answer, sent).collect());
            }
            LinqWrite::Update { id, set, .. } => {
                let answer = self.rewritten(&self.contacts[id].with_changes(set));
                self.contacts.insert(*id, answer.clone());
                for change in set.iter().filter(|_| recorded == Recorded::Yes) {
                    let agreement =
                        Agreement { source: change.to.clone(), linq: answer[change.field].clone() };
                    self.link_of(step).base.set(change.field, agreement);
                }
            }
            LinqWrite::Delete { id, .. } => {
                self.contacts.remove(id);
                self.links.retain(|link| recorded == Recorded::No || link.linq_id != *id);
            }
        }
    }

    fn leave_doubt(&mut self, values: &Values, row: &Values) {
        let intent = self.intent();
        self.doubtful.push(DoubtfulCreate {
            intent,
            values: values.clone(),
            key: None,
            read_anew: FieldSet::EMPTY,
            fingerprint: record(0, row).fingerprint,
            sent_at: self.now,
        });
    }

    fn intent(&mut self) -> IntentId {
        self.next_intent += 1;
        IntentId(self.next_intent)
    }

    fn fields_written(&self, side: Side) -> FieldSet {
        self.mapped.iter().filter(|field| self.policy.writes_field(side, *field)).collect()
    }

    fn write_source(&mut self, plan: &Plan, recorded: Recorded) {
        let mut removed = BTreeSet::new();
        let mut added = Vec::new();
        for step in &plan.steps {
            match &step.source {
                Some(SourceWrite::Delete { at }) => {
                    removed.insert(at.0 as usize);
                    self.links.retain(|link| {
                        recorded == Recorded::No || Some(link.id) != step.subject.link
                    });
                }
                Some(SourceWrite::Update { at, set, .. }) => {
                    let row = self.rows[at.0 as usize].with_changes(set);
                    self.rows[at.0 as usize] = row.clone();
                    if recorded == Recorded::Yes {
                        self.landed_in_source(step, &row, set);
                    }
                }
                Some(SourceWrite::Create { values, linq_id }) => {
                    added.push(values.clone());
                    if recorded == Recorded::Yes {
                        self.added(*linq_id, values);
                    } else {
                        let intent = self.intent();
                        let (linq_id, values) = (*linq_id, values.clone());
                        let read_anew = FieldSet::EMPTY;
                        self.half_added.push(HalfAdded { intent, linq_id, values, read_anew });
                    }
                }
                None => {}
            }
        }
        let mut position = 0;
        self.rows.retain(|_| {
            position += 1;
            !removed.contains(&(position - 1))
        });
        self.rows.extend(added);
    }

    fn landed_in_source(&mut self, step: &Step, row: &Values, set: &[FieldChange]) {
        let fingerprint = record(0, row).fingerprint;
        let contact = self.contacts[&step.subject.linq_id.unwrap()].clone();
        let link = self.link_of(step);
        link.fingerprint = fingerprint;
        link.content = Some(content(row));
        for change in set {
            let linq = contact[change.field].clone();
            // Linq is still to get what a person decided on.
            if linq == change.to {
                let source = row[change.field].clone();
                link.base.set(change.field, Agreement { source, linq });
            }
        }
    }

    /// A record was added for a contact, which may have had one before.
    fn added(&mut self, id: LinqId, row: &Values) {
        let contact = &self.contacts[&id];
        let agreement =
            |field: Field| Agreement { source: row[field].clone(), linq: contact[field].clone() };
        let written = self.fields_written(Side::Source);
        let base: Base = written.iter().map(|field| (field, agreement(field))).collect();
        match self.links.iter_mut().find(|link| link.linq_id == id) {
            Some(link) => {
                link.base = base;
                link.fingerprint = record(0, row).fingerprint;
                link.content = Some(content(row));
            }
            None => self.link(id, row, base),
        }
    }

    fn link_of(&mut self, step: &Step) -> &mut Link {
        let id = step.subject.linq_id.unwrap();
        self.links.iter_mut().find(|link| link.linq_id == id).unwrap()
    }
}

/// The effects of a plan, in the order in which a run brings them about.
pub(super) fn effects(plan: &Plan) -> Vec<RunEffect<'_>> {
    let deletes = |step: &&Step| matches!(step.linq, Some(LinqWrite::Delete { .. }));
    let linq = plan.steps.iter().filter(|step| step.linq.is_some());
    let (deletions, others): (Vec<&Step>, Vec<&Step>) = linq.partition(deletes);
    let links = plan.steps.iter().any(|step| step.link != LinkPlan::Keep);
    let source = plan.steps.iter().any(|step| step.source.is_some());
    let mut effects: Vec<RunEffect<'_>> = Vec::new();
    effects.extend(links.then_some(RunEffect::Links));
    effects.extend(others.into_iter().map(RunEffect::Linq));
    effects.extend(source.then_some(RunEffect::Source));
    effects.extend(deletions.into_iter().map(RunEffect::Linq));
    effects
}
