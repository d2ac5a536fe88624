//! What one attempt proves.
//!
//! Owns the table from statuses and failures to outcomes, as pure functions.
//! Leaves waiting, repeating and stopping to [`super::exchange`].
//!
//! | attempt ended with | outcome | effect | again? |
//! |---|---|---|---|
//! | what the call is waiting for | done | | |
//! | 2xx that is not the documented answer | failed | unknown | yes |
//! | 3xx | failed | unknown | no |
//! | 401 | the token is refused | refused | |
//! | 403 while listing | the token is refused | refused | |
//! | 403 on anything else | the token is refused if it may not list either, else this contact | refused | |
//! | 408, 425, 5xx | failed | unknown | yes |
//! | 429 | failed | refused | yes, and everybody waits |
//! | 503 with `Retry-After` | failed | unknown | yes, and everybody waits |
//! | 400, 409, 413, 414, 422, the documented 404, but for lists | this request is rejected | refused | |
//! | other 4xx | failed | refused | no |
//! | no connection | failed | not sent | yes |
//! | timeout, broken connection | failed | unknown | yes |
//! | answer too large | failed | unknown | no |
//!
//! Whether an unknown effect may be repeated depends on the call: see
//! [`is_repeatable`].

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};

use super::answer::{Complaint, UnreadableAnswer, read_complaint};
use super::backoff;
use super::error::{Answered, Failure, LinqRejection, RejectionReason, RequestEffect};
use super::request::{Call, RequestDraft};
use super::transport::TransportError;

/// What a call makes of an answer, before the table is asked.
pub(super) enum AnswerReading<T> {
    /// This is what the call is waiting for.
    Is(T),
    /// This should be it, and cannot be believed.
    NotBelieved(&'static str),
    /// This is not for the call to say.
    Other,
}

impl<T> From<Result<T, UnreadableAnswer>> for AnswerReading<T> {
    fn from(read: Result<T, UnreadableAnswer>) -> AnswerReading<T> {
        match read {
            Ok(read) => AnswerReading::Is(read),
            Err(UnreadableAnswer(problem)) => AnswerReading::NotBelieved(problem),
        }
    }
}

/// What one attempt came to.
pub(super) enum AttemptOutcome<T> {
    Done(T),
    /// 401, or 403 where no contact is concerned.
    TokenRefused(Answered),
    /// 403 on one contact: either the token or this contact.
    Forbidden(LinqRejection),
    Rejected(LinqRejection),
    Failed(Failed),
}

/// An attempt without an answer that settles the call.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) effect: RequestEffect,
    pub(super) again: Again,
}

/// Whether asking again may help, and how long Linq wants it to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    After(Option<Duration>),
    /// Linq is asked too much: every request waits.
    EverybodyAfter(Option<Duration>),
}

/// Whether `call` may be sent again after an attempt with this `effect`, without
/// looking first. Two creates make two contacts; and what was to be changed or
/// deleted may have changed while it was waited, whatever the attempt did.
pub(super) fn is_repeatable(call: Call, effect: RequestEffect) -> bool {
    match call {
        Call::Update(_) | Call::Delete(_) => false,
        Call::Create => effect != RequestEffect::Unknown,
        Call::List { .. }
        | Call::FindByEmail
        | Call::FindByPhone
        | Call::FindByEither
        | Call::Get(_) => true,
    }
}

/// Judges how one attempt at `draft` ended; `read` looks at the answer first.
pub(super) fn judge_attempt<T>(
    draft: &RequestDraft,
    ended: Result<Response<Bytes>, TransportError>,
    read: impl FnOnce(&Response<Bytes>) -> AnswerReading<T>,
) -> AttemptOutcome<T> {
    let answer = match ended {
        Ok(answer) => answer,
        Err(error) => return AttemptOutcome::Failed(unanswered_failure(error)),
    };
    match read(&answer) {
        AnswerReading::Is(done) => AttemptOutcome::Done(done),
        AnswerReading::NotBelieved(problem) => {
            AttemptOutcome::Failed(not_believed(&answer, problem))
        }
        AnswerReading::Other => judge_status(draft, &answer),
    }
}

