//! Laws that hold for every world: the plan is quiet after it was carried out,
//! does not depend on order, and loses no value without saying so.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde::Serialize;

use super::world::World;
use crate::model::{Field, Values};
use crate::plan::{LinqWrite, Plan, SourceWrite, Step, Wait, plan};

const FIRST: [&str; 4] = ["Ada", "Bo", "Cy", ""];
const LAST: [&str; 3] = ["King", "Wang", ""];
const EMAIL: [&str; 5] = ["a@x.example", "A@X.example", "b@x.example", "c@x.example", ""];
const PHONE: [&str; 4] = ["+14155552671", "(415) 555-2671", "+14155552672", ""];
const TITLE: [&str; 3] = ["CEO", "CTO", ""];

prop_compose! {
    fn person()(
        first in prop::sample::select(&FIRST[..]),
        last in prop::sample::select(&LAST[..]),
        email in prop::sample::select(&EMAIL[..]),
        phone in prop::sample::select(&PHONE[..]),
        title in prop::sample::select(&TITLE[..]),
    ) -> Values {
        [
            (Field::FirstName, first),
            (Field::LastName, last),
            (Field::Email, email),
            (Field::PhoneNumber, phone),
            (Field::Title, title),
        ].map(|(field, text)| (field, text.to_owned())).into_iter().collect()
    }
}

