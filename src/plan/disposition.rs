//! How each linked pair stands once a plan is made: what a step that does nothing means.
//!
//! Owns the evidence for "in sync", which is the one that `verify` goes by: both halves
//! were seen and each field that takes part is the same, or differs for a reason that is
//! known. It is judged at the end, from what was seen and from what is left of the steps,
//! so that nothing which empties a step can make a pair look as if it were in sync.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{
    Field, FieldSet, Link, LinkId, LinkStatus, LinqContact, Policy, Side, SourceRecord,
};

use super::case::{Case, LinqHalf, SourceHalf};
use super::meant::meant_difference;
use super::observation::Observation;
use super::step::{Plan, Step};

/// How a linked pair stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Both sides have the same, or what each is meant to have.
    InSync,
    /// The plan does something about it.
    Acts,
    /// It waits for a person, or for `sync.delete_grace`.
    Waits,
    /// It is remembered and left alone.
    Released,
    /// Nothing is done about it, and it cannot be said to be in sync.
    Unknown(Unknown),
}

/// Why nothing is done about a pair that cannot be said to be in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// Linq says that the contact does not exist, and nothing proves it so far.
    SeemsGone,
    /// Linq's listing may not show everything, and does not show the contact.
    ListedInPart,
    /// So many contacts are missing that they are not asked for one by one.
    TooMany,
    /// Asking for the contact was not answered.
    NotAnswered,
    /// The record may be in a part of the source that could not be read.
    Unreadable,
    /// The record may be one that has nothing to recognise it by, or is ambiguous.
    Unrecognised,
    /// One half is gone from this side, and the direction lets nothing follow from that.
    OneWay(Side),
    /// One half is gone from this side, the other was edited, and the direction lets the edit
    /// not bring it back.
    EditStays(Side),
    /// One half is gone, or the two sides differ, and what the readings mean has changed since
    /// the last run.
    ChangedMeaning,
    /// The two sides differ, and the source must not be written now.
    ReadOnly,
    /// Nothing at all is written in this run.
    Halted,
    /// The two sides differ.
    Differs,
}

impl Unknown {
    /// Whether the next run can be expected to settle it without a person.
    pub const fn is_passing(self) -> bool {
        matches!(self, Unknown::SeemsGone)
    }

    /// Whether something else that is told, and keeps the run from being clean, is why.
    pub const fn is_told_otherwise(self) -> bool {
        matches!(
            self,
            Unknown::Unreadable | Unknown::Unrecognised | Unknown::ReadOnly | Unknown::Halted
        )
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unknown::SeemsGone => "seems to be gone from Linq; the next run makes sure",
            Unknown::ListedInPart => "Linq's listing is not whole and does not show the contact",
            Unknown::TooMany => "too many contacts are missing in Linq to ask for each",
            Unknown::NotAnswered => "asking Linq for the contact was not answered",
            Unknown::Unreadable => "the row or card may be among those that cannot be read",
            Unknown::Unrecognised => {
                "the row or card may be one that cannot be told from others at present"
            }
            Unknown::OneWay(Side::Linq) => {
                "gone from Linq, and sync.direction lets nothing follow in the source; edit the \
                 row to create the contact again, or remove the row"
            }
            Unknown::OneWay(Side::Source) => {
                "gone from the source, and sync.direction lets nothing follow in Linq; edit the \
                 contact to get the row back, or delete the contact"
            }
            Unknown::EditStays(Side::Linq) => {
                "gone from Linq and edited in the source, from where sync.direction sends nothing; \
                 remove the row as well if it is not needed"
            }
            Unknown::EditStays(Side::Source) => {
                "gone from the source and edited in Linq, from where sync.direction sends nothing; \
                 delete the contact as well if it is not needed"
            }
            Unknown::ChangedMeaning => {
                "the two sides differ, and nothing was deleted or cleared in the run after the \
                 columns, the mapping or the scope had changed; the next run looks again"
            }
            Unknown::ReadOnly => "the two sides differ, and the source is not written at present",
            Unknown::Halted => "nothing is written in this run",
            Unknown::Differs => "the two sides differ, and nothing is written in this run",
        })
    }
}

/// How the linked pairs stand, and what else is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standings {
    /// Pairs that are in sync.
    pub in_sync: usize,
    /// Pairs about which the plan does something.
    pub acts: usize,
    /// Pairs that wait.
    pub waits: usize,
    /// Pairs that are released.
    pub released: usize,
    /// Pairs that cannot be said to be in sync, by the reason.
    pub unknown: BTreeMap<Unknown, usize>,
    /// Records and contacts that are not linked, and about which the plan does something or
    /// will: they wait, or cannot be looked for yet.
    pub unlinked: usize,
}

impl Standings {
    /// The pairs that cannot be said to be in sync.
    pub fn all_unknown(&self) -> usize {
        self.unknown.values().sum()
    }

