//! Each quirk and what it changes.

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::super::testing::{ask_sandbox, create_contact, get_path, test_sandbox};
use super::super::{Options, Sandbox};
use super::*;

fn patch(sandbox: &Sandbox, id: u64, contact: &Value) -> Value {
    let answer = ask_sandbox(sandbox, "PATCH", &format!("/{id}"), &json!({ "contact": contact }));
    assert_eq!(answer.status, http::StatusCode::OK);
    answer.body["data"].clone()
}

#[test]
fn quirk_owner_reset_gives_updated_contacts_to_the_first_admin() {
    let sandbox = test_sandbox(&["owner-reset"]);
    let body = json!({"contact": {"first_name": "A"}, "user_email": "sam@linq.example"});
    let id = ask_sandbox(&sandbox, "POST", "", &body).id();
    let kept = ask_sandbox(&sandbox, "PUT", &format!("/{id}"), &body);
    assert_eq!(kept.body["data"]["contact_owner"]["id"], 302);
    let reset = patch(&sandbox, id, &json!({"first_name": "A"}));
    assert_eq!(reset["contact_owner"]["id"], 301);
}

#[test]
fn quirk_unknown_users_refuses_every_user_and_nothing_else() {
    let sandbox = test_sandbox(&["unknown-users"]);
    let named = json!({"contact": {"first_name": "A"}, "user_email": "sam@linq.example"});
    assert_eq!(ask_sandbox(&sandbox, "POST", "", &named).body["error_code"], "USER_NOT_FOUND");
    let id = create_contact(&sandbox, &json!({"first_name": "A"})).id();
    assert_eq!(ask_sandbox(&sandbox, "PATCH", &format!("/{id}"), &named).status, 422);
    patch(&sandbox, id, &json!({"first_name": "B"}));
}

#[test]
fn quirk_find_phones_decides_with_what_a_number_is_compared() {
    let found = |quirks: &[&str]| {
        let sandbox = test_sandbox(quirks);
        create_contact(&sandbox, &json!({"first_name": "A", "phone_number": "(212) 555-0123"}));
        get_path(&sandbox, "/find?phone_number=%2B12125550123").body["id"].is_u64()
    };
    assert!(found(&["phone=raw", "find-phones=normalised"]));
    assert!(!found(&["phone=raw", "find-phones=kept"]));
    assert!(found(&["phone=e164", "find-phones=kept"]));
}

#[test]
fn quirk_find_joins_decides_whether_either_is_enough() {
    for (quirk, found) in [("find-joins=any", true), ("find-joins=all", false)] {
        let sandbox = test_sandbox(&[quirk]);
        create_contact(&sandbox, &json!({"email": "a@b.example", "phone_number": "+12125550123"}));
        let shown = |query: &str| get_path(&sandbox, &format!("/find?{query}")).body["id"].is_u64();
        assert!(shown("email=a@b.example&phone_number=%2B12125550123"), "{quirk}");
        assert_eq!(shown("email=x@b.example&phone_number=%2B12125550123"), found, "{quirk}");
    }
}

#[test]
fn quirk_find_picks_decides_who_of_several_is_shown() {
    for (quirk, picked) in [("find-picks=first", 0), ("find-picks=last", 1)] {
        let sandbox = test_sandbox(&[quirk]);
        let ada = json!({"email": "a@b.example"});
        let ids = [create_contact(&sandbox, &ada).id(), create_contact(&sandbox, &ada).id()];
        assert_eq!(
            get_path(&sandbox, "/find?email=a@b.example").body["id"],
            ids[picked],
            "{quirk}"
        );
    }
}

#[test]
fn quirk_refuse_clearing_refuses_an_update_with_a_blank() {
    let sandbox = test_sandbox(&["refuse-clearing"]);
    let id = create_contact(&sandbox, &json!({"first_name": "A", "title": "Cook"})).id();
    let clearing = json!({"contact": {"first_name": "A", "title": ""}});
    assert_eq!(ask_sandbox(&sandbox, "PATCH", &format!("/{id}"), &clearing).status, 422);
    assert_eq!(sandbox.contact(id).unwrap().title.as_deref(), Some("Cook"));
}