/// A world in agreement, perturbed on both sides.
#[derive(Clone, Debug)]
enum Edit {
    Row(usize, Field, String),
    Contact(usize, Field, String),
    AddRow(Values),
    AddContact(Values),
    RemoveRow(usize),
    RemoveContact(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let field = prop::sample::select(vec![Field::FirstName, Field::Email, Field::Title]);
    let text = prop::sample::select(vec!["Ada", "Zoe", "b@x.example", "new@x.example", ""]);
    let text = text.prop_map(str::to_owned);
    prop_oneof![
        (0..6usize, field.clone(), text.clone()).prop_map(|(i, f, t)| Edit::Row(i, f, t)),
        (0..6usize, field, text).prop_map(|(i, f, t)| Edit::Contact(i, f, t)),
        person().prop_map(Edit::AddRow),
        person().prop_map(Edit::AddContact),
        (0..6usize).prop_map(Edit::RemoveRow),
        (0..6usize).prop_map(Edit::RemoveContact),
    ]
}

fn perturb(world: &mut World, edits: &[Edit]) {
    for edit in edits {
        match edit.clone() {
            Edit::Row(i, field, text) if i < world.rows.len() => world.set_row(i, field, &text),
            Edit::Contact(i, field, text) if i < world.contacts.len() => {
                let mut changed = world.contacts[&world.id(i)].clone();
                changed[field] = text;
                if !changed.lacks_identity() {
                    let id = world.id(i);
                    world.contacts.insert(id, changed);
                }
            }
            Edit::AddRow(values) => world.rows.push(values),
            Edit::AddContact(values) if !values.lacks_identity() => {
                world.appear(values);
            }
            Edit::RemoveRow(i) if i < world.rows.len() => {
                world.rows.remove(i);
            }
            Edit::RemoveContact(i) if i < world.contacts.len() => {
                let id = world.id(i);
                world.contacts.remove(&id);
            }
            Edit::Row(..)
            | Edit::Contact(..)
            | Edit::AddContact(_)
            | Edit::RemoveRow(_)
            | Edit::RemoveContact(_) => {}
        }
    }
}

fn worlds() -> impl Strategy<Value = World> {
    let start = prop::collection::vec(person(), 0..5);
    let edits = prop::collection::vec(edit(), 0..6);
    (start, edits).prop_map(|(people, edits)| {
        let mut world = World::new(&[], &[]);
        world.rows = people;
        world.settle();
        perturb(&mut world, &edits);
        world
    })
}

pub(super) fn typed(world: &World) -> BTreeSet<(Field, String)> {
    let people = world.rows.iter().chain(world.contacts.values());
    people.flat_map(|v| v.filled().iter().map(|f| (f, v[f].clone())).collect::<Vec<_>>()).collect()
}

/// What a plan says it takes away: it would be in the history.
pub(super) fn said_to_go(plan: &Plan, world: &World) -> BTreeSet<(Field, String)> {
    let mut gone = BTreeSet::new();
    for step in &plan.steps {
        if let Some(LinqWrite::Update { set, .. }) = &step.linq {
            gone.extend(set.iter().map(|change| (change.field, change.from.clone())));
        }
        if let Some(LinqWrite::Delete { expected, .. }) = &step.linq {
            gone.extend(expected.filled().iter().map(|f| (f, expected[f].clone())));
        }
        match &step.source {
            Some(SourceWrite::Update { set, .. }) => {
                gone.extend(set.iter().map(|change| (change.field, change.from.clone())));
            }
            Some(SourceWrite::Delete { at }) => {
                let row = &world.rows[at.0 as usize];
                gone.extend(row.filled().iter().map(|f| (f, row[f].clone())));
            }
            Some(SourceWrite::Create { .. }) | None => {}
        }
    }
    gone
}

/// Everything that a plan says, without the positions of rows.
pub(super) fn said(plan: &Plan) -> BTreeSet<String> {
    plan.steps
        .iter()
        .map(|step| {
            let linq = step.linq.as_ref().map(|write| match write {
                LinqWrite::Create { values, .. } => format!("create {}", text(values)),
                LinqWrite::Update { id, set, .. } => format!("update {id} {}", text(set)),
                LinqWrite::Delete { id, expected } => format!("delete {id} {}", text(expected)),
            });
            let source = step.source.as_ref().map(|write| match write {
                SourceWrite::Create { values, linq_id } => {
                    format!("add {linq_id} {}", text(values))
                }
                SourceWrite::Update { set, .. } => format!("update {}", text(set)),
                SourceWrite::Delete { .. } => "remove".to_owned(),
            });
            let Step { subject, link, waits, reason, .. } = step;
            format!("{} {linq:?} {source:?} {link:?} {waits:?} {reason:?}", subject.name)
        })
        .collect()
}

pub(super) fn text(content: &impl Serialize) -> String {
    serde_json::to_string(content).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn after_a_plan_was_carried_out_nothing_is_left_to_do(mut world in worlds()) {
        world.settle();
        let plan = world.plan();
        prop_assert!(!plan.steps.iter().any(Step::acts), "{:#?}", plan.steps);
    }

    #[test]
    fn no_value_disappears_without_the_plan_saying_so(mut world in worlds()) {
        for _ in 0..5 {
            let before = typed(&world);
            let plan = world.plan();
            let said = said_to_go(&plan, &world);
            world.apply(&plan);
            let after = typed(&world);
            for value in before.difference(&after) {
                prop_assert!(said.contains(value), "{value:?} vanished");
            }
        }
    }

    #[test]
    fn the_order_of_links_makes_no_difference(world in worlds()) {
        let mut seen = world.observe();
        let expected = plan(&seen, &world.policy).unwrap();
        seen.links.reverse();
        let reversed = plan(&seen, &world.policy).unwrap();
        prop_assert_eq!(said(&expected), said(&reversed));
    }

    #[test]
    fn nobody_who_was_never_linked_is_deleted(world in worlds()) {
        for step in world.plan().steps {
            prop_assert!(step.deletes_on().is_none() || step.subject.link.is_some());
        }
    }

    #[test]
    fn a_conflict_changes_neither_value(world in worlds()) {
        for step in world.plan().steps {
            for wait in &step.waits {
                if let Wait::Conflict { field, .. } = wait {
                    let written = match &step.linq {
                        Some(LinqWrite::Update { set, .. }) => set.iter().any(|c| c.field == *field),
                        Some(LinqWrite::Create { .. } | LinqWrite::Delete { .. }) => true,
                        None => false,
                    };
                    prop_assert!(!written);
                }
            }
        }
    }
}
