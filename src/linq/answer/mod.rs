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

mod complaint;

use std::collections::BTreeMap;
use std::fmt;

use ecow::EcoString;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

pub use complaint::Named;
pub(super) use complaint::{Complaint, read_complaint};

use crate::model::{Field, FieldSet, LinqContact, LinqId, Timestamp, Values};

/// A contact as Linq showed it.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The contact.
    pub contact: LinqContact,
    /// The JSON text it was read from, with what linqsync does not know: for the
    /// history of deleted contacts.
    pub raw: String,
    /// The fields of which the JSON says something, be it that they are blank.
    mentioned: FieldSet,
}

impl Fetched {
    /// Whether the JSON says anything about `field`, be it that it is blank.
    pub fn mentions(&self, field: Field) -> bool {
        self.mentioned.contains(field)
    }

    /// The answer to an update of the fields `sent`, where what it does not mention is
    /// as it was `before`: some answer with what was updated alone. A field that was sent
    /// and is not mentioned is blank by now; but the owner, which is sent beside the
    /// contact, is as it was.
    #[must_use]
    pub fn complete_with(mut self, sent: FieldSet, before: &Values) -> Fetched {
        for field in FieldSet::ALL.iter() {
            let blank = sent.contains(field) && field != Field::Owner;
            if !blank && !self.mentions(field) {
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

/// The most contacts that Linq documents for one page.
pub(super) const LONGEST_PAGE: usize = 100;

/// One page of the listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The contacts that could be read, in Linq's order.
    pub contacts: Vec<Fetched>,
    /// How many could not: all of them, if there are more than were asked for.
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
pub(super) struct UnreadableAnswer(pub(super) &'static str);

/// The largest contact that is believed, in bytes. The members that Linq documents come to
/// less than a tenth of it.
const LARGEST_CONTACT: usize = 32 * 1024;

const NOT_JSON: UnreadableAnswer = UnreadableAnswer("the body is not a JSON object");
const NO_CONTACT: UnreadableAnswer = UnreadableAnswer("the body holds no contact");
const MALFORMED: UnreadableAnswer = UnreadableAnswer("the contact is malformed");

/// A member of an object, as it is written, if it is there at all.
#[derive(Clone, Copy, Default)]
struct Member<'a>(Option<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Member<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Member<'a>, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Member(Some(raw)))
    }
}

impl Member<'_> {
    /// Whether there is anything but `null`.
    fn is_filled(self) -> bool {
        self.0.is_some_and(|member| member.get() != "null")
    }
}

/// Reads an object, of which only the members of `T` matter. (What derives `Deserialize`
/// would take an array for one, too.)
fn parse_object<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    let is_object = json.trim_ascii_start().starts_with('{');
    is_object.then(|| serde_json::from_str(json).ok()).flatten()
}

/// What stands around contacts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    status: Member<'a>,
    id: Member<'a>,
    data: Member<'a>,
    contact: Member<'a>,
    contacts: Member<'a>,
    pagination: Member<'a>,
}

impl<'a> Envelope<'a> {
    /// Reads a body that reports success.
    fn of_success(body: &'a [u8]) -> Result<Envelope<'a>, UnreadableAnswer> {
        if body.trim_ascii().is_empty() {
            return Err(UnreadableAnswer("the body is empty"));
        }
        let text = std::str::from_utf8(body).map_err(|_| NOT_JSON)?;
        let envelope: Envelope<'_> = parse_object(text).ok_or(NOT_JSON)?;
        match envelope.status.0 {
            Some(status) if status.get() == r#""error""# => {
                Err(UnreadableAnswer("the body reports an error"))
            }
            Some(_) | None => Ok(envelope),
        }
    }
}

/// Reads the one contact that `body` is about.
pub(super) fn parse_contact(body: &[u8]) -> Result<Fetched, UnreadableAnswer> {
    let envelope = Envelope::of_success(body)?;
    if envelope.id.is_filled() {
        return bare_contact(body);
    }
    let enveloped = [envelope.data, envelope.contact].into_iter().find(|inner| inner.is_filled());
    enveloped.and_then(|inner| inner.0).ok_or(NO_CONTACT).and_then(read_contact)
}

/// Reads what a search found, if anything. Nothing is found only where Linq says
/// so: a `null`, or no id, in the place of the contact.
pub(super) fn parse_found(body: &[u8]) -> Result<Option<Fetched>, UnreadableAnswer> {
    if body.trim_ascii() == b"null" {
        return Ok(None);
    }
    let envelope = Envelope::of_success(body)?;
    if envelope.id.0.is_some() {
        return envelope.id.is_filled().then(|| bare_contact(body)).transpose();
    }
    let inner = envelope.contact.0.or(envelope.data.0).ok_or(NO_CONTACT)?;
    if inner.get() == "null" {
        return Ok(None);
    }
    let members: BTreeMap<&str, Member<'_>> = parse_object(inner.get()).ok_or(MALFORMED)?;
    let has_id = members.get("id").map(|id| id.is_filled());
    if members.is_empty() || has_id == Some(false) {
        Ok(None)
    } else {
        read_contact(inner).map(Some)
    }
}

