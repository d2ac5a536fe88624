//! What people typed and have not themselves replaced: the oracle of conservation.

use std::collections::BTreeMap;

use linqsync::model::Side;

/// Texts that people typed, each on the side where they did.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    typed: BTreeMap<(Side, String), TypedValue>,
}

#[derive(Clone, Copy, Debug, Default)]
struct TypedValue {
    /// In how many places.
    places: u32,
    /// Whether a run has read it.
    read: bool,
}

impl Ledger {
    /// Somebody types `new` where `old` stood.
    pub(super) fn replace(&mut self, side: Side, old: &str, new: &str) {
        let (old, new) = (core(old), core(new));
        if old == new {
            return;
        }
        if let Some(typed) = self.typed.get_mut(&(side, old.to_owned())) {
            typed.places = typed.places.saturating_sub(1);
        }
        if !new.is_empty() {
            self.typed.entry((side, new.to_owned())).or_default().places += 1;
        }
    }

    /// A run reads all of the source.
    pub(super) fn read_source(&mut self) {
        for ((side, _), typed) in &mut self.typed {
            typed.read |= *side == Side::Source;
        }
    }

    /// Whether anything was typed in Linq that no run has read.
    pub(super) fn has_unread_in_linq(&self) -> bool {
        self.typed.iter().any(|((side, _), typed)| *side == Side::Linq && !typed.read)
    }

    /// A run gets an answer from Linq in which these texts stand.
    pub(super) fn read_in_linq(&mut self, texts: &[String]) {
        for ((side, text), typed) in &mut self.typed {
            if *side == Side::Linq && !typed.read {
                typed.read = texts.iter().any(|answer| answer.contains(text));
            }
        }
    }

    /// What must be found somewhere.
    pub(super) fn kept(&self) -> impl Iterator<Item = (Side, &str)> {
        let kept = self.typed.iter().filter(|(_, typed)| typed.places > 0 && typed.read);
        kept.map(|((side, text), _)| (*side, text.as_str()))
    }
}

/// The part of a text that no way of writing it down changes.
fn core(text: &str) -> &str {
    text.trim().trim_start_matches('\'').trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_replaces_need_not_be_kept_and_what_nobody_read_neither() {
        let mut ledger = Ledger::default();
        ledger.replace(Side::Source, "", "one");
        ledger.replace(Side::Source, "one", "two");
        ledger.replace(Side::Linq, "", "three");
        ledger.read_source();
        assert_eq!(ledger.kept().collect::<Vec<_>>(), [(Side::Source, "two")]);
        ledger.read_in_linq(&["has three".to_owned()]);
        assert_eq!(ledger.kept().count(), 2);
    }
}
