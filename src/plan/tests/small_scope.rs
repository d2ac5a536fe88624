//! Every small world: one contact with two fields under every policy, and two
//! contacts under the default policy, each compared with the reference and checked
//! against the laws.
//!
//! A state is what the state, the source and Linq know of one contact: absent, or two
//! fields that are blank, `x` or `y`; the base may also have never agreed on a field.
//! States that differ only by an exchange of `x` and `y` within a field are checked
//! once where it says so.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use chrono::TimeDelta;

use super::carry_out::{Recorded, effects};
use super::laws::{said, said_to_go, text, turned, typed};
use super::reference::{
    AgreedCell, Basis, Bond, CellValue, FIELDS, ReferenceTerms, SettledState, Start, TwoFields,
    end, end_on,
};
use super::world::{PlannedWorld, at, content, values};
use ecow::EcoString;

use crate::model::{
    Agreement, Base, ConflictPolicy, DeletePolicy, Deletes, Direction, Field, Limit, Link, LinkId,
    LinkStatus, MeaningChange, Policy, Scope, Side, Values,
};
use crate::plan::{Plan, Step, Wait, account_for_all, make_plan, reread_links};

const CELLS: [CellValue; 3] = [None, Some('x'), Some('y')];

fn persons() -> Vec<TwoFields> {
    let cells = CELLS.into_iter().flat_map(|a| CELLS.map(|b| Some([a, b])));
    [None].into_iter().chain(cells).collect()
}

fn bases(agreements: &[AgreedCell]) -> Vec<Basis> {
    let agreed = agreements.iter().flat_map(|a| agreements.iter().map(|b| Some([*a, *b])));
    [None].into_iter().chain(agreed).collect()
}

fn agreed() -> Vec<AgreedCell> {
    CELLS.map(AgreedCell::On).to_vec()
}

fn agreed_or_never() -> Vec<AgreedCell> {
    [AgreedCell::Never].into_iter().chain(agreed()).collect()
}

fn starts(agreements: &[AgreedCell]) -> Vec<Start> {
    let mut starts = Vec::new();
    for base in bases(agreements) {
        for source in persons() {
            let note = false;
            starts.extend(persons().into_iter().map(|linq| Start { base, source, linq, note }));
        }
    }
    starts
}

/// Those of `starts` that have a record, with a note in it.
fn with_notes(starts: &[Start]) -> Vec<Start> {
    let with_records = starts.iter().filter(|start| start.source.is_some());
    with_records.map(|start| Start { note: true, ..*start }).collect()
}

/// Whether the first value of each field is `x`: of states that differ by a renaming
/// the one that stands for all.
fn is_first_of_its_kind(start: &Start) -> bool {
    (0..2).all(|field| {
        let base = start.base.and_then(|base| match base[field] {
            AgreedCell::On(cell) => cell,
            AgreedCell::Never => None,
        });
        let of = |person: TwoFields| person.and_then(|cells| cells[field]);
        [base, of(start.source), of(start.linq)].into_iter().flatten().next() != Some('y')
    })
}

/// Under which conditions states are planned, and the policy that promises the same
/// where none of them holds.
#[derive(Clone, Debug)]
struct ScopeConditions {
    policy: Policy,
    promised: Policy,
    terms: ReferenceTerms,
    /// When the source and Linq say that they were changed.
    changed_at: [Option<i64>; 2],
    /// Since when a half has been missing, in seconds before now.
    missing_for: Option<i64>,
}

impl ScopeConditions {
    fn of(policy: Policy) -> ScopeConditions {
        let terms = ReferenceTerms { grace_is_running: false, is_outside: false };
        let promised = policy.clone();
        ScopeConditions { policy, promised, terms, changed_at: [None; 2], missing_for: None }
    }
}

