//! What a reading of the source means, and what a change of that concerns.
//!
//! Owns the comparison of two meanings. Leaves what follows from a change to
//! [`crate::plan`], and how it is remembered to [`crate::mirror`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Field, FieldSet, IntentId, Side};

/// Everything that decides what the values of a reading mean and who takes part in it.
/// As long as it stays the same, a value that differs is an edit, and a record that is
/// missing was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// The fields that the source carries.
    pub fields: FieldSet,
    /// Where it keeps them: the columns of a table, the directories of cards; `None` in
    /// states of old.
    #[serde(default)]
    pub places: Option<BTreeMap<Field, String>>,
    /// Which contacts take part, as the configuration spells it.
    pub scope: String,
    /// How the source is read; `None` in states of old.
    #[serde(default)]
    pub manner: Option<Manner>,
    /// Which fields each side sends to the other; `None` in states of old.
    #[serde(default)]
    pub sends: Option<Sends>,
    /// Fields of which a blank in the source clears nothing in Linq.
    #[serde(default)]
    pub kept_by_blanks: FieldSet,
}

/// How a source is read, besides where each field is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    /// The kind of source, as in `source.kind`.
    pub kind: String,
    /// The column that identifies a row.
    pub key: Option<String>,
    /// The column that holds Linq's ids.
    pub id_column: Option<String>,
    /// The encoding of a table.
    pub encoding: Setting,
    /// What separates the cells of a table.
    pub delimiter: Setting,
    /// Whether an apostrophe before a formula is taken off.
    pub formula_guard: bool,
    /// Which records take part, if not all of them.
    #[serde(default)]
    pub only: Option<String>,
}

/// A setting that may be left to be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// What is configured.
    pub asked: String,
    /// What is in force.
    pub found: String,
}

impl Setting {
    /// Whether the configuration changed it. A file that is saved in another encoding, and
    /// says so, is read as before; and so is one whose encoding is merely named.
    fn was_changed(&self, before: &Setting) -> bool {
        self.asked != before.asked && self.found != before.found
    }
}

/// Which fields each side sends to the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sends {
    /// Those that the source sends to Linq.
    pub source: FieldSet,
    /// Those that Linq sends to the source.
    pub linq: FieldSet,
}

impl Sends {
    /// Those that `side` sends.
    pub const fn from(self, side: Side) -> FieldSet {
        match side {
            Side::Source => self.source,
            Side::Linq => self.linq,
        }
    }
}

/// Intents that were planned when readings meant something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// The last of them.
    pub last: IntentId,
    /// Fields that are read otherwise since.
    pub read_anew: FieldSet,
    /// Whether keys are others since.
    pub keys: bool,
}

/// What a change of meaning concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeaningChange {
    /// Fields that are read from elsewhere or otherwise than before, or not any more:
    /// what was agreed on says nothing about the source's values of today.
    pub read_anew: FieldSet,
    /// Whether the keys of records are others.
    pub keys: bool,
    /// Whether a record that is missing may only not be read any more.
    pub membership: bool,
    /// Whether other records are selected than before: what differs in a pair that comes back
    /// because of that is no edit.
    pub selection: bool,
    /// Fields that each side, the source first, has not sent before: what they differ in
    /// has piled up.
    pub newly_sent: [FieldSet; 2],
    /// Whether each side, the source first, has sent nothing at all before.
    pub newly_followed: [bool; 2],
    /// What has changed, for people.
    pub reasons: Vec<String>,
}

impl MeaningChange {
    /// Why, for people.
    pub fn change_reason(&self) -> String {
        self.reasons.join(", ")
    }
}

impl Meaning {
    /// What has changed since readings meant what was meant `before`, if anything has.
    pub fn change_since(&self, before: &Meaning) -> Option<MeaningChange> {
        let mut change = MeaningChange::default();
        self.compare_fields(before, &mut change);
        if self.scope != before.scope {
            change.reasons.push("another scope is configured than before".to_owned());
        }
        if let (Some(now), Some(before)) = (&self.manner, &before.manner) {
            now.compare(before, &mut change);
        }
        if let (Some(now), Some(before)) = (self.sends, before.sends) {
            now.compare(before, self.fields, &mut change);
        }
        self.compare_blanks(before, &mut change);
        (!change.reasons.is_empty()).then_some(change)
    }

