//! What a plan leaves waiting, and the decisions of people about it.
//!
//! A decision is bound to exactly what was shown: who it is about, and every value
//! involved. With other values it is another question.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Canon, Decision, Field, FieldSet, Fingerprint, LinqContact, Side, SourceRecord, Values,
    Waiting, WaitingKind, full_name_key, names_contradict,
};

use super::keys::MatchKey;
use super::observation::Observation;
use super::step::{Plan, Step, Subject, Wait};

/// Everything that `plan` leaves for a person to decide or repair, in its order.
pub fn list_waiting(plan: &Plan, seen: &Observation) -> Vec<Waiting> {
    let steps = plan.steps.iter().flat_map(|step| {
        step.waits
            .iter()
            .filter_map(|wait| Some(waiting_entry(step, waiting_kind(wait)?, wait, seen)))
    });
    let unreadable = seen.source.unreadable.iter().map(|row| {
        let kind = WaitingKind::Rejected { field: None, refusal: None, side: Side::Linq };
        let about = [row.label.as_str(), row.reason.as_str()].join("\n");
        Waiting {
            question_id: Fingerprint::of(about.as_bytes()),
            kind,
            linq_id: None,
            source_key: Some(row.label.clone()),
            label: Some(row.label.clone()),
            line: Some(row.line),
            person: Values::default(),
            reason: row.reason.clone(),
            value: None,
            cell: None,
        }
    });
    steps.chain(unreadable).collect()
}

fn waiting_entry(step: &Step, kind: WaitingKind, wait: &Wait, seen: &Observation) -> Waiting {
    let Subject { linq_id, record, ref source_key, line, .. } = step.subject;
    let record = record.map(|index| seen.source.record_at(index));
    let contact = linq_id.and_then(|id| seen.linq.contacts.get(&id));
    let known = || {
        let link = seen.links.iter().find(|link| Some(link.id) == step.subject.link);
        link.map(|link| link.base.linq_values()).unwrap_or_default()
    };
    let values = record.map(|r| r.values.clone()).or_else(|| contact.map(|c| c.values.clone()));
    let identity: FieldSet = Field::IDENTITY.into_iter().collect();
    let (value, cell) = rejected_value(&kind, record, contact, seen).unzip();
    Waiting {
        value,
        cell,
        question_id: question_id(&kind, &step.subject, seen),
        linq_id,
        source_key: source_key.clone(),
        label: record.map(|record| record.label.clone()),
        line,
        person: values.unwrap_or_else(known).only_fields(identity),
        reason: waiting_reason(step, wait),
        kind,
    }
}

/// The value of a field that a side cannot take, as the other side has it, and where in the
/// source it stands or would stand.
fn rejected_value(
    kind: &WaitingKind,
    record: Option<&SourceRecord>,
    contact: Option<&LinqContact>,
    seen: &Observation,
) -> Option<(String, String)> {
    match kind {
        WaitingKind::Rejected { field, side: Side::Linq, .. } => {
            let (field, record) = ((*field)?, record?);
            Some((record.values[field].to_string(), cell_name(field, record, seen)))
        }
        WaitingKind::Rejected { field, side: Side::Source, .. } => {
            let (field, contact) = ((*field)?, contact?);
            let cell = record.map_or_else(
                || {
                    seen.source
                        .columns
                        .get(&field)
                        .map_or(String::new(), |name| format!("`{name}`"))
                },
                |record| cell_name(field, record, seen),
            );
            Some((contact.values[field].to_string(), cell))
        }
        WaitingKind::Conflict { .. }
        | WaitingKind::Ambiguous { .. }
        | WaitingKind::HeldDeletion { .. }
        | WaitingKind::HeldClearing { .. }
        | WaitingKind::HeldChange { .. } => None,
    }
}

/// Where the value of a field stands, for people: "`Phone` in row 7".
pub fn cell_name(field: Field, record: &SourceRecord, seen: &Observation) -> String {
    record.cell_name(field, &seen.source.columns)
}

/// What sort of thing waits; `None` for what waits for nobody.
pub(super) fn waiting_kind(wait: &Wait) -> Option<WaitingKind> {
    Some(match wait.clone() {
        Wait::Conflict { field, base, source, linq, .. } => {
            WaitingKind::Conflict { field, base, source, linq }
        }
        Wait::Ambiguous { candidates } => WaitingKind::Ambiguous { candidates },
        Wait::HeldDeletion(side) => WaitingKind::HeldDeletion { side },
        Wait::HeldClearing(side, change) => WaitingKind::HeldClearing { side, change },
        Wait::HeldChange { side, change, .. } => WaitingKind::HeldChange { side, change },
        Wait::Rejected { field, refusal, side, .. } => {
            WaitingKind::Rejected { field, refusal, side }
        }
        Wait::Grace(_) => return None,
    })
}

