//! The evidence of absence.
//!
//! Owns it: a contact counts as gone only if a complete listing lacks it, asking for it by
//! id says that it does not exist, and a known contact still answers. Where contacts come
//! and go so often that no listing is complete, being asked for in vain in several runs over
//! some time counts instead. Leaves what follows to [`crate::plan`].

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use chrono::TimeDelta;
use futures_util::stream::{self, Stream, StreamExt};

use crate::linq::{Client, Fetched, LinqError, Lookup};
use crate::mirror::{NotFound, State, StateError};
use crate::model::{
    Canon, Decided, Fingerprint, Limit, Link, LinkStatus, LinqId, Positions, Resting, Side,
    SourceRecord, Timestamp, Values, WaitingKind,
};
use crate::plan::{Incomplete, LinqSide, Outlook};
use crate::progress::ProgressStage;
use crate::source::SourceReading;

/// How many contacts are asked for at most to see whether any still answers.
pub(super) const CONTROLS: usize = 5;

/// How many linked contacts that a listing in parts does not show are asked for one by
/// one: as many as a run may delete unless something else is configured.
const FEW: Limit = Limit::Percent { hundredths: 500 };

/// In how many runs in a row a contact must be asked for in vain at least to count as gone,
/// where no listing is complete because it moves.
const RUNS: u32 = 3;
/// Over how many minutes at least.
const MINUTES: i64 = 10;

/// Contacts of links that a listing lacks.
#[derive(Default)]
pub(super) struct MissingContacts {
    pub(super) linked: Vec<LinqId>,
    /// Those of them whose record is not as it was, or is gone as well, and those who may
    /// have been created again under another id: something else is due for them than a
    /// deletion.
    pub(super) changed: Vec<LinqId>,
    /// Those that a person says are gone indeed.
    pub(super) vouched_for: Vec<LinqId>,
    /// Those of released pairs that may be gone altogether. Of the others it does not
    /// matter, and they may be many.
    pub(super) released: Vec<LinqId>,
    /// How many pairs are linked, those aside for which a person vouches.
    pub(super) links: usize,
}

/// Who is missing from a listing that `shown` these, and those of the pairs `resting` that are
/// `at_rest`; `reading` is the source's.
pub(super) fn find_missing(
    state: &State,
    canon: Canon,
    reading: &SourceReading,
    resting: &Resting,
    shown: &BTreeMap<LinqId, Fetched>,
    at_rest: &Positions,
) -> Result<MissingContacts, StateError> {
    let records: BTreeMap<Fingerprint, &SourceRecord> =
        reading.records.iter().map(|record| (record.fingerprint, record)).collect();
    let contents: BTreeSet<Fingerprint> =
        reading.records.iter().map(|record| record.content).collect();
    let decided = decided_deletions(state)?;
    let mut missing = MissingContacts::default();
    let links = links_to_judge(state, resting, shown, at_rest)?;
    // The others are listed.
    missing.links =
        resting.len() - links.iter().filter(|link| resting.of_id(link.linq_id).is_some()).count();
    // About whom a question is open but whether it is gone.
    let waiting: BTreeSet<LinqId> = (state.stored_waiting()?.into_iter())
        .chain(state.stored_decisions()?.into_iter().map(|decided| decided.about))
        .filter(|waiting| !matches!(waiting.kind, WaitingKind::HeldDeletion { .. }))
        .filter_map(|waiting| waiting.linq_id)
        .collect();
    let newcomers = OnceCell::new();
    for link in &links {
        let id = link.linq_id;
        let lacks = !shown.contains_key(&id);
        match link.status {
            LinkStatus::Linked if lacks && decided.contains(&id) => missing.vouched_for.push(id),
            LinkStatus::Linked => {
                missing.links += 1;
                missing.linked.extend(lacks.then_some(id));
                let is_edited = || link.content.is_some_and(|content| !contents.contains(&content));
                let newcomers = || {
                    newcomers.get_or_init(|| Newcomers::among_listed(shown, resting, &links, canon))
                };
                let is_at_rest = resting.of_id(id).is_some_and(|at| reading.at_rest.contains(at));
                let is_due = || match records.get(&link.fingerprint) {
                    _ if waiting.contains(&id) => true,
                    None if is_at_rest => newcomers().has_address(&link.base.known_values()),
                    None => true,
                    Some(record) => is_edited() || newcomers().has_address(&record.values),
                };
                missing.changed.extend((lacks && is_due()).then_some(id));
            }
            LinkStatus::Released => {
                let gone = lacks && !records.contains_key(&link.fingerprint);
                missing.released.extend(gone.then_some(id));
            }
        }
    }
    Ok(missing)
}

