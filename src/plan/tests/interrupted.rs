//! What interrupted runs left: creates without an answer, records half added.

use super::carry_out::{Recorded, effects};
use super::world::{PlannedWorld, at, values};
use crate::model::{Field, FieldSet, Fingerprint, IntentId, LinqId, Unreadable, Values};
use crate::plan::{
    DoubtfulCreate, HalfAdded, LinkPlan, LinqWrite, Observation, Plan, SourceWrite, StepReason,
    Tier, Wait, make_plan,
};

const ADA: &str = "first_name=Ada last_name=King";

fn with_create(world: &PlannedWorld, sent: &str) -> Observation {
    let mut seen = world.observe();
    seen.linq.known_since.clear();
    seen.doubtful.push(DoubtfulCreate {
        intent: IntentId(7),
        fingerprint: Fingerprint::of(b"another spelling"),
        key: None,
        read_anew: FieldSet::EMPTY,
        values: values(sent),
        sent_at: at(-20),
    });
    seen
}

/// The first contact was known before the create was sent.
fn was_before(seen: &mut Observation) {
    let id = *seen.linq.contacts.first_key_value().unwrap().0;
    seen.linq.known_since.insert(id, IntentId(6));
}

fn with_addition(world: &PlannedWorld, id: u64, values: Values) -> Observation {
    let mut seen = world.observe();
    let (intent, linq_id, read_anew) = (IntentId(3), LinqId(id), FieldSet::EMPTY);
    seen.half_added.push(HalfAdded { intent, linq_id, values, read_anew });
    seen
}

fn planned(seen: &Observation) -> Plan {
    make_plan(seen, &super::world::policy()).unwrap()
}

fn tiers(plan: &Plan) -> Vec<Tier> {
    let tier = |reason: &StepReason| match reason {
        StepReason::Matched(tier) => Some(*tier),
        StepReason::Rule(_) | StepReason::Because(_) | StepReason::Undo(_) => None,
    };
    plan.steps.iter().filter_map(|step| tier(&step.reason)).collect()
}

#[test]
fn what_an_unanswered_create_made_is_adopted_even_without_e_mail_and_phone() {
    let plan = planned(&with_create(&PlannedWorld::new(&[ADA], &[ADA]), ADA));
    assert_eq!((plan.steps.len(), tiers(&plan)), (1, vec![Tier::Journal]));
    assert!(plan.steps[0].linq.is_none());
    assert!(matches!(plan.steps[0].link, LinkPlan::Join { doubt: Some(IntentId(7)), .. }));
}

#[test]
fn an_edit_after_an_unanswered_create_is_an_edit() {
    let world = PlannedWorld::new(&["first_name=Ada last_name=Byron"], &[ADA]);
    let plan = planned(&with_create(&world, ADA));
    assert_eq!(plan.steps.len(), 1);
    assert!(matches!(&plan.steps[0].linq, Some(LinqWrite::Update { set, .. }) if set.len() == 1));
}

#[test]
fn an_unanswered_create_without_a_trace_is_repeated_as_one_in_doubt() {
    let plan = planned(&with_create(&PlannedWorld::new(&[ADA], &[]), ADA));
    assert!(matches!(plan.steps[0].linq, Some(LinqWrite::Create { doubt: Some(IntentId(7)), .. })));
    assert!(plan.settled.is_empty());
}

#[test]
fn an_older_contact_of_the_same_name_was_not_made_by_an_unanswered_create() {
    let mut seen = with_create(&PlannedWorld::new(&[ADA], &[ADA]), ADA);
    was_before(&mut seen);
    assert_eq!(tiers(&planned(&seen)), [Tier::EveryField]);
}

#[test]
fn what_an_unanswered_create_made_is_known_by_e_mail_after_somebody_edited_it() {
    let sent = "first_name=Ada email=ada@x.example title=Countess";
    let world = PlannedWorld::new(&[sent], &["first_name=Ada email=ada@x.example title=Lady"]);
    let plan = planned(&with_create(&world, sent));
    assert_eq!((plan.steps.len(), tiers(&plan)), (1, vec![Tier::Email]), "nobody is made twice");
    assert!(matches!(plan.steps[0].link, LinkPlan::Join { doubt: Some(IntentId(7)), .. }));
    let Some(SourceWrite::Update { set, .. }) = &plan.steps[0].source else { panic!("{plan:#?}") };
    assert_eq!((set.len(), &*set[0].from, &*set[0].to), (1, "Countess", "Lady"));
    assert!(plan.steps[0].waits.is_empty(), "the edit is Linq's alone");
}

