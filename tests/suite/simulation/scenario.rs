//! What happens in one history, as plain values: what is set up, what people do,
//! and under which conditions each run is made.
//!
//! Owns the vocabulary. An act names whom it is about by a number that is taken
//! modulo how many there are, and brings its own serial number for the texts that
//! it types, so that a history stays meaningful when acts are taken out of it.

use std::collections::{BTreeMap, BTreeSet};

use linqsync::model::Field;
use serde::{Deserialize, Serialize};

/// One history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Scenario {
    pub(super) setup: Setup,
    pub(super) acts: Vec<Act>,
}

/// What is set up; people change some of it on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Setup {
    /// Quirks of the sandbox, by their text form.
    pub(super) quirks: Vec<String>,
    pub(super) features: BTreeSet<Feature>,
    /// `sync.on_conflict`.
    pub(super) on_conflict: String,
    /// `sync.direction`.
    pub(super) direction: String,
    /// `sync.max_deletes`.
    pub(super) max_deletes: String,
    /// `sync.delete_grace`.
    pub(super) grace_minutes: u32,
    /// `linq.concurrency`.
    pub(super) concurrency: usize,
    /// `linq.requests_per_second`.
    pub(super) per_second: u32,
    /// How many contacts Linq shows on a page, whatever it is asked for.
    pub(super) per_page: u32,
    /// How long each answer takes, differently for each request.
    pub(super) salt: u64,
    /// `source.columns`: fields that are read from another column than the one that is
    /// called like them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) columns: BTreeMap<Field, String>,
    /// By how many seconds Linq's clock is ahead of ours.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) linq_ahead: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// What a file or a configuration has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Feature {
    /// A key column, which people fill.
    Key,
    /// A column for Linq's ids.
    Ids,
    /// A mapped column for the owner.
    Owner,
    /// A column for the location; without it the field is not mapped.
    Location,
    /// Lines end with CR LF.
    Crlf,
    /// A byte order mark.
    Bom,
    /// Every cell is quoted when people save the file.
    Quoted,
    /// Cells are separated by semicolons.
    Semicolons,
    /// `sync.deletes.linq = "keep"`.
    KeepInLinq,
    /// `sync.deletes.source = "keep"`.
    KeepInSource,
    /// The column that linqsync does not know comes first.
    NotesFirst,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Act {
    /// Somebody edits.
    Edit(SimEdit),
    /// Nothing happens for so many seconds.
    Wait(u32),
    /// A run.
    Run(SimConditions),
    /// Somebody decides about what waits.
    Decide(Decide),
    /// Somebody changes the configuration.
    Configure(SimSetting),
}

impl Act {
    /// Whether it is a run that is killed.
    pub(super) fn kills(&self) -> bool {
        match self {
            Act::Run(run) => run.kill.is_some() || run.kill_when.is_some(),
            Act::Edit(_) | Act::Wait(_) | Act::Decide(_) | Act::Configure(_) => false,
        }
    }
}

/// What a person does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum SimEdit {
    /// Adds a row.
    AddRow(SimPerson),
    /// Adds a contact in Linq.
    AddContact(SimPerson),
    /// Adds the same person on both sides.
    AddBoth(SimPerson),
    /// Types into a cell.
    Cell { who: u32, field: Field, text: DrawnText },
    /// Types into a field in Linq.
    Member { who: u32, field: Field, text: DrawnText },
    /// Types the same into a row and into the contact that looks like it.
    Same { who: u32, field: Field, text: DrawnText },
    /// Writes a note, which is not mapped.
    Note { who: u32, serial: u32 },
    /// Removes a row.
    RemoveRow { who: u32 },
    /// Removes a contact.
    RemoveContact { who: u32 },
    /// Copies a row to the end.
    CopyRow { who: u32, serial: u32 },
    /// Sorts the rows in some order.
    Shuffle { salt: u64 },
    /// Saves the file with every cell quoted, or only where needed.
    Requote,
    /// Gives a contact to another user.
    Owner { who: u32, user: u32 },
    /// Works on the file with a spreadsheet.
    Office(SimOffice),
}

