//! Whom a card is about: the way from properties to fields.
//!
//! Owns the mapping that `docs/mapping.md` describes, in the direction of reading.
//! The other direction is [`super::put`]'s, and both go by the same choices, which are
//! made here: which of several properties a field is, and how a location is composed.

use std::cmp::Reverse;
use std::ops::Range;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::model::{
    Field, Fingerprint, RejectedField, Timestamp, ToldNames, Values, bare_address, decoded_address,
};
use crate::source::full_name::{NameOrder, SplitName, WholeName};

use super::card::{Card, Undecodable};
use super::escape::from_hexadecimal;
use super::property::Property;

/// A property with the text that a field takes from it.
#[derive(Clone, Debug)]
pub(super) struct ValueCandidate<'c> {
    pub(super) property: &'c Property,
    pub(super) text: String,
}

/// First and last name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CardName {
    pub(super) first: String,
    pub(super) last: String,
}

impl CardName {
    fn from_split(names: SplitName) -> CardName {
        CardName { first: names.first, last: names.last }
    }

    pub(super) fn is_blank(&self) -> bool {
        self.first.trim().is_empty() && self.last.trim().is_empty()
    }

    /// The name as people say it.
    pub(super) fn full_name(&self) -> String {
        join_texts(&self.first, " ", &self.last)
    }
}

/// Where a location is in the components of `ADR`.
pub(super) const CITY: usize = 3;
pub(super) const REGION: usize = 4;
pub(super) const COUNTRY: usize = 6;

/// Somebody, as a card tells.
#[derive(Clone, Debug, Default)]
pub(super) struct CardValues {
    pub(super) uid: Option<String>,
    pub(super) values: Values,
    /// Every e-mail address, the preferred one first.
    pub(super) emails: Vec<String>,
    /// Every phone number that can be called, the preferred one first.
    pub(super) phones: Vec<String>,
    /// The name as the card tells it a second time.
    pub(super) told_names: Option<ToldNames>,
    pub(super) rejected: Vec<RejectedField>,
    pub(super) revised_at: Option<Timestamp>,
}

