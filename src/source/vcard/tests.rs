//! The laws of a card, over cards of every shape, and the examples of the document.

use proptest::prelude::*;

use super::put::put_changes;
use super::scan::Layout;
use super::*;
use crate::model::{Field, FieldChange, Values};

/// The fields that a card holds.
const FIELDS: [Field; 7] = [
    Field::FirstName,
    Field::LastName,
    Field::Email,
    Field::PhoneNumber,
    Field::Company,
    Field::Title,
    Field::Location,
];

fn values(card: &[u8]) -> Values {
    cards_of(card).people.swap_remove(0).unwrap()
}

fn change(card: &[u8], field: Field, to: &str) -> FieldChange {
    FieldChange { field, from: values(card)[field].clone(), to: to.into() }
}

/// A property in one of the shapes in which programs write it.
fn property() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "N:King;Ada;Augusta;Dr.;",
        "N:;;;;",
        "n:King;A\n da;;;",
        "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:K=C3=B6=\nnig;Ada",
        "FN:Ada King",
        "FN:King, Ada",
        "FN;X-A=\"b:c\":Engines",
        "EMAIL;TYPE=INTERNET,PREF:ada@engines.example",
        "item1.EMAIL:ada@home.example\nitem1.X-ABLabel:Home",
        "EMAIL:",
        "TEL;TYPE=FAX:+14155550100",
        "TEL;TYPE=CELL:+14155550101",
        "TEL;VALUE=uri:tel:+1-415-555-0102;ext=3",
        "ORG:Engines;Analytical",
        "ORG;ENCODING=QUOTED-PRINTABLE:Eng=3Bines;A=\nb",
        "TITLE:Countess\\, first\\nof all",
        "TITLE:A title that is long enough to be folded by whoever wrote the card\n  down",
        "ADR;TYPE=HOME:;;1 Main St;Oslo;;0150;Norway",
        "ADR:;;;;CA;;",
        "ADR;TYPE=WORK:;;2 Main St;;;;",
        "NOTE:Kept\\, as it is",
        "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4QoPRXhpZgAATU0A\n KgAAAAgADQEOAA",
        "# a remark",
        "X-UNKNOWN;A=b:c;d",
        "AGENT:\nBEGIN:VCARD\nN:Nested;Card\nEND:VCARD",
    ])
}

fn card() -> impl Strategy<Value = Vec<u8>> {
    let version = prop::sample::select(vec!["2.1", "3.0", "4.0", ""]);
    let ending = prop::sample::select(vec!["\n", "\r\n", "\r\r\n"]);
    (version, ending, prop::collection::vec(property(), 0..9)).prop_map(
        |(version, ending, properties)| {
            let version =
                if version.is_empty() { String::new() } else { format!("VERSION:{version}\n") };
            let body = [&properties[..], &[""]].concat().join("\n");
            format!("BEGIN:VCARD\n{version}UID:u-1\n{body}END:VCARD\n")
                .replace('\n', ending)
                .into_bytes()
        },
    )
}

fn field() -> impl Strategy<Value = Field> {
    prop::sample::select(FIELDS.to_vec())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z ,;:\\\\=\"'.@+0-9-]{1,24}",
        "[a-zäöü山田]{1,12}(, [A-Z]{2})?",
        "[^\\x00-\\x1f\\x7f-\\x9f]{1,90}",
        "[a-z]{1,5}\n[a-z]{1,5}",
        Just(String::new()),
    ]
}

/// Any byte, and those at which readers stumble.
fn odd_byte() -> impl Strategy<Value = u8> {
    let odd = b"\r\n\t =:;,.\\\"\0\x82\xe9\xff\xc3\xbc";
    prop_oneof![any::<u8>(), prop::sample::select(odd.to_vec())]
}

/// How several addresses of a card read: without what the linked one would be.
fn several(card: &[u8], field: Field) -> Vec<String> {
    let layout = Layout::find_cards(card);
    let person = super::card::Card::new(card, &layout.lines).card_values();
    match field {
        Field::Email => person.emails,
        Field::PhoneNumber => person.phones,
        Field::FirstName
        | Field::LastName
        | Field::Company
        | Field::Title
        | Field::Location
        | Field::Owner => vec![person.values[field].to_string()],
    }
}

