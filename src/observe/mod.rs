//! Reads Linq and the state into what a plan is made from.
//!
//! Owns what was seen, and the evidence that somebody is gone (`absence`), that a
//! field is not shown (`omitted_fields`), or that somebody who was deleted is shown still
//! (`deleted_but_listed`). Writes nothing but the mirror. Leaves every decision
//! to [`crate::plan`].

mod absence;
mod confirm_listing;
mod deleted_but_listed;
mod gather;
mod keep;
mod omitted_fields;

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::linq::{Client, Completeness, Fetched, LinqError, Listing, walk};
use crate::mirror::{
    IntentKind, IntentState, LinkKey, RepeatedWrite, ShownContact, State, StateError,
    StoredRejection,
};
use crate::model::{
    Field, FieldSet, Fingerprint, Link, LinkStatus, LinqContact, LinqId, Meaning, Policy,
    Positions, Resting, RunId, Scope, Sends, Side, SourceRecord, SourceRecords, Timestamp,
};
use crate::plan::{
    Census, DoubtfulCreate, HalfAdded, Hold, Ignoring, Incomplete, LinqSide, Observation, Outlook,
    RecentDeletions, RecentEdits, Refusal, RepeatedValue, SourceSide, choose_values, ignore,
    read_composed, unwritable_of, worth_asking,
};
use crate::source::{Source, SourceReading};
use absence::{CONTROLS, MissingContacts, find_missing, settle_unconfirmed};
pub(crate) use confirm_listing::{confirm_listing, creates_unfindable};
use gather::Gathering;
pub(crate) use keep::keep_records;

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
/// are gone, and otherwise to know what they have. `reading` is the source's. Of the pairs
/// `resting` that are listed as they were only that is known afterwards.
///
/// # Errors
/// When Linq or the state fails; nothing is believed then.
pub async fn read_linq(
    client: &Client,
    state: &State,
    policy: &Policy,
    reading: &SourceReading,
    resting: &Resting,
    run: RunId,
    now: Timestamp,
) -> Result<LinqSide, ObserveError> {
    let others = linked_contacts(state, resting)?;
    let all_seen = |seen: &Listing| {
        let is_shown =
            |at| seen.at_rest.contains(at) || seen.contacts.contains_key(&resting.linq_id(at));
        (0..resting.len()).all(is_shown) && others.iter().all(|id| seen.contacts.contains_key(id))
    };
    let Listing { contacts: mut shown, mut at_rest, mentioned, completeness } =
        walk(client, resting, all_seen).await?;
    omitted_fields::complete_omitted(client, state, mentioned, &mut shown).await?;
    // What was completed may be as it was.
    shown.retain(|_, fetched| {
        let same = resting.of_contact(&fetched.contact);
        match same {
            Some(at) => {
                at_rest.insert(at);
                false
            }
            None => true,
        }
    });
    deleted_but_listed::leave_out_deleted(client, state, now - DAY, &mut shown).await?;
    let mut side = LinqSide {
        incomplete: match completeness {
            Completeness::Complete => None,
            Completeness::Partial(doubt) => Some(Incomplete {
                why: doubt.to_string(),
                outlook: if doubt.may_pass() { Outlook::Passing } else { Outlook::Lasting },
            }),
        },
        ..LinqSide::default()
    };
    let missing = find_missing(state, policy.canon, reading, resting, &shown, &at_rest)?;
    let listed: Vec<LinqId> = (shown.keys().copied())
        .chain(at_rest.iter().map(|at| resting.linq_id(at)))
        .take(CONTROLS)
        .collect();
    let recent = state.deletions_since(Side::Source, now - DAY)?;
    let few = worth_asking(missing.linked.len(), missing.links, recent, policy);
    if side.incomplete.is_some() {
        let in_vain = missing.look_for_few(client, few, &listed, &mut shown, &mut side).await?;
        let not_found = state.count_not_found(run, now, &in_vain)?;
        settle_unconfirmed(&mut side, &not_found, now);
    } else {
        state.count_not_found(run, now, &BTreeSet::new())?;
        side.too_many_to_confirm = !few;
        missing.ask_by_id(client, &listed, &mut shown, &mut side).await?;
    }
    store_shown(state, run, now, &shown, &side)?;
    side.contacts = shown.into_iter().map(|(id, fetched)| (id, fetched.contact)).collect();
    side.at_rest = at_rest;
    Ok(side)
}

