//! The decisions of people about what waited.
//!
//! Owns when one still holds, and when it is void because what was shown has changed. A
//! decision about a conflict holds while each side has either what was shown, or what was
//! decided: so a run that was interrupted between the two sides is finished by the next.
//! Leaves carrying them out to [`super::merge`], [`super::pairs`] and [`super::guard`].

use std::collections::BTreeMap;

use crate::model::{
    Canon, Decided, Decision, Field, FieldSet, Fingerprint, LinkStatus, LinqId, Policy, Side,
    Values, Waiting, WaitingKind,
};

use super::case::{Case, LinqHalf, SourceHalf};
use super::correlate::correlate_cases;
use super::observation::Observation;
use super::step::{Plan, Step, Wait};

/// What people decided about what waited.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    by_question: BTreeMap<Fingerprint, Decided>,
    /// The questions about conflicts, by contact and field.
    conflicts: BTreeMap<(LinqId, Field), Fingerprint>,
}

impl FromIterator<Decided> for Decisions {
    fn from_iter<I: IntoIterator<Item = Decided>>(decided: I) -> Decisions {
        let mut all = Decisions::default();
        for one in decided {
            let what = one.about.question_id;
            if let (WaitingKind::Conflict { field, .. }, Some(id)) =
                (&one.about.kind, one.about.linq_id)
            {
                all.conflicts.insert((id, *field), what);
            }
            all.by_question.insert(what, one);
        }
        all
    }
}

/// What a person decided about the conflict of a field.
#[derive(Clone, Copy)]
pub(super) struct Resolution<'a> {
    /// The question.
    pub(super) question_id: Fingerprint,
    /// The source's value that was shown.
    source: &'a str,
    /// Linq's value that was shown.
    linq: &'a str,
    /// What was decided.
    pub(super) decision: &'a Decision,
}

impl Resolution<'_> {
    /// The value that both sides are to have, if that is what was decided.
    pub(super) fn wanted_value(&self) -> Option<&str> {
        match self.decision {
            Decision::Take { side: Side::Source } => Some(self.source),
            Decision::Take { side: Side::Linq } => Some(self.linq),
            Decision::Value { value } => Some(value),
            Decision::Approve
            | Decision::Reject
            | Decision::Link { .. }
            | Decision::Separate
            | Decision::Retry => None,
        }
    }

    /// The side whose value is to stand on both, if it is that of a side.
    pub(super) const fn standing_side(&self) -> Option<Side> {
        match self.decision {
            Decision::Take { side } => Some(*side),
            Decision::Value { .. }
            | Decision::Approve
            | Decision::Reject
            | Decision::Link { .. }
            | Decision::Separate
            | Decision::Retry => None,
        }
    }

    /// Whether each side has what was shown, or what was decided.
    pub(super) fn still_holds(&self, field: Field, source: &str, linq: &str, canon: Canon) -> bool {
        let Some(wanted) = self.wanted_value() else { return false };
        let is = |shown: &str, now: &str| {
            canon.means_same(field, shown, now) || canon.means_same(field, wanted, now)
        };
        is(self.source, source) && is(self.linq, linq)
    }
}

impl Decisions {
    /// What was decided about the question `what`.
    pub fn decision_about(&self, what: Fingerprint) -> Option<&Decision> {
        self.by_question.get(&what).map(|decided| &decided.decision)
    }

    /// Who decided the question `what`.
    pub fn decided_about(&self, what: Fingerprint) -> Option<&Decided> {
        self.by_question.get(&what)
    }

    /// What was decided, if `to` was to become the value of a field of a contact by it.
    pub fn for_value(&self, id: LinqId, field: Field, to: &str, canon: Canon) -> Option<&Decided> {
        let same = |text: &str| canon.means_same(field, text, to);
        let wants = |decided: &&Decided| match (&decided.about.kind, &decided.decision) {
            (WaitingKind::Conflict { field: of, .. }, _) => {
                let resolution = self.conflict_resolution(id, field).filter(|_| *of == field);
                resolution.is_some_and(|one| one.wanted_value().is_some_and(same))
            }
            (
                WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. },
                decision,
            ) if change.field == field => match decision {
                Decision::Approve => same(&change.to),
                Decision::Reject => same(&change.from),
                Decision::Take { .. }
                | Decision::Value { .. }
                | Decision::Link { .. }
                | Decision::Separate
                | Decision::Retry => false,
            },
            _ => false,
        };
        let of_it = |decided: &&Decided| decided.about.linq_id == Some(id);
        self.by_question.values().filter(of_it).find(wants)
    }

    /// The question about who the record with this label and these values is, if one was
    /// decided.
    pub(super) fn of_record(&self, label: &str, values: &Values) -> Option<Fingerprint> {
        let identity: FieldSet = Field::IDENTITY.into_iter().collect();
        let is_it = |about: &&Waiting| {
            matches!(about.kind, WaitingKind::Ambiguous { .. })
                && about.label.as_deref() == Some(label)
                && about.person == values.only_fields(identity)
        };
        let mut all = self.by_question.values().map(|decided| &decided.about);
        all.find(is_it).map(|about| about.question_id)
    }

    /// What was decided about the conflict of a field of a contact.
    pub(super) fn conflict_resolution(&self, id: LinqId, field: Field) -> Option<Resolution<'_>> {
        let what = *self.conflicts.get(&(id, field))?;
        let decided = self.by_question.get(&what)?;
        let WaitingKind::Conflict { source, linq, .. } = &decided.about.kind else { return None };
        Some(Resolution { question_id: what, source, linq, decision: &decided.decision })
    }

    /// The contacts that the decisions are about, or name.
    pub fn decided_contacts(&self) -> impl Iterator<Item = LinqId> {
        self.by_question.values().flat_map(|decided| {
            let named = match decided.decision {
                Decision::Link { linq_id } => Some(linq_id),
                Decision::Approve
                | Decision::Reject
                | Decision::Take { .. }
                | Decision::Value { .. }
                | Decision::Separate
                | Decision::Retry => None,
            };
            decided.about.linq_id.into_iter().chain(named)
        })
    }

    /// Whether nothing was decided.
    pub fn is_empty(&self) -> bool {
        self.by_question.is_empty()
    }
}

