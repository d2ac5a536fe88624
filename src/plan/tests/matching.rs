//! Who is who: first synchronisation, duplicates, and recognising rows again.

use super::world::{PlannedWorld, pages_moved, record, values};
use crate::model::{DeletePolicy, Field, Fingerprint, LinqId, SourceKey};
use crate::plan::{
    LinkPlan, LinqWrite, Observation, SourceWrite, Step, StepReason, Tier, Wait, make_plan,
};

fn step_of(world: &PlannedWorld, name: &str) -> Step {
    let steps = world.plan().steps;
    steps.into_iter().find(|step| step.subject.name == name).unwrap()
}

fn tier_of(step: &Step) -> Option<Tier> {
    match step.reason {
        StepReason::Matched(tier) => Some(tier),
        StepReason::Rule(_) | StepReason::Because(_) | StepReason::Undo(_) => None,
    }
}

fn is_ambiguous(step: &Step) -> bool {
    !step.has_effect() && step.waits.iter().any(|wait| matches!(wait, Wait::Ambiguous { .. }))
}

#[test]
fn the_first_run_links_fills_blanks_and_creates() {
    let mut world = PlannedWorld::new(
        &[
            "first_name=Ada email=ADA@x.example title=Countess",
            "first_name=New email=new@x.example",
        ],
        &[
            "first_name=Ada email=ada@x.example company=Engines",
            "first_name=Kai phone_number=+14155552671",
        ],
    );
    world.settle();
    assert_eq!((world.rows.len(), world.contacts.len()), (3, 3));
    assert_eq!(world.rows[0][Field::Company], "Engines");
    assert_eq!(world.contacts[&LinqId(1)][Field::Title], "Countess");
    assert_eq!(world.plan().standings.in_sync, 3);
}

#[test]
fn the_same_people_in_other_spelling_are_linked_without_a_write() {
    let world = PlannedWorld::new(
        &["first_name=Ada email=ADA@X.example phone_number=(415)_555-2671"],
        &["first_name=Ada email=ada@x.example phone_number=+14155552671"],
    );
    let step = step_of(&world, "Ada");
    assert_eq!(tier_of(&step), Some(Tier::Email));
    assert!(step.linq.is_none() && step.source.is_none());
    assert!(matches!(step.link, LinkPlan::Join { .. }));
}

#[test]
fn the_tiers_from_e_mail_to_every_field() {
    for (row, contact, tier) in [
        ("first_name=Al email=a@x.example", "first_name=Al email=A@x.example", Some(Tier::Email)),
        (
            "first_name=Al phone_number=4155552671",
            "first_name=Al last_name=Bo phone_number=+14155552671",
            Some(Tier::Phone),
        ),
        (
            "first_name=Ál last_name=Bo company=Co",
            "first_name=al last_name=BO company=CO",
            Some(Tier::Name),
        ),
        ("first_name=Al last_name=Bo", "first_name=Al last_name=Bo", Some(Tier::EveryField)),
        ("first_name=Al last_name=Bo", "first_name=AL last_name=Bo", None),
        ("first_name=Al last_name=Bo", "first_name=Al last_name=Bo title=Pilot", None),
        ("first_name=Al last_name=Bo", "first_name=Al last_name=Bo email=a@x.example", None),
        ("first_name=Al last_name=Bo", "first_name=Bo last_name=Al", None),
    ] {
        let world = PlannedWorld::new(&[row], &[contact]);
        let steps = world.plan().steps;
        assert_eq!(steps.iter().find_map(tier_of), tier, "{row} / {contact}");
    }
}

#[test]
fn a_shared_mailbox_does_not_join_two_people() {
    let world = PlannedWorld::new(
        &["first_name=Jane email=info@x.example"],
        &["first_name=Bo email=info@x.example"],
    );
    let steps = world.plan().steps;
    assert_eq!(steps.len(), 1, "the candidate is not created in the source either");
    assert!(is_ambiguous(&steps[0]));
}

#[test]
fn a_family_on_one_phone_stays_a_family() {
    let mut world = PlannedWorld::new(
        &["first_name=Jane last_name=Doe phone_number=+14155552671"],
        &["first_name=John last_name=Doe phone_number=+14155552671"],
    );
    world.settle();
    assert_eq!((world.rows.len(), world.contacts.len()), (2, 2));
}