/// Asks for the contacts that are `named`, by their ids. Of the others Linq is taken to show what
/// the mirror has: what it showed last, and those of the pairs `resting` as they were. For a plan
/// that only shows what would become of those who are named.
///
/// # Errors
/// When Linq or the state fails.
pub async fn read_named(
    client: &Client,
    state: &State,
    resting: &Resting,
    named: &BTreeSet<LinqId>,
) -> Result<LinqSide, ObserveError> {
    let mut others = state.unrested_contacts()?;
    others.extend(state.unlinked_ids()?);
    others.retain(|id| !named.contains(id));
    let mut side = LinqSide {
        contacts: state.contacts_of(others)?,
        at_rest: Positions::all(resting.len()),
        ..LinqSide::default()
    };
    let mut listed: Vec<LinqId> = side.contacts.keys().copied().collect();
    listed.extend((0..resting.len()).map(|at| resting.linq_id(at)));
    listed.retain(|id| !named.contains(id));
    listed.truncate(CONTROLS);
    for at in named.iter().filter_map(|id| resting.of_id(*id)) {
        side.at_rest.remove(at);
    }
    let mut shown = BTreeMap::new();
    let missing =
        MissingContacts { linked: named.iter().copied().collect(), ..MissingContacts::default() };
    missing.ask_by_id(client, &listed, &mut shown, &mut side).await?;
    for (id, fetched) in shown {
        side.contacts.insert(id, fetched.contact);
    }
    Ok(side)
}

/// The contacts that are kept the same and are not among those at rest.
fn linked_contacts(state: &State, resting: &Resting) -> Result<BTreeSet<LinqId>, StateError> {
    if resting.is_empty() {
        let is_linked = |link: &LinkKey| link.status == LinkStatus::Linked;
        let links = state.link_keys()?;
        return Ok(links.iter().filter(|link| is_linked(link)).map(|link| link.linq_id).collect());
    }
    let is_linked = |link: &Link| link.status == LinkStatus::Linked;
    let links = state.links_of(&state.unrested_contacts()?)?;
    Ok(links.iter().filter(|link| is_linked(link)).map(|link| link.linq_id).collect())
}

/// Brings the mirror up to what Linq showed. Contacts that are not listed and not
/// linked are forgotten; linked ones stay until their deletion is settled.
fn store_shown(
    state: &State,
    run: RunId,
    now: Timestamp,
    shown: &BTreeMap<LinqId, Fetched>,
    side: &LinqSide,
) -> Result<(), StateError> {
    let mirrored = state.contacts_of(shown.keys().copied())?;
    let changed = shown
        .values()
        .filter(|fetched| {
            mirrored
                .get(&fetched.contact.id)
                .is_none_or(|known| differs_from_mirror(known, &fetched.contact))
        })
        .map(|fetched| ShownContact { contact: &fetched.contact, raw: &fetched.raw });
    let changed: Vec<ShownContact<'_>> = changed.collect();
    if !changed.is_empty() {
        state.store_contacts(run, now, changed)?;
    }
    if side.incomplete.is_some() {
        return Ok(());
    }
    let mut unlisted = state.unlinked_ids()?;
    unlisted.retain(|id| !shown.contains_key(id));
    if !unlisted.is_empty() {
        state.forget_contacts(&unlisted.into_iter().collect::<Vec<LinqId>>())?;
    }
    Ok(())
}

/// Whether the mirror should store a contact anew. It keeps instants to the
/// millisecond.
fn differs_from_mirror(known: &LinqContact, shown: &LinqContact) -> bool {
    let millis = |at: Option<Timestamp>| at.map(|at| at.timestamp_millis());
    known.values != shown.values || millis(known.updated_at) != millis(shown.updated_at)
}

/// What was read of the source: the reading, where it comes from, and the pairs at rest whose
/// records it leaves out.
#[derive(Clone, Copy)]
pub struct SourceRead<'a> {
    /// Where it was read.
    pub source: &'a dyn Source,
    /// What was read.
    pub reading: &'a SourceReading,
    /// The pairs that were at rest before.
    pub resting: &'a Resting,
}

