//! The country of the phone numbers of a source.
//!
//! Owns what speaks for a country: its name in a column or an address, numbers that begin
//! with its prefix, e-mail addresses that end in its domain, and headers in its `language`; and which numbers have no
//! form in which they can be sent. Leaves the names of countries to `countries.txt`.

use std::collections::BTreeMap;

use crate::model::{Canon, Field, Region, SourceRecord};
use crate::source::csv::TableShape;
use crate::source::{Source, SourceReading};

use super::language::regions_of_name;

/// How many records are asked for their country.
const SAMPLE: usize = 2_000;

/// How many countries are tried.
const CANDIDATES: usize = 5;

/// Fewer hints than this are chance, unless more numbers can be read because of them.
const ENOUGH: usize = 3;

/// Domains of countries that are used everywhere.
const EVERYWHERE: [&str; 14] =
    ["io", "co", "ai", "me", "tv", "eu", "cc", "fm", "ly", "gg", "to", "ws", "sh", "la"];

/// What a header says above a column of countries.
const COLUMN_WORDS: [&str; 9] =
    ["country", "pays", "land", "país", "pais", "paese", "kraj", "nation", "country/region"];

/// The phone numbers of a source, read in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// How many records have one.
    pub total: usize,
    /// How many of these are no valid numbers in the region.
    pub unusable: usize,
    /// Where the first of those stands: "`Phone` in row 7".
    pub example: Option<String>,
    /// The region in which more of them are valid, if there is one.
    pub better: Option<Better>,
}

/// A region that suits the phone numbers of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Better {
    /// The region.
    pub region: Region,
    /// What the country is called.
    pub country: String,
    /// How many numbers are unusable there.
    pub unusable: usize,
    /// What speaks for it, for people.
    pub because: String,
}

/// Looks at the phone numbers of `reading`, which are read in `region`.
pub fn count_numbers(source: &dyn Source, reading: &SourceReading, region: Region) -> Numbers {
    let canon = Canon::new(region);
    let has_number = |record: &&SourceRecord| !record.values[Field::PhoneNumber].trim().is_empty();
    let records: Vec<&SourceRecord> = reading.records.iter().filter(has_number).collect();
    let is_unusable = |record: &&&SourceRecord| !is_usable(canon, record);
    let unusable: Vec<&&SourceRecord> = records.iter().filter(is_unusable).collect();
    let example =
        unusable.first().map(|record| record.cell_name(Field::PhoneNumber, &reading.places));
    Numbers {
        total: records.len(),
        unusable: unusable.len(),
        example,
        better: better_region(source, reading, &records, region),
    }
}

fn is_usable(canon: Canon, record: &SourceRecord) -> bool {
    canon.is_usable_number(&record.values[Field::PhoneNumber])
}

/// What speaks for countries.
#[derive(Default)]
struct Hints {
    names: BTreeMap<Region, usize>,
    prefixes: BTreeMap<Region, usize>,
    domains: BTreeMap<Region, usize>,
    /// Headers in the language of a country, and what the language is called.
    headers: BTreeMap<Region, usize>,
    languages: BTreeMap<Region, &'static str>,
}

impl Hints {
    fn total_hints(&self, region: Region) -> usize {
        [&self.names, &self.prefixes, &self.domains, &self.headers]
            .into_iter()
            .map(|hints| hints.get(&region).copied().unwrap_or_default())
            .sum()
    }

    /// The regions for which something speaks, with how much; most first.
    fn ranked_regions(&self) -> Vec<(usize, Region)> {
        let regions = [&self.names, &self.prefixes, &self.domains, &self.headers];
        let mut regions: Vec<Region> =
            regions.into_iter().flat_map(|m| m.keys().copied()).collect();
        regions.sort();
        regions.dedup();
        let mut ranked: Vec<(usize, Region)> =
            regions.into_iter().map(|region| (self.total_hints(region), region)).collect();
        ranked.sort_by_key(|(count, region)| (std::cmp::Reverse(*count), *region));
        ranked
    }

