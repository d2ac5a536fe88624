//! The guard: too many deletions, emptied sides, mass clearing.

use chrono::TimeDelta;

use super::world::PlannedWorld;
use crate::model::{DeletePolicy, Direction, Field, Limit, Side};
use crate::plan::{Observation, Plan, RecentDeletions, Step, Wait, make_plan, worth_asking};

fn people(count: usize) -> Vec<String> {
    let person = |i| format!("first_name=P{i} email=p{i}@x.example company=C{i}");
    (0..count).map(person).collect()
}

fn world(count: usize) -> PlannedWorld {
    let people = people(count);
    PlannedWorld::in_sync(&people.iter().map(String::as_str).collect::<Vec<_>>())
}

fn held(plan: &Plan) -> usize {
    let held = |step: &&Step| step.waits.iter().any(|w| matches!(w, Wait::HeldDeletion(_)));
    plan.steps.iter().filter(held).count()
}

fn deletions(plan: &Plan) -> usize {
    plan.steps.iter().filter(|step| step.deletes_on().is_some()).count()
}

#[test]
fn deletions_within_the_limit_are_carried_out_and_one_more_holds_them_all() {
    let mut world = world(40);
    world.rows.truncate(30);
    assert_eq!((deletions(&world.plan()), held(&world.plan())), (10, 0));
    world.rows.truncate(29);
    world.set_row(0, Field::Company, "Edited");
    let plan = world.plan();
    assert_eq!((deletions(&plan), held(&plan)), (0, 11));
    assert!(plan.steps.iter().any(|step| step.linq.is_some()), "edits go on");
    assert_eq!(plan.halt, None);
}

#[test]
fn deletions_of_the_past_day_count() {
    let mut world = world(40);
    world.rows.truncate(35);
    let mut seen = world.observe();
    seen.recent_deletions = RecentDeletions { linq: 6, source: 0 };
    assert_eq!(held(&make_plan(&seen, &world.policy).unwrap()), 5);
}

#[test]
fn an_emptied_side_stops_everything() {
    for emptied in [Side::Source, Side::Linq] {
        let mut world = world(30);
        match emptied {
            Side::Source => world.rows.clear(),
            Side::Linq => world.contacts.clear(),
        }
        let plan = world.plan();
        assert!(plan.halt.is_some(), "{emptied}");
        assert!(!plan.steps.iter().any(Step::has_effect));
        assert_eq!(held(&plan), 30);
    }
}

#[test]
fn more_than_half_missing_stops_everything_whatever_the_limit() {
    let mut world = world(30);
    world.policy.max_deletes = Limit::Count(1000);
    world.rows.truncate(14);
    world.set_row(0, Field::Company, "Edited");
    let plan = world.plan();
    assert!(plan.halt.is_some());
    assert!(!plan.steps.iter().any(Step::has_effect));
    world.rows.extend(world.contacts.values().skip(14).take(1).cloned().collect::<Vec<_>>());
    assert_eq!(world.plan().halt, None, "exactly half is not more than half");
}

#[test]
fn a_stopped_run_says_whom_it_misses_whatever_the_policy() {
    let mut keeping = world(10);
    keeping.policy.deletes.linq = DeletePolicy::Keep;
    let mut waiting = world(10);
    waiting.policy.delete_grace = TimeDelta::hours(1);
    for mut world in [keeping, waiting] {
        world.rows.truncate(4);
        let plan = world.plan();
        assert!(plan.halt.is_some());
        assert_eq!((held(&plan), plan.steps.iter().filter(|s| s.has_effect()).count()), (6, 0));
    }
}

#[test]
fn what_nothing_can_follow_from_stops_no_run_unless_the_side_is_empty() {
    let mut pulling = world(10);
    pulling.policy.direction = Direction::Pull;
    pulling.rows.truncate(4);
    let plan = pulling.plan();
    assert_eq!((plan.halt, held(&pulling.plan())), (None, 0));
    pulling.rows.clear();
    assert!(pulling.plan().halt.is_some());
}

#[test]
fn another_file_that_is_empty_is_an_emptied_side() {
    let mut world = world(10);
    world.rows.clear();
    let mut seen = world.observe();
    seen.changed_meaning = Some("another file is configured".to_owned());
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert!(plan.halt.is_some());
    assert_eq!((held(&plan), deletions(&plan)), (10, 0));
}

#[test]
fn a_file_of_something_else_is_an_emptied_side() {
    let mut world = world(10);
    world.rows = vec![super::world::values("company=Rubbish")];
    world.appear(super::world::values("first_name=New email=new@x.example"));
    let plan = world.plan();
    assert!(plan.halt.is_some());
    assert!(!plan.steps.iter().any(Step::has_effect));
}

