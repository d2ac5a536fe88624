//! A save of the source that came late, after a write that it knows nothing of.

use std::collections::BTreeSet;

use crate::model::{LinqId, Timestamp};
use crate::record::{Recorder, TakenBack};

use super::RunError;

/// Takes back what the writes of these versions had agreed on. Returns what people should
/// know of that, and the contacts that are linked again though they are gone from Linq; `None`
/// where nothing was to be taken back.
pub(super) fn rescue_late_saves(
    recorder: Recorder<'_>,
    versions: &BTreeSet<String>,
    at: Timestamp,
) -> Result<Option<(String, BTreeSet<LinqId>)>, RunError> {
    let TakenBack { any, gone } = recorder.take_back_late(versions, at)?;
    let notice = "a program that had the source open has saved what it knew from before our last \
                  write: what that had written is written again";
    Ok(any.then(|| (notice.to_owned(), gone)))
}
