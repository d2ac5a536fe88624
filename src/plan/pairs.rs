//! Steps for linked pairs: the decision table, carried out.

use chrono::TimeDelta;

use crate::model::{
    self, DeletePolicy, Exclusion, Field, FieldChange, FieldSet, Fingerprint, Link, LinkStatus,
    LinqContact, Policy, Side, SourceRecord, Values, WaitingKind,
};

use super::case::{LinqHalf, SourceHalf};
use super::decide::{HalfChange, PairDecision, decide_pair};
use super::holds::edits_of;
use super::merge::{Merge, PairHistory, fate_of_values, merge_fields, not_believed};
use super::new_pairs::{create_in_linq, create_in_source};
use super::observation::Observation;
use super::recognise::is_lost;
use super::refusals::refused_field;
use super::step::{
    CarriedOut, FieldReason, LinkPlan, LinqWrite, PlanRule, SourceWrite, Step, StepReason, Subject,
    Wait,
};
use super::waiting::{decided_about, is_rejected, question_id};

/// The step for a linked pair; empty when nothing is to be done.
pub(super) fn pair_step(
    link: &Link,
    source: SourceHalf<'_>,
    linq: LinqHalf<'_>,
    seen: &Observation,
    policy: &Policy,
) -> Step {
    let pair = PairPlanner { link, seen, policy };
    let is_ignored = |record: &SourceRecord| seen.ignoring.has_record(record.index);
    if seen.ignoring.has(link.linq_id) || source.record().is_some_and(is_ignored) {
        return pair.ignored(source, linq);
    }
    let mut step = match link.status {
        LinkStatus::Linked => pair.linked_step(source, linq),
        LinkStatus::Released => pair.released_step(source, linq),
    };
    let missing = source == SourceHalf::Gone || matches!(linq, LinqHalf::Gone | LinqHalf::Unasked);
    if missing && seen.changed_meaning.is_some() {
        // What the readings mean has changed: nothing follows from absence.
        step.clear_actions();
    }
    step
}

struct PairPlanner<'a> {
    link: &'a Link,
    seen: &'a Observation,
    policy: &'a Policy,
}

