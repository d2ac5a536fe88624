//! What a file may say, in whatever way it is written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What a file may say: in every charset, with its lines unfolded, with what is written
/// in quoted-printable or base64 decoded, and without backslashes before characters. One
/// after the other, since a file may be large.
pub(super) fn decodings(bytes: &[u8]) -> impl Iterator<Item = String> + use<> {
    use encoding_rs::{
        BIG5, EUC_JP, EUC_KR, GB18030, IBM866, ISO_8859_2, KOI8_U, MACINTOSH, SHIFT_JIS, UTF_8,
        UTF_16BE, UTF_16LE, WINDOWS_874, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253,
        WINDOWS_1254, WINDOWS_1255, WINDOWS_1256, WINDOWS_1257,
    };
    let mut forms = vec![bytes.to_vec()];
    let unfolded = unfold_lines(bytes);
    forms.extend(memchr::memchr(b'=', &unfolded).map(|_| from_quoted_printable(&unfolded)));
    forms.push(from_base64(&unfolded));
    forms.push(unfolded);
    let encodings = [
        UTF_8,
        UTF_16LE,
        UTF_16BE,
        WINDOWS_1252,
        SHIFT_JIS,
        WINDOWS_1250,
        WINDOWS_1251,
        WINDOWS_1253,
        WINDOWS_1254,
        WINDOWS_1255,
        WINDOWS_1256,
        WINDOWS_1257,
        WINDOWS_874,
        ISO_8859_2,
        KOI8_U,
        IBM866,
        MACINTOSH,
        GB18030,
        BIG5,
        EUC_KR,
        EUC_JP,
    ];
    forms.into_iter().flat_map(move |form| {
        // What is ASCII says the same in all of them, but for those of two bytes.
        let is_ascii = form.is_ascii() && !form.contains(&0);
        let count = if is_ascii { 1 } else { encodings.len() };
        encodings.into_iter().take(count).flat_map(move |encoding| {
            let text = encoding.decode_without_bom_handling(&form).0.into_owned();
            let plain = text.contains('\\').then(|| text.replace('\\', ""));
            std::iter::once(text).chain(plain)
        })
    })
}

/// Without line breaks that something goes on behind: before a blank, which goes too,
/// and after the `=` of quoted-printable.
fn unfold_lines(bytes: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
    let mut unfolded = Vec::with_capacity(text.len());
    let mut rest = &text[..];
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'\n', [b' ' | b'\t', after @ ..]) | (b'=', [b'\n', after @ ..]) => after,
            _ => {
                unfolded.push(*byte);
                after
            }
        };
    }
    unfolded
}

fn from_quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        let pair = match (byte, after) {
            (b'=', [high, low, ..]) => digit(high).zip(digit(low)),
            _ => None,
        };
        decoded.push(pair.map_or(*byte, |(high, low)| high * 16 + low));
        rest = if pair.is_some() { &after[2..] } else { after };
    }
    decoded
}

/// What every word that could be base64 says, line by line.
fn from_base64(bytes: &[u8]) -> Vec<u8> {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let words = bytes.split(|byte| !is_digit(byte)).filter(|word| word.len() >= 8);
    let decoded = words.filter_map(|word| STANDARD_NO_PAD.decode(word).ok());
    decoded.flat_map(|decoded| decoded.into_iter().chain([b'\n'])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_found_in_every_way_in_which_cards_are_written() {
        let forms: [&[u8]; 8] = [
            "N:Wäng;Bo".as_bytes(),
            b"N:W\xe4ng;Bo",
            b"\xff\xfeN\0:\0W\0\xe4\0n\0g\0;\0B\0o\0",
            b"N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:W=C3=\r\n=A4n=\ng;Bo",
            b"N;ENCODING=QUOTED-PRINTABLE:W=E4ng;Bo",
            b"N:W\xc3\r\n \xa4n\n g;Bo",
            b"N;ENCODING=b:V8Ok\r\n bmc7Qm8=",
            r"X:W\äng".as_bytes(),
        ];
        for form in forms {
            let texts: Vec<String> = decodings(form).collect();
            assert!(texts.iter().any(|text| text.contains("Wäng")), "{}", form.escape_ascii());
        }
        let japanese: Vec<String> =
            decodings(b"N;CHARSET=SHIFT_JIS;QUOTED-PRINTABLE:=8ER=93c").collect();
        assert!(japanese.iter().any(|text| text.contains("山田")));
    }
}
