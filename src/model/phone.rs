//! Phone numbers: when two texts are one number, and which of them is sent to Linq.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{NumberLengthType, PhoneNumber, PhoneNumberFormat};

/// A region as ISO 3166 names it, `US`: how a phone number without a country
/// code is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region(rlibphonenumber::Region);

impl Region {
    /// The United States, where Linq is at home.
    pub const US: Region = Region(rlibphonenumber::Region::US);
    /// The United Kingdom.
    pub const GB: Region = Region(rlibphonenumber::Region::GB);

    /// The region of a valid number that is written with its country code.
    pub fn of_number(text: &str) -> Option<Region> {
        let number = PhoneNumber::parse(text, None).ok().filter(PhoneNumber::is_valid)?;
        number.get_region_code().map(Region)
    }

    /// The country code with which its numbers begin: `+44`.
    pub fn country_code(self) -> String {
        let code = rlibphonenumber::PHONE_NUMBER_UTIL.get_country_code_for_region(self.0);
        code.map(|code| format!("+{code}")).unwrap_or_default()
    }

    /// Whether `text`, digits alone, is a whole number of another country that lacks
    /// its `+`: nobody here has it, and with the `+` somebody there does.
    pub fn lost_its_plus(self, text: &str) -> bool {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !(10..=15).contains(&text.len()) || text.starts_with('0') {
            return false;
        }
        let is_valid = |text: &str, region| {
            PhoneNumber::parse(text, region).is_ok_and(|number| number.is_valid())
        };
        !is_valid(text, Some(self.0)) && !self.may_have(text) && is_valid(&format!("+{text}"), None)
    }

    /// Whether `text` is as long as a number of this region.
    fn may_have(self, text: &str) -> bool {
        let parsed = PhoneNumber::parse(text, Some(self.0));
        parsed.is_ok_and(|number| {
            matches!(number.is_possible_with_reason(), Ok(NumberLengthType::IsPossible))
        })
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({:?})", self.0)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The regions that have phone numbers. Reading a configuration must not cost the
/// library's metadata, which is several megabytes that the daemon has no use for.
const WITH_NUMBERS: &str = "\
    AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO \
    BQ BR BS BT BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK \
    DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ \
    GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM \
    KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH \
    PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR \
    SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC \
    VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// The text does not name a region that has phone numbers.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a region; two letters are expected, such as `US`, `GB` or `DE`")]
pub struct RegionError(String);

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Region, RegionError> {
        let name = text.to_ascii_uppercase();
        let has_numbers = WITH_NUMBERS.split(' ').any(|region| region == name);
        let region = has_numbers.then(|| rlibphonenumber::Region::from_str(&name).ok()).flatten();
        region.map(Region).ok_or_else(|| RegionError(text.to_owned()))
    }
}

/// The canonical form of a phone number: E.164, with its extension behind a
/// semicolon if it has one; `None` for a text that is no number people could call
/// from everywhere.
///
/// A number need not be assigned: `+1 555 123 4567`, made for examples, is as good
/// as any. Short codes such as `911` and numbers that lack their area code parse as
/// well, and are none.
pub(super) fn to_e164(text: &str, region: Region) -> Option<String> {
    if is_north_american(text) { Some(text.to_owned()) } else { parse_number(text, region) }
}

/// Whether `text` is a complete number of North America in E.164 already, as most are
/// in Linq: it is its own canonical form, and costs no parsing.
fn is_north_american(text: &str) -> bool {
    let Some(number) = text.strip_prefix("+1") else { return false };
    number.len() == 10
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !number.starts_with(['0', '1'])
}

fn parse_number(text: &str, region: Region) -> Option<String> {
    let number = PhoneNumber::parse(text, Some(region.0)).ok()?;
    if !number.is_valid() && !is_complete(&number, text) {
        return None;
    }
    let mut canonical = number.format_as(PhoneNumberFormat::E164).into_owned();
    if let Some(extension) = number.extension.as_deref().filter(|ext| !ext.is_empty()) {
        canonical.push(';');
        canonical.push_str(extension);
    }
    Some(canonical)
}

