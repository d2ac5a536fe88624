//! What interrupted runs left behind: contacts that an unanswered create has made,
//! and what was agreed on by a write that landed.

use std::collections::BTreeMap;

use crate::model::{
    Agreement, Base, Canon, Field, FieldSet, LinqContact, LinqId, Policy, Side, Values,
};

use super::observation::{DoubtfulCreate, HalfAdded, LinqSide};

/// How much a contact looks like what was sent to create it; what looks more like it
/// comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// Every value is the same.
    Same,
    /// Some values are in other letters, or cut short: Linq may have rewritten them.
    Rewritten,
}

/// Whether `contact`, which was not there before, looks as a create of `values` would have
/// made it.
pub fn trace_of(contact: &LinqContact, values: &Values, canon: Canon) -> Option<Likeness> {
    if same_values(&contact.values, values, canon) {
        return Some(Likeness::Same);
    }
    let may_be = |field: Field| {
        let (shown, sent) = (&contact.values[field], &values[field]);
        canon.means_same(field, shown, sent) || is_rewritten(field, sent, shown, canon)
    };
    compared_fields(values).iter().all(may_be).then_some(Likeness::Rewritten)
}

/// Whether Linq may have made `shown` of what it was sent: in other letters, or cut
/// short. Of a phone number the digits count.
pub(crate) fn is_rewritten(field: Field, sent: &str, shown: &str, canon: Canon) -> bool {
    let plain = |text: &str| -> String {
        match field {
            Field::PhoneNumber => text.chars().filter(char::is_ascii_digit).collect(),
            Field::FirstName
            | Field::LastName
            | Field::Email
            | Field::Company
            | Field::Title
            | Field::Location
            | Field::Owner => text.trim().to_lowercase(),
        }
    };
    let shown = plain(shown);
    let canonical = canon.canonical_value(field, sent);
    !shown.is_empty() && [sent, &canonical].into_iter().any(|sent| plain(sent).starts_with(&shown))
}

/// Whether `contact` has what was sent. What was sent blank, Linq may have filled,
/// unless it identifies a person.
fn same_values(contact: &Values, sent: &Values, canon: Canon) -> bool {
    canon.differing_fields(compared_fields(sent), contact, sent).is_empty()
}

/// The fields in which a contact is compared with what was `sent`.
fn compared_fields(sent: &Values) -> FieldSet {
    let mut fields = sent.filled_fields();
    for field in Field::IDENTITY {
        fields.insert(field);
    }
    fields.remove(Field::Owner);
    fields
}

/// What two people have in common of whom one may be the other, rewritten: by how each
/// field of the identity begins, if it is there at all.
type SharedIdentity = [Option<char>; 4];

fn shared_identity(values: &Values) -> SharedIdentity {
    Field::IDENTITY.map(|field| {
        let first = values[field].trim().chars().next();
        // Of a phone number the spelling may differ from the beginning.
        let spelled = |first: char| if field == Field::PhoneNumber { '+' } else { first };
        first.and_then(|first| spelled(first).to_lowercase().next())
    })
}

/// Contacts and unanswered creates, by what identifies them.
pub(super) struct CreateTraces<'a> {
    canon: Canon,
    linq: &'a LinqSide,
    contacts: BTreeMap<SharedIdentity, Vec<&'a LinqContact>>,
    /// Creates that have not been looked at so far.
    creates: BTreeMap<SharedIdentity, Vec<&'a DoubtfulCreate>>,
}

/// What `CreateTraces` shows of one create.
pub(super) enum CreateTrace {
    /// Nothing.
    None,
    /// The contact that it has made, or one just like it.
    One(LinqId),
    /// More contacts than such creates: some were made by somebody else.
    Several(Vec<LinqId>),
}

