//! Steps for linked pairs: the decision table, carried out.

use chrono::TimeDelta;

use crate::model::{
    self, Change, DeletePolicy, Field, FieldSet, Fingerprint, Link, LinkStatus, LinqContact,
    Policy, Side, SourceRecord, Values, WaitingKind,
};

use super::case::{LinqHalf, SourceHalf};
use super::decide::{Decision, Fate, decide};
use super::fresh::{create_in_linq, create_in_source};
use super::holds::edits_of;
use super::merge::{Memory, Merge, fate_of_values, merge, not_believed};
use super::observation::Observation;
use super::recognise::is_lost;
use super::refusals::refused_field;
use super::step::{
    CarriedOut, FieldReason, LinkPlan, LinqWrite, Reason, Rule, SourceWrite, Step, Subject, Wait,
};
use super::waiting::{decided, rejected, what};

/// The step for a linked pair; empty when nothing is to be done.
pub(super) fn pair_step(
    link: &Link,
    source: SourceHalf<'_>,
    linq: LinqHalf<'_>,
    seen: &Observation,
    policy: &Policy,
) -> Step {
    let pair = Pair { link, seen, policy };
    if seen.ignoring.has(link.linq_id) {
        return pair.ignored(source, linq);
    }
    let mut step = match link.status {
        LinkStatus::Linked => pair.linked(source, linq),
        LinkStatus::Released => pair.released(source, linq),
    };
    let missing = source == SourceHalf::Gone || matches!(linq, LinqHalf::Gone | LinqHalf::Unasked);
    if missing && seen.changed_meaning.is_some() {
        // What the readings mean has changed: nothing follows from absence.
        step.disarm();
    }
    step
}

struct Pair<'a> {
    link: &'a Link,
    seen: &'a Observation,
    policy: &'a Policy,
}

