//! The sandbox: a local server that behaves like Linq's contacts API, version 2.
//!
//! It is what the `sandbox` command serves, what the `demo` plays against, and
//! what the tests hold the client to. It keeps its own wire format and its own
//! idea of e-mail addresses and phone numbers, and shares no code with the client,
//! so that a misreading by one of them shows.
//!
//! Owns the behaviour that the API's documents state, the switches for what they
//! leave open ([`Quirks`]) and failing on purpose ([`Fault`]). It can be called in
//! process ([`Sandbox::handle_request`]) or over a socket ([`Sandbox::serve`]), and be looked
//! into and changed from outside ([`Sandbox::contacts`], [`Sandbox::edit`]) as
//! another writer would. Leaves files, configuration and the command line to
//! others. It has no clock of its own: see [`Now`].

mod answer;
mod contact;
mod contacts;
mod false_answer;
mod fault;
mod fault_text;
mod formats;
mod input;
mod observer;
mod phones;
mod quirk_text;
mod quirks;
mod request_log;
mod routes;
mod saved;
mod serve;
mod store;
#[cfg(test)]
mod testing;
mod words;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use http::header::HeaderValue;
use http::{Request, Response};

pub use contact::{Contact, ContactOwner, Role, User, WRITABLE};
pub use false_answer::FalseAnswer;
pub use fault::{Fault, FaultAction, Reply, RetryAfter};
pub use fault_text::FaultError;
pub use observer::{ObservedMoment, RequestObserver};
pub use quirk_text::QuirkError;
pub use quirks::{
    Blanks, Duplicates, ErrorForm, FindJoins, FindPhones, FindPicks, FindShape, ListingOrder,
    PastEnd, PhoneForm, Quirk, Quirks, UpdateAnswer, UpdatedAt, Updates,
};
pub use request_log::LoggedRequest;
pub use routes::RouteKind;
pub use saved::Saved;
pub use serve::Running;
pub use store::Now;

use answer::RequestProblem;
use fault::{Faults, Strike};
use request_log::RequestLog;
use store::Store;

/// How a sandbox begins.
#[derive(Clone)]
pub struct Options {
    /// The token that requests must carry.
    pub token: String,
    /// How many invented contacts there are.
    pub contacts: usize,
    /// Decides which people are invented.
    pub seed: u64,
    /// The users of the organisation, in order of their age.
    pub users: Vec<User>,
    /// Which readings of the documents apply.
    pub quirks: Quirks,
    /// What fails.
    pub faults: Vec<Fault>,
    /// The present. A sandbox that real clients talk to needs the real time, for
    /// they compare it with their own.
    pub now: Now,
}

impl Default for Options {
    /// An empty organisation of three users in the plain reading of the documents,
    /// in which it is always the same moment.
    fn default() -> Options {
        Options {
            token: "sandbox-token".to_owned(),
            contacts: 0,
            seed: 0,
            users: vec![
                User::new(301, Role::Admin, "olivia@linq.example", "Olivia", "Owner"),
                User::new(302, Role::Member, "sam@linq.example", "Sam", "Seller"),
                User::new(303, Role::Admin, "ada@linq.example", "Ada", "Admin"),
            ],
            quirks: Quirks::default(),
            faults: Vec::new(),
            now: Arc::new(|| DateTime::UNIX_EPOCH + TimeDelta::seconds(1_768_478_400)),
        }
    }
}

/// A sandbox. Clones are handles to the same one.
#[derive(Clone)]
pub struct Sandbox {
    world: Arc<Mutex<SandboxWorld>>,
}

struct SandboxWorld {
    token: String,
    store: Store,
    faults: Faults,
    log: RequestLog,
    witness: Option<RequestObserver>,
}

impl SandboxWorld {
    /// Logs an answer and gives it the id of its request.
    fn log_answer(&mut self, number: u64, mut answer: Response<Bytes>) -> Response<Bytes> {
        self.log.log_answer(number, answer.status());
        if let Ok(id) = HeaderValue::from_str(&format!("sandbox-{number}")) {
            answer.headers_mut().insert("x-request-id", id);
        }
        answer
    }
}

/// What a sandbox held at some time: see [`Sandbox::take_snapshot`].
pub struct SandboxSnapshot(Store);