/// Every combination of directions and of deletes on each side.
fn ways() -> Vec<Policy> {
    let mut ways = Vec::new();
    for direction in Direction::ALL {
        for field in Direction::ALL {
            for linq in DeletePolicy::ALL {
                ways.extend(DeletePolicy::ALL.map(|source| Policy {
                    direction,
                    field_directions: [(FIELDS[0], field)].into(),
                    deletes: Deletes { linq, source },
                    // So many people at once are nothing suspicious here.
                    max_deletes: Limit::Percent { hundredths: 10_000 },
                    ..Policy::default()
                }));
            }
        }
    }
    ways
}

/// Each of them with each policy for conflicts, of which the newest wins where the
/// sides tell when they changed.
fn policies() -> Vec<ScopeConditions> {
    let newest = [
        (ConflictPolicy::Source, [Some(2), Some(1)]),
        (ConflictPolicy::Linq, [Some(1), Some(2)]),
        (ConflictPolicy::Hold, [Some(1), Some(1)]),
        (ConflictPolicy::Hold, [None, Some(1)]),
    ];
    let fixed = [ConflictPolicy::Hold, ConflictPolicy::Source, ConflictPolicy::Linq];
    let mut all = Vec::new();
    for way in ways() {
        all.extend(
            fixed.map(|on_conflict| ScopeConditions::of(Policy { on_conflict, ..way.clone() })),
        );
        all.extend(newest.map(|(promised, changed_at)| {
            let with = |on_conflict| Policy { on_conflict, ..way.clone() };
            let promised = with(promised);
            ScopeConditions {
                promised,
                changed_at,
                ..ScopeConditions::of(with(ConflictPolicy::Newest))
            }
        }));
    }
    all
}

const OWNER: &str = "sam@acme.example";

/// Each of `all` with each scope and each stage of a grace.
fn on_all_terms(all: &[ScopeConditions]) -> Vec<ScopeConditions> {
    let mut found = Vec::new();
    for scope in [None, Some(false), Some(true)] {
        for missing_for in [None, Some(0), Some(7_200)] {
            found.extend(all.iter().cloned().map(|mut conditions| {
                if let Some(is_outside) = scope {
                    conditions.policy.scope = Scope::Owners(vec![OWNER.to_owned()]);
                    conditions.policy.default_owner = Some(OWNER.to_owned());
                    conditions.terms.is_outside = is_outside;
                }
                if let Some(seconds) = missing_for {
                    conditions.policy.delete_grace = TimeDelta::hours(1);
                    conditions.terms.grace_is_running = seconds == 0;
                    conditions.missing_for = missing_for;
                }
                conditions
            }));
        }
    }
    found
}

/// Who the states are about. Some more are in sync: the guard stops no run that misses
/// half of all links at most.
fn name(who: usize) -> String {
    format!("first_name=P{who} email=p{who}@x.example")
}

fn somebody(who: usize, cells: [CellValue; 2]) -> Values {
    let mut person = values(&name(who));
    for (field, cell) in FIELDS.into_iter().zip(cells) {
        person[field] = cell.map(EcoString::from).unwrap_or_default();
    }
    person
}

fn base_of(who: usize, agreed: [AgreedCell; 2]) -> Base {
    let both = |text: &EcoString| Agreement { source: text.clone(), linq: text.clone() };
    let person = values(&name(who));
    let mut base: Base = [Field::FirstName, Field::Email]
        .map(|field| (field, both(&person[field])))
        .into_iter()
        .collect();
    for (field, agreed) in FIELDS.into_iter().zip(agreed) {
        if let AgreedCell::On(cell) = agreed {
            base.set(field, both(&cell.map(EcoString::from).unwrap_or_default()));
        }
    }
    base
}

