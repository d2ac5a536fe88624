//! A card: its properties as texts.
//!
//! Owns versions, charsets and components, as they are read. A property whose value
//! cannot be read is no property without a value: what depends on it is
//! [`Undecodable`]. Leaves what properties mean to [`super::values`].

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use super::escape::{
    from_base64, from_quoted_printable, separator_positions, unescape_text, unify_line_ends,
};
use super::property::{Property, name_of, start_of};
use super::scan::{self, Line, LineKind, Transfer};
use crate::model::Fingerprint;
use crate::source::charset::{self, Fallback};

/// Properties that programs write of themselves whenever they save a card.
const OF_PROGRAMS: [&str; 3] = ["VERSION", "PRODID", "REV"];

/// The version of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CardVersion {
    /// 2.1, by the Versit consortium.
    V2,
    /// 3.0, RFC 2426. Cards that do not tell are read as such.
    V3,
    /// 4.0, RFC 6350.
    V4,
}

/// One card within a body.
#[derive(Clone, Debug)]
pub(super) struct Card<'b> {
    pub(super) body: &'b [u8],
    pub(super) lines: &'b [Line],
    pub(super) version: CardVersion,
    /// The charset of what is neither declared nor UTF-8.
    pub(super) fallback: Fallback,
    /// Those that are looked at.
    pub(super) properties: Vec<Property>,
}

/// A value that is in none of the ways in which it could be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Undecodable(pub(super) String);

