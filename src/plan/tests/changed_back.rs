//! A value that something puts back after each of our writes.

use super::world::PlannedWorld;
use crate::model::{ConflictPolicy, Decision, Field, FieldChange, Side};
use crate::plan::{Clash, LinqWrite, RepeatedValue, SourceWrite, Wait, list_waiting};

/// Ada, whose title was “b” on both sides until `side` went back to “a”, which we had
/// replaced so many `times`.
fn changed_back(side: Side, times: usize) -> PlannedWorld {
    let others = ["first_name=Bo email=bo@x.example", "first_name=Cy email=cy@x.example"];
    let ada = "first_name=Ada email=ada@x.example title=b";
    let mut world = PlannedWorld::in_sync(&[ada, others[0], others[1]]);
    set(&mut world, side, "a");
    let change = FieldChange { field: Field::Title, from: "a".into(), to: "b".into() };
    world.written.insert((world.id(0), side, Field::Title), RepeatedValue { change, times });
    world
}

fn set(world: &mut PlannedWorld, side: Side, text: &str) {
    match side {
        Side::Source => world.set_row(0, Field::Title, text),
        Side::Linq => world.set_contact(0, Field::Title, text),
    }
}

/// The titles that the plan writes, in the source and in Linq.
fn writes(world: &PlannedWorld) -> (Option<String>, Option<String>) {
    let plan = world.plan();
    let title = |set: &[FieldChange]| {
        let title = set.iter().find(|change| change.field == Field::Title);
        title.map(|change| change.to.to_string())
    };
    let to_source = plan.steps.iter().find_map(|step| match &step.source {
        Some(SourceWrite::Update { set, .. }) => title(set),
        Some(SourceWrite::Create { .. } | SourceWrite::Delete { .. }) | None => None,
    });
    let to_linq = plan.steps.iter().find_map(|step| match &step.linq {
        Some(LinqWrite::Update { set, .. }) => title(set),
        Some(LinqWrite::Create { .. } | LinqWrite::Delete { .. }) | None => None,
    });
    (to_source, to_linq)
}

fn only(side: Side, text: &str) -> (Option<String>, Option<String>) {
    match side {
        Side::Source => (Some(text.to_owned()), None),
        Side::Linq => (None, Some(text.to_owned())),
    }
}

#[test]
fn twice_is_an_edit_and_three_times_waits_for_a_person_under_any_policy() {
    for side in Side::ALL {
        assert_eq!(writes(&changed_back(side, 2)), only(side.other(), "a"));
        for on_conflict in ConflictPolicy::ALL {
            let mut world = changed_back(side, 3);
            world.policy.on_conflict = on_conflict;
            assert_eq!(writes(&world), (None, None), "{on_conflict:?}");
            let plan = world.plan();
            let [step] = plan.steps.as_slice() else { panic!("{:#?}", plan.steps) };
            let [Wait::Conflict { clash, .. }] = step.waits.as_slice() else { panic!() };
            assert_eq!(*clash, Clash::ChangedBack(side));
        }
    }
}

#[test]
fn another_value_on_either_side_is_written_again() {
    for side in Side::ALL {
        let mut world = changed_back(side, 3);
        set(&mut world, side, "c");
        assert_eq!(writes(&world), only(side.other(), "c"));
        let mut world = changed_back(side, 3);
        set(&mut world, side.other(), "c");
        assert_eq!(writes(&world), only(side, "c"));
        let mut world = changed_back(side, 3);
        set(&mut world, side.other(), "a");
        assert_eq!(writes(&world), (None, None));
        assert!(world.plan().steps.iter().all(|step| step.waits.is_empty()), "they agree");
    }
}

#[test]
fn a_person_can_decide_which_value_is_right() {
    for side in Side::ALL {
        let decide = |decision: Decision| {
            let mut world = changed_back(side, 3);
            let (plan, seen) = (world.plan(), world.observe());
            let waiting = list_waiting(&plan, &seen);
            assert!(waiting[0].reason.contains("keeps changing title back"));
            world.decide(waiting[0].clone(), decision);
            world
        };
        assert_eq!(writes(&decide(Decision::Take { side })), only(side.other(), "a"));
        assert_eq!(writes(&decide(Decision::Take { side: side.other() })), only(side, "b"));
        let value = Decision::Value { value: "c".to_owned() };
        assert_eq!(writes(&decide(value)), only(Side::Source, "c"));
    }
}

#[test]
fn another_write_than_the_last_is_no_reason_to_wait() {
    for (from, to) in [("x", "b"), ("a", "x")] {
        let mut world = changed_back(Side::Linq, 3);
        for written in world.written.values_mut() {
            written.change = FieldChange { field: Field::Title, from: from.into(), to: to.into() };
        }
        assert_eq!(writes(&world), only(Side::Source, "a"), "{from} to {to}");
    }
}
