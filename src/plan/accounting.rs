//! Who is who, for commands that show people and decide nothing.

use crate::model::{Link, LinqContact, Policy, SourceRecord, Who};

use super::case::{Case, check_accounted};
use super::correlate::correlate_cases;
use super::{Observation, Unaccounted};

/// Somebody, as both sides and the state know them. At least one part is there.
#[derive(Clone, Copy, Debug)]
pub struct AccountedContact<'a> {
    /// The link, if the pair is linked.
    pub link: Option<&'a Link>,
    /// The record, if one was seen.
    pub record: Option<&'a SourceRecord>,
    /// The contact, if one was seen.
    pub contact: Option<&'a LinqContact>,
    /// Whether the record may be one of several people, or the contact waits for one.
    pub is_ambiguous: bool,
    /// Whether it takes part: it is in scope, and has something to recognise it by.
    pub takes_part: bool,
}

impl AccountedContact<'_> {
    /// Whether this is whom people call `who`.
    pub fn is_meant(&self, who: &Who<'_>) -> bool {
        let id = self.link.map(|link| link.linq_id).or(self.contact.map(|contact| contact.id));
        let by_place = self.record.is_some_and(|record| {
            let key = record.key.as_ref().map(ToString::to_string);
            who.is_place(&record.label) || key.is_some_and(|key| who.is_place(&key))
        });
        let known = self.link.map(|link| link.base.linq_values());
        let values = [
            self.record.map(|record| &record.values),
            self.contact.map(|contact| &contact.values),
            known.as_ref(),
        ];
        by_place || values.into_iter().flatten().any(|values| who.is_contact(id, values))
    }

    /// A name for people.
    pub fn display_name(&self) -> String {
        match (self.record, self.contact, self.link) {
            (Some(record), _, _) => record.values.display_name(),
            (None, Some(contact), _) => contact.values.display_name(),
            (None, None, Some(link)) => link.base.linq_values().display_name(),
            (None, None, None) => String::new(),
        }
    }
}

/// Everybody who was seen or is linked, once.
///
/// # Errors
/// [`Unaccounted`] when somebody was dropped on the way: a defect.
pub fn account_for_all<'a>(
    seen: &'a Observation,
    policy: &Policy,
) -> Result<Vec<AccountedContact<'a>>, Unaccounted> {
    let cases = correlate_cases(seen, policy);
    check_accounted(&cases, seen)?;
    let somebody = |case: &Case<'a>| AccountedContact {
        link: case.link(),
        record: case.record(),
        contact: case.contact(),
        is_ambiguous: matches!(case, Case::Ambiguous { .. } | Case::Candidate { .. }),
        takes_part: !matches!(
            case,
            Case::Copy { .. }
                | Case::Unidentifiable { .. }
                | Case::OutOfScope { .. }
                | Case::Unselected { .. }
                | Case::WithoutRecord { .. }
        ),
    };
    Ok(cases.iter().map(somebody).collect())
}
