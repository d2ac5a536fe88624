//! Content lines, and what is no card.

use proptest::prelude::*;

use super::*;

fn contents(body: &str) -> Vec<&str> {
    content_lines(body.as_bytes()).iter().map(|line| &body[line.start..line.content_end]).collect()
}

#[test]
fn a_content_line_has_all_its_continuations() {
    let table: [(&str, &[&str]); 9] = [
        ("A:1\r\n 2\r\nB:3\r\n", &["A:1\r\n 2", "B:3"]),
        ("A:1\r\r\n 2\r\r\nB:3", &["A:1\r\r\n 2", "B:3"]),
        ("A:1\rB:2\r", &["A:1", "B:2"]),
        (
            "N;ENCODING=QUOTED-PRINTABLE:a=0D=\n=0Ab=\nX:c\nB:1",
            &["N;ENCODING=QUOTED-PRINTABLE:a=0D=\n=0Ab=\nX:c", "B:1"],
        ),
        ("N;quoted-printable:a=\nEND:VCARD\n", &["N;quoted-printable:a=", "END:VCARD"]),
        ("P;ENCODING=b:ab\ncd==\n\nX:1", &["P;ENCODING=b:ab\ncd==", "", "X:1"]),
        ("P;BASE64:\n ab\n cd\nX:1", &["P;BASE64:\n ab\n cd", "X:1"]),
        ("T;X=\"a:b\":c\n# remark\n", &["T;X=\"a:b\":c", "# remark"]),
        ("A:=\nB:1\n", &["A:=", "B:1"]),
    ];
    for (body, expected) in table {
        assert_eq!(contents(body), expected);
    }
}

fn layout(body: &str) -> (Vec<&str>, Vec<u32>) {
    let layout = Layout::find_cards(body.as_bytes());
    let cards = (0..layout.cards.len()).map(|card| &body[layout.card_range(card)]).collect();
    (cards, layout.broken.iter().map(|broken| broken.line).collect())
}

#[test]
fn what_is_no_card_is_named_by_its_line_and_does_not_hide_the_others() {
    let one = "begin:vcard \r\nFN:A\r\nend:VCard\r\n";
    let nested = "BEGIN:VCARD\nN:a\nBEGIN:VCARD\nN:b\nEND:VCARD\nEND:VCARD\n";
    let table: [(String, &[&str], &[u32]); 7] = [
        (one.to_owned(), &[one], &[]),
        (format!("\n\n{one}\n{one}"), &[one, one], &[]),
        (nested.to_owned(), &[nested], &[]),
        (format!("BEGIN:VCARD\nFN:cropped\n{one}"), &[one], &[1]),
        (format!("{one}END:VCARD\n{one}"), &[one, one], &[4]),
        (format!("FN:lost\nTEL:1\n{one}# remark\n"), &[one], &[1]),
        (format!("{one}BEGIN:VCARD\nFN:cut off"), &[one], &[4]),
    ];
    for (body, cards, broken) in table {
        assert_eq!(layout(&body), (cards.to_vec(), broken.to_vec()), "{body}");
    }
}

proptest! {
    #[test]
    fn lines_follow_one_another_without_gaps(
        body in "(BEGIN:VCARD|END:VCARD|A;ENCODING=QUOTED-PRINTABLE:x=|[ \\t\"=:;aB]{0,4}|[\r\n]{1,3}){0,20}",
    ) {
        let mut at = 0;
        for line in content_lines(body.as_bytes()) {
            prop_assert_eq!(line.start, at);
            prop_assert!(line.start <= line.value && line.value <= line.content_end);
            prop_assert!(line.content_end <= line.end && line.end > line.start);
            at = line.end;
        }
        prop_assert_eq!(at, body.len());
    }
}