    /// All pairs.
    pub fn pair_count(&self) -> usize {
        self.in_sync + self.acts + self.waits + self.released + self.all_unknown()
    }

    /// Pairs that a person should look at, though nothing else says so.
    pub fn for_a_person(&self) -> usize {
        let told = |reason: &Unknown| !reason.is_passing() && !reason.is_told_otherwise();
        self.unknown.iter().filter(|(reason, _)| told(reason)).map(|(_, count)| count).sum()
    }

    /// What is not in sync for a reason that is known: the plan does something about it, or
    /// it waits.
    pub fn pending_count(&self) -> usize {
        self.acts + self.waits + self.unlinked
    }

    /// Whether each pair is in sync or released, and nothing else is open.
    pub fn is_in_sync(&self) -> bool {
        self.pending_count() + self.all_unknown() == 0
    }
}

/// How everything stands of which `cases` were made and `plan` is the finished plan.
pub(super) fn count_standings(
    cases: &[Case<'_>],
    plan: &Plan,
    seen: &Observation,
    policy: &Policy,
) -> Standings {
    let steps = plan.steps.iter().filter_map(|step| Some((step.subject.link?, step)));
    let steps: BTreeMap<LinkId, &Step> = steps.collect();
    let judge = DispositionJudge { plan, seen, policy };
    let mut standings = Standings { in_sync: seen.census.pairs, ..Standings::default() };
    for case in cases {
        let Some(link) = case.link() else {
            standings.unlinked += usize::from(judge.is_open(case));
            continue;
        };
        match judge.pair_disposition(case, link, steps.get(&link.id).copied()) {
            Disposition::InSync => standings.in_sync += 1,
            Disposition::Acts => standings.acts += 1,
            Disposition::Waits => standings.waits += 1,
            Disposition::Released => standings.released += 1,
            Disposition::Unknown(why) => *standings.unknown.entry(why).or_default() += 1,
        }
    }
    standings
}

/// How the pair of `case` stands; `None` where nobody is linked.
pub(super) fn disposition_of(
    case: &Case<'_>,
    plan: &Plan,
    seen: &Observation,
    policy: &Policy,
) -> Option<Disposition> {
    let step = |link: &Link| plan.steps.iter().find(|step| step.subject.link == Some(link.id));
    case.link().map(|link| {
        DispositionJudge { plan, seen, policy }.pair_disposition(case, link, step(link))
    })
}

struct DispositionJudge<'a> {
    plan: &'a Plan,
    seen: &'a Observation,
    policy: &'a Policy,
}

