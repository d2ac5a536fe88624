//! What is asked: the seven calls as requests.
//!
//! Owns URLs, queries and bodies. Leaves the token to [`super::token`] and
//! sending to [`super::exchange`].

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method};
use serde_json::{Map, Value, json};
use url::Url;

use super::settings::BaseUrl;
use super::token;
use crate::model::{Field, LinqId, Values};

/// What was asked, as errors and logs name it: with ids and page numbers, never
/// with what was searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A page of the listing.
    List {
        /// The page, counted from 1.
        page: u32,
    },
    /// A search by e-mail.
    FindByEmail,
    /// A search by phone number.
    FindByPhone,
    /// A search by both.
    FindByEither,
    /// A contact by id.
    Get(LinqId),
    /// A new contact.
    Create,
    /// Other values for a contact.
    Update(LinqId),
    /// A contact's end.
    Delete(LinqId),
}

impl Call {
    /// What kind of call it is, in one word.
    pub const fn kind(self) -> &'static str {
        match self {
            Call::List { .. } => "list",
            Call::FindByEmail | Call::FindByPhone | Call::FindByEither => "find",
            Call::Get(_) => "get",
            Call::Create => "create",
            Call::Update(_) => "update",
            Call::Delete(_) => "delete",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::List { page } => write!(f, "list page {page}"),
            Call::FindByEmail => f.write_str("find by e-mail"),
            Call::FindByPhone => f.write_str("find by phone number"),
            Call::FindByEither => f.write_str("find by e-mail or phone number"),
            Call::Get(id) => write!(f, "get contact {id}"),
            Call::Create => f.write_str("create a contact"),
            Call::Update(id) => write!(f, "update contact {id}"),
            Call::Delete(id) => write!(f, "delete contact {id}"),
        }
    }
}

/// What to search for. With both Linq answers with a contact that has either, and does
/// not say which.
#[derive(Clone, Copy)]
pub enum FindBy<'a> {
    /// An e-mail address.
    Email(&'a str),
    /// A phone number; Linq reads it as E.164.
    Phone(&'a str),
    /// Either of them.
    Either {
        /// An e-mail address.
        email: &'a str,
        /// A phone number.
        phone: &'a str,
    },
}

/// New texts for some fields of a contact, with at least one field that
/// identifies a person among them: Linq refuses an update without one, even if
/// only the title changes (API page "Update Contact").
#[derive(Clone, PartialEq, Eq)]
pub struct Update {
    set: BTreeMap<Field, String>,
    user_email: Option<String>,
}

/// Why fields and texts are no update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// Add the current name, e-mail or phone number; clearing the last of them is
    /// refused.
    #[error("an update must hold a first name, last name, e-mail or phone number")]
    NoIdentity,
    /// The owner is not a member of the contact: it goes into `user_email`.
    #[error("the owner is not among the fields that an update sets")]
    OwnerAmongFields,
}

impl Update {
    /// Sets each field of `set` to its text, empty to clear it; if a field is there
    /// twice the last counts. `user_email` becomes the owner. Linq's documents can
    /// be read as if leaving it out made the first admin the owner, so the current
    /// owner should be named.
    ///
    /// # Errors
    /// [`UpdateError`] when Linq would refuse this, or do something else.
    pub fn new(
        set: impl IntoIterator<Item = (Field, String)>,
        user_email: Option<String>,
    ) -> Result<Update, UpdateError> {
        let set: BTreeMap<Field, String> = set.into_iter().collect();
        if set.contains_key(&Field::Owner) {
            return Err(UpdateError::OwnerAmongFields);
        }
        let fills = |field| set.get(&field).is_some_and(|text| !text.trim().is_empty());
        if !Field::IDENTITY.into_iter().any(fills) {
            return Err(UpdateError::NoIdentity);
        }
        Ok(Update { set, user_email })
    }

    /// The same update without naming an owner: for a second try when Linq does
    /// not know the user ([`super::RejectionReason::NoSuchUser`]).
    #[must_use]
    pub fn without_user_email(self) -> Update {
        Update { user_email: None, ..self }
    }
}

impl fmt::Debug for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.set.keys()).finish()
    }
}

