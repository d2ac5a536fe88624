//! A second look at the whole listing.
//!
//! A listing may lack somebody who moved from one page to another, and still number as
//! many as there are, if as many came as went meanwhile. Whom find can see is found all
//! the same. Owns looking twice for the others, before anybody is created on the word of
//! a listing alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::linq::{Client, Completeness, Fetched, LinqError, Listing, Lookup, walk};
use crate::model::{Field, LinqContact, LinqId, Positions, Resting};
use crate::plan::{Incomplete, LinqWrite, Observation, Outlook, Plan};

/// How often the listing is read again at most.
const LOOKS: usize = 3;

/// Whether `plan` creates anybody whom find cannot see.
pub(crate) fn creates_unfindable(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| match &step.linq {
        Some(LinqWrite::Create { values, .. }) => !values.can_be_found(),
        Some(LinqWrite::Update { .. } | LinqWrite::Delete { .. }) | None => false,
    })
}

/// Reads the listing again, until two in a row show the very same contacts. If none does
/// so, none of them is taken for a whole one any more. Returns contacts that were not seen
/// before, or are not as they were seen.
///
/// # Errors
/// [`LinqError`] when a page does not come.
pub(crate) async fn confirm_listing(
    client: &Client,
    resting: &Resting,
    seen: &mut Observation,
) -> Result<Vec<Fetched>, LinqError> {
    let mut shown: BTreeMap<LinqId, Fetched> = BTreeMap::new();
    let all = |contacts: &mut dyn Iterator<Item = LinqId>, at_rest: &Positions| {
        let at_rest = at_rest.iter().map(|at| resting.linq_id(at));
        contacts.chain(at_rest).collect::<BTreeSet<LinqId>>()
    };
    let mut before = all(&mut seen.linq.contacts.keys().copied(), &seen.linq.at_rest);
    let mut why = String::new();
    let mut is_whole = false;
    for _ in 0..LOOKS {
        let Listing { contacts, at_rest, completeness, mentioned: _ } =
            walk(client, resting, |_| false).await?;
        let ids = all(&mut contacts.keys().copied(), &at_rest);
        shown.extend(contacts);
        match completeness {
            Completeness::Complete if ids == before => {
                is_whole = true;
                break;
            }
            Completeness::Complete => {
                "contacts came or went while it was read".clone_into(&mut why);
            }
            Completeness::Partial(doubt) => why = doubt.to_string(),
        }
        before = ids;
    }
    if !is_whole {
        seen.linq.incomplete = Some(Incomplete { why, outlook: Outlook::Passing });
    }
    let mut new = Vec::new();
    for fetched in shown.into_values() {
        match seen.linq.contacts.get(&fetched.contact.id) {
            None => new.push(fetched),
            Some(known) => new.extend(changed_contact(client, known, fetched).await?),
        }
    }
    Ok(new)
}

/// What is shown of a contact by now, if that is not as it was `known`. What the listing
/// does not say of it, it is asked for by id.
async fn changed_contact(
    client: &Client,
    known: &LinqContact,
    shown: Fetched,
) -> Result<Option<Fetched>, LinqError> {
    let is_silent =
        |field: &Field| shown.contact.values[*field].is_empty() && !shown.mentions(*field);
    let (silent, told): (Vec<Field>, Vec<Field>) =
        Field::ALL.into_iter().partition(|field| is_silent(field));
    let differs = |field: &Field| known.values[*field] != shown.contact.values[*field];
    if known.updated_at == shown.contact.updated_at && !told.iter().any(differs) {
        return Ok(None);
    }
    if !silent.iter().any(differs) {
        return Ok(Some(shown));
    }
    match client.get(known.id).await {
        Ok(Lookup::Found(whole)) => Ok(Some(*whole)),
        // Gone by now, or not to be looked at: the next run finds out.
        Ok(Lookup::Absent | Lookup::Unproven(_)) => Ok(None),
        Err(error) if error.rejection().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}
