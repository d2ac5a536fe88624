//! `approve`, `reject` and `resolve`: decisions about what waits, for the next run.
//!
//! They work beside a running daemon: a decision is remembered, and the next run
//! carries it out. What is decided about must be what was listed; anything else
//! changes nothing.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::mirror::{State, StateError};
use crate::model::{Canon, Decision, Field, Fingerprint, LinqId, Side, Waiting, WaitingKind, Who};

use super::args::{HeldArgs, Output, ResolveArgs, RetryArgs, TakeSide};
use super::named::named;
use super::text::{counted, shown};
use super::{complain, now, print};
use crate::report::ReportedError;
use crate::users;

/// Lets held deletions, clearings and changes go on. Returns the exit code.
pub(super) fn approve(output: Output, config: &Config, args: &HeldArgs) -> anyhow::Result<u8> {
    decide(output, config, &held(args), |_, _| Ok(Decision::Approve))
}

/// Drops held deletions, clearings and changes: what was done is put back where it was
/// done. Returns the exit code.
pub(super) fn reject(output: Output, config: &Config, args: &HeldArgs) -> anyhow::Result<u8> {
    let policy = config.policy();
    decide(output, config, &held(args), |waiting, _| match written_back(&waiting.kind) {
        Some((side, field)) => {
            let writes =
                field.map_or(policy.writes(side), |field| policy.writes_field(side, field));
            if writes {
                return Ok(Decision::Reject);
            }
            let name = waiting.person.display_name();
            Err(format!(
                "{}: {side} is not written (sync.direction, sync.fields), so put it back there \
                 yourself, or approve it",
                shown(&name, 60)
            ))
        }
        None => Err("only what is held can be rejected".to_owned()),
    })
}

/// Lets what was refused be sent again. Returns the exit code.
pub(super) fn retry(output: Output, config: &Config, args: &RetryArgs) -> anyhow::Result<u8> {
    let is_meant = &|waiting: &Waiting| waiting.kind.is_refused();
    let choice =
        Choice { who: &args.who, all: args.all, what: "refused by Linq or the source", is_meant };
    decide(output, config, &choice, |_, _| Ok(Decision::Retry))
}

fn held(args: &HeldArgs) -> Choice<'_> {
    let is_meant = &|waiting: &Waiting| waiting.kind.is_held();
    Choice { who: &args.who, all: args.all, what: "held", is_meant }
}

/// The side, and the field, that are written when what is held is put back.
fn written_back(kind: &WaitingKind) -> Option<(Side, Option<Field>)> {
    match kind {
        WaitingKind::HeldDeletion { side } => Some((side.other(), None)),
        WaitingKind::HeldClearing { side, change } | WaitingKind::HeldChange { side, change } => {
            Some((side.other(), Some(change.field)))
        }
        WaitingKind::Conflict { .. }
        | WaitingKind::Ambiguous { .. }
        | WaitingKind::Rejected { .. } => None,
    }
}

/// Decides conflicts and ambiguous matches. Returns the exit code.
pub(super) fn resolve(output: Output, config: &Config, args: &ResolveArgs) -> anyhow::Result<u8> {
    let undecided = |waiting: &Waiting| match &waiting.kind {
        WaitingKind::Conflict { field, .. } => {
            (args.take.is_some() || args.value.is_some())
                && args.field.as_ref().is_none_or(|name| Field::from_name(name) == Some(*field))
        }
        WaitingKind::Ambiguous { .. } => args.link.is_some() || args.separate,
        WaitingKind::HeldDeletion { .. }
        | WaitingKind::HeldClearing { .. }
        | WaitingKind::HeldChange { .. }
        | WaitingKind::Rejected { .. } => false,
    };
    let what = if args.link.is_some() || args.separate { "ambiguous" } else { "in conflict" };
    let chosen = Choice { who: &args.who, all: args.all, what, is_meant: &undecided };
    decide(output, config, &chosen, |waiting, linked| decision(args, waiting, linked))
}