    fn in_words(&self, region: Region) -> String {
        let count = |hints: &BTreeMap<Region, usize>, one: &str, many: &str| {
            let count = hints.get(&region).copied().filter(|count| *count > 0)?;
            Some(format!("{count} {}", if count == 1 { one } else { many }))
        };
        let hints = [
            count(&self.names, "country name", "country names"),
            count(&self.prefixes, "number with its prefix", "numbers with its prefix"),
            count(&self.domains, "e-mail address in its domain", "e-mail addresses in its domain"),
            count(&self.headers, "header in", "headers in").map(|headers| {
                format!("{headers} {}", self.languages.get(&region).unwrap_or(&"its language"))
            }),
        ];
        hints.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// The region that suits the numbers better than `region` does, if there is one.
fn better_region(
    source: &dyn Source,
    reading: &SourceReading,
    records: &[&SourceRecord],
    region: Region,
) -> Option<Better> {
    let is_national =
        |record: &&&SourceRecord| !record.values[Field::PhoneNumber].trim_start().starts_with('+');
    let national: Vec<&SourceRecord> = records.iter().filter(is_national).copied().collect();
    if national.is_empty() {
        return None;
    }
    let hints = region_hints(source, reading);
    let ranked = hints.ranked_regions();
    let usable = |region: Region| {
        let canon = Canon::new(region);
        national.iter().take(SAMPLE).filter(|record| is_usable(canon, record)).count()
    };
    let now = usable(region);
    let candidates = ranked.iter().take(CANDIDATES).filter(|(_, other)| *other != region);
    let (usable, count, best) = candidates
        .map(|(count, other)| (usable(*other), *count, *other))
        .max_by_key(|(usable, count, _)| (*usable, *count))?;
    let all: usize = ranked.iter().map(|(count, _)| count).sum();
    let is_told = count >= ENOUGH && count * 2 > all && hints.total_hints(region) == 0;
    if usable < now || usable == 0 || usable == now && !is_told {
        return None;
    }
    let canon = Canon::new(best);
    Some(Better {
        region: best,
        country: country_name(best),
        unusable: records.iter().filter(|record| !is_usable(canon, record)).count(),
        because: hints.in_words(best),
    })
}

fn region_hints(source: &dyn Source, reading: &SourceReading) -> Hints {
    let countries = countries();
    let shape = source.table_shape();
    let mut hints = Hints::default();
    for name in shape.iter().flat_map(|shape| &shape.header) {
        for (region, language) in regions_of_name(name) {
            *hints.headers.entry(region).or_default() += 1;
            hints.languages.insert(region, language);
        }
    }
    for record in reading.records.iter().take(SAMPLE) {
        let mut add = |to: fn(&mut Hints) -> &mut BTreeMap<Region, usize>,
                       region: Option<Region>| {
            if let Some(region) = region {
                *to(&mut hints).entry(region).or_default() += 1;
            }
        };
        let written = source.as_written(record.index).text;
        let location = country_of_location(&record.values[Field::Location]);
        let named = match &shape {
            Some(shape) => country_cells(shape, &written),
            None => countries_of_card(&written),
        };
        let mut named = named.iter().map(String::as_str).chain([location]);
        add(
            |hints| &mut hints.names,
            named.find_map(|text| countries.get(&plain_letters(text)).copied()),
        );
        let number = &record.values[Field::PhoneNumber];
        add(|hints| &mut hints.prefixes, Region::of_number(number));
        add(|hints| &mut hints.domains, of_domain(&record.values[Field::Email]));
    }
    hints
}

/// The last part of a location, unless it is an abbreviation: `CA` is California there.
fn country_of_location(location: &str) -> &str {
    let last = location.rsplit(',').next().unwrap_or_default().trim();
    if last.chars().count() > 2 || last.eq_ignore_ascii_case("uk") { last } else { "" }
}

/// The country whose domain an e-mail address ends in.
fn of_domain(email: &str) -> Option<Region> {
    let (_, domain) = email.trim().rsplit_once('@')?;
    let (_, last) = domain.rsplit_once('.')?;
    let last = last.to_ascii_lowercase();
    match last.as_str() {
        "uk" => Some(Region::GB),
        other if EVERYWHERE.contains(&other) => None,
        other => other.parse().ok(),
    }
}

/// What stands in the columns of a row that are headed as those of countries.
fn country_cells(shape: &TableShape, row: &str) -> Vec<String> {
    let is_country = |name: &&String| {
        let name = name.to_lowercase();
        name.split(|c: char| c.is_whitespace() || "-_:()".contains(c))
            .any(|word| COLUMN_WORDS.contains(&word))
    };
    let columns: Vec<usize> =
        (0..shape.header.len()).filter(|column| is_country(&&shape.header[*column])).collect();
    if columns.is_empty() {
        return Vec::new();
    }
    let cells = split_cells(row, char::from(shape.delimiter));
    columns.into_iter().filter_map(|column| cells.get(column).cloned()).collect()
}

/// The cells of a row as it is written, below the header; enough of the grammar to count
/// them.
fn split_cells(row: &str, delimiter: char) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in row.trim_end_matches(['\r', '\n']).chars() {
        match c {
            '"' => quoted = !quoted,
            '\n' if !quoted => cells = vec![String::new()],
            c if c == delimiter && !quoted => cells.push(String::new()),
            c => cells.last_mut().into_iter().for_each(|cell| cell.push(c)),
        }
    }
    cells
}

/// The countries in the addresses of a card: the last part of each.
fn countries_of_card(card: &str) -> Vec<String> {
    let address = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let name = name.split(';').next()?.rsplit('.').next()?;
        let country = value.rsplit(';').next()?.trim();
        (name.eq_ignore_ascii_case("ADR") && !country.is_empty()).then(|| country.to_owned())
    };
    card.lines().filter_map(address).collect()
}