#[test]
fn an_e_mail_and_a_phone_that_name_different_people_are_ambiguous() {
    let world = PlannedWorld::new(
        &["first_name=Al email=a@x.example phone_number=+14155552671"],
        &["first_name=Al email=a@x.example", "first_name=Al phone_number=+14155552671"],
    );
    assert!(is_ambiguous(&step_of(&world, "Al")));
}

#[test]
fn several_candidates_are_ambiguous() {
    let world = PlannedWorld::new(
        &["first_name=Al email=a@x.example"],
        &["first_name=Al email=a@x.example", "first_name=Al email=A@x.example"],
    );
    let steps = world.plan().steps;
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].waits, [Wait::Ambiguous { candidates: vec![LinqId(1), LinqId(2)] }]);
}

#[test]
fn of_rows_that_look_like_one_person_only_the_first_is_created() {
    let mut world = PlannedWorld::new(
        &["first_name=Al email=a@x.example", "first_name=Al email=A@x.example title=CEO"],
        &[],
    );
    world.settle();
    assert_eq!(world.contacts.len(), 1);
    let plan = world.plan();
    assert_eq!((plan.standings.in_sync, plan.steps.len()), (1, 1));
    assert!(is_ambiguous(&plan.steps[0]));
}

#[test]
fn contacts_in_linq_that_look_alike_each_get_their_row() {
    let mut world = PlannedWorld::new(
        &[],
        &["first_name=Al email=a@x.example", "first_name=Al email=a@x.example"],
    );
    world.settle();
    assert_eq!(world.rows.len(), 2);
    assert_eq!(world.plan().standings.in_sync, 2);
}

#[test]
fn a_row_without_name_e_mail_and_phone_is_nobody() {
    let world = PlannedWorld::new(&["company=Engines"], &[]);
    assert!(world.plan().steps.is_empty());
}

#[test]
fn a_contact_that_would_be_nobody_in_the_source_gets_no_record() {
    let world = PlannedWorld::new(&[], &["phone_number=+14155552671 company=Engines"]);
    let mut seen = world.observe();
    seen.source.mapped.remove(Field::PhoneNumber);
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert!(plan.steps[0].source.is_none());
    assert!(matches!(plan.steps[0].waits[..], [Wait::Rejected { field: None, .. }]));
}

#[test]
fn a_row_that_only_has_an_id_is_the_contact_with_that_id() {
    let world = PlannedWorld::new(&["company=Engines"], &["first_name=Ada"]);
    let mut seen = world.observe();
    seen.source.records[0].linq_id = Some(LinqId(1));
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(tier_of(&plan.steps[0]), Some(Tier::Id));
    assert!(plan.steps[0].linq.is_some() && plan.steps[0].source.is_some(), "blanks are filled");
}

#[test]
fn whom_find_cannot_see_is_not_created_beside_a_listing_in_parts() {
    let world = PlannedWorld::new(&["first_name=Ada", "first_name=Bo email=bo@x.example"], &[]);
    let mut seen = world.observe();
    seen.linq.incomplete = Some(super::world::pages_moved());
    let plan = make_plan(&seen, &world.policy).unwrap();
    let created: Vec<_> = plan.steps.iter().filter(|step| step.linq.is_some()).collect();
    assert_eq!(created.len(), 1);
    assert_eq!((created[0].subject.name.as_str(), plan.notices.len()), ("Bo", 1));
}

#[test]
fn rows_that_are_the_same_in_every_field_are_one_person() {
    let mut world = PlannedWorld::new(&["first_name=Al title=CEO", "first_name=Al title=CEO"], &[]);
    assert!(is_ambiguous(&world.plan().steps[1]));
    world.settle();
    assert_eq!(world.contacts.len(), 1);
    let others = PlannedWorld::new(&["first_name=Al title=CEO", "first_name=Al title=CTO"], &[]);
    assert_eq!(others.plan().steps.iter().filter(|step| step.linq.is_some()).count(), 2);
}

#[test]
fn sorting_and_moving_rows_writes_nothing() {
    let mut world = PlannedWorld::in_sync(&[
        "first_name=Ada email=ada@x.example",
        "first_name=Bo last_name=Wang",
        "first_name=Kai phone_number=+14155552671",
    ]);
    world.rows.reverse();
    assert!(world.plan().steps.is_empty());
}

