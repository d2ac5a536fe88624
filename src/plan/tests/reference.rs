//! What users are promised for one contact with two fields, decided naively: the
//! planner is compared with this. Written from the promises and not from the planner,
//! with which it shares no code.

use crate::model::{ConflictPolicy, DeletePolicy, Direction, Field, Policy, Side};

/// A blank, or one of a few values.
pub(super) type CellValue = Option<char>;

/// The two fields of somebody, unless they are absent.
pub(super) type TwoFields = Option<[CellValue; 2]>;

/// What both sides last agreed on in one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AgreedCell {
    Never,
    On(CellValue),
}

/// What the state remembers of somebody: nothing, or what was agreed on.
pub(super) type Basis = Option<[AgreedCell; 2]>;

/// Somebody, as a run finds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) base: Basis,
    pub(super) source: TwoFields,
    pub(super) linq: TwoFields,
    /// Whether somebody wrote something into the record, since both sides were last seen,
    /// that Linq has no field for.
    pub(super) note: bool,
}

/// Whether the state remembers a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bond {
    None,
    Linked,
    Released,
}

/// Somebody, when nothing is left to be done for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SettledState {
    pub(super) source: TwoFields,
    pub(super) linq: TwoFields,
    pub(super) bond: Bond,
    pub(super) conflicts: [bool; 2],
    /// Whether nobody can tell who the record is.
    pub(super) ambiguous: bool,
}

/// What holds besides the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReferenceTerms {
    /// A deletion has not been seen for long enough yet.
    pub(super) grace_is_running: bool,
    /// The contact belongs to somebody whose contacts take no part.
    pub(super) is_outside: bool,
}

/// What becomes of somebody on `terms`.
pub(super) fn end_on(terms: ReferenceTerms, start: Start, policy: &Policy) -> SettledState {
    let Start { base, source, linq, .. } = start;
    let end = end(start, policy);
    let stays = |bond| SettledState { source, linq, bond, conflicts: [false; 2], ambiguous: false };
    if terms.is_outside && linq.is_some() {
        return match (base, source) {
            (Some(_), _) => stays(Bond::Released),
            // Not created a second time.
            (None, Some(_)) => SettledState { ambiguous: true, ..stays(Bond::None) },
            (None, None) => stays(Bond::None),
        };
    }
    let is_deleted = (source.is_some(), linq.is_some()) != (false, false)
        && (end.source, end.linq) == (None, None);
    if terms.grace_is_running && is_deleted { stays(Bond::Linked) } else { end }
}

/// The two fields.
pub(super) const FIELDS: [Field; 2] = [Field::Title, Field::Company];

/// What becomes of somebody.
pub(super) fn end(start: Start, policy: &Policy) -> SettledState {
    let Start { base, source, linq, note } = start;
    let stays = |bond| SettledState { source, linq, bond, conflicts: [false; 2], ambiguous: false };
    match (base, source, linq) {
        (None, Some(only), None) if written(policy, Side::Linq) => {
            let linq = Some(sendable(only, Side::Linq, policy));
            SettledState {
                source,
                linq,
                bond: Bond::Linked,
                conflicts: [false; 2],
                ambiguous: false,
            }
        }
        (None, None, Some(only)) if written(policy, Side::Source) => {
            let source = Some(sendable(only, Side::Source, policy));
            SettledState {
                source,
                linq,
                bond: Bond::Linked,
                conflicts: [false; 2],
                ambiguous: false,
            }
        }
        (_, None, None) | (None, Some(_), None) | (None, None, Some(_)) => stays(Bond::None),
        (base, Some(source), Some(linq)) => {
            both(base.unwrap_or([AgreedCell::Never; 2]), source, linq, policy)
        }
        (Some(base), Some(left), None) => {
            let lost = lost(base, left, note, Side::Linq, policy);
            SettledState {
                source: lost.left,
                linq: lost.right,
                bond: lost.bond,
                conflicts: [false; 2],
                ambiguous: false,
            }
        }
        (Some(base), None, Some(left)) => {
            let lost = lost(base, left, false, Side::Source, policy);
            SettledState {
                source: lost.right,
                linq: lost.left,
                bond: lost.bond,
                conflicts: [false; 2],
                ambiguous: false,
            }
        }
    }
}

