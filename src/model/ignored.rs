//! Rows, cards and contacts that a person wants to be ignored.
//!
//! Owns what is remembered of one, and telling whether a record is that one. Leaves what
//! follows to [`crate::plan`]: it takes no part.

use super::{Canon, Field, LinqId, SourceRecord, Timestamp, Waiting, WaitingKind};

/// Something that waited, and that a person wants to be ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// What waited, as it was shown.
    pub about: Waiting,
    /// The user who decided that, where that is known.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Ignored {
    /// The contact, where what waited is about one: the pair or the contact is ignored.
    pub fn linq_id(&self) -> Option<LinqId> {
        self.about.linq_id
    }

    /// Whether `record`, which is not linked, is the one: by its key, else by its name
    /// together with an e-mail address or a phone number, or by all of these.
    pub fn is(&self, record: &SourceRecord, canon: Canon) -> bool {
        if self.about.linq_id.is_some() {
            return false;
        }
        let key =
            self.about.source_key.as_ref().filter(|key| Some(*key) != self.about.label.as_ref());
        if let (Some(key), Some(own)) = (key, &record.key) {
            return *key == own.to_string();
        }
        let person = &self.about.person;
        let same = |field| canon.means_same(field, &person[field], &record.values[field]);
        let is_filled = |field: Field| !person[field].trim().is_empty();
        let shares = |field| is_filled(field) && same(field);
        let names = same(Field::FirstName) && same(Field::LastName);
        names
            && (shares(Field::Email)
                || shares(Field::PhoneNumber)
                || same(Field::Email) && same(Field::PhoneNumber))
    }

    /// Whether something that waits can be ignored.
    ///
    /// # Errors
    /// Why it cannot, for people.
    pub fn check(waiting: &Waiting) -> Result<(), &'static str> {
        match waiting.kind {
            WaitingKind::Ambiguous { .. } | WaitingKind::Rejected { .. } => {
                if waiting.linq_id.is_none() && waiting.person.lacks_identity() {
                    return Err(
                        "a row or card that cannot be read may be any contact: correct it, or \
                         remove it",
                    );
                }
                Ok(())
            }
            WaitingKind::Conflict { .. }
            | WaitingKind::HeldDeletion { .. }
            | WaitingKind::HeldClearing { .. }
            | WaitingKind::HeldChange { .. } => {
                Err("only what is ambiguous or rejected can be ignored")
            }
        }
    }
}
