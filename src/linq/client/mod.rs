//! The seven calls of the API.
//!
//! Owns which answer each call waits for. Leaves attempts, waits and refusals to
//! [`super::exchange`], and which fields to send to the caller.

mod either;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use tokio::sync::watch;
use tokio::time::Instant;

use self::either::Either;
use super::answer::{self, Fetched, Page, UnreadableAnswer, read_complaint};
use super::counts::{Counter, RequestCounts};
use super::error::{Answered, LinqError};
use super::limit::Limiter;
use super::request::{FindBy, RequestDraft, Update};
use super::settings::ClientSettings;
use super::token::{Keeper, TokenSource};
use super::transport::Transport;
use super::verdict::{AnswerReading, answered_parts, says_no_such_contact};
use crate::model::{LinqId, Values};
use crate::progress::Progress;

/// The longest text that is searched for, in bytes. It travels in the address,
/// for which servers have limits.
const MAX_SEARCH: usize = 1_000;

/// Asks Linq. One client serves one run: once the token is refused it sends
/// nothing any more ([`super::Remedy::Halted`]).
///
/// Calls may be made at the same time; how many are under way, and how many begin
/// within a second, is limited for all of them together. Dropping a call's future
/// leaves its effect unknown.
pub struct Client {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) settings: ClientSettings,
    pub(super) tokens: Keeper,
    pub(super) limiter: Limiter,
    pub(super) counter: Counter,
    pub(super) halted: OnceLock<Answered>,
    pub(super) asked_to_wait: watch::Sender<Option<Instant>>,
    gauge: Progress,
    random: Mutex<fastrand::Rng>,
    either: Mutex<Either>,
}

/// What asking for a contact by id came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The contact is there.
    Found(Box<Fetched>),
    /// Linq says that it does not exist or is not accessible to the organisation:
    /// 404 with the documented code. A token of another organisation gets the
    /// same answer, so this proves an end only if a known contact is still found.
    Absent,
    /// A 404 without the code, which proves nothing.
    Unproven(Answered),
}

/// What a search came to. It is one witness: what was just created may not be
/// found yet, and of several matches one is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchResult {
    /// One contact that matches.
    Found(Box<Fetched>),
    /// Linq says that none matches.
    Nothing,
    /// Linq cannot search for this text (400 or 422, or too long to ask), which
    /// says nothing about whether there is such a contact.
    CannotSearch,
}

/// What a deletion came to. Either way the contact is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// This call deleted it.
    Done,
    /// It had gone before.
    AlreadyGone,
}

/// Whether a text is too long to be searched for.
fn is_too_long(text: &str) -> bool {
    text.len() > MAX_SEARCH
}

impl Client {
    /// A client that has not asked anything yet, not even for the token.
    pub fn new(
        transport: Arc<dyn Transport>,
        settings: ClientSettings,
        token: TokenSource,
    ) -> Client {
        Client {
            transport,
            tokens: Keeper::new(token),
            limiter: Limiter::new(settings.concurrency, settings.rate, &settings.recent),
            counter: Counter::default(),
            halted: OnceLock::new(),
            asked_to_wait: watch::Sender::new(None),
            gauge: Progress::default(),
            either: Mutex::new(Either::Untried(0)),
            random: Mutex::new(fastrand::Rng::with_seed(settings.seed)),
            settings,
        }
    }

    /// How many requests were sent so far.
    pub fn request_counts(&self) -> RequestCounts {
        self.counter.so_far()
    }

    /// For how long altogether Linq asked for a pause (429).
    pub fn throttled_time(&self) -> Duration {
        self.limiter.paused_time()
    }

    /// How far the run is that this client serves.
    pub fn progress(&self) -> &Progress {
        &self.gauge
    }

    /// What the client was told.
    pub fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    /// Asks for as little as possible: whether Linq can be reached and takes the
    /// token.
    ///
    /// # Errors
    /// [`LinqError`], as for every call.
    pub async fn check_access(&self) -> Result<(), LinqError> {
        self.list_page(1, 1).await.map(drop)
    }

    /// Does the same once, without a second attempt: whether a Linq that failed before
    /// works again.
    ///
    /// # Errors
    /// [`LinqError`], as for every call.
    pub async fn probe_once(&self) -> Result<(), LinqError> {
        let draft = RequestDraft::list(&self.settings.base_url, 1, 1).without_retry();
        self.send_with_retries(&draft, read_page).await.map(drop)
    }

    /// Lets no request begin for `wait` from now.
    pub fn pause_requests(&self, wait: Duration) {
        self.limiter.pause_for(wait);
    }

    /// Until when Linq wants to be left alone (429 or 503 with `Retry-After`), whenever
    /// that changes; `None` when it did not say.
    pub fn asked_to_wait(&self) -> watch::Receiver<Option<Instant>> {
        self.asked_to_wait.subscribe()
    }

    /// Asks for a page of the listing, counted from 1. Linq gives at most 100
    /// contacts at a time and may give fewer than `per_page`.
    ///
    /// # Errors
    /// [`LinqError`]; never a rejection.
    pub async fn list_page(&self, page: u32, per_page: u32) -> Result<Page, LinqError> {
        let draft = RequestDraft::list(&self.settings.base_url, page, per_page);
        self.send_with_retries(&draft, read_page).await
    }

