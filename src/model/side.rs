//! The two sides.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two sides that are kept the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The file that people and programs edit.
    Source,
    /// Linq.
    Linq,
}

impl Side {
    /// Both sides, the source first.
    pub const ALL: [Side; 2] = [Side::Source, Side::Linq];

    /// The side that is not this one.
    #[must_use]
    pub const fn other(self) -> Side {
        match self {
            Side::Source => Side::Linq,
            Side::Linq => Side::Source,
        }
    }

    /// Whether this is Linq, for what is said of the other side alone.
    pub fn is_linq(&self) -> bool {
        *self == Side::Linq
    }

    /// Linq: the side that rejects, where states of old do not say which.
    pub(super) const fn linq() -> Side {
        Side::Linq
    }

    /// The name used in configuration, JSON and the state.
    pub const fn name(self) -> &'static str {
        match self {
            Side::Source => "source",
            Side::Linq => "linq",
        }
    }

    /// The side called `name`, if there is one.
    pub fn from_name(name: &str) -> Option<Side> {
        Side::ALL.into_iter().find(|side| side.name() == name)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_is_found_by_the_name_that_json_gives_it() {
        for side in Side::ALL {
            assert_eq!(Side::from_name(side.name()), Some(side));
            assert_eq!(serde_json::to_value(side).unwrap(), side.name());
        }
        assert_eq!(Side::from_name("remote"), None);
    }
}
