//! Reads Linq and the state into what a plan is made from.
//!
//! Owns what was seen, and the evidence that somebody is gone (`absence`), that a
//! field is not shown (`unshown`), or that somebody who was deleted is shown still
//! (`ghosts`). Writes nothing but the mirror. Leaves every decision
//! to [`crate::plan`].

mod absence;
mod ghosts;
mod keep;
mod twice;
mod unshown;

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::linq::{Client, Completeness, Fetched, LinqError, Listing, walk};
use crate::mirror::{
    IntentKind, IntentState, LinkKey, Rejection, RepeatedWrite, Shown, State, StateError,
};
use crate::model::{
    Field, FieldSet, Fingerprint, Link, LinkStatus, LinqContact, LinqId, Meaning, Policy, RunId,
    Scope, Sends, Side, SourceRecord, Timestamp,
};
use crate::plan::{
    Census, Decisions, DoubtfulCreate, HalfAdded, Hold, Incomplete, LinqSide, Observation, Outlook,
    RecentDeletions, RecentEdits, Refusal, SourceSide, Written, choose, read_composed,
    unwritable_of, worth_asking,
};
use crate::source::Reading;
use absence::{missing, settle_elusive};
pub(crate) use keep::keep_records;
pub(crate) use twice::{creates_unfindable, look_twice};

/// The sliding time over which deletions are counted.
const DAY: TimeDelta = TimeDelta::hours(24);

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
/// lacks one by one, unless there are too many: if it is whole, for evidence that they
/// are gone, and otherwise to know what they have. `reading` is the source's.
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
    let linked = linked(state)?;
    let all_seen = |seen: &BTreeMap<LinqId, Fetched>| linked.iter().all(|id| seen.contains_key(id));
    let Listing { contacts: listed, completeness } = walk(client, all_seen).await?;
    let mut shown: BTreeMap<LinqId, Fetched> =
        listed.into_iter().map(|fetched| (fetched.contact.id, fetched)).collect();
    unshown::complete(client, state, &mut shown).await?;
    ghosts::leave_out(client, state, now - DAY, &mut shown).await?;
    let mut side = LinqSide {
        contacts: BTreeMap::new(),
        incomplete: match completeness {
            Completeness::Complete => None,
            Completeness::Partial(doubt) => Some(Incomplete {
                why: doubt.to_string(),
                outlook: if doubt.may_pass() { Outlook::Passing } else { Outlook::Lasting },
            }),
        },
        gone: BTreeSet::new(),
        elusive: BTreeSet::new(),
        notices: Vec::new(),
        unasked: false,
        nobody_answers: false,
        known_since: BTreeMap::new(),
    };
    let missing = missing(state, policy.canon, reading, &shown)?;
    let recent = state.deletions_since(Side::Source, now - DAY)?;
    let few = worth_asking(missing.linked.len(), missing.links, recent, policy);
    if side.incomplete.is_some() {
        let in_vain = missing.look_for_few(client, few, &mut shown, &mut side).await?;
        let not_found = state.count_not_found(run, now, &in_vain)?;
        settle_elusive(&mut side, &not_found, now);
    } else {
        state.count_not_found(run, now, &BTreeSet::new())?;
        side.unasked = !few;
        missing.ask(client, &mut shown, &mut side).await?;
    }
    store(state, run, now, &shown, &side)?;
    side.contacts = shown.into_iter().map(|(id, fetched)| (id, fetched.contact)).collect();
    Ok(side)
}