impl fmt::Debug for SandboxSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

/// There is no answer: the connection was dropped, because a fault said so or, on
/// a socket, because the client hung up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// The request was not carried out.
    #[error("the connection was dropped before the request was carried out")]
    Before,
    /// The request was carried out.
    #[error("the connection was dropped after the request was carried out")]
    After,
}

/// Why the control surface changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// No contact has this id.
    #[error("no contact has the id {0}")]
    NoContact(u64),
    /// No writable member, and not `user_email` either, has this name.
    #[error("contacts have no writable member `{0}`")]
    NoMember(String),
    /// The value of `user_email` is no user of the organisation.
    #[error("no user has this e-mail address")]
    NoUser,
}

impl Sandbox {
    /// Opens a sandbox.
    pub fn new(options: Options) -> Sandbox {
        let mut store = Store::new(options.quirks, options.users, options.now);
        store.add_settled(&contacts::invent_contacts(options.contacts, options.seed));
        let mut faults = Faults::default();
        options.faults.into_iter().for_each(|fault| faults.add_rule(fault));
        let world = SandboxWorld {
            token: options.token,
            store,
            faults,
            log: RequestLog::default(),
            witness: None,
        };
        Sandbox { world: Arc::new(Mutex::new(world)) }
    }

    /// Answers a request as Linq would, or as a fault says. Needs a Tokio runtime
    /// only for faults with a delay.
    ///
    /// # Errors
    /// [`Dropped`] when a fault says that there is no answer.
    pub async fn handle_request(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Dropped> {
        let (number, strike) = self.log_request(&request);
        self.notify_observer(ObservedMoment::Arrived, number);
        if strike.delay.is_zero() {
            return self.carry_out(number, &request, strike.action);
        }
        // On its own task, so that the effect comes even if nobody waits for it.
        let sandbox = self.clone();
        let late = tokio::spawn(async move {
            #[expect(clippy::disallowed_methods, reason = "a delay is what was asked for")]
            tokio::time::sleep(strike.delay).await;
            sandbox.carry_out(number, &request, strike.action)
        });
        late.await.unwrap_or(Err(Dropped::Before))
    }

    /// Logs a request and finds out what shall happen to it.
    fn log_request(&self, request: &Request<Bytes>) -> (u64, Strike) {
        let kind = RouteKind::kind_of_request(request.method(), request.uri().path());
        let mut world = self.lock_world();
        (world.log.log_request(request, kind), world.faults.strike_request(kind))
    }

    fn carry_out(
        &self,
        number: u64,
        request: &Request<Bytes>,
        action: FaultAction,
    ) -> Result<Response<Bytes>, Dropped> {
        let carry_out = |request: &Request<Bytes>| {
            let mut world = self.lock_world();
            let SandboxWorld { token, store, .. } = &mut *world;
            let truth = routes::respond_to(store, token, request);
            drop(world);
            self.notify_observer(ObservedMoment::CarriedOut, number);
            truth
        };
        let now = self.lock_world().store.now();
        let answer = match action {
            FaultAction::Answer => carry_out(request),
            FaultAction::Refuse(reply) => reply.to_response(now).ok_or(Dropped::Before)?,
            FaultAction::Mask(reply) => {
                carry_out(request);
                reply.to_response(now).ok_or(Dropped::After)?
            }
            FaultAction::Truncate => carry_out(request).map(|body| body.slice(..body.len() / 2)),
            FaultAction::Lie(lie) => {
                lie.alter_answer(request, carry_out(&lie.altered_request(request)))
            }
        };
        let mut world = self.lock_world();
        let answer = answer::told_as(world.store.quirks().errors, answer);
        Ok(world.log_answer(number, answer))
    }

    /// Answers a request whose body was too large to be read.
    fn refuse_unread(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let kind = RouteKind::kind_of_request(request.method(), request.uri().path());
        let mut world = self.lock_world();
        let number = world.log.log_request(request, kind);
        world.log_answer(number, RequestProblem::TooLarge.to_response())
    }

    /// Every contact, by id, as the API would show it.
    pub fn contacts(&self) -> Vec<Contact> {
        self.lock_world().store.all().cloned().collect()
    }

    /// Shows every contact to `look`, by id, without a copy of them.
    pub fn look_at_contacts(&self, look: impl FnMut(&Contact)) {
        self.lock_world().store.all().for_each(look);
    }

    /// The contact of this id, if there is one.
    pub fn contact(&self, id: u64) -> Option<Contact> {
        self.lock_world().store.get(id).ok().cloned()
    }

    /// Adds a contact with these members and returns its id. Here and in
    /// [`Sandbox::set`], `user_email` names the owner and an empty text is a blank.
    /// No quirk applies and nothing is checked, so that any text can be put into Linq.
    ///
    /// # Errors
    /// [`ControlError`] when a name or a user is unknown; nothing is added.
    pub fn insert<'a>(
        &self,
        members: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<u64, ControlError> {
        let store = &mut self.lock_world().store;
        let mut draft = store.new_contact();
        for (name, text) in members {
            set_member(store, &mut draft, name, text)?;
        }
        let id = draft.id;
        store.add_as_is(draft);
        Ok(id)
    }

    /// Changes a contact as another writer would, and marks it as updated. Its id
    /// stays what it is, and `full_name` is derived. `change` must not call the
    /// sandbox.
    ///
    /// # Errors
    /// [`ControlError::NoContact`] when there is none of this id.
    pub fn edit(&self, id: u64, change: impl FnOnce(&mut Contact)) -> Result<(), ControlError> {
        let store = &mut self.lock_world().store;
        let mut contact = store.get(id).map_err(|_| ControlError::NoContact(id))?.clone();
        change(&mut contact);
        contact.id = id;
        store.replace_contact(contact);
        Ok(())
    }

    /// Sets one member of a contact as another writer would: `set(id, "title", "CTO")`.
    ///
    /// # Errors
    /// [`ControlError`] when there is no such contact, member or user.
    pub fn set(&self, id: u64, name: &str, text: &str) -> Result<(), ControlError> {
        let store = &mut self.lock_world().store;
        let mut contact = store.get(id).map_err(|_| ControlError::NoContact(id))?.clone();
        set_member(store, &mut contact, name, text)?;
        store.replace_contact(contact);
        Ok(())
    }

    /// Removes a contact as another writer would.
    ///
    /// # Errors
    /// [`ControlError::NoContact`] when there is none of this id.
    pub fn remove(&self, id: u64) -> Result<Contact, ControlError> {
        self.lock_world().store.delete(id).map_err(|_| ControlError::NoContact(id))
    }

    /// The requests so far, in the order of their arrival: the last 100,000 of them.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.lock_world().log.all()
    }