fn judge_status<T>(draft: &RequestDraft, answer: &Response<Bytes>) -> AttemptOutcome<T> {
    let Complaint { code, texts, named } = read_complaint(answer.body());
    let named = Box::new(named);
    let answered = answered_parts(answer, code);
    let failed = |failure, effect, again| AttemptOutcome::Failed(Failed { failure, effect, again });
    let retry_after = backoff::retry_after(answer.headers());
    let lists = matches!(draft.call, Call::List { .. });
    match answered.status.as_u16() {
        401 => AttemptOutcome::TokenRefused(answered),
        403 if lists => AttemptOutcome::TokenRefused(answered),
        403 => {
            let reason = RejectionReason::Forbidden;
            AttemptOutcome::Forbidden(LinqRejection { answered, reason, texts, named })
        }
        429 => failed(
            Failure::Status(answered),
            RequestEffect::Refused,
            Again::EverybodyAfter(retry_after),
        ),
        503 if retry_after.is_some() => failed(
            Failure::Status(answered),
            RequestEffect::Unknown,
            Again::EverybodyAfter(retry_after),
        ),
        408 | 425 | 500.. => {
            failed(Failure::Status(answered), RequestEffect::Unknown, Again::After(retry_after))
        }
        300..400 => failed(Failure::Redirected(answered), RequestEffect::Unknown, Again::Never),
        400 | 404 | 409 | 413 | 414 | 422 if !lists && is_from_linq(&answered) => {
            let reason = rejection_reason(draft, &answered, &texts);
            AttemptOutcome::Rejected(LinqRejection { answered, reason, texts, named })
        }
        400..500 => failed(Failure::Status(answered), RequestEffect::Refused, Again::Never),
        0..300 => {
            AttemptOutcome::Failed(not_believed(answer, "not a status that is documented here"))
        }
    }
}

/// The parts of an answer that can be shown to anybody.
pub(super) fn answered_parts(answer: &Response<Bytes>, error_code: Option<String>) -> Answered {
    Answered { status: answer.status(), error_code, request_id: request_id(answer) }
}

/// The `x-request-id`, unless it holds what no such id holds.
pub(super) fn request_id(answer: &Response<Bytes>) -> Option<String> {
    let id = answer.headers().get("x-request-id")?.to_str().ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(&b);
    (!id.is_empty() && id.len() <= 128 && id.bytes().all(plain)).then(|| id.to_owned())
}

/// Whether a refusal is about what was sent. A 404 without the code may come from
/// anything between here and Linq, and says nothing about the contact.
fn is_from_linq(answered: &Answered) -> bool {
    answered.status != StatusCode::NOT_FOUND || is_no_such_contact(answered.error_code.as_deref())
}

fn unanswered_failure(error: TransportError) -> Failed {
    let (effect, again) = match error {
        TransportError::NotSent(_) => (RequestEffect::NotSent, Again::After(None)),
        TransportError::TimedOut(_) | TransportError::Broken(_) => {
            (RequestEffect::Unknown, Again::After(None))
        }
        TransportError::TooLarge { .. } => (RequestEffect::Unknown, Again::Never),
    };
    Failed { failure: Failure::NoAnswer(error), effect, again }
}

fn not_believed(answer: &Response<Bytes>, problem: &'static str) -> Failed {
    Failed {
        failure: Failure::NotBelieved {
            answered: answered_parts(answer, read_complaint(answer.body()).code),
            problem,
        },
        effect: RequestEffect::Unknown,
        again: Again::After(None),
    }
}

/// Whether an answer is the documented 404. A 404 without the code may come from
/// anything between here and Linq, and is evidence of nothing.
pub(super) fn says_no_such_contact(answer: &Response<Bytes>) -> bool {
    answer.status() == StatusCode::NOT_FOUND
        && is_no_such_contact(read_complaint(answer.body()).code.as_deref())
}

fn is_no_such_contact(code: Option<&str>) -> bool {
    code == Some("CONTACT_NOT_FOUND")
}

/// What Linq objects to. For an unknown user the documents say "Validation error
/// or User not found" (API page "Create Contact") and give no code.
fn rejection_reason(
    draft: &RequestDraft,
    answered: &Answered,
    texts: &[String],
) -> RejectionReason {
    let code = answered.error_code.as_deref();
    if answered.status == StatusCode::NOT_FOUND && is_no_such_contact(code) {
        RejectionReason::NoSuchContact
    } else if draft.names_user
        && code.into_iter().chain(texts.iter().map(String::as_str)).any(speaks_of_unknown_user)
    {
        RejectionReason::NoSuchUser
    } else if answered.status == StatusCode::CONFLICT || texts.iter().any(|text| is_taken(text)) {
        RejectionReason::Taken
    } else if answered.status == StatusCode::NOT_FOUND {
        RejectionReason::Other
    } else {
        RejectionReason::Invalid
    }
}

