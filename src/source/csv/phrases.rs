//! Names of columns in English that are put together of common words.
//!
//! Owns the words of which `Person - Email - Work` or `Default Address City` is made: what a
//! column holds, whose it is, and which of several. A name with any other word in it, such as
//! `Company Phone`, `Email Opt-In` or `Contact Owner Email`, says something else. Leaves
//! names that are known as a whole to [`super::names`].

use crate::model::Field;

use super::wording::ColumnMeaning;

/// Words for whose value it is, or that it is the usual one: they change nothing.
const WHOSE: &[&str] = &[
    "person",
    "persons",
    "people",
    "contact",
    "contacts",
    "lead",
    "customer",
    "cust",
    "client",
    "member",
    "subscriber",
    "attendee",
    "participant",
    "invitee",
    "guest",
    "recipient",
    "prospect",
    "patient",
    "employee",
    "student",
    "registrant",
    "respondent",
    "candidate",
    "donor",
    "primary",
    "default",
    "main",
    "preferred",
    "current",
    "profile",
    "your",
    "the",
    "s",
    "value",
];

/// Words for which of several values it is, with how far back it stands among them.
const WHICH: &[(&str, usize)] = &[
    ("mobile", 1),
    ("cell", 1),
    ("cellular", 1),
    ("cellphone", 1),
    ("direct", 3),
    ("work", 4),
    ("business", 4),
    ("office", 4),
    ("professional", 4),
    ("corporate", 5),
    ("day", 5),
    ("daytime", 5),
    ("home", 6),
    ("personal", 6),
    ("private", 6),
    ("residence", 6),
    ("evening", 6),
    ("landline", 6),
    ("mailing", 5),
    ("postal", 5),
    ("billing", 7),
    ("shipping", 8),
    ("secondary", 9),
    ("alternate", 9),
    ("alternative", 9),
    ("additional", 9),
    ("other", 9),
];