#[test]
fn nothing_was_there_before_so_nothing_can_be_emptied() {
    let plan = PlannedWorld::new(&[], &["first_name=Ada"]).plan();
    assert_eq!((plan.halt, plan.steps.len()), (None, 1));
}

#[test]
fn clearing_one_column_of_many_people_waits() {
    let mut world = world(40);
    for row in 0..11 {
        world.set_row(row, Field::Company, "");
    }
    world.set_row(0, Field::Title, "CEO");
    let plan = world.plan();
    let held: usize = plan
        .steps
        .iter()
        .flat_map(|step| &step.waits)
        .filter(|wait| matches!(wait, Wait::HeldClearing(Side::Linq, _)))
        .count();
    assert_eq!(held, 11);
    assert_eq!(plan.steps.iter().filter(|step| step.linq.is_some()).count(), 1);
}

#[test]
fn after_a_change_of_meaning_nothing_is_deleted_or_cleared() {
    let mut world = world(12);
    world.rows.truncate(10);
    world.set_row(0, Field::Company, "");
    world.set_row(1, Field::Company, "Edited");
    let mut seen = world.observe();
    seen.changed_meaning = Some("the columns are mapped differently".to_owned());
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert_eq!((deletions(&plan), held(&plan), plan.notices.len()), (0, 0, 1));
    assert_eq!(plan.steps.iter().filter(|step| step.linq.is_some()).count(), 1);
}

#[test]
fn after_a_change_of_meaning_nothing_follows_from_absence() {
    let steps_of = |world: &PlannedWorld| {
        let mut seen = world.observe();
        seen.changed_meaning = Some("another file is configured".to_owned());
        let plan = make_plan(&seen, &world.policy).unwrap();
        (plan.steps.iter().filter(|step| step.has_effect()).count(), plan.standings.in_sync)
    };
    let mut keeping = world(12);
    keeping.policy.deletes.linq = DeletePolicy::Keep;
    keeping.rows.truncate(10);
    assert_eq!(steps_of(&keeping), (0, 10), "nobody is released");

    let mut waiting = world(12);
    waiting.policy.delete_grace = TimeDelta::hours(1);
    waiting.rows.truncate(10);
    assert_eq!(steps_of(&waiting), (0, 10), "no grace begins");

    let mut both = world(12);
    both.rows.truncate(11);
    let last = both.id(11);
    both.contacts.remove(&last);
    assert_eq!(steps_of(&both), (0, 11), "nobody is forgotten");

    let mut edited = world(12);
    edited.rows.truncate(11);
    edited.set_contact(11, Field::Company, "Edited");
    assert_eq!(steps_of(&edited), (0, 11), "nobody is created again");
}

/// Linked contacts from `first` on are not listed, and too many to be asked for.
fn unasked(world: &PlannedWorld, first: usize) -> Observation {
    let mut seen = world.observe();
    for id in world.contacts.keys().skip(first) {
        seen.linq.contacts.remove(id);
    }
    seen.linq.too_many_to_confirm = true;
    seen
}

#[test]
fn contacts_that_were_not_asked_for_are_held_where_they_would_be_deleted() {
    let mut world = world(40);
    world.set_row(39, Field::Company, "Edited");
    let plan = make_plan(&unasked(&world, 28), &world.policy).unwrap();
    assert_eq!((held(&plan), deletions(&plan), plan.halt), (11, 0, None), "the edit would win");
    assert_eq!(plan.standings.in_sync, 28);
}

#[test]
fn nothing_is_held_on_a_side_that_is_never_deleted_from() {
    let mut pushing = world(40);
    pushing.policy.direction = Direction::Push;
    assert_eq!(held(&make_plan(&unasked(&pushing, 28), &pushing.policy).unwrap()), 0);
    let mut keeping = world(40);
    keeping.policy.deletes.source = DeletePolicy::Keep;
    assert_eq!(held(&make_plan(&unasked(&keeping, 28), &keeping.policy).unwrap()), 0);
}

#[test]
fn asking_for_each_missing_contact_is_worth_it_only_within_the_limit() {
    let policy = super::world::policy();
    assert!(worth_asking(10, 40, 0, &policy));
    assert!(!worth_asking(11, 40, 0, &policy));
    assert!(!worth_asking(10, 40, 1, &policy));
    assert!(!worth_asking(3, 5, 0, &policy), "more than half stops the run anyway");
    let mut keeping = policy;
    keeping.deletes.source = DeletePolicy::Keep;
    assert!(worth_asking(20, 40, 0, &keeping), "nothing would be deleted, only released");
    assert!(!worth_asking(21, 40, 0, &keeping));
}
