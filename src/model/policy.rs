//! What the people who run linqsync have decided: the policy of a run.
//!
//! Owns the choices and what they mean. Leaves how they are written down to
//! [`crate::config`] and their consequences to [`crate::plan`].

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;

use super::{Canon, Field, FieldSet, Region, Side};

/// Everything that a plan depends on besides the observation.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How values are compared.
    pub canon: Canon,
    /// Which sides are written.
    pub direction: Direction,
    /// Narrower directions of single fields; [`Policy::writes_field`] reads them.
    pub field_directions: BTreeMap<Field, Direction>,
    /// What happens to a field that both sides edited; [`Policy::conflict_policy`] reads it.
    pub on_conflict: ConflictPolicy,
    /// Another policy for single fields.
    pub field_conflicts: BTreeMap<Field, ConflictPolicy>,
    /// Fields of which a blank in the source clears nothing in Linq: it is filled from there.
    pub kept_by_blanks: FieldSet,
    /// Whether deletions are carried over to the other side.
    pub deletes: Deletes,
    /// How many deletions a run may carry out on one side.
    pub max_deletes: Limit,
    /// The same for one run, as the person says who makes it: what earlier runs held
    /// because of another limit goes on within this one.
    pub max_deletes_of_run: Option<Limit>,
    /// How many values of one field a run may replace on one side; a share is one of
    /// the field's values.
    pub max_changes: Limit,
    /// How long after Linq refused something it is sent again; `None` for never.
    pub retry_rejected: Option<TimeDelta>,
    /// How long a deletion must have been seen before it is carried out.
    pub delete_grace: TimeDelta,
    /// Which contacts take part.
    pub scope: Scope,
    /// The owner of contacts created in Linq whose record names none; `None` leaves
    /// that to Linq.
    pub default_owner: Option<String>,
}

impl Policy {
    /// Whether `side` may be written at all.
    pub fn may_write(&self, side: Side) -> bool {
        self.direction.writes_side(side)
    }

    /// Whether what was deleted on the other side is deleted on `side`.
    pub fn deletes_from(&self, side: Side) -> bool {
        self.may_write(side) && self.deletes.on_side(side) == DeletePolicy::Propagate
    }

    /// The limit of deletions that holds for this run.
    pub fn deletes_limit(&self) -> Limit {
        self.max_deletes_of_run.unwrap_or(self.max_deletes)
    }

    /// What happens to `field` where both sides edited it.
    pub fn conflict_policy(&self, field: Field) -> ConflictPolicy {
        self.field_conflicts.get(&field).copied().unwrap_or(self.on_conflict)
    }

    /// Whether `text`, the value of `field` in the source, says nothing because it is blank.
    pub fn is_unsaid(&self, field: Field, text: &str) -> bool {
        self.kept_by_blanks.contains(field) && text.trim().is_empty()
    }

    /// Whether the value of `field` may be written on `side`.
    pub fn writes_field(&self, side: Side, field: Field) -> bool {
        let own = self.field_directions.get(&field).copied().unwrap_or(Direction::Both);
        self.may_write(side) && own.writes_side(side)
    }
}

impl Default for Policy {
    /// The policy of a configuration that names nothing but the source.
    fn default() -> Policy {
        Policy {
            canon: Canon::new(Region::US),
            direction: Direction::Both,
            field_directions: BTreeMap::new(),
            on_conflict: ConflictPolicy::Hold,
            field_conflicts: BTreeMap::new(),
            kept_by_blanks: FieldSet::EMPTY,
            deletes: Deletes { linq: DeletePolicy::Propagate, source: DeletePolicy::Propagate },
            max_deletes: Limit::Percent { hundredths: 500 },
            max_deletes_of_run: None,
            max_changes: Limit::Percent { hundredths: 5000 },
            retry_rejected: Some(TimeDelta::hours(24)),
            delete_grace: TimeDelta::zero(),
            scope: Scope::All,
            default_owner: None,
        }
    }
}

/// Which sides are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Both sides.
    Both,
    /// Only Linq.
    Push,
    /// Only the source.
    Pull,
}

impl Direction {
    /// Every direction.
    pub const ALL: [Direction; 3] = [Direction::Both, Direction::Push, Direction::Pull];

    /// The name in `sync.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            Direction::Both => "both",
            Direction::Push => "push",
            Direction::Pull => "pull",
        }
    }

    /// Whether `side` is written.
    pub const fn writes_side(self, side: Side) -> bool {
        match (self, side) {
            (Direction::Both, _)
            | (Direction::Push, Side::Linq)
            | (Direction::Pull, Side::Source) => true,
            (Direction::Push, Side::Source) | (Direction::Pull, Side::Linq) => false,
        }
    }
}

/// What happens to a field that both sides edited to different values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConflictPolicy {
    /// Both values stay where they are until someone decides.
    Hold,
    /// The source's value is kept.
    Source,
    /// Linq's value is kept.
    Linq,
    /// The value that was edited last is kept, where both sides tell when.
    Newest,
}

impl ConflictPolicy {
    /// Every policy.
    pub const ALL: [ConflictPolicy; 4] = [
        ConflictPolicy::Hold,
        ConflictPolicy::Source,
        ConflictPolicy::Linq,
        ConflictPolicy::Newest,
    ];

    /// The name in `sync.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            ConflictPolicy::Hold => "hold",
            ConflictPolicy::Source => "source",
            ConflictPolicy::Linq => "linq",
            ConflictPolicy::Newest => "newest",
        }
    }
}

/// Whether deletions reach a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeletePolicy {
    /// What was deleted on the other side is deleted here.
    Propagate,
    /// Nothing is deleted here; the pair is released.
    Keep,
}

