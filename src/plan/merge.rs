//! Three-way merge of one pair, field by field.
//!
//! Each field is merged on its own, so that edits of different fields on both
//! sides are all kept, and only a field that clashes waits.

use std::collections::BTreeMap;

use ecow::EcoString;

use crate::model::{
    Agreement, Base, Canon, ConflictPolicy, Field, FieldChange, FieldSet, Fingerprint, LinqContact,
    Policy, Side, SourceRecord, Values, WaitingKind, name_contains,
};

use super::choice::as_meant;
use super::decide::HalfChange;
use super::decisions::Resolution;
use super::observation::RepeatedValue;
use super::similarity::lost_letters;
use super::step::{CarriedOut, Clash, FieldReason, Wait};

/// What merging a pair comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Merge {
    /// Fields to be written to Linq.
    pub(super) to_linq: Vec<FieldChange>,
    /// Fields to be written to the source.
    pub(super) to_source: Vec<FieldChange>,
    /// Fields that are equal on both sides and were not agreed on so far.
    pub(super) agreed: Vec<(Field, Agreement)>,
    /// Why the fields that are written are.
    pub(super) why: BTreeMap<Field, FieldReason>,
    /// Fields that wait.
    pub(super) waits: Vec<Wait>,
    /// The decisions of people that all of this carries out.
    pub(super) decided: Vec<CarriedOut>,
    /// Whether the record lacks cells that something was agreed on for.
    pub(super) is_short: bool,
}

/// What is to be done about one field.
enum FieldOutcome {
    Nothing,
    Agree,
    ToLinq(FieldReason),
    ToSource(FieldReason),
    /// What a person decided; where that is neither value, it goes into the source first.
    Decided(Fingerprint, DecidedField, FieldReason),
    Wait(Wait),
}

/// What a person has decided about a field.
enum DecidedField {
    ToLinq(EcoString),
    ToSource(EcoString),
}

/// What the state remembers of a pair besides its base.
#[derive(Clone, Copy)]
pub(super) struct PairHistory<'a> {
    /// Looks up what a person decided about the conflict of a field.
    pub(super) resolved: &'a dyn Fn(Field) -> Option<Resolution<'a>>,
    /// Looks up whether a person has rejected a change that would be held: its question.
    pub(super) rejected: &'a dyn Fn(&WaitingKind) -> Option<Fingerprint>,
    /// Looks up whether a person wants the value of a field that Linq did not take to be
    /// sent again: the question.
    pub(super) retried: &'a dyn Fn(Field, Fingerprint) -> Option<Fingerprint>,
    /// What a refusal of a value of a field of this contact is known by.
    pub(super) refusal: &'a dyn Fn(Field, &str) -> Option<Fingerprint>,
    /// Looks up what was last written to a field of a side.
    pub(super) written: &'a dyn Fn(Side, Field) -> Option<&'a RepeatedValue>,
}

impl PairHistory<'_> {
    /// Of a pair that nothing is remembered of.
    pub(super) const NOTHING: PairHistory<'static> = PairHistory {
        resolved: &|_| None,
        rejected: &|_| None,
        retried: &|_, _| None,
        refusal: &|_, _| None,
        written: &|_, _| None,
    };
}

/// A value that was written so many times, and changed back each time, is not written
/// again without asking.
const PATIENCE: usize = 3;

