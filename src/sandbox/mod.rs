//! The sandbox: a local server that behaves like Linq's contacts API, version 2.
//!
//! It is what the `sandbox` command serves, what the `demo` plays against, and
//! what the tests hold the client to. It keeps its own wire format and its own
//! idea of e-mail addresses and phone numbers, and shares no code with the client,
//! so that a misreading by one of them shows.
//!
//! Owns the behaviour that the API's documents state, the switches for what they
//! leave open ([`Quirks`]) and failing on purpose ([`Fault`]). It can be called in
//! process ([`Sandbox::call`]) or over a socket ([`Sandbox::serve`]), and be looked
//! into and changed from outside ([`Sandbox::contacts`], [`Sandbox::edit`]) as
//! another writer would. Leaves files, configuration and the command line to
//! others. It has no clock of its own: see [`Now`].

mod answer;
mod contact;
mod fault;
mod fault_text;
mod formats;
mod input;
mod lie;
mod people;
mod phones;
#[cfg(test)]
mod probe;
mod quirk_text;
mod quirks;
mod request_log;
mod routes;
mod serve;
mod store;
mod witness;
mod words;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use http::header::HeaderValue;
use http::{Request, Response};

pub use contact::{Contact, Owner, Role, User, WRITABLE};
pub use fault::{Action, Fault, Reply, RetryAfter};
pub use fault_text::FaultError;
pub use lie::Lie;
pub use quirk_text::QuirkError;
pub use quirks::{
    Blanks, Duplicates, ErrorForm, FindPhones, FindPicks, FindShape, Order, PastEnd, PhoneForm,
    Quirk, Quirks, UpdateAnswer, UpdatedAt, Updates,
};
pub use request_log::LoggedRequest;
pub use routes::Kind;
pub use serve::Running;
pub use store::Now;
pub use witness::{Moment, Witness};

use answer::Problem;
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
    world: Arc<Mutex<World>>,
}

struct World {
    token: String,
    store: Store,
    faults: Faults,
    log: RequestLog,
    witness: Option<Witness>,
}

impl World {
    /// Logs an answer and gives it the id of its request.
    fn close(&mut self, number: u64, mut answer: Response<Bytes>) -> Response<Bytes> {
        self.log.close(number, answer.status());
        if let Ok(id) = HeaderValue::from_str(&format!("sandbox-{number}")) {
            answer.headers_mut().insert("x-request-id", id);
        }
        answer
    }
}

/// What a sandbox held at some time: see [`Sandbox::remember`].
pub struct Memory(Store);

