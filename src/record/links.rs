//! What becomes of links without any write to a side: pairs that are joined, agree anew,
//! are released, missed or forgotten.

use super::{RecordIdentity, Recorder, carried_out, filled_values};
use crate::mirror::{
    ContactChange, HistoryAction, HistoryEntry, IntentOutcome, LinkChange, StateChange, StateError,
};
use crate::model::{Base, IntentId, LinkId, Side, Timestamp};
use crate::observe::record_at;
use crate::plan::{DoubtfulCreate, LinkPlan, Observation, Plan, Step, StepReason, Tier};

/// Pairs that were joined.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JoinedPairs {
    /// They were on both sides already.
    pub(crate) there: usize,
    /// An unanswered create had made the contact.
    pub(crate) created_in_linq: usize,
    /// An interrupted run had added the record.
    pub(crate) created_in_source: usize,
}

/// How the halves of a pair that is joined came to be.
enum HalfOrigin {
    /// They were there.
    There,
    /// An unanswered create of ours had made the contact.
    CreatedInLinq,
    /// An interrupted run of ours had added the record.
    AddedToSource,
}

/// What the journal proves was created by us, on whichever side; everything else was
/// there.
fn half_origin(step: &Step, seen: &Observation) -> HalfOrigin {
    let half_added =
        || seen.half_added.iter().any(|added| Some(added.linq_id) == step.subject.linq_id);
    match step.reason {
        StepReason::Matched(Tier::Journal) if half_added() => HalfOrigin::AddedToSource,
        StepReason::Matched(Tier::Journal) => HalfOrigin::CreatedInLinq,
        StepReason::Matched(
            Tier::Id | Tier::Email | Tier::Phone | Tier::Name | Tier::EveryField | Tier::Decision,
        )
        | StepReason::Rule(_)
        | StepReason::Because(_)
        | StepReason::Undo(_) => HalfOrigin::There,
    }
}

