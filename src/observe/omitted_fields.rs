//! Fields that the listing does not show.
//!
//! A member that a contact lacks is blank, as far as anybody knows of Linq. But the
//! documents show a listing without e-mail addresses, so what no contact of a whole
//! listing mentions may just as well not be shown there. Owns telling the two apart:
//! somebody who had such a value, or anybody where nobody is known so far, is asked for
//! by id, where everything is shown. If that shows the value, the field is taken from
//! where it was seen last, and those whom Linq changed since are asked for. Leaves what
//! follows to [`crate::plan`].

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use crate::linq::{Client, Fetched, LinqError, Lookup};
use crate::mirror::State;
use crate::model::{FieldSet, LinqContact, LinqId, Timestamp};
use crate::progress::ProgressStage;

use super::ObserveError;

/// How many are asked for at most to see whether a field is blank or not shown.
const WITNESSES: usize = 3;

/// Completes what was `listed`, of which none says anything of the fields that are not
/// `mentioned`, with what the listing does not show. Those at rest are as they were, so that
/// nothing of them is missing.
pub(super) async fn complete_omitted(
    client: &Client,
    state: &State,
    mentioned: FieldSet,
    listed: &mut BTreeMap<LinqId, Fetched>,
) -> Result<(), ObserveError> {
    let silent: FieldSet =
        FieldSet::ALL.iter().filter(|field| !mentioned.contains(*field)).collect();
    if silent.is_empty() || listed.is_empty() {
        return Ok(());
    }
    let known = state.contacts_of(listed.keys().copied())?;
    let mut unshown = FieldSet::EMPTY;
    for id in sample_contacts(silent, listed, &known, !state.has_contacts()?) {
        if let Some(witness) = fetch_contact(client, id).await? {
            let shown = witness.contact.values.filled_fields();
            silent.intersection(shown).iter().for_each(|field| unshown.insert(field));
        }
    }
    if unshown.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = unshown.iter().map(crate::model::Field::name).collect();
    tracing::warn!(
        fields = names.join(", "),
        "the listing does not show these fields; who was changed is asked for one by one"
    );
    let mut changed = Vec::new();
    for (id, fetched) in listed.iter_mut() {
        match known.get(id).filter(|known| is_as_known(known, &fetched.contact)) {
            Some(known) => {
                for field in unshown.iter() {
                    fetched.contact.values[field].clone_from(&known.values[field]);
                }
            }
            None => changed.push(*id),
        }
    }
    client.progress().begin_stage(ProgressStage::Asking, u64::try_from(changed.len()).ok());
    let concurrency = client.settings().concurrency.get();
    let mut asked =
        stream::iter(changed).map(|id| fetch_contact(client, id)).buffer_unordered(concurrency);
    while let Some(answer) = asked.next().await {
        client.progress().advance_by(1);
        if let Some(fetched) = answer? {
            listed.insert(fetched.contact.id, fetched);
        }
    }
    Ok(())
}

/// Whom to ask: for each field some who had it. Of a Linq of which nothing is known, the
/// first and the last.
fn sample_contacts(
    silent: FieldSet,
    listed: &BTreeMap<LinqId, Fetched>,
    known: &BTreeMap<LinqId, LinqContact>,
    nobody_is_known: bool,
) -> BTreeSet<LinqId> {
    if nobody_is_known {
        let ids = || listed.keys().copied();
        return ids().next().into_iter().chain(ids().next_back()).collect();
    }
    let had = |field| {
        let had = known.values().filter(move |known| !known.values[field].is_empty());
        had.map(|known| known.id).filter(|id| listed.contains_key(id)).take(WITNESSES)
    };
    silent.iter().flat_map(had).collect()
}

async fn fetch_contact(client: &Client, id: LinqId) -> Result<Option<Fetched>, LinqError> {
    match client.get(id).await {
        Ok(Lookup::Found(fetched)) => Ok(Some(*fetched)),
        Ok(Lookup::Absent | Lookup::Unproven(_)) => Ok(None),
        Err(error) if error.rejection().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether Linq has not changed a contact since it was seen last. What says nothing about
/// that may have been changed.
fn is_as_known(known: &LinqContact, listed: &LinqContact) -> bool {
    let millis = |at: Option<Timestamp>| at.map(|at| at.timestamp_millis());
    listed.updated_at.is_some() && millis(known.updated_at) == millis(listed.updated_at)
}
