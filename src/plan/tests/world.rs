//! A small world to plan in: two sides and a state, as values, in which a plan
//! can be carried out without any of the machinery that does it for real.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;

use crate::model::{
    Base, Decided, Decision, Field, FieldSet, Fingerprint, IntentId, Link, LinkId, LinkStatus,
    LinqContact, LinqId, Policy, RecordIndex, Side, SourceRecord, Timestamp, Values, Waiting,
};
use crate::plan::{
    Census, DoubtfulCreate, HalfAdded, Hold, Incomplete, LinqSide, Observation, Outlook, Plan,
    RecentDeletions, RepeatedValue, SourceSide, Step, list_waiting, make_plan,
};

/// The fields that the worlds of these tests map.
pub(super) fn mapped() -> FieldSet {
    Field::ALL.into_iter().filter(|field| *field != Field::Owner).collect()
}

pub(super) fn policy() -> Policy {
    Policy::default()
}

pub(super) fn at(seconds: i64) -> Timestamp {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// `"first_name=Ada email=ada@x.example"` as values.
pub(super) fn values(text: &str) -> Values {
    text.split(' ')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap();
            (Field::from_name(name).unwrap(), value.replace('_', " "))
        })
        .collect()
}

/// What stands in the column that nobody maps, of a row outside the selection.
const OUTSIDE: &str = "outside";

#[derive(Clone, Debug)]
pub(super) struct PlannedWorld {
    pub(super) policy: Policy,
    pub(super) mapped: FieldSet,
    pub(super) rows: Vec<Values>,
    pub(super) contacts: BTreeMap<LinqId, Values>,
    /// Contacts that were created by a plan; the others are older than any of them.
    pub(super) created: BTreeSet<LinqId>,
    pub(super) links: Vec<Link>,
    pub(super) decisions: Vec<Decided>,
    pub(super) held: BTreeMap<Fingerprint, Hold>,
    pub(super) now: Timestamp,
    /// When every record and every contact was changed last, if they tell.
    pub(super) changed_at: [Option<Timestamp>; 2],
    pub(super) written: BTreeMap<(LinqId, Side, Field), RepeatedValue>,
    /// What an interruption left in the journal.
    pub(super) doubtful: Vec<DoubtfulCreate>,
    pub(super) half_added: Vec<HalfAdded>,
    next_id: u64,
    pub(super) next_intent: i64,
    /// What Linq makes of a value that it is sent.
    pub(super) rewrite: fn(Field, &str) -> String,
}

impl PlannedWorld {
    pub(super) fn new(rows: &[&str], contacts: &[&str]) -> PlannedWorld {
        let mut world = PlannedWorld {
            policy: policy(),
            mapped: mapped(),
            rows: rows.iter().map(|row| values(row)).collect(),
            contacts: BTreeMap::new(),
            created: BTreeSet::new(),
            links: Vec::new(),
            decisions: Vec::new(),
            held: BTreeMap::new(),
            now: at(0),
            changed_at: [None; 2],
            written: BTreeMap::new(),
            doubtful: Vec::new(),
            half_added: Vec::new(),
            next_id: 1,
            next_intent: 1,
            rewrite: |_, text| text.to_owned(),
        };
        for contact in contacts {
            world.appear(values(contact));
        }
        world
    }

    /// A world in which `people` are linked and the same on both sides.
    pub(super) fn in_sync(people: &[&str]) -> PlannedWorld {
        let mut world = PlannedWorld::new(people, &[]);
        world.settle();
        world
    }

    /// Plans and applies until nothing is left to be done.
    pub(super) fn settle(&mut self) {
        for _ in 0..5 {
            let plan = self.plan();
            if !plan.steps.iter().any(Step::has_effect) {
                return;
            }
            self.apply(&plan);
        }
        panic!("the world does not settle: {:#?}", self.plan());
    }

    pub(super) fn id(&self, position: usize) -> LinqId {
        *self.contacts.keys().nth(position).unwrap()
    }

    pub(super) fn set_row(&mut self, position: usize, field: Field, text: &str) {
        self.rows[position][field] = text.into();
    }

    /// A row leaves the selection; what says so is not mapped.
    pub(super) fn leave(&mut self, position: usize) {
        self.rows[position][Field::Owner] = OUTSIDE.into();
    }

    /// All rows take part again.
    pub(super) fn all_take_part(&mut self) {
        self.rows.iter_mut().for_each(|row| row[Field::Owner].clear());
    }

    pub(super) fn set_contact(&mut self, position: usize, field: Field, text: &str) {
        let id = self.id(position);
        self.contacts.get_mut(&id).unwrap()[field] = text.into();
    }

    pub(super) fn plan(&self) -> Plan {
        make_plan(&self.observe(), &self.policy).unwrap()
    }