/// What `args` says about `waiting`; of contacts that are `linked` the record is there.
fn decision(args: &ResolveArgs, waiting: &Waiting, linked: &Linked) -> Result<Decision, String> {
    if let Some(side) = args.take {
        return Ok(Decision::Take {
            side: match side {
                TakeSide::Source => Side::Source,
                TakeSide::Linq => Side::Linq,
            },
        });
    }
    if let Some(value) = &args.value {
        return Ok(Decision::Value { value: value.clone() });
    }
    let WaitingKind::Ambiguous { candidates } = &waiting.kind else {
        return Err("say what to do: --take, --value, --link or --separate".to_owned());
    };
    match args.link.map(LinqId) {
        None if is_copy(waiting, candidates, linked) => Err(format!(
            "{} has the key of another record: give it a key of its own, and the next run \
                 creates it",
            waiting.label.as_deref().unwrap_or_default()
        )),
        None => Ok(Decision::Separate),
        Some(linq_id) if linked.ids.contains(&linq_id) => Err(format!(
            "contact {linq_id} is linked with somebody else in the source: take this one out if \
             both are one person, or say --separate"
        )),
        Some(linq_id) if candidates.contains(&linq_id) => Ok(Decision::Link { linq_id }),
        Some(linq_id) => {
            let listed: Vec<String> = candidates.iter().map(ToString::to_string).collect();
            Err(format!("{linq_id} is not one of the candidates: {}", listed.join(", ")))
        }
    }
}

/// What somebody wants to decide about.
struct Choice<'a> {
    who: &'a [String],
    all: bool,
    /// What those who are meant are called.
    what: &'a str,
    is_meant: &'a dyn Fn(&Waiting) -> bool,
}

impl Choice<'_> {
    /// Those of `waiting` that are meant.
    ///
    /// # Errors
    /// What is wrong with the choice, for people: then nothing is decided.
    fn of<'w>(
        &self,
        state: &State,
        waiting: &'w [Waiting],
        config: &Config,
    ) -> Result<Vec<&'w Waiting>, String> {
        let meant: Vec<&Waiting> = waiting.iter().filter(|w| (self.is_meant)(w)).collect();
        if self.all {
            return if self.who.is_empty() {
                Ok(meant)
            } else {
                Err("name people or say --all, not both".to_owned())
            };
        }
        if self.who.is_empty() {
            return Err("name whom you mean, or say --all".to_owned());
        }
        let mut chosen = Vec::new();
        for text in self.who {
            let known = match named(state, config, text) {
                Ok(known) => known.map_err(|same| same.message().to_owned())?,
                Err(error) => return Err(error.reported().message),
            };
            let who = Who::new(&known, config.policy().canon);
            let found: Vec<&Waiting> =
                meant.iter().copied().filter(|waiting| who.is(waiting)).collect();
            if found.is_empty() {
                return Err(format!("nothing that is {} is about {}", self.what, shown(text, 60)));
            }
            let contacts: BTreeSet<Option<LinqId>> =
                found.iter().map(|waiting| waiting.linq_id).collect();
            let moved = meant.iter().filter(|waiting| had(waiting, text, config.policy().canon));
            let others: Vec<String> = moved
                .filter(|waiting| !contacts.contains(&waiting.linq_id))
                .map(|waiting| with_id(waiting))
                .collect();
            if !others.is_empty() {
                let mut both: Vec<String> = found.iter().map(|waiting| with_id(waiting)).collect();
                both.extend(others);
                both.sort();
                both.dedup();
                return Err(format!(
                    "{} is the value of several by now: {}; name the Linq id or the row",
                    shown(text, 60),
                    both.join(", ")
                ));
            }
            chosen.extend(found);
        }
        Ok(chosen)
    }
}

/// Whether the e-mail address or phone number `text` is what was edited of whom something
/// is held about.
fn had(waiting: &Waiting, text: &str, canon: Canon) -> bool {
    match &waiting.kind {
        WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. } => {
            matches!(change.field, Field::Email | Field::PhoneNumber)
                && canon.same(change.field, &change.from, text)
        }
        WaitingKind::HeldDeletion { .. }
        | WaitingKind::Conflict { .. }
        | WaitingKind::Ambiguous { .. }
        | WaitingKind::Rejected { .. } => false,
    }
}

/// Whom something is about, with its Linq id.
fn with_id(waiting: &Waiting) -> String {
    let name = shown(&waiting.person.display_name(), 40);
    waiting.linq_id.map_or_else(|| name.clone(), |id| format!("{name} (id {id})"))
}

