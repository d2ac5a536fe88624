//! The bytes of a file as text that can be edited.
//!
//! Owns byte order marks and UTF-16, which are taken off on reading and put on again
//! on writing. Everything else stays bytes: the charsets of values are
//! [`super::charset`]'s.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::source::charset;

/// A file's bytes without their outer encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DecodedCards {
    /// The byte order mark, if there is one.
    mark: Vec<u8>,
    /// The order of UTF-16; `None` for bytes whose charset each value tells.
    utf16: Option<&'static Encoding>,
    /// The bytes that cards are written in; UTF-8 where the file is UTF-16.
    pub(super) body: Vec<u8>,
}

impl DecodedCards {
    /// Takes the outer encoding off.
    ///
    /// # Errors
    /// Why the bytes are not what they pretend to be, for people.
    pub(super) fn decode(raw: &[u8]) -> Result<DecodedCards, String> {
        let (encoding, length) = Encoding::for_bom(raw).unwrap_or(match raw {
            [1..=0x7f, 0, 1..=0x7f, 0, ..] => (UTF_16LE, 0),
            [0, 1..=0x7f, 0, 1..=0x7f, ..] => (UTF_16BE, 0),
            _ => (UTF_8, 0),
        });
        let (mark, body) = raw.split_at(length);
        let utf16 = (encoding != UTF_8).then_some(encoding);
        let body = match utf16 {
            None => body.to_vec(),
            Some(order) => {
                charset::decode(body, order).ok_or("it is not valid UTF-16")?.into_bytes()
            }
        };
        Ok(DecodedCards { mark: mark.to_vec(), utf16, body })
    }

    /// The bytes of a file with another body, in the same outer encoding. `None` if
    /// it cannot hold it.
    pub(super) fn encode_body(&self, body: Vec<u8>) -> Option<Vec<u8>> {
        let body = match self.utf16 {
            None => body,
            Some(order) => charset::encode(&String::from_utf8(body).ok()?, order)?,
        };
        Some([&self.mark[..], &body].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outer_encoding_comes_back_byte_for_byte() {
        let text = "BEGIN:VCARD\r\nFN:Zoë 山\r\nEND:VCARD\r\n";
        let utf16 = |bytes: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
            mark.encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
        };
        let files = [
            text.as_bytes().to_vec(),
            [&b"\xef\xbb\xbf"[..], text.as_bytes()].concat(),
            utf16(u16::to_le_bytes, "\u{feff}"),
            utf16(u16::to_be_bytes, "\u{feff}"),
            utf16(u16::to_le_bytes, ""),
            utf16(u16::to_be_bytes, ""),
        ];
        for raw in files {
            let decoded = DecodedCards::decode(&raw).unwrap();
            assert_eq!(decoded.body, text.as_bytes());
            assert_eq!(decoded.encode_body(decoded.body.clone()), Some(raw));
        }
        assert!(DecodedCards::decode(b"\xff\xfeB\0E").is_err(), "half a character");
        assert!(DecodedCards::decode(b"\xff\xfe\x00\xd8").is_err(), "half a pair");
    }
}
