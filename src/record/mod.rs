//! Writes down what landed: the only code that advances the base.
//!
//! Each function turns one outcome into records of the state and commits them in
//! one transaction: the intent ends, the link and its base change, the mirror and
//! the history follow, or none of it. Leaves the network and the source's files
//! to [`crate::apply`].

mod displaced;
mod in_linq;
mod interrupted;
mod links;
mod meaning;
mod refused;
mod written;

use std::collections::BTreeSet;

use ecow::EcoString;

use crate::linq::Fetched;
use crate::mirror::{
    ContactChange, HistoryAction, HistoryEntry, IntentOutcome, KeptRecord, LinkChange,
    RejectionChange, State, StateChange, StateError,
};
use crate::model::{
    Agreement, Base, BaseChange, Decided, DecidedBy, Field, FieldChange, Fingerprint, Link, LinkId,
    LinkStatus, LinqId, Policy, RunId, Side, SourceKey, SourceRecord, Timestamp, Values,
    WaitingKind,
};
use crate::observe::record_at;
use crate::plan::{LinqWrite, Observation, Plan, Step};

pub(crate) use displaced::TakenBack;
pub(crate) use in_linq::{Creation, Parts};
pub(crate) use refused::RefusedField;
pub(crate) use written::SourceOutcome;

/// Writes outcomes of one run into the state.
#[derive(Clone, Copy)]
pub(crate) struct Recorder<'a> {
    pub(crate) state: &'a State,
    pub(crate) run: RunId,
    pub(crate) policy: &'a Policy,
    pub(crate) seen: &'a Observation,
}

/// What a record is known by between two readings.
#[derive(Clone)]
struct RecordIdentity {
    key: Option<SourceKey>,
    fingerprint: Fingerprint,
    content: Option<Fingerprint>,
}

impl RecordIdentity {
    fn of_record(record: &SourceRecord) -> RecordIdentity {
        let SourceRecord { key, fingerprint, content, .. } = record;
        RecordIdentity { key: key.clone(), fingerprint: *fingerprint, content: Some(*content) }
    }

    fn of_link(link: &Link) -> RecordIdentity {
        let Link { key, fingerprint, content, .. } = link;
        RecordIdentity { key: key.clone(), fingerprint: *fingerprint, content: *content }
    }
}

