//! Who decided something, with which command, and when.

use serde::{Deserialize, Serialize};

use super::{Decision, Side, Timestamp};

/// That a person decided something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedBy {
    /// The user; `None` where an older version did not ask.
    pub by: Option<String>,
    /// The command, without the values that it was given: `resolve --take linq`.
    pub command: String,
    /// When.
    pub at: Timestamp,
}

impl Decision {
    /// The command by which it is made, without values.
    pub const fn command(&self) -> &'static str {
        match self {
            Decision::Approve => "approve",
            Decision::Reject => "reject",
            Decision::Take { side: Side::Source } => "resolve --take source",
            Decision::Take { side: Side::Linq } => "resolve --take linq",
            Decision::Value { .. } => "resolve --value",
            Decision::Link { .. } => "resolve --link",
            Decision::Separate => "resolve --separate",
            Decision::Retry => "retry",
        }
    }
}
