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

use super::answer::{self, RequestProblem};
use super::contact::{Contact, RenderedContact};
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
pub enum RouteKind {
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

/// What a request asks for: a [`RouteKind`] and the contact it means.
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
    fn match_route(method: &Method, path: &str) -> Option<Route> {
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

impl RouteKind {
    /// The kind of a request; `None` when no endpoint is meant.
    pub(super) fn kind_of_request(method: &Method, path: &str) -> Option<RouteKind> {
        Route::match_route(method, path).map(|route| match route {
            Route::List => RouteKind::List,
            Route::Get(_) => RouteKind::Get,
            Route::Create => RouteKind::Create,
            Route::Update(_) => RouteKind::Update,
            Route::Delete(_) => RouteKind::Delete,
            Route::Find => RouteKind::Find,
        })
    }
}

/// Carries out `request` and answers it as Linq would.
pub(super) fn respond_to(
    store: &mut Store,
    token: &str,
    request: &Request<Bytes>,
) -> Response<Bytes> {
    let given = request.headers().get(TOKEN_HEADER);
    if given.is_none_or(|given| given.as_bytes() != token.as_bytes()) {
        return RequestProblem::Unauthorized.to_response();
    }
    let outcome = match Route::match_route(request.method(), request.uri().path()) {
        Some(Route::List) => list_contacts(store, request),
        Some(Route::Get(id)) => get_contact(store, id),
        Some(Route::Create) => create_contact(store, request),
        Some(Route::Update(id)) => update_contact(store, id, request),
        Some(Route::Delete(id)) => delete_contact(store, id),
        Some(Route::Find) => find_contact(store, request),
        None => Err(RequestProblem::NoEndpoint),
    };
    outcome.unwrap_or_else(RequestProblem::to_response)
}

fn list_contacts(
    store: &mut Store,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, RequestProblem> {
    let Quirks { blanks, per_page, past_end, list_lacks: lacks, .. } = store.quirks();
    let per_page = per_page.unwrap_or_else(|| count_parameter(request, "per_page", 25, 100));
    let asked = count_parameter(request, "page", 1, usize::MAX);
    let last = store.listed_now().div_ceil(per_page).max(1);
    let page = match past_end {
        PastEnd::Missing if asked > last => return Err(RequestProblem::NoEndpoint),
        PastEnd::Last => asked.min(last),
        PastEnd::Empty | PastEnd::Missing => asked,
    };
    let found = store.list((page - 1).saturating_mul(per_page), per_page);
    let contacts: Vec<RenderedContact<'_>> = found
        .contacts
        .into_iter()
        .map(|contact| RenderedContact { contact, blanks, lacks })
        .collect();
    let body = ListingBody {
        contacts,
        pagination: PaginationBody {
            current_page: page,
            per_page,
            total_pages: found.total_count.div_ceil(per_page),
            total_count: found.total_count,
        },
    };
    Ok(answer::json_response(StatusCode::OK, &body))
}

#[derive(Serialize)]
struct ListingBody<'a> {
    contacts: Vec<RenderedContact<'a>>,
    pagination: PaginationBody,
}

#[derive(Serialize)]
struct PaginationBody {
    current_page: usize,
    per_page: usize,
    total_pages: usize,
    total_count: usize,
}

#[derive(Serialize)]
struct Enveloped<'a> {
    data: RenderedContact<'a>,
}

fn contact_response(status: StatusCode, quirks: Quirks, contact: &Contact) -> Response<Bytes> {
    answer::json_response(
        status,
        &Enveloped { data: RenderedContact { contact, blanks: quirks.blanks, lacks: None } },
    )
}

fn get_contact(store: &Store, id: u64) -> Result<Response<Bytes>, RequestProblem> {
    Ok(contact_response(StatusCode::OK, store.quirks(), store.get(id)?))
}

fn create_contact(
    store: &mut Store,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, RequestProblem> {
    let quirks = store.quirks();
    let input = read_input(quirks, request)?;
    Ok(contact_response(StatusCode::CREATED, quirks, store.create(&input)?))
}

fn update_contact(
    store: &mut Store,
    id: u64,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, RequestProblem> {
    let quirks = store.quirks();
    store.get(id)?;
    let input = read_input(quirks, request)?;
    let contact = store.update(id, &input)?;
    Ok(match quirks.update_answer {
        UpdateAnswer::Whole => contact_response(StatusCode::OK, quirks, contact),
        UpdateAnswer::Partial => {
            let mut shown =
                json!({ "data": RenderedContact { contact, blanks: quirks.blanks, lacks: None } });
            if let Some(members) = shown["data"].as_object_mut() {
                members.retain(|name, _| name == "id" || input.texts.contains_key(name.as_str()));
            }
            answer::json_response(StatusCode::OK, &shown)
        }
    })
}

fn delete_contact(store: &mut Store, id: u64) -> Result<Response<Bytes>, RequestProblem> {
    store.delete(id)?;
    Ok(answer::without_body(StatusCode::NO_CONTENT))
}

fn find_contact(
    store: &mut Store,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, RequestProblem> {
    let given = |name| query_parameter(request, name).filter(|text| !text.trim().is_empty());
    let (email, phone) = (given("email"), given("phone_number"));
    if email.is_none() && phone.is_none() {
        return Err(RequestProblem::NothingToFind);
    }
    if email.as_deref().is_some_and(|email| !formats::is_email(email)) {
        return Err(RequestProblem::invalid_because("Email is invalid"));
    }
    let phone = match phone.as_deref().map(formats::to_e164) {
        Some(None) => return Err(RequestProblem::invalid_because("Phone number is invalid")),
        Some(number) => number,
        None => None,
    };
    let Quirks { blanks, find_shape, .. } = store.quirks();
    let found = store.find(email.as_deref(), phone.as_deref());
    let found = found.map(|contact| RenderedContact { contact, blanks, lacks: None });
    let body = match (find_shape, &found) {
        (FindShape::Bare, Some(contact)) => {
            return Ok(answer::json_response(StatusCode::OK, contact));
        }
        (FindShape::Bare, None) | (FindShape::Contact, _) => json!({ "contact": found }),
        (FindShape::Data, _) => json!({ "data": found }),
    };
    Ok(answer::json_response(StatusCode::OK, &body))
}

fn read_input(quirks: Quirks, request: &Request<Bytes>) -> Result<Input, RequestProblem> {
    if request.body().len() > MAX_BODY {
        return Err(RequestProblem::TooLarge);
    }
    if !is_json(request.headers()) {
        return Err(RequestProblem::NotDeclaredJson);
    }
    Input::read_body(request.body(), quirks.phone)
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|declared| declared.to_str().ok());
    let essence = declared.and_then(|declared| declared.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// A query parameter that counts from 1: out of range it is moved into it, and
/// what is no number counts as not given.
fn count_parameter(request: &Request<Bytes>, name: &str, default: usize, most: usize) -> usize {
    let given = query_parameter(request, name).and_then(|text| text.parse::<i64>().ok());
    given.map_or(default, |n| usize::try_from(n).unwrap_or(1).clamp(1, most))
}

/// The last value of a query parameter, decoded: `+` is a space and `%2B` a plus.
fn query_parameter(request: &Request<Bytes>, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(request.uri().query()?.as_bytes());
    pairs.filter(|(given, _)| given == name).last().map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests;
