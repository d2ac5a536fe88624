//! Canonical forms: when two texts mean the same value.
//!
//! Canonical forms are computed when two values are compared and are never
//! stored. A new release may therefore compare more cleverly without
//! re-deriving anything: the base keeps the texts themselves.

use unicode_normalization::UnicodeNormalization;

use super::phone::{self, Region};
use super::text::fold_spaces;
use super::{Field, FieldSet, Values, bare_address, decoded_address};

/// Compares values field by field. Carries what comparison depends on: the
/// region in which phone numbers without a country code are read.
#[derive(Clone, Copy, Debug)]
pub struct Canon {
    region: Region,
}

impl Canon {
    /// Comparison as people in `region` would do it.
    pub const fn new(region: Region) -> Canon {
        Canon { region }
    }

    /// The canonical form of `text` as a value of `field`.
    pub fn canonical_value(self, field: Field, text: &str) -> String {
        canonical_form(field, text, self.region)
    }

    /// The canonical forms of `fields`, in their order.
    pub fn canonical_values(self, fields: FieldSet, values: &Values) -> Vec<String> {
        fields.iter().map(|field| self.canonical_value(field, &values[field])).collect()
    }

    /// Whether `a` and `b` mean the same value of `field`.
    pub fn means_same(self, field: Field, a: &str, b: &str) -> bool {
        a == b || canonical_form(field, a, self.region) == canonical_form(field, b, self.region)
    }

    /// Whether Linq has in `linq` what it gets of the source's value `source`: the same, or a
    /// phone number without the extension, for which Linq has no place.
    pub fn has_all_of(self, field: Field, source: &str, linq: &str) -> bool {
        self.means_same(field, source, linq)
            || field == Field::PhoneNumber
                && phone::to_e164(linq, self.region)
                    .is_some_and(|number| self.bare_number(source) == Some(number))
    }

    /// The number that `text` is, without its extension.
    fn bare_number(self, text: &str) -> Option<String> {
        phone::to_e164(text, self.region).map(|one| phone::without_extension(&one).to_owned())
    }

    /// The text that Linq is sent for `text`: a phone number in E.164, where it is a valid
    /// one in the region; everything else as it is written.
    pub fn to_send(self, field: Field, text: &str) -> String {
        let number = match field {
            Field::PhoneNumber => phone::to_send(text, self.region),
            Field::FirstName
            | Field::LastName
            | Field::Email
            | Field::Company
            | Field::Title
            | Field::Location
            | Field::Owner => None,
        };
        number.unwrap_or_else(|| text.to_owned())
    }

    /// Whether Linq would take `text` for another phone number than it is in the region.
    pub fn is_misread(self, field: Field, text: &str) -> bool {
        field == Field::PhoneNumber && phone::is_misread(text, self.region)
    }

    /// Whether Linq has made another phone number of `sent` than that one. What is no number
    /// at all may be a part of it.
    pub fn is_other_number(self, field: Field, sent: &str, shown: &str) -> bool {
        let numbers = || self.bare_number(sent).zip(self.bare_number(shown));
        field == Field::PhoneNumber && numbers().is_some_and(|(sent, shown)| sent != shown)
    }

    /// Why a phone number is not sent that is none where the source is at home.
    pub fn misread_reason(self) -> String {
        format!(
            "it is no valid number in {}, which sync.region names, and Linq would take it for an \
             American one; write it with its country code ({} …), or correct sync.region",
            self.region,
            self.region.country_code()
        )
    }

    /// Whether `text` is a valid phone number.
    pub fn is_usable_number(self, text: &str) -> bool {
        phone::is_valid(text.trim(), self.region)
    }

    /// The fields among `fields` whose values mean different things in `a` and `b`.
    pub fn differing_fields(self, fields: FieldSet, a: &Values, b: &Values) -> FieldSet {
        fields.iter().filter(|field| !self.means_same(*field, &a[*field], &b[*field])).collect()
    }

    /// Whether `a` and `b` have the same e-mail address or the same phone number.
    pub fn share_an_address(self, a: &Values, b: &Values) -> bool {
        [Field::Email, Field::PhoneNumber].into_iter().any(|field| {
            !a[field].trim().is_empty() && self.means_same(field, &a[field], &b[field])
        })
    }