fn waiting_reason(step: &Step, wait: &Wait) -> String {
    match wait {
        Wait::Conflict { field, clash, .. } => clash.clash_reason(*field),
        Wait::HeldDeletion(side) => format!("{}; deleting it in {side} is held", step.reason),
        Wait::HeldClearing(side, change) => format!("clearing {} in {side} is held", change.field),
        Wait::HeldChange { reason, .. } | Wait::Rejected { reason, .. } => reason.clone(),
        Wait::Ambiguous { .. } | Wait::Grace(_) => step.reason.to_string(),
    }
}

/// The fingerprint of what waits: of the question, whom it is about, and the record
/// as it is written where the question is who that is. What Linq refused of a contact is
/// bound to its value by what it is known by.
pub(super) fn question_id(
    kind: &WaitingKind,
    subject: &Subject,
    seen: &Observation,
) -> Fingerprint {
    let record = match kind {
        WaitingKind::Rejected { refusal: Some(_), .. } if subject.linq_id.is_some() => None,
        WaitingKind::Ambiguous { .. } | WaitingKind::Rejected { .. } => {
            subject.record.map(|index| seen.source.record_at(index))
        }
        WaitingKind::Conflict { .. }
        | WaitingKind::HeldDeletion { .. }
        | WaitingKind::HeldClearing { .. }
        | WaitingKind::HeldChange { .. } => None,
    };
    let written = record.map(|record| record.fingerprint);
    let about = (kind, subject.link, subject.linq_id, written);
    // Serialising these types cannot fail: they hold texts and numbers.
    let about = match record.map_or(0, |record| record.twin) {
        0 => serde_json::to_vec(&about),
        // Of rows with the same bytes each has a question of its own.
        twin => serde_json::to_vec(&(about, twin)),
    };
    Fingerprint::of(&about.unwrap_or_default())
}

/// What was decided about something that would wait, if anything was.
pub(super) fn decided_about<'a>(
    kind: &WaitingKind,
    subject: &Subject,
    seen: &'a Observation,
) -> Option<&'a Decision> {
    if seen.decisions.is_empty() {
        return None;
    }
    seen.decisions.decision_about(question_id(kind, subject, seen))
}

/// Whether a person has approved what would wait.
pub(super) fn is_approved(kind: &WaitingKind, subject: &Subject, seen: &Observation) -> bool {
    match decided_about(kind, subject, seen) {
        Some(Decision::Approve) => true,
        Some(
            Decision::Reject
            | Decision::Take { .. }
            | Decision::Value { .. }
            | Decision::Link { .. }
            | Decision::Separate
            | Decision::Retry,
        )
        | None => false,
    }
}

/// Whether a person has rejected what would wait.
pub(super) fn is_rejected(kind: &WaitingKind, subject: &Subject, seen: &Observation) -> bool {
    decided_about(kind, subject, seen) == Some(&Decision::Reject)
}

/// Groups of contacts within one side that look like one: they share a key by which
/// records and contacts are matched, or their full name. Each group has at least two
/// members, in order.
pub fn find_duplicates<Id: Copy + Ord>(contacts: &[(Id, &Values)], canon: Canon) -> Vec<Vec<Id>> {
    let by_key = MatchKey::ALL.into_iter().flat_map(|key| {
        let alike = move |a: &Values, b: &Values| key.is_evidence(a, b) && !names_contradict(a, b);
        sharing_key(contacts, |values| key.key_value(values, canon), alike)
    });
    let mut found: Vec<Option<BTreeSet<Id>>> = Vec::new();
    // Which groups each contact is in: others have nothing to do with one of its groups.
    let mut groups_of: BTreeMap<Id, Vec<usize>> = BTreeMap::new();
    for group in by_key.chain(sharing_key(contacts, full_name_key, |_, _| true)) {
        let group: BTreeSet<Id> = group.into_iter().collect();
        let near = group.iter().filter_map(|id| groups_of.get(id)).flatten();
        let near: BTreeSet<usize> = near.copied().collect();
        let is_within =
            |other: &usize| found[*other].as_ref().is_some_and(|other| group.is_subset(other));
        if near.iter().any(is_within) {
            continue;
        }
        for other in near {
            found[other].take_if(|other| other.is_subset(&group));
        }
        for id in &group {
            groups_of.entry(*id).or_default().push(found.len());
        }
        found.push(Some(group));
    }
    let groups = found.into_iter().flatten().map(|group| group.into_iter().collect());
    let mut groups: Vec<Vec<Id>> = groups.collect();
    groups.sort();
    groups
}

/// Those of `contacts` that share a key and look like the first of them with it.
fn sharing_key<Id: Copy>(
    contacts: &[(Id, &Values)],
    key: impl Fn(&Values) -> Option<String>,
    alike: impl Fn(&Values, &Values) -> bool,
) -> Vec<Vec<Id>> {
    let mut by_key: BTreeMap<String, Vec<(Id, &Values)>> = BTreeMap::new();
    for (id, values) in contacts {
        if let Some(key) = key(values) {
            by_key.entry(key).or_default().push((*id, values));
        }
    }
    let groups = by_key.values().map(|group| {
        let like_first = group.iter().filter(|(_, values)| alike(group[0].1, values));
        like_first.map(|(id, _)| *id).collect::<Vec<Id>>()
    });
    groups.filter(|group| group.len() > 1).collect()
}