/// Merges `record` and `contact`, which last agreed on `base`.
pub(super) fn merge_fields(
    record: &SourceRecord,
    contact: &LinqContact,
    base: &Base,
    mapped: FieldSet,
    policy: &Policy,
    memory: PairHistory<'_>,
) -> Merge {
    let meant = as_meant(record, Some(contact), base)
        .map(|values| SourceRecord { values, ..record.clone() });
    let record = meant.as_ref().unwrap_or(record);
    let mut merge = Merge::default();
    for field in mapped.iter() {
        let (source, linq) = (&record.values[field], &contact.values[field]);
        match unless_unsendable(
            field,
            source,
            field_outcome(field, record, contact, base, policy, memory),
            policy,
        ) {
            FieldOutcome::Nothing => {}
            FieldOutcome::Agree => {
                let agreement = Agreement { source: source.clone(), linq: linq.clone() };
                merge.agreed.push((field, agreement));
            }
            FieldOutcome::ToLinq(why) => {
                merge.why.insert(field, why);
                merge.to_linq.push(new_change(field, linq, source));
            }
            FieldOutcome::ToSource(why) => {
                merge.why.insert(field, why);
                merge.to_source.push(new_change(field, source, linq));
            }
            FieldOutcome::Decided(what, decided, why) => {
                merge.why.insert(field, why);
                merge.decided.push(CarriedOut { question_id: what, field: Some(field) });
                match decided {
                    DecidedField::ToLinq(value) => {
                        merge.to_linq.push(new_change(field, linq, &value));
                    }
                    DecidedField::ToSource(value) => {
                        merge.to_source.push(new_change(field, source, &value));
                    }
                }
            }
            FieldOutcome::Wait(wait) => merge.waits.push(wait),
        }
    }
    merge.refuse_impossible_clearings(&contact.values);
    merge.leave_short(record, base);
    merge
}

/// The `outcome`, unless it sends Linq a value that it would misread.
fn unless_unsendable(
    field: Field,
    source: &str,
    outcome: FieldOutcome,
    policy: &Policy,
) -> FieldOutcome {
    let is_misread = match &outcome {
        FieldOutcome::ToLinq(_) => policy.canon.is_misread(field, source),
        FieldOutcome::Decided(_, DecidedField::ToLinq(value), _) => {
            policy.canon.is_misread(field, value)
        }
        FieldOutcome::Nothing
        | FieldOutcome::Agree
        | FieldOutcome::ToSource(_)
        | FieldOutcome::Decided(_, DecidedField::ToSource(_), _)
        | FieldOutcome::Wait(_) => false,
    };
    if is_misread { reject_value(field, &policy.canon.misread_reason()) } else { outcome }
}

fn new_change(field: Field, from: &str, to: &str) -> FieldChange {
    FieldChange { field, from: from.into(), to: to.into() }
}

fn field_outcome(
    field: Field,
    record: &SourceRecord,
    contact: &LinqContact,
    base: &Base,
    policy: &Policy,
    memory: PairHistory<'_>,
) -> FieldOutcome {
    let rejected = record.rejected.iter().find(|rejected| rejected.field == field);
    // What both sides once agreed on to the letter is no damage, however it looks.
    let is_agreed = |text: &str| base.get(field).is_some_and(|agreed| agreed.source == text);
    if let Some(rejected) = rejected.filter(|_| !is_agreed(&record.values[field])) {
        return reject_value(field, &rejected.reason);
    }
    if let Some(reason) = not_believed(field, record, base) {
        return reject_value(field, reason);
    }
    let (source, linq) = (&record.values[field], &contact.values[field]);
    let (source_differs, linq_differs) = edited_sides(field, source, linq, base, policy);
    if let Some(outcome) = resolved_outcome(field, source, linq, base, policy, memory) {
        return outcome;
    }
    let ask = |clash| ask_policy(field, record, contact, base, policy, clash);
    let changed_back = changed_back(field, record, contact, base, policy.canon, memory);
    match (source_differs, linq_differs) {
        (false, false) => unchanged_field(field, base, policy, memory),
        _ if policy.canon.has_all_of(field, source, linq) => FieldOutcome::Agree,
        _ if is_half_of_a_clash(field, record, contact, base, policy) => {
            ask(if base.is_void(field) { Clash::ReadAnew } else { Clash::NeverAgreed })
        }
        (true, false) | (false, true) if let Some(side) = changed_back => {
            ask(Clash::ChangedBack(side))
        }
        // A value that is new stands against one that was only put back.
        (true, true)
            if let Some(side) = changed_back
                && policy.writes_field(side, field) =>
        {
            match side {
                Side::Source => FieldOutcome::ToSource(FieldReason::NewAgainstOld(Side::Linq)),
                Side::Linq => FieldOutcome::ToLinq(FieldReason::NewAgainstOld(Side::Source)),
            }
        }
        (true, false) if policy.writes_field(Side::Linq, field) => {
            rejected_change(Side::Linq, field, record, contact, base, policy, memory)
                .unwrap_or(FieldOutcome::ToLinq(edit_reason(Side::Source, field, base)))
        }
        (false, true) if policy.writes_field(Side::Source, field) => {
            rejected_change(Side::Source, field, record, contact, base, policy, memory)
                .unwrap_or(FieldOutcome::ToSource(edit_reason(Side::Linq, field, base)))
        }
        (true, false) | (false, true) => FieldOutcome::Nothing,
        (true, true) if base.is_void(field) => ask(Clash::ReadAnew),
        (true, true) if base.get(field).is_none() => ask(Clash::NeverAgreed),
        (true, true) => ask(Clash::BothEdited),
    }
}

