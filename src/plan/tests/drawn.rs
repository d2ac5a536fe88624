//! Worlds drawn at random: two sides that agreed once, and were edited since.
//!
//! A world is drawn from a few bytes, each a choice, and the first choice of each kind
//! is the plainest: so that drawing is cheap, and what fails shrinks to little.

use super::world::{PlannedWorld, values};
use crate::model::{
    Agreement, Base, ConflictPolicy, DeletePolicy, Deletes, Direction, Field, Policy, Values,
};

/// Choices, until the bytes are used up. Then only the first of each kind is chosen.
pub(super) struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Choices<'a> {
        Choices { bytes }
    }

    /// A number below `count`.
    pub(super) fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first) % count.max(1)
    }

    pub(super) fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn is_over(&self) -> bool {
        self.bytes.is_empty()
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = last - self.below(last + 1);
            list.swap(last, other);
        }
    }
}

/// A world in which everybody has an e-mail address that nobody changes, so that there
/// is no question who is who, under any policy that leaves matching alone. At most half
/// of the people vanish from any side.
pub(super) fn clear(choices: &mut Choices<'_>) -> PlannedWorld {
    let mut world = PlannedWorld::new(&[], &[]);
    world.policy = policy(choices);
    let people = 2 + choices.below(3);
    let mut linked = Vec::new();
    for who in 0..people {
        let row = one(who, choices);
        if choices.below(4) < 3 {
            linked.push(who);
            in_sync(&mut world, &row);
        } else {
            unlinked(&mut world, who, row, choices);
        }
    }
    let mut may_vanish = linked.len() / 2;
    while !choices.is_over() {
        let who = choices.below(people);
        let (field, text) = (choices.one_of(&EDITABLE), choices.one_of(&TEXTS));
        let text = if field == Field::PhoneNumber { phone(who, choices) } else { text.to_owned() };
        match choices.below(8) {
            0..=2 => edit(world.rows.iter_mut(), who, field, &text),
            3..=5 => edit(world.contacts.values_mut(), who, field, &text),
            6 if may_vanish > 0 && linked.contains(&who) => {
                may_vanish -= 1;
                world.rows.retain(|row| !is(row, who));
            }
            7 if may_vanish > 0 && linked.contains(&who) => {
                may_vanish -= 1;
                world.contacts.retain(|_, contact| !is(contact, who));
            }
            _ => {}
        }
    }
    world
}

pub(super) const EDITABLE: [Field; 4] =
    [Field::Title, Field::Company, Field::LastName, Field::PhoneNumber];
pub(super) const TEXTS: [&str; 4] = ["", "x", "y", " x"];

fn policy(choices: &mut Choices<'_>) -> Policy {
    // Most worlds are as people have them who have configured nothing.
    if choices.below(3) < 2 {
        return Policy::default();
    }
    let delete = [DeletePolicy::Propagate, DeletePolicy::Keep];
    Policy {
        direction: choices.one_of(&Direction::ALL),
        field_directions: [(Field::Company, choices.one_of(&Direction::ALL))].into(),
        on_conflict: choices.one_of(&[
            ConflictPolicy::Hold,
            ConflictPolicy::Source,
            ConflictPolicy::Linq,
        ]),
        field_conflicts: [(Field::Title, choices.one_of(&ConflictPolicy::ALL))].into(),
        deletes: Deletes { linq: choices.one_of(&delete), source: choices.one_of(&delete) },
        ..Policy::default()
    }
}

const NAMES: [&str; 5] = ["Ada", "Bo", "Cy", "Di", "Ed"];

fn email(who: usize) -> String {
    format!("p{who}@x.example")
}

/// One of two spellings of somebody's number, or none.
fn phone(who: usize, choices: &mut Choices<'_>) -> String {
    choices.one_of(&[String::new(), format!("+1415555267{who}"), format!("(415) 555-267{who}")])
}

fn one(who: usize, choices: &mut Choices<'_>) -> Values {
    let title = choices.one_of(&TEXTS);
    let fields = [
        (Field::FirstName, NAMES[who].to_owned()),
        (Field::Email, email(who)),
        (Field::Title, title.to_owned()),
    ];
    fields.into_iter().collect()
}

