//! WHO: how people name a contact.

use std::fmt;

use super::{Canon, Field, LinqId, Needles, Values, Waiting};

/// A contact as somebody named it: a Linq id, an e-mail address, a phone number, a
/// key, or `row:N`.
#[derive(Clone)]
pub struct Who<'a> {
    text: &'a str,
    canon: Canon,
    linq_id: Option<LinqId>,
    phone: Option<String>,
}

impl<'a> Who<'a> {
    /// Somebody whom people call `text`; phone numbers are read as `canon` reads them.
    pub fn new(text: &'a str, canon: Canon) -> Who<'a> {
        let text = text.trim();
        let as_phone = Values::from_iter([(Field::PhoneNumber, text.to_owned())]);
        Who {
            text,
            canon,
            linq_id: text.parse().ok().map(LinqId),
            phone: canon.phone_key(&as_phone),
        }
    }

    /// Whether this is about the named contact.
    pub fn is_meant(&self, waiting: &Waiting) -> bool {
        let place = [&waiting.source_key, &waiting.label];
        place.into_iter().flatten().any(|name| self.is_place(name))
            || self.is_contact(waiting.linq_id, &waiting.person)
    }

    /// Whether `name` is the key or the place of the named contact.
    pub fn is_place(&self, name: &str) -> bool {
        !self.text.is_empty() && name == self.text
    }

    /// Whether a contact with this id and these values is the named one.
    pub fn is_contact(&self, id: Option<LinqId>, person: &Values) -> bool {
        let email = &person[Field::Email];
        (self.linq_id.is_some() && self.linq_id == id)
            || (self.text.contains('@') && self.canon.means_same(Field::Email, email, self.text))
            || (self.phone.is_some() && self.phone == self.canon.phone_key(person))
    }
}

impl Who<'_> {
    /// The id, where that may be what is named.
    pub const fn linq_id(&self) -> Option<LinqId> {
        self.linq_id
    }

    /// What the values of the named contact have in them; `None` if it is not named by any.
    pub fn needles(&self) -> Option<Needles> {
        match (&self.phone, self.text.contains('@')) {
            (Some(_), _) => Some(Needles::default()),
            (None, true) => {
                let as_email = Values::from_iter([(Field::Email, self.text.to_owned())]);
                Some(Needles::new(self.canon.email_key(&as_email).map(|email| [email])))
            }
            (None, false) => None,
        }
    }
}

impl fmt::Debug for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // People are named by their addresses.
        write!(f, "Who({} bytes)", self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fingerprint, Region, Side, WaitingKind};

    #[test]
    fn somebody_is_named_by_id_e_mail_phone_key_or_row() {
        let waiting = Waiting {
            question_id: Fingerprint::of(b"it"),
            kind: WaitingKind::HeldDeletion { side: Side::Linq },
            linq_id: Some(LinqId(4_100_004)),
            source_key: Some("E-17".to_owned()),
            label: Some("row:6".to_owned()),
            line: Some(6),
            person: [
                (Field::Email, "noor@harbour.example".to_owned()),
                (Field::PhoneNumber, "(415) 555-2671".to_owned()),
            ]
            .into_iter()
            .collect(),
            reason: "deleted in the source".to_owned(),
            value: None,
            cell: None,
        };
        let is = |text| Who::new(text, Canon::new(Region::US)).is_meant(&waiting);
        for name in
            ["4100004", "NOOR@harbour.example", "+1 415 555 2671", "E-17", "row:6", " row:6 "]
        {
            assert!(is(name), "{name}");
        }
        for name in ["4100005", "noor", "bo@harbour.example", "row:7", "+14155552672", ""] {
            assert!(!is(name), "{name}");
        }
    }
}