#[test]
fn an_edited_row_is_recognised_whatever_was_edited() {
    let people = [
        "first_name=Ada last_name=King email=ada@x.example phone_number=+14155552671 company=Engines",
        "first_name=Bo last_name=Wang email=bo@x.example phone_number=+14155552672 company=Engines",
        "first_name=Cy last_name=Chen company=Engines",
    ];
    for (row, edits) in [
        (0, vec![(Field::Email, "countess@y.example")]),
        (0, vec![(Field::Email, "new@y.example"), (Field::PhoneNumber, "+442079460018")]),
        (1, vec![(Field::FirstName, "Robert"), (Field::LastName, "Wong")]),
        (2, vec![(Field::LastName, "Chan")]),
    ] {
        let mut world = PlannedWorld::in_sync(&people);
        for (field, text) in edits {
            world.set_row(row, field, text);
        }
        let plan = world.plan();
        assert_eq!(plan.steps.len(), 1, "{row}: {:#?}", plan.steps);
        assert!(matches!(plan.steps[0].linq, Some(LinqWrite::Update { .. })), "{row}");
    }
}

#[test]
fn a_row_without_a_name_does_not_pass_for_somebody_whose_row_was_renamed() {
    let mut world =
        PlannedWorld::in_sync(&["first_name=Fay email=office@x.example title=CTO", KAI, MAX]);
    world.set_row(0, Field::FirstName, "Zoe");
    world.rows.push(values("email=office@x.example"));
    let plan = world.plan();
    let Some(LinqWrite::Update { id, set, .. }) = &plan.steps[0].linq else {
        panic!("an update was expected, got {:#?}", plan.steps);
    };
    assert_eq!(
        (*id, set.iter().map(|change| change.field).collect()),
        (LinqId(1), vec![Field::FirstName])
    );
    assert!(is_ambiguous(&plan.steps[1]), "{:#?}", plan.steps);
}

#[test]
fn another_person_in_the_same_place_is_another_person() {
    let mut world = PlannedWorld::in_sync(&[
        "first_name=Ada last_name=King email=ada@x.example",
        "first_name=Bo last_name=Wang email=bo@x.example",
        "first_name=Cy last_name=Chen email=cy@x.example",
    ]);
    world.rows[1] = values("first_name=Zoe last_name=Zhu email=zoe@x.example");
    let plan = world.plan();
    let kinds: Vec<_> = plan.steps.iter().filter_map(|step| step.linq.as_ref()).collect();
    assert!(matches!(kinds[..], [LinqWrite::Delete { .. }, LinqWrite::Create { .. }]), "{kinds:?}");
}

#[test]
fn a_key_identifies_a_row_whatever_else_changes() {
    let world = PlannedWorld::in_sync(&[
        "first_name=Ada email=a@x.example",
        "first_name=Bo email=b@x.example",
    ]);
    let mut seen = world.observe();
    for (link, key) in seen.links.iter_mut().zip(["1", "2"]) {
        link.key = Some(SourceKey(key.to_owned()));
    }
    seen.source.records = vec![
        record(0, &values("first_name=Zoe email=zoe@x.example")),
        record(1, &values("first_name=Ada email=a@x.example")),
    ]
    .into();
    seen.source.records[0].key = Some(SourceKey("2".to_owned()));
    seen.source.records[1].key = Some(SourceKey("1".to_owned()));
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert_eq!(plan.steps.len(), 1);
    assert!(matches!(&plan.steps[0].linq, Some(LinqWrite::Update { id: LinqId(2), .. })));
}

#[test]
fn a_copied_row_is_not_a_second_person_and_the_original_stays_linked() {
    let world = PlannedWorld::in_sync(&[
        "first_name=Ada email=a@x.example",
        "first_name=Bo email=b@x.example",
    ]);
    let mut seen = world.observe();
    seen.source.records = vec![
        record(0, &values("first_name=Ada email=a@x.example title=Copy")),
        record(1, &values("first_name=Ada email=a@x.example")),
        record(2, &values("first_name=Bo email=b@x.example")),
    ]
    .into();
    for (row, id) in [(0, 1), (1, 1), (2, 2)] {
        seen.source.records[row].linq_id = Some(LinqId(id));
    }
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert_eq!((plan.standings.in_sync, plan.steps.len()), (2, 1));
    assert!(is_ambiguous(&plan.steps[0]));
    assert_eq!(plan.steps[0].subject.source_key.as_deref(), Some("row:2"));
}