/// Whether a text says that another contact has the value already. Without it the contact
/// would be there twice.
fn is_taken(text: &str) -> bool {
    let text = text.to_lowercase();
    let taken =
        ["already been taken", "already taken", "already exist", "already in use", "unique"];
    taken.into_iter().any(|phrase| text.contains(phrase)) || text.contains("duplicate")
}

/// Whether a code or text says that there is no such user: `USER_NOT_FOUND`,
/// "User not found", "user_email must be an existing user". An address in the
/// text does not count as the word.
fn speaks_of_unknown_user(text: &str) -> bool {
    let text = text.to_lowercase().replace("user_email", "user").replace('_', " ");
    let is_apart = |c: char| c.is_whitespace() || "'\"`,;:!?()".contains(c);
    let names_user = text.split(is_apart).any(|word| word.trim_matches('.') == "user");
    let unknown = ["not found", "not exist", "no user", "existing", "unknown", "invalid", "find"];
    names_user && unknown.into_iter().any(|phrase| text.contains(phrase))
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::linq::BaseUrl;
    use crate::model::Values;

    fn reason_of(status: u16, body: &str, user_email: Option<&str>) -> Option<RejectionReason> {
        let base = BaseUrl::new(Url::parse("https://linq.example").unwrap()).unwrap();
        let draft = RequestDraft::create(&base, &Values::default(), user_email);
        let answer = Response::builder().status(status).body(Bytes::from(body.to_owned())).unwrap();
        match judge_attempt::<()>(&draft, Ok(answer), |_| AnswerReading::Other) {
            AttemptOutcome::Rejected(rejection) => Some(rejection.reason),
            AttemptOutcome::Done(())
            | AttemptOutcome::TokenRefused(_)
            | AttemptOutcome::Forbidden(_)
            | AttemptOutcome::Failed(_) => None,
        }
    }

    #[test]
    fn an_unknown_user_is_recognised_by_its_code_or_words_if_a_user_was_named() {
        let known = [
            r#"{"error_code":"USER_NOT_FOUND"}"#,
            r#"{"error_code":"VALIDATION_ERROR","message":"User not found"}"#,
            r#"{"error_code":"VALIDATION_ERROR","errors":["user_email must be an existing user"]}"#,
            r#"{"message":"Couldn't find User with email 'x@y.example'."}"#,
        ];
        for body in known {
            assert_eq!(
                reason_of(422, body, Some("x@y.example")),
                Some(RejectionReason::NoSuchUser),
                "{body}"
            );
            assert_eq!(reason_of(422, body, None), Some(RejectionReason::Invalid), "{body}");
        }
        let others = [
            r#"{"error_code":"VALIDATION_ERROR","errors":["Email user@x.example is invalid"]}"#,
            r#"{"error_code":"VALIDATION_ERROR","errors":["User has too many contacts"]}"#,
            "",
        ];
        for body in others {
            assert_eq!(
                reason_of(422, body, Some("x@y.example")),
                Some(RejectionReason::Invalid),
                "{body}"
            );
        }
    }

    #[test]
    fn what_another_contact_has_is_told_from_what_is_not_valid() {
        let taken = r#"{"errors":["Email has already been taken"]}"#;
        assert_eq!(reason_of(422, taken, None), Some(RejectionReason::Taken));
        assert_eq!(reason_of(409, "", None), Some(RejectionReason::Taken));
        let invalid = r#"{"errors":["Email is invalid"]}"#;
        for status in [400, 413, 422] {
            assert_eq!(
                reason_of(status, invalid, None),
                Some(RejectionReason::Invalid),
                "{status}"
            );
        }
    }

    #[test]
    fn a_404_is_about_the_contact_only_with_its_code() {
        let documented = r#"{"error_code":"CONTACT_NOT_FOUND"}"#;
        assert_eq!(reason_of(404, documented, None), Some(RejectionReason::NoSuchContact));
        for (status, body) in [(410, documented), (404, "<html>Not Found</html>"), (418, "")] {
            assert_eq!(reason_of(status, body, None), None, "{status} {body}");
        }
    }

    #[test]
    fn a_request_id_is_shown_only_if_it_looks_like_one() {
        let id = |value: &str| {
            request_id(
                &Response::builder().header("x-request-id", value).body(Bytes::new()).unwrap(),
            )
        };
        assert_eq!(id("0af7-9.b:c/d+e=_").as_deref(), Some("0af7-9.b:c/d+e=_"));
        for hostile in ["", "a b", "ada@example.org", "é", &"x".repeat(129)] {
            assert_eq!(id(hostile), None, "{hostile}");
        }
    }
}
