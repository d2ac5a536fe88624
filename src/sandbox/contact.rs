//! The sandbox's own picture of Linq's `Contact` and of the users who own
//! contacts (API page "Get Contact").
//!
//! Owns the wire format of answers. It is written apart from the client's, so
//! that each is a witness against the other. Leaves storing to [`super::store`].

use std::fmt;

use chrono::{DateTime, Datelike, FixedOffset, Offset, SecondsFormat, Utc};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::quirks::Blanks;

/// The writable members of a contact, by the API's names and in its order.
pub const WRITABLE: [&str; 7] =
    ["first_name", "last_name", "email", "phone_number", "company", "title", "location"];

/// The writable members of which every create and update must carry one.
pub(super) const IDENTITY: [&str; 4] = ["first_name", "last_name", "email", "phone_number"];

/// A contact as the API shows it. Serialised, it is the member `data` of an
/// answer, with `null` for blanks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Contact {
    /// `id`: never used again after a deletion.
    pub id: u64,
    /// `first_name`
    pub first_name: Option<String>,
    /// `last_name`
    pub last_name: Option<String>,
    /// `full_name`: derived from the other two whenever the contact is written.
    pub full_name: Option<String>,
    /// `email`
    pub email: Option<String>,
    /// `phone_number`
    pub phone_number: Option<String>,
    /// `company`
    pub company: Option<String>,
    /// `title`
    pub title: Option<String>,
    /// `location`
    pub location: Option<String>,
    /// `image_url`: null unless set through the control surface.
    pub image_url: Option<String>,
    /// `created_at`, to the millisecond.
    pub created_at: DateTime<Utc>,
    /// `updated_at`, to the millisecond.
    pub updated_at: DateTime<Utc>,
    /// `contact_owner`: null only in an organisation without an admin.
    pub contact_owner: Option<ContactOwner>,
}

/// The member `contact_owner`: the user who owns a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactOwner {
    /// `id`
    pub id: u64,
    /// `email`
    pub email: String,
    /// `first_name`
    pub first_name: String,
    /// `last_name`
    pub last_name: String,
    /// `name`: both names.
    pub name: String,
}

/// A user of the organisation, who may own contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user as contacts show it.
    pub owner: ContactOwner,
    /// Whether contacts without a `user_email` may fall to this user.
    pub role: Role,
}

/// What a user may do. The first [`Role::Admin`] is the default owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Administers the organisation.
    Admin,
    /// Any other user.
    Member,
}

impl User {
    /// A user whose `name` is made of both names.
    pub fn new(id: u64, role: Role, email: &str, first_name: &str, last_name: &str) -> User {
        let owner = ContactOwner {
            id,
            email: email.to_owned(),
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            name: format!("{first_name} {last_name}"),
        };
        User { owner, role }
    }
}

impl Contact {
    /// A contact that has nothing but an id, an owner and the time of its creation.
    pub(super) fn blank(id: u64, owner: Option<ContactOwner>, at: DateTime<Utc>) -> Contact {
        Contact {
            id,
            first_name: None,
            last_name: None,
            full_name: None,
            email: None,
            phone_number: None,
            company: None,
            title: None,
            location: None,
            image_url: None,
            created_at: at,
            updated_at: at,
            contact_owner: owner,
        }
    }

    /// The writable member called `name`, if there is one.
    pub(super) fn text_mut(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "first_name" => Some(&mut self.first_name),
            "last_name" => Some(&mut self.last_name),
            "email" => Some(&mut self.email),
            "phone_number" => Some(&mut self.phone_number),
            "company" => Some(&mut self.company),
            "title" => Some(&mut self.title),
            "location" => Some(&mut self.location),
            _ => None,
        }
    }

    /// Derives `full_name` anew.
    pub(super) fn name_fully(&mut self) {
        let names = [&self.first_name, &self.last_name];
        let full: Vec<&str> = names.into_iter().filter_map(|name| name.as_deref()).collect();
        self.full_name = (!full.is_empty()).then(|| full.join(" "));
    }
}

impl Serialize for Contact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RenderedContact { contact: self, blanks: Blanks::Null, lacks: None }.serialize(serializer)
    }
}

/// A contact as an answer shows it under a reading of what blanks look like.
pub(super) struct RenderedContact<'a> {
    pub(super) contact: &'a Contact,
    pub(super) blanks: Blanks,
    /// A member that is not shown at all.
    pub(super) lacks: Option<&'static str>,
}

