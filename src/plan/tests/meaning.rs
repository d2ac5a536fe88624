//! A change of settings deletes, clears and overwrites nothing, in the plan that follows it
//! or in any later one.

use super::drawn::{Choices, EDITABLE, TEXTS, clear};
use super::laws::check;
use super::world::PlannedWorld;
use crate::model::{
    Agreement, Direction, Field, FieldChange, FieldSet, LinkStatus, MeaningChange, Side,
};
use crate::plan::{Clash, LinqWrite, Plan, SourceWrite, Step, Wait, reread_links};

/// The world after a change of meaning, as the next run begins.
fn change(world: &mut PlannedWorld, change: &MeaningChange) {
    world.links = reread_links(&world.observe(), &world.policy, change);
}

fn read_anew(fields: &[Field]) -> MeaningChange {
    MeaningChange { read_anew: fields.iter().copied().collect(), ..MeaningChange::default() }
}

fn overwrites(set: &[FieldChange]) -> bool {
    set.iter().any(|change| !change.from.trim().is_empty())
}

/// Whether a step takes away anything that somebody has.
fn takes_away(step: &Step) -> bool {
    let in_linq = match &step.linq {
        Some(LinqWrite::Update { set, .. }) => overwrites(set),
        Some(LinqWrite::Delete { .. }) => true,
        Some(LinqWrite::Create { .. }) | None => false,
    };
    let in_source = match &step.source {
        Some(SourceWrite::Update { set, .. }) => overwrites(set),
        Some(SourceWrite::Delete { .. }) => true,
        Some(SourceWrite::Create { .. }) | None => false,
    };
    in_linq || in_source
}

fn holds_a_deletion(step: &Step) -> bool {
    let is_held = |wait: &Wait| {
        matches!(wait, Wait::HeldDeletion(_) | Wait::HeldClearing(..) | Wait::Grace(_))
    };
    step.waits.iter().any(is_held)
}

/// Plans and applies until nothing is left, while nothing is taken away.
fn settle_harmlessly(world: &mut PlannedWorld) -> Plan {
    for _ in 0..5 {
        let plan = world.plan();
        for step in &plan.steps {
            assert!(!takes_away(step) && !holds_a_deletion(step), "{step:#?}");
        }
        if !plan.steps.iter().any(Step::has_effect) {
            return plan;
        }
        world.apply(&plan);
    }
    panic!("the world does not settle: {:#?}", world.plan());
}

/// Other columns for some fields, in which anything stands.
fn other_columns(world: &mut PlannedWorld, choices: &mut Choices<'_>) -> MeaningChange {
    let mut fields = FieldSet::EMPTY;
    for _ in 0..=choices.below(2) {
        fields.insert(choices.one_of(&EDITABLE));
    }
    for row in &mut world.rows {
        for field in fields.iter() {
            row[field] = choices.one_of(&TEXTS).into();
        }
    }
    MeaningChange { read_anew: fields, ..MeaningChange::default() }
}

#[test]
fn other_columns_take_nothing_away_whatever_stands_in_them() {
    check(4, |choices| {
        let mut world = clear(choices);
        world.settle();
        let change_of_columns = other_columns(&mut world, choices);
        change(&mut world, &change_of_columns);
        settle_harmlessly(&mut world);
        // And back again, or to a third column.
        let change_of_columns = other_columns(&mut world, choices);
        change(&mut world, &change_of_columns);
        settle_harmlessly(&mut world);
    });
}

#[test]
fn a_field_without_a_column_for_a_while_has_no_agreement_when_it_is_back() {
    check(4, |choices| {
        let mut world = clear(choices);
        world.settle();
        let field = choices.one_of(&EDITABLE);
        world.mapped.remove(field);
        world.rows.iter_mut().for_each(|row| row[field].clear());
        change(&mut world, &read_anew(&[field]));
        settle_harmlessly(&mut world);
        world.mapped.insert(field);
        for row in &mut world.rows {
            row[field] = choices.one_of(&TEXTS).into();
        }
        change(&mut world, &read_anew(&[field]));
        settle_harmlessly(&mut world);
    });
}

