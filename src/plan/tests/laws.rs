//! Laws that hold for every world, tried on a hundred thousand that are drawn at random.
//!
//! *Total*: everybody is accounted for, in one step at most. *Deterministic*: order makes
//! no difference. *Quiet*: a plan that was carried out leaves nothing to do.
//! *Even-handed*: with the sides exchanged, the same happens the other way round.
//! *Careful*: only what was synced and is unedited is deleted. *Keeping*: no value goes
//! unsaid. *Resumable*: ended after any effect, the next run ends alike.
//!
//! Where nobody can tell who is who, the order of rows may say, and so may what a run
//! had done before it ended: there less is asked. The same worlds are drawn in every
//! run. To try others, or more:
//!
//! ```sh
//! LINQSYNC_LAWS_SEED=2 LINQSYNC_LAWS_CASES=1000000 cargo test --lib plan::tests::laws
//! ```

use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Serialize;

use super::carry_out::{Recorded, effects};
use super::drawn::{Choices, clear, muddled};
use super::small_scope::{check_care, check_resumption, in_parallel, outcome, settle};
use super::world::PlannedWorld;
use crate::model::{Agreement, ConflictPolicy, Deletes, Direction, Field, LinqId, Policy, Values};
use crate::plan::{LinqWrite, Plan, SourceWrite, Step, Wait, make_plan};

/// How many worlds are drawn in a normal test run.
const CASES: u64 = 100_000;

/// How the worlds are shared out to threads.
const PARTS: u64 = 8;

/// How much is drawn for one world.
const BYTES: usize = 48;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Checks `law` for `share` of all worlds, each drawn from bytes of its own.
pub(super) fn check(share: u64, law: impl Fn(&mut Choices<'_>) + Sync) {
    let cases = number("LINQSYNC_LAWS_CASES", CASES) / share;
    let seed = number("LINQSYNC_LAWS_SEED", 1);
    let parts: Vec<u64> = (0..PARTS).collect();
    in_parallel(&parts, |part| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&part.to_le_bytes());
        let config = Config {
            cases: u32::try_from(cases / PARTS).expect("not that many"),
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let drawn = prop::collection::vec(any::<u8>(), 0..BYTES);
        let result = TestRunner::new_with_rng(config, rng).run(&drawn, |bytes| {
            law(&mut Choices::new(&bytes));
            Ok(())
        });
        result.unwrap_or_else(|failure| panic!("{failure}"));
    });
}

pub(super) fn typed(world: &PlannedWorld) -> BTreeSet<(Field, String)> {
    let people = world.rows.iter().chain(world.contacts.values());
    people
        .flat_map(|v| v.filled_fields().iter().map(|f| (f, v[f].to_string())).collect::<Vec<_>>())
        .collect()
}

