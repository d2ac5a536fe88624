//! The sandbox as a whole: faults, controls, many requests at once.

use futures_util::{FutureExt, future::join_all};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde_json::{Value, json};

use super::testing::{ask_sandbox, create_contact, get_path, new_request, test_sandbox, try_ask};
use super::*;

fn failing(fault: &str) -> Sandbox {
    let faults = vec![fault.parse().unwrap()];
    Sandbox::new(Options { faults, ..Options::default() })
}

fn ada() -> Value {
    json!({"contact": {"first_name": "Ada"}})
}

/// What a create gets from a sandbox with this fault, as bytes, and how many
/// contacts there are afterwards.
fn create_raw(fault: &str) -> (Result<Response<Bytes>, Dropped>, usize) {
    let sandbox = failing(fault);
    let answer =
        sandbox.handle_request(new_request("POST", "", ada().to_string())).now_or_never().unwrap();
    (answer, sandbox.contacts().len())
}

#[test]
fn a_status_comes_in_place_of_the_effect_or_after_it() {
    let (answer, contacts) = create_raw("create status=500");
    let answer = answer.unwrap();
    assert_eq!((answer.status(), contacts), (StatusCode::INTERNAL_SERVER_ERROR, 0));
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(body["error_code"], "INTERNAL_ERROR");
    let (answer, contacts) = create_raw("create status=429 retry-after=7 after");
    let answer = answer.unwrap();
    assert_eq!((answer.status(), contacts), (StatusCode::TOO_MANY_REQUESTS, 1));
    assert_eq!(answer.headers()[RETRY_AFTER], "7");
}

#[test]
fn a_dropped_request_has_no_answer_with_or_without_its_effect() {
    assert!(matches!(create_raw("create drop-before"), (Err(Dropped::Before), 0)));
    assert!(matches!(create_raw("create drop-after"), (Err(Dropped::After), 1)));
}

#[test]
fn html_an_empty_body_and_cut_json_come_with_a_status_of_success() {
    let (html, contacts) = create_raw("create html");
    let html = html.unwrap();
    assert_eq!((html.status(), contacts), (StatusCode::OK, 0));
    assert_eq!(html.headers()["content-type"], "text/html; charset=utf-8");
    let (empty, contacts) = create_raw("create empty after");
    let empty = empty.unwrap();
    assert_eq!((empty.status(), empty.body().len(), contacts), (StatusCode::OK, 0, 1));
    let (cut, contacts) = create_raw("create truncate");
    let cut = cut.unwrap();
    assert_eq!((cut.status(), contacts), (StatusCode::CREATED, 1));
    assert!(cut.body().starts_with(br#"{"data":{"id":"#));
    assert!(serde_json::from_slice::<Value>(cut.body()).is_err());
}

#[test]
fn faults_can_be_added_and_cleared_while_it_runs() {
    let sandbox = test_sandbox(&[]);
    sandbox.add_fault("list drop-before".parse().unwrap());
    assert_eq!(try_ask(&sandbox, "GET", "", &Value::Null), Err(Dropped::Before));
    assert_eq!(ask_sandbox(&sandbox, "POST", "", &ada()).status, StatusCode::CREATED);
    sandbox.clear_faults();
    assert_eq!(get_path(&sandbox, "").ids().len(), 1);
}

#[tokio::test]
async fn a_delayed_request_waits_and_takes_effect_though_its_client_hung_up() {
    let sandbox = failing("create delay=1ms times=1");
    sandbox.add_fault("create delay=1h".parse().unwrap());
    for _ in 0..2 {
        let hung_up =
            sandbox.handle_request(new_request("POST", "", ada().to_string())).now_or_never();
        assert!(hung_up.is_none());
        assert_eq!(sandbox.contacts().len(), 0, "nothing happens before the delay");
    }
    let effect = async {
        while sandbox.contacts().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), effect).await.unwrap();
    let statuses: Vec<_> = sandbox.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(201), None]);
}

#[test]
fn every_answer_has_a_request_id_of_its_own() {
    let sandbox = failing("get status=503");
    let id = |path: &str| {
        let answer =
            sandbox.handle_request(new_request("GET", path, "")).now_or_never().unwrap().unwrap();
        answer.headers()["x-request-id"].clone()
    };
    assert_eq!([id(""), id("/1"), id("/x")], ["sandbox-0", "sandbox-1", "sandbox-2"]);
}

