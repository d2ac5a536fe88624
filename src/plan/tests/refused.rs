//! What Linq refused waits, and everything else flows.

use chrono::TimeDelta;

use super::world::{PlannedWorld, values};
use crate::model::{
    Agreement, Canon, Decided, Decision, Field, FieldSet, Fingerprint, LinqId, Policy, Waiting,
};
use crate::plan::{
    LinqWrite, Meant, Observation, Plan, Refusal, Step, Wait, list_waiting, make_plan,
    meant_difference, refused_field, refused_user,
};

const ADA: &str = "first_name=Ada email=ada@x.example title=Countess phone_number=+14155550100";

fn refuse(seen: &mut Observation, what: Fingerprint, fields: &[Field], ago: TimeDelta) {
    let fields: FieldSet = fields.iter().copied().collect();
    let refusal = Refusal { fields, reason: "is invalid".to_owned(), at: seen.now - ago };
    seen.refused.insert(what, refusal);
}

/// Ada, whose phone and title were edited, and whose phone Linq has refused some time ago.
fn refused_phone(ago: TimeDelta) -> (PlannedWorld, Observation) {
    let mut world = PlannedWorld::in_sync(&[ADA]);
    world.set_row(0, Field::PhoneNumber, "n/a");
    world.set_row(0, Field::Title, "Dr");
    let mut seen = world.observe();
    let what = refused_field(world.id(0), Field::PhoneNumber, "n/a");
    refuse(&mut seen, what, &[Field::PhoneNumber], ago);
    (world, seen)
}

fn planned(seen: &Observation, policy: &Policy) -> Plan {
    make_plan(seen, policy).unwrap()
}

/// The fields that the only step sends to Linq.
fn sent(plan: &Plan) -> Vec<Field> {
    let [Step { linq: Some(LinqWrite::Update { set, .. }), .. }] = &plan.steps[..] else {
        return Vec::new();
    };
    set.iter().map(|change| change.field).collect()
}

fn retry(seen: &mut Observation, policy: &Policy) {
    let all = list_waiting(&planned(seen, policy), seen).into_iter();
    let refused = all.filter(|one| one.kind.is_refused());
    let at = seen.now;
    let decision = |about: Waiting| Decided { about, decision: Decision::Retry, by: None, at };
    seen.decisions = refused.map(decision).collect();
}

#[test]
fn a_refused_field_waits_and_the_others_of_its_contact_are_sent() {
    let (world, mut seen) = refused_phone(TimeDelta::hours(1));
    let plan = planned(&seen, &world.policy);
    assert_eq!(sent(&plan), [Field::Title]);
    let [Wait::Rejected { field: Some(Field::PhoneNumber), reason, refusal: Some(_), .. }] =
        &plan.steps[0].waits[..]
    else {
        panic!("{:?}", plan.steps)
    };
    assert_eq!(reason, "is invalid");
    let listed = list_waiting(&plan, &seen);
    assert_eq!(listed[0].value.as_deref(), Some("n/a"));
    assert_eq!(listed[0].cell.as_deref(), Some("phone_number in row 2"));
    seen.source.columns.insert(Field::PhoneNumber, "Phone".to_owned());
    assert_eq!(list_waiting(&plan, &seen)[0].cell.as_deref(), Some("`Phone` in row 2"));
    assert_eq!(plan.refused.len(), 1);

    seen.source.records[0].values[Field::PhoneNumber] = "+14155550199".into();
    let plan = planned(&seen, &world.policy);
    assert_eq!(sent(&plan), [Field::PhoneNumber, Field::Title], "another value is sent");
    assert!(plan.refused.is_empty());
}

#[test]
fn what_was_refused_is_sent_again_after_a_while_and_never_if_so_configured() {
    let both = [Field::PhoneNumber, Field::Title];
    for (hours, fields) in [(23, &both[1..]), (24, &both[..]), (-2, &both[1..]), (-90, &both[..])] {
        let (mut world, seen) = refused_phone(TimeDelta::hours(hours));
        assert_eq!(sent(&planned(&seen, &world.policy)), fields, "{hours} hours ago");
        world.policy.retry_rejected = None;
        assert_eq!(sent(&planned(&seen, &world.policy)), both[1..], "{hours} hours ago, never");
    }
}

#[test]
fn a_person_has_it_sent_again() {
    let (world, mut seen) = refused_phone(TimeDelta::hours(1));
    retry(&mut seen, &world.policy);
    // Whatever else is edited in the row meanwhile.
    seen.source.records[0].fingerprint = Fingerprint::of(b"a note");
    let plan = planned(&seen, &world.policy);
    assert_eq!(sent(&plan), [Field::PhoneNumber, Field::Title]);
    assert_eq!(plan.steps[0].decided.len(), 1);
    // What was shown is another value now.
    seen.source.records[0].values[Field::PhoneNumber] = "nobody".into();
    let other = refused_field(world.id(0), Field::PhoneNumber, "nobody");
    refuse(&mut seen, other, &[], TimeDelta::hours(1));
    assert_eq!(sent(&planned(&seen, &world.policy)), [Field::Title]);
}

