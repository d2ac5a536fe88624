//! A cheap look whether a text can be about somebody, before it is read in full.

/// What a text must have one of in full, to be about somebody: each is several parts, in
/// lower case. Where nothing is known of that, every text may be.
#[derive(Clone, Default)]
pub struct Needles {
    any: Vec<Vec<String>>,
}

impl Needles {
    /// Needles of which a text must have one, each of them `parts` that it must all have.
    pub fn new<Parts: IntoIterator<Item = String>>(
        any: impl IntoIterator<Item = Parts>,
    ) -> Needles {
        let mut needles = Needles::default();
        for parts in any {
            let parts: Vec<String> = parts.into_iter().collect();
            // What is not plain may be written in several ways, which takes more than a look.
            if parts.is_empty() || !parts.iter().all(|part| is_plain(part)) {
                return Needles::default();
            }
            needles.any.push(parts);
        }
        needles
    }

    /// Whether one of `texts` that belong together may be about them. There is no false no:
    /// what is encoded, or not written in ASCII, always may.
    pub fn may_be_in(&self, texts: &[&str]) -> bool {
        if self.any.is_empty() || !texts.iter().all(|text| is_plain(text)) {
            return true;
        }
        let has = |part: &String| texts.iter().any(|text| contains_folded(text, part));
        self.any.iter().any(|parts| parts.iter().all(has))
    }
}

/// Whether `part` is in `text`, whatever the case of its letters.
fn contains_folded(text: &str, part: &str) -> bool {
    let mut places = text.as_bytes().windows(part.len().max(1));
    part.is_empty() || places.any(|place| place.eq_ignore_ascii_case(part.as_bytes()))
}

/// Whether a text is written in one way only, but for the case of its letters.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii() && !b"\\%&=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Canon, Field, Region, Values, Who, is_called, name_needles};

    #[test]
    fn only_texts_with_all_parts_of_one_needle_may_be_about_somebody() {
        let parts = |parts: &[&str]| parts.iter().copied().map(String::from).collect::<Vec<_>>();
        let needles = Needles::new([parts(&["ada", "king"]), parts(&["bo@x.example"])]);
        for text in ["King, ADA", "<Bo@X.example>", "Zoë", "a%20b", r"\u0041da"] {
            assert!(needles.may_be_in(&[text]), "{text}");
        }
        assert!(needles.may_be_in(&["Ada", "King"]));
        for text in ["Ada", "king", "bo@x", ""] {
            assert!(!needles.may_be_in(&[text]), "{text}");
        }
        assert!(Needles::new([parts(&["zoë"])]).may_be_in(&["anybody"]));
        assert!(Needles::default().may_be_in(&["anybody"]));
    }

    fn values(texts: [String; 4]) -> Values {
        let fields = [Field::FirstName, Field::LastName, Field::Email, Field::Company];
        fields.into_iter().zip(texts).collect()
    }

    fn word() -> impl Strategy<Value = String> {
        proptest::sample::select(vec![
            "",
            "Ada",
            "ADA ",
            "Zoë",
            "zoe",
            "King",
            "de  la Cruz",
            "ada@x.example",
            "A@X.example",
            "mailto:ada@x.example",
            "<ada@x.example>",
            "ada%40x.example",
            "O\u{2019}Hara",
            "ſ",
            "\u{212a}ing",
            "Ada, King",
            "ada@bücher.example",
            "ada@xn--bcher-kva.example",
        ])
        .prop_map(String::from)
    }

    proptest! {
        #[test]
        fn nobody_is_overlooked(
            texts in [word(), word(), word(), word()],
            who in (word(), word()).prop_map(|(a, b)| format!("{a} {b}").trim().to_owned()),
        ) {
            let values = values(texts);
            let all: Vec<&str> = Field::ALL.iter().map(|field| &*values[*field]).collect();
            if is_called(&values, &who) {
                prop_assert!(name_needles(&who).may_be_in(&all));
            }
            let meant = Who::new(&who, Canon::new(Region::US));
            if meant.is_contact(None, &values) {
                prop_assert!(meant.needles().is_some_and(|needles| needles.may_be_in(&all)));
            }
        }
    }
}