impl PairPlanner<'_> {
    fn linked_step(&self, source: SourceHalf<'_>, linq: LinqHalf<'_>) -> Step {
        match (source, linq) {
            (_, LinqHalf::OutOfScope(contact)) => {
                let mut step = self.new_step(PlanRule::LeftScope, source.record(), Some(contact));
                step.link = LinkPlan::Release;
                step
            }
            (SourceHalf::Unselected(record), linq) => {
                let mut step = self.new_step(PlanRule::LeftSelection, Some(record), linq.contact());
                step.link = LinkPlan::Exclude(Exclusion::Selection);
                step
            }
            (SourceHalf::Present(record), LinqHalf::Present(contact)) => {
                self.both_there(record, contact)
            }
            (SourceHalf::Present(record), LinqHalf::Gone) => self.gone_from_linq(record),
            (SourceHalf::Gone, LinqHalf::Present(contact)) => self.gone_from_source(contact),
            (SourceHalf::Gone, LinqHalf::Gone) => self.gone_from_both(),
            (SourceHalf::Present(record), LinqHalf::Unasked) => self.maybe_gone_from_linq(record),
            (SourceHalf::Unknown, _) | (_, LinqHalf::Unknown | LinqHalf::Unasked) => {
                self.left_alone(source, linq)
            }
        }
    }

    /// Nothing happens to a pair that a person wants to be ignored.
    fn ignored(&self, source: SourceHalf<'_>, linq: LinqHalf<'_>) -> Step {
        if self.link.status == LinkStatus::Released {
            return self.left_alone(source, linq);
        }
        let mut step = self.new_step(PlanRule::Unchanged, source.record(), linq.contact());
        let why = self.seen.ignoring.reason(self.link.linq_id, source.record());
        step.reason = StepReason::Because(why);
        step.link = LinkPlan::Exclude(Exclusion::Ignored);
        step
    }

    /// A released pair is left alone until both halves are there again.
    fn released_step(&self, source: SourceHalf<'_>, linq: LinqHalf<'_>) -> Step {
        match (source, linq) {
            (SourceHalf::Present(record), LinqHalf::Present(contact)) => {
                let merge = self.merge_pair(record, contact);
                let mut step = self.new_step(PlanRule::BackAgain, Some(record), Some(contact));
                step.link = LinkPlan::Relink(merge.agreed.clone());
                self.write(&mut step, merge, record, contact);
                step
            }
            (SourceHalf::Gone, LinqHalf::Gone) => self.gone_from_both(),
            // Once it takes part again it is a record like any other.
            (SourceHalf::Unselected(record), _) if self.needs_no_memory() => {
                let mut step = self.new_step(PlanRule::LeftSelection, Some(record), None);
                step.link = LinkPlan::Forget;
                step
            }
            // It does so already, and no run has seen it without its contact before.
            (SourceHalf::Present(record), _)
                if self.link.excluded.is_some() && self.needs_no_memory() =>
            {
                let because = "it takes part again, and its contact is gone: it is a new one";
                let mut step = self.new_step(PlanRule::BackAgain, Some(record), None);
                step.reason = StepReason::Because(because.to_owned());
                step.link = LinkPlan::Forget;
                step
            }
            (source, linq) => self.left_alone(source, linq),
        }
    }

    /// Whether nothing is to be remembered of a released pair: its contact is gone, and what
    /// Linq deletes is not kept in the source for good.
    fn needs_no_memory(&self) -> bool {
        let keeps = self.policy.deletes.on_side(Side::Source) == DeletePolicy::Keep;
        !keeps && is_lost(self.link, self.seen)
    }

    /// Nothing follows from what was seen, but that a half that was missing is back.
    fn left_alone(&self, source: SourceHalf<'_>, linq: LinqHalf<'_>) -> Step {
        let mut step = self.new_step(PlanRule::Unchanged, source.record(), linq.contact());
        let source_back = source.record().is_some() && self.link.source_missing_since.is_some();
        let linq_back = linq.contact().is_some() && self.link.linq_missing_since.is_some();
        if source_back || linq_back {
            step.link = LinkPlan::Found;
        }
        step
    }

    fn gone_from_both(&self) -> Step {
        let mut step = self.new_step(PlanRule::DeletedOnBoth, None, None);
        step.link = LinkPlan::Forget;
        step
    }

    fn both_there(&self, record: &SourceRecord, contact: &LinqContact) -> Step {
        let merge = self.merge_pair(record, contact);
        let Link { source_missing_since, linq_missing_since, .. } = self.link;
        let link = if source_missing_since.is_some() || linq_missing_since.is_some() {
            // What they agree on besides is noticed again by the next plan.
            LinkPlan::Found
        } else if merge.agreed.is_empty() {
            LinkPlan::Keep
        } else {
            LinkPlan::Agree(merge.agreed.clone())
        };
        if link == LinkPlan::Keep && merge == Merge::default() && !self.lacks_id(record, contact) {
            return Step::empty_step();
        }
        let decision = decide_pair(self.source_fate(record), self.linq_fate(contact));
        let mut step = self.new_step(rule_of_edits(decision), Some(record), Some(contact));
        step.link = link;
        self.write(&mut step, merge, record, contact);
        step
    }

    fn lacks_id(&self, record: &SourceRecord, contact: &LinqContact) -> bool {
        lacks_id(record, contact, self.seen, self.policy)
    }

    fn merge_pair(&self, record: &SourceRecord, contact: &LinqContact) -> Merge {
        let subject = subject_of(self.link);
        let id = self.link.linq_id;
        let resolved = |field| self.seen.decisions.conflict_resolution(id, field);
        let rejected = |kind: &WaitingKind| {
            is_rejected(kind, &subject, self.seen).then(|| question_id(kind, &subject, self.seen))
        };
        let retried = |field, refusal| {
            let (field, refusal) = (Some(field), Some(refusal));
            let kind = WaitingKind::Rejected { field, refusal, side: Side::Linq };
            let is_retried =
                decided_about(&kind, &subject, self.seen) == Some(&model::Decision::Retry);
            is_retried.then(|| question_id(&kind, &subject, self.seen))
        };
        let refusal = |field, text: &str| Some(refused_field(id, field, text));
        let written = |side, field| self.seen.written.get(&(id, side, field));
        let memory = PairHistory {
            resolved: &resolved,
            rejected: &rejected,
            retried: &retried,
            refusal: &refusal,
            written: &written,
        };
        merge_fields(record, contact, &self.link.base, self.mapped_fields(), self.policy, memory)
    }

    fn write(&self, step: &mut Step, merge: Merge, record: &SourceRecord, contact: &LinqContact) {
        add_writes(step, merge, record, contact, self.seen, self.policy);
    }

    fn gone_from_linq(&self, record: &SourceRecord) -> Step {
        if let Some(mut step) = self.rejected_deletion(Side::Source, Some(record), None) {
            create_in_linq(&mut step, record, None, self.seen, self.policy);
            return step;
        }
        match decide_pair(self.bereft_fate(record), HalfChange::Deleted) {
            PairDecision::CreateInLinqAgain if let Some(step) = self.record_held_back(record) => {
                step
            }
            PairDecision::CreateInLinqAgain => {
                let mut step = self.new_step(PlanRule::EditBeatsDeletionInLinq, Some(record), None);
                create_in_linq(&mut step, record, None, self.seen, self.policy);
                step
            }
            PairDecision::DeleteInSource => {
                let mut step = self.new_step(PlanRule::DeletedInLinq, Some(record), None);
                if self.may_delete(&mut step, Side::Source) {
                    step.source = Some(SourceWrite::Delete { at: record.index });
                }
                step
            }
            PairDecision::Nothing
            | PairDecision::WriteSource
            | PairDecision::WriteLinq
            | PairDecision::Merge
            | PairDecision::DeleteInLinq
            | PairDecision::CreateInSourceAgain
            | PairDecision::Forget => self.new_step(PlanRule::Unchanged, Some(record), None),
        }
    }

    /// The step that brings back the half which is gone, if a person has rejected that the
    /// other one goes from `side` as well.
    fn rejected_deletion(
        &self,
        side: Side,
        record: Option<&SourceRecord>,
        contact: Option<&LinqContact>,
    ) -> Option<Step> {
        let (kind, subject) = (WaitingKind::HeldDeletion { side }, subject_of(self.link));
        if !is_rejected(&kind, &subject, self.seen) {
            return None;
        }
        let mut step = self.new_step(PlanRule::Rejected, record, contact);
        step.decided
            .push(CarriedOut { question_id: question_id(&kind, &subject, self.seen), field: None });
        Some(step)
    }

    /// The step for a record whose edits are held, and whose contact is gone: it is not
    /// created again with what a person has held back. What was rejected is put back first.
    fn record_held_back(&self, record: &SourceRecord) -> Option<Step> {
        let mut step = self.new_step(PlanRule::Rejected, Some(record), None);
        let set = self.restore_rejected(Side::Source, &record.values, &mut step)?;
        let (at, linq_id) = (record.index, None);
        step.source = (!set.is_empty()).then_some(SourceWrite::Update { at, set, linq_id });
        Some(step)
    }

    /// The same for a contact whose record is gone.
    fn contact_held_back(&self, contact: &LinqContact) -> Option<Step> {
        let mut step = self.new_step(PlanRule::Rejected, None, Some(contact));
        let set = self.restore_rejected(Side::Linq, &contact.values, &mut step)?;
        let (id, expected) = (contact.id, contact.values.clone());
        step.linq = (!set.is_empty()).then_some(LinqWrite::Update { id, set, expected });
        Some(step)
    }

    /// What goes back on `side`, which has `values`, of the edits that earlier runs held: what
    /// a person has rejected. `None` where nothing is held but what was approved.
    fn restore_rejected(
        &self,
        side: Side,
        values: &Values,
        step: &mut Step,
    ) -> Option<Vec<FieldChange>> {
        let held = edits_of(self.link, side.other(), self.seen);
        let is = |question: Fingerprint, decision: &model::Decision| {
            self.seen.decisions.decision_about(question) == Some(decision)
        };
        if held.iter().all(|(question, _)| is(*question, &model::Decision::Approve)) {
            return None;
        }
        let mut set = Vec::new();
        for (what, FieldChange { field, .. }) in held {
            let agreed = self.link.base.half_text(side, *field);
            let writes = self.policy.writes_field(side, *field);
            if let Some(agreed) = agreed.filter(|_| writes && is(what, &model::Decision::Reject)) {
                step.decided.push(CarriedOut { question_id: what, field: Some(*field) });
                step.why.insert(*field, FieldReason::Rejected(side));
                let (from, to) = (values[*field].clone(), agreed.into());
                set.push(FieldChange { field: *field, from, to });
            }
        }
        Some(set)
    }

    /// One of so many missing contacts that they were not asked for: if it is gone,
    /// and the record would go with it, that waits for approval.
    fn maybe_gone_from_linq(&self, record: &SourceRecord) -> Step {
        if self.bereft_fate(record) == HalfChange::Edited {
            return self.new_step(PlanRule::EditBeatsDeletionInLinq, Some(record), None);
        }
        let mut step = self.new_step(PlanRule::DeletedInLinq, Some(record), None);
        if self.policy.deletes_from(Side::Source) {
            step.waits.push(Wait::HeldDeletion(Side::Source));
        }
        step
    }

    fn gone_from_source(&self, contact: &LinqContact) -> Step {
        if let Some(mut step) = self.rejected_deletion(Side::Linq, None, Some(contact)) {
            create_in_source(&mut step, contact, self.seen, self.policy);
            return step;
        }
        match decide_pair(HalfChange::Deleted, self.linq_fate(contact)) {
            PairDecision::CreateInSourceAgain
                if let Some(step) = self.contact_held_back(contact) =>
            {
                step
            }
            PairDecision::CreateInSourceAgain => {
                let mut step =
                    self.new_step(PlanRule::EditBeatsDeletionInSource, None, Some(contact));
                create_in_source(&mut step, contact, self.seen, self.policy);
                step
            }
            PairDecision::DeleteInLinq => {
                let mut step = self.new_step(PlanRule::DeletedInSource, None, Some(contact));
                if self.may_delete(&mut step, Side::Linq) {
                    let expected = contact.values.clone();
                    step.linq = Some(LinqWrite::Delete { id: contact.id, expected });
                }
                step
            }
            PairDecision::Nothing
            | PairDecision::WriteSource
            | PairDecision::WriteLinq
            | PairDecision::Merge
            | PairDecision::DeleteInSource
            | PairDecision::CreateInLinqAgain
            | PairDecision::Forget => self.new_step(PlanRule::Unchanged, None, Some(contact)),
        }
    }

    /// Whether the deletion may be carried out on `side` by now. If not, the step
    /// says what happens instead.
    fn may_delete(&self, step: &mut Step, side: Side) -> bool {
        if !self.policy.may_write(side) {
            return false;
        }
        if self.policy.deletes.on_side(side) == DeletePolicy::Keep {
            step.link = LinkPlan::Release;
            return false;
        }
        if !self.seen.source.unreadable.is_empty() {
            // A source that is partly unreadable loses nothing, on either side.
            return false;
        }
        if self.policy.delete_grace <= TimeDelta::zero() {
            return true;
        }
        let (missing_on, since) = match side {
            Side::Source => (Side::Linq, self.link.linq_missing_since),
            Side::Linq => (Side::Source, self.link.source_missing_since),
        };
        let over = since.is_some_and(|since| self.seen.now - since >= self.policy.delete_grace);
        if !over {
            step.waits.push(Wait::Grace(side));
        }
        if since.is_none() {
            step.link = LinkPlan::Missing(missing_on);
        }
        over
    }

    fn mapped_fields(&self) -> FieldSet {
        self.seen.source.mapped
    }

    fn source_fate(&self, record: &SourceRecord) -> HalfChange {
        let is_believed = |field: &Field| {
            !record.is_rejected(*field) && not_believed(*field, record, &self.link.base).is_none()
        };
        let believed = self.mapped_fields().iter().filter(is_believed).collect();
        let fate =
            fate_of_values(Side::Source, &record.values, &self.link.base, believed, self.policy);
        if fate == HalfChange::Unchanged && self.is_written_anew(record) {
            HalfChange::Edited
        } else {
            fate
        }
    }

    /// Whether a field that is read under other settings since may have been edited, which
    /// nothing tells but the bytes of the record.
    fn is_written_anew(&self, record: &SourceRecord) -> bool {
        let base = &self.link.base;
        let is_read_anew = |field: Field| {
            base.is_void(field)
                && base.half_text(Side::Source, field).is_none()
                && base.half_text(Side::Linq, field).is_some()
        };
        record.fingerprint != self.link.fingerprint && self.mapped_fields().iter().any(is_read_anew)
    }

    /// What happened to a record whose contact is gone: an edit of anything in it counts,
    /// whether Linq knows of it or not. What is damaged looks like an edit: of such a record
    /// the values alone say.
    fn bereft_fate(&self, record: &SourceRecord) -> HalfChange {
        let is_damaged = |field: Field| {
            record.is_rejected(field) || not_believed(field, record, &self.link.base).is_some()
        };
        let is_other = self.link.content.is_some_and(|content| content != record.content);
        if is_other && !self.mapped_fields().iter().any(is_damaged) {
            return HalfChange::Edited;
        }
        self.source_fate(record)
    }

    fn linq_fate(&self, contact: &LinqContact) -> HalfChange {
        fate_of_values(
            Side::Linq,
            &contact.values,
            &self.link.base,
            self.mapped_fields(),
            self.policy,
        )
    }

    fn new_step(
        &self,
        rule: PlanRule,
        record: Option<&SourceRecord>,
        contact: Option<&LinqContact>,
    ) -> Step {
        let mut subject = step_subject(record, contact);
        subject.link = Some(self.link.id);
        subject.linq_id = Some(self.link.linq_id);
        if record.is_none() {
            subject.source_key = self.link.key.as_ref().map(ToString::to_string);
        }
        if record.is_none() && contact.is_none() {
            subject.name = self.link.base.linq_values().display_name();
        }
        Step::new(subject, StepReason::Rule(rule))
    }
}

