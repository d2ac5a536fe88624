//! Edits of a card's bytes, line by line.
//!
//! Owns that an edit changes the lines that it means and no others, also in a card whose
//! lines or charset are damaged: there it is refused. Leaves what lines say to
//! [`super::put_changes`] and [`super::render`].

use std::ops::Range;

use super::card::Card;
use super::property::Property;
use super::put::NotWritten;
use super::scan::{self, Line};

/// Bytes that take the place of others.
#[derive(Clone, Debug)]
pub(super) struct Splice {
    pub(super) range: Range<usize>,
    pub(super) bytes: Vec<u8>,
}

/// `bytes` after `splices`, which do not overlap.
fn apply_splices(bytes: &[u8], mut splices: Vec<Splice>) -> Vec<u8> {
    splices.sort_by_key(|splice| splice.range.start);
    let mut result = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for splice in splices {
        result.extend_from_slice(&bytes[at..splice.range.start]);
        result.extend(splice.bytes);
        at = splice.range.end;
    }
    result.extend_from_slice(&bytes[at..]);
    result
}

/// The bytes after one edit, which may tell something about it.
///
/// # Errors
/// Why it cannot be written; also where lines of a damaged card would run together, or
/// others than those of the edit would be read in another charset.
pub(super) fn edit_card<T>(
    bytes: &[u8],
    edit: impl FnOnce(&Card<'_>) -> Result<(T, Vec<Splice>), NotWritten>,
) -> Result<(T, Vec<u8>), NotWritten> {
    let lines = scan::content_lines(bytes);
    let card = Card::new(bytes, &lines);
    let (told, splices) = edit(&card)?;
    if splices.is_empty() {
        return Ok((told, bytes.to_vec()));
    }
    let starts = line_starts(&lines, &splices);
    let new = apply_splices(bytes, splices);
    let new_lines = scan::content_lines(&new);
    if !new_lines.iter().map(|line| line.start).eq(starts) {
        return Err("the card is damaged, and its lines would run together".to_owned());
    }
    let is_still_read = is_still_read(&card, &Card::new(&new, &new_lines));
    if is_still_read { Ok((told, new)) } else { Err(UNTOLD.to_owned()) }
}

/// Where lines begin after `splices`, each of which is a line, or stands before one.
fn line_starts(lines: &[Line], splices: &[Splice]) -> Vec<usize> {
    let is_gone =
        |line: &&Line| splices.iter().any(|s| s.bytes.is_empty() && s.range.start == line.start);
    let moved = |at: usize, is_before: &dyn Fn(&Splice) -> bool| {
        let before = splices.iter().filter(|splice| is_before(splice));
        before.fold(at, |at, splice| at + splice.bytes.len() - splice.range.len())
    };
    let kept = lines.iter().filter(|line| !is_gone(line)).map(|line| line.start);
    let kept = kept.map(|at| moved(at, &|splice| splice.range.end <= at));
    let added = splices.iter().filter(|s| s.range.is_empty()).map(|splice| splice.range.start);
    let added = added.map(|at| moved(at, &|s| s.range.end <= at && !s.range.is_empty()));
    let mut starts: Vec<usize> = kept.chain(added).collect();
    starts.sort_unstable();
    starts
}

/// Whether what a card says is read in the same charset after an edit.
fn is_still_read(card: &Card<'_>, new: &Card<'_>) -> bool {
    let meant = Card { fallback: card.fallback.clone(), ..new.clone() };
    let is_same = |property: &Property| {
        meant.property_text(property) == new.property_text(property)
            && meant.property_components(property) == new.property_components(property)
    };
    meant.fallback == new.fallback || new.properties.iter().all(is_same)
}

/// Why bytes that are right would be read as other characters.
pub(super) const UNTOLD: &str = "its card does not say what charset it is in, and it would be \
                                 taken for another one; save the card as UTF-8";

#[cfg(test)]
mod tests {
    use super::super::put::put_changes;
    use super::super::{cards_of, probe};
    use crate::model::{Field, FieldChange};

    /// What `field` of a card is changed to, or why not.
    fn put_title(card: &[u8], to: &str) -> Result<Vec<u8>, String> {
        let from = cards_of(card).people[0].as_ref().unwrap()[Field::Title].clone();
        put_changes(card, &[FieldChange { field: Field::Title, from, to: to.into() }])
    }

    fn lines(lines: &[&[u8]], ending: &[u8]) -> Vec<u8> {
        let all = [&[&b"BEGIN:VCARD"[..]], lines, &[&b"END:VCARD"[..], b""]].concat();
        all.join(ending)
    }

    #[test]
    fn a_soft_break_at_the_end_of_a_card_swallows_nothing_that_is_added() {
        let card = lines(&[b"VERSION:2.1", b"NOTE;QUOTED-PRINTABLE:cut off="], b"\r\n");
        let expected =
            lines(&[b"VERSION:2.1", b"TITLE:Boss", b"NOTE;QUOTED-PRINTABLE:cut off="], b"\r\n");
        assert_eq!(put_title(&card, "Boss"), Ok(expected));
    }

    #[test]
    fn quoted_printable_is_broken_in_a_file_whose_lines_end_with_cr_alone() {
        let card = lines(&[b"VERSION:2.1", b"TITLE:Boss"], b"\r");
        let long = "Größte unter allen, die jemals über irgendetwas bestimmt haben";
        let new = put_title(&card, long).unwrap();
        assert!(new.windows(2).any(|two| two == b"=\r"), "{}", new.escape_ascii());
        assert_eq!(cards_of(&new).people[0].as_ref().unwrap()[Field::Title], long);
        assert_eq!(probe(&card), Ok(()));
    }

    #[test]
    fn a_cr_within_a_line_is_text_and_breaks_nothing() {
        let card = lines(&[b"TITLE;X-A=a\r b:Boss\r of all"], b"\r\n");
        let new = put_title(&card, "Chief").unwrap();
        assert_eq!(new, lines(&[b"TITLE;X-A=a\r b:Chief"], b"\r\n"));
    }

    #[test]
    fn an_encoding_that_is_named_over_two_lines_counts() {
        let folded: &[&[u8]] = &[b"TITLE;ENCODING=QUOTED-PRIN", b" TABLE:a=", b"b", b"NOTE:n"];
        let card = lines(folded, b"\n");
        assert_eq!(cards_of(&card).people[0].as_ref().unwrap()[Field::Title], "ab");
        let new = put_title(&card, "Ä").unwrap();
        let expected: &[&[u8]] = &[b"TITLE;ENCODING=QUOTED-PRIN", b" TABLE:=C3=84", b"NOTE:n"];
        assert_eq!(new, lines(expected, b"\n"));
    }

    #[test]
    fn a_name_that_goes_over_two_lines_is_one() {
        let folded: &[&[u8]] = &[b"TI", b" TLE;X-A=1:Bo", b" ss", b"item1.EM", b" AIL:a@b.example"];
        let card = lines(folded, b"\r\n");
        let values = cards_of(&card).people[0].clone().unwrap();
        assert_eq!((&*values[Field::Title], &*values[Field::Email]), ("Boss", "a@b.example"));
        let expected: &[&[u8]] = &[b"TI", b" TLE;X-A=1:Chief", b"item1.EM", b" AIL:a@b.example"];
        assert_eq!(put_title(&card, "Chief"), Ok(lines(expected, b"\r\n")));
        assert_eq!(probe(&card), Ok(()));
        let marks = b"BEG\n IN:VCARD\nTITLE:Boss\nEND:VC\n\tARD\n";
        assert_eq!(cards_of(marks).people[0].as_ref().unwrap()[Field::Title], "Boss");
    }

    #[test]
    fn half_a_name_of_nothing_but_space_may_go_with_the_other() {
        assert_eq!(probe(b"BEGIN:VCARD\nVERSION:3.0\nN:\t;G;M;;\nEND:VCARD\n"), Ok(()));
    }

    #[test]
    fn base64_stays_base64() {
        type SplicedLines = &'static [&'static [u8]];
        let table: [(SplicedLines, &str, SplicedLines); 3] = [
            (&[b"TITLE;ENCODING=b:Qm9zcw=="], "Chief", &[b"TITLE;ENCODING=b:Q2hpZWY="]),
            (
                &[b"TITLE;CHARSET=ISO-8859-1;BASE64:", b" Qm9z", b" cw==", b""],
                "Gr\u{f6}\u{df}te",
                &[b"TITLE;CHARSET=ISO-8859-1;BASE64:R3L233Rl", b""],
            ),
            (&[b"TITLE;ENCODING=b:Qm9zcw"], "", &[]),
        ];
        for (old, to, new) in table {
            let card = lines(old, b"\r\n");
            assert_eq!(cards_of(&card).people[0].as_ref().unwrap()[Field::Title], "Boss");
            assert_eq!(put_title(&card, to), Ok(lines(new, b"\r\n")));
            assert_eq!(probe(&card), Ok(()));
        }
        let card = lines(&[b"N;ENCODING=b:S2luZztBZGE7QXVndXN0YTs7"], b"\n");
        let change = FieldChange { field: Field::FirstName, from: "Ada".into(), to: "Eve".into() };
        let expected = lines(&[b"N;ENCODING=b:S2luZztFdmU7QXVndXN0YTs7"], b"\n");
        assert_eq!(put_changes(&card, &[change]), Ok(expected));
    }

    #[test]
    fn long_base64_is_folded() {
        let card = lines(&[b"TITLE;ENCODING=b:Qm9zcw==", b"NOTE:n"], b"\r\n");
        let long = "Head of everything that has to be folded, since it is too long for a line";
        let new = put_title(&card, long).unwrap();
        assert!(new.split(|byte| *byte == b'\n').all(|line| line.len() <= 76));
        assert_eq!(cards_of(&new).people[0].as_ref().unwrap()[Field::Title], long);
        assert_eq!(probe(&new), Ok(()));
    }

    #[test]
    fn a_line_with_one_quotation_mark_takes_no_second_one() {
        let card = lines(&[b"TITLE;X-A=\"a:Boss"], b"\r\n");
        assert_eq!(put_title(&card, "Chief"), Ok(lines(&[b"TITLE;X-A=\"a:Chief"], b"\r\n")));
        let refused = put_title(&card, "the \"Chief: he").unwrap_err();
        assert!(refused.contains("the parameters of its line are damaged"), "{refused}");
    }

    #[test]
    fn a_line_whose_going_would_join_its_neighbours_stays() {
        let card = lines(&[b"PHOTO;ENCODING=b:QUJD", b"", b"TITLE:Boss", b"QUJD", b"X:1"], b"\n");
        assert!(put_title(&card, "").is_ok(), "the empty line keeps them apart");
        let card = lines(&[b"PHOTO;ENCODING=b:QUJD", b"TITLE:Boss", b"QUJD", b"X:1"], b"\n");
        let refused = put_title(&card, "").unwrap_err();
        assert!(refused.contains("its lines would run together"), "{refused}");
    }

    #[test]
    fn the_last_value_that_shows_a_charset_is_not_taken_away_from_others() {
        let name: &[u8] = b"N:\x8e\x52\x93\x63;;;;";
        let card = lines(&[name, b"TITLE:\x82\xe2\x82\xdc\x82\xbe"], b"\r\n");
        let refused = put_title(&card, "Boss").unwrap_err();
        assert!(refused.contains("does not say what charset it is in"), "{refused}");
        let declared: &[u8] = b"N;CHARSET=SHIFT_JIS:\x8e\x52\x93\x63;;;;";
        let card = lines(&[declared, b"TITLE:\x82\xe2\x82\xdc\x82\xbe"], b"\r\n");
        assert!(put_title(&card, "Boss").is_ok());
    }

    #[test]
    fn a_value_that_would_be_taken_for_another_charset_is_not_written() {
        let card = lines(&[b"N:M\xfcller;Zo\xeb;;;", b"TITLE:Chef"], b"\r\n");
        assert!(put_title(&card, "Größte").is_ok());
        let refused = put_title(&card, "Ã¼").unwrap_err();
        assert!(refused.contains("does not say what charset it is in"), "{refused}");
    }

    #[test]
    fn a_company_that_is_called_like_the_person_takes_no_name_away() {
        let card = lines(&[b"FN:Ada King"], b"\r\n");
        let to = "Ada King".into();
        let change = FieldChange { field: Field::Company, from: "".into(), to };
        let new = put_changes(&card, &[change]).unwrap();
        let expected: &[&[u8]] = &[b"FN:Ada King", b"ORG:Ada King", b"N:King;Ada;;;"];
        assert_eq!(new, lines(expected, b"\r\n"));
    }
}
