//! Answers: the envelopes of the documents and their error form.
//!
//! Owns status codes and bodies, one for each thing that can go wrong. Leaves
//! when they are given to [`super::routes`] and [`super::fault`].

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::quirks::ErrorForm;

/// Why a request is refused. No message repeats what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequestProblem {
    /// 401: the token is missing or wrong.
    Unauthorized,
    /// 400: the body is not JSON.
    NotJson,
    /// 400: find was given nothing to look for.
    NothingToFind,
    /// 404: no contact has this id.
    NoContact,
    /// 404: no endpoint is there.
    NoEndpoint,
    /// 413: the body is larger than anything the API takes.
    TooLarge,
    /// 415: the body is not declared to be JSON.
    NotDeclaredJson,
    /// 422: what was sent is invalid, for these reasons.
    Invalid(Vec<String>),
    /// 422: `user_email` is nobody in the organisation.
    NoUser,
}

impl RequestProblem {
    /// The problem with exactly one reason.
    pub(super) fn invalid_because(reason: &str) -> RequestProblem {
        RequestProblem::Invalid(vec![reason.to_owned()])
    }

    /// The answer that says so.
    #[expect(clippy::wrong_self_convention, reason = "it is used up, and cannot be told twice")]
    pub(super) fn to_response(self) -> Response<Bytes> {
        let one = |error: &str| vec![error.to_owned()];
        let (status, code, message, errors) = match self {
            RequestProblem::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "UNAUTHORIZED",
                "Unauthorized",
                one("The integration token is missing or invalid"),
            ),
            RequestProblem::NotJson => (
                StatusCode::BAD_REQUEST,
                "BAD_REQUEST",
                "Bad request",
                one("The request body is not valid JSON"),
            ),
            RequestProblem::NothingToFind => (
                StatusCode::BAD_REQUEST,
                "BAD_REQUEST",
                "Missing search parameters",
                one("At least one of email or phone_number must be provided"),
            ),
            RequestProblem::NoContact => (
                StatusCode::NOT_FOUND,
                "CONTACT_NOT_FOUND",
                "Contact not found",
                one(NOT_ACCESSIBLE),
            ),
            RequestProblem::NoEndpoint => {
                (StatusCode::NOT_FOUND, "NOT_FOUND", "Not found", one("There is no such endpoint"))
            }
            RequestProblem::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "PAYLOAD_TOO_LARGE",
                "Payload too large",
                one("The request body is too large"),
            ),
            RequestProblem::NotDeclaredJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "Unsupported media type",
                one("The content type must be application/json"),
            ),
            RequestProblem::Invalid(errors) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "VALIDATION_ERROR",
                "Contact validation failed",
                errors,
            ),
            RequestProblem::NoUser => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "USER_NOT_FOUND",
                "User not found",
                one("No user with this user_email exists in your organization"),
            ),
        };
        standard_error(status, code, message, &errors)
    }
}

/// The documents' own words.
const NOT_ACCESSIBLE: &str =
    "The requested contact does not exist or is not accessible to your organization";

/// The answer of a server that fails with `status` for no fault of the client.
pub(super) fn failure_response(status: StatusCode) -> Response<Bytes> {
    let message = status.canonical_reason().unwrap_or("Unexpected error");
    let code = if status.is_server_error() {
        "INTERNAL_ERROR".to_owned()
    } else {
        message.to_uppercase().replace(' ', "_")
    };
    standard_error(status, &code, message, &[TRY_AGAIN.to_owned()])
}

/// The documents' own words.
const TRY_AGAIN: &str =
    "Internal server error. Please try again or contact support if the issue persists.";

/// The schema `StandardError`.
fn standard_error(
    status: StatusCode,
    error_code: &str,
    message: &str,
    errors: &[String],
) -> Response<Bytes> {
    let body = json!({
        "status": "error", "error_code": error_code, "message": message, "errors": errors
    });
    json_response(status, &body)
}

/// An answer in which an error is told in this form.
pub(super) fn told_as(form: ErrorForm, answer: Response<Bytes>) -> Response<Bytes> {
    let status = answer.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return answer;
    }
    let told: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let (code, title) = (&told["error_code"], &told["message"]);
    let retry_after = answer.headers().get(RETRY_AFTER).cloned();
    let mut answer = match form {
        ErrorForm::Documented => return answer,
        ErrorForm::List => {
            let errors = told["errors"].as_array().into_iter().flatten();
            let error = |detail: &Value| {
                json!({
                    "status": status.as_u16().to_string(), "code": code, "title": title,
                    "detail": detail,
                })
            };
            json_response(status, &json!({ "errors": errors.map(error).collect::<Vec<_>>() }))
        }
        ErrorForm::Typed => json_response(
            status,
            &json!({
                "error": { "type": code, "messages": told["errors"] }, "status": status.as_u16(),
            }),
        ),
        ErrorForm::Html => with_body(
            status,
            "text/html; charset=utf-8",
            format!("<html><body><h1>{status}</h1></body></html>\n"),
        ),
        ErrorForm::None => without_body(status),
    };
    if let Some(retry_after) = retry_after {
        answer.headers_mut().insert(RETRY_AFTER, retry_after);
    }
    answer
}

/// An answer with a JSON body.
pub(super) fn json_response(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    // Serialising our own types into memory cannot fail.
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    with_body(status, "application/json; charset=utf-8", bytes)
}

/// An answer with a body of any kind.
pub(super) fn with_body(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut answer = without_body(status);
    *answer.body_mut() = body.into();
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// An answer that is a status and nothing else.
pub(super) fn without_body(status: StatusCode) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    answer
}