fn world_of(starts: &[Start], policy: &Policy) -> PlannedWorld {
    let mut world = PlannedWorld::new(&[], &[]);
    world.policy = policy.clone();
    world.mapped = [Field::FirstName, Field::Email].into_iter().chain(FIELDS).collect();
    let same = Start {
        base: Some([AgreedCell::On(None); 2]),
        source: Some([None; 2]),
        linq: Some([None; 2]),
        note: false,
    };
    let others = (starts.len()..starts.len() * 5 / 4 + 2).map(|who| (who, &same));
    for (who, start) in starts.iter().enumerate().chain(others) {
        world.rows.extend(start.source.map(|cells| {
            let mut row = somebody(who, cells);
            // A field that is not mapped stands for all that Linq does not know.
            row[Field::Location] = if start.note { "a note" } else { "" }.into();
            row
        }));
        let id = world.appear(start.linq.map(|cells| somebody(who, cells)).unwrap_or_default());
        if let Some(agreed) = start.base {
            let base = base_of(who, agreed);
            world.link(id, &base.source_values(), base);
            let untouched = somebody(who, untouched(agreed, start.source));
            world.links.last_mut().unwrap().content = Some(content(&untouched));
        }
        if start.linq.is_none() {
            world.contacts.remove(&id);
        }
    }
    world
}

/// What the record said when both sides were last seen: what was agreed on, and where
/// nothing ever was, what is there still.
fn untouched(agreed: [AgreedCell; 2], source: TwoFields) -> [CellValue; 2] {
    [0, 1].map(|field| match agreed[field] {
        AgreedCell::On(cell) => cell,
        AgreedCell::Never => source.and_then(|cells| cells[field]),
    })
}

/// Each linked pair stands in exactly one way, and "in sync" is what one finds who compares
/// the values, whatever the planner believes.
pub(super) fn check_standings(world: &PlannedWorld, plan: &Plan) {
    let standings = &plan.standings;
    assert_eq!(standings.pair_count(), world.links.len(), "{standings:?}");
    let seen = world.observe();
    let busy: BTreeSet<LinkId> = plan.steps.iter().filter_map(|step| step.subject.link).collect();
    let (mut same, mut whole) = (0, true);
    for somebody in account_for_all(&seen, &world.policy).unwrap() {
        let Some(link) = somebody.link else { continue };
        let at_rest = !busy.contains(&link.id);
        let is_same = match (somebody.record, somebody.contact) {
            (Some(record), Some(contact)) => world.mapped.iter().all(|field| {
                may_differ(world, link, field, &record.values[field], &contact.values[field])
            }),
            _ => false,
        };
        if link.status == LinkStatus::Linked {
            same += usize::from(is_same && at_rest);
            whole &= is_same && at_rest;
        }
    }
    assert_eq!(standings.in_sync, same, "{standings:?} of {:#?}", said(plan));
    if standings.is_in_sync() {
        assert!(whole && plan.steps.is_empty(), "{standings:?}");
    }
    let told = standings.for_a_person() > 0 || plan.steps.iter().any(|s| !s.is_empty());
    assert!(whole || told, "in silence: {standings:?}");
}

/// Whether two sides may have these values and be in sync all the same.
fn may_differ(world: &PlannedWorld, link: &Link, field: Field, source: &str, linq: &str) -> bool {
    let same = |a: &str, b: &str| world.policy.canon.means_same(field, a, b);
    let Some(agreed) = link.base.get(field) else {
        // A value that nobody sends.
        let blank = |text: &str| text.trim().is_empty();
        return same(source, linq)
            || blank(linq) && !world.policy.writes_field(Side::Linq, field)
            || blank(source) && !world.policy.writes_field(Side::Source, field);
    };
    let as_agreed = [same(&agreed.source, source), same(&agreed.linq, linq)];
    same(source, linq)
        || as_agreed == [false, true] && !world.policy.writes_field(Side::Linq, field)
        || as_agreed == [true, false] && !world.policy.writes_field(Side::Source, field)
        || as_agreed == [true, true]
            && (link.base.is_apart(field) || same(&(world.rewrite)(field, source), linq))
}

