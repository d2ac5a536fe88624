//! A second look at the whole listing.
//!
//! A listing may lack somebody who moved from one page to another, and still number as
//! many as there are, if as many came as went meanwhile. Whom find can see is found all
//! the same. Owns looking twice for the others, before anybody is created on the word of
//! a listing alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::linq::{Client, Completeness, Fetched, LinqError, Listing, walk};
use crate::model::LinqId;
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
/// before.
///
/// # Errors
/// [`LinqError`] when a page does not come.
pub(crate) async fn look_twice(
    client: &Client,
    seen: &mut Observation,
) -> Result<Vec<Fetched>, LinqError> {
    let mut new: BTreeMap<LinqId, Fetched> = BTreeMap::new();
    let mut before: BTreeSet<LinqId> = seen.linq.contacts.keys().copied().collect();
    let mut why = String::new();
    for _ in 0..LOOKS {
        let Listing { contacts, completeness } = walk(client).await?;
        let ids = contacts.iter().map(|fetched| fetched.contact.id).collect();
        let is_new = |fetched: &Fetched| !seen.linq.contacts.contains_key(&fetched.contact.id);
        let unseen = contacts.into_iter().filter(is_new);
        new.extend(unseen.map(|fetched| (fetched.contact.id, fetched)));
        match completeness {
            Completeness::Complete if ids == before => return Ok(new.into_values().collect()),
            Completeness::Complete => {
                "contacts came or went while it was read".clone_into(&mut why);
            }
            Completeness::Partial(doubt) => why = doubt.to_string(),
        }
        before = ids;
    }
    seen.linq.incomplete = Some(Incomplete { why, outlook: Outlook::Passing });
    Ok(new.into_values().collect())
}
