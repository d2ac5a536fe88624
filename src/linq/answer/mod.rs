//! What Linq answers, in every envelope in which it is known to answer.
//!
//! Owns reading JSON into contacts, pages and error codes. Leaves what an answer
//! proves to [`super::verdict`].
//!
//! A contact stands under `data`, under `contact`, or bare. Unknown members are
//! ignored, so that Linq can add some. A contact without an id, or with an
//! object where a text belongs, is not believed; a number where a text belongs
//! is, and so are `null`, an empty text and an absent member, which all mean
//! blank.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::{Field, FieldSet, LinqContact, LinqId, Timestamp, Values};

/// A contact as Linq showed it.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The contact.
    pub contact: LinqContact,
    /// The JSON text it was read from, with what linqsync does not know: for the
    /// history of deleted contacts.
    pub raw: String,
}

impl Fetched {
    /// Whether the JSON says anything about `field`, be it that it is blank.
    pub fn mentions(&self, field: Field) -> bool {
        let members: Members<'_> = serde_json::from_str(&self.raw).unwrap_or_default();
        members.get(member(field)).is_some()
    }

    /// The answer to an update of the fields `sent`, where what it does not mention is
    /// as it was `before`: some answer with what was updated alone. A field that was sent
    /// and is not mentioned is blank by now; but the owner, which is sent beside the
    /// contact, is as it was.
    #[must_use]
    pub fn completed(mut self, sent: FieldSet, before: &Values) -> Fetched {
        let members: Members<'_> = serde_json::from_str(&self.raw).unwrap_or_default();
        for field in FieldSet::ALL.iter() {
            let blank = sent.contains(field) && field != Field::Owner;
            if !blank && members.get(member(field)).is_none() {
                self.contact.values[field].clone_from(&before[field]);
            }
        }
        self
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("contact", &self.contact).finish_non_exhaustive()
    }
}

/// One page of the listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The contacts that could be read, in Linq's order.
    pub contacts: Vec<Fetched>,
    /// How many could not.
    pub unreadable: usize,
    /// What Linq says about the whole listing.
    pub pagination: Pagination,
}

/// What a page says about the whole listing. A member that is missing or is no
/// number is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pagination {
    /// The page this is, counted from 1.
    pub current_page: Option<u64>,
    /// Contacts on a full page; Linq may allow fewer than were asked for.
    pub per_page: Option<u64>,
    /// How many pages there are.
    pub total_pages: Option<u64>,
    /// How many contacts there are.
    pub total_count: Option<u64>,
}

/// Why an answer is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) &'static str);

const NOT_JSON: Unreadable = Unreadable("the body is not a JSON object");
const NO_CONTACT: Unreadable = Unreadable("the body holds no contact");
const MALFORMED: Unreadable = Unreadable("the contact is malformed");

/// The members of a JSON object, each as it is written.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Members<'a>(#[serde(borrow)] BTreeMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    /// Reads the members of a body that reports success.
    fn of_success(body: &'a [u8]) -> Result<Members<'a>, Unreadable> {
        if body.trim_ascii().is_empty() {
            return Err(Unreadable("the body is empty"));
        }
        let members: Members<'_> = serde_json::from_slice(body).map_err(|_| NOT_JSON)?;
        match members.get("status") {
            Some(status) if status.get() == r#""error""# => {
                Err(Unreadable("the body reports an error"))
            }
            Some(_) | None => Ok(members),
        }
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied()
    }

    fn holds(&self, name: &str) -> bool {
        self.get(name).is_some_and(|member| member.get() != "null")
    }
}

/// The member of a contact that holds `field`.
const fn member(field: Field) -> &'static str {
    match field {
        Field::Owner => "contact_owner",
        Field::FirstName
        | Field::LastName
        | Field::Email
        | Field::PhoneNumber
        | Field::Company
        | Field::Title
        | Field::Location => field.name(),
    }
}

/// Reads the one contact that `body` is about.
pub(super) fn contact(body: &[u8]) -> Result<Fetched, Unreadable> {
    let members = Members::of_success(body)?;
    if members.holds("id") {
        return bare_contact(body);
    }
    let enveloped = ["data", "contact"].into_iter().find(|name| members.holds(name));
    match enveloped.and_then(|name| members.get(name)) {
        Some(inner) => read_contact(inner),
        None => Err(NO_CONTACT),
    }
}

/// Reads what a search found, if anything. Nothing is found only where Linq says
/// so: a `null`, or no id, in the place of the contact.
pub(super) fn found(body: &[u8]) -> Result<Option<Fetched>, Unreadable> {
    if body.trim_ascii() == b"null" {
        return Ok(None);
    }
    let members = Members::of_success(body)?;
    if let Some(id) = members.get("id") {
        return if id.get() == "null" { Ok(None) } else { bare_contact(body).map(Some) };
    }
    let Some(inner) = members.get("contact").or_else(|| members.get("data")) else {
        return Err(NO_CONTACT);
    };
    let nothing = match serde_json::from_str::<Option<Members<'_>>>(inner.get()) {
        Ok(Some(contact)) => {
            contact.0.is_empty() || contact.get("id").is_some_and(|id| id.get() == "null")
        }
        Ok(None) => true,
        Err(_) => return Err(MALFORMED),
    };
    if nothing { Ok(None) } else { read_contact(inner).map(Some) }
}

