//! Draws what people do to whole tables, what they decide, and what they configure.
//!
//! Some histories are given more people, and such acts between their runs: mass changes
//! show only in a crowd. The other histories stay what they are.

use fastrand::Rng;
use linqsync::model::Field;

use super::one_in;
use crate::simulation::scenario::{
    Act, Conditions, Decide, Edit, Feature, Office, Person, Setting, Setup, Text,
};
use crate::simulation::sheet::EXTRA;

/// The kinds of acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    SortColumn,
    SortRows,
    SortAll,
    ShiftColumn,
    PasteBlock,
    FillDown,
    EmptyColumn,
    DropColumn,
    AddColumn,
    Reencode,
    Filter,
    Restore,
    CutRows,
    Approve,
    Reject,
    Resolve,
    Key,
    Ids,
    Direction,
    OnConflict,
    MaxDeletes,
    Deletes,
    Column,
}

/// The kinds that are drawn. What is left out waits for the part of the engine that it
/// needs.
const DRAWN: &[Kind] = &[
    Kind::SortColumn,
    Kind::SortRows,
    Kind::SortAll,
    Kind::ShiftColumn,
    Kind::PasteBlock,
    Kind::FillDown,
    Kind::EmptyColumn,
    Kind::DropColumn,
    Kind::AddColumn,
    Kind::Reencode,
    Kind::Filter,
    Kind::Restore,
    Kind::CutRows,
    Kind::Approve,
    Kind::Reject,
    Kind::Resolve,
    Kind::OnConflict,
    Kind::MaxDeletes,
    Kind::Direction,
    Kind::Deletes,
    Kind::Key,
    Kind::Ids,
    Kind::Column,
];

/// Whether values move between rows in columns by which rows without keys are known.
const IDENTITY_MOVES: bool = false;

/// One in so many histories is one of these.
const ONE_IN: u32 = 6;

/// The fields whose columns people sort, shift, fill and delete.
const FIELDS: [Field; 6] = [
    Field::FirstName,
    Field::LastName,
    Field::Email,
    Field::PhoneNumber,
    Field::Company,
    Field::Title,
];

/// Adds such acts to some histories.
pub(super) fn add(rng: &mut Rng, setup: &mut Setup, acts: &mut Vec<Act>) {
    if DRAWN.is_empty() || !one_in(rng, ONE_IN) {
        return;
    }
    if rng.bool() {
        setup.features.insert(Feature::NotesFirst);
    }
    let mut serial = 20_000;
    if !one_in(rng, 3) {
        let mut crowd = crowd(rng, &mut serial);
        crowd.push(Act::Run(Conditions::default()));
        acts.splice(0..0, crowd);
    }
    let mut kinds: Vec<Kind> = DRAWN.iter().copied().filter(|_| one_in(rng, 3)).collect();
    kinds.push(DRAWN[rng.usize(..DRAWN.len())]);
    let first = acts.iter().position(|act| matches!(act, Act::Run(_))).unwrap_or(0) + 1;
    for _ in 0..rng.u32(1..=4) {
        let kind = kinds[rng.usize(..kinds.len())];
        let at = rng.usize(first..=acts.len());
        let drawn = drawn(rng, kind, setup, &mut serial);
        acts.splice(at..at, drawn);
    }
}

fn crowd(rng: &mut Rng, serial: &mut u32) -> Vec<Act> {
    let (kind, mut acts) = (rng.u32(0..3), Vec::new());
    for _ in 0..rng.usize(8..=14) {
        let mut person = Person::new();
        for field in FIELDS {
            if field == Field::FirstName || rng.u32(0..8) > 0 {
                *serial += 1;
                let foreign = kind == 0 && rng.bool();
                let text = if foreign { Text::Foreign(*serial) } else { Text::Fresh(*serial) };
                person.insert(field, text);
            }
        }
        acts.push(Act::Edit(match kind {
            0 => Edit::AddRow(person),
            1 => Edit::AddContact(person),
            _ => Edit::AddBoth(person),
        }));
    }
    acts
}

fn field(rng: &mut Rng) -> Field {
    FIELDS[rng.usize(..FIELDS.len())]
}

/// What there is in between, so that the next act does not undo the first unseen.
fn run() -> Act {
    Act::Run(Conditions::default())
}