impl<'b> Card<'b> {
    /// A property on its own, with version and charset of this card. `line` must be one.
    pub(super) fn parsed_alone<'l>(&self, line: &'l [u8]) -> Option<(Card<'l>, Property)> {
        let found = scan::content_lines(line);
        let [only] = found[..] else { return None };
        let (version, fallback) = (self.version, self.fallback.clone());
        let card = Card { body: line, lines: &[], version, fallback, properties: Vec::new() };
        Some((card, Property::parse_line(only, line)?))
    }

    /// The card that `lines` of `body` make, cards within it aside.
    pub(super) fn new(body: &'b [u8], lines: &'b [Line]) -> Card<'b> {
        let properties = own(lines).filter_map(|line| Property::parse_line(*line, body)).collect();
        let whole = match (lines.first(), lines.last()) {
            (Some(first), Some(last)) => &body[first.start..last.end],
            _ => &[],
        };
        let fallback = charset::fallback_charset(whole);
        let mut card = Card { body, lines, version: CardVersion::V3, fallback, properties };
        card.version = card.told_version();
        card
    }

    /// What the properties say, whatever their order and their folding, without those that
    /// programs write of themselves.
    pub(super) fn content_fingerprint(&self) -> Fingerprint {
        let told = |line: &&Line| {
            let start = start_of(line, self.body);
            let (_, name) = name_of(&start);
            line.kind == LineKind::Property
                && !OF_PROGRAMS.iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
        };
        let mut properties: Vec<Vec<u8>> =
            self.lines.iter().filter(told).map(|line| self.unfold_line(line)).collect();
        properties.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        for property in &properties {
            hasher.update(&property.len().to_le_bytes());
            hasher.update(property);
        }
        Fingerprint(*hasher.finalize().as_bytes())
    }

    /// A line without folding; in base64 without any white space.
    fn unfold_line(&self, line: &Line) -> Vec<u8> {
        let mut unfolded = line.breaks.unfold_bytes(&self.body[line.start..line.content_end]);
        if Transfer::transfer_of(&line.breaks.unfold_bytes(line.head_bytes(self.body)))
            == Transfer::Base64
        {
            unfolded.retain(|byte| !byte.is_ascii_whitespace());
        }
        unfolded.truncate(unfolded.trim_ascii_end().len());
        unfolded
    }

    fn told_version(&self) -> CardVersion {
        let version = self.text_of("VERSION").unwrap_or_default();
        match version.trim() {
            "2.1" => CardVersion::V2,
            "4.0" => CardVersion::V4,
            _ => CardVersion::V3,
        }
    }

    /// The properties with this name, in the order of the card.
    pub(super) fn properties_named<'c>(
        &'c self,
        name: &'c str,
    ) -> impl Iterator<Item = &'c Property> {
        self.properties.iter().filter(move |property| property.name == name)
    }

    /// The properties of a group.
    pub(super) fn in_group<'c>(&'c self, group: &'c str) -> impl Iterator<Item = &'c Property> {
        let is_in = move |property: &&Property| property.group.as_deref() == Some(group);
        self.properties.iter().filter(is_in)
    }

    /// The text of the first property with this name that has a readable one.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        self.properties_named(name).find_map(|property| self.property_text(property).ok())
    }

    /// The text of a property's value.
    ///
    /// # Errors
    /// Why it cannot be read, for people.
    pub(super) fn property_text(&self, property: &Property) -> Result<String, Undecodable> {
        let written = property.written_value(self.body);
        Ok(self.meant_text(&self.decode_value(property, &written)?))
    }

    pub(super) fn meant_text(&self, written: &str) -> String {
        let text = unescape_text(written, self.version);
        unify_line_ends(&text).into_owned()
    }

    /// The components of a property's value, at least one.
    ///
    /// # Errors
    /// Why they cannot be read, for people.
    pub(super) fn property_components(
        &self,
        property: &Property,
    ) -> Result<Vec<String>, Undecodable> {
        Ok(self.property_pieces(property)?.iter().map(|piece| self.meant_text(piece)).collect())
    }

    /// The components as they are written, decoded but with their escapes.
    pub(super) fn property_pieces(&self, property: &Property) -> Result<Vec<String>, Undecodable> {
        let written = property.written_value(self.body);
        match property.transfer {
            // An encoded semicolon separates nothing.
            Transfer::QuotedPrintable => split_at(&written, &separator_positions(&written))
                .map(|piece| Ok(self.decode_value(property, piece)?.into_owned()))
                .collect(),
            Transfer::Plain | Transfer::Base64 => {
                let text = self.decode_value(property, &written)?;
                let pieces = split_at(text.as_bytes(), &separator_positions(text.as_bytes()));
                Ok(pieces.map(|piece| String::from_utf8_lossy(piece).into_owned()).collect())
            }
        }
    }

    fn decode_value<'w>(
        &self,
        property: &Property,
        written: &'w [u8],
    ) -> Result<Cow<'w, str>, Undecodable> {
        let bytes = match property.transfer {
            Transfer::Plain => Cow::Borrowed(written),
            Transfer::QuotedPrintable => Cow::Owned(from_quoted_printable(written)),
            Transfer::Base64 => {
                let damaged = || Undecodable("its base64 is damaged".to_owned());
                Cow::Owned(from_base64(written).ok_or_else(damaged)?)
            }
        };
        if bytes.contains(&0) {
            return Err(Undecodable("it contains a NUL character".to_owned()));
        }
        let Fallback { encoding, doubt } = self.told_charset(property, &bytes);
        if let Some(doubt) = doubt {
            return Err(Undecodable(doubt.of_a_value()));
        }
        if encoding == UTF_8
            && let Cow::Borrowed(bytes) = bytes
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return Ok(Cow::Borrowed(text));
        }
        charset::decode(&bytes, encoding).map(Cow::Owned).ok_or_else(|| {
            Undecodable(format!("it is not written in {}, as it should be", encoding.name()))
        })
    }

    /// The charset that a property's bytes are in.
    pub(super) fn property_charset(&self, property: &Property, bytes: &[u8]) -> &'static Encoding {
        self.told_charset(property, bytes).encoding
    }

    /// The charset that is declared, or else what is believed.
    fn told_charset(&self, property: &Property, bytes: &[u8]) -> Fallback {
        let declared = property.parameter_values("CHARSET").find_map(charset::declared_charset);
        // Phones write the charset without its name: `N;SHIFT_JIS:`.
        let mut bare = property.parameter_values("TYPE").filter(|name| name.contains(['-', '_']));
        match declared.or_else(|| bare.find_map(charset::declared_charset)) {
            Some(encoding) => Fallback { encoding, doubt: None },
            None => charset::undeclared_charset(bytes, &self.fallback),
        }
    }
}

/// The properties among the `lines` of a card, those of cards within it aside.
pub(super) fn own(lines: &[Line]) -> impl Iterator<Item = &Line> {
    let mut depth = 0_usize;
    lines.iter().filter(move |line| {
        match line.kind {
            LineKind::Begin => depth += 1,
            LineKind::End => depth = depth.saturating_sub(1),
            LineKind::Property | LineKind::Blank | LineKind::Other => {}
        }
        line.kind == LineKind::Property && depth == 1
    })
}