    /// The e-mail address as a key to match contacts by; `None` unless it has
    /// a local part and a domain.
    pub fn email_key(self, values: &Values) -> Option<String> {
        let email = canonical_form(Field::Email, &values[Field::Email], self.region);
        let (local, domain) = email.rsplit_once('@')?;
        (!local.is_empty() && !domain.is_empty()).then_some(email)
    }

    /// The phone number as a key to match contacts by; `None` unless it is a
    /// number with its area code.
    pub fn phone_key(self, values: &Values) -> Option<String> {
        phone::to_e164(&values[Field::PhoneNumber], self.region)
    }
}

/// The canonical form of `text` as a value of `field`; empty for a blank.
///
/// - e-mail and owner: the address alone, without `mailto:`, brackets or a name around it, in
///   lower case, the domain in its ASCII form;
/// - phone: E.164 where it is a number that can be called in full, read in
///   `region`; otherwise its letters, digits and leading `+`;
/// - every other field: trimmed, in Unicode's composed form (NFC), with `\n` for
///   every kind of line end and a plain space for every kind of space, and without
///   characters that nobody sees.
pub fn canonical_form(field: Field, text: &str, region: Region) -> String {
    let folded = fold_spaces(text);
    let text = folded.trim();
    match field {
        Field::Email | Field::Owner => canonical_email(text),
        Field::PhoneNumber => phone::to_e164(text, region).unwrap_or_else(|| bare_phone(text)),
        Field::FirstName | Field::LastName | Field::Company | Field::Title | Field::Location => {
            composed_form(text)
        }
    }
}

fn composed_form(text: &str) -> String {
    if text.is_ascii() && !text.contains('\r') {
        return text.to_owned();
    }
    text.replace("\r\n", "\n").replace('\r', "\n").nfc().collect()
}

/// Most addresses are ASCII, which the way through Unicode does not change but for case.
fn canonical_email(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@._+-".contains(&byte);
    if text.bytes().all(is_plain) && !text.ends_with('.') && !text.starts_with('.') {
        return text.to_ascii_lowercase();
    }
    let bare = bare_address(text).map(|range| decoded_address(text, range));
    let text = bare.as_deref().unwrap_or(text);
    if text.is_ascii() { text.to_ascii_lowercase() } else { international_email(text) }
}

fn international_email(text: &str) -> String {
    let lower: String = text.nfc().collect::<String>().to_lowercase();
    match lower.rsplit_once('@') {
        Some((local, domain)) => match idna::domain_to_ascii(domain) {
            Ok(ascii) => format!("{local}@{ascii}"),
            Err(_) => lower,
        },
        None => lower,
    }
}