impl fmt::Debug for Memory {
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
        store.settle(&people::invent(options.contacts, options.seed));
        let mut faults = Faults::default();
        options.faults.into_iter().for_each(|fault| faults.add(fault));
        let world = World {
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
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Dropped> {
        let (number, strike) = self.receive(&request);
        self.testify(Moment::Arrived, number);
        if strike.delay.is_zero() {
            return self.answer(number, &request, strike.action);
        }
        // On its own task, so that the effect comes even if nobody waits for it.
        let sandbox = self.clone();
        let late = tokio::spawn(async move {
            #[expect(clippy::disallowed_methods, reason = "a delay is what was asked for")]
            tokio::time::sleep(strike.delay).await;
            sandbox.answer(number, &request, strike.action)
        });
        late.await.unwrap_or(Err(Dropped::Before))
    }

    /// Logs a request and finds out what shall happen to it.
    fn receive(&self, request: &Request<Bytes>) -> (u64, Strike) {
        let kind = Kind::of(request.method(), request.uri().path());
        let mut world = self.world();
        (world.log.open(request, kind), world.faults.meet(kind))
    }

    fn answer(
        &self,
        number: u64,
        request: &Request<Bytes>,
        action: Action,
    ) -> Result<Response<Bytes>, Dropped> {
        let carry_out = |request: &Request<Bytes>| {
            let mut world = self.world();
            let World { token, store, .. } = &mut *world;
            let truth = routes::respond(store, token, request);
            drop(world);
            self.testify(Moment::CarriedOut, number);
            truth
        };
        let now = self.world().store.now();
        let answer = match action {
            Action::Answer => carry_out(request),
            Action::Refuse(reply) => reply.answer(now).ok_or(Dropped::Before)?,
            Action::Mask(reply) => {
                carry_out(request);
                reply.answer(now).ok_or(Dropped::After)?
            }
            Action::Truncate => carry_out(request).map(|body| body.slice(..body.len() / 2)),
            Action::Lie(lie) => lie.tell(request, carry_out(&lie.instead(request))),
        };
        let mut world = self.world();
        let answer = answer::told_as(world.store.quirks().errors, answer);
        Ok(world.close(number, answer))
    }

    /// Answers a request whose body was too large to be read.
    fn refuse_unread(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let kind = Kind::of(request.method(), request.uri().path());
        let mut world = self.world();
        let number = world.log.open(request, kind);
        world.close(number, Problem::TooLarge.answer())
    }

    /// Every contact, by id, as the API would show it.
    pub fn contacts(&self) -> Vec<Contact> {
        self.world().store.all().cloned().collect()
    }

    /// The contact of this id, if there is one.
    pub fn contact(&self, id: u64) -> Option<Contact> {
        self.world().store.get(id).ok().cloned()
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
        let store = &mut self.world().store;
        let mut draft = store.draft();
        for (name, text) in members {
            set_member(store, &mut draft, name, text)?;
        }
        let id = draft.id;
        store.adopt(draft);
        Ok(id)
    }

    /// Changes a contact as another writer would, and marks it as updated. Its id
    /// stays what it is, and `full_name` is derived. `change` must not call the
    /// sandbox.
    ///
    /// # Errors
    /// [`ControlError::NoContact`] when there is none of this id.
    pub fn edit(&self, id: u64, change: impl FnOnce(&mut Contact)) -> Result<(), ControlError> {
        let store = &mut self.world().store;
        let mut contact = store.get(id).map_err(|_| ControlError::NoContact(id))?.clone();
        change(&mut contact);
        contact.id = id;
        store.rewrite(contact);
        Ok(())
    }

    /// Sets one member of a contact as another writer would: `set(id, "title", "CTO")`.
    ///
    /// # Errors
    /// [`ControlError`] when there is no such contact, member or user.
    pub fn set(&self, id: u64, name: &str, text: &str) -> Result<(), ControlError> {
        let store = &mut self.world().store;
        let mut contact = store.get(id).map_err(|_| ControlError::NoContact(id))?.clone();
        set_member(store, &mut contact, name, text)?;
        store.rewrite(contact);
        Ok(())
    }

    /// Removes a contact as another writer would.
    ///
    /// # Errors
    /// [`ControlError::NoContact`] when there is none of this id.
    pub fn remove(&self, id: u64) -> Result<Contact, ControlError> {
        self.world().store.delete(id).map_err(|_| ControlError::NoContact(id))
    }

    /// The requests so far, in the order of their arrival: the last 100,000 of them.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.world().log.all()
    }

    /// Begins the list of requests anew.
    pub fn forget_requests(&self) {
        self.world().log.forget();
    }

    /// Adds a fault behind those that there are.
    pub fn add_fault(&self, fault: Fault) {
        self.world().faults.add(fault);
    }

    /// Takes every fault away.
    pub fn clear_faults(&self) {
        self.world().faults.clear();
    }

    /// Everything that is in Linq now, to be put back later.
    pub fn remember(&self) -> Memory {
        Memory(self.world().store.clone())
    }

    /// Puts back what was remembered. Requests, faults and the witness stay.
    pub fn restore(&self, memory: &Memory) {
        self.world().store = memory.0.clone();
    }