    /// Blanks that clear from now on may be there for long: they are no edit.
    fn compare_blanks(&self, before: &Meaning, change: &mut MeaningChange) {
        let clears = |field: &Field| {
            before.kept_by_blanks.contains(*field) && !self.kept_by_blanks.contains(*field)
        };
        let now: FieldSet = self.fields.iter().filter(clears).collect();
        if !now.is_empty() {
            now.iter().for_each(|field| change.newly_sent[Side::Source as usize].insert(field));
            change.reasons.push("more blanks clear than before by sync.blank_clears".into());
        }
    }

    fn compare_fields(&self, before: &Meaning, change: &mut MeaningChange) {
        let place = |meaning: &Meaning, field: Field| {
            let places = meaning.places.as_ref()?;
            Some(places.get(&field)?.to_lowercase())
        };
        let is_elsewhere = |field: Field| {
            let is_there = [self, before].iter().all(|meaning| meaning.fields.contains(field));
            before.places.is_some() && is_there && place(self, field) != place(before, field)
        };
        let elsewhere: FieldSet = Field::ALL.into_iter().filter(|f| is_elsewhere(*f)).collect();
        let comes_or_goes =
            |field: &Field| self.fields.contains(*field) != before.fields.contains(*field);
        change.read_anew = Field::ALL.into_iter().filter(comes_or_goes).collect();
        let has_cards = self.manner.as_ref().is_some_and(|manner| manner.kind == "vcard");
        if has_cards && !elsewhere.is_empty() {
            change.membership = true;
            change.reasons.push("other directories take part than before".to_owned());
        } else {
            elsewhere.iter().for_each(|field| change.read_anew.insert(field));
        }
        if !change.read_anew.is_empty() {
            let names: Vec<&str> = change.read_anew.iter().map(Field::name).collect();
            let names = names.join(", ");
            change.reasons.push(format!("the source has other columns than before for {names}"));
        }
    }
}

impl Manner {
    fn compare(&self, before: &Manner, change: &mut MeaningChange) {
        let lower = |name: &Option<String>| name.as_ref().map(|name| name.to_lowercase());
        let keys = lower(&self.key) != lower(&before.key);
        let ids = lower(&self.id_column) != lower(&before.id_column);
        let kind = self.kind != before.kind;
        let encoding = self.encoding.was_changed(&before.encoding);
        let delimiter = self.delimiter.was_changed(&before.delimiter);
        let guard = self.formula_guard != before.formula_guard;
        let only = self.only != before.only;
        change.keys |= keys || kind;
        change.selection |= only;
        change.membership |= keys || ids || kind || encoding || delimiter;
        if kind || encoding || delimiter || guard {
            change.read_anew = FieldSet::ALL;
        }
        for (is_changed, setting) in [
            (kind, "kind"),
            (keys, "key"),
            (ids, "id_column"),
            (encoding, "encoding"),
            (delimiter, "delimiter"),
            (guard, "formula_guard"),
            (only, "only"),
        ] {
            if is_changed {
                change.reasons.push(format!("source.{setting} was changed"));
            }
        }
    }
}

