//! What can go wrong with a request, told by what the caller can do about it.
//!
//! Owns the error and its words. Leaves deciding which answer is which to
//! [`super::verdict`]. Nothing here prints what Linq wrote for people: such
//! texts quote values. They are behind [`LinqRejection::texts`].

use std::error::Error;
use std::fmt;

use http::StatusCode;

use super::answer::Named;
use super::request::Call;
use super::token::TokenUnavailable;
use super::transport::TransportError;
use crate::model::Field;

/// What is known about the effect of a request, over all its attempts. Ordered
/// by how much may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestEffect {
    /// Nothing reached Linq.
    NotSent,
    /// Linq saw the request and refused it.
    Refused,
    /// It may have taken effect. A create must be looked up before it is sent again.
    Unknown,
}

/// A call that did not get its answer.
#[derive(Debug)]
pub struct LinqError {
    /// What was asked.
    pub call: Call,
    /// What is known about its effect.
    pub effect: RequestEffect,
    /// How often it was sent.
    pub attempts: u32,
    /// What the caller can do.
    pub verdict: Remedy,
}

/// What the caller can do about a failed call.
#[derive(Debug, thiserror::Error)]
pub enum Remedy {
    /// There is no token to send. Stop: the configuration must be repaired.
    #[error("there is no token to send")]
    NoToken(#[source] TokenUnavailable),
    /// Linq refused the token. Stop (exit code 5): nothing further is sent.
    #[error("Linq refused the token: {0}")]
    TokenRefused(Answered),
    /// Not sent, since Linq refused the token before, with this answer. Stop
    /// (exit code 5).
    #[error("not sent, since Linq had refused the token: {0}")]
    Halted(Answered),
    /// Linq refused this one request. Go on with the others.
    #[error(transparent)]
    Rejected(LinqRejection),
    /// Linq cannot be reached or does not work, after all attempts (exit code 6).
    #[error(transparent)]
    Failed(Failure),
}

/// Why there is no answer that can be believed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There was no whole answer.
    #[error(transparent)]
    NoAnswer(TransportError),
    /// Linq answered with an error that is not about one contact.
    #[error("{0}")]
    Status(Answered),
    /// Linq sent us elsewhere, where the token must not go. Check `linq.base_url`.
    #[error("{0}: a redirect, which is not followed")]
    Redirected(Answered),
    /// The answer says success and is not the one that is documented.
    #[error("{answered}: {problem}")]
    NotBelieved {
        /// The answer.
        answered: Answered,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// A request that Linq refused for what is in it.
pub struct LinqRejection {
    /// The answer.
    pub answered: Answered,
    /// What Linq objects to, as far as it can be told.
    pub reason: RejectionReason,
    pub(super) texts: Vec<String>,
    /// The fields that the answer names.
    pub named: Box<Named>,
}

/// What Linq objects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionReason {
    /// The contact does not exist, or is not accessible with this token
    /// (`CONTACT_NOT_FOUND`).
    NoSuchContact,
    /// Most likely, `user_email` is no user of the organisation. No code is
    /// documented for it, so this follows from Linq's words.
    NoSuchUser,
    /// Another contact has what may be there only once. Linq does not document any such
    /// rule.
    Taken,
    /// This contact may not be read or written with this token, although the
    /// token is good for others (403).
    Forbidden,
    /// It is too large (413, 414), or something in it is not valid (400, 422).
    Invalid,
    /// Anything else: see [`LinqRejection::texts`].
    Other,
}

/// The parts of an answer that can be shown to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: StatusCode,
    /// Linq's `error_code`, if it gave one that looks like a code.
    pub error_code: Option<String>,
    /// The `x-request-id` to name when asking Linq's support.
    pub request_id: Option<String>,
}

impl LinqError {
    /// What Linq answered, if it answered.
    pub fn linq_answer(&self) -> Option<&Answered> {
        match &self.verdict {
            Remedy::TokenRefused(answered)
            | Remedy::Rejected(LinqRejection { answered, .. })
            | Remedy::Failed(
                Failure::Status(answered)
                | Failure::Redirected(answered)
                | Failure::NotBelieved { answered, .. },
            ) => Some(answered),
            Remedy::NoToken(_) | Remedy::Halted(_) | Remedy::Failed(Failure::NoAnswer(_)) => None,
        }
    }

    /// Whether the same request may fare better another time, once it is known what
    /// became of it.
    pub fn may_pass(&self) -> bool {
        match &self.verdict {
            Remedy::Failed(
                Failure::Redirected(_) | Failure::NoAnswer(TransportError::TooLarge { .. }),
            )
            | Remedy::NoToken(_)
            | Remedy::TokenRefused(_)
            | Remedy::Halted(_)
            | Remedy::Rejected(_) => false,
            Remedy::Failed(
                Failure::Status(_)
                | Failure::NotBelieved { .. }
                | Failure::NoAnswer(
                    TransportError::NotSent(_)
                    | TransportError::TimedOut(_)
                    | TransportError::Broken(_),
                ),
            ) => true,
        }
    }

    /// The rejection, if Linq refused this one request for what is in it.
    pub fn rejection(&self) -> Option<&LinqRejection> {
        match &self.verdict {
            Remedy::Rejected(rejection) => Some(rejection),
            Remedy::NoToken(_)
            | Remedy::TokenRefused(_)
            | Remedy::Halted(_)
            | Remedy::Failed(_) => None,
        }
    }
}

impl fmt::Display for LinqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.verdict)?;
        match self.attempts {
            0 | 1 => Ok(()),
            attempts => write!(f, " (after {attempts} attempts)"),
        }
    }
}

impl Error for LinqError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The verdict is part of the message; what lies behind it is not.
        self.verdict.source()
    }
}

impl LinqRejection {
    /// Linq's own words, for the report of this contact: at most ten texts of at
    /// most 300 characters, without control characters. They may quote the
    /// contact's values and so must stay out of logs.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Linq's own words about one field, or all of them where it says nothing about that
    /// field alone. As [`LinqRejection::texts`].
    pub fn texts_about(&self, field: Field) -> Vec<&str> {
        let about: Vec<&str> = self.named.texts_about(field).collect();
        if about.is_empty() { self.texts.iter().map(String::as_str).collect() } else { about }
    }
}

impl fmt::Display for LinqRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.answered.fmt(f)?;
        match self.reason {
            RejectionReason::NoSuchContact => f.write_str(": no such contact"),
            RejectionReason::NoSuchUser => f.write_str(": no such user"),
            RejectionReason::Forbidden => f.write_str(": this contact is not accessible"),
            RejectionReason::Taken | RejectionReason::Invalid | RejectionReason::Other => Ok(()),
        }
    }
}

impl fmt::Debug for LinqRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("answered", &self.answered)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl Error for LinqRejection {}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status.as_u16())?;
        if let Some(code) = &self.error_code {
            write!(f, " {code}")?;
        }
        match &self.request_id {
            Some(id) => write!(f, " [x-request-id {id}]"),
            None => Ok(()),
        }
    }
}