impl Card<'_> {
    /// Whether it stands for a list of contacts rather than for one.
    pub(super) fn is_group(&self) -> bool {
        ["KIND", "X-ADDRESSBOOKSERVER-KIND"].iter().any(|name| {
            self.text_of(name).is_some_and(|kind| kind.trim().eq_ignore_ascii_case("group"))
        })
    }

    /// Whom the card is about.
    pub(super) fn card_values(&self) -> CardValues {
        let mut person = CardValues::default();
        let name = self.card_name();
        person.told_names = self.told_names();
        let mut take = |field, read: Result<String, Undecodable>| match read {
            Ok(text) => person.values[field] = text.into(),
            Err(Undecodable(reason)) => person.rejected.push(RejectedField { field, reason }),
        };
        take(Field::FirstName, name.clone().map(|name| name.first));
        take(Field::LastName, name.map(|name| name.last));
        let texts = |candidates: Vec<ValueCandidate<'_>>| -> Vec<String> {
            candidates.into_iter().map(|candidate| candidate.text).collect()
        };
        let (emails, phones) = (self.emails().map(texts), self.phones().map(texts));
        let first = |texts: &Vec<String>| texts.first().cloned().unwrap_or_default();
        take(Field::Email, emails.as_ref().map(first).map_err(Clone::clone));
        take(Field::PhoneNumber, phones.as_ref().map(first).map_err(Clone::clone));
        take(Field::Company, self.company());
        take(Field::Title, self.titles().map(|titles| first(&texts(titles))));
        take(
            Field::Location,
            self.address().map(|address| address.map_or_else(String::new, |a| a.text)),
        );
        person.emails = emails.unwrap_or_default();
        person.phones = phones.unwrap_or_default();
        let uid = self.text_of("UID").map(|uid| uid.trim().to_owned());
        person.uid = uid.filter(|uid| !uid.is_empty());
        person.revised_at = self.text_of("REV").and_then(|text| parse_revision(&text));
        person
    }

    /// Whether `N` shows a name.
    pub(super) fn has_name(&self) -> bool {
        self.told_name().is_ok_and(|name| name.is_some())
    }

    fn told_name(&self) -> Result<Option<CardName>, Undecodable> {
        let Some(name) = self.properties_named("N").next() else { return Ok(None) };
        let mut components = self.property_components(name)?.into_iter();
        let last = components.next().unwrap_or_default();
        let name = CardName { first: components.next().unwrap_or_default(), last };
        Ok(Some(name).filter(|name| !name.is_blank()))
    }

    /// First and last name: from `N`, or else from `FN`, unless that says something else
    /// that the card says as well.
    pub(super) fn card_name(&self) -> Result<CardName, Undecodable> {
        if let Some(name) = self.told_name()? {
            return Ok(name);
        }
        let Some(display) = self.properties_named("FN").next() else {
            return Ok(CardName::default());
        };
        let display = self.property_text(display)?;
        Ok(if self.is_stand_in(&display) {
            CardName::default()
        } else {
            split_display_name(&display)
        })
    }

    /// The name as the display name tells it, where `N` tells one too: programs that rename
    /// a contact often change one of the two alone.
    pub(super) fn displayed_name(&self) -> Option<CardName> {
        let told = self.told_name().ok()??;
        let display = self.property_text(self.properties_named("FN").next()?).ok()?;
        if display.trim().is_empty() || self.is_stand_in(&display) {
            return None;
        }
        let property = self.properties_named("N").next()?;
        let middle = self.property_components(property).ok()?.get(2).cloned().unwrap_or_default();
        Some(display_name(&display, &told, middle.trim()))
    }

    /// Both ways in which the card tells its name.
    fn told_names(&self) -> Option<ToldNames> {
        let CardName { first, last } = self.displayed_name()?;
        let text = |name| {
            self.properties_named(name).next().map(|property| property.written_value(self.body))
        };
        let parts = Fingerprint::of(&text("N")?);
        let whole = Fingerprint::of(&text("FN")?);
        Some(ToldNames { parts, whole, by_whole: [first, last] })
    }

    /// Whether the display name is none of a person, but stands in for one.
    fn is_stand_in(&self, display: &str) -> bool {
        let display = display.trim();
        let is = |name: &str, text: &str| {
            self.text_of(name).is_some_and(|found| found.trim().eq_ignore_ascii_case(text))
        };
        if display.contains('@') || is("X-ABSHOWAS", "COMPANY") || is("KIND", "org") {
            return true;
        }
        let phones = self.phones().unwrap_or_default();
        let texts = ["EMAIL", "TEL"].into_iter().flat_map(|name| self.properties_named(name));
        let texts = texts.filter_map(|property| self.property_text(property).ok());
        let says = |text: &str| text.trim() == display;
        texts.chain(phones.into_iter().map(|phone| phone.text)).any(|text| says(&text))
            || self
                .properties_named("ORG")
                .filter_map(|org| self.property_components(org).ok())
                .any(|units| {
                    says(&units[0]) || [" ", ", ", "; ", ";"].iter().any(|by| says(&units.join(by)))
                })
    }

    /// What stands in for a name where there is none.
    pub(super) fn stand_in(&self) -> String {
        let person = self.card_values();
        let fields = [Field::Company, Field::Email, Field::PhoneNumber];
        let mut text = fields.into_iter().map(|field| person.values[field].trim());
        text.find(|text| !text.is_empty()).unwrap_or_default().to_owned()
    }

    /// The e-mail addresses, the preferred one first.
    pub(super) fn emails(&self) -> Result<Vec<ValueCandidate<'_>>, Undecodable> {
        let mut emails = self.value_candidates(
            self.properties_named("EMAIL").filter(|email| self.is_usual(email)),
        )?;
        for email in &mut emails {
            if let Some(bare) = around_address(&email.text) {
                email.text = decoded_address(&email.text, bare).into_owned();
            }
        }
        Ok(sort_candidates(emails, property_preference))
    }

    /// The phone numbers that somebody answers, the preferred one first: what is marked
    /// as preferred, then mobile, work and home phones.
    pub(super) fn phones(&self) -> Result<Vec<ValueCandidate<'_>>, Undecodable> {
        let mut phones = self
            .value_candidates(self.properties_named("TEL").filter(|phone| self.is_usual(phone)))?;
        for phone in &mut phones {
            phone.text = from_tel_uri(&phone.text).unwrap_or(std::mem::take(&mut phone.text));
        }
        Ok(sort_candidates(phones, |phone| (property_preference(phone), self.phone_rank(phone))))
    }

    /// Whether a property is a way to reach the person: no fax machine, no pager, and no
    /// mailbox outside of the internet.
    pub(super) fn is_usual(&self, property: &Property) -> bool {
        let label = self.property_label(property);
        let others = [
            "fax",
            "x-fax",
            "facsimile",
            "pager",
            "modem",
            "bbs",
            "telex",
            "textphone",
            "x400",
            "tlx",
            "ex",
        ];
        !others.iter().any(|kind| property.is_of_type(kind))
            && !["fax", "telefax", "pager", "telex", "modem"]
                .iter()
                .any(|kind| has_word(&label, kind))
    }

    fn phone_rank(&self, phone: &Property) -> u8 {
        let label = self.property_label(phone);
        let is = |names: &[&str]| {
            names.iter().any(|name| phone.is_of_type(name) || has_word(&label, name))
        };
        if is(&["cell", "mobile", "iphone", "pcs", "car"]) {
            0
        } else if is(&["work", "main"]) {
            1
        } else if is(&["home"]) {
            2
        } else {
            3
        }
    }

    /// The label that people gave to a property in Apple's programs, or that a program wrote
    /// as a parameter, in lower case.
    fn property_label(&self, property: &Property) -> String {
        if let Some(label) = property.parameter_values("LABEL").next() {
            return label.to_lowercase();
        }
        let Some(group) = &property.group else { return String::new() };
        let label = self.in_group(group).find(|other| other.name == "X-ABLABEL");
        label.and_then(|label| self.property_text(label).ok()).unwrap_or_default().to_lowercase()
    }

    /// The job titles, the preferred one first.
    pub(super) fn titles(&self) -> Result<Vec<ValueCandidate<'_>>, Undecodable> {
        Ok(sort_candidates(
            self.value_candidates(self.properties_named("TITLE"))?,
            property_preference,
        ))
    }

    /// The organisation: the first that has a name, or the first of all.
    pub(super) fn organisation(&self) -> Result<Option<ValueCandidate<'_>>, Undecodable> {
        let organisations = self.properties_named("ORG").map(|property| {
            let text = self.property_components(property)?.swap_remove(0);
            Ok(ValueCandidate { property, text })
        });
        let organisations = organisations.collect::<Result<Vec<_>, _>>()?;
        Ok(sort_candidates(organisations, |_| ()).into_iter().next())
    }

    fn company(&self) -> Result<String, Undecodable> {
        Ok(self.organisation()?.map_or_else(String::new, |organisation| organisation.text))
    }

    /// The address that the location is taken from, with the location: the preferred
    /// one, then that of work and of home, among those that have a city if any does, and else
    /// among those that show a location.
    pub(super) fn address(&self) -> Result<Option<ValueCandidate<'_>>, Undecodable> {
        let addresses = self.properties_named("ADR").map(|property| {
            Ok(ValueCandidate {
                property,
                text: location_text(&self.property_components(property)?),
            })
        });
        let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
        let place = |address: &Property| match () {
            () if address.is_of_type("work") => 0_u8,
            () if address.is_of_type("home") => 1,
            () => 2,
        };
        let has_no_city = |address: &Property| {
            self.property_components(address).ok().is_none_or(|components| {
                components.get(CITY).is_none_or(|city| city.trim().is_empty())
            })
        };
        let rank = |address: &Property| {
            (has_no_city(address), property_preference(address), place(address))
        };
        let addresses = sort_candidates(addresses, rank);
        Ok(addresses.into_iter().next())
    }

    /// Those of `properties` that are not blank.
    fn value_candidates<'c>(
        &'c self,
        properties: impl Iterator<Item = &'c Property>,
    ) -> Result<Vec<ValueCandidate<'c>>, Undecodable> {
        let candidates = properties.map(|property| {
            let text = self.property_text(property)?;
            Ok(ValueCandidate { property, text })
        });
        let candidates: Result<Vec<_>, _> = candidates.collect();
        Ok(candidates?.into_iter().filter(|one| !one.text.trim().is_empty()).collect())
    }
}