/// Puts together what was seen of both sides and what the state remembers: whoever is not at
/// rest, and whoever they could be taken for.
///
/// # Errors
/// When the state cannot be read.
pub fn observation(
    state: &State,
    policy: &Policy,
    read: SourceRead<'_>,
    linq: LinqSide,
    now: Timestamp,
) -> Result<Observation, StateError> {
    let SourceRead { source, reading, resting } = read;
    let waiting = state.stored_waiting()?;
    let (doubtful, half_added) = open_intents(state)?;
    let rejections = state.rejections()?;
    let refusal = |one: StoredRejection| {
        let StoredRejection { fingerprint, fields, reason, at, .. } = one;
        (fingerprint, Refusal { fields, reason, at })
    };
    let mut seen = Observation {
        now,
        source: SourceSide {
            mapped: reading.mapped,
            columns: reading.places.clone(),
            only: reading.only.clone(),
            records: reading.records.clone(),
            unreadable: reading.unreadable.clone(),
            known_nobodies: state.unidentifiable_records()?,
            keeps_ids: reading.keeps_ids,
            read_only: reading.read_only.clone(),
            notices: reading.notices.clone(),
        },
        linq,
        links: Vec::new(),
        census: Census::default(),
        doubtful,
        half_added,
        refused: rejections.into_iter().map(refusal).collect(),
        unwritable: waiting.iter().filter_map(unwritable_of).collect(),
        written: BTreeMap::new(),
        decisions: state.stored_decisions()?.into_iter().collect(),
        recent_deletions: RecentDeletions {
            source: state.deletions_since(Side::Source, now - DAY)?,
            linq: state.deletions_since(Side::Linq, now - DAY)?,
        },
        recent_edits: recent_edits(state, now - DAY)?,
        held: waiting.into_iter().filter_map(Hold::from_waiting).collect(),
        ignoring: Ignoring::default(),
        changed_meaning: None,
    };
    let ignored = state.ignored()?;
    seen.ignoring.entries.clone_from(&ignored);
    if !seen.doubtful.is_empty() {
        seen.linq.known_since = state.known_since()?;
    }
    let gathering = Gathering { state, source, reading, resting };
    gathering.add_restless(&mut seen)?;
    gathering.add_others(&mut seen, policy)?;
    choose_values(&mut seen, policy);
    read_composed(&mut seen, policy);
    ignore(&mut seen, ignored, policy);
    gathering.add_holders(&mut seen, policy)?;
    seen.written = repeated_values(state, &seen)?;
    Ok(seen)
}

/// Brings what was `seen` up to what the state knows by now.
///
/// # Errors
/// When the state cannot be read.
pub fn see_again(
    state: &State,
    policy: &Policy,
    read: SourceRead<'_>,
    seen: &mut Observation,
) -> Result<(), StateError> {
    // Not both of them in memory at once, the old ones and the new ones.
    (seen.links, seen.source.records) = (Vec::new(), SourceRecords::default());
    let contacts = std::mem::take(&mut seen.linq.contacts);
    let linq = LinqSide { contacts, ..seen.linq.clone() };
    let again = observation(state, policy, read, linq, seen.now)?;
    let before = std::mem::replace(seen, again);
    // What this run has found out stays known.
    (seen.unwritable, seen.held) = (before.unwritable, before.held);
    (seen.recent_edits, seen.recent_deletions) = (before.recent_edits, before.recent_deletions);
    seen.changed_meaning = before.changed_meaning;
    Ok(())
}

/// What was last written to people who have been changed since.
fn repeated_values(
    state: &State,
    seen: &Observation,
) -> Result<BTreeMap<(LinqId, Side, Field), RepeatedValue>, StateError> {
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
            written.insert((*linq_id, side, change.field), RepeatedValue { change, times });
        }
    }
    Ok(written)
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
pub(crate) fn reading_meaning(policy: &Policy, reading: &SourceReading) -> Meaning {
    let scope = match &policy.scope {
        Scope::All => "all".to_owned(),
        Scope::Owners(owners) => {
            let mut owners = owners.clone();
            owners.sort();
            format!("owner {}", owners.join(", "))
        }
    };
    let sent_to = |side: Side| -> FieldSet {
        Field::ALL.into_iter().filter(|field| policy.writes_field(side, *field)).collect()
    };
    Meaning {
        fields: reading.mapped,
        places: Some(reading.places.clone()),
        scope,
        manner: Some(reading.manner.clone()),
        kept_by_blanks: policy.kept_by_blanks,
        sends: Some(Sends { source: sent_to(Side::Linq), linq: sent_to(Side::Source) }),
    }
}

/// Stands for all that decides what values mean, how they are compared and who takes part:
/// what was found at rest under another one has to be planned again.
pub(crate) fn planning_epoch(policy: &Policy, meaning: Option<&Meaning>) -> Fingerprint {
    /// Counted up with each release that compares, reads or plans otherwise than before.
    const COMPARISON: u32 = 1;
    let Policy { canon, direction, field_directions, kept_by_blanks, deletes, scope, .. } = policy;
    let conflicts = Field::ALL.map(|field| policy.conflict_policy(field));
    let rules = (COMPARISON, canon, direction, field_directions, conflicts, deletes, scope);
    let rules = (rules, kept_by_blanks);
    let version = env!("CARGO_PKG_VERSION");
    let meaning = serde_json::to_string(&meaning).unwrap_or_default();
    Fingerprint::of(format!("{version} {rules:?} {meaning}").as_bytes())
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
            edits.cleared.extend(change.clears_value().then_some(id));
            edits.replaced.extend(change.replaces_value().then_some(id));
        }
    }
    Ok(recent)
}

/// The record of the source that `index` names.
pub(crate) fn record_at(seen: &Observation, index: crate::model::RecordIndex) -> &SourceRecord {
    seen.source.record_at(index)
}