/// Plans and applies until nothing is left to be done; the last plan.
pub(super) fn settle(world: &mut PlannedWorld) -> Plan {
    for _ in 0..4 {
        let plan = world.plan();
        check_standings(world, &plan);
        if !plan.steps.iter().any(Step::has_effect) {
            return plan;
        }
        world.apply(&plan);
    }
    panic!("it does not settle: {:#?}", world.plan().steps);
}

fn cells(values: &Values) -> [CellValue; 2] {
    FIELDS.map(|field| values[field].chars().next())
}

/// What became of the first `count` people in a world that is settled, of which `plan`
/// is the last plan.
fn ends(count: usize, world: &PlannedWorld, plan: &Plan) -> Vec<SettledState> {
    let rows = by_email(world.rows.iter());
    let contacts = by_email(world.contacts.values());
    let mut bonds: BTreeMap<EcoString, Bond> = BTreeMap::new();
    for link in &world.links {
        let bond = match link.status {
            LinkStatus::Linked => Bond::Linked,
            LinkStatus::Released => Bond::Released,
        };
        let email = link.base.source_values()[Field::Email].clone();
        assert_eq!(bonds.insert(email, bond), None, "somebody has two links");
    }
    let mut waits: BTreeMap<&str, Vec<&Wait>> = BTreeMap::new();
    for step in &plan.steps {
        waits.entry(&step.subject.name).or_default().extend(&step.waits);
    }
    let end = |who| {
        let person = values(&name(who));
        let (email, name) = (&person[Field::Email], &person[Field::FirstName]);
        let (mut conflicts, mut ambiguous) = ([false; 2], false);
        for wait in waits.get(name.as_str()).into_iter().flatten() {
            match wait {
                Wait::Conflict { field, .. } => {
                    conflicts[usize::from(*field != FIELDS[0])] = true;
                }
                Wait::Ambiguous { .. } => ambiguous = true,
                Wait::Grace(_) => {}
                Wait::HeldDeletion(_)
                | Wait::HeldClearing(..)
                | Wait::HeldChange { .. }
                | Wait::Rejected { .. } => {
                    panic!("{name} waits for {wait:?}")
                }
            }
        }
        SettledState {
            source: rows.get(email).copied(),
            linq: contacts.get(email).copied(),
            bond: bonds.get(email).copied().unwrap_or(Bond::None),
            conflicts,
            ambiguous,
        }
    };
    (0..count).map(end).collect()
}

fn by_email<'a>(people: impl Iterator<Item = &'a Values>) -> BTreeMap<EcoString, [CellValue; 2]> {
    let mut found = BTreeMap::new();
    for person in people {
        let twice = found.insert(person[Field::Email].clone(), cells(person));
        assert_eq!(twice, None, "somebody is there twice");
    }
    found
}

/// Settles a world of `starts` and compares what became of everybody with the
/// reference.
fn check_against_reference(starts: &[Start], conditions: &ScopeConditions) {
    let ScopeConditions { policy, promised, terms, .. } = conditions;
    let mut world = world_of(starts, policy);
    world.changed_at = conditions.changed_at.map(|seconds| seconds.map(at));
    if let Some(seconds) = conditions.missing_for {
        for link in &mut world.links {
            link.source_missing_since = Some(at(-seconds));
            link.linq_missing_since = Some(at(-seconds));
        }
    }
    let owner = if terms.is_outside { "else@acme.example" } else { OWNER };
    for (id, contact) in &mut world.contacts {
        let is_meant = id.0 <= starts.len() as u64;
        contact[Field::Owner] = if is_meant { owner } else { OWNER }.into();
    }
    let last = settle(&mut world);
    for (start, found) in starts.iter().zip(ends(starts.len(), &world, &last)) {
        assert_eq!(found, end_on(*terms, *start, promised), "{start:?} under {conditions:?}");
    }
}

fn check_determinism(world: &PlannedWorld) {
    let mut shuffled = world.clone();
    shuffled.rows.reverse();
    let mut seen = shuffled.observe();
    seen.links.reverse();
    assert_eq!(said(&world.plan()), said(&make_plan(&seen, &world.policy).unwrap()));
}

