//! A file as a value: what its bytes hold, and what they are after edits.
//!
//! Owns the way from the bytes of one version to the proven bytes of the next, also for
//! tools and fuzzers that look at files without a directory. Leaves the disk, locks and
//! editors to [`super::CsvSource`].

use std::collections::BTreeMap;

use crate::source::{Edit, Reading, SourceError, WriteError, Written};

use super::draft::Draft;
use super::sheet::Sheet;
use super::text::Text;
use super::{Charset, CsvOptions, Defect, Shape};

/// Reads the file that consists of `raw`, and says what was found out about it.
///
/// # Errors
/// [`SourceError::Unusable`] when it cannot be read as a table of contacts.
pub fn reading_of(raw: &[u8], options: &CsvOptions) -> Result<(Reading, Shape), SourceError> {
    let parsed = Sheet::parse(raw.to_vec(), options);
    let (sheet, reading) = parsed.map_err(|defect| defect.at(&options.path))?;
    Ok((reading, shape(&sheet)))
}

/// What the file that consists of `raw` is after `edits`, and what became of them. It is
/// proven to differ from `raw` as intended and in nothing else.
///
/// # Errors
/// [`WriteError::ReadOnly`] when it cannot be read, or must not be written;
/// [`WriteError::Unfaithful`] for a mistake in linqsync.
pub fn edited(
    raw: &[u8],
    options: &CsvOptions,
    edits: &[Edit],
) -> Result<(Vec<u8>, Written), WriteError> {
    let path = &options.path;
    let read_only = |reason| WriteError::ReadOnly { path: path.clone(), reason };
    let parsed = Sheet::parse(raw.to_vec(), options);
    let (sheet, _) = parsed.map_err(|defect| read_only(defect.problem))?;
    if let Some(reason) = sheet.read_only {
        return Err(read_only(reason));
    }
    let rewritten = rewritten(&Draft::new(&sheet, edits), options, edits);
    let unfaithful = |problem| WriteError::Unfaithful { path: path.clone(), problem };
    let (after, written) = rewritten.map_err(unfaithful)?;
    check_encoding(&after, options).map_err(read_only)?;
    Ok((after.text.raw().to_vec(), written))
}

/// The file after the edits that were `asked` for and that `draft` has taken up, read
/// like any other, and what became of them.
///
/// # Errors
/// What would not be as intended, for people.
pub(super) fn rewritten(
    draft: &Draft<'_>,
    options: &CsvOptions,
    asked: &[Edit],
) -> Result<(Sheet, Written), String> {
    let text = &draft.sheet.text;
    let raw = if draft.is_empty() { text.raw().to_vec() } else { text.encode(&draft.render()) };
    let options = CsvOptions { encoding: encoding(text, options), ..options.clone() };
    let (after, mut reading) = Sheet::parse(raw, &options).map_err(|defect| defect.problem)?;
    let edits = draft.verify(&after)?;
    reading.keep_choices(asked, &edits);
    Ok((after, Written { edits, reading, failed: None }))
}

/// Makes sure that the encoding of an edited file can still be found out.
///
/// # Errors
/// Why the file must not be written.
pub(super) fn check_encoding(after: &Sheet, options: &CsvOptions) -> Result<(), String> {
    let again = Text::new(after.text.raw().to_vec(), &options.encoding);
    again.map(drop).map_err(|Defect { line, problem, .. }| {
        let place = line.map(|line| format!(" on line {line}")).unwrap_or_default();
        format!(
            "afterwards it would be unreadable{place}: it {problem}; mend the damaged character"
        )
    })
}

/// The encoding in which the file is read once it is edited. Where single characters of a
/// file in UTF-8 are damaged, the edits may have taken the last sound one by which it was
/// told from Windows-1252.
fn encoding(text: &Text, options: &CsvOptions) -> Charset {
    if text.is_utf8() { Charset::Named("utf-8".to_owned()) } else { options.encoding.clone() }
}

/// What was found out about a file.
pub(super) fn shape(sheet: &Sheet) -> Shape {
    let header = sheet.columns.names();
    let (mut columns, mut further) = (BTreeMap::new(), BTreeMap::new());
    for (field, all) in sheet.columns.fields() {
        let mut names = all.iter().map(|at| header[*at].clone());
        columns.extend(names.next().map(|best| (field, best)));
        if names.len() > 0 {
            further.insert(field, names.collect());
        }
    }
    Shape {
        encoding: sheet.text.encoding(),
        delimiter: sheet.dialect.delimiter,
        header: header.to_vec(),
        columns,
        further,
    }
}