/// The links but those whose contact is listed as it was at rest.
fn links_to_judge(
    state: &State,
    resting: &Resting,
    shown: &BTreeMap<LinqId, Fetched>,
    at_rest: &Positions,
) -> Result<Vec<Link>, StateError> {
    if resting.is_empty() {
        return state.links();
    }
    let mut ids = state.unrested_contacts()?;
    ids.extend(
        (0..resting.len()).filter(|at| !at_rest.contains(*at)).map(|at| resting.linq_id(at)),
    );
    ids.extend(shown.keys().filter(|id| resting.of_id(**id).is_some()));
    state.links_of(&ids)
}

/// The addresses of contacts that are not linked.
struct Newcomers {
    canon: Canon,
    addresses: BTreeSet<String>,
}

impl Newcomers {
    fn among_listed(
        shown: &BTreeMap<LinqId, Fetched>,
        resting: &Resting,
        links: &[Link],
        canon: Canon,
    ) -> Newcomers {
        let linked: BTreeSet<LinqId> = links.iter().map(|link| link.linq_id).collect();
        let is_linked = |id: &LinqId| linked.contains(id) || resting.of_id(*id).is_some();
        let new = shown.iter().filter(|(id, _)| !is_linked(id));
        let addresses =
            new.flat_map(|(_, one)| canonical_addresses(&one.contact.values, canon)).collect();
        Newcomers { canon, addresses }
    }

    /// Whether one of them has an address of `values`.
    fn has_address(&self, values: &Values) -> bool {
        !self.addresses.is_empty()
            && canonical_addresses(values, self.canon)
                .any(|address| self.addresses.contains(&address))
    }
}

fn canonical_addresses(values: &Values, canon: Canon) -> impl Iterator<Item = String> {
    canon.email_key(values).into_iter().chain(canon.phone_key(values))
}

/// Contacts of which a person has decided that their record goes as well, or that they are
/// created again: they are gone from Linq, says that person.
fn decided_deletions(state: &State) -> Result<BTreeSet<LinqId>, StateError> {
    let is_deletion =
        |decided: &Decided| decided.about.kind == WaitingKind::HeldDeletion { side: Side::Source };
    let decided = state.stored_decisions()?.into_iter().filter(is_deletion);
    Ok(decided.filter_map(|decided| decided.about.linq_id).collect())
}

impl MissingContacts {
    /// Asks for each that is missing; where they are too many, only for those for which
    /// something else is due than a deletion that waits. That one does not exist counts only if somebody
    /// who was listed just now still answers; where nobody at all is listed any more,
    /// only what a person vouches for is asked for, and their word counts instead.
    pub(super) async fn ask_by_id(
        &self,
        client: &Client,
        listed: &[LinqId],
        shown: &mut BTreeMap<LinqId, Fetched>,
        side: &mut LinqSide,
    ) -> Result<(), LinqError> {
        let mut absent = BTreeSet::new();
        let MissingContacts { linked, changed, released, vouched_for, .. } = self;
        let unvouched: Vec<LinqId> = if side.too_many_to_confirm {
            changed.clone()
        } else {
            linked.iter().chain(released).copied().collect()
        };
        let missing = unvouched.len() + vouched_for.len();
        client.progress().begin_stage(ProgressStage::Asking, u64::try_from(missing).ok());
        let asked = unvouched.iter().chain(vouched_for).copied();
        let mut answers = pin!(fetch_each(client, asked));
        while let Some((id, lookup)) = answers.next().await {
            match lookup {
                // This one may not be looked at: it proves nothing about anybody.
                Err(error) if error.rejection().is_some() => {}
                Err(error) => return Err(error),
                Ok(Lookup::Found(fetched)) => {
                    shown.insert(id, *fetched);
                }
                Ok(Lookup::Absent) => {
                    absent.insert(id);
                }
                // Neither there nor proven to be gone: nothing follows for this one.
                Ok(Lookup::Unproven(_)) => {}
            }
        }
        if absent.is_empty() {
            return Ok(());
        }
        let nobody_to_ask = listed.is_empty() && unvouched.is_empty();
        let answer = known_contact_answers(client, listed).await?;
        if nobody_to_ask || answer.is_some() {
            side.gone = absent;
        } else {
            side.control_failed = true;
        }
        // What it has by now is newer than the listing.
        shown.extend(answer.map(|fetched| (fetched.contact.id, fetched)));
        Ok(())
    }

