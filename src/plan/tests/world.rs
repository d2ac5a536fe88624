//! A small world to plan in: two sides and a state, as values, in which a plan
//! can be carried out without any of the machinery that does it for real.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;

use crate::model::{
    Agreement, Base, Change, Decision, Field, FieldSet, Fingerprint, Link, LinkId, LinkStatus,
    LinqContact, LinqId, Policy, RecordIndex, Side, SourceRecord, Timestamp, Values,
};
use crate::plan::{
    LinkPlan, LinqSide, LinqWrite, Observation, Plan, RecentDeletions, SourceSide, SourceWrite,
    Step, agreed_by_answer, plan,
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

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) policy: Policy,
    pub(super) rows: Vec<Values>,
    pub(super) contacts: BTreeMap<LinqId, Values>,
    pub(super) links: Vec<Link>,
    pub(super) decisions: BTreeMap<Fingerprint, Decision>,
    pub(super) now: Timestamp,
    next_id: u64,
    /// What Linq makes of a value that it is sent.
    pub(super) rewrite: fn(Field, &str) -> String,
}

impl World {
    pub(super) fn new(rows: &[&str], contacts: &[&str]) -> World {
        let mut world = World {
            policy: policy(),
            rows: rows.iter().map(|row| values(row)).collect(),
            contacts: BTreeMap::new(),
            links: Vec::new(),
            decisions: BTreeMap::new(),
            now: at(0),
            next_id: 1,
            rewrite: |_, text| text.to_owned(),
        };
        for contact in contacts {
            world.insert(values(contact));
        }
        world
    }

    /// A world in which `people` are linked and the same on both sides.
    pub(super) fn in_sync(people: &[&str]) -> World {
        let mut world = World::new(people, &[]);
        world.settle();
        world
    }