impl Sends {
    fn compare(self, before: Sends, mapped: FieldSet, change: &mut MeaningChange) {
        for (position, side) in Side::ALL.into_iter().enumerate() {
            let (now, before) = (self.from(side), before.from(side));
            let is_new = |field: &Field| now.contains(*field) && !before.contains(*field);
            change.newly_sent[position] = mapped.iter().filter(is_new).collect();
            change.newly_followed[position] = before.is_empty() && !now.is_empty();
        }
        if change.newly_sent.iter().any(|fields| !fields.is_empty()) {
            change.reasons.push("more is sent than before by sync.direction or sync.fields".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(asked: &str, found: &str) -> Setting {
        Setting { asked: asked.to_owned(), found: found.to_owned() }
    }

    fn meaning(places: &[(Field, &str)]) -> Meaning {
        let manner = Manner {
            kind: "csv".to_owned(),
            key: Some("No".to_owned()),
            encoding: setting("auto", "UTF-8"),
            delimiter: setting("auto", ","),
            formula_guard: true,
            ..Manner::default()
        };
        Meaning {
            fields: places.iter().map(|(field, _)| *field).collect(),
            places: Some(places.iter().map(|(field, at)| (*field, (*at).to_owned())).collect()),
            scope: "all".to_owned(),
            manner: Some(manner),
            sends: Some(Sends { source: FieldSet::ALL, linq: FieldSet::ALL }),
            kept_by_blanks: FieldSet::EMPTY,
        }
    }

    fn table() -> Meaning {
        meaning(&[(Field::Email, "Email"), (Field::Title, "Title")])
    }

    fn fields(fields: &[Field]) -> FieldSet {
        fields.iter().copied().collect()
    }

    #[test]
    fn a_field_that_comes_goes_or_moves_to_another_column_is_read_anew() {
        let before = table();
        assert_eq!(before.change_since(&before), None);
        for (now, anew) in [
            (meaning(&[(Field::Email, "Email"), (Field::Title, "Role")]), &[Field::Title][..]),
            (meaning(&[(Field::Email, "email"), (Field::Title, "TITLE")]), &[]),
            (meaning(&[(Field::Email, "Email")]), &[Field::Title]),
            (
                meaning(&[(Field::Email, "E"), (Field::Title, "Title"), (Field::Company, "C")]),
                &[Field::Email, Field::Company],
            ),
        ] {
            let change = now.change_since(&before);
            assert_eq!(change.is_some(), !anew.is_empty());
            let change = change.unwrap_or_default();
            assert_eq!(change.read_anew, fields(anew));
            assert!(!change.membership && !change.keys);
        }
    }

    #[test]
    fn what_is_merely_named_or_saved_otherwise_is_no_change_of_meaning() {
        let before = table();
        let with = |encoding: Setting| {
            let mut now = table();
            now.manner.as_mut().unwrap().encoding = encoding;
            now.change_since(&before)
        };
        assert_eq!(with(setting("utf-8", "UTF-8")), None);
        assert_eq!(with(setting("auto", "windows-1252")), None);
        let change = with(setting("windows-1252", "windows-1252")).unwrap();
        assert_eq!((change.read_anew, change.membership), (FieldSet::ALL, true));
    }

    #[test]
    fn another_key_column_makes_other_keys_and_lets_every_field_be() {
        let mut now = table();
        now.manner.as_mut().unwrap().key = None;
        let change = now.change_since(&table()).unwrap();
        assert!(change.keys && change.membership && change.read_anew.is_empty());
        assert_eq!(change.change_reason(), "source.key was changed");
    }

    #[test]
    fn other_directories_of_cards_leave_the_fields_and_change_who_is_read() {
        let cards = |place| {
            let mut cards = meaning(&[(Field::Email, place), (Field::Title, place)]);
            cards.manner = Some(Manner { kind: "vcard".to_owned(), ..Manner::default() });
            cards
        };
        let change = cards("the directory").change_since(&cards("all")).unwrap();
        assert!(change.membership && change.read_anew.is_empty());
        // A state of old knows less and says the same.
        let old = Meaning { manner: None, sends: None, ..cards("all") };
        let change = cards("the directory").change_since(&old).unwrap();
        assert!(change.membership && change.read_anew.is_empty());
        assert_eq!(cards("all").change_since(&old), None);
    }

    #[test]
    fn a_wider_direction_concerns_what_was_not_sent() {
        let mut push = table();
        push.sends = Some(Sends { source: FieldSet::ALL, linq: FieldSet::EMPTY });
        let change = table().change_since(&push).unwrap();
        let mapped = fields(&[Field::Email, Field::Title]);
        assert_eq!(change.newly_sent, [FieldSet::EMPTY, mapped]);
        assert_eq!(change.newly_followed, [false, true]);
        assert_eq!(push.change_since(&table()), None, "narrower is no change");
    }

    #[test]
    fn what_a_state_of_old_did_not_know_is_no_change() {
        let old = serde_json::json!({ "fields": ["email", "title"], "scope": "all" });
        let old: Meaning = serde_json::from_value(old).unwrap();
        assert_eq!(table().change_since(&old), None);
    }
}