    /// Takes another token from now on, and the one before no longer.
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut self.world().token);
    }

    /// Replaces the quirks. Contacts keep the values that they have.
    pub fn set_quirks(&self, quirks: Quirks) {
        self.world().store.set_quirks(quirks);
    }

    fn world(&self) -> MutexGuard<'_, World> {
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
        contact.contact_owner = Some(store.user(text).map_err(|_| ControlError::NoUser)?);
        return Ok(());
    }
    let member = contact.text_mut(name).ok_or_else(|| ControlError::NoMember(name.to_owned()))?;
    *member = (!text.is_empty()).then(|| text.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join_all};
    use http::StatusCode;
    use http::header::RETRY_AFTER;
    use serde_json::{Value, json};

    use super::probe::{ask, create, get, request, sandbox, try_ask};
    use super::*;

    fn failing(fault: &str) -> Sandbox {
        let faults = vec![fault.parse().unwrap()];
        Sandbox::new(Options { faults, ..Options::default() })
    }

    fn ada() -> Value {
        json!({"contact": {"first_name": "Ada"}})
    }

    /// What a create gets from a sandbox with this fault, as bytes, and how many
    /// contacts there are afterwards.
    fn create_raw(fault: &str) -> (Result<Response<Bytes>, Dropped>, usize) {
        let sandbox = failing(fault);
        let answer = sandbox.call(request("POST", "", ada().to_string())).now_or_never().unwrap();
        (answer, sandbox.contacts().len())
    }

    #[test]
    fn a_status_comes_in_place_of_the_effect_or_after_it() {
        let (answer, contacts) = create_raw("create status=500");
        let answer = answer.unwrap();
        assert_eq!((answer.status(), contacts), (StatusCode::INTERNAL_SERVER_ERROR, 0));
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(body["error_code"], "INTERNAL_ERROR");
        let (answer, contacts) = create_raw("create status=429 retry-after=7 after");
        let answer = answer.unwrap();
        assert_eq!((answer.status(), contacts), (StatusCode::TOO_MANY_REQUESTS, 1));
        assert_eq!(answer.headers()[RETRY_AFTER], "7");
    }

    #[test]
    fn a_dropped_request_has_no_answer_with_or_without_its_effect() {
        assert!(matches!(create_raw("create drop-before"), (Err(Dropped::Before), 0)));
        assert!(matches!(create_raw("create drop-after"), (Err(Dropped::After), 1)));
    }

    #[test]
    fn html_an_empty_body_and_cut_json_come_with_a_status_of_success() {
        let (html, contacts) = create_raw("create html");
        let html = html.unwrap();
        assert_eq!((html.status(), contacts), (StatusCode::OK, 0));
        assert_eq!(html.headers()["content-type"], "text/html; charset=utf-8");
        let (empty, contacts) = create_raw("create empty after");
        let empty = empty.unwrap();
        assert_eq!((empty.status(), empty.body().len(), contacts), (StatusCode::OK, 0, 1));
        let (cut, contacts) = create_raw("create truncate");
        let cut = cut.unwrap();
        assert_eq!((cut.status(), contacts), (StatusCode::CREATED, 1));
        assert!(cut.body().starts_with(br#"{"data":{"id":"#));
        assert!(serde_json::from_slice::<Value>(cut.body()).is_err());
    }

    #[test]
    fn faults_can_be_added_and_cleared_while_it_runs() {
        let sandbox = sandbox(&[]);
        sandbox.add_fault("list drop-before".parse().unwrap());
        assert_eq!(try_ask(&sandbox, "GET", "", &Value::Null), Err(Dropped::Before));
        assert_eq!(ask(&sandbox, "POST", "", &ada()).status, StatusCode::CREATED);
        sandbox.clear_faults();
        assert_eq!(get(&sandbox, "").ids().len(), 1);
    }

    #[tokio::test]
    async fn a_delayed_request_waits_and_takes_effect_though_its_client_hung_up() {
        let sandbox = failing("create delay=1ms times=1");
        sandbox.add_fault("create delay=1h".parse().unwrap());
        for _ in 0..2 {
            let hung_up = sandbox.call(request("POST", "", ada().to_string())).now_or_never();
            assert!(hung_up.is_none());
            assert_eq!(sandbox.contacts().len(), 0, "nothing happens before the delay");
        }
        let effect = async {
            while sandbox.contacts().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), effect).await.unwrap();
        let statuses: Vec<_> = sandbox.requests().iter().map(|request| request.status).collect();
        assert_eq!(statuses, [Some(201), None]);
    }

    #[test]
    fn every_answer_has_a_request_id_of_its_own() {
        let sandbox = failing("get status=503");
        let id = |path: &str| {
            let answer = sandbox.call(request("GET", path, "")).now_or_never().unwrap().unwrap();
            answer.headers()["x-request-id"].clone()
        };
        assert_eq!([id(""), id("/1"), id("/x")], ["sandbox-0", "sandbox-1", "sandbox-2"]);
    }

    #[test]
    fn requests_are_logged_with_what_was_sent_and_answered() {
        let sandbox = failing("delete drop-after");
        let id = create(&sandbox, &ada()["contact"]).id();
        get(&sandbox, "/find?email=a@b.c");
        try_ask(&sandbox, "DELETE", &format!("/{id}"), &Value::Null).unwrap_err();
        get(&sandbox, "/x");
        let logged = |method: &str, path: &str, status, kind| LoggedRequest {
            method: method.to_owned(),
            path: format!("/api/partner/v2/contacts{path}"),
            query: String::new(),
            body: None,
            status,
            kind,
        };
        let expected = [
            LoggedRequest {
                body: Some(ada()),
                ..logged("POST", "", Some(201), Some(Kind::Create))
            },
            LoggedRequest {
                query: "email=a@b.c".to_owned(),
                ..logged("GET", "/find", Some(200), Some(Kind::Find))
            },
            logged("DELETE", &format!("/{id}"), None, Some(Kind::Delete)),
            logged("GET", "/x", Some(404), None),
        ];
        assert_eq!(sandbox.requests(), expected);
        sandbox.forget_requests();
        assert_eq!(sandbox.requests(), []);
    }

    #[test]
    fn another_writer_can_insert_edit_and_remove_contacts() {
        let sandbox = sandbox(&["title-case"]);
        let id = sandbox
            .insert([
                ("last_name", "van Gogh"),
                ("phone_number", "x"),
                ("user_email", "sam@linq.example"),
            ])
            .unwrap();
        let inserted = sandbox.contact(id).unwrap();
        assert_eq!(inserted.full_name.as_deref(), Some("van Gogh"));
        assert_eq!(inserted.phone_number.as_deref(), Some("x"), "no check and no quirk applies");
        assert_eq!(inserted.contact_owner.as_ref().map(|owner| owner.id), Some(302));
        sandbox.set(id, "first_name", "Jo").unwrap();
        sandbox
            .edit(id, |contact| {
                contact.title = Some("Painter".to_owned());
                contact.id = 1;
            })
            .unwrap();
        let edited = sandbox.contact(id).unwrap();
        assert_eq!(edited.full_name.as_deref(), Some("Jo van Gogh"));
        assert_eq!(edited.title.as_deref(), Some("Painter"));
        assert!(edited.updated_at > inserted.updated_at);
        assert_eq!(edited.created_at, inserted.created_at);
        assert_eq!(sandbox.remove(id), Ok(edited));
        assert_eq!(sandbox.contacts(), []);
    }

    #[test]
    fn a_mistaken_edit_changes_nothing_and_names_the_mistake() {
        let sandbox = sandbox(&[]);
        let id = sandbox.insert([("first_name", "Ada")]).unwrap();
        let before = sandbox.contacts();
        assert_eq!(sandbox.set(1, "title", "CTO"), Err(ControlError::NoContact(1)));
        assert_eq!(sandbox.set(id, "tite", "CTO"), Err(ControlError::NoMember("tite".to_owned())));
        assert_eq!(sandbox.set(id, "user_email", "x@y.z"), Err(ControlError::NoUser));
        assert_eq!(sandbox.insert([("id", "5")]), Err(ControlError::NoMember("id".to_owned())));
        assert_eq!(sandbox.edit(1, |_| ()), Err(ControlError::NoContact(1)));
        assert_eq!(sandbox.remove(1), Err(ControlError::NoContact(1)));
        assert_eq!(sandbox.contacts(), before);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_hundred_creates_at_once_make_a_hundred_contacts() {
        let sandbox = sandbox(&[]);
        let creates = (0..100).map(|_| {
            let sandbox = sandbox.clone();
            tokio::spawn(async move {
                let answer = sandbox.call(request("POST", "", ada().to_string())).await.unwrap();
                let body: Value = serde_json::from_slice(answer.body()).unwrap();
                body["data"]["id"].as_u64().unwrap()
            })
        });
        let ids: std::collections::BTreeSet<u64> =
            join_all(creates).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(ids.len(), 100);
        let contacts = sandbox.contacts();
        assert!(contacts.iter().map(|contact| contact.id).eq(ids));
        let times: std::collections::BTreeSet<_> = contacts.iter().map(|c| c.created_at).collect();
        assert_eq!(times.len(), 100);
    }
}