#[test]
fn the_id_column_is_believed_first_and_kept_filled() {
    let mut world = PlannedWorld::new(
        &["first_name=Ada", "first_name=Bo email=b@x.example"],
        &["first_name=Ada", "first_name=Bo email=b@x.example"],
    );
    world.settle();
    let mut seen = world.observe();
    seen.links.clear();
    seen.source.keeps_ids = true;
    seen.source.records[0].linq_id = Some(LinqId(1));
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert_eq!(plan.steps.iter().filter_map(tier_of).collect::<Vec<_>>(), [Tier::Id, Tier::Email]);
    assert!(plan.steps[0].source.is_none(), "its id is there already");
    assert!(matches!(
        &plan.steps[1].source,
        Some(SourceWrite::Update { linq_id: Some(LinqId(2)), set, .. }) if set.is_empty()
    ));
}

/// The world after Linq gave everybody another id.
fn with_another_id(mut world: PlannedWorld, position: usize) -> PlannedWorld {
    let id = world.id(position);
    let contact = world.contacts.remove(&id).unwrap();
    world.appear(contact);
    world
}

const JANE: &str = "first_name=Jane last_name=Doe email=jane@x.example company=Engines";
const KAI: &str = "first_name=Kai email=kai@x.example";
const MAX: &str = "first_name=Max email=max@x.example";

#[test]
fn a_contact_that_is_back_under_another_id_keeps_its_row() {
    for edited in [false, true] {
        let mut world = with_another_id(PlannedWorld::in_sync(&[JANE, KAI, MAX]), 0);
        if edited {
            world.set_row(0, Field::Title, "CEO");
        }
        let plan = world.plan();
        assert_eq!(plan.steps.len(), 1, "{:#?}", plan.steps);
        assert_eq!(plan.steps[0].link, LinkPlan::Forget);
        assert!(plan.steps[0].linq.is_none() && plan.steps[0].source.is_none());
        world.settle();
        assert_eq!(
            (world.rows.len(), world.contacts.len(), world.plan().standings.in_sync),
            (3, 3, 3)
        );
        assert_eq!(world.contacts[&world.id(2)][Field::Title], if edited { "CEO" } else { "" });
    }
}

#[test]
fn a_released_pair_is_kept_again_when_its_contact_is_made_anew() {
    let mut world = PlannedWorld::in_sync(&[JANE, KAI, MAX]);
    world.policy.deletes.source = DeletePolicy::Keep;
    let jane = world.id(0);
    let contact = world.contacts.remove(&jane).unwrap();
    world.settle();
    assert_eq!((world.rows.len(), world.contacts.len()), (3, 2));
    world.appear(contact);
    world.settle();
    assert_eq!((world.rows.len(), world.contacts.len(), world.plan().standings.in_sync), (3, 3, 3));
}

#[test]
fn a_duplicate_that_is_deleted_in_linq_takes_its_row_along() {
    let mut world = PlannedWorld::new(&[], &[JANE, JANE, KAI, MAX]);
    world.settle();
    let second = world.id(1);
    world.contacts.remove(&second);
    world.settle();
    assert_eq!((world.rows.len(), world.contacts.len(), world.plan().standings.in_sync), (3, 3, 3));
}

#[test]
fn a_successor_at_a_shared_mailbox_is_somebody_else() {
    let mut world = PlannedWorld::in_sync(&[JANE, KAI, MAX]);
    let jane = world.id(0);
    world.contacts.remove(&jane);
    world.appear(values("first_name=Bo last_name=Wang email=jane@x.example"));
    world.settle();
    assert_eq!(world.rows.iter().filter(|row| row[Field::FirstName] == "Jane").count(), 0);
    assert_eq!(world.plan().standings.in_sync, 3);
}

#[test]
fn of_an_edited_row_and_an_edited_copy_the_first_is_the_person() {
    let mut world = PlannedWorld::in_sync(&[JANE, KAI, MAX]);
    let copy = world.rows[0].clone();
    world.rows.push(copy);
    world.set_row(0, Field::Location, "Oslo");
    world.set_row(3, Field::Location, "Bergen");
    let plan = world.plan();
    assert_eq!(plan.steps.len(), 2, "{:#?}", plan.steps);
    assert!(matches!(plan.steps[0].linq, Some(LinqWrite::Update { id: LinqId(1), .. })));
    assert!(is_ambiguous(&plan.steps[1]));
}

#[test]
fn nobody_is_deleted_whom_an_ambiguous_row_may_be() {
    let world = PlannedWorld::in_sync(&["first_name=Jo phone_number=+14155552671", KAI, MAX]);
    let mut seen = world.observe();
    seen.links[0].key = Some(SourceKey("1".to_owned()));
    seen.source.records[0].key = Some(SourceKey("4".to_owned()));
    seen.source.records[0].values[Field::Title] = "CEO".into();
    seen.source.records[0].fingerprint = Fingerprint::of(b"another row");
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert_eq!(plan.steps.len(), 1, "{:#?}", plan.steps);
    assert!(is_ambiguous(&plan.steps[0]));
}

