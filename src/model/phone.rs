//! Phone numbers, for comparison.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat};

/// A region as ISO 3166 names it, `US`: how a phone number without a country
/// code is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Region(rlibphonenumber::Region);

impl Region {
    /// The United States, where Linq is at home.
    pub const US: Region = Region(rlibphonenumber::Region::US);
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({:?})", self.0)
    }
}

/// The text does not name a region that has phone numbers.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a region; two letters are expected, such as `US`, `GB` or `DE`")]
pub struct RegionError(String);

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Region, RegionError> {
        rlibphonenumber::Region::from_str(&text.to_ascii_uppercase())
            .ok()
            .filter(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(*region).is_some())
            .map(Region)
            .ok_or_else(|| RegionError(text.to_owned()))
    }
}

/// The canonical form of a phone number: E.164, with its extension behind a
/// semicolon if it has one; `None` for a text that is no valid number.
///
/// Valid is what libphonenumber calls valid: `911` in the United States is not,
/// although it parses.
pub(super) fn e164(text: &str, region: Region) -> Option<String> {
    let number = PhoneNumber::parse(text, Some(region.0)).ok()?;
    if !number.is_valid() {
        return None;
    }
    let mut canonical = number.format_as(PhoneNumberFormat::E164).into_owned();
    if let Some(extension) = number.extension.as_deref().filter(|ext| !ext.is_empty()) {
        canonical.push(';');
        canonical.push_str(extension);
    }
    Some(canonical)
}