#[test]
fn quirk_updated_at_decides_whether_a_write_moves_it() {
    for (quirk, moves) in [("updated-at=moves", true), ("updated-at=stays", false)] {
        let sandbox = test_sandbox(&[quirk]);
        let id = create_contact(&sandbox, &json!({"first_name": "A"})).id();
        patch(&sandbox, id, &json!({"first_name": "B"}));
        let contact = sandbox.contact(id).unwrap();
        assert_eq!(contact.updated_at > contact.created_at, moves, "{quirk}");
    }
}

#[test]
fn quirk_reverts_puts_one_member_back_before_the_next_look() {
    let sandbox = test_sandbox(&["reverts=title"]);
    let id = create_contact(&sandbox, &json!({"first_name": "A", "title": "Cook"})).id();
    let answer = patch(&sandbox, id, &json!({"first_name": "B", "title": "Chief"}));
    assert_eq!(answer["title"], "Chief");
    let listed = get_path(&sandbox, "").body["contacts"][0].clone();
    assert_eq!((&listed["first_name"], &listed["title"]), (&json!("B"), &json!("Cook")));
}

#[test]
fn quirk_late_deletion_lists_who_was_deleted_for_a_while() {
    let sandbox = test_sandbox(&["late-deletion=2"]);
    let id = create_contact(&sandbox, &json!({"first_name": "A"})).id();
    create_contact(&sandbox, &json!({"first_name": "B"}));
    assert_eq!(ask_sandbox(&sandbox, "DELETE", &format!("/{id}"), &Value::Null).status, 204);
    assert_eq!(get_path(&sandbox, &format!("/{id}")).status, 404);
    let counts = [(); 3].map(|()| {
        let page = get_path(&sandbox, "");
        (page.ids().len(), page.body["pagination"]["total_count"].clone())
    });
    assert_eq!(counts, [(2, json!(2)), (2, json!(2)), (1, json!(1))]);
}

#[test]
fn quirk_errors_tells_an_error_in_another_form_and_with_the_same_status() {
    let told = |form: &str| {
        let sandbox = test_sandbox(&[&format!("errors={form}")]);
        let answer = get_path(&sandbox, "/7");
        assert_eq!(answer.status, http::StatusCode::NOT_FOUND, "{form}");
        answer.body
    };
    assert_eq!(told("documented")["error_code"], "CONTACT_NOT_FOUND");
    assert_eq!(told("list")["errors"][0]["code"], "CONTACT_NOT_FOUND");
    assert_eq!(told("typed")["error"]["type"], "CONTACT_NOT_FOUND");
    assert_eq!((told("html"), told("none")), (Value::Null, Value::Null));
}

#[test]
fn quirk_phone_decides_what_is_kept_and_find_compares_numbers_all_the_same() {
    let phone = |quirk: &str, phone: &str| {
        let sandbox = test_sandbox(&[quirk]);
        let answer = create_contact(&sandbox, &json!({"first_name": "A", "phone_number": phone}));
        let found = get_path(&sandbox, "/find?phone_number=212-555-0123").body["id"].is_u64();
        (answer.body["data"]["phone_number"].clone(), found)
    };
    assert_eq!(phone("phone=e164", "(212) 555-0123"), (json!("+12125550123"), true));
    assert_eq!(phone("phone=raw", "(212) 555-0123"), (json!("(212) 555-0123"), true));
    assert_eq!(phone("phone=any", "212.555.0123"), (json!("212.555.0123"), true));
    assert_eq!(phone("phone=raw", "ask Bob"), (Value::Null, false), "refused");
    assert_eq!(phone("phone=any", "ask Bob"), (json!("ask Bob"), false));
}

#[test]
fn quirks_title_case_and_truncate_change_what_is_kept() {
    let sandbox = test_sandbox(&["title-case", "truncate=5"]);
    let contact = json!({"first_name": "aNNE-marie", "last_name": "Ng", "title": "señorita"});
    let kept = create_contact(&sandbox, &contact).body["data"].clone();
    assert_eq!((&kept["first_name"], &kept["title"]), (&json!("Anne-"), &json!("señor")));
    assert_eq!(kept["full_name"], "Anne- Ng");
    let kept = patch(&sandbox, kept["id"].as_u64().unwrap(), &json!({"last_name": "mcdonald"}));
    assert_eq!(kept["last_name"], "Mcdon");
}