    /// Asks for linked contacts that a listing in parts does not show, unless they are not
    /// `few`: what they have is known then. Nothing follows for those that are not there, unless
    /// they were asked for in vain often enough. Returns who was asked for in vain in this
    /// run, where somebody else still answered.
    pub(super) async fn look_for_few(
        &self,
        client: &Client,
        few: bool,
        listed: &[LinqId],
        shown: &mut BTreeMap<LinqId, Fetched>,
        side: &mut LinqSide,
    ) -> Result<BTreeSet<LinqId>, LinqError> {
        if !few && self.linked.len() > FEW.allowed_of(self.links) {
            return Ok(BTreeSet::new());
        }
        client.progress().begin_stage(ProgressStage::Asking, u64::try_from(self.linked.len()).ok());
        let mut answers = pin!(fetch_each(client, self.linked.iter().copied()));
        while let Some((id, lookup)) = answers.next().await {
            match lookup {
                Err(error) if error.rejection().is_some() => {}
                Err(error) => return Err(error),
                Ok(Lookup::Found(fetched)) => {
                    shown.insert(id, *fetched);
                }
                Ok(Lookup::Absent) => {
                    side.absence_unconfirmed.insert(id);
                }
                Ok(Lookup::Unproven(_)) => {}
            }
        }
        if side.absence_unconfirmed.is_empty() {
            return Ok(BTreeSet::new());
        }
        let Some(answer) = known_contact_answers(client, listed).await? else {
            return Ok(BTreeSet::new());
        };
        shown.insert(answer.contact.id, answer);
        Ok(side.absence_unconfirmed.clone())
    }
}

/// Takes those for gone who were asked for in vain in enough runs over enough time, and says
/// so: no listing was complete, because contacts came and went while it was read.
pub(super) fn settle_unconfirmed(
    side: &mut LinqSide,
    not_found: &BTreeMap<LinqId, NotFound>,
    now: Timestamp,
) {
    let passing = |incomplete: &Incomplete| incomplete.outlook == Outlook::Passing;
    let Some(incomplete) = side.incomplete.as_ref().filter(|one| passing(one)) else { return };
    let is_proof =
        |one: &&NotFound| one.runs >= RUNS && (now - one.since) >= TimeDelta::minutes(MINUTES);
    let proven: Vec<(LinqId, NotFound)> = side
        .absence_unconfirmed
        .iter()
        .filter_map(|id| Some((*id, *not_found.get(id).filter(is_proof)?)))
        .collect();
    let Some(fewest) = proven.iter().map(|(_, one)| one.runs).min() else { return };
    let count = match proven.len() {
        1 => "1 linked contact is gone from Linq: it".to_owned(),
        more => format!("{more} linked contacts are gone from Linq: they"),
    };
    side.notices.push(format!(
        "{count} did not exist when asked for in {fewest} runs in a row, while others did; \
         no listing proved it, since it moves: {}",
        incomplete.why
    ));
    for (id, _) in proven {
        side.absence_unconfirmed.remove(&id);
        side.gone.insert(id);
    }
}

/// Asks for contacts by their ids, several at a time.
fn fetch_each(
    client: &Client,
    ids: impl Iterator<Item = LinqId>,
) -> impl Stream<Item = (LinqId, Result<Lookup, LinqError>)> {
    let answers = stream::iter(ids).map(move |id| async move { (id, client.get(id).await) });
    let answers = answers.buffer_unordered(client.settings().concurrency.get());
    answers.inspect(move |_| client.progress().advance_by(1))
}

/// The first of these contacts, which were listed just now, that still answers. One may
/// have gone meanwhile like those that are asked for; all of them have not.
async fn known_contact_answers(
    client: &Client,
    listed: &[LinqId],
) -> Result<Option<Fetched>, LinqError> {
    for id in listed {
        if let Lookup::Found(fetched) = client.get(*id).await? {
            return Ok(Some(*fetched));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + 60 * minute, 0).unwrap()
    }

    fn side(outlook: Outlook) -> LinqSide {
        LinqSide {
            contacts: BTreeMap::new(),
            incomplete: Some(Incomplete { why: "it moves".to_owned(), outlook }),
            gone: BTreeSet::new(),
            at_rest: Positions::default(),
            absence_unconfirmed: [LinqId(7)].into(),
            notices: Vec::new(),
            too_many_to_confirm: false,
            control_failed: false,
            known_since: BTreeMap::new(),
        }
    }

    #[test]
    fn asked_for_in_vain_in_three_runs_over_ten_minutes_is_gone_where_the_listing_moves() {
        for (runs, minute, outlook, is_gone) in [
            (3, 10, Outlook::Passing, true),
            (9, 90, Outlook::Passing, true),
            (2, 90, Outlook::Passing, false),
            (9, 9, Outlook::Passing, false),
            // A clock that was set back.
            (9, -90, Outlook::Passing, false),
            (9, 90, Outlook::Lasting, false),
        ] {
            let mut side = side(outlook);
            let known = NotFound { since: at(0), runs };
            settle_unconfirmed(&mut side, &[(LinqId(7), known)].into(), at(minute));
            let told = side.notices.concat();
            assert_eq!(side.gone.contains(&LinqId(7)), is_gone, "{runs} {minute}");
            assert_eq!(side.absence_unconfirmed.is_empty(), is_gone, "{runs} {minute}");
            assert_eq!(told.contains(&format!("in {runs} runs")), is_gone, "{told}");
        }
    }
}
