//! What of Linq's answers is taken, and what is refused.

use super::*;

const ADA: &str = r#"{"id":7,"first_name":"Ada"}"#;

fn id_of(read: Result<Fetched, UnreadableAnswer>) -> Option<u64> {
    read.ok().map(|fetched| fetched.contact.id.0)
}

#[test]
fn a_contact_is_read_from_every_envelope_and_from_nothing_else() {
    let believed = [
        r#"{"data":{"id":7}}"#,
        r#"{"contact":{"id":7}}"#,
        r#"{"id":7}"#,
        r#" {"data":{"id":"7"}, "meta":{"deep":[[[]]]}} "#,
        r#"{"data":null,"contact":{"id":7}}"#,
        r#"{"status":"ok","data":{"id":7}}"#,
    ];
    for body in believed {
        assert_eq!(id_of(parse_contact(body.as_bytes())), Some(7), "{body}");
    }
    let refused = [
        "",
        " ",
        "<html></html>",
        "null",
        "7",
        "[]",
        "{}",
        r#"{"data":{"id":7}"#,
        r#"{"status":"error","data":{"id":7}}"#,
        r#"{"data":[{"id":7}]}"#,
        r#"{"contact":null}"#,
        r#"{"data":{"first_name":"Ada"}}"#,
        r#"{"data":{"id":null}}"#,
        r#"{"data":{"id":0}}"#,
        r#"{"data":{"id":-7}}"#,
        r#"{"data":{"id":7.0}}"#,
        r#"{"data":{"id":true}}"#,
        r#"{"data":{"id":"seven"}}"#,
        r#"{"data":{"id":9223372036854775808}}"#,
        r#"{"data":{"id":7,"email":{}}}"#,
        r#"{"data":{"id":7,"email":["a"]}}"#,
        r#"{"data":{"id":7,"phone_number":1.41556E+10}}"#,
        r#"{"data":{"id":7,"title":"\ud800"}}"#,
    ];
    for body in refused {
        assert_eq!(id_of(parse_contact(body.as_bytes())), None, "{body}");
    }
    assert_eq!(id_of(parse_contact(b"{\"data\":{\"id\":7,\"title\":\"\xff\"}}")), None);
}

