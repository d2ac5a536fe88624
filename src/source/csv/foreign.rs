//! Files that people take for tables and that are something else, with the way out.

use super::Defect;

/// What to do with a workbook.
const EXPORT: &str = "export the sheet as CSV and name that file: in Excel File > Save As > CSV \
                      UTF-8, in LibreOffice File > Save As > Text CSV, in Google Sheets File > \
                      Download > Comma-separated values, in Numbers File > Export To > CSV";

/// What is wrong with a file that begins like this, if it is no table at all.
pub(super) fn foreign_format(raw: &[u8]) -> Option<Defect> {
    let text = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw).trim_ascii_start();
    let begins = |with: &str| {
        text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
    };
    let (problem, hint) = if raw.starts_with(b"PK\x03\x04") {
        ("is a workbook (such as .xlsx, .ods or .numbers) and not a CSV file", EXPORT)
    } else if raw.starts_with(b"\xd0\xcf\x11\xe0") {
        ("is an Excel workbook (.xls) and not a CSV file", EXPORT)
    } else if begins("<!doctype html") || begins("<html") || begins("<?xml") {
        ("is a web page or XML, and not a CSV file", EXPORT)
    } else if begins("%PDF-") {
        ("is a PDF, and not a CSV file", EXPORT)
    } else if begins("BEGIN:VCARD") {
        (
            "is a file of vCards, and vCards are kept as a directory",
            "put it into a directory of its own and name that: mkdir cards && mv FILE cards/ && \
             linqsync init cards",
        )
    } else {
        return None;
    };
    Some(Defect::new(None, problem, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_table_is_known_by_how_it_begins() {
        for (raw, word) in [
            (&b"PK\x03\x04\x14\x00"[..], "workbook"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1", ".xls"),
            (b"<!DOCTYPE HTML><table>", "web page"),
            (b"\xef\xbb\xbf\r\nbegin:vcard\r\n", "vCards"),
            (b"%PDF-1.7", "PDF"),
        ] {
            let defect = foreign_format(raw).unwrap();
            assert!(defect.problem.contains(word), "{}", defect.problem);
        }
        for raw in [&b"Name,Email\n"[..], b"PK,Email\n", b"", b"<3,Email\n", b"Begin,End\n"] {
            assert!(foreign_format(raw).is_none());
        }
    }
}