/// A decision that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// The question.
    pub question_id: Fingerprint,
    /// What to tell people, where it was not carried out.
    pub void: Option<String>,
}

/// The decisions in `seen` that are over, after everything was done: those that were
/// carried out, and those that are void, because what was shown has changed. One about
/// what still waits, or about what this run could not see, goes on. `open` is the plan of
/// what is left, and `waiting` what it leaves waiting.
pub fn decisions_over(
    seen: &Observation,
    policy: &Policy,
    open: &Plan,
    waiting: &[Waiting],
) -> Vec<Over> {
    if seen.decisions.is_empty() || open.halt.is_some() {
        return Vec::new();
    }
    let cases = correlate_cases(seen, policy);
    let all = seen.decisions.by_question.values();
    let judged = all
        .filter(|decided| waiting.iter().all(|one| one.question_id != decided.about.question_id));
    let judge = DecisionJudge { seen, policy, open, cases: &cases };
    judged.filter_map(|decided| judge.judge_decision(decided)).collect()
}

/// What is known of what a decision is about.
enum DecisionState {
    /// It was carried out, or both sides are as it wanted.
    Done,
    /// It still is to be carried out, or cannot be told.
    Open,
    /// Things have changed.
    Changed,
}

struct DecisionJudge<'a> {
    seen: &'a Observation,
    policy: &'a Policy,
    open: &'a Plan,
    cases: &'a [Case<'a>],
}

