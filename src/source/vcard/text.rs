//! The bytes of a file as text that can be edited.
//!
//! Owns byte order marks and UTF-16, which are taken off on reading and put on again
//! on writing. Everything else stays bytes: the charsets of values are
//! [`super::charset`]'s.

/// How a whole file is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// Bytes whose charset each value tells.
    Bytes,
    /// UTF-8 behind a byte order mark.
    Marked,
    /// UTF-16 in this order.
    Utf16 { order: Order, mark: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file's bytes without their outer encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    coding: Coding,
    /// The bytes that cards are written in; UTF-8 where the file is UTF-16.
    pub(super) body: Vec<u8>,
}

impl Text {
    /// Takes the outer encoding off.
    ///
    /// # Errors
    /// Why the bytes are not what they pretend to be, for people.
    pub(super) fn decode(raw: &[u8]) -> Result<Text, String> {
        if let Some(body) = raw.strip_prefix(UTF8_MARK) {
            return Ok(Text { coding: Coding::Marked, body: body.to_vec() });
        }
        let (order, mark) = match raw {
            [0xff, 0xfe, ..] => (Order::Little, true),
            [0xfe, 0xff, ..] => (Order::Big, true),
            [1..=0x7f, 0, 1..=0x7f, 0, ..] => (Order::Little, false),
            [0, 1..=0x7f, 0, 1..=0x7f, ..] => (Order::Big, false),
            _ => return Ok(Text { coding: Coding::Bytes, body: raw.to_vec() }),
        };
        let units = if mark { &raw[2..] } else { raw };
        let body = from_utf16(units, order).ok_or("it is not valid UTF-16")?;
        Ok(Text { coding: Coding::Utf16 { order, mark }, body: body.into_bytes() })
    }

    /// The bytes of a file with another body, in the same outer encoding. `None` if
    /// it cannot hold it.
    pub(super) fn encode(&self, body: Vec<u8>) -> Option<Vec<u8>> {
        match self.coding {
            Coding::Bytes => Some(body),
            Coding::Marked => Some([UTF8_MARK, &body].concat()),
            Coding::Utf16 { order, mark } => {
                let text = String::from_utf8(body).ok()?;
                let mark = mark.then_some(0xfeff_u16);
                let units = mark.into_iter().chain(text.encode_utf16());
                Some(units.flat_map(|unit| order.bytes(unit)).collect())
            }
        }
    }
}

impl Order {
    const fn bytes(self, unit: u16) -> [u8; 2] {
        match self {
            Order::Little => unit.to_le_bytes(),
            Order::Big => unit.to_be_bytes(),
        }
    }

    const fn unit(self, bytes: [u8; 2]) -> u16 {
        match self {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        }
    }
}

fn from_utf16(bytes: &[u8], order: Order) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    char::decode_utf16(pairs.iter().map(|pair| order.unit(*pair))).collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outer_encoding_comes_back_byte_for_byte() {
        let text = "BEGIN:VCARD\r\nFN:Zoë 山\r\nEND:VCARD\r\n";
        let utf16 = |order: Order, mark: &str| -> Vec<u8> {
            let units = mark.encode_utf16().chain(text.encode_utf16()).collect::<Vec<_>>();
            units.into_iter().flat_map(|unit| order.bytes(unit)).collect()
        };
        let files = [
            text.as_bytes().to_vec(),
            [UTF8_MARK, text.as_bytes()].concat(),
            utf16(Order::Little, "\u{feff}"),
            utf16(Order::Big, "\u{feff}"),
            utf16(Order::Little, ""),
            utf16(Order::Big, ""),
        ];
        for raw in files {
            let decoded = Text::decode(&raw).unwrap();
            assert_eq!(decoded.body, text.as_bytes());
            assert_eq!(decoded.encode(decoded.body.clone()), Some(raw));
        }
        assert!(Text::decode(b"\xff\xfeB\0E").is_err(), "half a character");
        assert!(Text::decode(b"\xff\xfe\x00\xd8").is_err(), "half a pair");
    }
}