fn bare_phone(text: &str) -> String {
    let plus = if text.starts_with('+') { "+" } else { "" };
    let rest: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    if rest.is_empty() { text.to_owned() } else { format!("{plus}{}", rest.to_lowercase()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(field: Field, a: &str, b: &str) -> bool {
        Canon::new(Region::US).means_same(field, a, b)
    }

    #[test]
    fn spellings_of_one_phone_number_are_the_same() {
        assert!(same(Field::PhoneNumber, "(415) 555-2671", "+14155552671"));
        assert!(same(Field::PhoneNumber, "+44 20 7946 0018", "+442079460018"));
        assert!(!same(Field::PhoneNumber, "+14155552671", "+14155552672"));
        assert!(!same(Field::PhoneNumber, "+1 415 555 2671 ext. 5", "+14155552671"));
        assert!(same(Field::PhoneNumber, "(555) 123-4567", "+15551234567"), "nobody's number");
        assert!(same(Field::PhoneNumber, "555-1234", "5551234"), "without its area code");
        assert!(!same(Field::PhoneNumber, "555-1234", "+15551234"));
        assert!(!same(Field::PhoneNumber, "911", "+1911"));
        assert!(!same(Field::PhoneNumber, "n/a", ""));
    }

    #[test]
    fn the_extension_of_a_phone_number_is_the_sources_alone() {
        let canon = Canon::new(Region::US);
        let has_all = |source, linq| canon.has_all_of(Field::PhoneNumber, source, linq);
        assert!(has_all("(415) 555-2671 ext. 5", "+14155552671"));
        assert!(has_all("(415) 555-2671 ext. 5", "415 555 2671 x5"));
        assert!(!has_all("+14155552671", "(415) 555-2671 ext. 5"), "Linq has one more");
        assert!(!has_all("(415) 555-2671 ext. 5", "+14155552672"));
        assert!(!has_all("(415) 555-2671 ext. 5", "") && !has_all("n/a", ""));
        assert!(!canon.has_all_of(Field::Title, "Cook;1", "Cook"));
    }

    #[test]
    fn another_number_is_told_from_another_spelling() {
        let canon = Canon::new("FR".parse().unwrap());
        let is_other = |sent, shown| canon.is_other_number(Field::PhoneNumber, sent, shown);
        assert!(is_other("06 12 34 56 78", "+10612345678"));
        assert!(!is_other("06 12 34 56 78", "+336"), "cut short");
        for same in ["+33612345678", "0612345678", "0033 6 12345678", ""] {
            assert!(!is_other("06 12 34 56 78 ext. 5", same), "{same}");
        }
        assert!(!is_other("n/a", "+33612345678"), "nobody knows what that was");
        assert!(!canon.is_other_number(Field::Title, "06 12 34 56 78", "1"));
    }

    #[test]
    fn case_and_international_domains_do_not_make_another_address() {
        assert!(same(Field::Email, " Ada@Example.ORG", "ada@example.org"));
        assert!(same(Field::Email, "k@BÜCHER.example", "k@xn--bcher-kva.example"));
        assert!(!same(Field::Email, "ada@example.org", "ada@example.com"));
    }

    proptest! {
        #[test]
        fn the_short_way_of_an_ascii_address_is_that_of_any_other(
            text in "[a-zA-Z0-9.@_+ -]{0,20}|[a-zA-Z0-9.+]{1,8}@(xn--)?[a-zA-Z0-9-]{0,9}([.][a-zA-Z0-9-]{0,6}){0,3}"
        ) {
            let bare = bare_address(&text).map_or(text.as_str(), |range| &text[range]);
            prop_assert_eq!(canonical_email(&text), international_email(bare));
        }
    }

    #[test]
    fn a_name_in_other_letters_is_an_edit_and_outer_space_is_not() {
        assert!(!same(Field::LastName, "mcdonald", "McDonald"));
        assert!(same(Field::LastName, "Zoe\u{308} ", "Zo\u{eb}"));
        assert!(same(Field::Location, "Oslo\r\nNorway", "Oslo\nNorway"));
    }

    #[test]
    fn what_nobody_sees_makes_no_difference() {
        assert!(same(Field::FirstName, "Mary\u{a0}Ann", "Mary Ann"));
        assert!(same(Field::FirstName, "\u{feff}Ada\u{200b}", "Ada"));
        assert!(same(Field::Title, "\u{202e}CEO", "CEO"));
        assert!(!same(Field::FirstName, "MaryAnn", "Mary Ann"));
    }

    #[test]
    fn every_spelling_of_an_address_is_the_same() {
        for text in ["mailto:a@x.example", "<A@x.example>", "Ann <a@x.example>", "'a@x.example'."] {
            assert!(same(Field::Email, text, "a@x.example"), "{text}");
        }
        assert!(!same(Field::Email, "a@x.example; b@x.example", "a@x.example"));
    }

    #[test]
    fn only_real_addresses_and_numbers_are_keys() {
        let canon = Canon::new(Region::US);
        let of = |field, text: &str| Values::from_iter([(field, text.to_owned())]);
        assert_eq!(canon.email_key(&of(Field::Email, "nobody")), None);
        assert_eq!(canon.email_key(&of(Field::Email, "A@b.c")), Some("a@b.c".to_owned()));
        assert_eq!(canon.phone_key(&of(Field::PhoneNumber, "911")), None);
        assert_eq!(canon.phone_key(&of(Field::PhoneNumber, "555-1234")), None);
        assert_eq!(
            canon.phone_key(&of(Field::PhoneNumber, "415 555 2671")),
            Some("+14155552671".to_owned())
        );
    }
}
