//! The seven endpoints.
//!
//! Owns what a method and a path mean, the query parameters and the envelopes of
//! answers. Leaves contacts to [`super::store`], the words of refusals to
//! [`super::answer`] and sockets to [`super::serve`].

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{self, Problem};
use super::contact::{Contact, Shown};
use super::formats;
use super::input::Input;
use super::quirks::{FindShape, PastEnd, Quirks, UpdateAnswer};
use super::store::Store;

/// The largest body that is read. A contact is a thousand times smaller.
pub(super) const MAX_BODY: usize = 1 << 20;

/// The header that carries the token.
const TOKEN_HEADER: &str = "x-linq-integration-token";

const CONTACTS: &str = "/api/partner/v2/contacts";

/// A kind of request. PUT and PATCH are one kind, for Linq treats them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `GET /api/partner/v2/contacts`
    List,
    /// `GET /api/partner/v2/contacts/{id}`
    Get,
    /// `POST /api/partner/v2/contacts`
    Create,
    /// `PUT` or `PATCH /api/partner/v2/contacts/{id}`
    Update,
    /// `DELETE /api/partner/v2/contacts/{id}`
    Delete,
    /// `GET /api/partner/v2/contacts/find`
    Find,
}

/// What a request asks for: a [`Kind`] and the contact it means.
#[derive(Clone, Copy)]
enum Route {
    List,
    Get(u64),
    Create,
    Update(u64),
    Delete(u64),
    Find,
}

impl Route {
    fn of(method: &Method, path: &str) -> Option<Route> {
        let rest = path.strip_prefix(CONTACTS)?;
        let id = || rest.strip_prefix('/')?.parse::<u64>().ok();
        match (method.as_str(), rest) {
            ("GET", "") => Some(Route::List),
            ("POST", "") => Some(Route::Create),
            ("GET", "/find") => Some(Route::Find),
            ("GET", _) => id().map(Route::Get),
            ("PUT" | "PATCH", _) => id().map(Route::Update),
            ("DELETE", _) => id().map(Route::Delete),
            _ => None,
        }
    }
}

impl Kind {
    /// The kind of a request; `None` when no endpoint is meant.
    pub(super) fn of(method: &Method, path: &str) -> Option<Kind> {
        Route::of(method, path).map(|route| match route {
            Route::List => Kind::List,
            Route::Get(_) => Kind::Get,
            Route::Create => Kind::Create,
            Route::Update(_) => Kind::Update,
            Route::Delete(_) => Kind::Delete,
            Route::Find => Kind::Find,
        })
    }
}

/// Carries out `request` and answers it as Linq would.
pub(super) fn respond(store: &mut Store, token: &str, request: &Request<Bytes>) -> Response<Bytes> {
    let given = request.headers().get(TOKEN_HEADER);
    if given.is_none_or(|given| given.as_bytes() != token.as_bytes()) {
        return Problem::Unauthorized.answer();
    }
    let outcome = match Route::of(request.method(), request.uri().path()) {
        Some(Route::List) => list(store, request),
        Some(Route::Get(id)) => get(store, id),
        Some(Route::Create) => create(store, request),
        Some(Route::Update(id)) => update(store, id, request),
        Some(Route::Delete(id)) => delete(store, id),
        Some(Route::Find) => find(store, request),
        None => Err(Problem::NoEndpoint),
    };
    outcome.unwrap_or_else(Problem::answer)
}

fn list(store: &mut Store, request: &Request<Bytes>) -> Result<Response<Bytes>, Problem> {
    let Quirks { blanks, per_page, past_end, list_lacks: lacks, .. } = store.quirks();
    let per_page = per_page.unwrap_or_else(|| number(request, "per_page", 25, 100));
    let asked = number(request, "page", 1, usize::MAX);
    let last = store.listed_now().div_ceil(per_page).max(1);
    let page = match past_end {
        PastEnd::Missing if asked > last => return Err(Problem::NoEndpoint),
        PastEnd::Last => asked.min(last),
        PastEnd::Empty | PastEnd::Missing => asked,
    };
    let found = store.list((page - 1).saturating_mul(per_page), per_page);
    let contacts: Vec<Shown<'_>> =
        found.contacts.into_iter().map(|contact| Shown { contact, blanks, lacks }).collect();
    let body = Listing {
        contacts,
        pagination: Pagination {
            current_page: page,
            per_page,
            total_pages: found.total_count.div_ceil(per_page),
            total_count: found.total_count,
        },
    };
    Ok(answer::json(StatusCode::OK, &body))
}