/// Reads a page of the listing.
pub(super) fn page(body: &[u8]) -> Result<Page, Unreadable> {
    const NO_LIST: Unreadable = Unreadable("the body holds no list of contacts");
    let members = Members::of_success(body)?;
    let list = members.get("contacts").or_else(|| members.get("data")).ok_or(NO_LIST)?;
    let list: Vec<&RawValue> = serde_json::from_str(list.get()).map_err(|_| NO_LIST)?;
    let contacts: Vec<Fetched> = list.iter().filter_map(|raw| read_contact(raw).ok()).collect();
    Ok(Page {
        unreadable: list.len() - contacts.len(),
        contacts,
        pagination: members.get("pagination").map(pagination).unwrap_or_default(),
    })
}

fn pagination(raw: &RawValue) -> Pagination {
    let Ok(members) = serde_json::from_str::<Members<'_>>(raw.get()) else {
        return Pagination::default();
    };
    let number = |name| members.get(name).and_then(number);
    Pagination {
        current_page: number("current_page"),
        per_page: number("per_page"),
        total_pages: number("total_pages"),
        total_count: number("total_count"),
    }
}

/// The members of a contact that linqsync knows.
#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    first_name: Option<&'a RawValue>,
    last_name: Option<&'a RawValue>,
    email: Option<&'a RawValue>,
    phone_number: Option<&'a RawValue>,
    company: Option<&'a RawValue>,
    title: Option<&'a RawValue>,
    location: Option<&'a RawValue>,
    created_at: Option<&'a RawValue>,
    updated_at: Option<&'a RawValue>,
    contact_owner: Option<Owner<'a>>,
}

#[derive(Deserialize)]
struct Owner<'a> {
    #[serde(borrow)]
    email: Option<&'a RawValue>,
}

fn bare_contact(body: &[u8]) -> Result<Fetched, Unreadable> {
    read_contact(serde_json::from_slice(body).map_err(|_| NOT_JSON)?)
}

fn read_contact(raw: &RawValue) -> Result<Fetched, Unreadable> {
    let shape: Shape<'_> = serde_json::from_str(raw.get()).map_err(|_| MALFORMED)?;
    let id = shape.id.and_then(number).filter(|id| *id > 0 && i64::try_from(*id).is_ok());
    let members = [
        (Field::FirstName, shape.first_name),
        (Field::LastName, shape.last_name),
        (Field::Email, shape.email),
        (Field::PhoneNumber, shape.phone_number),
        (Field::Company, shape.company),
        (Field::Title, shape.title),
        (Field::Location, shape.location),
        (Field::Owner, shape.contact_owner.and_then(|owner| owner.email)),
    ];
    let mut values = Values::default();
    for (field, member) in members {
        values[field] = text(member).ok_or(MALFORMED)?;
    }
    let contact = LinqContact {
        id: LinqId(id.ok_or(MALFORMED)?),
        values,
        created_at: shape.created_at.and_then(instant),
        updated_at: shape.updated_at.and_then(instant),
    };
    Ok(Fetched { contact, raw: raw.get().to_owned() })
}

/// A text, or a whole number as it is written; `None` for anything else.
fn text(member: Option<&RawValue>) -> Option<String> {
    let Some(raw) = member.map(RawValue::get) else {
        return Some(String::new());
    };
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return Some(raw.to_owned());
    }
    serde_json::from_str::<Option<String>>(raw).ok().map(Option::unwrap_or_default)
}

/// A whole number that is not negative, also if it is written as a text.
fn number(raw: &RawValue) -> Option<u64> {
    let digits = raw.get().trim_matches('"');
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// An instant in RFC 3339, with any offset.
fn instant(raw: &RawValue) -> Option<Timestamp> {
    let text: String = serde_json::from_str(raw.get()).ok()?;
    DateTime::parse_from_rfc3339(&text).ok().map(|instant| instant.with_timezone(&Utc))
}

/// What the body of an error says: a code for programs, texts for people.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) code: Option<String>,
    pub(super) texts: Vec<String>,
}

/// Reads the body of an error in any of the forms that occur: the documented
/// `{status, error_code, message, errors: [text]}`, `{errors: [{code, title,
/// detail}]}`, `{error: {type, messages}}`, or something else, such as HTML.
pub(super) fn complaint(body: &[u8]) -> Complaint {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let codes = [&body["error_code"], &body["errors"][0]["code"], &body["error"]["type"]];
    let code = codes.into_iter().filter_map(Value::as_str).find(|text| looks_like_a_code(text));
    let mut texts = Vec::new();
    for place in [&body["message"], &body["errors"], &body["error"]["messages"], &body["error"]] {
        collect_texts(place, &mut texts);
    }
    Complaint { code: code.map(str::to_owned), texts }
}

/// A code is printed in errors, so nothing that could be a person's is taken for one.
fn looks_like_a_code(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Adds the texts at `place`, or one level below it.
fn collect_texts(place: &Value, texts: &mut Vec<String>) {
    const MOST: usize = 10;
    const LONGEST: usize = 300;
    let one = std::slice::from_ref(place);
    for entry in place.as_array().map_or(one, Vec::as_slice) {
        let found = [entry, &entry["detail"], &entry["title"]];
        let Some(text) = found.into_iter().find_map(Value::as_str) else { continue };
        let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        if texts.len() < MOST && !texts.contains(&text) {
            texts.push(text);
        }
    }
}

#[cfg(test)]
mod tests;