#[test]
fn ids_that_slipped_to_other_rows_make_nobody_somebody_else() {
    let world = PlannedWorld::in_sync(&[JANE, KAI, MAX]);
    let mut seen = world.observe();
    seen.source.keeps_ids = true;
    for (row, id) in [(0, 2_u8), (1, 3), (2, 1)] {
        seen.source.records[row].linq_id = Some(LinqId(id.into()));
        seen.source.records[row].fingerprint = Fingerprint::of(&[id]);
    }
    seen.source.records[2].values[Field::Title] = "CTO".into();
    let plan = make_plan(&seen, &world.policy).unwrap();
    let written: Vec<_> = plan.steps.iter().filter_map(|step| step.linq.as_ref()).collect();
    assert!(
        matches!(written[..], [LinqWrite::Update { id: LinqId(3), set, .. }] if set.len() == 1),
        "{written:?}"
    );
    let ids = plan.steps.iter().filter_map(|step| match &step.source {
        Some(SourceWrite::Update { at, linq_id, .. }) => Some((at.0, linq_id.unwrap().0)),
        Some(SourceWrite::Create { .. } | SourceWrite::Delete { .. }) | None => None,
    });
    assert_eq!(ids.collect::<Vec<_>>(), [(0, 1), (1, 2), (2, 3)], "the column is put right");
}

#[test]
fn an_id_is_believed_against_every_other_field() {
    let world = PlannedWorld::in_sync(&[JANE, KAI, MAX]);
    let mut seen = world.observe();
    seen.source.records[0] = record(0, &values("first_name=Zoe email=zoe@y.example"));
    seen.source.records[0].linq_id = Some(LinqId(1));
    let plan = make_plan(&seen, &world.policy).unwrap();
    assert_eq!(plan.steps.len(), 1);
    assert!(matches!(plan.steps[0].linq, Some(LinqWrite::Update { id: LinqId(1), .. })));
}

#[test]
fn a_successor_in_the_same_post_is_somebody_else() {
    let post = "company=Engines title=CEO location=Oslo";
    let mut world = PlannedWorld::in_sync(&[&format!("first_name=Ada {post}"), KAI, MAX]);
    world.rows[0] = values(&format!("first_name=Bo {post}"));
    let plan = world.plan();
    let kinds: Vec<_> = plan.steps.iter().filter_map(|step| step.linq.as_ref()).collect();
    assert!(matches!(kinds[..], [LinqWrite::Delete { .. }, LinqWrite::Create { .. }]), "{kinds:?}");
}

/// A linked contact was created in Linq again under another id, and it cannot be told yet
/// whether the old one is gone.
fn created_again(contact: &str) -> (PlannedWorld, Observation) {
    let mut world = PlannedWorld::in_sync(&[
        "first_name=Ada last_name=King email=ada@x.example phone_number=+14155550100",
        "first_name=Bo last_name=Fox email=bo@x.example",
    ]);
    let old = world.id(0);
    world.contacts.remove(&old);
    world.appear(values(contact));
    let mut seen = world.observe();
    seen.linq.gone.clear();
    seen.linq.incomplete = Some(pages_moved());
    (world, seen)
}

#[test]
fn who_may_be_a_linked_contact_that_cannot_be_seen_gets_no_second_row() {
    for contact in [
        "first_name=Ada email=ADA@x.example",
        "first_name=Ada phone_number=+14155550100",
        "first_name=ada last_name=king company=Elsewhere",
    ] {
        let (world, seen) = created_again(contact);
        let now = make_plan(&seen, &world.policy).unwrap();
        assert!(now.steps.iter().all(|step| !step.has_effect()), "{contact}: {:#?}", now.steps);
        // Once it is known to be gone, the row gets the new contact.
        let mut world = world;
        world.settle();
        assert_eq!((world.rows.len(), world.contacts.len(), world.links.len()), (2, 2, 2));
    }
    let (world, seen) = created_again("first_name=Cy email=cy@x.example");
    let creates = make_plan(&seen, &world.policy).unwrap();
    assert_eq!(creates.steps.iter().filter(|step| step.source.is_some()).count(), 1);
}
