//! The language of a header, and the country that it speaks for.

use crate::model::Region;

/// Words of headers, each in the language of one country before any other.
const WORDS: [(&str, &str, &[&str]); 15] = [
    ("DE", "German", &["vorname", "nachname", "telefon", "firma", "rufnummer", "ort", "stadt"]),
    ("FR", "French", &["prénom", "nom", "téléphone", "société", "entreprise", "ville"]),
    ("ES", "Spanish", &["nombre", "apellidos", "teléfono", "correo", "empresa", "ciudad"]),
    ("IT", "Italian", &["nome", "cognome", "telefono", "azienda", "città"]),
    ("NL", "Dutch", &["voornaam", "achternaam", "telefoon", "bedrijf", "woonplaats"]),
    ("PL", "Polish", &["imię", "nazwisko", "telefonu", "firma", "miasto"]),
    ("BR", "Portuguese", &["sobrenome", "celular", "telefone", "cidade", "cargo"]),
    ("PT", "Portuguese", &["apelido", "telemóvel", "localidade"]),
    ("SE", "Swedish", &["förnamn", "efternamn", "företag", "stad"]),
    ("DK", "Danish", &["fornavn", "efternavn", "virksomhed", "by"]),
    ("CZ", "Czech", &["jméno", "příjmení", "společnost", "město"]),
    ("HU", "Hungarian", &["vezetéknév", "utónév", "keresztnév", "telefonszám", "cég"]),
    ("TR", "Turkish", &["soyadı", "adı", "telefonu", "şirket", "şehir"]),
    ("CN", "Chinese", &["姓名", "电话", "手机", "邮箱", "公司", "职务"]),
    ("TW", "Chinese", &["電話", "手機", "電子郵件"]),
];

/// The countries for which the name of a column speaks, each with its language.
pub(super) fn regions_of_name(name: &str) -> Vec<(Region, &'static str)> {
    let name = name.to_lowercase();
    let has = |from: char, to: char| name.chars().any(|c| (from..=to).contains(&c));
    let scripts = [
        ("JP", "Japanese", has('\u{3040}', '\u{30ff}')),
        ("KR", "Korean", has('\u{ac00}', '\u{d7a3}')),
        ("RU", "Russian", has('\u{0400}', '\u{04ff}')),
        ("GR", "Greek", has('\u{0370}', '\u{03ff}')),
        ("IL", "Hebrew", has('\u{0590}', '\u{05ff}')),
        ("TH", "Thai", has('\u{0e00}', '\u{0e7f}')),
    ];
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let by_script = scripts.into_iter().filter(|(.., is)| *is).map(|(code, name, _)| (code, name));
    let by_word = WORDS.into_iter().filter(|(.., known)| known.iter().any(|w| words.contains(w)));
    by_script
        .chain(by_word.map(|(code, name, _)| (code, name)))
        .filter_map(|(code, name)| Some((code.parse().ok()?, name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_speaks_for_the_countries_of_its_language() {
        let codes = |name: &str| -> Vec<String> {
            regions_of_name(name).iter().map(|(region, _)| region.to_string()).collect()
        };
        assert_eq!(codes("メールアドレス"), ["JP"]);
        assert_eq!(codes("Vorname"), ["DE"]);
        assert_eq!(codes("Tel. (Firma)"), ["DE", "PL"]);
        assert_eq!(codes("手机"), ["CN"]);
        assert_eq!(codes("First Name"), Vec::<String>::new());
        for (code, ..) in WORDS {
            assert!(code.parse::<Region>().is_ok(), "{code}");
        }
    }
}
