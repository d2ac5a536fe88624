//! What an answer must be to be believed, call by call.

use super::*;
use crate::linq::RequestEffect;
use crate::linq::scripted::{Scripted, scripted_answer, test_client};
use crate::linq::{Failure, RejectionReason, Remedy};
use crate::model::Field;

const ADA: &str = r#"{"data":{"id":7,"first_name":"Ada"}}"#;
const EVE: &str = r#"{"data":{"id":8,"first_name":"Eve"}}"#;
const GONE: &str = r#"{"status":"error","error_code":"CONTACT_NOT_FOUND"}"#;
const SEVEN: LinqId = LinqId(7);

fn scripted(status: u16, body: &'static str) -> Arc<Scripted> {
    Scripted::new(move |_, _| scripted_answer(status, body))
}

fn update() -> Update {
    Update::new([(Field::FirstName, "Ada".to_owned())], None).unwrap()
}

#[tokio::test(start_paused = true)]
async fn only_a_404_with_its_code_is_an_absence() {
    let get = async |status, body| test_client(&scripted(status, body)).get(SEVEN).await;
    assert!(matches!(get(200, ADA).await, Ok(Lookup::Found(found)) if found.contact.id == SEVEN));
    assert_eq!(get(404, GONE).await.unwrap(), Lookup::Absent);
    for body in ["", "<html>404</html>", "{}", r#"{"error_code":"NOT_FOUND"}"#] {
        assert!(matches!(get(404, body).await, Ok(Lookup::Unproven(_))), "{body}");
    }
    for (status, body) in [(410, GONE), (500, GONE), (200, GONE), (401, GONE), (302, GONE)] {
        assert!(get(status, body).await.is_err(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_another_contact_is_not_believed() {
    let linq = scripted(200, EVE);
    let errors = [
        test_client(&linq).get(SEVEN).await.unwrap_err(),
        test_client(&linq).patch(SEVEN, &update()).await.unwrap_err(),
        test_client(&linq).put(SEVEN, &update()).await.unwrap_err(),
    ];
    for error in errors {
        let Remedy::Failed(Failure::NotBelieved { problem, .. }) = error.verdict else {
            panic!("{error}");
        };
        assert_eq!(problem, "the answer is about another contact");
        assert_eq!(error.effect, RequestEffect::Unknown);
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_that_linq_cannot_make_is_not_a_search_without_result() {
    let find =
        async |status, body| test_client(&scripted(status, body)).find(FindBy::Phone("12")).await;
    assert!(matches!(find(200, ADA).await, Ok(SearchResult::Found(_))));
    assert_eq!(find(200, r#"{"contact":null}"#).await.unwrap(), SearchResult::Nothing);
    assert_eq!(find(404, GONE).await.unwrap(), SearchResult::Nothing);
    assert_eq!(find(400, "").await.unwrap(), SearchResult::CannotSearch);
    assert_eq!(find(422, GONE).await.unwrap(), SearchResult::CannotSearch);
    for (status, body) in [(404, ""), (200, ""), (200, "{}"), (204, ""), (500, "")] {
        assert!(find(status, body).await.is_err(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_too_long_for_an_address_is_not_searched_for() {
    let linq = scripted(200, r#"{"contact":null}"#);
    let long = "a".repeat(100_000);
    let found = test_client(&linq).find(FindBy::Email(&long)).await.unwrap();
    assert_eq!((found, linq.request_count()), (SearchResult::CannotSearch, 0));
}

#[tokio::test(start_paused = true)]
async fn a_create_is_believed_with_200_and_201_and_a_contact() {
    let create = async |status, body| {
        test_client(&scripted(status, body)).create(&Values::default(), None).await
    };
    assert_eq!(create(201, ADA).await.unwrap().contact.id, SEVEN);
    assert_eq!(create(200, ADA).await.unwrap().contact.id, SEVEN);
    for (status, body) in
        [(201, ""), (204, ""), (202, ADA), (201, "<html>"), (201, r#"{"contact":null}"#)]
    {
        let error = create(status, body).await.unwrap_err();
        assert_eq!(error.effect, RequestEffect::Unknown, "{status} {body}");
    }
    let error = create(422, r#"{"error_code":"VALIDATION_ERROR","errors":["no"]}"#).await;
    let error = error.unwrap_err();
    assert_eq!(error.effect, RequestEffect::Refused);
    assert_eq!(error.rejection().unwrap().texts(), ["no"]);
    assert_eq!(error.to_string(), "create a contact: 422 VALIDATION_ERROR");
}

#[tokio::test(start_paused = true)]
async fn updating_a_contact_that_is_gone_is_a_rejection_that_says_so() {
    let error = test_client(&scripted(404, GONE)).patch(SEVEN, &update()).await.unwrap_err();
    assert_eq!(error.rejection().unwrap().reason, RejectionReason::NoSuchContact);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_believed_only_where_it_is_answered_as_documented() {
    let delete = async |status, body| test_client(&scripted(status, body)).delete(SEVEN).await;
    assert_eq!(delete(204, "").await.unwrap(), Deletion::Done);
    assert_eq!(delete(404, GONE).await.unwrap(), Deletion::AlreadyGone);
    for (status, body) in [
        (200, ""),
        (202, "{}"),
        (200, ADA),
        (200, "<html>log in</html>"),
        (200, r#"{"status":"error"}"#),
        (404, ""),
        (404, "<html>"),
        (410, ""),
        (302, ""),
    ] {
        assert!(delete(status, body).await.is_err(), "{status} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_call_asks_for_what_the_documents_say() {
    let linq = scripted(409, "");
    let client = test_client(&linq);
    client.list_page(3, 100).await.unwrap_err();
    client.check_access().await.unwrap_err();
    client.find(FindBy::Email("a@b.example")).await.unwrap_err();
    client.get(SEVEN).await.unwrap_err();
    client.create(&Values::default(), None).await.unwrap_err();
    client.put(SEVEN, &update()).await.unwrap_err();
    client.patch(SEVEN, &update()).await.unwrap_err();
    client.delete(SEVEN).await.unwrap_err();
    let base = "https://linq.example/api/partner/v2/contacts";
    let expected = [
        format!("GET {base}?page=3&per_page=100"),
        format!("GET {base}?page=1&per_page=1"),
        format!("GET {base}/find?email=a%40b.example"),
        format!("GET {base}/7"),
        format!("POST {base}"),
        format!("PUT {base}/7"),
        format!("PATCH {base}/7"),
        format!("DELETE {base}/7"),
    ];
    assert_eq!(linq.request_lines(), expected);
    let counts = serde_json::to_string(&client.request_counts()).unwrap();
    assert_eq!(
        counts,
        r#"{"list":2,"find":1,"get":1,"create":1,"update":2,"delete":1,"retries":0}"#
    );
}
