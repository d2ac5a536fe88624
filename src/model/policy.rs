//! What the configuration says about deciding: the planner's second argument.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{Canon, Field, Side};

/// The rules by which a plan is made.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How values are compared.
    pub canon: Canon,
    /// Which sides are written.
    pub direction: Direction,
    /// Narrower directions of single fields.
    pub field_directions: BTreeMap<Field, Direction>,
    /// What happens when both sides changed one field.
    pub on_conflict: ConflictPolicy,
    /// Whether deletions travel.
    pub deletes: Deletes,
    /// How many deletions of one side a day are carried out without asking.
    pub max_deletes: Limit,
    /// How long a deletion must have been seen before it is carried out.
    pub delete_grace: TimeDelta,
    /// Which contacts of Linq take part.
    pub scope: Scope,
    /// `user_email` for contacts created in Linq whose record names no owner.
    pub default_owner: Option<String>,
}

impl Policy {
    /// Whether the value of `field` may be written on `side`.
    pub fn writes_field(&self, side: Side, field: Field) -> bool {
        let narrower = self.field_directions.get(&field).copied().unwrap_or(Direction::Both);
        self.writes(side) && narrower.writes(side)
    }

    /// Whether `side` may be written at all.
    pub fn writes(&self, side: Side) -> bool {
        self.direction.writes(side)
    }
}

/// Which sides are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both.
    #[default]
    Both,
    /// Only Linq.
    Push,
    /// Only the source.
    Pull,
}

impl Direction {
    /// Whether `side` is written.
    pub const fn writes(self, side: Side) -> bool {
        match (self, side) {
            (Direction::Both, _)
            | (Direction::Push, Side::Linq)
            | (Direction::Pull, Side::Source) => true,
            (Direction::Push, Side::Source) | (Direction::Pull, Side::Linq) => false,
        }
    }
}

/// What happens when both sides changed one field to different values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictPolicy {
    /// Both values stay where they are until a person decides.
    #[default]
    Hold,
    /// The source's value wins; Linq's is kept in the history.
    Source,
    /// Linq's value wins; the source's is kept in the history.
    Linq,
    /// The later change wins where both sides tell their time; otherwise hold.
    Newest,
}

/// Whether deletions travel, for each side that would be deleted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deletes {
    /// Deletions carried out in Linq.
    pub linq: DeletePolicy,
    /// Deletions carried out in the source.
    pub source: DeletePolicy,
}

impl Deletes {
    /// The policy for deletions on `side`.
    pub const fn on(self, side: Side) -> DeletePolicy {
        match side {
            Side::Source => self.source,
            Side::Linq => self.linq,
        }
    }
}

/// Whether a deletion on one side is carried out on the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletePolicy {
    /// It is.
    #[default]
    Propagate,
    /// It is not: the pair is released.
    Keep,
}

/// How many deletions of one side are carried out without asking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// This many.
    Count(usize),
    /// This share of the links, in per cent, and never less than ten.
    Percent(f64),
}

impl Limit {
    /// The number of deletions allowed when there are `links` links.
    pub fn allows(self, links: usize) -> usize {
        match self {
            Limit::Count(count) => count,
            Limit::Percent(percent) => {
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a share of a count far below 2^52, rounded down"
                )]
                let share = (links as f64 * percent / 100.0).floor() as usize;
                share.max(10)
            }
        }
    }
}

/// Which contacts of Linq take part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    #[default]
    All,
    /// Those whose owner has this e-mail address.
    Owner(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_never_allows_fewer_than_ten() {
        assert_eq!(Limit::Percent(5.0).allows(30), 10);
        assert_eq!(Limit::Percent(5.0).allows(1000), 50);
        assert_eq!(Limit::Percent(5.0).allows(219), 10);
        assert_eq!(Limit::Count(0).allows(1000), 0);
    }
}