impl Pair<'_> {
    fn linked(&self, source: SourceHalf<'_>, linq: LinqHalf<'_>) -> Step {
        match (source, linq) {
            (_, LinqHalf::OutOfScope(contact)) => {
                let mut step = self.step(Rule::LeftScope, source.record(), Some(contact));
                step.link = LinkPlan::Release;
                step
            }
            (SourceHalf::Unselected(record), linq) => {
                let mut step = self.step(Rule::LeftSelection, Some(record), linq.contact());
                step.link = LinkPlan::Release;
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
        let mut step = self.step(Rule::Unchanged, source.record(), linq.contact());
        step.reason = Reason::Because(self.seen.ignoring.reason(self.link.linq_id));
        step.link = LinkPlan::Release;
        step
    }

    /// A released pair is left alone until both halves are there again.
    fn released(&self, source: SourceHalf<'_>, linq: LinqHalf<'_>) -> Step {
        match (source, linq) {
            (SourceHalf::Present(record), LinqHalf::Present(contact)) => {
                let merge = self.merge(record, contact);
                let mut step = self.step(Rule::BackAgain, Some(record), Some(contact));
                step.link = LinkPlan::Relink(merge.agreed.clone());
                self.write(&mut step, merge, record, contact);
                step
            }
            (SourceHalf::Gone, LinqHalf::Gone) => self.gone_from_both(),
            // Once it takes part again it is a record like any other.
            (SourceHalf::Unselected(record), _) if self.needs_no_memory() => {
                let mut step = self.step(Rule::LeftSelection, Some(record), None);
                step.link = LinkPlan::Forget;
                step
            }
            (source, linq) => self.left_alone(source, linq),
        }
    }

    /// Whether nothing is to be remembered of a released pair: its contact is gone, and what
    /// Linq deletes is not kept in the source for good.
    fn needs_no_memory(&self) -> bool {
        let keeps = self.policy.deletes.on(Side::Source) == DeletePolicy::Keep;
        !keeps && is_lost(self.link, self.seen)
    }

    /// Nothing follows from what was seen, but that a half that was missing is back.
    fn left_alone(&self, source: SourceHalf<'_>, linq: LinqHalf<'_>) -> Step {
        let mut step = self.step(Rule::Unchanged, source.record(), linq.contact());
        let source_back = source.record().is_some() && self.link.source_missing_since.is_some();
        let linq_back = linq.contact().is_some() && self.link.linq_missing_since.is_some();
        if source_back || linq_back {
            step.link = LinkPlan::Found;
        }
        step
    }

    fn gone_from_both(&self) -> Step {
        let mut step = self.step(Rule::DeletedOnBoth, None, None);
        step.link = LinkPlan::Forget;
        step
    }

    fn both_there(&self, record: &SourceRecord, contact: &LinqContact) -> Step {
        let merge = self.merge(record, contact);
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
            return Step::nothing();
        }
        let decision = decide(self.source_fate(record), self.linq_fate(contact));
        let mut step = self.step(rule_of_edits(decision), Some(record), Some(contact));
        step.link = link;
        self.write(&mut step, merge, record, contact);
        step
    }

    fn lacks_id(&self, record: &SourceRecord, contact: &LinqContact) -> bool {
        lacks_id(record, contact, self.seen, self.policy)
    }

    fn merge(&self, record: &SourceRecord, contact: &LinqContact) -> Merge {
        let subject = subject_of(self.link);
        let id = self.link.linq_id;
        let resolved = |field| self.seen.decisions.resolution(id, field);
        let rejected = |kind: &WaitingKind| {
            rejected(kind, &subject, self.seen).then(|| what(kind, &subject, self.seen))
        };
        let retried = |field, refusal| {
            let (field, refusal) = (Some(field), Some(refusal));
            let kind = WaitingKind::Rejected { field, refusal, side: Side::Linq };
            let is_retried = decided(&kind, &subject, self.seen) == Some(&model::Decision::Retry);
            is_retried.then(|| what(&kind, &subject, self.seen))
        };
        let refusal = |field, text: &str| Some(refused_field(id, field, text));
        let written = |side, field| self.seen.written.get(&(id, side, field));
        let memory = Memory {
            resolved: &resolved,
            rejected: &rejected,
            retried: &retried,
            refusal: &refusal,
            written: &written,
        };
        merge(record, contact, &self.link.base, self.mapped(), self.policy, memory)
    }

    fn write(&self, step: &mut Step, merge: Merge, record: &SourceRecord, contact: &LinqContact) {
        add_writes(step, merge, record, contact, self.seen, self.policy);
    }

    fn gone_from_linq(&self, record: &SourceRecord) -> Step {
        if let Some(mut step) = self.rejected_deletion(Side::Source, Some(record), None) {
            create_in_linq(&mut step, record, None, self.seen, self.policy);
            return step;
        }
        match decide(self.bereft_fate(record), Fate::Deleted) {
            Decision::CreateInLinqAgain if let Some(step) = self.record_held_back(record) => step,
            Decision::CreateInLinqAgain => {
                let mut step = self.step(Rule::EditBeatsDeletionInLinq, Some(record), None);
                create_in_linq(&mut step, record, None, self.seen, self.policy);
                step
            }
            Decision::DeleteInSource => {
                let mut step = self.step(Rule::DeletedInLinq, Some(record), None);
                if self.may_delete(&mut step, Side::Source) {
                    step.source = Some(SourceWrite::Delete { at: record.index });
                }
                step
            }
            Decision::Nothing
            | Decision::WriteSource
            | Decision::WriteLinq
            | Decision::Merge
            | Decision::DeleteInLinq
            | Decision::CreateInSourceAgain
            | Decision::Forget => self.step(Rule::Unchanged, Some(record), None),
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
        if !rejected(&kind, &subject, self.seen) {
            return None;
        }
        let mut step = self.step(Rule::Rejected, record, contact);
        step.decided.push(CarriedOut { what: what(&kind, &subject, self.seen), field: None });
        Some(step)
    }

    /// The step for a record whose edits are held, and whose contact is gone: it is not
    /// created again with what a person has held back. What was rejected is put back first.
    fn record_held_back(&self, record: &SourceRecord) -> Option<Step> {
        let mut step = self.step(Rule::Rejected, Some(record), None);
        let set = self.put_back(Side::Source, &record.values, &mut step)?;
        let (at, linq_id) = (record.index, None);
        step.source = (!set.is_empty()).then_some(SourceWrite::Update { at, set, linq_id });
        Some(step)
    }

    /// The same for a contact whose record is gone.
    fn contact_held_back(&self, contact: &LinqContact) -> Option<Step> {
        let mut step = self.step(Rule::Rejected, None, Some(contact));
        let set = self.put_back(Side::Linq, &contact.values, &mut step)?;
        let (id, expected) = (contact.id, contact.values.clone());
        step.linq = (!set.is_empty()).then_some(LinqWrite::Update { id, set, expected });
        Some(step)
    }

    /// What goes back on `side`, which has `values`, of the edits that earlier runs held: what
    /// a person has rejected. `None` where nothing is held but what was approved.
    fn put_back(&self, side: Side, values: &Values, step: &mut Step) -> Option<Vec<Change>> {
        let held = edits_of(self.link, side.other(), self.seen);
        let is = |question: Fingerprint, decision: &model::Decision| {
            self.seen.decisions.about(question) == Some(decision)
        };
        if held.iter().all(|(question, _)| is(*question, &model::Decision::Approve)) {
            return None;
        }
        let mut set = Vec::new();
        for (what, Change { field, .. }) in held {
            let agreed = self.link.base.half(side, *field);
            let writes = self.policy.writes_field(side, *field);
            if let Some(agreed) = agreed.filter(|_| writes && is(what, &model::Decision::Reject)) {
                step.decided.push(CarriedOut { what, field: Some(*field) });
                step.why.insert(*field, FieldReason::Rejected(side));
                let (from, to) = (values[*field].clone(), agreed.into());
                set.push(Change { field: *field, from, to });
            }
        }
        Some(set)
    }

    /// One of so many missing contacts that they were not asked for: if it is gone,
    /// and the record would go with it, that waits for approval.
    fn maybe_gone_from_linq(&self, record: &SourceRecord) -> Step {
        if self.bereft_fate(record) == Fate::Edited {
            return self.step(Rule::EditBeatsDeletionInLinq, Some(record), None);
        }
        let mut step = self.step(Rule::DeletedInLinq, Some(record), None);
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
        match decide(Fate::Deleted, self.linq_fate(contact)) {
            Decision::CreateInSourceAgain if let Some(step) = self.contact_held_back(contact) => {
                step
            }
            Decision::CreateInSourceAgain => {
                let mut step = self.step(Rule::EditBeatsDeletionInSource, None, Some(contact));
                create_in_source(&mut step, contact, self.seen, self.policy);
                step
            }
            Decision::DeleteInLinq => {
                let mut step = self.step(Rule::DeletedInSource, None, Some(contact));
                if self.may_delete(&mut step, Side::Linq) {
                    let expected = contact.values.clone();
                    step.linq = Some(LinqWrite::Delete { id: contact.id, expected });
                }
                step
            }
            Decision::Nothing
            | Decision::WriteSource
            | Decision::WriteLinq
            | Decision::Merge
            | Decision::DeleteInSource
            | Decision::CreateInLinqAgain
            | Decision::Forget => self.step(Rule::Unchanged, None, Some(contact)),
        }
    }

    /// Whether the deletion may be carried out on `side` by now. If not, the step
    /// says what happens instead.
    fn may_delete(&self, step: &mut Step, side: Side) -> bool {
        if !self.policy.writes(side) {
            return false;
        }
        if self.policy.deletes.on(side) == DeletePolicy::Keep {
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

    fn mapped(&self) -> FieldSet {
        self.seen.source.mapped
    }

    fn source_fate(&self, record: &SourceRecord) -> Fate {
        let is_believed = |field: &Field| {
            !record.rejects(*field) && not_believed(*field, record, &self.link.base).is_none()
        };
        let believed = self.mapped().iter().filter(is_believed).collect();
        let fate =
            fate_of_values(Side::Source, &record.values, &self.link.base, believed, self.policy);
        if fate == Fate::Unchanged && self.is_written_anew(record) { Fate::Edited } else { fate }
    }

    /// Whether a field that is read under other settings since may have been edited, which
    /// nothing tells but the bytes of the record.
    fn is_written_anew(&self, record: &SourceRecord) -> bool {
        let base = &self.link.base;
        let is_read_anew = |field: Field| {
            base.is_void(field)
                && base.half(Side::Source, field).is_none()
                && base.half(Side::Linq, field).is_some()
        };
        record.fingerprint != self.link.fingerprint && self.mapped().iter().any(is_read_anew)
    }

    /// What happened to a record whose contact is gone: an edit of anything in it counts,
    /// whether Linq knows of it or not. What is damaged looks like an edit: of such a record
    /// the values alone say.
    fn bereft_fate(&self, record: &SourceRecord) -> Fate {
        let is_damaged = |field: Field| {
            record.rejects(field) || not_believed(field, record, &self.link.base).is_some()
        };
        let is_other = self.link.content.is_some_and(|content| content != record.content);
        if is_other && !self.mapped().iter().any(is_damaged) {
            return Fate::Edited;
        }
        self.source_fate(record)
    }

    fn linq_fate(&self, contact: &LinqContact) -> Fate {
        fate_of_values(Side::Linq, &contact.values, &self.link.base, self.mapped(), self.policy)
    }

    fn step(
        &self,
        rule: Rule,
        record: Option<&SourceRecord>,
        contact: Option<&LinqContact>,
    ) -> Step {
        let mut subject = subject(record, contact);
        subject.link = Some(self.link.id);
        subject.linq_id = Some(self.link.linq_id);
        if record.is_none() {
            subject.source_key = self.link.key.as_ref().map(ToString::to_string);
        }
        if record.is_none() && contact.is_none() {
            subject.name = self.link.base.linq_values().display_name();
        }
        Step::new(subject, Reason::Rule(rule))
    }
}

/// Whom a decision about a linked pair is about.
pub(super) fn subject_of(link: &Link) -> Subject {
    Subject { link: Some(link.id), linq_id: Some(link.linq_id), ..Subject::default() }
}

/// The rule by which a pair of which both halves are there is written, if it is.
const fn rule_of_edits(decision: Decision) -> Rule {
    match decision {
        Decision::WriteLinq => Rule::EditedInSource,
        Decision::WriteSource => Rule::EditedInLinq,
        Decision::Merge => Rule::EditedOnBoth,
        Decision::Nothing
        | Decision::DeleteInSource
        | Decision::DeleteInLinq
        | Decision::CreateInLinqAgain
        | Decision::CreateInSourceAgain
        | Decision::Forget => Rule::Unchanged,
    }
}

/// Whether the id of `contact` is to be filled in beside `record`.
pub(super) fn lacks_id(
    record: &SourceRecord,
    contact: &LinqContact,
    seen: &Observation,
    policy: &Policy,
) -> bool {
    seen.source.keeps_ids && policy.writes(Side::Source) && record.linq_id != Some(contact.id)
}

/// Whom a step is about, from what is there of them.
pub(super) fn subject(record: Option<&SourceRecord>, contact: Option<&LinqContact>) -> Subject {
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