/// One request, ready to be sent as often as needed.
pub(super) struct RequestDraft {
    pub(super) call: Call,
    /// Whether the body asks for an owner, who may be unknown to Linq.
    pub(super) names_user: bool,
    /// How often it may be sent, whatever the client's settings allow.
    pub(super) most_attempts: u32,
    method: Method,
    url: Url,
    body: Option<Bytes>,
}

impl RequestDraft {
    pub(super) fn list(base: &BaseUrl, page: u32, per_page: u32) -> RequestDraft {
        let mut url = contacts_url(base, &[]);
        url.query_pairs_mut()
            .append_pair("page", &page.to_string())
            .append_pair("per_page", &per_page.to_string());
        RequestDraft::without_body(Call::List { page }, Method::GET, url)
    }

    pub(super) fn find(base: &BaseUrl, by: FindBy<'_>) -> RequestDraft {
        let (call, email, phone) = match by {
            FindBy::Email(email) => (Call::FindByEmail, Some(email), None),
            FindBy::Phone(phone) => (Call::FindByPhone, None, Some(phone)),
            FindBy::Either { email, phone } => (Call::FindByEither, Some(email), Some(phone)),
        };
        let mut url = contacts_url(base, &["find"]);
        let wanted = [("email", email), ("phone_number", phone)];
        // Form encoding sends `+` as `%2B`, without which E.164 loses its plus.
        url.query_pairs_mut()
            .extend_pairs(wanted.into_iter().filter_map(|(name, text)| Some((name, text?))));
        RequestDraft::without_body(call, Method::GET, url)
    }

    pub(super) fn get(base: &BaseUrl, id: LinqId) -> RequestDraft {
        RequestDraft::without_body(
            Call::Get(id),
            Method::GET,
            contacts_url(base, &[&id.to_string()]),
        )
    }

    pub(super) fn delete(base: &BaseUrl, id: LinqId) -> RequestDraft {
        RequestDraft::without_body(
            Call::Delete(id),
            Method::DELETE,
            contacts_url(base, &[&id.to_string()]),
        )
    }

    pub(super) fn create(
        base: &BaseUrl,
        values: &Values,
        user_email: Option<&str>,
    ) -> RequestDraft {
        let filled = values.filled_fields().iter().map(|field| (field, values[field].as_str()));
        RequestDraft::without_body(Call::Create, Method::POST, contacts_url(base, &[]))
            .with_body(filled, user_email)
    }

    pub(super) fn update(
        base: &BaseUrl,
        method: Method,
        id: LinqId,
        update: &Update,
    ) -> RequestDraft {
        let set = update.set.iter().map(|(field, text)| (*field, text.as_str()));
        RequestDraft::without_body(Call::Update(id), method, contacts_url(base, &[&id.to_string()]))
            .with_body(set, update.user_email.as_deref())
    }

    fn without_body(call: Call, method: Method, url: Url) -> RequestDraft {
        RequestDraft { call, names_user: false, most_attempts: u32::MAX, method, url, body: None }
    }

    /// The same, to be sent once.
    pub(super) fn without_retry(self) -> RequestDraft {
        RequestDraft { most_attempts: 1, ..self }
    }

    /// Adds the body that create and update share. The owner stands beside the
    /// contact, never inside it; a blank one is no owner.
    fn with_body<'a>(
        self,
        set: impl Iterator<Item = (Field, &'a str)>,
        user_email: Option<&str>,
    ) -> RequestDraft {
        let contact: Map<String, Value> = set
            .filter(|(field, _)| *field != Field::Owner)
            .map(|(field, text)| (field.name().to_owned(), text.into()))
            .collect();
        let mut body = json!({ "contact": contact });
        let user_email = user_email.filter(|email| !email.trim().is_empty());
        if let Some(email) = user_email {
            body["user_email"] = email.into();
        }
        let names_user = user_email.is_some();
        RequestDraft { names_user, body: Some(body.to_string().into()), ..self }
    }

    /// The request, with the token in its header.
    ///
    /// # Errors
    /// When the base URL cannot stand in a request.
    pub(super) fn to_request(
        &self,
        token: HeaderValue,
        user_agent: &HeaderValue,
    ) -> Result<http::Request<Bytes>, http::Error> {
        let request = http::Request::builder()
            .method(self.method.clone())
            .uri(self.url.as_str())
            // For whoever counts requests on their way.
            .extension(self.call)
            .header(token::HEADER, token)
            .header(USER_AGENT, user_agent)
            .header(ACCEPT, "application/json");
        match &self.body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(Bytes::clone(body)),
            None => request.body(Bytes::new()),
        }
    }
}

