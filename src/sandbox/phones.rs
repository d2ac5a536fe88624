//! Phone numbers for invented people.
//!
//! Owns ranges that are set aside for drama and fiction (NANP 555-01XX, Ofcom,
//! Bundesnetzagentur, Arcep; Japan has none, so a made-up exchange stands in),
//! spelled as people of the country do. Leaves who gets one to [`super::contacts`].

/// A country that numbers are invented for.
#[derive(Clone, Copy)]
pub(super) enum Country {
    UnitedStates,
    Britain,
    Germany,
    France,
    Japan,
}

/// Numbers that were not given away yet.
#[derive(Default)]
pub(super) struct Phones {
    given: [usize; 5],
}

impl Phones {
    /// The next number of `country`, or of the United States once its range is
    /// used up. There, numbers repeat after 198,000.
    pub(super) fn next(&mut self, country: Country) -> String {
        let (prefixes, digits): (&[&str], usize) = match country {
            Country::UnitedStates => return self.next_american(),
            Country::Britain => (&BRITAIN, 3),
            Country::Germany => (&GERMANY, 3),
            Country::France => (&FRANCE, 4),
            Country::Japan => (&JAPAN, 4),
        };
        let nth = self.take(country);
        let number = (nth / prefixes.len()).to_string();
        if number.len() > digits {
            return self.next_american();
        }
        format!("{}{number:0>digits$}", prefixes[nth % prefixes.len()])
    }

    /// Three spellings take turns.
    fn next_american(&mut self) -> String {
        let nth = self.take(Country::UnitedStates);
        let area = AREAS[nth % AREAS.len()];
        // 0100 to 0199 are fiction; a large sandbox has to go beyond them.
        let line = 100 + (nth / AREAS.len()) % 9900;
        match nth % 3 {
            0 => format!("({area}) 555-{line:04}"),
            1 => format!("+1 {area}-555-{line:04}"),
            _ => format!("{area}.555.{line:04}"),
        }
    }

    fn take(&mut self, country: Country) -> usize {
        let given = &mut self.given[country as usize];
        *given += 1;
        *given - 1
    }
}

const AREAS: [u16; 20] = [
    202, 206, 212, 213, 303, 305, 312, 404, 415, 503, 512, 602, 612, 617, 702, 713, 808, 901, 907,
    973,
];

const BRITAIN: [&str; 11] = [
    "+44 20 7946 0",
    "+44 113 496 0",
    "+44 114 496 0",
    "+44 116 496 0",
    "+44 117 496 0",
    "+44 118 496 0",
    "+44 121 496 0",
    "+44 131 496 0",
    "+44 141 496 0",
    "+44 151 496 0",
    "+44 161 496 0",
];

const GERMANY: [&str; 5] =
    ["+49 30 23125 ", "+49 40 66969 ", "+49 69 90009 ", "+49 89 99998 ", "+49 221 4710 "];

const FRANCE: [&str; 5] =
    ["+33 1 99 00 ", "+33 2 61 91 ", "+33 3 53 01 ", "+33 4 65 71 ", "+33 5 36 49 "];

const JAPAN: [&str; 1] = ["+81 3-5550-"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rlibphonenumber::{PhoneNumber, Region};

    use super::super::formats;
    use super::*;

    #[test]
    fn invented_numbers_are_valid_and_never_repeat() {
        let mut phones = Phones::default();
        let mut seen = BTreeSet::new();
        for country in [
            Country::UnitedStates,
            Country::Britain,
            Country::Germany,
            Country::France,
            Country::Japan,
        ] {
            for _ in 0..60 {
                let text = phones.next(country);
                let number = PhoneNumber::parse(&text, Some(Region::US)).unwrap();
                assert!(number.is_valid(), "{text}");
                assert!(seen.insert(formats::to_e164(&text).unwrap()), "{text}");
            }
        }
    }

    #[test]
    fn a_country_that_has_no_more_numbers_borrows_american_ones() {
        let mut phones = Phones::default();
        let numbers: BTreeSet<String> = (0..10_050).map(|_| phones.next(Country::Japan)).collect();
        assert_eq!(numbers.len(), 10_050);
        assert_eq!(numbers.iter().filter(|n| !n.starts_with("+81")).count(), 50);
    }
}
