//! The cases that a plan is made of: everybody who was seen, once.
//!
//! Owns the account that nobody was dropped. Leaves telling who is who to
//! [`super::correlate`].

use crate::model::{Base, Link, LinqContact, LinqId, SourceRecord};

use super::observation::{DoubtfulCreate, Observation};
use super::step::Tier;

/// Somebody, as both sides and the state know them.
#[derive(Clone, Debug)]
pub(super) enum Case<'a> {
    /// A linked pair.
    Pair { link: &'a Link, source: SourceHalf<'a>, linq: LinqHalf<'a> },
    /// A linked record whose contact is gone and that gets another: the `contact` that
    /// is the same person, or what the create in `doubt` has made.
    Replaced {
        link: &'a Link,
        record: &'a SourceRecord,
        contact: Option<&'a LinqContact>,
        doubt: Option<&'a DoubtfulCreate>,
    },
    /// The same person on both sides, not linked yet. The `base` is what is known to
    /// have been agreed on; the `doubt` is settled by the link.
    OnBoth {
        record: &'a SourceRecord,
        contact: &'a LinqContact,
        tier: Tier,
        base: Box<Base>,
        doubt: Option<&'a DoubtfulCreate>,
    },
    /// In the source only.
    InSource { record: &'a SourceRecord, doubt: Option<&'a DoubtfulCreate> },
    /// In Linq only.
    InLinq { contact: &'a LinqContact },
    /// Created by an interrupted run, from a record that is gone by now.
    Orphan { contact: &'a LinqContact, doubt: &'a DoubtfulCreate },
    /// A record that may be one of several people. Its `link` is to a contact that is
    /// gone.
    Ambiguous {
        record: &'a SourceRecord,
        link: Option<&'a Link>,
        doubt: Option<&'a DoubtfulCreate>,
        candidates: Vec<LinqId>,
        why: String,
    },
    /// A record that is the same, to the last column, as one that has the same key.
    Copy { record: &'a SourceRecord, of: &'a SourceRecord },
    /// A contact that waits for an ambiguous record.
    Candidate { contact: &'a LinqContact },
    /// A record that has nothing to recognise a person by.
    Unidentifiable { record: &'a SourceRecord },
    /// Such a record that is new, while a linked one is missing: it may be that
    /// person, with name, e-mail and phone cleared.
    PossiblyCleared { record: &'a SourceRecord },
    /// A contact outside the configured scope.
    OutOfScope { contact: &'a LinqContact },
    /// A record outside the selection of the source, which is not linked.
    Unselected { record: &'a SourceRecord },
    /// A contact that gets no record: it has, or may have, one outside the selection, or would
    /// be outside itself.
    WithoutRecord { contact: &'a LinqContact },
}

/// The source's half of a linked pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceHalf<'a> {
    /// It is there.
    Present(&'a SourceRecord),
    /// It is there and takes no part.
    Unselected(&'a SourceRecord),
    /// The whole source was read, and lacks it.
    Gone,
    /// It may be in the part that could not be read, or be somebody who is ambiguous.
    Unknown,
}

/// Linq's half of a linked pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinqHalf<'a> {
    /// It is there.
    Present(&'a LinqContact),
    /// It is there and takes no part.
    OutOfScope(&'a LinqContact),
    /// It is proven to be gone.
    Gone,
    /// Too many are missing to ask for each: it may be gone.
    Unasked,
    /// The listing lacks it, and that proves nothing.
    Unknown,
}

impl<'a> SourceHalf<'a> {
    /// The record, if it is there, whether it takes part or not.
    pub(super) fn record(self) -> Option<&'a SourceRecord> {
        match self {
            SourceHalf::Present(record) | SourceHalf::Unselected(record) => Some(record),
            SourceHalf::Gone | SourceHalf::Unknown => None,
        }
    }
}

impl<'a> LinqHalf<'a> {
    /// The contact, if it is there, whether it takes part or not.
    pub(super) fn contact(self) -> Option<&'a LinqContact> {
        match self {
            LinqHalf::Present(contact) | LinqHalf::OutOfScope(contact) => Some(contact),
            LinqHalf::Gone | LinqHalf::Unasked | LinqHalf::Unknown => None,
        }
    }
}

impl<'a> Case<'a> {
    /// The link and both halves, if it is a linked pair.
    pub(super) fn linked_pair(&self) -> Option<(&'a Link, SourceHalf<'a>, LinqHalf<'a>)> {
        match self {
            Case::Pair { link, source, linq } => Some((link, *source, *linq)),
            Case::Replaced { .. }
            | Case::OnBoth { .. }
            | Case::InSource { .. }
            | Case::InLinq { .. }
            | Case::Orphan { .. }
            | Case::Ambiguous { .. }
            | Case::Candidate { .. }
            | Case::Copy { .. }
            | Case::Unidentifiable { .. }
            | Case::PossiblyCleared { .. }
            | Case::OutOfScope { .. }
            | Case::Unselected { .. }
            | Case::WithoutRecord { .. } => None,
        }
    }

    /// The link, if there is one.
    pub(super) fn link(&self) -> Option<&'a Link> {
        match self {
            Case::Pair { link, .. } | Case::Replaced { link, .. } => Some(link),
            Case::Ambiguous { link, .. } => *link,
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
            | Case::WithoutRecord { .. } => None,
        }
    }

    /// The record, if one was seen.
    pub(super) fn record(&self) -> Option<&'a SourceRecord> {
        match self {
            Case::Pair { source, .. } => source.record(),
            Case::Replaced { record, .. }
            | Case::OnBoth { record, .. }
            | Case::InSource { record, .. }
            | Case::Ambiguous { record, .. }
            | Case::Copy { record, .. }
            | Case::Unidentifiable { record }
            | Case::PossiblyCleared { record }
            | Case::Unselected { record } => Some(record),
            Case::InLinq { .. }
            | Case::Orphan { .. }
            | Case::Candidate { .. }
            | Case::OutOfScope { .. }
            | Case::WithoutRecord { .. } => None,
        }
    }

    /// The contact, if one was seen.
    pub(super) fn contact(&self) -> Option<&'a LinqContact> {
        match self {
            Case::Pair { linq, .. } => linq.contact(),
            Case::Replaced { contact, .. } => *contact,
            Case::OnBoth { contact, .. }
            | Case::InLinq { contact }
            | Case::Orphan { contact, .. }
            | Case::Candidate { contact }
            | Case::OutOfScope { contact }
            | Case::WithoutRecord { contact } => Some(contact),
            Case::InSource { .. }
            | Case::Ambiguous { .. }
            | Case::Copy { .. }
            | Case::Unidentifiable { .. }
            | Case::PossiblyCleared { .. }
            | Case::Unselected { .. } => None,
        }
    }

    /// The unanswered create of an earlier run that this is about, if it is about one.
    pub(super) fn doubt(&self) -> Option<&'a DoubtfulCreate> {
        match self {
            Case::OnBoth { doubt, .. }
            | Case::Replaced { doubt, .. }
            | Case::InSource { doubt, .. }
            | Case::Ambiguous { doubt, .. } => *doubt,
            Case::Orphan { doubt, .. } => Some(doubt),
            Case::Pair { .. }
            | Case::InLinq { .. }
            | Case::Candidate { .. }
            | Case::Copy { .. }
            | Case::Unidentifiable { .. }
            | Case::PossiblyCleared { .. }
            | Case::OutOfScope { .. }
            | Case::Unselected { .. }
            | Case::WithoutRecord { .. } => None,
        }
    }
}

/// The planner lost somebody: a defect of linqsync, on which nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the plan does not account for everybody \
     ({links} links, {records} records, {contacts} contacts left over); nothing was done"
)]
pub struct Unaccounted {
    links: usize,
    records: usize,
    contacts: usize,
}

/// Checks that every link, record and contact is part of exactly one of `cases`.
pub(super) fn check_accounted(cases: &[Case<'_>], seen: &Observation) -> Result<(), Unaccounted> {
    let links = cases.iter().filter_map(|case| Some(case.link()?.id)).collect();
    let records = cases.iter().filter_map(|case| Some(case.record()?.index)).collect();
    let contacts = cases.iter().filter_map(|case| Some(case.contact()?.id)).collect();
    let left = Unaccounted {
        links: left_over(links, seen.links.len()),
        records: left_over(records, seen.source.records.len()),
        contacts: left_over(contacts, seen.linq.contacts.len()),
    };
    let nobody = Unaccounted { links: 0, records: 0, contacts: 0 };
    if left == nobody { Ok(()) } else { Err(left) }
}

fn left_over<T: Ord>(mut mentioned: Vec<T>, expected: usize) -> usize {
    let mentions = mentioned.len();
    mentioned.sort_unstable();
    mentioned.dedup();
    expected.abs_diff(mentioned.len()) + (mentions - mentioned.len())
}