#[derive(Serialize)]
struct Listing<'a> {
    contacts: Vec<Shown<'a>>,
    pagination: Pagination,
}

#[derive(Serialize)]
struct Pagination {
    current_page: usize,
    per_page: usize,
    total_pages: usize,
    total_count: usize,
}

#[derive(Serialize)]
struct Enveloped<'a> {
    data: Shown<'a>,
}

fn enveloped(status: StatusCode, quirks: Quirks, contact: &Contact) -> Response<Bytes> {
    answer::json(status, &Enveloped { data: Shown { contact, blanks: quirks.blanks, lacks: None } })
}

fn get(store: &Store, id: u64) -> Result<Response<Bytes>, Problem> {
    Ok(enveloped(StatusCode::OK, store.quirks(), store.get(id)?))
}

fn create(store: &mut Store, request: &Request<Bytes>) -> Result<Response<Bytes>, Problem> {
    let quirks = store.quirks();
    let input = input(quirks, request)?;
    Ok(enveloped(StatusCode::CREATED, quirks, store.create(&input)?))
}

fn update(
    store: &mut Store,
    id: u64,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Problem> {
    let quirks = store.quirks();
    store.get(id)?;
    let input = input(quirks, request)?;
    let contact = store.update(id, &input)?;
    Ok(match quirks.update_answer {
        UpdateAnswer::Whole => enveloped(StatusCode::OK, quirks, contact),
        UpdateAnswer::Partial => {
            let mut shown =
                json!({ "data": Shown { contact, blanks: quirks.blanks, lacks: None } });
            if let Some(members) = shown["data"].as_object_mut() {
                members.retain(|name, _| name == "id" || input.texts.contains_key(name.as_str()));
            }
            answer::json(StatusCode::OK, &shown)
        }
    })
}

fn delete(store: &mut Store, id: u64) -> Result<Response<Bytes>, Problem> {
    store.delete(id)?;
    Ok(answer::without_body(StatusCode::NO_CONTENT))
}

fn find(store: &mut Store, request: &Request<Bytes>) -> Result<Response<Bytes>, Problem> {
    let given = |name| parameter(request, name).filter(|text| !text.trim().is_empty());
    let (email, phone) = (given("email"), given("phone_number"));
    if email.is_none() && phone.is_none() {
        return Err(Problem::NothingToFind);
    }
    if email.as_deref().is_some_and(|email| !formats::is_email(email)) {
        return Err(Problem::invalid("Email is invalid"));
    }
    let phone = match phone.as_deref().map(formats::e164) {
        Some(None) => return Err(Problem::invalid("Phone number is invalid")),
        Some(number) => number,
        None => None,
    };
    let Quirks { blanks, find_shape, .. } = store.quirks();
    let found = store.find(email.as_deref(), phone.as_deref());
    let found = found.map(|contact| Shown { contact, blanks, lacks: None });
    let body = match (find_shape, &found) {
        (FindShape::Bare, Some(contact)) => return Ok(answer::json(StatusCode::OK, contact)),
        (FindShape::Bare, None) | (FindShape::Contact, _) => json!({ "contact": found }),
        (FindShape::Data, _) => json!({ "data": found }),
    };
    Ok(answer::json(StatusCode::OK, &body))
}

fn input(quirks: Quirks, request: &Request<Bytes>) -> Result<Input, Problem> {
    if request.body().len() > MAX_BODY {
        return Err(Problem::TooLarge);
    }
    if !is_json(request.headers()) {
        return Err(Problem::NotDeclaredJson);
    }
    Input::read(request.body(), quirks.phone)
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|declared| declared.to_str().ok());
    let essence = declared.and_then(|declared| declared.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// A query parameter that counts from 1: out of range it is moved into it, and
/// what is no number counts as not given.
fn number(request: &Request<Bytes>, name: &str, default: usize, most: usize) -> usize {
    let given = parameter(request, name).and_then(|text| text.parse::<i64>().ok());
    given.map_or(default, |n| usize::try_from(n).unwrap_or(1).clamp(1, most))
}

/// The last value of a query parameter, decoded: `+` is a space and `%2B` a plus.
fn parameter(request: &Request<Bytes>, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(request.uri().query()?.as_bytes());
    pairs.filter(|(given, _)| given == name).last().map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests;
