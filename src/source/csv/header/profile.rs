//! What the cells of a column look like.
//!
//! Owns the counts by which a name that may mean two things is understood, and by which a
//! column is noticed that nobody reads. Leaves what follows to [`super`].

use crate::source::csv::looks::{is_email, is_phone};
use crate::source::full_name::is_form_of_address;

/// What the filled cells of a column look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::source::csv) struct Profile {
    filled: usize,
    emails: usize,
    phones: usize,
    forms_of_address: usize,
}

impl Profile {
    /// Takes up the text of a cell.
    pub(in crate::source::csv) fn take_text(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.filled += 1;
        self.emails += usize::from(text.contains('@') && is_email(text));
        // Bare digits may be of anything, a record or a customer, and so may be an amount.
        let parted = text.matches([' ', '-', '.', '/']).count();
        let is_told = text.starts_with(['+', '(']) || parted > 1 || text.contains('/');
        self.phones += usize::from(is_told && is_phone(text));
        self.forms_of_address += usize::from(is_form_of_address(text));
    }

    /// Whether most of it is e-mail addresses.
    pub(super) fn holds_emails(&self) -> bool {
        self.emails * 2 > self.filled
    }

    /// Whether most of it is phone numbers.
    pub(super) fn holds_phones(&self) -> bool {
        self.phones * 2 > self.filled
    }

    /// Whether all of it is forms of address, but for a slip in ten.
    pub(super) fn holds_forms_of_address(&self) -> bool {
        self.filled > 0 && self.forms_of_address * 10 >= self.filled * 9
    }

    /// Whether most of it is something that is nobody's name.
    pub(super) fn holds_no_names(&self) -> bool {
        (self.emails + self.phones + self.forms_of_address) * 2 > self.filled
    }
}

/// Tells what columns hold.
pub(in crate::source::csv) trait Profiles {
    /// What each of `columns` holds, in their order.
    fn profiles_of(&self, columns: &[usize]) -> Vec<Profile>;
}

/// For a header without anything below it.
#[cfg(test)]
pub(in crate::source::csv) struct NothingBelow;

#[cfg(test)]
impl Profiles for NothingBelow {
    fn profiles_of(&self, columns: &[usize]) -> Vec<Profile> {
        vec![Profile::default(); columns.len()]
    }
}
