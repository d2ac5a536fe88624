//! Reads Linq and the state into what a plan is made from.
//!
//! Owns the evidence of absence: a contact counts as gone only if a complete
//! listing lacks it, asking for it by id says that it does not exist, and a known
//! contact still answers. Writes nothing but the mirror. Leaves every decision to
//! [`crate::plan`].

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::gauge::Stage;
use crate::linq::{Client, Completeness, Fetched, LinqError, Listing, Lookup, walk};
use crate::mirror::{IntentKind, IntentState, Mapping, RepeatedWrite, Shown, State, StateError};
use crate::model::{
    Decision, Field, Fingerprint, Link, LinkStatus, LinqContact, LinqId, Policy, RunId, Scope,
    Side, SourceRecord, Timestamp, Waiting, WaitingKind,
};
use crate::plan::{
    DoubtfulCreate, HalfAdded, HeldBack, LinqSide, Observation, RecentDeletions, SourceSide,
    Written, choose, worth_asking,
};
use crate::source::Reading;

/// The sliding time over which deletions are counted.
const DAY: TimeDelta = TimeDelta::hours(24);

/// How many contacts are asked for at most to see whether any still answers.
const CONTROLS: usize = 5;

/// Why a side could not be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// Linq did not answer as it should.
    #[error(transparent)]
    Linq(#[from] LinqError),
    /// The state could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Walks Linq's listing into the mirror, and asks for linked contacts that it
/// lacks one by one, unless there are too many. `reading` is the source's.
///
/// # Errors
/// When Linq or the state fails; nothing is believed then.
pub async fn read_linq(
    client: &Client,
    state: &State,
    policy: &Policy,
    reading: &Reading,
    run: RunId,
    now: Timestamp,
) -> Result<LinqSide, ObserveError> {
    let Listing { contacts: listed, completeness } = walk(client).await?;
    let mut shown: BTreeMap<LinqId, Fetched> =
        listed.into_iter().map(|fetched| (fetched.contact.id, fetched)).collect();
    let mut side = LinqSide {
        contacts: BTreeMap::new(),
        incomplete: match completeness {
            Completeness::Complete => None,
            Completeness::Partial(doubt) => Some(doubt.to_string()),
        },
        gone: BTreeSet::new(),
        unasked: false,
        nobody_answers: false,
    };
    if side.incomplete.is_none() {
        let missing = missing(state, reading, &shown)?;
        let recent = state.deletions_since(Side::Source, now - DAY)?;
        side.unasked = !worth_asking(missing.linked.len(), missing.links, recent, policy);
        ask_for_missing(client, &missing, &mut shown, &mut side).await?;
    }
    store(state, run, now, &shown, &side)?;
    side.contacts = shown.into_iter().map(|(id, fetched)| (id, fetched.contact)).collect();
    Ok(side)
}

/// Contacts of links that a listing lacks.
#[derive(Default)]
struct Missing {
    linked: Vec<LinqId>,
    /// Those that a person says are gone indeed.
    vouched_for: Vec<LinqId>,
    /// Those of released pairs that may be gone altogether. Of the others it does not
    /// matter, and they may be many.
    released: Vec<LinqId>,
    /// How many pairs are linked, those aside for which a person vouches.
    links: usize,
}

fn missing(
    state: &State,
    reading: &Reading,
    shown: &BTreeMap<LinqId, Fetched>,
) -> Result<Missing, StateError> {
    let records: BTreeSet<Fingerprint> =
        reading.records.iter().map(|record| record.fingerprint).collect();
    let approved = approved_deletions(state)?;
    let mut missing = Missing::default();
    for link in state.links()? {
        let id = link.linq_id;
        let lacks = !shown.contains_key(&id);
        match link.status {
            LinkStatus::Linked if lacks && approved.contains(&id) => missing.vouched_for.push(id),
            LinkStatus::Linked => {
                missing.links += 1;
                missing.linked.extend(lacks.then_some(id));
            }
            LinkStatus::Released => {
                let gone = lacks && !records.contains(&link.fingerprint);
                missing.released.extend(gone.then_some(id));
            }
        }
    }
    Ok(missing)
}

/// Contacts whose deletion in the source a person has approved: they are gone from
/// Linq, says that person.
fn approved_deletions(state: &State) -> Result<BTreeSet<LinqId>, StateError> {
    let decisions = state.decisions()?;
    if decisions.is_empty() {
        return Ok(BTreeSet::new());
    }
    let approved = |waiting: &Waiting| {
        waiting.kind == WaitingKind::HeldDeletion { side: Side::Source }
            && decisions.get(&waiting.what) == Some(&Decision::Approve)
    };
    let waiting = state.waiting()?;
    Ok(waiting.into_iter().filter(approved).filter_map(|waiting| waiting.linq_id).collect())
}

/// Asks for each that is missing. That one does not exist counts only if somebody
/// who was listed just now still answers; where nobody at all is listed any more,
/// only what a person vouches for is asked for, and their word counts instead.
async fn ask_for_missing(
    client: &Client,
    missing: &Missing,
    shown: &mut BTreeMap<LinqId, Fetched>,
    side: &mut LinqSide,
) -> Result<(), LinqError> {
    let listed: Vec<LinqId> = shown.keys().take(CONTROLS).copied().collect();
    let mut absent = BTreeSet::new();
    let Missing { linked, released, vouched_for, .. } = missing;
    let unvouched: Vec<LinqId> =
        if side.unasked { Vec::new() } else { linked.iter().chain(released).copied().collect() };
    let missing = unvouched.len() + vouched_for.len();
    client.gauge().begin(Stage::Asking, u64::try_from(missing).ok());
    for id in unvouched.iter().chain(vouched_for) {
        client.gauge().advance(1);
        let lookup = match client.get(*id).await {
            // This one may not be looked at: it proves nothing about anybody.
            Err(error) if error.rejection().is_some() => continue,
            lookup => lookup?,
        };
        match lookup {
            Lookup::Found(fetched) => {
                shown.insert(*id, *fetched);
            }
            Lookup::Absent => {
                absent.insert(*id);
            }
            // Neither there nor proven to be gone: nothing follows for this one.
            Lookup::Unproven(_) => {}
        }
    }
    if absent.is_empty() {
        return Ok(());
    }
    let nobody_to_ask = listed.is_empty() && unvouched.is_empty();
    if nobody_to_ask || somebody_answers(client, &listed).await? {
        side.gone = absent;
    } else {
        side.nobody_answers = true;
    }
    Ok(())
}

/// Whether one of these contacts, which were listed just now, still answers. One may
/// have gone meanwhile like those that are asked for; all of them have not.
async fn somebody_answers(client: &Client, listed: &[LinqId]) -> Result<bool, LinqError> {
    for id in listed {
        if matches!(client.get(*id).await?, Lookup::Found(_)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Brings the mirror up to what Linq showed. Contacts that are not listed and not
/// linked are forgotten; linked ones stay until their deletion is settled.
fn store(
    state: &State,
    run: RunId,
    now: Timestamp,
    shown: &BTreeMap<LinqId, Fetched>,
    side: &LinqSide,
) -> Result<(), StateError> {
    let mirrored = state.contacts()?;
    let changed = shown
        .values()
        .filter(|fetched| {
            mirrored.get(&fetched.contact.id).is_none_or(|known| differs(known, &fetched.contact))
        })
        .map(|fetched| Shown { contact: &fetched.contact, raw: &fetched.raw });
    let changed: Vec<Shown<'_>> = changed.collect();
    if !changed.is_empty() {
        state.store_contacts(run, now, changed)?;
    }
    if side.incomplete.is_some() {
        return Ok(());
    }
    let linked: BTreeSet<LinqId> = state.links()?.iter().map(|link| link.linq_id).collect();
    let unlisted: Vec<LinqId> =
        mirrored.into_keys().filter(|id| !shown.contains_key(id) && !linked.contains(id)).collect();
    if !unlisted.is_empty() {
        state.forget_contacts(&unlisted)?;
    }
    Ok(())
}

/// Whether the mirror should store a contact anew. It keeps instants to the
/// millisecond.
fn differs(known: &LinqContact, shown: &LinqContact) -> bool {
    let millis = |at: Option<Timestamp>| at.map(|at| at.timestamp_millis());
    known.values != shown.values || millis(known.updated_at) != millis(shown.updated_at)
}

/// Puts together what was seen of both sides and what the state remembers.
///
/// # Errors
/// When the state cannot be read.
pub fn observation(
    state: &State,
    policy: &Policy,
    reading: &Reading,
    linq: LinqSide,
    now: Timestamp,
) -> Result<Observation, StateError> {
    let Reading { mapped, records, unreadable, keeps_ids, read_only, .. } = reading.clone();
    let mut seen = Observation {
        now,
        source: SourceSide {
            mapped,
            records,
            unreadable,
            known_nobodies: state.nobodies()?,
            keeps_ids,
            read_only,
        },
        linq,
        links: Vec::new(),
        doubtful: Vec::new(),
        half_added: Vec::new(),
        refused: BTreeMap::new(),
        written: BTreeMap::new(),
        decisions: state.decisions()?,
        recent_deletions: RecentDeletions {
            source: state.deletions_since(Side::Source, now - DAY)?,
            linq: state.deletions_since(Side::Linq, now - DAY)?,
        },
        held: held(state)?,
        changed_meaning: changed_meaning(state, &mapping(policy, reading))?,
    };
    recall(state, &mut seen)?;
    choose(&mut seen, policy);
    seen.written = written(state, &seen)?;
    Ok(seen)
}

/// What was last written to people who have been changed since.
fn written(
    state: &State,
    seen: &Observation,
) -> Result<BTreeMap<(LinqId, Side, Field), Written>, StateError> {
    let records: BTreeSet<Fingerprint> =
        seen.source.records.iter().map(|record| record.fingerprint).collect();
    let mut written = BTreeMap::new();
    for Link { linq_id, fingerprint, base, .. } in &seen.links {
        let contact = seen.linq.contacts.get(linq_id);
        let edited = contact.is_some_and(|contact| {
            let agreed = base.linq_values();
            base.fields().iter().any(|field| agreed[field] != contact.values[field])
        });
        if !edited && records.contains(fingerprint) {
            continue;
        }
        for RepeatedWrite { side, change, times } in state.last_writes(*linq_id)? {
            written.insert((*linq_id, side, change.field), Written { change, times });
        }
    }
    Ok(written)
}

/// Reads the links, the journal and what Linq refused into `seen` again, after some
/// of it was written.
///
/// # Errors
/// When the state cannot be read.
pub fn recall(state: &State, seen: &mut Observation) -> Result<(), StateError> {
    seen.links = state.links()?;
    let rejections = state.rejections()?;
    seen.refused = rejections.into_iter().map(|r| (r.fingerprint, r.reason)).collect();
    (seen.doubtful, seen.half_added) = open_intents(state)?;
    Ok(())
}

fn open_intents(state: &State) -> Result<(Vec<DoubtfulCreate>, Vec<HalfAdded>), StateError> {
    let (mut doubtful, mut half_added) = (Vec::new(), Vec::new());
    for intent in state.open_intents()? {
        match (intent.kind, intent.state, intent.sent_at) {
            (
                IntentKind::CreateInLinq { values, key, fingerprint, .. },
                IntentState::Sent,
                Some(sent_at),
            ) => doubtful.push(DoubtfulCreate {
                intent: intent.id,
                values,
                key,
                fingerprint,
                first_sent_at: intent.planned_at,
                sent_at,
            }),
            (IntentKind::AddToSource { linq_id, values }, _, _) => {
                half_added.push(HalfAdded { intent: intent.id, linq_id, values });
            }
            // Not sent; or one that is settled before anything is planned.
            (
                IntentKind::CreateInLinq { .. }
                | IntentKind::UpdateInLinq { .. }
                | IntentKind::DeleteInLinq { .. }
                | IntentKind::UpdateInSource { .. }
                | IntentKind::RemoveFromSource { .. },
                _,
                _,
            ) => {}
        }
    }
    Ok((doubtful, half_added))
}

/// What takes part, as far as it decides what a missing value or contact means.
pub fn mapping(policy: &Policy, reading: &Reading) -> Mapping {
    let scope = match &policy.scope {
        Scope::All => "all".to_owned(),
        Scope::Owner(owner) => format!("owner {owner}"),
    };
    Mapping { fields: reading.mapped, places: Some(reading.places.clone()), scope }
}

/// What earlier runs held back.
fn held(state: &State) -> Result<HeldBack, StateError> {
    let is_held = |waiting: &Waiting| {
        matches!(waiting.kind, WaitingKind::HeldDeletion { .. } | WaitingKind::HeldClearing { .. })
    };
    let listed = state.waiting()?.into_iter().filter(is_held).map(|held| (held.what, held.kind));
    Ok(HeldBack { listed: listed.collect(), kept: state.kept_back()? })
}

fn changed_meaning(state: &State, now: &Mapping) -> Result<Option<String>, StateError> {
    let Some(before) = state.mapping()? else { return Ok(None) };
    Ok(if before.fields != now.fields || before.places.is_some() && before.places != now.places {
        Some("the source has other columns than before".to_owned())
    } else if before.scope != now.scope {
        Some("another scope is configured than before".to_owned())
    } else {
        None
    })
}

/// The record of the source that `index` names.
pub(crate) fn record(seen: &Observation, index: crate::model::RecordIndex) -> &SourceRecord {
    &seen.source.records[index.0 as usize]
}
