//! The two sides.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two places in which contacts are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The CSV file.
    Source,
    /// Linq.
    Linq,
}

impl Side {
    /// The name used in JSON: `source` or `linq`.
    pub const fn name(self) -> &'static str {
        match self {
            Side::Source => "source",
            Side::Linq => "linq",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Source => "the source",
            Side::Linq => "Linq",
        })
    }
}