#[test]
fn quirk_ignore_clearing_keeps_values_and_says_nothing() {
    for (quirks, expected) in [(&[][..], Value::Null), (&["ignore-clearing"], json!("CEO"))] {
        let sandbox = test_sandbox(quirks);
        let id = create_contact(&sandbox, &json!({"first_name": "A", "title": "CEO"})).id();
        for blank in [json!(""), Value::Null] {
            let shown = patch(&sandbox, id, &json!({"first_name": "A", "title": blank}));
            assert_eq!(shown["title"], expected);
        }
    }
}

#[test]
fn quirks_updates_and_update_answer_decide_what_is_done_and_what_is_told() {
    let ada = json!({"first_name": "Ada", "title": "CEO", "company": "X"});
    let change = json!({"first_name": "Ada", "title": "CTO"});
    for (quirks, title, told) in [
        (&["updates=taken", "update-answer=whole"], "CTO", json!("X")),
        (&["updates=taken", "update-answer=partial"], "CTO", Value::Null),
        (&["updates=ignored", "update-answer=whole"], "CEO", json!("X")),
        (&["updates=ignored", "update-answer=partial"], "CEO", Value::Null),
    ] {
        let sandbox = test_sandbox(quirks);
        let id = create_contact(&sandbox, &ada).id();
        let shown = patch(&sandbox, id, &change);
        assert_eq!((&shown["id"], &shown["title"]), (&json!(id), &json!(title)), "{quirks:?}");
        assert_eq!(shown["company"], told, "{quirks:?}");
        let kept = sandbox.contact(id).unwrap();
        assert_eq!((kept.title.as_deref(), kept.company.as_deref()), (Some(title), Some("X")));
    }
}

#[test]
fn quirk_blanks_decides_what_a_missing_value_looks_like_in_every_answer() {
    for (quirk, expected) in [
        ("blanks=null", Some(Value::Null)),
        ("blanks=empty", Some(json!(""))),
        ("blanks=absent", None),
    ] {
        let sandbox = test_sandbox(&[quirk]);
        let created = create_contact(&sandbox, &json!({"email": "a@b.c"})).body["data"].clone();
        let listed = get_path(&sandbox, "").body["contacts"][0].clone();
        let found = get_path(&sandbox, "/find?email=a@b.c").body;
        for shown in [created, listed, found] {
            assert_eq!(shown.get("title"), expected.as_ref(), "{quirk}");
            assert_eq!(shown.get("full_name"), expected.as_ref(), "{quirk}");
            assert_eq!(shown.get("image_url"), Some(&Value::Null), "{quirk}");
        }
    }
}

#[test]
fn quirk_order_decides_the_order_of_the_listing() {
    let order = |quirk: &str| {
        let sandbox = test_sandbox(&[quirk]);
        let ids: Vec<u64> = ["A", "B", "C"]
            .map(|n| create_contact(&sandbox, &json!({"first_name": n})).id())
            .into();
        assert_eq!(get_path(&sandbox, "").ids().len(), 3);
        patch(&sandbox, ids[0], &json!({"first_name": "A2"}));
        let listed = get_path(&sandbox, "").ids();
        listed.iter().map(|id| id - ids[0]).collect::<Vec<u64>>()
    };
    assert_eq!(order("order=id"), [0, 1, 2]);
    assert_eq!(order("order=created-desc"), [2, 1, 0]);
    assert_eq!(order("order=updated-desc"), [0, 2, 1]);
}

#[test]
fn quirk_find_shape_decides_where_the_found_contact_is() {
    for (quirk, member) in
        [("find-shape=bare", ""), ("find-shape=contact", "/contact"), ("find-shape=data", "/data")]
    {
        let sandbox = test_sandbox(&[quirk]);
        let id = create_contact(&sandbox, &json!({"email": "a@b.c"})).id();
        let found = get_path(&sandbox, "/find?email=a@b.c").body;
        assert_eq!(found.pointer(&format!("{member}/id")), Some(&json!(id)), "{quirk}");
        let nobody = get_path(&sandbox, "/find?email=x@y.z").body;
        let null = if member == "/data" { json!({"data": null}) } else { json!({"contact": null}) };
        assert_eq!(nobody, null, "{quirk}");
    }
}