#[test]
fn a_contact_that_was_refused_as_a_whole_waits_with_the_fields_that_were_named() {
    let mut world = PlannedWorld::new(&["email=broken phone_number=n/a", "first_name=Bo"], &[]);
    let mut seen = world.observe();
    let write = planned(&seen, &world.policy).steps[0].linq.clone().unwrap();
    let named = [Field::Email, Field::PhoneNumber];
    refuse(&mut seen, write.fingerprint(), &named, TimeDelta::hours(1));
    let refused = planned(&seen, &world.policy);
    assert!(refused.steps[0].linq.is_none() && refused.steps[1].linq.is_some());
    let waits = refused.steps[0].waits.iter();
    let fields: Vec<_> = waits
        .map(|wait| {
            let Wait::Rejected { field, .. } = wait else { panic!("{wait:?}") };
            *field
        })
        .collect();
    assert_eq!(fields, named.map(Some));

    let mut again = seen.clone();
    retry(&mut again, &world.policy);
    let again = planned(&again, &world.policy);
    assert!(again.steps[0].linq.is_some() && again.steps[0].decided.len() == 2);

    world.set_row(0, Field::Email, "ada@x.example");
    seen.source.records = world.observe().source.records;
    assert!(planned(&seen, &world.policy).steps[0].linq.is_some());
}

#[test]
fn for_a_user_whom_linq_does_not_know_nobody_is_created_and_one_notice_says_so() {
    let mut world = PlannedWorld::new(&["first_name=Ada", "first_name=Bo", "first_name=Cy"], &[]);
    world.policy.default_owner = Some("ghost@acme.example".to_owned());
    let mut seen = world.observe();
    refuse(&mut seen, refused_user("Ghost@acme.example"), &[], TimeDelta::hours(1));
    let plan = planned(&seen, &world.policy);
    assert!(plan.steps.iter().all(|step| step.linq.is_none() && step.waits.len() == 1));
    let notices: Vec<_> = plan.notices.iter().filter(|n| n.contains("linq.owner")).collect();
    assert_eq!(notices.len(), 1);
    assert!(notices[0].contains("`ghost@acme.example`") && notices[0].contains("3 contacts"));
    assert_eq!(list_waiting(&plan, &seen).len(), 3);

    world.policy.default_owner = Some("sam@acme.example".to_owned());
    let plan = planned(&seen, &world.policy);
    assert!(plan.steps.iter().all(|step| step.linq.is_some()));
    assert!(plan.notices.is_empty(), "{:?}", plan.notices);
}

/// What both agreed on when Linq made `linq` of the phone number `source`.
fn answered(source: &str, linq: &str) -> (PlannedWorld, Observation, LinqId) {
    let mut world = PlannedWorld::in_sync(&[&format!("first_name=Ada phone_number={linq}")]);
    world.policy.canon = Canon::new("FR".parse().unwrap());
    world.set_row(0, Field::PhoneNumber, source);
    let mut seen = world.observe();
    let each = Agreement { source: source.into(), linq: linq.into() };
    seen.links[0].base.set(Field::PhoneNumber, each);
    seen.links[0].fingerprint = seen.source.records[0].fingerprint;
    let id = world.id(0);
    (world, seen, id)
}

#[test]
fn another_number_than_the_one_that_was_sent_is_a_rejected_field_and_no_spelling() {
    let is_spelling = |world: &PlannedWorld, seen: &Observation, id| {
        let (link, record) = (&seen.links[0], &seen.source.records[0]);
        let contact = &seen.linq.contacts[&id];
        meant_difference(Field::PhoneNumber, link, record, contact, &world.policy)
    };
    let (world, seen, id) = answered("06 12 34 56 78 poste 5", "+33612345678");
    assert!(planned(&seen, &world.policy).steps.is_empty());
    assert_eq!(is_spelling(&world, &seen, id), Some(Meant::Rewritten));

    let (world, mut seen, id) = answered("06 12 34 56 78", "+10612345678");
    let plan = planned(&seen, &world.policy);
    assert!(matches!(
        plan.steps[0].waits[..],
        [Wait::Rejected { field: Some(Field::PhoneNumber), refusal: Some(_), .. }]
    ));
    assert!(!plan.steps[0].has_effect());
    assert_eq!(is_spelling(&world, &seen, id), None);
    retry(&mut seen, &world.policy);
    assert_eq!(sent(&planned(&seen, &world.policy)), [Field::PhoneNumber]);
}

#[test]
fn what_linq_would_take_for_an_american_number_is_not_sent() {
    let mut world = PlannedWorld::new(&["first_name=Ada phone_number=5551234567"], &[]);
    world.policy.canon = Canon::new("FR".parse().unwrap());
    let seen = world.observe();
    let step = &planned(&seen, &world.policy).steps[0];
    let Some(LinqWrite::Create { values: sent, .. }) = &step.linq else { panic!("{step:?}") };
    assert_eq!(*sent, values("first_name=Ada"));
    assert!(matches!(step.waits[..], [Wait::Rejected { field: Some(Field::PhoneNumber), .. }]));
}

#[test]
fn an_extension_that_is_added_in_the_source_is_nothing_to_send() {
    let mut world = PlannedWorld::in_sync(&[ADA]);
    world.set_row(0, Field::PhoneNumber, "+1 415 555 0100 ext. 7");
    let plan = planned(&world.observe(), &world.policy);
    assert_eq!(sent(&plan), []);
    world.settle();
    assert_eq!(world.contacts[&world.id(0)][Field::PhoneNumber], "+14155550100");
    assert_eq!(world.rows[0][Field::PhoneNumber], "+1 415 555 0100 ext. 7");
    // Another number is.
    world.set_row(0, Field::PhoneNumber, "+1 415 555 0101 ext. 7");
    assert_eq!(sent(&planned(&world.observe(), &world.policy)), [Field::PhoneNumber]);
}
