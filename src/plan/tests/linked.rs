//! Linked pairs: the cells of the decision table and the merge.

use chrono::TimeDelta;

use super::world::{PlannedWorld, at, values};
use crate::model::{
    ConflictPolicy, DeletePolicy, Direction, Field, LinkStatus, RejectedField, Side,
};
use crate::plan::{Clash, LinkPlan, LinqWrite, SourceWrite, Step, Wait, make_plan};

const ADA: &str =
    "first_name=Ada last_name=King email=ada@x.example company=Engines title=Countess";
const BO: &str = "first_name=Bo last_name=Wang phone_number=+14155552671 title=CTO";
const KAI: &str = "first_name=Kai email=kai@x.example";

fn world() -> PlannedWorld {
    PlannedWorld::in_sync(&[ADA, BO, KAI])
}

fn only_step(world: &PlannedWorld) -> Step {
    let mut steps = world.plan().steps;
    assert_eq!(steps.len(), 1, "{steps:#?}");
    steps.remove(0)
}

#[test]
fn nothing_is_done_when_nothing_changed() {
    let plan = world().plan();
    assert!(plan.steps.is_empty());
    assert_eq!(plan.standings.in_sync, 3);
}

#[test]
fn edits_of_different_fields_on_both_sides_are_both_kept() {
    let mut world = world();
    world.set_row(0, Field::Company, "Engines Ltd");
    world.set_contact(0, Field::Title, "Lady");
    let step = only_step(&world);
    match (&step.linq, &step.source) {
        (Some(LinqWrite::Update { set: up, .. }), Some(SourceWrite::Update { set: down, .. })) => {
            assert_eq!(up.iter().map(|c| c.field).collect::<Vec<_>>(), [Field::Company]);
            assert_eq!(down.iter().map(|c| c.field).collect::<Vec<_>>(), [Field::Title]);
        }
        other => panic!("expected one update of each side, got {other:?}"),
    }
    world.settle();
    assert_eq!(world.rows[0], world.contacts[&world.id(0)]);
}

#[test]
fn a_clash_is_held_and_the_other_fields_flow() {
    let mut world = world();
    world.set_row(0, Field::Title, "Dr");
    world.set_contact(0, Field::Title, "Lady");
    world.set_row(0, Field::Location, "London");
    world.settle();
    assert_eq!(world.contacts[&world.id(0)][Field::Location], "London");
    assert_eq!(
        only_step(&world).waits,
        [Wait::Conflict {
            field: Field::Title,
            base: "Countess".to_owned(),
            source: "Dr".to_owned(),
            linq: "Lady".to_owned(),
            clash: Clash::BothEdited,
        }]
    );
    world.set_contact(0, Field::Title, "Dr");
    world.settle();
    assert_eq!(world.plan().standings.in_sync, 3, "a conflict ends when the sides agree");
}

#[test]
fn a_policy_decides_a_clash() {
    for (policy, winner) in [(ConflictPolicy::Source, "Dr"), (ConflictPolicy::Linq, "Lady")] {
        let mut world = world();
        world.policy.on_conflict = policy;
        world.set_row(0, Field::Title, "Dr");
        world.set_contact(0, Field::Title, "Lady");
        world.settle();
        assert_eq!(world.rows[0][Field::Title], winner);
        assert_eq!(world.contacts[&world.id(0)][Field::Title], winner);
    }
}

#[test]
fn the_newest_wins_only_where_both_tell_their_time() {
    let mut world = world();
    world.policy.on_conflict = ConflictPolicy::Newest;
    world.set_row(0, Field::Title, "Dr");
    world.set_contact(0, Field::Title, "Lady");
    assert!(only_step(&world).linq.is_none(), "without a time it is held");
    let mut seen = world.observe();
    seen.source.records[0].revised_at = Some(at(10));
    seen.linq.contacts.first_entry().unwrap().get_mut().updated_at = Some(at(5));
    let newer_in_source = make_plan(&seen, &world.policy).unwrap();
    assert!(newer_in_source.steps[0].linq.is_some());
}

#[test]
fn a_deletion_travels_and_nothing_comes_back() {
    let mut in_source = world();
    in_source.rows.remove(2);
    in_source.settle();
    assert_eq!((in_source.rows.len(), in_source.contacts.len()), (2, 2));

    let mut in_linq = world();
    let kai = in_linq.id(2);
    in_linq.contacts.remove(&kai);
    in_linq.settle();
    assert_eq!((in_linq.rows.len(), in_linq.contacts.len()), (2, 2));
    assert_eq!(in_linq.plan().standings.in_sync, 2);
}