fn drawn(rng: &mut Rng, kind: Kind, setup: &Setup, serial: &mut u32) -> Vec<Act> {
    let office = |office| Act::Edit(Edit::Office(office));
    let pick = |rng: &mut Rng, of: &[&str]| of[rng.usize(..of.len())].to_owned();
    let (who, rows, column) = (rng.u32(0..60), rng.u32(1..14), field(rng));
    // Open, see docs/proof.md: without keys, who a row is is told by names and addresses,
    // and values that moved in these make it another person's.
    let plain = setup.features.contains(&Feature::Key) || IDENTITY_MOVES;
    let moving = if plain { column } else { [Field::Company, Field::Title][rng.usize(..2)] };
    match kind {
        Kind::SortColumn => wrong(rng, Office::SortColumn { field: moving }),
        Kind::SortRows => vec![office(Office::SortRows { field: column })],
        Kind::SortAll => {
            let sorted = office(Office::SortAll { field: column });
            vec![sorted, run(), office(Office::HeaderUp)]
        }
        Kind::ShiftColumn => {
            let up = rng.bool();
            wrong(rng, Office::ShiftColumn { field: moving, up })
        }
        Kind::PasteBlock => {
            let (first, last) = (moving, field(rng));
            let (first, last) = if IDENTITY_MOVES {
                (first.min(last), first.max(last))
            } else {
                (Field::Company, Field::Title)
            };
            wrong(rng, Office::PasteBlock { first, last, who, rows })
        }
        Kind::FillDown => vec![office(Office::FillDown { field: moving, who, rows })],
        Kind::EmptyColumn => wrong(rng, Office::EmptyColumn { field: column }),
        Kind::DropColumn => {
            let field =
                [Field::LastName, Field::PhoneNumber, Field::Company, Field::Title][rng.usize(..4)];
            let dropped = office(Office::DropColumn { field });
            let put = office(Office::PutColumn { field, filled: rng.bool() });
            vec![dropped, run(), put]
        }
        Kind::AddColumn => vec![office(Office::AddColumn { filled: rng.bool() })],
        Kind::Reencode => wrong(rng, Office::Reencode),
        Kind::Filter => wrong(rng, Office::Filter { field: column, keep: who }),
        Kind::Restore => vec![office(Office::Restore { which: who })],
        // Whose row it is must still be told.
        Kind::CutRows if !setup.features.contains(&Feature::NotesFirst) => Vec::new(),
        Kind::CutRows => {
            let cells = rng.u32(2..6);
            wrong(rng, Office::CutRows { who, rows, cells })
        }
        Kind::Approve => {
            vec![run(), Act::Decide(Decide::Approve { which: rng.bool().then_some(who) }), run()]
        }
        Kind::Reject => {
            vec![run(), Act::Decide(Decide::Reject { which: rng.bool().then_some(who) }), run()]
        }
        Kind::Resolve => {
            *serial += 1;
            let decide = match rng.u32(0..5) {
                0 => Decide::Value { which: who, serial: *serial },
                1 => Decide::Take { which: None, source: rng.bool() },
                _ => Decide::Take { which: Some(who), source: rng.bool() },
            };
            vec![run(), Act::Decide(decide), run()]
        }
        Kind::Key | Kind::Ids | Kind::Deletes => {
            let feature = if kind == Kind::Key {
                Feature::Key
            } else if kind == Kind::Ids {
                Feature::Ids
            } else if rng.bool() {
                Feature::KeepInLinq
            } else {
                Feature::KeepInSource
            };
            let on = !setup.features.contains(&feature);
            if on && matches!(kind, Kind::Key | Kind::Ids) {
                // The file has no such column.
                return Vec::new();
            }
            let there = Act::Configure(Setting::Feature { feature, on });
            let back = Act::Configure(Setting::Feature { feature, on: !on });
            if rng.bool() { vec![there] } else { vec![there, run(), back] }
        }
        Kind::Direction => {
            vec![Act::Configure(Setting::Direction(pick(rng, &["push", "pull", "both"])))]
        }
        Kind::OnConflict => {
            vec![Act::Configure(Setting::OnConflict(pick(rng, &["hold", "source", "linq"])))]
        }
        Kind::MaxDeletes => {
            vec![Act::Configure(Setting::MaxDeletes(pick(rng, &["1", "5%", "100%"])))]
        }
        Kind::Column => {
            let field = [Field::Company, Field::Title, Field::LastName][rng.usize(..3)];
            let other = Setting::Column { field, column: Some(EXTRA.to_owned()) };
            let added = office(Office::AddColumn { filled: rng.bool() });
            let mut acts = vec![added, Act::Configure(other), run()];
            if rng.bool() {
                acts.push(Act::Configure(Setting::Column { field, column: None }));
            }
            acts
        }
    }
}

/// Something that goes wrong, and what becomes of it: it stays, it is put back at once or
/// after a run.
fn wrong(rng: &mut Rng, wrong: Office) -> Vec<Act> {
    let wrong = Act::Edit(Edit::Office(wrong));
    // The last copy is the file as the last run found it: behind that is the one before.
    let restore = |which| Act::Edit(Edit::Office(Office::Restore { which }));
    let decided = match rng.u32(0..4) {
        0 => Decide::Approve { which: None },
        1 => Decide::Reject { which: None },
        2 => Decide::Approve { which: Some(rng.u32(0..60)) },
        _ => Decide::Reject { which: Some(rng.u32(0..60)) },
    };
    match rng.u32(0..6) {
        0 => vec![wrong],
        4 | 5 => vec![wrong, run(), Act::Decide(decided), run()],
        1 => vec![wrong, run()],
        2 => vec![wrong, run(), restore(rng.u32(0..6)), run()],
        _ => vec![wrong, run(), run(), restore(rng.u32(0..6))],
    }
}
