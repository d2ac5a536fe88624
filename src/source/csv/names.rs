//! The names by which columns are recognised.
//!
//! Owns how a name is compared with those of [`super::wording`]: Linq's own import, and
//! the exports of Google, Outlook (in English, German, French, Spanish, Italian,
//! Portuguese, Dutch, Polish, Norwegian, Finnish, Russian, Japanese and Chinese), HubSpot,
//! Salesforce, Mailchimp, Thunderbird, LinkedIn, Yahoo and Apple, besides plain words.
//! Leaves to [`super::header`] which column becomes what.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use crate::model::Field;

use super::phrases;
use super::wording::{ColumnMeaning, WORDING};

/// What a column's name says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameMeaning {
    /// What the column holds.
    pub(super) target: ColumnMeaning,
    /// How good the name is among those of its target, and the number in it: the
    /// least comes first.
    pub(super) rank: (usize, u32),
    /// Whether it counts only where the header has no other name for this.
    pub(super) is_alone: bool,
}

/// The names of a header, as they are looked for beside one of them.
pub(super) struct HeaderNames(HashSet<String>);

impl HeaderNames {
    /// Those of the columns `names`.
    pub(super) fn from_columns<'a>(names: impl IntoIterator<Item = &'a String>) -> HeaderNames {
        HeaderNames(names.into_iter().map(|name| plain_name(name)).collect())
    }
}

/// What the column `name` of a header with the names `all` holds, if that is
/// recognised. An owner never is.
pub(super) fn name_meaning(name: &str, all: &HeaderNames) -> Option<NameMeaning> {
    let plain = plain_name(name);
    let is_meant = |(_, own, others): &(ColumnMeaning, String, Vec<String>)| {
        *own == plain && others.iter().any(|other| all.0.contains(other))
    };
    let beside = (0..).zip(PLAIN_BESIDE.iter()).find(|(_, name)| is_meant(name));
    if let Some((place, (target, _, _))) = beside {
        let rank = (usize::MAX, place);
        return Some(NameMeaning { target: *target, rank, is_alone: false });
    }
    known_meaning(name, &plain)
}

/// The field of which `name` is one of the names of the table; of a whole name it is the
/// first.
pub(super) fn field_of(name: &str) -> Option<Field> {
    known_meaning(name, &plain_name(name)).map(|meaning| match meaning.target {
        ColumnMeaning::Field(field) => field,
        ColumnMeaning::FullName => Field::FirstName,
    })
}

/// Whether whole names below a column of this name have the last name first.
pub(super) fn is_last_name_first(name: &str) -> bool {
    KNOWN.get(&plain_name(name)).is_some_and(|place| WORDING.names[*place].is_last_first)
}

/// Whether a column of this name holds whole names and nothing else: `Name` alone may be
/// either half, or that of an account.
pub(super) fn is_surely_whole(name: &str) -> bool {
    let plain = plain_name(name);
    let is_several = !matches!(plain.as_str(), "name" | "nom" | "nome" | "naam" | "nombre");
    is_several
        && KNOWN
            .get(&plain)
            .is_some_and(|place| WORDING.names[*place].target == ColumnMeaning::FullName)
}

fn known_meaning(name: &str, plain: &str) -> Option<NameMeaning> {
    let meaning = |name: &str, number| {
        let place = *KNOWN.get(name)?;
        let known = WORDING.names[place];
        let rank = (place, number);
        Some(NameMeaning { target: known.target, rank, is_alone: known.is_alone })
    };
    let of_phrase = || {
        let (target, place, number) = phrases::phrase_meaning(name)?;
        let rank = (WORDING.names.len() + place, number);
        Some(NameMeaning { target, rank, is_alone: false })
    };
    let of_number = || {
        let (numbered, number) = generalised(plain)?;
        meaning(&numbered, number)
    };
    meaning(plain, 0).or_else(of_number).or_else(of_phrase)
}

/// The places of the table by plain names.
static KNOWN: LazyLock<HashMap<String, usize>> = LazyLock::new(|| {
    let names = WORDING.names.iter().enumerate();
    names.map(|(place, name)| (plain_name(name.text), place)).collect()
});

/// The names that count beside others, plain.
static PLAIN_BESIDE: LazyLock<Vec<(ColumnMeaning, String, Vec<String>)>> = LazyLock::new(|| {
    let names = WORDING.beside.iter();
    names
        .map(|name| {
            let others = name.others.iter().map(|other| plain_name(other)).collect();
            (name.target, plain_name(name.text), others)
        })
        .collect()
});

/// A name in lower case, without accents, spaces and punctuation; `#`, which stands
/// for a number in the table, stays, and so does a damaged character, so that no name
/// with one is known.
pub(super) fn plain_name(name: &str) -> String {
    if name.is_ascii() {
        let letters = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '#');
        return letters.map(|c| c.to_ascii_lowercase()).collect();
    }
    let letters = name.nfkd().filter(|c| c.is_alphanumeric() || matches!(c, '#' | '\u{fffd}'));
    letters.flat_map(char::to_lowercase).collect()
}

