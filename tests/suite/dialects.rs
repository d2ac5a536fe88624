//! Every encoding, delimiter and line end, from end to end: each file keeps its own.

use crate::harness::World;

const ENCODINGS: [&str; 5] = ["UTF-8", "UTF-8 with a mark", "UTF-16LE", "UTF-16BE", "Windows-1252"];
const DELIMITERS: [&str; 4] = [",", ";", "\t", "|"];
const LINE_ENDS: [[&str; 2]; 4] = [["\n", "\n"], ["\r\n", "\r\n"], ["\r\n", "\n"], ["\r", "\r"]];

/// A file of its own kind: the encoding, the delimiter, the line ends of the header and
/// most rows and of one row, and whether the last line has none.
#[derive(Clone, Copy, Debug)]
struct TestDialect {
    encoding: &'static str,
    delimiter: &'static str,
    ends: [&'static str; 2],
    unended: bool,
}

impl TestDialect {
    /// Dialects in which each two properties come together somewhere.
    fn all() -> impl Iterator<Item = TestDialect> {
        (0..20).map(|n| TestDialect {
            encoding: ENCODINGS[n % 5],
            delimiter: DELIMITERS[n % 4],
            ends: LINE_ENDS[(n / 5 + n) % 4],
            unended: (n / 4) % 2 == 1,
        })
    }

    fn bytes(self, text: &str) -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        match self.encoding {
            "UTF-8" => text.into(),
            "UTF-8 with a mark" => marked.into(),
            "UTF-16LE" => marked.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "UTF-16BE" => marked.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            _ => text.chars().map(|c| u8::try_from(c).unwrap()).collect(),
        }
    }

    /// Ada, who is edited, and what a file may hold besides.
    fn text(self) -> String {
        let [end, odd] = self.ends;
        let rows = [
            format!("Nr,First Name,Notes,Email,Title,{end}"),
            format!("7,Zoë,\"one{odd}two; \"\"x\"\"|,\t\",zoe@x.example,Countess,x{end}"),
            format!(",,,,,{end}"),
            format!("8,Cy,,cy@x.example,,{odd}"),
            format!("9,\"Dee\", y ,dee@x.example,Pilot,{}", if self.unended { "" } else { end }),
        ];
        let note = "\"one";
        rows.map(|row| match row.split_once(note) {
            // What stands in the note is text.
            Some((before, rest)) => {
                let (inside, after) = rest.split_at(rest.rfind("\",").unwrap());
                let delimited = |text: &str| text.replace(',', self.delimiter);
                delimited(before) + note + inside + &delimited(after)
            }
            None => row.replace(',', self.delimiter),
        })
        .concat()
    }
}

#[test]
fn every_dialect_is_kept_while_one_cell_changes_and_one_row_comes() {
    for dialect in TestDialect::all() {
        let (world, text) = (World::new(), dialect.text());
        let file = || std::fs::read(world.csv()).unwrap();
        world.write(dialect.bytes(&text));
        assert_eq!(world.once().expect(0).linq(), [3, 3, 0, 0], "{dialect:?}");
        assert_eq!(file(), dialect.bytes(&text), "{dialect:?}");
        world.expect_silence();

        world.change("Zoë", "title", "Lädy");
        world.linq().insert([("first_name", "Bo"), ("email", "bo@x.example")]).unwrap();
        assert_eq!(world.once().expect(0).source(), [4, 1, 1, 0], "{dialect:?}");
        let bo = ",Bo,,bo@x.example,,".replace(',', dialect.delimiter);
        let [end, _] = dialect.ends;
        let bo = if dialect.unended { format!("{end}{bo}") } else { format!("{bo}{end}") };
        let expected = text.replace("Countess", "Lädy") + &bo;
        assert_eq!(file(), dialect.bytes(&expected), "{dialect:?}");
        world.expect_silence();
    }
}

#[test]
fn a_file_that_was_cut_off_deletes_nobody() {
    let dialect =
        TestDialect { encoding: "UTF-8", delimiter: ",", ends: ["\n", "\n"], unended: false };
    let (world, text) = (World::synced(&dialect.text()), dialect.text());
    let last = text.find("9,\"Dee").unwrap();
    for cut in [last + 1, last + 5, last + 12, text.len() - 4] {
        world.write(&text[..cut]);
        let run = world.once().expect(3);
        assert_eq!((run.linq(), world.writes().len()), ([3, 0, 0, 0], 0), "cut at {cut}");
        assert_eq!(world.text(), text[..cut], "cut at {cut}");
    }
    world.write(&text);
    world.expect_silence();
}
