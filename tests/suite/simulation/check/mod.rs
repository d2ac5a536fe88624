//! What must hold after every run, and when everything is quiet.

pub(super) mod mass;
mod pairs;

use std::collections::{BTreeMap, BTreeSet};

use linqsync::mirror::{IntentKind, State};
use linqsync::model::{Canon, Field, LinqId, Policy, Region, Side};
use linqsync::plan::{LinqWrite, Observation, Plan, SourceWrite, Wait};
use linqsync::report::ReportedError;
use linqsync::run::RunResult;
use serde_json::Value;

use super::desk::tags;
use super::driver::SimRunEnd;
use super::people::member;
use super::scenario::{Feature, SimEdit, SimOutages};
use super::sheet::{SimSheet, is_mapped};
use super::wire::texts;
use super::world::{SimWorld, Write};

use pairs::{ExpectedWaits, Pairs};

pub(super) const CANON: Canon = Canon::new(Region::US);

/// Checks the world after a run, however it ended.
pub(super) fn after(
    world: &SimWorld,
    policy: &Policy,
    ended: &SimRunEnd,
    foreseen: Option<&(Plan, Observation)>,
) {
    let state = world.state();
    conservation(world, &state);
    owners(world);
    weather(world, ended);
    let SimRunEnd::Ran(ran) = ended else { return };
    exit_code(world, ran);
    let Some((plan, seen)) = &ran.left else { return };
    let calm = !world.inner().run.disturbed;
    if calm && !world.inner().past.undone {
        if world.inner().run.decisions.is_empty() {
            mass::unasked(world);
        } else {
            mass::decisions(world, &state, ran);
        }
    }
    mass::remember_held(world, plan);
    // While a row cannot be read, another one may be taken for it.
    // What is read from elsewhere was never agreed on.
    let known = {
        let past = &world.inner().past;
        !past.undone && !past.unreadable && !past.reconfigured
    };
    if known {
        no_conflict_of_our_own(world, plan, seen);
    }
    let sync = world.inner().run.conditions.errand.is_none();
    if calm {
        if world.inner().run.fresh {
            counts(world, ran);
        }
        // Each look at Linq, a dry run's too, may show somebody who was hidden.
        // What a killed run left is told by the plan that follows the one that is shown.
        let fresh = world.inner().run.fresh;
        if let Some((foreseen, _)) = foreseen.filter(|_| fresh && !shows_late(world)) {
            as_foreseen(world, foreseen, plan);
        }
        let pairs = Pairs::of(world, &state, seen);
        pairs.remember(world);
        if sync && ran.report.exit_code() == 0 && policy.direction.name() == "both" {
            pairs.check(world, ran, plan, seen);
            let past = &mut world.inner().past;
            past.conflicts.clear();
            // Who was not shown so far is as good as new.
            let linked = &past.linked;
            past.edited_contacts.retain(|(id, _)| !linked.contains_key(id));
            past.edited_rows.clear();
        }
    }
}

/// Checks the world when nothing is left to be done.
pub(super) fn quiet(world: &SimWorld, policy: &Policy, ran: &RunResult) {
    if world.inner().past.reconfigured && ran.report.exit_code() == 2 {
        world.met("a configuration that does not fit the file in the end");
        return;
    }
    let Some((plan, seen)) = &ran.left else {
        world.violation("the last run failed, without any fault");
        return;
    };
    if plan.halt.is_some() {
        world.met("a halt in the end");
        return;
    }
    let state = world.state();
    if !state.open_intents().unwrap().is_empty() && ran.report.exit_code() == 0 {
        world.met("an intent is still open in the end");
    }
    let pairs = Pairs::of(world, &state, seen);
    let undone = world.inner().past.undone;
    let waits = ExpectedWaits::of(plan);
    if !undone && seen.source.unreadable.is_empty() && !waits.suspects {
        pairs.no_duplicates(world, &waits);
    }
    if policy.direction.name() == "both" {
        pairs.check(world, ran, plan, seen);
    }
}

/// What people typed is in the source, in Linq, or in what linqsync keeps.
fn conservation(world: &SimWorld, state: &State) {
    let typed: Vec<(Side, String)> = {
        let inner = world.inner();
        inner.ledger.kept().map(|(side, text)| (side, text.to_owned())).collect()
    };
    let mut lost = missing_from(&on_both_sides(world), typed);
    if !lost.is_empty() {
        lost = missing_from(&remembered(world, state), lost);
    }
    for (side, text) in lost {
        world.violation(&format!("{text:?}, typed in {side}, is lost"));
    }
}

