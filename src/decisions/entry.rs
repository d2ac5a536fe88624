//! What needs attention, in columns: one line for each thing.
//!
//! Owns which columns there are, their order and the order of the lines. Leaves where they come
//! from to whoever lists them, and the form of the table to [`super::table`].

use std::fmt::Write;

use crate::model::{Decided, Decision, Field, Side, Waiting, WaitingKind};

use super::ListState;
use crate::text::shown_text;

/// One thing that needs attention.
pub(crate) struct AttentionEntry {
    /// Stands for exactly this question, values and all.
    pub(crate) id: String,
    /// Which list it is on.
    pub(crate) state: ListState,
    /// The contact's name; empty where it is not known.
    pub(crate) name: String,
    /// Its place in the source, or its Linq id.
    pub(crate) place: String,
    /// Its id in Linq.
    pub(crate) linq_id: String,
    /// The line of the source on which it begins.
    pub(crate) line: String,
    /// Its e-mail address.
    pub(crate) email: String,
    /// Its phone number.
    pub(crate) phone_number: String,
    /// The field that it is about.
    pub(crate) field: String,
    /// The value in the source, or the one that it would get.
    pub(crate) source_value: String,
    /// The value in Linq, or the one that it would get.
    pub(crate) linq_value: String,
    /// What both last agreed on.
    pub(crate) last_synced: String,
    /// Where the value stands in the source.
    pub(crate) cell: String,
    /// The contacts that it may be.
    pub(crate) candidates: String,
    /// Why it waits.
    pub(crate) reason: String,
    /// What may be decided.
    pub(crate) choices: String,
    /// What was decided already, for the next run.
    pub(crate) decision: String,
    /// The value that was decided on.
    pub(crate) value: String,
    /// The values in words, for a line.
    told: String,
    /// Who decided it.
    decided_by: String,
}

impl AttentionEntry {
    /// What waits, and what was decided about it.
    pub(crate) fn from_waiting(waiting: &Waiting, decided: Option<&Decided>) -> AttentionEntry {
        let Waiting { kind, person, .. } = waiting;
        let id = waiting.linq_id.map(|id| id.to_string()).unwrap_or_default();
        let place = match (&waiting.source_key, waiting.linq_id) {
            (Some(key), _) => key.clone(),
            (None, Some(id)) => format!("id {id}"),
            (None, None) => String::new(),
        };
        let is_known = !person.filled_fields().is_empty();
        let [source_value, linq_value, last_synced] = waiting_values(waiting);
        let (decision, value) =
            decided.map(|one| decision_words(&one.decision)).unwrap_or_default();
        let by = decided.and_then(|decided| decided.by.clone());
        AttentionEntry {
            id: question_id(waiting),
            state: list_of(kind),
            name: if is_known { person.display_name() } else { String::new() },
            place,
            linq_id: id,
            line: waiting.line.map(|line| line.to_string()).unwrap_or_default(),
            email: person[Field::Email].to_string(),
            phone_number: person[Field::PhoneNumber].to_string(),
            field: waiting_field(kind).map(|field| field.name().to_owned()).unwrap_or_default(),
            told: describe_values(waiting, [&source_value, &linq_value, &last_synced]),
            source_value,
            linq_value,
            last_synced,
            cell: waiting.cell.clone().unwrap_or_default(),
            candidates: candidate_ids(kind).join("; "),
            reason: waiting.reason.clone(),
            choices: decision_choices(kind).join(" | "),
            decision,
            value,
            decided_by: by.unwrap_or_default(),
        }
    }

    /// Who it is, and where: "Ada King (row:2)".
    pub(crate) fn name_and_place(&self) -> String {
        let line = if self.line.is_empty() { String::new() } else { format!("line {}", self.line) };
        let place = shown_text(if self.place.is_empty() { &line } else { &self.place }, 24);
        match (self.name.is_empty(), place.is_empty()) {
            (true, _) => place,
            (false, true) => shown_text(&self.name, 36),
            (false, false) => format!("{} ({place})", shown_text(&self.name, 36)),
        }
    }

    /// Who decided it; empty where that is not known.
    pub(crate) fn by(&self) -> &str {
        &self.decided_by
    }

    /// By state, then by name, place and field.
    fn sort_key(&self) -> (usize, String, &str, &str) {
        let by_state = ListState::ATTENTION.iter().position(|state| *state == self.state);
        let by_name = self.name.to_lowercase();
        (by_state.unwrap_or(usize::MAX), by_name, &self.place, &self.field)
    }
}

/// Sorts entries as they are listed.
pub(crate) fn sort_entries(entries: &mut [AttentionEntry]) {
    entries.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
}