/// Why a value of `side` goes to the other one: two blanks are agreed on like two values.
fn edit_reason(side: Side, field: Field, base: &Base) -> FieldReason {
    if base.half_text(side, field).is_some() {
        FieldReason::Edited(side)
    } else {
        FieldReason::Filled(side)
    }
}

/// Whether a half of a name, which one side lacks, is no blank to be filled: the other half
/// clashes, or has it already, as where one side keeps a whole name in its first name.
fn is_half_of_a_clash(
    field: Field,
    record: &SourceRecord,
    contact: &LinqContact,
    base: &Base,
    policy: &Policy,
) -> bool {
    let Some(other) = field.other_half_of_name() else { return false };
    let (source, linq) = (&record.values, &contact.values);
    let missing = |values: &Values| values[field].trim().is_empty();
    if base.get(field).is_some() || missing(source) == missing(linq) {
        return false;
    }
    let filled = if missing(linq) { Side::Linq } else { Side::Source };
    if !policy.writes_field(filled, field) {
        return false;
    }
    let (whole, halved) = if missing(linq) { (source, linq) } else { (linq, source) };
    let (a, b) = (&source[other], &linq[other]);
    let clashes = edited_sides(other, a, b, base, policy) == (true, true)
        && !policy.canon.means_same(other, a, b);
    clashes || name_contains(&halved[other], &whole[field])
}

/// Whether the value of the source, and that of Linq, is another than its own half of what
/// was agreed on.
pub(super) fn edited_sides(
    field: Field,
    source: &str,
    linq: &str,
    base: &Base,
    policy: &Policy,
) -> (bool, bool) {
    let same = |a: &str, b: &str| policy.canon.means_same(field, a, b);
    match base.get(field) {
        // A blank that clears nothing is filled, as one that was never anything else.
        Some(_) if policy.is_unsaid(field, source) && !linq.trim().is_empty() => (false, true),
        Some(agreed) => (!same(&agreed.source, source), !same(&agreed.linq, linq)),
        // Never agreed: a blank is filled, two values are a clash.
        None => (!source.trim().is_empty(), !linq.trim().is_empty()),
    }
}

/// Why a field of a row that was cut short waits.
const TOO_SHORT: &str = "the row is too short to have a cell for it, so nothing is cleared; add \
                         the cells that it lacks";

/// Why the value of a record is no edit of what was agreed on, though it differs.
pub(super) fn not_believed(
    field: Field,
    record: &SourceRecord,
    base: &Base,
) -> Option<&'static str> {
    let agreed = &base.get(field)?.source;
    if record.unsaid.contains(field) && !agreed.trim().is_empty() {
        return Some(TOO_SHORT);
    }
    let value = &record.values[field];
    let is_cut = value != agreed && agreed.trim().starts_with(value.trim());
    if is_cut && is_short(record, base) {
        return Some("the row ends in it, and may be cut short there; add the cells that it lacks");
    }
    lost_letters(agreed, value).then_some(
        "its letters were replaced by others, as when a file is saved or read in an encoding \
         that lacks them; restore the text, and save the file as UTF-8",
    )
}