/// What of `typed` is nowhere in `found`.
fn missing_from(found: &[String], mut typed: Vec<(Side, String)>) -> Vec<(Side, String)> {
    // Nobody types the separator.
    let everything = found.join("\u{1}");
    typed.retain(|(_, text)| {
        !everything.contains(text) && !found.iter().any(|found| is_number(found, text))
    });
    typed
}

fn on_both_sides(world: &SimWorld) -> Vec<String> {
    let mut found: Vec<String> = world.sheet().texts();
    world.linq.look_at_contacts(|contact| {
        found.extend(Field::ALL.map(|field| member(contact, field).to_owned()));
    });
    found
}

/// What the history, the journal and the backups hold.
fn remembered(world: &SimWorld, state: &State) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for row in state.whole_history().unwrap() {
        let changes = row.entry.changes.into_iter();
        found.extend(changes.flat_map(|change| [change.from, change.to]).map(String::from));
        if let Some(before) = row.entry.before {
            let json = serde_json::from_str::<Value>(&before);
            let cells = || SimSheet::parse(before.as_bytes()).texts();
            found.extend(json.map_or_else(|_| cells(), |json| texts(&json)));
        }
    }
    for intent in state.open_intents().unwrap() {
        found.extend(match intent.kind {
            IntentKind::UpdateInLinq { changes, .. }
            | IntentKind::UpdateInSource { changes, .. } => {
                let both = changes.into_iter().flat_map(|change| [change.from, change.to]);
                both.map(String::from).collect()
            }
            IntentKind::RemoveFromSource { written, .. } => {
                SimSheet::parse(written.text.as_bytes()).texts()
            }
            IntentKind::DeleteInLinq { linq_id } => {
                let raw = state.raw_contact(linq_id).unwrap().unwrap_or_default();
                texts(&serde_json::from_str(&raw).unwrap_or_default())
            }
            IntentKind::CreateInLinq { .. } | IntentKind::AddToSource { .. } => Vec::new(),
        });
    }
    for backup in world.home.backups() {
        found.extend(SimSheet::parse(&backup).texts());
    }
    found
}

/// Whether `found` and `text` are the same phone number.
fn is_number(found: &str, text: &str) -> bool {
    found.starts_with('+') && CANON.means_same(Field::PhoneNumber, found, text)
}

/// A contact belongs to whom it belonged, unless the source says whose it is.
fn owners(world: &SimWorld) {
    if world.has(Feature::Owner) {
        return;
    }
    let (owners, handed_over) = {
        let inner = world.inner();
        let during = &inner.run.conditions.during;
        let handed_over = during.iter().any(|(_, edit)| {
            matches!(
                edit,
                SimEdit::Owner { .. }
                    | SimEdit::Member { field: Field::Owner, .. }
                    | SimEdit::Same { field: Field::Owner, .. }
            )
        });
        (inner.past.owners.clone(), handed_over)
    };
    let mut belongs: Vec<(u64, String)> = Vec::new();
    world.linq.look_at_contacts(|contact| {
        let owner = member(contact, Field::Owner);
        if owners.get(&contact.id).is_none_or(|owned| owned != owner) {
            belongs.push((contact.id, owner.to_owned()));
        }
    });
    for (id, owner) in belongs {
        if handed_over {
            // Linq cannot be asked to change something only if nobody else has.
            world.inner().past.owners.insert(id, owner);
        } else if owners.contains_key(&id) {
            world.violation(&format!("{id} belongs to {owner} now, and nobody wanted that"));
        }
    }
}

fn weather(world: &SimWorld, ended: &SimRunEnd) {
    let (weather, writes, removed, linked) = {
        let inner = world.inner();
        let run = &inner.run;
        (run.conditions.weather, run.writes.clone(), run.removed, run.links)
    };
    let Some(weather) = weather else { return };
    world.met(&format!("weather {weather:?}").replace(|c: char| c.is_ascii_digit(), ""));
    let code = match ended {
        SimRunEnd::Ran(ran) => Some(ran.report.exit_code()),
        SimRunEnd::Killed | SimRunEnd::Panicked => None,
    };
    let deleted = writes.iter().any(|write| write.method == "DELETE");
    match weather {
        SimOutages::Elsewhere if linked > 0 => {
            if !writes.is_empty() || removed > 0 {
                world.violation("writes although Linq is somebody else's");
            }
            if (code == Some(0) || code == Some(3)) && !world.inner().past.reconfigured {
                world.violation("nobody is told that Linq is somebody else's");
            }
        }
        SimOutages::Short(_) | SimOutages::Elsewhere => {}
        SimOutages::FileMissing | SimOutages::FileEmpty => {
            if !writes.is_empty() || code.is_some_and(|code| code != 2) {
                world.violation(&format!("{weather:?} and {code:?}"));
            }
        }
        SimOutages::FileUnterminated(_) => {
            if deleted || code == Some(0) {
                world.violation(&format!("{weather:?} and {code:?}"));
            }
        }
    }
}

