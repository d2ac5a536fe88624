//! The law of the census: a plan that is made without the pairs at rest is the same.

use std::collections::BTreeSet;

use super::drawn::{Choices, clear, muddled};
use super::laws::check;
use super::world::{PlannedWorld, values};
use crate::model::{Field, LinkId, LinqId, Policy, SourceKey};
use crate::plan::census::reduce_observation;
use crate::plan::{Observation, Plan, at_rest, make_plan};

/// How many pairs were left out.
pub(super) fn assert_same(seen: &Observation, policy: &Policy) -> usize {
    let whole = make_plan(seen, policy).unwrap();
    let rests = at_rest(seen, policy, &whole);
    let links: BTreeSet<LinkId> = rests.iter().map(|rest| rest.link).collect();
    let reduced = reduce_observation(seen, policy, |rest| links.contains(&rest.link));
    let left_out = seen.links.len() - reduced.links.len();
    assert_eq!(reduced.census.pairs, left_out);
    let plan = make_plan(&reduced, policy).unwrap();
    assert_eq!(text(&plan), text(&whole), "{seen:#?}");
    assert_eq!(plan.standings, whole.standings);
    left_out
}

/// All that a plan says.
fn text(plan: &Plan) -> String {
    format!("{plan:#?}")
}

fn check_law(world: &PlannedWorld) {
    assert_same(&world.observe(), &world.policy);
}

#[test]
fn a_plan_without_the_pairs_at_rest_is_the_same() {
    check(1, |choices| check_law(&clear(choices)));
    check(1, |choices| check_law(&muddled(choices)));
}

/// People among whom somebody is edited, copied, sorted or missing.
pub(super) fn crowded(choices: &mut Choices<'_>) -> PlannedWorld {
    let mut world = PlannedWorld::new(&[], &[]);
    let people = 8 + choices.below(8);
    for who in 0..people {
        let name = choices.one_of(&["Ada", "Bo", "Cy"]);
        let company = choices.one_of(&["Works", "Acme", ""]);
        let row = values(&format!(
            "first_name={name} last_name=L{} email=p{who}@x.example phone_number=+141555526{who:02} \
             company={company} title=T{}",
            who / 2,
            who % 3
        ));
        let id = world.appear(row.clone());
        world.rows.push(row.clone());
        let agreed = |field: Field| crate::model::Agreement {
            source: row[field].clone(),
            linq: row[field].clone(),
        };
        let base = world.mapped.iter().map(|field| (field, agreed(field))).collect();
        world.link(id, &row, base);
    }
    let fields = [Field::Email, Field::PhoneNumber, Field::Title, Field::Company, Field::LastName];
    for _ in 0..choices.below(4) {
        let field = choices.one_of(&fields);
        let (from, count) = (choices.below(people), 1 + choices.below(people));
        let rows: Vec<usize> =
            (0..world.rows.len()).cycle().skip(from).take(count.min(world.rows.len())).collect();
        match choices.below(9) {
            // Sorted alone, or pasted off by one.
            0 => {
                let texts: Vec<String> =
                    rows.iter().map(|at| world.rows[*at][field].to_string()).collect();
                for (at, text) in rows.iter().zip(texts.iter().cycle().skip(1)) {
                    world.set_row(*at, field, text);
                }
            }
            1 => rows.iter().for_each(|at| world.set_row(*at, field, "")),
            2 => rows.iter().for_each(|at| world.set_row(*at, field, "same")),
            3 => {
                let row = world.rows[rows[0]].clone();
                world.rows.push(row);
            }
            4 if world.rows.len() > 3 => drop(world.rows.remove(rows[0])),
            5 => {
                let ids: Vec<LinqId> = world.contacts.keys().copied().collect();
                for at in &rows {
                    let id = ids[*at % ids.len()];
                    world.contacts.get_mut(&id).unwrap()[field] = "same".into();
                }
            }
            6 if world.contacts.len() > 3 => {
                let id = world.id(rows[0] % world.contacts.len());
                drop(world.contacts.remove(&id));
            }
            7 => {
                let mut row = world.rows[rows[0]].clone();
                row[field] = "other".into();
                if choices.below(2) == 0 {
                    world.rows.push(row);
                } else {
                    world.appear(row);
                }
            }
            _ => {
                let mut row = values("");
                row[field] = world.rows[rows[0]][field].clone();
                world.rows.push(row);
            }
        }
    }
    world
}

/// The same with keys, of which some have slipped to other rows.
fn with_keys(world: &PlannedWorld, choices: &mut Choices<'_>) -> Observation {
    let mut seen = world.observe();
    for link in &mut seen.links {
        link.key = Some(SourceKey(format!("K{}", link.id)));
    }
    let keys: Vec<Option<SourceKey>> = seen.links.iter().map(|link| link.key.clone()).collect();
    let shift = choices.below(3);
    let from = choices.below(keys.len());
    for (at, record) in seen.source.records.iter_mut().enumerate() {
        let at = if at >= from { at + shift } else { at };
        record.key = keys.get(at).cloned().flatten();
    }
    seen
}

/// The same with a column of Linq's ids, of which some were copied or have slipped.
fn with_ids(world: &PlannedWorld, choices: &mut Choices<'_>) -> Observation {
    let mut seen = world.observe();
    seen.source.keeps_ids = true;
    let ids: Vec<LinqId> = seen.links.iter().map(|link| link.linq_id).collect();
    let shift = choices.below(3);
    let from = choices.below(ids.len());
    for (at, record) in seen.source.records.iter_mut().enumerate() {
        let at = if at >= from { at + shift } else { at };
        record.linq_id = ids.get(at).copied();
    }
    seen
}

#[test]
fn neither_do_they_matter_in_a_crowd() {
    let left_out = std::sync::atomic::AtomicUsize::new(0);
    check(4, |choices| {
        let world = crowded(choices);
        let count = assert_same(&world.observe(), &world.policy);
        left_out.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
    });
    check(4, |choices| {
        let world = crowded(choices);
        assert_same(&with_keys(&world, choices), &world.policy);
    });
    check(4, |choices| {
        let world = crowded(choices);
        assert_same(&with_ids(&world, choices), &world.policy);
    });
    assert!(left_out.into_inner() > 10_000, "hardly anybody is at rest");
}
