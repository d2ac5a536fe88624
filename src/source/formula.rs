//! The guard against cells that a spreadsheet would run as formulas.
//!
//! Owns a pair of functions that undo one another exactly: a value that looks
//! like a formula gets one more leading apostrophe in the file, and exactly that
//! one is taken off on reading. `'t Hooft` is no formula and is left alone in
//! both directions. Leaves quoting to the writer.

use std::borrow::Cow;

use crate::model::Field;

/// Whether values that a spreadsheet would run are written with an apostrophe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormulaGuard {
    /// They are, and it is taken off on reading.
    On,
    /// Values are written and read as they are.
    Off,
}

impl FormulaGuard {
    /// The value as it is to stand in the file.
    pub(crate) fn guard_value(self, field: Field, value: &str) -> Cow<'_, str> {
        let phone = field == Field::PhoneNumber && are_phone_numbers(value);
        match self {
            FormulaGuard::On if looks_like_formula(value) && !phone => {
                Cow::Owned(format!("'{value}"))
            }
            FormulaGuard::On | FormulaGuard::Off => Cow::Borrowed(value),
        }
    }

    /// The value that stands in the file as `written`.
    pub(crate) fn strip_guard(self, written: &str) -> &str {
        match (self, written.strip_prefix('\'')) {
            (FormulaGuard::On, Some(value)) if looks_like_formula(value) => value,
            (FormulaGuard::On | FormulaGuard::Off, _) => written,
        }
    }
}

/// Apostrophes, then a character that makes a spreadsheet calculate, in its
/// plain or its full-width form.
fn looks_like_formula(text: &str) -> bool {
    let starts = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    text.trim_start_matches('\'').starts_with(starts)
}

/// One phone number with its country code, or several numbers of which the first has it.
fn are_phone_numbers(text: &str) -> bool {
    let separators = [';', ',', '|', '\n', '\r'];
    let mut numbers = text.split(separators).flat_map(|part| part.split(" ::: ")).map(str::trim);
    let is_bare = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit() || c == '(')
            && is_phone_number(&format!("+{text}"))
    };
    text.starts_with('+')
        && numbers.next().is_some_and(is_phone_number)
        && numbers
            .filter(|part| !part.is_empty())
            .all(|part| is_phone_number(part) || is_bare(part))
}

/// A phone number with its country code, such as `+1 (415) 555-2671`.
fn is_phone_number(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('+') else { return false };
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    let punctuation = |c: char| matches!(c, ' ' | '(' | ')' | '-' | '.' | '/' | '\u{a0}');
    digits >= 2 && rest.chars().all(|c| c.is_ascii_digit() || punctuation(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_gets_an_apostrophe_and_other_values_do_not() {
        let table = [
            (Field::PhoneNumber, "+14155552671; +14155552672", "+14155552671; +14155552672"),
            (Field::PhoneNumber, "+14155552671 ::: 415 555 2672", "+14155552671 ::: 415 555 2672"),
            (Field::PhoneNumber, "+14155552671\n(415) 555-2672", "+14155552671\n(415) 555-2672"),
            (Field::PhoneNumber, "+14155552671; =1+1", "'+14155552671; =1+1"),
            (Field::PhoneNumber, "+1|' /C calc'!A0", "'+1|' /C calc'!A0"),
            (Field::Company, "=1+1", "'=1+1"),
            (Field::Company, "@SUM(1)", "'@SUM(1)"),
            (Field::Title, "-", "'-"),
            (Field::Title, "\tx", "'\tx"),
            (Field::Title, "＝x", "'＝x"),
            (Field::Title, "'=x", "''=x"),
            (Field::LastName, "'t Hooft", "'t Hooft"),
            (Field::LastName, "O'Neill-Smith", "O'Neill-Smith"),
            (Field::Email, "a+b@c.example", "a+b@c.example"),
            (Field::PhoneNumber, "+14155552671", "+14155552671"),
            (Field::PhoneNumber, "+1 (415) 555-2671", "+1 (415) 555-2671"),
            (Field::PhoneNumber, "+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            (Field::PhoneNumber, "-14155552671", "'-14155552671"),
            (Field::Location, "+14155552671", "'+14155552671"),
            (Field::Location, "", ""),
        ];
        for (field, value, written) in table {
            assert_eq!(FormulaGuard::On.guard_value(field, value), written);
            assert_eq!(FormulaGuard::On.strip_guard(written), value);
            assert_eq!(FormulaGuard::Off.guard_value(field, value), value);
            assert_eq!(FormulaGuard::Off.strip_guard(written), written);
        }
    }

    #[test]
    fn an_apostrophe_that_a_person_put_before_a_phone_number_is_not_part_of_it() {
        assert_eq!(FormulaGuard::On.strip_guard("'+14155552671"), "+14155552671");
    }

    fn field() -> impl Strategy<Value = Field> {
        prop::sample::select(Field::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn reading_takes_off_exactly_what_writing_put_on(
            field in field(),
            value in "['=+@\t\r＝＋0-9 a-]{0,8}|.{0,12}",
        ) {
            let written = FormulaGuard::On.guard_value(field, &value);
            prop_assert_eq!(FormulaGuard::On.strip_guard(&written), value.as_str());
        }

        #[test]
        fn nothing_that_is_written_runs_unless_it_is_a_phone_number(
            field in field(),
            value in "['=+@\t\r＝＋0-9 a-]{0,8}|.{0,12}",
        ) {
            let written = FormulaGuard::On.guard_value(field, &value);
            let runs = looks_like_formula(&written) && !written.starts_with('\'');
            prop_assert!(!runs || (field == Field::PhoneNumber && is_phone_number(&value)));
        }
    }
}