/// Whether a record lacks cells that something was agreed on for.
fn is_short(record: &SourceRecord, base: &Base) -> bool {
    let lacks = |field| base.get(field).is_some_and(|agreed| !agreed.source.trim().is_empty());
    record.unsaid.iter().any(lacks)
}

/// The side on which a value that was written is not there any more, but the one that
/// it replaced, as often as we have patience.
fn changed_back(
    field: Field,
    record: &SourceRecord,
    contact: &LinqContact,
    base: &Base,
    canon: Canon,
    memory: PairHistory<'_>,
) -> Option<Side> {
    let agreed = base.get(field)?;
    let same = |a: &str, b: &str| canon.means_same(field, a, b);
    let is_back = |side: &Side| {
        let (shown, ours) = match side {
            Side::Source => (&record.values[field], &agreed.source),
            Side::Linq => (&contact.values[field], &agreed.linq),
        };
        let undone = |written: &RepeatedValue| {
            let FieldChange { from, to, .. } = &written.change;
            let is_ours = same(to, &agreed.source) || same(to, &agreed.linq);
            written.times >= PATIENCE && is_ours && same(from, shown) && !same(shown, ours)
        };
        (memory.written)(*side, field).is_some_and(undone)
    };
    let mut sides = Side::ALL.into_iter().filter(is_back);
    // Where both put their own value back, there is no new one.
    sides.next().filter(|_| sides.next().is_none())
}

/// A field that neither side has changed. Where Linq has not taken what it was sent, that
/// is no edit, and it is not sent again until a person wants it; but people should know.
fn unchanged_field(
    field: Field,
    base: &Base,
    policy: &Policy,
    memory: PairHistory<'_>,
) -> FieldOutcome {
    let Some(agreed) = base.get(field) else {
        return FieldOutcome::Agree;
    };
    let is_meant = base.is_apart(field) || !policy.writes_field(Side::Linq, field);
    let Some(reason) = not_taken(field, agreed, policy.canon).filter(|_| !is_meant) else {
        return FieldOutcome::Nothing;
    };
    if field == Field::Owner && agreed.source.trim().is_empty() {
        // Linq chose one itself, instead of a user whom it refused.
        let writes = policy.writes_field(Side::Source, field);
        let chosen = FieldOutcome::ToSource(FieldReason::ChosenByLinq);
        return if writes { chosen } else { FieldOutcome::Nothing };
    }
    let refusal = (memory.refusal)(field, &agreed.source);
    if let Some(what) = refusal.and_then(|refusal| (memory.retried)(field, refusal)) {
        let sent = DecidedField::ToLinq(agreed.source.clone());
        return FieldOutcome::Decided(what, sent, FieldReason::SentAgain);
    }
    let (field, reason) = (Some(field), reason.to_owned());
    FieldOutcome::Wait(Wait::Rejected { field, reason, refusal, side: Side::Linq })
}

/// Why what Linq has of a field is not what it was sent, if it is not.
pub(super) fn not_taken(field: Field, agreed: &Agreement, canon: Canon) -> Option<&'static str> {
    let Agreement { source, linq } = agreed;
    match (source.trim().is_empty(), linq.trim().is_empty()) {
        (true, false) => Some("Linq kept the value that was cleared in the source"),
        (false, true) => Some("Linq did not keep the value that it was sent"),
        (false, false) if canon.is_other_number(field, source, linq) => {
            Some("Linq has another phone number than the one that it was sent")
        }
        (true, true) | (false, false) => None,
    }
}

