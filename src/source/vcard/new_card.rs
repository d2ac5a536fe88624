//! Cards for contacts that the source does not have yet.
//!
//! Owns what such a card is like: RFC 2426 or RFC 6350, CRLF, folded, and the same
//! bytes every time, so that a run that is repeated makes no second card. Its UID is
//! made of Linq's id, and its file name of the UID.

use ecow::EcoString;

use crate::model::{Field, FieldChange, LinqId, Selection, Values};

use super::VcardVersion;
use super::put::{NotWritten, put_changes, with_display};
use super::selecting::mark;

const UID: &str = "linqsync-";

/// The UID of the card that is made for a contact, in a directory or in an export.
pub fn new_uid(id: LinqId) -> String {
    format!("{UID}{id}")
}

/// The contact for which a card with this UID was made, if it was.
pub(super) fn linq_id(uid: &str) -> Option<LinqId> {
    let id = uid.strip_prefix(UID)?.parse().ok().map(LinqId)?;
    (self::new_uid(id) == uid).then_some(id)
}

/// A card for a contact.
///
/// # Errors
/// Why the card cannot hold one of the values.
pub(super) fn new_card(
    id: LinqId,
    values: &Values,
    version: VcardVersion,
    only: Option<&Selection>,
) -> Result<Vec<u8>, NotWritten> {
    let number = match version {
        VcardVersion::V3 => "3.0",
        VcardVersion::V4 => "4.0",
    };
    let uid = new_uid(id);
    let mark = only.map_or_else(String::new, |only| mark(only, version));
    let frame = format!(
        "BEGIN:VCARD\r\nVERSION:{number}\r\nUID:{uid}\r\nN:;;;;\r\nFN:\r\n{mark}END:VCARD\r\n"
    );
    let filled = values.filled_fields().iter().filter(|field| *field != Field::Owner);
    let change = |field| FieldChange { field, from: EcoString::new(), to: values[field].clone() };
    let filled = put_changes(frame.as_bytes(), &filled.map(change).collect::<Vec<_>>())?;
    match stand_in(values) {
        "" => Ok(filled),
        // Only now the card says what this is instead of a name.
        stand_in => with_display(&filled, stand_in),
    }
}

/// What a card without a name is called; every card must be called something. Blank
/// where there is a name.
fn stand_in(values: &Values) -> &str {
    let is_blank = |field: &Field| values[*field].trim().is_empty();
    if ![Field::FirstName, Field::LastName].iter().all(is_blank) {
        return "";
    }
    let fields = [Field::Company, Field::Email, Field::PhoneNumber];
    fields.iter().find(|field| !is_blank(field)).map_or("", |field| values[*field].trim())
}

