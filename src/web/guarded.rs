//! What is checked of each request before a page is made, and what each answer tells the
//! browser.
//!
//! Refused are: a host that is not ours (DNS rebinding), a form of another site, one without
//! the token of its session, one that is too long, and methods that no page has. GET and HEAD
//! never change anything.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;

use super::caller::Caller;
use super::form::FormFields;
use super::passwords::Passwords;
use super::sessions::{Session, is_same};
use super::{Inbox, frame, locked, routes};
use crate::config::WebConfig;
use crate::listening::names_this_machine;

pub(super) type Answer = Response<Full<Bytes>>;

/// A request, read.
pub(super) struct BrowserRequest {
    pub(super) head: Parts,
    /// `None` if it was too long or did not arrive.
    pub(super) body: Option<Bytes>,
    pub(super) peer: SocketAddr,
    pub(super) caller: Caller,
}

/// What every answer has. No script, no image and nothing of another site is ever loaded, and
/// no page is shown within another one. The referrer is kept from other sites; with `no-referrer`
/// browsers would send `Origin: null` with our own forms.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; \
         base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The answer to a request.
pub(super) fn answer(inbox: &Inbox, asked: BrowserRequest) -> Answer {
    let Some((config, web)) = inbox.config() else { return plain(StatusCode::NOT_FOUND, "gone\n") };
    let BrowserRequest { head, body, peer, caller } = asked;
    let is_head = head.method == Method::HEAD;
    let mut answer = match refusal(&web, &head) {
        Some(refused) => refused,
        None if body.is_none() => {
            plain(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long, or broke off\n")
        }
        None => {
            let body = body.unwrap_or_default();
            let cookie = cookie_of(&head, cookie_name(&web));
            let session = cookie.as_deref().and_then(|token| session(inbox, &web, token));
            let visit = Visit {
                inbox,
                config: &config,
                web: &web,
                path: head.uri.path(),
                query: FormFields::of(head.uri.query().unwrap_or_default().as_bytes()),
                form: FormFields::of(&body),
                token: cookie.filter(|_| session.is_some()).unwrap_or_default(),
                session,
                from: address(&web, &head, peer),
                caller: &caller,
            };
            if head.method == Method::POST { posted(&visit) } else { routes::shown_page(&visit) }
        }
    };
    if is_head {
        *answer.body_mut() = Full::default();
    }
    add_headers(&mut answer);
    answer
}

fn add_headers(answer: &mut Answer) {
    for (name, value) in HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

/// A request that passed the first checks.
pub(super) struct Visit<'a> {
    pub(super) inbox: &'a Inbox,
    pub(super) config: &'a crate::config::Config,
    pub(super) web: &'a WebConfig,
    pub(super) path: &'a str,
    pub(super) query: FormFields,
    pub(super) form: FormFields,
    pub(super) session: Option<Session>,
    /// The cookie of the session.
    pub(super) token: String,
    /// Where it comes from, as far as that is known.
    pub(super) from: IpAddr,
    pub(super) caller: &'a Caller,
}

impl Visit<'_> {
    /// Has the next page say something.
    pub(super) fn note(&self, text: impl Into<String>) {
        locked(&self.inbox.sessions).note(&self.token, text.into());
    }
}