#[test]
fn requests_are_logged_with_what_was_sent_and_answered() {
    let sandbox = failing("delete drop-after");
    let id = create_contact(&sandbox, &ada()["contact"]).id();
    get_path(&sandbox, "/find?email=a@b.c");
    try_ask(&sandbox, "DELETE", &format!("/{id}"), &Value::Null).unwrap_err();
    get_path(&sandbox, "/x");
    let logged = |method: &str, path: &str, status, kind| LoggedRequest {
        method: method.to_owned(),
        path: format!("/api/partner/v2/contacts{path}"),
        query: String::new(),
        body: None,
        status,
        kind,
    };
    let expected = [
        LoggedRequest {
            body: Some(ada()),
            ..logged("POST", "", Some(201), Some(RouteKind::Create))
        },
        LoggedRequest {
            query: "email=a@b.c".to_owned(),
            ..logged("GET", "/find", Some(200), Some(RouteKind::Find))
        },
        logged("DELETE", &format!("/{id}"), None, Some(RouteKind::Delete)),
        logged("GET", "/x", Some(404), None),
    ];
    assert_eq!(sandbox.requests(), expected);
    sandbox.forget_requests();
    assert_eq!(sandbox.requests(), []);
}

#[test]
fn another_writer_can_insert_edit_and_remove_contacts() {
    let sandbox = test_sandbox(&["title-case"]);
    let id = sandbox
        .insert([
            ("last_name", "van Gogh"),
            ("phone_number", "x"),
            ("user_email", "sam@linq.example"),
        ])
        .unwrap();
    let inserted = sandbox.contact(id).unwrap();
    assert_eq!(inserted.full_name.as_deref(), Some("van Gogh"));
    assert_eq!(inserted.phone_number.as_deref(), Some("x"), "no check and no quirk applies");
    assert_eq!(inserted.contact_owner.as_ref().map(|owner| owner.id), Some(302));
    sandbox.set(id, "first_name", "Jo").unwrap();
    sandbox
        .edit(id, |contact| {
            contact.title = Some("Painter".to_owned());
            contact.id = 1;
        })
        .unwrap();
    let edited = sandbox.contact(id).unwrap();
    assert_eq!(edited.full_name.as_deref(), Some("Jo van Gogh"));
    assert_eq!(edited.title.as_deref(), Some("Painter"));
    assert!(edited.updated_at > inserted.updated_at);
    assert_eq!(edited.created_at, inserted.created_at);
    assert_eq!(sandbox.remove(id), Ok(edited));
    assert_eq!(sandbox.contacts(), []);
}

#[test]
fn a_mistaken_edit_changes_nothing_and_names_the_mistake() {
    let sandbox = test_sandbox(&[]);
    let id = sandbox.insert([("first_name", "Ada")]).unwrap();
    let before = sandbox.contacts();
    assert_eq!(sandbox.set(1, "title", "CTO"), Err(ControlError::NoContact(1)));
    assert_eq!(sandbox.set(id, "tite", "CTO"), Err(ControlError::NoMember("tite".to_owned())));
    assert_eq!(sandbox.set(id, "user_email", "x@y.z"), Err(ControlError::NoUser));
    assert_eq!(sandbox.insert([("id", "5")]), Err(ControlError::NoMember("id".to_owned())));
    assert_eq!(sandbox.edit(1, |_| ()), Err(ControlError::NoContact(1)));
    assert_eq!(sandbox.remove(1), Err(ControlError::NoContact(1)));
    assert_eq!(sandbox.contacts(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_creates_at_once_make_a_hundred_contacts() {
    let sandbox = test_sandbox(&[]);
    let creates = (0..100).map(|_| {
        let sandbox = sandbox.clone();
        tokio::spawn(async move {
            let answer =
                sandbox.handle_request(new_request("POST", "", ada().to_string())).await.unwrap();
            let body: Value = serde_json::from_slice(answer.body()).unwrap();
            body["data"]["id"].as_u64().unwrap()
        })
    });
    let ids: std::collections::BTreeSet<u64> =
        join_all(creates).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(ids.len(), 100);
    let contacts = sandbox.contacts();
    assert!(contacts.iter().map(|contact| contact.id).eq(ids));
    let times: std::collections::BTreeSet<_> = contacts.iter().map(|c| c.created_at).collect();
    assert_eq!(times.len(), 100);
}
