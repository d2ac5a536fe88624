//! The decision table for linked pairs.
//!
//! The table, as it is planned, is in [the module above](super).

/// What happened to one half of a linked pair since both last agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is there as both agreed.
    Unchanged,
    /// It is there with other values.
    Edited,
    /// It is proven to be gone.
    Deleted,
}

/// What is to be done with a linked pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
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
pub const fn decide(source: Fate, linq: Fate) -> Decision {
    match (source, linq) {
        (Fate::Unchanged, Fate::Unchanged) => Decision::Nothing,
        (Fate::Unchanged, Fate::Edited) => Decision::WriteSource,
        (Fate::Unchanged, Fate::Deleted) => Decision::DeleteInSource,
        (Fate::Edited, Fate::Unchanged) => Decision::WriteLinq,
        (Fate::Edited, Fate::Edited) => Decision::Merge,
        (Fate::Edited, Fate::Deleted) => Decision::CreateInLinqAgain,
        (Fate::Deleted, Fate::Unchanged) => Decision::DeleteInLinq,
        (Fate::Deleted, Fate::Edited) => Decision::CreateInSourceAgain,
        (Fate::Deleted, Fate::Deleted) => Decision::Forget,
    }
}