/// Reads a page of the listing.
pub(super) fn parse_page(body: &[u8]) -> Result<Page, UnreadableAnswer> {
    const NO_LIST: UnreadableAnswer = UnreadableAnswer("the body holds no list of contacts");
    let envelope = Envelope::of_success(body)?;
    let list = envelope.contacts.0.or(envelope.data.0).ok_or(NO_LIST)?;
    let list: Vec<&RawValue> = serde_json::from_str(list.get()).map_err(|_| NO_LIST)?;
    // More than Linq ever gives is not taken into memory.
    let believed = if list.len() > LONGEST_PAGE { &[] } else { &list[..] };
    let contacts: Vec<Fetched> = believed.iter().filter_map(|raw| read_contact(raw).ok()).collect();
    Ok(Page {
        unreadable: list.len() - contacts.len(),
        contacts,
        pagination: envelope.pagination.0.map(parse_pagination).unwrap_or_default(),
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts<'a> {
    #[serde(borrow)]
    current_page: Member<'a>,
    per_page: Member<'a>,
    total_pages: Member<'a>,
    total_count: Member<'a>,
}

fn parse_pagination(raw: &RawValue) -> Pagination {
    let Some(counts) = parse_object::<Counts<'_>>(raw.get()) else { return Pagination::default() };
    let number = |Member(member): Member<'_>| member.and_then(parse_number);
    Pagination {
        current_page: number(counts.current_page),
        per_page: number(counts.per_page),
        total_pages: number(counts.total_pages),
        total_count: number(counts.total_count),
    }
}

/// The members of a contact that linqsync knows.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ContactShape<'a> {
    #[serde(borrow)]
    id: Member<'a>,
    first_name: Member<'a>,
    last_name: Member<'a>,
    email: Member<'a>,
    phone_number: Member<'a>,
    company: Member<'a>,
    title: Member<'a>,
    location: Member<'a>,
    created_at: Member<'a>,
    updated_at: Member<'a>,
    contact_owner: Member<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OwnerShape<'a> {
    #[serde(borrow)]
    email: Member<'a>,
}

impl<'a> OwnerShape<'a> {
    /// The owner that stands in the member `contact_owner`, which may be `null`.
    fn from_member(member: Member<'a>) -> Result<OwnerShape<'a>, UnreadableAnswer> {
        let Some(raw) = member.0 else { return Ok(OwnerShape::default()) };
        if raw.get() == "null" {
            Ok(OwnerShape::default())
        } else {
            parse_object(raw.get()).ok_or(MALFORMED)
        }
    }
}

fn bare_contact(body: &[u8]) -> Result<Fetched, UnreadableAnswer> {
    read_contact(serde_json::from_slice(body).map_err(|_| NOT_JSON)?)
}

fn read_contact(raw: &RawValue) -> Result<Fetched, UnreadableAnswer> {
    if raw.get().len() > LARGEST_CONTACT {
        return Err(UnreadableAnswer("the contact is larger than 32 KiB"));
    }
    let shape: ContactShape<'_> = parse_object(raw.get()).ok_or(MALFORMED)?;
    let id = shape.id.0.and_then(parse_number).filter(|id| *id > 0 && i64::try_from(*id).is_ok());
    let members = [
        (Field::FirstName, shape.first_name),
        (Field::LastName, shape.last_name),
        (Field::Email, shape.email),
        (Field::PhoneNumber, shape.phone_number),
        (Field::Company, shape.company),
        (Field::Title, shape.title),
        (Field::Location, shape.location),
    ];
    let (mut values, mut mentioned) = (Values::default(), FieldSet::EMPTY);
    for (field, Member(member)) in members {
        values[field] = parse_text(member).ok_or(MALFORMED)?;
        if member.is_some() {
            mentioned.insert(field);
        }
    }
    values[Field::Owner] =
        parse_text(OwnerShape::from_member(shape.contact_owner)?.email.0).ok_or(MALFORMED)?;
    if shape.contact_owner.0.is_some() {
        mentioned.insert(Field::Owner);
    }
    let contact = LinqContact {
        id: LinqId(id.ok_or(MALFORMED)?),
        values,
        created_at: shape.created_at.0.and_then(parse_instant),
        updated_at: shape.updated_at.0.and_then(parse_instant),
    };
    Ok(Fetched { contact, raw: raw.get().to_owned(), mentioned })
}

/// A text, or a whole number as it is written; `None` for anything else.
fn parse_text(member: Option<&RawValue>) -> Option<EcoString> {
    let Some(raw) = member.map(RawValue::get) else {
        return Some(EcoString::new());
    };
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return Some(raw.into());
    }
    serde_json::from_str::<Option<EcoString>>(raw).ok().map(Option::unwrap_or_default)
}

/// A whole number that is not negative, also if it is written as a text.
fn parse_number(raw: &RawValue) -> Option<u64> {
    let digits = raw.get().trim_matches('"');
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// An instant in RFC 3339, with any offset.
fn parse_instant(raw: &RawValue) -> Option<Timestamp> {
    let text: String = serde_json::from_str(raw.get()).ok()?;
    DateTime::parse_from_rfc3339(&text).ok().map(|instant| instant.with_timezone(&Utc))
}

#[cfg(test)]
mod tests;
