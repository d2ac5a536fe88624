//! Inputs made of others by accident: the small sibling of a fuzzer, which makes the
//! same ones every time.

use fastrand::Rng;

/// What damages inputs of one kind.
pub(crate) struct Damage {
    random: Rng,
    seeds: Vec<Vec<u8>>,
    /// Pieces that mean something in inputs of this kind.
    words: Vec<Vec<u8>>,
}

/// Bytes at which programs stumble.
const ODD: &[u8] = b"\r\n\t =:;,.\\\"'+-@\0\x1a\x7f\x82\xe9\xc3\xbc\xff\xef\xbb\xbfBE";

impl Damage {
    pub(crate) fn new(seeds: Vec<Vec<u8>>, words: Vec<Vec<u8>>) -> Damage {
        Damage { random: Rng::with_seed(7), seeds, words }
    }

    /// The next input.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut bytes = self.any_seed();
        for _ in 0..self.random.usize(1..8) {
            self.once(&mut bytes);
        }
        bytes
    }

    fn any_seed(&mut self) -> Vec<u8> {
        let at = self.random.usize(..self.seeds.len());
        self.seeds[at].clone()
    }

    fn once(&mut self, bytes: &mut Vec<u8>) {
        let at = self.random.usize(..=bytes.len());
        let span = at..(at + self.random.usize(..24)).min(bytes.len());
        let odd = ODD[self.random.usize(..ODD.len())];
        match self.random.u8(..12) {
            0 | 1 => bytes.insert(at, odd),
            2 if at < bytes.len() => bytes[at] = odd,
            3 if at < bytes.len() => bytes[at] = self.random.u8(..),
            4 if at < bytes.len() => drop(bytes.remove(at)),
            5 => drop(bytes.drain(span)),
            6 => {
                let copy = bytes[span].to_vec();
                let into = self.random.usize(..=bytes.len());
                bytes.splice(into..into, copy);
            }
            7 | 8 if !self.words.is_empty() => {
                let word = self.words[self.random.usize(..self.words.len())].clone();
                bytes.splice(at..at, word);
            }
            9 => {
                let other = self.any_seed();
                let from = self.random.usize(..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            10 => *bytes = self.other_line_ends(bytes),
            _ => bytes.truncate(bytes.len() - self.random.usize(..=bytes.len().min(9))),
        }
    }

    fn other_line_ends(&mut self, bytes: &[u8]) -> Vec<u8> {
        let endings: [&[u8]; 4] = [b"\n", b"\r\n", b"\r\r\n", b"\r"];
        let ending = endings[self.random.usize(..endings.len())];
        let bare: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
        bare.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(ending)
    }
}

/// The words of a dictionary as libFuzzer reads it: one in quotation marks per line,
/// with `\xAB` for bytes.
pub(crate) fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let quoted = dictionary.lines().filter_map(|line| {
        let (start, end) = (line.find('"')?, line.rfind('"')?);
        line.get(start + 1..end)
    });
    quoted.map(unescaped).collect()
}

fn unescaped(word: &str) -> Vec<u8> {
    let mut rest = word.as_bytes();
    let mut bytes = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap();
                (u8::from_str_radix(digits, 16).unwrap(), after)
            }
            (b'\\', [escaped, after @ ..]) => (*escaped, after),
            (byte, after) => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    bytes
}
