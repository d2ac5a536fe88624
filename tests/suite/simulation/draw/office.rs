//! Draws what people do to whole tables, what they decide, and what they configure.
//!
//! Some histories are given more people, and such acts between their runs: mass changes
//! show only in a crowd. The other histories stay what they are.

use fastrand::Rng;
use linqsync::model::Field;

use super::one_in;
use crate::simulation::scenario::{
    Act, Decide, DrawnText, Feature, Setup, SimConditions, SimEdit, SimOffice, SimPerson,
    SimSetting,
};
use crate::simulation::sheet::EXTRA;

/// The kinds of acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OfficeEditKind {
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
const DRAWN: &[OfficeEditKind] = &[
    OfficeEditKind::SortColumn,
    OfficeEditKind::SortRows,
    OfficeEditKind::SortAll,
    OfficeEditKind::ShiftColumn,
    OfficeEditKind::PasteBlock,
    OfficeEditKind::FillDown,
    OfficeEditKind::EmptyColumn,
    OfficeEditKind::DropColumn,
    OfficeEditKind::AddColumn,
    OfficeEditKind::Reencode,
    OfficeEditKind::Filter,
    OfficeEditKind::Restore,
    OfficeEditKind::CutRows,
    OfficeEditKind::Approve,
    OfficeEditKind::Reject,
    OfficeEditKind::Resolve,
    OfficeEditKind::OnConflict,
    OfficeEditKind::MaxDeletes,
    OfficeEditKind::Direction,
    OfficeEditKind::Deletes,
    OfficeEditKind::Key,
    OfficeEditKind::Ids,
    OfficeEditKind::Column,
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
        crowd.push(Act::Run(SimConditions::default()));
        acts.splice(0..0, crowd);
    }
    let mut kinds: Vec<OfficeEditKind> = DRAWN.iter().copied().filter(|_| one_in(rng, 3)).collect();
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
        let mut person = SimPerson::new();
        for field in FIELDS {
            if field == Field::FirstName || rng.u32(0..8) > 0 {
                *serial += 1;
                let foreign = kind == 0 && rng.bool();
                let text =
                    if foreign { DrawnText::Foreign(*serial) } else { DrawnText::Fresh(*serial) };
                person.insert(field, text);
            }
        }
        acts.push(Act::Edit(match kind {
            0 => SimEdit::AddRow(person),
            1 => SimEdit::AddContact(person),
            _ => SimEdit::AddBoth(person),
        }));
    }
    acts
}

fn field(rng: &mut Rng) -> Field {
    FIELDS[rng.usize(..FIELDS.len())]
}

/// What there is in between, so that the next act does not undo the first unseen.
fn run() -> Act {
    Act::Run(SimConditions::default())
}

