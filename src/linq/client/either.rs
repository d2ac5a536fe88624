//! One search for two things: an e-mail address and a phone number.
//!
//! The documents say that Linq answers with a contact that has either, so that nothing
//! found means that no contact has one of them (API page "Find Contact"). That is tried
//! with a contact that is known, once for each client, before it is relied on.
//!
//! Owns that trial and what was learned from it. Leaves the requests to [`super`].

use std::sync::PoisonError;

use super::{Client, SearchResult, is_too_long};
use crate::linq::{FindBy, LinqError};
use crate::model::{Field, LinqContact};

/// Whether one search finds whom either of two would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Either {
    /// It was tried so many times, without an answer that tells.
    Untried(u8),
    /// It is being tried.
    Trying,
    /// It does.
    Holds,
    /// It does not, or nothing tells.
    Fails,
}

/// How often it is tried: a contact that was just created may not be found yet.
const MOST_TRIES: u8 = 3;

/// What no contact has: a name that is reserved (RFC 2606), and a number that is reserved
/// for fiction.
const UNUSED: (&str, &str) = ("no-contact@linqsync.invalid", "+12025550147");

impl Client {
    /// Whether one search by e-mail and phone number may be asked in the place of two.
    pub fn finds_either(&self) -> bool {
        self.either() == Either::Holds
    }

    /// Whether it is still to be tried with [`Client::try_either`].
    pub fn may_try_either(&self) -> bool {
        matches!(self.either(), Either::Untried(_))
    }

    /// Tries with `contact`, which has an e-mail address and the number `phone` (E.164),
    /// whether it is found by each of them beside one that no contact has. Two requests;
    /// where one of them fails, nothing is learnt, and nothing else is held up.
    pub async fn try_either(&self, contact: &LinqContact, phone: &str) {
        let Either::Untried(tries) = self.either() else { return };
        let email = contact.values[Field::Email].trim();
        let (no_email, no_phone) = UNUSED;
        if is_too_long(email) || phone == no_phone {
            return;
        }
        self.set_either(Either::Trying);
        let learnt = async {
            let by = FindBy::Either { email, phone: no_phone };
            let by_email = self.search_shows(by, contact, Field::Email).await?;
            if by_email != Some(true) {
                return Ok(by_email);
            }
            let by = FindBy::Either { email: no_email, phone };
            self.search_shows(by, contact, Field::PhoneNumber).await
        };
        let learnt = learnt.await;
        self.set_either(match &learnt {
            Ok(Some(true)) => Either::Holds,
            Ok(None) | Err(_) if tries + 1 < MOST_TRIES => Either::Untried(tries + 1),
            Ok(Some(false) | None) | Err(_) => Either::Fails,
        });
        if let Err(error) = learnt {
            tracing::debug!(%error, "could not try one search for an e-mail address and a number");
        }
    }

    /// Whether a search shows `contact`, or another with the same `field`; `None` where it
    /// shows none.
    async fn search_shows(
        &self,
        by: FindBy<'_>,
        contact: &LinqContact,
        field: Field,
    ) -> Result<Option<bool>, LinqError> {
        Ok(match self.find(by).await? {
            SearchResult::Nothing => None,
            SearchResult::CannotSearch => Some(false),
            SearchResult::Found(found) => {
                let found = found.contact;
                let same = || found.values[field].eq_ignore_ascii_case(&contact.values[field]);
                Some(found.id == contact.id || same())
            }
        })
    }

    fn either(&self) -> Either {
        *self.either.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_either(&self, either: Either) {
        *self.either.lock().unwrap_or_else(PoisonError::into_inner) = either;
    }
}
