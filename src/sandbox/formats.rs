//! What the sandbox takes for an e-mail address and for a phone number.
//!
//! Owns the two checks of "Create Contact" and "Find Contact" and the forms by
//! which find compares. Leaves their consequences to [`super::store`].

use rlibphonenumber::{NumberLengthType, PhoneNumber, PhoneNumberFormat, Region};

/// Whether `text` has the form of an e-mail address: something before one `@`,
/// and labels of letters, digits and inner hyphens behind it.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let allowed = |c: char| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    !local.is_empty() && local.chars().all(allowed) && domain.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    edge(label.chars().next())
        && edge(label.chars().next_back())
        && label.chars().all(|c| c.is_alphanumeric() || c == '-')
}

/// The form in which find compares e-mail addresses.
pub(super) fn email_key(text: &str) -> String {
    text.to_lowercase()
}

/// The phone number in E.164, read in the United States; `None` when it has no
/// such form. An extension is lost.
///
/// What counts is the number of digits. Google's library also knows which ranges
/// are in use, and by it the documents' own example, `(555) 123-4567`, would not
/// be a number.
pub(super) fn to_e164(text: &str) -> Option<String> {
    let number = PhoneNumber::parse(text, Some(Region::US)).ok()?;
    let whole = matches!(number.is_possible_with_reason(), Ok(NumberLengthType::IsPossible));
    whole.then(|| number.format_as(PhoneNumberFormat::E164).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_both_halves_and_no_space() {
        for good in ["a@b", "ada.l+x@mail.example.org", "zoë@bücher.example", "O'Hara@x-y.example"]
        {
            assert!(is_email(good), "{good}");
        }
        for bad in
            ["", "ada", "@b.c", "a@", "a@b@c", "a b@c.d", " a@b.c", "a@b..c", "a@-b.c", "A <a@b.c>"]
        {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn the_documents_spellings_of_one_number_become_one() {
        for text in ["(555) 123-4567", "555-123-4567", "+15551234567", " 15551234567"] {
            assert_eq!(to_e164(text).as_deref(), Some("+15551234567"), "{text}");
        }
        assert_eq!(to_e164("+44 20 7946 0018").as_deref(), Some("+442079460018"));
        assert_eq!(to_e164("415 555 2671 ext. 5").as_deref(), Some("+14155552671"));
        for text in ["", "n/a", "911", "555-1234", "1.41556E+10", "+1234"] {
            assert_eq!(to_e164(text), None, "{text}");
        }
    }
}