#[test]
fn who_was_in_linq_before_a_create_was_sent_has_no_base_by_it() {
    let sent = "first_name=Ada email=ada@x.example title=Countess";
    let world = PlannedWorld::new(&[sent], &["first_name=Ada email=ada@x.example title=Lady"]);
    let mut seen = with_create(&world, sent);
    was_before(&mut seen);
    let plan = planned(&seen);
    assert!(matches!(plan.steps[0].waits[..], [Wait::Conflict { field: Field::Title, .. }]));
}

#[test]
fn a_create_that_may_have_made_one_of_several_is_not_forgotten() {
    let mut seen = with_create(&PlannedWorld::new(&[ADA], &[ADA, ADA]), ADA);
    seen.now = at(86_400);
    let plan = planned(&seen);
    assert_eq!(plan.steps.len(), 1);
    assert!(
        matches!(&plan.steps[0].waits[..], [Wait::Ambiguous { candidates }] if candidates.len() == 2)
    );
    assert!(plan.settled.is_empty(), "or the row would be created once more");
}

#[test]
fn as_many_contacts_as_unanswered_creates_are_adopted_one_each() {
    let mut seen = with_create(&PlannedWorld::new(&[ADA, ADA], &[ADA, ADA]), ADA);
    seen.doubtful.push(DoubtfulCreate { intent: IntentId(8), ..seen.doubtful[0].clone() });
    let plan = planned(&seen);
    assert_eq!(tiers(&plan), [Tier::Journal, Tier::Journal]);
    assert!(plan.steps.iter().all(|step| step.linq.is_none() && step.source.is_none()));
}

#[test]
fn of_copies_the_one_whose_create_is_in_doubt_comes_first() {
    let sent = "first_name=Ada email=ada@x.example";
    let world = PlannedWorld::new(&["first_name=Ada email=ada@x.example title=Copy", sent], &[]);
    let mut seen = with_create(&world, sent);
    seen.doubtful[0].fingerprint = seen.source.records[1].fingerprint;
    let plan = planned(&seen);
    assert!(matches!(plan.steps[0].waits[..], [Wait::Ambiguous { .. }]));
    assert!(matches!(plan.steps[1].linq, Some(LinqWrite::Create { doubt: Some(_), .. })));
}

#[test]
fn a_create_is_forgotten_only_beside_a_whole_listing() {
    let mut seen = with_create(&PlannedWorld::new(&[], &[]), ADA);
    seen.now = at(86_400);
    assert_eq!(planned(&seen).settled, [IntentId(7)]);
    seen.linq.incomplete = Some(super::world::pages_moved());
    assert!(planned(&seen).settled.is_empty());
    seen.linq.incomplete = None;
    seen.now = at(0);
    assert!(planned(&seen).settled.is_empty(), "it may still arrive");
}

#[test]
fn a_contact_whose_record_is_gone_by_now_is_linked_and_then_deleted() {
    let plan = planned(&with_create(&PlannedWorld::new(&[], &[ADA]), ADA));
    assert_eq!((plan.steps.len(), tiers(&plan)), (1, vec![Tier::Journal]));
    assert!(plan.steps[0].source.is_none(), "it does not come back");
    assert!(matches!(plan.steps[0].link, LinkPlan::Join { doubt: Some(IntentId(7)), .. }));
}

#[test]
fn a_row_added_by_an_interrupted_run_is_linked_to_its_contact() {
    let world = PlannedWorld::new(&["first_name=Kai"], &["first_name=Kai title=CEO"]);
    let plan = planned(&with_addition(&world, 1, values("first_name=Kai")));
    assert_eq!((plan.steps.len(), tiers(&plan)), (1, vec![Tier::Journal]));
    assert!(plan.settled.is_empty(), "what is known of it is needed until it is linked");
}