/// A file name for the card with this UID: letters, digits, dots, underscores and
/// hyphens, none of them first but a letter or digit.
pub(super) fn file_name(uid: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let safe: String = uid.chars().map(|c| if is_safe(c) { c } else { '_' }).take(100).collect();
    format!("{}.vcf", safe.trim_start_matches(['.', '-', '_']))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_uid_that_people_gave_is_no_id() {
        assert_eq!(linq_id(&new_uid(LinqId(u64::MAX))), Some(LinqId(u64::MAX)));
        for other in ["linqsync-", "linqsync-007", "linqsync-+7", "LINQSYNC-7", "7"] {
            assert_eq!(linq_id(other), None, "{other}");
        }
    }

    #[test]
    fn no_uid_leads_out_of_the_directory() {
        for (uid, name) in [
            ("linqsync-12", "linqsync-12.vcf"),
            ("../../etc/passwd", "etc_passwd.vcf"),
            (".hidden/\0x", "hidden__x.vcf"),
        ] {
            assert_eq!(file_name(uid), name);
        }
    }

    /// What RFC 2426 demands, and Apple's address book with it, of a whole card.
    fn expect_valid(card: &str, version: &str) {
        let breaks = card.matches("\r\n").count();
        assert_eq!((card.matches('\r').count(), card.matches('\n').count()), (breaks, breaks));
        assert!(card.ends_with("\r\n"), "the last line ends");
        assert!(card.split("\r\n").all(|line| line.len() <= 75), "{card}");
        let whole = card.replace("\r\n ", "");
        let lines: Vec<&str> = whole.split_terminator("\r\n").collect();
        assert_eq!(lines[..2], ["BEGIN:VCARD", &format!("VERSION:{version}")]);
        assert_eq!(lines.last(), Some(&"END:VCARD"));
        let known = [
            ("UID", 1),
            ("N", 5),
            ("FN", 1),
            ("EMAIL;TYPE=INTERNET", 1),
            ("EMAIL", 1),
            ("TEL;TYPE=CELL", 1),
            ("TEL;VALUE=URI;TYPE=CELL", 1),
            ("ORG", 1),
            ("TITLE", 1),
            ("ADR;TYPE=WORK", 7),
        ];
        let mut seen = Vec::new();
        for line in &lines[2..lines.len() - 1] {
            let (head, value) = line.split_once(':').unwrap();
            let kind = head.to_ascii_uppercase();
            let (_, parts) = known.iter().find(|(name, _)| *name == kind).expect(head);
            let value = value.replace("\\\\", "x").replace("\\;", "x").replace("\\,", "x");
            assert_eq!(value.split(';').count(), *parts, "{line}");
            assert!(!value.contains('\0'), "{line:?}");
            if !matches!(&*kind, "N" | "ADR;TYPE=WORK") {
                assert!(!value.contains(','), "{line}");
                assert!(!value.trim().is_empty(), "{line}");
            }
            seen.push(head);
        }
        for name in ["UID", "N", "FN"] {
            assert_eq!(seen.iter().filter(|seen| **seen == name).count(), 1, "{name}\n{card}");
        }
    }

    proptest! {
        #[test]
        fn every_new_card_is_valid(
            texts in proptest::collection::vec("[ -~\\r\\n\\t\u{e4}\u{5c71}\u{1f600}]{0,90}", 7),
            version in prop_oneof![Just(VcardVersion::V3), Just(VcardVersion::V4)],
        ) {
            let fields = Field::ALL.into_iter().filter(|field| *field != Field::Owner);
            let values: Values = fields.zip(texts).collect();
            prop_assume!(!values.lacks_identity());
            if let Ok(made) = new_card(LinqId(7), &values, version, None) {
                let number = if version == VcardVersion::V3 { "3.0" } else { "4.0" };
                expect_valid(&String::from_utf8(made).unwrap(), number);
            }
        }
    }

    #[test]
    fn a_new_card_is_what_every_address_book_reads() {
        let values = Values::from_iter([
            (Field::FirstName, "Zoë".to_owned()),
            (Field::LastName, "O'Neil; Jr".to_owned()),
            (Field::Email, "zoe@example.org".to_owned()),
            (Field::PhoneNumber, "+14155552671".to_owned()),
            (Field::Company, "Smith, Wesson & Co".to_owned()),
            (
                Field::Title,
                "Head of everything that has to be folded since it is too long".to_owned(),
            ),
            (Field::Location, "Oslo, Norway".to_owned()),
        ]);
        let made = new_card(LinqId(7), &values, VcardVersion::V3, None).unwrap();
        assert_eq!(
            String::from_utf8(made).unwrap().replace("\r\n", "\n"),
            "BEGIN:VCARD\nVERSION:3.0\nUID:linqsync-7\nN:O'Neil\\; Jr;Zoë;;;\nFN:Zoë O'Neil\\; Jr\n\
             EMAIL;TYPE=INTERNET:zoe@example.org\nTEL;TYPE=CELL:+14155552671\n\
             ORG:Smith\\, Wesson & Co\n\
             TITLE:Head of everything that has to be folded since it is too long\n\
             ADR;TYPE=WORK:;;;Oslo;Norway;;\nEND:VCARD\n"
        );
    }
}
