//! The documented API, request by request.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::testing::{
    ask_sandbox, create_contact, get_path, new_request, send_request, test_sandbox,
};
use super::super::{Options, Sandbox};

const NOT_FOUND: &str = r#"{"status":"error","error_code":"CONTACT_NOT_FOUND",
        "message":"Contact not found","errors":["The requested contact does not exist or is not accessible to your organization"]}"#;

fn not_found() -> Value {
    serde_json::from_str(NOT_FOUND).unwrap()
}

fn filled(contacts: usize) -> Sandbox {
    Sandbox::new(Options { contacts, ..Options::default() })
}

#[test]
fn a_listing_gives_every_contact_once_and_says_how_many_there_are() {
    let sandbox = filled(60);
    let ids: Vec<u64> = sandbox.contacts().iter().map(|contact| contact.id).collect();
    let first = get_path(&sandbox, "");
    assert_eq!(first.ids(), ids[..25]);
    let pagination = json!({
        "current_page": 1, "per_page": 25, "total_pages": 3, "total_count": 60
    });
    assert_eq!(first.body["pagination"], pagination);
    assert_eq!(get_path(&sandbox, "?page=3").ids(), ids[50..]);
    assert_eq!(get_path(&sandbox, "?page=2&per_page=7").ids(), ids[7..14]);
    let contact = serde_json::to_value(sandbox.contact(ids[0])).unwrap();
    assert_eq!(first.body["contacts"][0], contact);
}

#[test]
fn a_page_past_the_end_is_empty_and_has_the_right_pagination() {
    let sandbox = filled(3);
    for (query, page) in [("?page=2", json!(2)), ("?page=9223372036854775807", json!(i64::MAX))] {
        let answer = get_path(&sandbox, query);
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.ids().is_empty());
        assert_eq!(answer.body["pagination"]["current_page"], page);
        assert_eq!(answer.body["pagination"]["total_count"], 3);
    }
    let nobody = get_path(&filled(0), "");
    assert_eq!(nobody.body["pagination"]["total_pages"], 0);
}

#[test]
fn page_sizes_are_moved_into_their_range() {
    let sandbox = filled(120);
    for (query, size) in [
        ("?per_page=100", 100),
        ("?per_page=101", 100),
        ("?per_page=0", 1),
        ("?per_page=-5", 1),
        ("?per_page=ten", 25),
        ("?page=0", 25),
    ] {
        let answer = get_path(&sandbox, query);
        assert_eq!(answer.ids().len(), size, "{query}");
        assert_eq!(answer.body["pagination"]["per_page"], size, "{query}");
    }
}

#[test]
fn a_created_contact_is_answered_whole_and_kept() {
    let sandbox = test_sandbox(&[]);
    let contact = json!({
        "first_name": "John", "last_name": "Doe", "email": "john@example.com",
        "phone_number": "(555) 123-4567", "company": "Acme Corp", "title": "CEO",
        "location": "San Francisco, CA", "nickname": "J"
    });
    let answer = create_contact(&sandbox, &contact);
    assert_eq!(answer.status, StatusCode::CREATED);
    let expected = json!({ "data": {
        "id": 4_100_001, "first_name": "John", "last_name": "Doe", "full_name": "John Doe",
        "email": "john@example.com", "phone_number": "+15551234567", "company": "Acme Corp",
        "title": "CEO", "location": "San Francisco, CA", "image_url": null,
        "created_at": "2026-01-15T06:00:00.001-06:00",
        "updated_at": "2026-01-15T06:00:00.001-06:00",
        "contact_owner": {
            "id": 301, "email": "olivia@linq.example",
            "first_name": "Olivia", "last_name": "Owner", "name": "Olivia Owner"
        }
    }});
    assert_eq!(answer.body, expected);
    assert_eq!(get_path(&sandbox, &format!("/{}", answer.id())).body, expected);
}

#[test]
fn a_create_for_a_user_needs_an_existing_one() {
    let sandbox = test_sandbox(&[]);
    let create = |user: &str| {
        ask_sandbox(
            &sandbox,
            "POST",
            "",
            &json!({"contact": {"first_name": "A"}, "user_email": user}),
        )
    };
    let answer = create("SAM@linq.example");
    assert_eq!(answer.body["data"]["contact_owner"]["id"], 302);
    let refused = create("nobody@linq.example");
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body["message"], "User not found");
    assert_eq!(sandbox.contacts().len(), 1);
}

