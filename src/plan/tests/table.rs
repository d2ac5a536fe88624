//! The tables in the planner's documentation, rendered by planning each of their
//! cells: neither the text nor the planner can change alone.

use chrono::TimeDelta;

use super::world::{PlannedWorld, values};
use crate::model::{ConflictPolicy, DeletePolicy, Deletes, Direction, Field, Limit, Policy, Side};
use crate::plan::{LinkPlan, LinqWrite, SourceWrite, Step, Wait};

const ADA: &str = "first_name=Ada email=ada@x.example title=Countess company=Engines";
const OTHERS: [&str; 2] = ["first_name=Bo email=bo@x.example", "first_name=Cy email=cy@x.example"];

/// What happened to one half of a pair.
#[derive(Clone, Copy)]
enum HalfCase {
    Unchanged,
    /// This field has another value.
    Edited(Field),
    Deleted,
}

const FATES: [(&str, HalfCase); 3] = [
    ("unchanged", HalfCase::Unchanged),
    ("edited", HalfCase::Edited(Field::Title)),
    ("deleted", HalfCase::Deleted),
];

/// Ada's pair after this happened to its halves, planned under `policy`.
fn pair(source: HalfCase, linq: HalfCase, policy: &Policy) -> String {
    let mut world = PlannedWorld::in_sync(&[ADA, OTHERS[0], OTHERS[1]]);
    world.policy = policy.clone();
    match linq {
        HalfCase::Unchanged => {}
        HalfCase::Edited(field) => world.set_contact(0, field, "in Linq"),
        HalfCase::Deleted => drop(world.contacts.pop_first()),
    }
    match source {
        HalfCase::Unchanged => {}
        HalfCase::Edited(field) => world.set_row(0, field, "in the source"),
        HalfCase::Deleted => drop(world.rows.remove(0)),
    }
    told(&world)
}

/// Ada, whom the state does not know, on these sides.
fn new(sides: &[Side], policy: &Policy) -> String {
    let mut world = PlannedWorld::in_sync(&OTHERS);
    world.policy = policy.clone();
    for side in sides {
        match side {
            Side::Source => world.rows.push(values(ADA)),
            Side::Linq => drop(world.appear(values(ADA))),
        }
    }
    told(&world)
}

/// What is planned for Ada, whose step is the only one there may be.
fn told(world: &PlannedWorld) -> String {
    let plan = world.plan();
    assert_eq!(plan.halt, None);
    match plan.steps.as_slice() {
        [] => "nothing".to_owned(),
        [step] => words(step),
        several => panic!("only Ada has changed: {several:#?}"),
    }
}

fn words(step: &Step) -> String {
    let mut words = Vec::new();
    match &step.link {
        LinkPlan::Keep | LinkPlan::Agree(_) | LinkPlan::Found | LinkPlan::Missing(_) => {}
        LinkPlan::Join { .. } => words.push("link"),
        LinkPlan::Relink(_) => words.push("link again"),
        LinkPlan::PutBack(_) => words.push("put back"),
        LinkPlan::Release | LinkPlan::Exclude(_) => words.push("release"),
        LinkPlan::Forget => words.push("forget"),
    }
    let again = step.subject.link.is_some();
    words.extend(step.linq.iter().map(|write| match write {
        LinqWrite::Create { .. } if again => "create in Linq again",
        LinqWrite::Create { .. } => "create in Linq",
        LinqWrite::Update { .. } => "write Linq",
        LinqWrite::Delete { .. } => "delete in Linq",
    }));
    words.extend(step.source.iter().map(|write| match write {
        SourceWrite::Create { .. } if again => "create in the source again",
        SourceWrite::Create { .. } => "create in the source",
        SourceWrite::Update { .. } => "write the source",
        SourceWrite::Delete { .. } => "delete in the source",
    }));
    words.extend(step.waits.iter().map(|wait| match wait {
        Wait::Conflict { .. } => "conflict",
        Wait::Ambiguous { .. } => "ambiguous",
        Wait::HeldDeletion(_) | Wait::HeldClearing(..) | Wait::HeldChange { .. } => "hold",
        Wait::Rejected { .. } => "reject",
        Wait::Grace(_) => "wait",
    }));
    words.join(", ")
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().collect();
    format!("| {} |\n", cells.join(" | "))
}

fn table(header: &[&str], rows: impl IntoIterator<Item = String>) -> String {
    let header_row = row(header.iter().map(ToString::to_string));
    header_row
        + &format!("|{}\n", "---|".repeat(header.len()))
        + &rows.into_iter().collect::<String>()
}

fn linked_pairs() -> String {
    let policy = Policy::default();
    let cell = |source: HalfCase, linq: HalfCase| match (source, linq) {
        // Each field goes its own way; what happens to one edited twice follows below.
        (HalfCase::Edited(_), HalfCase::Edited(_)) => {
            let fields = pair(source, HalfCase::Edited(Field::Company), &policy);
            format!("{fields}; the same field: {}", pair(source, linq, &policy))
        }
        _ => pair(source, linq, &policy),
    };
    let rows = FATES.map(|(name, source)| {
        row([name.to_owned()].into_iter().chain(FATES.map(|(_, linq)| cell(source, linq))))
    });
    table(&["source ↓ Linq →", "unchanged", "edited", "deleted"], rows)
}