fn is(values: &Values, who: usize) -> bool {
    values[Field::Email] == email(who)
}

fn edit<'a>(people: impl Iterator<Item = &'a mut Values>, who: usize, field: Field, text: &str) {
    for person in people.filter(|person| is(person, who)) {
        person[field] = text.into();
    }
}

/// A pair that has been the same on both sides.
fn in_sync(world: &mut PlannedWorld, row: &Values) {
    let id = world.appear(row.clone());
    world.rows.push(row.clone());
    let agreed = |field| Agreement { source: row[field].clone(), linq: row[field].clone() };
    let base: Base = world.mapped.iter().map(|field| (field, agreed(field))).collect();
    world.link(id, row, base);
}

fn unlinked(world: &mut PlannedWorld, who: usize, row: Values, choices: &mut Choices<'_>) {
    match choices.below(3) {
        0 => world.rows.push(row),
        1 => drop(world.appear(row)),
        _ => {
            world.appear(one(who, choices));
            world.rows.push(row);
        }
    }
}

const FIRST: [&str; 4] = ["Ada", "Bo", "Cy", ""];
const LAST: [&str; 3] = ["King", "Wang", ""];
const EMAIL: [&str; 5] = ["a@x.example", "A@X.example", "b@x.example", "c@x.example", ""];
const PHONE: [&str; 4] = ["", "+14155552671", "(415) 555-2671", "+14155552672"];
const TITLE: [&str; 3] = ["CEO", "CTO", ""];

/// Anybody.
fn somebody(choices: &mut Choices<'_>) -> Values {
    let mut person = values("");
    for field in CHANGING {
        change(&mut person, field, choices);
    }
    person
}

const CHANGING: [Field; 5] =
    [Field::FirstName, Field::Email, Field::Title, Field::LastName, Field::PhoneNumber];

fn change(person: &mut Values, field: Field, choices: &mut Choices<'_>) {
    person[field] = match field {
        Field::FirstName => choices.one_of(&FIRST),
        Field::LastName => choices.one_of(&LAST),
        Field::Email => choices.one_of(&EMAIL),
        Field::PhoneNumber => choices.one_of(&PHONE),
        Field::Title | Field::Company | Field::Location | Field::Owner => choices.one_of(&TITLE),
    }
    .into();
}

/// A world in which people look like one another: they share mailboxes, numbers and
/// names, rows are copied, sorted and half edited, and anything may vanish.
pub(super) fn muddled(choices: &mut Choices<'_>) -> PlannedWorld {
    let mut world = PlannedWorld::new(&[], &[]);
    for _ in 0..choices.below(5) {
        let row = somebody(choices);
        if row.lacks_identity() { world.rows.push(row) } else { in_sync(&mut world, &row) }
    }
    while !choices.is_over() {
        let field = choices.one_of(&CHANGING);
        let (row, contact) = (choices.below(world.rows.len()), choices.below(world.contacts.len()));
        match choices.below(12) {
            0..=2 if !world.rows.is_empty() => change(&mut world.rows[row], field, choices),
            3..=4 if !world.contacts.is_empty() => {
                let id = world.id(contact);
                let mut changed = world.contacts[&id].clone();
                change(&mut changed, field, choices);
                if !changed.lacks_identity() {
                    world.contacts.insert(id, changed);
                }
            }
            5 => world.rows.push(somebody(choices)),
            6 => {
                let person = somebody(choices);
                if !person.lacks_identity() {
                    world.appear(person);
                }
            }
            7 if !world.rows.is_empty() => drop(world.rows.remove(row)),
            8 if !world.contacts.is_empty() => drop(world.contacts.remove(&world.id(contact))),
            9 if !world.rows.is_empty() => {
                let mut copy = world.rows[row].clone();
                change(&mut copy, field, choices);
                world.rows.push(copy);
            }
            10 if !world.contacts.is_empty() => {
                let mut copy = world.contacts[&world.id(contact)].clone();
                change(&mut copy, field, choices);
                if !copy.lacks_identity() {
                    world.appear(copy);
                }
            }
            11 => choices.shuffle(&mut world.rows),
            _ => {}
        }
    }
    world
}
