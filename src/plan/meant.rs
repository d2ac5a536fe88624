//! Why a pair that differs may be in sync all the same.
//!
//! Owns the reasons, by which the planner says so and `verify` explains it.

use std::fmt;

use crate::model::{Field, Link, LinqContact, Policy, Side, SourceRecord};

use super::merge::{edited_sides, not_taken};

/// Why a field may have two different values in a pair that is in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant {
    /// Linq answered the one when it was sent the other, and neither was edited since.
    Rewritten,
    /// A person wants each side to keep its own.
    Apart,
    /// It was edited on this side, from where the direction sends nothing.
    OneWay(Side),
    /// Of somebody who is not linked: new on this side, from where the direction sends
    /// nothing.
    OnlyThere(Side),
}

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Meant::Rewritten => "Linq's own spelling of what it was sent",
            Meant::Apart => "each side keeps its own, as a person decided",
            Meant::OneWay(Side::Source) => "edited in the source, which is not sent to Linq",
            Meant::OneWay(Side::Linq) => "edited in Linq, which is not sent to the source",
            Meant::OnlyThere(Side::Source) => "in the source only, which is not sent to Linq",
            Meant::OnlyThere(Side::Linq) => "in Linq only, which is not sent to the source",
        })
    }
}

/// Why `field` may differ between `record` and `contact`, which are `link`ed: `None` when
/// there is no such reason, so that they are not in sync.
pub fn meant_difference(
    field: Field,
    link: &Link,
    record: &SourceRecord,
    contact: &LinqContact,
    policy: &Policy,
) -> Option<Meant> {
    let (source, linq) = (&record.values[field], &contact.values[field]);
    let base = &link.base;
    match edited_sides(field, source, linq, base, policy) {
        (false, false) if base.is_apart(field) => Some(Meant::Apart),
        (false, false) => base
            .get(field)
            .filter(|agreed| not_taken(field, agreed, policy.canon).is_none())
            .map(|_| Meant::Rewritten),
        (true, false) if !policy.writes_field(Side::Linq, field) => {
            Some(Meant::OneWay(Side::Source))
        }
        (false, true) if !policy.writes_field(Side::Source, field) => {
            Some(Meant::OneWay(Side::Linq))
        }
        (true, _) | (_, true) => None,
    }
}