fn policies() -> Vec<(&'static str, Policy)> {
    let usual = Policy::default;
    let deletes = |linq, source| Policy { deletes: Deletes { linq, source }, ..usual() };
    let (keep, propagate) = (DeletePolicy::Keep, DeletePolicy::Propagate);
    vec![
        ("as it comes", usual()),
        ("direction push", Policy { direction: Direction::Push, ..usual() }),
        ("direction pull", Policy { direction: Direction::Pull, ..usual() }),
        ("on_conflict source", Policy { on_conflict: ConflictPolicy::Source, ..usual() }),
        ("on_conflict linq", Policy { on_conflict: ConflictPolicy::Linq, ..usual() }),
        ("deletes keep", deletes(keep, keep)),
        ("deletes linq keep", deletes(keep, propagate)),
        ("deletes source keep", deletes(propagate, keep)),
        ("delete_grace 1h", Policy { delete_grace: TimeDelta::hours(1), ..usual() }),
        ("max_deletes 0", Policy { max_deletes: Limit::Count(0), ..usual() }),
    ]
}

fn by_policy() -> String {
    let edited = HalfCase::Edited(Field::Title);
    let rows = policies().into_iter().map(|(name, policy)| {
        row([
            name.to_owned(),
            new(&[Side::Source], &policy),
            new(&[Side::Linq], &policy),
            new(&Side::ALL, &policy),
            pair(edited, HalfCase::Unchanged, &policy),
            pair(HalfCase::Unchanged, edited, &policy),
            pair(edited, edited, &policy),
            pair(HalfCase::Deleted, HalfCase::Unchanged, &policy),
            pair(HalfCase::Unchanged, HalfCase::Deleted, &policy),
        ])
    });
    let header = [
        "policy",
        "new in the source",
        "new in Linq",
        "new on both",
        "edited in the source",
        "edited in Linq",
        "the same field on both",
        "deleted in the source",
        "deleted in Linq",
    ];
    table(&header, rows)
}

/// What is planned for Ada while her row takes no part.
fn outside() -> String {
    let policy = Policy::default();
    let of_pair = |linq: HalfCase, is_released: bool| {
        let mut world = PlannedWorld::in_sync(&[ADA, OTHERS[0], OTHERS[1]]);
        world.leave(0);
        if is_released {
            world.settle();
        }
        match linq {
            HalfCase::Unchanged => {}
            HalfCase::Edited(field) => world.set_contact(0, field, "in Linq"),
            HalfCase::Deleted => drop(world.contacts.pop_first()),
        }
        told(&world)
    };
    let mut fresh = PlannedWorld::in_sync(&OTHERS);
    fresh.policy = policy.clone();
    fresh.rows.push(values(ADA));
    fresh.leave(2);
    let mut twin = fresh.clone();
    twin.appear(values(ADA));
    let mut second = fresh.clone();
    second.rows.push(values(ADA));
    let mut back = PlannedWorld::in_sync(&[ADA, OTHERS[0], OTHERS[1]]);
    back.leave(0);
    back.settle();
    back.all_take_part();
    let linked =
        FATES.map(|(name, linq)| (format!("linked, {name} in Linq"), of_pair(linq, false)));
    let released =
        FATES.map(|(name, linq)| (format!("released, {name} in Linq"), of_pair(linq, true)));
    let others = [
        ("not linked".to_owned(), told(&fresh)),
        ("not linked, the same contact in Linq".to_owned(), told(&twin)),
        ("not linked, the same row taking part".to_owned(), told(&second)),
        ("taking part again".to_owned(), told(&back)),
    ];
    let rows = linked.into_iter().chain(released).chain(others);
    table(
        &["a row that takes no part", "planned"],
        rows.map(|(name, planned)| row([name, planned])),
    )
}

/// The tables of a module's documentation.
fn documented(source: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let is_row = |line: &&str| line.trim_start().starts_with('|');
    let tables = lines.split(|line| !is_row(line)).filter(|rows| !rows.is_empty());
    let text = |rows: &[&str]| rows.iter().flat_map(|row| [row.trim(), "\n"]).collect();
    tables.map(text).collect()
}

#[test]
fn the_documented_tables_are_what_is_planned() {
    let planned = [linked_pairs(), by_policy(), outside()];
    let documented = documented(include_str!("../mod.rs"));
    assert_eq!(documented, planned, "write this:\n{}", planned.join("\n"));
}

#[test]
fn a_table_that_says_something_else_is_told_from_the_planned_one() {
    let doc =
        |table: &str| -> String { table.lines().flat_map(|line| ["//! ", line, "\n"]).collect() };
    let planned = linked_pairs();
    assert_eq!(documented(&doc(&planned)), std::slice::from_ref(&planned));
    let wrong = planned.replacen("delete in Linq", "nothing", 1);
    assert_ne!(wrong, planned);
    assert_ne!(documented(&doc(&wrong)), [planned]);
}
