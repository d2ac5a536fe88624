//! Who is linked with whom, who waits, and what they must have in common.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use linqsync::mirror::State;
use linqsync::model::{Field, Link, LinkStatus, Side};
use linqsync::plan::{Observation, Plan, SourceWrite, Wait};
use linqsync::run::RunResult;
use linqsync::sandbox::Contact;

use super::{CANON, SimWorld, is_mapped, member, row_of, tags};

/// Who is linked with whom.
pub(super) struct Pairs {
    all: Vec<CheckedPair>,
    /// Records that are linked.
    records: BTreeSet<usize>,
    contacts: BTreeMap<u64, Contact>,
    /// By what the harness knows each record's row.
    tags: Vec<Option<String>>,
}

struct CheckedPair {
    link: Link,
    record: Option<usize>,
}

impl Pairs {
    pub(super) fn of(world: &SimWorld, state: &State, seen: &Observation) -> Pairs {
        let contacts = world.contacts();
        let mut records = BTreeSet::new();
        let mut pairs = Vec::new();
        let mut links = state.links().unwrap();
        // Of rows that are the same to the letter, those that are left are of whom is
        // known for the shortest time.
        links.sort_by_key(|link| (link.status == LinkStatus::Released, Reverse(link.id)));
        for link in links {
            let record = seen.source.records.iter().position(|record| {
                let index = record.index.0 as usize;
                record.fingerprint == link.fingerprint
                    && record.key == link.key
                    && !records.contains(&index)
            });
            records.extend(record);
            pairs.push(CheckedPair { link, record });
        }
        let tags = world.inner().run.sheet.as_ref().map_or_else(Vec::new, |sheet| {
            let rows = tags(sheet);
            let records = seen.source.records.iter();
            records.map(|record| rows[row_of(sheet, &record.label)].clone()).collect()
        });
        Pairs { all: pairs, records, contacts, tags }
    }

    fn tag(&self, record: Option<usize>) -> Option<String> {
        self.tags[record?].clone()
    }

    pub(super) fn remember(&self, world: &SimWorld) {
        for pair in &self.all {
            let tag = self.tag(pair.record);
            let past = &mut world.inner().past;
            let id = pair.link.linq_id.0;
            let known = past.linked.get(&id).cloned();
            if pair.record.is_some() && known.as_ref().is_some_and(|known| *known != tag) {
                past.moved.insert(id);
            }
            past.linked.insert(id, tag.or(known.flatten()));
        }
    }

    /// What we created in Linq is not, by mistake, a second contact of somebody.
    pub(super) fn no_duplicates(&self, world: &SimWorld, waits: &ExpectedWaits<'_>) {
        let (posted, hidden, linked, replaced) = {
            let past = &world.inner().past;
            if past.edited_ours {
                return;
            }
            let replaced = past.removals + past.copied_ours;
            (past.posted.clone(), past.hidden.clone(), past.linked.clone(), replaced)
        };
        // Nobody can tell an unanswered create from a twin that was there before.
        let has_twin = |id: u64| {
            let values =
                |id: &u64| Field::ALL.map(|field| member(&self.contacts[id], field).trim());
            let others = self.contacts.keys().filter(|other| **other != id);
            others
                .filter(|other| !posted.contains(other))
                .any(|other| values(other)[..7] == values(&id)[..7])
        };
        let mut doubles = Vec::new();
        let is_seen = |id: &u64| self.contacts.contains_key(id) && !hidden.contains(id);
        for id in posted.iter().copied().filter(is_seen) {
            let pair = self.all.iter().find(|pair| pair.link.linq_id.0 == id);
            let of_people = linked.get(&id).is_some_and(Option::is_some)
                || pair.is_some_and(|pair| self.tag(pair.record).is_some());
            // Whether it is somebody's row is asked.
            let is_asked = waits.contacts.contains(&id);
            if !of_people && !is_asked && !has_twin(id) {
                doubles.push(id);
            }
        }
        if doubles.len() > replaced {
            world.violation(&format!("created for nobody's row: {doubles:?}"));
        }
    }

