//! What becomes of links without any write to a side: pairs that are joined, agree anew,
//! are released, missed or forgotten.

use super::{Known, Recorder, carried_out, filled};
use crate::mirror::{
    Action, ContactChange, HistoryEntry, IntentOutcome, LinkChange, Record, StateError,
};
use crate::model::{Base, IntentId, LinkId, Side, Timestamp};
use crate::observe::record as record_at;
use crate::plan::{DoubtfulCreate, LinkPlan, Observation, Plan, Reason, Step, Tier};

/// Pairs that were joined.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Joined {
    /// They were on both sides already.
    pub(crate) there: usize,
    /// An unanswered create had made the contact.
    pub(crate) created_in_linq: usize,
    /// An interrupted run had added the record.
    pub(crate) created_in_source: usize,
}

/// How the halves of a pair that is joined came to be.
enum Origin {
    /// They were there.
    There,
    /// An unanswered create of ours had made the contact.
    CreatedInLinq,
    /// An interrupted run of ours had added the record.
    AddedToSource,
}

/// What the journal proves was created by us, on whichever side; everything else was
/// there.
fn origin(step: &Step, seen: &Observation) -> Origin {
    let half_added =
        || seen.half_added.iter().any(|added| Some(added.linq_id) == step.subject.linq_id);
    match step.reason {
        Reason::Matched(Tier::Journal) if half_added() => Origin::AddedToSource,
        Reason::Matched(Tier::Journal) => Origin::CreatedInLinq,
        Reason::Matched(
            Tier::Id | Tier::Email | Tier::Phone | Tier::Name | Tier::EveryField | Tier::Decision,
        )
        | Reason::Rule(_)
        | Reason::Because(_)
        | Reason::Undo(_) => Origin::There,
    }
}

impl Recorder<'_> {
    /// What becomes of links without any write to a side.
    pub(crate) fn links(&self, plan: &Plan, at: Timestamp) -> Result<Joined, StateError> {
        let mut records = Vec::new();
        let mut joined = Joined::default();
        for step in &plan.steps {
            if matches!(step.link, LinkPlan::Join { .. }) {
                *match origin(step, self.seen) {
                    Origin::There => &mut joined.there,
                    Origin::CreatedInLinq => &mut joined.created_in_linq,
                    Origin::AddedToSource => &mut joined.created_in_source,
                } += 1;
            }
            records.extend(self.link(step, at)?);
        }
        if !records.is_empty() {
            self.state.commit(self.run, at, &records)?;
        }
        Ok(joined)
    }

    fn link(&self, step: &Step, at: Timestamp) -> Result<Vec<Record>, StateError> {
        let only = |link: LinkChange| vec![Record { link, ..Record::default() }];
        let with = |link: LinkChange, entry: HistoryEntry| {
            vec![Record { link, history: vec![entry], ..Record::default() }]
        };
        Ok(match (&step.link, step.subject.link) {
            (LinkPlan::Join { base, doubt }, _) => vec![self.join(step, base, *doubt)],
            (LinkPlan::Agree(agreed), Some(id)) => {
                // By its bytes the record is known again, whatever looks like it by now.
                let record = step.subject.record.map(|index| record_at(self.seen, index));
                only(self.alike(id, agreed, record))
            }
            // With a write to make, the base waits for it.
            (LinkPlan::PutBack(_), Some(_)) if step.linq.is_some() || step.source.is_some() => {
                Vec::new()
            }
            (LinkPlan::PutBack(base), Some(id)) => only(self.put_back(id, base, None)),
            (LinkPlan::Relink(agreed), Some(id)) => {
                let mut records =
                    with(LinkChange::Relink(id), self.entry(step, Side::Linq, Action::Relink));
                records.extend(only(self.alike(id, agreed, None)));
                records
            }
            (LinkPlan::Release, Some(id)) => {
                with(LinkChange::Release(id), self.entry(step, Side::Linq, Action::Release))
            }
            (LinkPlan::Forget, Some(id)) => vec![self.forget(step, id)?],
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
                | LinkPlan::Forget
                | LinkPlan::Missing(_)
                | LinkPlan::Found,
                None,
            ) => Vec::new(),
        })
    }

    fn join(&self, step: &Step, base: &Base, doubt: Option<IntentId>) -> Record {
        let from_doubt = || {
            let doubt = self.seen.doubtful.iter().find(|d| Some(d.intent) == doubt)?;
            let DoubtfulCreate { key, fingerprint, .. } = doubt;
            Some(Known { key: key.clone(), fingerprint: *fingerprint, content: None })
        };
        let known = match step.subject.record {
            Some(index) => Some(Known::of(record_at(self.seen, index))),
            None => from_doubt(),
        };
        let link = match (known, step.subject.linq_id) {
            (Some(Known { key, fingerprint, content }), Some(linq_id)) => {
                LinkChange::Insert { linq_id, key, fingerprint, content, base: base.clone() }
            }
            (None, _) | (_, None) => LinkChange::Keep,
        };
        Record {
            intent: doubt.map(|intent| (intent, IntentOutcome::Landed)),
            link,
            history: vec![self.joining(step)],
            decided: carried_out(step, None),
            ..Record::default()
        }
    }

    /// What the history tells of a pair that was joined: that both were there, or that an
    /// interrupted run had created one of them, which an undo of this run takes back.
    fn joining(&self, step: &Step) -> HistoryEntry {
        let contact = step.subject.linq_id.and_then(|id| self.seen.linq.contacts.get(&id));
        let record = step.subject.record.map(|index| record_at(self.seen, index));
        match (origin(step, self.seen), contact, record) {
            (Origin::CreatedInLinq, Some(contact), _) => HistoryEntry {
                changes: filled(&contact.values),
                ..self.entry(step, Side::Linq, Action::Create)
            },
            (Origin::AddedToSource, _, Some(record)) => HistoryEntry {
                changes: filled(&record.values),
                source_key: Some(record.name_in_source()),
                ..self.entry(step, Side::Source, Action::Create)
            },
            (Origin::There | Origin::CreatedInLinq | Origin::AddedToSource, _, _) => {
                self.entry(step, Side::Linq, Action::Link)
            }
        }
    }

    fn forget(&self, step: &Step, id: LinkId) -> Result<Record, StateError> {
        let linq_id = self.find(id).map(|link| link.linq_id);
        let mut entry = self.entry(step, Side::Linq, Action::Forget);
        entry.before = linq_id.map(|id| self.state.raw_contact(id)).transpose()?.flatten();
        let gone = self.kept(Some(id)).filter(|_| step.subject.record.is_none());
        let entry = entry.with_gone(gone.map(|kept| kept.written));
        Ok(Record {
            link: LinkChange::Remove(id),
            contact: linq_id.map_or(ContactChange::Keep, ContactChange::Forget),
            history: vec![entry],
            ..Record::default()
        })
    }
}
