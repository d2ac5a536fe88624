//! Mass edits of one field, and what becomes of what was held.

use std::collections::BTreeMap;

use super::world::PlannedWorld;
use crate::model::{Decision, Field, Limit, Side};
use crate::plan::{Incomplete, Observation, Outlook, Plan, RecentEdits, Step, Wait, make_plan};

fn people(count: usize) -> PlannedWorld {
    let person = |i| {
        format!(
            "first_name=P{i} email=p{i}@x.example phone_number=+1415555{i:04} company=C{} title=T{i}",
            i % 4
        )
    };
    let people: Vec<String> = (0..count).map(person).collect();
    PlannedWorld::in_sync(&people.iter().map(String::as_str).collect::<Vec<_>>())
}

/// How many edits are held, and how many contacts are written.
fn held(plan: &Plan) -> (usize, usize) {
    let waits = plan.steps.iter().flat_map(|step| &step.waits);
    let held = waits
        .filter(|wait| matches!(wait, Wait::HeldClearing(..) | Wait::HeldChange { .. }))
        .count();
    let acts = plan.steps.iter().filter(|step| step.linq.is_some() || step.source.is_some());
    (held, acts.count())
}

/// Edits a field of everybody on a side.
fn edit(
    world: &mut PlannedWorld,
    side: Side,
    field: Field,
    new: impl Fn(usize, &[String]) -> String,
) {
    let old: Vec<String> = match side {
        Side::Source => world.rows.iter().map(|row| row[field].to_string()).collect(),
        Side::Linq => world.contacts.values().map(|contact| contact[field].to_string()).collect(),
    };
    for position in 0..old.len() {
        let text = new(position, &old);
        match side {
            Side::Source => world.set_row(position, field, &text),
            Side::Linq => world.set_contact(position, field, &text),
        }
    }
}

#[test]
fn values_that_moved_between_contacts_wait_on_whichever_side_they_did() {
    for side in Side::ALL {
        for field in [Field::PhoneNumber, Field::Title, Field::Company] {
            let mut world = people(20);
            edit(&mut world, side, field, |at, old| old[(at + 1) % old.len()].clone());
            assert_eq!(held(&world.plan()), (20, 0), "{field} in {side}");
        }
    }
}

#[test]
fn four_edits_are_too_few_to_have_moved_and_five_are_enough() {
    for (rotated, expected) in [(4, (0, 4)), (5, (5, 0))] {
        let mut world = people(30);
        edit(&mut world, Side::Source, Field::Title, |at, old| {
            if at < rotated { old[(at + 1) % rotated].clone() } else { old[at].clone() }
        });
        assert_eq!(held(&world.plan()), expected);
    }
}

#[test]
fn of_six_new_values_four_that_moved_are_too_few() {
    let mut world = people(30);
    edit(&mut world, Side::Source, Field::Title, |at, old| match at {
        0..4 => old[(at + 1) % 4].clone(),
        4..6 => format!("New {at}"),
        _ => old[at].clone(),
    });
    assert_eq!(held(&world.plan()), (0, 6));
}

#[test]
fn who_gets_a_value_that_many_share_is_nothing_unusual() {
    let mut world = people(40);
    edit(&mut world, Side::Source, Field::Company, |at, old| {
        if at % 4 == 0 && at < 24 { "C1".to_owned() } else { old[at].clone() }
    });
    assert_eq!(held(&world.plan()), (0, 6));
    // A fifth of all values is.
    edit(&mut world, Side::Source, Field::Company, |at, old| {
        if at % 4 == 0 { "C1".to_owned() } else { old[at].clone() }
    });
    assert_eq!(held(&world.plan()), (10, 0));
}

#[test]
fn replaced_values_wait_beyond_the_limit_and_what_was_blank_is_not_counted() {
    let mut world = people(30);
    world.policy.max_changes = Limit::Count(3);
    edit(&mut world, Side::Source, Field::Title, |at, old| {
        if at < 4 { format!("New {at}") } else { old[at].clone() }
    });
    assert_eq!(held(&world.plan()), (4, 0));
    world.policy.max_changes = Limit::Count(4);
    assert_eq!(held(&world.plan()), (0, 4));
    let mut seen = world.observe();
    let recent =
        |position| RecentEdits { replaced: [world.id(position)].into(), ..RecentEdits::default() };
    seen.recent_edits = BTreeMap::from([((Side::Linq, Field::Title), recent(20))]);
    assert_eq!(held(&make_plan(&seen, &world.policy).unwrap()), (4, 0), "with those of the day");
    seen.recent_edits = BTreeMap::from([((Side::Linq, Field::Title), recent(0))]);
    assert_eq!(held(&make_plan(&seen, &world.policy).unwrap()), (0, 4), "each contact counts once");

    let mut filled = people(30);
    filled.policy.max_changes = Limit::Count(0);
    edit(&mut filled, Side::Linq, Field::Location, |at, _| format!("Here {at}"));
    assert_eq!(held(&filled.plan()), (0, 30));
}

