//! Long lists, printed as they come: however long, they take no more memory than a short one.

use std::cell::Cell;
use std::io::{BufWriter, Write};

use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::mirror::StateError;
use crate::open::OpenError;

use super::pager::Pages;
use super::report_error;

/// Why no more rows come.
pub(super) enum Stop {
    /// The state cannot be read any further.
    State(StateError),
    /// They cannot be printed.
    Unprinted,
}

impl From<StateError> for Stop {
    fn from(error: StateError) -> Stop {
        Stop::State(error)
    }
}

/// A JSON array of what `each` hands on.
pub(super) struct JsonArray<F> {
    each: F,
    failed: Cell<Option<StateError>>,
}

impl<F> JsonArray<F>
where
    F: Fn(&mut dyn FnMut(Value) -> Result<(), Stop>) -> Result<(), Stop>,
{
    /// The rows that `each` hands on.
    pub(super) fn new(each: F) -> JsonArray<F> {
        JsonArray { each, failed: Cell::new(None) }
    }

    /// Why they ended early, if that is due to the state.
    pub(super) fn state_failure(&self) -> Option<StateError> {
        self.failed.take()
    }
}

impl<F> Serialize for JsonArray<F>
where
    F: Fn(&mut dyn FnMut(Value) -> Result<(), Stop>) -> Result<(), Stop>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(None)?;
        let mut unprinted = None;
        let outcome = (self.each)(&mut |row| {
            rows.serialize_element(&row).map_err(|error| {
                unprinted = Some(error);
                Stop::Unprinted
            })
        });
        if let Err(Stop::State(error)) = outcome {
            self.failed.set(Some(error));
            return Err(S::Error::custom("the state cannot be read any further"));
        }
        unprinted.map_or_else(|| rows.end(), Err)
    }
}

/// Prints the texts that `each` hands on, with colours where a terminal takes them, and there
/// through a pager. Returns
/// why they ended early, if that is due to the state.
pub(super) fn print_rows(
    each: impl FnOnce(&mut dyn FnMut(&str) -> Result<(), Stop>) -> Result<(), Stop>,
) -> anyhow::Result<Option<StateError>> {
    let mut out = BufWriter::new(Pages::open());
    let mut result = Ok(());
    let outcome = each(&mut |text| {
        result = out.write_all(text.as_bytes());
        if result.is_ok() { Ok(()) } else { Err(Stop::Unprinted) }
    });
    super::ignore_closed_pipe(result.and_then(|()| out.flush()))?;
    Ok(match outcome {
        Err(Stop::State(error)) => Some(error),
        Ok(()) | Err(Stop::Unprinted) => None,
    })
}

/// Says why the rows ended early, if that is due to the state. Returns the exit code.
pub(super) fn report_early_end(failure: Option<StateError>) -> u8 {
    failure.map_or(0, |error| {
        let error = OpenError::from(error).to_reported_error();
        report_error(&error);
        error.code
    })
}
