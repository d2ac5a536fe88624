//! Between the client and Linq: faults, and what may be sent at all.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use linqsync::linq::{Sending, Transport, TransportError};
use linqsync::mirror::IntentKind;
use linqsync::model::{Field, LinkStatus, LinqId, Side, Values};
use linqsync::sandbox::Contact;
use serde_json::{Value, json};

use super::check::{CANON, mass};
use super::office::lossy;
use super::people::member;
use super::scenario::{Errand, Feature, SimOutages, WireFault};
use super::sheet::is_mapped;
use super::world::{SimWorld, Write};

/// How long the client waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(8);

/// The way from the client to Linq in one run.
pub(super) struct SimTransport {
    pub(super) world: Arc<SimWorld>,
    pub(super) traffic: Traffic,
}

/// Whose requests pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    /// A run's.
    Run,
    /// A dry run's, to which nothing happens and which must not write.
    DryRun,
    /// What an earlier request does late: no run's.
    Late,
}

impl Transport for SimTransport {
    fn send(&self, request: Request<Bytes>) -> Sending<'_> {
        Box::pin(async move {
            match self.traffic {
                Traffic::DryRun => self.dry(request).await,
                Traffic::Run | Traffic::Late => self.carry(request).await,
            }
        })
    }
}

type SimAnswer = Result<Response<Bytes>, TransportError>;

fn broken(why: &str) -> TransportError {
    TransportError::Broken(why.into())
}

fn short(request: &Request<Bytes>) -> String {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    let path = path.trim_start_matches("/api/partner/v2/contacts");
    format!("{} {path}", request.method())
}

impl SimTransport {
    async fn dry(&self, request: Request<Bytes>) -> SimAnswer {
        if request.method() != "GET" {
            self.world.violation(&format!("a dry run sends {}", short(&request)));
        }
        let request = self.repaged(request);
        self.world.linq.handle_request(request).await.map_err(|_| broken("no faults in a dry run"))
    }

    async fn carry(&self, request: Request<Bytes>) -> SimAnswer {
        let world = &self.world;
        let name = short(&request);
        let body = String::from_utf8_lossy(request.body());
        world.log(format_args!("> {name} {body}"));
        world.event(&format!("before {name}"));
        let fault = self.count(&request);
        if request.method() != "GET" {
            self.check_write(&request);
        }
        tokio::time::sleep(self.latency()).await;
        let answer = match fault {
            Some(fault) => {
                world.log(format_args!("  fault: {fault:?}"));
                world.met(&format!("fault {fault:?}").replace(|c: char| c.is_ascii_digit(), ""));
                self.spoiled(request, fault).await
            }
            None => self.effect(request).await,
        };
        match &answer {
            Ok(answer) => {
                let text = String::from_utf8_lossy(answer.body());
                world.log(format_args!("< {name}: {} {text}", answer.status().as_u16()));
            }
            Err(error) => world.log(format_args!("< {name}: {error}")),
        }
        world.event(&format!("after {name}"));
        // A look whether Linq works at all is no reading.
        let is_probe = name.trim_end().ends_with("per_page=1");
        if let Ok(answer) = &answer
            && !is_probe
            && world.inner().ledger.has_unread_in_linq()
        {
            let body = serde_json::from_slice(answer.body()).unwrap_or_default();
            world.inner().ledger.read_in_linq(&texts(&body));
        }
        answer
    }

    /// Counts the request, and finds out what shall happen to it.
    fn count(&self, request: &Request<Bytes>) -> Option<WireFault> {
        let run = &mut self.world.inner().run;
        run.requests += 1;
        let kind = match (request.method().as_str(), request.uri().path()) {
            ("POST", _) => "create",
            ("DELETE", _) => "delete",
            ("PATCH" | "PUT", _) => "update",
            (_, path) if path.ends_with("/contacts") => "list",
            (_, path) if path.ends_with("/find") => "find",
            _ => "get",
        };
        let of_kind = run.sent.entry(kind).or_default();
        *of_kind += 1;
        let (of_kind, number) = (*of_kind, run.requests);
        let struck =
            run.conditions.strikes.iter().find(|(name, nth, _)| name == kind && *nth == of_kind);
        let outage = run.conditions.outage.filter(|(from, _)| number >= *from);
        let fault = struck.map(|(_, _, fault)| *fault);
        let fault = fault.or_else(|| run.conditions.faults.get(&number).copied());
        let fault = fault.or(outage.map(|(_, fault)| fault));
        run.disturbed |= fault.is_some();
        fault
    }

