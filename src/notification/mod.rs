//! Notifications: a channel such as Slack is told, once, when the state changes.
//!
//! Owns what is news and the words for it. A message has counts and the address of the inbox,
//! and nothing of any contact. What was told is kept in the state, so that it is told once
//! across restarts; it counts as told when the channel has accepted it. Leaves when to look to
//! the daemon and to `--once`, and delivery to [`Notifier`].
//!
//! | event | is told when |
//! |---|---|
//! | `attention` | a conflict, ambiguous match or rejected field waits that did not before |
//! | `held` | a deletion, clearing or change is held that was not before |
//! | `unhealthy` | runs have been failing, as `/healthz` says |
//! | `recovered` | a run succeeds after that was told |

mod delivery;
mod format;
mod notifier;

use std::collections::BTreeSet;

use serde::Serialize;
use url::Url;

use crate::config::NotifyEvent;
use crate::mirror::{Notified, State, StateError};

pub use delivery::{DeliveryError, deliver};
pub use notifier::Notifier;

/// How much of a fingerprint tells one question from another.
const DIGITS: usize = 16;

/// What waits, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WaitingCounts {
    /// Contacts with a conflict.
    pub conflicts: usize,
    /// Records that may be several contacts.
    pub ambiguous: usize,
    /// Rejected fields and records.
    pub rejected: usize,
    /// Held deletions.
    pub held_deletes: usize,
    /// Held clearings.
    pub held_clears: usize,
    /// Held changes.
    pub held_changes: usize,
}

impl WaitingCounts {
    /// What waits, in words; empty if nothing does.
    fn text(self) -> String {
        let parts = [
            (self.conflicts, "conflict", "conflicts"),
            (self.ambiguous, "ambiguous match", "ambiguous matches"),
            (self.rejected, "rejected value", "rejected values"),
            (self.held_deletes, "held deletion", "held deletions"),
            (self.held_clears, "held clearing", "held clearings"),
            (self.held_changes, "held change", "held changes"),
        ];
        let named = parts.into_iter().filter(|(count, ..)| *count > 0);
        let named: Vec<String> = named
            .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
            .collect();
        named.join(", ")
    }
}

/// How it is: what waits, and whether runs do what they should.
struct Situation {
    counts: WaitingCounts,
    attention: BTreeSet<String>,
    held: BTreeSet<String>,
    health: Option<bool>,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What has happened; empty for a test.
    pub events: Vec<NotifyEvent>,
    /// What waits.
    pub counts: WaitingCounts,
    /// Where it is decided.
    pub inbox: Option<Url>,
}

impl Message {
    /// A message that only shows that the channel is reached.
    pub fn test(inbox: Option<Url>) -> Message {
        Message { events: Vec::new(), counts: WaitingCounts::default(), inbox }
    }

    /// The message in one or two sentences.
    pub fn text(&self) -> String {
        if self.events.is_empty() {
            return "linqsync: this is a test of [notify].".to_owned();
        }
        let mut sentences = Vec::new();
        if self.events.contains(&NotifyEvent::Unhealthy) {
            sentences.push("Runs are failing; `linqsync status` says why.".to_owned());
        }
        if self.events.contains(&NotifyEvent::Recovered) {
            sentences.push("Runs succeed again.".to_owned());
        }
        let waits = self.counts.text();
        if !waits.is_empty() {
            sentences.push(format!("Waiting for a decision: {waits}."));
        }
        format!("linqsync: {}", sentences.join(" "))
    }
}

impl Situation {
    /// How it is by the state. `health` is whether runs do what they should, if that is known.
    fn of(state: &State, health: Option<bool>) -> Result<Situation, StateError> {
        let mut situation = Situation {
            counts: WaitingCounts {
                conflicts: state.count_in_conflict()?,
                ..WaitingCounts::default()
            },
            attention: BTreeSet::new(),
            held: BTreeSet::new(),
            health,
        };
        for (kind, is_held) in KINDS {
            let mut count = 0;
            state.each_waiting(&[kind], |waiting| {
                count += 1;
                let digest = waiting.question_id.to_hex().chars().take(DIGITS).collect();
                let all = if is_held { &mut situation.held } else { &mut situation.attention };
                all.insert(digest);
                Ok::<(), StateError>(())
            })?;
            match kind {
                "ambiguous" => situation.counts.ambiguous = count,
                "rejected" => situation.counts.rejected = count,
                "held_deletion" => situation.counts.held_deletes = count,
                "held_clearing" => situation.counts.held_clears = count,
                "held_change" => situation.counts.held_changes = count,
                _ => {}
            }
        }
        Ok(situation)
    }

    /// What has happened since `told`.
    fn events_since(&self, told: &Notified) -> Vec<NotifyEvent> {
        let mut events = Vec::new();
        if !self.attention.is_subset(&told.attention) {
            events.push(NotifyEvent::Attention);
        }
        if !self.held.is_subset(&told.held) {
            events.push(NotifyEvent::Held);
        }
        match self.health {
            Some(false) if !told.unhealthy => events.push(NotifyEvent::Unhealthy),
            Some(true) if told.unhealthy => events.push(NotifyEvent::Recovered),
            _ => {}
        }
        events
    }

    /// What is known to the channel once it was told this after `told`.
    fn told_after(self, told: &Notified) -> Notified {
        let unhealthy = self.health.map_or(told.unhealthy, |is_good| !is_good);
        Notified { attention: self.attention, held: self.held, unhealthy, ..told.clone() }
    }
}

/// The kinds of what waits, and whether the guard holds them.
const KINDS: [(&str, bool); 6] = [
    ("conflict", false),
    ("ambiguous", false),
    ("rejected", false),
    ("held_deletion", true),
    ("held_clearing", true),
    ("held_change", true),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn situation(attention: &[&str], held: &[&str], health: Option<bool>) -> Situation {
        let set = |of: &[&str]| of.iter().map(|one| (*one).to_owned()).collect();
        Situation {
            counts: WaitingCounts::default(),
            attention: set(attention),
            held: set(held),
            health,
        }
    }

    #[test]
    fn each_change_is_news_once() {
        use NotifyEvent::{Attention, Held, Recovered, Unhealthy};
        let mut told = Notified::default();
        for (now, expected) in [
            (situation(&[], &[], None), vec![]),
            (situation(&["a"], &[], Some(true)), vec![Attention]),
            (situation(&["a"], &[], Some(true)), vec![]),
            (situation(&["b"], &["x", "y"], Some(true)), vec![Attention, Held]),
            (situation(&[], &["x"], Some(true)), vec![]),
            (situation(&[], &["x"], Some(false)), vec![Unhealthy]),
            (situation(&[], &["x"], Some(false)), vec![]),
            (situation(&[], &["x"], None), vec![]),
            (situation(&["a"], &[], Some(true)), vec![Attention, Recovered]),
            (situation(&["a"], &[], Some(true)), vec![]),
        ] {
            assert_eq!(now.events_since(&told), expected);
            told = now.told_after(&told);
        }
    }

    #[test]
    fn a_message_has_counts_in_words() {
        let counts = WaitingCounts { conflicts: 1, held_deletes: 12, ..WaitingCounts::default() };
        let events = vec![NotifyEvent::Held, NotifyEvent::Recovered];
        let message = Message { events, counts, inbox: None };
        assert_eq!(
            message.text(),
            "linqsync: Runs succeed again. Waiting for a decision: 1 conflict, 12 held deletions."
        );
        let text = Message::test(None).text();
        assert_eq!(text, "linqsync: this is a test of [notify].");
    }
}
