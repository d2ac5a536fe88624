//! What people decided about what waits: carried out once, and for exactly that.

use super::world::PlannedWorld;
use crate::model::{Decision, Field, LinqId, Side, Waiting};
use crate::plan::{LinqWrite, Step};

fn listed(world: &PlannedWorld) -> Vec<Waiting> {
    world.listed()
}

fn decide(world: &mut PlannedWorld, decision: &Decision) {
    world.decisions.clear();
    for about in listed(world) {
        world.decide(about, decision.clone());
    }
}

fn conflict() -> PlannedWorld {
    let mut world = PlannedWorld::in_sync(&["first_name=Ada email=ada@x.example title=Countess"]);
    world.set_row(0, Field::Title, "Dr");
    world.set_contact(0, Field::Title, "Lady");
    world
}

#[test]
fn a_conflict_is_decided_for_a_side_or_for_neither() {
    for (decision, title) in [
        (Decision::Take { side: Side::Source }, "Dr"),
        (Decision::Take { side: Side::Linq }, "Lady"),
        (Decision::Value { value: "Prof".to_owned() }, "Prof"),
        (Decision::Value { value: String::new() }, ""),
    ] {
        let mut world = conflict();
        decide(&mut world, &decision);
        world.settle();
        assert_eq!(world.rows[0][Field::Title], title, "{decision:?}");
        assert_eq!(world.contacts[&world.id(0)][Field::Title], title, "{decision:?}");
        assert!(listed(&world).is_empty());
    }
}

#[test]
fn a_decision_about_other_values_does_not_hold() {
    let mut world = conflict();
    decide(&mut world, &Decision::Take { side: Side::Source });
    world.set_contact(0, Field::Title, "Duchess");
    assert!(!world.plan().steps.iter().any(Step::has_effect));
    assert_eq!(listed(&world).len(), 1);
}

#[test]
fn exactly_the_deletions_that_were_listed_are_released() {
    let people: Vec<String> =
        (0..40).map(|i| format!("first_name=P{i} email=p{i}@x.example")).collect();
    let mut world = PlannedWorld::in_sync(&people.iter().map(String::as_str).collect::<Vec<_>>());
    world.rows.truncate(28);
    let held = listed(&world);
    assert_eq!(held.len(), 12);
    for about in &held[..3] {
        world.decide(about.clone(), Decision::Approve);
    }
    let plan = world.plan();
    let deleted: Vec<&Step> =
        plan.steps.iter().filter(|step| step.deletes_on() == Some(Side::Linq)).collect();
    // Three are approved; the nine that are left are within the limit of ten.
    assert_eq!(deleted.len(), 12);
    assert_eq!(deleted.iter().filter(|step| step.approved).count(), 3);
    world.rows.truncate(26);
    let plan = world.plan();
    assert_eq!(plan.steps.iter().filter(|step| step.deletes_on().is_some()).count(), 3);
}

#[test]
fn an_emptied_side_is_believed_once_everybody_is_vouched_for() {
    let mut world = PlannedWorld::in_sync(&["first_name=Ada email=a@x.example", "first_name=Bo"]);
    world.rows.clear();
    assert!(world.plan().halt.is_some());
    decide(&mut world, &Decision::Approve);
    assert_eq!(world.plan().halt, None);
    world.settle();
    assert!(world.contacts.is_empty() && world.links.is_empty());
}

#[test]
fn an_approved_clearing_is_carried_out() {
    let people: Vec<String> =
        (0..20).map(|i| format!("first_name=P{i} email=p{i}@x.example company=C{i}")).collect();
    let mut world = PlannedWorld::in_sync(&people.iter().map(String::as_str).collect::<Vec<_>>());
    for row in 0..12 {
        world.set_row(row, Field::Company, "");
    }
    assert_eq!(listed(&world).len(), 12);
    decide(&mut world, &Decision::Approve);
    world.settle();
    assert_eq!(world.contacts.values().filter(|c| c[Field::Company].is_empty()).count(), 12);
}

#[test]
fn an_ambiguous_record_is_linked_or_created_as_decided() {
    let world = PlannedWorld::new(
        &["first_name=Jane email=info@x.example"],
        &["first_name=Bo email=info@x.example"],
    );
    let mut linked = world.clone();
    decide(&mut linked, &Decision::Link { linq_id: LinqId(1) });
    linked.settle();
    assert_eq!((linked.rows.len(), linked.contacts.len()), (1, 1));

    let mut separate = world;
    decide(&mut separate, &Decision::Separate);
    let creates = |step: &Step| matches!(step.linq, Some(LinqWrite::Create { .. }));
    assert!(separate.plan().steps.iter().any(creates));
    separate.settle();
    assert_eq!((separate.rows.len(), separate.contacts.len()), (2, 2));
    assert_eq!(separate.plan().standings.in_sync, 2);
}