/// `written` between the `separators`.
pub(super) fn split_at<'w>(
    written: &'w [u8],
    separators: &[usize],
) -> impl Iterator<Item = &'w [u8]> + use<'w> {
    let starts: Vec<usize> = std::iter::once(0).chain(separators.iter().map(|at| at + 1)).collect();
    let ends: Vec<usize> = separators.iter().copied().chain([written.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| &written[start..end])
}

#[cfg(test)]
mod tests {
    use super::super::scan::Layout;
    use super::*;

    fn with_card<T>(body: &[u8], look: impl FnOnce(&Card<'_>) -> T) -> T {
        let layout = Layout::find_cards(body);
        look(&Card::new(body, &layout.lines[layout.cards[0].clone()]))
    }

    fn card(version: &str, line: &[u8]) -> Vec<u8> {
        [b"BEGIN:VCARD\r\nVERSION:", version.as_bytes(), b"\r\n", line, b"\r\nEND:VCARD\r\n"]
            .concat()
    }

    #[test]
    fn names_are_read_from_every_charset_and_encoding() {
        let table: [(&str, &[u8], [&str; 2]); 15] = [
            ("3.0", "N:Müller;Zoë;;;".as_bytes(), ["Müller", "Zoë"]),
            ("3.0", b"N:M\xfcller;Zo\xeb;;;", ["Müller", "Zoë"]),
            ("2.1", b"N;CHARSET=Windows-1252:M\xfcller;Zo\xeb", ["Müller", "Zoë"]),
            (
                "2.1",
                b"N;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCl=\r\nler;Zo=EB",
                ["Müller", "Zoë"],
            ),
            (
                "2.1",
                b"N;QUOTED-PRINTABLE;CHARSET=UTF-8:M=C3=\r\n=BCller;Zo=C3=AB",
                ["Müller", "Zoë"],
            ),
            ("2.1", b"N;CHARSET=Murks;QUOTED-PRINTABLE:M=FCller;Zo=EB", ["Müller", "Zoë"]),
            ("2.1", b"N;SHIFT_JIS;ENCODING=QUOTED-PRINTABLE:=8ER=93c;=91=BE=98Y", ["山田", "太郎"]),
            ("2.1", b"N;CHARSET=SHIFT_JIS:\x8e\x52\x93\x63;\x95\x5c\x98\x59", ["山田", "表郎"]),
            ("3.0", b"N:\x8e\x52\x93\x63;\x95\x5c\x98\x59", ["山田", "表郎"]),
            ("4.0", b"n:M\xc3\r\n \xbcller;Zo\xc3\xab", ["Müller", "Zoë"]),
            ("2.1", b"N;ENCODING=QUOTED-PRINTABLE:a=3Bb;c\\;d", ["a;b", "c;d"]),
            ("3.0", b"N:a\\;b;c\\,d\\\\", ["a;b", "c,d\\"]),
            ("3.0", b"N;ENCODING=b:TcO8bGxlcjtab8OrOzs7", ["Müller", "Zoë"]),
            ("2.1", b"N;CHARSET=ISO-8859-1;BASE64:\r\n TfxsbGVy\r\n O1pv6w\r\n", ["Müller", "Zoë"]),
            ("2.1", b"N;SHIFT_JIS;ENCODING=BASE64:jlKTYzuVXJhZ", ["山田", "表郎"]),
        ];
        for (version, line, expected) in table {
            let body = card(version, line);
            with_card(&body, |card| {
                let name = card.properties_named("N").next().unwrap();
                assert_eq!(card.property_components(name).unwrap()[..2], expected, "{line:?}");
            });
        }
    }

    #[test]
    fn what_is_not_in_its_charset_cannot_be_read() {
        for line in [
            &b"FN;CHARSET=UTF-8:Zo\xeb"[..],
            b"FN;ENCODING=b:QW5u*",
            b"FN;ENCODING=b:QW5uQ",
            b"FN;ENCODING=b:AEE=",
            b"FN;ENCODING=QUOTED-PRINTABLE:a=00",
        ] {
            with_card(&card("3.0", line), |card| {
                assert!(
                    card.property_text(card.properties_named("FN").next().unwrap()).is_err(),
                    "{line:?}"
                );
            });
        }
    }

    #[test]
    fn what_may_be_in_another_charset_cannot_be_read_until_that_is_declared() {
        let name: &[u8] = b"N:Dvo\xf8\xe1k;Ji\xf8\xed";
        let quoted: &[u8] = b"N;ENCODING=QUOTED-PRINTABLE:Dvo=F8=E1k;Ji=F8=ED";
        for (version, line) in [("3.0", name), ("2.1", name), ("2.1", quoted)] {
            let read = |line: &[u8]| {
                with_card(&card(version, line), |card| {
                    card.property_components(card.properties_named("N").next().unwrap())
                })
            };
            let Err(Undecodable(reason)) = read(line) else { panic!("{line:?}") };
            assert!(reason.contains("windows-1250") && reason.contains("CHARSET="), "{reason}");
            let declared = [b"N;CHARSET=Windows-1250", &line[1..]].concat();
            assert_eq!(read(&declared).unwrap()[..2], ["Dvořák", "Jiří"]);
        }
    }

    #[test]
    fn a_card_within_a_card_is_not_looked_into() {
        let body =
            b"BEGIN:VCARD\nVERSION:2.1\nAGENT:\nBEGIN:VCARD\nFN:b\nEND:VCARD\nFN:a\nEND:VCARD\n";
        with_card(body, |card| {
            assert_eq!(card.text_of("FN").as_deref(), Some("a"));
            assert_eq!((card.version, card.properties_named("FN").count()), (CardVersion::V2, 1));
        });
    }
}
