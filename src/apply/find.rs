//! Whom Linq finds before a contact is created.
//!
//! Owns what is searched for, and with how many requests. Leaves who of those who were found it
//! is to [`crate::plan`].

use crate::linq::{Fetched, FindBy, LinqError, SearchResult};
use crate::model::{Canon, Field, LinqContact, Values};
use crate::plan::{LinqWrite, Step};

use super::Apply;

impl Apply<'_> {
    /// Whom Linq finds by the e-mail and by the phone number of `values`. One search for
    /// both tells that there is no such contact, where Linq has been seen to answer for
    /// either. What it finds has both, or each is asked for: it does not say which matched.
    ///
    /// Linq reads a number as an American one unless it is in E.164, so that is what it is
    /// asked for, and as it is written only where it has no such form or Linq cannot search
    /// for it.
    pub(super) async fn find(&self, values: &Values) -> Result<Vec<Fetched>, LinqError> {
        let email = values[Field::Email].trim();
        let number = self.policy.canon.phone_key(values).unwrap_or_default();
        if self.client.finds_either() && !email.is_empty() && !number.is_empty() {
            match self.find_by(FindBy::Either { email, phone: &number }).await? {
                SearchResult::Nothing => return Ok(Vec::new()),
                SearchResult::Found(found) if self.has_both(&found.contact, values) => {
                    return Ok(vec![*found]);
                }
                SearchResult::Found(_) | SearchResult::CannotSearch => {}
            }
        }
        self.find_by_each(values, email, &number).await
    }

    async fn find_by_each(
        &self,
        values: &Values,
        email: &str,
        number: &str,
    ) -> Result<Vec<Fetched>, LinqError> {
        let written = values[Field::PhoneNumber].trim();
        let again = if written == number { "" } else { written };
        let mut found = Vec::new();
        for ways in [&[FindBy::Email(email)][..], &[FindBy::Phone(number), FindBy::Phone(again)]] {
            for way in ways {
                match self.find_by(*way).await? {
                    SearchResult::Found(fetched) => found.push(*fetched),
                    SearchResult::Nothing => {}
                    SearchResult::CannotSearch => continue,
                }
                break;
            }
        }
        Ok(found)
    }

    async fn find_by(&self, by: FindBy<'_>) -> Result<SearchResult, LinqError> {
        let (FindBy::Email(text) | FindBy::Phone(text) | FindBy::Either { email: text, .. }) = by;
        if text.is_empty() { Ok(SearchResult::CannotSearch) } else { self.client.find(by).await }
    }

    fn has_both(&self, contact: &LinqContact, values: &Values) -> bool {
        let canon = self.policy.canon;
        canon.email_key(&contact.values) == canon.email_key(values)
            && canon.phone_key(&contact.values) == canon.phone_key(values)
    }

    /// Lets Linq show, before several contacts are looked for, whether one search finds whom
    /// either of two finds: by a contact that the listing showed, else by the first that is
    /// created, before all others.
    pub(super) async fn first_to_try<'w>(
        &self,
        mut writes: Vec<(&'w Step, &'w LinqWrite)>,
    ) -> Vec<Vec<(&'w Step, &'w LinqWrite)>> {
        let has_both = |(_, write): &(&Step, &LinqWrite)| match write {
            LinqWrite::Create { values, .. } => is_found_by_either(values, self.policy.canon),
            LinqWrite::Update { .. } | LinqWrite::Delete { .. } => false,
        };
        let mut both = writes.iter().enumerate().filter(|(_, write)| has_both(write));
        let Some((first, _)) = both.next().filter(|_| both.next().is_some()) else {
            return vec![writes];
        };
        if let Some(contact) = self.sample {
            self.try_either(contact).await;
        } else if self.client.may_try_either() {
            let first = writes.remove(first);
            return vec![vec![first], writes];
        }
        vec![writes]
    }

    /// Tries with `contact` whether one search finds whom either of two finds.
    pub(super) async fn try_either(&self, contact: &LinqContact) {
        let canon = self.policy.canon;
        if is_found_by_either(&contact.values, canon)
            && let Some(number) = canon.phone_key(&contact.values)
        {
            self.client.try_either(contact, &number).await;
        }
    }
}

/// A contact that has an e-mail address and a phone number, if the listing shows one.
pub(crate) fn searchable_sample<'a>(
    mut contacts: impl Iterator<Item = &'a LinqContact>,
    canon: Canon,
) -> Option<&'a LinqContact> {
    contacts.find(|contact| is_found_by_either(&contact.values, canon))
}

fn is_found_by_either(values: &Values, canon: Canon) -> bool {
    !values[Field::Email].trim().is_empty() && canon.phone_key(values).is_some()
}