/// Whether `word` is one of the words of a label, such as `_$!<WorkFAX>!$_` or `Fax (home)`;
/// `Halifax` is no fax.
fn has_word(label: &str, word: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    let known = ["work", "home", "mobile", "other", "office", "private", "business", "main"];
    label.match_indices(word).any(|(at, _)| {
        let (before, after) = (&label[..at], &label[at + word.len()..]);
        let joined = known.iter().any(|known| {
            before.strip_suffix(known).is_some_and(|rest| !is_letter(rest.chars().next_back()))
        });
        (joined || !is_letter(before.chars().next_back())) && !is_letter(after.chars().next())
    })
}

/// Where an address is within a text that says more than that.
pub(super) fn around_address(text: &str) -> Option<Range<usize>> {
    bare_address(text).filter(|bare| text[bare.clone()] != *text.trim())
}

/// In order of rank, what shows nothing last; equals stay in the order of the card.
fn sort_candidates<K: Ord>(
    mut candidates: Vec<ValueCandidate<'_>>,
    rank: impl Fn(&Property) -> K,
) -> Vec<ValueCandidate<'_>> {
    let shows = |text: &str| Reverse(!text.trim().is_empty());
    candidates.sort_by_cached_key(|one| (shows(&one.text), rank(one.property)));
    candidates
}

/// How preferred a property is: 1 is most, 100 least (RFC 6350, section 5.3), and what
/// is not marked comes after.
fn property_preference(property: &Property) -> u8 {
    let told = property.parameter_values("PREF").find_map(|rank| rank.trim().parse().ok());
    match told {
        Some(rank @ 1..=100) => rank,
        Some(_) | None if property.is_of_type("pref") => 1,
        Some(_) | None => 101,
    }
}

