//! Which linked contacts of a state are found again where its pair is now.

use std::collections::BTreeMap;

use crate::mirror::{HistoryEntry, Unrecognised};
use crate::model::{Canon, Field, Fingerprint, Link, LinkStatus, MeaningChange, Policy, Values};
use crate::plan::{Observation, reread_links};

/// What was found of the linked contacts of a state.
pub(super) struct Comparison {
    /// How many there are.
    pub(super) linked: usize,
    /// Those that were not found on both sides.
    pub(super) unrecognised: Vec<Link>,
}

impl Comparison {
    /// Looks for every linked contact in what was `seen` on both sides. A half counts as found
    /// where the planner finds it and its name, e-mail or phone is the one that it had: ids of
    /// another Linq, and keys of another file, may be the same by chance.
    pub(super) fn compare_links(seen: &Observation, policy: &Policy) -> Comparison {
        let membership = MeaningChange { membership: true, ..MeaningChange::default() };
        let mut records: BTreeMap<Fingerprint, &Values> = BTreeMap::new();
        records.extend(seen.source.records.iter().map(|one| (one.fingerprint, &one.values)));
        let canon = policy.canon;
        let is_found = |before: &Link, after: &Link| {
            let contact = seen.linq.contacts.get(&before.linq_id).map(|contact| &contact.values);
            let record = records.get(&after.fingerprint).copied();
            after.status == LinkStatus::Linked
                && contact.is_some_and(|now| is_same(canon, &before.base.linq_values(), now))
                && record.is_some_and(|now| is_same(canon, &before.base.source_values(), now))
        };
        let anew: BTreeMap<_, _> = reread_links(seen, policy, &membership)
            .into_iter()
            .map(|link| (link.id, link))
            .collect();
        let linked: Vec<&Link> =
            seen.links.iter().filter(|link| link.status == LinkStatus::Linked).collect();
        let unrecognised = linked
            .iter()
            .filter(|link| !anew.get(&link.id).is_some_and(|after| is_found(link, after)))
            .map(|link| (*link).clone())
            .collect();
        Comparison { linked: linked.len(), unrecognised }
    }

    /// How many were found on both sides.
    pub(super) fn recognised(&self) -> usize {
        self.linked - self.unrecognised.len()
    }

    /// Whether it is the same address book, as far as that can be told.
    pub(super) fn is_the_same(&self) -> bool {
        self.recognised() * 2 >= self.linked
    }

    /// What becomes of those that were not found: they are released, which the history tells.
    pub(super) fn releases(&self, reason: &str) -> Vec<Unrecognised> {
        self.unrecognised.iter().map(|link| release_link(link, reason)).collect()
    }
}

/// Whether it is the same contact by name, e-mail or phone. Where none of them was known, there
/// is nothing that says otherwise.
fn is_same(canon: Canon, before: &Values, now: &Values) -> bool {
    let is_blank = |field: Field| before[field].trim().is_empty();
    let mut known = Field::IDENTITY.into_iter().filter(|field| !is_blank(*field)).peekable();
    known.peek().is_none()
        || known.any(|field| canon.means_same(field, &before[field], &now[field]))
}

fn release_link(link: &Link, reason: &str) -> Unrecognised {
    Unrecognised { link: link.id, entry: HistoryEntry::for_release(link, reason.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Region;

    fn values(fields: &[(Field, &str)]) -> Values {
        fields.iter().map(|(field, text)| (*field, (*text).to_owned())).collect()
    }

    #[test]
    fn a_contact_is_the_same_by_any_part_of_its_identity() {
        let canon = Canon::new(Region::US);
        let ada = values(&[(Field::FirstName, "Ada"), (Field::Email, "ada@x.example")]);
        for (now, is) in [
            (values(&[(Field::FirstName, "Ada"), (Field::Email, "new@x.example")]), true),
            (values(&[(Field::FirstName, "A."), (Field::Email, "ADA@x.example")]), true),
            (values(&[(Field::FirstName, "Bo"), (Field::Email, "bo@x.example")]), false),
            (values(&[(Field::Title, "Countess")]), false),
        ] {
            assert_eq!(is_same(canon, &ada, &now), is, "{now:?}");
        }
        assert!(is_same(canon, &values(&[(Field::Title, "CEO")]), &ada));
    }
}