impl DecisionJudge<'_> {
    fn judge_decision(&self, decided: &Decided) -> Option<Over> {
        let over = |void| Some(Over { question_id: decided.about.question_id, void });
        match self.decision_state(decided) {
            DecisionState::Open => None,
            DecisionState::Done => over(None),
            DecisionState::Changed => over(Some(void_text(&decided.about))),
        }
    }

    fn decision_state(&self, decided: &Decided) -> DecisionState {
        let Waiting { kind, linq_id, .. } = &decided.about;
        match kind {
            WaitingKind::Ambiguous { .. } => self.of_ambiguous(decided),
            WaitingKind::Rejected { .. } => self.of_refused(decided, linq_id.as_ref()),
            WaitingKind::Conflict { .. }
            | WaitingKind::HeldDeletion { .. }
            | WaitingKind::HeldClearing { .. }
            | WaitingKind::HeldChange { .. } => match linq_id {
                Some(id) => self.of_pair(decided, *id),
                None => DecisionState::Changed,
            },
        }
    }

    fn of_ambiguous(&self, decided: &Decided) -> DecisionState {
        let is_blind =
            self.seen.linq.incomplete.is_some() || !self.seen.source.unreadable.is_empty();
        match &decided.decision {
            Decision::Link { linq_id } => {
                let linked = self.seen.links.iter().any(|link| link.linq_id == *linq_id);
                if linked {
                    DecisionState::Done
                } else if is_blind {
                    DecisionState::Open
                } else {
                    DecisionState::Changed
                }
            }
            Decision::Separate if is_blind => DecisionState::Open,
            Decision::Separate
            | Decision::Approve
            | Decision::Reject
            | Decision::Take { .. }
            | Decision::Value { .. }
            | Decision::Retry => DecisionState::Done,
        }
    }

    /// What was refused, and waits no longer though nothing was sent: its value is another,
    /// or this run could not see all of it.
    fn of_refused(&self, decided: &Decided, id: Option<&LinqId>) -> DecisionState {
        let carries = |step: &Step| {
            step.decided
                .iter()
                .any(|carried_out| carried_out.question_id == decided.about.question_id)
        };
        if self.open.steps.iter().any(carries) {
            return DecisionState::Open;
        }
        let is_whole = match id {
            None => self.seen.source.unreadable.is_empty(),
            Some(id) => self.cases.iter().any(|case| {
                case.linked_pair().is_some_and(|(link, source, linq)| {
                    link.linq_id == *id && source.record().is_some() && linq.contact().is_some()
                })
            }),
        };
        if is_whole && self.seen.linq.incomplete.is_none() {
            DecisionState::Changed
        } else {
            DecisionState::Open
        }
    }

    fn of_pair(&self, decided: &Decided, id: LinqId) -> DecisionState {
        let of_it = |case: &&Case<'_>| case.link().is_some_and(|link| link.linq_id == id);
        let Some(case) = self.cases.iter().find(of_it) else {
            // The pair is no more: what was approved is done, and else nothing is left.
            let deletion = matches!(decided.about.kind, WaitingKind::HeldDeletion { .. });
            return if deletion { DecisionState::Done } else { DecisionState::Changed };
        };
        let Case::Pair { link, source, linq } = case else { return DecisionState::Open };
        if link.status == LinkStatus::Released {
            return DecisionState::Changed;
        }
        if let WaitingKind::HeldDeletion { side } = decided.about.kind {
            let is_back = match side {
                Side::Linq => matches!(source, SourceHalf::Present(_) | SourceHalf::Unselected(_)),
                Side::Source => matches!(linq, LinqHalf::Present(_)),
            };
            return if !is_back {
                DecisionState::Open
            } else if decided.decision == Decision::Reject {
                DecisionState::Done
            } else {
                DecisionState::Changed
            };
        }
        let (SourceHalf::Present(record), LinqHalf::Present(contact)) = (source, linq) else {
            return DecisionState::Open;
        };
        let field = field_of(&decided.about.kind);
        if field.is_some_and(|field| self.is_stuck(id, field)) {
            return DecisionState::Open;
        }
        let canon = self.policy.canon;
        let same = |field: Field, a: &str, b: &str| canon.means_same(field, a, b);
        match &decided.about.kind {
            WaitingKind::HeldClearing { side, change }
            | WaitingKind::HeldChange { side, change } => {
                let now = match side {
                    Side::Linq => &contact.values[change.field],
                    Side::Source => &record.values[change.field],
                };
                let there = match side {
                    Side::Linq => &record.values[change.field],
                    Side::Source => &contact.values[change.field],
                };
                let done = if decided.decision == Decision::Reject {
                    same(change.field, there, &change.from)
                } else {
                    same(change.field, now, &change.to)
                };
                let is_as_shown =
                    same(change.field, now, &change.from) && same(change.field, there, &change.to);
                if done {
                    DecisionState::Done
                } else if is_as_shown {
                    DecisionState::Open
                } else {
                    DecisionState::Changed
                }
            }
            WaitingKind::Conflict { field, .. } => {
                let (source, linq) = (&record.values[*field], &contact.values[*field]);
                let agreed = link.base.get(*field).is_some_and(|agreed| {
                    same(*field, &agreed.source, source) && same(*field, &agreed.linq, linq)
                });
                let resolution = self.seen.decisions.conflict_resolution(id, *field);
                let holds =
                    resolution.is_some_and(|one| one.still_holds(*field, source, linq, canon));
                if agreed || same(*field, source, linq) {
                    DecisionState::Done
                } else if holds {
                    DecisionState::Open
                } else {
                    DecisionState::Changed
                }
            }
            WaitingKind::HeldDeletion { .. }
            | WaitingKind::Ambiguous { .. }
            | WaitingKind::Rejected { .. } => DecisionState::Open,
        }
    }

    /// Whether something is still to be done about a field, or cannot be.
    fn is_stuck(&self, id: LinqId, field: Field) -> bool {
        let mut steps = self.open.steps.iter().filter(|step| step.subject.linq_id == Some(id));
        steps.any(|step| {
            let changes = Side::ALL.into_iter().flat_map(|side| step.changes_on(side));
            let waits = |wait: &Wait| matches!(wait, Wait::Rejected { field: of, .. } if of.is_none_or(|of| of == field));
            changes.into_iter().any(|change| change.field == field) || step.waits.iter().any(waits)
        })
    }
}

fn field_of(kind: &WaitingKind) -> Option<Field> {
    match kind {
        WaitingKind::Conflict { field, .. } => Some(*field),
        WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. } => {
            Some(change.field)
        }
        WaitingKind::HeldDeletion { .. }
        | WaitingKind::Ambiguous { .. }
        | WaitingKind::Rejected { .. } => None,
    }
}

/// That a decision is void, for people.
fn void_text(about: &Waiting) -> String {
    let name = about.person.display_name();
    let name = if name.is_empty() { about.label.clone().unwrap_or_default() } else { name };
    let what = match (&about.kind, field_of(&about.kind)) {
        (WaitingKind::HeldDeletion { side }, _) => format!("its deletion in {side}"),
        (WaitingKind::Rejected { field: Some(field), .. }, _) => format!("sending {field} again"),
        (WaitingKind::Rejected { field: None, .. }, _) => "sending it again".to_owned(),
        (_, Some(field)) => field.to_string(),
        (_, None) => "who it is".to_owned(),
    };
    format!(
        "{name}: the decision about {what} was not carried out, since what was shown has \
         changed; if it still waits, it is listed again"
    )
}