#[test]
fn who_is_not_read_any_more_is_released_and_takes_part_again_when_back() {
    check(4, |choices| {
        let mut world = clear(choices);
        world.settle();
        if world.links.iter().any(|link| !world.contacts.contains_key(&link.linq_id)) {
            // Who waits for the other direction counts as missing all along.
            return;
        }
        let before = world.clone();
        let kept = choices.below(3);
        let mut position = 0;
        world.rows.retain(|_| {
            position += 1;
            position % 3 == kept
        });
        let membership = MeaningChange { membership: true, ..MeaningChange::default() };
        change(&mut world, &membership);
        settle_harmlessly(&mut world);
        world.rows.clone_from(&before.rows);
        change(&mut world, &membership);
        settle_harmlessly(&mut world);
        assert!(before.rows.iter().all(|row| world.rows.contains(row)));
        assert!(before.contacts.iter().all(|(id, who)| world.contacts.get(id) == Some(who)));
        let is_linked = |world: &PlannedWorld, id| {
            let mut links = world.links.iter();
            links.any(|link| link.linq_id == id && link.status == LinkStatus::Linked)
        };
        for person in before.contacts.iter().filter(|(id, _)| is_linked(&before, **id)) {
            let email = &person.1[Field::Email];
            let is_there = before.rows.iter().any(|row| row[Field::Email] == *email);
            assert!(!is_there || is_linked(&world, *person.0));
        }
    });
}

#[test]
fn what_piled_up_on_a_side_that_was_not_sent_overwrites_nothing() {
    check(4, |choices| {
        let mut world = clear(choices);
        let side = choices.one_of(&Side::ALL);
        world.policy.direction = match side {
            Side::Source => Direction::Pull,
            Side::Linq => Direction::Push,
        };
        world.policy.field_directions.clear();
        world.settle();
        world.policy.direction = Direction::Both;
        let mut change_of_direction = MeaningChange::default();
        change_of_direction.newly_sent[side as usize] = world.mapped;
        change_of_direction.newly_followed[side as usize] = true;
        change(&mut world, &change_of_direction);
        settle_harmlessly(&mut world);
    });
}

fn pair() -> PlannedWorld {
    PlannedWorld::in_sync(&["first_name=Ada email=ada@x.example title=CEO"])
}

#[test]
fn a_blank_is_filled_and_another_value_is_a_conflict() {
    let mut blank = pair();
    blank.set_row(0, Field::Title, "");
    change(&mut blank, &read_anew(&[Field::Title]));
    let last = settle_harmlessly(&mut blank);
    assert_eq!((&blank.rows[0][Field::Title][..], last.standings.in_sync), ("CEO", 1));

    let mut other = pair();
    other.set_row(0, Field::Title, "1");
    change(&mut other, &read_anew(&[Field::Title]));
    let last = settle_harmlessly(&mut other);
    let [step] = &last.steps[..] else { panic!("{last:#?}") };
    let Wait::Conflict { base, clash, .. } = &step.waits[0] else { panic!("{step:#?}") };
    assert_eq!((base.as_str(), *clash), ("CEO", Clash::ReadAnew));
    // The same value on both sides is an agreement again.
    other.set_row(0, Field::Title, "CEO");
    other.settle();
    let agreement = Agreement { source: "CEO".into(), linq: "CEO".into() };
    assert_eq!(other.links[0].base.get(Field::Title), Some(&agreement));
}

const TWO: [&str; 2] =
    ["first_name=Ada email=ada@x.example title=CEO", "first_name=Bo email=b@x.example"];

#[test]
fn a_setting_brings_nobody_back_who_was_deleted_on_the_other_side() {
    for side in Side::ALL {
        let mut world = PlannedWorld::in_sync(&TWO);
        match side {
            Side::Source => world.contacts.retain(|_, who| who[Field::FirstName] != "Ada"),
            Side::Linq => world.rows.retain(|who| who[Field::FirstName] != "Ada"),
        }
        world.rows.iter_mut().for_each(|row| row[Field::Title] = "1".into());
        change(&mut world, &read_anew(&[Field::Title, Field::Company]));
        let plan = world.plan();
        let creates = |step: &Step| {
            matches!(step.linq, Some(LinqWrite::Create { .. }))
                || matches!(step.source, Some(SourceWrite::Create { .. }))
        };
        assert!(!plan.steps.iter().any(creates), "{plan:#?}");
        let deletions = plan.steps.iter().filter(|step| step.deletes_on() == Some(side)).count();
        // Whether the row says something else because a person edited it nothing tells: it
        // stays, and the pair is released.
        let is_released = world.links.iter().any(|link| link.status == LinkStatus::Released);
        assert_eq!(
            (deletions, is_released),
            (usize::from(side == Side::Linq), side == Side::Source)
        );
    }
}

#[test]
fn an_edit_after_a_change_of_columns_still_beats_a_deletion() {
    let mut world = PlannedWorld::in_sync(&TWO);
    world.set_row(0, Field::Title, "1");
    change(&mut world, &read_anew(&[Field::Title]));
    world.contacts.retain(|_, contact| contact[Field::FirstName] != "Ada");
    world.set_row(0, Field::Title, "2");
    let plan = world.plan();
    assert!(plan.steps.iter().any(|step| matches!(step.linq, Some(LinqWrite::Create { .. }))));
}