fn drawn(rng: &mut Rng, kind: OfficeEditKind, setup: &Setup, serial: &mut u32) -> Vec<Act> {
    let office = |office| Act::Edit(SimEdit::Office(office));
    let pick = |rng: &mut Rng, of: &[&str]| of[rng.usize(..of.len())].to_owned();
    let (who, rows, column) = (rng.u32(0..60), rng.u32(1..14), field(rng));
    // Open, see docs/proof.md: without keys, who a row is is told by names and addresses,
    // and values that moved in these make it another person's.
    let plain = setup.features.contains(&Feature::Key) || IDENTITY_MOVES;
    let moving = if plain { column } else { [Field::Company, Field::Title][rng.usize(..2)] };
    match kind {
        OfficeEditKind::SortColumn => wrong(rng, SimOffice::SortColumn { field: moving }),
        OfficeEditKind::SortRows => vec![office(SimOffice::SortRows { field: column })],
        OfficeEditKind::SortAll => {
            let sorted = office(SimOffice::SortAll { field: column });
            vec![sorted, run(), office(SimOffice::HeaderUp)]
        }
        OfficeEditKind::ShiftColumn => {
            let up = rng.bool();
            wrong(rng, SimOffice::ShiftColumn { field: moving, up })
        }
        OfficeEditKind::PasteBlock => {
            let (first, last) = (moving, field(rng));
            let (first, last) = if IDENTITY_MOVES {
                (first.min(last), first.max(last))
            } else {
                (Field::Company, Field::Title)
            };
            wrong(rng, SimOffice::PasteBlock { first, last, who, rows })
        }
        OfficeEditKind::FillDown => vec![office(SimOffice::FillDown { field: moving, who, rows })],
        OfficeEditKind::EmptyColumn => wrong(rng, SimOffice::EmptyColumn { field: column }),
        OfficeEditKind::DropColumn => {
            let field =
                [Field::LastName, Field::PhoneNumber, Field::Company, Field::Title][rng.usize(..4)];
            let dropped = office(SimOffice::DropColumn { field });
            let put = office(SimOffice::PutColumn { field, filled: rng.bool() });
            vec![dropped, run(), put]
        }
        OfficeEditKind::AddColumn => vec![office(SimOffice::AddColumn { filled: rng.bool() })],
        OfficeEditKind::Reencode => wrong(rng, SimOffice::Reencode),
        OfficeEditKind::Filter => wrong(rng, SimOffice::Filter { field: column, keep: who }),
        OfficeEditKind::Restore => vec![office(SimOffice::Restore { which: who })],
        // Whose row it is must still be told.
        OfficeEditKind::CutRows if !setup.features.contains(&Feature::NotesFirst) => Vec::new(),
        OfficeEditKind::CutRows => {
            let cells = rng.u32(2..6);
            wrong(rng, SimOffice::CutRows { who, rows, cells })
        }
        OfficeEditKind::Approve => {
            vec![run(), Act::Decide(Decide::Approve { which: rng.bool().then_some(who) }), run()]
        }
        OfficeEditKind::Reject => {
            vec![run(), Act::Decide(Decide::Reject { which: rng.bool().then_some(who) }), run()]
        }
        OfficeEditKind::Resolve => {
            *serial += 1;
            let decide = match rng.u32(0..5) {
                0 => Decide::Value { which: who, serial: *serial },
                1 => Decide::Take { which: None, source: rng.bool() },
                _ => Decide::Take { which: Some(who), source: rng.bool() },
            };
            vec![run(), Act::Decide(decide), run()]
        }
        OfficeEditKind::Key | OfficeEditKind::Ids | OfficeEditKind::Deletes => {
            let feature = if kind == OfficeEditKind::Key {
                Feature::Key
            } else if kind == OfficeEditKind::Ids {
                Feature::Ids
            } else if rng.bool() {
                Feature::KeepInLinq
            } else {
                Feature::KeepInSource
            };
            let on = !setup.features.contains(&feature);
            if on && matches!(kind, OfficeEditKind::Key | OfficeEditKind::Ids) {
                // The file has no such column.
                return Vec::new();
            }
            let there = Act::Configure(SimSetting::Feature { feature, on });
            let back = Act::Configure(SimSetting::Feature { feature, on: !on });
            if rng.bool() { vec![there] } else { vec![there, run(), back] }
        }
        OfficeEditKind::Direction => {
            vec![Act::Configure(SimSetting::Direction(pick(rng, &["push", "pull", "both"])))]
        }
        OfficeEditKind::OnConflict => {
            vec![Act::Configure(SimSetting::OnConflict(pick(rng, &["hold", "source", "linq"])))]
        }
        OfficeEditKind::MaxDeletes => {
            vec![Act::Configure(SimSetting::MaxDeletes(pick(rng, &["1", "5%", "100%"])))]
        }
        OfficeEditKind::Column => {
            let field = [Field::Company, Field::Title, Field::LastName][rng.usize(..3)];
            let other = SimSetting::Column { field, column: Some(EXTRA.to_owned()) };
            let added = office(SimOffice::AddColumn { filled: rng.bool() });
            let mut acts = vec![added, Act::Configure(other), run()];
            if rng.bool() {
                acts.push(Act::Configure(SimSetting::Column { field, column: None }));
            }
            acts
        }
    }
}

/// Something that goes wrong, and what becomes of it: it stays, it is put back at once or
/// after a run.
fn wrong(rng: &mut Rng, wrong: SimOffice) -> Vec<Act> {
    let wrong = Act::Edit(SimEdit::Office(wrong));
    // The last copy is the file as the last run found it: behind that is the one before.
    let restore = |which| Act::Edit(SimEdit::Office(SimOffice::Restore { which }));
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