/// The form in which a phone number is sent to Linq: E.164, where `text` is a valid number
/// in `region`, or one that has the length of a whole number there and that nobody in America
/// has. An extension, which E.164 has no place for, stays where it is.
pub(super) fn to_send(text: &str, region: Region) -> Option<String> {
    if is_north_american(text) {
        return Some(text.to_owned());
    }
    let number = PhoneNumber::parse(text, Some(region.0)).ok()?;
    let e164 = number.format_as(PhoneNumberFormat::E164).into_owned();
    let is_possible = || {
        let is_of_no_area = e164.starts_with("+1") && !is_north_american(&e164);
        is_complete(&number, text) && !is_of_no_area && !is_anothers(text, region)
    };
    (number.is_valid() || is_possible()).then_some(e164)
}

/// Whether `text` is a valid number in `region`.
pub(super) fn is_valid(text: &str, region: Region) -> bool {
    PhoneNumber::parse(text, Some(region.0)).is_ok_and(|number| number.is_valid())
}

/// Whether `text`, which is no valid number in `region`, is one in America.
fn is_anothers(text: &str, region: Region) -> bool {
    region != Region::US && PhoneNumber::parse(text, None).is_err() && is_valid(text, Region::US)
}

/// A canonical form without its extension.
pub(super) fn without_extension(canonical: &str) -> &str {
    canonical.split(';').next().unwrap_or(canonical)
}

/// Whether Linq, which reads a number without a country code as an American one, would take
/// `text` for another number than people in `region` mean by it. What is valid in the region
/// is sent in E.164, and so is never misread.
pub(super) fn is_misread(text: &str, region: Region) -> bool {
    let has_country_code = || PhoneNumber::parse(text, None).is_ok();
    if to_send(text, region).is_some() || has_country_code() {
        return false;
    }
    let meant = to_e164(text, region);
    to_e164(text, Region::US).is_some_and(|taken_for| meant.as_ref() != Some(&taken_for))
}

/// Without a country code, a text of fewer digits is more likely a short code or a
/// local number, in countries whose numbers have no fixed length.
const LEAST_DIGITS: usize = 8;