#[test]
fn a_contact_is_read_whole_and_its_json_is_kept() {
    let raw = r#"{"id": 9007199254740993, "first_name":"Ada","last_name":null,"email":"",
            "phone_number":15551234567,"title":"A\u0301 \"x\"","new_in_v9":{"a":[1]},
            "image_url":null,"created_at":"2025-07-30T10:00:00.000-05:00","updated_at":"yesterday",
            "contact_owner":{"id":456,"email":"owner@company.example","name":"Jane"}}"#;
    let fetched = parse_contact(format!(r#"{{"data":{raw}}}"#).as_bytes()).unwrap();
    assert_eq!(fetched.raw, raw);
    assert_eq!(fetched.contact.id, LinqId(9_007_199_254_740_993));
    let expected: Values = [
        (Field::FirstName, "Ada"),
        (Field::PhoneNumber, "15551234567"),
        (Field::Title, "A\u{301} \"x\""),
        (Field::Owner, "owner@company.example"),
    ]
    .map(|(field, text)| (field, text.to_owned()))
    .into_iter()
    .collect();
    assert_eq!(fetched.contact.values, expected);
    let created = fetched.contact.created_at.unwrap().to_rfc3339();
    assert_eq!(created, "2025-07-30T15:00:00+00:00");
    assert_eq!(fetched.contact.updated_at, None);
    let debug = format!("{fetched:?}");
    assert!(!debug.contains("Ada") && !debug.contains("owner@"), "{debug}");
}

#[test]
fn a_search_finds_nothing_only_if_linq_says_so() {
    for body in [
        r#"{"contact":null}"#,
        r#"{"data":null}"#,
        r#"{"contact":{}}"#,
        r#"{"data":{"id":null,"email":null}}"#,
        r#"{"id":null}"#,
        "null",
    ] {
        assert_eq!(parse_found(body.as_bytes()), Ok(None), "{body}");
    }
    for body in [ADA, &format!(r#"{{"contact":{ADA}}}"#), &format!(r#"{{"data":{ADA}}}"#)] {
        let found = parse_found(body.as_bytes()).unwrap().unwrap();
        assert_eq!((found.contact.id.0, found.raw.as_str()), (7, ADA), "{body}");
    }
    for body in [
        "",
        "{}",
        "<html>",
        r#"{"status":"error","contact":null}"#,
        r#"{"message":"hello"}"#,
        r#"{"contact":{"first_name":"Ada"}}"#,
        r#"{"contact":[]}"#,
        r#"{"contact":false}"#,
    ] {
        assert!(parse_found(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn a_page_counts_the_contacts_that_it_cannot_read() {
    let body = format!(
        r#"{{"contacts":[{ADA},{{"first_name":"no id"}},7,{{"id":8}}],
                "pagination":{{"current_page":1,"per_page":"25","total_pages":null,"total_count":4}}}}"#
    );
    let page = parse_page(body.as_bytes()).unwrap();
    let ids: Vec<u64> = page.contacts.iter().map(|fetched| fetched.contact.id.0).collect();
    assert_eq!((ids, page.unreadable), (vec![7, 8], 2));
    let pagination = Pagination {
        current_page: Some(1),
        per_page: Some(25),
        total_pages: None,
        total_count: Some(4),
    };
    assert_eq!(page.pagination, pagination);
}

#[test]
fn what_holds_no_list_is_no_page() {
    for body in ["", "[]", "{}", r#"{"contacts":null}"#, r#"{"contacts":{}}"#, ADA] {
        assert!(parse_page(body.as_bytes()).is_err(), "{body}");
    }
    let bare = parse_page(br#"{"contacts":[],"pagination":[]}"#).unwrap();
    assert_eq!(bare.pagination, Pagination::default());
}

#[test]
fn nesting_ends_a_reading_and_not_the_program() {
    for depth in [100, 10_000, 1_000_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let body = format!(r#"{{"data":{{"id":7,"email":{nested}}}}}"#);
        assert!(parse_contact(body.as_bytes()).is_err());
        assert_eq!(read_complaint(body.as_bytes()).code, None);
    }
}

#[test]
fn complaints_are_read_in_every_form() {
    let read = |body: &str| {
        let Complaint { code, texts, .. } = read_complaint(body.as_bytes());
        (code, texts)
    };
    let expected = |code: &str, texts: &[&str]| {
        let code = (!code.is_empty()).then(|| code.to_owned());
        (code, texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    };
    let cases = [
        (
            r#"{"status":"error","error_code":"VALIDATION_ERROR","message":"m","errors":["a","b"]}"#,
            expected("VALIDATION_ERROR", &["m", "a", "b"]),
        ),
        (
            r#"{"errors":[{"status":"422","code":"invalid","title":"t","detail":"d"}]}"#,
            expected("invalid", &["d"]),
        ),
        (
            r#"{"error":{"type":"bad_request","messages":["x\u0007y"]},"status":400}"#,
            expected("bad_request", &["xy"]),
        ),
        (r#"{"error":"no"}"#, expected("", &["no"])),
        (r#"{"error_code":"+15551234567"}"#, expected("", &[])),
        (r#"{"error_code":"ada@example.org"}"#, expected("", &[])),
        ("<html>", expected("", &[])),
        ("", expected("", &[])),
        ("[1]", expected("", &[])),
    ];
    for (body, expected) in cases {
        assert_eq!(read(body), expected, "{body}");
    }
    let long = format!(r#"{{"errors":["{}"]}}"#, "é".repeat(1_000));
    assert_eq!(read_complaint(long.as_bytes()).texts[0].chars().count(), 300);
}

#[test]
fn a_page_that_is_longer_than_was_asked_for_is_not_taken_into_memory() {
    let body = |contacts: usize, name: usize| {
        let contact =
            |id: usize| format!(r#"{{"id":{},"first_name":"{}"}}"#, id + 1, "a".repeat(name));
        let contacts: Vec<String> = (0..contacts).map(contact).collect();
        format!(r#"{{"contacts":[{}],"pagination":{{"total_count":9}}}}"#, contacts.join(","))
    };
    let read = |text: String| {
        let page = parse_page(text.as_bytes()).unwrap();
        (page.contacts.len(), page.unreadable)
    };
    assert_eq!(read(body(LONGEST_PAGE, 1)), (100, 0));
    assert_eq!(read(body(LONGEST_PAGE + 1, 1)), (0, 101));
    assert_eq!(read(body(2, 30_000)), (2, 0));
    assert_eq!(read(body(2, LARGEST_CONTACT)), (0, 2));
}
