//! What people decide about what waits, and what they change in the configuration.

use linqsync::model::{Decision, Field, Side, Waiting, WaitingKind};

use super::scenario::{Decide, Setup, SimSetting};
use super::texts::typed;
use super::world::SimWorld;

/// How many copies of the file are kept to be restored.
const COPIES: usize = 6;

impl SimWorld {
    /// Somebody decides about what waits, if anything of the kind does.
    pub(super) fn decide(&self, decide: Decide) {
        let state = self.home.open_state(self.now());
        let waiting = state.stored_waiting().unwrap();
        if matches!(decide, Decide::Reject { .. }) && self.setup().direction != "both" {
            // What is put back must be written on both sides.
            return;
        }
        let meant: Vec<(&Waiting, Decision)> =
            waiting.iter().filter_map(|w| Some((w, decision(decide, &w.kind)?))).collect();
        let which = match decide {
            Decide::Approve { which } | Decide::Reject { which } | Decide::Take { which, .. } => {
                which
            }
            Decide::Value { which, .. } => Some(which),
        };
        let meant = match which {
            None => meant,
            Some(which) => {
                let at = (which as usize).checked_rem(meant.len());
                at.map(|at| meant[at].clone()).into_iter().collect()
            }
        };
        if meant.is_empty() {
            return;
        }
        let decided: Vec<_> =
            meant.iter().map(|(w, decision)| (w.question_id, decision.clone())).collect();
        state.store_decisions(&decided, "anna", self.now()).unwrap();
        self.met("a decision");
        for (waiting, decision) in meant {
            self.log(format_args!("a person decides: {decision:?} about {:?}", waiting.reason));
            self.remember_decision(waiting, &decision);
        }
    }

    /// Who decides about a field has edited it on both sides.
    fn remember_decision(&self, waiting: &Waiting, decision: &Decision) {
        let mut inner = self.inner();
        let Some(id) = waiting.linq_id.map(|id| id.0) else { return };
        let fields: Vec<Field> = match &waiting.kind {
            WaitingKind::Conflict { field, .. } => vec![*field],
            WaitingKind::Ambiguous { .. }
            | WaitingKind::HeldDeletion { .. }
            | WaitingKind::HeldClearing { .. }
            | WaitingKind::HeldChange { .. }
            | WaitingKind::Rejected { .. } => Field::ALL.to_vec(),
        };
        let tag = inner.past.linked.get(&id).cloned().flatten().unwrap_or_default();
        for field in fields {
            inner.past.edited_contacts.insert((id, field));
            inner.past.edited_rows.insert((tag.clone(), field));
        }
        if let Decision::Value { value } = decision {
            inner.ledger.replace(Side::Source, "", value);
        }
    }

    /// Somebody changes the configuration.
    pub(super) fn set(&self, setting: &SimSetting) {
        let mut setup = Setup::clone(&self.setup());
        match setting {
            SimSetting::Feature { feature, on: true } => drop(setup.features.insert(*feature)),
            SimSetting::Feature { feature, on: false } => drop(setup.features.remove(feature)),
            SimSetting::Direction(direction) => direction.clone_into(&mut setup.direction),
            SimSetting::OnConflict(policy) => policy.clone_into(&mut setup.on_conflict),
            SimSetting::MaxDeletes(limit) => limit.clone_into(&mut setup.max_deletes),
            SimSetting::Column { field, column: Some(column) } => {
                setup.columns.insert(*field, column.clone());
            }
            SimSetting::Column { field, column: None } => drop(setup.columns.remove(field)),
        }
        self.inner().past.reconfigured = true;
        self.met("another configuration");
        self.log(format_args!("a person configures {setting:?}"));
        self.configure(setup);
    }

    /// Keeps a copy of the file as it is.
    pub(super) fn remember_file(&self) {
        let bytes = self.bytes();
        let copies = &mut self.inner().past.copies;
        if copies.last() != Some(&bytes) && !bytes.is_empty() {
            copies.push(bytes);
            if copies.len() > COPIES {
                copies.remove(0);
            }
        }
    }
}

/// What is decided about something of this kind, if it is of those that are meant.
fn decision(decide: Decide, kind: &WaitingKind) -> Option<Decision> {
    match (decide, kind) {
        (
            Decide::Approve { .. },
            WaitingKind::HeldDeletion { .. }
            | WaitingKind::HeldClearing { .. }
            | WaitingKind::HeldChange { .. },
        ) => Some(Decision::Approve),
        (
            Decide::Reject { .. },
            WaitingKind::HeldDeletion { .. }
            | WaitingKind::HeldClearing { .. }
            | WaitingKind::HeldChange { .. },
        ) => Some(Decision::Reject),
        (Decide::Take { source, .. }, WaitingKind::Conflict { .. }) => {
            Some(Decision::Take { side: if source { Side::Source } else { Side::Linq } })
        }
        (Decide::Value { serial, .. }, WaitingKind::Conflict { field, .. }) => {
            let text = typed(*field, super::scenario::DrawnText::Fresh(serial), "");
            Some(Decision::Value { value: text })
        }
        _ => None,
    }
}