/// `first` and `second` with `by` between them, where both are there.
pub(super) fn join_texts(first: &str, by: &str, second: &str) -> String {
    match (first.trim().is_empty(), second.trim().is_empty()) {
        (false, false) => format!("{first}{by}{second}"),
        (false, true) => first.to_owned(),
        (true, false) => second.to_owned(),
        (true, true) => String::new(),
    }
}

/// A display name in two.
fn split_display_name(display: &str) -> CardName {
    CardName::from_split(WholeName::take_apart(display).split_names())
}

/// A display name in two, beside a name that is told in parts, `middle` among them: what
/// both share tells where one name ends and the other begins.
fn display_name(display: &str, told: &CardName, middle: &str) -> CardName {
    let whole = WholeName::take_apart(display);
    let CardName { first, last } = told;
    let (first, last) = (first.trim(), last.trim());
    let core = whole.core_text();
    let without_middle = |name: &str| match name.strip_suffix(middle).map(str::trim_end) {
        Some(rest) if !middle.is_empty() && !rest.is_empty() => rest.to_owned(),
        Some(_) | None => name.to_owned(),
    };
    if whole.name_order() == Some(NameOrder::FirstLast) {
        if let Some(rest) = before_word(core, last) {
            return CardName { first: without_middle(rest), last: last.to_owned() };
        }
        if let Some(rest) = after_word(core, first) {
            let rest = after_word(rest, middle).unwrap_or(rest);
            return CardName { first: first.to_owned(), last: rest.to_owned() };
        }
    }
    let SplitName { first, last } = whole.split_names();
    CardName { first: without_middle(&first), last }
}

/// What stands before `word` at the end of a text.
fn before_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = text.strip_suffix(word).filter(|rest| rest.ends_with(char::is_whitespace))?;
    Some(rest.trim_end()).filter(|rest| !word.is_empty() && !rest.is_empty())
}

/// What stands behind `word` at the beginning of a text.
fn after_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(word).filter(|rest| rest.starts_with(char::is_whitespace))?;
    Some(rest.trim_start()).filter(|rest| !word.is_empty() && !rest.is_empty())
}

/// The location that the components of an address show: city and region, or city and
/// country where there is no region.
pub(super) fn location_text(components: &[String]) -> String {
    let component = |at: usize| components.get(at).map(String::as_str).unwrap_or_default();
    let region = component(REGION);
    let second = if region.trim().is_empty() { component(COUNTRY) } else { region };
    join_texts(component(CITY), ", ", second)
}

/// The number in a `tel:` address (RFC 3966), with its extension.
fn from_tel_uri(text: &str) -> Option<String> {
    let scheme = text.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("tel:"))?;
    let rest = &text[scheme.len()..];
    let mut parts = rest.split(';');
    let number = percent_decoded(parts.next()?);
    let extension = parts.find_map(|part| {
        part.get(..4).filter(|name| name.eq_ignore_ascii_case("ext=")).map(|_| &part[4..])
    });
    Some(match extension {
        Some(extension) => format!("{number} ext. {}", percent_decoded(extension)),
        None => number,
    })
}

fn percent_decoded(text: &str) -> String {
    let bytes = from_hexadecimal(b'%', text.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// A phone number as a `tel:` address.
pub(super) fn to_tel_uri(number: &str) -> String {
    let (number, extension) = match number.split_once(" ext. ") {
        Some((number, extension)) => (number, format!(";ext={}", percent_encoded(extension))),
        None => (number, String::new()),
    };
    format!("tel:{}{extension}", percent_encoded(number))
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9'
            | b'a'..=b'z'
            | b'A'..=b'Z'
            | b'+'
            | b'-'
            | b'.'
            | b'('
            | b')'
            | b'*'
            | b'#'
            | b'_'
            | b'/' => encoded.push(char::from(byte)),
            _ => {
                let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
                let digits = [digit(byte >> 4), digit(byte & 15)];
                encoded.extend(
                    ['%'].into_iter().chain(digits.map(|digit| digit.to_ascii_uppercase())),
                );
            }
        }
    }
    encoded
}

/// The instant that `REV` tells, in the spellings of all versions (ISO 8601). A day
/// is its first second; a time without a zone is in UTC.
fn parse_revision(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    for format in ["%Y%m%dT%H%M%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"] {
        if let Ok(at) = DateTime::parse_from_str(text, format) {
            return Some(at.to_utc());
        }
    }
    let local = text.trim_end_matches(['Z', 'z']);
    for format in ["%Y%m%dT%H%M%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(local, format) {
            return Some(at.and_utc());
        }
    }
    let day = ["%Y%m%d", "%Y-%m-%d"];
    let day = day.iter().find_map(|format| NaiveDate::parse_from_str(local, format).ok())?;
    Some(day.and_time(NaiveTime::MIN).and_utc())
}