#[test]
fn an_edit_on_one_side_beats_a_deletion_on_the_other() {
    let mut edited_in_linq = world();
    edited_in_linq.rows.remove(1);
    edited_in_linq.set_contact(1, Field::Title, "CEO");
    edited_in_linq.settle();
    assert_eq!(edited_in_linq.rows.last().unwrap()[Field::Title], "CEO");

    let mut edited_in_source = world();
    let bo = edited_in_source.id(1);
    edited_in_source.contacts.remove(&bo);
    edited_in_source.set_row(1, Field::Title, "CEO");
    edited_in_source.settle();
    assert!(edited_in_source.contacts.values().any(|c| c[Field::Title] == "CEO"));
    assert_eq!(edited_in_source.plan().standings.in_sync, 3);
}

#[test]
fn what_is_deleted_on_both_sides_is_forgotten() {
    let mut world = world();
    world.rows.remove(2);
    let kai = world.id(2);
    world.contacts.remove(&kai);
    world.settle();
    assert_eq!(world.links.len(), 2);
}

#[test]
fn with_keep_the_other_half_is_left_alone_until_both_are_back() {
    let mut world = world();
    world.policy.deletes.linq = DeletePolicy::Keep;
    let kai = world.rows.remove(2);
    world.settle();
    assert_eq!(world.contacts.len(), 3);
    assert_eq!(world.links[2].status, LinkStatus::Released);
    world.set_contact(2, Field::Title, "CEO");
    world.settle();
    assert_eq!(world.rows.len(), 2, "neither recreated nor written");
    world.rows.push(kai);
    world.settle();
    assert_eq!(world.rows[2][Field::Title], "CEO");
    assert_eq!(world.links[2].status, LinkStatus::Linked);
}

#[test]
fn one_direction_leaves_the_other_side_alone() {
    let mut world = world();
    world.policy.direction = Direction::Push;
    world.set_contact(0, Field::Title, "Lady");
    world.settle();
    assert_eq!(world.rows[0][Field::Title], "Countess");
    assert_eq!(
        world.contacts[&world.id(0)][Field::Title],
        "Lady",
        "it stays until the source changes it"
    );
    world.set_row(0, Field::Title, "Dr");
    assert!(matches!(only_step(&world).waits[..], [Wait::Conflict { field: Field::Title, .. }]));
}

#[test]
fn a_field_with_its_own_direction_is_not_sent() {
    let mut world = world();
    world.policy.field_directions.insert(Field::Title, Direction::Pull);
    world.set_row(0, Field::Title, "Dr");
    world.set_row(0, Field::Company, "Other");
    world.settle();
    let ada = &world.contacts[&world.id(0)];
    assert_eq!((ada[Field::Title].as_str(), ada[Field::Company].as_str()), ("Countess", "Other"));
}

#[test]
fn a_cleared_field_is_cleared_and_the_last_identity_is_not() {
    let mut world = world();
    world.set_row(0, Field::Company, "");
    world.settle();
    assert_eq!(world.contacts[&world.id(0)][Field::Company], "");
    world.set_row(2, Field::Company, "Kai & Co");
    world.settle();
    world.set_row(2, Field::FirstName, "");
    world.set_row(2, Field::Email, "");
    world.apply(&world.plan());
    let kai = &world.contacts[&world.id(2)];
    assert_eq!((kai[Field::FirstName].as_str(), kai[Field::Company].as_str()), ("Kai", "Kai & Co"));
    assert!(only_step(&world).waits.iter().all(|wait| matches!(wait, Wait::Rejected { .. })));
}

#[test]
fn a_row_that_loses_everything_it_was_known_by_is_not_taken_for_deleted() {
    let mut world = world();
    world.set_row(2, Field::FirstName, "");
    world.set_row(2, Field::Email, "");
    world.set_row(2, Field::Company, "Kai & Co");
    let step = only_step(&world);
    assert!(!step.has_effect());
    assert!(matches!(step.waits[..], [Wait::Rejected { field: None, .. }]));
    world.rows.remove(2);
    assert!(only_step(&world).has_effect(), "without the row the deletion is plain");
}

#[test]
fn a_released_record_that_is_gone_makes_no_heading_suspect() {
    let mut world = world();
    world.policy.deletes.linq = DeletePolicy::Keep;
    world.rows.remove(2);
    world.settle();
    assert_eq!(world.links[2].status, LinkStatus::Released);
    world.rows.push(values("company=Suppliers"));
    let plan = world.plan();
    assert_eq!((plan.steps.len(), plan.nobodies.len()), (0, 1));
}

#[test]
fn what_linq_rewrites_never_bounces() {
    let mut world = world();
    world.rewrite = |_, text| text.to_uppercase().chars().take(6).collect();
    world.set_row(0, Field::Company, "Analytical Engines");
    world.set_row(0, Field::Title, "countess");
    world.settle();
    assert_eq!(world.rows[0][Field::Company], "Analytical Engines");
    assert_eq!(world.contacts[&world.id(0)][Field::Company], "ANALYT");
    assert!(world.plan().steps.is_empty());
}