/// The entries, a line each, no wider than `width` if that is given.
pub(crate) fn render_entries(entries: &[AttentionEntry], width: Option<usize>) -> String {
    let columns = |entry: &AttentionEntry| {
        [state_label(entry.state).to_owned(), entry.name_and_place(), entry.field.clone()]
    };
    let mut widest = [0; 3];
    for entry in entries {
        for (widest, cell) in widest.iter_mut().zip(columns(entry)) {
            *widest = (*widest).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for entry in entries {
        let mut line = String::new();
        for (cell, widest) in columns(entry).iter().zip(widest).filter(|(_, widest)| *widest > 0) {
            let _ = write!(line, "{cell:widest$}  ");
        }
        line += &entry.told;
        if !entry.decision.is_empty() {
            let by = &entry.decided_by;
            let by =
                if by.is_empty() { String::new() } else { format!(" by {}", shown_text(by, 16)) };
            let _ = write!(line, " [decided{by}: {}]", entry.decision);
        }
        let line = line.trim_end();
        text += &width.map_or_else(|| line.to_owned(), |width| shown_text(line, width));
        text.push('\n');
    }
    text
}

/// What a question is called in a table: no spreadsheet takes it for a number.
pub(crate) fn question_id(waiting: &Waiting) -> String {
    let digits: String = waiting.question_id.to_hex().chars().take(16).collect();
    format!("q{digits}")
}

/// The state in which a line says that something is.
const fn state_label(state: ListState) -> &'static str {
    match state {
        ListState::Conflicts => "conflict",
        ListState::Ambiguous
        | ListState::Held
        | ListState::Rejected
        | ListState::InSync
        | ListState::Duplicates
        | ListState::Ignored => state.name(),
    }
}

/// On which list something is.
pub(crate) const fn list_of(kind: &WaitingKind) -> ListState {
    match kind {
        WaitingKind::Conflict { .. } => ListState::Conflicts,
        WaitingKind::Ambiguous { .. } => ListState::Ambiguous,
        WaitingKind::HeldDeletion { .. }
        | WaitingKind::HeldClearing { .. }
        | WaitingKind::HeldChange { .. } => ListState::Held,
        WaitingKind::Rejected { .. } => ListState::Rejected,
    }
}

const fn waiting_field(kind: &WaitingKind) -> Option<Field> {
    match kind {
        WaitingKind::Conflict { field, .. } => Some(*field),
        WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. } => {
            Some(change.field)
        }
        WaitingKind::Rejected { field, .. } => *field,
        WaitingKind::Ambiguous { .. } | WaitingKind::HeldDeletion { .. } => None,
    }
}

/// The values in the source and in Linq, and what both last agreed on. Of an edit that is
/// held, the side that it is held back from still has what both agreed on.
fn waiting_values(waiting: &Waiting) -> [String; 3] {
    let none = String::new;
    match &waiting.kind {
        WaitingKind::Conflict { base, source, linq, .. } => {
            [source.clone(), linq.clone(), base.clone()]
        }
        WaitingKind::HeldClearing { side, change } | WaitingKind::HeldChange { side, change } => {
            let (now, then) = (change.from.to_string(), change.to.to_string());
            match side {
                Side::Linq => [then, now.clone(), now],
                Side::Source => [now.clone(), then, now],
            }
        }
        WaitingKind::Rejected { side, .. } => {
            let value = waiting.value.clone().unwrap_or_default();
            match side {
                Side::Linq => [value, none(), none()],
                Side::Source => [none(), value, none()],
            }
        }
        WaitingKind::Ambiguous { .. } | WaitingKind::HeldDeletion { .. } => {
            [none(), none(), none()]
        }
    }
}

fn describe_values(waiting: &Waiting, [source, linq, base]: [&str; 3]) -> String {
    let reason = shown_text(&waiting.reason, 200);
    match &waiting.kind {
        WaitingKind::Conflict { .. } => format!(
            "source {}, Linq {}, last synced {}: {reason}",
            quote_value(source),
            quote_value(linq),
            quote_value(base)
        ),
        WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. } => {
            format!("{} → {}: {reason}", quote_value(&change.from), quote_value(&change.to))
        }
        WaitingKind::Rejected { .. } => match (&waiting.value, &waiting.cell) {
            (Some(value), Some(cell)) => {
                format!("{} in {}: {reason}", quote_value(value), shown_text(cell, 60))
            }
            (_, _) => reason,
        },
        WaitingKind::Ambiguous { .. } | WaitingKind::HeldDeletion { .. } => reason,
    }
}

/// A value in quotation marks, short enough to stand beside others.
pub(crate) fn quote_value(value: &str) -> String {
    if value.trim().is_empty() {
        "(none)".to_owned()
    } else {
        format!("“{}”", shown_text(value, 50))
    }
}

fn candidate_ids(kind: &WaitingKind) -> Vec<String> {
    match kind {
        WaitingKind::Ambiguous { candidates } => {
            candidates.iter().map(ToString::to_string).collect()
        }
        WaitingKind::Conflict { .. }
        | WaitingKind::HeldDeletion { .. }
        | WaitingKind::HeldClearing { .. }
        | WaitingKind::HeldChange { .. }
        | WaitingKind::Rejected { .. } => Vec::new(),
    }
}

/// What may be filled in as a decision.
pub(crate) fn decision_choices(kind: &WaitingKind) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match kind {
        WaitingKind::Conflict { .. } => words(&["source", "linq", "value", "clear"]),
        WaitingKind::Ambiguous { candidates } => {
            let links = candidates.iter().map(|id| format!("link {id}"));
            links.chain(["separate".to_owned()]).collect()
        }
        WaitingKind::HeldDeletion { .. }
        | WaitingKind::HeldClearing { .. }
        | WaitingKind::HeldChange { .. } => words(&["approve", "reject"]),
        WaitingKind::Rejected { .. } if kind.is_refused() => words(&["retry"]),
        WaitingKind::Rejected { .. } => Vec::new(),
    }
}

/// A decision in the words of [`decision_choices`], and its value.
fn decision_words(decision: &Decision) -> (String, String) {
    let word = match decision {
        Decision::Approve => "approve".to_owned(),
        Decision::Reject => "reject".to_owned(),
        Decision::Take { side } => side.name().to_owned(),
        Decision::Value { value } if value.is_empty() => "clear".to_owned(),
        Decision::Value { value } => return ("value".to_owned(), value.clone()),
        Decision::Link { linq_id } => format!("link {linq_id}"),
        Decision::Separate => "separate".to_owned(),
        Decision::Retry => "retry".to_owned(),
    };
    (word, String::new())
}