const COUNTRIES: &str = include_str!("countries.txt");

fn country_lines() -> impl Iterator<Item = (Region, &'static str)> {
    let line = |line: &'static str| {
        let (code, names) = line.split_once(' ')?;
        Some((code.parse().ok()?, names))
    };
    COUNTRIES.lines().filter_map(line)
}

/// The countries by what they are called, their codes included.
fn countries() -> BTreeMap<String, Region> {
    let names = |(region, names): (Region, &'static str)| {
        let names = names.split('|').map(move |name| (plain_letters(name), region));
        names.chain([(plain_letters(&region.to_string()), region)])
    };
    country_lines().flat_map(names).collect()
}

/// What a country is called, for people.
pub fn country_name(region: Region) -> String {
    let names = country_lines()
        .find(|(of, _)| *of == region)
        .and_then(|(_, names)| names.split('|').next());
    names.map_or_else(|| region.to_string(), str::to_owned)
}

fn plain_letters(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_known_by_name_and_code_and_none_by_two() {
        let countries = countries();
        let of = |name: &str| countries.get(&plain_letters(name)).map(ToString::to_string);
        for (name, code) in [
            ("France", "FR"),
            ("DEUTSCHLAND", "DE"),
            ("España", "ES"),
            ("日本", "JP"),
            ("uk", "GB"),
            ("usa", "US"),
            ("fr", "FR"),
        ] {
            assert_eq!(of(name).as_deref(), Some(code), "{name}");
        }
        assert_eq!(of("Paris"), None);
        let names: usize = country_lines().map(|(_, names)| names.split('|').count() + 1).sum();
        assert_eq!(countries.len(), names, "a name is there twice");
        assert_eq!(country_lines().count(), COUNTRIES.lines().count(), "each has numbers");
        assert_eq!(country_name("DE".parse().unwrap()), "Germany");
    }

    #[test]
    fn a_domain_speaks_for_its_country_unless_it_is_used_everywhere() {
        let of = |email| of_domain(email).map(|region| region.to_string());
        assert_eq!(of("a@x.fr").as_deref(), Some("FR"));
        assert_eq!(of("a@x.co.uk").as_deref(), Some("GB"));
        for none in ["a@x.com", "a@x.io", "a@x.example", "a", ""] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn the_state_behind_a_city_is_no_country() {
        assert_eq!(country_of_location("San Francisco, CA"), "");
        assert_eq!(country_of_location("Paris, France"), "France");
        assert_eq!(country_of_location("London, UK"), "UK");
        assert_eq!(country_of_location("Lisboa"), "Lisboa");
    }

    #[test]
    fn a_country_is_found_in_its_column_and_in_the_address_of_a_card() {
        let shape = |header: &[&str]| TableShape {
            encoding: "UTF-8",
            delimiter: b';',
            header: header.iter().map(|name| (*name).to_owned()).collect(),
            columns: BTreeMap::new(),
            further: BTreeMap::new(),
            full_name: None,
        };
        let row = "A;\"B\nb\";C\nIda;\"Rue 1; 2\";France\n";
        assert_eq!(country_cells(&shape(&["Name", "Street", "Billing Country"]), row), ["France"]);
        assert_eq!(country_cells(&shape(&["Nom", "Rue", "Pays"]), row), ["France"]);
        assert!(country_cells(&shape(&["Name", "Landing page", "Cell"]), row).is_empty());
        let card =
            "BEGIN:VCARD\nitem1.ADR;TYPE=work:;;Rue 1;Paris;;75001;France\nADR:;;;;;;\nEND:VCARD\n";
        assert_eq!(countries_of_card(card), ["France"]);
    }
}
