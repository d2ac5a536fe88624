//! Names as people write them, and what is read from them.

use proptest::prelude::*;

use super::*;

fn split(text: &str) -> (String, String) {
    let SplitName { first, last } = WholeName::take_apart(text).split_names();
    (first, last)
}

fn with(text: &str, first: &str, last: &str) -> Option<String> {
    WholeName::take_apart(text).with_names(&SplitName::new(first, last), NameOrder::FirstLast)
}

#[test]
fn a_whole_name_is_taken_apart() {
    for (text, first, last) in [
        ("Ada King", "Ada", "King"),
        ("  Ada   King ", "Ada", "King"),
        ("Mary Ann King", "Mary Ann", "King"),
        ("Ada B. King", "Ada B.", "King"),
        ("King, Ada", "Ada", "King"),
        ("King,Ada", "Ada", "King"),
        ("King, Ada Augusta", "Ada Augusta", "King"),
        ("García Márquez, Gabriel", "Gabriel", "García Márquez"),
        ("King, Ada, Jr.", "Ada", "King"),
        ("King, Jr., Ada", "Ada", "King"),
        ("King Jr., Ada", "Ada", "King"),
        ("King, Dr. Ada", "Ada", "King"),
        ("Dr. Ada King", "Ada", "King"),
        ("Mr. & Mrs. King", "", "King"),
        ("Prof. Dr. Ada King", "Ada", "King"),
        ("Mrs Ada King", "Ada", "King"),
        ("Frau Ada King", "Ada", "King"),
        ("Ada King Jr.", "Ada", "King"),
        ("Ada King, Jr.", "Ada", "King"),
        ("Ada King III", "Ada", "King"),
        ("Ada King, PhD, MBA", "Ada", "King"),
        ("Ada King Ph.D.", "Ada", "King"),
        ("Ada King MD", "Ada", "King"),
        ("Jack Ma", "Jack", "Ma"),
        ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
        ("Rosa van der Berg", "Rosa", "van der Berg"),
        ("Vincent Van Gogh", "Vincent", "Van Gogh"),
        ("Oscar de la Renta", "Oscar", "de la Renta"),
        ("Osama bin Ali", "Osama", "bin Ali"),
        ("José Ortega y Gasset", "José", "Ortega y Gasset"),
        ("Gerard 't Hooft", "Gerard", "'t Hooft"),
        ("van der Berg, Rosa", "Rosa", "van der Berg"),
        ("van der Berg", "", "van der Berg"),
        ("Uma Thurman-King", "Uma", "Thurman-King"),
        ("Cher", "Cher", ""),
        ("Dr. King", "", "King"),
        ("Mr Smith", "", "Smith"),
        ("Ada Jr.", "Ada", ""),
        ("King,", "", "King"),
        (", Ada", "Ada", ""),
        ("Ada King (Engines)", "Ada", "King"),
        ("Ada (Addie) King", "Ada (Addie)", "King"),
        ("Engines Ltd", "Engines Ltd", ""),
        ("ann@x.example", "", ""),
        ("", "", ""),
        (" ", "", ""),
        ("山田 太郎", "太郎", "山田"),
        ("山田　太郎", "太郎", "山田"),
        ("山田太郎", "太郎", "山田"),
        ("田中実", "実", "田中"),
        ("高橋みなみ", "みなみ", "高橋"),
        ("王小明", "小明", "王"),
        ("欧阳娜娜", "娜娜", "欧阳"),
        ("王明", "明", "王"),
        ("김철수", "철수", "김"),
        ("남궁민수", "민수", "남궁"),
        ("김 철수", "철수", "김"),
        ("アダ・キング", "アダ", "キング"),
        ("山", "山", ""),
    ] {
        assert_eq!(split(text), (first.to_owned(), last.to_owned()), "{text:?}");
    }
}

