//! Files that were cut off: never evidence that somebody is gone.

use super::*;

/// A file in every manner that matters where it is cut: its rows, header first.
const ROWS: [&str; 7] = [
    "No,First Name,Email,Notes\r\n",
    "1,\"An\"\"n\",ann@example.org,\"a\r\nb\"\r\n",
    "2,Zoë,zoe@example.org,\r\n",
    "3,\"Cy\",cy@example.org,\"x,y\"\r\n",
    "4,Di\r\n",
    ",Ed,,\r\n",
    "\"6\",Flo,flo@example.org,\r\n",
];

fn options() -> CsvOptions {
    CsvOptions { key: Some("No".to_owned()), ..CsvOptions::new("contacts.csv") }
}

/// However a file is cut, no row that had begun is missing: the last one is either
/// a record or makes the reading incomplete and the file read-only.
fn expect_every_begun_row(bytes: impl Fn(&str) -> Vec<u8>, rows: &[String]) {
    let file = bytes(&rows.concat());
    let ends: Vec<usize> = (1..=rows.len()).map(|row| bytes(&rows[..row].concat()).len()).collect();
    let whole = TableVersion::parse(file.clone(), &options()).unwrap().1;
    assert_eq!((whole.records.len(), whole.read_only.as_deref()), (rows.len() - 1, None));
    for cut in 0..=file.len() {
        let begun = ends.iter().filter(|end| **end < cut).count();
        let Ok((_, reading)) = TableVersion::parse(file[..cut].to_vec(), &options()) else {
            // The header is not whole, or half a character of UTF-16 is left: the run
            // ends with an error, and changes nothing.
            assert!(cut < ends[0] || cut % 2 == 1, "cut at {cut}");
            continue;
        };
        let unreadable = reading.unreadable.len();
        assert_eq!(reading.records.len() + unreadable, begun, "cut at {cut}");
        assert_eq!(reading.read_only.is_some(), unreadable == 1, "cut at {cut}");
        let before = begun.saturating_sub(1);
        assert_eq!(reading.records[..before], whole.records[..before], "cut at {cut}");
    }
}

#[test]
fn a_file_cut_anywhere_never_loses_a_row_unnoticed() {
    let marked = |text: &str| format!("\u{feff}{text}");
    let utf16 = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        marked(text).encode_utf16().flat_map(unit).collect()
    };
    for (delimiter, end) in [(",", "\r\n"), (";", "\n"), ("\t", "\r"), ("|", "\n")] {
        let rows = ROWS.map(|row| row.replace("\r\n", end).replace(',', delimiter));
        expect_every_begun_row(|text| text.into(), &rows);
        expect_every_begun_row(|text| marked(text).into(), &rows);
        expect_every_begun_row(|text| utf16(text, u16::to_le_bytes), &rows);
        expect_every_begun_row(|text| utf16(text, u16::to_be_bytes), &rows);
        let western = |text: &str| text.chars().map(|c| u8::try_from(c).unwrap()).collect();
        expect_every_begun_row(western, &rows);
    }
}

#[test]
fn a_file_whose_last_row_was_always_unended_is_whole_and_any_shorter_one_is_told() {
    let file = ROWS.concat();
    let unended = file.trim_end().as_bytes();
    let reading = TableVersion::parse(unended.to_vec(), &options()).unwrap().1;
    assert_eq!((reading.records.len(), reading.read_only), (6, None));
    // Without its last delimiter the last row is not all there.
    let reading = TableVersion::parse(unended[..unended.len() - 1].to_vec(), &options()).unwrap().1;
    assert!(reading.read_only.is_some_and(|reason| reason.contains("cut off in row:7")));
}