/// The name with `#` in place of its first number, and that number, if it has one.
fn generalised(plain: &str) -> Option<(String, u32)> {
    let is_digit = |c: char| c.is_ascii_digit();
    let start = plain.find(is_digit)?;
    let rest = &plain[start..];
    let length = rest.find(|c: char| !is_digit(c)).unwrap_or(rest.len());
    let number = rest[..length].parse().unwrap_or(u32::MAX);
    Some((format!("{}#{}", &plain[..start], &rest[length..]), number))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn field(meaning: Option<NameMeaning>) -> Option<Field> {
        match meaning?.target {
            ColumnMeaning::Field(field) => Some(field),
            ColumnMeaning::FullName => None,
        }
    }

    #[test]
    fn no_name_stands_for_two_things() {
        let mut seen = BTreeSet::new();
        for name in &WORDING.names {
            assert!(seen.insert(plain_name(name.text)), "{} is there twice", name.text);
        }
        let mut seen = BTreeSet::new();
        for name in &WORDING.beside {
            let (text, target) = (plain_name(name.text), name.target.name());
            assert!(seen.insert(format!("{text} {target}")), "{} is there twice", name.text);
        }
    }

    #[test]
    fn names_are_compared_without_case_accents_and_punctuation() {
        let found = |name: &str| field(name_meaning(name, &HeaderNames::from_columns([])));
        for name in ["PRÉNOM", "prenom", "Pre\u{301}nom", " Prénom "] {
            assert_eq!(found(name), Some(Field::FirstName), "{name}");
        }
        assert_eq!(found("e_mail"), Some(Field::Email));
        assert_eq!(found("E-mail\u{fffd}"), None, "a damaged name may have been another one");
        assert_eq!(
            (found("Fax"), found("Pager"), found("Titel"), found("")),
            (None, None, None, None)
        );
    }

    #[test]
    fn a_person_is_recognised_in_every_language() {
        use Field::{Company, Email, FirstName, LastName, Location, PhoneNumber, Title};
        const FIELDS: [Field; 7] =
            [FirstName, LastName, Email, PhoneNumber, Company, Title, Location];
        let table = [
            "Förnamn;Efternamn;E-post;Mobil;Företag;Befattning;Ort",
            "Fornavn;Efternavn;E-mail-adresse;Arbejdstelefon;Virksomhed;Stilling;By",
            "Jméno;Příjmení;E-mailová adresa;Mobilní telefon;Společnost;Funkce;Město",
            "Utónév;Vezetéknév;E-mail cím;Telefonszám;Cég;Beosztás;Város",
            "Ad;Soyadı;E-posta Adresi;Cep Telefonu;Şirket;İş Unvanı;Şehir",
            "Имя;Фамилия;Электронная почта;Мобильный телефон;Компания;Должность;Город",
            "名;姓;メールアドレス;電話番号;会社;役職;市町村",
            "名;姓;邮箱;手机;公司;职位;城市",
            "名;姓;電子郵件;手機;公司;職稱;商務 - 市/鎮",
            "이름;성;전자 메일 주소;휴대폰;회사;직함;City",
        ];
        for header in table {
            let names: Vec<String> = header.split(';').map(str::to_owned).collect();
            let found: Vec<_> = names
                .iter()
                .filter_map(|name| field(name_meaning(name, &HeaderNames::from_columns(&names))))
                .collect();
            assert_eq!(found, FIELDS, "{header}");
        }
        assert!(
            name_meaning(
                "Ad",
                &HeaderNames::from_columns(&["Ad".to_owned(), "First Name".to_owned()])
            )
            .is_none()
        );
    }

    #[test]
    fn a_number_in_a_name_orders_columns() {
        let rank = |name: &str| {
            name_meaning(name, &HeaderNames::from_columns([])).map(|meaning| meaning.rank)
        };
        let order = ["Email", "E-mail 1 - Value", "E-mail 2 - Value", "E-mail 10 - Value"];
        assert!(order.windows(2).all(|pair| rank(pair[0]) < rank(pair[1])));
        assert_eq!(rank("E-mail 1 - Label"), None);
    }

    #[test]
    fn some_names_mean_something_only_beside_others() {
        let found = |name: &str, header: &[&str]| {
            let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
            field(name_meaning(name, &HeaderNames::from_columns(&header)))
        };
        assert_eq!(found("Name", &["Name", "VORNAME"]), Some(Field::LastName));
        assert_eq!(found("Name", &["Name", "First Name"]), None);
        assert_eq!(found("Home", &["Home", "Yahoo! Phone"]), Some(Field::PhoneNumber));
        assert_eq!(found("Home", &["Home", "Phone"]), None);
    }
}