/// The address of the contacts, or of what is below them. Only ever below the
/// base URL.
fn contacts_url(base: &BaseUrl, below: &[&str]) -> Url {
    let mut url = base.as_url().clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["api", "partner", "v2", "contacts"]).extend(below);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BaseUrl {
        BaseUrl::new(Url::parse(text).unwrap()).unwrap()
    }

    fn sent(draft: &RequestDraft) -> http::Request<Bytes> {
        let header = HeaderValue::from_static("token");
        draft.to_request(header.clone(), &header).unwrap()
    }

    #[test]
    fn requests_go_below_the_base_url() {
        let id = LinqId(u64::MAX);
        let cases = [
            ("https://a.example", "https://a.example/api/partner/v2/contacts/18446744073709551615"),
            (
                "https://a.example:8/x/",
                "https://a.example:8/x/api/partner/v2/contacts/18446744073709551615",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(sent(&RequestDraft::get(&base(text), id)).uri().to_string(), expected);
        }
    }

    #[test]
    fn what_is_searched_for_cannot_leave_its_place_in_the_query() {
        let base = base("https://a.example");
        let query = |by| sent(&RequestDraft::find(&base, by)).uri().query().unwrap().to_owned();
        assert_eq!(query(FindBy::Phone("+15551234567")), "phone_number=%2B15551234567");
        assert_eq!(
            query(FindBy::Email("a+b&page=1@x.example#?")),
            "email=a%2Bb%26page%3D1%40x.example%23%3F"
        );
    }

    #[test]
    fn a_new_contact_is_sent_without_blanks_and_with_its_owner_beside_it() {
        let values: Values = [
            (Field::FirstName, "Ada".to_owned()),
            (Field::Title, " ".to_owned()),
            (Field::Owner, "not@here.example".to_owned()),
        ]
        .into_iter()
        .collect();
        let draft =
            RequestDraft::create(&base("https://a.example"), &values, Some("sam@acme.example"));
        assert_eq!(
            sent(&draft).body(),
            r#"{"contact":{"first_name":"Ada"},"user_email":"sam@acme.example"}"#
        );
    }

    #[test]
    fn a_blank_owner_is_not_sent() {
        let base = base("https://a.example");
        for owner in [None, Some(""), Some(" ")] {
            let draft = RequestDraft::create(&base, &Values::default(), owner);
            assert_eq!(sent(&draft).body(), r#"{"contact":{}}"#);
            assert!(!draft.names_user);
        }
    }

    #[test]
    fn an_update_without_identity_cannot_be_made() {
        let text = str::to_owned;
        let update = |set: &[(Field, &str)]| {
            Update::new(set.iter().map(|(field, value)| (*field, text(value))), None)
        };
        for field in Field::IDENTITY {
            assert!(update(&[(field, "x"), (Field::Title, "")]).is_ok(), "{field}");
            assert_eq!(update(&[(field, " ")]), Err(UpdateError::NoIdentity), "{field}");
        }
        assert_eq!(update(&[(Field::Title, "x")]), Err(UpdateError::NoIdentity));
        assert_eq!(
            update(&[(Field::Email, "x"), (Field::Owner, "y")]),
            Err(UpdateError::OwnerAmongFields)
        );
    }

    #[test]
    fn an_update_sends_what_it_sets_and_clears_with_an_empty_text() {
        let set = [(Field::Email, "a@b.example".to_owned()), (Field::Title, String::new())];
        let update = Update::new(set, Some("o@b.example".to_owned())).unwrap();
        let base = base("https://a.example");
        let body = |update: &Update| {
            let draft = RequestDraft::update(&base, Method::PATCH, LinqId(1), update);
            String::from_utf8(sent(&draft).into_body().into()).unwrap()
        };
        assert_eq!(
            body(&update),
            r#"{"contact":{"email":"a@b.example","title":""},"user_email":"o@b.example"}"#
        );
        assert_eq!(
            body(&update.without_user_email()),
            r#"{"contact":{"email":"a@b.example","title":""}}"#
        );
    }
}