fn refusal(web: &WebConfig, head: &Parts) -> Option<Answer> {
    if !is_ours(web, head) {
        let text = "this address is not served here; see web.public_url\n";
        return Some(plain(StatusCode::MISDIRECTED_REQUEST, text));
    }
    match head.method {
        Method::GET | Method::HEAD => None,
        Method::POST if is_from_elsewhere(web, head) => {
            Some(plain(StatusCode::FORBIDDEN, "this form is not from here\n"))
        }
        Method::POST => {
            let content = head.headers.get(header::CONTENT_TYPE);
            let content = content.and_then(|value| value.to_str().ok()).unwrap_or_default();
            let is_form = content.starts_with("application/x-www-form-urlencoded");
            let text = "only forms are taken\n";
            (!is_form).then(|| plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
        }
        _ => Some(plain(StatusCode::METHOD_NOT_ALLOWED, "only GET, HEAD and POST\n")),
    }
}

/// Whether the request is for us by its host.
fn is_ours(web: &WebConfig, head: &Parts) -> bool {
    let hosts: Vec<&str> =
        head.headers.get_all(header::HOST).iter().map(|h| h.to_str().unwrap_or("?")).collect();
    let in_target = head.uri.authority().map(http::uri::Authority::as_str);
    let mut named = hosts.iter().copied().chain(in_target);
    named.all(|host| {
        is_public(web, host) || (web.listen.ip().is_loopback() && names_this_machine(host))
    }) && !hosts.is_empty()
}

/// Whether `host` is that of the public address.
fn is_public(web: &WebConfig, host: &str) -> bool {
    let Some(url) = &web.public_url else { return false };
    let name = url.host_str().unwrap_or_default();
    let port = url.port();
    let public = port.map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    host.eq_ignore_ascii_case(&public)
        || (port.is_none() && host.eq_ignore_ascii_case(&format!("{name}:443")))
}

/// Whether a browser says that another site sends the form.
fn is_from_elsewhere(web: &WebConfig, head: &Parts) -> bool {
    let text = |name: HeaderName| head.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text(HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return true;
    }
    let Some(origin) = text(header::ORIGIN) else { return false };
    // What a browser sends where its user has it hide where forms come from.
    if origin == "null" && site == Some("same-origin") {
        return false;
    }
    let host = origin.split_once("://").map_or("?", |(_, host)| host);
    let same = text(header::HOST).is_some_and(|ours| ours.eq_ignore_ascii_case(host));
    !(same || is_public(web, host))
}

/// Where a request comes from. A proxy on this machine says it, and adds it at the end of what
/// it was told itself.
fn address(web: &WebConfig, head: &Parts, peer: SocketAddr) -> IpAddr {
    if !peer.ip().is_loopback() || web.public_url.is_none() {
        return peer.ip();
    }
    let told = head.headers.get_all("x-forwarded-for").iter().next_back();
    let told = told.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    told.unwrap_or(peer.ip())
}

/// The name of the cookie: one that browsers take by https alone, where that is how they come.
pub(super) fn cookie_name(web: &WebConfig) -> &'static str {
    if web.is_https() { "__Host-linqsync" } else { "linqsync" }
}

fn cookie_of(head: &Parts, name: &str) -> Option<String> {
    let all = head.headers.get_all(header::COOKIE).iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, token)| token.to_owned())
}

/// The session of a cookie, as long as the password that began it is in the file.
fn session(inbox: &Inbox, web: &WebConfig, token: &str) -> Option<Session> {
    let session = locked(&inbox.sessions).of(token, inbox.now())?;
    let is_good = Passwords::read(&web.password_file).is_ok_and(|known| known.has(&session.key));
    if !is_good {
        locked(&inbox.sessions).end(token);
    }
    is_good.then_some(session)
}

fn posted(visit: &Visit<'_>) -> Answer {
    if visit.path == "/login" {
        return routes::log_in(visit);
    }
    let Some(session) = &visit.session else { return redirect("/login") };
    if !is_same(visit.form.get("csrf"), &session.csrf) {
        return frame::message(
            visit,
            StatusCode::FORBIDDEN,
            "The form was not taken",
            "It is not of this session. Nothing was changed.",
            "/",
        );
    }
    routes::posted(visit, session)
}

/// An answer that is a word or two.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Answer {
    with_type(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

pub(super) fn with_type(status: StatusCode, content: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    answer
}

/// Another page is what the browser asks for next.
pub(super) fn redirect(to: &str) -> Answer {
    let mut answer = plain(StatusCode::SEE_OTHER, "");
    if let Ok(to) = HeaderValue::from_str(to) {
        answer.headers_mut().insert(header::LOCATION, to);
    }
    answer
}

/// What a browser gets that has waited for too long.
pub(super) fn too_late() -> Answer {
    let text = "this took too long, and nothing was done; try again, or use the command line\n";
    let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, text);
    add_headers(&mut answer);
    answer
}

/// What a browser gets if there is a defect.
pub(super) fn defect() -> Answer {
    plain(StatusCode::INTERNAL_SERVER_ERROR, "a defect of linqsync; its log says where\n")
}