/// Only what was synced and is unedited since is deleted, and no value goes unsaid.
pub(super) fn check_care(world: &PlannedWorld) {
    let mut world = world.clone();
    for _ in 0..4 {
        let plan = world.plan();
        if !plan.steps.iter().any(Step::has_effect) {
            return;
        }
        for step in &plan.steps {
            let Some(side) = step.deletes_on() else { continue };
            let link = world.links.iter().find(|link| Some(link.id) == step.subject.link).unwrap();
            let (left, agreed) = match side {
                Side::Linq => (&world.contacts[&link.linq_id], link.base.linq_values()),
                Side::Source => {
                    let at = step.subject.record.unwrap().0 as usize;
                    (&world.rows[at], link.base.source_values())
                }
            };
            let fields = link.base.agreed_fields();
            let edited = world.policy.canon.differing_fields(fields, left, &agreed);
            assert!(edited.is_empty(), "an edit is deleted");
            if side == Side::Source {
                let is_as_seen = |seen| seen == content(left);
                assert!(link.content.is_none_or(is_as_seen), "something in it was edited");
            }
        }
        let (before, said) = (typed(&world), said_to_go(&plan, &world));
        world.apply(&plan);
        let after = typed(&world);
        assert!(before.difference(&after).all(|value| said.contains(value)), "a value vanished");
    }
}

/// What both sides and the state come to, whatever ids were given on the way.
pub(super) fn outcome(mut world: PlannedWorld) -> [Vec<String>; 3] {
    settle(&mut world);
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts
    };
    // What is on the two sides counts to the letter, and so does what was agreed on, but for
    // the white space around it: a row that was added again, of which nobody wrote that it
    // was, keeps the agreement that it had, in the spelling of that time. A field without an
    // agreement is as one that both had blank: whatever either side says is planned alike.
    let spelled = |values: Values| -> String {
        let trimmed = |field: Field| (field, values[field].trim().to_owned());
        text(&Field::ALL.into_iter().map(trimmed).collect::<Values>())
    };
    let link = |link: &Link| {
        let [source, linq] = [link.base.source_values(), link.base.linq_values()].map(&spelled);
        format!("{:?} {source} | {linq}", link.status)
    };
    [
        sorted(world.rows.iter().map(text).collect()),
        sorted(world.contacts.values().map(text).collect()),
        sorted(world.links.iter().map(link).collect()),
    ]
}

/// Ended after any effect, written down or not, the next run ends as if it had not.
pub(super) fn check_resumption(world: &PlannedWorld) {
    let plan = world.plan();
    let effects = effects(&plan).len();
    if effects == 0 {
        return;
    }
    let expected = outcome(world.clone());
    let cuts = (1..effects).map(|count| (count, Recorded::Yes));
    for (count, last) in cuts.chain((1..=effects).map(|count| (count, Recorded::No))) {
        let mut interrupted = world.clone();
        interrupted.apply_first(&plan, count, last);
        assert_eq!(outcome(interrupted), expected, "after {count}, {last:?} of {:#?}", said(&plan));
    }
}

/// Calls `check` for each of `all` on all processors.
pub(super) fn in_parallel<T: Sync>(all: &[T], check: impl Fn(&T) + Sync) {
    let share = all.len().div_ceil(thread::available_parallelism().map_or(1, usize::from));
    thread::scope(|scope| {
        for part in all.chunks(share.max(1)) {
            scope.spawn(|| part.iter().for_each(&check));
        }
    });
}

#[test]
fn one_contact_under_the_default_policy_obeys_every_law() {
    let starts = starts(&agreed_or_never());
    assert_eq!(starts.len(), 1_700);
    let starts = [with_notes(&starts), starts].concat();
    in_parallel(&starts, |start| {
        check_against_reference(&[*start], &ScopeConditions::of(Policy::default()));
        let world = world_of(&[*start], &Policy::default());
        check_determinism(&world);
        check_care(&world);
        check_resumption(&world);
    });
}

