//! The nouns: fields and their values, identifiers, the records of both sides,
//! and the canonical forms by which two values are compared.
//!
//! Owns no behaviour beyond comparison. Leaves reading and writing to the
//! adapters and every decision to [`crate::plan`]. Nothing here does I/O, and
//! no `Debug` output contains a person's data.

mod address;
mod canonical;
mod composed;
mod decided_by;
mod field;
mod id;
mod ignored;
mod link;
mod meaning;
mod name;
mod needles;
mod phone;
mod policy;
mod record;
mod rest;
mod resting;
mod selection;
mod side;
mod text;
mod told_names;
mod values;
mod waiting;
mod who;

pub use address::{bare_address, decoded_address};
pub use canonical::{Canon, canonical_form};
pub use composed::{Composed, NameText, same_parts};
pub use decided_by::DecidedBy;
pub use field::{Field, FieldSet};
pub use id::{Fingerprint, IntentId, LinkId, LinqId, RecordIndex, RunId, SourceKey};
pub use ignored::Ignored;
pub use link::{Agreement, Base, BaseChange, Exclusion, Link, LinkStatus};
pub use meaning::{Manner, Meaning, MeaningChange, Sends, Setting, Stale};
pub use name::{
    first_names_agree, full_name_key, is_called, name_and_company_key, name_contains, name_needles,
    names_contradict,
};
pub use needles::Needles;
pub use phone::{Region, RegionError};
pub use policy::{
    ConflictPolicy, DeletePolicy, Deletes, Direction, Limit, LimitError, Policy, Scope,
};
pub use record::{
    AsWritten, LinqContact, OtherValue, RejectedField, SourceRecord, SourceRecords, Timestamp,
    Unreadable, WHOLE_NAME,
};
pub use rest::{Digest, Mark, Rest};
pub use resting::{Counted, FileAtRest, Positions, ReadingAtRest, Resting, SourceAtRest};
pub use selection::{SelectedBy, Selection, SelectionBasis};
pub use side::Side;
pub use text::is_invisible;
pub use told_names::{NamesSeen, ToldNames};
pub use values::{FieldChange, Values};
pub use waiting::{Decided, Decision, Waiting, WaitingKind};
pub use who::Who;
