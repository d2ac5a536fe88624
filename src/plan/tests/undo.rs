//! Putting back what a plan did, in a small world.

use super::world::PlannedWorld;
use crate::model::{Agreement, BaseChange, Canon, Field, FieldChange, Region, RunId, Side, Who};
use crate::plan::{
    LinkPlan, LinqWrite, Observation, PastDeed, Plan, SourceWrite, Step, UndoError, Undoing,
    UndoneDeed, plan_undo, source_first,
};

const PEOPLE: [&str; 2] = [
    "first_name=Ada email=ada@x.example company=Engines title=Countess",
    "first_name=Bo email=bo@x.example company=Lanterns",
];

/// What carrying out `plan` does, as the history would tell it.
fn told(plan: &Plan, seen: &Observation) -> Vec<PastDeed> {
    let mut done = Vec::new();
    for step in &plan.steps {
        let id = step.subject.linq_id;
        let mut tell = |deed| {
            let name = step.subject.name.clone();
            done.push(PastDeed { linq_id: id, source_key: None, name, deed });
        };
        if let Some(LinqWrite::Update { set, .. }) = &step.linq {
            tell(UndoneDeed::Changed(
                set.iter().map(|c| base(step, c, Side::Linq, seen)).collect(),
            ));
        }
        if let Some(SourceWrite::Update { set, .. }) = &step.source {
            tell(UndoneDeed::Changed(
                set.iter().map(|c| base(step, c, Side::Source, seen)).collect(),
            ));
        }
        if let Some(LinqWrite::Delete { expected, .. }) = &step.linq {
            let had = expected.clone();
            tell(UndoneDeed::Deleted { side: Side::Linq, source: had.clone(), linq: had });
        }
    }
    done
}

fn base(step: &Step, change: &FieldChange, side: Side, seen: &Observation) -> BaseChange {
    let link = seen.links.iter().find(|link| Some(link.id) == step.subject.link);
    let known = link.and_then(|link| link.base.get(change.field)).cloned();
    let (from, to) = (change.from.clone(), change.to.clone());
    let had = match side {
        Side::Linq => Agreement { source: to.clone(), linq: from },
        Side::Source => Agreement { source: from, linq: to.clone() },
    };
    let after = Agreement { source: to.clone(), linq: to };
    let agreed = known.is_some();
    BaseChange { field: change.field, before: known.unwrap_or(had), agreed, after }
}

fn undoing(done: Vec<PastDeed>) -> Undoing<'static> {
    Undoing { run: RunId(7), and_later: false, done, undone: Vec::new(), whom: None }
}

/// Puts back what was done, write by write as a run would.
fn undo(world: &mut PlannedWorld, undoing: &Undoing<'_>) {
    for _ in 0..4 {
        let plan = plan_undo(&world.observe(), &world.policy, undoing).unwrap();
        world.apply(&source_first(plan));
    }
    let left = plan_undo(&world.observe(), &world.policy, undoing).unwrap();
    assert!(!left.steps.iter().any(Step::has_effect), "{left:#?}");
}

#[test]
fn every_small_edit_of_either_side_goes_back_and_is_not_done_again() {
    let texts = [None, Some(""), Some("X"), Some("Y")];
    for n in 0..texts.len().pow(4) {
        let text = |digit: u32| texts[n / texts.len().pow(digit) % texts.len()];
        let mut world = PlannedWorld::in_sync(&PEOPLE);
        let (rows, contacts) = (world.rows.clone(), world.contacts.clone());
        for (digit, field) in (0..).zip([Field::Company, Field::Title]) {
            if let Some(text) = text(2 * digit) {
                world.set_row(0, field, text);
            }
            if let Some(text) = text(2 * digit + 1) {
                world.set_contact(0, field, text);
            }
        }
        let plan = world.plan();
        let done = told(&plan, &world.observe());
        let written: Vec<Field> = done
            .iter()
            .flat_map(|done| match &done.deed {
                UndoneDeed::Changed(changes) => changes.iter().map(|c| c.field).collect::<Vec<_>>(),
                UndoneDeed::Created(..) | UndoneDeed::Deleted { .. } => Vec::new(),
            })
            .collect();
        world.apply(&plan);
        undo(&mut world, &undoing(done));
        let id = world.id(0);
        for field in written {
            assert_eq!(world.rows[0][field], rows[0][field], "{n} {field}");
            assert_eq!(world.contacts[&id][field], contacts[&id][field], "{n} {field}");
        }
        assert!(!world.plan().steps.iter().any(Step::has_effect), "{n}: {:#?}", world.plan());
    }
}

#[test]
fn what_the_source_takes_first_is_an_edit_that_any_run_carries_on() {
    let mut world = PlannedWorld::in_sync(&PEOPLE);
    let before = (world.rows.clone(), world.contacts.clone());
    world.set_row(0, Field::Title, "Lady");
    let plan = world.plan();
    let undoing = undoing(told(&plan, &world.observe()));
    world.apply(&plan);
    let plan = plan_undo(&world.observe(), &world.policy, &undoing).unwrap();
    assert!(plan.steps[0].linq.is_some() && plan.steps[0].source.is_some(), "shown as a whole");
    let first = source_first(plan);
    assert!(first.steps[0].linq.is_none());
    assert_eq!(first.steps[0].link, LinkPlan::PutBack(Box::default()), "the base waits for Linq");
    world.apply(&first);
    world.settle();
    assert_eq!((world.rows, world.contacts), before);
}

#[test]
fn whom_a_run_deleted_is_not_created_beside_somebody_just_like_them() {
    let mut world = PlannedWorld::in_sync(&PEOPLE);
    world.rows.remove(1);
    let plan = world.plan();
    let undoing = undoing(told(&plan, &world.observe()));
    world.apply(&plan);
    world.appear(super::world::values("first_name=Bob email=BO@x.example"));
    let plan = plan_undo(&world.observe(), &world.policy, &undoing).unwrap();
    assert!(plan.steps.is_empty() && plan.skipped.len() == 1, "{plan:#?}");
}

#[test]
fn what_was_put_back_already_is_put_back_again_only_if_it_came_back() {
    let mut world = PlannedWorld::in_sync(&PEOPLE);
    world.set_row(0, Field::Title, "Lady");
    let plan = world.plan();
    let done = told(&plan, &world.observe());
    world.apply(&plan);
    let undoing = Undoing { undone: done.clone(), ..undoing(done) };
    let undo = |world: &PlannedWorld| plan_undo(&world.observe(), &world.policy, &undoing).unwrap();
    assert_eq!(undo(&world).steps.len(), 1, "both sides have what the run left");
    world.apply(&undo(&world));
    let plan = undo(&world);
    assert!(plan.steps.is_empty() && plan.skipped.is_empty(), "{plan:#?}");
    world.set_row(0, Field::Title, "Lady");
    world.settle();
    assert_eq!(undo(&world).steps.len(), 1);
}

#[test]
fn nobody_of_that_name_is_an_error_and_not_a_plan_without_steps() {
    let mut world = PlannedWorld::in_sync(&PEOPLE);
    world.set_row(0, Field::Title, "Lady");
    let plan = world.plan();
    let done = told(&plan, &world.observe());
    world.apply(&plan);
    let canon = Canon::new(Region::US);
    let named = |who| Undoing { whom: Some(Who::new(who, canon)), ..undoing(done.clone()) };
    let plan = |who| plan_undo(&world.observe(), &world.policy, &named(who));
    assert_eq!(plan("ADA@x.example").unwrap().steps.len(), 1);
    assert_eq!(plan("bo@x.example").unwrap_err(), UndoError::NoSuchContact(RunId(7)));
}