/// The contacts that are kept the same.
fn linked(state: &State) -> Result<BTreeSet<LinqId>, StateError> {
    let is_linked = |link: &LinkKey| link.status == LinkStatus::Linked;
    Ok(state.link_keys()?.iter().filter(|link| is_linked(link)).map(|link| link.linq_id).collect())
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
    let mut unlisted: Vec<LinqId> =
        mirrored.into_keys().filter(|id| !shown.contains_key(id)).collect();
    if !unlisted.is_empty() {
        let linked: BTreeSet<LinqId> = state.link_keys()?.iter().map(|link| link.linq_id).collect();
        unlisted.retain(|id| !linked.contains(id));
    }
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
    let Reading { mapped, places, records, unreadable, keeps_ids, read_only, notices, .. } =
        reading.clone();
    let waiting = state.waiting()?;
    let mut seen = Observation {
        now,
        source: SourceSide {
            mapped,
            columns: places,
            records,
            unreadable,
            known_nobodies: state.nobodies()?,
            keeps_ids,
            read_only,
            notices,
        },
        linq,
        links: Vec::new(),
        census: Census::default(),
        doubtful: Vec::new(),
        half_added: Vec::new(),
        refused: BTreeMap::new(),
        unwritable: waiting.iter().filter_map(unwritable_of).collect(),
        written: BTreeMap::new(),
        decisions: Decisions::default(),
        recent_deletions: RecentDeletions {
            source: state.deletions_since(Side::Source, now - DAY)?,
            linq: state.deletions_since(Side::Linq, now - DAY)?,
        },
        recent_edits: recent_edits(state, now - DAY)?,
        held: waiting.into_iter().filter_map(Hold::of).collect(),
        changed_meaning: None,
    };
    recall(state, policy, &mut seen)?;
    choose(&mut seen, policy);
    read_composed(&mut seen, policy);
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
            let differs = |field| base.get(field).is_some_and(|a| a.linq != contact.values[field]);
            Field::ALL.into_iter().any(differs)
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

/// Reads the links, the journal, the decisions and what Linq refused into `seen` again,
/// after some of it was written. What records say in a composed form is read as their
/// contacts have it by now.
///
/// # Errors
/// When the state cannot be read.
pub fn recall(state: &State, policy: &Policy, seen: &mut Observation) -> Result<(), StateError> {
    // Not both of them in memory at once, the old ones and the new ones.
    seen.links = Vec::new();
    seen.links = state.links()?;
    let rejections = state.rejections()?;
    let refusal = |one: Rejection| {
        let Rejection { fingerprint, fields, reason, at, .. } = one;
        (fingerprint, Refusal { fields, reason, at })
    };
    seen.refused = rejections.into_iter().map(refusal).collect();
    (seen.doubtful, seen.half_added) = open_intents(state)?;
    if !seen.doubtful.is_empty() {
        seen.linq.known_since = state.known_since()?;
    }
    seen.decisions = state.decided()?.into_iter().collect();
    read_composed(seen, policy);
    Ok(())
}

fn open_intents(state: &State) -> Result<(Vec<DoubtfulCreate>, Vec<HalfAdded>), StateError> {
    let stale = state.stale_intents()?;
    let (mut doubtful, mut half_added) = (Vec::new(), Vec::new());
    for intent in state.open_intents()? {
        let stale = stale.filter(|stale| intent.id <= stale.last);
        let read_anew = stale.map_or(FieldSet::EMPTY, |stale| stale.read_anew);
        match (intent.kind, intent.state, intent.sent_at) {
            (
                IntentKind::CreateInLinq { values, key, fingerprint, .. },
                IntentState::Sent,
                Some(sent_at),
            ) => doubtful.push(DoubtfulCreate {
                intent: intent.id,
                values,
                key: key.filter(|_| stale.is_none_or(|stale| !stale.keys)),
                read_anew,
                fingerprint,
                sent_at,
            }),
            (IntentKind::AddToSource { linq_id, values }, _, _) => {
                half_added.push(HalfAdded { intent: intent.id, linq_id, values, read_anew });
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

/// What the values of `reading` mean, and who takes part.
pub(crate) fn meaning(policy: &Policy, reading: &Reading) -> Meaning {
    let scope = match &policy.scope {
        Scope::All => "all".to_owned(),
        Scope::Owner(owner) => format!("owner {owner}"),
    };
    let sent_to = |side: Side| -> FieldSet {
        Field::ALL.into_iter().filter(|field| policy.writes_field(side, *field)).collect()
    };
    Meaning {
        fields: reading.mapped,
        places: Some(reading.places.clone()),
        scope,
        manner: Some(reading.manner.clone()),
        sends: Some(Sends { source: sent_to(Side::Linq), linq: sent_to(Side::Source) }),
    }
}

/// Takes the links as they are after a change of meaning, and the records for what they
/// mean by now.
///
/// # Errors
/// When the state cannot be read.
pub(crate) fn see_anew(
    state: &State,
    policy: &Policy,
    reading: &Reading,
    seen: &mut Observation,
) -> Result<(), StateError> {
    recall(state, policy, seen)?;
    seen.source.records.clone_from(&reading.records);
    choose(seen, policy);
    read_composed(seen, policy);
    Ok(())
}

/// Whose values were taken away or replaced since then, by side and field.
fn recent_edits(
    state: &State,
    since: Timestamp,
) -> Result<BTreeMap<(Side, Field), RecentEdits>, StateError> {
    let mut recent: BTreeMap<(Side, Field), RecentEdits> = BTreeMap::new();
    for side in Side::ALL {
        for (id, change) in state.changes_since(side, since)? {
            let edits = recent.entry((side, change.field)).or_default();
            edits.cleared.extend(change.clears().then_some(id));
            edits.replaced.extend(change.replaces().then_some(id));
        }
    }
    Ok(recent)
}

/// The record of the source that `index` names.
pub(crate) fn record(seen: &Observation, index: crate::model::RecordIndex) -> &SourceRecord {
    seen.source.record(index)
}