#[test]
fn quirk_late_visibility_hides_a_created_contact_from_the_next_lists_and_finds() {
    let sandbox = test_sandbox(&["late-visibility=3"]);
    let early = sandbox.insert([("first_name", "Seen at once")]).unwrap();
    let late = create_contact(&sandbox, &json!({"email": "a@b.c"})).id();
    assert_eq!(get_path(&sandbox, "").ids(), [early]);
    assert_eq!(get_path(&sandbox, &format!("/{late}")).id(), late, "its id shows it");
    assert_eq!(get_path(&sandbox, "/find?email=a@b.c").body, json!({"contact": null}));
    let third = get_path(&sandbox, "");
    assert_eq!((third.ids(), &third.body["pagination"]["total_count"]), (vec![early], &json!(1)));
    assert_eq!(get_path(&sandbox, "").ids(), [early, late]);
    assert_eq!(get_path(&sandbox, "/find?email=a@b.c").body["id"], late);
}

#[test]
fn quirk_duplicates_decides_what_a_taken_email_means() {
    let twice = |quirk: &str| {
        let sandbox = test_sandbox(&[quirk]);
        let first = create_contact(&sandbox, &json!({"email": "a@b.c", "title": "CEO"})).id();
        let second = create_contact(&sandbox, &json!({"email": "A@b.c", "first_name": "Ada"}));
        let same = second.body["data"]["id"] == first;
        (second.status.as_u16(), same, sandbox.contacts().len())
    };
    assert_eq!(twice("duplicates=allow"), (201, false, 2));
    assert_eq!(twice("duplicates=refuse"), (422, false, 1));
    assert_eq!(twice("duplicates=merge"), (201, true, 1));
}

#[test]
fn without_an_admin_new_contacts_belong_to_nobody() {
    let users = vec![User::new(1, Role::Member, "sam@linq.example", "Sam", "Seller")];
    let sandbox = Sandbox::new(Options { users, ..Options::default() });
    let answer = create_contact(&sandbox, &json!({"first_name": "A"}));
    assert_eq!(answer.body["data"]["contact_owner"], Value::Null);
    let alone = Sandbox::new(Options { users: Vec::new(), contacts: 2, ..Options::default() });
    assert!(alone.contacts().iter().all(|contact| contact.contact_owner.is_none()));
}

#[test]
fn times_follow_the_given_present_and_never_repeat_or_run_backwards() {
    let seconds = Arc::new(AtomicI64::new(1_000));
    let clock = seconds.clone();
    let now: Now =
        Arc::new(move || DateTime::UNIX_EPOCH + TimeDelta::seconds(clock.load(Ordering::Relaxed)));
    let sandbox = Sandbox::new(Options { now, contacts: 5, ..Options::default() });
    let write = |at: i64| {
        seconds.store(at, Ordering::Relaxed);
        let id = create_contact(&sandbox, &json!({"first_name": "A"})).id();
        sandbox.contact(id).unwrap().created_at.timestamp_millis()
    };
    assert!(sandbox.contacts().iter().all(|c| c.created_at.timestamp() < 1_000));
    assert_eq!(write(1_000), 1_000_001);
    assert_eq!(write(1_000), 1_000_002);
    assert_eq!(write(2_000), 2_000_000);
    assert_eq!(write(1_500), 2_000_001);
}

#[test]
fn a_large_organisation_is_listed_and_searched_in_full() {
    let sandbox = Sandbox::new(Options { contacts: 5_000, ..Options::default() });
    let mut seen = BTreeSet::new();
    for page in 1..=50 {
        seen.extend(get_path(&sandbox, &format!("?page={page}&per_page=100")).ids());
    }
    assert_eq!(seen.len(), 5_000);
    let last = sandbox.contacts().into_iter().rev().find(|c| c.email.is_some()).unwrap();
    let found = get_path(&sandbox, &format!("/find?email={}", last.email.unwrap()));
    assert_eq!(found.body["id"], last.id);
}

#[test]
fn invented_contacts_are_the_same_for_the_same_seed() {
    let contacts =
        |seed| Sandbox::new(Options { contacts: 100, seed, ..Options::default() }).contacts();
    assert_eq!(contacts(1), contacts(1));
    assert_ne!(contacts(1), contacts(2));
    assert!(
        contacts(1).iter().filter_map(|c| c.phone_number.as_deref()).all(|p| p.starts_with('+'))
    );
}