#[test]
fn a_refused_clearing_is_said_and_not_repeated() {
    let mut world = world();
    world.set_row(0, Field::Company, "");
    let plan = world.plan();
    let mut before = world.contacts.clone();
    world.apply(&plan);
    std::mem::swap(&mut world.contacts, &mut before);
    let agreement = crate::model::Agreement { source: "".into(), linq: "Engines".into() };
    world.links[0].base.set(Field::Company, agreement);
    let step = only_step(&world);
    assert!(!step.has_effect());
    assert!(matches!(step.waits[..], [Wait::Rejected { field: Some(Field::Company), .. }]));
}

#[test]
fn a_value_that_cannot_be_believed_is_neither_an_edit_nor_a_clearing() {
    let mut world = world();
    world.set_row(1, Field::PhoneNumber, "");
    let mut seen = world.observe();
    let reason = "damaged".to_owned();
    seen.source.records[1].rejected = vec![RejectedField { field: Field::PhoneNumber, reason }];
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert!(plan.steps[0].linq.is_none() && plan.steps[0].source.is_none());
    assert!(matches!(plan.steps[0].waits[..], [Wait::Rejected { .. }]));
}

#[test]
fn a_deletion_waits_for_its_grace_and_survives_until_then() {
    let mut world = world();
    world.policy.delete_grace = TimeDelta::hours(1);
    world.rows.remove(2);
    assert_eq!(only_step(&world).waits, [Wait::Grace(Side::Linq)]);
    world.links[2].source_missing_since = Some(at(-3600));
    assert!(matches!(only_step(&world).linq, Some(LinqWrite::Delete { .. })));
}

#[test]
fn whoever_is_back_starts_a_new_grace_when_missing_again() {
    let mut world = world();
    world.policy.delete_grace = TimeDelta::hours(1);
    let kai = world.rows.remove(2);
    world.apply(&world.plan());
    assert!(world.links[2].source_missing_since.is_some());

    // Back, with an edit that was made on both sides.
    world.rows.push(kai);
    world.set_row(2, Field::Title, "CEO");
    world.set_contact(2, Field::Title, "CEO");
    world.now = at(1800);
    world.apply(&world.plan());
    assert_eq!(world.links[2].source_missing_since, None);
    world.settle();
    assert_eq!(world.plan().standings.in_sync, 3);

    world.rows.remove(2);
    world.now = at(3600);
    assert_eq!(only_step(&world).waits, [Wait::Grace(Side::Linq)]);
}

#[test]
fn a_record_that_is_back_while_linq_is_read_in_part_is_not_missing_any_more() {
    let mut world = world();
    world.links[2].source_missing_since = Some(at(-3600));
    let mut seen = world.observe();
    let kai = world.id(2);
    seen.linq.contacts.remove(&kai);
    seen.linq.incomplete = Some(super::world::pages_moved());
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert_eq!(plan.steps[0].link, LinkPlan::Found);
}

#[test]
fn an_incomplete_reading_deletes_nothing_and_still_carries_edits() {
    let mut world = world();
    world.set_row(0, Field::Title, "Dr");
    world.rows.remove(2);
    let mut seen = world.observe();
    seen.source.unreadable.push(crate::model::Unreadable {
        label: "row:4".to_owned(),
        line: 4,
        reason: "broken".to_owned(),
    });
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert_eq!(plan.steps.len(), 1);
    assert!(matches!(plan.steps[0].linq, Some(LinqWrite::Update { .. })));
}

#[test]
fn a_source_that_is_partly_unreadable_loses_no_record() {
    let mut world = world();
    let kai = world.id(2);
    world.contacts.remove(&kai);
    let mut seen = world.observe();
    seen.source.unreadable.push(crate::model::Unreadable {
        label: "row:9".to_owned(),
        line: 9,
        reason: "broken".to_owned(),
    });
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert!(plan.steps.iter().all(|step| step.source.is_none()), "{:#?}", plan.steps);
}

#[test]
fn a_contact_that_is_only_not_listed_is_not_gone() {
    let mut world = world();
    let kai = world.id(2);
    world.contacts.remove(&kai);
    let mut seen = world.observe();
    seen.linq.gone.clear();
    assert!(make_plan(&seen, &world.policy).unwrap().steps.is_empty());
}

#[test]
fn a_read_only_source_is_not_written() {
    let mut world = world();
    world.set_contact(0, Field::Title, "Lady");
    world.set_row(1, Field::Title, "CEO");
    let mut seen = world.observe();
    seen.source.read_only = Some("an unterminated quote".to_owned());
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert!(plan.steps.iter().all(|step| step.source.is_none()));
    assert_eq!((plan.steps.len(), plan.notices.len()), (1, 1));
}