/// What a person has decided about two values, if they still are what was shown, or what
/// was decided.
fn resolved_outcome(
    field: Field,
    source: &str,
    linq: &str,
    base: &Base,
    policy: &Policy,
    memory: PairHistory<'_>,
) -> Option<FieldOutcome> {
    let resolution = (memory.resolved)(field)?;
    let same = |a: &str, b: &str| policy.canon.means_same(field, a, b);
    let is_agreed = |agreed: &Agreement| same(&agreed.source, source) && same(&agreed.linq, linq);
    if base.get(field).is_some_and(is_agreed) || policy.canon.has_all_of(field, source, linq) {
        return None;
    }
    if !resolution.still_holds(field, source, linq, policy.canon) {
        return None;
    }
    let wanted = resolution.wanted_value()?;
    let why = FieldReason::Resolved(resolution.standing_side());
    let decided = |decided| Some(FieldOutcome::Decided(resolution.question_id, decided, why));
    match (same(source, wanted), same(linq, wanted)) {
        (false, _) if policy.writes_field(Side::Source, field) => {
            decided(DecidedField::ToSource(wanted.into()))
        }
        (true, false) if policy.writes_field(Side::Linq, field) => {
            decided(DecidedField::ToLinq(wanted.into()))
        }
        // The side that loses is not written: a decision means that each keeps what it has.
        (true, _) | (_, true) => Some(FieldOutcome::Agree),
        (false, false) => None,
    }
}

/// What becomes of a change to `side` that a person has rejected: the value on which both
/// had agreed goes back to where it was changed.
fn rejected_change(
    side: Side,
    field: Field,
    record: &SourceRecord,
    contact: &LinqContact,
    base: &Base,
    policy: &Policy,
    memory: PairHistory<'_>,
) -> Option<FieldOutcome> {
    let (source, linq) = (&record.values[field], &contact.values[field]);
    let (from, to, origin) = match side {
        Side::Linq => (linq, source, Side::Source),
        Side::Source => (source, linq, Side::Linq),
    };
    let agreed = base.get(field)?;
    let what = (memory.rejected)(&WaitingKind::of_held(side, new_change(field, from, to)))?;
    if !policy.writes_field(origin, field) {
        return None;
    }
    let back = match origin {
        Side::Source => DecidedField::ToSource(agreed.source.clone()),
        Side::Linq => DecidedField::ToLinq(agreed.linq.clone()),
    };
    Some(FieldOutcome::Decided(what, back, FieldReason::Rejected(origin)))
}

/// What the policy says about two values.
fn ask_policy(
    field: Field,
    record: &SourceRecord,
    contact: &LinqContact,
    base: &Base,
    policy: &Policy,
    clash: Clash,
) -> FieldOutcome {
    let winner = match clash {
        Clash::BothEdited | Clash::NeverAgreed => {
            by_policy(policy.conflict_policy(field), record, contact)
        }
        // No policy was made for values that settings brought together.
        Clash::ReadAnew | Clash::ChangedBack(_) => None,
    };
    let why = |winner| FieldReason::Policy(clash, policy.conflict_policy(field), winner);
    match winner {
        Some(Side::Source) if policy.writes_field(Side::Linq, field) => {
            FieldOutcome::ToLinq(why(Side::Source))
        }
        Some(Side::Linq) if policy.writes_field(Side::Source, field) => {
            FieldOutcome::ToSource(why(Side::Linq))
        }
        Some(Side::Source | Side::Linq) | None => FieldOutcome::Wait(Wait::Conflict {
            field,
            base: base.half_text(Side::Linq, field).unwrap_or_default().to_owned(),
            source: record.values[field].to_string(),
            linq: contact.values[field].to_string(),
            clash,
        }),
    }
}

/// The side that wins a clash by the configured policy; `None` when it waits.
fn by_policy(policy: ConflictPolicy, record: &SourceRecord, contact: &LinqContact) -> Option<Side> {
    match policy {
        ConflictPolicy::Hold => None,
        ConflictPolicy::Source => Some(Side::Source),
        ConflictPolicy::Linq => Some(Side::Linq),
        ConflictPolicy::Newest => newer_side(record, contact),
    }
}

