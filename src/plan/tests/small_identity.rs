//! Every small world in which it has to be found out who is who: first runs of two
//! rows and two contacts, and every edit of a file with two linked rows. A person is a
//! first name and an e-mail address, each blank or one of two.

use std::collections::{BTreeMap, BTreeSet};

use super::small_scope::{check_care, check_resumption, in_parallel, settle};
use super::world::PlannedWorld;
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

/// What is promised for a first run: how many pairs there are in the end, and how many rows
/// are ambiguous.
fn promised(rows: &[Values], contacts: &[Values]) -> (usize, usize) {
    let mut open: Vec<&Values> = rows.iter().filter(|row| !row.lacks_identity()).collect();
    let mut free: Vec<&Values> = contacts.iter().collect();
    let (mut linked, mut waiting, mut ambiguous) = (Vec::new(), 0, 0);
    let name = |one: &Values| one[Field::FirstName].clone();
    let email = |one: &Values| one[Field::Email].clone();
    let (mut unclear, mut asked): (Vec<&Values>, Vec<&Values>) = (Vec::new(), Vec::new());
    for address in &EMAILS[1..] {
        let there: Vec<&Values> = take(&mut open, |row| email(row) == *address);
        let here: Vec<&Values> = take(&mut free, |one| email(one) == *address);
        match (there.as_slice(), here.as_slice()) {
            ([], _) => free.extend(here),
            (_, []) => open.extend(there),
            ([a], [b]) if name(a) == name(b) || name(a).is_empty() || name(b).is_empty() => {
                linked.push(*a);
            }
            _ => {
                asked.extend(there);
                unclear.extend(here);
            }
        }
    }
    // What has nothing but a name is who has nothing but that name, if there is one each.
    for called in &NAMES[1..] {
        let bare = |one: &Values| name(one) == *called && email(one).is_empty();
        let there: Vec<&Values> = take(&mut open, bare);
        let here: Vec<&Values> = take(&mut free, bare);
        if let ([row], [_]) = (there.as_slice(), here.as_slice()) {
            linked.push(*row);
        } else {
            open.extend(there);
            free.extend(here);
        }
    }
    // Who has the name of a contact that is left may be that contact.
    free.extend(&unclear);
    for called in &NAMES[1..] {
        if free.iter().any(|one| name(one) == *called) {
            asked.extend(take(&mut open, |row| name(row) == *called));
        }
        let is_asked = asked.iter().any(|row| name(row) == *called);
        let clear = free.iter().filter(|one| {
            name(one) == *called && !unclear.iter().any(|other| std::ptr::eq(*other, **one))
        });
        waiting += if is_asked { clear.count() } else { 0 };
    }
    waiting += unclear.len();
    ambiguous += asked.len();
    // Of rows that may be one the first is created.
    let order = |row: &&Values| rows.iter().position(|other| std::ptr::eq(*row, other));
    open.sort_by_key(order);
    for row in open {
        let may_be = |other: &&Values| {
            let same_email = !email(row).is_empty() && email(row) == email(other);
            let same_name = !name(row).is_empty() && name(row) == name(other);
            let either_lacks = email(row).is_empty() || email(other).is_empty();
            same_email || same_name && either_lacks
        };
        if linked.iter().any(may_be) {
            ambiguous += 1;
        } else {
            linked.push(row);
        }
    }
    (linked.len() + free.len() - waiting, ambiguous)
}

/// Takes out those of `people` that are meant.
fn take<'a>(people: &mut Vec<&'a Values>, is: impl Fn(&Values) -> bool) -> Vec<&'a Values> {
    let (taken, left) = std::mem::take(people).into_iter().partition(|one| is(one));
    *people = left;
    taken
}

fn check_first_run(rows: &[Values], contacts: &[Values]) {
    let mut world = PlannedWorld::new(&[], &[]);
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
        let fields = contact.filled_fields();
        assert_eq!(
            world.contacts[id].only_fields(fields),
            contact.only_fields(fields),
            "{}",
            context()
        );
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
        let mut world = PlannedWorld::in_sync(&[
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
fn check_identities(world: &mut PlannedWorld) {
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
