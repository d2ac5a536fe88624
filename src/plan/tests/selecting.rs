//! Rows outside the selection of the source: seen by everything, touched by nothing.

use super::census::{assert_same, crowded};
use super::drawn::{Choices, clear, muddled};
use super::laws::{check, check_steps};
use super::small_scope::settle;
use super::world::{PlannedWorld, values};
use crate::model::{DeletePolicy, Deletes, Direction, Field, LinkStatus, Policy};

const ADA: &str = "first_name=Ada last_name=Bell email=ada@x.example phone_number=+14155550101";
const BO: &str = "first_name=Bo last_name=Cole email=bo@x.example";
const CY: &str = "first_name=Cy last_name=Dorn email=cy@x.example";

/// Ada takes no part any more, the others do.
fn without_ada() -> PlannedWorld {
    let mut world = PlannedWorld::in_sync(&[ADA, BO, CY]);
    world.leave(0);
    world
}

#[test]
fn who_leaves_the_selection_is_released_and_linked_again_when_back() {
    for direction in Direction::ALL {
        let mut world = without_ada();
        world.policy.direction = direction;
        let PlannedWorld { rows, contacts, .. } = PlannedWorld::in_sync(&[ADA, BO, CY]);
        world.settle();
        assert_eq!(world.links[0].status, LinkStatus::Released);
        world.set_contact(0, Field::Title, "Chief");
        assert!(world.plan().steps.is_empty(), "{direction:?}: an edit goes nowhere");
        world.set_contact(0, Field::Title, "");
        world.all_take_part();
        world.settle();
        assert_eq!(world.links.len(), 3);
        assert!(world.links.iter().all(|link| link.status == LinkStatus::Linked));
        assert_eq!((world.rows, world.contacts), (rows, contacts));
    }
}

#[test]
fn nothing_of_who_takes_no_part_is_deleted_on_either_side() {
    let mut gone = without_ada();
    gone.contacts.pop_first();
    gone.settle();
    assert_eq!(gone.rows.len(), 3, "the row stays");
    let mut removed = without_ada();
    removed.settle();
    removed.rows.remove(0);
    removed.all_take_part();
    assert!(removed.plan().steps.is_empty(), "so does the contact");
}

#[test]
fn a_contact_whose_row_takes_no_part_gets_no_second_one() {
    for contact in [
        ADA,
        "first_name=Ada last_name=Bell email=ada@x.example title=Chief",
        "first_name=Ada phone_number=+14155550101",
        "first_name=Ada last_name=Bell",
        "first_name=Bob email=ada@x.example",
    ] {
        let mut world = PlannedWorld::new(&[ADA, BO], &[contact]);
        world.leave(0);
        world.settle();
        assert_eq!((world.rows.len(), world.contacts.len()), (2, 2), "{contact}");
        assert_eq!(world.plan().outside, [1, 1]);
    }
    let mut world = PlannedWorld::new(&[ADA, BO], &["first_name=Di email=di@x.example"]);
    world.leave(0);
    world.settle();
    assert_eq!((world.rows.len(), world.contacts.len()), (3, 2), "others get theirs");
}

#[test]
fn a_contact_that_was_made_again_under_another_id_gets_no_second_row() {
    let mut world = without_ada();
    world.settle();
    world.contacts.pop_first();
    world.appear(values(ADA));
    world.settle();
    assert_eq!((world.rows.len(), world.contacts.len()), (3, 3));
    world.all_take_part();
    world.settle();
    assert_eq!((world.rows.len(), world.contacts.len(), world.links.len()), (3, 3, 3));
}

#[test]
fn a_row_that_looks_like_one_outside_waits_instead_of_being_created() {
    let mut world = PlannedWorld::new(&[ADA, ADA, BO], &[]);
    world.leave(0);
    world.settle();
    assert_eq!(world.contacts.len(), 1, "Bo alone");
    let waits = world.listed();
    assert_eq!(waits.len(), 1, "{waits:?}");
    let mut taken = without_ada();
    taken.settle();
    taken.rows.push(values(ADA));
    taken.settle();
    assert_eq!((taken.contacts.len(), taken.listed().len()), (3, 1));
}