    pub(super) fn observe(&self) -> Observation {
        Observation {
            now: self.now,
            source: SourceSide {
                mapped: self.mapped,
                columns: std::collections::BTreeMap::new(),
                only: None,
                records: self.rows.iter().enumerate().map(|(i, row)| self.record(i, row)).collect(),
                unreadable: Vec::new(),
                known_nobodies: BTreeSet::new(),
                keeps_ids: false,
                read_only: None,
                notices: Vec::new(),
            },
            linq: LinqSide {
                contacts: self.contacts.keys().map(|id| (*id, self.contact(*id))).collect(),
                at_rest: crate::model::Positions::default(),
                incomplete: None,
                gone: self.missing(),
                absence_unconfirmed: BTreeSet::new(),
                notices: Vec::new(),
                too_many_to_confirm: false,
                control_failed: false,
                known_since: self.known_since(),
            },
            links: self.links.clone(),
            census: Census::default(),
            doubtful: self.doubtful.clone(),
            half_added: self.half_added.clone(),
            refused: BTreeMap::new(),
            unwritable: BTreeMap::new(),
            written: self.written.clone(),
            decisions: self.decisions.iter().cloned().collect(),
            recent_deletions: RecentDeletions::default(),
            recent_edits: BTreeMap::new(),
            held: self.held.clone(),
            ignoring: crate::plan::Ignoring::default(),
            changed_meaning: None,
        }
    }

    /// What waits now.
    pub(super) fn listed(&self) -> Vec<Waiting> {
        list_waiting(&self.plan(), &self.observe())
    }

    /// A person decides about something that waits.
    pub(super) fn decide(&mut self, about: Waiting, decision: Decision) {
        self.decisions.push(Decided { about, decision, by: None, at: self.now });
    }

    /// A run ends: what it held is remembered.
    pub(super) fn remember_held(&mut self) {
        self.held = self.listed().into_iter().filter_map(Hold::from_waiting).collect();
    }

    fn record(&self, position: usize, row: &Values) -> SourceRecord {
        let values = row.only_fields(self.mapped);
        let is_outside = row[Field::Owner] == OUTSIDE;
        let record = record(position, row);
        SourceRecord { values, is_outside, revised_at: self.changed_at[0], ..record }
    }

    fn contact(&self, id: LinqId) -> LinqContact {
        let values = self.contacts[&id].clone();
        LinqContact { id, values, created_at: None, updated_at: self.changed_at[1] }
    }

    fn known_since(&self) -> BTreeMap<LinqId, IntentId> {
        let older = self.contacts.keys().filter(|id| !self.created.contains(*id));
        older.map(|id| (*id, IntentId(0))).collect()
    }

    fn missing(&self) -> BTreeSet<LinqId> {
        let linked = self.links.iter().map(|link| link.linq_id);
        linked.filter(|id| !self.contacts.contains_key(id)).collect()
    }

    /// Somebody makes a contact in Linq.
    pub(super) fn appear(&mut self, values: Values) -> LinqId {
        let id = LinqId(self.next_id);
        self.next_id += 1;
        self.contacts.insert(id, values);
        id
    }

    /// Further contacts get ids from `next` on.
    pub(super) fn skip_ids(&mut self, next: u64) {
        self.next_id = next;
    }

    /// A row and a contact become a pair that agrees on `base`.
    pub(super) fn link(&mut self, linq_id: LinqId, row: &Values, base: Base) {
        let id = LinkId(self.links.iter().map(|link| link.id.0).max().unwrap_or(0) + 1);
        self.links.push(Link {
            id,
            linq_id,
            status: LinkStatus::Linked,
            key: None,
            fingerprint: record(0, row).fingerprint,
            content: Some(content(row)),
            base,
            source_missing_since: None,
            linq_missing_since: None,
            excluded: None,
        });
    }
}

/// What a record says: blanks around it are none of it.
pub(super) fn content(values: &Values) -> Fingerprint {
    let texts: Vec<&str> = Field::ALL.into_iter().map(|f| values[f].trim()).collect();
    Fingerprint::of(texts.join("\u{1f}").as_bytes())
}

pub(super) fn record(position: usize, values: &Values) -> SourceRecord {
    let texts: Vec<&str> = Field::ALL.into_iter().map(|f| values[f].as_str()).collect();
    let row = u32::try_from(position).unwrap();
    let fingerprint = Fingerprint::of(texts.join("\u{1f}").as_bytes());
    SourceRecord {
        index: RecordIndex(row),
        label: format!("row:{}", row + 2),
        line: row + 2,
        key: None,
        linq_id: None,
        values: values.clone(),
        unsaid: FieldSet::EMPTY,
        told_names: None,
        composed: crate::model::Composed::default(),
        rejected: Vec::new(),
        others: Vec::new(),
        is_outside: false,
        revised_at: None,
        fingerprint,
        content: content(values),
        twin: 0,
    }
}

/// A listing that moved while it was read.
pub(super) fn pages_moved() -> Incomplete {
    Incomplete { why: "pages moved".to_owned(), outlook: Outlook::Passing }
}
