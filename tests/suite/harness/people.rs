//! People without end, each with everything, none like another.

use std::ops::RangeInclusive;

/// The header of [`csv`].
pub(crate) const HEADER: &str = "First Name,Last Name,Email,Phone,Company,Title\n";

/// Person number `n`: first name, last name, e-mail, phone number, company, title.
pub(crate) fn person(n: usize) -> [String; 6] {
    [
        format!("First{n:03}"),
        format!("Last{n:03}"),
        format!("p{n:03}@people.example"),
        format!("+1415555{n:04}"),
        format!("Company {n:03}"),
        format!("Title {n:03}"),
    ]
}

/// The row of person number `n`, with its line end.
pub(crate) fn row(n: usize) -> String {
    person(n).join(",") + "\n"
}

/// A CSV file of these people.
pub(crate) fn csv(numbers: RangeInclusive<usize>) -> String {
    numbers.fold(HEADER.to_owned(), |text, n| text + &row(n))
}

/// Linq's names for the columns of [`person`].
pub(crate) const MEMBERS: [&str; 6] =
    ["first_name", "last_name", "email", "phone_number", "company", "title"];