/// What a person does to a whole table, on purpose or by accident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum SimOffice {
    /// Sorts one column alone.
    SortColumn { field: Field },
    /// Sorts all rows by a column; the header stays.
    SortRows { field: Field },
    /// Sorts all rows by a column, and the header with them.
    SortAll { field: Field },
    /// Puts the header on top again.
    HeaderUp,
    /// Moves a column down or up by a row.
    ShiftColumn { field: Field, up: bool },
    /// Copies so many rows of some columns, and pastes them a row off.
    PasteBlock { first: Field, last: Field, who: u32, rows: u32 },
    /// Copies a cell into so many cells below it.
    FillDown { field: Field, who: u32, rows: u32 },
    /// Empties a column.
    EmptyColumn { field: Field },
    /// Deletes a column.
    DropColumn { field: Field },
    /// Adds a column that is missing: with what stood in it, or blank.
    PutColumn { field: Field, filled: bool },
    /// Adds a column of another name, blank or with numbers.
    AddColumn { filled: bool },
    /// Saves the file in an encoding that lacks most letters.
    Reencode,
    /// Deletes all rows but those that a filter shows.
    Filter { field: Field, keep: u32 },
    /// Puts an old copy of the file in its place.
    Restore { which: u32 },
    /// A program cuts so many rows short.
    CutRows { who: u32, rows: u32, cells: u32 },
}

/// What somebody decides, about one thing that waits or about all of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Decide {
    /// What is held may be carried out.
    Approve { which: Option<u32> },
    /// What is held is dropped, and put back where it was done.
    Reject { which: Option<u32> },
    /// The value of one side is right.
    Take { which: Option<u32>, source: bool },
    /// Neither value is right, but this one.
    Value { which: u32, serial: u32 },
}

/// What somebody changes in the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum SimSetting {
    /// Something is configured, or is not any more.
    Feature { feature: Feature, on: bool },
    /// `sync.direction`.
    Direction(String),
    /// `sync.on_conflict`.
    OnConflict(String),
    /// `sync.max_deletes`.
    MaxDeletes(String),
    /// `source.columns`: another column, or no other than before.
    Column { field: Field, column: Option<String> },
}

/// Somebody who is added.
pub(super) type SimPerson = BTreeMap<Field, DrawnText>;

/// What is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum DrawnText {
    /// Nothing: a blank.
    Blank,
    /// Something that occurs nowhere else.
    Fresh(u32),
    /// One of a few texts that many share.
    Shared(u32),
    /// Something unusual that occurs nowhere else: the kind, the serial number.
    Odd(u32, u32),
    /// What is there, spelled differently.
    Respelled(u32),
    /// Letters that few encodings have, and that occur nowhere else.
    Foreign(u32),
}

/// Under which conditions a run is made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SimConditions {
    /// Whether a dry run is made before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) preview: bool,
    /// The process is killed at this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kill: Option<u32>,
    /// The process is killed at the first event whose name begins like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kill_when: Option<String>,
    /// The process is asked to stop at this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stop: Option<u32>,
    /// What happens to the request of this number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) faults: BTreeMap<u32, WireFault>,
    /// What happens to the request of this kind and number among its kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) strikes: Vec<(String, u32, WireFault)>,
    /// What happens to every request from this number on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outage: Option<(u32, WireFault)>,
    /// What people do at these events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) during: Vec<(u32, SimEdit)>,
    /// By how many seconds our clock is set at these events; it stays like that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) clocks: Vec<(u32, i64)>,
    /// What the run is for, if not for making both sides the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) errand: Option<Errand>,
    /// What else is different.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) weather: Option<SimOutages>,
}

/// What a run is for, if not for making both sides the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Errand {
    /// Putting back an earlier run.
    Undo(u32),
    /// Carrying out a plan that is made just before; what happens at the first event of the
    /// run has happened in between.
    Apply,
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum WireFault {
    /// No connection.
    NotSent,
    /// The connection breaks before Linq has carried the request out.
    BrokenBefore,
    /// The connection breaks after Linq has carried the request out.
    BrokenAfter,
    /// An error in place of the effect.
    Status(u16),
    /// An error after the effect.
    StatusAfter(u16),
    /// 429 with so many seconds to wait.
    TooMany(u16),
    /// A page of HTML in place of the effect.
    Html,
    /// The effect, and an answer without a body.
    EmptyAfter,
    /// The effect, and half an answer.
    CutAfter,
    /// No answer; a create takes effect so many seconds later.
    Late(u32),
}

/// What is different in a whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum SimOutages {
    /// The token belongs to another organisation, which has nobody.
    Elsewhere,
    /// The listing lacks one contact and says that this is all.
    Short(u32),
    /// The file is not there.
    FileMissing,
    /// The file has no byte.
    FileEmpty,
    /// Somebody left a quotation mark open in a row.
    FileUnterminated(u32),
}