/// Whether a side is written at all.
fn written(policy: &Policy, side: Side) -> bool {
    match side {
        Side::Linq => policy.direction != Direction::Pull,
        Side::Source => policy.direction != Direction::Push,
    }
}

/// Whether one field of a side is written.
fn field_written(policy: &Policy, side: Side, field: usize) -> bool {
    let own = policy.field_directions.get(&FIELDS[field]);
    let closed = match side {
        Side::Linq => Direction::Pull,
        Side::Source => Direction::Push,
    };
    written(policy, side) && own != Some(&closed)
}

fn sendable(values: [CellValue; 2], to: Side, policy: &Policy) -> [CellValue; 2] {
    [0, 1].map(|field| values[field].filter(|_| field_written(policy, to, field)))
}

/// Both are there: each field on its own.
fn both(
    base: [AgreedCell; 2],
    source: [CellValue; 2],
    linq: [CellValue; 2],
    policy: &Policy,
) -> SettledState {
    let (mut new_source, mut new_linq, mut conflicts) = (source, linq, [false; 2]);
    for field in [0, 1] {
        let (s, l) = (source[field], linq[field]);
        if s == l {
            continue;
        }
        let (source_edited, linq_edited) = match base[field] {
            AgreedCell::On(agreed) => (s != agreed, l != agreed),
            AgreedCell::Never => (s.is_some(), l.is_some()),
        };
        let wins = match (source_edited, linq_edited, policy.conflict_policy(FIELDS[field])) {
            (true, false, _) | (true, true, ConflictPolicy::Source) => Some(Side::Source),
            (false, true, _) | (true, true, ConflictPolicy::Linq) => Some(Side::Linq),
            (true, true, ConflictPolicy::Hold | ConflictPolicy::Newest) | (false, false, _) => None,
        };
        match wins {
            Some(Side::Source) if field_written(policy, Side::Linq, field) => new_linq[field] = s,
            Some(Side::Linq) if field_written(policy, Side::Source, field) => new_source[field] = l,
            _ => conflicts[field] = source_edited && linq_edited,
        }
    }
    SettledState {
        source: Some(new_source),
        linq: Some(new_linq),
        bond: Bond::Linked,
        conflicts,
        ambiguous: false,
    }
}

/// A pair of which one half is gone: what is left, what comes back, and the bond.
struct Lost {
    left: TwoFields,
    right: TwoFields,
    bond: Bond,
}

/// The half on `gone` was deleted; something else than the fields was `touched` in the other.
fn lost(
    base: [AgreedCell; 2],
    left: [CellValue; 2],
    touched: bool,
    gone: Side,
    policy: &Policy,
) -> Lost {
    let remaining = gone.other();
    let edited = touched
        || [0, 1].into_iter().any(|field| match base[field] {
            AgreedCell::On(agreed) => left[field] != agreed,
            // It never reached the side that is gone, though it might have.
            AgreedCell::Never => left[field].is_some() && field_written(policy, gone, field),
        });
    let deletes = match remaining {
        Side::Linq => policy.deletes.linq,
        Side::Source => policy.deletes.source,
    };
    let stays = |bond| Lost { left: Some(left), right: None, bond };
    if edited && written(policy, gone) {
        Lost { left: Some(left), right: Some(sendable(left, gone, policy)), bond: Bond::Linked }
    } else if edited || !written(policy, remaining) {
        stays(Bond::Linked)
    } else if deletes == DeletePolicy::Keep {
        stays(Bond::Released)
    } else {
        Lost { left: None, right: None, bond: Bond::None }
    }
}