    /// How long this answer takes: other requests overtake it.
    fn latency(&self) -> Duration {
        let number = u64::from(self.world.inner().run.requests);
        let mix = (self.world.setup().salt ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        Duration::from_millis(1 + mix % 400)
    }

    async fn spoiled(&self, request: Request<Bytes>, fault: WireFault) -> SimAnswer {
        match fault {
            WireFault::NotSent => Err(TransportError::NotSent("refused".into())),
            WireFault::BrokenBefore => Err(broken("before")),
            WireFault::BrokenAfter => {
                let _ = self.effect(request).await;
                Err(broken("after"))
            }
            WireFault::Status(status) => Ok(status_only(status)),
            WireFault::StatusAfter(status) => {
                let _ = self.effect(request).await;
                Ok(status_only(status))
            }
            WireFault::TooMany(seconds) => {
                let mut answer = status_only(429);
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                Ok(answer)
            }
            WireFault::Html => Ok(Response::new("<!DOCTYPE html><h1>Sign in</h1>".into())),
            WireFault::EmptyAfter => Ok(self.effect(request).await?.map(|_| Bytes::new())),
            WireFault::CutAfter => {
                Ok(self.effect(request).await?.map(|body| body.slice(..body.len() / 2)))
            }
            WireFault::Late(seconds) => self.late(request, seconds).await,
        }
    }

    /// No answer in time. A create has its effect later, whether somebody still waits
    /// for it or not.
    async fn late(&self, request: Request<Bytes>, seconds: u32) -> SimAnswer {
        if request.method() == "POST" {
            let late = SimTransport { world: Arc::clone(&self.world), traffic: Traffic::Late };
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(seconds.into())).await;
                let answer = late.effect(request).await;
                {
                    let mut inner = late.world.inner();
                    inner.late += 1;
                    // A contact that a listing could not show has come to be.
                    inner.run.disturbed = true;
                }
                let status = answer.map_or(0, |answer| answer.status().as_u16());
                late.world.log(format_args!("  late effect: {status}"));
            });
        }
        tokio::time::sleep(TIMEOUT).await;
        Err(TransportError::TimedOut("no answer".into()))
    }

    /// Linq carries the request out.
    async fn effect(&self, request: Request<Bytes>) -> SimAnswer {
        let world = &self.world;
        let weather = world.inner().run.conditions.weather;
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let request = self.repaged(request);
        let sent = request.body().clone();
        let id = path.rsplit('/').next().and_then(|id| id.parse::<u64>().ok());
        let before = id.and_then(|id| world.linq.contact(id));
        let elsewhere = weather == Some(SimOutages::Elsewhere);
        let linq = if elsewhere { world.elsewhere() } else { &world.linq };
        let answer =
            linq.handle_request(request).await.map_err(|_| broken("the sandbox has no faults"))?;
        if method == "GET" {
            let shown = id.and_then(|id| Some((id, world.linq.contact(id)?)));
            world.inner().run.shown.extend(shown);
        } else {
            self.remember(&method, &path, &answer);
        }
        if method == "PATCH" {
            self.rewritten_by_linq(before, &sent);
        }
        Ok(match weather {
            Some(SimOutages::Short(which)) if path.ends_with("/contacts") && method == "GET" => {
                shortened(answer, which)
            }
            _ => answer,
        })
    }

    /// An update carries a field that identifies the contact, as it is. What Linq makes of
    /// its own value then is what stands there from now on, as if it had been typed.
    fn rewritten_by_linq(&self, before: Option<Contact>, sent: &Bytes) {
        let Some(before) = before else { return };
        let Some(after) = self.world.linq.contact(before.id) else { return };
        let body: Value = serde_json::from_slice(sent).unwrap_or_default();
        let sent = values_of(&body["contact"]);
        for field in Field::IDENTITY {
            let (was, is) = (member(&before, field), member(&after, field));
            if !was.is_empty() && sent[field] == was && is != was {
                self.world
                    .log(format_args!("  Linq rewrites its own {field}: {was:?} becomes {is:?}"));
                self.world.met("Linq rewrote its own value");
                let mut inner = self.world.inner();
                inner.ledger.replace(Side::Linq, was, is);
                inner.past.edited_contacts.insert((before.id, field));
            }
        }
    }

    fn remember(&self, method: &str, path: &str, answer: &Response<Bytes>) {
        let status = answer.status().as_u16();
        let mut id = path.rsplit('/').next().and_then(|id| id.parse().ok());
        let mut inner = self.world.inner();
        if method == "POST" && answer.status().is_success() {
            let answer: Value = serde_json::from_slice(answer.body()).unwrap();
            id = answer["data"]["id"].as_u64();
            inner.past.posted.extend(id);
            if matches!(inner.run.conditions.weather, Some(SimOutages::Short(_))) {
                inner.past.hidden.extend(id);
            }
            if matches!(inner.run.conditions.errand, Some(Errand::Undo(_))) {
                inner.past.recreated.extend(id);
            }
            let owner = &answer["data"]["contact_owner"]["email"];
            inner.past.owners.extend(id.zip(owner.as_str().map(str::to_owned)));
            let shown = id.and_then(|id| Some((id, self.world.linq.contact(id)?)));
            inner.run.shown.extend(shown);
        }
        if self.traffic == Traffic::Run {
            inner.run.writes.push(Write { method: method.to_owned(), id, status });
        }
    }

    /// Linq shows as many contacts on a page as it likes.
    fn repaged(&self, request: Request<Bytes>) -> Request<Bytes> {
        if self.world.setup().per_page == 100 || !request.uri().path().ends_with("/contacts") {
            return request;
        }
        let (mut parts, body) = request.into_parts();
        let uri = parts.uri.to_string();
        let few = format!("per_page={}", self.world.setup().per_page);
        parts.uri = uri.replace("per_page=100", &few).parse().unwrap();
        Request::from_parts(parts, body)
    }

    /// What may be sent to Linq, and what must be durable before.
    fn check_write(&self, request: &Request<Bytes>) {
        let world = &self.world;
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let id = request.uri().path().rsplit('/').next().and_then(|id| id.parse::<u64>().ok());
        let journal: Vec<IntentKind> =
            world.state().open_intents().unwrap().into_iter().map(|intent| intent.kind).collect();
        let is_intended = journal.iter().any(|kind| match (kind, request.method().as_str()) {
            (IntentKind::CreateInLinq { values, .. }, "POST") => {
                // As the source spells it; phone numbers are sent in E.164.
                let as_sent = |field| (field, CANON.to_send(field, &values[field]));
                values_of(&body["contact"]) == values.filled_fields().iter().map(as_sent).collect()
            }
            (IntentKind::UpdateInLinq { linq_id, .. }, "PATCH")
            | (IntentKind::DeleteInLinq { linq_id }, "DELETE") => Some(linq_id.0) == id,
            _ => false,
        });
        if !is_intended {
            world.violation(&format!("{} is not in the journal", short(request)));
        }
        match (request.method().as_str(), id) {
            ("PATCH", Some(id)) => self.check_patch(id, &body),
            ("DELETE", Some(id)) => self.check_delete(id),
            ("POST", _) => self.check_post(&body),
            (other, _) => world.violation(&format!("linqsync sends {other}")),
        }
    }

    fn check_patch(&self, id: u64, body: &Value) {
        let world = &self.world;
        let Some(now) = world.linq.contact(id) else { return };
        let then = {
            let run = &world.inner().run;
            run.shown.get(&id).or_else(|| run.before.get(&id)).cloned()
        };
        let then = then.unwrap_or_else(|| now.clone());
        let sent = values_of(&body["contact"]);
        let members = body["contact"].as_object().unwrap();
        let fields: Vec<Field> =
            members.keys().map(|name| Field::from_name(name).unwrap()).collect();
        if let Some(field) = fields.iter().find(|f| !is_mapped(&world.setup().features, **f)) {
            world.violation(&format!("{field} of {id} is sent and not mapped"));
        }
        let is_damaged = |field: &&Field| {
            let agreed = &world.inner().run.agreed;
            let whole = agreed.get(&id).and_then(|fields| fields.get(*field));
            whole.is_some_and(|[whole, _]| !whole.is_ascii() && lossy(whole) == sent[**field])
        };
        if let Some(field) = fields.iter().find(is_damaged) {
            world.violation(&format!("{field} of {id} is damaged, and sent"));
        }
        let is_as = |contact: &Contact, field: Field| sent[field] == member(contact, field);
        let (changed, same): (Vec<Field>, Vec<Field>) =
            fields.into_iter().partition(|field| !is_as(&now, *field) || !is_as(&then, *field));
        for field in &changed {
            let (from, to) = (member(&now, *field), &sent[*field]);
            mass::justified(world, Side::Linq, LinqId(id), *field, from, to);
        }
        let identified = changed
            .iter()
            .any(|field| Field::IDENTITY.contains(field) && !sent[*field].trim().is_empty());
        let needed = usize::from(!identified);
        let owner_changes = body["user_email"].as_str() != Some(member(&now, Field::Owner));
        let may_own = world.has(Feature::Owner)
            || body["user_email"].as_str() == Some(member(&then, Field::Owner));
        let disturbed = world.inner().run.disturbed;
        let superfluous =
            same.len() > needed || same.iter().any(|field| !Field::IDENTITY.contains(field));
        if superfluous && !disturbed {
            world.violation(&format!("PATCH {id} sends {same:?}, which did not change"));
        }
        if changed.is_empty() && !owner_changes && !disturbed {
            world.violation(&format!("PATCH {id} changes nothing"));
        }
        if owner_changes && !may_own {
            world.violation(&format!("PATCH {id} gives it to another owner"));
        }
    }

    fn check_delete(&self, id: u64) {
        let world = &self.world;
        let state = world.state();
        let links = state.link_keys().unwrap();
        match links.iter().find(|link| link.linq_id.0 == id) {
            None => world.violation(&format!("DELETE {id}, which was never linked")),
            Some(link) if link.status == LinkStatus::Released && !world.inner().past.undone => {
                world.violation(&format!("DELETE {id}, which was released"));
            }
            Some(_) => {}
        }
        let somebody_else = {
            let past = &world.inner().past;
            // A row of which a name and an address are edited may be another person's.
            let edited = past.edited_rows.iter().any(|(_, field)| Field::IDENTITY.contains(field));
            past.removals > 0 || past.undone || edited
        };
        if !somebody_else {
            world.violation(&format!("DELETE {id}, and nobody removed anybody"));
        }
        if world.has(Feature::KeepInLinq) {
            world.violation(&format!("DELETE {id} although Linq keeps"));
        }
        let kept = state.raw_contact(LinqId(id)).unwrap().unwrap_or_default();
        let kept: Value = serde_json::from_str(&kept).unwrap_or_default();
        // Who edits it in the instant before the deletion is not seen.
        let shown = world.inner().run.shown.get(&id).cloned();
        if let Some(contact) = shown.or_else(|| world.linq.contact(id))
            && Field::ALL.iter().any(|field| {
                *field != Field::Owner
                    && kept[field.name()].as_str().unwrap_or_default() != member(&contact, *field)
            })
        {
            world.violation(&format!("DELETE {id} without having kept what it is"));
        }
    }

    fn check_post(&self, body: &Value) {
        // What is put back in Linq comes back whole.
        if self.world.inner().past.undone {
            return;
        }
        let sent = values_of(&body["contact"]);
        if let Some(field) = sent
            .filled_fields()
            .iter()
            .find(|field| !is_mapped(&self.world.setup().features, *field))
        {
            self.world.violation(&format!("a create sends {field}, which is not mapped"));
        }
    }
}

fn status_only(status: u16) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

fn shortened(answer: Response<Bytes>, which: u32) -> Response<Bytes> {
    answer.map(|body| {
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        let contacts = body["contacts"].as_array_mut().unwrap();
        if contacts.len() > 1 {
            contacts.remove(which as usize % contacts.len());
            let count = contacts.len();
            body["pagination"]["total_count"] = json!(count);
            body["pagination"]["total_pages"] = json!(1);
        }
        body.to_string().into()
    })
}

fn values_of(contact: &Value) -> Values {
    let texts = Field::ALL.into_iter().filter_map(|field| {
        Some((field, contact.get(field.name())?.as_str().unwrap_or_default().to_owned()))
    });
    texts.collect()
}

/// Every text in a JSON value.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}