#[test]
fn an_edit_keeps_the_order_and_what_is_no_name() {
    for (text, first, last, expected) in [
        ("Ada King", "Eve", "King", "Eve King"),
        ("King, Ada", "Ada", "Lovelace", "Lovelace, Ada"),
        ("King,Ada", "Eve", "King", "King,Eve"),
        ("Dr. Ada King Jr.", "Ada", "Byron", "Dr. Ada Byron Jr."),
        ("King, Dr. Ada, Jr.", "Eve", "Byron", "Byron, Dr. Eve, Jr."),
        ("Ada King (Engines)", "Ada", "Byron", "Ada Byron (Engines)"),
        ("Ada King", "Ada", "van der Berg", "Ada van der Berg"),
        ("Cher", "Cher", "Bono", "Cher Bono"),
        ("Ada King", "Ada", "", "Ada"),
        ("Dr. King", "Ada", "King", "Dr. Ada King"),
        ("Dr. Ada King", "", "King", "Dr. King"),
        ("King, Ada", "Ada", "", "Ada"),
        ("King,", "Ada", "King", "King, Ada"),
        ("山田 太郎", "次郎", "山田", "山田 次郎"),
        ("山田太郎", "次郎", "山田", "山田次郎"),
        ("", "Ada", "King", "Ada King"),
        ("", "太郎", "山田", "山田 太郎"),
        ("", "Ana", "García Márquez", "García Márquez, Ana"),
        ("", "Ada", "", "Ada"),
        ("ann@x.example", "Ann", "Lee", "Ann Lee"),
        ("Ada King", "", "", ""),
    ] {
        assert_eq!(with(text, first, last).as_deref(), Some(expected), "{text:?}");
    }
}

#[test]
fn what_would_not_be_read_as_it_was_meant_is_not_written() {
    for (text, first, last) in [
        ("Ada King", "Ada", "King Noel"),
        ("Ada King", "Mary Ann", ""),
        ("Ada King", "", "King"),
        ("King, Ada", "Ada, Countess", "King"),
        ("Ada King", "Dr. Ada", "King"),
        ("Ada King", "Ada", "King Jr."),
        ("Ada King", " Ada", "King"),
        ("", "Mary Ann", ""),
        ("", "", "King"),
    ] {
        assert_eq!(with(text, first, last), None, "{text:?} {first:?} {last:?}");
    }
}

#[test]
fn forms_of_address_are_known() {
    for text in ["Mr", "Mrs.", "Dr.", "MS", " Miss ", "Prof. Dr.", "Herr", "Mr. & Mrs.", "M."] {
        assert!(is_form_of_address(text), "{text}");
    }
    for text in ["", "Director", "Engineer", "CEO", "Dr. Ada", "Manager"] {
        assert!(!is_form_of_address(text), "{text}");
    }
}

fn name() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "Ada", "King", "van", "der", "Berg", "Dr.", "Jr.", "Mary", "Ann", "de", "la", "y", "III",
        "PhD", "山田", "太郎", "王", "김", "철수", "O'Neill", "Ltd", "(x)", "a@b.c", "・", "JD",
        "Sr.",
    ]);
    let by = prop::sample::select(vec![" ", " ", " ", "  ", ", ", ",", "", "\u{a0}", "\u{3000}"]);
    prop::collection::vec((word, by), 0..5)
        .prop_map(|words| words.into_iter().flat_map(|(word, by)| [word, by]).collect())
}

proptest! {
    #[test]
    fn what_is_put_is_what_is_read(
        text in prop_oneof![name(), ".{0,12}"],
        first in prop_oneof![name(), "[A-Z][a-z]{1,5}", ".{0,8}"],
        last in prop_oneof![name(), "[A-Z][a-z]{1,5}", ".{0,8}"],
        order in prop::sample::select(vec![
            NameOrder::FirstLast, NameOrder::LastFirst, NameOrder::Spaced, NameOrder::Unspaced,
        ]),
    ) {
        let wanted = SplitName { first, last };
        if let Some(put) = WholeName::take_apart(&text).with_names(&wanted, order) {
            prop_assert_eq!(WholeName::take_apart(&put).split_names(), wanted);
        }
    }

    #[test]
    fn putting_what_is_there_changes_nothing(text in prop_oneof![name(), ".{0,12}"]) {
        let names = WholeName::take_apart(&text).split_names();
        let again = WholeName::take_apart(&text).with_names(&names, NameOrder::LastFirst);
        prop_assert_eq!(again.as_deref(), Some(text.as_str()));
    }
}
