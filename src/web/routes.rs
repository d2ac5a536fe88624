//! Which page answers what, and who may see and do what.
//!
//! Without a session there is the page to log in and the style, and nothing else. What is asked
//! for with GET changes nothing.

use askama::Template;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use super::deciding::{Refused, decide};
use super::frame::{error_text, message, missing, page};
use super::guarded::{Answer, Visit, cookie_name, plain, redirect, too_late, with_type};
use super::passwords::{InboxRole, LONGEST};
use super::sessions::Session;
use super::{RunWanted, contact, lists, locked, overview, past};
use crate::decisions::ListState;
use crate::model::{LinqId, RunId};
use crate::text::{count_noun, shown_text};

const STYLE: &[u8] = include_bytes!("pages/style.css");
/// The longest name that is kept.
const LONGEST_NAME: usize = 40;

/// The answer to GET and HEAD.
pub(super) fn shown_page(visit: &Visit<'_>) -> Answer {
    if visit.path == "/style.css" {
        return with_type(StatusCode::OK, "text/css; charset=utf-8", Bytes::from_static(STYLE));
    }
    if visit.path == "/login" {
        return if visit.session.is_some() { redirect("/") } else { login(StatusCode::OK, None) };
    }
    if visit.session.is_none() {
        return redirect("/login");
    }
    let parts: Vec<&str> = visit.path.split('/').skip(1).collect();
    let list = |name: &str| ListState::ATTENTION.into_iter().find(|list| list.name() == name);
    match *parts.as_slice() {
        [""] => overview::overview(visit),
        ["list", "duplicates"] => lists::twice(visit),
        ["list", "all.csv"] => lists::csv(visit, None),
        ["list", name] => match (list(name), name.strip_suffix(".csv").and_then(list)) {
            (Some(list), _) => lists::list(visit, list),
            (None, Some(list)) => lists::csv(visit, Some(list)),
            (None, None) => missing(visit),
        },
        ["contact", id] => match id.parse() {
            Ok(id) => contact::contact(visit, LinqId(id)),
            Err(_) => missing(visit),
        },
        ["history"] => past::history(visit),
        ["history", id] => match id.parse() {
            Ok(id) => past::run(visit, RunId(id)),
            Err(_) => missing(visit),
        },
        ["search"] => contact::search(visit, None),
        _ => missing(visit),
    }
}

/// The answer to the form of a session.
pub(super) fn posted(visit: &Visit<'_>, session: &Session) -> Answer {
    match visit.path {
        "/logout" => {
            locked(&visit.inbox.sessions).end(&visit.token);
            let mut answer = redirect("/login");
            set_cookie(visit, &mut answer, "", "; Max-Age=0");
            return answer;
        }
        "/search" => return contact::search(visit, Some(visit.form.get("text"))),
        _ => {}
    }
    if session.role != InboxRole::Decide {
        let text = "You are logged in with the password for looking. Nothing was changed.";
        return message(visit, StatusCode::FORBIDDEN, "You may look", text, "/");
    }
    match visit.path {
        "/decide" => decided(visit, session),
        "/sync" => sync(visit, session),
        "/undo/plan" => past::undo_plan(visit),
        "/undo" => past::undo(visit, session),
        _ => missing(visit),
    }
}

fn sync(visit: &Visit<'_>, session: &Session) -> Answer {
    if !visit.caller.begin() {
        return too_late();
    }
    if (visit.inbox.outside.ask)(RunWanted { by: session.by(), undo: None }) {
        visit.note("A run was asked for.");
    } else {
        visit.note("Too many runs are asked for already.");
    }
    redirect("/")
}

/// Where a form goes back to: one of our own pages.
fn back(visit: &Visit<'_>) -> String {
    let back = visit.form.get("back");
    let is_list = ListState::ATTENTION.iter().any(|list| list.name() == back);
    let contact = back.strip_prefix("contact/").and_then(|id| id.parse::<u64>().ok());
    match contact {
        Some(id) => format!("/contact/{id}"),
        None if is_list => format!("/list/{back}"),
        None => "/".to_owned(),
    }
}

fn decided(visit: &Visit<'_>, session: &Session) -> Answer {
    let back = back(visit);
    match decide(visit, &session.by()) {
        Ok(0) => visit.note("Nothing was chosen, so nothing was recorded."),
        Ok(count) => visit.note(format!(
            "{} recorded. The next run carries out what was decided; “Sync now” on the overview \
             makes one.",
            count_noun(count, "decision was", "decisions were")
        )),
        Err(Refused::Gone) => return too_late(),
        Err(Refused::Stale) => {
            let text = "What the page showed has changed since, or somebody else has decided it. \
                        Nothing was recorded.";
            return message(visit, StatusCode::CONFLICT, "This page is stale", text, &back);
        }
        Err(Refused::Wrong(why)) => {
            let why = error_text(&why, 1000);
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return message(visit, status, "Nothing was recorded", &why, &back);
        }
    }
    redirect(&back)
}

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    problem: Option<&'a str>,
}

fn login(status: StatusCode, problem: Option<&str>) -> Answer {
    page(status, &Login { problem })
}

/// The answer to a password.
pub(super) fn log_in(visit: &Visit<'_>) -> Answer {
    let (inbox, now) = (visit.inbox, visit.inbox.now());
    // Each of them is slow, on purpose: so they come one after another.
    let _one_at_a_time = locked(&inbox.hashing);
    let wait = locked(&inbox.attempts).wait(visit.from, now);
    if let Some(wait) = wait {
        let mut answer = login(
            StatusCode::TOO_MANY_REQUESTS,
            Some("Too many wrong passwords. Try again in a quarter of an hour."),
        );
        let wait = HeaderValue::from(wait.num_seconds().max(1));
        answer.headers_mut().insert(header::RETRY_AFTER, wait);
        return answer;
    }
    locked(&inbox.attempts).begin(visit.from, now);
    let role_of = &inbox.outside.helpers.role_of;
    let password = visit.form.get("password");
    let told = if password.chars().count() > LONGEST {
        Ok(None)
    } else {
        role_of(&visit.web.password_file, password)
    };
    let (role, key) = match told {
        Ok(Some(known)) => known,
        Ok(None) => {
            tracing::warn!(address = %visit.from, "a wrong password for the inbox");
            return login(StatusCode::FORBIDDEN, Some("The password is wrong."));
        }
        Err(why) => {
            let hint = "`linqsync web-password` makes the file";
            tracing::error!(hint, "nobody can log in to the inbox: {why}");
            let text = "Nobody can log in: the password file cannot be used; the log says why.";
            return login(StatusCode::SERVICE_UNAVAILABLE, Some(text));
        }
    };
    locked(&inbox.attempts).forget(visit.from);
    let name = visit.form.get("name").split_whitespace().collect::<Vec<_>>().join(" ");
    let name = shown_text(&name, LONGEST_NAME);
    let token = locked(&inbox.sessions).begin(role, name, key, now);
    let Some(token) = token else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "there is no randomness to be had\n");
    };
    if visit.session.is_some() {
        locked(&inbox.sessions).end(&visit.token);
    }
    tracing::info!(role = role.name(), address = %visit.from, "somebody logged in to the inbox");
    let mut answer = redirect("/");
    set_cookie(visit, &mut answer, &token, "");
    answer
}

fn set_cookie(visit: &Visit<'_>, answer: &mut Answer, token: &str, more: &str) {
    let secure = if visit.web.is_https() { "; Secure" } else { "" };
    let name = cookie_name(visit.web);
    let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}