#[test]
fn an_edit_in_linq_after_a_row_was_half_added_reaches_the_row() {
    let world = PlannedWorld::new(&["first_name=Kai title=CTO"], &["first_name=Kai title=CEO"]);
    let plan = planned(&with_addition(&world, 1, values("first_name=Kai title=CTO")));
    assert_eq!((plan.steps.len(), tiers(&plan)), (1, vec![Tier::Journal]));
    assert!(plan.steps[0].waits.is_empty() && plan.steps[0].linq.is_none());
    assert!(matches!(
        &plan.steps[0].source,
        Some(SourceWrite::Update { set, .. }) if set.len() == 1 && set[0].to == "CEO"
    ));
}

#[test]
fn a_half_added_row_that_was_edited_is_known_by_its_id() {
    let world = PlannedWorld::new(&["first_name=Kay"], &["first_name=Kai"]);
    let mut seen = with_addition(&world, 1, values("first_name=Kai"));
    seen.source.records[0].linq_id = Some(LinqId(1));
    let plan = planned(&seen);
    assert_eq!((plan.steps.len(), tiers(&plan)), (1, vec![Tier::Journal]));
    assert!(
        matches!(&plan.steps[0].linq, Some(LinqWrite::Update { set, .. }) if set[0].to == "Kay")
    );
}

#[test]
fn a_half_added_row_may_be_in_the_part_that_could_not_be_read() {
    let world = PlannedWorld::new(&[], &["first_name=Kai"]);
    let mut seen = with_addition(&world, 1, values("first_name=Kai"));
    let bad = Unreadable { label: "row:2".to_owned(), line: 2, reason: "broken".to_owned() };
    seen.source.unreadable = vec![bad];
    let plan = planned(&seen);
    assert!(plan.steps.is_empty(), "no second row");
    assert!(plan.settled.is_empty());
    seen.source.unreadable.clear();
    let plan = self::planned(&seen);
    assert!(matches!(plan.steps[0].source, Some(SourceWrite::Create { .. })), "it never landed");
    assert_eq!(plan.settled, [IntentId(3)]);
}

const BO: &str = "first_name=Bo email=bo@x.example";
const CY: &str = "first_name=Cy email=cy@x.example";

/// Carries out all of a plan, but that the last effect is not written down.
fn interrupt(world: &mut PlannedWorld) {
    let plan = world.plan();
    world.apply_first(&plan, effects(&plan).len(), Recorded::No);
}

#[test]
fn somebody_created_again_without_an_answer_is_not_created_a_third_time() {
    let mut world = PlannedWorld::in_sync(&["first_name=Ada email=ada@x.example", BO, CY]);
    world.contacts.pop_first();
    world.set_row(0, Field::Title, "CEO");
    world.rows.push(values("first_name=Zoe email=ada@x.example title=CEO"));
    interrupt(&mut world);
    assert_eq!(world.contacts.len(), 3);
    world.settle();
    assert_eq!((world.contacts.len(), world.links.len()), (3, 3), "{:#?}", world.plan().steps);
    assert_eq!(world.plan().standings.in_sync, 3);
}

#[test]
fn somebody_added_again_without_a_record_of_it_is_not_added_twice() {
    let mut world = PlannedWorld::in_sync(&["first_name=Ada", BO, CY]);
    world.rows.remove(0);
    world.set_contact(0, Field::FirstName, "Zoe");
    interrupt(&mut world);
    assert_eq!(world.rows.len(), 3);
    world.settle();
    assert_eq!((world.rows.len(), world.contacts.len(), world.plan().standings.in_sync), (3, 3, 3));
}

#[test]
fn an_orphan_is_left_alone_while_anything_is_read_in_part() {
    let mut seen = with_create(&PlannedWorld::new(&[], &[ADA]), ADA);
    seen.now = at(86_400);
    seen.linq.incomplete = Some(super::world::pages_moved());
    let plan = planned(&seen);
    assert!(plan.steps.is_empty() && plan.settled.is_empty());
}