proptest! {
    #[test]
    fn what_is_put_is_what_is_read_and_everything_else_stays(
        card in card(), field in field(), to in text(),
    ) {
        let change = change(&card, field, &to);
        let new = put_changes(&card, std::slice::from_ref(&change)).unwrap();
        prop_assert_eq!(check::prove_edit(&card, &new, std::slice::from_ref(&change)), Ok(()));
        if to.trim().is_empty() {
            prop_assert!(change.from.is_empty() || several(&new, field).iter().all(|one| *one != change.from));
        } else {
            prop_assert!(several(&new, field).contains(&to), "{:?}", String::from_utf8_lossy(&new));
        }
        for other in FIELDS.into_iter().filter(|other| *other != field) {
            prop_assert_eq!(&values(&new)[other], &values(&card)[other]);
        }
    }

    #[test]
    fn putting_what_is_there_changes_nothing(card in card(), field in field(), to in text()) {
        let same: Vec<FieldChange> = FIELDS.map(|field| change(&card, field, &values(&card)[field])).into();
        prop_assert_eq!(put_changes(&card, &same).unwrap(), card.clone());
        let once = put_changes(&card, &[change(&card, field, &to)]).unwrap();
        let again = FieldChange { field, from: to.as_str().into(), to: to.as_str().into() };
        prop_assert_eq!(put_changes(&once, &[again]).unwrap(), once);
    }

    #[test]
    fn a_new_card_says_what_it_was_made_of(
        texts in prop::collection::vec(text(), 7), kept in prop::sample::subsequence(FIELDS.to_vec(), 1..=7),
    ) {
        let filled = FIELDS.into_iter().zip(texts).filter(|(field, _)| kept.contains(field));
        let values: Values = filled.collect();
        for version in [VcardVersion::V3, VcardVersion::V4] {
            let made = new_card::new_card(crate::model::LinqId(7), &values, version, None).unwrap();
            let read = self::values(&made);
            for field in FIELDS {
                let is_blank = values[field].trim().is_empty();
                prop_assert_eq!(&read[field], if is_blank { "" } else { &values[field] });
            }
            prop_assert_eq!(cards_of(&made).uids, [Some("linqsync-7".to_owned())]);
            let text = String::from_utf8(made).unwrap();
            prop_assert!(text.lines().all(|line| line.len() <= 75), "{}", text);
            prop_assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        }
    }

    #[test]
    fn no_bytes_are_too_odd_to_be_kept(bytes in prop::collection::vec(any::<u8>(), 0..200), cards in prop::collection::vec(card(), 0..3)) {
        let mut raw = bytes;
        raw.extend(cards.concat());
        prop_assert_eq!(probe(&raw), Ok(()));
    }
}

proptest! {
    #[test]
    fn a_damaged_card_breaks_no_law(
        card in card(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), odd_byte(), 0..6_u8), 1..6),
    ) {
        let mut raw = card;
        for (at, byte, how) in damage {
            let at = at.index(raw.len());
            match how {
                0 => raw[at] = byte,
                1 => raw.insert(at, byte),
                2 => raw.truncate(at.max(1)),
                3 => raw.extend_from_within(at..),
                4 => raw.retain(|one| *one != byte),
                _ => drop(raw.remove(at)),
            }
            if raw.is_empty() {
                break;
            }
        }
        prop_assert_eq!(probe(&raw), Ok(()));
    }
}

/// The examples of `docs/mapping.md`, each as its lines.
fn examples() -> Vec<Vec<&'static str>> {
    let document = include_str!("../../../docs/mapping.md");
    let blocks = document.split("```text\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().lines().collect()).collect()
}

fn of_lines(lines: &[&str]) -> Vec<u8> {
    let version =
        if lines.iter().any(|line| line.starts_with("VERSION")) { "" } else { "VERSION:3.0\r\n" };
    format!("BEGIN:VCARD\r\n{version}{}\r\nEND:VCARD\r\n", lines.join("\r\n")).into_bytes()
}

fn named(line: &str) -> (Field, &str) {
    let (name, value) = line[line.find(' ').unwrap() + 1..].split_once(':').unwrap();
    (Field::from_name(name).unwrap(), value.trim())
}

#[test]
fn the_examples_of_the_document_are_true() {
    let examples = examples();
    assert!(examples.len() >= 10);
    for lines in examples {
        let first = lines.iter().position(|line| line.starts_with(['→', '←'])).unwrap();
        let card = of_lines(&lines[..first]);
        for (field, value) in
            lines.iter().filter(|line| line.starts_with('→')).map(|line| named(line))
        {
            assert_eq!(values(&card)[field], value, "{lines:?}");
        }
        let Some(edit) = lines.iter().position(|line| line.starts_with('←')) else { continue };
        let (field, to) = named(lines[edit]);
        let new = put_changes(&card, &[change(&card, field, to)]).unwrap();
        assert_eq!(
            String::from_utf8(new).unwrap(),
            String::from_utf8(of_lines(&lines[edit + 1..])).unwrap()
        );
    }
}