    /// Everybody is the same on both sides, or is said to wait.
    pub(super) fn check(&self, world: &SimWorld, ran: &RunResult, plan: &Plan, seen: &Observation) {
        if seen.changed_meaning.is_some() {
            // Nothing is cleared or deleted for once, and that is told.
            return;
        }
        let mut waits = ExpectedWaits::of(plan);
        if ran.report.open.rejected > 0 {
            waits.unwritten = unwritten(plan);
        }
        for pair in self.all.iter().filter(|pair| pair.link.status == LinkStatus::Linked) {
            let contact = self.contacts.get(&pair.link.linq_id.0);
            pair.check(world, contact, &waits, seen);
        }
        for (position, record) in seen.source.records.iter().enumerate() {
            let waits = waits.records.contains(&position);
            // Whom find cannot see is created once a listing is whole, and that is said.
            let delayed = seen.linq.incomplete.is_some() && !record.values.can_be_found();
            if !(self.records.contains(&position)
                || record.values.lacks_identity()
                || waits
                || delayed)
            {
                world.violation(&format!("{} is in no pair and does not wait", record.label));
            }
        }
        for id in self.contacts.keys() {
            let linked = self.all.iter().any(|pair| pair.link.linq_id.0 == *id);
            // It may be somebody who could not be read.
            let unreadable = !seen.source.unreadable.is_empty();
            let is_told = waits.contacts.contains(id) || unreadable;
            if !linked && !is_told && waits.holds_a_row {
                // Open, see docs/proof.md: it may be whose row is held.
                world.met("OPEN: a contact that waits in silence beside a held deletion");
            } else if !linked && !is_told {
                world.violation(&format!("{id} is in no pair and does not wait"));
            }
        }
    }
}

/// Who waits.
pub(super) struct ExpectedWaits<'a> {
    by_link: BTreeMap<i64, &'a [Wait]>,
    records: BTreeSet<usize>,
    contacts: BTreeSet<u64>,
    /// Whether some rows may be anybody who is missing.
    pub(super) suspects: bool,
    /// Whether the deletion of a row is held.
    holds_a_row: bool,
    /// What the source cannot hold, by link.
    unwritten: BTreeSet<(i64, Field)>,
}

/// What the run would still write to the source if it could.
fn unwritten(plan: &Plan) -> BTreeSet<(i64, Field)> {
    let mut unwritten = BTreeSet::new();
    for step in &plan.steps {
        if let (Some(link), Some(SourceWrite::Update { set, .. })) =
            (step.subject.link, &step.source)
        {
            unwritten.extend(set.iter().map(|change| (link.0, change.field)));
        }
    }
    unwritten
}