/// What `name` says a column holds, how far back it stands, and the number in it, if all of
/// its words are known.
pub(super) fn phrase_meaning(name: &str) -> Option<(ColumnMeaning, usize, u32)> {
    let words = phrase_words(name);
    let (numbers, words): (Vec<&String>, Vec<&String>) =
        words.iter().partition(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    let number = numbers.first().map_or(0, |number| number.parse().unwrap_or(u32::MAX));
    let has = |any: &[&str]| words.iter().any(|word| any.contains(&word.as_str()));
    let (target, own): (ColumnMeaning, &[&str]) = if has(&["email", "emails"]) {
        (ColumnMeaning::Field(Field::Email), &["email", "emails", "address", "addresses", "id"])
    } else if has(&["phone", "phones", "telephone", "tel", "landline", "cellphone"])
        || has(&["number", "no", "num", "dial", "line"])
            && has(&["mobile", "cell", "contact", "direct", "office", "work", "home"])
        || words.len() > 1 && has(&["mobile", "cell"])
    {
        let own = &[
            "phone",
            "phones",
            "telephone",
            "tel",
            "number",
            "numbers",
            "no",
            "num",
            "dial",
            "line",
        ];
        (ColumnMeaning::Field(Field::PhoneNumber), own)
    } else if has(&["city", "town"]) {
        (ColumnMeaning::Field(Field::Location), &["city", "town", "address"])
    } else if !numbers.is_empty() {
        // `First Name 2` is of another contact.
        return None;
    } else if has(&["name", "firstname", "lastname"]) {
        if has(&["first", "given", "firstname"]) {
            (ColumnMeaning::Field(Field::FirstName), &["first", "given", "name", "firstname"])
        } else if has(&["last", "family", "lastname"]) {
            (ColumnMeaning::Field(Field::LastName), &["last", "family", "name", "lastname"])
        } else if has(&["company", "organization", "organisation", "employer"]) {
            let own = &["company", "organization", "organisation", "employer", "name"];
            (ColumnMeaning::Field(Field::Company), own)
        } else {
            (ColumnMeaning::FullName, &["full", "name"])
        }
    } else if has(&["title", "position"]) && has(&["job", "current", "professional", "contact"]) {
        (ColumnMeaning::Field(Field::Title), &["job", "title", "position", "professional"])
    } else if has(&["company", "organization", "organisation", "employer"]) && words.len() > 1 {
        let own = &["company", "organization", "organisation", "employer"];
        (ColumnMeaning::Field(Field::Company), own)
    } else {
        return None;
    };
    let place = name_distance(target, own, &words)?;
    Some((target, place, number))
}

/// How far back a name stands; `None` where it has a word that is not known.
fn name_distance(target: ColumnMeaning, own: &[&str], words: &[&String]) -> Option<usize> {
    let takes_which = target != ColumnMeaning::Field(Field::Title);
    let mut place = 2;
    for word in words.iter().map(|word| word.as_str()) {
        let which = WHICH.iter().find(|(known, _)| *known == word).filter(|_| takes_which);
        match which {
            _ if own.contains(&word) => {}
            Some((_, at)) => place = if place == 2 { *at } else { place.max(*at) },
            None if WHOSE.contains(&word) => {}
            None => return None,
        }
    }
    Some(place)
}

/// The words of a name in lower case; `E-mail` is one, and so is each part of `firstName`.
fn phrase_words(name: &str) -> Vec<String> {
    if !name.is_ascii() {
        return vec![name.to_owned()];
    }
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() && before.is_ascii_lowercase()
            || c.is_ascii_digit() != before.is_ascii_digit()
            || !before.is_ascii_alphanumeric();
        if c.is_ascii_alphanumeric() {
            if begins || words.is_empty() {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.push(c.to_ascii_lowercase());
            }
        }
        before = c;
    }
    while let Some(at) = words.windows(2).position(|pair| pair == ["e", "mail"]) {
        words.splice(at..at + 2, ["email".to_owned()]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str) -> Option<ColumnMeaning> {
        phrase_meaning(name).map(|found| found.0)
    }

    #[test]
    fn names_of_common_words_are_understood() {
        use Field::{Company, Email, FirstName, LastName, Location, PhoneNumber, Title};
        for (field, names) in [
            (
                Email,
                &[
                    "Email address - work",
                    "Person - Email - Work",
                    "Lead Email",
                    "contact_email",
                    "Customer E-mail",
                    "emailAddress",
                    "Email ID",
                    "Primary Contact Email",
                ][..],
            ),
            (
                PhoneNumber,
                &[
                    "Phone number - Mobile",
                    "Person - Phone - Home",
                    "Lead Phone",
                    "Contact No.",
                    "workPhone",
                    "Work Direct Phone",
                    "Mobile No",
                    "Contact Number",
                    "Office Phone",
                ],
            ),
            (Location, &["Default Address City", "Billing City", "Work Address - City"]),
            (FirstName, &["Person - First name", "customer.firstName", "Attendee First Name"]),
            (LastName, &["Contact Last Name", "lead_last_name"]),
            (Company, &["Current Company", "Customer Company Name"]),
            (Title, &["Current Title", "Contact Job Title", "current_position"]),
        ] {
            for name in names {
                assert_eq!(found(name), Some(ColumnMeaning::Field(field)), "{name}");
            }
        }
        assert_eq!(found("Registrant Full Name"), Some(ColumnMeaning::FullName));
    }

    #[test]
    fn a_name_with_another_word_says_something_else() {
        for name in [
            "Company Phone",
            "Company City",
            "Email Opt In",
            "Email Status",
            "Phone Type",
            "Contact Owner Email",
            "Account Owner",
            "Emergency Contact Phone",
            "First Name 2",
            "Last Contacted",
            "Address",
            "Number",
            "Name Prefix",
            "Work",
            "Contact Title ID",
            "E-mail 1 - Label",
            "Spouse Name",
            "Campaign Name",
            "File Name",
            "Username",
            "Fax",
            "Work Fax Number",
            "Assistant's Phone",
            "Do not email",
            "Record ID",
            "Mobile",
            "Cell",
        ] {
            assert_eq!(found(name), None, "{name}");
        }
    }
}