/// The side that was changed later, where both tell their time and it differs.
fn newer_side(record: &SourceRecord, contact: &LinqContact) -> Option<Side> {
    let (source, linq) = (record.revised_at?, contact.updated_at?);
    match source.cmp(&linq) {
        std::cmp::Ordering::Greater => Some(Side::Source),
        std::cmp::Ordering::Less => Some(Side::Linq),
        std::cmp::Ordering::Equal => None,
    }
}

fn reject_value(field: Field, reason: &str) -> FieldOutcome {
    FieldOutcome::Wait(Wait::for_unsendable(Some(field), reason))
}

impl Merge {
    /// Takes out what would be written behind the end of a row that was cut short. The
    /// cells before it, which the row lacks, would be blank from then on, and look as if a
    /// person had cleared them.
    fn leave_short(&mut self, record: &SourceRecord, base: &Base) {
        self.is_short = is_short(record, base);
        if !self.is_short {
            return;
        }
        let (beyond, kept): (Vec<FieldChange>, Vec<FieldChange>) =
            std::mem::take(&mut self.to_source)
                .into_iter()
                .partition(|change| record.unsaid.contains(change.field));
        self.to_source = kept;
        for FieldChange { field, .. } in beyond {
            self.decided.retain(|one| one.field != Some(field));
            self.waits.push(Wait::for_unsendable(Some(field), TOO_SHORT));
        }
    }

    /// Takes out clearings that Linq cannot carry out: of the last name, e-mail or
    /// phone number that a contact has, and of its owner.
    fn refuse_impossible_clearings(&mut self, contact: &Values) {
        let is_owner =
            |change: &FieldChange| change.field == Field::Owner && change.to.trim().is_empty();
        if self.to_linq.iter().any(is_owner) {
            self.to_linq.retain(|change| !is_owner(change));
            let reason = "Linq has no contact without an owner";
            self.waits.push(Wait::for_unsendable(Some(Field::Owner), reason));
        }
        self.waits.extend(keep_an_identity(contact, &mut self.to_linq));
    }
}

/// Takes the clearings out of `set` that would leave `contact` without name, e-mail and phone
/// number, and lets them wait.
pub(super) fn keep_an_identity(contact: &Values, set: &mut Vec<FieldChange>) -> Vec<Wait> {
    if !contact.with_changes(set).lacks_identity() {
        return Vec::new();
    }
    let is_last = |change: &FieldChange| {
        change.to.trim().is_empty() && Field::IDENTITY.contains(&change.field)
    };
    let (refused, kept): (Vec<FieldChange>, Vec<FieldChange>) =
        std::mem::take(set).into_iter().partition(is_last);
    *set = kept;
    let reason = "a contact in Linq needs a name, an e-mail or a phone number";
    refused.iter().map(|change| Wait::for_unsendable(Some(change.field), reason)).collect()
}

/// What happened to a half that is there: whether it has values that the other
/// side does not know and may be sent. A value that is read under other settings since is
/// no edit because of that.
pub(super) fn fate_of_values(
    side: Side,
    values: &Values,
    base: &Base,
    mapped: FieldSet,
    policy: &Policy,
) -> HalfChange {
    let other = side.other();
    let edited = |field: Field| match base.half_text(side, field) {
        Some(_) if side == Side::Source && policy.is_unsaid(field, &values[field]) => false,
        Some(half) => !policy.canon.means_same(field, half, &values[field]),
        None if base.half_text(other, field).is_some() => false,
        // Never agreed on, and not for the reason that this side does not send it.
        None => policy.writes_field(other, field) && !values[field].trim().is_empty(),
    };
    if mapped.iter().any(edited) { HalfChange::Edited } else { HalfChange::Unchanged }
}