/// Whom a decision about a linked pair is about.
pub(super) fn subject_of(link: &Link) -> Subject {
    Subject { link: Some(link.id), linq_id: Some(link.linq_id), ..Subject::default() }
}

/// The rule by which a pair of which both halves are there is written, if it is.
const fn rule_of_edits(decision: PairDecision) -> PlanRule {
    match decision {
        PairDecision::WriteLinq => PlanRule::EditedInSource,
        PairDecision::WriteSource => PlanRule::EditedInLinq,
        PairDecision::Merge => PlanRule::EditedOnBoth,
        PairDecision::Nothing
        | PairDecision::DeleteInSource
        | PairDecision::DeleteInLinq
        | PairDecision::CreateInLinqAgain
        | PairDecision::CreateInSourceAgain
        | PairDecision::Forget => PlanRule::Unchanged,
    }
}

/// Whether the id of `contact` is to be filled in beside `record`.
pub(super) fn lacks_id(
    record: &SourceRecord,
    contact: &LinqContact,
    seen: &Observation,
    policy: &Policy,
) -> bool {
    seen.source.keeps_ids && policy.may_write(Side::Source) && record.linq_id != Some(contact.id)
}

/// Whom a step is about, from what is there of them.
pub(super) fn step_subject(
    record: Option<&SourceRecord>,
    contact: Option<&LinqContact>,
) -> Subject {
    let values = record.map(|r| &r.values).or(contact.map(|c| &c.values));
    Subject {
        link: None,
        linq_id: contact.map(|contact| contact.id),
        record: record.map(|record| record.index),
        source_key: record.map(SourceRecord::name_in_source),
        line: record.map(|record| record.line),
        name: values.map(crate::model::Values::display_name).unwrap_or_default(),
    }
}

/// Adds the writes and waits of a merge, and fills the id column where there is one.
pub(super) fn add_writes(
    step: &mut Step,
    merge: Merge,
    record: &SourceRecord,
    contact: &LinqContact,
    seen: &Observation,
    policy: &Policy,
) {
    let fills_id = !merge.is_short && lacks_id(record, contact, seen, policy);
    let linq_id = fills_id.then_some(contact.id);
    if !merge.to_source.is_empty() || linq_id.is_some() {
        step.source = Some(SourceWrite::Update { at: record.index, set: merge.to_source, linq_id });
    }
    if !merge.to_linq.is_empty() {
        let expected = contact.values.clone();
        step.linq = Some(LinqWrite::Update { id: contact.id, set: merge.to_linq, expected });
    }
    step.why.extend(merge.why);
    step.waits.extend(merge.waits);
    step.decided.extend(merge.decided);
}