#[test]
fn a_released_row_whose_contact_is_gone_is_new_when_it_comes_back() {
    for (keeps, contacts) in [(DeletePolicy::Propagate, 3), (DeletePolicy::Keep, 2)] {
        let mut world = without_ada();
        let deletes = Deletes { linq: DeletePolicy::Propagate, source: keeps };
        world.policy = Policy { deletes, ..Policy::default() };
        world.settle();
        world.contacts.pop_first();
        world.settle();
        world.all_take_part();
        world.settle();
        assert_eq!(world.contacts.len(), contacts, "{keeps:?}");
        assert_eq!(world.rows.len(), 3);
    }
}

#[test]
fn a_row_that_is_back_after_its_contact_was_deleted_is_new_even_if_no_run_saw_it_between() {
    for (keeps, contacts) in [(DeletePolicy::Propagate, 3), (DeletePolicy::Keep, 2)] {
        let mut world = without_ada();
        let deletes = Deletes { linq: DeletePolicy::Propagate, source: keeps };
        world.policy = Policy { deletes, ..Policy::default() };
        world.settle();
        world.contacts.pop_first();
        world.all_take_part();
        world.set_row(0, Field::Title, "Chief");
        world.settle();
        assert_eq!((world.contacts.len(), world.rows.len()), (contacts, 3), "{keeps:?}");
    }
}

/// Lets some of the rows leave the selection.
fn some_leave(world: &mut PlannedWorld, which: usize) {
    for position in 0..world.rows.len() {
        if which >> (position % 8) & 1 == 1 {
            world.leave(position);
        }
    }
}

/// What nobody may touch: the rows outside, and the contacts that they are linked with.
fn untouchable(world: &PlannedWorld) -> (Vec<crate::model::Values>, Vec<crate::model::LinqId>) {
    let seen = world.observe();
    let outside = seen.source.records.iter().filter(|record| record.is_outside);
    let rows = outside.map(|record| world.rows[record.index.0 as usize].clone()).collect();
    let of_links = crate::plan::records_of_links(&seen, &world.policy);
    let is_outside =
        |link: &&crate::model::Link| of_links.get(&link.id).is_some_and(|record| record.is_outside);
    let linked = world.links.iter().filter(is_outside).map(|link| link.linq_id);
    (rows, linked.collect())
}

fn nobody_outside_is_touched(mut world: PlannedWorld) {
    let plan = world.plan();
    check_steps(&plan);
    if plan.halt.is_some() {
        // Nothing at all is written then.
        return;
    }
    let (rows, linked) = untouchable(&world);
    let contacts: Vec<_> = linked.iter().map(|id| world.contacts.get(id).cloned()).collect();
    let people = world.rows.len() + world.contacts.len();
    settle(&mut world);
    for row in &rows {
        let count = |all: &[crate::model::Values]| all.iter().filter(|one| *one == row).count();
        assert_eq!(count(&world.rows), count(&rows), "a row outside was written");
    }
    let after: Vec<_> = linked.iter().map(|id| world.contacts.get(id).cloned()).collect();
    assert_eq!(after, contacts, "a contact whose row is outside was written");
    assert!(world.contacts.len() <= people && world.rows.len() <= people);
    // All take part again: nobody is lost or multiplied.
    world.all_take_part();
    settle(&mut world);
    assert!(world.contacts.len() <= people && world.rows.len() <= people);
}

#[test]
fn whoever_takes_no_part_nobody_of_them_is_touched() {
    check(8, |choices| {
        let which = choices.below(256);
        let mut world = muddled(choices);
        some_leave(&mut world, which);
        nobody_outside_is_touched(world);
    });
    check(8, |choices| {
        let which = choices.below(256);
        let mut world = clear(choices);
        some_leave(&mut world, which);
        nobody_outside_is_touched(world);
    });
}

#[test]
fn a_plan_without_the_pairs_at_rest_is_the_same_whoever_takes_no_part() {
    let same = |mut world: PlannedWorld, which| {
        some_leave(&mut world, which);
        assert_same(&world.observe(), &world.policy);
        if which % 2 == 0 && world.plan().halt.is_none() {
            settle(&mut world);
            assert_same(&world.observe(), &world.policy);
        }
    };
    check(16, |choices: &mut Choices<'_>| same(crowded(choices), choices.below(256)));
    check(8, |choices: &mut Choices<'_>| {
        let which = choices.below(256);
        same(muddled(choices), which);
    });
}