impl Serialize for RenderedContact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let contact = self.contact;
        let texts = [
            ("first_name", &contact.first_name),
            ("last_name", &contact.last_name),
            ("full_name", &contact.full_name),
            ("email", &contact.email),
            ("phone_number", &contact.phone_number),
            ("company", &contact.company),
            ("title", &contact.title),
            ("location", &contact.location),
        ];
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &contact.id)?;
        for (name, text) in texts.into_iter().filter(|(name, _)| self.lacks != Some(*name)) {
            match (text, self.blanks) {
                (Some(text), _) => map.serialize_entry(name, text)?,
                (None, Blanks::Null) => map.serialize_entry(name, &None::<&str>)?,
                (None, Blanks::Empty) => map.serialize_entry(name, "")?,
                (None, Blanks::Absent) => {}
            }
        }
        map.serialize_entry("image_url", &contact.image_url)?;
        map.serialize_entry("created_at", &LinqInstant(contact.created_at))?;
        map.serialize_entry("updated_at", &LinqInstant(contact.updated_at))?;
        map.serialize_entry("contact_owner", &contact.contact_owner)?;
        map.end()
    }
}

/// An instant as Linq writes it: `2025-07-30T10:00:00.000-05:00`.
struct LinqInstant(DateTime<Utc>);

impl fmt::Display for LinqInstant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.0.with_timezone(&offset_at(self.0));
        f.write_str(&local.to_rfc3339_opts(SecondsFormat::Millis, false))
    }
}

impl Serialize for LinqInstant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The offset that Linq's examples carry in summer, and an hour less from
/// November to March: one contact may show both, and only instants compare.
fn offset_at(at: DateTime<Utc>) -> FixedOffset {
    let hours = if (4..=10).contains(&at.month()) { -5 } else { -6 };
    FixedOffset::east_opt(hours * 3600).unwrap_or(Utc.fix())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use serde_json::json;

    use super::*;

    fn ada() -> Contact {
        let owner = User::new(456, Role::Admin, "owner@example.com", "Jane", "Owner").owner;
        let at = Utc.with_ymd_and_hms(2025, 7, 30, 15, 0, 0).unwrap();
        let mut ada = Contact::blank(123, Some(owner), at);
        ada.first_name = Some("Ada".to_owned());
        ada.updated_at = Utc.with_ymd_and_hms(2025, 12, 1, 15, 0, 0).unwrap();
        ada.name_fully();
        ada
    }

    #[test]
    fn a_contact_is_written_as_the_documents_show_it() {
        let expected = json!({
            "id": 123, "first_name": "Ada", "last_name": null, "full_name": "Ada",
            "email": null, "phone_number": null, "company": null, "title": null,
            "location": null, "image_url": null,
            "created_at": "2025-07-30T10:00:00.000-05:00",
            "updated_at": "2025-12-01T09:00:00.000-06:00",
            "contact_owner": {
                "id": 456, "email": "owner@example.com",
                "first_name": "Jane", "last_name": "Owner", "name": "Jane Owner"
            }
        });
        assert_eq!(serde_json::to_value(ada()).unwrap(), expected);
    }

    #[test]
    fn a_contact_survives_json_under_every_reading_of_blanks() {
        let ada = ada();
        for blanks in [Blanks::Null, Blanks::Absent] {
            let text =
                serde_json::to_string(&RenderedContact { contact: &ada, blanks, lacks: None })
                    .unwrap();
            assert_eq!(serde_json::from_str::<Contact>(&text).unwrap(), ada);
        }
        let empty = serde_json::to_value(RenderedContact {
            contact: &ada,
            blanks: Blanks::Empty,
            lacks: None,
        })
        .unwrap();
        assert_eq!(empty["email"], "");
        assert_eq!(empty["image_url"], serde_json::Value::Null);
    }

    #[test]
    fn every_writable_member_can_be_reached_by_its_name() {
        let mut ada = ada();
        for name in WRITABLE {
            *ada.text_mut(name).unwrap() = Some(name.to_owned());
        }
        let shown = serde_json::to_value(&ada).unwrap();
        assert!(WRITABLE.iter().all(|name| shown[name] == *name));
        assert_eq!(ada.text_mut("full_name"), None);
    }
}