#[test]
fn more_than_half_of_a_field_is_a_mass_clearing_from_five_on() {
    for (contacts, cleared, expected) in
        [(8, 4, (0, 4)), (9, 5, (5, 0)), (10, 5, (0, 5)), (6, 4, (0, 4)), (10, 10, (10, 0))]
    {
        let mut world = people(contacts);
        edit(&mut world, Side::Linq, Field::Title, |at, old| {
            if at < cleared { String::new() } else { old[at].clone() }
        });
        assert_eq!(held(&world.plan()), expected, "{cleared} of {contacts}");
    }
}

/// Twelve of forty are deleted in the source, and held.
fn twelve_held() -> PlannedWorld {
    let mut world = people(40);
    world.rows.drain(..12);
    world.remember_held();
    assert_eq!(world.held.len(), 12);
    world
}

fn deletions(seen: &Observation, world: &PlannedWorld) -> (usize, usize) {
    let plan = make_plan(seen, &world.policy).unwrap();
    let held = |step: &&Step| step.waits.contains(&Wait::HeldDeletion(Side::Linq));
    let deletes = |step: &&Step| step.deletes_on().is_some();
    (plan.steps.iter().filter(held).count(), plan.steps.iter().filter(deletes).count())
}

#[test]
fn what_is_held_stays_held_whatever_a_run_cannot_see_and_whatever_the_limit_is_by_then() {
    let world = twelve_held();
    let mut unread = world.observe();
    unread.source.unreadable.push(crate::model::Unreadable {
        label: "row:9".to_owned(),
        line: 9,
        reason: "a quotation mark is not closed".to_owned(),
    });
    assert_eq!(deletions(&unread, &world), (12, 0));

    let mut partly = world.observe();
    let gone: Vec<_> = world.contacts.keys().take(12).copied().collect();
    partly.linq.contacts.retain(|id, _| !gone.contains(id));
    partly.linq.incomplete =
        Some(Incomplete { why: "pages moved".to_owned(), outlook: Outlook::Passing });
    assert_eq!(deletions(&partly, &world), (12, 0));

    let mut grown = world.clone();
    grown.policy.max_deletes = Limit::Count(1_000);
    assert_eq!(deletions(&grown.observe(), &grown), (12, 0));
    grown.policy.max_deletes_of_run = Some(Limit::Count(12));
    assert_eq!(deletions(&grown.observe(), &grown), (0, 12), "a person says so");
}

#[test]
fn a_hold_ends_when_what_was_done_is_taken_back() {
    let mut world = twelve_held();
    let back = world.contacts.values().take(11).cloned().collect::<Vec<_>>();
    world.rows.extend(back);
    assert_eq!(deletions(&world.observe(), &world), (1, 0), "the last one goes on waiting");
    world.rows.push(world.contacts[&world.id(11)].clone());
    world.remember_held();
    assert!(world.held.is_empty());
    world.rows.pop();
    assert_eq!(deletions(&world.observe(), &world), (0, 1), "another deletion is another question");
}

#[test]
fn held_edits_stay_held_while_the_limit_grows_and_are_put_back_when_rejected() {
    for side in Side::ALL {
        let mut world = people(20);
        let (rows, contacts) = (world.rows.clone(), world.contacts.clone());
        edit(&mut world, side, Field::Title, |at, _| format!("New {at}"));
        world.remember_held();
        assert_eq!(world.held.len(), 20);
        world.policy.max_changes = Limit::Count(1_000);
        assert_eq!(held(&world.plan()), (20, 0));
        for about in world.listed() {
            world.decide(about, Decision::Reject);
        }
        world.settle();
        assert_eq!((&world.rows, &world.contacts), (&rows, &contacts), "{side}");
        world.remember_held();
        assert!(world.held.is_empty());
    }
}

#[test]
fn a_rejected_deletion_brings_the_other_half_back() {
    let mut world = twelve_held();
    for about in world.listed() {
        world.decide(about, Decision::Reject);
    }
    world.settle();
    assert_eq!((world.rows.len(), world.contacts.len(), world.links.len()), (40, 40, 40));
    let mut world = people(40);
    let gone: Vec<_> = world.contacts.keys().take(12).copied().collect();
    world.contacts.retain(|id, _| !gone.contains(id));
    world.remember_held();
    assert_eq!(world.held.len(), 12);
    for about in world.listed() {
        world.decide(about, Decision::Reject);
    }
    world.settle();
    assert_eq!((world.rows.len(), world.contacts.len(), world.links.len()), (40, 40, 40));
}