/// Up to renaming; all states at once, as so many people. The scope and the grace of
/// deletions are combined with everything else but what happens to conflicts, unless
/// that is asked for (`LINQSYNC_EVERY_POLICY=1`): it would take minutes.
#[test]
fn one_contact_under_every_policy_becomes_what_was_promised() {
    let starts: Vec<Start> =
        starts(&agreed_or_never()).into_iter().filter(is_first_of_its_kind).collect();
    let policies = policies();
    assert_eq!((starts.len(), policies.len()), (502, 252));
    let mut starts = starts;
    starts.extend(with_notes(&starts).into_iter().filter(|start| start.linq.is_none()));
    let conditions = if std::env::var_os("LINQSYNC_EVERY_POLICY").is_some() {
        on_all_terms(&policies)
    } else {
        let ways: Vec<ScopeConditions> = ways().into_iter().map(ScopeConditions::of).collect();
        [policies, on_all_terms(&ways)].concat()
    };
    in_parallel(&conditions, |conditions| check_against_reference(&starts, conditions));
}

/// Up to renaming and order.
/// A field that is read from elsewhere is, from then on, what stood on either side: nothing
/// in it is replaced or cleared, and no half is deleted that was there before, whatever was
/// agreed on, stands there now, and is configured.
#[test]
fn a_field_that_is_read_anew_is_overwritten_nowhere_under_any_policy() {
    let starts = starts(&agreed_or_never());
    let linked = |start: &Start| {
        start.base.is_some() && start.source.is_some() && start.linq.is_some() && !start.note
    };
    let starts: Vec<Start> = starts.into_iter().filter(linked).collect();
    assert!(starts.len() > 1_000);
    in_parallel(&policies(), |conditions| {
        for start in &starts {
            for field in FIELDS {
                let mut world = world_of(&[*start], &conditions.policy);
                world.changed_at = conditions.changed_at.map(|seconds| seconds.map(at));
                let read_anew = [field].into_iter().collect();
                let change = MeaningChange { read_anew, ..MeaningChange::default() };
                world.links = reread_links(&world.observe(), &world.policy, &change);
                for _ in 0..4 {
                    let plan = world.plan();
                    for step in &plan.steps {
                        assert_eq!(step.deletes_on(), None, "{start:?} {field} {conditions:?}");
                        let sides = Side::ALL.into_iter().flat_map(|side| step.changes_on(side));
                        for change in sides.into_iter().filter(|change| change.field == field) {
                            let is_blank = change.from.is_empty();
                            assert!(is_blank, "{start:?} {field} {conditions:?}");
                        }
                    }
                    if !plan.steps.iter().any(Step::has_effect) {
                        break;
                    }
                    world.apply(&plan);
                }
            }
        }
    });
}

#[test]
fn two_contacts_do_not_meddle_with_each_other() {
    let starts: Vec<Start> = starts(&agreed()).into_iter().filter(is_first_of_its_kind).collect();
    let numbered: Vec<(usize, Start)> = starts.iter().copied().enumerate().collect();
    assert_eq!(starts.len(), 284);
    in_parallel(&numbered, |(number, one)| {
        let conditions = ScopeConditions::of(Policy::default());
        for other in &starts[*number..] {
            check_against_reference(&[*one, *other], &conditions);
        }
    });
}

#[test]
fn the_promise_is_even_handed() {
    let swap = |start: Start| Start { source: start.linq, linq: start.source, ..start };
    for ScopeConditions { policy, .. } in policies() {
        let swapped = turned(&policy);
        for start in starts(&agreed_or_never()) {
            let promised = end(start, &policy);
            let expected =
                SettledState { source: promised.linq, linq: promised.source, ..promised };
            assert_eq!(end(swap(start), &swapped), expected, "{start:?}");
        }
    }
}