impl Recorder<'_> {
    /// What becomes of links without any write to a side.
    pub(crate) fn record_links(
        &self,
        plan: &Plan,
        at: Timestamp,
    ) -> Result<JoinedPairs, StateError> {
        let mut records = Vec::new();
        let mut joined = JoinedPairs::default();
        for step in &plan.steps {
            if matches!(step.link, LinkPlan::Join { .. }) {
                *match half_origin(step, self.seen) {
                    HalfOrigin::There => &mut joined.there,
                    HalfOrigin::CreatedInLinq => &mut joined.created_in_linq,
                    HalfOrigin::AddedToSource => &mut joined.created_in_source,
                } += 1;
            }
            records.extend(self.record_link(step, at)?);
        }
        if !records.is_empty() {
            self.state.commit_changes(self.run, at, &records)?;
        }
        Ok(joined)
    }

    fn record_link(&self, step: &Step, at: Timestamp) -> Result<Vec<StateChange>, StateError> {
        let only = |link: LinkChange| vec![StateChange { link, ..StateChange::default() }];
        let with = |link: LinkChange, entry: HistoryEntry| {
            vec![StateChange { link, history: vec![entry], ..StateChange::default() }]
        };
        Ok(match (&step.link, step.subject.link) {
            (LinkPlan::Join { base, doubt }, _) => vec![self.join_pair(step, base, *doubt)],
            (LinkPlan::Agree(agreed), Some(id)) => {
                // By its bytes the record is known again, whatever looks like it by now.
                let record = step.subject.record.map(|index| record_at(self.seen, index));
                only(self.alike_change(id, agreed, record))
            }
            // With a write to make, the base waits for it.
            (LinkPlan::PutBack(_), Some(_)) if step.linq.is_some() || step.source.is_some() => {
                Vec::new()
            }
            (LinkPlan::PutBack(base), Some(id)) => only(self.restored_base(id, base, None)),
            (LinkPlan::Relink(agreed), Some(id)) => {
                let mut records = with(
                    LinkChange::Relink(id),
                    self.step_entry(step, Side::Linq, HistoryAction::Relink),
                );
                records.extend(only(self.alike_change(id, agreed, None)));
                records
            }
            (LinkPlan::Release, Some(id)) => with(
                LinkChange::Release(id),
                self.step_entry(step, Side::Linq, HistoryAction::Release),
            ),
            (LinkPlan::Exclude(why), Some(id)) => with(
                LinkChange::Exclude(id, *why),
                self.step_entry(step, Side::Linq, HistoryAction::Release),
            ),
            (LinkPlan::Forget, Some(id)) => vec![self.forget_link(step, id)?],
            (LinkPlan::Missing(side), Some(id)) => {
                only(LinkChange::Missing { id, side: *side, since: Some(at) })
            }
            (LinkPlan::Found, Some(id)) => [Side::Source, Side::Linq]
                .into_iter()
                .flat_map(|side| only(LinkChange::Missing { id, side, since: None }))
                .collect(),
            (LinkPlan::Keep, _)
            | (
                LinkPlan::Agree(_)
                | LinkPlan::PutBack(_)
                | LinkPlan::Relink(_)
                | LinkPlan::Release
                | LinkPlan::Exclude(_)
                | LinkPlan::Forget
                | LinkPlan::Missing(_)
                | LinkPlan::Found,
                None,
            ) => Vec::new(),
        })
    }

    fn join_pair(&self, step: &Step, base: &Base, doubt: Option<IntentId>) -> StateChange {
        let from_doubt = || {
            let doubt = self.seen.doubtful.iter().find(|d| Some(d.intent) == doubt)?;
            let DoubtfulCreate { key, fingerprint, .. } = doubt;
            Some(RecordIdentity { key: key.clone(), fingerprint: *fingerprint, content: None })
        };
        let known = match step.subject.record {
            Some(index) => Some(RecordIdentity::of_record(record_at(self.seen, index))),
            None => from_doubt(),
        };
        let link = match (known, step.subject.linq_id) {
            (Some(RecordIdentity { key, fingerprint, content }), Some(linq_id)) => {
                LinkChange::Insert { linq_id, key, fingerprint, content, base: base.clone() }
            }
            (None, _) | (_, None) => LinkChange::Keep,
        };
        StateChange {
            intent: doubt.map(|intent| (intent, IntentOutcome::Landed)),
            link,
            history: vec![self.joining_history(step)],
            decided: carried_out(step, None),
            ..StateChange::default()
        }
    }

    /// What the history tells of a pair that was joined: that both were there, or that an
    /// interrupted run had created one of them, which an undo of this run takes back.
    fn joining_history(&self, step: &Step) -> HistoryEntry {
        let contact = step.subject.linq_id.and_then(|id| self.seen.linq.contacts.get(&id));
        let record = step.subject.record.map(|index| record_at(self.seen, index));
        match (half_origin(step, self.seen), contact, record) {
            (HalfOrigin::CreatedInLinq, Some(contact), _) => HistoryEntry {
                changes: filled_values(&contact.values),
                ..self.step_entry(step, Side::Linq, HistoryAction::Create)
            },
            (HalfOrigin::AddedToSource, _, Some(record)) => HistoryEntry {
                changes: filled_values(&record.values),
                source_key: Some(record.name_in_source()),
                ..self.step_entry(step, Side::Source, HistoryAction::Create)
            },
            (HalfOrigin::There | HalfOrigin::CreatedInLinq | HalfOrigin::AddedToSource, _, _) => {
                self.step_entry(step, Side::Linq, HistoryAction::Link)
            }
        }
    }

    fn forget_link(&self, step: &Step, id: LinkId) -> Result<StateChange, StateError> {
        let linq_id = self.find_link(id).map(|link| link.linq_id);
        let mut entry = self.step_entry(step, Side::Linq, HistoryAction::Forget);
        entry.before = linq_id.map(|id| self.state.raw_contact(id)).transpose()?.flatten();
        let gone = self.kept_record(Some(id)).filter(|_| step.subject.record.is_none());
        let entry = entry.with_gone(gone.map(|kept| kept.written));
        Ok(StateChange {
            link: LinkChange::Remove(id),
            contact: linq_id.map_or(ContactChange::Keep, ContactChange::Forget),
            history: vec![entry],
            ..StateChange::default()
        })
    }
}