/// What a plan says it takes away: it would be in the history.
pub(super) fn said_to_go(plan: &Plan, world: &PlannedWorld) -> BTreeSet<(Field, String)> {
    let mut gone = BTreeSet::new();
    for step in &plan.steps {
        if let Some(LinqWrite::Update { set, .. }) = &step.linq {
            gone.extend(set.iter().map(|change| (change.field, change.from.to_string())));
        }
        if let Some(LinqWrite::Delete { expected, .. }) = &step.linq {
            gone.extend(expected.filled_fields().iter().map(|f| (f, expected[f].to_string())));
        }
        match &step.source {
            Some(SourceWrite::Update { set, .. }) => {
                gone.extend(set.iter().map(|change| (change.field, change.from.to_string())));
            }
            Some(SourceWrite::Delete { at }) => {
                let row = &world.rows[at.0 as usize];
                gone.extend(row.filled_fields().iter().map(|f| (f, row[f].to_string())));
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

/// Nobody has two steps, and what waits is not written.
pub(super) fn check_steps(plan: &Plan) {
    fn once<T: Ord + Debug>(all: impl Iterator<Item = T>) {
        let mut seen = BTreeSet::new();
        all.for_each(|one| assert!(seen.insert(one)));
    }
    once(plan.steps.iter().filter_map(|step| step.subject.link));
    once(plan.steps.iter().filter_map(|step| step.subject.record));
    once(plan.steps.iter().filter_map(|step| step.subject.linq_id));
    for step in &plan.steps {
        assert!(step.deletes_on().is_none() || step.subject.link.is_some(), "never synced");
        for wait in &step.waits {
            let Wait::Conflict { field, .. } = wait else { continue };
            let to_linq = match &step.linq {
                Some(LinqWrite::Update { set, .. }) => set.iter().any(|c| c.field == *field),
                Some(LinqWrite::Create { .. } | LinqWrite::Delete { .. }) => true,
                None => false,
            };
            let to_source = match &step.source {
                Some(SourceWrite::Update { set, .. }) => set.iter().any(|c| c.field == *field),
                Some(SourceWrite::Create { .. } | SourceWrite::Delete { .. }) => true,
                None => false,
            };
            assert!(!to_linq && !to_source, "{field} is in conflict and written");
        }
    }
}

/// The same world, its rows and links in the opposite order and its contacts with ids
/// in the opposite order.
fn turned_over(world: &PlannedWorld) -> PlannedWorld {
    let mut turned = world.clone();
    turned.rows.reverse();
    turned.links.reverse();
    let other = |id: LinqId| LinqId(1_000 - id.0);
    turned.contacts = world.contacts.iter().map(|(id, c)| (other(*id), c.clone())).collect();
    turned.links.iter_mut().for_each(|link| link.linq_id = other(link.linq_id));
    turned.skip_ids(1_000);
    turned
}

/// The same world with its sides exchanged.
fn exchanged(world: &PlannedWorld) -> PlannedWorld {
    let mut other = PlannedWorld::new(&[], &[]);
    other.policy = turned(&world.policy);
    other.rows = world.contacts.values().cloned().collect();
    let mut ids = Vec::new();
    for row in &world.rows {
        ids.push((row, other.appear(row.clone())));
    }
    for link in &world.links {
        let email = &link.base.linq_values()[Field::Email];
        let found = ids.iter().find(|(row, _)| row[Field::Email] == *email).map(|(_, id)| *id);
        let id = found.unwrap_or_else(|| {
            let id = other.appear(Values::default());
            other.contacts.remove(&id);
            id
        });
        let base = link.base.agreed_fields().iter().map(|field| {
            let Agreement { source, linq } = link.base.get(field).unwrap().clone();
            (field, Agreement { source: linq, linq: source })
        });
        other.link(id, &link.base.linq_values(), base.collect());
        other.links.last_mut().unwrap().content = None;
    }
    other
}

/// The policy that means for the other side what `policy` means for this one.
pub(super) fn turned(policy: &Policy) -> Policy {
    let direction = |direction: &Direction| match direction {
        Direction::Both => Direction::Both,
        Direction::Push => Direction::Pull,
        Direction::Pull => Direction::Push,
    };
    let conflict = |policy: ConflictPolicy| match policy {
        ConflictPolicy::Source => ConflictPolicy::Linq,
        ConflictPolicy::Linq => ConflictPolicy::Source,
        same @ (ConflictPolicy::Hold | ConflictPolicy::Newest) => same,
    };
    let fields = policy.field_directions.iter();
    let conflicts = policy.field_conflicts.iter();
    Policy {
        direction: direction(&policy.direction),
        field_directions: fields.map(|(field, own)| (*field, direction(own))).collect(),
        on_conflict: conflict(policy.on_conflict),
        field_conflicts: conflicts.map(|(field, own)| (*field, conflict(*own))).collect(),
        deletes: Deletes { linq: policy.deletes.source, source: policy.deletes.linq },
        ..policy.clone()
    }
}

#[test]
fn where_it_is_clear_who_is_who_every_law_holds() {
    check(2, |choices| {
        let also = choices.below(3);
        let world = clear(choices);
        check_steps(&world.plan());
        check_care(&world);
        match also {
            0 => assert_eq!(outcome(turned_over(&world)), outcome(world)),
            1 => {
                // What a record says besides its values, and how it spells them, has no
                // counterpart in Linq.
                let mut world = world;
                world.links.iter_mut().for_each(|link| link.content = None);
                let [rows, contacts, links] = outcome(world.clone());
                let [other_rows, other_contacts, other_links] = outcome(exchanged(&world));
                assert_eq!((other_contacts, other_rows), (rows, contacts));
                assert_eq!(other_links.len(), links.len());
            }
            _ => check_resumption(&world),
        }
    });
}

#[test]
fn where_people_look_alike_nothing_is_lost_and_nobody_multiplied() {
    check(2, |choices| {
        let interrupted = choices.below(2) == 1;
        let (cut, last) = (choices.below(16), choices.below(2));
        let mut world = muddled(choices);
        let first = world.plan();
        check_steps(&first);
        let mut seen = world.observe();
        seen.links.reverse();
        assert_eq!(said(&make_plan(&seen, &world.policy).unwrap()), said(&first));
        let effects = effects(&first).len();
        if interrupted && effects > 0 {
            let (before, said) = (typed(&world), said_to_go(&first, &world));
            let last = if last == 0 { Recorded::Yes } else { Recorded::No };
            world.apply_first(&first, 1 + cut % effects, last);
            let after = typed(&world);
            assert!(before.difference(&after).all(|value| said.contains(value)));
        }
        check_care(&world);
        let people = world.rows.len() + world.contacts.len();
        settle(&mut world);
        assert!(world.contacts.len() <= people && world.rows.len() <= people);
        let linked: BTreeSet<LinqId> = world.links.iter().map(|link| link.linq_id).collect();
        assert_eq!(linked.len(), world.links.len());
    });
}