impl DeletePolicy {
    /// Every policy.
    pub const ALL: [DeletePolicy; 2] = [DeletePolicy::Propagate, DeletePolicy::Keep];

    /// The name in `sync.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            DeletePolicy::Propagate => "propagate",
            DeletePolicy::Keep => "keep",
        }
    }
}

/// The policy of each side, named by the side that would lose a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletes {
    /// What happens in Linq when a record was deleted in the source.
    pub linq: DeletePolicy,
    /// What happens in the source when a contact was deleted in Linq.
    pub source: DeletePolicy,
}

impl Deletes {
    /// The policy of `side`.
    pub const fn on_side(self, side: Side) -> DeletePolicy {
        match side {
            Side::Source => self.source,
            Side::Linq => self.linq,
        }
    }
}

/// How much one run may do on one side before all of it waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many.
    Count(u64),
    /// A share of what is there, and ten where the share is less.
    Percent {
        /// Hundredths of a per cent, 0 to 10 000: `500` is 5 %.
        hundredths: u16,
    },
}

impl Limit {
    /// A share is never stricter than this many.
    const LEAST_OF_A_SHARE: usize = 10;
    const WHOLE: u16 = 10_000;

    /// How many of `all` may go or change without asking.
    pub fn allowed_of(self, all: usize) -> usize {
        match self {
            Limit::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Limit::Percent { hundredths } => {
                let whole = usize::from(Limit::WHOLE);
                let hundredths = usize::from(hundredths);
                // Split, so that no number overflows.
                let share = all / whole * hundredths + all % whole * hundredths / whole;
                share.max(Limit::LEAST_OF_A_SHARE)
            }
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Count(count) => count.fmt(f),
            Limit::Percent { hundredths } => {
                let (whole, rest) = (hundredths / 100, hundredths % 100);
                match (rest, rest % 10) {
                    (0, _) => write!(f, "{whole}%"),
                    (_, 0) => write!(f, "{whole}.{}%", rest / 10),
                    _ => write!(f, "{whole}.{rest:02}%"),
                }
            }
        }
    }
}

/// The text is no limit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a number such as `20`, or a percentage from `0%` to `100%`")]
pub struct LimitError;

impl FromStr for Limit {
    type Err = LimitError;

    /// Reads `20`, `5%` and `2.5%`; a percentage has at most two decimals.
    fn from_str(text: &str) -> Result<Limit, LimitError> {
        match text.strip_suffix('%') {
            None => parse_digits(text).map(Limit::Count),
            Some(percent) => {
                let (whole, decimals) = percent.split_once('.').unwrap_or((percent, "0"));
                let decimals = match decimals.len() {
                    1 => parse_digits(decimals)? * 10,
                    2 => parse_digits(decimals)?,
                    _ => return Err(LimitError),
                };
                let hundredths =
                    parse_digits(whole)?.checked_mul(100).and_then(|w| w.checked_add(decimals));
                hundredths
                    .and_then(|hundredths| u16::try_from(hundredths).ok())
                    .filter(|hundredths| *hundredths <= Limit::WHOLE)
                    .map(|hundredths| Limit::Percent { hundredths })
                    .ok_or(LimitError)
            }
        }
    }
}

/// Digits alone: `u64`'s own reading accepts a leading plus.
fn parse_digits(text: &str) -> Result<u64, LimitError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(LimitError)
}

/// Which contacts take part.
#[derive(Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
    /// Those whose owner has one of these e-mail addresses, at least one.
    Owners(Vec<String>),
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::All => f.write_str("All"),
            Scope::Owners(owners) => write!(f, "Owners({})", owners.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_percentage_allows_its_share_rounded_down_and_at_least_ten() {
        let five: Limit = "5%".parse().unwrap();
        for (links, allowed) in [(0, 10), (199, 10), (219, 10), (220, 11), (1_204, 60)] {
            assert_eq!(five.allowed_of(links), allowed, "of {links}");
        }
        assert_eq!("2.5%".parse::<Limit>().unwrap().allowed_of(1_000), 25);
        assert_eq!("100%".parse::<Limit>().unwrap().allowed_of(usize::MAX), usize::MAX);
    }

    #[test]
    fn a_number_allows_exactly_itself() {
        assert_eq!(Limit::Count(0).allowed_of(1_000), 0);
        assert_eq!(Limit::Count(7).allowed_of(3), 7);
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for text in [
            "", "%", "5 %", "-1", "+1", "101%", "100.01%", "1.%", "1.234%", ".5%", "5%%", "1e3",
            "∞",
        ] {
            assert_eq!(text.parse::<Limit>(), Err(LimitError), "{text}");
        }
        assert!("99999999999999999999%".parse::<Limit>().is_err());
    }

    proptest! {
        #[test]
        fn a_limit_survives_being_written_down(hundredths in 0..=10_000u16, count: u64) {
            for limit in [Limit::Percent { hundredths }, Limit::Count(count)] {
                prop_assert_eq!(limit.to_string().parse::<Limit>(), Ok(limit));
            }
        }
    }

    #[test]
    fn a_field_direction_narrows_both_and_never_widens_one() {
        let pulled = |direction| Policy {
            direction,
            field_directions: BTreeMap::from([(Field::Owner, Direction::Pull)]),
            ..Policy::default()
        };
        let both = pulled(Direction::Both);
        assert!(both.writes_field(Side::Source, Field::Owner));
        assert!(!both.writes_field(Side::Linq, Field::Owner));
        assert!(both.writes_field(Side::Linq, Field::Email));
        assert!(!pulled(Direction::Push).writes_field(Side::Source, Field::Owner));
    }

    #[test]
    fn debug_output_does_not_show_the_owner() {
        let scope = Scope::Owners(vec!["sam@acme.example".to_owned()]);
        assert_eq!(format!("{scope:?}"), "Owners(1)");
    }
}