    /// Plans and applies until nothing is left to be done.
    pub(super) fn settle(&mut self) {
        for _ in 0..5 {
            let plan = self.plan();
            if !plan.steps.iter().any(Step::acts) {
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
        self.rows[position][field] = text.to_owned();
    }

    pub(super) fn set_contact(&mut self, position: usize, field: Field, text: &str) {
        let id = self.id(position);
        self.contacts.get_mut(&id).unwrap()[field] = text.to_owned();
    }

    pub(super) fn plan(&self) -> Plan {
        plan(&self.observe(), &self.policy).unwrap()
    }

    pub(super) fn observe(&self) -> Observation {
        Observation {
            now: self.now,
            source: SourceSide {
                mapped: mapped(),
                records: self.rows.iter().enumerate().map(|(i, row)| record(i, row)).collect(),
                unreadable: Vec::new(),
                known_nobodies: BTreeSet::new(),
                keeps_ids: false,
                read_only: None,
            },
            linq: LinqSide {
                contacts: self.contacts.iter().map(|(id, v)| (*id, contact(*id, v))).collect(),
                incomplete: None,
                gone: self.missing(),
                unasked: false,
                nobody_answers: false,
            },
            links: self.links.clone(),
            doubtful: Vec::new(),
            half_added: Vec::new(),
            refused: BTreeMap::new(),
            decisions: self.decisions.clone(),
            recent_deletions: RecentDeletions::default(),
            changed_meaning: None,
        }
    }

    fn missing(&self) -> BTreeSet<LinqId> {
        let linked = self.links.iter().map(|link| link.linq_id);
        linked.filter(|id| !self.contacts.contains_key(id)).collect()
    }

    /// Somebody makes a contact in Linq.
    pub(super) fn appear(&mut self, values: Values) -> LinqId {
        self.insert(values)
    }

    fn insert(&mut self, values: Values) -> LinqId {
        let id = LinqId(self.next_id);
        self.next_id += 1;
        self.contacts.insert(id, values);
        id
    }

    fn rewritten(&self, values: &Values) -> Values {
        Field::ALL.into_iter().map(|f| (f, (self.rewrite)(f, &values[f]))).collect()
    }

    /// Carries out a plan as the real machinery would, if nothing went wrong.
    pub(super) fn apply(&mut self, plan: &Plan) {
        let mut removed = BTreeSet::new();
        let mut added = Vec::new();
        for step in &plan.steps {
            self.change_link(step);
            self.write_linq(step);
            match &step.source {
                Some(SourceWrite::Delete { at }) => {
                    removed.insert(at.0 as usize);
                    self.links.retain(|link| Some(link.id) != step.subject.link);
                }
                Some(SourceWrite::Update { at, set, .. }) => {
                    let row = self.rows[at.0 as usize].with(set);
                    self.rows[at.0 as usize] = row.clone();
                    self.landed_in_source(step, &row, set);
                }
                Some(SourceWrite::Create { values, linq_id }) => {
                    added.push(values.clone());
                    let answer = self.contacts[linq_id].clone();
                    self.joined(*linq_id, values, &answer);
                }
                None => {}
            }
        }
        let mut position = 0;
        self.rows.retain(|_| {
            position += 1;
            !removed.contains(&(position - 1))
        });
        self.rows.extend(added);
        // What a run has written it has also read.
        let rows: Vec<SourceRecord> =
            self.rows.iter().enumerate().map(|(i, row)| record(i, row)).collect();
        for link in &mut self.links {
            if let Some(row) = rows.iter().find(|r| r.values == link.base.source_values()) {
                link.fingerprint = row.fingerprint;
            }
        }
    }

    fn change_link(&mut self, step: &Step) {
        match &step.link {
            LinkPlan::Keep => {}
            LinkPlan::Missing(Side::Source) => {
                self.link_of(step).source_missing_since = Some(self.now);
            }
            LinkPlan::Missing(Side::Linq) => {
                self.link_of(step).linq_missing_since = Some(self.now);
            }
            LinkPlan::Found => {
                let link = self.link_of(step);
                link.source_missing_since = None;
                link.linq_missing_since = None;
            }
            LinkPlan::Agree(agreed) | LinkPlan::Relink(agreed) => {
                let link = self.link_of(step);
                if matches!(step.link, LinkPlan::Relink(_)) {
                    link.status = LinkStatus::Linked;
                    link.source_missing_since = None;
                    link.linq_missing_since = None;
                }
                for (field, agreement) in agreed {
                    link.base.set(*field, agreement.clone());
                }
            }
            LinkPlan::Join { base, .. } => {
                let id = step.subject.linq_id.unwrap();
                self.add_link(id, (**base).clone());
            }
            LinkPlan::Release => self.link_of(step).status = LinkStatus::Released,
            LinkPlan::Forget => self.links.retain(|link| Some(link.id) != step.subject.link),
        }
    }

    fn write_linq(&mut self, step: &Step) {
        match &step.linq {
            Some(LinqWrite::Create { values, .. }) => {
                let answer = self.rewritten(values);
                let id = self.insert(answer.clone());
                self.links.retain(|link| Some(link.id) != step.subject.link);
                self.joined(id, values, &answer);
            }
            Some(LinqWrite::Update { id, set, .. }) => {
                let answer = self.rewritten(&self.contacts[id].with(set));
                self.contacts.insert(*id, answer.clone());
                for change in set {
                    let agreement =
                        Agreement { source: change.to.clone(), linq: answer[change.field].clone() };
                    self.link_of(step).base.set(change.field, agreement);
                }
            }
            Some(LinqWrite::Delete { id, .. }) => {
                self.contacts.remove(id);
                self.links.retain(|link| link.linq_id != *id);
            }
            None => {}
        }
    }

    fn landed_in_source(&mut self, step: &Step, row: &Values, set: &[Change]) {
        for change in set {
            let linq = self.contacts[&step.subject.linq_id.unwrap()][change.field].clone();
            let agreement = if linq == change.to {
                Agreement { source: row[change.field].clone(), linq }
            } else {
                Agreement { source: change.from.clone(), linq }
            };
            self.link_of(step).base.set(change.field, agreement);
        }
    }

    fn joined(&mut self, id: LinqId, sent: &Values, answer: &Values) {
        let base = agreed_by_answer(sent, answer, mapped()).collect();
        match self.links.iter_mut().find(|link| link.linq_id == id) {
            Some(link) => link.base = base,
            None => self.add_link(id, base),
        }
    }

    fn add_link(&mut self, linq_id: LinqId, base: Base) {
        let id = LinkId(self.links.iter().map(|link| link.id.0).max().unwrap_or(0) + 1);
        self.links.push(Link {
            id,
            linq_id,
            status: LinkStatus::Linked,
            key: None,
            fingerprint: Fingerprint::of(b"never seen"),
            base,
            source_missing_since: None,
            linq_missing_since: None,
        });
    }

    fn link_of(&mut self, step: &Step) -> &mut Link {
        let id = step.subject.linq_id.unwrap();
        self.links.iter_mut().find(|link| link.linq_id == id).unwrap()
    }
}

pub(super) fn record(position: usize, values: &Values) -> SourceRecord {
    let texts: Vec<&str> = Field::ALL.into_iter().map(|f| values[f].as_str()).collect();
    let row = u32::try_from(position).unwrap();
    SourceRecord {
        index: RecordIndex(row),
        label: format!("row:{}", row + 2),
        line: row + 2,
        key: None,
        linq_id: None,
        values: values.clone(),
        rejected: Vec::new(),
        revised_at: None,
        fingerprint: Fingerprint::of(texts.join("\u{1f}").as_bytes()),
    }
}

pub(super) fn contact(id: LinqId, values: &Values) -> LinqContact {
    LinqContact { id, values: values.clone(), created_at: None, updated_at: None }
}