fn exit_code(world: &SimWorld, ran: &RunResult) {
    let report = &ran.report;
    let open = report.open;
    let halted = ran.left.as_ref().is_some_and(|(plan, _)| plan.halt.is_some());
    let expected = match &report.error {
        Some(error) => error.code,
        None if halted => 4,
        None if open.held_count() > 0 => 4,
        None if open.conflicts + open.ambiguous + open.rejected + report.skipped > 0 => 3,
        None => 0,
    };
    if report.exit_code() != expected {
        world.violation(&format!("exit code {} and not {expected}", report.exit_code()));
    }
    let is_open = |error: &ReportedError| error.message.starts_with("there is no open intent");
    if world.inner().past.undone && report.error.as_ref().is_some_and(is_open) {
        // Open, see docs/proof.md: an undo that is killed and undone again.
        world.met("OPEN: an undo whose intent is gone");
        return;
    }
    let stopped = world.inner().run.stop.is_cancelled();
    if matches!(expected, 1 | 5..=255)
        && (!world.inner().run.disturbed || expected == 1 || expected == 143 && !stopped)
    {
        world.violation(&format!("exit code {expected} for no reason: {:?}", report.error));
    }
}

/// People are asked only about what people did.
fn no_conflict_of_our_own(world: &SimWorld, plan: &Plan, seen: &Observation) {
    let Some(sheet) = world.inner().run.sheet.clone() else { return };
    let tags = tags(&sheet);
    // Whose row it is is asked as well: the copy of a row may pass for it.
    let asked: BTreeSet<LinqId> = plan
        .steps
        .iter()
        .flat_map(|step| &step.waits)
        .flat_map(|wait| match wait {
            Wait::Ambiguous { candidates } => candidates.clone(),
            Wait::Conflict { .. }
            | Wait::HeldClearing(..)
            | Wait::HeldChange { .. }
            | Wait::Rejected { .. }
            | Wait::HeldDeletion(_)
            | Wait::Grace(_) => Vec::new(),
        })
        .collect();
    for step in &plan.steps {
        for wait in &step.waits {
            let (Some(index), Some(id)) = (step.subject.record, step.subject.linq_id) else {
                continue;
            };
            if let Wait::Rejected { field: Some(field), side: Side::Linq, .. } = wait {
                world.inner().past.refused.insert((id.0, *field));
            }
            let Wait::Conflict { field, source, linq, .. } = wait else { continue };
            let row = row_of(&sheet, &seen.source.record_at(index).label);
            let tag = tags[row].clone().unwrap_or_default();
            let by_people = {
                let past = &world.inner().past;
                // Linq has given it to somebody, since it was sent without an owner.
                // And each contact has one, though a row that is taken for its own may not.
                let given = *field == Field::Owner
                    && (past.posted.contains(&id.0) || source.trim().is_empty());
                // Without keys people can make a row look like somebody else's, and remove
                // a row beside another that looks like it.
                let whose = past.linked.get(&id.0).map(|whose| whose.clone().unwrap_or_default());
                let taken_for =
                    past.moved.contains(&id.0) || whose.is_some_and(|whose| whose != tag);
                // A row whose contact people removed, or that they made another person's, is
                // that of a contact that they added.
                let another = past.removals > 0
                    || Field::ALL.iter().any(|f| past.edited_rows.contains(&(tag.clone(), *f)));
                // So is one that an unanswered create made, whose row they edited since.
                let rejoined = another
                    && !past.linked.contains_key(&id.0)
                    && (past.posted.contains(&id.0)
                        || past.edited_contacts.contains(&(id.0, *field)));
                // What was typed in the source, and Linq did not take, is still there.
                let refused = past.refused.contains(&(id.0, *field))
                    && past.edited_contacts.contains(&(id.0, *field));
                past.conflicts.contains(&(id.0, *field))
                    || given
                    || refused
                    || asked.contains(&id)
                    || taken_for
                    || rejoined
                    || past.edited_contacts.contains(&(id.0, *field))
                        && past.edited_rows.contains(&(tag, *field))
            };
            if by_people {
                world.inner().past.conflicts.insert((id.0, *field));
            } else {
                world.violation(&format!(
                    "a conflict in {field} of {id} that people did not make: \
                     {source:?} and {linq:?}"
                ));
            }
        }
    }
}