impl<'a> CreateTraces<'a> {
    /// Of `creates` among `contacts`, which are in `linq` and nobody's so far.
    pub(super) fn new(
        linq: &'a LinqSide,
        contacts: impl Iterator<Item = &'a LinqContact>,
        creates: &'a [DoubtfulCreate],
        canon: Canon,
    ) -> CreateTraces<'a> {
        let (contacts_by, creates_by) = (BTreeMap::new(), BTreeMap::new());
        let mut traces = CreateTraces { canon, linq, contacts: contacts_by, creates: creates_by };
        for create in creates {
            traces.creates.entry(shared_identity(&create.values)).or_default().push(create);
        }
        for contact in contacts {
            let identity = shared_identity(&contact.values);
            if traces.creates.contains_key(&identity) {
                traces.contacts.entry(identity).or_default().push(contact);
            }
        }
        traces
    }

    /// The trace of `create`, which is taken out, as is the contact if it is one.
    pub(super) fn take_trace(&mut self, create: &DoubtfulCreate) -> CreateTrace {
        let identity = shared_identity(&create.values);
        let creates = self.creates.entry(identity).or_default();
        let alike = creates
            .iter()
            .filter(|other| same_values(&other.values, &create.values, self.canon))
            .count();
        creates.retain(|other| other.intent != create.intent);
        let contacts = self.contacts.entry(identity).or_default();
        let traces: Vec<(Likeness, LinqId)> = contacts
            .iter()
            .filter(|contact| !self.linq.was_before(contact.id, create))
            .filter_map(|contact| {
                Some((trace_of(contact, &create.values, self.canon)?, contact.id))
            })
            .collect();
        // Where some are the same, none was rewritten.
        let best = traces.iter().map(|(likeness, _)| *likeness).min();
        let made: Vec<LinqId> =
            traces.iter().filter(|(l, _)| Some(*l) == best).map(|(_, id)| *id).collect();
        match made.first() {
            None => CreateTrace::None,
            Some(_) if made.len() > alike => CreateTrace::Several(made),
            Some(first) => {
                contacts.retain(|contact| contact.id != *first);
                CreateTrace::One(*first)
            }
        }
    }
}

/// What both sides agreed on when `sent` was answered with `answer`. A blank that
/// Linq filled is nothing that was agreed on.
pub(crate) fn agreed_by_answer(
    sent: &Values,
    answer: &Values,
    fields: FieldSet,
) -> impl Iterator<Item = (Field, Agreement)> {
    fields
        .iter()
        .filter(|field| !sent[*field].trim().is_empty() || answer[*field].trim().is_empty())
        .map(|field| {
            let agreement = Agreement { source: sent[field].clone(), linq: answer[field].clone() };
            (field, agreement)
        })
}

/// The base of a pair whose contact was made by `create`.
pub(super) fn base_of_create(
    create: &DoubtfulCreate,
    contact: &LinqContact,
    mapped: FieldSet,
    policy: &Policy,
) -> Base {
    let sent = mapped.iter().filter(|field| policy.writes_field(Side::Linq, *field)).collect();
    let base: Base = agreed_by_answer(&create.values, &contact.values, sent).collect();
    base.without_fields(create.read_anew)
}

/// The base of a pair whose `contact` was made by `create` and edited since: what was
/// sent, as far as Linq has not only written it in other letters or cut it short.
pub(super) fn base_of_sending(
    create: &DoubtfulCreate,
    contact: &LinqContact,
    mapped: FieldSet,
    policy: &Policy,
) -> Base {
    let sent: FieldSet =
        mapped.iter().filter(|field| policy.writes_field(Side::Linq, *field)).collect();
    let mut answer = create.values.clone();
    for field in sent.iter() {
        let shown = &contact.values[field];
        if is_rewritten(field, &create.values[field], shown, policy.canon) {
            answer[field].clone_from(shown);
        }
    }
    let base: Base = agreed_by_answer(&create.values, &answer, sent).collect();
    base.without_fields(create.read_anew)
}

/// The base of a pair whose record was `added` to the source: what Linq had then.
pub(super) fn base_of_addition(added: &HalfAdded, mapped: FieldSet, policy: &Policy) -> Base {
    let written = mapped.iter().filter(|field| policy.writes_field(Side::Source, *field));
    let agreement = |field| {
        let text = &added.values[field];
        (field, Agreement { source: text.clone(), linq: text.clone() })
    };
    written.map(agreement).collect::<Base>().without_fields(added.read_anew)
}
