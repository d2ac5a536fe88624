//! How the sandbox's own tests ask it things, in process and without a runtime.

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, StatusCode};
use serde_json::Value;

use super::{Dropped, Options, Quirk, Quirks, Sandbox};

/// An answer, with `Value::Null` for a body that is not JSON.
#[derive(Debug, PartialEq)]
pub(super) struct TestAnswer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

impl TestAnswer {
    pub(super) fn id(&self) -> u64 {
        self.body["data"]["id"].as_u64().unwrap()
    }

    /// The ids of a listing.
    pub(super) fn ids(&self) -> Vec<u64> {
        let contacts = self.body["contacts"].as_array().unwrap();
        contacts.iter().map(|contact| contact["id"].as_u64().unwrap()).collect()
    }
}

/// A sandbox with these quirks, given as text.
pub(super) fn test_sandbox(quirks: &[&str]) -> Sandbox {
    let quirks: Quirks = quirks.iter().map(|text| text.parse::<Quirk>().unwrap()).collect();
    Sandbox::new(Options { quirks, ..Options::default() })
}

/// A request to `path`, which follows `/api/partner/v2/contacts`.
pub(super) fn new_request(method: &str, path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::builder()
        .method(method)
        .uri(format!("/api/partner/v2/contacts{path}"))
        .header("X-LINQ-INTEGRATION-TOKEN", "sandbox-token")
        .header("Content-Type", "application/json")
        .body(body.into())
        .unwrap()
}

/// Asks and gets an answer at once.
pub(super) fn ask_sandbox(sandbox: &Sandbox, method: &str, path: &str, body: &Value) -> TestAnswer {
    try_ask(sandbox, method, path, body).unwrap()
}

/// Asks and gets an answer or none, at once.
pub(super) fn try_ask(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    body: &Value,
) -> Result<TestAnswer, Dropped> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send_request(sandbox, new_request(method, path, body))
}

/// Sends a request and gets an answer or none, at once.
pub(super) fn send_request(
    sandbox: &Sandbox,
    request: Request<Bytes>,
) -> Result<TestAnswer, Dropped> {
    let answer = sandbox.handle_request(request).now_or_never().unwrap()?;
    let body = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
    Ok(TestAnswer { status: answer.status(), body })
}

/// Asks without a body.
pub(super) fn get_path(sandbox: &Sandbox, path: &str) -> TestAnswer {
    ask_sandbox(sandbox, "GET", path, &Value::Null)
}

/// Creates a contact, without a `user_email`.
pub(super) fn create_contact(sandbox: &Sandbox, contact: &Value) -> TestAnswer {
    ask_sandbox(sandbox, "POST", "", &serde_json::json!({ "contact": contact }))
}