impl<'a> ExpectedWaits<'a> {
    pub(super) fn of(plan: &'a Plan) -> ExpectedWaits<'a> {
        let mut waits = ExpectedWaits {
            by_link: BTreeMap::new(),
            records: BTreeSet::new(),
            contacts: BTreeSet::new(),
            suspects: false,
            holds_a_row: false,
            unwritten: BTreeSet::new(),
        };
        for step in plan.steps.iter().filter(|step| !step.waits.is_empty()) {
            if let Some(link) = step.subject.link {
                waits.by_link.insert(link.0, &step.waits);
            }
            waits.records.extend(step.subject.record.map(|index| index.0 as usize));
            waits.contacts.extend(step.subject.linq_id.map(|id| id.0));
            waits.suspects |= step.subject.linq_id.is_none()
                && step.waits.iter().any(|wait| matches!(wait, Wait::Rejected { field: None, .. }));
            for wait in &step.waits {
                waits.holds_a_row |= matches!(wait, Wait::HeldDeletion(Side::Source));
                if let Wait::Ambiguous { candidates } = wait {
                    // A row that got the key of another may be any that is missing.
                    waits.suspects |= step.reason.to_string().contains("has the same key");
                    waits.contacts.extend(candidates.iter().map(|id| id.0));
                }
            }
        }
        waits
    }
}

impl CheckedPair {
    /// Checks a pair whose contact is `contact`, if Linq has it.
    fn check(
        &self,
        world: &SimWorld,
        contact: Option<&Contact>,
        waiting: &ExpectedWaits<'_>,
        seen: &Observation,
    ) {
        // Somebody's row may be this person, and waits to be told apart.
        let may_be = waiting.contacts.contains(&self.link.linq_id.0);
        let waits = waiting.by_link.get(&self.link.id.0).copied().unwrap_or_default();
        if self.record.is_none() && contact.is_none() {
            return;
        }
        let (Some(record), Some(contact)) = (self.record, contact) else {
            // A source that is partly unreadable loses nothing, on either side.
            let unreadable = !seen.source.unreadable.is_empty();
            let suspect = waiting.suspects && self.record.is_none();
            // So many are missing that it was not asked for each whether it is gone.
            let unasked = seen.linq.too_many_to_confirm && contact.is_none();
            // Nothing follows from absence in a run for which settings have changed: told.
            let settings = seen.changed_meaning.is_some();
            let told = !waits.is_empty() || may_be || unasked || unreadable || suspect || settings;
            if !told {
                world.violation(&format!("link {} has one half and does not wait", self.link.id));
            }
            return;
        };
        let record = &seen.source.records[record];
        let setup = world.setup();
        // Of a column that is not there nothing is known.
        let is_read = |field: &Field| {
            is_mapped(&setup.features, *field) && seen.source.mapped.contains(*field)
        };
        for field in Field::ALL.into_iter().filter(is_read) {
            let (source, linq) = (&record.values[field], member(contact, field));
            // A contact that Linq does not show yet may be taken for one that is gone.
            let is_hidden = super::shows_late(world)
                && waits.iter().any(|wait| matches!(wait, Wait::HeldDeletion(_) | Wait::Grace(_)));
            let waits = is_hidden
                || waits.iter().any(|wait| concerns(wait, field))
                || waiting.unwritten.contains(&(self.link.id.0, field));
            // Open, see docs/proof.md: what two undos in a row make of values on which the
            // sides did not agree.
            let recreated = world.inner().past.recreated.contains(&contact.id);
            // Nothing had ever been agreed on, and each side has its own again.
            let apart = self.link.base.is_apart(field);
            if !CANON.means_same(field, source, linq)
                && !waits
                && !apart
                && !recreated
                && !self.is_rewritten(field, source, linq)
            {
                world.violation(&format!(
                    "{field} of {} is {source:?} in the source and {linq:?} in Linq",
                    contact.id
                ));
            }
        }
    }

    /// Whether Linq made of a value what it has now.
    fn is_rewritten(&self, field: Field, source: &str, linq: &str) -> bool {
        let Some(agreed) = self.link.base.get(field) else { return false };
        let agreed = CANON.means_same(field, &agreed.source, source)
            && CANON.means_same(field, &agreed.linq, linq);
        let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
        let alike = match field {
            Field::PhoneNumber => {
                digits(linq).contains(&digits(source))
                    || digits(source).contains(digits(linq).trim_start_matches('1'))
            }
            Field::FirstName
            | Field::LastName
            | Field::Email
            | Field::Company
            | Field::Title
            | Field::Location
            | Field::Owner => source.to_lowercase().trim().starts_with(linq.to_lowercase().trim()),
        };
        agreed && alike && !linq.is_empty()
    }
}

fn concerns(wait: &Wait, field: Field) -> bool {
    match wait {
        Wait::Conflict { field: of, .. } => *of == field,
        Wait::HeldClearing(_, change) | Wait::HeldChange { change, .. } => change.field == field,
        Wait::Rejected { field: of, .. } => of.is_none_or(|of| of == field),
        Wait::Ambiguous { .. } | Wait::HeldDeletion(_) | Wait::Grace(_) => false,
    }
}
