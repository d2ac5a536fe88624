//! Every small world: one contact with two fields under every policy, and two
//! contacts under the default policy, each compared with the reference and checked
//! against the laws.
//!
//! A state is what the state, the source and Linq know of one contact: absent, or two
//! fields that are blank, `x` or `y`; the base may also have never agreed on a field.
//! States that differ only by an exchange of `x` and `y` within a field are checked
//! once where it says so.

use std::thread;

use super::carry_out::{Recorded, effects};
use super::laws::{said, said_to_go, text, typed};
use super::reference::{Agreed, Basis, Bond, Cell, End, FIELDS, Person, Start, end};
use super::world::{World, values};
use crate::model::{
    Agreement, Base, ConflictPolicy, DeletePolicy, Deletes, Direction, Field, Link, LinkStatus,
    Policy, Side, Values,
};
use crate::plan::{Plan, Step, Wait, plan};

const CELLS: [Cell; 3] = [None, Some('x'), Some('y')];

fn persons() -> Vec<Person> {
    let cells = CELLS.into_iter().flat_map(|a| CELLS.map(|b| Some([a, b])));
    [None].into_iter().chain(cells).collect()
}

fn bases(agreements: &[Agreed]) -> Vec<Basis> {
    let agreed = agreements.iter().flat_map(|a| agreements.iter().map(|b| Some([*a, *b])));
    [None].into_iter().chain(agreed).collect()
}

fn agreed() -> Vec<Agreed> {
    CELLS.map(Agreed::On).to_vec()
}

fn agreed_or_never() -> Vec<Agreed> {
    [Agreed::Never].into_iter().chain(agreed()).collect()
}

fn starts(agreements: &[Agreed]) -> Vec<Start> {
    let mut starts = Vec::new();
    for base in bases(agreements) {
        for source in persons() {
            starts.extend(persons().into_iter().map(|linq| Start { base, source, linq }));
        }
    }
    starts
}

/// Whether the first value of each field is `x`: of states that differ by a renaming
/// the one that stands for all.
fn is_first_of_its_kind(start: &Start) -> bool {
    (0..2).all(|field| {
        let base = start.base.and_then(|base| match base[field] {
            Agreed::On(cell) => cell,
            Agreed::Never => None,
        });
        let of = |person: Person| person.and_then(|cells| cells[field]);
        [base, of(start.source), of(start.linq)].into_iter().flatten().next() != Some('y')
    })
}

fn policies() -> Vec<Policy> {
    let mut policies = Vec::new();
    for direction in Direction::ALL {
        for field in Direction::ALL {
            for on_conflict in [ConflictPolicy::Hold, ConflictPolicy::Source, ConflictPolicy::Linq]
            {
                for linq in DeletePolicy::ALL {
                    for source in DeletePolicy::ALL {
                        policies.push(Policy {
                            direction,
                            field_directions: [(FIELDS[0], field)].into(),
                            on_conflict,
                            deletes: Deletes { linq, source },
                            ..Policy::default()
                        });
                    }
                }
            }
        }
    }
    policies
}

/// Who the states are about, and two who are in sync: the guard stops no run that
/// misses half of all links at most.
const PEOPLE: [&str; 4] = [
    "first_name=Ada email=ada@x.example",
    "first_name=Bo email=bo@x.example",
    "first_name=Cy email=cy@x.example",
    "first_name=Di email=di@x.example",
];

fn somebody(who: usize, cells: [Cell; 2]) -> Values {
    let mut person = values(PEOPLE[who]);
    for (field, cell) in FIELDS.into_iter().zip(cells) {
        person[field] = cell.map(String::from).unwrap_or_default();
    }
    person
}

fn base_of(who: usize, agreed: [Agreed; 2]) -> Base {
    let both = |text: &String| Agreement { source: text.clone(), linq: text.clone() };
    let person = values(PEOPLE[who]);
    let mut base: Base = [Field::FirstName, Field::Email]
        .map(|field| (field, both(&person[field])))
        .into_iter()
        .collect();
    for (field, agreed) in FIELDS.into_iter().zip(agreed) {
        if let Agreed::On(cell) = agreed {
            base.set(field, both(&cell.map(String::from).unwrap_or_default()));
        }
    }
    base
}