fn decide(
    output: Output,
    config: &Config,
    choice: &Choice<'_>,
    decision: impl Fn(&Waiting, &Linked) -> Result<Decision, String>,
) -> anyhow::Result<u8> {
    let refuse = |error: ReportedError| -> anyhow::Result<u8> {
        let code = error.code;
        complain(&error);
        super::failed_command(output, &error)?;
        Ok(code)
    };
    let wrong = |message: String| ReportedError {
        code: 2,
        message,
        hint: "`linqsync list held`, `list conflicts`, `list ambiguous` and `list rejected` show \
               what waits"
            .to_owned(),
    };
    let state_error = |error: &StateError| {
        let code = crate::run::state_code(error);
        ReportedError::of(error, code, error.hint().unwrap_or_default())
    };
    let state = match State::beside(&config.state.dir) {
        Ok(Some(state)) => state,
        Ok(None) => {
            let hint =
                "`linqsync plan` shows what the first would do, `--once` makes it".to_owned();
            let message = "there was no run yet, so nothing waits".to_owned();
            return refuse(ReportedError { code: 2, message, hint });
        }
        Err(error) => return refuse(state_error(&error)),
    };
    let (waiting, linked) = match state.waiting().and_then(|w| Ok((w, linked(&state)?))) {
        Ok(known) => known,
        Err(error) => return refuse(state_error(&error)),
    };
    let chosen = match choice.of(&state, &waiting, config) {
        Ok(chosen) => chosen,
        Err(problem) => return refuse(wrong(problem)),
    };
    let decisions: Result<Vec<(Fingerprint, Decision)>, String> =
        chosen.iter().map(|waiting| Ok((waiting.what, decision(waiting, &linked)?))).collect();
    let decisions = match decisions {
        Ok(decisions) => decisions,
        Err(problem) => return refuse(wrong(problem)),
    };
    if let Err(error) = state.decide(&decisions, &users::caller(), now()) {
        return refuse(state_error(&error));
    }
    if output.json {
        super::print_json(&serde_json::json!({
            "schema": "linqsync.decisions/1",
            "decided": decisions.len(),
            "error": null,
        }))?;
    } else if decisions.is_empty() {
        print(&format!("nothing is {}, so nothing was decided\n", choice.what))?;
    } else {
        for (waiting, (_, decision)) in chosen.iter().zip(&decisions) {
            print(&format!("{}\n", sentence(waiting, decision)))?;
        }
        let things = counted(decisions.len(), "decision", "decisions");
        print(&format!("{things} for the next run; `linqsync --once` makes one now\n"))?;
    }
    Ok(0)
}

/// Whether `waiting` is about a record that has the key of a linked one.
fn is_copy(waiting: &Waiting, candidates: &[LinqId], linked: &Linked) -> bool {
    waiting.source_key.as_ref().is_some_and(|key| linked.keys.contains(key))
        && candidates.iter().all(|id| linked.ids.contains(id))
}

/// The linked contacts whose record is there.
#[derive(Default)]
struct Linked {
    ids: BTreeSet<LinqId>,
    keys: BTreeSet<String>,
}

fn linked(state: &State) -> Result<Linked, StateError> {
    let mut linked = Linked::default();
    for (id, key) in state.linked_and_there()? {
        linked.ids.insert(id);
        linked.keys.extend(key.map(|key| key.to_string()));
    }
    Ok(linked)
}

fn sentence(waiting: &Waiting, decision: &Decision) -> String {
    let name = shown(&waiting.person.display_name(), 40);
    match (&waiting.kind, decision) {
        (WaitingKind::HeldDeletion { side }, Decision::Reject) => {
            format!("{name}: stay in {side}, and come back on the other side")
        }
        (
            WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. },
            Decision::Reject,
        ) => format!("{name}: {} stays “{}”", change.field, shown(&change.from, 40)),
        (WaitingKind::HeldChange { change, .. }, _) => {
            format!("{name}: {} becomes “{}”", change.field, shown(&change.to, 40))
        }
        (WaitingKind::HeldDeletion { side }, _) => format!("{name}: delete in {side}"),
        (WaitingKind::HeldClearing { side, change }, _) => {
            format!("{name}: clear {} in {side}", change.field)
        }
        (WaitingKind::Conflict { field, source, linq, .. }, Decision::Take { side }) => {
            let value = match side {
                Side::Source => source,
                Side::Linq => linq,
            };
            format!("{name}: {field} is “{}”", shown(value, 40))
        }
        (WaitingKind::Conflict { field, .. }, Decision::Value { value }) => {
            format!("{name}: {field} is “{}”", shown(value, 40))
        }
        (_, Decision::Link { linq_id }) => format!("{name}: is contact {linq_id}"),
        (WaitingKind::Rejected { field: Some(field), side, .. }, Decision::Retry) => {
            format!("{name}: send {field} to {side} again")
        }
        (WaitingKind::Rejected { side, .. }, Decision::Retry) => {
            format!("{name}: send to {side} again")
        }
        (_, Decision::Retry) => format!("{name}: send again"),
        (_, Decision::Separate) => format!("{name}: is somebody else, to be created in Linq"),
        (
            _,
            Decision::Approve | Decision::Reject | Decision::Take { .. } | Decision::Value { .. },
        ) => name,
    }
}
