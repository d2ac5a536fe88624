//! Another reader beside ours: calcard, over cards of every version.
//!
//! The two agree on what the properties of a card say, apart from the differences that
//! [`EXPECTED`] names with their reasons.

use calcard::vcard::{VCard, VCardProperty, VCardValue};
use proptest::prelude::*;

use super::card::Card;
use super::scan::Layout;

/// The properties that are compared: those that fields are read from.
const COMPARED: [(&str, VCardProperty); 7] = [
    ("N", VCardProperty::N),
    ("FN", VCardProperty::Fn),
    ("EMAIL", VCardProperty::Email),
    ("TEL", VCardProperty::Tel),
    ("ORG", VCardProperty::Org),
    ("TITLE", VCardProperty::Title),
    ("ADR", VCardProperty::Adr),
];

/// Where the two differ in `tests/cards`, and why.
const EXPECTED: [(&str, &str, &str); 1] =
    [("odd-phone", "EMAIL", "it leaves out what stands behind a card within the card")];

/// Whether a property is one of several components.
fn has_components(name: &str) -> bool {
    matches!(name, "N" | "ORG" | "ADR")
}

/// What a property says: its texts, blank ones at the end left out.
fn trimmed(mut texts: Vec<String>) -> Vec<String> {
    while texts.last().is_some_and(|text| text.trim().is_empty()) {
        texts.pop();
    }
    texts.into_iter().map(|text| text.trim().to_owned()).collect()
}

fn ours(raw: &[u8], name: &str) -> Vec<Vec<String>> {
    let layout = Layout::find_cards(raw);
    let card = Card::new(raw, &layout.lines[layout.cards[0].clone()]);
    let said = card.properties_named(name).filter_map(|property| {
        if has_components(name) {
            card.property_components(property).ok()
        } else {
            card.property_text(property).ok().map(|text| vec![text])
        }
    });
    said.map(trimmed).filter(|texts| !texts.is_empty()).collect()
}

fn theirs(card: &VCard, (name, property): &(&str, VCardProperty)) -> Vec<Vec<String>> {
    let said = card.entries.iter().filter(|entry| entry.name == *property).map(|entry| {
        let texts: Vec<String> = entry.values.iter().map(text).collect();
        // A comma parts texts for calcard; for us it is a character of one.
        if has_components(name) { texts } else { vec![texts.join(",")] }
    });
    said.map(trimmed).filter(|texts| !texts.is_empty()).collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the values of another library")]
fn text(value: &VCardValue) -> String {
    match value {
        VCardValue::Text(text) => text.clone(),
        VCardValue::Component(texts) => texts.join(","),
        other => format!("{other:?}"),
    }
}

type Readings = Vec<Vec<String>>;

/// The properties of a card that the two read differently.
fn differences(raw: &[u8]) -> Vec<(&'static str, Readings, Readings)> {
    let text = std::str::from_utf8(raw).unwrap();
    let card = VCard::parse(text).unwrap_or_else(|entry| panic!("{entry:?}\n{text}"));
    let both = COMPARED.iter().map(|compared| {
        let name = compared.0;
        (name, ours(raw, name), theirs(&card, compared))
    });
    both.filter(|(_, ours, theirs)| ours != theirs).collect()
}

fn piece() -> impl Strategy<Value = String> {
    "[A-Za-zäö山.'@+0-9-]{1,12}( [a-z]{1,9}){0,9}"
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,")
}

/// A line, folded as the versions since 3.0 fold it.
fn folded(line: &str, width: usize) -> String {
    let (mut folded, mut octets) = (String::new(), 0);
    for c in line.chars() {
        if octets + c.len_utf8() > width {
            folded += "\r\n ";
            octets = 1;
        }
        octets += c.len_utf8();
        folded.push(c);
    }
    folded + "\r\n"
}

proptest! {
    #[test]
    fn what_others_read_in_cards_of_every_version_is_what_we_read(
        version in prop::sample::select(vec!["2.1", "3.0", "4.0"]),
        names in prop::collection::vec(piece(), 2..5),
        texts in prop::collection::vec(piece(), 4),
        units in prop::collection::vec(piece(), 1..4),
        address in prop::collection::vec(piece(), 7),
        odd in prop::sample::select(vec!["", "; Ltd", ", Inc", " \\ Sons"]),
        width in 20..90_usize,
    ) {
        // Escapes of commas came with 3.0, as did folding within words.
        let (odd, width) = if version == "2.1" { ("", usize::MAX) } else { (odd, width) };
        let list = |texts: &[String]| {
            texts.iter().map(|text| escaped(text)).collect::<Vec<_>>().join(";")
        };
        let lines = [
            format!("N:{}", list(&names)),
            format!("FN:{}", escaped(&format!("{}{odd}", texts[0]))),
            format!("EMAIL;TYPE=INTERNET:{}", escaped(&texts[1])),
            format!("TEL;TYPE=CELL:{}", escaped(&texts[2])),
            format!("ORG:{}", list(&units)),
            format!("TITLE:{}", escaped(&format!("{}{odd}", texts[3]))),
            format!("ADR;TYPE=WORK:{}", list(&address)),
        ];
        let lines: String = lines.iter().map(|line| folded(line, width)).collect();
        let card = format!("BEGIN:VCARD\r\nVERSION:{version}\r\n{lines}END:VCARD\r\n");
        prop_assert_eq!(differences(card.as_bytes()), vec![], "{}", card);
    }
}

/// The cards of `tests/cards` that calcard can be asked about: it takes UTF-8 alone.
fn cards() -> Vec<(String, Vec<u8>)> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cards");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let cards = files.map(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(path).unwrap())
    });
    let mut cards: Vec<_> = cards.filter(|(_, raw)| std::str::from_utf8(raw).is_ok()).collect();
    cards.sort();
    cards
}

#[test]
fn what_others_read_in_the_cards_of_many_programs_is_what_we_read() {
    let cards = cards();
    assert!(cards.len() > 15);
    let (mut met, mut wrong) = (0, Vec::new());
    for (card, raw) in cards {
        for (property, ours, theirs) in differences(&raw) {
            if EXPECTED.iter().any(|known| (known.0, known.1) == (&*card, property)) {
                met += 1;
            } else {
                wrong.push(format!("{card}: {property}: {ours:?}, and calcard {theirs:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(met, EXPECTED.len(), "a difference that is expected is none any more");
}