fn world_of(starts: &[Start], policy: &Policy) -> World {
    let mut world = World::new(&[], &[]);
    world.policy = policy.clone();
    world.mapped = [Field::FirstName, Field::Email].into_iter().chain(FIELDS).collect();
    let same =
        Start { base: Some([Agreed::On(None); 2]), source: Some([None; 2]), linq: Some([None; 2]) };
    let others = [(2, &same), (3, &same)];
    for (who, start) in starts.iter().enumerate().chain(others) {
        world.rows.extend(start.source.map(|cells| somebody(who, cells)));
        let id = world.appear(start.linq.map(|cells| somebody(who, cells)).unwrap_or_default());
        if let Some(agreed) = start.base {
            let base = base_of(who, agreed);
            world.link(id, &base.source_values(), base);
        }
        if start.linq.is_none() {
            world.contacts.remove(&id);
        }
    }
    world
}

/// Plans and applies until nothing is left to be done; the last plan.
pub(super) fn settle(world: &mut World) -> Plan {
    for _ in 0..4 {
        let plan = world.plan();
        if !plan.steps.iter().any(Step::acts) {
            return plan;
        }
        world.apply(&plan);
    }
    panic!("it does not settle: {:#?}", world.plan().steps);
}

fn cells(values: &Values) -> [Cell; 2] {
    FIELDS.map(|field| values[field].chars().next())
}

/// The one among `people` with the e-mail of `who`.
fn only<'a>(who: usize, people: impl Iterator<Item = &'a Values>) -> Option<&'a Values> {
    let email = &values(PEOPLE[who])[Field::Email];
    let mut found = people.filter(|person| person[Field::Email] == *email);
    let first = found.next();
    assert!(found.next().is_none(), "{} is there twice", PEOPLE[who]);
    first
}

/// What became of `who` in a world that is settled, of which `plan` is the last plan.
fn end_of(who: usize, world: &World, plan: &Plan) -> End {
    let email = &values(PEOPLE[who])[Field::Email];
    let links = world.links.iter().filter(|link| link.base.source_values()[Field::Email] == *email);
    let bonds: Vec<Bond> = links
        .map(|link| match link.status {
            LinkStatus::Linked => Bond::Linked,
            LinkStatus::Released => Bond::Released,
        })
        .collect();
    assert!(bonds.len() <= 1, "{} has two links", PEOPLE[who]);
    let name = &values(PEOPLE[who])[Field::FirstName];
    let waits = plan.steps.iter().filter(|step| step.subject.name == *name).flat_map(|s| &s.waits);
    let conflicts: Vec<Field> = waits
        .map(|wait| match wait {
            Wait::Conflict { field, .. } => *field,
            Wait::Ambiguous { .. }
            | Wait::HeldDeletion(_)
            | Wait::HeldClearing(..)
            | Wait::Rejected { .. }
            | Wait::Grace(_) => panic!("{name} waits for {wait:?}"),
        })
        .collect();
    End {
        source: only(who, world.rows.iter()).map(cells),
        linq: only(who, world.contacts.values()).map(cells),
        bond: bonds.first().copied().unwrap_or(Bond::None),
        conflicts: FIELDS.map(|field| conflicts.contains(&field)),
    }
}

/// Settles a world of `starts` and compares what became of everybody with the
/// reference.
fn check_against_reference(starts: &[Start], policy: &Policy) {
    let mut world = world_of(starts, policy);
    let last = settle(&mut world);
    for (who, start) in starts.iter().enumerate() {
        let found = end_of(who, &world, &last);
        assert_eq!(found, end(*start, policy), "{starts:?} under {policy:?}");
    }
}

fn check_determinism(world: &World) {
    let mut shuffled = world.clone();
    shuffled.rows.reverse();
    let mut seen = shuffled.observe();
    seen.links.reverse();
    assert_eq!(said(&world.plan()), said(&plan(&seen, &world.policy).unwrap()));
}

/// Only what was synced and is unedited since is deleted, and no value goes unsaid.
pub(super) fn check_care(world: &World) {
    let mut world = world.clone();
    for _ in 0..4 {
        let plan = world.plan();
        for step in &plan.steps {
            let Some(side) = step.deletes_on() else { continue };
            let link = world.links.iter().find(|link| Some(link.id) == step.subject.link).unwrap();
            let (left, agreed) = match side {
                Side::Linq => (&world.contacts[&link.linq_id], link.base.linq_values()),
                Side::Source => {
                    let at = step.subject.record.unwrap().0 as usize;
                    (&world.rows[at], link.base.source_values())
                }
            };
            let fields = link.base.fields();
            assert_eq!(left.only(fields), agreed.only(fields), "an edit is deleted");
        }
        let (before, said) = (typed(&world), said_to_go(&plan, &world));
        world.apply(&plan);
        let after = typed(&world);
        assert!(before.difference(&after).all(|value| said.contains(value)), "a value vanished");
    }
}

