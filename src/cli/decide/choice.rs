//! Whom a decision is about: of what waits, what a person has named.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::mirror::State;
use crate::model::{Canon, Field, LinqId, Waiting, WaitingKind, Who};

use super::super::named::find_named;
use super::super::text::shown_text;

/// What somebody wants to decide about.
pub(super) struct Choice<'a> {
    pub(super) who: &'a [String],
    pub(super) all: bool,
    /// What those who are meant are called.
    pub(super) what: &'a str,
    pub(super) is_meant: &'a dyn Fn(&Waiting) -> bool,
}

impl Choice<'_> {
    /// Those of `waiting` that are meant.
    ///
    /// # Errors
    /// What is wrong with the choice, for people: then nothing is decided.
    pub(super) fn matching_waits<'w>(
        &self,
        state: &State,
        waiting: &'w [Waiting],
        config: &Config,
    ) -> Result<Vec<&'w Waiting>, String> {
        let meant: Vec<&Waiting> = waiting.iter().filter(|w| (self.is_meant)(w)).collect();
        if self.all {
            return if self.who.is_empty() {
                Ok(meant)
            } else {
                Err("name people or say --all, not both".to_owned())
            };
        }
        if self.who.is_empty() {
            return Err("name whom you mean, or say --all".to_owned());
        }
        let mut chosen = Vec::new();
        for text in self.who {
            let known = match find_named(state, config, text) {
                Ok(known) => known.map_err(|same| same.message().to_owned())?,
                Err(error) => return Err(error.to_reported_error().message),
            };
            let who = Who::new(&known, config.policy().canon);
            let found: Vec<&Waiting> =
                meant.iter().copied().filter(|waiting| who.is_meant(waiting)).collect();
            if found.is_empty() {
                return Err(format!(
                    "nothing that is {} is about {}",
                    self.what,
                    shown_text(text, 60)
                ));
            }
            let contacts: BTreeSet<Option<LinqId>> =
                found.iter().map(|waiting| waiting.linq_id).collect();
            let moved =
                meant.iter().filter(|waiting| has_address(waiting, text, config.policy().canon));
            let others: Vec<String> = moved
                .filter(|waiting| !contacts.contains(&waiting.linq_id))
                .map(|waiting| with_id(waiting))
                .collect();
            if !others.is_empty() {
                let mut both: Vec<String> = found.iter().map(|waiting| with_id(waiting)).collect();
                both.extend(others);
                both.sort();
                both.dedup();
                return Err(format!(
                    "{} is the value of several by now: {}; name the Linq id or the row",
                    shown_text(text, 60),
                    both.join(", ")
                ));
            }
            chosen.extend(found);
        }
        Ok(chosen)
    }
}

/// Whether the e-mail address or phone number `text` is what was edited of whom something
/// is held about.
fn has_address(waiting: &Waiting, text: &str, canon: Canon) -> bool {
    match &waiting.kind {
        WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. } => {
            matches!(change.field, Field::Email | Field::PhoneNumber)
                && canon.means_same(change.field, &change.from, text)
        }
        WaitingKind::HeldDeletion { .. }
        | WaitingKind::Conflict { .. }
        | WaitingKind::Ambiguous { .. }
        | WaitingKind::Rejected { .. } => false,
    }
}

/// Whom something is about, with its Linq id.
fn with_id(waiting: &Waiting) -> String {
    let name = shown_text(&waiting.person.display_name(), 40);
    waiting.linq_id.map_or_else(|| name.clone(), |id| format!("{name} (id {id})"))
}