    /// Searches by e-mail or by phone number.
    ///
    /// # Errors
    /// [`LinqError`].
    pub async fn find(&self, by: FindBy<'_>) -> Result<SearchResult, LinqError> {
        let is_too_long = match by {
            FindBy::Email(text) | FindBy::Phone(text) => is_too_long(text),
            FindBy::Either { email, phone } => is_too_long(email) || is_too_long(phone),
        };
        if is_too_long {
            return Ok(SearchResult::CannotSearch);
        }
        let draft = RequestDraft::find(&self.settings.base_url, by);
        self.send_with_retries(&draft, |answer| match answer.status().as_u16() {
            200 => answer::parse_found(answer.body())
                .map(|found| {
                    found.map_or(SearchResult::Nothing, |one| SearchResult::Found(Box::new(one)))
                })
                .into(),
            400 | 422 => AnswerReading::Is(SearchResult::CannotSearch),
            404 if says_no_such_contact(answer) => AnswerReading::Is(SearchResult::Nothing),
            _ => AnswerReading::Other,
        })
        .await
    }

    /// Asks for a contact by id.
    ///
    /// # Errors
    /// [`LinqError`].
    pub async fn get(&self, id: LinqId) -> Result<Lookup, LinqError> {
        let draft = RequestDraft::get(&self.settings.base_url, id);
        self.send_with_retries(&draft, |answer| match answer.status().as_u16() {
            200 => contact_with(id, answer).map(|one| Lookup::Found(Box::new(one))).into(),
            404 if says_no_such_contact(answer) => AnswerReading::Is(Lookup::Absent),
            404 => AnswerReading::Is(Lookup::Unproven(answered_with_code(answer))),
            _ => AnswerReading::Other,
        })
        .await
    }

    /// Creates a contact from the fields of `values` that are not blank. Its owner
    /// is `user_email`, or whom Linq chooses; [`crate::model::Field::Owner`] does
    /// not count. It is sent again only after Linq certainly did not take it.
    ///
    /// # Errors
    /// [`LinqError`]. With [`super::RequestEffect::Unknown`] there may be a new contact: look it
    /// up before creating it again.
    pub async fn create(
        &self,
        values: &Values,
        user_email: Option<&str>,
    ) -> Result<Fetched, LinqError> {
        let draft = RequestDraft::create(&self.settings.base_url, values, user_email);
        self.send_with_retries(&draft, |answer| match answer.status().as_u16() {
            200 | 201 => answer::parse_contact(answer.body()).into(),
            _ => AnswerReading::Other,
        })
        .await
    }

    /// Sets some fields of a contact (PATCH) and returns the contact as it is then,
    /// which need not be as it was sent.
    ///
    /// # Errors
    /// [`LinqError`]; the rejection of a contact that is gone has
    /// [`super::RejectionReason::NoSuchContact`]. With [`super::RequestEffect::Unknown`] look what it is now
    /// before sending it again.
    pub async fn patch(&self, id: LinqId, update: &Update) -> Result<Fetched, LinqError> {
        self.send_update(Method::PATCH, id, update).await
    }

    /// Does the same as [`Client::patch`] by PUT. Linq documents both as identical.
    ///
    /// # Errors
    /// As [`Client::patch`].
    pub async fn put(&self, id: LinqId, update: &Update) -> Result<Fetched, LinqError> {
        self.send_update(Method::PUT, id, update).await
    }

    /// Deletes a contact, for everybody in the organisation and for good.
    ///
    /// # Errors
    /// [`LinqError`]; also for a 404 without the documented code. With
    /// [`super::RequestEffect::Unknown`] look whether it is gone, or was edited meanwhile, before
    /// deleting it again.
    pub async fn delete(&self, id: LinqId) -> Result<Deletion, LinqError> {
        let draft = RequestDraft::delete(&self.settings.base_url, id);
        self.send_with_retries(&draft, |answer| match answer.status().as_u16() {
            204 => AnswerReading::Is(Deletion::Done),
            200 | 202 => AnswerReading::NotBelieved("not the answer to a deletion"),
            404 if says_no_such_contact(answer) => AnswerReading::Is(Deletion::AlreadyGone),
            _ => AnswerReading::Other,
        })
        .await
    }

    async fn send_update(
        &self,
        method: Method,
        id: LinqId,
        update: &Update,
    ) -> Result<Fetched, LinqError> {
        let draft = RequestDraft::update(&self.settings.base_url, method, id, update);
        self.send_with_retries(&draft, |answer| match answer.status().as_u16() {
            200 => contact_with(id, answer).into(),
            _ => AnswerReading::Other,
        })
        .await
    }

    /// The wait after the `failures`th failure of a call.
    pub(super) fn backoff_after(&self, failures: u32, asked: Option<Duration>) -> Duration {
        let random = self.random.lock().unwrap_or_else(PoisonError::into_inner).f64();
        self.settings.backoff.wait_after(failures, random, asked)
    }
}

fn read_page(answer: &Response<Bytes>) -> AnswerReading<Page> {
    match answer.status().as_u16() {
        200 => answer::parse_page(answer.body()).into(),
        _ => AnswerReading::Other,
    }
}

/// The contact in an answer, which must be the one that was asked for.
fn contact_with(id: LinqId, answer: &Response<Bytes>) -> Result<Fetched, UnreadableAnswer> {
    let fetched = answer::parse_contact(answer.body())?;
    if fetched.contact.id == id {
        Ok(fetched)
    } else {
        Err(UnreadableAnswer("the answer is about another contact"))
    }
}

fn answered_with_code(answer: &Response<Bytes>) -> Answered {
    answered_parts(answer, read_complaint(answer.body()).code)
}

#[cfg(test)]
mod tests;
