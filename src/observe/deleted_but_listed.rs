//! Contacts that are listed for a while although they were deleted.
//!
//! Owns telling them from people who are new in Linq: asked for by id, they do not exist.
//! Nothing else follows from that, and the next run asks again.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use crate::linq::{Client, Fetched, Lookup};
use crate::mirror::State;
use crate::model::{LinqId, Timestamp};

use super::ObserveError;

/// Takes out of what was `listed` who was deleted since then and does not exist any more.
pub(super) async fn leave_out_deleted(
    client: &Client,
    state: &State,
    since: Timestamp,
    listed: &mut BTreeMap<LinqId, Fetched>,
) -> Result<(), ObserveError> {
    let mut suspects = state.deleted_since(since)?;
    suspects.retain(|id| listed.contains_key(id));
    if suspects.is_empty() {
        return Ok(());
    }
    let linked: BTreeSet<LinqId> =
        state.links_of(&suspects)?.iter().map(|link| link.linq_id).collect();
    let concurrency = client.settings().concurrency.get();
    let mut asked = stream::iter(suspects.difference(&linked).copied())
        .map(async |id| (id, client.get(id).await))
        .buffer_unordered(concurrency);
    while let Some((id, lookup)) = asked.next().await {
        match lookup {
            Ok(Lookup::Absent) => {
                tracing::debug!(linq_id = %id, "listed, and deleted");
                listed.remove(&id);
            }
            Ok(Lookup::Found(_) | Lookup::Unproven(_)) => {}
            // This one may not be looked at: it is as it is listed.
            Err(error) if error.rejection().is_some() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