impl Recorder<'_> {
    /// The link after both sides agreed on further fields. `known` is the record
    /// where it was just written.
    fn agreed_change(
        &self,
        id: LinkId,
        agreed: &[(Field, Agreement)],
        known: Option<&SourceRecord>,
    ) -> LinkChange {
        let Some(link) = self.find_link(id) else { return LinkChange::Keep };
        let mut base = link.base.clone();
        for (field, agreement) in agreed {
            base.set(*field, agreement.clone());
        }
        if let Some(record) = known {
            base.see_names(record, self.policy.canon);
        }
        let RecordIdentity { key, fingerprint, content } =
            known.map_or_else(|| RecordIdentity::of_link(link), RecordIdentity::of_record);
        LinkChange::Update { id, key, fingerprint, content, base }
    }

    /// The link after it turned out that neither side is to be given anything in some
    /// fields: they have the same, or a person wants each to keep its own.
    fn alike_change(
        &self,
        id: LinkId,
        each: &[(Field, Agreement)],
        known: Option<&SourceRecord>,
    ) -> LinkChange {
        let mut change = self.agreed_change(id, &[], known);
        if let LinkChange::Update { base, .. } = &mut change {
            for (field, each) in each {
                base.set_agreement(*field, each.clone(), self.policy.canon);
            }
        }
        change
    }

    /// The link of a record that is written differently. What was edited after the contact
    /// was last seen stays an edit.
    fn rewritten_change(&self, id: LinkId, record: &SourceRecord) -> LinkChange {
        let mut change = self.agreed_change(id, &[], Some(record));
        if let LinkChange::Update { content, .. } = &mut change
            && let Some(link) = self.find_link(id)
            && !self.seen.linq.contacts.contains_key(&link.linq_id)
        {
            *content = link.content;
        }
        change
    }

    /// The link after both sides were put back to `base`. `known` is the record where it
    /// was just written.
    fn restored_base(&self, id: LinkId, back: &Base, known: Option<&SourceRecord>) -> LinkChange {
        let mut change = self.agreed_change(id, &[], known);
        if let LinkChange::Update { base, .. } = &mut change {
            back.agreed_fields().iter().for_each(|field| base.take_field(field, back));
        }
        change
    }

    /// What becomes of a link one half of which was deleted: a released pair stays
    /// remembered.
    fn half_deleted(&self, id: Option<LinkId>) -> LinkChange {
        match id.and_then(|id| self.find_link(id)).map(|link| (link.id, link.status)) {
            Some((id, LinkStatus::Linked)) => LinkChange::Remove(id),
            Some((_, LinkStatus::Released)) | None => LinkChange::Keep,
        }
    }

    /// What there is to know to put back a field that changed: it had `had` if nothing
    /// was agreed on, and both sides have `after` by now.
    fn base_change(
        &self,
        link: Option<LinkId>,
        field: Field,
        had: Agreement,
        after: Agreement,
    ) -> BaseChange {
        let base = link.and_then(|id| self.find_link(id)).map(|link| &link.base);
        let known = base.and_then(|base| Some((base.get(field)?.clone(), !base.is_apart(field))));
        let (before, agreed) = known.unwrap_or((had, false));
        BaseChange { field, before, agreed, after }
    }

    /// All that both sides had before somebody was deleted: what was seen last, or else
    /// what they had agreed on. Two values on which they had not agreed stay apart.
    fn last_known(
        &self,
        link: Option<LinkId>,
        source: Option<&Values>,
        linq: Option<&Values>,
    ) -> Vec<BaseChange> {
        let base = link.and_then(|id| self.find_link(id)).map(|link| &link.base);
        let agreed = |half: fn(&Base) -> Values| base.map(half).unwrap_or_default();
        let source = source.cloned().unwrap_or_else(|| agreed(Base::known_values));
        let linq = linq.cloned().unwrap_or_else(|| agreed(Base::linq_values));
        let canon = self.policy.canon;
        let were_agreed = |field: Field| {
            let known = base.and_then(|base| base.get(field));
            canon.means_same(field, &source[field], &linq[field])
                || known.is_some_and(|known| {
                    canon.means_same(field, &known.source, &source[field])
                        && canon.means_same(field, &known.linq, &linq[field])
                })
        };
        let all = Field::ALL.into_iter().map(|field| BaseChange {
            field,
            before: Agreement { source: source[field].clone(), linq: linq[field].clone() },
            agreed: were_agreed(field),
            after: Agreement::default(),
        });
        all.filter(|change| change.before != change.after).collect()
    }

    /// The record of a link as it was last read. Without it only the fields are known, which
    /// is no reason not to write down what was done.
    fn kept_record(&self, link: Option<LinkId>) -> Option<KeptRecord> {
        let kept = self.state.kept_record(link?);
        kept.unwrap_or_else(|error| {
            tracing::warn!(%error, "what was read last of a record cannot be looked up");
            None
        })
    }

    fn find_link(&self, id: LinkId) -> Option<&Link> {
        let links = &self.seen.links;
        links.binary_search_by_key(&id, |link| link.id).ok().map(|position| &links[position])
    }

    /// A contact that Linq showed meanwhile.
    pub(crate) fn record_shown(&self, fetched: &Fetched, at: Timestamp) -> Result<(), StateError> {
        let record = StateChange { contact: contact_change(fetched), ..StateChange::default() };
        self.state.commit_outcome(self.run, at, &[record])
    }

    /// What the reading tells beyond the steps: how records are written now, which
    /// of them are nobody's, which intents are settled, and which refusals no longer
    /// matter because something else would be sent by now.
    pub(crate) fn record_reading(&self, plan: &Plan, at: Timestamp) -> Result<(), StateError> {
        let rewritten: Vec<StateChange> = plan
            .rewritten
            .iter()
            .map(|(id, index)| {
                let link = self.rewritten_change(*id, record_at(self.seen, *index));
                StateChange { link, ..StateChange::default() }
            })
            .collect();
        let outdated = self
            .seen
            .refused
            .keys()
            .filter(|what| plan.halt.is_none() && !plan.refused.contains(what))
            .map(|what| StateChange {
                rejection: RejectionChange::Remove(*what),
                ..StateChange::default()
            });
        let records: Vec<StateChange> = rewritten.into_iter().chain(outdated).collect();
        if !records.is_empty() {
            self.state.commit_changes(self.run, at, &records)?;
        }
        let nobodies: BTreeSet<Fingerprint> =
            plan.nobodies.iter().map(|index| record_at(self.seen, *index).fingerprint).collect();
        if nobodies != self.seen.source.known_nobodies {
            self.state.remember_nobodies(&nobodies)?;
        }
        for intent in &plan.settled {
            self.state.close_intent(*intent, IntentOutcome::Abandoned)?;
        }
        Ok(())
    }
}