#[test]
fn a_refused_create_has_the_documented_form_and_no_effect() {
    let sandbox = test_sandbox(&[]);
    let answer = create_contact(&sandbox, &json!({ "company": "Acme Corp" }));
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let expected = json!({
        "status": "error", "error_code": "VALIDATION_ERROR",
        "message": "Contact validation failed",
        "errors": ["At least one of the name, email, or phone number fields must be filled out for the contact"]
    });
    assert_eq!(answer.body, expected);
    assert_eq!(sandbox.contacts(), []);
}

#[test]
fn put_and_patch_change_what_is_given_and_nothing_else() {
    let sandbox = test_sandbox(&[]);
    let id =
        create_contact(&sandbox, &json!({"first_name": "Ada", "title": "CEO", "company": "X"}))
            .id();
    for (method, title) in [("PUT", json!("CTO")), ("PATCH", Value::Null)] {
        let before = sandbox.contact(id).unwrap();
        let contact = json!({ "first_name": "Ada", "last_name": method, "title": title });
        let body = json!({ "contact": contact });
        let answer = ask_sandbox(&sandbox, method, &format!("/{id}"), &body);
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body["data"]["title"], title);
        assert_eq!(answer.body["data"]["full_name"], format!("Ada {method}"));
        let after = sandbox.contact(id).unwrap();
        assert_eq!(serde_json::to_value(&after).unwrap(), answer.body["data"]);
        assert_eq!(after.company, before.company);
        assert_eq!(after.created_at, before.created_at);
        assert!(after.updated_at > before.updated_at);
    }
}

#[test]
fn an_update_moves_a_contact_to_the_named_user_and_stays_with_them() {
    let sandbox = test_sandbox(&[]);
    let id = create_contact(&sandbox, &json!({"first_name": "Ada"})).id();
    let owner = |body: Value| {
        let answer = ask_sandbox(&sandbox, "PATCH", &format!("/{id}"), &body);
        (answer.status.as_u16(), answer.body["data"]["contact_owner"]["id"].clone())
    };
    let contact = json!({"first_name": "Ada"});
    assert_eq!(
        owner(json!({"contact": contact, "user_email": "sam@linq.example"})),
        (200, json!(302))
    );
    assert_eq!(owner(json!({"contact": contact})), (200, json!(302)));
    assert_eq!(owner(json!({"contact": contact, "user_email": "x@y.z"})).0, 422);
    assert_eq!(owner(json!({"user_email": "sam@linq.example"})).0, 422);
}

#[test]
fn an_update_without_an_identity_field_is_refused() {
    let sandbox = test_sandbox(&[]);
    let id = create_contact(&sandbox, &json!({"first_name": "Ada"})).id();
    let before = sandbox.contacts();
    for contact in [json!({"title": "CTO"}), json!({"first_name": "", "title": "CTO"}), json!({})] {
        let answer =
            ask_sandbox(&sandbox, "PATCH", &format!("/{id}"), &json!({ "contact": contact }));
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{contact}");
    }
    assert_eq!(sandbox.contacts(), before);
}

#[test]
fn a_deleted_contact_is_gone_for_good_and_its_id_is_not_used_again() {
    let sandbox = test_sandbox(&[]);
    let ada = json!({"first_name": "Ada", "email": "ada@example.com"});
    let id = create_contact(&sandbox, &ada).id();
    let path = format!("/{id}");
    let answer = ask_sandbox(&sandbox, "DELETE", &path, &Value::Null);
    assert_eq!((answer.status, answer.body), (StatusCode::NO_CONTENT, Value::Null));
    for method in ["GET", "DELETE"] {
        let answer = ask_sandbox(&sandbox, method, &path, &Value::Null);
        assert_eq!((answer.status, answer.body), (StatusCode::NOT_FOUND, not_found()));
    }
    for method in ["PUT", "PATCH"] {
        let answer = ask_sandbox(&sandbox, method, &path, &json!({"contact": {}}));
        assert_eq!((answer.status, answer.body), (StatusCode::NOT_FOUND, not_found()));
    }
    assert_eq!(get_path(&sandbox, "/find?email=ada@example.com").body, json!({"contact": null}));
    assert!(get_path(&sandbox, "").ids().is_empty());
    assert!(create_contact(&sandbox, &ada).id() > id);
}

