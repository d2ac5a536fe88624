//! The decision table for linked pairs.
//!
//! The table, as it is planned, is in [the module above](super).

/// What happened to one half of a linked pair since both last agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HalfChange {
    /// It is there as both agreed.
    Unchanged,
    /// It is there with other values.
    Edited,
    /// It is proven to be gone.
    Deleted,
}

/// What is to be done with a linked pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PairDecision {
    /// Nothing.
    Nothing,
    /// Linq's edits go to the source.
    WriteSource,
    /// The source's edits go to Linq.
    WriteLinq,
    /// The edits of both sides are merged field by field; a clash is a conflict.
    Merge,
    /// The record is removed from the source.
    DeleteInSource,
    /// The contact is deleted in Linq.
    DeleteInLinq,
    /// The source's edit beats the deletion in Linq.
    CreateInLinqAgain,
    /// Linq's edit beats the deletion in the source.
    CreateInSourceAgain,
    /// The link is forgotten.
    Forget,
}

/// The decision for a linked pair, from the fates of its halves.
pub const fn decide_pair(source: HalfChange, linq: HalfChange) -> PairDecision {
    match (source, linq) {
        (HalfChange::Unchanged, HalfChange::Unchanged) => PairDecision::Nothing,
        (HalfChange::Unchanged, HalfChange::Edited) => PairDecision::WriteSource,
        (HalfChange::Unchanged, HalfChange::Deleted) => PairDecision::DeleteInSource,
        (HalfChange::Edited, HalfChange::Unchanged) => PairDecision::WriteLinq,
        (HalfChange::Edited, HalfChange::Edited) => PairDecision::Merge,
        (HalfChange::Edited, HalfChange::Deleted) => PairDecision::CreateInLinqAgain,
        (HalfChange::Deleted, HalfChange::Unchanged) => PairDecision::DeleteInLinq,
        (HalfChange::Deleted, HalfChange::Edited) => PairDecision::CreateInSourceAgain,
        (HalfChange::Deleted, HalfChange::Deleted) => PairDecision::Forget,
    }
}