fn contact_change(fetched: &Fetched) -> ContactChange {
    ContactChange::Store { contact: Box::new(fetched.contact.clone()), raw: fetched.raw.clone() }
}

impl Recorder<'_> {
    /// What the history tells of something that `step` did to a whole contact.
    fn step_entry(&self, step: &Step, side: Side, action: HistoryAction) -> HistoryEntry {
        HistoryEntry { decided: self.decided_by(step, None), ..history_entry(step, side, action) }
    }

    /// What the history tells of the changes in `set`: one entry for each reason and each
    /// decision that they have, with what `base` knows of its fields.
    fn update_entries(
        &self,
        step: &Step,
        side: Side,
        set: &[FieldChange],
        base: &dyn Fn(&FieldChange) -> Option<BaseChange>,
    ) -> Vec<HistoryEntry> {
        let mut entries: Vec<HistoryEntry> = Vec::new();
        for change in set {
            let reason = step.reason_of(change.field);
            let decided = self.decided_by(step, Some(change.field));
            let is_of = |entry: &HistoryEntry| entry.reason == reason && entry.decided == decided;
            let at = entries.iter().position(is_of).unwrap_or_else(|| {
                let new = history_entry(step, side, HistoryAction::Update);
                entries.push(HistoryEntry { reason, decided, ..new });
                entries.len() - 1
            });
            entries[at].changes.push(change.clone());
            entries[at].bases.extend(base(change));
        }
        for entry in &mut entries {
            entry.approved = step.is_all_decided(&entry.changes);
        }
        entries
    }

    /// Who decided what `step` does to `field`, or to the whole contact.
    fn decided_by(&self, step: &Step, field: Option<Field>) -> Option<DecidedBy> {
        let mut decided = step.decided.iter().filter_map(|one| {
            let decided = self.seen.decisions.decided_about(one.question_id)?;
            let is_whole = matches!(decided.about.kind, WaitingKind::Rejected { field: None, .. });
            (one.field == field || is_whole).then_some(decided)
        });
        decided.next().map(Decided::decided_by)
    }
}

fn history_entry(step: &Step, side: Side, action: HistoryAction) -> HistoryEntry {
    HistoryEntry {
        side,
        action,
        linq_id: step.subject.linq_id,
        source_key: step.subject.source_key.clone(),
        name: step.subject.name.clone(),
        changes: Vec::new(),
        bases: Vec::new(),
        before: None,
        record: None,
        version: None,
        place: None,
        bytes: None,
        reason: step.reason.to_string(),
        approved: step.approved,
        decided: None,
    }
}

/// What both sides have after an update that puts `base` back was answered.
fn answered_base(base: &Base, set: &[FieldChange], answer: &Values) -> Base {
    let mut answered = base.clone();
    for FieldChange { field, .. } in set {
        let Some(Agreement { source, .. }) = base.get(*field) else { continue };
        let each = Agreement { source: source.clone(), linq: answer[*field].clone() };
        if base.is_apart(*field) {
            answered.set_apart(*field, each);
        } else {
            answered.set(*field, each);
        }
    }
    answered
}

/// The decisions about the whole contact of `step`, or about the fields of `set`.
fn carried_out(step: &Step, set: Option<&[FieldChange]>) -> Vec<Fingerprint> {
    let is_of = |field: Option<Field>| match (field, set) {
        (None, None) => true,
        (Some(field), Some(set)) => set.iter().any(|change| change.field == field),
        (None, Some(_)) | (Some(_), None) => false,
    };
    step.decided.iter().filter(|one| is_of(one.field)).map(|one| one.question_id).collect()
}

fn emptied_values(values: &Values) -> Vec<FieldChange> {
    let change = |field| FieldChange { field, from: values[field].clone(), to: EcoString::new() };
    values.filled_fields().iter().map(change).collect()
}

fn filled_values(values: &Values) -> Vec<FieldChange> {
    let fields = values.filled_fields();
    let change = |field| FieldChange { field, from: EcoString::new(), to: values[field].clone() };
    fields.iter().map(change).collect()
}

/// The id that a step's contact has in Linq.
pub(crate) fn linq_id(write: &LinqWrite) -> Option<LinqId> {
    match write {
        LinqWrite::Create { .. } => None,
        LinqWrite::Update { id, .. } | LinqWrite::Delete { id, .. } => Some(*id),
    }
}