#[test]
fn find_matches_the_email_or_the_phone_number_and_takes_the_lowest_id() {
    let sandbox = test_sandbox(&[]);
    let ada = create_contact(&sandbox, &json!({"email": "Ada@Example.com"})).id();
    let bob = create_contact(&sandbox, &json!({"phone_number": "+1 555 123 4567"})).id();
    let bea =
        create_contact(&sandbox, &json!({"email": "b@example.com", "phone_number": "5551234567"}));
    let found = |query: &str| get_path(&sandbox, &format!("/find?{query}")).body["id"].as_u64();
    assert_eq!(found("email=aDA%40example.COM"), Some(ada));
    assert_eq!(found("phone_number=(555)%20123-4567"), Some(bob));
    assert_eq!(found("phone_number=%2B15551234567"), Some(bob));
    assert_eq!(found("phone_number=%2B15551234567&email=b@example.com"), Some(bob));
    assert_eq!(found("phone_number=%2B15551234567&email=ada@example.com"), Some(ada));
    assert_eq!(found("phone_number=&email=b@example.com"), Some(bea.id()));
    assert_eq!(get_path(&sandbox, "/find?email=b@example.com").body, bea.body["data"]);
    let nobody = get_path(&sandbox, "/find?email=c@example.com&phone_number=2125550100");
    assert_eq!((nobody.status, nobody.body), (StatusCode::OK, json!({"contact": null})));
}

#[test]
fn find_sees_values_as_they_are_now() {
    let sandbox = test_sandbox(&[]);
    let id = create_contact(&sandbox, &json!({"email": "old@example.com"})).id();
    sandbox.set(id, "email", "new@example.com").unwrap();
    assert_eq!(get_path(&sandbox, "/find?email=old@example.com").body["contact"], Value::Null);
    assert_eq!(get_path(&sandbox, "/find?email=new@example.com").body["id"], id);
}

#[test]
fn a_search_that_cannot_be_made_is_refused() {
    let sandbox = test_sandbox(&[]);
    for (query, status) in [
        ("", 400),
        ("?", 400),
        ("?email=&phone_number=%20", 400),
        ("?mail=a@b.c", 400),
        ("?email=ada", 422),
        ("?phone_number=911", 422),
        ("?email=a@b.c&phone_number=soon", 422),
        ("?phone_number=+442079460018", 422),
    ] {
        let answer = get_path(&sandbox, &format!("/find{query}"));
        assert_eq!(answer.status.as_u16(), status, "{query}");
        assert_eq!(answer.body["status"], "error");
    }
}

#[test]
fn every_request_needs_the_token() {
    let sandbox = filled(1);
    for (method, path) in
        [("GET", ""), ("POST", ""), ("GET", "/4100001"), ("DELETE", "/4100001"), ("GET", "/find")]
    {
        let mut missing = new_request(method, path, "");
        missing.headers_mut().remove("x-linq-integration-token");
        let mut wrong = new_request(method, path, "");
        wrong.headers_mut().insert("x-linq-integration-token", "sandbox".parse().unwrap());
        for request in [missing, wrong] {
            let answer = send_request(&sandbox, request).unwrap();
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.body["error_code"], "UNAUTHORIZED");
        }
    }
    assert_eq!(sandbox.contacts().len(), 1);
}

#[test]
fn bodies_must_be_json_declared_as_such_and_of_reasonable_size() {
    let sandbox = test_sandbox(&[]);
    let status = |request| send_request(&sandbox, request).unwrap().status.as_u16();
    assert_eq!(status(new_request("POST", "", "{")), 400);
    assert_eq!(status(new_request("POST", "", "")), 400);
    assert_eq!(status(new_request("POST", "", vec![b' '; super::MAX_BODY + 1])), 413);
    let body = r#"{"contact": {"first_name": "Ada"}}"#;
    for (declared, expected) in [("text/plain", 415), ("Application/JSON; charset=utf-8", 201)] {
        let mut request = new_request("POST", "", body);
        request.headers_mut().insert("content-type", declared.parse().unwrap());
        assert_eq!(status(request), expected, "{declared}");
    }
}

#[test]
fn paths_and_methods_that_are_not_documented_are_not_found() {
    let sandbox = filled(1);
    for (method, path) in
        [("GET", "/x"), ("GET", "/4100001/notes"), ("GET", "s"), ("PATCH", ""), ("POST", "/find")]
    {
        let answer = ask_sandbox(&sandbox, method, path, &json!({}));
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
        assert_eq!(answer.body["error_code"], "NOT_FOUND");
    }
}
