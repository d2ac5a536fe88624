//! Cells that a spreadsheet damaged.
//!
//! Owns which values cannot be believed. Such a value is a rejected field: it is
//! named with its line, and neither it nor its absence is synchronised. Leaves the
//! comparison of values to [`crate::model`].

use super::quotes::opening_mark;
use crate::model::{Field, Region};

/// Why a value cannot be believed, if it cannot. `region` is where phone numbers
/// without a country code are at home.
pub(super) fn find_damage(field: Field, value: &str, region: Region) -> Option<String> {
    let trimmed = value.trim();
    let phone = field == Field::PhoneNumber;
    let name = matches!(field, Field::FirstName | Field::LastName);
    let reason = if value.contains('\0') {
        "it contains a NUL character"
    } else if phone && is_power_of_ten(trimmed) || is_shown_as_power_of_ten(trimmed) {
        "a spreadsheet turned the number into a power of ten; format the column as text and type \
         the number again"
    } else if phone && region.lost_its_plus(trimmed) {
        "it seems to have lost the + of its country code, as in a spreadsheet; format the column \
         as text and type the number again"
    } else if name && is_date(trimmed) {
        "a spreadsheet seems to have turned it into a date; format the column as text and type \
         the name again"
    } else if field == Field::Email && trimmed.contains('@') && opening_mark(trimmed).is_some() {
        "it stands between marks that are no part of an address; take them away"
    } else if ERRORS.contains(&trimmed) {
        "a spreadsheet put an error message in its place"
    } else if trimmed.len() > 3 && trimmed.bytes().all(|byte| byte == b'#') {
        "a spreadsheet put number signs in its place because the column was too narrow"
    } else {
        return None;
    };
    Some(reason.to_owned())
}

const ERRORS: [&str; 7] = ["#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#N/A"];

/// Whether the text reads like `1.41556E+10`, with either decimal sign.
fn is_power_of_ten(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let Some((number, exponent)) = text.split_once(['E', 'e']) else { return false };
    let number = number.strip_prefix(['+', '-']).unwrap_or(number);
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    digits(exponent) && number.split(['.', ',']).all(digits)
}

/// Whether a spreadsheet shows a number like this: one digit, perhaps more behind the
/// decimal sign, and an exponent of two digits at least with its sign. That is nobody's
/// way to write a company or a place.
fn is_shown_as_power_of_ten(text: &str) -> bool {
    let Some((number, exponent)) = text.split_once('E') else { return false };
    let whole = number.split(['.', ',']).next().unwrap_or_default();
    let signed = exponent.starts_with(['+', '-']) && exponent.len() >= 3;
    whole.trim_start_matches('-').len() == 1 && signed && is_power_of_ten(text)
}

/// Months as spreadsheets shorten them in English, German, French, Spanish,
/// Italian, Portuguese and Dutch.
const MONTHS: [&str; 42] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "sept",
    "mrz", "mär", "mai", "okt", "dez", "janv", "févr", "mars", "avr", "juin", "juil", "août",
    "déc", "ene", "abr", "ago", "dic", "gen", "mag", "giu", "lug", "set", "ott", "fev", "out",
    "mrt", "mei", "jun", "märz",
];

/// Whether the text reads like `2-Mar`, `Mar-02`, `02. Mrz`, `1/2/2024` or
/// `2024-01-02 00:00:00`, which spreadsheets make of names such as `March2`.
fn is_date(text: &str) -> bool {
    let day = match text.split_once([' ', 'T']) {
        Some((day, time)) if is_midnight(time) => day,
        Some(_) | None => text,
    };
    if !day.contains(['-', '.', '/']) {
        return false;
    }
    let parts: Vec<String> =
        day.split(['-', '.', '/']).map(|part| part.trim().to_lowercase()).collect();
    let parts: Vec<&str> =
        parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    let number = |part: &&&str| part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = parts.iter().filter(number).count();
    let months = parts.iter().filter(|part| MONTHS.contains(part)).count();
    numbers + months == parts.len() && matches!((numbers, months), (3, 0) | (1 | 2, 1))
}

fn is_midnight(time: &str) -> bool {
    time.len() >= 4 && time.bytes().all(|byte| matches!(byte, b'0' | b':' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_damaged(field: Field, value: &str) -> bool {
        find_damage(field, value, Region::US).is_some()
    }

    #[test]
    fn what_a_spreadsheet_makes_of_phone_numbers_is_not_believed() {
        let damaged = [
            "1.41556E+10",
            "1,41556E+10",
            " 4e+11 ",
            "4.91511E+12",
            "#NAME?",
            "########",
            "+1\0",
            "4915112345678",
            "33612345678",
        ];
        let sound =
            ["+14155552671", "14155552671", "4155552671", "###", "ext. 5", "E10", "", "911"];
        for value in damaged {
            assert!(is_damaged(Field::PhoneNumber, value), "{value}");
        }
        for value in sound {
            assert!(!is_damaged(Field::PhoneNumber, value), "{value}");
        }
        assert!(!is_damaged(Field::Title, "4915112345678"));
        for field in Field::ALL {
            for value in ["1.41556E+10", "1,41556E+10", "4E+11", " 1.5E-05 ", "#NAME?", "####"] {
                assert!(is_damaged(field, value), "{field} {value}");
            }
        }
        for value in ["4e+11", "4E11", "E+11", "12E+11", "4E+1", "4E+1x", "1.5.E+10x", "A4E+11"] {
            assert!(!is_damaged(Field::Company, value), "{value}");
        }
    }

    #[test]
    fn an_address_between_marks_is_not_believed() {
        for value in ["'bo@x.example'", "“bo@x.example”", "\"bo@x.example\""] {
            assert!(is_damaged(Field::Email, value), "{value}");
            assert!(!is_damaged(Field::Company, value), "{value}");
        }
        assert!(!is_damaged(Field::Email, "o'neill@x.example"));
    }

    #[test]
    fn a_number_that_can_be_dialled_at_home_lost_nothing() {
        let germany: Region = "DE".parse().unwrap();
        assert_eq!(find_damage(Field::PhoneNumber, "015112345678", germany), None);
        assert_eq!(find_damage(Field::PhoneNumber, "4915112345678", germany), None);
        let britain: Region = "GB".parse().unwrap();
        assert!(find_damage(Field::PhoneNumber, "14155552671", britain).is_some());
    }

    #[test]
    fn a_date_is_no_name_and_a_name_is_no_date() {
        let dates = [
            "2-Mar",
            "Mar-02",
            "02. Mrz",
            "2.Mär",
            "1-août",
            "1/2/2024",
            "01.02.2024",
            "2024-01-02",
            "2024-01-02 00:00:00",
            "2-Jan-24",
            "02-mrt",
        ];
        let names = [
            "May",
            "Jan",
            "Jan-Peter",
            "Mar-Lou",
            "April 2",
            "Jean-Luc",
            "O'Neill",
            "J. R. R.",
            "St. John",
            "3",
            "1-2",
            "X-1",
            "Dr. Jan",
            "Ann 1/2",
        ];
        for text in dates {
            assert!(is_damaged(Field::FirstName, text), "{text}");
        }
        for text in names {
            assert!(!is_damaged(Field::LastName, text), "{text}");
        }
        assert!(!is_damaged(Field::Company, "7-Eleven") && !is_damaged(Field::Title, "2-Mar"));
    }
}