/// The position among the rows that a label like `row:2` means.
fn row_of(sheet: &SimSheet, label: &str) -> usize {
    sheet.row_of(label.strip_prefix("row:").unwrap().parse().unwrap())
}

/// The report tells what was done.
fn counts(world: &SimWorld, ran: &RunResult) {
    let (writes, sent, source) = {
        let run = &world.inner().run;
        (run.writes.clone(), run.sent.clone(), (run.added, run.changed, run.removed))
    };
    let done = |method: &str| {
        writes.iter().filter(|write| write.method == method && write.status < 300).count()
    };
    let report = &ran.report;
    let linq = (report.linq.created, report.linq.updated, report.linq.deleted);
    if linq != (done("POST"), done("PATCH"), done("DELETE")) {
        world.violation(&format!("the report says {linq:?} of Linq"));
    }
    let told = (report.source.created, report.source.updated, report.source.deleted);
    if told != source {
        world.violation(&format!("the report says {told:?} of the source, it was {source:?}"));
    }
    let requests = serde_json::to_value(report.requests).unwrap();
    for kind in ["list", "find", "get", "create", "update", "delete"] {
        if requests[kind] != sent.get(kind).copied().unwrap_or(0) {
            world.violation(&format!("the report says {} of {kind}", requests[kind]));
        }
    }
    let seen = (report.linq.seen, report.source.seen);
    let mut contacts = 0;
    world.linq.look_at_contacts(|_| contacts += 1);
    if seen.0 != contacts && !shows_late(world) {
        world.violation(&format!("the report saw {seen:?}"));
    }
}

/// Whether Linq shows what is new only after a while.
pub(super) fn shows_late(world: &SimWorld) -> bool {
    world.setup().quirks.iter().any(|quirk| quirk.starts_with("late"))
}

/// The run did what the dry run had said. The guard may stop it on the way, where what it
/// has linked or removed itself makes up most of what there is.
fn as_foreseen(world: &SimWorld, foreseen: &Plan, left: &Plan) {
    if left.halt.is_some() {
        world.met("a run that stopped and had a dry run");
        return;
    }
    world.met("a dry run and its run");
    let (writes, done) = {
        let run = &world.inner().run;
        (run.writes.clone(), (run.added, run.removed, run.changed))
    };
    let did = |method: &str, id: Option<u64>| {
        writes.iter().any(|write| write.method == method && (id.is_none() || write.id == id))
    };
    // What was changed or removed may have stood in the way of something, or does now; and
    // a row that Linq refuses does not stand in the way of its copy.
    let made_way = done.1 + done.2 > 0
        || did("DELETE", None)
        || did("PATCH", None)
        || writes.iter().any(|write| write.status >= 400);
    let mut planned: BTreeMap<&str, usize> = BTreeMap::new();
    for step in &foreseen.steps {
        let (method, id) = match &step.linq {
            Some(LinqWrite::Create { .. }) => ("POST", None),
            Some(LinqWrite::Update { id, .. }) => ("PATCH", Some(id.0)),
            Some(LinqWrite::Delete { id, .. }) => ("DELETE", Some(id.0)),
            None => continue,
        };
        *planned.entry(method).or_default() += 1;
        // Once all pairs are linked more edits of a field may be found, and all are held.
        let is_held = left.steps.iter().any(|step| {
            step.subject.linq_id.map(|id| id.0) == id
                && step.waits.iter().any(|wait| matches!(wait, Wait::HeldChange { .. }))
        });
        if !(did(method, id) || method == "POST" && made_way || method == "PATCH" && is_held) {
            world.violation(&format!("the dry run said {method} {id:?}, and it was not done"));
        }
    }
    for method in ["POST", "DELETE"] {
        let count = writes.iter().filter(|write: &&Write| write.method == method).count();
        let planned = planned.get(method).copied().unwrap_or(0);
        if count != planned && !made_way {
            world.violation(&format!("{count} {method}, which the dry run did not say"));
        }
    }
    let of = |is: fn(&SourceWrite) -> bool| {
        foreseen
            .steps
            .iter()
            .filter_map(|step| step.source.as_ref())
            .filter(|write| is(write))
            .count()
    };
    let said = (
        of(|write| matches!(write, SourceWrite::Create { .. })),
        of(|write| matches!(write, SourceWrite::Delete { .. })),
    );
    // A contact that some rows may have been is somebody new once these are others.
    let freed = did("POST", None) && done.0 > said.0 && done.1 == said.1;
    if (done.0, done.1) != said && !made_way && !freed {
        world.violation(&format!("the dry run said {said:?} of the source, it was {done:?}"));
    }
}