impl DispositionJudge<'_> {
    /// How the pair of `case` stands; `step` is what is left to be done about it, if
    /// anything.
    fn pair_disposition(&self, case: &Case<'_>, link: &Link, step: Option<&Step>) -> Disposition {
        match step {
            Some(step) if step.has_effect() => return Disposition::Acts,
            Some(step) if !step.waits.is_empty() => return Disposition::Waits,
            Some(_) | None => {}
        }
        if link.status == LinkStatus::Released {
            return Disposition::Released;
        }
        match case {
            Case::Pair { source, linq, .. } => self.at_rest(link, *source, *linq),
            // They always have a step, unless nothing at all is written.
            Case::Replaced { .. } | Case::Ambiguous { .. } => {
                Disposition::Unknown(self.unless_one_way(Unknown::Unrecognised))
            }
            Case::OnBoth { .. }
            | Case::InSource { .. }
            | Case::InLinq { .. }
            | Case::Orphan { .. }
            | Case::Candidate { .. }
            | Case::Copy { .. }
            | Case::Unidentifiable { .. }
            | Case::PossiblyCleared { .. }
            | Case::OutOfScope { .. }
            | Case::Unselected { .. }
            | Case::WithoutRecord { .. } => Disposition::Unknown(Unknown::Unrecognised),
        }
    }

    /// How a pair stands about which nothing is done.
    fn at_rest(&self, link: &Link, source: SourceHalf<'_>, linq: LinqHalf<'_>) -> Disposition {
        let unknown = match (source, linq) {
            (SourceHalf::Present(record), LinqHalf::Present(contact)) => {
                if self.unexplained_fields(link, record, contact).is_empty() {
                    return Disposition::InSync;
                }
                self.why_differing()
            }
            // To be released.
            (SourceHalf::Unselected(_), _) => self.unless_one_way(Unknown::ChangedMeaning),
            (_, LinqHalf::Unknown) => self.why_unseen(link),
            (_, LinqHalf::Unasked) => Unknown::TooMany,
            (SourceHalf::Unknown, _) if !self.seen.source.unreadable.is_empty() => {
                Unknown::Unreadable
            }
            (SourceHalf::Unknown, _) => Unknown::Unrecognised,
            (SourceHalf::Present(_), LinqHalf::Gone) => self.why_bereft(Side::Linq),
            (SourceHalf::Gone, LinqHalf::Present(_)) => self.why_bereft(Side::Source),
            // To be released, and to be forgotten.
            (_, LinqHalf::OutOfScope(_)) | (SourceHalf::Gone, LinqHalf::Gone) => {
                self.unless_one_way(Unknown::ChangedMeaning)
            }
        };
        Disposition::Unknown(unknown)
    }

    /// The fields that differ for no reason that is known.
    fn unexplained_fields(
        &self,
        link: &Link,
        record: &SourceRecord,
        contact: &LinqContact,
    ) -> FieldSet {
        let DispositionJudge { seen, policy, .. } = self;
        let mapped = seen.source.mapped;
        let differing = policy.canon.differing_fields(mapped, &record.values, &contact.values);
        let is_meant =
            |field: &Field| meant_difference(*field, link, record, contact, policy).is_some();
        differing.iter().filter(|field| !is_meant(field)).collect()
    }

    fn why_differing(&self) -> Unknown {
        let Observation { source, changed_meaning, .. } = self.seen;
        self.unless_one_way(match (&changed_meaning, &source.read_only) {
            (Some(_), _) => Unknown::ChangedMeaning,
            (None, Some(_)) => Unknown::ReadOnly,
            (None, None) => Unknown::Differs,
        })
    }

    fn why_unseen(&self, link: &Link) -> Unknown {
        let linq = &self.seen.linq;
        if linq.absence_unconfirmed.contains(&link.linq_id) {
            Unknown::SeemsGone
        } else if linq.incomplete.is_some() {
            Unknown::ListedInPart
        } else {
            Unknown::NotAnswered
        }
    }

    /// Why nothing follows from a half that is gone from `side`.
    fn why_bereft(&self, side: Side) -> Unknown {
        let unreadable = !self.seen.source.unreadable.is_empty();
        if self.seen.changed_meaning.is_some() {
            self.unless_one_way(Unknown::ChangedMeaning)
        } else if unreadable {
            self.unless_one_way(Unknown::Unreadable)
        } else if self.seen.source.read_only.is_some() {
            self.unless_one_way(Unknown::ReadOnly)
        } else if self.policy.may_write(side) {
            // What is gone could be created again, so that it is the other side which may
            // not be written.
            self.unless_one_way(Unknown::OneWay(side))
        } else {
            self.unless_one_way(Unknown::EditStays(side))
        }
    }

    /// `why`, unless nothing at all is written.
    fn unless_one_way(&self, why: Unknown) -> Unknown {
        if self.plan.halt.is_some() { Unknown::Halted } else { why }
    }

    /// Whether something that is not linked is not as it is to stay.
    fn is_open(&self, case: &Case<'_>) -> bool {
        match case {
            Case::InSource { .. } => self.policy.may_write(Side::Linq),
            Case::InLinq { .. } => self.policy.may_write(Side::Source),
            Case::OnBoth { .. }
            | Case::Orphan { .. }
            | Case::Candidate { .. }
            | Case::PossiblyCleared { .. }
            | Case::Ambiguous { .. } => true,
            Case::Pair { .. }
            | Case::Replaced { .. }
            | Case::Copy { .. }
            | Case::Unidentifiable { .. }
            | Case::OutOfScope { .. }
            | Case::Unselected { .. }
            | Case::WithoutRecord { .. } => false,
        }
    }
}

/// Tells of the pairs that are left alone, where nothing else does.
pub(super) fn disposition_notices(standings: &Standings, seen: &Observation) -> Vec<String> {
    let contacts = |count: usize| match count {
        1 => "1 linked contact".to_owned(),
        more => format!("{more} linked contacts"),
    };
    let notice = |(reason, pairs): (&Unknown, &usize)| {
        let count = contacts(*pairs);
        let incomplete = seen.linq.incomplete.as_ref().map(|incomplete| incomplete.why.as_str());
        let unseen = |why: &str| format!("{count} could not be seen in Linq: {why}");
        Some(match reason {
            Unknown::SeemsGone => {
                let seem = if *pairs == 1 { "seems" } else { "seem" };
                format!("{count} {seem} to be gone from Linq; the next run makes sure")
            }
            Unknown::ListedInPart => unseen(incomplete.unwrap_or("its listing is not whole")),
            Unknown::TooMany => unseen("they are too many to ask for each"),
            Unknown::NotAnswered => unseen("asking for them was not answered"),
            Unknown::Unreadable
            | Unknown::Unrecognised
            | Unknown::OneWay(_)
            | Unknown::EditStays(_)
            | Unknown::Differs => {
                format!("{count} left alone: {reason}")
            }
            // The run says so itself.
            Unknown::ChangedMeaning | Unknown::ReadOnly | Unknown::Halted => return None,
        })
    };
    standings.unknown.iter().filter_map(notice).collect()
}
