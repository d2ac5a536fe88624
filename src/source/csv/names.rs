//! The names by which columns are recognised.
//!
//! Owns how a name is compared with those of [`super::wording`]: Linq's own import, and
//! the exports of Google, Outlook (in English, German, French, Spanish, Italian,
//! Portuguese, Dutch, Polish, Norwegian, Finnish, Russian, Japanese and Chinese), HubSpot,
//! Salesforce, Mailchimp, Thunderbird, LinkedIn, Yahoo and Apple, besides plain words.
//! Leaves to [`super::header`] which column becomes what.

use std::collections::HashMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use crate::model::Field;

use super::wording::{BESIDE, names};

/// What a column's name says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    /// The field.
    pub(super) field: Field,
    /// How good the name is among those of the field, and the number in it: the
    /// least comes first.
    pub(super) rank: (usize, u32),
}

/// What the column `name` of a header with the columns `all` holds, if that is
/// recognised. An owner never is.
pub(super) fn meaning<'a>(
    name: &str,
    all: impl IntoIterator<Item = &'a String>,
) -> Option<Meaning> {
    let plain = plain(name);
    if let Some(known) = known(&plain) {
        return Some(known);
    }
    let (place, (field, _, others)) =
        (0..).zip(PLAIN_BESIDE.iter()).find(|(_, (_, own, _))| *own == plain)?;
    let is_one = |name: &String| others.contains(&self::plain(name));
    all.into_iter().any(is_one).then_some(Meaning { field: *field, rank: (usize::MAX, place) })
}

/// The field of which `name` is one of the names of the table.
pub(super) fn field_of(name: &str) -> Option<Field> {
    known(&plain(name)).map(|meaning| meaning.field)
}

fn known(plain: &str) -> Option<Meaning> {
    let meaning = |name: &str, number| {
        KNOWN.get(name).map(|(field, place)| Meaning { field: *field, rank: (*place, number) })
    };
    meaning(plain, 0).or_else(|| {
        let (numbered, number) = numbered(plain)?;
        meaning(&numbered, number)
    })
}

/// The table by plain names.
static KNOWN: LazyLock<HashMap<String, (Field, usize)>> = LazyLock::new(|| {
    let fields = Field::ALL.into_iter();
    let named = fields.flat_map(|field| {
        names(field).iter().enumerate().map(move |(place, name)| (plain(name), (field, place)))
    });
    named.collect()
});

/// The names that count beside others, plain.
static PLAIN_BESIDE: LazyLock<Vec<(Field, String, Vec<String>)>> = LazyLock::new(|| {
    let plain_one = |(field, own, others): &(Field, &str, &[&str])| {
        (*field, plain(own), others.iter().map(|other| plain(other)).collect())
    };
    BESIDE.iter().map(plain_one).collect()
});

/// A name in lower case, without accents, spaces and punctuation; `#`, which stands
/// for a number in the table, stays, and so does a damaged character, so that no name
/// with one is known.
pub(super) fn plain(name: &str) -> String {
    if name.is_ascii() {
        let letters = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '#');
        return letters.map(|c| c.to_ascii_lowercase()).collect();
    }
    let letters = name.nfkd().filter(|c| c.is_alphanumeric() || matches!(c, '#' | '\u{fffd}'));
    letters.flat_map(char::to_lowercase).collect()
}

/// The name with `#` in place of its first number, and that number, if it has one.
fn numbered(plain: &str) -> Option<(String, u32)> {
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

    #[test]
    fn no_name_stands_for_two_things() {
        let names: Vec<&str> = Field::ALL.into_iter().flat_map(names).copied().collect();
        let beside = BESIDE.iter().map(|(_, name, _)| *name);
        let plain: Vec<String> = names.into_iter().chain(beside).map(plain).collect();
        let mut seen = BTreeSet::new();
        for name in &plain {
            assert!(seen.insert(name), "{name} is there twice");
        }
    }

    /// `docs/csv.md` is to say what the code does: row by row, name by name.
    #[test]
    fn the_documentation_lists_exactly_these_names() {
        let page = include_str!("../../../docs/csv.md");
        let listed = |names: &[&str]| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        for field in Field::ALL.into_iter().filter(|field| *field != Field::Owner) {
            let row = format!("| `{field}` | {} |\n", listed(names(field)));
            assert!(page.contains(&row), "docs/csv.md lacks:\n{row}");
        }
        for (field, name, others) in BESIDE {
            let row = format!("| `{name}` | `{field}` | {} |\n", listed(others));
            assert!(page.contains(&row), "docs/csv.md lacks:\n{row}");
        }
        let rows = page.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, Field::ALL.len() - 1 + BESIDE.len(), "docs/csv.md has rows too many");
    }

    #[test]
    fn names_are_compared_without_case_accents_and_punctuation() {
        let found = |name: &str| meaning(name, []).map(|meaning| meaning.field);
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
            let found: Vec<_> =
                names.iter().filter_map(|name| Some(meaning(name, &names)?.field)).collect();
            assert_eq!(found, FIELDS, "{header}");
        }
        assert_eq!(meaning("Ad", &["Ad".to_owned(), "First Name".to_owned()]), None);
    }

    #[test]
    fn a_number_in_a_name_orders_columns() {
        let rank = |name: &str| meaning(name, []).map(|meaning| meaning.rank);
        let order = ["Email", "E-mail 1 - Value", "E-mail 2 - Value", "E-mail 10 - Value"];
        assert!(order.windows(2).all(|pair| rank(pair[0]) < rank(pair[1])));
        assert_eq!(rank("E-mail 1 - Label"), None);
    }

    #[test]
    fn some_names_mean_something_only_beside_others() {
        let found = |name: &str, header: &[&str]| {
            let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
            meaning(name, &header).map(|meaning| meaning.field)
        };
        assert_eq!(found("Name", &["Name", "VORNAME"]), Some(Field::LastName));
        assert_eq!(found("Name", &["Name", "First Name"]), None);
        assert_eq!(found("Home", &["Home", "Yahoo! Phone"]), Some(Field::PhoneNumber));
        assert_eq!(found("Home", &["Home", "Phone"]), None);
    }
}