    /// Begins the list of requests anew.
    pub fn forget_requests(&self) {
        self.lock_world().log.forget_all();
    }

    /// Adds a fault behind those that there are.
    pub fn add_fault(&self, fault: Fault) {
        self.lock_world().faults.add_rule(fault);
    }

    /// Takes every fault away.
    pub fn clear_faults(&self) {
        self.lock_world().faults.clear();
    }

    /// Everything that is in Linq now, to be put back later.
    pub fn take_snapshot(&self) -> SandboxSnapshot {
        SandboxSnapshot(self.lock_world().store.clone())
    }

    /// Puts back what was remembered. Requests, faults and the witness stay.
    pub fn restore_snapshot(&self, memory: &SandboxSnapshot) {
        self.lock_world().store = memory.0.clone();
    }

    /// Takes another token from now on, and the one before no longer.
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut self.lock_world().token);
    }

    /// Replaces the quirks. Contacts keep the values that they have.
    pub fn set_quirks(&self, quirks: Quirks) {
        self.lock_world().store.set_quirks(quirks);
    }

    fn lock_world(&self) -> MutexGuard<'_, SandboxWorld> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

fn set_member(
    store: &Store,
    contact: &mut Contact,
    name: &str,
    text: &str,
) -> Result<(), ControlError> {
    if name == "user_email" {
        contact.contact_owner = Some(store.find_user(text).map_err(|_| ControlError::NoUser)?);
        return Ok(());
    }
    let member = contact.text_mut(name).ok_or_else(|| ControlError::NoMember(name.to_owned()))?;
    *member = (!text.is_empty()).then(|| text.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests;
