//! Every small world in which it has to be found out who is who: first runs of two
//! rows and two contacts, and every edit of a file with two linked rows. A person is a
//! first name and an e-mail address, each blank or one of two.

use std::collections::{BTreeMap, BTreeSet};

use super::small_scope::{check_care, check_resumption, in_parallel, settle};
use super::world::World;
use crate::model::{Field, Values};
use crate::plan::{Plan, Wait};

const NAMES: [&str; 3] = ["", "Ann", "Bob"];
const EMAILS: [&str; 3] = ["", "a@x.example", "b@x.example"];

fn person(first: &str, email: &str) -> Values {
    let fields = [(Field::FirstName, first), (Field::Email, email)];
    fields.map(|(field, text)| (field, text.to_owned())).into_iter().collect()
}

fn people() -> Vec<Values> {
    NAMES.iter().flat_map(|first| EMAILS.map(|email| person(first, email))).collect()
}

/// All lists of at most `count` of `people`, in every order.
fn lists(people: &[Values], count: usize) -> Vec<Vec<Values>> {
    let mut lists = vec![Vec::new()];
    let mut longest: Vec<Vec<Values>> = lists.clone();
    for _ in 0..count {
        let longer = |list: &Vec<Values>| {
            let with = |one| [list.as_slice(), std::slice::from_ref(one)].concat();
            people.iter().map(with).collect::<Vec<_>>()
        };
        longest = longest.iter().flat_map(longer).collect();
        lists.extend(longest.iter().cloned());
    }
    lists
}

fn ambiguous(plan: &Plan) -> usize {
    let is = |wait: &Wait| matches!(wait, Wait::Ambiguous { .. });
    plan.steps.iter().filter(|step| step.waits.iter().any(is)).count()
}

/// What is promised for a first run, by e-mail: how many pairs there are in the end,
/// and how many rows are ambiguous.
fn promised(rows: &[Values], contacts: &[Values]) -> (usize, usize) {
    let rows: Vec<&Values> = rows.iter().filter(|row| !row.lacks_identity()).collect();
    let (mut pairs, mut ambiguous) = (0, 0);
    for email in &EMAILS[1..] {
        let with = |person: &&&Values| person[Field::Email] == *email;
        let names = |person: &Values| person[Field::FirstName].clone();
        let there: Vec<String> = rows.iter().filter(with).map(|row| names(row)).collect();
        let here: Vec<String> =
            contacts.iter().collect::<Vec<_>>().iter().filter(with).map(|c| names(c)).collect();
        match (there.as_slice(), here.as_slice()) {
            ([], alone) => pairs += alone.len(),
            ([_, others @ ..], []) => (pairs, ambiguous) = (pairs + 1, ambiguous + others.len()),
            ([a], [b]) if a == b || a.is_empty() || b.is_empty() => pairs += 1,
            (unclear, _) => ambiguous += unclear.len(),
        }
    }
    // A name alone matches nobody; of rows that are the same the first is created.
    let unseen = |person: &&&Values| person[Field::Email].is_empty();
    let all: Vec<&Values> = rows.iter().filter(unseen).copied().collect();
    let different: BTreeSet<&Values> = all.iter().copied().collect();
    let alone = contacts.iter().filter(|contact| contact[Field::Email].is_empty()).count();
    (pairs + different.len() + alone, ambiguous + all.len() - different.len())
}

fn check_first_run(rows: &[Values], contacts: &[Values]) {
    let mut world = World::new(&[], &[]);
    world.mapped = [Field::FirstName, Field::Email].into_iter().collect();
    world.rows = rows.to_vec();
    for contact in contacts {
        world.appear(contact.clone());
    }
    check_care(&world);
    check_resumption(&world);
    let before = world.clone();
    let last = settle(&mut world);
    let context = || format!("{:?} {:?}", texts(rows), texts(contacts));
    assert_eq!((world.links.len(), ambiguous(&last)), promised(rows, contacts), "{}", context());
    for (id, contact) in &before.contacts {
        let fields = contact.filled();
        assert_eq!(world.contacts[id].only(fields), contact.only(fields), "{}", context());
    }
    let linked: BTreeSet<_> = world.links.iter().map(|link| link.linq_id).collect();
    assert_eq!(linked.len(), world.links.len());
}

fn texts(people: &[Values]) -> Vec<String> {
    people.iter().map(|one| format!("{}/{}", one[Field::FirstName], one[Field::Email])).collect()
}

#[test]
fn first_runs_link_create_and_wait_as_promised() {
    let contacts: Vec<Values> = people().into_iter().filter(|one| !one.lacks_identity()).collect();
    let rows = lists(&people(), 2);
    let contacts = lists(&contacts, 2);
    assert_eq!((rows.len(), contacts.len()), (91, 73));
    in_parallel(&rows, |rows| {
        // The order of ids tells nothing.
        let sorted = contacts.iter().filter(|contacts| contacts.is_sorted());
        sorted.for_each(|contacts| check_first_run(rows, contacts));
    });
}

#[test]
fn however_a_file_is_edited_nothing_is_lost_on_the_way() {
    let edited = lists(&people(), 3);
    assert_eq!(edited.len(), 820);
    for second in [person("Bob", "b@x.example"), person("Ann", ""), person("Bob", "a@x.example")] {
        let mut world = World::in_sync(&[
            "first_name=Ann email=a@x.example",
            "first_name=Cy email=cy@x.example",
            "first_name=Di email=di@x.example",
        ]);
        world.mapped = [Field::FirstName, Field::Email].into_iter().collect();
        world.appear(second);
        settle(&mut world);
        let others: Vec<Values> =
            world.rows.iter().filter(|row| row[Field::FirstName].len() == 2).cloned().collect();
        assert_eq!((others.len(), world.links.len()), (2, 4));
        in_parallel(&edited, |rows| {
            let mut world = world.clone();
            world.rows = [rows.as_slice(), &others].concat();
            if rows.len() < 3 {
                check_care(&world);
                check_resumption(&world);
            }
            check_identities(&mut world);
        });
    }
}

/// Once settled, everybody who is linked has a row of their own, or something waits.
fn check_identities(world: &mut World) {
    let last = settle(world);
    let mut rows: BTreeMap<&Values, usize> = BTreeMap::new();
    world.rows.iter().for_each(|row| *rows.entry(row).or_default() += 1);
    for link in &world.links {
        let row = link.base.source_values();
        match rows.get_mut(&row) {
            Some(left) if *left > 0 => *left -= 1,
            Some(_) | None => assert!(!last.steps.is_empty(), "{:?} has no row", texts(&[row])),
        }
    }
}