/// Whether an unassigned number has the length of one that includes its area code.
fn is_complete(number: &PhoneNumber, text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let international = text.trim_start().starts_with('+');
    (international || digits >= LEAST_DIGITS)
        && matches!(number.is_possible_with_reason(), Ok(NumberLengthType::IsPossible))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_short_way_of_a_north_american_number_is_that_of_any_other(
            text in "[+]1[2-9][0-9]{9}"
        ) {
            for place in ["US", "GB", "BS"] {
                prop_assert_eq!(parse_number(&text, region(place)), Some(text.clone()));
            }
        }
    }

    fn region(name: &str) -> Region {
        name.parse().unwrap()
    }

    #[test]
    fn a_number_that_nobody_has_is_compared_like_any_other() {
        for text in [
            "+15551234567",
            "(555) 123-4567",
            "555.123.4567",
            "1-555-123-4567",
            "+1 (555) 123-4567",
        ] {
            assert_eq!(to_e164(text, Region::US).as_deref(), Some("+15551234567"), "{text}");
        }
        assert_eq!(to_e164("555 123 4567 x9", Region::US).as_deref(), Some("+15551234567;9"));
    }

    #[test]
    fn short_codes_and_numbers_without_area_code_are_none() {
        for (text, place) in [
            ("911", "US"),
            ("+1911", "US"),
            ("311", "US"),
            ("72345", "US"),
            ("555-1234", "US"),
            ("+1 555 1234", "US"),
            ("112", "DE"),
            ("11833", "DE"),
            ("123456", "DE"),
            ("999", "GB"),
            ("118500", "GB"),
        ] {
            assert_eq!(to_e164(text, region(place)), None, "{text} in {place}");
        }
    }

    #[test]
    fn what_is_too_long_or_no_number_is_none() {
        for text in ["", "n/a", "+1 555 123 4567 8901", "1.41556E+10", "12345678901234567890"] {
            assert_eq!(to_e164(text, Region::US), None, "{text}");
        }
    }

    #[test]
    fn a_number_without_its_plus_is_told_from_one_of_the_region() {
        let table = [
            ("4915112345678", "US", true),
            ("33612345678", "US", true),
            ("442079460018", "US", true),
            ("14155552671", "US", false),
            ("4155552671", "US", false),
            ("5551234567", "US", false),
            ("+33612345678", "US", false),
            ("0033612345678", "US", false),
            ("12345", "US", false),
            ("14155552671", "GB", true),
            ("07911123456", "GB", false),
        ];
        for (text, place, lost) in table {
            assert_eq!(region(place).lost_its_plus(text), lost, "{text} in {place}");
        }
    }

    #[test]
    fn the_regions_are_those_of_which_the_library_knows_numbers() {
        for first in 'A'..='Z' {
            for second in 'A'..='Z' {
                let name = format!("{first}{second}");
                let known = rlibphonenumber::Region::from_str(&name).is_ok_and(|region| {
                    rlibphonenumber::PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some()
                });
                assert_eq!(name.parse::<Region>().is_ok(), known, "{name}");
            }
        }
        assert!("U".parse::<Region>().is_err() && "AC AD".parse::<Region>().is_err());
    }

    #[test]
    fn what_is_valid_in_the_region_is_sent_in_e164_without_its_extension() {
        let table = [
            ("06 12 34 56 78", "FR", Some("+33612345678")),
            ("00 33 6 12 34 56 78", "FR", Some("+33612345678")),
            ("+33 (0)6 12 34 56 78", "US", Some("+33612345678")),
            ("020 7946 0018", "GB", Some("+442079460018")),
            ("030 901820", "DE", Some("+4930901820")),
            ("(415) 555-2671 ext. 5", "US", Some("+14155552671")),
            ("tel:+1-415-555-2671", "FR", Some("+14155552671")),
            ("06 12 34 56 78", "US", None),
            ("(555) 123-4567", "US", Some("+15551234567")),
            ("07700 900123", "GB", Some("+447700900123")),
            ("+44 7700 900123", "US", Some("+447700900123")),
            ("415 555 2671", "GB", None),
            ("555-0101", "US", None),
            ("n/a", "FR", None),
            ("", "FR", None),
            ("06 12 34", "FR", None),
        ];
        for (text, place, sent) in table {
            assert_eq!(to_send(text, region(place)).as_deref(), sent, "{text} in {place}");
        }
    }

    #[test]
    fn a_number_that_only_americans_would_understand_is_misread() {
        let table = [
            ("555 123 4567", "FR", true),
            ("4155552671", "DE", false),
            ("(415) 555-2671", "GB", true),
            ("(555) 123-4567", "GB", false),
            ("(555) 123-4567", "US", false),
            ("(555) 123-4567", "CA", false),
            ("06 12 34 56 78", "FR", false),
            ("555-0101", "FR", false),
            ("+1 555 123 4567", "FR", false),
            ("n/a", "FR", false),
        ];
        for (text, place, misread) in table {
            assert_eq!(is_misread(text, region(place)), misread, "{text} in {place}");
        }
    }

    #[test]
    fn a_number_with_its_country_code_tells_its_region() {
        let of = |text| Region::of_number(text).map(|region| region.to_string());
        assert_eq!(of("+33 6 12 34 56 78").as_deref(), Some("FR"));
        assert_eq!(of("+1 415 555 2671").as_deref(), Some("US"));
        assert_eq!(of("06 12 34 56 78"), None);
        assert_eq!(of("+99 1"), None);
    }

    #[test]
    fn a_region_gives_numbers_their_country_code() {
        assert_eq!(to_e164("020 7946 0018", region("gb")).as_deref(), Some("+442079460018"));
        assert!("XX".parse::<Region>().is_err());
    }
}