/// What both sides and the state come to, whatever ids were given on the way.
fn outcome(mut world: World) -> [Vec<String>; 3] {
    settle(&mut world);
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts
    };
    let link = |link: &Link| format!("{:?} {}", link.status, text(&link.base.source_values()));
    [
        sorted(world.rows.iter().map(text).collect()),
        sorted(world.contacts.values().map(text).collect()),
        sorted(world.links.iter().map(link).collect()),
    ]
}

/// Ended after any effect, written down or not, the next run ends as if it had not.
pub(super) fn check_resumption(world: &World) {
    let plan = world.plan();
    let effects = effects(&plan).len();
    if effects == 0 {
        return;
    }
    let expected = outcome(world.clone());
    let cuts = (1..effects).map(|count| (count, Recorded::Yes));
    for (count, last) in cuts.chain((1..=effects).map(|count| (count, Recorded::No))) {
        let mut interrupted = world.clone();
        interrupted.apply_first(&plan, count, last);
        assert_eq!(outcome(interrupted), expected, "after {count}, {last:?} of {:#?}", said(&plan));
    }
}

/// Calls `check` for each of `all` on all processors.
pub(super) fn in_parallel<T: Sync>(all: &[T], check: impl Fn(&T) + Sync) {
    let share = all.len().div_ceil(thread::available_parallelism().map_or(1, usize::from));
    thread::scope(|scope| {
        for part in all.chunks(share.max(1)) {
            scope.spawn(|| part.iter().for_each(&check));
        }
    });
}

#[test]
fn one_contact_under_the_default_policy_obeys_every_law() {
    let starts = starts(&agreed_or_never());
    assert_eq!(starts.len(), 1_700);
    in_parallel(&starts, |start| {
        let policy = Policy::default();
        check_against_reference(&[*start], &policy);
        let world = world_of(&[*start], &policy);
        check_determinism(&world);
        check_care(&world);
        check_resumption(&world);
    });
}

/// Up to renaming.
#[test]
fn one_contact_under_every_policy_becomes_what_was_promised() {
    let starts: Vec<Start> =
        starts(&agreed_or_never()).into_iter().filter(is_first_of_its_kind).collect();
    let policies = policies();
    assert_eq!((starts.len(), policies.len()), (502, 108));
    in_parallel(&policies, |policy| {
        for start in &starts {
            check_against_reference(&[*start], policy);
        }
    });
}

/// Up to renaming and order.
#[test]
fn two_contacts_do_not_meddle_with_each_other() {
    let starts: Vec<Start> = starts(&agreed()).into_iter().filter(is_first_of_its_kind).collect();
    let numbered: Vec<(usize, Start)> = starts.iter().copied().enumerate().collect();
    assert_eq!(starts.len(), 284);
    in_parallel(&numbered, |(number, one)| {
        let policy = Policy::default();
        for other in &starts[*number..] {
            check_against_reference(&[*one, *other], &policy);
        }
    });
}

#[test]
fn the_promise_is_even_handed() {
    let swap = |start: Start| Start { source: start.linq, linq: start.source, ..start };
    let turned = |direction: Direction| match direction {
        Direction::Both => Direction::Both,
        Direction::Push => Direction::Pull,
        Direction::Pull => Direction::Push,
    };
    for policy in policies() {
        let swapped = Policy {
            direction: turned(policy.direction),
            field_directions: policy
                .field_directions
                .iter()
                .map(|(f, d)| (*f, turned(*d)))
                .collect(),
            on_conflict: match policy.on_conflict {
                ConflictPolicy::Source => ConflictPolicy::Linq,
                ConflictPolicy::Linq => ConflictPolicy::Source,
                same @ (ConflictPolicy::Hold | ConflictPolicy::Newest) => same,
            },
            deletes: Deletes { linq: policy.deletes.source, source: policy.deletes.linq },
            ..policy.clone()
        };
        for start in starts(&agreed_or_never()) {
            let End { source, linq, bond, conflicts } = end(start, &policy);
            let expected = End { source: linq, linq: source, bond, conflicts };
            assert_eq!(end(swap(start), &swapped), expected, "{start:?}");
        }
    }
}
