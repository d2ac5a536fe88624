//! What the text of a cell looks like, wherever it stands.
//!
//! Owns the rough shapes by which a row is known for one of a person or of a header; they
//! decide where a table begins and ends, and nothing about a contact.

/// Whether it is an e-mail address, or several.
pub(super) fn is_email(text: &str) -> bool {
    let mut all = text.split([';', ',', ' ']).map(str::trim).filter(|part| !part.is_empty());
    let is_one = |part: &str| {
        let part = part.trim_start_matches(['<', '\'', '"']).trim_end_matches(['>', '\'', '"']);
        let part = part.strip_prefix("mailto:").unwrap_or(part);
        part.split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
    };
    all.any(is_one)
}

/// Whether it is a phone number: digits and what people put between them.
pub(super) fn is_phone(text: &str) -> bool {
    let text = text.trim();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let between = |c: char| c.is_ascii_digit() || " +-().;/x\u{a0}'".contains(c);
    (7..=20).contains(&digits) && text.chars().all(between) && !is_date(text)
}

/// Whether it is a date such as `2024-01-15` or `1/15/2024`, perhaps with a time of day.
pub(super) fn is_date(text: &str) -> bool {
    let day = text.split([' ', 'T']).find(|part| !part.is_empty()).unwrap_or("");
    let parts: Vec<&str> = day.split(['-', '/', '.']).collect();
    let number = |part: &&str| {
        (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let small = parts.iter().filter(|part| part.len() <= 2).count();
    let years = parts.iter().filter(|part| part.len() == 4).count();
    parts.len() == 3 && parts.iter().all(number) && small >= 2 && small + years == 3
}

/// Whether it is a number: of rows, of a page, an amount.
pub(super) fn is_number(text: &str) -> bool {
    let text = text.trim().trim_matches(['(', ')', '%', '$', '€', '£']);
    text.bytes().any(|byte| byte.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || " .,'-+\u{a0}".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cell_looks_like() {
        for text in ["a@x.example", "<a@x.example>", "a@x; b@y", " 'a@x.example' ", "Ann <a@x.io>"]
        {
            assert!(is_email(text), "{text}");
        }
        for text in ["@home", "Email", "a@", "at", ""] {
            assert!(!is_email(text), "{text}");
        }
        for text in ["+447700900123", "(415) 555-2671", "030/1234567", "555.123.4567"] {
            assert!(is_phone(text), "{text}");
        }
        for text in ["2024-01-15", "1/15/2024", "2024", "Phone 2", "", "12345", "15.01.2024"] {
            assert!(!is_phone(text), "{text}");
        }
        assert!(is_number("(20)") && is_number("1,234.50") && !is_number("20 rows"));
    }
}
