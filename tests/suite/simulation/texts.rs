//! The texts that people type.
//!
//! Small pools, so that people look alike; serial numbers, so that what must not
//! be lost can be told from everything else.

use linqsync::model::Field;

use super::scenario::DrawnText;

/// The users of the organisation, the first of whom owns what nobody else does.
pub(super) const USERS: [&str; 3] = ["olivia@linq.example", "sam@linq.example", "ada@linq.example"];

/// The text of `text` in `field`, where `present` stands now.
pub(super) fn typed(field: Field, text: DrawnText, present: &str) -> String {
    match text {
        DrawnText::Blank => String::new(),
        DrawnText::Fresh(serial) => fresh(field, serial),
        DrawnText::Shared(which) => shared(field, which),
        DrawnText::Odd(kind, serial) => odd(field, kind, serial),
        DrawnText::Respelled(how) => respelled(field, how, present),
        DrawnText::Foreign(serial) => foreign(field, serial),
    }
}

fn fresh(field: Field, serial: u32) -> String {
    match field {
        Field::FirstName => format!("Fay{serial}"),
        Field::LastName => format!("Lund{serial}"),
        Field::Email => format!("p{serial}@x{serial}.example"),
        Field::PhoneNumber => format!("(415) 555-{:04}", 2000 + serial % 7000),
        Field::Company => format!("Acme {serial}"),
        Field::Title => format!("Title {serial}"),
        Field::Location => format!("City {serial}"),
        Field::Owner => user(serial),
    }
}

fn user(which: u32) -> String {
    USERS[which as usize % USERS.len()].to_owned()
}

fn shared(field: Field, which: u32) -> String {
    let pool: &[&str] = match field {
        Field::FirstName => &["Ann", "Bob", "ann", "Zoë"],
        Field::LastName => &["Lee", "Roe", "McRae"],
        Field::Email => &["office@acme.example", "Team@acme.example"],
        Field::PhoneNumber => &["(415) 555-2671", "+1 415 555 2671", "+14155552672"],
        Field::Company => &["Acme", "Bolt"],
        Field::Title => &["CEO", "CTO"],
        Field::Location => &["Oslo", "Turin"],
        Field::Owner => return user(which),
    };
    pool[which as usize % pool.len()].to_owned()
}

fn odd(field: Field, kind: u32, serial: u32) -> String {
    match field {
        Field::Owner => user(serial),
        Field::Email => match kind % 3 {
            0 => format!("not an address {serial}"),
            1 => format!("P{serial}@X{serial}.EXAMPLE"),
            _ => format!(" p{serial}@x{serial}.example "),
        },
        Field::PhoneNumber => match kind % 4 {
            0 => format!("ask for {serial}"),
            1 => format!("1.{}E+10", 41556 + serial),
            2 => format!("+44 20 7946 {:04}", serial % 10000),
            _ => format!("(555) 123-{:04}", serial % 10000),
        },
        Field::FirstName | Field::LastName | Field::Company | Field::Title | Field::Location => {
            match kind % 9 {
                0 => format!("=SUM({serial})"),
                1 => format!("'=x{serial}"),
                2 => format!("+odd{serial}"),
                3 => format!("a \"quoted\", long; text that goes on for more than forty {serial}"),
                4 => format!("two\nlines {serial}"),
                5 => format!("  spaced {serial} "),
                6 => format!("o'neill-mcrae {serial}"),
                7 => format!("Zoe\u{308} {serial}"),
                _ => format!("'t odd{serial}"),
            }
        }
    }
}

fn foreign(field: Field, serial: u32) -> String {
    match field {
        Field::FirstName | Field::LastName | Field::Company | Field::Title | Field::Location => {
            format!("Łukasik 東{serial}")
        }
        Field::Email | Field::PhoneNumber | Field::Owner => fresh(field, serial),
    }
}

fn respelled(field: Field, how: u32, present: &str) -> String {
    if field == Field::PhoneNumber {
        let digits: String = present.chars().filter(char::is_ascii_digit).collect();
        return match (how % 3, digits.strip_prefix('1').unwrap_or(&digits)) {
            (0, ten) if ten.len() == 10 => format!("+1{ten}"),
            (1, ten) if ten.len() == 10 => format!("{}-{}-{}", &ten[..3], &ten[3..6], &ten[6..]),
            _ => present.to_owned(),
        };
    }
    match how % 3 {
        0 => present.to_uppercase(),
        1 => format!("{} ", present.trim()),
        _ => present.to_lowercase(),
    }
}
